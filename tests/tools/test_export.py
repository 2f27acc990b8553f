"""`export` through the client: files read back by others, and compared with what was ingested."""

import csv
import errno
import json
import os
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from mcp import MCPError
from mcp.client import Client
from mcp.types import ResourceLink, TextResourceContents
from openpyxl import load_workbook
from pyarrow import parquet
from support.calls import call, finish
from support.made_shop import PATHS, fill, made_run
from support.texts import tickets

from corpuscope.tools.core.errors import SystemFailure
from corpuscope.tools.core.schema import Watch
from corpuscope.tools.export import export
from corpuscope.tools.workspace.workspace import Workspace

pytestmark = pytest.mark.anyio

HOSTILE = (
    "<img src=https://evil.example/x.png onerror=alert(1)> | **bold** [a](https://evil.example)"
)
NOTES = ["=HYPERLINK(1)", "+49 30 1", "-5", "@home", "\tx", "plain", 'a "b", c\nd', "-2+3"]
LARGE = 570306133677760000
CARD = 4111111111111111
"""Digits that a column of numbers holds, and Excel does not."""

QDA = "{urn:QDA-XML:codebook:1.0}"


def rows() -> list[dict[str, Any]]:
    """The tickets with notes that begin oddly, large numbers, fractions, and a column `heading`."""
    made = tickets(each=30)
    for number, row in enumerate(made):
        row["note"] = NOTES[number % len(NOTES)]
        row["tweet"] = LARGE + number
        row["batch"] = CARD + number % 3
        row["amount"] = 12_000_000_000.5 if number == 3 else number / 4
        row["heading"] = "theirs" if number % 2 else None
    made[0]["text"] = f"{HOSTILE} {made[0]['text']}"
    return made


@pytest.fixture(scope="module", autouse=True)
async def shop(client: Client) -> None:
    await finish(client, "ingest", dataset="shop", rows=rows(), id_column="id")
    await finish(client, "cluster", dataset="shop")


async def themes_of(client: Client) -> dict[str, str]:
    """The id of each record's text, with its theme as `get-members` tells it."""
    places: dict[str, str] = {}
    listed = (await call(client, "list-clusters", limit=80)).data["clusters"]
    for cluster in [line["id"] for line in listed] + ["noise"]:
        page = await call(client, "get-members", cluster=cluster, limit=100)
        places |= {member["id"]: cluster for member in page.data["members"]}
    return places


async def test_records_come_back_from_csv_as_they_were(client: Client, folder: Path) -> None:
    answer = await finish(client, "export", what="records", save_as="out/records.csv")
    path = folder / "out" / "records.csv"
    assert answer.data["path"] == str(path)
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    read = pd.read_csv(path, dtype={"theme_id": str}).set_index("tweet").sort_index()
    given = pd.DataFrame(rows()).set_index("tweet").sort_index()
    assert (read["amount"] == given["amount"]).all()
    assert "12000000000.5" in path.read_text(encoding="utf-8-sig")
    assert (read["stars"] == given["stars"]).all()
    assert (read["batch"] == given["batch"]).all()
    assert (read["date"] == given["date"]).all()
    assert read["heading"].fillna("").tolist() == given["heading"].fillna("").tolist()
    assert (read["text"] == given["text"]).all()
    places = await themes_of(client)
    assert dict(zip(read["id"], read["theme_id"], strict=True)) == places
    assert "A metadata column is called heading: ours is corpuscope_heading." in answer.text


async def test_what_a_spreadsheet_would_run_gets_an_apostrophe_and_numbers_none(
    client: Client,
) -> None:
    answer = await finish(client, "export", what="records")
    with Path(answer.data["path"]).open(encoding="utf-8-sig", newline="") as lines:
        read = sorted(csv.DictReader(lines), key=lambda row: row["tweet"])
    notes = [f"'{note}" if note[0] in "=+@\t" or note == "-2+3" else note for note in NOTES]
    assert [row["note"] for row in read[: len(notes)]] == notes
    marked = sum(row["note"].startswith("'") for row in read)
    assert f"{marked} cells begin with = + - @" in answer.text


async def test_a_workbook_has_texts_as_texts_dates_as_dates_and_large_numbers_whole(
    client: Client, folder: Path
) -> None:
    answer = await finish(client, "export", what="records", save_as="records.xlsx")
    sheet = load_workbook(folder / "records.xlsx")["records"]
    names, *lines = sheet.iter_rows()
    place = {str(cell.value): at for at, cell in enumerate(names)}
    assert {"cluster", "noise_reason"} <= place.keys()
    read = {line[place["tweet"]].value: line for line in lines}
    for row in rows():
        line = read[str(row["tweet"])]
        note = line[place["note"]]
        assert (note.value, note.data_type) == (row["note"], "s")
        assert line[place["date"]].value.date().isoformat() == row["date"]
        assert line[place["amount"]].value == row["amount"]
        assert line[place["batch"]].value == str(row["batch"])
    assert "150 whole numbers of more than 15 digits are texts" in answer.text


