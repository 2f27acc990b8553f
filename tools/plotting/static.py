"""The map as a PNG, drawn by matplotlib, with the colours and label places of the page.

In: a `MapView`. Out: a picture small enough for the answer of a tool.
"""

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from corpuscope.tools.core.schema import NOISE
from corpuscope.tools.core.text import one_line
from corpuscope.tools.plotting.colours import (
    FAINT_INK,
    INK,
    NOISE_COLOUR,
    PAPER,
    group_colours,
    text_colour,
)
from corpuscope.tools.plotting.labels import fit_width, group_name, place_labels, text_width
from corpuscope.tools.plotting.view import (
    HEADER,
    LEGEND_WIDTH,
    MARGIN,
    Canvas,
    MapView,
    canvas_for,
    marker,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 100
"""Pixels per inch, so that sizes in pixels and in matplotlib's points convert by 72 / 100."""

LEGEND_FONT = 13.0
LEGEND_PITCH = (22.0, 34.0)
"""Pixels from one entry to the next: where there are many, and where there is room."""
LEGEND_DOT, LEGEND_GAP = 24, 8
"""Pixels of the legend's width that are for the dots, and between names and numbers."""

COLUMN_WIDTH = 0.61
"""Width of a column of text in font sizes, in the first of `FONTS`."""

LONGEST_TEXT = 200
"""Characters of a label that are looked at: more than any place here has room for."""

MAX_BYTES = 700_000
"""Base64 adds a third, and hosts cut the result of a tool at 1 MB."""

FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans CJK KR",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Yu Gothic",
    "PingFang SC",
    "Hiragino Sans",
    "Apple SD Gothic Neo",
    "Arial Unicode MS",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Noto Emoji",
    "Segoe UI Emoji",
    "Segoe UI Symbol",
)
"""In the order in which a glyph is looked for. The first comes with matplotlib, has Latin, Greek,
Cyrillic, Arabic and Hebrew; the others serve where the machine has them."""


