"""`describe-cluster` through the client, with and without a model."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from support.calls import Answer, call, finish
from support.changed_settings import changed_settings
from support.endpoint_server import (
    Behaviour,
    EndpointServer,
    Reply,
    Request,
    chat,
    describes,
    endpoint_server,
    fails,
    says,
    stalls,
)
from support.idle_servers import connected_with_worker, no_worker_ahead
from support.made_shop import FLAT, fill, made_run
from support.texts import tickets

from corpuscope.server.app import build_server
from corpuscope.server.settings import Settings, open_workspace
from corpuscope.tools.core.schema import Description, Proof, Watch
from corpuscope.tools.describe_cluster import describe_cluster
from corpuscope.tools.workspace.workspace import Workspace

pytestmark = pytest.mark.anyio


@dataclass
class Script:
    """A model whose behaviour changes from test to test. `asked` are the requests since then."""

    server: EndpointServer
    behaviours: list[Behaviour]
    begun: int = 0

    def now(self, behaviour: Behaviour) -> "Script":
        """From now on it behaves like this."""
        self.behaviours[:] = [behaviour]
        self.begun = len(self.server.requests)
        return self

    @property
    def asked(self) -> list[Request]:
        """What it was asked since it behaves like this."""
        return self.server.requests[self.begun :]


def with_contacts() -> list[dict[str, Any]]:
    """The tickets, each with an address and a number that no model is to see."""
    return [
        {**row, "text": f"{row['text']} Write to ann{n}@example.org or call +49 30 901820."}
        for n, row in enumerate(tickets(each=36))
    ]


SHOP = {"dataset": "shop", "run": "r1"}


async def describe(client: Client, cluster: object = "all", **more: object) -> Answer:
    where = {} if "dataset" in more else SHOP
    answer = await finish(client, "describe-cluster", cluster=cluster, **{**where, **more})
    assert not answer.is_error, answer.text
    return answer


@pytest.fixture(scope="module", autouse=True)
def shop(client: Client, workspace: Workspace) -> None:
    """The home has `shop` and a run of it, `r1`, that was made by hand: nobody has to cluster."""
    fill(workspace)
    made_run(workspace, FLAT, telling=True)


@pytest.fixture(scope="module")
async def keyless(client: Client, shop: None) -> Client:
    """A client of a server without a model, with `shop`."""
    return client


@pytest.fixture(scope="module")
def script() -> Iterator[Script]:
    behaviours: list[Behaviour] = [describes]
    with endpoint_server(lambda request: behaviours[0](request)) as server:
        yield Script(server, behaviours)


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder for templates of the user's; there are none yet."""
    return tmp_path_factory.mktemp("prompts")


@pytest.fixture(scope="module")
def with_model(script: Script, settings: Settings, templates: Path) -> Settings:
    """Settings of the same home, with a model, which sees no personal data."""
    return changed_settings(
        settings,
        llm_base_url=script.server.url,
        llm_model="tiny",
        llm_price_in=0.5,
        redact=True,
        prompts_dir=templates,
    )


@pytest.fixture(scope="module")
async def writing(with_model: Settings, keyless: Client) -> AsyncIterator[Client]:
    """A client of a server with a model, on the same home."""
    async with connected_with_worker(build_server(with_model, warm=False)) as connected:
        yield connected


@pytest.fixture(scope="module")
def contacts(workspace: Workspace) -> str:
    """A dataset with personal data and a run."""
    fill(workspace, "contacts", with_contacts())
    made_run(workspace, FLAT, dataset="contacts", telling=True)
    return "contacts"


def prompts(script: Script) -> list[str]:
    return [request.prompt for request in script.asked]


# Without a model


async def test_without_a_model_the_evidence_comes_with_the_way_to_answer(keyless: Client) -> None:
    answer = await describe(keyless, "1", detail="full")
    assert answer.data["to_write"] == ["1"]
    assert answer.data["descriptions"] == []
    for part in (
        "label-cluster",
        "r1 (central",
        "(spread",
        "(edge",
        "Beside it, the nearest first:",
    ):
        assert part in answer.text
    assert re.search(r"^Not in it, but near", answer.text, re.MULTILINE)
    assert re.search(
        r"^r\d+ \((same subject, )?in [2-5], 2024-\d\d-\d\d\): ", answer.text, re.MULTILINE
    )
    assert re.search(
        r"^- theme = \w+: \d+ of \d+ \(\d+%; .* elsewhere\)", answer.text, re.MULTILINE
    )
    assert re.search(r"^- date: 2024-\d\d-\d\d to 2024-\d\d-\d\d", answer.text, re.MULTILINE)


