"""`describe-cluster` through the client, with and without a model."""

import json
import re
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

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
    described,
    describes,
    endpoint_server,
    fails,
    rate_limited,
    says,
    stalls,
)
from support.texts import tickets

from corpuscope.server.app import build_server
from corpuscope.server.settings import Settings, open_workspace
from corpuscope.tools.core.schema import Description, Proof

pytestmark = pytest.mark.anyio


@dataclass
class Script:
    """A model whose behaviour changes from test to test. `asked` are the requests since then."""

    server: EndpointServer
    behaviours: list[Behaviour]
    begun: int = 0
    release: threading.Event = field(default_factory=threading.Event)

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


async def clustered(client: Client, dataset: str, rows: list[dict[str, Any]] | None = None) -> str:
    """Make a dataset of tickets with a run, and return its name."""
    rows = rows or tickets(each=36)
    await finish(client, "ingest", dataset=dataset, rows=rows, id_column="id")
    answer = await finish(client, "cluster", dataset=dataset)
    assert not answer.is_error, answer.text
    return dataset


async def describe(client: Client, cluster: object = "all", **more: object) -> Answer:
    answer = await finish(
        client, "describe-cluster", cluster=cluster, **{"dataset": "shop", **more}
    )
    assert not answer.is_error, answer.text
    return answer


@pytest.fixture(scope="module")
async def keyless(client: Client) -> Client:
    """A client of a server without a model, with a run of `shop`. It clusters for all of them, so
    that only one process loads what that takes."""
    await clustered(client, "shop")
    return client


@pytest.fixture(scope="module")
def script() -> Iterator[Script]:
    behaviours: list[Behaviour] = [describes]
    with endpoint_server(lambda request: behaviours[0](request)) as server:
        yield Script(server, behaviours)


