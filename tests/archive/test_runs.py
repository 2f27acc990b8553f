import errno
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from corpuscope.tools.archive.defaults import ChosenLayer, ChosenRun
from corpuscope.tools.archive.origins import original_run
from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.core.errors import BadInput, NotFound, NotReady
from corpuscope.tools.core.schema import Description, Layer, Members, Node, Run, Sentence, Stability


def run(**changes: Any) -> Run:
    node = Node(id="1", layers=(0, 0), size=2, share=0.5, keywords=["tea"], exemplars=["a"])
    fields: dict[str, Any] = {
        "id": "",
        "dataset": "shop",
        "dataset_version": 0,
        "collection": "corpuscope_shop__1",
        "created": "2026-01-01T00:00:00+00:00",
        "parameters": {"seed": 0, "where": None},
        "versions": {},
        "records": 3,
        "noise": 1,
        "layers": [Layer(index=0, clusters=1, coverage=0.67, persistence=1.0)],
        "recommended": 0,
        "reason": "the only one",
        "nodes": [node],
    }
    return replace(Run(**fields), **changes)


def members() -> Members:
    return Members(
        ids=["a", "b", "c"],
        paths=np.array(["1", "1", "noise"], dtype=object),
        strengths=np.array([1, 0.5, 0], dtype=np.float32),
        centrality=np.array([0.9, 0.8, 0], dtype=np.float32),
        copies_of=np.array([0, 0, 1], dtype=np.int32),
        noise_reasons=np.array(["", "", "edge of 1"], dtype=object),
    )


def test_a_run_and_its_members_are_parsed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(tmp_path)
    saved = [runs.save(run(), members()) for _ in range(3)]
    for each in saved:
        runs.load("shop", each.id)
        runs.members(each)
    runs.ids("shop")
    monkeypatch.setattr("corpuscope.tools.archive.runs.read_members", None)
    monkeypatch.setattr("corpuscope.tools.archive.run_files.from_json", None)
    assert runs.default("shop").run == saved[-1]
    assert runs.load("shop", "r1") == saved[0]
    assert runs.members(saved[1]).ids == ["a", "b", "c"]
    runs.remove_run("shop", saved[1].id)
    with pytest.raises(NotFound):
        runs.load("shop", saved[1].id)


