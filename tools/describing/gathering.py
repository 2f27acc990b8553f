"""From a run to the evidence of its clusters: texts, vectors and metadata are read once for all."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.analysis.metadata_profile import profile_metadata
from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.core.excerpts import redact_value
from corpuscope.tools.core.ids import is_within, lineage
from corpuscope.tools.core.redaction import Redact
from corpuscope.tools.core.schema import NOISE, ColumnType, Ints, Members, Node, Scalar
from corpuscope.tools.core.text import clean_text, shorten_middle
from corpuscope.tools.describing.evidence import (
    EXCERPT_CHARACTERS,
    Evidence,
    Findings,
    Keyphrase,
    Sibling,
    build_evidence,
)
from corpuscope.tools.describing.proof import Trial
from corpuscope.tools.describing.sampling import (
    NEAR_CLUSTERS,
    Sample,
    Stage,
    make_stage,
    sample_cluster,
)
from corpuscope.tools.workspace.reading import load_dataset
from corpuscope.tools.workspace.selection import Selection
from corpuscope.tools.workspace.workspace import Workspace

COUNTED = 200
"""Texts on each side in which keywords are counted: a share to within 7 points."""

COUNTED_CHARACTERS = 1_000
"""Read of one text: what it is about is said at its beginning."""

PROFILED, PROFILED_ELSEWHERE = 300, 1_000
"""Records whose metadata are read, of each cluster and of all together: shares to within 6 points.
The same whatever else a call asks for, or the evidence of a cluster would depend on it."""


@dataclass(frozen=True, slots=True, eq=False)
class DescriptionTask:
    """The evidence of one cluster, the texts kept aside on which its description is tried, and the
    ids of the clusters that it is held against, itself included."""

    evidence: Evidence
    trial: Trial
    beside: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Material:
    """What the packs of one call are made of: m distinct texts, where the run has them (`paths`
    (m,), "" for those it does not know), and how many of its records have each (`weights` (m,))."""

    workspace: Workspace
    selection: Selection
    corpus: Corpus
    paths: NDArray[np.object_]
    weights: Ints

    @cached_property
    def _stages(self) -> dict[tuple[str, ...], Stage]:
        return {}

    @cached_property
    def _coded(self) -> tuple[list[str], NDArray[np.int64]]:
        names, codes = np.unique(self.paths.astype(str), return_inverse=True)
        return [str(name) for name in names], codes.astype(np.int64)

    def stage(self, ids: tuple[str, ...]) -> Stage:
        """The clusters of these ids, as they lie beside each other."""
        if ids not in self._stages:
            self._stages[ids] = make_stage(ids, self.labels(ids), self.corpus.vectors)
        return self._stages[ids]

    def labels(self, ids: Sequence[str]) -> Ints:
        """(m,) the position in `ids` of the cluster that each text is in; -1 for none of them, -2
        for texts that the run does not know."""
        names, codes = self._coded
        place = {id: number for number, id in enumerate(ids)}
        found = [
            next((place[one] for one in lineage(name) if one in place), -1 if name else -2)
            for name in names
        ]
        return np.array(found, np.int32)[codes]

    def record(self, point: int) -> str:
        """The record that shows a text."""
        return self.corpus.ids[int(self.corpus.first[point])]

    def text(self, point: int) -> str:
        """A text as it may be shown: cleaned and redacted before anything is cut off."""
        shown: str = self.workspace.redact(clean_text(self.corpus.texts[point]))
        return shown


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """The sample of one cluster: `node` stands at `place` of `stage`; `parts` says which of its
    children a drawn point of it is in."""

    node: Node
    stage: Stage
    place: int
    sample: Sample
    parts: dict[int, str]


def gather_tasks(
    workspace: Workspace, selection: Selection, nodes: Sequence[Node]
) -> list[DescriptionTask]:
    """The evidence for each of the clusters, the same for the same run and texts.

    Raises:
        NotReady: The dataset was replaced after the run, or grew while it was read.
    """
    from threadpoolctl import threadpool_limits

    if not nodes:
        return []
    selection.check_current()
    corpus = load_dataset(workspace, selection.card).corpus
    members = workspace.runs.members(selection.run)
    paths, weights = _places(corpus, members)
    material = _Material(workspace, selection, corpus, paths, weights)
    seed = int(selection.run.parameters.get("seed") or 0)
    # Several threads add up in the order in which they end: the last digits would be chance.
    with threadpool_limits(1):
        drawn = [_draw(material, node, seed) for node in nodes]
    return [
        DescriptionTask(
            build_evidence(selection.card.name, one.node, _findings(material, one, traits)),
            _trial(material, one),
            tuple(one.stage.ids),
        )
        for one, traits in zip(drawn, _traits(material, drawn, seed), strict=True)
    ]


def clusters_beside(selection: Selection, node: Node) -> tuple[str, ...]:
    """The ids of the clusters that a cluster is held against, itself included.

    Those of the recommended layer, if it stands there, else of the nearest one in which it does;
    for a part found by drilling down its fellow parts, and the recommended layer around what was
    split.
    """
    recommended = selection.run.recommended
    if node.layers is not None and not node.drilled:
        layer = min(max(recommended, node.layers[0]), node.layers[1])
        return tuple(one.id for one in selection.standing_in(layer))
    family = [node, *selection.siblings(node)]
    heading = node.id.rpartition(".")[0]
    around = [
        one.id
        for one in selection.standing_in(recommended)
        if not is_within(one.id, heading) and not is_within(heading, one.id)
    ]
    return tuple(sorted({one.id for one in family} | set(around)))


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


def _draw(material: _Material, node: Node, seed: int) -> _Drawn:
    ids = clusters_beside(material.selection, node)
    stage, place = material.stage(ids), ids.index(node.id)
    children = [child.id for child in material.selection.children(node.id)]
    labels = material.labels(children)
    corpus = material.corpus
    sample = sample_cluster(stage, place, corpus.vectors, material.weights, seed=seed, parts=labels)
    points = [*(pick.point for pick in sample.picks), *sample.held.tolist()]
    parts = {point: children[labels[point]] for point in points if labels[point] >= 0}
    return _Drawn(node, stage, place, sample, parts)


def _findings(material: _Material, drawn: _Drawn, traits: list[str]) -> Findings:
    stage, sample = drawn.stage, drawn.sample
    selection = material.selection
    near = [stage.ids[other] for other in stage.nearest(drawn.place)]
    points = [pick.point for pick in [*sample.picks, *sample.outside]]
    labels = {pick.point: int(stage.labels[pick.point]) for pick in sample.outside}
    outside = {point: stage.ids[home] if home >= 0 else NOISE for point, home in labels.items()}
    return Findings(
        picks=sample.picks,
        outside=sample.outside,
        texts={point: material.text(point) for point in points},
        records={point: material.record(point) for point in points},
        homes=drawn.parts | outside,
        keywords=_counted(material, drawn),
        siblings=[as_sibling(selection, selection.node(id)) for id in near],
        children=[as_sibling(selection, one) for one in selection.children(drawn.node.id)],
        traits=traits,
    )


def _counted(material: _Material, drawn: _Drawn) -> list[Keyphrase]:
    """The cluster's keywords, with the share of its texts and of the nearest clusters' that hold
    each."""
    stage, place = drawn.stage, drawn.place
    near = stage.nearest(place)[:NEAR_CLUSTERS]
    own = _some_texts(material, np.flatnonzero(stage.labels == place))
    others = _some_texts(material, np.flatnonzero(np.isin(stage.labels, near)))
    found = []
    for word in drawn.node.keywords:
        pattern = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")
        share, elsewhere = (
            sum(bool(pattern.search(text)) for text in texts) / max(1, len(texts))
            for texts in (own, others)
        )
        # Keywords are counted as words, this counts letters: where they disagree, nothing is said.
        known = share > 0 and bool(others)
        found.append(
            Keyphrase(
                text=material.workspace.redact(word),
                share=round(share, 3) if known else None,
                beside=round(elsewhere, 3) if known else None,
            )
        )
    return found


def _some_texts(material: _Material, points: NDArray[np.int64]) -> list[str]:
    """An even sample of texts, lower-cased and cut as keywords are read."""
    step = max(1, -(-len(points) // COUNTED))
    return [material.corpus.texts[point][:COUNTED_CHARACTERS].lower() for point in points[::step]]


def _traits(material: _Material, drawn: Sequence[_Drawn], seed: int) -> list[list[str]]:
    """For each cluster the lines of its metadata profile, from samples of its records and of all
    others."""
    columns = material.selection.card.metadata_columns
    if not columns:
        return [[] for _ in drawn]
    corpus = material.corpus

    def some(rows: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
        return np.random.default_rng(seed).permutation(np.flatnonzero(rows))[:most]

    every = some(material.weights[corpus.copies_of] > 0, PROFILED_ELSEWHERE)
    inside = [some(one.stage.labels[corpus.copies_of] == one.place, PROFILED) for one in drawn]
    wanted = np.unique(np.concatenate([every, *inside]))
    fetched = material.workspace.store.fetch(
        material.selection.card, [corpus.ids[row] for row in wanted]
    )
    metadata = {
        int(row): fetched[id].metadata for row in wanted if (id := corpus.ids[row]) in fetched
    }
    columns, metadata = _redacted(columns, metadata, material.workspace.redact)
    lines = []
    for one, own in zip(drawn, inside, strict=True):
        outside = every[one.stage.labels[corpus.copies_of[every]] != one.place]
        traits = profile_metadata(
            columns,
            [metadata[row] for row in own.tolist() if row in metadata],
            [metadata[row] for row in outside.tolist() if row in metadata],
            size=one.node.size,
        )
        lines.append([material.workspace.redact(trait.text) for trait in traits])
    return lines


def _redacted(
    columns: dict[str, ColumnType], metadata: dict[int, dict[str, Scalar]], redact: Redact
) -> tuple[dict[str, ColumnType], dict[int, dict[str, Scalar]]]:
    """Metadata before anything of them is cut off, and the columns that say something still: of
    one with numbers such as those of cards, quartiles are numbers of cards too."""
    known = cache(lambda column, text: redact_value(column, text, redact))

    def shown(column: str, value: Scalar) -> Scalar:
        return known(column, value) if isinstance(value, str) else value

    telling = {
        name: kind
        for name, kind in columns.items()
        if kind != "number"
        or all((text := str(values.get(name))) == known(name, text) for values in metadata.values())
    }
    return telling, {
        row: {name: shown(name, values.get(name)) for name in telling}
        for row, values in metadata.items()
    }


def _trial(material: _Material, drawn: _Drawn) -> Trial:
    def shown(points: NDArray[np.int64]) -> list[str]:
        return [shorten_middle(material.text(int(point)), EXCERPT_CHARACTERS) for point in points]

    vectors, sample = material.corpus.vectors, drawn.sample
    return Trial(
        inside=vectors[sample.held],
        outside=vectors[sample.others],
        centroid=drawn.stage.centroids[drawn.place],
        inside_texts=shown(sample.held),
        outside_texts=shown(sample.others),
        parts=[drawn.parts.get(int(point), "") for point in sample.held],
    )
