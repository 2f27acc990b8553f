"""From what was found to what a run keeps: nodes with words and examples, members, versions."""

import importlib.metadata
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import numpy as np

from corpuscope.tools.analysis.exemplars import choose_exemplars
from corpuscope.tools.analysis.keywords import cluster_keywords
from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.noise import Reasons, count_reasons, noise_reasons, word_reasons
from corpuscope.tools.clustering.pipeline import Clustering, Parameters, Space
from corpuscope.tools.clustering.tree import stands_in
from corpuscope.tools.core.redaction import Redact, as_it_is
from corpuscope.tools.core.schema import (
    NOISE,
    DatasetCard,
    Floats,
    Layer,
    Members,
    Node,
    Run,
    Scalar,
)
from corpuscope.tools.core.vectors import unit_mean

PACKAGES = ("corpuscope", "evoc", "faiss-cpu", "fast_hdbscan", "hdbscan", "numpy", "umap-learn")


def run_parameters(
    parameters: Parameters, found: Clustering, where: str | None
) -> dict[str, Scalar]:
    """The parameters as a run keeps them; `parameters_of` is the way back."""
    return {
        "space": parameters.space,
        "min_cluster_size": parameters.min_cluster_size,
        "min_samples": parameters.min_samples,
        "neighbours": found.graph.indices.shape[1] if found.graph else None,
        "seed": parameters.seed,
        "search": found.graph.provider if found.graph else None,
        "where": where,
    }


def clustering_parameters(run: Run) -> Parameters:
    """With what a run was clustered; what an older one does not name is as it is today."""
    kept = run.parameters
    size = kept.get("min_cluster_size")
    plain = Parameters(
        None if size is None else int(size), cast(Space, kept["space"]), int(kept.get("seed") or 0)
    )
    return replace(
        plain,
        min_samples=int(kept.get("min_samples") or plain.min_samples),
        # In older runs it is the name of the search.
        neighbours=found if isinstance(found := kept.get("neighbours"), int) else None,
    )


def described_nodes(corpus: Corpus, found: Clustering, redact: Redact = as_it_is) -> list[Node]:
    """The nodes of the tree as a run keeps them: with keywords of the redacted texts, and
    exemplars."""
    members = {node.id: node.members for node in found.tree.nodes}
    words = cluster_keywords(corpus.texts, members, redact=redact)
    records = max(1, len(corpus.ids))
    nodes = []
    for node in found.tree.nodes:
        shown = choose_exemplars(corpus.vectors, node.members, found.tree.strengths)
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


def centrality(corpus: Corpus, found: Clustering) -> Floats:
    """(m,) float32: the cosine of each distinct text to the mean of its finest cluster; noise 0."""
    near = np.zeros(len(corpus.texts), dtype=np.float32)
    names, numbers = np.unique(found.tree.paths.astype(str), return_inverse=True)
    groups = np.split(np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers))[:-1])
    for name, rows in zip(names, groups, strict=True):
        if name != NOISE:
            own = corpus.vectors[rows]
            near[rows] = own @ unit_mean(own)
    return near


def recorded_run(
    card: DatasetCard,
    corpus: Corpus,
    found: Clustering,
    nodes: list[Node],
    members: Members,
    kept: dict[str, Scalar],
) -> Run:
    """The run as it is kept; it gets its id when it is saved."""
    layers = [
        Layer(
            index=index,
            clusters=sum(stands_in(node, index) for node in nodes),
            coverage=round(covered(nodes, index) / len(corpus.ids), 4),
            persistence=round(float(layer.persistence), 3),
        )
        for index, layer in enumerate(found.choice.layers)
    ]
    recommended = found.choice.recommended
    return Run(
        id="",
        dataset=card.name,
        dataset_version=card.version,
        collection=card.collection,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        parameters=kept,
        versions={name: importlib.metadata.version(name) for name in PACKAGES},
        records=len(corpus.ids),
        noise=len(corpus.ids) - covered(nodes, recommended),
        noise_reasons={} if members.noise_reasons is None else count_reasons(members.noise_reasons),
        layers=layers,
        recommended=recommended,
        reason=found.choice.reason,
        hint=found.hint,
        nodes=nodes,
    )


def reasons_of_noise(corpus: Corpus, found: Clustering) -> Reasons:
    """(n,) why each record is in no cluster of the recommended layer; empty where it is in one."""
    if found.graph is None:  # too few texts: they are all in one cluster
        return np.full(len(corpus.ids), "", dtype=object)
    labels = found.tree.labels_at(found.choice.recommended)
    ids = [node.id for node in found.tree.nodes]
    reasons = word_reasons(noise_reasons(found.graph, labels), ids, len(labels))
    return reasons[corpus.copies_of]


def covered(nodes: list[Node], layer: int) -> int:
    """Records in a cluster of that layer."""
    return sum(node.size for node in nodes if stands_in(node, layer))


def recorded_members(corpus: Corpus, found: Clustering) -> Members:
    """Which record is where, duplicates included."""
    return Members(
        ids=corpus.ids,
        paths=found.tree.paths[corpus.copies_of],
        strengths=found.tree.strengths[corpus.copies_of],
        centrality=centrality(corpus, found)[corpus.copies_of],
        copies_of=corpus.copies_of,
        noise_reasons=reasons_of_noise(corpus, found),
    )