def test_members_that_are_shared_cannot_be_changed(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    read = runs.members(runs.save(run(), members()))
    for column in (read.paths, read.strengths, read.centrality, read.copies_of, read.noise_reasons):
        assert column is not None
        assert not column.flags.writeable


def test_a_saved_run_is_read_back_as_it_was(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    saved = runs.save(run(), members())
    assert saved.id == "r1"
    assert runs.load("shop") == saved
    read = runs.members(saved)
    assert read.ids == ["a", "b", "c"]
    assert list(read.paths) == ["1", "1", "noise"]
    np.testing.assert_array_equal(read.strengths, members().strengths)
    np.testing.assert_array_equal(read.copies_of, [0, 0, 1])
    assert read.noise_reasons is not None
    assert list(read.noise_reasons) == ["", "", "edge of 1"]


def test_what_a_newer_version_wrote_is_read_without_the_fields_it_added(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    saved = runs.save(run(), members())
    words = Description(cluster="1", title="Tea", summary=[], keywords=[], author="person")
    runs.save_description(saved, words)
    folder = runs.folder("shop", saved.id)
    for file in (folder / "run.json", folder / "descriptions" / "1.json"):
        file.write_text(file.read_text().replace("{", '{"from_the_future": [1],', 1))
    assert runs.load("shop") == saved
    assert runs.descriptions(saved) == {"1": words}


def test_a_run_from_before_reasons_of_noise_were_kept_is_read(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    saved = runs.save(run(), replace(members(), noise_reasons=None))
    assert runs.members(saved).noise_reasons is None
    assert saved.noise_reasons == {}


def test_stability_is_kept_beside_the_run(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    saved = runs.save(run(), members())
    assert runs.stability(saved) is None
    for rounds in (2, 5):
        runs.save_stability(saved, Stability(rounds=rounds, scores={"1": 0.93}))
    assert runs.stability(saved) == Stability(rounds=5, scores={"1": 0.93})
    assert len(list(runs.folder("shop", "r1").iterdir())) == 3, "no drafts are left"


def test_runs_are_numbered_and_the_newest_is_the_default(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    for _ in range(11):
        runs.save(run(), members())
    assert runs.ids("shop")[-2:] == ["r10", "r11"]
    assert runs.load("shop").id == "r11"
    assert runs.load("shop", "r2").id == "r2"


def test_an_unknown_run_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    with pytest.raises(NotFound, match="no run yet. Make one with `cluster`"):
        runs.load("shop")
    runs.save(run(), members())
    with pytest.raises(NotFound, match="Runs: r1"):
        runs.load("shop", "r2")
    with pytest.raises(NotFound, match="Run ids are r1"):
        runs.load("shop", "../../etc")


def test_a_draft_that_a_dead_process_left_is_cleared_away(tmp_path: Path) -> None:
    stray = tmp_path / "shop" / "draft-999999999-dead"
    stray.mkdir(parents=True)
    Runs(tmp_path).save(run(), members())
    assert not stray.exists()


def test_the_map_and_each_description_are_kept_beside_the_run(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    saved = runs.save(run(), members())
    assert runs.map(saved) is None
    points = np.array([[0, 1], [1, 0], [0, 0]], dtype=np.float32)
    runs.save_map(saved, points)
    np.testing.assert_array_equal(runs.map(saved), points)
    for cluster, title in (("1", "Tea"), ("1.1", "Green tea"), ("1", "Tea, hot")):
        runs.save_description(
            saved,
            Description(
                cluster=cluster,
                title=title,
                summary=[Sentence(text="About tea.", records=["a"])],
                keywords=["tea"],
                author="person",
            ),
        )
    titles = {name: words.title for name, words in runs.descriptions(saved).items()}
    assert titles == {"1": "Tea, hot", "1.1": "Green tea"}


def test_a_split_run_is_checked_with_the_parameters_that_found_its_layers(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    whole = runs.save(run(), members())
    split = runs.save(
        run(parent_run="r1", within="1", parameters={"min_cluster_size": 9, "where": None}),
        members(),
    )
    grown = runs.save(run(assigned_from="r2"), members())
    part = runs.save(run(parent_run="r1", within="1, 2", parameters={"where": "{}"}), members())
    assert (
        original_run(runs, split) == original_run(runs, grown) == original_run(runs, whole) == whole
    )
    assert original_run(runs, part) == part


def layered() -> Run:
    top = Node(id="1", layers=(0, 0), size=3, share=1, keywords=["tea"], exemplars=["a"])
    part = replace(top, id="1.1", layers=(1, 1), size=2)
    layers = [Layer(index=i, clusters=1, coverage=0.67, persistence=1.0) for i in (0, 1)]
    return run(nodes=[top, part], layers=layers, recommended=1, noise_reasons={"edge": 1})


def test_a_chosen_layer_is_shown_until_the_choice_is_taken_back(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    saved = runs.save(layered(), members())
    runs.choose_layer(saved, ChosenLayer(layer=0, by="person"))
    shown = runs.load("shop")
    assert (shown.recommended, shown.found, shown.noise) == (0, 1, 0)
    assert "chosen by the person; 1 (1) is recommended" in shown.reason
    assert runs.members(shown).noise_reasons is None, "they are of another layer"
    assert runs.load("shop", "r1", layer=1) == saved
    assert runs.members(saved).noise_reasons is not None
    runs.choose_layer(shown, ChosenLayer(layer=1, by="person"))
    assert runs.load("shop") == saved
    assert len(list(runs.folder("shop", "r1").iterdir())) == 2


def test_a_run_made_of_one_as_it_was_shown_can_show_again_what_was_found(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    saved = runs.save(layered(), members())
    runs.choose_layer(saved, ChosenLayer(layer=0, by="person"))
    child = runs.save(replace(runs.load("shop"), id="", parent_run="r1", within="1"), members())
    shown = runs.load("shop", child.id)
    assert (shown.recommended, shown.found_layer) == (0, 1)
    runs.choose_layer(shown, ChosenLayer(layer=1, by="person"))
    found = runs.load("shop", child.id)
    assert (found.recommended, found.found, found.noise) == (1, None, 1)
    assert found.reason == "Layer 1 (1 clusters) is the recommended one."


def test_a_layer_that_is_not_there_is_refused_with_those_there_are(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.save(layered(), members())
    with pytest.raises(BadInput, match="No layer 2: run r1 has 0 to 1"):
        runs.load("shop", layer=2)


def test_a_chosen_run_is_the_default_also_when_newer_ones_come(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.save(run(), members())
    runs.choose_run("shop", ChosenRun(run="r1", by="assistant"))
    runs.save(run(), members())
    assert runs.load("shop").id == "r1"
    runs.choose_run("shop", None)
    assert runs.load("shop").id == "r2"


def test_a_deleted_run_leaves_those_made_of_it_whole_and_its_number_unused(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    first = runs.save(run(parameters={"seed": 7, "where": None}), members())
    split = runs.save(
        run(parent_run="r1", within="1", parameters={"min_cluster_size": 9, "where": None}),
        members(),
    )
    grown = runs.save(run(assigned_from="r2"), members())
    runs.choose_run("shop", ChosenRun(run="r1", by="assistant"))
    runs.remove_run(first.dataset, first.id)
    assert runs.ids("shop") == ["r2", "r3"]
    assert runs.default("shop").run.id == "r3", "the choice went with the run"
    assert original_run(runs, grown).parameters == original_run(runs, split).parameters
    assert original_run(runs, split).parameters == first.parameters
    runs.remove_run(split.dataset, split.id)
    assert original_run(runs, grown).parameters == first.parameters, "also of a run before that"
    runs.remove_run(grown.dataset, grown.id)
    assert runs.save(run(), members()).id == "r4", "r3 was another one"
    assert not list((tmp_path / "shop").glob("draft-*"))


JSON_FILES = (
    "shown.json",
    "stability.json",
    "origin.json",
    "refresh.json",
    "descriptions/1.json",
    "evidence/1.json",
    "../default.json",
)


@pytest.mark.parametrize("content", [b"", b"\0" * 40, b"[1]", b'{"a', b"\xff\xfe"])
@pytest.mark.parametrize("name", [*JSON_FILES, "map.npy", "centroids.npz", "focus.txt", "../last"])
def test_a_damaged_file_that_a_run_can_do_without_counts_as_absent(
    tmp_path: Path, name: str, content: bytes
) -> None:
    runs = Runs(tmp_path)
    saved = runs.save(run(assigned_from="r9"), members())
    file = tmp_path / "shop" / "r1" / name
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(content)
    assert runs.load("shop") == saved
    assert original_run(runs, saved) == saved
    read: list[object] = [runs.stability(saved), runs.map(saved), runs.refresh_begun(saved, "key")]
    read += [runs.description(saved, "1"), runs.evidence(saved, "1", Stability)]
    assert read == [None] * 5
    assert runs.descriptions(saved) == runs.centroids(saved) == {}
    if name != "focus.txt" or content == b"\xff\xfe":
        assert runs.focus(saved) == ""
    assert runs.save(run(), members()).id == "r2"
    if name.endswith((".json", ".npy", ".npz")):
        assert file.with_name(f"{file.name}.damaged").read_bytes() == content


def test_arrays_with_any_one_bit_turned_are_read_or_count_as_absent(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    saved = runs.save(run(), members())
    file = tmp_path / "shop" / "r1" / "centroids.npz"
    np.savez(file, np.ones(2, np.float32))
    content = file.read_bytes()
    for at in range(8 * len(content)):
        turned = bytearray(content)
        turned[at // 8] ^= 1 << at % 8
        file.write_bytes(turned)
        runs.centroids(saved)


def test_what_is_whole_but_of_another_version_is_left_where_it_is(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.save(run(), members())
    saved = runs.save(run(), members())
    newer = runs.folder("shop", "r2") / "run.json"
    newer.write_text(newer.read_text().replace('"size": 2', '"size": {"records": 2}'))
    words = runs.folder("shop", "r1") / "descriptions" / "1.json"
    words.parent.mkdir()
    words.write_text('{"from_the_future": 1}')
    assert runs.ids("shop") == ["r1"]
    assert "of another version (nodes.0.size" in runs.unreadable("shop")["r2"]
    assert runs.descriptions(runs.load("shop")) == {}
    assert words.exists()
    assert newer.exists()
    with pytest.raises(NotFound, match=r"No run 'r2' of 'shop'. r2 cannot be read"):
        runs.load("shop", saved.id)


@pytest.mark.parametrize("content", [b"", b"\0" * 400, b"PAR1 cut off"])
def test_members_that_were_cut_off_make_a_run_unreadable(tmp_path: Path, content: bytes) -> None:
    runs = Runs(tmp_path)
    runs.save(run(), members())
    runs.save(run(), members())
    (tmp_path / "shop" / "r2" / "members.parquet").write_bytes(content)
    fresh = Runs(tmp_path)
    assert fresh.load("shop").id == "r1"
    aside = tmp_path / "shop" / "damaged-r2"
    why = f"is damaged (members.parquet is cut off or empty) and was moved to {aside}"
    assert fresh.unreadable("shop") == {"r2": why}
    assert fresh.save(run(), members()).id == "r3"
    fresh.remove_run("shop", "r2")
    assert fresh.unreadable("shop") == {}


def test_members_that_are_damaged_within_are_noticed_when_they_are_read(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.save(run(), members())
    saved = runs.save(run(), members())
    file = tmp_path / "shop" / "r2" / "members.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[:4] + bytes(len(whole) - 8) + whole[-4:])
    with pytest.raises(NotReady, match=r"Run r2 of 'shop' is damaged \(members.parquet: "):
        runs.members(saved)
    assert runs.ids("shop") == ["r1"]
    assert (tmp_path / "shop" / "damaged-r2").is_dir()


def test_a_run_that_has_lost_what_it_set_aside_is_not_used_as_if_it_had_not(
    tmp_path: Path,
) -> None:
    runs = Runs(tmp_path)
    saved = runs.save(run(regardless_of=["airline"]), members())
    with pytest.raises(NotReady, match="has lost what it set aside"):
        runs.offsets(saved)


def test_foreign_names_among_the_runs_disturb_nothing(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.save(run(), members())
    names = ["draft-foo", "draft-0-x", "draft-99999999999999-x", "r007", "r99999999999"]
    names += ["r9999999", "damaged-", "deleted-r0"]
    for name in names:
        (tmp_path / "shop" / name).mkdir()
    (tmp_path / "shop" / "r2").write_text("a file")
    assert runs.ids("shop") == ["r1"]
    assert runs.save(run(), members()).id == "r3"
    assert {*names} <= {path.name for path in (tmp_path / "shop").iterdir()}


def test_a_run_that_was_deleted_twice_over_is_swept(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    runs.save(run(), members())
    deleted = tmp_path / "shop" / "deleted-r3-1"
    deleted.mkdir()
    (deleted / "run.json").write_bytes((tmp_path / "shop" / "r1" / "run.json").read_bytes())
    assert runs.save(run(), members()).id == "r4"
    assert not list(deleted.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_run_out_of_reach_hides_no_other_and_is_there_once_it_can_be_reached(
    tmp_path: Path,
) -> None:
    runs = Runs(tmp_path)
    for _ in range(3):
        runs.save(run(), members())
    aside = []
    for name, put in (("r1", Path.mkdir), ("r2", lambda file: file.symlink_to(file))):
        file = runs.folder("shop", name) / "run.json"
        aside.append((file.rename(file.with_name("aside")), file))
        put(file)
    assert runs.ids("shop") == ["r3"]
    assert runs.unreadable("shop") == {
        "r1": "cannot be read (run.json: Is a directory)",
        "r2": "cannot be read (run.json: Too many levels of symbolic links)",
    }
    for kept, file in aside:
        file.rmdir() if file.is_dir() else file.unlink()
        kept.rename(file)
    assert runs.ids("shop") == ["r1", "r2", "r3"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_run_that_this_user_may_not_read_is_there_once_it_is_allowed(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    for _ in range(2):
        runs.save(run(), members())
    runs.folder("shop", "r1").chmod(0)
    assert runs.ids("shop") == ["r2"]
    assert runs.unreadable("shop") == {"r1": "cannot be read (run.json: Permission denied)"}
    runs.folder("shop", "r1").chmod(0o700)
    assert runs.ids("shop") == ["r1", "r2"]


def test_groups_that_were_set_aside_and_cannot_be_read_count_as_absent(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    saved = runs.save(run(regardless_of=["airline"]), members())
    for groups in ('{"columns": []}', "[]", '{"columns": [], "values": [], "rest": [], "x": 1}'):
        file = runs.folder("shop", "r1") / "group_offsets.npz"
        arrays = {name: np.zeros(1) for name in ("codes", "axes", "centre")}
        np.savez(file, allow_pickle=False, groups=np.array(groups), **arrays)
        with pytest.raises(NotReady, match="has lost what it set aside"):
            runs.offsets(saved)


class Killed(BaseException):
    """In place of the end of the process."""


def test_a_run_whose_deletion_is_killed_at_any_step_is_whole_or_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, died = 0, True
    while died:
        steps += 1
        left = steps
        runs = Runs(tmp_path / str(steps))
        first = runs.save(run(parameters={"seed": 7, "where": None}), members())
        words = Description(cluster="1", title="Tea", summary=[], keywords=[], author="person")
        runs.save_description(first, words)
        grown = runs.save(run(assigned_from="r1"), members())

        def step(function: Any, *arguments: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if not left:
                raise Killed
            return function(*arguments, **options)

        with monkeypatch.context() as patch:
            for name in ("rename", "replace", "unlink", "rmdir"):
                patch.setattr(os, name, partial(step, getattr(os, name)))
            try:
                runs.remove_run("shop", "r1")
                died = False
            except Killed:
                pass
        fresh = Runs(tmp_path / str(steps))
        assert fresh.ids("shop") == (["r1", "r2"] if steps == 1 else ["r2"])
        assert original_run(fresh, grown).parameters == first.parameters, f"step {steps}"
        if steps > 1:
            fresh.sweep("shop")
            assert not list(fresh.root.glob("shop/deleted-*/*"))
            assert original_run(fresh, grown).parameters == first.parameters
            fresh.remove_run("shop", "r2")
            assert fresh.save(run(), members()).id == "r3"
    assert steps > 5


def test_a_full_disk_does_not_keep_a_run_from_being_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(tmp_path)
    runs.save(run(), members())

    def no_room(*arguments: Any, **options: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        for name in ("mkdir", "fsync", "replace"):
            patch.setattr(os, name, no_room)
        runs.remove_run("shop", "r1")
    assert runs.ids("shop") == []
    assert runs.save(run(), members()).id == "r2"


def test_a_run_that_cannot_be_written_leaves_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    runs = Runs(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", no_room)
        with pytest.raises(OSError, match="No space left"):
            runs.save(run(), members())
    assert list((tmp_path / "shop").iterdir()) == []
