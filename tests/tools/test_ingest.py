"""`ingest` through the client."""

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mcp.client import Client
from support.calls import Answer, call, finish
from support.texts import tickets

pytestmark = pytest.mark.anyio


def write_csv(file: Path, rows: list[dict[str, Any]]) -> Path:
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file


def write_vectors(file: Path, count: int, dim: int = 8) -> Path:
    vectors = np.random.default_rng(0).normal(size=(count, dim)).astype(np.float16)
    np.save(file, vectors)
    return file


async def records_of(client: Client, dataset: str) -> int:
    listed = await call(client, "list-datasets")
    return int(next(d["records"] for d in listed.data["datasets"] if d["name"] == dataset))


async def test_a_csv_becomes_records_with_typed_metadata(client: Client, folder: Path) -> None:
    write_csv(folder / "a.csv", tickets(each=6))
    answer = await finish(client, "ingest", dataset="a", path="a.csv", id_column="id")
    assert not answer.is_error, answer.text
    assert (answer.data["added"], answer.data["records"]) == (30, 30)
    assert answer.data["text_columns"] == ["text"]
    assert answer.data["metadata_columns"] == {"theme": "string", "stars": "number", "date": "date"}
    assert "Took 'text' as the text" in answer.text
    assert "Next: cluster(dataset='a')" in answer.text


@pytest.mark.parametrize("kind", ["jsonl", "json", "tsv", "csv.gz", "jsonl.gz", "parquet", "xlsx"])
async def test_every_format_gives_the_same_records(client: Client, folder: Path, kind: str) -> None:
    import pandas as pd

    frame = pd.DataFrame(tickets(each=2))
    file = folder / f"b.{kind}"
    if kind == "parquet":
        frame.to_parquet(file)
    elif kind == "xlsx":
        frame.to_excel(file, index=False)
    elif kind.startswith("json"):
        frame.to_json(file, orient="records", lines="jsonl" in kind)
    else:
        frame.to_csv(file, sep="\t" if kind == "tsv" else ",", index=False)
    if "gz" in kind:
        gzip.decompress(file.read_bytes())  # pandas packs by the name
    answer = await finish(client, "ingest", dataset="b", path=file.name, id_column="id")
    assert not answer.is_error, answer.text
    assert answer.data["records"] == 10
    assert answer.data["updated"] == 0


async def test_the_same_file_twice_adds_nothing_and_a_changed_row_is_updated(
    client: Client, folder: Path
) -> None:
    rows = tickets(each=3)
    file = write_csv(folder / "c.csv", rows)
    await finish(client, "ingest", dataset="c", path="c.csv", id_column="id")
    again = await finish(client, "ingest", dataset="c", path="c.csv", id_column="id")
    assert (again.data["added"], again.data["unchanged"]) == (0, 15)
    rows[4]["text"] = "Something else altogether"
    write_csv(file, rows)
    changed = await finish(client, "ingest", dataset="c", path="c.csv", id_column="id")
    assert (changed.data["updated"], changed.data["unchanged"]) == (1, 14)
    assert await records_of(client, "c") == 15


async def test_replace_drops_what_was_there(client: Client) -> None:
    await finish(client, "ingest", dataset="d", rows=tickets(each=3))
    await finish(client, "ingest", dataset="d", rows=tickets(each=1), mode="replace")
    assert await records_of(client, "d") == 5


async def test_equal_texts_are_kept_as_records_and_counted(client: Client) -> None:
    rows = [{"text": "the very same text"}] * 4 + [{"text": "another text"}]
    answer = await finish(client, "ingest", dataset="e", rows=rows)
    assert (answer.data["records"], answer.data["repeated_texts"]) == (5, 3)
    again = await finish(client, "ingest", dataset="e", rows=rows)
    assert again.data["added"] == 0


async def test_empty_long_and_bad_rows_are_counted_and_named(client: Client, folder: Path) -> None:
    long = "ü" * 40_000
    lines = ["text,stars", "fine,1", ",2", "one,two,three", f"{long},3", "good,4"]
    (folder / "f.csv").write_text("\n".join(lines), encoding="utf-8")
    answer = await finish(client, "ingest", dataset="f", path="f.csv", text_columns=["text"])
    assert (answer.data["records"], answer.data["empty"], answer.data["bad"]) == (3, 1, 1)
    assert answer.data["bad_examples"][0].startswith("row 4: ")
    assert "65,535 bytes and were cut: rows 5" in answer.text
    page = await call(client, "search", dataset="f", query="üüü good fine", limit=3)
    assert not page.is_error


