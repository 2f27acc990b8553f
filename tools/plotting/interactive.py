"""The map as an interactive page, and as a picture of that page: the only importer of plotly."""

import asyncio
import contextlib
import html
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from corpuscope.tools.plotting.static import within_limit
from corpuscope.tools.plotting.view import (
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

if TYPE_CHECKING:
    from kaleido import Kaleido
    from plotly.graph_objects import Figure

WEBGL_FROM = 5_000
"""Points from which the page draws with WebGL: SVG pans and zooms jerkily beyond."""

HOVER_LENGTH, HOVER_LINE = 200, 60
LEGEND_NAME = 40
LEGEND_WIDTH, LEGEND_PITCH = 330, 20
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

BROWSER_MAX = 20_000
"""Points beyond which the static map is the better picture: a Chrome without a graphics card (2
cores) takes 3 s to start, then 2 s for 20,000 points and 7 s for 75,000, where it takes 0.5 s."""

UNWINDING = 1.0
"""Seconds of a time limit that are kept for kaleido to notice that its browser was killed."""

WRAP = re.compile(rf".{{1,{HOVER_LINE}}}(?:\s|$)|.{{{HOVER_LINE}}}")
"""A line of a hover text: `textwrap` takes 3 s for 75,000 texts, this 0.1 s."""


def interactive_html(view: MapView) -> str:
    """The map as one self-contained HTML page of about 5 MB and 100 to 300 bytes a point.

    A trace a group, noise below and in grey; texts on hover, shortened; every text escaped. The
    points must be finite.
    """
    from plotly.io import to_html

    body = to_html(
        _figure(view, PAGE, moving=True),
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
        f"<title>{html.escape(plain(view.title, 120))}</title>\n"
        "<style>html, body { margin: 0; background: #fff }</style>\n"
        f"</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def find_browser() -> str | None:
    """Path of the Chrome, Chromium, Edge or Brave that would draw pictures, None without one."""
    from choreographer.browsers.chromium import Chromium

    path: str | None = Chromium.find_browser(skip_local=False)
    return path


def interactive_png(
    view: MapView,
    *,
    width: int = 1200,
    height: int = 900,
    timeout: float = 12.0,
    browser: str | None = None,
) -> bytes | None:
    """The figure of the page as a PNG, drawn by a headless Chrome through kaleido.

    None where there is no Chrome, where it fails, where it needs more than `timeout` seconds, and
    for more than `BROWSER_MAX` points: `static_map.static_png` is for these. No browser is left
    behind. `browser` is the path of a Chrome; by default it is looked for.
    """
    end = time.monotonic() + timeout
    browser = browser or find_browser()
    if len(view.points) > BROWSER_MAX or browser is None or not Path(browser).is_file():
        return None
    from choreographer.errors import ChannelClosedError, DevtoolsProtocolError
    from kaleido.errors import (
        BrowserClosedError,
        BrowserFailedError,
        ChromeNotFoundError,
        JavascriptError,
        KaleidoError,
    )

    figure = _figure(view, (width, height), moving=False).to_dict()
    # A thread of its own, because the caller may have an event loop that must not stand still.
    thread = ThreadPoolExecutor(1)
    limit = max(end - time.monotonic() - UNWINDING, 0)
    try:
        drawing = thread.submit(asyncio.run, _draw(figure, (width, height), browser, limit))
        return within_limit(drawing.result(limit + UNWINDING))
    except (
        ChromeNotFoundError,
        BrowserFailedError,
        BrowserClosedError,
        ChannelClosedError,
        DevtoolsProtocolError,
        JavascriptError,
        KaleidoError,
        TimeoutError,
        # What kaleido's own waits end with when the browser goes away beneath them.
        asyncio.CancelledError,
    ):
        return None
    finally:
        thread.shutdown(wait=False)


async def _draw(figure: dict[str, Any], size: tuple[int, int], browser: str, limit: float) -> bytes:
    from kaleido import Kaleido

    # Without `mathjax=False` the browser would fetch MathJax from a public server.
    kaleido = Kaleido(timeout=limit, path=browser, mathjax=False)
    # kaleido's own time limit neither covers the start nor ends a browser that hangs; when the
    # browser is killed, every wait for it ends.
    ending = asyncio.create_task(_end_after(limit, kaleido))
    options = {"format": "png", "width": size[0], "height": size[1]}
    try:
        async with kaleido:
            png: bytes = await kaleido.calc_fig(figure, options)
            return png
    finally:
        ending.cancel()
        _kill(kaleido)


async def _end_after(seconds: float, kaleido: "Kaleido") -> None:
    await asyncio.sleep(seconds)
    while True:  # the browser may be about to start
        _kill(kaleido)
        await asyncio.sleep(0.1)


def _kill(kaleido: "Kaleido") -> None:
    """Ends the browser's process group, if it runs."""
    process: subprocess.Popen[bytes] | None = getattr(kaleido, "subprocess", None)
    if process is None or process.poll() is not None:
        return
    if os.name == "nt":
        process.kill()
    else:
        # The browser leads a session of its own: its renderers are in the same group. It may have
        # ended since it was asked.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def _figure(view: MapView, size: tuple[int, int], *, moving: bool) -> "Figure":
    """`moving`: for the page, with texts on hover; else what a picture shows."""
    from plotly.graph_objects import Figure

    width, height = size
    canvas = canvas_for(view.points, width - LEGEND_WIDTH - 3 * MARGIN, height - HEADER - MARGIN)
    palette = colours(len(view.groups))
    traces = list(_traces(view, palette, moving=moving))
    if not moving:
        traces += _cut_legend(traces, view, int((height - HEADER - MARGIN) // LEGEND_PITCH))
    return Figure(
        data=traces,
        layout=_layout(view, canvas) | {"annotations": list(_annotations(view, palette, canvas))},
    )


def _traces(view: MapView, palette: Sequence[str], *, moving: bool) -> Iterator[dict[str, Any]]:
    """Noise first, so that it lies below; then the groups, the largest first."""
    size, opacity = marker(len(view.points))
    named = [
        (index, name_of(group, LEGEND_NAME), group.size, colour)
        for index, (group, colour) in enumerate(zip(view.groups, palette, strict=True))
    ]
    if view.noise:
        named.insert(0, (-1, plain(view.noise_label, LEGEND_NAME), view.noise, NOISE_COLOUR))
    for index, name, count, colour in named:
        members = np.flatnonzero(view.group == index)
        trace = {
            "type": "scattergl" if moving and len(view.points) >= WEBGL_FROM else "scatter",
            "mode": "markers",
            "x": view.points[members, 0],
            "y": view.points[members, 1],
            "name": f"{_escaped(name)} ({count:,})",
            "uid": str(index),
            # The legend has noise last, whatever is drawn first. (The default rank is 1000.)
            "legendrank": 1002 if index < 0 else 1000,
            "marker": {"color": colour, "size": size, "opacity": opacity, "line": {"width": 0}},
        }
        if moving:
            trace["hovertext"] = [_hover(view.hover[i]) for i in members]
            trace["hovertemplate"] = f"<b>{_escaped(name)}</b><br>%{{hovertext}}<extra></extra>"
        yield trace


def _cut_legend(traces: list[dict[str, Any]], view: MapView, rows: int) -> list[dict[str, Any]]:
    """Keeps the largest groups in the legend; gives a row that says how many more there are."""
    shown = rows - 2  # one for the rest, one for noise
    if len(view.groups) <= shown:
        return []
    for trace in traces:
        trace["showlegend"] = int(trace["uid"]) < shown
    rest = view.groups[shown:]
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [None],
            "y": [None],
            "name": f"… {len(rest)} more ({sum(group.size for group in rest):,})",
            "legendrank": 1001,
            "marker": {"color": PAPER},
        }
    ]


def _annotations(view: MapView, palette: Sequence[str], canvas: Canvas) -> Iterator[dict[str, Any]]:
    """The labels. Text in a trace would lie below the points that WebGL draws."""
    for label in density_labels(view, canvas):
        shade = ink(palette[label.group])
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


def _hover(text: str) -> str:
    lines = WRAP.findall(plain(text, HOVER_LENGTH, len))
    return "<br>".join(_escaped(line.strip()) for line in lines)


def _escaped(text: str) -> str:
    """For plotly, which reads a subset of HTML and `%{…}` in every text.

    It knows no `&quot;`; a percent sign as an entity is replaced after the templates.
    """
    return html.escape(text, quote=False).replace("%", "&#37;")
