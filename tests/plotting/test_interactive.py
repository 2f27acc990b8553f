"""The map as a page, read back as a browser would."""

import dataclasses
import html
import json
from html.parser import HTMLParser
from typing import Any

import pytest
from support.made_maps import made_map

from corpuscope.tools.plotting.colours import NOISE_COLOUR, group_colours
from corpuscope.tools.plotting.interactive import WEBGL_FROM, interactive_html

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '<img src=x onerror="alert(3)">',
    '<a href="https://example.org/steal">read more</a>',
    "<b>bold</b> &lt;i&gt; %{customdata} %{meta[0]}",
    "mail\u202eexe.txt\u200b\x00\ud800 \U000e0041",
)


class Page(HTMLParser):
    """What a browser would make of a page: its tags, its title, what it is told to load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.policy = ""
        self.title = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        self.loaded += [given[name] or "" for name in ("src", "href", "data") if name in given]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given.get("content") or ""

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] == ["title"] and not self.title:
            self.title = data


def plot_of(page: str) -> tuple[list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    """The traces, the layout and the settings that the page hands to plotly."""
    call = page[page.rindex("Plotly.newPlot(") :]
    decoder, found, at = json.JSONDecoder(), [], call.index('"map"') + len('"map"')
    for _ in range(3):
        at += len(call[at:]) - len(call[at:].lstrip(", \n"))
        value, at = decoder.raw_decode(call, at)
        found.append(value)
    traces, layout, settings = found
    return traces, layout, settings


def strings(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in strings(part)]
    if isinstance(value, list):
        return [text for part in value for text in strings(part)]
    return [value] if isinstance(value, str) else []


@pytest.fixture(scope="module")
def hostile() -> str:
    view = made_map(list(HOSTILE))
    texts = tuple(HOSTILE[i % len(HOSTILE)] for i in range(len(view.hover)))
    return interactive_html(
        dataclasses.replace(view, title=HOSTILE[1], subtitle=HOSTILE[3], hover=texts)
    )


def test_hostile_texts_add_no_tag_to_the_page(hostile: str) -> None:
    assert Page(hostile).tags == Page(interactive_html(made_map(["pin"]))).tags


def test_the_title_of_the_page_is_the_escaped_title_of_the_view(hostile: str) -> None:
    assert Page(hostile).title == HOSTILE[1]


def test_plotly_gets_no_markup_and_no_template_from_a_text(hostile: str) -> None:
    traces, layout, _ = plot_of(hostile)
    for text in strings([traces, layout]):
        own = text.replace("<b>", "").replace("</b>", "").replace("<br>", "")
        assert "<" not in own.replace("<extra></extra>", "")
        assert "%{" not in own.replace("%{hovertext}", "")


def test_a_hostile_text_reads_as_it_was_written(hostile: str) -> None:
    traces, _, _ = plot_of(hostile)
    shown = {html.unescape(text) for trace in traces for text in trace["hovertext"]}
    assert set(HOSTILE[:5]) <= shown
    names = [html.unescape(trace["name"]) for trace in traces]
    assert "<script>alert(1)</script> (9,000)" in names


def test_what_cannot_be_seen_is_not_in_the_page(hostile: str) -> None:
    traces, layout, _ = plot_of(hostile)
    assert "mailexe.txt" in strings(traces)
    assert all(text.isprintable() for text in strings([traces, layout]))


def test_the_page_loads_and_shares_nothing(hostile: str) -> None:
    page, (_, _, settings) = Page(hostile), plot_of(hostile)
    assert page.loaded == []
    assert page.policy.startswith("default-src 'none'; ")
    assert "connect-src" not in page.policy
    assert settings["showSendToCloud"] is False
    assert "sendChartToCloud" not in strings(settings["modeBarButtons"])


def test_the_legend_is_in_the_order_of_size_with_noise_last_and_noise_is_drawn_first() -> None:
    traces, _, _ = plot_of(interactive_html(made_map(["pin", "card", "refund"])))
    in_legend = sorted(traces, key=lambda trace: trace["legendrank"])
    assert [trace["name"] for trace in in_legend] == [
        "pin (9,000)",
        "card (8,999)",
        "refund (8,998)",
        "noise (40)",
    ]
    assert traces[0]["name"] == "noise (40)"
    assert traces[0]["marker"]["color"] == NOISE_COLOUR
    assert [trace["marker"]["color"] for trace in traces[1:]] == group_colours(3)


def test_hover_texts_are_shortened_and_broken_into_lines() -> None:
    view = made_map(["pin"], each=2, noise=0)
    long = ("a text of many words " * 40, "x" * 100_000)
    [trace], _, _ = plot_of(interactive_html(dataclasses.replace(view, hover=long)))
    for text in trace["hovertext"]:
        lines = text.split("<br>")
        assert len(lines) == 4
        assert max(map(len, lines)) <= 60
        assert lines[-1].endswith("…")
    assert trace["hovertemplate"] == "<b>pin</b><br>%{hovertext}<extra></extra>"


def test_labels_lie_on_the_map_in_at_most_two_lines() -> None:
    view = made_map(["pin", "customers asking where their card is and when it will arrive at last"])
    _, layout, _ = plot_of(interactive_html(view))
    assert [note["text"] for note in layout["annotations"]] == [
        "<b>pin</b>",
        "<b>customers asking where<br>their card is and…</b>",
    ]


def test_axes_are_alike_and_without_ticks() -> None:
    _, layout, _ = plot_of(interactive_html(made_map(["pin"])))
    assert layout["yaxis"]["scaleanchor"] == "x"
    assert not layout["xaxis"]["visible"]
    assert not layout["yaxis"]["visible"]


@pytest.mark.parametrize("points, kind", [(WEBGL_FROM - 1, "scatter"), (WEBGL_FROM, "scattergl")])
def test_many_points_are_drawn_with_webgl(points: int, kind: str) -> None:
    traces, _, _ = plot_of(interactive_html(made_map([], noise=points)))
    assert [trace["type"] for trace in traces] == [kind]


@pytest.mark.parametrize("groups, each, noise", [(0, 0, 0), (0, 0, 5), (1, 1, 0), (60, 3, 5)])
def test_extreme_views_make_a_page(groups: int, each: int, noise: int) -> None:
    view = made_map([f"topic {i}" for i in range(groups)], each, noise)
    traces, _, _ = plot_of(interactive_html(view))
    assert len(traces) == groups + bool(noise)
