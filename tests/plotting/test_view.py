"""The canvas that fits the points of a map."""

import numpy as np
import pytest

from corpuscope.tools.plotting.view import canvas_for


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_canvas_holds_its_points_with_both_axes_alike(count: int) -> None:
    points = np.array([(5, 5), (9, 5), (7, 6)], dtype=np.float32)[:count]
    canvas = canvas_for(points, 400, 200)
    pixels = canvas.to_pixels(points)
    assert ((pixels > 0) & (pixels < [400, 200])).all()
    across, along = canvas.x[1] - canvas.x[0], canvas.y[1] - canvas.y[0]
    assert across / along == pytest.approx(2)
