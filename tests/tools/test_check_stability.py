"""`check-stability`, the reasons of noise, and where both are shown, through the client."""

import pytest
from mcp.client import Client
from support.calls import Answer, call, finish
from support.texts import odd_texts, tickets

from corpuscope.server.settings import Settings
from corpuscope.tools.archive.run_files import MEMBERS_FILE
from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.core.schema import NOISE

pytestmark = pytest.mark.anyio

KINDS = ("between", "edge", "small", "isolated", "diffuse")


@pytest.fixture(scope="module", autouse=True)
async def dataset(client: Client) -> None:
    await finish(client, "ingest", dataset="mixed", rows=tickets(each=60) + odd_texts(60))


@pytest.fixture(scope="module")
async def run(client: Client, dataset: None) -> str:
    """A run with noise, whose stability was not checked."""
    answer = await finish(client, "cluster", dataset="mixed", min_cluster_size=12)
    assert not answer.is_error, answer.text
    assert answer.data["noise"] > 0
    return str(answer.data["run"])


@pytest.fixture(scope="module")
async def checked(client: Client, dataset: None) -> Answer:
    """A run of its own that was checked, and what the check said."""
    whole = (await finish(client, "cluster", dataset="mixed", seed=3)).data
    answer = await finish(client, "check-stability", dataset="mixed", run=whole["run"], rounds=2)
    assert not answer.is_error, answer.text
    return answer


async def test_all_noise_has_a_reason_and_the_counts_add_up(client: Client, run: str) -> None:
    listed = await call(client, "list-clusters", dataset="mixed", run=run)
    reasons = listed.data["noise_reasons"]
    assert set(reasons) <= set(KINDS)
    assert sum(reasons.values()) == listed.data["noise"] > 0
    assert "Of the noise: " in listed.text
    most = max(reasons, key=lambda kind: reasons[kind])
    assert f"{reasons[most]} " in listed.text.partition("Of the noise: ")[2]


async def test_noise_is_read_by_reason_and_each_record_says_its_own(
    client: Client, run: str
) -> None:
    where = {"dataset": "mixed", "run": run, "cluster": NOISE, "limit": 100}
    listed = await call(client, "list-clusters", dataset="mixed", run=run)
    clusters = {line["id"] for line in listed.data["clusters"]}
    for kind in KINDS:
        page = await call(client, "get-members", **where, noise_reason=kind)
        assert page.data["total"] == listed.data["noise_reasons"].get(kind, 0)
        for member in page.data["members"]:
            said = member["noise_reason"]
            assert said.split(" ")[0] == kind
            assert f"({said})" in page.text
            assert {word for word in said.split(" ") if word[0].isdigit()} <= clusters
    every = await call(client, "get-members", **where)
    assert all(member["noise_reason"] for member in every.data["members"])


async def test_a_record_in_a_cluster_has_no_reason_to_be_noise(client: Client, run: str) -> None:
    listed = await call(client, "list-clusters", dataset="mixed", run=run)
    where = {"dataset": "mixed", "run": run, "cluster": listed.data["clusters"][0]["id"]}
    page = await call(client, "get-members", **where)
    assert [member["noise_reason"] for member in page.data["members"]] == [None] * 10
    wrong = await call(client, "get-members", **where, noise_reason="small")
    assert wrong.is_error
    assert f"noise_reason fits cluster='noise' only, not '{where['cluster']}'" in wrong.text


async def test_a_run_from_before_reasons_were_kept_is_still_read(
    client: Client, run: str, settings: Settings
) -> None:
    import pyarrow.parquet as parquet

    old = (await finish(client, "cluster", dataset="mixed", min_cluster_size=12)).data
    assert old["noise"]
    file = Runs(settings.home / "runs").folder("mixed", old["run"]) / MEMBERS_FILE
    parquet.write_table(parquet.read_table(file).drop_columns(["noise_reason"]), file)
    where = {"dataset": "mixed", "run": old["run"], "cluster": NOISE}
    page = await call(client, "get-members", **where)
    assert page.data["total"] == old["noise"]
    assert {member["noise_reason"] for member in page.data["members"]} == {None}
    filtered = await call(client, "get-members", **where, noise_reason="edge")
    assert filtered.is_error
    assert f"Run {old['run']} was made before reasons were kept" in filtered.text