async def test_the_evidence_is_the_same_every_time_and_whatever_is_asked_with_it(
    keyless: Client,
) -> None:
    first = await describe(keyless, "2", detail="full")
    again = await describe(keyless, "2", detail="full")
    with_others = await describe(keyless, ["1", "2", "3"], detail="full")
    assert again.data == first.data
    pack = first.data["evidence"].partition("\nCluster 2 of")[2].partition("\nDATA")[0]
    assert len(pack) > 500
    assert pack in with_others.data["evidence"]


async def test_evidence_is_brief_unless_all_of_it_is_asked_for_with_the_same_references(
    keyless: Client,
) -> None:
    brief, full = await describe(keyless), await describe(keyless, "1", detail="full")
    assert brief.data["to_write"] == ["1", "2", "3", "4", "5"]
    packs = brief.data["evidence"].partition("<<<DATA")[2].partition("\nDATA")[0]
    first, *others = re.split(r"\n(?=Cluster \d: )", packs)[1:]
    assert max(len(pack.strip()) for pack in (first, *others)) <= 1_200
    texts = dict(re.findall(r"^(r\d+)(?: \(.*?\))?: (.+)$", first, re.MULTILINE))
    whole = dict(re.findall(r"^(r\d+) \(.*?\): (.+)$", full.text, re.MULTILINE))
    assert len(texts) >= 5
    for ref, text in texts.items():
        head, _, tail = text.partition(" \N{HORIZONTAL ELLIPSIS} ")
        assert whole[ref].startswith(head)
        assert whole[ref].endswith(tail)


async def test_evidence_for_all_clusters_keeps_to_the_size_that_hosts_take(keyless: Client) -> None:
    answer = await describe(keyless)
    layer = await call(keyless, "list-clusters", **SHOP)
    asked = answer.data["to_write"] + answer.data["remaining"]
    assert sorted(asked) == sorted(line["id"] for line in layer.data["clusters"])
    assert len(answer.data["to_write"]) >= 3
    assert len(answer.text) < 25_000


async def test_noise_is_never_described(keyless: Client) -> None:
    answer = await finish(keyless, "describe-cluster", cluster="noise", **SHOP)
    assert answer.is_error
    assert "cluster(within='noise')" in answer.text


async def test_a_tree_is_the_recommended_layer_with_the_headings_above_it(
    keyless: Client, workspace: Workspace
) -> None:
    run = made_run(workspace).run.id
    layer = await describe(keyless, "all", run=run)
    assert layer.data["to_write"] + layer.data["remaining"] == ["1.1", "1.2", "2.1", "3"]
    tree = await describe(keyless, "tree", run=run)
    assert tree.data["remaining"] == ["1", "2"]
    assert "Afterwards, call describe-cluster for: 1, 2." in tree.text


@pytest.mark.parametrize("option", [{"estimate": True}, {"verify": True}, {"max_calls": 3}])
async def test_what_is_for_a_model_is_refused_where_there_is_none(
    keyless: Client, option: dict[str, object]
) -> None:
    answer = await finish(keyless, "describe-cluster", cluster="1", **SHOP, **option)
    assert answer.is_error
    assert "No model is configured" in answer.text


# With a model


async def test_a_model_describes_all_clusters_with_proof_and_is_asked_once(
    writing: Client, script: Script
) -> None:
    script.now(describes)
    answer = await describe(writing)
    layer = await call(writing, "list-clusters", **SHOP)
    themes = answer.data["descriptions"]
    assert len(themes) == layer.data["total"] == len(script.asked)
    assert {one["author"] for one in themes} == {"llm"}
    assert all(one["proof"]["auc"] > 0.75 for one in themes)
    assert all(line["title"] and line["proof_word"] for line in layer.data["clusters"])
    assert answer.data["used"]["calls"] == len(script.asked)
    assert answer.data["used"]["price"] == pytest.approx(0.5 * 100 * len(themes) / 1e6)
    for one in themes:
        page = await call(writing, "get-members", cluster=one["cluster"], **SHOP, limit=100)
        inside = {member["id"] for member in page.data["members"]}
        assert all(sentence["records"] for sentence in one["summary"])
        assert {record for sentence in one["summary"] for record in sentence["records"]} <= inside
    script.now(describes)
    again = await describe(writing)
    assert again.data["descriptions"] == themes
    assert script.asked == [], "the second time it is answered from the store"


