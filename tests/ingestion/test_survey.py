"""The first pass: how far it is, what it remembers, and what it takes."""

import gzip
from pathlib import Path
from sys import getsizeof
from typing import Any

import pytest

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.ingestion import survey
from corpuscope.tools.ingestion.request import IngestRequest, open_rows
from corpuscope.tools.ingestion.survey import survey_source
from corpuscope.tools.readers.encodings import text_encoding
from corpuscope.tools.workspace.workspace import Workspace

Reports = list[tuple[float, str]]


def request(source: Path | list[dict[str, Any]], limit: int | None = None) -> IngestRequest:
    return IngestRequest(source, None, None, None, None, "auto", limit)


@pytest.fixture
def reports(monkeypatch: pytest.MonkeyPatch) -> Reports:
    monkeypatch.setattr(survey, "SECONDS_BETWEEN", 0.0)
    return []


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_the_survey_tells_how_far_it_is_and_never_falls_back(
    workspace: Workspace, folder: Path, reports: Reports, name: str
) -> None:
    lines = "".join(f"{n * 7919 % 10007} the card was lost\n" for n in range(20_000))
    content = f"text\n{lines}é\n".encode("cp1252")  # looked through twice
    (folder / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    survey_source(workspace, request(folder / name), None, lambda *said: reports.append(said))
    shares = [share for share, _ in reports]
    assert shares == sorted(shares) and shares[-1] == survey.SURVEY_SHARE
    assert len(set(shares)) > 5
    messages = [message for _, message in reports]
    assert messages[0] == "finding out the encoding"
    assert "looking through the rows: 4,000 so far" in messages
    assert messages[-1] == "looked through 20,001 rows"


def test_a_limit_ends_the_survey_early_and_is_what_progress_is_a_share_of(
    workspace: Workspace, folder: Path, reports: Reports
) -> None:
    lines = "".join(f"{n} the card was lost\n" for n in range(200_000))
    (folder / "long.csv").write_text(f"text\n{lines}", "utf-8")
    asked = request(folder / "long.csv", limit=4_000)
    found = survey_source(workspace, asked, None, lambda *said: reports.append(said))
    assert found.tally.read == 4_000
    looking = [share for share, message in reports if message.startswith("looking")]
    assert max(looking) == survey.SURVEY_SHARE


def test_reports_are_not_too_frequent(workspace: Workspace, folder: Path) -> None:
    (folder / "short.csv").write_text("text\n" + "the card was lost\n" * 30_000, "utf-8")
    reports: Reports = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(survey, "SECONDS_BETWEEN", 3_600.0)
        survey_source(
            workspace, request(folder / "short.csv"), None, lambda *said: reports.append(said)
        )
    assert len(reports) == 2


def test_the_encoding_is_found_once_for_both_passes(
    workspace: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "found.csv").write_bytes("text\ncafé fermé\nà bientôt\n".encode("cp1252"))
    calls = []

    def counted(*arguments: Any) -> Any:
        calls.append(arguments)
        return text_encoding(*arguments)

    monkeypatch.setattr("corpuscope.tools.readers.formats.text_encoding", counted)
    found = survey_source(workspace, request(folder / "found.csv"), None, lambda *_: None)
    rows = [getattr(row, "values", None) for row in open_rows(found.request)]
    assert rows == [{"text": "café fermé"}, {"text": "à bientôt"}]
    assert len(calls) == 1


def test_the_sample_of_texts_is_bounded_by_their_memory_and_stays_one_of_all(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "SURVEY_BYTES", 20_000)
    rows = [{"text": f"{n:04} {'x' * 100}"} for n in range(2_000)]
    found = survey_source(workspace, request(rows), None, lambda *_: None)
    assert sum(map(getsizeof, found.texts)) <= 20_000
    numbers = [int(text[:4]) for text in found.texts]
    assert 50 < len(set(numbers)) == len(numbers)
    assert 700 < sum(numbers) / len(numbers) < 1_300


def test_rows_that_each_have_other_columns_are_refused(workspace: Workspace) -> None:
    rows = [{"text": "a", **{f"c{n} {m}": 1 for m in range(30)}} for n in range(80)]
    with pytest.raises(BadInput, match="2,401 different columns, the limit is 2,000"):
        survey_source(workspace, request(rows), None, lambda *_: None)
