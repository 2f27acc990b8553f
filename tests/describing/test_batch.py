"""Describing many clusters: the order, who takes whose name, and what has to be written anew."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.endpoint_server import EndpointServer, describes, endpoint_server
from support.made_shop import SIZE, fill, made_run

from corpuscope.server.settings import Settings, open_workspace
from corpuscope.tools.core.schema import Description, no_report
from corpuscope.tools.describing.batch import DescriptionOrder, describe_batch, waves
from corpuscope.tools.workspace.selection import Selection, select
from corpuscope.tools.workspace.workspace import LlmOptions, Workspace


@pytest.fixture(scope="module")
def endpoint() -> Iterator[EndpointServer]:
    with endpoint_server(describes) as server:
        yield server


@pytest.fixture(scope="module")
def workspace(settings: Settings, endpoint: EndpointServer) -> Iterator[Workspace]:
    """A workspace with a run that was made by hand: nobody has to cluster for its tree."""
    opened = open_workspace(settings)
    found = replace(opened, writer=LlmOptions(endpoint.options(), "tiny"))
    fill(found)
    yield found
    found.store.close()


@pytest.fixture
def selection(workspace: Workspace) -> Selection:
    """A run that is new for every test."""
    return made_run(workspace)


def order(
    workspace: Workspace, selection: Selection, *ids: str, refresh: bool = False
) -> DescriptionOrder:
    assert workspace.writer is not None
    nodes = [selection.node(id) for id in ids]
    return DescriptionOrder(workspace.writer, nodes, refresh)


def written(workspace: Workspace, selection: Selection, *ids: str) -> dict[str, Description]:
    describe_batch(workspace, selection, order(workspace, selection, *ids), no_report)
    return workspace.runs.descriptions(selection.run)


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
    made_of = next(
        line for line in endpoint.requests[-1].prompt.splitlines() if line.startswith("Made of: ")
    )
    parts = [f'{id} "{found[id].title}" ({SIZE} records)' for id in ("1.1", "1.2")]
    assert made_of == f"Made of: {'; '.join(parts)}"


def test_the_words_of_a_person_are_left_alone(
    workspace: Workspace, selection: Selection, endpoint: EndpointServer
) -> None:
    own = Description(cluster="3", title="Ours", summary=[], keywords=[], author="person")
    workspace.runs.save_description(selection.run, own)
    again = select(workspace, "shop", selection.run.id)
    before = len(endpoint.requests)
    assert written(workspace, again, "3")["3"].title == "Ours"
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
        describe_batch(workspace, again, order(workspace, again, "3", refresh=False), no_report)
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
    again = select(workspace, "shop", selection.run.id)
    before = len(endpoint.requests)
    told = describe_batch(workspace, again, order(workspace, again, "1.1"), no_report)
    assert (len(endpoint.requests) - before, told.usage.calls, told.usage.cached) == (0, 0, 1)
    describe_batch(workspace, again, order(workspace, again, "1.1", refresh=True), no_report)
    assert len(endpoint.requests) == before + 1