async def test_what_it_will_cost_is_told_before_anything_is_sent(
    writing: Client, script: Script
) -> None:
    script.now(describes)
    answer = await describe(writing, estimate=True, refresh=True)
    assert answer.data["estimate"]["calls"] == 5
    assert answer.data["estimate"]["tokens_in"] > 3_000
    assert answer.data["estimate"]["price"] > 0
    assert "Nothing was sent. It takes 5 calls, about " in answer.text
    other = await describe(writing, estimate=True, focus="by product")
    assert other.data["estimate"]["calls"] == 5
    assert (await describe(writing)).data["focus"] == "", "an estimate changes nothing"
    assert script.asked == []


async def test_a_list_of_clusters_is_described_anew_when_asked(
    writing: Client, script: Script
) -> None:
    script.now(describes)
    answer = await describe(writing, ["1", "2"], refresh=True)
    assert [one["cluster"] for one in answer.data["descriptions"]] == ["1", "2"]
    assert len(script.asked) == 2


async def test_a_job_that_was_cancelled_goes_on_where_it_was(
    writing: Client, workspace: Workspace, script: Script
) -> None:
    # The answers about `r1` are kept already: another focus is another question.
    run = made_run(workspace, FLAT, telling=True).run
    workspace.runs.save_focus(run, "By cause")
    script.now(lambda request: describes(request) if len(script.asked) <= 2 else stalls(request))
    ticket = await call(
        writing, "describe-cluster", cluster="all", dataset="shop", run=run.id, wait_seconds=0
    )
    job = ticket.data["job_id"]
    while "described 2 of 5" not in ticket.text:
        ticket = await call(writing, "get-job", job_id=job, wait_seconds=1)
    with no_worker_ahead():
        await call(writing, "cancel-job", job_id=job)
    script.now(describes)
    answer = await describe(writing, run=run.id)
    assert len(answer.data["descriptions"]) == 5
    assert len(script.asked) == 3


async def test_what_went_wrong_with_one_cluster_is_said_and_costs_no_other(
    writing: Client, workspace: Workspace, script: Script
) -> None:
    run = made_run(workspace, FLAT, telling=True).run.id

    def behaviour(request: Request) -> Reply | None:
        if "Describe cluster 2." in request.prompt:
            return fails(400, "too much of it")(request)
        if "Describe cluster 3." in request.prompt:
            return chat("I would rather not.")
        return describes(request)

    script.now(behaviour)
    answer = await describe(writing, ["1", "2", "3"], run=run, focus="By product")
    authors = {one["cluster"]: one["author"] for one in answer.data["descriptions"]}
    assert authors == {"1": "llm", "3": "keywords"}
    assert [one["cluster"] for one in answer.data["failures"]] == ["2"]
    for part in ("too much of it", "by keywords", "did not answer as asked, twice"):
        assert part in answer.text


async def test_words_that_are_there_are_not_replaced_by_keywords(
    writing: Client, keyless: Client, script: Script
) -> None:
    page = await call(keyless, "get-members", cluster="5", **SHOP, limit=2)
    await finish(
        keyless,
        "label-cluster",
        **SHOP,
        cluster="5",
        title="What a person said",
        summary="It was a person. Nobody else.",
        records=[member["id"] for member in page.data["members"]],
        author="person",
    )
    script.now(says("I would rather not."))
    answer = await finish(writing, "describe-cluster", cluster="5", **SHOP, refresh=True)
    assert answer.is_error
    assert "The words it had stay. The model used 2 calls" in answer.text
    script.now(describes)
    kept = await describe(writing, "5")
    assert kept.data["descriptions"][0]["title"] == "What a person said"
    await describe(writing, "5", refresh=True)


async def test_an_endpoint_that_refuses_is_named_with_what_to_do(
    writing: Client, script: Script
) -> None:
    script.now(fails(401))
    answer = await finish(writing, "describe-cluster", cluster="1", **SHOP, refresh=True)
    assert answer.is_error
    assert "Set CORPUSCOPE_LLM_API_KEY" in answer.text


