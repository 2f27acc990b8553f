"""What a run keeps of a clustering: nodes with words and examples, members, parameters, versions.

In come a corpus and its clustering, out come the parts of a run as they are stored.
"""

import importlib.metadata
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import numpy as np

from corpuscope.tools.analysis.exemplars import choose_exemplars, held_keywords
from corpuscope.tools.analysis.keywords import cluster_keywords
from corpuscope.tools.archive.defaults import BY_HAND
from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.noise import (
    ReasonTexts,
    classify_noise,
    count_reasons,
    nearest_clusters,
    reason_texts,
)
from corpuscope.tools.clustering.pipeline import Clustering, Parameters, Space
from corpuscope.tools.clustering.tree import ClusterTree, Paths, layer_paths
from corpuscope.tools.core.ids import lineage, stands_in
from corpuscope.tools.core.redaction import Redact, as_it_is
from corpuscope.tools.core.schema import (
    NOISE,
    DatasetCard,
    Floats,
    Ints,
    Layer,
    Members,
    Node,
    Run,
    Scalar,
)
from corpuscope.tools.core.vectors import unit_mean

PACKAGES = ("corpuscope", "evoc", "faiss-cpu", "fast_hdbscan", "hdbscan", "numpy", "umap-learn")


def run_parameters(
    parameters: Parameters, clustering: Clustering, where: str | None
) -> dict[str, Scalar]:
    """The parameters as a run keeps them; `clustering_parameters` is the way back."""
    return {
        "space": parameters.space,
        "min_cluster_size": parameters.min_cluster_size,
        "min_samples": parameters.min_samples,
        "neighbours": clustering.graph.indices.shape[1] if clustering.graph else None,
        "seed": parameters.seed,
        "search": clustering.graph.provider if clustering.graph else None,
        "where": where,
        BY_HAND: _by_hand(parameters) or None,
    }


def _by_hand(parameters: Parameters) -> str:
    """The settings of the engine that are not as they are when none are given."""
    usual = Parameters(None, "graph", 0)
    names = ("min_cluster_size", "space", "min_samples", "neighbours", "seed")
    given = (name for name in names if getattr(parameters, name) != getattr(usual, name))
    return ", ".join(given)


def clustering_parameters(run: Run) -> Parameters:
    """With what a run was clustered; what an older one does not name is as it is today."""
    stated = run.parameters
    size, neighbours = stated.get("min_cluster_size"), stated.get("neighbours")
    given = Parameters(
        None if size is None else int(size),
        cast(Space, stated["space"]),
        int(stated.get("seed") or 0),
    )
    return replace(
        given,
        min_samples=int(stated.get("min_samples") or given.min_samples),
        # In older runs it is the name of the search.
        neighbours=neighbours if isinstance(neighbours, int) else None,
    )


def run_nodes(corpus: Corpus, clustering: Clustering, redact: Redact = as_it_is) -> list[Node]:
    """The nodes of the tree as a run keeps them: with keywords of the redacted texts, and
    exemplars that hold them."""
    members = {node.id: node.members for node in clustering.tree.nodes}
    words = cluster_keywords(corpus.texts, members, redact=redact)
    records = max(1, len(corpus.ids))
    nodes = []
    for node in clustering.tree.nodes:

        def holding(points: Ints, keywords: list[str] = words[node.id]) -> Floats:
            return held_keywords([corpus.texts[point] for point in points], keywords)

        shown = choose_exemplars(
            corpus.vectors, node.members, clustering.tree.strengths, holding=holding
        )
        nodes.append(
            Node(
                id=node.id,
                layers=node.layers,
                size=node.size,
                share=round(node.size / records, 6),
                keywords=words[node.id],
                exemplars=[corpus.ids[corpus.first[point]] for point in shown],
            )
        )
    return nodes


def centrality(corpus: Corpus, clustering: Clustering) -> Floats:
    """(m,) float32: the cosine of each distinct text to the mean of its finest cluster; noise 0."""
    near = np.zeros(len(corpus.texts), dtype=np.float32)
    names, numbers = np.unique(clustering.tree.paths.astype(str), return_inverse=True)
    groups = np.split(np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers))[:-1])
    for name, rows in zip(names, groups, strict=True):
        if name != NOISE:
            vectors = corpus.vectors[rows]
            near[rows] = vectors @ unit_mean(vectors)
    return near


def assemble_run(
    card: DatasetCard,
    clustering: Clustering,
    nodes: list[Node],
    members: Members,
    parameters: dict[str, Scalar],
) -> Run:
    """The run of these parts; it gets its id when it is saved."""
    records = len(members.ids)
    layers = [
        Layer(
            index=index,
            clusters=sum(stands_in(node, index) for node in nodes),
            coverage=round(records_in_layer(nodes, index) / records, 4),
            persistence=round(float(layer.persistence), 3),
        )
        for index, layer in enumerate(clustering.choice.layers)
    ]
    recommended = clustering.choice.recommended
    return Run(
        id="",
        dataset=card.name,
        dataset_version=card.version,
        collection=card.collection,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        parameters=parameters,
        versions={name: importlib.metadata.version(name) for name in PACKAGES},
        records=records,
        noise=records - records_in_layer(nodes, recommended),
        noise_reasons={} if members.noise_reasons is None else count_reasons(members.noise_reasons),
        layers=layers,
        recommended=recommended,
        headings=clustering.choice.headings,
        reason=clustering.choice.reason,
        hint=clustering.hint,
        nodes=nodes,
    )


