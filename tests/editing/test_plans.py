"""What each kind of edit does to the tree."""

from dataclasses import replace

import pytest
from support.made_runs import Made, made

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import NOISE
from corpuscope.tools.editing.plans import (
    EditPlan,
    plan_dissolve,
    plan_freeze,
    plan_group,
    plan_merge,
    plan_move,
)

TREE = "1.1:9 1.2:6 2.1:8 2.2:4 3:5 4:3 noise:2"


def counted(plan: EditPlan) -> dict[str, int]:
    """How many members each path has."""
    paths = plan.paths.tolist()
    return {path: paths.count(path) for path in sorted(set(paths))}


def layers(plan: EditPlan) -> dict[str, tuple[int, int] | None]:
    return {node.id: node.layers for node in plan.run.nodes}


def merged(run: Made, *clusters: str, into: str | None = None) -> EditPlan:
    return plan_merge(run.run, run.members, clusters, into, ())


def test_leaves_that_are_merged_are_one_under_the_id_of_the_largest() -> None:
    plan = merged(made(TREE), "3", "4")
    assert counted(plan) == {"1.1": 9, "1.2": 6, "2.1": 8, "2.2": 4, "3": 8, NOISE: 2}
    assert plan.said == "merged 4 into 3"
    assert counted(merged(made(TREE), "3", into="4"))["4"] == 8


def test_parts_in_finer_layers_stay_parts_of_what_takes_them_in() -> None:
    plan = merged(made(TREE), "1", "2")
    assert plan.names == {"2": "1", "2.1": "1.3", "2.2": "1.4"}
    assert counted(plan) == {"1.1": 9, "1.2": 6, "1.3": 8, "1.4": 4, "3": 5, "4": 3, NOISE: 2}
    assert layers(plan)["1.3"] == (1, 1)


def test_what_stands_in_finer_layers_becomes_a_part_there_and_is_no_noise() -> None:
    # 3 stands in both layers, 1 in the first alone: its parts stand in the second.
    plan = merged(made(TREE), "1", "3")
    assert plan.names == {"3": "1.3"}
    assert layers(plan)["1.3"] == (1, 1)
    assert counted(plan)["1.3"] == 5


def test_a_theme_in_one_found_in_the_noise_makes_that_a_theme() -> None:
    run = made(TREE)
    nodes = [replace(n, layers=(2, 2)) if n.id == "4" else n for n in run.run.nodes]
    late = replace(run.run, nodes=nodes)
    plan = plan_merge(late, run.members, ["3", "4"], "4", ())
    assert layers(plan)["4"] == (0, 2)


def test_a_number_that_another_part_had_is_not_given_again() -> None:
    run = made(TREE)
    plan = plan_merge(run.run, run.members, ["1", "2"], None, ["1.3", "1.7"])
    assert plan.names["2.1"] == "1.8"


def test_headings_and_frozen_themes_follow_what_is_merged() -> None:
    run = made(TREE)
    headed = replace(run.run, grouped={"h1": ["3"], "h2": ["4", "2.1"]}, frozen=["4"])
    plan = plan_merge(headed, run.members, ["3", "4"], None, ())
    assert plan.run.grouped == {"h1": ["3"], "h2": ["2.1"]}
    assert plan.run.frozen == ["3"]
    alone = replace(run.run, grouped={"h2": ["4"]})
    assert plan_merge(alone, run.members, ["3", "4"], None, ()).run.grouped == {"h2": ["3"]}


def test_records_of_equal_text_are_moved_together_and_those_that_are_there_stay() -> None:
    run = made("1:4 2:3")
    twice = replace(run.members, copies_of=run.members.copies_of // 2)
    plan = plan_move(run.run, twice, [run.members.ids[0], run.members.ids[6]], "2")
    assert counted(plan) == {"1": 2, "2": 5}
    assert plan.said == "moved 2 records to 2 (1 of them with the same text as one that was named)"
    with pytest.raises(BadInput, match="All of these records are in 2 already"):
        plan_move(run.run, run.members, [run.members.ids[6]], "2")
    assert counted(plan_move(run.run, run.members, [run.members.ids[6]], NOISE)) == {
        "1": 4, "2": 2, NOISE: 1
    }  # fmt: skip


def test_a_dissolved_cluster_takes_its_parts_along() -> None:
    plan = plan_dissolve(made(TREE).run, made(TREE).members, ["2"])
    assert counted(plan)[NOISE] == 14
    assert {*layers(plan)} == {"1", "1.1", "1.2", "3", "4"}


def test_a_theme_is_below_one_heading_at_most() -> None:
    run = made(TREE)
    first = plan_group(run.run, run.members, ["3", "4"], "Odds", {})
    assert first.run.grouped == {"h1": ["3", "4"]}
    second = plan_group(first.run, run.members, ["4"], "Ends", {"h1": "Odds"})
    assert second.run.grouped == {"h1": ["3"], "h2": ["4"]}
    third = plan_group(second.run, run.members, ["3"], "ends", {"h1": "Odds", "h2": "Ends"})
    assert third.run.grouped == {"h2": ["4", "3"]}
    assert plan_group(third.run, run.members, ["3", "4"], "", {}).run.grouped == {}


def test_what_is_frozen_already_is_refused_with_all_that_is() -> None:
    run = made(TREE)
    frozen = plan_freeze(run.run, run.members, ["4", "1.1"], thaw=False).run
    assert frozen.frozen == ["1.1", "4"]
    with pytest.raises(BadInput, match=r"4: frozen already; .* Frozen: 1.1 and 4\."):
        plan_freeze(frozen, run.members, ["4", "3"], thaw=False)
    assert plan_freeze(frozen, run.members, ["4"], thaw=True).run.frozen == ["1.1"]