# Redaction, language, templates


async def test_personal_data_reach_no_model_and_no_assistant(
    writing: Client, contacts: str, script: Script
) -> None:
    script.now(describes)
    await describe(writing, dataset=contacts)
    members = await call(writing, "get-members", cluster="1", dataset=contacts)
    hits = await call(writing, "search", query="refund", dataset=contacts)
    detailed = await describe(writing, dataset=contacts, detail="full")
    shown = [*prompts(script), members.text, hits.text, detailed.text]
    assert all("[email]" in text for text in prompts(script))
    assert "[phone]" in members.text
    for text in shown:
        assert "@example.org" not in text
        assert "901820" not in text


def test_answers_in_another_language_than_was_asked_for_are_not_taken(
    with_model: Settings, workspace: Workspace, contacts: str, script: Script
) -> None:
    run = made_run(workspace, FLAT, dataset=contacts, telling=True).run.id
    script.now(describes)
    german = open_workspace(changed_settings(with_model, language="de"))
    with closing(german.store):
        result = describe_cluster(german, Watch(), "1", dataset=contacts, run=run)
    assert "Write in German." in script.asked[0].told
    assert [description.author for description in result.descriptions] == ["keywords"]
    repair = script.asked[1].body["messages"][-1]["content"]
    assert "it is in English, expected German" in repair


async def test_templates_of_the_users_are_used_and_a_change_of_them_writes_anew(
    writing: Client, contacts: str, script: Script, templates: Path
) -> None:
    file = templates / "describe-user.md"
    file.write_text("Ours: $cluster\n$focus\n$evidence", encoding="utf-8")
    script.now(describes)
    await describe(writing, "2", dataset=contacts)
    before = len(script.asked)
    assert script.asked[-1].prompt.startswith("Ours: 2\n")
    await describe(writing, "2", dataset=contacts)
    assert len(script.asked) == before
    file.write_text("Theirs: $cluster\n$focus\n$evidence", encoding="utf-8")
    await describe(writing, "2", dataset=contacts)
    assert script.asked[-1].prompt.startswith("Theirs: 2\n")
    file.write_text("$cluster", encoding="utf-8")
    answer = await finish(writing, "describe-cluster", cluster="2", dataset=contacts)
    file.unlink()
    assert answer.is_error
    assert "describe-user.md has the places $cluster; expected: $cluster, $evidence, $focus" in (
        answer.text
    )


# What runs hand on to later ones


async def test_the_focus_is_in_every_prompt_and_goes_over_to_the_next_run(
    writing: Client, keyless: Client, script: Script
) -> None:
    await finish(keyless, "ingest", dataset="grown", rows=tickets(each=36), id_column="id")
    await finish(keyless, "cluster", dataset="grown", focus="A shop's mail; by root cause")
    script.now(describes)
    answer = await describe(writing, dataset="grown")
    assert answer.data["focus"] == "A shop's mail; by root cause"
    assert all("A shop's mail; by root cause" in prompt for prompt in prompts(script))
    await describe(writing, "1", dataset="grown", focus="By product")
    await finish(keyless, "cluster", dataset="grown", seed=1)
    script.now(describes)
    again = await describe(writing, dataset="grown", refresh=True)
    assert again.data["focus"] == "By product"
    assert all("By product" in prompt for prompt in prompts(script))


async def test_what_the_words_pass_over_is_forgotten_when_the_parts_are_others(
    workspace: Workspace, keyless: Client
) -> None:
    page = await call(keyless, "list-clusters", dataset="grown")
    largest = page.data["clusters"][0]["id"]
    runs = workspace.runs
    proof = Proof(
        auc=0.9, best=0.9, by="lexical", inside=20, outside=20, passed_over=f"{largest}.9"
    )
    words = Description(
        cluster=largest, title="Ours", summary=[], keywords=[], author="person", proof=proof
    )
    runs.save_description(runs.load("grown"), words)
    await finish(keyless, "cluster", dataset="grown", within=largest, min_cluster_size=6)
    inherited = runs.descriptions(runs.load("grown"))[largest]
    assert inherited.title == "Ours"
    assert inherited.proof is not None
    assert (inherited.proof.auc, inherited.proof.passed_over) == (0.9, None)
