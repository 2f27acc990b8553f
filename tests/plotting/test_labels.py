"""Texts of a map cut to a width, and the places of its labels."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from support.made_maps import made_map

from corpuscope.tools.plotting.labels import (
    LEADING,
    MAX_LABELS,
    MapLabel,
    fit_width,
    group_name,
    place_labels,
    text_width,
)
from corpuscope.tools.plotting.view import Canvas, MapGroup, MapView, canvas_for


def test_what_cannot_be_seen_is_taken_out_of_a_text() -> None:
    hidden = "a\u202eb\u200bc\x00d\ud800e\U000e0041f\ufeffg"
    assert fit_width(hidden, 40) == "abcdefg"
    assert fit_width("  one\n two\t\u2028three\xa0four ", 40) == "one two three four"


def test_a_text_is_cut_between_words_within_its_limit() -> None:
    assert fit_width("the card has not arrived", 24) == "the card has not arrived"
    assert fit_width("the card has not arrived yet", 20) == "the card has not…"
    assert fit_width("x" * 1_000_000, 20) == "x" * 19 + "…"


@pytest.mark.parametrize("text", ["票" * 50, "W" * 50, "a b " * 50, "\u200b" * 50])
def test_no_text_is_wider_than_its_limit(text: str) -> None:
    assert text_width(fit_width(text, 30)) <= 30


def test_a_group_without_a_visible_label_goes_by_its_id() -> None:
    assert group_name(MapGroup("3.1", "\u200b \n", 5), 30) == "3.1"


def boxes(labels: list[MapLabel], canvas: Canvas) -> NDArray[np.float64]:
    """(n, 4): left, bottom, right, top in pixels of what the labels cover."""
    centres = canvas.to_pixels(np.array([(label.x, label.y) for label in labels]))
    half = np.array(
        [
            (
                max(map(text_width, label.text.split("\n"))) * 0.35 * label.font,
                len(label.text.split("\n")) * LEADING * label.font / 2,
            )
            for label in labels
        ]
    )
    return np.hstack([centres - half, centres + half])


@pytest.mark.parametrize("label", ["pin", "customers complaining about the card " * 2, "票" * 40])
def test_labels_overlap_nowhere_and_stay_on_the_canvas(label: str) -> None:
    view = made_map([f"{i} {label}" for i in range(60)])
    canvas = canvas_for(view.points, 800, 790)
    labels = place_labels(view, canvas)
    assert 5 < len(labels) <= MAX_LABELS
    taken = boxes(labels, canvas)
    for a, b in itertools.combinations(taken, 2):
        assert (a[:2] >= b[2:]).any() or (b[:2] >= a[2:]).any()
    assert (taken[:, :2] >= 0).all()
    assert (taken[:, 2:] <= [800, 790]).all()


def test_a_long_label_is_shortened_to_two_lines() -> None:
    view = made_map(["problems with a payment that was made abroad and was then charged twice"])
    [label] = place_labels(view, canvas_for(view.points, 800, 790))
    assert label.text == "problems with a\npayment that was made…"


def test_a_label_lies_on_a_large_group_and_beside_a_small_one() -> None:
    random = np.random.default_rng(0)
    large, small = random.normal(0, 3, (2000, 2)), random.normal((12, 0), 0.05, (20, 2))
    view = MapView(
        title="",
        subtitle="",
        points=np.concatenate([large, small]).astype(np.float32),
        group=np.repeat([0, 1], [2000, 20]).astype(np.int32),
        groups=(MapGroup("1", "large", 2000), MapGroup("2", "small", 20)),
        noise=0,
        hover=("",) * 2020,
    )
    canvas = canvas_for(view.points, 800, 790)
    on_large, by_small = place_labels(view, canvas)
    assert np.hypot(on_large.x, on_large.y) < 2
    box = boxes([by_small], canvas)[0]
    points = canvas.to_pixels(view.points[2000:])
    assert not ((points >= box[:2]) & (points <= box[2:])).all(axis=1).any()
    assert np.hypot(by_small.x - 12, by_small.y) < 2
