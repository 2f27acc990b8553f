"""What to know of themes before they are believed: that they repeat a column, or names rule.

In come the themes of a draft, as they are shown, out come sentences with the next step: mostly
none.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from corpuscope.tools.clustering.nuisance import Groups, group_records, repeated_share
from corpuscope.tools.core.ids import lineage
from corpuscope.tools.core.schema import Ints, Node, Record
from corpuscope.tools.runs.draft import RunDraft
from corpuscope.tools.runs.regardless import LEAST_NAMED
from corpuscope.tools.store.rows import BATCH_ROWS
from corpuscope.tools.workspace.workspace import Workspace

SAMPLED = BATCH_ROWS
"""Records in themes that are looked at, as many as one look-up gives: Milvus Lite passes over the
collection for each. With 50 themes and 10 values it tells a share to within 0.02."""

REPEATS = 0.3
"""Share of a column that themes must tell to repeat it. Of tweets to six airlines themes tell 0.88
of the airline, and 0.13 once handles are masked; what belongs to a theme by its nature stays below
0.28 (mood, reason of a complaint, venue of a story). Columns of true labels reach 0.7 to 0.8: the
warning leaves it to the reader what is asked about."""

MOST_COLUMNS = 3
"""Columns that one warning names, those that are told best."""

LEADING_WORDS = 2
"""Keywords of a theme that say what it is about."""

RULED = 1 / 3
"""Share of the themes, two at least, whose leading words must be names to say that names rule."""

NAME_COLUMN = re.compile(r"name|author|user|agent|handle|sender|person|customer", re.IGNORECASE)
"""What a column of people is called."""

OWN_VALUES = 0.5
"""Different values for each record that has one, from which on a column is none of groups."""

MOST_WORDS_IN_A_NAME = 3

HANDLE = re.compile(r"@(\w+)")
WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class _Sample:
    """Records that are in a theme, and which: positions in `themes`."""

    themes: Sequence[Node]
    labels: Ints
    records: list[Record]


def theme_warnings(workspace: Workspace, draft: RunDraft, themes: Sequence[Node]) -> list[str]:
    """What to know of the themes of a draft, each in a sentence or two with the next step.

    Dates are not looked at: a theme that belongs to a time is a finding.
    """
    if len(themes) < 2:
        return []
    sample = _sample(workspace, draft, themes)
    columns = [
        name
        for name, kind in draft.card.metadata_columns.items()
        if kind != "date" and name not in draft.columns
    ]
    groups = {
        column: group_records([record.metadata.get(column) for record in sample.records])
        for column in columns
    }
    strings = [name for name in columns if draft.card.metadata_columns[name] == "string"]
    found = [_repeated(draft, sample, groups), _names(sample, strings)]
    return [warning for warning in found if warning]


def _sample(workspace: Workspace, draft: RunDraft, themes: Sequence[Node]) -> _Sample:
    members, place = draft.members, {node.id: at for at, node in enumerate(themes)}
    theme_of = {
        path: next((place[above] for above in lineage(str(path)) if above in place), -1)
        for path in set(members.paths)
    }
    labels = np.array([theme_of[path] for path in members.paths], np.int32)
    inside = np.random.default_rng(0).permutation(np.flatnonzero(labels >= 0))[:SAMPLED]
    ids = [members.ids[row] for row in inside]
    records = workspace.store.fetch(draft.card, ids)
    there = [row for row, record_id in zip(inside, ids, strict=True) if record_id in records]
    return _Sample(themes, labels[there], [records[members.ids[row]] for row in there])


def _repeated(draft: RunDraft, sample: _Sample, groups: dict[str, Groups]) -> str | None:
    """The columns that the themes repeat, and the calls that look across them."""
    shares = {
        column: repeated_share(sample.labels, group.codes)
        for column, group in groups.items()
        if group.values > 1 and group.named >= LEAST_NAMED
    }
    repeated = sorted((c for c in shares if shares[c] >= REPEATS), key=lambda c: -shares[c])
    if not repeated:
        return None
    named = repeated[:MOST_COLUMNS]
    told = " and ".join(f"{shares[column]:.0%} of '{column}'" for column in named)
    where = draft.run.parameters["where"]
    rest = f", where={where}" if where and not draft.run.within else ""
    calls = " or ".join(
        f"cluster(dataset='{draft.card.name}', regardless_of={[*draft.columns, column]}{rest})"
        for column in named
    )
    return (
        f"The theme of a text says {told}: the themes may be its values under other names. Good if "
        f"that is what you ask about; if not, look across it: {calls}."
    )


def _names(sample: _Sample, columns: Sequence[str]) -> str | None:
    """Whether handles, or values of a column of names, lead the keywords of many themes."""
    words = _leading(sample, _handles(sample.records))
    if words:
        return _names_rule(sample, words, "Handles lead", "@", "mask=['handles', 'urls']")
    for column in columns:
        words = _leading(sample, _people(column, sample.records))
        if words:
            some = ", ".join(f"'{word}'" for word in dict.fromkeys(words[:3]))
            return _names_rule(
                sample, words, f"Values of '{column}' lead", "", f"stop_words=[{some}, …]"
            )
    return None


def _names_rule(sample: _Sample, words: Sequence[str], lead: str, sign: str, call: str) -> str:
    examples = ", ".join(f"{sign}{word}" for word in dict.fromkeys(words[:3]))
    return (
        f"{lead} the keywords of {len(words)} of {len(sample.themes)} themes ({examples}). To "
        f"leave them out of vectors and keywords, ingest again with mode='replace', {call}."
    )


def _leading(sample: _Sample, names: set[str]) -> list[str]:
    """The names that lead the keywords of themes, where they do of so many that they rule."""
    ruled = [
        next((word for word in node.keywords[:LEADING_WORDS] if word in names), None)
        for node in sample.themes
    ]
    words = [word for word in ruled if word is not None]
    return words if len(words) >= max(2, RULED * len(sample.themes)) else []


def _people(column: str, records: Sequence[Record]) -> set[str]:
    """The values of a column of names, lower-cased, and the words of them; none of another column.

    It is called like one, or nearly each record has a value of its own.
    """
    values = [str(value).lower() for record in records if (value := record.metadata.get(column))]
    short = {value for value in values if len(value.split()) <= MOST_WORDS_IN_A_NAME}
    if NAME_COLUMN.search(column):
        return short | {word for value in short for word in value.split()}
    return short if len(short) >= OWN_VALUES * len(values) else set()


def _handles(records: Sequence[Record]) -> set[str]:
    """The words, lower-cased, that mostly stand behind an @."""
    marked: Counter[str] = Counter()
    every: Counter[str] = Counter()
    for record in records:
        text = record.text.lower()
        marked.update(HANDLE.findall(text))
        every.update(WORD.findall(text))
    return {word for word, count in marked.items() if 2 * count > every[word]}