async def test_vectors_from_a_npy_file_are_used_and_their_number_is_checked(
    client: Client, folder: Path
) -> None:
    write_csv(folder / "g.csv", tickets(each=2))
    write_vectors(folder / "g.npy", 10)
    answer = await finish(
        client, "ingest", dataset="g", path="g.csv", id_column="id", vector_column="g.npy"
    )
    assert answer.data["embedding"] == "column"
    assert "`search` matches words" in answer.text
    found = await call(client, "search", dataset="g", query="password rejected espresso tomato")
    assert found.data["by"] == "words"
    assert found.data["hits"]
    assert "Found by matching words (BM25)" in found.text
    write_vectors(folder / "h.npy", 9)
    wrong = await finish(client, "ingest", dataset="h", path="g.csv", vector_column="h.npy")
    assert wrong.is_error
    assert "more rows than the 9 vectors" in wrong.text
    write_vectors(folder / "h.npy", 11)
    wrong = await finish(client, "ingest", dataset="h", path="g.csv", vector_column="h.npy")
    assert "10 rows (empty and bad ones included) and 11 vectors" in wrong.text


async def test_vectors_in_a_column_are_used(client: Client) -> None:
    rows = [{"text": f"text number {n}", "v": [1.0, float(n), 0.5]} for n in range(6)]
    answer = await finish(client, "ingest", dataset="i", rows=rows, vector_column="v")
    assert (answer.data["records"], answer.data["embedding"]) == (6, "column")


async def refused(client: Client, **arguments: Any) -> str:
    answer: Answer = await finish(client, "ingest", **arguments)
    assert answer.is_error, answer.text
    return answer.text


async def test_what_cannot_be_read_is_refused_with_the_next_step(
    client: Client, folder: Path
) -> None:
    write_csv(folder / "j.csv", tickets(each=1))
    (folder / "j.pdf").write_bytes(b"%PDF")
    assert "Allowed: " in await refused(client, dataset="j", path="/etc/passwd")
    assert "In that folder: " in await refused(client, dataset="j", path="nothing.csv")
    assert "must end in one of" in await refused(client, dataset="j", path="j.pdf")
    assert "theme" in await refused(client, dataset="j", path="j.csv", text_columns=["them"])
    assert "needs a name" in await refused(client, dataset=" ", path="j.csv")
    dropped = await refused(client, dataset="j", path="/mnt/user-data/uploads/j.csv")
    assert "dropped into the chat" in dropped and "pass a small table as `rows`" in dropped
    (folder / "j2.csv").write_bytes(b"PK\x03\x04" + bytes(100))
    assert "name it .xlsx" in await refused(client, dataset="j", path="j2.csv")
    unknown = await refused(client, dataset="j", path="j.csv", encoding="klingon")
    assert "Usual ones: utf-8, utf-16, cp1252" in unknown
    assert "either `path`" in await refused(client, dataset="j")
    unknown = await refused(client, dataset="j", path="j.csv", embedding="word2vec")
    assert "lexical" in unknown
    listed = await call(client, "list-datasets")
    assert "j" not in [dataset["name"] for dataset in listed.data["datasets"]]


async def test_any_name_is_a_datasets_and_every_spelling_of_it_finds_it(client: Client) -> None:
    answer = await finish(client, "ingest", dataset="GoogleNews T", rows=tickets(each=1))
    assert answer.data["dataset"] == "googlenews_t"
    assert "Dataset 'googlenews_t' (the name made of 'GoogleNews T') has 5 records" in answer.text
    again = await finish(client, "ingest", dataset="googlenews_t", rows=tickets(each=1))
    assert again.data["unchanged"] == 5 and "the name made of" not in again.text
    for tool, more in (("search", {"query": "espresso"}), ("delete", {"confirm": True})):
        said = await call(client, tool, dataset="googleNews-T", **more)
        assert said.data["dataset"] == "googlenews_t", said.text


