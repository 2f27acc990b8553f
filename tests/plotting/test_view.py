"""What a map shows: the canvas that fits its points, and groups of equal values."""

import numpy as np
import pytest

from corpuscope.tools.plotting.view import OTHER_VALUES, canvas_for, group_values


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_canvas_holds_its_points_with_both_axes_alike(count: int) -> None:
    points = np.array([(5, 5), (9, 5), (7, 6)], dtype=np.float32)[:count]
    canvas = canvas_for(points, 400, 200)
    pixels = canvas.to_pixels(points)
    assert ((pixels > 0) & (pixels < [400, 200])).all()
    across, along = canvas.x[1] - canvas.x[0], canvas.y[1] - canvas.y[0]
    assert across / along == pytest.approx(2)


@pytest.mark.parametrize(
    "most, sizes, places",
    [
        (3, {"b": 3, "a": 2, "c": 2}, [0, 1, 2, 0, 1, 2, 0]),
        (2, {"b": 3, OTHER_VALUES: 4}, [0, 1, 1, 0, 1, 1, 0]),
    ],
)
def test_values_are_grouped_by_frequency_and_the_rest_is_one_group(
    most: int, sizes: dict[str, int], places: list[int]
) -> None:
    groups, group = group_values(["b", "a", "c", "b", "a", "c", "b"], most)
    assert {one.label: one.size for one in groups} == sizes
    assert group.tolist() == places
    assert group_values([], most)[0] == []


def test_periods_are_grouped_in_their_order() -> None:
    groups, group = group_values(["2025", "2023", "2024", "2025", "2022"], 3, by_value=True)
    assert [one.label for one in groups] == ["2022", "2025", OTHER_VALUES]
    assert group.tolist() == [1, 2, 2, 1, 0]
