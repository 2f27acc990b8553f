"""Describing many clusters: the order, who takes whose name, and what has to be written anew."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from endpoint_server import EndpointServer, describes, endpoint_server
from texts import tickets

from corpuscope.server.settings import Settings, open_workspace
from corpuscope.tools.gathering import beside, gather
from corpuscope.tools.ingest import ingest
from corpuscope.tools.runs import Members
from corpuscope.tools.schema import Description, Layer, Node, Run, Watch, no_report
from corpuscope.tools.selection import Selection, select
from corpuscope.tools.workspace import Workspace, Writer
from corpuscope.tools.writing import Order, in_waves, write_all

PATHS = {
    "delivery": "1.1",
    "refund": "1.2",
    "login": "2.1",
    "coffee": "3",
    "garden": "noise",
}
"""Where each theme lies: 1 has two parts, 2 an only one, 3 none."""

SIZE = 36


@pytest.fixture(scope="module")
def endpoint() -> Iterator[EndpointServer]:
    with endpoint_server(describes) as server:
        yield server


@pytest.fixture(scope="module")
def workspace(settings: Settings, endpoint: EndpointServer) -> Iterator[Workspace]:
    """A workspace with a run that was made by hand: nobody has to cluster for its tree."""
    opened = open_workspace(settings)
    found = replace(opened, writer=Writer(endpoint.options(), "tiny"))
    ingest(found, Watch(), dataset="shop", rows=tickets(each=SIZE), id_column="id")
    yield found
    found.store.close()


@pytest.fixture
def selection(workspace: Workspace) -> Selection:
    """The run, new for every test, without descriptions."""
    card = workspace.store.card("shop")
    rows = [row for page in workspace.store.scan(card, ["id", "metadata"]) for row in page]
    paths = [PATHS[row["metadata"]["theme"]] for row in rows]
    sizes = {"1": 2 * SIZE, "1.1": SIZE, "1.2": SIZE, "2": SIZE, "2.1": SIZE, "3": SIZE}
    nodes = [
        Node(
            id=id,
            layers={"1": (0, 0), "2": (0, 0), "3": (0, 1)}.get(id, (1, 1)),
            size=size,
            share=size / len(rows),
            keywords=[f"word{id}", f"phrase{id}", "text"],
            exemplars=[],
        )
        for id, size in sizes.items()
    ]
    run = Run(
        id="",
        dataset="shop",
        dataset_version=card.version,
        collection=card.collection,
        created="",
        parameters={"where": None, "seed": 0},
        versions={},
        records=len(rows),
        noise=SIZE,
        layers=[Layer(index=index, clusters=3, coverage=0.8, persistence=1) for index in (0, 1)],
        recommended=1,
        reason="",
        nodes=nodes,
    )
    ones = np.ones(len(rows), np.float32)
    members = Members(
        ids=[row["id"] for row in rows],
        paths=np.array(paths, dtype=object),
        strengths=ones,
        centrality=ones,
        copies_of=np.arange(len(rows), dtype=np.int32),
    )
    saved = workspace.runs.save(run, members)
    return select(workspace, "shop", saved.id)


def order(workspace: Workspace, selection: Selection, *ids: str, **more: bool) -> Order:
    assert workspace.writer is not None
    nodes = [selection.node(id) for id in ids]
    return Order(workspace.writer, nodes, **more)


def written(workspace: Workspace, selection: Selection, *ids: str) -> dict[str, Description]:
    write_all(workspace, selection, order(workspace, selection, *ids), no_report)
    return workspace.runs.descriptions(selection.run)


@pytest.mark.parametrize(
    ("ids", "waves"),
    [
        ([], []),
        (["3", "1", "2"], [["3", "1", "2"]]),
        (["1", "1.1", "1.1.2", "2"], [["1.1.2", "2"], ["1.1"], ["1"]]),
        (["1", "10", "1.1"], [["10", "1.1"], ["1"]]),
        (["2", "2.1.1"], [["2.1.1"], ["2"]]),
    ],
)
def test_parts_come_before_the_headings_above_them(ids: list[str], waves: list[list[str]]) -> None:
    assert in_waves(ids) == waves


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
    parts = [f'{id} "{found[id].title}" ({SIZE})' for id in ("1.1", "1.2")]
    assert made_of == f"Made of: {'; '.join(parts)}"


def test_clusters_are_held_against_those_of_their_own_layer(selection: Selection) -> None:
    assert beside(selection, selection.node("1")) == ("1", "2", "3")
    assert beside(selection, selection.node("1.2")) == ("1.1", "1.2", "2.1", "3")
    assert beside(selection, selection.node("3")) == ("1.1", "1.2", "2.1", "3")


def test_a_part_found_by_drilling_down_is_held_against_its_fellows_and_all_around(
    selection: Selection,
) -> None:
    drilled = [
        node.model_copy(update={"layers": None, "drilled": True})
        if node.id.startswith("1.")
        else node.model_copy(update={"layers": (0, 1)} if node.id == "1" else {})
        for node in selection.run.nodes
    ]
    run = selection.run.model_copy(update={"nodes": drilled})
    again = replace(selection, run=run)
    assert beside(again, again.node("1.1")) == ("1.1", "1.2", "2.1", "3")


def test_evidence_of_a_cluster_has_its_own_texts_and_outsiders_by_name(
    workspace: Workspace, selection: Selection
) -> None:
    pack = gather(workspace, selection, [selection.node("3")])[0]
    words = ("espresso", "coffee", "milk", "water")
    texts = [excerpt.text for excerpt in pack.evidence.excerpts]
    assert texts
    assert all(any(word in text.lower() for word in words) for text in texts)
    assert {one.cluster for one in pack.evidence.outside} <= {"1.1", "1.2", "2.1"}
    assert pack.evidence.outside
    held = {*pack.trial.inside_texts}
    assert held.isdisjoint(texts)
    assert len(held) >= SIZE // 4


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
    changed = selection.card.model_copy(update={"version": selection.card.version + 1})
    for carried_from, calls in (("r1:3", 0), (None, 1)):
        old = found.model_copy(update={"evidence_key": "old", "carried_from": carried_from})
        workspace.runs.save_description(selection.run, old)
        again = replace(select(workspace, "shop", selection.run.id), card=changed)
        before = len(endpoint.requests)
        write_all(workspace, again, order(workspace, again, "3", refresh=False), no_report)
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
    told = write_all(workspace, again, order(workspace, again, "1.1"), no_report)
    assert (len(endpoint.requests) - before, told.usage.calls, told.usage.cached) == (0, 0, 1)
    write_all(workspace, again, order(workspace, again, "1.1", refresh=True), no_report)
    assert len(endpoint.requests) == before + 1
