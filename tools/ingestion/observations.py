"""What a source shows while its rows go by: ids that nobody named, uneven dates, frequent handles.

In: the rows as they stand there and the plan of their columns; out: what an answer should warn of.
All rows are looked at for ids and dates, a sample for what only a look into the text shows.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import accumulate, chain, islice, pairwise

from corpuscope.tools.core.masking import MASK_PATTERNS, is_all_masked
from corpuscope.tools.core.schema import NO_MASK, Mask
from corpuscope.tools.core.values import PARSERS, is_missing
from corpuscope.tools.ingestion.columns import EXACT_INTEGERS, ID_NAME, ColumnPlan
from corpuscope.tools.ingestion.mojibake import Mojibake, find_mojibake
from corpuscope.tools.ingestion.seen import SeenHashes
from corpuscope.tools.readers.rows import BadRow, Row, Rows, blocks

BLOCK_ROWS = 500
"""Rows looked at together."""

LOOKED_INTO = 3_000
"""Characters of a text that are looked into; handles and wrong letters stand at its beginning as
elsewhere."""

TEXTS_FIRST, TEXT_STEP, MOST_TEXTS = 2_000, 10, 20_000
"""Texts that are looked into: so many of the first, then every tenth, so many in all."""

SUGGESTED_KINDS = ("handles", "urls", "emails")
"""What may be masked unasked: numbers say something in most texts."""

MOST_IDS, MOST_ID_COLUMNS = 5_000_000, 3
"""Ids that are compared, in memory for each, and columns that may be the id."""

EXACT_DIGITS = 15
"""Digits of a number that spreadsheets keep."""

FEWEST_ROUNDED = 10
"""Numbers with only zeros behind these digits that are no accident."""

MOST_SOURCES, MOST_SOURCE_COLUMNS = 50, 8
"""Values that a column of sources has at most, and columns whose dates are looked at."""

MOST_DAYS, LONGEST_SOURCE = 100_000, 200
"""Days of one column's sources that are counted (50 sources over five years), and characters of the
name of a source."""

FEWEST_SILENT_DAYS = 3
"""A weekend is no gap."""

FEWEST_EXPECTED = 20
"""Records that a gap should hold by all else that is known: fewer may be missing by chance."""

SILENT_SHARE = 0.05
"""Of what is expected, the share up to which a source counts as silent."""

STRAY_SHARE = 0.01
"""Of the records, the share at either end whose dates may be far off."""

LONGER_STEP = 5
"""How many times the usual step between days with records a gap of all records has."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Days on which a source is silent: `value` of `column`, or all records (both None)."""

    column: str | None
    value: str | None
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Observations:
    """What there is to warn of."""

    shares: dict[str, float]
    """Of each of `SUGGESTED_KINDS`, the share of texts that hold one."""
    mojibake: Mojibake | None
    lost_characters: float
    """Share of texts with U+FFFD, which no mending brings back."""
    unique_id: str | None
    """The likeliest column that could be the id: named like one, and all its values differ."""
    rounded_id: str | None
    """A column named like an id whose numbers lost their last digits in a spreadsheet."""
    date_column: str | None
    gaps: list[Gap]
    """Of all records, or of the sources that are silent while the others are not."""
    all_masked: int
    """Texts of which the mask leaves nothing."""


