"""Small xlsx files, written part by part, so that their cells can be anything."""

import io
import zipfile
from collections.abc import Sequence

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def packed_sheet(rows: Sequence[str], strings: Sequence[str] = (), before: str = "") -> bytes:
    """A workbook of one sheet with these rows of XML, and strings that its cells share.

    `before` stands before the sheet's first tag.
    """
    kinds = {"1": ("worksheet", "sheet.xml"), "2": ("sharedStrings", "strings.xml")}
    relations = "".join(
        f'<Relationship Id="{key}" Type="{OFFICE}/{kind}" Target="{part}"/>'
        for key, (kind, part) in kinds.items()
    )
    parts = {
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE}"><Relationship Id="0" '
        f'Type="{OFFICE}/officeDocument" Target="xl/book.xml"/></Relationships>',
        "xl/book.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
        '<sheet name="S" sheetId="1" r:id="1"/></sheets></workbook>',
        "xl/_rels/book.xml.rels": f'<Relationships xmlns="{PACKAGE}">{relations}</Relationships>',
        "xl/strings.xml": f'<sst xmlns="{MAIN}">'
        + "".join(f"<si><t>{text}</t></si>" for text in strings)
        + "</sst>",
        "xl/sheet.xml": f'{before}<worksheet xmlns="{MAIN}"><sheetData>'
        + "".join(rows)
        + "</sheetData></worksheet>",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return packed.getvalue()
