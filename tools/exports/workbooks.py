"""Tables as xlsx, a row at a time.

In: names and rows; out: a workbook of one sheet. Texts are texts, whatever they begin with; dates
are dates. What Excel cannot hold is counted and told.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.exports.cells import writable_text

MOST_ROWS = 1_048_576
"""Of a sheet, that of the names included (Excel's specifications and limits)."""

MOST_CHARACTERS = 32_767
"""Of a cell, likewise, in UTF-16: an emoji counts twice."""

MOST_COLUMNS = 16_384

CUT = " … [cut]"

EXACT = 10**15
"""Excel keeps 15 digits of a number."""

FIRST_DAY = date(1900, 3, 1)
"""Excel counts a 29 February 1900 that never was: days before it are told otherwise elsewhere."""

WIDTHS = {"text": 80, "summary": 60, "exemplar_texts": 80}
USUAL_WIDTH = 18


@dataclass(frozen=True, slots=True)
class SheetLosses:
    """Cells that are not in the sheet as they are in the dataset."""

    cut: int = 0
    as_text: int = 0
    """Whole numbers of more than 15 digits."""

    def sentences(self) -> list[str]:
        """What to tell, nothing where nothing was lost."""
        said = []
        if self.cut:
            said.append(
                f"{self.cut:,} texts are longer than the {MOST_CHARACTERS:,} characters that a "
                f"cell of xlsx holds: they are cut and end in '{CUT.strip()}'; csv has them whole."
            )
        if self.as_text:
            said.append(
                f"{self.as_text:,} whole numbers of more than 15 digits are texts in the sheet, as "
                "Excel would round them."
            )
        return said


def check_rows(records: int, columns: int) -> None:
    """Refuse what a sheet cannot hold.

    Raises:
        BadInput: Too many rows or columns; names the formats that hold them.
    """
    if records + 1 > MOST_ROWS or columns > MOST_COLUMNS:
        raise BadInput(
            f"xlsx holds {MOST_ROWS:,} rows (one for the names) and {MOST_COLUMNS:,} columns; "
            f"these are {records:,} records of {columns:,} columns. Use format='csv', 'parquet' or "
            "'jsonl', or export a part with `where`."
        )


def write_workbook(
    sheet: str, names: Sequence[str], rows: Iterable[Sequence[Any]], file: Path
) -> SheetLosses:
    """Write a table as a workbook.

    Args:
        sheet: The sheet's name.
        names: Of the columns.
        rows: Their values: texts, numbers, booleans, dates, moments with a zone, None.
        file: To write to.

    Raises:
        OSError: It cannot be written.
    """
    from openpyxl import Workbook
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)
    page = book.create_sheet(sheet)
    page.freeze_panes = "A2"
    for at, name in enumerate(names, 1):
        page.column_dimensions[get_column_letter(at)].width = WIDTHS.get(name, USUAL_WIDTH)
    cells = _Cells(page)
    page.append([cells.cell(name) for name in names])
    last = 1
    for row in rows:
        page.append([cells.cell(value) for value in row])
        last += 1
    page.auto_filter.ref = f"A1:{get_column_letter(max(1, len(names)))}{last}"
    book.save(file)
    return SheetLosses(cells.cut, cells.as_text)


class _Cells:
    """Makes cells of values, and counts what they lose."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self.cut = 0
        self.as_text = 0

    def cell(self, value: Any) -> Any:
        """What openpyxl writes for a value."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, datetime):
            if value.date() < FIRST_DAY:
                return value.isoformat()
            return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        if isinstance(value, date):
            return value if value >= FIRST_DAY else value.isoformat()
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= EXACT:
            self.as_text += 1
            return self._text(str(value))
        return value

    def _text(self, value: str) -> Any:
        if 2 * len(value) > MOST_CHARACTERS:
            value = self._fitting(value)
        value = writable_text(value)
        # These two openpyxl would take for a formula or an error.
        if value[:1] not in ("=", "#"):
            return value
        from openpyxl.cell import WriteOnlyCell

        cell = WriteOnlyCell(self._page, value)
        cell.data_type = "s"
        return cell

    def _fitting(self, value: str) -> str:
        """A long text as far as a cell holds it."""
        units = value.encode("utf-16-le")
        if len(units) <= 2 * MOST_CHARACTERS:
            return value
        self.cut += 1
        return units[: 2 * (MOST_CHARACTERS - len(CUT))].decode("utf-16-le", "ignore") + CUT
