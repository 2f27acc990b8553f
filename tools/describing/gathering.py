"""From a run to the tasks of describing its clusters: the evidence of each, and the texts set aside
to try its description on.

Texts, vectors and metadata are read once for all clusters of a call. Whatever goes into evidence is
redacted here, before anything is cut off.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.keyword_texts import (
    SURELY_SHOWN,
    count_keywords,
    from_keyword,
    missing_keywords,
)
from corpuscope.tools.analysis.metadata_profile import profile_metadata
from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.core.excerpts import redact_columns, redact_cut, redact_value
from corpuscope.tools.core.ids import is_within, lineage
from corpuscope.tools.core.masking import keyword_text
from corpuscope.tools.core.redaction import as_it_is
from corpuscope.tools.core.schema import NOISE, Ints, Members, Node, Run
from corpuscope.tools.core.text import clean_text, shorten_middle
from corpuscope.tools.describing.evidence import (
    EXCERPT_CHARACTERS,
    Evidence,
    Excerpt,
    Findings,
    Keyphrase,
    Sibling,
    build_evidence,
)
from corpuscope.tools.describing.proof import Trial
from corpuscope.tools.describing.sampling import (
    NEAR_CLUSTERS,
    Partition,
    Sample,
    make_partition,
    sample_cluster,
    with_keyword_texts,
)
from corpuscope.tools.workspace.reading import load_run
from corpuscope.tools.workspace.selection import Selection
from corpuscope.tools.workspace.workspace import Workspace

COUNTED = 200
"""Texts on each side in which keywords are counted: a share to within 7 points."""

COUNTED_CHARACTERS = 1_000
"""Read of one text: what it is about is said at its beginning."""

DAY = len("2015-02-24")
"""Of a date what is shown beside a text."""

PROFILED, PROFILED_ELSEWHERE = 300, 1_000
"""Records whose metadata are read, of each cluster and of all together: shares to within 6 points.
The same whatever else a call asks for, or the evidence of a cluster would depend on it."""


@dataclass(frozen=True, slots=True, eq=False)
class DescriptionTask:
    """The evidence of one cluster, the texts set aside on which its description is tried, and the
    ids of the clusters that it is compared with, itself included."""

    evidence: Evidence
    trial: Trial
    beside: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Material:
    """What the tasks of one call are made of: m distinct texts, where the run has them (`paths`
    (m,), "" for those it does not know), and how many of its records have each (`weights` (m,))."""

    workspace: Workspace
    selection: Selection
    corpus: Corpus
    paths: NDArray[np.object_]
    weights: Ints

    @cached_property
    def _partitions(self) -> dict[tuple[str, ...], Partition]:
        return {}

    @cached_property
    def _coded(self) -> tuple[list[str], NDArray[np.int64]]:
        names, codes = np.unique(self.paths.astype(str), return_inverse=True)
        return [str(name) for name in names], codes.astype(np.int64)

    def partition(self, ids: tuple[str, ...]) -> Partition:
        """The clusters of these ids, as they lie beside each other."""
        if ids not in self._partitions:
            self._partitions[ids] = make_partition(ids, self.labels(ids), self.corpus.vectors)
        return self._partitions[ids]

    def labels(self, ids: Sequence[str]) -> Ints:
        """(m,) the position in `ids` of the cluster that each text is in; -1 for none of them, -2
        for texts that the run does not know."""
        names, codes = self._coded
        place = {cluster: number for number, cluster in enumerate(ids)}
        labels = [
            next((place[above] for above in lineage(name) if above in place), -1 if name else -2)
            for name in names
        ]
        return np.array(labels, np.int32)[codes]

    def record(self, point: int) -> str:
        """The record that shows a text."""
        return self.corpus.ids[int(self.corpus.first[point])]

    def text(self, point: int) -> str:
        """A text as it may be shown, cleaned and redacted, and not cut yet."""
        redacted: str = self.workspace.redact(clean_text(self.corpus.texts[point]))
        return redacted


@dataclass(frozen=True, slots=True, eq=False)
class _SampledCluster:
    """The sample of one cluster: `node` stands at `place` of `partition`; `parts` says which of its
    children a sampled point of it is in."""

    node: Node
    partition: Partition
    place: int
    sample: Sample
    parts: dict[int, str]
    phrases: list[Keyphrase]
    holding: dict[int, str]
    """The keyword for which a text of the sample is shown, by point."""


def gather_tasks(
    workspace: Workspace, selection: Selection, nodes: Sequence[Node]
) -> list[DescriptionTask]:
    """The tasks of describing these clusters, in their order; the same for the same run and texts,
    whatever else is asked for.

    Raises:
        NotReady: The dataset was replaced after the run, or grew while it was read.
    """
    from threadpoolctl import threadpool_limits

    if not nodes:
        return []
    selection.check_current()
    members = workspace.runs.members(selection.run)
    loaded = load_run(workspace, selection.card, selection.run, members, all_records=True)
    corpus = loaded.corpus
    paths, weights = _places(corpus, members)
    material = _Material(workspace, selection, corpus, paths, weights)
    seed = int(selection.run.parameters.get("seed") or 0)
    # Several threads add up in the order in which they end: the last digits would be chance.
    with threadpool_limits(1):
        clusters = [_sample(material, node, seed) for node in nodes]
    profiles = _traits(material, clusters, seed)
    days = _days(material, clusters)
    return [
        DescriptionTask(
            build_evidence(selection.card.name, node, _findings(material, cluster, traits, days)),
            _trial(material, cluster),
            tuple(cluster.partition.ids),
        )
        for node, cluster, traits in zip(nodes, clusters, profiles, strict=True)
    ]


def stored_evidence(workspace: Workspace, run: Run, cluster: str) -> Evidence | None:
    """The evidence of a cluster as it was shown last, redacted: it may be older than the setting.
    None where it never was shown."""
    evidence = workspace.runs.evidence(run, cluster, Evidence)
    if evidence is None or workspace.redact is as_it_is:
        return evidence
    redact = partial(redact_cut, redact=workspace.redact)

    def redact_texts(excerpts: list[Excerpt]) -> list[Excerpt]:
        return [replace(excerpt, text=redact(excerpt.text)) for excerpt in excerpts]

    def redact_labels(others: list[Sibling]) -> list[Sibling]:
        return [replace(other, label=redact(other.label)) for other in others]

    return replace(
        evidence,
        keywords=[replace(word, text=redact(word.text)) for word in evidence.keywords],
        siblings=redact_labels(evidence.siblings),
        children=redact_labels(evidence.children),
        traits=[redact(trait) for trait in evidence.traits],
        excerpts=redact_texts(evidence.excerpts),
        outside=redact_texts(evidence.outside),
    )


def clusters_beside(selection: Selection, node: Node) -> tuple[str, ...]:
    """The ids of the clusters that a cluster is compared with, itself included.

    Those of the recommended layer, if it stands there, else of the nearest one in which it does;
    for a part found by drilling down its fellow parts, and the recommended layer around what was
    split.
    """
    recommended = selection.run.recommended
    if node.layers is not None and not node.drilled:
        layer = min(max(recommended, node.layers[0]), node.layers[1])
        return tuple(other.id for other in selection.standing_in(layer))
    family = [node, *selection.siblings(node)]
    heading = node.id.rpartition(".")[0]
    around = [
        other.id
        for other in selection.standing_in(recommended)
        if not is_within(other.id, heading) and not is_within(heading, other.id)
    ]
    return tuple(sorted({relative.id for relative in family} | set(around)))


def as_sibling(selection: Selection, node: Node) -> Sibling:
    """A cluster as it is named in the evidence of another."""
    return Sibling(
        id=node.id,
        label=selection.label(node),
        titled=node.id in selection.descriptions,
        size=node.size,
    )


def _places(corpus: Corpus, members: Members) -> tuple[NDArray[np.object_], Ints]:
    """For each distinct text the path of its records in the run, "" where it has none there, and
    how many they are."""
    path_of = dict(zip(members.ids, members.paths, strict=True))
    paths = np.full(len(corpus.texts), "", dtype=object)
    weights = np.zeros(len(corpus.texts), np.int32)
    for record, point in zip(corpus.ids, corpus.copies_of.tolist(), strict=True):
        path = path_of.get(record)
        if path is not None:
            paths[point] = path
            weights[point] += 1
    return paths, weights


def _sample(material: _Material, node: Node, seed: int) -> _SampledCluster:
    ids = clusters_beside(material.selection, node)
    partition, place = material.partition(ids), ids.index(node.id)
    children = [child.id for child in material.selection.children(node.id)]
    labels = material.labels(children)
    corpus = material.corpus
    sample = sample_cluster(
        partition, place, corpus.vectors, material.weights, seed=seed, parts=labels
    )
    phrases, holding = _keyphrases(material, node, partition, place, sample)
    sample = with_keyword_texts(sample, partition, corpus.vectors, list(holding), material.weights)
    points = [*(pick.point for pick in sample.picks), *sample.trial_inside.tolist()]
    parts = {point: children[labels[point]] for point in points if labels[point] >= 0}
    return _SampledCluster(node, partition, place, sample, parts, phrases, holding)


def _findings(
    material: _Material, cluster: _SampledCluster, traits: list[str], days: dict[int, str]
) -> Findings:
    partition, sample = cluster.partition, cluster.sample
    selection = material.selection
    near = [partition.ids[other] for other in partition.nearest(cluster.place)]
    points = [pick.point for pick in [*sample.picks, *sample.outside]]
    labels = {pick.point: int(partition.labels[pick.point]) for pick in sample.outside}
    outside = {point: partition.ids[home] if home >= 0 else NOISE for point, home in labels.items()}
    return Findings(
        picks=sample.picks,
        outside=sample.outside,
        texts={
            point: from_keyword(material.text(point), cluster.holding.get(point))
            for point in points
        },
        records={point: material.record(point) for point in points},
        homes=cluster.parts | outside,
        keywords=cluster.phrases,
        siblings=[as_sibling(selection, selection.node(other)) for other in near],
        children=[as_sibling(selection, child) for child in selection.children(cluster.node.id)],
        traits=traits,
        days=days,
    )


def _keyphrases(
    material: _Material, node: Node, partition: Partition, place: int, sample: Sample
) -> tuple[list[Keyphrase], dict[int, str]]:
    """The cluster's keywords, with the share of its texts and of the nearest clusters' that hold
    each; and a text for each strong one, as a point, that none of the sample holds."""
    near = partition.nearest(place)[:NEAR_CLUSTERS]
    inside = _some_texts(material, np.flatnonzero(partition.labels == place))
    beside = _some_texts(material, np.flatnonzero(np.isin(partition.labels, near)))
    counts = count_keywords(node.keywords, inside, list(beside.values()))
    shown = _read_texts(material, [pick.point for pick in sample.picks], SURELY_SHOWN)
    points = np.array(list(inside), np.int64)
    nearness = material.corpus.vectors[points] @ partition.centroids[place]
    holding = missing_keywords(counts, shown.values(), inside, nearness)
    redact = material.workspace.redact
    phrases = [
        Keyphrase(
            text=redact(count.word),
            # Keywords are counted as words, this counts letters: where they disagree, nothing is
            # said.
            share=round(count.share, 3) if count.holding and beside else None,
            beside=round(count.beside, 3) if count.holding and beside else None,
        )
        for count in counts
    ]
    return phrases, holding


def _some_texts(material: _Material, points: NDArray[np.int64]) -> dict[int, str]:
    """An even sample of texts, as keywords are read, by point."""
    step = max(1, -(-len(points) // COUNTED))
    return _read_texts(material, points[::step].tolist(), COUNTED_CHARACTERS)


def _read_texts(material: _Material, points: Sequence[int], characters: int) -> dict[int, str]:
    """The beginnings of texts, masked and lower-cased as keywords are read, by point."""
    texts, read = material.corpus.texts, keyword_text(material.selection.card.mask, as_it_is)
    return {point: read(texts[point][:characters]).lower() for point in points}


def _days(material: _Material, clusters: Sequence[_SampledCluster]) -> dict[int, str]:
    """The day of each text that is shown, by point, from the first column of dates."""
    card = material.selection.card
    column = next((name for name, kind in card.metadata_columns.items() if kind == "date"), None)
    if column is None:
        return {}
    samples = [cluster.sample for cluster in clusters]
    points = {pick.point for sample in samples for pick in [*sample.picks, *sample.outside]}
    record_of = {point: material.record(point) for point in sorted(points)}
    fetched = material.workspace.store.fetch(card, list(record_of.values()))
    days = {}
    for point, record in record_of.items():
        value = fetched[record].metadata.get(column) if record in fetched else None
        if isinstance(value, str):
            days[point] = redact_value(column, value[:DAY], material.workspace.redact)
    return days


def _traits(material: _Material, clusters: Sequence[_SampledCluster], seed: int) -> list[list[str]]:
    """For each cluster the lines of its metadata profile, from samples of its records and of all
    others."""
    columns = material.selection.card.metadata_columns
    if not columns:
        return [[] for _ in clusters]
    corpus = material.corpus

    def sampled(rows: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
        return np.random.default_rng(seed).permutation(np.flatnonzero(rows))[:most]

    anywhere = sampled(material.weights[corpus.copies_of] > 0, PROFILED_ELSEWHERE)
    inside = [
        sampled(cluster.partition.labels[corpus.copies_of] == cluster.place, PROFILED)
        for cluster in clusters
    ]
    wanted = np.unique(np.concatenate([anywhere, *inside]))
    fetched = material.workspace.store.fetch(
        material.selection.card, [corpus.ids[row] for row in wanted]
    )
    metadata = {
        int(row): fetched[record].metadata
        for row in wanted
        if (record := corpus.ids[row]) in fetched
    }
    columns, metadata = redact_columns(columns, metadata, material.workspace.redact)
    lines = []
    for cluster, members in zip(clusters, inside, strict=True):
        outside = anywhere[cluster.partition.labels[corpus.copies_of[anywhere]] != cluster.place]
        traits = profile_metadata(
            columns,
            [metadata[row] for row in members.tolist() if row in metadata],
            [metadata[row] for row in outside.tolist() if row in metadata],
            size=cluster.node.size,
        )
        lines.append([material.workspace.redact(trait.text) for trait in traits])
    return lines


def _trial(material: _Material, cluster: _SampledCluster) -> Trial:
    def texts(points: NDArray[np.int64]) -> list[str]:
        return [shorten_middle(material.text(int(point)), EXCERPT_CHARACTERS) for point in points]

    vectors = material.corpus.vectors
    inside, outside = cluster.sample.trial_inside, cluster.sample.trial_outside
    return Trial(
        inside=vectors[inside],
        outside=vectors[outside],
        centroid=cluster.partition.centroids[cluster.place],
        inside_texts=texts(inside),
        outside_texts=texts(outside),
        parts=[cluster.parts.get(int(point), "") for point in inside],
        records=[material.record(int(point)) for point in inside],
    )
