"""All that a report says, before it is a page.

In: the records with their themes; out: a summary made of numbers, headings and themes with quotes,
the map, a table by a column, the trend, what is weak or noise, and how it was made.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import corpuscope
from corpuscope.tools.clustering.noise import noise_sentence
from corpuscope.tools.core.schema import Floats
from corpuscope.tools.core.text import shorten
from corpuscope.tools.describing.proof import FAIR
from corpuscope.tools.exports.crossing import ThemeCrossing, cross_themes
from corpuscope.tools.exports.source import ExportSource, RunPlaces
from corpuscope.tools.exports.theme_facts import (
    HeadingFacts,
    QuotedText,
    ThemeFacts,
    headed_facts,
    noise_quotes,
    theme_facts,
)
from corpuscope.tools.exports.time_bins import ThemeTrend, theme_trend
from corpuscope.tools.plotting.static import static_png
from corpuscope.tools.plotting.view import MapGroup, MapView
from corpuscope.tools.tables.where import Where
from corpuscope.tools.workspace.selection import shown_text
from corpuscope.tools.workspace.workspace import Workspace

LARGEST_NAMED = 3
CHANGES_NAMED = 3
TITLE_CHARACTERS = 70
"""Of a title within a sentence: one made of long words would drown the rest."""

WORDS_BY = {
    "llm": "a model",
    "assistant": "an assistant in a chat",
    "person": "a person",
    "keywords": "keywords alone",
}


@dataclass(frozen=True, slots=True)
class WeakTheme:
    """A theme that is not to be built on as it is, and why."""

    theme: ThemeFacts
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """What a report says. `written` is the day and time of the report, `making` how the themes were
    made, by name; `picture` the map as a PNG, None where nothing has a place on it."""

    dataset: str
    run: str
    written: str
    records: int
    known: int
    noise: int
    noise_reasons: str
    noise_quotes: list[QuotedText]
    filter: str
    summary: list[str]
    headed: bool
    groups: list[HeadingFacts]
    themes: list[ThemeFacts]
    crossing: ThemeCrossing | None
    trend: ThemeTrend | None
    weak: list[WeakTheme]
    making: list[tuple[str, str]]
    picture: bytes | None

    @property
    def largest(self) -> int:
        """Records in the largest theme."""
        return max((theme.size for theme in self.themes), default=0)

    @property
    def bare(self) -> int:
        """Themes that nobody described."""
        return sum(theme.by_keywords for theme in self.themes)


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """What a report is asked for: a filter, a column for the table, and when it is written."""

    where: Where | None
    column: str | None
    written: str


def report_content(
    workspace: Workspace, source: ExportSource, points: Floats, request: ReportRequest
) -> ReportContent:
    """The content of a report on the records of a source, whose run has this map.

    Args:
        workspace: Says what may be shown.
        source: The records; it has a run.
        points: (members, 2), the map of the run.
        request: What is asked for.

    Raises:
        BadInput: The column is none to count by.
    """
    places = source.places
    assert places is not None
    themes = [theme for theme in theme_facts(workspace, source, places) if theme.size]
    groups = headed_facts(places, themes)
    crossing = None
    if request.column is not None:
        crossing = cross_themes(workspace, source, themes, request.column)
    trend = theme_trend(source, themes)
    weak = _weak(themes)
    filtered = ""
    if request.where:
        filtered = shown_text(workspace, json.dumps(request.where, ensure_ascii=False))
    run = places.selection.run
    reasons = noise_sentence(run.noise_reasons) if source.whole else ""
    return ReportContent(
        dataset=source.card.name,
        run=run.id,
        written=request.written,
        records=len(source),
        known=places.known,
        noise=places.noise,
        noise_reasons=reasons.removeprefix("noise: "),
        noise_quotes=noise_quotes(workspace, source, places),
        filter=filtered,
        summary=[
            *_in_numbers(source, places, groups, filtered),
            *_by_column(crossing),
            *_over_time(trend),
            *_doubts(themes, weak),
        ],
        headed=any(group.id is not None for group in groups),
        groups=groups,
        themes=themes,
        crossing=crossing,
        trend=trend,
        weak=weak,
        making=_making(workspace, source, places, themes, filtered, request.written),
        picture=_picture(source, places, groups, points),
    )


def _in_numbers(
    source: ExportSource, places: RunPlaces, groups: Sequence[HeadingFacts], filtered: str
) -> list[str]:
    themes = sorted((t for group in groups for t in group.themes), key=lambda t: -t.size)
    known = places.known
    which = f" that fit {filtered}" if filtered else ""
    head = f"{known:,} records of '{source.card.name}'{which}"
    unknown = len(source) - known
    extra = [f"{unknown:,} more records are not part of run {places.selection.run.id}."]
    if not themes:
        said = [f"{head}: no theme was found, all of them are noise."]
        return said + (extra if unknown else [])
    headings = sum(group.id is not None for group in groups)
    under = f" under {headings} headings" if headings else ""
    count = "1 theme" if len(themes) == 1 else f"{len(themes):,} themes"
    noise = f"{places.noise:,} ({places.noise / max(1, known):.1%}) are noise, in no theme"
    said = [f"{head} fall into {count}{under}; {noise}."]
    named = [f"{_short(t.title)} ({t.size:,}, {t.share:.1%})" for t in themes[:LARGEST_NAMED]]
    share = sum(theme.share for theme in themes[:LARGEST_NAMED])
    together = f"; together they hold {share:.0%}" if len(named) > 1 else ""
    word = "The largest is" if len(named) == 1 else "The largest are"
    said.append(f"{word} {'; '.join(named)}{together}.")
    return said + (extra if unknown else [])


def _by_column(crossing: ThemeCrossing | None) -> list[str]:
    if crossing is None:
        return []
    found = crossing.highlights(LARGEST_NAMED)
    if not found:
        return [f"By {crossing.column} no theme differs beyond chance."]
    return [f"By {crossing.column}: {'; '.join(found)}."]


def _over_time(trend: ThemeTrend | None) -> list[str]:
    if trend is None:
        return []
    said = [f"Over {trend.column}, by {trend.unit}, most records are of {trend.peak}."]
    for sign, word in ((1, "Grew"), (-1, "Shrank")):
        if changed := trend.changed(sign, CHANGES_NAMED):
            listed = "; ".join(
                f"{_short(one.title)} ({one.earlier:.1%} to {one.later:.1%})" for one in changed
            )
            said.append(f"{word} from the earlier to the later half: {listed}.")
    return said


def _doubts(themes: Sequence[ThemeFacts], weak: Sequence[WeakTheme]) -> list[str]:
    said = []
    if bare := sum(theme.by_keywords for theme in themes):
        said.append(
            f"{bare:,} of {len(themes):,} themes have no description: they go by their keywords."
        )
    if weak:
        word = "1 theme is" if len(weak) == 1 else f"{len(weak):,} themes are"
        said.append(f"{word} weak or not stable: the report lists why.")
    return said


def _weak(themes: Sequence[ThemeFacts]) -> list[WeakTheme]:
    found = [WeakTheme(theme, tuple(_reasons(theme))) for theme in themes]
    return [item for item in found if item.reasons]


def _reasons(theme: ThemeFacts) -> list[str]:
    reasons = []
    if theme.proof is not None and theme.proof < FAIR:
        why = "overlaps other themes" if theme.proof_word == "blurred" else "fits its texts badly"
        reasons.append(f"the description {why} (proof {theme.proof:.2f})")
    if theme.stability_word in ("shaky", "unstable"):
        reasons.append(f"{theme.stability_word} (stability {theme.stability:.2f})")
    if theme.stale:
        reasons.append("its records changed since it was described")
    if theme.misfits:
        reasons.append(f"does not fit: {theme.misfits}")
    return reasons


def _making(
    workspace: Workspace,
    source: ExportSource,
    places: RunPlaces,
    themes: Sequence[ThemeFacts],
    filtered: str,
    written: str,
) -> list[tuple[str, str]]:
    card, run = source.card, places.selection.run
    layer = run.layers[run.recommended]
    authors = Counter(theme.author or "keywords" for theme in themes)
    given = {name: value for name, value in run.parameters.items() if value is not None}
    made = [
        ("Dataset", f"{card.name}, {len(source.table):,} records, made {card.created}"),
        ("Text of", ", ".join(card.text_columns)),
        ("Vectors by", card.embedding),
        ("Left out of vectors", str(card.mask) if card.mask else ""),
        ("Only records that fit", filtered),
        ("Run", f"{run.id}, made {run.created}, of {run.records:,} records"),
        ("Part of", f"cluster {run.within} of {run.parent_run}" if run.within else ""),
        ("Regardless of", ", ".join(run.regardless_of)),
        (
            "Layer",
            f"{run.recommended} of {len(run.layers)} ({layer.clusters} themes): {run.reason}",
        ),
        ("Parameters", ", ".join(f"{name}={value}" for name, value in given.items())),
        ("Versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())),
        (
            "Titles and summaries by",
            ", ".join(f"{WORDS_BY[who]} ({count})" for who, count in authors.most_common()),
        ),
        ("Report", f"written {written} by corpuscope {corpuscope.__version__}"),
    ]
    return [(name, shown_text(workspace, value)) for name, value in made if value]


def _picture(
    source: ExportSource, places: RunPlaces, groups: Sequence[HeadingFacts], points: Floats
) -> bytes | None:
    """The map of the records chosen, coloured by heading, or by theme where there is none."""
    known = places.rows >= 0
    if not known.any():
        return None
    at = points[places.rows[known]]
    colours: list[MapGroup] = []
    colour_of: dict[str, int] = {}
    for group in groups:
        if group.id is not None:
            colour_of |= {theme.id: len(colours) for theme in group.themes}
            colours.append(MapGroup(group.id, group.title, group.size))
            continue
        for theme in group.themes:
            colour_of[theme.id] = len(colours)
            colours.append(MapGroup(theme.id, theme.title, theme.size))
    # The last two are reached by the places of noise and of what the run does not know.
    of_themes = [colour_of.get(node.id, -1) for node in places.themes]
    group_of = np.array([*of_themes, -1, -1], np.int32)[places.codes[known]]
    view = MapView(
        title=source.card.name,
        subtitle=f"{len(at):,} records (run {places.selection.run.id})",
        points=at,
        group=group_of,
        groups=tuple(colours),
        noise=int((group_of < 0).sum()),
        hover=(),
    )
    return static_png(view)


def _short(title: str) -> str:
    """A title within a sentence."""
    return f"\u201c{shorten(title, TITLE_CHARACTERS)}\u201d"
