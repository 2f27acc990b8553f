"""Which column of a file is what: text, id, vector, metadata, and of which type its values are.

In: the first rows and what the caller said of the columns; out: a plan. What the caller leaves open
is guessed from the names of the columns, then from their values.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import ColumnType
from corpuscope.tools.core.values import CONTROL, PARSERS, SINGLE, is_missing, is_numeric
from corpuscope.tools.readers.rows import BadRow, Row
from corpuscope.tools.readers.source import MAX_COLUMNS

SAMPLE_ROWS = 2_000
"""Rows that are enough to tell the types of the columns, and held in memory for that."""

MAX_NAME_CHARS = 200
"""Longer column names are nearly always a row of data taken for the header."""

HEAD_NAMES = ("title", "subject", "headline")
BODY_NAMES = ("description", "body", "abstract")
TEXT_NAMES = (
    *("body", "content", "message", "question", "comment", "review", "abstract", "description"),
    *("headline", "title", "subject", "summary", "sentence", "utterance", "query", "tweet"),
    *("post", "document", "docstring"),
)
"""Names of text columns, the likeliest first; `text` and a head with its body go before them."""


DATE_NAME = re.compile(
    r"(^|[\W_])(date|dates|datetime|timestamp|created|updated|modified|posted|published|datum|fecha)"
    r"([\W_]|$)|(^|[\W_])\w+_at$"
)
"""Names of columns whose numbers are days where all of them can be: other numbers between 25,569
and 54,789 are prices, counts or ids."""

EXACT_INTEGERS = 2**53
"""Beyond, programs that read numbers as floats lose digits: such integers are ids, kept as text."""

ID_NAME = re.compile(
    r"(^|[\W_])(id|guid|uuid|uid|key|ref|reference|number|no|nr|code)$|[a-z](Id|ID|Key|Guid)$"
)
"""Names of columns that identify a row."""


@dataclass(frozen=True, slots=True)
class ColumnRequest:
    """What the caller said about the columns; None where it is to be guessed."""

    text_columns: list[str] | None = None
    id_column: str | None = None
    vector_column: str | None = None
    metadata_columns: list[str] | None = None


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """Which column is what. `guessed` says which text columns were guessed and why, if so.

    `numbered_days` are columns of dates with numbers among them, each with an example.
    """

    text: tuple[str, ...]
    id: str | None
    vector: str | None
    metadata: dict[str, ColumnType]
    guessed: str | None
    numbered_days: tuple[tuple[str, str], ...] = ()


def plan_columns(sample: Sequence[Row | BadRow], request: ColumnRequest) -> ColumnPlan:
    """Decide from the first rows (up to `SAMPLE_ROWS`) which column is what.

    Metadata is, unless asked for, every other column of single values; a column of lists or
    objects is left out. A column is boolean, number or date only if every value in it is.

    Raises BadInput: no readable rows, a column that is not there, no column that looks like
    text, lists or objects where single values are needed, a column name that is too long.
    """
    values: dict[str, list[object]] = {}
    for row in sample:
        if isinstance(row, Row):
            for name, value in row.values.items():
                values.setdefault(name, []).append(value)
    if len(values) > MAX_COLUMNS:
        raise BadInput(
            f"The first {len(sample):,} rows have {len(values):,} different columns, the limit is "
            f"{MAX_COLUMNS:,}; a row is an object with the same few names as the others."
        )
    if not values:
        first = next((row for row in sample if isinstance(row, BadRow)), None)
        why = f"all {len(sample)} read are bad, row {first.number}: {first.reason}" if first else ""
        raise BadInput(f"no readable rows; {why or 'the file holds none'}")
    special = [name for name in (request.id_column, request.vector_column) if name is not None]
    requested = [*(request.text_columns or []), *(request.metadata_columns or []), *special]
    types = {name: _column_type(name, cells) for name, cells in values.items()}
    for name in requested:
        _check_present(name, list(values))
        if types[name] is None and name != request.vector_column:
            raise BadInput(
                f"column {name!r} holds lists or objects; texts, ids and metadata are single values"
            )
    guessed = None
    text = tuple(dict.fromkeys(request.text_columns or ()))
    if not text:
        others = {name: cells for name, cells in values.items() if name not in special}
        text, guessed = _guess_text(others, types)
    metadata_names = request.metadata_columns
    if metadata_names is None:
        metadata_names = [name for name in values if name not in (*text, *special)]
    metadata = {name: kind for name in metadata_names if (kind := types[name]) is not None}
    for name in (*text, *special, *metadata):
        if not name or len(name) > MAX_NAME_CHARS or CONTROL.search(name):
            raise BadInput(
                f"column name {name[:40]!r} has {len(name):,} characters; it needs 1 to "
                f"{MAX_NAME_CHARS}, none of them a control character; is the first row a header?"
            )
    numbered = {
        name: next((str(cell) for cell in values[name] if is_numeric(cell)), "")
        for name, kind in metadata.items()
        if kind == "date"
    }
    days = tuple((name, example) for name, example in numbered.items() if example)
    return ColumnPlan(text, request.id_column, request.vector_column, metadata, guessed, days)


def _check_present(name: str, names: list[str]) -> None:
    if name in names:
        return
    by_case = {known[:MAX_NAME_CHARS].casefold(): known for known in reversed(names)}
    nearest = difflib.get_close_matches(name[:MAX_NAME_CHARS].casefold(), by_case, 1)
    meant = by_case[nearest[0]][:MAX_NAME_CHARS] if nearest else None
    hint = f" (did you mean {meant!r}?)" if meant else ""
    raise BadInput(
        f"There is no column {name!r}{hint}. Columns: {_quoted_list(names)}. Name one of them."
    )


def _quoted_list(names: Iterable[str]) -> str:
    all_names = list(names)
    more = f" and {len(all_names) - 30} more" if len(all_names) > 30 else ""
    return ", ".join(repr(name[:60]) for name in all_names[:30]) + more


def _guess_text(
    values: dict[str, list[object]], types: dict[str, ColumnType | None]
) -> tuple[tuple[str, ...], str]:
    """The likeliest text columns, and why: by a known name, else that with the longest strings."""
    present = {
        name: [str(cell).strip() for cell in cells if not is_missing(cell)]
        for name, cells in values.items()
        if types[name] == "string"
    }
    by_name = {name.strip().casefold(): name for name, cells in present.items() if cells}
    pairs = [(head, body) for head in HEAD_NAMES for body in BODY_NAMES]
    for wanted in [("text",), *pairs, *((name,) for name in TEXT_NAMES)]:
        if all(name in by_name for name in wanted):
            text = tuple(by_name[name] for name in wanted)
            named = " and ".join(map(repr, text))
            return text, f"Took {named} as the text, by name; pass text_columns to choose."
    lengths = {
        name: sum(map(len, cells)) / len(cells)
        for name, cells in present.items()
        if cells and not _holds_identifiers(name, cells)
    }
    if not lengths:
        raise BadInput(
            "no column looks like text; name one in text_columns; the columns are "
            f"{_quoted_list(types)}"
        )
    best = max(lengths, key=lambda name: lengths[name])
    return (best,), (
        f"Took {best!r} as the text, the column with the longest strings (mean "
        f"{lengths[best]:,.0f} characters); pass text_columns to choose."
    )


def _holds_identifiers(name: str, cells: list[str]) -> bool:
    """Whether a column of strings holds ids, hashes or addresses of something, by name or form."""
    if re.search(r"(^|[_\W])(id|guid|uuid|url|uri|link|hash|path)$", name[:MAX_NAME_CHARS], re.I):
        return True
    links = sum(bool(re.match(r"(https?|ftp)://|www\.", cell)) for cell in cells)
    # Printable ASCII without a space, a digit in it: no words.
    all_codes = all(re.fullmatch(r"[!-/:-~]*\d[!-~]*", cell) for cell in cells)
    return all_codes or 2 * links > len(cells)


def _column_type(name: str, values: list[object]) -> ColumnType | None:
    """The narrowest type that fits every value that is there; None where some are not single."""
    present = [value for value in values if not is_missing(value)]
    if not all(isinstance(value, SINGLE) for value in present):
        return None
    kinds: tuple[ColumnType, ...] = ("boolean", "number", "date")
    # createdAt is created_at.
    if DATE_NAME.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name[:MAX_NAME_CHARS]).lower()):
        kinds = ("boolean", "date", "number")
    elif any(map(is_numeric, present)):
        kinds = ("boolean", "number")
    for kind in kinds if present else ():
        try:
            for value in present:
                parsed = PARSERS[kind](value)
                if isinstance(parsed, int) and abs(parsed) > EXACT_INTEGERS:
                    return "string"
        except (ValueError, OverflowError):
            continue
        return kind
    return "string"
