"""What a map shows, and what its two renderings share: texts, colours, label places.

Nothing here draws. `figure` renders a view with plotly, `static_map` with matplotlib.
"""

import textwrap
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.schema import NOISE, Floats, Ints

NOISE_COLOUR = "#b8bcc2"
INK = "#1f2430"
FAINT_INK = "#6b7280"
PAPER = "#ffffff"

PALETTE = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
    "#6e1423",
    "#2b2488",
    "#962d69",
    "#4f5b14",
)
"""Okabe and Ito's colours (jfly.uni-koeln.de/color) without yellow and black, which paper and ink
swallow, and four more. Under simulated protanopia, deuteranopia and tritanopia (Machado 2009) any
two of them, and each and the grey of noise, stay 7.6 / 100 apart in OKLab, as in the original."""

MAX_LABELS = 25
"""Labels on a map of 1200 x 900: more are small print."""

LABEL_LINE = 22
LABEL_LINES = 2
"""A label on the map has at most two lines of 22 characters; the legend has room for more."""

SMALLEST_LABEL, LARGEST_LABEL = 11.0, 15.0
"""Font sizes in pixels for the smallest and the largest cluster."""

LEADING = 1.3
"""Height of a line of text in font sizes."""


CELL = 4
"""Pixels a side of the cells in which it is counted what a label would hide."""

HIGHEST_COST = 1.8
"""Beyond, a label would confuse more than it tells. (For the unit see `_cost`.)"""

SHORTEST_LEADER = 14
"""Pixels between a group's place and its label that need no line to connect them."""

Pixels: TypeAlias = NDArray[np.float64]
"""Places, boxes or sums in pixels of the canvas, x to the right and y up."""

Place: TypeAlias = tuple[float, float]
"""x and y in data coordinates."""


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
        return pixels / self._scale + self._origin

    @property
    def _origin(self) -> Pixels:
        return np.array([self.x[0], self.y[0]])

    @property
    def _scale(self) -> float:
        """Pixels per unit, the same on both axes."""
        return self.width / (self.x[1] - self.x[0])


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


def columns(text: str) -> float:
    """Estimated width of a line of text, in letters `a` of a proportional sans."""
    narrow = sum(text.count(c) for c in "ijltf ,.;:'|")
    broad = sum(text.count(c) for c in "mMW@%")
    wide = 0 if text.isascii() else sum(unicodedata.east_asian_width(c) in "WF" for c in text)
    capital = sum(map(str.isupper, text))
    return len(text) - 0.4 * narrow + 0.3 * capital + 0.75 * broad + wide


