from support.made_runs import Made, made

from corpuscope.tools.runs.changes import Change, ComparedRun, Comparison, compare, records_staying
from corpuscope.tools.runs.matching import overlaps, same_clusters
from corpuscope.tools.workspace.selection import labels


def compared(before: Made, after: Made) -> Comparison:
    shared = overlaps(before.members, after.members)
    sides = [
        ComparedRun(side.run, labels(side.run, side.selection.descriptions))
        for side in (before, after)
    ]
    return compare(sides[0], sides[1], same_clusters(shared), shared)


def counts(found: Comparison) -> tuple[int, int, int, int, int]:
    return found.kept, found.born, found.died, found.split, found.merged


def only(found: Comparison, kind: str) -> Change:
    (change,) = [one for one in found.changes if one.kind == kind]
    return change


def ids(change: Change) -> tuple[list[str], list[str]]:
    return [piece.id for piece in change.before], [piece.id for piece in change.after]


def test_a_run_compared_with_itself_keeps_everything() -> None:
    one = made("1.1:30 1.2:20 2:20 noise:10")
    found = compared(one, one)
    assert counts(found) == (3, 0, 0, 0, 0)
    assert (found.other_layers, found.other_layers_kept, found.moved) == (1, 1, 0)
    assert "Against r1: 3 clusters kept, 0 new" in found.as_text()


def test_a_cluster_in_two_large_parts_is_split_also_when_one_part_goes_on_as_it() -> None:
    before = made("1:100 2:30", titles={"1": "Parcels"})
    halves = compared(before, made("1:48 3:45 noise:7 2:30"))
    assert counts(halves) == (1, 0, 0, 1, 0)
    assert ids(only(halves, "split")) == (["1"], ["1", "3"])
    assert "split: 1 (Parcels, 100) → 1 (word1, 48) + 3 (word3, 45)" in halves.as_text()
    going_on = compared(before, made("1:70 3:30 2:30"))
    assert counts(going_on) == (2, 0, 0, 1, 0)


def test_a_small_part_that_breaks_off_is_new_and_no_split() -> None:
    found = compared(made("1:100 2:30"), made("1:85 3:15 2:30"))
    assert counts(found) == (2, 1, 0, 0, 0)
    born = only(found, "born")
    assert (ids(born), born.mostly) == (([], ["3"]), "1")
    assert "new: 3 (word3), 15 records; the largest part was in 1" in found.as_text()


def test_a_cluster_that_stands_above_its_new_parts_was_not_split() -> None:
    found = compared(made("1:100 2:30"), made("1.1:50 1.2:50 2:30"))
    assert counts(found) == (2, 2, 0, 0, 0)


def test_clusters_that_lie_in_one_now_were_merged_however_small() -> None:
    before = made("1:60 2:50 3:30")
    both = compared(before, made("1:110 3:30"))
    assert counts(both) == (2, 0, 0, 0, 1), "1 goes on, with 2 in it"
    assert ids(only(both, "merged")) == (["1", "2"], ["1"])
    found = compared(made("1:100 2:10 3:30"), made("1:110 3:30"))
    assert ids(only(found, "merged")) == (["1", "2"], ["1"])
    neither = compared(made("1:40 2:40 3:40 4:9"), made("7:120 4:9"))
    assert counts(neither) == (1, 0, 0, 0, 1)
    assert ids(only(neither, "merged")) == (["1", "2", "3"], ["7"])


def test_a_cluster_that_nothing_holds_is_gone_and_the_answer_says_where_to() -> None:
    found = compared(made("1:60 2:20"), made("1:60 noise:20"))
    assert counts(found) == (1, 0, 1, 0, 0)
    assert only(found, "died").mostly == "noise"
    assert "gone: 2 (word2), 20 records; the largest part is in noise now" in found.as_text()


def test_a_cluster_of_new_records_is_new() -> None:
    found = compared(made("1:60 noise:9"), made("1:60 2:9 2:30"))
    born = only(found, "born")
    assert born.mostly is None
    assert "2 (word2), 39 records; most are new too" in born.as_text()


def test_a_kept_cluster_under_another_id_is_counted_as_moved() -> None:
    found = compared(made("1.1:30 1.2:20 2:20"), made("1.1:30 2.1:20 2.2:20"))
    assert found.moved == 2
    moved = [change.as_text() for change in found.changes if change.kind == "kept"]
    assert "kept: 1.2 (word2.1), now 2.1, 20 → 20 records" in moved


def test_only_the_largest_changes_are_told_in_the_text() -> None:
    many = " ".join(f"{number}:{number + 5}" for number in range(1, 13))
    found = compared(made(many), made("noise:138"))
    lines = found.as_text().splitlines()
    assert found.died == 12
    assert "gone: 12 " in lines[1]
    assert lines[-1] == "  … 4 more changes: `contrast` with the run as a."


def test_records_stay_where_they_are_in_the_same_cluster_or_still_in_noise() -> None:
    before, after = made("1:50 2:40 noise:10"), made("1:45 2:5 2:40 noise:8 1:2")
    shared = overlaps(before.members, after.members)
    staying = records_staying(before.run, after.run, same_clusters(shared), shared)
    assert staying == 45 + 40 + 8