class Observer:
    """Looks at the rows of one source as they go by; then `observations` says what it saw."""

    def __init__(
        self, columns: ColumnPlan, head: Sequence[Row | BadRow], mask: Mask = NO_MASK
    ) -> None:
        self._columns = columns
        self._mask = mask
        self._all_masked = 0
        first = [row.values for row in head if isinstance(row, Row)]
        self._texts: list[str] = []
        self._rows = 0
        kinds = columns.metadata
        ids = [
            name
            for name, kind in kinds.items()
            if kind in ("string", "number") and ID_NAME.search(name) and _all_differ(first, name)
        ]
        self._seen = {name: SeenHashes() for name in sorted(ids, key=_unlike_id)[:MOST_ID_COLUMNS]}
        named = [columns.id] if columns.id else []
        self._rounded = next(
            (
                name
                for name in [*named, *kinds]
                if ID_NAME.search(name) and _lost_digits([row.get(name) for row in first])
            ),
            None,
        )
        self._date = next((name for name, kind in kinds.items() if kind == "date"), None)
        sources = (
            name
            for name, kind in kinds.items()
            if kind == "string" and len({str(row.get(name)) for row in first}) <= MOST_SOURCES
        )
        self._days: dict[str | None, Counter[tuple[str, str]]] = {None: Counter()}
        if self._date is not None:
            self._days |= {name: Counter() for name in islice(sources, MOST_SOURCE_COLUMNS)}
        self._values: dict[str | None, set[str]] = {column: set() for column in self._days}

    def watch(self, rows: Rows) -> Iterator[Row | BadRow]:
        """The same rows, looked at."""
        for block in blocks(rows, BLOCK_ROWS):
            self._look([row.values for row in block if isinstance(row, Row)])
            yield from block

    def observations(self) -> Observations:
        """What was seen."""
        texts = self._texts
        count = max(1, len(texts))
        patterns = {kind: MASK_PATTERNS[kind] for kind in SUGGESTED_KINDS}
        return Observations(
            shares={
                kind: sum(pattern.search(text) is not None for text in texts) / count
                for kind, pattern in patterns.items()
            },
            mojibake=find_mojibake(texts),
            lost_characters=sum("\ufffd" in text for text in texts) / count,
            unique_id=min(self._seen, key=_unlike_id, default=None) if self._rows > 1 else None,
            rounded_id=self._rounded,
            date_column=self._date,
            gaps=self._gaps(),
            all_masked=self._all_masked,
        )

    def _look(self, rows: list[dict[str, object]]) -> None:
        for place, row in enumerate(rows, self._rows):
            looked_into = place < TEXTS_FIRST or place % TEXT_STEP == 0
            if self._mask or (looked_into and len(self._texts) < MOST_TEXTS):
                parts = (row.get(name) for name in self._columns.text)
                text = "\n".join(part for part in parts if isinstance(part, str))
                self._all_masked += bool(text) and is_all_masked(text, self._mask)
                if looked_into and len(self._texts) < MOST_TEXTS:
                    self._texts.append(text[:LOOKED_INTO])
        self._rows += len(rows)
        for name, seen in list(self._seen.items()):
            cells = [row.get(name) for row in rows]
            # Of an id that is missing or repeated nothing more is to be known.
            if any(map(is_missing, cells)) or self._rows > MOST_IDS or _repeat(cells, seen):
                del self._seen[name]
        if self._date is not None:
            days = [_day(row.get(self._date)) for row in rows]
            for column, counter in self._days.items():
                values = [""] * len(rows)
                if column:
                    values = [str(row.get(column, ""))[:LONGEST_SOURCE] for row in rows]
                counter.update(zip(values, days, strict=True))
                self._values[column].update(values)
            for column, values_seen in self._values.items():
                if len(values_seen) > MOST_SOURCES or len(self._days.get(column, ())) > MOST_DAYS:
                    self._days.pop(column, None)
            if None not in self._days:
                self._date = None

    def _gaps(self) -> list[Gap]:
        """The gaps of all records; where there are none, those of sources."""
        everything = Counter({day: n for (_, day), n in self._days.get(None, {}).items() if day})
        if not everything:
            return []
        if gap := _silence_of_all(everything):
            return [Gap(None, None, *gap)]
        gaps: list[Gap] = []
        for column, counter in self._days.items():
            if column is None:
                continue
            of_value: dict[str, Counter[str]] = {}
            for (value, day), count in counter.items():
                if day and value.strip():
                    of_value.setdefault(value, Counter())[day] += count
            found = [
                Gap(column, value, *gap)
                for value, days in of_value.items()
                if (gap := _silence_among_others(days, everything))
            ]
            # Where most values have their own time, it is what the column is about: versions.
            if 2 * len(found) <= len(of_value):
                gaps += found
        return gaps


def _all_differ(rows: Sequence[dict[str, object]], name: str) -> bool:
    cells = [row.get(name) for row in rows]
    return not any(map(is_missing, cells)) and len(set(map(str, cells))) == len(cells)


