"""The map as an interactive page: the only importer of plotly.

In: a `MapView`. Out: HTML that carries all it needs. Every text of the data is escaped, for the
page and for the markup and templates that plotly reads in texts.
"""

import html
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from corpuscope.tools.plotting.colours import (
    FAINT_INK,
    INK,
    NOISE_COLOUR,
    PAPER,
    group_colours,
    text_colour,
)
from corpuscope.tools.plotting.labels import fit_width, group_name, place_labels
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
    from plotly.graph_objects import Figure

WEBGL_FROM = 5_000
"""Points from which the page draws with WebGL: SVG pans and zooms jerkily beyond."""

HOVER_LENGTH, HOVER_LINE = 200, 60
LEGEND_NAME = 40
PAGE_SIZE = (1200, 900)
"""The size in pixels for which the labels of the page are placed; a larger one has more room."""

FONT = "Inter, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Noto Sans', sans-serif"
HALO = ", ".join(f"{x}px {y}px 1px #fff" for x in (-1, 0, 1) for y in (-1, 0, 1))
"""A CSS text shadow that keeps labels readable on the points."""

POLICY = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
"""The page loads nothing and sends nothing. Plotly's WebGL needs eval."""

CONFIG = {
    # Since plotly 7 a button to share the chart with Plotly's cloud is there by default. The
    # buttons are listed, so that what a later version adds does not come by itself either.
    "showSendToCloud": False,
    "modeBarButtons": [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]],
    "displaylogo": False,
    "scrollZoom": True,
    "typesetMath": False,
}

FOLLOW_LEGEND = """
const map = document.getElementById('{plot_id}');
map.on('plotly_restyle', () => {
  const hidden = new Set(map.data.filter(t => t.visible === 'legendonly').map(t => t.uid));
  Plotly.relayout(map, {annotations: map.layout.annotations.map(
    a => ({...a, visible: !hidden.has(a.name)}))});
});
"""
"""A group that is hidden by a click on the legend takes its label with it."""

WRAP = re.compile(rf".{{1,{HOVER_LINE}}}(?:\s|$)|.{{{HOVER_LINE}}}")
"""A line of a hover text: `textwrap` takes 3 s for 75,000 texts, this 0.1 s."""


def interactive_html(view: MapView) -> str:
    """The map as one self-contained HTML page of about 5 MB and 100 to 300 bytes a point.

    A trace a group, noise below and in grey; texts on hover, shortened.
    """
    from plotly.io import to_html

    body = to_html(
        _figure(view),
        full_html=False,
        include_plotlyjs=True,
        default_height="100vh",
        div_id="map",
        config=CONFIG,
        post_script=FOLLOW_LEGEND,
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(fit_width(view.title, 120))}</title>\n"
        "<style>html, body { margin: 0; background: #fff }</style>\n"
        f"</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _figure(view: MapView) -> "Figure":
    from plotly.graph_objects import Figure

    width, height = PAGE_SIZE
    canvas = canvas_for(view.points, width - LEGEND_WIDTH - 3 * MARGIN, height - HEADER - MARGIN)
    palette = group_colours(len(view.groups))
    return Figure(
        data=list(_traces(view, palette)),
        layout=_layout(view, canvas) | {"annotations": list(_annotations(view, palette, canvas))},
    )


def _traces(view: MapView, palette: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Noise first, so that it lies below; then the groups, the largest first."""
    size, opacity = marker(len(view.points))
    layers = [
        (index, group_name(group, LEGEND_NAME), group.size, colour)
        for index, (group, colour) in enumerate(zip(view.groups, palette, strict=True))
    ]
    if view.noise:
        layers.insert(0, (-1, fit_width(view.noise_label, LEGEND_NAME), view.noise, NOISE_COLOUR))
    for index, name, count, colour in layers:
        members = np.flatnonzero(view.group == index)
        yield {
            "type": "scattergl" if len(view.points) >= WEBGL_FROM else "scatter",
            "mode": "markers",
            "x": view.points[members, 0],
            "y": view.points[members, 1],
            "name": f"{_escaped(name)} ({count:,})",
            "uid": str(index),
            # The legend has noise last, whatever is drawn first. (The default rank is 1000.)
            "legendrank": 1002 if index < 0 else 1000,
            "marker": {"color": colour, "size": size, "opacity": opacity, "line": {"width": 0}},
            "hovertext": [_hover(view, int(point)) for point in members],
            "hovertemplate": f"<b>{_escaped(name)}</b><br>%{{hovertext}}<extra></extra>",
        }


def _annotations(view: MapView, palette: Sequence[str], canvas: Canvas) -> Iterator[dict[str, Any]]:
    """The labels. Text in a trace would lie below the points that WebGL draws."""
    for label in place_labels(view, canvas):
        shade = text_colour(palette[label.group])
        note = {
            "name": str(label.group),
            "text": "<b>" + _escaped(label.text).replace("\n", "<br>") + "</b>",
            "font": {"color": shade, "size": label.font, "shadow": HALO},
            "x": label.x,
            "y": label.y,
            "showarrow": False,
        }
        if label.leader:
            (from_x, from_y), _ = label.leader
            note |= {
                "x": from_x,
                "y": from_y,
                "ax": label.x,
                "ay": label.y,
                "axref": "x",
                "ayref": "y",
                "showarrow": True,
                "arrowhead": 0,
                "arrowwidth": 1,
                "arrowcolor": shade,
            }
        yield note


def _layout(view: MapView, canvas: Canvas) -> dict[str, Any]:
    """Titles, axes without ticks, legend and hover texts, in plotly's words."""
    axis = {"visible": False, "showgrid": False, "zeroline": False}
    return {
        "title": {
            "text": f"<b>{_escaped(fit_width(view.title, 100))}</b>",
            "font": {"size": 20, "color": INK},
            "subtitle": {
                "text": _escaped(fit_width(view.subtitle, 150)),
                "font": {"size": 13.5, "color": FAINT_INK},
            },
            "x": 0,
            "xref": "container",
            "pad": {"l": MARGIN, "t": MARGIN},
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


def _hover(view: MapView, point: int) -> str:
    """A text of the data as plotly shows it beside its point: shortened, in lines, escaped; below
    the theme of the point, where the groups are headings."""
    lines = WRAP.findall(fit_width(view.hover[point], HOVER_LENGTH, len))
    text = "<br>".join(_escaped(line.strip()) for line in lines)
    theme = fit_width(view.themes[point], HOVER_LINE, len) if view.themes else ""
    return f"<i>{_escaped(theme)}</i><br>{text}" if theme else text


def _escaped(text: str) -> str:
    """For plotly, which reads a subset of HTML and `%{…}` in every text.

    It knows no `&quot;`; a percent sign as an entity is replaced after the templates.
    """
    return html.escape(text, quote=False).replace("%", "&#37;")