def plain(text: str, limit: int, measure: Callable[[str], float] = columns) -> str:
    """One line of at most `limit` columns, cut between words, without what cannot be seen.

    Control, zero-width, bidirectional and tag characters and lone surrogates go; white space
    becomes single spaces. With `measure=len` the limit is in characters, and it is quicker.
    """
    # Four times the limit: enough to fill it, and a text of a megabyte costs nothing.
    head = text[: 4 * limit]
    if not head.isprintable():
        head = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in head)
    line = " ".join(head.split())
    if len(text) <= 4 * limit and measure(line) <= limit:
        return line
    cut = line[: 2 * limit]
    while (over := measure(cut) - (limit - 1)) > 0:
        # No letter is wider than 2.1 columns: this many at least are too many.
        cut = cut[: -max(int(over / 2.1), 1)]
    spaced = cut.rfind(" ")
    # A text without spaces (Chinese, one long word) is cut where the room ends.
    return (cut[:spaced] if spaced > len(cut) // 2 else cut).rstrip(" ,.;:") + "…"


def name_of(group: MapGroup, limit: int) -> str:
    """The label of a group in one line, its id where the label is empty."""
    return plain(group.label, limit) or plain(group.id, limit) or "?"


def colours(count: int) -> list[str]:
    """`count` colours as `#rrggbb`: the palette, then the same hues in other lightness."""
    return [_shade(PALETTE[i % len(PALETTE)], i // len(PALETTE)) for i in range(count)]


def _shade(colour: str, turn: int) -> str:
    if not turn:
        return colour
    lightness = _lightness(colour)
    # Steps of the golden ratio keep each new lightness far from all before; the range is what
    # can still be told from white paper and from black ink.
    darkest, lightest = 0.22, 0.74
    span = lightest - darkest
    return _at_lightness(colour, darkest + (lightness - darkest + turn * 0.382 * span) % span)


def ink(colour: str) -> str:
    """The same hue, dark enough to be read as text on white."""
    return _at_lightness(colour, min(_lightness(colour), 0.3))


def _parts(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def _lightness(colour: str) -> float:
    """(max + min) / 2 of the parts, as in HLS: 0 to 1."""
    return (max(_parts(colour)) + min(_parts(colour))) / 2


def _at_lightness(colour: str, lightness: float) -> str:
    """`colour` mixed with white or black. (A turn in HLS makes neon out of a saturated colour.)"""
    now = _lightness(colour)
    if lightness > now:
        white = (lightness - now) / (1 - now)
        parts = [part + white * (1 - part) for part in _parts(colour)]
    else:
        parts = [part * lightness / now for part in _parts(colour)]
    return "#" + "".join(f"{round(255 * part):02x}" for part in parts)


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
    x, y = (float(v) for v in (low + high) / 2)
    half_x, half_y = width * unit / 2, height * unit / 2
    return Canvas(width, height, (x - half_x, x + half_x), (y - half_y, y + half_y))


def density_labels(view: MapView, canvas: Canvas) -> list[MapLabel]:
    """Labels at or beside the densest place of the largest groups; none overlap.

    Text widths are estimated, so that both renderings get the same places without a font. A label
    that finds no room is left out: the legend has it.
    """
    pixels = canvas.to_pixels(view.points)
    everything = _cells(pixels[view.group >= 0], canvas)
    taken = np.empty((0, 4))
    labels: list[MapLabel] = []
    largest = max((group.size for group in view.groups), default=1)
    for index, group in enumerate(view.groups):
        members = pixels[view.group == index]
        if len(labels) == MAX_LABELS or not len(members):
            continue
        text = "\n".join(_lines(name_of(group, LABEL_LINE * LABEL_LINES)))
        font = SMALLEST_LABEL + (LARGEST_LABEL - SMALLEST_LABEL) * (group.size / largest) ** 0.5
        place = _densest_place(members)
        boxes = _candidates(place, _text_size(text, font), canvas)
        free = boxes[~_overlap(boxes, taken).any(axis=1)]
        if not len(free):
            continue
        cost = _cost(free, place, _cells(members, canvas), everything)
        if cost.min() > HIGHEST_COST:
            continue
        box = free[cost.argmin()]
        taken = np.vstack([taken, box])
        x, y = canvas.to_data((box[:2] + box[2:]) / 2).tolist()
        leader = _leader(box, place, canvas)
        labels.append(MapLabel(index, text, x, y, round(font, 1), leader))
    return labels


def _lines(name: str) -> list[str]:
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
    return np.array([max(map(columns, lines)) * 0.7 * font, len(lines) * LEADING * font])


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


def _cost(boxes: Pixels, place: Pixels, own: Pixels, everything: Pixels) -> Pixels:
    """What speaks against each box (m, 4): hiding its own group, hiding others, being far away.

    On a large group the middle wins; a group smaller than its label gets it above or below.
    `own` and `everything` are tables of `_cells`.
    """
    own_hidden = _sum_in(own, boxes)
    others_hidden = _sum_in(everything, boxes) - own_hidden
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) / CELL**2
    far = np.hypot(*((boxes[:, :2] + boxes[:, 2:]) / 2 - place).T)
    cost: Pixels = 2 * own_hidden / own[-1, -1] + 6 * others_hidden / area + far / 60
    return cost


def _leader(box: Pixels, place: Pixels, canvas: Canvas) -> tuple[Place, Place] | None:
    nearest = np.clip(place, box[:2], box[2:])
    if np.hypot(*(nearest - place)) < SHORTEST_LEADER:
        return None
    (x0, y0), (x1, y1) = canvas.to_data(np.stack([place, nearest])).tolist()
    return (x0, y0), (x1, y1)


def _cells(pixels: Pixels, canvas: Canvas) -> Pixels:
    """Summed-area table of the cells of the canvas that hold a point."""
    table = np.zeros((int(canvas.width // CELL) + 2, int(canvas.height // CELL) + 2))
    cells = (pixels // CELL).astype(int) + 1
    table[cells[:, 0], cells[:, 1]] = 1
    return table.cumsum(axis=0).cumsum(axis=1)


def _sum_in(table: Pixels, boxes: Pixels) -> Pixels:
    """(m,): how many marked cells of a table of `_cells` lie in each of `boxes` (m, 4)."""
    last = np.array(table.shape) - 1
    left, bottom = np.clip((boxes[:, :2] // CELL).astype(int), 0, last).T
    right, top = np.clip((boxes[:, 2:] // CELL).astype(int) + 1, 0, last).T
    inside: Pixels = table[right, top] - table[left, top] - table[right, bottom]
    inside += table[left, bottom]
    return inside


def _overlap(a: Pixels, b: Pixels) -> NDArray[np.bool_]:
    """(m, k): which boxes of `a` (m, 4) share area with which of `b` (k, 4)."""
    apart = (a[:, None, :2] >= b[:, 2:]) | (b[:, :2] >= a[:, None, 2:])
    return ~(apart[..., 0] | apart[..., 1])
