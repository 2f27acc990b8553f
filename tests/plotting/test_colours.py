"""The colours of a map, and that eyes tell them apart."""

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from corpuscope.tools.plotting.colours import NOISE_COLOUR, PALETTE, group_colours


def test_sixty_colours_differ_from_one_another_and_from_noise() -> None:
    assert len({*group_colours(60), NOISE_COLOUR}) == 61
    assert tuple(group_colours(10)) == PALETTE


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