def record_noise_reasons(corpus: Corpus, clustering: Clustering) -> ReasonTexts:
    """(n,) why each record is in no cluster of the recommended layer; empty where it is in one."""
    labels = clustering.tree.labels_at(clustering.choice.recommended)
    if clustering.graph is None:  # few texts: what is like another one is in a group with it
        return np.where(labels < 0, "isolated", "").astype(object)[corpus.copies_of]
    ids = [node.id for node in clustering.tree.nodes]
    reasons = reason_texts(classify_noise(clustering.graph, labels), ids, len(labels))
    return reasons[corpus.copies_of]


def with_nearest(members: Members, corpus: Corpus, clustering: Clustering) -> Members:
    """The members with the theme of the recommended layer that each record of the noise is nearest
    to: a level beside the clusters, which stay as they are."""
    tree = clustering.tree
    names = np.array([*(node.id for node in tree.nodes), ""], dtype=object)  # -1 finds the last
    nearest = np.full(len(corpus.texts), -1, np.int32)
    if clustering.graph is not None:
        labels = tree.labels_at(clustering.choice.recommended)
        nearest = nearest_clusters(clustering.graph, labels)
    return replace(members, nearest=names[nearest[corpus.copies_of]])


def with_noise_assigned(run: Run, members: Members) -> tuple[Run, Members]:
    """A run over these members, with what is nearest to a theme counted anew.

    What is in a theme now needs none that is near, and a theme that is gone is near to nothing.
    """
    if members.nearest is None:
        return run, members
    # Nearest are themes of the layer that was found, whichever is shown.
    places = np.array(layer_paths(members.paths, run.nodes, run.found_layer), dtype=object)
    themes = {node.id for node in run.nodes if stands_in(node, run.found_layer)}
    holds = np.array([theme in themes for theme in members.nearest]) & (places == NOISE)
    nearest = np.where(holds, members.nearest, "").astype(object)
    run = replace(run, noise_assigned=int(holds.sum()))
    return run, replace(members, nearest=nearest)


def records_in_layer(nodes: list[Node], layer: int) -> int:
    """Records in a cluster of that layer."""
    return sum(node.size for node in nodes if stands_in(node, layer))


def run_members(corpus: Corpus, clustering: Clustering) -> Members:
    """Which record is where, duplicates included."""
    return Members(
        ids=corpus.ids,
        paths=clustering.tree.paths[corpus.copies_of],
        strengths=clustering.tree.strengths[corpus.copies_of],
        centrality=centrality(corpus, clustering)[corpus.copies_of],
        copies_of=corpus.copies_of,
        noise_reasons=record_noise_reasons(corpus, clustering),
    )


def cluster_centroids(corpus: Corpus, tree: ClusterTree) -> dict[str, Floats]:
    """The (dim,) float32 mean of each cluster's distinct texts, of unit length, by id.

    By them a later run knows clusters again whose records are gone.
    """
    return {node.id: unit_mean(corpus.vectors[node.members]) for node in tree.nodes}


def recount(run: Run, nodes: list[Node], paths: Paths) -> Run:
    """A run made from another one now, not saved yet: its clusters and layers are counted anew
    over these paths."""
    return replace(
        count_clusters(run, nodes, paths),
        id="",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        follows=None,
        assigned_from=None,
        assigned=0,
    )


def count_clusters(run: Run, nodes: list[Node], paths: Paths) -> Run:
    """The run with these clusters, and layers and noise, counted over these paths; a cluster that
    is empty is gone, also from what names it."""
    records = len(paths)
    sizes: Counter[str] = Counter()
    for path, count in Counter(map(str, paths)).items():
        sizes.update(dict.fromkeys(lineage(path), count))
    filled = [
        replace(node, size=sizes[node.id], share=round(sizes[node.id] / records, 6))
        for node in nodes
        if sizes[node.id]
    ]
    layers = [
        replace(
            layer,
            coverage=round(records_in_layer(filled, layer.index) / records, 4),
            clusters=sum(stands_in(node, layer.index) for node in filled),
        )
        for layer in run.layers
    ]
    there = {node.id for node in filled}
    below = {id_: [c for c in clusters if c in there] for id_, clusters in run.grouped.items()}
    return replace(
        run,
        records=records,
        noise=records - records_in_layer(filled, run.recommended),
        layers=layers,
        nodes=filled,
        grouped={heading: clusters for heading, clusters in below.items() if clusters},
        frozen=[cluster for cluster in run.frozen if cluster in there],
    )