async def test_a_few_damaged_bytes_cost_their_character_and_are_named(
    client: Client, folder: Path
) -> None:
    rows = [f'{n},"naïve - café {n}"' for n in range(50)]
    rows[30] = '30,"sad CUT, and gone"'
    content = "\n".join(["id,text", *rows]).encode().replace(b"CUT", b"\xf0\x9f\x98")
    (folder / "cut.csv").write_bytes(content)
    answer = await finish(client, "ingest", dataset="cut", path="cut.csv", id_column="id")
    assert (answer.data["records"], answer.data["bad"]) == (50, 0)
    assert "1 character is cut off or damaged (no utf-8)" in answer.text
    assert "line 32. The rows are kept." in answer.text


async def test_an_encoding_is_detected_and_said_and_another_can_be_asked_for(
    client: Client, folder: Path
) -> None:
    lines = ["text", *(f"größere Ärgernisse für müde Gäste {n}" for n in range(9))]
    (folder / "mac.csv").write_bytes("\r".join(lines).encode("mac_roman"))
    answer = await finish(client, "ingest", dataset="mac", path="mac.csv")
    assert "mac.csv was read as mac_roman" in answer.text
    found = await call(client, "search", dataset="mac", query="größere")
    assert found.data["hits"][0]["text"].startswith("größere Ärgernisse für müde Gäste")
    other = await finish(
        client, "ingest", dataset="mac", path="mac.csv", encoding="cp1252", mode="replace"
    )
    assert "mac.csv was read as cp1252, as asked" in other.text


async def test_a_dataset_never_mixes_models(client: Client) -> None:
    await finish(client, "ingest", dataset="k", rows=tickets(each=2))
    text = await refused(client, dataset="k", rows=tickets(each=3), embedding="openai:some-model")
    assert "never mixes models" in text
    assert "mode='replace'" in text


async def test_progress_is_told_in_rows_and_rows_per_second(client: Client) -> None:
    messages: list[str] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        messages.append(message or "")

    rows = [{"text": f"{json.dumps(row)} {n}"} for n in range(8) for row in tickets(each=30)]
    await client.call_tool(
        "ingest",
        {"dataset": "l", "rows": rows, "wait_seconds": 45},
        progress_callback=note,
    )
    assert any("looked through 1,200 rows" in message for message in messages) or any(
        "of 1,200 rows" in message and "rows/s" in message for message in messages
    )


def mentioning(each: int = 8) -> list[dict[str, Any]]:
    """The tickets, each to @one of two shops, every third with a link."""
    return [
        {
            **row,
            "text": f"@{'acme' if at % 2 else 'globex'} {row['text']}"
            + (f" https://t.co/a{at}" if at % 3 == 0 else ""),
        }
        for at, row in enumerate(tickets(each=each))
    ]


async def test_frequent_handles_and_an_unused_id_are_answered_with_the_call_to_make(
    client: Client, folder: Path
) -> None:
    write_csv(folder / "m.csv", mentioning())
    answer = await finish(client, "ingest", dataset="m", path="m.csv")
    assert "@handles in 100% and links in 35%" in answer.text
    assert "'id' is named like an id and all its values differ" in answer.text
    call_for_it = (
        f"ingest(dataset='m', path='{(folder / 'm.csv').resolve()}', mask=['handles', 'urls'], "
        "id_column='id', mode='replace')"
    )
    assert call_for_it in answer.text.replace("id_column='id', mask=['handles', 'urls']", "?")
    followed = await finish(
        client,
        "ingest",
        dataset="m",
        path="m.csv",
        mask=["handles", "urls"],
        id_column="id",
        mode="replace",
    )
    assert followed.data["masked"] == "urls, handles"
    assert "Left out of keywords, and of vectors made here: urls, handles." in followed.text
    assert "ingest(" not in followed.text


async def test_what_is_masked_makes_no_vectors_and_no_keywords_and_is_shown(
    client: Client,
) -> None:
    rows = mentioning(each=36)
    await finish(
        client, "ingest", dataset="n", rows=rows, mask=["@handles", "links"], stop_words=["My"]
    )
    text = rows[0]["text"]
    other = text.replace("@acme", "@initech").replace("@globex", "@initech")
    found = await call(client, "search", dataset="n", query=other, limit=1)
    assert found.data["hits"][0]["score"] == pytest.approx(1, abs=1e-3)
    assert found.data["hits"][0]["text"] == text
    run = await finish(client, "cluster", dataset="n")
    listed = await call(client, "list-clusters", dataset="n")
    keywords = {word for cluster in listed.data["clusters"] for word in cluster["keywords"]}
    assert keywords and not run.is_error
    assert not keywords & {"acme", "globex", "t.co", "https", "my"}
    assert not any("acme" in word or "t.co" in word for word in keywords)


