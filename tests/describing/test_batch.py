"""Describing many clusters: the order, who takes whose name, and what has to be written anew."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
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
    says,
)
from support.made_shop import SIZE, fill, made_run

from corpuscope.tools.core.schema import Description, no_report
from corpuscope.tools.describing.batch import (
    BatchOutcome,
    DescriptionOrder,
    describe_batch,
    expected_batch_usage,
    waves,
)
from corpuscope.tools.workspace.selection import Selection, select
from corpuscope.tools.workspace.workspace import LlmOptions, Workspace


@pytest.fixture(scope="module")
def behaviours() -> list[Behaviour]:
    """How the model behaves: the last one counts."""
    return [describes]


@pytest.fixture(scope="module")
def endpoint(behaviours: list[Behaviour]) -> Iterator[EndpointServer]:
    with endpoint_server(lambda request: behaviours[-1](request)) as server:
        yield server


@pytest.fixture(autouse=True)
def well_behaved(behaviours: list[Behaviour]) -> None:
    """Every test begins with a good model."""
    behaviours[:] = [describes]


@pytest.fixture(scope="module", name="workspace")
def writing_workspace(workspace: Workspace, endpoint: EndpointServer) -> Workspace:
    """A workspace with tickets, and with a model that writes."""
    fill(workspace)
    return replace(workspace, writer=LlmOptions(endpoint.options(), "tiny"))


@pytest.fixture
def selection(workspace: Workspace) -> Selection:
    """A run that is new for every test."""
    return made_run(workspace, telling=True)


def order(
    workspace: Workspace, selection: Selection, *ids: str, **options: Any
) -> DescriptionOrder:
    assert workspace.writer is not None
    nodes = [selection.node(cluster) for cluster in ids]
    return DescriptionOrder(workspace.writer, nodes, **options)


def run_batch(
    workspace: Workspace, selection: Selection, *ids: str, **options: Any
) -> BatchOutcome:
    """Describe clusters by what the run has now."""
    now = select(workspace, "shop", selection.run.id)
    return describe_batch(workspace, now, order(workspace, now, *ids, **options), no_report)


def written(workspace: Workspace, selection: Selection, *ids: str) -> dict[str, Description]:
    run_batch(workspace, selection, *ids)
    return workspace.runs.descriptions(selection.run)


def save(workspace: Workspace, selection: Selection, cluster: str, title: str) -> None:
    """Words that a person wrote."""
    words = Description(cluster=cluster, title=title, summary=[], keywords=[], author="person")
    workspace.runs.save_description(selection.run, words)


def clusters_in(requests: list[Request]) -> list[str]:
    """The first cluster that each request is about."""
    return [
        re.findall(r"^Cluster (\S+) of", request.prompt, re.MULTILINE)[0] for request in requests
    ]


@pytest.mark.parametrize(
    ("ids", "levels"),
    [
        ([], []),
        (["3", "1", "2"], [["3", "1", "2"]]),
        (["1", "1.1", "1.1.2", "2"], [["1.1.2", "2"], ["1.1"], ["1"]]),
        (["1", "10", "1.1"], [["10", "1.1"], ["1"]]),
        (["2", "2.1.1"], [["2.1.1"], ["2"]]),
    ],
)
def test_parts_come_before_the_headings_above_them(ids: list[str], levels: list[list[str]]) -> None:
    assert waves(ids) == levels


def test_a_heading_with_one_part_takes_its_name_without_a_call(
    workspace: Workspace, selection: Selection, endpoint: EndpointServer
) -> None:
    before = len(endpoint.requests)
    found = written(workspace, selection, "2", "2.1")
    assert len(endpoint.requests) == before + 1
    assert (found["2"].title, found["2"].summary) == (found["2.1"].title, found["2.1"].summary)
    assert found["2"].cluster == "2"
    assert found["2"].proof is not None


def test_a_heading_is_named_from_the_titles_of_its_parts(
    workspace: Workspace, selection: Selection, endpoint: EndpointServer
) -> None:
    found = written(workspace, selection, "1", "1.1", "1.2")
    lines = endpoint.requests[-1].prompt.splitlines()
    made_of = lines[next(n for n, line in enumerate(lines) if line.startswith("Made of ")) + 1 :]
    for line, part in zip(made_of, ("1.1", "1.2"), strict=False):
        # With its size, its share, and two excerpts of it.
        expected = rf'- {part} "{re.escape(found[part].title)}": {SIZE}, 50.0%, (r\d+, )+r\d+'
        assert re.fullmatch(expected, line), line


def test_the_words_of_a_person_are_left_alone(
    workspace: Workspace, selection: Selection, endpoint: EndpointServer
) -> None:
    save(workspace, selection, "3", "Ours")
    before = len(endpoint.requests)
    assert written(workspace, selection, "3")["3"].title == "Ours"
    assert len(endpoint.requests) == before


def test_words_that_a_theme_brought_along_stay_though_its_records_are_not_quite_the_same(
    workspace: Workspace, selection: Selection, endpoint: EndpointServer
) -> None:
    found = written(workspace, selection, "3")["3"]
    changed = replace(selection.card, version=selection.card.version + 1)
    for carried_from, calls in (("r1:3", 0), (None, 1)):
        old = replace(found, evidence_key="old", carried_from=carried_from)
        workspace.runs.save_description(selection.run, old)
        again = replace(select(workspace, "shop", selection.run.id), card=changed)
        before = len(endpoint.requests)
        describe_batch(workspace, again, order(workspace, again, "3"), no_report)
        # The same question was answered before, so that even the second one costs nothing.
        assert len(endpoint.requests) == before
        kept = workspace.runs.descriptions(selection.run)["3"]
        assert (kept.evidence_key == "old") == (calls == 0)


def test_an_answer_is_kept_for_good_and_asked_again_only_by_refresh(
    workspace: Workspace, selection: Selection, endpoint: EndpointServer
) -> None:
    written(workspace, selection, "1.1")
    for file in (workspace.runs.folder("shop", selection.run.id) / "descriptions").iterdir():
        Path(file).unlink()
    before = len(endpoint.requests)
    outcome = run_batch(workspace, selection, "1.1")
    assert (outcome.usage.calls, outcome.usage.cached) == (0, 1)
    assert len(endpoint.requests) == before
    run_batch(workspace, selection, "1.1", refresh=True)
    assert len(endpoint.requests) == before + 1


def test_a_cap_on_calls_stops_cleanly_and_the_next_call_goes_on(
    workspace: Workspace, selection: Selection, endpoint: EndpointServer
) -> None:
    leaves = ("1.1", "1.2", "2.1", "3")
    before = len(endpoint.requests)
    outcome = run_batch(workspace, selection, *leaves, max_calls=2, focus="with a cap")
    assert len(outcome.failures) == 2
    assert all("max_calls (2)" in reason for _, reason in outcome.failures)
    assert len(endpoint.requests) == before + 2
    assert run_batch(workspace, selection, *leaves, focus="with a cap").failures == []
    assert len(endpoint.requests) == before + 4


def test_writing_anew_goes_on_where_a_cap_has_stopped_it(
    workspace: Workspace, selection: Selection, endpoint: EndpointServer
) -> None:
    leaves = ("1.1", "1.2", "2.1", "3")
    # The fourth order begins anew: the one before had come to its end.
    for calls in (3, 1, 3):
        before = len(endpoint.requests)
        run_batch(workspace, selection, *leaves, refresh=True, max_calls=3)
        assert len(endpoint.requests) == before + calls


def test_after_a_split_only_the_new_parts_are_asked_for(
    workspace: Workspace, selection: Selection, endpoint: EndpointServer
) -> None:
    nodes = [node for node in selection.run.nodes if node.id not in ("1.1", "1.2")]
    whole = replace(selection, run=replace(selection.run, nodes=nodes))
    split = order(workspace, whole, "1", focus="split")
    describe_batch(workspace, whole, split, no_report)
    before = len(endpoint.requests)
    run_batch(workspace, selection, "1.1", "1.2", "1", focus="split")
    assert sorted(clusters_in(endpoint.requests[before:])) == ["1.1", "1.2"]


def test_another_focus_asks_for_other_words(
    workspace: Workspace, selection: Selection, endpoint: EndpointServer
) -> None:
    workspace.runs.save_focus(selection.run, "A shop's mail; by root cause")
    run_batch(workspace, selection, "1.1", "3")
    assert all("A shop's mail; by root cause" in one.prompt for one in endpoint.requests[-2:])
    run_batch(workspace, selection, "1.1", "3", focus="By product")
    assert all("By product" in one.prompt for one in endpoint.requests[-2:])


def test_an_unusable_answer_gives_the_keywords_and_is_asked_again_only_by_refresh(
    workspace: Workspace,
    selection: Selection,
    endpoint: EndpointServer,
    behaviours: list[Behaviour],
) -> None:
    behaviours.append(says("I would rather not."))
    run_batch(workspace, selection, "3", focus="unusable")
    words = workspace.runs.descriptions(selection.run)["3"]
    assert words.author == "keywords"
    assert "did not answer as asked, twice" in words.note
    behaviours.append(describes)
    before = len(endpoint.requests)
    run_batch(workspace, selection, "3", focus="unusable")
    assert len(endpoint.requests) == before
    run_batch(workspace, selection, "3", focus="unusable", refresh=True)
    assert len(endpoint.requests) == before + 1


def test_words_that_are_there_are_not_replaced_by_keywords(
    workspace: Workspace, selection: Selection, behaviours: list[Behaviour]
) -> None:
    save(workspace, selection, "3", "What a person said")
    behaviours.append(says("I would rather not."))
    outcome = run_batch(workspace, selection, "3", refresh=True)
    [(cluster, reason)] = outcome.failures
    assert cluster == "3"
    assert reason.endswith("The words it had stay.")
    assert outcome.usage.calls == 2
    assert workspace.runs.descriptions(selection.run)["3"].title == "What a person said"


def test_words_that_somebody_writes_meanwhile_stay(
    workspace: Workspace, selection: Selection, behaviours: list[Behaviour]
) -> None:
    def interrupted(request: Request) -> Reply:
        save(workspace, selection, "3", "Written meanwhile")
        return describes(request)

    behaviours.append(interrupted)
    assert run_batch(workspace, selection, "3", focus="meanwhile").failures == []
    assert workspace.runs.descriptions(selection.run)["3"].title == "Written meanwhile"


def test_equal_titles_are_told_apart_in_one_call_for_all(
    workspace: Workspace,
    selection: Selection,
    endpoint: EndpointServer,
    behaviours: list[Behaviour],
) -> None:
    def unoriginal(request: Request) -> Reply:
        if '"titles"' in request.told:
            return describes(request)
        return chat(json.dumps({**json.loads(described(request)), "title": "Customer complaints"}))

    behaviours.append(unoriginal)
    before = len(endpoint.requests)
    run_batch(workspace, selection, "1.1", "1.2", "3", focus="unoriginal")
    titles = [words.title for words in workspace.runs.descriptions(selection.run).values()]
    assert len(set(titles)) == 3
    assert "Customer complaints" not in titles
    joint = [one for one in endpoint.requests[before:] if '"titles"' in one.told]
    assert len(joint) == 1
    assert all(f"\nCluster {cluster} of" in joint[0].prompt for cluster in ("1.1", "1.2", "3"))


def test_titles_that_no_call_was_left_for_are_told_apart_by_the_next_one(
    workspace: Workspace,
    selection: Selection,
    endpoint: EndpointServer,
    behaviours: list[Behaviour],
) -> None:
    def unoriginal(request: Request) -> Reply:
        if '"titles"' in request.told:
            return describes(request)
        return chat(json.dumps({**json.loads(described(request)), "title": "Complaints"}))

    behaviours.append(unoriginal)
    run_batch(workspace, selection, "1.1", "1.2", focus="no room", max_calls=2)
    assert all(words.alike for words in workspace.runs.descriptions(selection.run).values())
    before = len(endpoint.requests)
    run_batch(workspace, selection, "1.1", "1.2", focus="no room")
    assert len(endpoint.requests) == before + 1
    words = workspace.runs.descriptions(selection.run).values()
    assert len({one.title for one in words}) == 2
    assert not any(one.alike for one in words)


def test_a_model_sorts_unseen_texts_by_each_description_once(
    workspace: Workspace, selection: Selection, endpoint: EndpointServer
) -> None:
    before = len(endpoint.requests)
    run_batch(workspace, selection, "1.1", "3", verify=True, focus="sorted")
    sorting = [one for one in endpoint.requests[before:] if '"fits"' in one.told]
    assert len(sorting) == 2
    for words in workspace.runs.descriptions(selection.run).values():
        assert words.proof is not None
        assert words.proof.precision is not None
        assert words.proof.sorted_by == "tiny"
    before = len(endpoint.requests)
    assert run_batch(workspace, selection, "1.1", "3", verify=True, focus="sorted").unverified == []
    assert len(endpoint.requests) == before


def test_where_the_endpoint_is_down_the_rest_is_neither_described_nor_verified(
    workspace: Workspace,
    selection: Selection,
    endpoint: EndpointServer,
    behaviours: list[Behaviour],
) -> None:
    run_batch(workspace, selection, "3", focus="down")
    behaviours.append(fails(401))
    before = len(endpoint.requests)
    outcome = run_batch(workspace, selection, "1", "1.1", "3", verify=True, focus="down")
    assert [cluster for cluster, _ in outcome.failures] == ["1.1", "1"]
    assert [cluster for cluster, _ in outcome.unverified] == ["3"]
    reasons = {reason for _, reason in [*outcome.failures, *outcome.unverified]}
    assert len(reasons) == 1
    assert len(endpoint.requests) == before + 1


def test_what_it_will_use_is_known_beforehand_and_nothing_is_sent(
    workspace: Workspace, selection: Selection, endpoint: EndpointServer
) -> None:
    before = len(endpoint.requests)
    tree = ("1", "1.1", "1.2", "2", "2.1", "3")
    expected = expected_batch_usage(
        workspace, selection, order(workspace, selection, *tree, focus="estimated")
    )
    verified = expected_batch_usage(
        workspace, selection, order(workspace, selection, *tree, focus="estimated", verify=True)
    )
    assert expected.estimated
    # The heading with one part takes its name once that has one, which is not known yet.
    assert (expected.calls, verified.calls) == (6, 12)
    assert verified.tokens_in > expected.tokens_in > 1_000
    assert len(endpoint.requests) == before
