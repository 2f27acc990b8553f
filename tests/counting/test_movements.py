"""Bars for a line of text."""

import numpy as np

from corpuscope.tools.counting.movements import sparkline


def test_a_sparkline_shows_nothing_little_and_the_most_apart() -> None:
    assert sparkline(np.array([0, 0.001, 0.5, 1.0, np.nan])) == "▁▂▅█ "
    assert sparkline(np.zeros(3)) == "▁▁▁"