async def test_parquet_and_json_lines_keep_types_and_a_filter_is_kept_to(
    client: Client, folder: Path
) -> None:
    where = {"stars": {"gte": 4}}
    few = sorted(row["tweet"] for row in rows() if row["stars"] >= 4)
    await finish(client, "export", what="records", save_as="few.parquet", where=where)
    table = parquet.read_table(folder / "few.parquet")
    assert sorted(map(int, table.column("tweet").to_pylist())) == few
    assert table.schema.field("date").type == pa.date32()
    assert table.schema.field("batch").type == pa.int64()
    answer = await finish(client, "export", what="records", format="jsonl", where=where)
    read = [json.loads(line) for line in Path(answer.data["path"]).read_text("utf-8").splitlines()]
    by_tweet = {row["tweet"]: row for row in rows()}
    assert sorted(int(row["tweet"]) for row in read) == few
    assert all(row["note"] == by_tweet[int(row["tweet"])]["note"] for row in read)
    part = await finish(client, "export", what="records", cluster="noise")
    members = await call(client, "get-members", cluster="noise")
    assert (
        part.is_error if not members.data["total"] else part.data["rows"] == members.data["total"]
    )


async def test_themes_are_those_of_the_list_with_the_noise_as_the_last_row(
    client: Client, folder: Path
) -> None:
    listed = (await call(client, "list-clusters", limit=80)).data
    await finish(client, "export", what="themes", save_as="themes.csv")
    read = pd.read_csv(folder / "themes.csv", dtype={"id": str})
    sizes = {line["id"]: line["size"] for line in listed["clusters"]}
    assert dict(zip(read["id"], read["size"], strict=True)) == sizes | {"noise": listed["noise"]}
    assert read["size"].sum() == 150
    await finish(client, "export", what="themes", save_as="themes.json")
    document = json.loads((folder / "themes.json").read_text("utf-8"))
    assert {theme["id"]: theme["size"] for theme in document["themes"]} == sizes
    ids = {
        theme["id"]: [quote["id"] for quote in theme["exemplars"]] for theme in document["themes"]
    }
    places = await themes_of(client)
    assert all(places[record] == theme for theme, records in ids.items() for record in records)
    filtered = await finish(client, "export", what="themes", format="xlsx", where={"stars": 1})
    sheet = load_workbook(filtered.data["path"])["themes"]
    columns = [cell.value for cell in sheet[1]]
    counted = [line[columns.index("size")].value for line in sheet.iter_rows(min_row=2)]
    assert sum(counted) == sum(row["stars"] == 1 for row in rows())


async def test_a_codebook_has_a_title_a_definition_and_examples_of_every_theme(
    client: Client, folder: Path
) -> None:
    page = await call(client, "get-members", cluster="1", limit=1)
    await call(
        client, "label-cluster", cluster="1", title='Titles & <b>"signs"</b> | =1', author="person",
        summary="A <script>alert(1)</script> & more.", records=[page.data["members"][0]["id"]],
    )  # fmt: skip
    await finish(client, "export", what="codebook", save_as="book.csv")
    read = pd.read_csv(folder / "book.csv", dtype={"id": str}).set_index("id")
    assert read.loc["1", "title"] == 'Titles & <b>"signs"</b> | =1'
    assert read[["title", "definition", "examples"]].notna().all().all()
    assert read["title"].is_unique
    await finish(client, "export", what="codebook", save_as="book.qdc")
    root = ElementTree.parse(folder / "book.qdc").getroot()
    codes = root.findall(f"{QDA}Codes/{QDA}Code")
    assert root.tag == f"{QDA}CodeBook"
    assert {code.get("name") for code in codes} == set(read["title"])
    assert all(re.fullmatch(r"[0-9a-f-]{36}", code.get("guid", "")) for code in codes)
    [first] = [code for code in codes if code.get("name") == read.loc["1", "title"]]
    assert "<script>alert(1)</script> & more." in str(first.findtext(f"{QDA}Description"))


