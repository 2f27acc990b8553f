"""The labels of a map: texts cut to a width, and places for them where they hide little.

In: a view and its canvas. Out: labels with text, font size and place; none overlap. Candidates on
and around the densest place of each group are scored by what they would hide, counted with
summed-area tables (Crow 1984), and taken greedily, the largest group first.
"""

import textwrap
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.text import clean_text
from corpuscope.tools.plotting.view import Canvas, MapGroup, MapView, Pixels

MAX_LABELS = 25
"""Labels on a map of 1200 x 900: more are small print."""

LABEL_LINE = 22
LABEL_LINES = 2
"""A label on the map has at most two lines of 22 characters; the legend has room for more."""

SMALLEST_LABEL, LARGEST_LABEL = 11.0, 15.0
"""Font sizes in pixels for the smallest and the largest cluster."""

LEADING = 1.3
"""Height of a line of text in font sizes."""

COUNTING_CELL = 4
"""Pixels a side of the cells in which it is counted what a label would hide."""

HIGHEST_COST = 1.8
"""Beyond, a label would confuse more than it tells. (For the unit see `_cost`.)"""

SHORTEST_LEADER = 14
"""Pixels between a group's place and its label that need no line to connect them."""

Place: TypeAlias = tuple[float, float]
"""x and y in data coordinates."""


@dataclass(frozen=True, slots=True)
class MapLabel:
    """A label with its place in data coordinates."""

    group: int
    text: str
    """One or two lines."""
    x: float
    y: float
    """Its centre."""
    font: float
    """In pixels."""
    leader: tuple[Place, Place] | None
    """The ends of a line from the group to a label that does not touch it."""


def text_width(text: str) -> float:
    """Estimated width of a line of text in columns: letters `a` of a proportional sans."""
    narrow = sum(text.count(c) for c in "ijltf ,.;:'|")
    broad = sum(text.count(c) for c in "mMW@%")
    wide = 0 if text.isascii() else sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    capital = sum(map(str.isupper, text))
    return len(text) - 0.4 * narrow + 0.3 * capital + 0.75 * broad + wide


