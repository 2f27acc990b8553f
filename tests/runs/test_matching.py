from dataclasses import replace

import numpy as np
from support.made_runs import Made, made

from corpuscope.tools.core.schema import Floats
from corpuscope.tools.runs.matching import (
    inherited_ids,
    overlaps,
    rename_clusters,
    same_by_centroid,
    same_clusters,
)


def same(before: Made, after: Made) -> dict[str, str]:
    return same_clusters(overlaps(before.members, after.members))


def test_clusters_are_the_same_when_most_records_are_whatever_their_ids() -> None:
    before = made("1:30 2:20 3:10 noise:5")
    after = made("2:28 noise:2 3:20 1:15")
    assert same(before, after) == {"2": "1", "3": "2", "1": "3"}


def test_records_that_only_one_run_knows_do_not_count() -> None:
    before = made("1:30 2:20")
    grown = made("1:30 2:20 1:100 3:40")
    assert same(before, grown) == {"1": "1", "2": "2"}
    later = made("1:20 2:10", first=30)
    assert same(before, later) == {"1": "2"}


def test_a_cluster_is_paired_with_what_it_is_most_like_on_any_level() -> None:
    before = made("1.1:40 1.2:10 2:30")
    after = made("1:45 noise:5 2.1:20 2.2:10")
    # It shares 45 of 50 records with 1, and 40 of 45 with 1.1 alone.
    assert same(before, after) == {"1": "1", "2": "2"}


def test_too_few_records_left_say_nothing() -> None:
    before = made("1:30 2:20")
    assert same(before, made("1:4", first=0)) == {}
    assert overlaps(before.members, made("1:4").members).lost == {"1", "2"}
    few = made("1:3")
    assert same(few, few) == {"1": "1"}


def test_centroids_decide_where_no_records_are_left() -> None:
    axes: list[Floats] = list(np.eye(4, dtype=np.float32))
    near: Floats = axes[1] * 0.99 + axes[2] * 0.14
    before = {"1": axes[0], "2": axes[1], "3": axes[3]}
    after = {"1": near, "2": axes[0], "3": axes[2]}
    assert same_by_centroid(before, after) == {"1": "2", "2": "1"}
    assert same_by_centroid({}, after) == {}


def test_ids_stay_where_the_parent_stays_and_are_never_given_to_another() -> None:
    found = ["1", "1.1", "1.2", "2", "3", "noise.1", "noise.2"]
    used = ["1", "1.1", "1.2", "1.3", "2", "noise.1"]
    same = {"2": "1", "1": "2", "1.1": "1.2", "noise.2": "noise.1"}
    assert inherited_ids(found, same, used) == {
        "1": "2",  # the largest now; it was the second
        "1.1": "2.1",  # was 1.2, and is a part of another cluster now
        "1.2": "2.2",
        "2": "1",
        "3": "3",
        "noise.1": "noise.2",
        "noise.2": "noise.1",
    }
    below = inherited_ids(["1", "1.1", "1.2"], {"1": "1", "1.2": "1.1"}, used)
    assert below == {"1": "1", "1.1": "1.4", "1.2": "1.1"}


def test_without_an_earlier_run_ids_stay_as_they_were_found() -> None:
    found = ["1", "1.1", "1.10", "1.2", "2", "noise.1"]
    assert inherited_ids(found, {}, [])["2"] == "2"
    numbered = [f"1.{number}" for number in range(1, 12)]
    assert inherited_ids(["1", *numbered], {}, []) == {
        cluster: cluster for cluster in ["1", *numbered]
    }


def test_nodes_members_and_reasons_are_renamed_together() -> None:
    one = made("1.1:3 1:1 2:2 noise:2 noise.1:2")
    reasons = np.array([""] * 6 + ["between 1.1 and 2", "isolated", "", ""], dtype=object)
    names = {"1": "2", "1.1": "2.4", "2": "1", "noise.1": "noise.3"}
    nodes, members = rename_clusters(
        one.run.nodes, replace(one.members, noise_reasons=reasons), names
    )
    assert [node.id for node in nodes] == ["1", "2", "2.4", "noise.3"]
    assert list(members.paths) == ["2.4"] * 3 + ["2", "1", "1", "noise", "noise"] + ["noise.3"] * 2
    assert members.noise_reasons is not None
    assert list(members.noise_reasons[6:8]) == ["between 2.4 and 1", "isolated"]