class Page(HTMLParser):
    """The tags of a page, what they refer to, and its text."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.references: list[str] = []
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_the_report_is_one_page_that_loads_nothing_and_runs_nothing(client: Client) -> None:
    result = await client.call_tool(
        "export", {"what": "report", "column": "theme", "wait_seconds": 45}
    )
    data = dict(result.structured_content or {})
    page = Page(Path(data["path"]).read_text(encoding="utf-8"))
    assert not page.tags & {"script", "link", "iframe", "object", "b"}
    assert all(re.match("#theme-|data:image/png;base64,", each) for each in page.references)
    assert "<script>alert(1)</script> & more." in page.text
    for heading in ("The themes by size", "By theme", "Over time", "How it was made"):
        assert heading in page.text
    assert data["summary"][0] in page.text
    links = [block for block in result.content if isinstance(block, ResourceLink)]
    assert [link.mime_type for link in links] == ["text/html"] * len(links)
    assert str(links[0].uri) == Path(data["path"]).as_uri()


async def test_a_report_in_markdown_is_readable_as_a_resource(client: Client) -> None:
    answer = await finish(client, "export", what="report", format="md")
    path, picture = Path(answer.data["path"]), Path(answer.data["picture"])
    assert picture.read_bytes().startswith(b"\x89PNG")
    [content] = (await client.read_resource(answer.data["resource"])).contents
    assert isinstance(content, TextResourceContents)
    assert content.text == path.read_text(encoding="utf-8")
    assert f"]({picture.name})" in content.text.replace("<", "").replace(">", "")
    for other in ("../milvus.db", "none.md", "..%2Fmilvus.json"):
        with pytest.raises(MCPError):
            await client.read_resource(f"corpuscope://export/{other}")


async def test_a_page_that_is_there_is_replaced_a_table_or_what_is_read_only_never(
    client: Client, folder: Path
) -> None:
    for name in ("mine.csv", "mine.md", "fixed.md"):
        (folder / name).write_text("my own")
    (folder / "fixed.md").chmod(0o444)
    page = await finish(client, "export", what="codebook", save_as="mine.md")
    assert "It replaced the page of that name." in page.text
    assert (folder / "mine.md").read_text(encoding="utf-8").startswith("# Codebook of shop")
    for name, why in (("mine.csv", "a table is never replaced"), ("fixed.md", "is read-only")):
        refused = await finish(client, "export", what="codebook", save_as=name)
        assert refused.is_error
        assert why in refused.text
        assert (folder / name).read_text() == "my own"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"what": "report", "format": "csv"}, "what='report' is written as html, md, not as 'csv'"),
        ({"what": "records", "save_as": "a.docx"}, "csv, xlsx, parquet, jsonl, not as 'docx'"),
        ({"what": "records", "save_as": "a.csv", "format": "xlsx"}, "the format is xlsx: end it"),
        ({"what": "records", "save_as": "/etc/a.csv"}, "outside the allowed folders"),
        ({"what": "report", "column": "city"}, "Columns to count by: theme, stars, note, "),
        ({"what": "report", "column": "date"}, "holds dates: the report shows the trend"),
        ({"what": "themes", "column": "theme"}, "column is for what='report', not 'themes'"),
        ({"what": "report", "cluster": "1"}, "cluster is for what='records', not 'report'"),
        ({"what": "records", "where": {"stars": 9}}, "none of the 150 records of 'shop' fits"),
        ({"what": "records", "cluster": "99"}, "No cluster '99' in run r1"),
    ],
)
async def test_what_cannot_be_exported_is_said_with_what_can(
    client: Client, arguments: dict[str, Any], said: str
) -> None:
    answer = await finish(client, "export", **arguments)
    assert answer.is_error
    assert said in answer.text


async def test_before_it_is_clustered_a_dataset_has_records_but_no_themes(client: Client) -> None:
    await finish(client, "ingest", dataset="raw", rows=rows()[:20], id_column="id")
    answer = await finish(client, "export", what="records", dataset="raw")
    assert "theme_id" not in answer.data["columns"]
    assert "Call `cluster` first" in answer.text
    refused = await finish(client, "export", what="themes", dataset="raw")
    assert refused.is_error
    assert "cluster" in refused.text
    await call(client, "delete", dataset="raw", confirm=True)


async def test_an_export_that_cannot_be_written_leaves_nothing(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "old.md").write_text("before")
    files = {*folder.rglob("*"), *(workspace.home / "exports").iterdir()}

    def no_room(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(OSError, match="No space left"):
        export(workspace, Watch(), "records", dataset="shop")
    with pytest.raises(OSError, match="No space left"):
        export(workspace, Watch(), "codebook", dataset="shop", save_as="old.md")
    assert {*folder.rglob("*"), *(workspace.home / "exports").iterdir()} == files
    assert (folder / "old.md").read_text() == "before"


async def test_a_run_of_noise_alone_is_told_and_a_full_disk_is_found_before_anything_is_written(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(workspace, "noisy")
    made_run(workspace, dict.fromkeys(PATHS, "noise"), dataset="noisy")
    run = workspace.runs.load("noisy")
    workspace.runs.save_map(run, np.zeros((run.records, 2), np.float32))
    told = export(workspace, Watch(), "report", dataset="noisy", column="theme")
    assert told.summary[0] == "180 records of 'noisy': no theme was found, all of them are noise."
    assert "The map" in Path(told.path).read_text(encoding="utf-8")
    before = {*(workspace.home / "exports").iterdir()}
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(2**40, 2**40, 0))
    with pytest.raises(SystemFailure, match="Too little space on the disk for the export of 180"):
        export(workspace, Watch(), "records", dataset="noisy")
    assert {*(workspace.home / "exports").iterdir()} == before