def fit_width(text: str, limit: int, measure: Callable[[str], float] = text_width) -> str:
    """The text cleaned, on one line of at most `limit` columns, cut between words.

    With `measure=len` the limit is in characters, and it is quicker.
    """
    # Four times the limit: enough to fill it, and a text of a megabyte costs nothing.
    line = clean_text(text[: 4 * limit])
    if len(text) <= 4 * limit and measure(line) <= limit:
        return line
    cut = line[: 2 * limit]
    while (over := measure(cut) - (limit - 1)) > 0:
        # No letter is wider than 2.1 columns: this many at least are too many.
        cut = cut[: -max(int(over / 2.1), 1)]
    spaced = cut.rfind(" ")
    # A text without spaces (Chinese, one long word) is cut where the room ends.
    return (cut[:spaced] if spaced > len(cut) // 2 else cut).rstrip(" ,.;:") + "…"


def group_name(group: MapGroup, limit: int) -> str:
    """The label of a group in one line, its id where the label is empty."""
    return fit_width(group.label, limit) or fit_width(group.id, limit) or "?"


def place_labels(view: MapView, canvas: Canvas) -> list[MapLabel]:
    """Labels at or beside the densest place of the largest groups; none overlap.

    Text widths are estimated, so that both renderings get the same places without a font. A label
    that finds no room is left out: the legend has it.
    """
    pixels = canvas.to_pixels(view.points)
    all_groups = _cells(pixels[view.group >= 0], canvas)
    taken = np.empty((0, 4))
    labels: list[MapLabel] = []
    largest = max((group.size for group in view.groups), default=1)
    for index, group in enumerate(view.groups):
        members = pixels[view.group == index]
        if len(labels) == MAX_LABELS or not len(members):
            continue
        text = "\n".join(_lines(group_name(group, LABEL_LINE * LABEL_LINES)))
        font = SMALLEST_LABEL + (LARGEST_LABEL - SMALLEST_LABEL) * (group.size / largest) ** 0.5
        place = _densest_place(members)
        boxes = _candidates(place, _text_size(text, font), canvas)
        free = boxes[~_overlap(boxes, taken).any(axis=1)]
        if not len(free):
            continue
        cost = _cost(free, place, _cells(members, canvas), all_groups)
        if cost.min() > HIGHEST_COST:
            continue
        box = free[cost.argmin()]
        taken = np.vstack([taken, box])
        x, y = canvas.to_data((box[:2] + box[2:]) / 2).tolist()
        leader = _leader(box, place, canvas)
        labels.append(MapLabel(index, text, x, y, round(font, 1), leader))
    return labels


def _lines(name: str) -> list[str]:
    """The name in at most `LABEL_LINES` lines, of like length where it needs all of them."""
    lines = textwrap.wrap(name, LABEL_LINE, max_lines=LABEL_LINES, placeholder="…") or [name]
    if len(lines) == LABEL_LINES and not lines[-1].endswith("…"):
        # Lines of like length need the narrowest box.
        for width in range(len(name) // LABEL_LINES, LABEL_LINE):
            balanced = textwrap.wrap(name, width)
            if len(balanced) == LABEL_LINES:
                return balanced
    return [line.replace(",…", "…") for line in lines]


def _text_size(text: str, font: float) -> Pixels:
    """Width and height in pixels; a bold sans is about 0.7 em a column."""
    lines = text.split("\n")
    return np.array([max(map(text_width, lines)) * 0.7 * font, len(lines) * LEADING * font])


def _densest_place(points: Pixels) -> Pixels:
    """Mean of the points in the fullest window, a quarter of the extent of `points` (n, 2) wide.

    A mean or median of all would lie outside of a crescent and between two islands.
    """
    bins, reach = 12, 3
    counts, x_edges, y_edges = np.histogram2d(points[:, 0], points[:, 1], bins=bins)
    windows = np.lib.stride_tricks.sliding_window_view(counts, (reach, reach)).sum(axis=(2, 3))
    i, j = np.unravel_index(int(windows.argmax()), windows.shape)
    window = np.array([x_edges[i], y_edges[j], x_edges[i + reach], y_edges[j + reach]])
    inside = ((points >= window[:2]) & (points <= window[2:])).all(axis=1)
    place: Pixels = points[inside].mean(axis=0)
    return place


def _candidates(place: Pixels, size: Pixels, canvas: Canvas) -> Pixels:
    """Boxes (m, 4: left, bottom, right, top) for a text of `size` on and around `place`.

    The first is on it. A box that would leave the canvas is moved inside.
    """
    across = np.array([0, -0.35, 0.35, -0.65, 0.65])
    along = np.array([0, 0.8, -0.8, 1.3, -1.3, 1.8, -1.8, 2.3, -2.3])
    steps = np.stack(np.meshgrid(across, along), axis=-1).reshape(-1, 2)
    half = size / 2 + np.array([4, 2])
    most = np.maximum(np.array([canvas.width, canvas.height]) - half, half)
    centres = np.clip(place + steps * size, half, most)
    return np.hstack([centres - half, centres + half])


def _cost(boxes: Pixels, place: Pixels, group: Pixels, all_groups: Pixels) -> Pixels:
    """What speaks against each box (m, 4): hiding its own group, hiding others, being far away.

    On a large group the middle wins; a group smaller than its label gets it above or below.
    `group` and `all_groups` are tables of `_cells`.
    """
    group_hidden = _sum_in(group, boxes)
    others_hidden = _sum_in(all_groups, boxes) - group_hidden
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) / COUNTING_CELL**2
    far = np.hypot(*((boxes[:, :2] + boxes[:, 2:]) / 2 - place).T)
    cost: Pixels = 2 * group_hidden / group[-1, -1] + 6 * others_hidden / area + far / 60
    return cost


def _leader(box: Pixels, place: Pixels, canvas: Canvas) -> tuple[Place, Place] | None:
    """The line from the group's place to the nearest edge of its label's box, if it needs one."""
    nearest = np.clip(place, box[:2], box[2:])
    if np.hypot(*(nearest - place)) < SHORTEST_LEADER:
        return None
    (x0, y0), (x1, y1) = canvas.to_data(np.stack([place, nearest])).tolist()
    return (x0, y0), (x1, y1)


def _cells(pixels: Pixels, canvas: Canvas) -> Pixels:
    """Summed-area table of the cells of the canvas that hold a point."""
    table = np.zeros(
        (int(canvas.width // COUNTING_CELL) + 2, int(canvas.height // COUNTING_CELL) + 2)
    )
    cells = (pixels // COUNTING_CELL).astype(int) + 1
    table[cells[:, 0], cells[:, 1]] = 1
    return table.cumsum(axis=0).cumsum(axis=1)


def _sum_in(table: Pixels, boxes: Pixels) -> Pixels:
    """(m,): how many marked cells of a table of `_cells` lie in each of `boxes` (m, 4)."""
    last = np.array(table.shape) - 1
    left, bottom = np.clip((boxes[:, :2] // COUNTING_CELL).astype(int), 0, last).T
    right, top = np.clip((boxes[:, 2:] // COUNTING_CELL).astype(int) + 1, 0, last).T
    inside: Pixels = table[right, top] - table[left, top] - table[right, bottom]
    inside += table[left, bottom]
    return inside


def _overlap(a: Pixels, b: Pixels) -> NDArray[np.bool_]:
    """(m, k): which boxes of `a` (m, 4) share area with which of `b` (k, 4)."""
    apart = (a[:, None, :2] >= b[:, 2:]) | (b[:, :2] >= a[:, None, 2:])
    return ~(apart[..., 0] | apart[..., 1])