async def test_a_mask_stays_with_the_dataset_and_another_one_is_refused(client: Client) -> None:
    rows = mentioning()
    await finish(client, "ingest", dataset="o", rows=rows[:20], mask=["handles"])
    more = [*rows, {"text": "@acme @globex"}]
    grown = await finish(client, "ingest", dataset="o", rows=more)
    assert grown.data["masked"] == "handles"
    assert "1 texts hold nothing but what is masked" in grown.text
    found = await call(client, "search", dataset="o", query="@acme @globex", limit=1)
    assert found.data["hits"][0]["text"] == "@acme @globex"
    same = await finish(client, "ingest", dataset="o", rows=rows, mask=["handles"])
    assert not same.is_error
    for other in ({"mask": ["urls"]}, {"stop_words": ["parcel"]}):
        said = await refused(client, dataset="o", rows=rows, **other)
        assert "'o' masks handles, this call " in said and "mode='replace'" in said
    unknown = await refused(client, dataset="o", rows=rows, mask=["parcel"])
    assert "Valid: emails, handles, numbers, urls" in unknown
    changed = await finish(client, "ingest", dataset="o", rows=rows, mask=["urls"], mode="replace")
    assert changed.data["masked"] == "urls"


async def test_texts_that_were_decoded_wrongly_are_told_and_mended_on_request(
    client: Client,
) -> None:
    wrong = "don\u2019t like the caf\u00e9".encode().decode("mac_roman")
    rows = [{"text": wrong}, *({"text": f"a plain text {n}"} for n in range(30))]
    answer = await finish(client, "ingest", dataset="p", rows=rows)
    assert "3% of the texts look wrongly decoded" in answer.text
    assert "mend=True" in answer.text
    await finish(client, "ingest", dataset="p", rows=rows, mend=True, mode="replace")
    found = await call(client, "search", dataset="p", query="caf\u00e9", limit=1)
    assert found.data["hits"][0]["text"] == "don\u2019t like the caf\u00e9"


async def test_days_of_spreadsheets_are_dates_and_cut_ids_are_told(
    client: Client, folder: Path
) -> None:
    rows = [
        {
            "tweet_id": f"5.703{n:02}E+17",
            "text": f"text number {n}",
            "tweet_created": 42051 + n / 7,
            "price": 42051.5 + n,
        }
        for n in range(40)
    ]
    write_csv(folder / "q.csv", rows)
    answer = await finish(client, "ingest", dataset="q", path="q.csv")
    assert answer.data["metadata_columns"]["tweet_created"] == "date"
    assert answer.data["metadata_columns"]["price"] == "number"
    assert "'tweet_created': numbers such as 42051.0 are read as days (2015-02-16)" in answer.text
    assert "'tweet_id' is no sound id" in answer.text and "id_column" not in answer.text
    inside = await call(
        client, "search", dataset="q", query="text", where={"tweet_created": {"gte": "2015-02-21"}}
    )
    assert len(inside.data["hits"]) == 5


async def test_large_ids_keep_their_digits(client: Client, folder: Path) -> None:
    rows = [
        {"text": f"text number {n}", "tweet_id": 570306133677760001 + n, "n": n} for n in range(5)
    ]
    (folder / "r.json").write_text(json.dumps(rows), encoding="utf-8")
    answer = await finish(client, "ingest", dataset="r", path="r.json")
    assert answer.data["metadata_columns"] == {"tweet_id": "string", "n": "number"}
    found = await call(
        client, "search", dataset="r", query="text", where={"tweet_id": "570306133677760003"}
    )
    assert [hit["metadata"]["n"] for hit in found.data["hits"]] == [2]


async def test_a_silent_source_is_told(client: Client) -> None:
    rows = [
        {"text": f"{venue} {day} {n}", "venue": venue, "date": f"2024-03-{day:02}"}
        for venue in ("BBC", "CNN", "Reuters")
        for day in range(1, 21)
        for n in range(5)
        if venue != "CNN" or not 5 <= day <= 14
    ]
    answer = await finish(client, "ingest", dataset="s", rows=rows)
    assert "next to nothing of 'CNN' (venue) 2024-03-05 to 2024-03-14" in answer.text