def static_png(view: MapView, *, width: int = 1200, height: int = 900) -> bytes:
    """The map as a PNG of `width` x `height` pixels, below `MAX_BYTES`.

    Noise is below and grey, the largest group next and the smallest on top; the legend names the
    largest groups, 34 at this height. A label that the machine's fonts cannot write is replaced by
    the id of its group.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=PAPER)
    FigureCanvasAgg(figure)
    families, known = _fonts()
    view = _legible(view, known)
    palette = group_colours(len(view.groups))
    map_width = max(width - LEGEND_WIDTH - 3 * MARGIN, width // 2)
    map_height = height - HEADER - MARGIN
    axes = figure.add_axes(
        (MARGIN / width, MARGIN / height, map_width / width, map_height / height)
    )
    axes.set_axis_off()
    _draw_points(axes, view, palette)
    _draw_labels(axes, view, palette, families, canvas_for(view.points, map_width, map_height))
    _draw_header(figure, view, families)
    left = map_width + 2 * MARGIN
    legend = figure.add_axes(
        (left / width, 0, (width - left - MARGIN) / width, (height - HEADER) / height)
    )
    legend.set_axis_off()
    legend.set_xlim(0, width - left - MARGIN)
    legend.set_ylim(height - HEADER, 0)
    _draw_legend(legend, view, palette, families)
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=DPI)
    return within_limit(image.getvalue())


def within_limit(png: bytes) -> bytes:
    """`png` itself; where it is larger than `MAX_BYTES`, the same in 256 or in 16 colours."""
    from PIL import Image

    for number in (256, 16):
        if len(png) <= MAX_BYTES:
            break
        smaller = io.BytesIO()
        with Image.open(io.BytesIO(png)) as picture:
            few = picture.convert("RGB").quantize(number, dither=Image.Dither.NONE)
        few.save(smaller, format="png", optimize=True)
        png = smaller.getvalue()
    return png


def _fonts() -> tuple[tuple[str, ...], frozenset[int]]:
    """The families of `FONTS` that are installed, and the code points that they can write."""
    from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font

    installed = set(fontManager.get_font_names())
    families = tuple(name for name in FONTS if name in installed)
    known: set[int] = set()
    for name in families:
        # A bold face often has fewer glyphs than the regular one; both are written with.
        faces = [FontProperties(family=name, weight=weight) for weight in ("normal", "bold")]
        normal, bold = (get_font(findfont(face)).get_charmap() for face in faces)
        known.update(normal.keys() & bold.keys())
    return families, frozenset(known)


def _legible(view: MapView, known: frozenset[int]) -> MapView:
    """The view with texts that can be written; a label that loses most of itself becomes the id."""

    def writable(text: str, instead: str) -> str:
        line = fit_width(text, LONGEST_TEXT, len)
        rest = one_line("".join(c for c in line if ord(c) in known))
        return rest if 2 * len(rest) > len(line) else instead

    groups = (replace(group, label=writable(group.label, group.id)) for group in view.groups)
    return replace(
        view,
        title=writable(view.title, ""),
        subtitle=writable(view.subtitle, ""),
        noise_label=writable(view.noise_label, NOISE),
        groups=tuple(groups),
    )


def _draw_points(axes: "Axes", view: MapView, palette: Sequence[str]) -> None:
    size, alpha = marker(len(view.points))
    for index, colour in ((-1, NOISE_COLOUR), *enumerate(palette)):
        members = view.points[view.group == index]
        axes.plot(
            members[:, 0],
            members[:, 1],
            linestyle="none",
            marker="o",
            markersize=size * 72 / DPI,
            markeredgewidth=0,
            color=colour,
            alpha=alpha,
        )


def _draw_labels(
    axes: "Axes", view: MapView, palette: Sequence[str], families: Sequence[str], canvas: Canvas
) -> None:
    from matplotlib.patheffects import withStroke

    axes.set_xlim(*canvas.x)
    axes.set_ylim(*canvas.y)
    labels = place_labels(view, canvas)
    for label in labels:
        if label.leader:
            x, y = zip(*label.leader, strict=True)
            axes.plot(x, y, color=text_colour(palette[label.group]), linewidth=0.7)
    for label in labels:
        text = axes.text(
            label.x,
            label.y,
            label.text,
            fontfamily=families,
            fontsize=label.font * 72 / DPI,
            fontweight="bold",
            color=text_colour(palette[label.group]),
            ha="center",
            va="center",
            linespacing=1.05,
            parse_math=False,
        )
        text.set_path_effects([withStroke(linewidth=2.6, foreground=PAPER)])


def _draw_header(figure: "Figure", view: MapView, families: Sequence[str]) -> None:
    width, height = figure.get_size_inches() * DPI
    room = int((width - 2 * MARGIN) / 11)
    lines = (
        (view.title, 20, 34, INK, "bold"),
        (view.subtitle, 13.5, 62, FAINT_INK, "normal"),
    )
    for text, size, top, colour, weight in lines:
        figure.text(
            MARGIN / width,
            1 - top / height,
            fit_width(text, room),
            fontfamily=families,
            fontsize=size * 72 / DPI,
            fontweight=weight,
            color=colour,
            va="center",
            parse_math=False,
        )


def _draw_legend(
    axes: "Axes", view: MapView, palette: Sequence[str], families: Sequence[str]
) -> None:
    """Dot, name and number of the largest groups, how many more there are, and noise."""
    right, bottom = axes.get_xlim()[1], axes.get_ylim()[0]
    rows = _legend_rows(view, palette, int((bottom - MARGIN) / LEGEND_PITCH[0]))
    room = (right - LEGEND_DOT - LEGEND_GAP) / (COLUMN_WIDTH * LEGEND_FONT)
    pitch = min(LEGEND_PITCH[1], (bottom - MARGIN) / max(len(rows), 1))
    for row, (colour, name, number) in enumerate(rows):
        y = (row + 0.5) * pitch
        if colour is not None:
            axes.plot([8], [y], marker="o", markersize=9, markeredgewidth=0, color=colour)
        line = fit_width(name, max(int(room - text_width(number)), 6))
        for x, text, align, shade in (
            (LEGEND_DOT, line, "left", INK if colour else FAINT_INK),
            (right, number, "right", FAINT_INK),
        ):
            axes.text(
                x,
                y,
                text,
                fontfamily=families,
                fontsize=LEGEND_FONT * 72 / DPI,
                color=shade,
                ha=align,
                va="center",
                parse_math=False,
            )


def _legend_rows(
    view: MapView, palette: Sequence[str], most: int
) -> list[tuple[str | None, str, str]]:
    """Colour, name and number of each of at most `most` rows; no colour: the groups left out."""
    entries = most - 2  # one row for those left out, one for noise
    if len(view.groups) == entries + 1:  # a row that says "1 more" may as well name it
        entries += 1
    rows: list[tuple[str | None, str, str]] = [
        (colour, group_name(group, LONGEST_TEXT), f"{group.size:,}")
        for group, colour in zip(view.groups[:entries], palette, strict=False)
    ]
    if more := view.groups[entries:]:
        rows.append((None, f"… {len(more)} more", f"{sum(group.size for group in more):,}"))
    if view.noise:
        rows.append((NOISE_COLOUR, view.noise_label, f"{view.noise:,}"))
    return rows
