"""From a run to the evidence of its clusters."""

import re
from dataclasses import replace

import numpy as np
import pytest
from support.made_shop import FLAT, SIZE, fill, made_run
from support.texts import tickets

from corpuscope.tools.core.errors import NotReady
from corpuscope.tools.core.redaction import redact
from corpuscope.tools.describing.gathering import clusters_beside, gather_tasks, stored_evidence
from corpuscope.tools.workspace.selection import Selection
from corpuscope.tools.workspace.workspace import Workspace

ROWS_BY_TEXT = {row["text"]: row for row in tickets(each=SIZE)}


@pytest.fixture(scope="module", autouse=True)
def shop(workspace: Workspace) -> None:
    fill(workspace)


@pytest.fixture(scope="module")
def selection(workspace: Workspace) -> Selection:
    return made_run(workspace)


def test_clusters_are_held_against_those_of_their_own_layer(selection: Selection) -> None:
    assert clusters_beside(selection, selection.node("1")) == ("1", "2", "3")
    assert clusters_beside(selection, selection.node("1.2")) == ("1.1", "1.2", "2.1", "3")
    assert clusters_beside(selection, selection.node("3")) == ("1.1", "1.2", "2.1", "3")


def test_a_part_found_by_drilling_down_is_held_against_its_fellows_and_all_around(
    selection: Selection,
) -> None:
    drilled = [
        replace(node, layers=None, drilled=True)
        if node.id.startswith("1.")
        else replace(node, layers=(0, 1))
        if node.id == "1"
        else node
        for node in selection.run.nodes
    ]
    run = replace(selection.run, nodes=drilled)
    again = replace(selection, run=run)
    assert clusters_beside(again, again.node("1.1")) == ("1.1", "1.2", "2.1", "3")


def test_evidence_of_a_cluster_has_its_own_texts_and_outsiders_by_name(
    workspace: Workspace, selection: Selection
) -> None:
    task = gather_tasks(workspace, selection, [selection.node("3")])[0]
    words = ("espresso", "coffee", "milk", "water")
    texts = [excerpt.text for excerpt in task.evidence.excerpts]
    assert texts
    assert all(any(word in text.lower() for word in words) for text in texts)
    assert {one.cluster for one in task.evidence.outside} <= {"1.1", "1.2", "2.1"}
    assert task.evidence.outside
    held = {*task.trial.inside_texts}
    assert held.isdisjoint(texts)
    assert len(held) >= SIZE // 4


def test_the_evidence_of_a_cluster_does_not_depend_on_what_else_is_asked(
    workspace: Workspace, selection: Selection
) -> None:
    alone = gather_tasks(workspace, selection, [selection.node("3")])[0]
    nodes = [selection.node(cluster) for cluster in ("1", "2.1", "3")]
    together = gather_tasks(workspace, selection, nodes)[2]
    assert together.evidence == alone.evidence
    assert together.trial.inside_texts == alone.trial.inside_texts
    assert np.array_equal(together.trial.outside, alone.trial.outside)


def test_metadata_and_children_are_in_the_evidence(
    workspace: Workspace, selection: Selection
) -> None:
    evidence = gather_tasks(workspace, selection, [selection.node("1")])[0].evidence
    assert [child.id for child in evidence.children] == ["1.1", "1.2"]
    assert any(re.match(r"theme = (delivery|refund): 36 of 72", line) for line in evidence.traits)


def test_excerpts_of_a_heading_are_of_all_its_parts_and_say_which(
    workspace: Workspace, selection: Selection
) -> None:
    task = gather_tasks(workspace, selection, [selection.node("1")])[0]
    spread = {one.cluster for one in task.evidence.excerpts if one.role == "spread"}
    assert spread == {"1.1", "1.2"}
    assert re.search(r"^r\d+ \(spread, part 1\.2, 2024-", task.evidence.as_text(), re.MULTILINE)
    assert {*task.trial.parts} == {"1.1", "1.2"}


def test_every_strong_keyword_is_in_some_excerpt_and_each_has_its_day(
    workspace: Workspace,
) -> None:
    telling = made_run(workspace, FLAT, telling=True)
    nodes = telling.standing_in(1)
    for task in gather_tasks(workspace, telling, nodes):
        evidence = task.evidence
        texts = " ".join(excerpt.text for excerpt in evidence.excerpts).lower()
        for word in evidence.keywords:
            if word.share is not None and word.beside is not None and word.share >= 0.03:
                assert word.share < 2 * word.beside or word.text in texts, word
        for excerpt in evidence.excerpts:
            day = ROWS_BY_TEXT[excerpt.text]["date"]
            assert excerpt.date == day
            assert f"{day}): {excerpt.text}" in evidence.as_text()
            assert excerpt.text not in task.trial.inside_texts


def test_no_clusters_need_no_reading(workspace: Workspace, selection: Selection) -> None:
    gone = replace(selection, run=replace(selection.run, collection="gone"))
    assert gather_tasks(workspace, gone, []) == []


def test_a_run_of_records_that_were_replaced_is_refused(
    workspace: Workspace, selection: Selection
) -> None:
    gone = replace(selection, run=replace(selection.run, collection="gone"))
    with pytest.raises(NotReady, match="was replaced after run"):
        gather_tasks(workspace, gone, [gone.node("3")])


def test_texts_are_redacted_before_they_are_cut(workspace: Workspace, selection: Selection) -> None:
    def spoken(text: str) -> str:
        return redact(f"ann@example.org {text}")

    task = gather_tasks(replace(workspace, redact=spoken), selection, [selection.node("3")])[0]
    shown = [one.text for one in [*task.evidence.excerpts, *task.evidence.outside]]
    for text in [*shown, *task.trial.inside_texts, *task.trial.outside_texts]:
        assert text.startswith("[email] ")


def test_evidence_that_was_kept_is_redacted_with_the_words_beside_a_cut(
    workspace: Workspace,
) -> None:
    selection = made_run(workspace)
    run = selection.run
    evidence = gather_tasks(workspace, selection, [selection.node("3")])[0].evidence
    first, *rest = evidence.excerpts
    text = "Write to ann@example.org or call 030 9018 \N{HORIZONTAL ELLIPSIS} ple.org today"
    trait = "sender = bob@example.org"
    old = replace(evidence, excerpts=[replace(first, text=text), *rest], traits=[trait])
    workspace.runs.save_evidence(run, old.cluster, old)
    assert stored_evidence(workspace, run, "3") == old
    assert stored_evidence(workspace, run, "2.1") is None
    stored = stored_evidence(replace(workspace, redact=redact), run, "3")
    assert stored is not None
    assert stored.excerpts[0].text == ("Write to [email] or call \N{HORIZONTAL ELLIPSIS} today")
    assert stored.traits == ["sender = [email]"]
    assert stored.excerpts[0].record == first.record
