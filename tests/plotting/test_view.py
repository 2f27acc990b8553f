"""Texts, colours and label places of a map."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from corpuscope.tools.plotting.view import (
    LEADING,
    MAX_LABELS,
    NOISE_COLOUR,
    PALETTE,
    Canvas,
    MapGroup,
    MapLabel,
    MapView,
    canvas_for,
    colours,
    columns,
    density_labels,
    name_of,
    plain,
)


def blobs(labels: list[str], each: int = 50, noise: int = 20) -> MapView:
    """Groups of `each` points around places of their own, the first the largest by its size."""
    random = np.random.default_rng(3)
    centres = random.uniform(-10, 10, (len(labels), 2))
    points = [random.normal(centre, 0.5, (each, 2)) for centre in centres]
    points.append(random.uniform(-11, 11, (noise, 2)))
    group = [*np.repeat(np.arange(len(labels)), each), *[-1] * noise]
    return MapView(
        title="tickets",
        subtitle=f"{len(labels)} themes",
        points=np.concatenate(points).astype(np.float32),
        group=np.array(group, dtype=np.int32),
        groups=tuple(
            MapGroup(str(i + 1), label, each + len(labels) - i) for i, label in enumerate(labels)
        ),
        noise=noise,
        hover=("some text",) * len(group),
    )


def boxes(labels: list[MapLabel], canvas: Canvas) -> NDArray[np.float64]:
    """(n, 4): left, bottom, right, top in pixels of what the labels cover."""
    centres = canvas.to_pixels(np.array([(label.x, label.y) for label in labels]))
    half = np.array(
        [
            (
                max(map(columns, label.text.split("\n"))) * 0.35 * label.font,
                len(label.text.split("\n")) * LEADING * label.font / 2,
            )
            for label in labels
        ]
    )
    return np.hstack([centres - half, centres + half])


def test_what_cannot_be_seen_is_taken_out_of_a_text() -> None:
    hidden = "a\u202eb\u200bc\x00d\ud800e\U000e0041f\ufeffg"
    assert plain(hidden, 40) == "abcdefg"
    assert plain("  one\n two\t\u2028three\xa0four ", 40) == "one two three four"


def test_a_text_is_cut_between_words_within_its_limit() -> None:
    assert plain("the card has not arrived", 24) == "the card has not arrived"
    assert plain("the card has not arrived yet", 20) == "the card has not…"
    assert plain("x" * 1_000_000, 20) == "x" * 19 + "…"


@pytest.mark.parametrize("text", ["票" * 50, "W" * 50, "a b " * 50, "\u200b" * 50])
def test_no_text_is_wider_than_its_limit(text: str) -> None:
    assert columns(plain(text, 30)) <= 30


def test_a_group_without_a_visible_label_goes_by_its_id() -> None:
    assert name_of(MapGroup("3.1", "\u200b \n", 5), 30) == "3.1"


def test_sixty_colours_differ_from_one_another_and_from_noise() -> None:
    assert len({*colours(60), NOISE_COLOUR}) == 61
    assert tuple(colours(10)) == PALETTE


@pytest.mark.parametrize(
    "seen",
    [
        np.eye(3),
        # Machado, Oliveira and Fernandes 2009: protanopia, deuteranopia, tritanopia.
        [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
        [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
        [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
    ],
    ids=["all cones", "no red", "no green", "no blue"],
)
def test_the_first_ten_colours_stay_apart_for_colour_blind_eyes(seen: list[list[float]]) -> None:
    def oklab(colour: str) -> NDArray[np.float64]:
        parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        cones = np.array(
            [[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]
        ) @ np.clip(np.array(seen) @ linear, 0, 1)
        lab: NDArray[np.float64] = np.array(
            [[0.2105, 0.7936, -0.0041], [1.978, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]
        ) @ np.cbrt(cones)
        return lab

    places = [oklab(colour) for colour in (*PALETTE, NOISE_COLOUR)]
    nearest = min(float(np.linalg.norm(a - b)) for a, b in itertools.combinations(places, 2))
    assert nearest > 0.07


@pytest.mark.parametrize("label", ["pin", "customers complaining about the card " * 2, "票" * 40])
def test_labels_overlap_nowhere_and_stay_on_the_canvas(label: str) -> None:
    view = blobs([f"{i} {label}" for i in range(60)])
    canvas = canvas_for(view.points, 800, 790)
    labels = density_labels(view, canvas)
    assert 5 < len(labels) <= MAX_LABELS
    taken = boxes(labels, canvas)
    for a, b in itertools.combinations(taken, 2):
        assert (a[:2] >= b[2:]).any() or (b[:2] >= a[2:]).any()
    assert (taken[:, :2] >= 0).all()
    assert (taken[:, 2:] <= [800, 790]).all()


def test_a_long_label_is_shortened_to_two_lines() -> None:
    view = blobs(["problems with a payment that was made abroad and was then charged twice"])
    [label] = density_labels(view, canvas_for(view.points, 800, 790))
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
    on_large, by_small = density_labels(view, canvas)
    assert np.hypot(on_large.x, on_large.y) < 2
    box = boxes([by_small], canvas)[0]
    points = canvas.to_pixels(view.points[2000:])
    assert not ((points >= box[:2]) & (points <= box[2:])).all(axis=1).any()
    assert np.hypot(by_small.x - 12, by_small.y) < 2


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_canvas_holds_its_points_with_both_axes_alike(count: int) -> None:
    points = np.array([(5, 5), (9, 5), (7, 6)], dtype=np.float32)[:count]
    canvas = canvas_for(points, 400, 200)
    pixels = canvas.to_pixels(points)
    assert ((pixels > 0) & (pixels < [400, 200])).all()
    across, along = canvas.x[1] - canvas.x[0], canvas.y[1] - canvas.y[0]
    assert across / along == pytest.approx(2)
