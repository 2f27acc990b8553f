"""The map drawn by matplotlib: looked at by its pixels."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from support.made_maps import made_map

from corpuscope.tools.plotting.colours import NOISE_COLOUR, group_colours
from corpuscope.tools.plotting.static import (
    LEGEND_DOT,
    MAX_BYTES,
    static_png,
    within_limit,
)
from corpuscope.tools.plotting.view import LEGEND_WIDTH, MARGIN, marker

DOT = 60
"""Pixels of one colour that are more than the edge of a letter: a dot of the legend has 100."""


def pixels(png: bytes) -> NDArray[np.int64]:
    """(height, width, 3)"""
    with Image.open(io.BytesIO(png)) as picture:
        return np.array(picture.convert("RGB"), dtype=np.int64)


def near(picture: NDArray[np.int64], colour: str, opacity: float = 1.0) -> NDArray[np.bool_]:
    """Which pixels have `colour`, laid over white with `opacity`."""
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    wanted = 255 + (parts - 255) * opacity
    return np.abs(picture - wanted).max(axis=-1) <= 3  # type: ignore[no-any-return]


def of_map(picture: NDArray[np.int64]) -> NDArray[np.int64]:
    return picture[:, : 1200 - LEGEND_WIDTH - 2 * MARGIN]


def of_legend(picture: NDArray[np.int64]) -> NDArray[np.int64]:
    return picture[:, 1200 - LEGEND_WIDTH - MARGIN :]


def test_the_picture_is_a_png_of_the_size_asked_for() -> None:
    png = static_png(made_map(["pin"]), width=800, height=600)
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    assert pixels(png).shape == (600, 800, 3)


def test_groups_and_noise_have_their_colours_on_the_map_and_in_the_legend() -> None:
    view = made_map(["pin", "card", "refund"])
    picture = pixels(static_png(view))
    _, opacity = marker(len(view.points))
    for colour in (*group_colours(3), NOISE_COLOUR):
        assert near(of_map(picture), colour, opacity).sum() > 500
        assert near(of_legend(picture), colour).sum() > DOT


def test_the_legend_is_in_the_order_of_size_with_noise_last() -> None:
    picture = pixels(static_png(made_map([f"topic {i}" for i in range(6)])))
    dots = of_legend(picture)[:, :LEGEND_DOT]
    rows = [
        float(np.nonzero(near(dots, colour))[0].mean())
        for colour in (*group_colours(6), NOISE_COLOUR)
    ]
    assert rows == sorted(rows)


@pytest.mark.parametrize("groups, named", [(34, 34), (35, 35), (36, 34), (60, 34)])
def test_the_legend_names_the_largest_groups_and_noise(groups: int, named: int) -> None:
    picture = of_legend(pixels(static_png(made_map([f"topic {i}" for i in range(groups)]))))
    present = [near(picture, colour).sum() > DOT for colour in group_colours(groups)]
    assert present == [True] * named + [False] * (groups - named)
    assert near(picture, NOISE_COLOUR).sum() > DOT


def test_without_noise_nothing_is_grey() -> None:
    picture = pixels(static_png(made_map(["pin"], noise=0)))
    assert near(picture, NOISE_COLOUR).sum() < DOT
    assert near(picture, NOISE_COLOUR, marker(60)[1]).sum() < DOT


def test_a_map_of_noise_alone_shows_it() -> None:
    view = made_map([], noise=200)
    picture = pixels(static_png(view))
    assert near(of_map(picture), NOISE_COLOUR, marker(200)[1]).sum() > 2000


def test_one_point_and_no_point_are_drawn() -> None:
    one = pixels(static_png(made_map(["pin"], each=1, noise=0)))
    assert near(of_map(one), group_colours(1)[0], marker(1)[1]).sum() > 20
    none = pixels(static_png(made_map([], noise=0, title="")))
    assert (of_map(none)[200:] == 255).all()


def test_dollars_are_money_and_not_mathematics() -> None:
    # As mathematics, an unknown command in a label raises ValueError.
    hostile = "from $5 \\nosuchcommand{ to $10"
    picture = pixels(static_png(made_map([hostile, "_x_"], title=hostile)))
    assert near(of_legend(picture), group_colours(1)[0]).sum() > DOT


def test_a_label_that_no_font_can_write_is_the_id() -> None:
    # No font that is looked for has hieroglyphs; drawn all the same, they would be boxes and a
    # warning of matplotlib.
    unwritable = static_png(made_map(["\U00013000\U00013001\U00013002", "pin"]))
    assert unwritable == static_png(made_map(["1", "pin"]))


@pytest.mark.parametrize(
    "label", ["支票和付款问题", "😀👍🏽 👨‍👩‍👧", "शिकायत", "\u202eشكوى", "zażółć"]
)
def test_labels_in_any_script_are_drawn_without_a_warning(label: str) -> None:
    picture = pixels(static_png(made_map([label, "pin"], title=label)))
    assert near(of_legend(picture), group_colours(1)[0]).sum() > DOT


def test_names_of_the_widest_letters_do_not_run_into_the_numbers() -> None:
    picture = of_legend(pixels(static_png(made_map(["W" * 80, "m" * 80]))))[84:]
    number = picture.shape[1] - 24 - 40  # five columns, right-aligned
    assert (picture[:, : number - 8] < 128).any(), "the names are there"
    assert (picture[:, number - 6 : number] == 255).all()
    assert (picture[:, number:-24] < 128).any(), "the numbers are there"


def test_a_picture_too_large_for_a_host_is_kept_in_fewer_colours() -> None:
    random = np.random.default_rng(0)
    noisy = io.BytesIO()
    Image.fromarray(random.integers(0, 255, (900, 1200, 3), dtype=np.uint8)).save(noisy, "png")
    small = within_limit(noisy.getvalue())
    assert len(noisy.getvalue()) > MAX_BYTES > len(small)
    assert pixels(small).shape == (900, 1200, 3)


def test_a_map_of_75_000_points_stays_small() -> None:
    view = made_map([f"topic {i}" for i in range(40)], each=1000, noise=35_000)
    assert len(static_png(view)) < MAX_BYTES


def test_the_same_view_is_the_same_picture() -> None:
    assert static_png(made_map(["pin", "card"])) == static_png(made_map(["pin", "card"]))
