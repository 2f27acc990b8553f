"""With CORPUSCOPE_REDACT no tool answers what the texts and the metadata hold of people."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from mcp.types import TextResourceContents
from support.calls import Answer, call, finish, forget_datasets
from support.changed_settings import changed_settings
from support.idle_servers import connected_with_worker
from support.texts import tickets

from corpuscope.server.app import TOOLS, build_server
from corpuscope.server.settings import Settings
from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.core.schema import Description, Sentence
from corpuscope.tools.describing.evidence import Evidence, Excerpt, Keyphrase, Sibling

CARDS = {
    "delivery": 4111111111111111,
    "refund": 5555555555554444,
    "login": 4012888888881881,
    "coffee": 378282246310005,
    "garden": 6011111111111117,
}
PHONE = "+49 30 901820"
MOBILE = 5551234567
PIECES = [".desk", "-mail.com", "901820", str(MOBILE), "5,551,234,567", "people.example"]
SECRETS = [*PIECES, *map(str, CARDS.values())]

ASKED = {"dataset": "people"}
CALLED: set[str] = set()


def address(theme: str) -> str:
    """Whose words would be the best keywords of the theme."""
    return f"{theme}.desk@{theme}-mail.com"


def people(each: int = 24, first: int = 0) -> list[dict[str, Any]]:
    """The tickets, with an address, a phone and a card in the text and beside it."""
    return [
        {
            # Quoted up to its 80th character, which is amid the address.
            "id": f"{row['id']:65}{address(row['theme'])}",
            "text": f"{row['text']} Write to {address(row['theme'])} or call {PHONE} about "
            f"{CARDS[row['theme']]}.",
            "contact": f"Desk of {row['theme']}, open on every day of the week: "
            f"{address(row['theme'])}, {PHONE}",
            "card": CARDS[row["theme"]],
            "phone": MOBILE,
            "stars": row["stars"],
        }
        for row in tickets(each=each)[first:]
    ]


@pytest.fixture(scope="module")
async def client(
    settings: Settings, running_lite: None, anyio_backend: str
) -> AsyncIterator[Client]:
    """A client, of the older era, of a server that redacts, with a dataset and a run."""
    server = build_server(changed_settings(settings, redact=True), warm=False)
    async with connected_with_worker(server, mode="legacy") as connected:
        await safe(connected, "ingest", rows=people(), id_column="id", **ASKED)
        found = await safe(connected, "cluster", **ASKED)
        assert found.data["clusters"] > 2
        yield connected
        await forget_datasets(connected)


@pytest.fixture
def runs(client: Client, settings: Settings) -> Runs:
    """The runs as they are kept."""
    return Runs(settings.home / "runs")


def leaked(answer: Answer) -> list[str]:
    return secrets_in(answer.text + json.dumps(answer.data))


def secrets_in(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text]


async def safe(client: Client, tool: str, /, **arguments: Any) -> Answer:
    """What a tool answers, which holds no secret."""
    spec = TOOLS.get(tool)
    answer = await (finish if spec and spec.is_job else call)(client, tool, **arguments)
    assert not leaked(answer), (tool, leaked(answer), answer.text)
    CALLED.add(tool)
    return answer


async def page(client: Client, uri: str) -> str:
    [content] = (await client.read_resource(f"corpuscope://dataset/{uri}")).contents
    assert isinstance(content, TextResourceContents)
    return content.text


async def test_keywords_are_of_the_redacted_texts(client: Client) -> None:
    answer = await safe(client, "list-clusters", **ASKED)
    words = [word for line in answer.data["clusters"] for word in line["keywords"]]
    assert len(words) > 10
    marks = {"email", "phone", "card"}
    assert not [word for word in words if marks & set(word.split())]


async def test_evidence_has_no_part_of_an_address_also_where_values_are_long(
    client: Client,
) -> None:
    answer = await safe(client, "describe-cluster", cluster="all", **ASKED)
    evidence = answer.data["evidence"]
    assert re.search(r"^- contact = Desk of \w+, .*: \d+ of \d+", evidence, re.MULTILINE)
    assert "[email]" in evidence
    assert not re.search(r"^- (\d+ of \d+ have no )?(card|phone)\b", evidence, re.MULTILINE)


async def test_numbers_beside_a_text_are_redacted_and_others_stay_numbers(client: Client) -> None:
    for cluster in ("1", "noise"):
        await safe(client, "get-members", cluster=cluster, **ASKED)
    answer = await safe(client, "search", query="a late parcel", **ASKED)
    metadata = answer.data["hits"][0]["metadata"]
    assert (metadata["card"], metadata["phone"]) == ("[card]", "[phone]")
    assert metadata["stars"] in range(1, 6)
    asked = await safe(client, "search", query=f"who is {address('coffee')}", **ASKED)
    assert asked.data["query"] == "who is [email]"


@pytest.mark.parametrize("column", ["cluster", "contact", "card"])
async def test_a_plot_names_nobody(client: Client, column: str) -> None:
    answer = await safe(client, "plot", color_by=column, **ASKED)
    assert answer.images
    if column == "card":
        assert answer.data["largest"] == ["[card] (120)"]
    if column == "contact":
        assert all("[email], [phone]" in one for one in answer.data["largest"])


async def test_what_is_wrong_with_rows_is_said_without_their_values(
    client: Client, folder: Path
) -> None:
    twice = people()[:3] * 2
    answer = await safe(client, "ingest", dataset="twice", rows=twice, id_column="id")
    assert answer.data["bad"] == 3
    file = folder / "numbers.csv"
    file.write_text(f"{CARDS['login']},{CARDS['coffee']}\n", encoding="utf-8")
    answer = await safe(client, "ingest", dataset="numbers", path=str(file))
    assert "[card]" in answer.text


async def test_what_was_written_before_is_shown_redacted_and_kept_as_it_was(
    client: Client, runs: Runs
) -> None:
    run = runs.load("people", "r1")
    wrote = f"Jane, jane@people.example, {PHONE}"
    written = Description(
        cluster="1",
        title=f"Of {wrote}",
        summary=[Sentence(text=f"Ask {wrote}.")],
        keywords=["jane@people.example"],
        misfits=wrote,
        author="person",
    )
    runs.save_description(run, written)
    evidence = evidence_from_before()
    runs.save_evidence(run, evidence.cluster, evidence)
    shown = await safe(client, "list-clusters", **ASKED)
    assert "Of Jane, [email], [phone]" in [line["title"] for line in shown.data["clusters"]]
    shown_page = await page(client, "people/run/r1/cluster/1")
    assert not secrets_in(shown_page)
    assert "Ask Jane, [email], [phone]." in shown_page
    assert "two halves … of it" in shown_page
    for uri in ("people", "people/run/r1", "people/run/r1/cluster/2"):
        assert not secrets_in(await page(client, uri))
    found = await safe(client, "search", query="parcel machine", cluster="1", **ASKED)
    assert found.data["hits"][0]["theme"] == "Of Jane, [email], [phone]"
    await safe(client, "plot", **ASKED)
    await safe(client, "check-stability", rounds=2, **ASKED)
    again = await safe(client, "cluster", seed=1, **ASKED)
    assert again.data["titles_kept"]
    await safe(client, "contrast", a=again.data["run"], **ASKED)
    for a in ("1", {"cluster": ["1", "2"]}, {"text": {"contains": "parcel"}}):
        await safe(client, "contrast", a=a, **ASKED)
    drilled = await safe(client, "cluster", within="1", run="r1", min_cluster_size=5, **ASKED)
    more = people(each=26)[120:]
    await safe(client, "ingest", rows=more, id_column="id", **ASKED)
    assigned = await safe(client, "cluster", assign=True, run="r1", **ASKED)
    for made in (again, drilled, assigned):
        kept = runs.descriptions(runs.load("people", made.data["run"]))
        assert written.title in [one.title for one in kept.values()]


def evidence_from_before() -> Evidence:
    """Evidence as it was kept without redaction, with an address that was cut in two."""
    half, other = "jane.desk@", "desk@jane-mail.com"
    text = f"{address('refund')}, {PHONE}, two halves {half} \N{HORIZONTAL ELLIPSIS} {other} of it"
    excerpt = Excerpt(ref="r1", record="0" * 16, text=text, role="central", copies=1, cluster=None)
    sibling = Sibling(id="2", label=text, titled=True, size=5)
    return Evidence(
        dataset="people",
        cluster="1",
        size=24,
        share=0.2,
        keywords=[Keyphrase(text=address("refund"), share=None, beside=None)],
        siblings=[sibling],
        children=[sibling],
        traits=[f"contact = {text}: 24 of 24"],
        excerpts=[excerpt],
        outside=[replace(excerpt, ref="r2", role="outside", cluster="2")],
    )


async def test_a_person_may_write_what_no_model_reads(client: Client, runs: Runs) -> None:
    title = "Letters to jane@people.example"
    # What it repeats is what it was told in the same call.
    await finish(
        client, "label-cluster", run="r1", cluster="2", title=title,
        summary=f"Jane, {PHONE}, answers them.", author="person", **ASKED,
    )  # fmt: skip
    assert runs.descriptions(runs.load("people", "r1"))["2"].title == title
    await safe(
        client, "label-cluster", run="r1", cluster="3", title="Letters to Jane",
        summary="Jane answers them.", author="person", **ASKED,
    )  # fmt: skip


async def test_descriptions_are_answered_redacted(client: Client, runs: Runs) -> None:
    told = await safe(
        client, "describe-cluster", cluster="2", run="r1", focus=f"For {address('login')}", **ASKED
    )
    assert told.data["descriptions"][0]["title"] == "Letters to [email]"
    await safe(
        client, "label-cluster", run="r1", cluster="2", title="Letters to jane@people.example",
        summary=f"Jane, {PHONE}, answers them.", author="person", **ASKED,
    )  # fmt: skip


async def test_edits_are_told_redacted_and_kept_as_they_were_said(
    client: Client, runs: Runs
) -> None:
    title = "Letters to joe@people.example"
    merged = await safe(
        client, "edit-clusters", op="merge", clusters=["1", "2"], title=title, run="r1", **ASKED
    )
    assert "Letters to [email]" in merged.text
    assert runs.edits(runs.load("people", "r1"))[0].arguments["title"] == title
    keywords = (await safe(client, "list-clusters", run="r1", **ASKED)).data["clusters"][0][
        "keywords"
    ]
    assert keywords
    await safe(client, "edit-clusters", op="history", run="r1", **ASKED)
    await safe(client, "edit-clusters", op="undo", run="r1", **ASKED)


async def test_files_to_take_away_are_redacted_and_say_so(client: Client) -> None:
    for what, format_ in (
        *(("records", "csv"), ("records", "jsonl"), ("themes", "json"), ("codebook", "csv")),
        *(("report", "html"), ("report", "md")),
    ):
        column = {"column": "contact"} if what == "report" else {}
        answer = await safe(
            client, "export", what=what, format=format_, run="r1", **column, **ASKED
        )
        assert "Personal data are redacted in it" in answer.text
        written = Path(answer.data["path"]).read_text(encoding="utf-8")
        assert not secrets_in(written), (what, format_, secrets_in(written))
        assert re.search(r"\[email\\?\]", written)  # Markdown has a backslash
    row = json.loads(await exported_line(client))
    assert (row["card"], row["phone"]) == ("[card]", "[phone]")
    assert row["stars"] in range(1, 6)


async def exported_line(client: Client) -> str:
    """The first record of an export."""
    answer = await safe(client, "export", what="records", format="jsonl", **ASKED)
    return Path(answer.data["path"]).read_text(encoding="utf-8").splitlines()[0]


async def test_counts_trends_and_sortings_are_told_redacted(client: Client) -> None:
    for by in (["contact"], ["theme", "card"], ["phone", "stars"]):
        await safe(client, "count", by=by, run="r1", **ASKED)
    await safe(client, "count", by=["contact"], where={"card": CARDS["login"]}, **ASKED)
    await safe(client, "trend", date="contact", run="r1", **ASKED)
    texts = [f"my parcel is late, write to {address('parcel')} or {PHONE}"]
    await safe(client, "apply-themes", texts=texts, run="r1", **ASKED)


async def test_every_tool_was_asked(client: Client) -> None:
    await safe(client, "list-datasets")
    await safe(client, "set-default", dataset="twice", run="auto")
    await safe(client, "delete", dataset="twice", confirm=True)
    assert {*TOOLS} == CALLED