async def test_the_recommended_layer_is_listed_first_the_shakiest_on_top(
    client: Client, checked: Answer
) -> None:
    scores = [line["score"] for line in checked.data["clusters"]]
    recommended = sum(checked.data["counts"].values())
    for part in (scores[:recommended], scores[recommended:]):
        assert part == sorted(part)
    assert all(0 <= score <= 1 for score in scores)
    assert checked.data["rounds"] == 2
    listed = await call(client, "list-clusters", dataset="mixed", run=checked.data["run"])
    assert sum(checked.data["counts"].values()) == listed.data["total"]
    assert checked.data["counts"]["stable"] > 0, "the texts have clear themes"
    for line in checked.data["clusters"]:
        assert f"{line['id']}: {line['word']} {line['score']:.2f}: " in checked.text


async def test_lists_and_descriptions_show_the_scores_once_there_are_any(
    client: Client, checked: Answer, run: str
) -> None:
    name = checked.data["run"]
    scores = {line["id"]: line for line in checked.data["clusters"]}
    listed = await call(client, "list-clusters", dataset="mixed", run=name)
    for line in listed.data["clusters"]:
        one = scores[line["id"]]
        assert (line["stability"], line["stability_word"]) == (one["score"], one["word"])
        assert f", {one['word']} {one['score']:.2f}" in listed.text
    warned = {line["stability_word"] for line in listed.data["clusters"]} - {"stable"}
    assert all(f"{word.capitalize()} (below" in listed.text for word in warned)
    first = listed.data["clusters"][0]["id"]
    evidence = await finish(client, "describe-cluster", dataset="mixed", run=name, cluster=first)
    assert evidence.data["stability"] == {first: scores[first]["score"]}
    assert f"Do they hold? {first}: {scores[first]['word']}" in evidence.text
    unchecked = await call(client, "list-clusters", dataset="mixed", run=run)
    assert {line["stability_word"] for line in unchecked.data["clusters"]} == {None}
    assert "stable" not in unchecked.text


async def test_a_check_that_was_done_is_not_done_again(client: Client, checked: Answer) -> None:
    name = checked.data["run"]
    again = await call(client, "check-stability", dataset="mixed", run=name, rounds=2)
    assert again.data == checked.data
    more = await finish(client, "check-stability", dataset="mixed", run=name, rounds=3)
    assert more.data["rounds"] == 3
    kept = await finish(client, "check-stability", dataset="mixed", run=name, rounds=2)
    assert kept.data["rounds"] == 3


async def test_parts_found_by_drilling_down_are_not_checked(client: Client) -> None:
    await finish(client, "ingest", dataset="plain", rows=tickets(each=36))
    whole = (await finish(client, "cluster", dataset="plain")).data
    largest = whole["top"][0]["id"]
    parts = await finish(client, "cluster", dataset="plain", run=whole["run"], within=largest)
    assert not parts.is_error, parts.text
    assert parts.data["clusters"] >= 2
    name = parts.data["run"]
    answer = await finish(client, "check-stability", dataset="plain", run=name, rounds=2)
    assert {one["id"] for one in parts.data["top"]} <= set(answer.data["not_checked"])
    assert f"Not checked (found by drilling down): {largest}.1, {largest}.2" in answer.text
    below = await call(client, "list-clusters", dataset="plain", run=name, parent=largest)
    assert {line["stability_word"] for line in below.data["clusters"]} == {"not checked"}


async def test_too_few_texts_cannot_be_checked_and_the_answer_says_so(client: Client) -> None:
    await finish(client, "ingest", dataset="eight", rows=[{"text": f"note {n}"} for n in range(8)])
    await finish(client, "cluster", dataset="eight")
    answer = await finish(client, "check-stability", dataset="eight")
    assert not answer.is_error, answer.text
    assert answer.data["checked"] == 0
    assert "too few texts for a part of them to be clustered again" in answer.text
