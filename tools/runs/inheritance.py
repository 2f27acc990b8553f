"""What a run takes over from an earlier one of the same records: ids, words, and what became of it.

Beside its members a run keeps the centroids of its clusters, by which a later one knows them again
when their records are gone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.layers import UNKNOWN
from corpuscope.tools.clustering.tree import ClusterTree, layer_paths
from corpuscope.tools.core.schema import (
    NOISE,
    DatasetCard,
    Description,
    Floats,
    Ints,
    Members,
    Run,
    Scalar,
    to_json,
)
from corpuscope.tools.core.vectors import unit_mean
from corpuscope.tools.runs.changes import Comparison, compare
from corpuscope.tools.runs.matching import (
    Overlaps,
    inherited_ids,
    overlaps,
    rename_clusters,
    same_by_centroid,
    same_clusters,
)
from corpuscope.tools.store.runs import DESCRIPTIONS, Runs
from corpuscope.tools.workspace.selection import Selection

CENTROIDS_FILE = "centroids.npz"

LOOKED_BACK = 5
"""Earlier runs in which a cluster is looked for: someone tries parameters and comes back."""


@dataclass(frozen=True, slots=True, eq=False)
class Carried:
    """A run that is not saved yet, with what it took over from an earlier one.

    `same`: the earlier id of each cluster that is the same thing; `comparison` is None where there
    is no earlier run.
    """

    run: Run
    members: Members
    centroids: dict[str, Floats]
    descriptions: dict[str, Description]
    same: dict[str, str]
    comparison: Comparison | None

    def keep(self, folder: Path) -> None:
        """Write words and centroids into the folder of the run before it appears."""
        keep_descriptions(folder, self.descriptions)
        keep_centroids(folder, self.centroids)


def inherit(
    runs: Runs, card: DatasetCard, draft: Run, members: Members, centroids: dict[str, Floats]
) -> Carried:
    """The draft of a run with the ids and words of the newest earlier run of the same records.

    `centroids` (dim,) by cluster id, as they were found.
    """
    past = earlier_runs(runs, draft)
    if not past:
        return Carried(draft, members, centroids, {}, {}, None)
    newest = Selection(card, past[0], runs.descriptions(past[0]))
    known = runs.members(past[0])
    same = _same(runs, past[0], overlaps(known, members), centroids)
    words = inherited_descriptions(newest, same)
    # What was away for a few runs comes back under its id: an id never means two things.
    returning = dict(same)
    present = {node.id for node in past[0].nodes}
    for run in past[1:LOOKED_BACK]:
        if len(returning) == len(draft.nodes):
            break
        for id, earlier in same_clusters(overlaps(runs.members(run), members)).items():
            if id not in returning and earlier not in {*present, *returning.values()}:
                returning[id] = earlier
                words |= inherited_descriptions(
                    Selection(card, run, runs.descriptions(run)), {id: earlier}
                )
    used = {node.id for run in past for node in run.nodes}
    names = inherited_ids([node.id for node in draft.nodes], returning, used)
    nodes, moved = rename_clusters(draft.nodes, members, names)
    run = replace(draft, nodes=nodes, follows=past[0].id)
    same = {names[id]: earlier for id, earlier in same.items()}
    words = {names[id]: replace(word, cluster=names[id]) for id, word in words.items()}
    comparison = compare(newest, Selection(card, run, words), same, overlaps(known, moved))
    vectors = {names[id]: vector for id, vector in centroids.items()}
    return Carried(run, moved, vectors, words, same, comparison)


def _same(runs: Runs, run: Run, shared: Overlaps, centroids: dict[str, Floats]) -> dict[str, str]:
    """The cluster of an earlier run, by later one: by records, else by the centroids it keeps."""
    same = same_clusters(shared)
    left = {id: vector for id, vector in centroids.items() if id not in same}
    gone = kept_centroids(runs.folder(run.dataset, run.id))
    return same | same_by_centroid({id: gone[id] for id in gone if id in shared.lost}, left)


def earlier_runs(runs: Runs, run: Run) -> list[Run]:
    """The saved runs of the same records (dataset, filter), the newest first, before this one.

    `run` may be a draft, which comes after all that are saved.
    """
    alike = _alike(runs, run.dataset, run.collection, run.parameters.get("where"))
    return [one for one in alike if not run.id or int(one.id[1:]) < int(run.id[1:])]


def newest_like(runs: Runs, card: DatasetCard, where: str | None) -> Run | None:
    """The newest saved run of the same records, with which a new one will be compared."""
    return next(_alike(runs, card.name, card.collection, where), None)


def _alike(runs: Runs, dataset: str, collection: str, where: Scalar) -> Iterator[Run]:
    """The saved runs of these records, the newest first."""
    for id in reversed(runs.ids(dataset)):
        run = runs.load(dataset, id)
        if run.collection == collection and run.parameters.get("where") == where:
            yield run


def earlier_labels(runs: Runs, earlier: Run, corpus: Corpus) -> Ints:
    """(m,) labels of the recommended clusters in which an earlier run had the distinct texts."""
    members = runs.members(earlier)
    paths = layer_paths(members.paths, earlier.nodes, earlier.recommended)
    numbers = {path: number for number, path in enumerate(sorted({*paths} - {NOISE}))} | {NOISE: -1}
    of_record = {id: numbers[path] for id, path in zip(members.ids, paths, strict=True)}
    return np.array([of_record.get(corpus.ids[at], UNKNOWN) for at in corpus.first], np.int32)


def of_all_sizes(run: Run) -> bool:
    """Whether a run looked for clusters at every resolution, and so has headings to compare."""
    return run.parameters.get("min_cluster_size") is None and (
        run.parameters.get("space") != "embedding"
    )


def inherited_descriptions(before: Selection, same: Mapping[str, str]) -> dict[str, Description]:
    """The descriptions of an earlier run for the clusters that are the same thing, by later id.

    Their parts are others now, so that nothing is said of one that was passed over.
    """
    return {
        id: replace(
            without_parts(before.descriptions[earlier]),
            cluster=id,
            carried_from=before.descriptions[earlier].carried_from or f"{before.run.id}:{earlier}",
        )
        for id, earlier in same.items()
        if earlier in before.descriptions
    }


def without_parts(description: Description) -> Description:
    """The description without what its proof says of parts that are no more."""
    if description.proof is None or description.proof.passed_over is None:
        return description
    proof = replace(description.proof, passed_over=None)
    return replace(description, proof=proof)


def keep_descriptions(folder: Path, descriptions: Mapping[str, Description]) -> None:
    """Write descriptions into the folder of a run that is about to appear."""
    if descriptions:
        (folder / DESCRIPTIONS).mkdir(exist_ok=True)
    for id, description in descriptions.items():
        written = to_json(description, indent=1)
        (folder / DESCRIPTIONS / f"{id}.json").write_text(written, encoding="utf-8")


def cluster_centroids(corpus: Corpus, tree: ClusterTree) -> dict[str, Floats]:
    """The (dim,) float32 mean of each cluster's distinct texts, of unit length, by id."""
    return {node.id: unit_mean(corpus.vectors[node.members]) for node in tree.nodes}


def keep_centroids(folder: Path, centroids: Mapping[str, Floats]) -> None:
    """Write centroids into the folder of a run that is about to appear."""
    if centroids:
        vectors = np.stack([*centroids.values()]).astype(np.float16)
        np.savez(folder / CENTROIDS_FILE, ids=np.array([*centroids]), vectors=vectors)


def kept_centroids(folder: Path) -> dict[str, Floats]:
    """The centroids that a run keeps in its folder; none where it keeps none."""
    file = folder / CENTROIDS_FILE
    if not file.exists():
        return {}
    with np.load(file, allow_pickle=False) as kept:
        vectors: Floats = kept["vectors"].astype(np.float32)
        return dict(zip(map(str, kept["ids"]), vectors, strict=True))
