"""The map as an interactive page, and as a picture of that page: the only importer of plotly."""

import asyncio
import html
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from corpuscope.tools.map_view import (
    FAINT_INK,
    INK,
    NOISE_COLOUR,
    PAPER,
    Canvas,
    MapView,
    canvas_for,
    colours,
    density_labels,
    ink,
    marker,
    name_of,
    plain,
)
from corpuscope.tools.static_map import within_limit

if TYPE_CHECKING:
    from kaleido import Kaleido
    from plotly.graph_objects import Figure

WEBGL_FROM = 5_000
"""Points from which the page draws with WebGL: SVG pans and zooms jerkily beyond."""

HOVER_LENGTH, HOVER_LINE = 200, 60
LEGEND_NAME = 40
LEGEND_WIDTH = 330
MARGIN, HEADER = 24, 84
PAGE = (1200, 900)
"""The size in pixels for which the labels of the page are placed; a larger one has more room."""

FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Noto Sans', sans-serif"
HALO = ", ".join(f"{x}px {y}px 1px #fff" for x in (-1, 0, 1) for y in (-1, 0, 1))
"""A CSS text shadow that keeps labels readable on the points."""

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
"""The page loads nothing and sends nothing. Plotly's WebGL needs eval."""

WRAP = re.compile(rf".{{1,{HOVER_LINE}}}(?:\s|$)|.{{{HOVER_LINE}}}")
"""A line of a hover text: `textwrap` took 7 s for 75,000 texts, this 0.4 s."""


def interactive_html(view: MapView) -> str:
    """The map as one self-contained HTML page of about 5 MB and 100 to 300 bytes a point.

    A trace a group, noise below and in grey; texts on hover, shortened; every text escaped. The
    points must be finite.
    """
    from plotly.io import to_html

    body = to_html(
        _figure(view, PAGE, webgl=len(view.points) >= WEBGL_FROM),
        full_html=False,
        include_plotlyjs=True,
        default_height="100vh",
        div_id="map",
        config={
            "displaylogo": False,
            "responsive": True,
            "scrollZoom": True,
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
        },
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(plain(view.title, 120))}</title>\n"
        "<style>html, body { margin: 0; background: #fff }</style>\n"
        f"</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _figure(view: MapView, size: tuple[int, int], *, webgl: bool) -> "Figure":
    from plotly.graph_objects import Figure

    width, height = size
    canvas = canvas_for(view.points, width - LEGEND_WIDTH - 3 * MARGIN, height - HEADER - MARGIN)
    palette = colours(len(view.groups))
    return Figure(
        data=[*_point_traces(view, palette, webgl=webgl), *_label_traces(view, palette, canvas)],
        layout=_layout(view, canvas),
    )


def _point_traces(
    view: MapView, palette: Sequence[str], *, webgl: bool
) -> Iterator[dict[str, Any]]:
    """Noise first, so that it lies below; then the groups, the largest first."""
    size, opacity = marker(len(view.points))
    noise = (-1, plain(view.noise_label, LEGEND_NAME), view.noise, NOISE_COLOUR)
    named = (
        (index, name_of(group, LEGEND_NAME), group.size, colour)
        for index, (group, colour) in enumerate(zip(view.groups, palette, strict=True))
    )
    for index, name, count, colour in (noise, *named):
        members = np.flatnonzero(view.group == index)
        if index < 0 and not view.noise:
            continue
        yield {
            "type": "scattergl" if webgl else "scatter",
            "mode": "markers",
            "x": view.points[members, 0],
            "y": view.points[members, 1],
            "name": f"{_escaped(name)} ({count:,})",
            "legendgroup": str(index),
            # The legend has noise last, whatever is drawn first. (The default rank is 1000.)
            "legendrank": 1001 if index < 0 else 1000,
            "marker": {"color": colour, "size": size, "opacity": opacity, "line": {"width": 0}},
            "hovertext": [_hover(view.hover[i]) for i in members],
            "hovertemplate": f"<b>{_escaped(name)}</b><br>%{{hovertext}}<extra></extra>",
        }


def _label_traces(
    view: MapView, palette: Sequence[str], canvas: Canvas
) -> Iterator[dict[str, Any]]:
    """The labels as text in the legend group of their points, so that both go and come together."""
    for label in density_labels(view, canvas):
        shared = {
            "type": "scatter",
            "legendgroup": str(label.group),
            "showlegend": False,
            "hoverinfo": "skip",
        }
        shade = ink(palette[label.group])
        if label.leader:
            x, y = label.leader
            yield {**shared, "mode": "lines", "x": x, "y": y, "line": {"color": shade, "width": 1}}
        yield {
            **shared,
            "mode": "text",
            "x": [label.x],
            "y": [label.y],
            "text": ["<b>" + _escaped(label.text).replace("\n", "<br>") + "</b>"],
            "textfont": {"color": shade, "size": label.font, "shadow": HALO},
        }


def _layout(view: MapView, canvas: Canvas) -> dict[str, Any]:
    axis = {"visible": False, "showgrid": False, "zeroline": False}
    return {
        "title": {
            "text": f"<b>{_escaped(plain(view.title, 100))}</b>",
            "font": {"size": 20, "color": INK},
            "subtitle": {
                "text": _escaped(plain(view.subtitle, 150)),
                "font": {"size": 13.5, "color": FAINT_INK},
            },
            "x": 0,
            "xref": "container",
            "pad": {"l": MARGIN},
            "y": 1,
            "yref": "container",
            "yanchor": "top",
        },
        "template": "none",
        "font": {"family": FONT, "color": INK},
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "margin": {"l": MARGIN, "r": MARGIN, "t": HEADER, "b": MARGIN},
        "xaxis": {**axis, "range": canvas.x},
        "yaxis": {**axis, "range": canvas.y, "scaleanchor": "x", "scaleratio": 1},
        "legend": {
            "x": 1.02,
            "font": {"size": 13},
            "itemsizing": "constant",
            "tracegroupgap": 2,
            "traceorder": "normal",
        },
        "hoverlabel": {
            "bgcolor": PAPER,
            "bordercolor": FAINT_INK,
            "font": {"color": INK, "size": 13},
            "align": "left",
        },
        "hovermode": "closest",
        "dragmode": "pan",
        "showlegend": True,
    }


def _hover(text: str) -> str:
    lines = WRAP.findall(plain(text, HOVER_LENGTH))
    return "<br>".join(_escaped(line.strip()) for line in lines)


def _escaped(text: str) -> str:
    """For plotly, which reads a subset of HTML and `%{…}` in every text.

    It knows no `&quot;`; a percent sign as an entity is replaced after the templates.
    """
    return html.escape(text, quote=False).replace("%", "&#37;")