def _repeat(cells: Sequence[object], seen: SeenHashes) -> bool:
    """Whether a cell is like an earlier one; adds those before it to `seen`."""
    hashes = [hash(str(cell)).to_bytes(8, "little", signed=True) for cell in cells]
    if any(seen.settled(hashes)):
        return True
    return any(map(seen.add, hashes))


def _unlike_id(name: str) -> tuple[bool, int]:
    """Sorts names, those that say id most plainly first."""
    return not re.search(r"id$", name, re.I), len(name)


def _lost_digits(cells: Sequence[object]) -> bool:
    """Whether numbers of an id were rounded: written as 5.7E+17, floats beyond the exact integers,
    or with only zeros behind the 15th digit."""
    present = [cell for cell in cells if not is_missing(cell)]
    written = [str(cell) for cell in present]
    if any(isinstance(cell, float) and abs(cell) > EXACT_INTEGERS for cell in present):
        return True
    if any(re.fullmatch(r"-?\d(\.\d+)?[eE]\+\d+", cell) for cell in written):
        return True
    tails = [cell[EXACT_DIGITS:] for cell in written if re.fullmatch(r"\d{16,}", cell)]
    return len(tails) >= FEWEST_ROUNDED and not any(tail.strip("0") for tail in tails)


def _day(value: object) -> str:
    """The day of a date, empty where it is none."""
    if isinstance(value, str) and len(value) >= 10 and value[4] == value[7] == "-":
        return value[:10]
    if isinstance(value, date):
        return value.isoformat()[:10]
    # Of the number of a day, the hours behind the point do not matter.
    return "" if is_missing(value) else _day_written(str(value).partition(".")[0])


@lru_cache(maxsize=10_000)
def _day_written(value: str) -> str:
    try:
        return str(PARSERS["date"](value))[:10]
    except (ValueError, OverflowError):
        return ""


def _ordinal(day: str) -> int | None:
    try:
        return date.fromisoformat(day).toordinal()
    except ValueError:
        return None


def _silence_of_all(counts: Counter[str]) -> tuple[str, str] | None:
    """The first and last day of the longest gap in all records that is no matter of their rhythm.

    It is several times the usual step between days with records, so that monthly figures have
    none, and at the rate of the other days would hold some.
    """
    days = _without_stray({at: n for day, n in counts.items() if (at := _ordinal(day))})
    steps = [after - before for before, after in pairwise(days)]
    if not steps:
        return None
    longest = max(steps)
    usual = sorted(steps)[len(steps) // 2]
    silent = longest - 1
    rate = counts.total() / (days[-1] - days[0] + 1 - silent)
    if silent < max(FEWEST_SILENT_DAYS, LONGER_STEP * usual) or rate * silent < FEWEST_EXPECTED:
        return None
    begin = days[steps.index(longest)] + 1
    return date.fromordinal(begin).isoformat(), date.fromordinal(begin + silent - 1).isoformat()


def _without_stray(counts: Mapping[int, int]) -> list[int]:
    """The days in order, without those at both ends that hold few records."""
    days = sorted(counts)
    few = STRAY_SHARE * sum(counts.values())
    for _ in ("latest", "earliest"):
        days.reverse()
        left_out = accumulate(counts[day] for day in days)
        days = [day for day, total in zip(days, left_out, strict=True) if total > few]
    return days


def _silence_among_others(own: Counter[str], everything: Counter[str]) -> tuple[str, str] | None:
    """The first and last day of the longest time in which a source says next to nothing, while the
    others do as ever: by their days it should have `FEWEST_EXPECTED` records there."""
    others = everything.total() - own.total()
    if not others:
        return None
    days = sorted(everything)
    expected = {day: own.total() * (everything[day] - own[day]) / others for day in days}
    best: tuple[float, str, str] = (0.0, "", "")
    run: list[str] = []
    for day in chain(days, [""]):
        if day and own[day] <= SILENT_SHARE * expected[day]:
            run.append(day)
            continue
        if len(run) >= FEWEST_SILENT_DAYS:
            missing = sum(expected[silent] for silent in run)
            best = max(best, (missing, run[0], run[-1]))
        run = []
    return (best[1], best[2]) if best[0] >= FEWEST_EXPECTED else None
