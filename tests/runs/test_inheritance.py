from dataclasses import replace
from pathlib import Path

import numpy as np
from support.made_runs import CARD, Made, made

from corpuscope.tools.archive.defaults import ChosenLayer
from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.core.schema import Description, Floats, Proof
from corpuscope.tools.runs.draft import RunDraft
from corpuscope.tools.runs.inheritance import inherit

PROOF = Proof(auc=0.9, best=0.95, by="lexical", inside=20, outside=20)
TITLES = {"1": "Parcels", "2": "Refunds"}


def draft_of(
    run: Made, centroids: dict[str, Floats], descriptions: dict[str, Description]
) -> RunDraft:
    return RunDraft(CARD, replace(run.run, id=""), run.members, descriptions, centroids)


def test_clusters_whose_records_are_gone_are_known_by_their_centroids(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    axes = np.eye(4, dtype=np.float32)
    before = made("1:30 2:20", titles={"2": "Parcels"})
    words = before.selection.descriptions
    first = inherit(runs, draft_of(before, {"1": axes[0], "2": axes[1]}, words))
    runs.save(first.run, first.members, first.write)
    after = made("1:40 2:9", first=1_000)
    second = inherit(runs, draft_of(after, {"1": axes[1], "2": axes[2]}, {}))
    assert [node.id for node in second.run.nodes] == ["2", "3"]
    assert second.descriptions["2"].title == "Parcels"
    assert second.descriptions["2"].carried_from == "r1:2"
    assert second.comparison is not None
    assert (second.comparison.kept, second.comparison.died, second.comparison.born) == (1, 1, 1)


def chain(runs: Runs, *paths: str, titles: dict[str, str]) -> list[RunDraft]:
    """Runs of the same records one after the other, the first with titles and proofs."""
    drafts = []
    for number, path in enumerate(paths):
        run = made(path, titles=titles if number == 0 else None)
        words = {
            cluster: replace(description, proof=PROOF)
            for cluster, description in run.selection.descriptions.items()
        }
        draft = inherit(runs, draft_of(run, {}, words))
        runs.save(draft.run, draft.members, draft.write)
        drafts.append(draft)
    return drafts


def test_how_much_a_cluster_changed_counts_from_where_its_words_were_written(
    tmp_path: Path,
) -> None:
    # Each step takes 20 of 100 records away, and the later ones have less to lose.
    _, once, twice = chain(
        Runs(tmp_path), "1:100 2:60", "1:80 noise:20 2:60", "1:64 noise:36 2:60", titles=TITLES
    )
    assert (once.descriptions["1"].changed, once.descriptions["1"].stale) == (0.2, False)
    assert once.descriptions["1"].proof == PROOF
    assert (twice.descriptions["1"].changed, twice.descriptions["1"].stale) == (0.36, True)
    assert twice.descriptions["1"].carried_from == "r1:1"
    assert twice.descriptions["1"].proof is None, "it was of other texts"
    assert (twice.descriptions["2"].changed, twice.descriptions["2"].proof) == (0.0, PROOF)


def test_a_cluster_that_grew_much_has_stale_words_too(tmp_path: Path) -> None:
    _, grown = chain(Runs(tmp_path), "1:60 noise:40 2:50", "1:100 2:50", titles=TITLES)
    assert (grown.descriptions["1"].changed, grown.descriptions["1"].stale) == (0.4, True)


def test_what_changed_is_not_forgotten_with_the_run_of_the_writing(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    chain(runs, "1:100 2:60", "1:80 noise:20 2:60", titles=TITLES)
    runs.remove_run("shop", "r1")
    later = made("1:64 noise:36 2:60")
    draft = inherit(runs, draft_of(later, {}, {}))
    assert draft.descriptions["1"].changed == 0.36


def test_a_proof_that_was_measured_again_holds_as_long_as_its_own_texts_do(tmp_path: Path) -> None:
    runs = Runs(tmp_path)
    _, changed = chain(runs, "1:100 2:60", "1:60 noise:40 2:60", titles=TITLES)
    assert changed.descriptions["1"].stale
    proved = replace(changed.descriptions["1"], proof=PROOF, proved_on="r2:1")
    runs.save_description(runs.load("shop", "r2"), proved)
    later = made("1:55 noise:45 2:60")
    draft = inherit(runs, draft_of(later, {}, {}))
    assert (draft.descriptions["1"].changed, draft.descriptions["1"].proof) == (0.45, PROOF)


def test_a_layer_that_was_chosen_to_be_shown_is_not_what_a_new_run_is_compared_with(
    tmp_path: Path,
) -> None:
    runs = Runs(tmp_path)
    paths = "1.1:30 1.2:20 2:15"
    (first,) = chain(runs, paths, titles={})
    saved = runs.load("shop", "r1")
    runs.choose_layer(saved, ChosenLayer(layer=0, by="person"))
    assert first.comparison is None
    again = inherit(runs, draft_of(made(paths), {}, {}))
    assert again.comparison is not None
    assert (again.comparison.kept, again.comparison.died, again.comparison.split) == (3, 0, 0)
