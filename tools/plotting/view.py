"""What a map shows, before anything draws it: points, groups, texts, and the frame around them.

In: places, the group of each point, and the texts of a run. Out: a `MapView` and the `Canvas` that
fits its points into a rectangle of pixels. `interactive` renders it with plotly, `static` with
matplotlib; the frame is the same in both.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.schema import NOISE, Floats, Ints

MARGIN, HEADER, LEGEND_WIDTH = 24, 84, 330
"""Pixels around the map, above it for title and subtitle, and beside it for the legend."""

OTHER_VALUES = "other values"

Pixels: TypeAlias = NDArray[np.float64]
"""Places, boxes or sums in pixels of the canvas, x to the right and y up."""


@dataclass(frozen=True, slots=True)
class MapGroup:
    """One colour of the map."""

    id: str
    """A cluster id such as `3.1`, or a value of a metadata column."""
    label: str
    """The title where there is one, else the first keywords: untrusted, of any length."""
    size: int
    """Records in it, which may exceed the points drawn."""


@dataclass(frozen=True)
class MapView:
    """A map ready to be drawn. The points are finite: what has no place is left out before."""

    title: str
    subtitle: str
    points: Floats
    """(n, 2)"""
    group: Ints
    """(n,), index into `groups`; -1 is noise."""
    groups: tuple[MapGroup, ...]
    """The largest first; noise is not among them."""
    noise: int
    """Records in no group."""
    hover: tuple[str, ...]
    """(n,), the text of each point, unshortened and untrusted."""
    noise_label: str = NOISE
    """What to call the records in no group."""
    themes: tuple[str, ...] = ()
    """(n,), where the groups are headings: the theme of each point, untrusted, "" for none."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """The rectangle that the points are drawn in: pixels, and the data range that fills it."""

    width: float
    height: float
    x: tuple[float, float]
    y: tuple[float, float]

    def to_pixels(self, points: Floats) -> Pixels:
        """(n, 2) in data coordinates to pixels from the lower left corner."""
        return (points.astype(np.float64) - self._origin) * self._scale

    def to_data(self, pixels: Pixels) -> Pixels:
        """(n, 2) in pixels from the lower left corner to data coordinates."""
        return pixels / self._scale + self._origin

    @property
    def _origin(self) -> Pixels:
        return np.array([self.x[0], self.y[0]])

    @property
    def _scale(self) -> float:
        """Pixels per unit, the same on both axes."""
        return self.width / (self.x[1] - self.x[0])


def marker(points: int) -> tuple[float, float]:
    """Diameter in pixels and opacity (0 to 1) of a point on a map of so many points."""
    many = max(points, 1)
    return float(np.clip(60 * many**-0.28, 2.2, 10)), float(np.clip(1.0 * many**-0.03, 0.75, 0.85))


def canvas_for(points: Floats, width: float, height: float) -> Canvas:
    """The data range that shows `points` (n, 2) in `width` x `height` pixels, both axes alike."""
    if not len(points):
        return Canvas(width, height, (0.0, width), (0.0, height))
    low = points.min(axis=0).astype(np.float64)
    high = points.max(axis=0).astype(np.float64)
    margin = 1.06
    unit = max((high - low)[0] / width, (high - low)[1] / height) * margin
    if unit == 0:  # one place only
        unit = 1 / width
    x, y = (float(centre) for centre in (low + high) / 2)
    half_x, half_y = width * unit / 2, height * unit / 2
    return Canvas(width, height, (x - half_x, x + half_x), (y - half_y, y + half_y))


def group_values(
    values: Sequence[str], most: int, *, by_value: bool = False
) -> tuple[list[MapGroup], Ints]:
    """At most `most` groups of equal values, the most frequent first, the rest as the last one;
    the groups in the order of their values where that is asked for, as of periods.

    Beside them (n,) int32: which group each of the n values is in.
    """
    counts = Counter(values)
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    named = ranked if len(ranked) <= most else ranked[: most - 1]
    rest_ranked = ranked[len(named) :]
    if by_value:
        named = sorted(named)
    ranked = [*named, *rest_ranked]
    groups = [MapGroup(value, value, counts[value]) for value in named]
    if len(named) < len(ranked):
        rest = sum(counts[value] for value in ranked[len(named) :])
        groups.append(MapGroup(OTHER_VALUES, OTHER_VALUES, rest))
    place = {value: min(rank, len(groups) - 1) for rank, value in enumerate(ranked)}
    return groups, np.array([place[value] for value in values], dtype=np.int32)
