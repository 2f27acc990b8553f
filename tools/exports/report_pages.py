"""A report as a page: HTML that is one file, or Markdown with its picture beside it.

In: the content; out: text. The templates lie in `templates`. Whatever is filled in is escaped: in
HTML by Jinja, in Markdown by `escaped_markdown`; what is mark-up itself says so.
"""

import base64
from functools import cache
from typing import Any

from corpuscope.tools.core.text import shorten
from corpuscope.tools.exports.codebooks import escaped_markdown
from corpuscope.tools.exports.report import ReportContent

QUOTE_CHARACTERS = 300
"""Of a quote on a page: three of them are read at a glance."""

SERIES_SHOWN = 20
"""Themes that have a line over time: the largest."""

BAR_WIDTH = 24
"""Characters of the longest bar in Markdown."""


def report_html(content: ReportContent) -> str:
    """The report as one page without scripts, that loads nothing."""
    picture = None
    if content.picture is not None:
        picture = base64.b64encode(content.picture).decode("ascii")
    return _rendered("report.html.jinja", content, picture)


def report_markdown(content: ReportContent, picture: str | None) -> str:
    """The report as Markdown; `picture` is the file name of the map beside it."""
    return _rendered("report.md.jinja", content, picture)


def _rendered(template: str, content: ReportContent, picture: str | None) -> str:
    page = _templates(template.endswith(".html.jinja")).get_template(template)
    text: str = page.render(
        report=content, picture=picture, series_shown=SERIES_SHOWN, bar_width=BAR_WIDTH
    )
    return text.strip() + "\n"


@cache
def _templates(html: bool) -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("corpuscope.tools.exports", "templates")
    templates = Environment(
        autoescape=html,
        finalize=None if html else _markdown_value,
        loader=loader,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "count": lambda number: f"{number:,}",
        "percent": _percent,
        "quote": lambda text: shorten(text, QUOTE_CHARACTERS),
    }
    return templates


def _percent(share: float) -> str:
    """A share as people read it: `8.2%`, a small one not as nothing."""
    if 0 < share < 0.0005:
        return "<0.1%"
    return f"{share:.1%}"


def _markdown_value(value: object) -> object:
    """What a template fills in, as Markdown that shows it letter for letter."""
    from markupsafe import Markup

    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return escaped_markdown(value)