@pytest.fixture(scope="module")
async def writing(script: Script, settings: Settings, keyless: Client) -> AsyncIterator[Client]:
    """A client of a server with a model, on the same home."""
    with_model = changed_settings(
        settings, llm_base_url=script.server.url, llm_model="tiny", llm_price_in=0.5
    )
    async with Client(build_server(with_model, warm=False), raise_exceptions=True) as connected:
        yield connected


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a template of the user's."""
    folder = tmp_path_factory.mktemp("prompts")
    (folder / "describe-user.md").write_text("Ours: $cluster\n$focus\n$evidence", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
async def guarded(
    script: Script, settings: Settings, templates: Path, keyless: Client
) -> AsyncIterator[Client]:
    """A client of a server with a model that redacts, has own templates, and wants German."""
    with_model = changed_settings(
        settings,
        llm_base_url=script.server.url,
        llm_model="tiny",
        redact=True,
        language="de",
        prompts_dir=templates,
    )
    await clustered(keyless, "contacts", with_contacts())
    async with Client(build_server(with_model, warm=False), raise_exceptions=True) as connected:
        yield connected


def prompts(script: Script) -> list[str]:
    return [request.prompt for request in script.asked]


# Without a model


async def test_without_a_model_the_evidence_comes_with_the_way_to_answer(keyless: Client) -> None:
    answer = await describe(keyless, "1")
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
    assert re.search(r"^r\d+ \(in [2-5]\): ", answer.text, re.MULTILINE)
    assert re.search(
        r"^- theme = \w+: \d+ of \d+ \(\d+%; .* elsewhere\)", answer.text, re.MULTILINE
    )
    assert re.search(r"^- date: 2024-\d\d-\d\d to 2024-\d\d-\d\d", answer.text, re.MULTILINE)


async def test_the_evidence_is_the_same_every_time_and_whatever_is_asked_with_it(
    keyless: Client,
) -> None:
    first = await describe(keyless, "2")
    again = await describe(keyless, "2")
    with_others = await describe(keyless, ["1", "2", "3"])
    assert again.data == first.data
    pack = first.data["evidence"].partition("\nCluster 2 of")[2].partition("\nDATA")[0]
    assert len(pack) > 500
    assert pack in with_others.data["evidence"]


async def test_evidence_for_all_clusters_keeps_to_the_size_that_hosts_take(keyless: Client) -> None:
    answer = await describe(keyless)
    layer = await call(keyless, "list-clusters", dataset="shop")
    asked = answer.data["to_write"] + answer.data["remaining"]
    assert sorted(asked) == sorted(line["id"] for line in layer.data["clusters"])
    assert len(answer.data["to_write"]) >= 3
    assert len(answer.text) < 25_000


async def test_noise_is_never_described(keyless: Client) -> None:
    answer = await finish(keyless, "describe-cluster", cluster="noise", dataset="shop")
    assert answer.is_error
    assert "cluster(within='noise')" in answer.text


async def test_headings_come_after_their_parts_for_the_assistant_too(keyless: Client) -> None:
    await clustered(keyless, "upward", rows=tickets(each=60))
    answer = await describe(keyless, "tree", dataset="upward")
    later = answer.data["remaining"]
    assert all(not id.startswith(f"{part}.") for id in later for part in answer.data["to_write"])
    page = await call(keyless, "list-clusters", dataset="upward", layer=0)
    headings = {line["id"] for line in page.data["clusters"] if line["children"]}
    assert headings
    assert headings <= {*later}


@pytest.mark.parametrize("option", [{"estimate": True}, {"verify": True}, {"max_calls": 3}])
async def test_what_is_for_a_model_is_refused_where_there_is_none(
    keyless: Client, option: dict[str, object]
) -> None:
    answer = await finish(keyless, "describe-cluster", cluster="1", dataset="shop", **option)
    assert answer.is_error
    assert "No model is configured" in answer.text


# With a model


async def test_a_model_describes_all_clusters_with_proof_and_is_asked_once(
    writing: Client, script: Script
) -> None:
    script.now(describes)
    answer = await describe(writing)
    layer = await call(writing, "list-clusters", dataset="shop")
    themes = answer.data["descriptions"]
    assert len(themes) == layer.data["total"] == len(script.asked)
    assert {one["author"] for one in themes} == {"llm"}
    assert all(one["proof"]["auc"] > 0.75 for one in themes)
    assert all(line["title"] and line["proof_word"] for line in layer.data["clusters"])
    assert answer.data["used"]["calls"] == len(script.asked)
    assert answer.data["used"]["price"] == pytest.approx(0.5 * 100 * len(themes) / 1e6)
    for one in themes:
        page = await call(writing, "get-members", cluster=one["cluster"], dataset="shop", limit=100)
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


async def test_a_cap_on_calls_stops_cleanly_and_the_next_call_goes_on(
    writing: Client, keyless: Client, script: Script
) -> None:
    await clustered(keyless, "capped")
    script.now(describes)
    first = await describe(writing, dataset="capped", max_calls=2)
    assert len(first.data["descriptions"]) == len(script.asked) == 2
    assert len(first.data["failures"]) == 3
    assert "max_calls (2)" in first.text
    rest = await describe(writing, dataset="capped")
    assert len(rest.data["descriptions"]) == len(script.asked) == 5


async def test_a_job_that_was_cancelled_goes_on_where_it_was(
    writing: Client, keyless: Client, script: Script
) -> None:
    await clustered(keyless, "stopped")
    script.now(lambda request: describes(request) if len(script.asked) <= 2 else stalls(request))
    ticket = await call(
        writing, "describe-cluster", cluster="all", dataset="stopped", wait_seconds=0
    )
    job = ticket.data["job_id"]
    while "described 2 of 5" not in ticket.text:
        ticket = await call(writing, "get-job", job_id=job, wait_seconds=1)
    await call(writing, "cancel-job", job_id=job)
    script.now(describes)
    answer = await describe(writing, dataset="stopped")
    assert len(answer.data["descriptions"]) == 5
    assert len(script.asked) == 3


async def test_after_a_split_only_the_new_parts_are_asked_for(
    writing: Client, keyless: Client, script: Script
) -> None:
    await clustered(keyless, "split")
    page = await call(writing, "list-clusters", dataset="split")
    largest = page.data["clusters"][0]["id"]
    await describe(writing, dataset="split")
    parts = await finish(keyless, "cluster", dataset="split", within=largest, min_cluster_size=6)
    assert parts.data["clusters"] >= 2, parts.text
    script.now(describes)
    tree = await finish(writing, "describe-cluster", dataset="split", cluster=[
        *(part["id"] for part in parts.data["top"]), largest,
    ])  # fmt: skip
    assert not tree.is_error, tree.text
    asked = {re.findall(r"^Cluster (\S+) of", p, re.MULTILINE)[0] for p in prompts(script)}
    assert asked == {part["id"] for part in parts.data["top"]}


async def test_headings_are_named_after_their_parts_and_from_their_titles(
    writing: Client, keyless: Client, script: Script
) -> None:
    await clustered(keyless, "tree", rows=tickets(each=60))
    page = await call(writing, "list-clusters", dataset="tree", layer=0)
    headings = [line for line in page.data["clusters"] if line["children"] > 1]
    assert headings, page.text
    script.now(describes)
    answer = await describe(writing, "tree", dataset="tree")
    assert not answer.is_error, answer.text
    titles = {one["cluster"]: one["title"] for one in answer.data["descriptions"]}
    heading = headings[0]["id"]
    prompt = next(p for p in prompts(script) if f"\nCluster {heading} of" in p)
    made_of = re.findall(r"^Made of: (.+)$", prompt, re.MULTILINE)[0]
    parts = [id for id in titles if id.rpartition(".")[0] == heading]
    assert parts
    assert all(f'{id} "' in made_of for id in parts), made_of


async def test_a_model_may_sort_unseen_texts_by_the_descriptions(
    writing: Client, script: Script
) -> None:
    script.now(describes)
    answer = await describe(writing, ["3", "4"], verify=True)
    proofs = [one["proof"] for one in answer.data["descriptions"]]
    assert all(0 <= proof["precision"] <= 1 and proof["sorted_by"] == "tiny" for proof in proofs)
    assert "sorted with precision" in answer.text
    assert len([request for request in script.asked if '"fits"' in request.told]) == 2
    script.now(describes)
    await describe(writing, ["3", "4"], verify=True)
    assert script.asked == []


async def test_equal_titles_are_told_apart_in_one_call_for_all(
    writing: Client, script: Script
) -> None:
    def unoriginal(request: Request) -> Reply:
        if '"titles"' in request.told:
            return describes(request)
        return chat(json.dumps({**json.loads(described(request)), "title": "Customer complaints"}))

    script.now(unoriginal)
    answer = await describe(writing, ["1", "2", "3"], refresh=True)
    titles = [one["title"] for one in answer.data["descriptions"]]
    assert len(set(titles)) == 3
    assert "Customer complaints" not in titles
    joint = [request for request in script.asked if '"titles"' in request.told]
    assert len(joint) == 1
    assert all(f"\nCluster {id} of" in joint[0].prompt for id in ("1", "2", "3"))


async def test_titles_that_stay_equal_get_a_keyphrase(writing: Client, script: Script) -> None:
    def stubborn(request: Request) -> Reply:
        if '"titles"' in request.told:
            ids = re.findall(r"^Cluster (\S+) of", request.prompt, re.MULTILINE)
            titles = [{"cluster": id, "title": "Customer complaints"} for id in ids]
            return chat(json.dumps({"reasoning": "", "titles": titles}))
        return chat(json.dumps({**json.loads(described(request)), "title": "Customer complaints"}))

    script.now(stubborn)
    answer = await describe(writing, ["1", "2"], refresh=True)
    titles = [one["title"] for one in answer.data["descriptions"]]
    assert all(re.fullmatch(r"Customer complaints \(.+\)", title) for title in titles)
    assert len(set(titles)) == 2
    assert len([request for request in script.asked if '"titles"' in request.told]) == 2
    script.now(describes)
    await describe(writing, refresh=True)


async def test_the_focus_is_in_every_prompt_and_kept_with_the_run(
    writing: Client, keyless: Client, script: Script
) -> None:
    await finish(keyless, "ingest", dataset="focused", rows=tickets(each=36), id_column="id")
    await finish(keyless, "cluster", dataset="focused", focus="A shop's mail; by root cause")
    script.now(describes)
    answer = await describe(writing, dataset="focused")
    assert answer.data["focus"] == "A shop's mail; by root cause"
    assert all("A shop's mail; by root cause" in prompt for prompt in prompts(script))
    script.now(describes)
    await describe(writing, dataset="focused", focus="By product")
    assert len(script.asked) == 5, "another focus, other words"
    await finish(keyless, "cluster", dataset="focused", seed=1)
    script.now(describes)
    again = await describe(writing, dataset="focused", refresh=True)
    assert again.data["focus"] == "By product"
    assert all("By product" in prompt for prompt in prompts(script))


async def test_rate_limits_are_waited_out_by_all_together(writing: Client, script: Script) -> None:
    script.now(describes)
    script.now(rate_limited(script.begun + 1, 0.2, then=describes))
    answer = await describe(writing, refresh=True)
    assert {one["author"] for one in answer.data["descriptions"]} == {"llm"}


async def test_one_failure_never_loses_anothers_answer(writing: Client, script: Script) -> None:
    def behaviour(request: Request) -> Reply | None:
        if "Describe cluster 2." in request.prompt:
            return fails(400, "too much of it")(request)
        return describes(request)

    script.now(behaviour)
    answer = await describe(writing, ["1", "2", "3"], refresh=True)
    assert not answer.is_error, answer.text
    assert [one["cluster"] for one in answer.data["descriptions"]] == ["1", "3"]
    assert [one["cluster"] for one in answer.data["failures"]] == ["2"]
    assert "too much of it" in answer.text


async def test_an_unusable_answer_gives_the_keywords_and_says_so(
    writing: Client, keyless: Client, script: Script
) -> None:
    await clustered(keyless, "unusable")
    script.now(says("I would rather not."))
    answer = await describe(writing, "1", dataset="unusable")
    assert answer.data["descriptions"][0]["author"] == "keywords"
    assert "by keywords" in answer.text
    assert "did not answer as asked, twice" in answer.text
    script.now(describes)
    await describe(writing, "1", dataset="unusable")
    assert script.asked == [], "it is not asked the same again unless that is wanted"
    await describe(writing, "1", dataset="unusable", refresh=True)
    assert len(script.asked) == 1


async def test_words_that_are_there_are_not_replaced_by_keywords(
    writing: Client, keyless: Client, script: Script
) -> None:
    page = await call(keyless, "get-members", cluster="5", dataset="shop", limit=2)
    await finish(
        keyless,
        "label-cluster",
        dataset="shop",
        cluster="5",
        title="What a person said",
        summary="It was a person. Nobody else.",
        records=[member["id"] for member in page.data["members"]],
        author="person",
    )
    script.now(says("I would rather not."))
    answer = await finish(writing, "describe-cluster", cluster="5", dataset="shop", refresh=True)
    assert answer.is_error
    assert "The words it had stay. The model used 2 calls" in answer.text
    script.now(describes)
    kept = await describe(writing, "5")
    assert kept.data["descriptions"][0]["title"] == "What a person said"
    await describe(writing, "5", refresh=True)


async def test_writing_anew_goes_on_where_a_cap_has_stopped_it(
    writing: Client, script: Script
) -> None:
    script.now(describes)
    for calls in (2, 2, 1):
        script.now(describes)
        await describe(writing, refresh=True, max_calls=2)
        assert len(script.asked) == calls
    script.now(describes)
    await describe(writing, refresh=True, max_calls=2)
    assert len(script.asked) == 2, "it had come to its end, and begins anew"
    await describe(writing, refresh=True)


async def test_words_that_somebody_writes_meanwhile_stay(
    writing: Client, keyless: Client, script: Script
) -> None:
    await clustered(keyless, "meanwhile")
    script.now(lambda request: describes(request) if script.release.wait(30) else None)
    ticket = await call(
        writing, "describe-cluster", cluster="1", dataset="meanwhile", wait_seconds=0
    )
    while not script.asked:
        await call(writing, "get-job", job_id=ticket.data["job_id"], wait_seconds=0)
    page = await call(keyless, "get-members", cluster="1", dataset="meanwhile", limit=1)
    await finish(
        keyless,
        "label-cluster",
        dataset="meanwhile",
        cluster="1",
        title="Written meanwhile",
        summary="By a person.",
        records=[page.data["members"][0]["id"]],
        author="person",
    )
    script.release.set()
    job = ticket.data["job_id"]
    answer = await call(writing, "get-job", job_id=job, wait_seconds=45)
    assert answer.data["state"] == "done", answer.text
    answer = await describe(writing, "1", dataset="meanwhile")
    assert answer.data["descriptions"][0]["title"] == "Written meanwhile"


async def test_an_endpoint_that_refuses_is_named_with_what_to_do(
    writing: Client, script: Script
) -> None:
    script.now(fails(401))
    answer = await finish(writing, "describe-cluster", cluster="1", dataset="shop", refresh=True)
    assert answer.is_error
    assert "Set CORPUSCOPE_LLM_API_KEY" in answer.text


async def test_vectors_without_a_model_are_tried_by_words_and_it_says_so(
    writing: Client, keyless: Client, script: Script
) -> None:
    rows = [
        {**row, "v": [2.0 * (row["theme"] == theme) for theme in THEMES] + jitter(row["text"])}
        for row in tickets(each=36)
    ]
    await finish(keyless, "ingest", dataset="column", rows=rows, vector_column="v")
    await finish(keyless, "cluster", dataset="column")
    script.now(describes)
    answer = await describe(writing, dataset="column")
    assert {one["proof"]["by"] for one in answer.data["descriptions"]} == {"lexical"}
    assert "by shared words only" in answer.text


THEMES = ("delivery", "refund", "login", "coffee", "garden")


def jitter(text: str) -> list[float]:
    """Numbers of its own for each text: texts of a theme are alike, and not the same."""
    return [crc32(f"{place} {text}".encode()) / 2**32 - 0.5 for place in range(12)]


# Redaction, language, templates


async def test_personal_data_reach_no_model_and_no_assistant(
    guarded: Client, script: Script
) -> None:
    script.now(describes)
    await describe(guarded, dataset="contacts")
    members = await call(guarded, "get-members", cluster="1", dataset="contacts")
    hits = await call(guarded, "search", query="refund", dataset="contacts")
    detailed = await describe(guarded, dataset="contacts", detail="detailed")
    shown = [*prompts(script), members.text, hits.text, detailed.text]
    assert all("[email]" in text for text in prompts(script))
    assert "[phone]" in members.text
    for text in shown:
        assert "@example.org" not in text
        assert "901820" not in text


async def test_answers_in_another_language_than_was_asked_for_are_not_taken(
    guarded: Client, script: Script
) -> None:
    script.now(describes)
    answer = await describe(guarded, "1", dataset="contacts", refresh=True)
    assert "Write in German." in script.asked[0].told
    assert answer.data["descriptions"][0]["author"] == "keywords"
    repair = script.asked[1].body["messages"][-1]["content"]
    assert "it is in English, expected German" in repair


async def test_templates_of_the_users_are_used_and_a_change_of_them_writes_anew(
    guarded: Client, script: Script, templates: Path
) -> None:
    script.now(describes)
    await describe(guarded, "2", dataset="contacts")
    before = len(script.asked)
    await describe(guarded, "2", dataset="contacts")
    assert len(script.asked) == before
    file = templates / "describe-user.md"
    file.write_text("Theirs: $cluster\n$focus\n$evidence", encoding="utf-8")
    await describe(guarded, "2", dataset="contacts")
    assert script.asked[-1].prompt.startswith("Theirs: 2\n")
    file.write_text("$cluster", encoding="utf-8")
    answer = await finish(guarded, "describe-cluster", cluster="2", dataset="contacts")
    assert answer.is_error
    assert "describe-user.md has the places $cluster; expected: $cluster, $evidence, $focus" in (
        answer.text
    )


async def test_what_the_words_pass_over_is_forgotten_when_the_parts_are_others(
    settings: Settings, keyless: Client
) -> None:
    await clustered(keyless, "split_again")
    page = await call(keyless, "list-clusters", dataset="split_again")
    largest = page.data["clusters"][0]["id"]
    runs = open_workspace(settings).runs
    proof = Proof(
        auc=0.9, best=0.9, by="lexical", inside=20, outside=20, passed_over=f"{largest}.9"
    )
    words = Description(
        cluster=largest, title="Ours", summary=[], keywords=[], author="person", proof=proof
    )
    runs.save_description(runs.load("split_again"), words)
    await finish(keyless, "cluster", dataset="split_again", within=largest, min_cluster_size=6)
    kept = runs.descriptions(runs.load("split_again"))[largest]
    assert kept.title == "Ours"
    assert kept.proof is not None
    assert (kept.proof.auc, kept.proof.passed_over) == (0.9, None)
