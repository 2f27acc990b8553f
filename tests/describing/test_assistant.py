"""Which evidence the assistant is shown in one answer, and what is kept of it."""

import re

import pytest
from support.made_shop import SIZE, fill, made_run

from corpuscope.tools.core.schema import Description, Node, Stability
from corpuscope.tools.describing import assistant
from corpuscope.tools.describing.assistant import AssistantOrder, order_for_assistant
from corpuscope.tools.describing.evidence import Evidence
from corpuscope.tools.workspace.selection import Selection
from corpuscope.tools.workspace.workspace import Workspace

TREE = ("1", "1.1", "1.2", "2", "2.1", "3")


@pytest.fixture(scope="module", autouse=True)
def shop(workspace: Workspace) -> None:
    fill(workspace)


@pytest.fixture
def selection(workspace: Workspace) -> Selection:
    """A run that is new for every test."""
    return made_run(workspace)


def asked(
    workspace: Workspace,
    selection: Selection,
    *ids: str,
    refresh: bool = False,
    brief: bool = False,
) -> AssistantOrder:
    nodes: list[Node] = [selection.node(cluster) for cluster in ids]
    return order_for_assistant(workspace, selection, nodes, refresh, brief=brief)


def describe(workspace: Workspace, selection: Selection, cluster: str, title: str) -> None:
    words = Description(
        cluster=cluster, title=title, summary=[], keywords=[], author="assistant", created=""
    )
    workspace.runs.save_description(selection.run, words)


def test_headings_come_after_their_parts(workspace: Workspace, selection: Selection) -> None:
    order = asked(workspace, selection, *TREE)
    assert order.to_write.shown == ["1.1", "1.2", "2.1", "3"]
    assert order.to_write.remaining == ["1", "2"]
    assert order.described == []


def test_a_heading_is_shown_under_the_titles_of_its_parts_and_one_with_one_part_takes_its_name(
    workspace: Workspace, selection: Selection
) -> None:
    for cluster in ("1.1", "1.2", "2.1", "3"):
        describe(workspace, selection, cluster, f"Title of {cluster}")
    order = asked(workspace, selection, *TREE)
    assert [node.id for node in order.described] == ["1.1", "1.2", "2", "2.1", "3"]
    assert (order.to_write.shown, order.to_write.remaining) == (["1"], [])
    assert order.prompt is not None
    for part in ("1.1", "1.2"):
        made_of = rf'^- {part} "Title of {part}": {SIZE}, 50.0%, r\d+, r\d+'
        assert re.search(made_of, order.prompt, re.MULTILINE)
    assert workspace.runs.descriptions(selection.run)["2"].title == "Title of 2.1"


def test_evidence_is_kept_as_it_was_shown(workspace: Workspace, selection: Selection) -> None:
    order = asked(workspace, selection, "3")
    evidence = workspace.runs.evidence(selection.run, "3", Evidence)
    assert evidence is not None
    assert order.prompt is not None
    assert evidence.as_text() in order.prompt
    assert workspace.runs.evidence(selection.run, "1.1", Evidence) is None


def test_as_much_is_shown_as_fits_an_answer_and_at_least_one(
    workspace: Workspace, selection: Selection, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = ("1.1", "1.2", "2.1", "3")
    asked(workspace, selection, *every)
    shown = [workspace.runs.evidence(selection.run, cluster, Evidence) for cluster in every]
    lengths = [len(evidence.as_text()) for evidence in shown if evidence is not None]
    assert len(lengths) == 4
    for room, count in ((sum(lengths), 4), (sum(lengths) - 1, 3), (lengths[0], 1), (0, 1)):
        monkeypatch.setattr(assistant, "ANSWER_CHARACTERS", room)
        to_write = asked(workspace, selection, *every).to_write
        assert (to_write.shown, to_write.remaining) == ([*every[:count]], [*every[count:]])
    monkeypatch.setattr(assistant, "ANSWER_CHARACTERS", sum(lengths))
    monkeypatch.setattr(assistant, "MOST_CLUSTERS", 2)
    assert asked(workspace, selection, *every).to_write.shown == ["1.1", "1.2"]


def test_where_all_is_described_there_is_nothing_to_write_unless_anew(
    workspace: Workspace, selection: Selection
) -> None:
    describe(workspace, selection, "3", "Broken machines")
    order = asked(workspace, selection, "3")
    assert [node.id for node in order.described] == ["3"]
    assert (order.to_write.shown, order.prompt) == ([], None)
    anew = asked(workspace, selection, "3", refresh=True)
    assert (anew.described, anew.to_write.shown) == ([], ["3"])


def test_the_stability_of_the_clusters_to_write_comes_with_them(
    workspace: Workspace, selection: Selection
) -> None:
    assert asked(workspace, selection, "3").to_write.stability == {}
    checked = Stability(rounds=5, scores={"3": 0.9, "1.1": 0.4})
    workspace.runs.save_stability(selection.run, checked)
    assert asked(workspace, selection, "3").to_write.stability == {"3": 0.9}
