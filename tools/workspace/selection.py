"""What a client means by `dataset`, `run` and `cluster`, found and checked once for every tool."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.clustering.tree import found_in_noise, layer_paths
from corpuscope.tools.core.errors import NotFound, NotReady
from corpuscope.tools.core.excerpts import first_values, redact_value, shown_value
from corpuscope.tools.core.ids import (
    check_cluster_id,
    children_of,
    id_sort_key,
    is_within,
    lineage,
    parent_of,
    stands_in,
)
from corpuscope.tools.core.redaction import Redact
from corpuscope.tools.core.schema import NOISE, DatasetCard, Description, Members, Node, Record, Run
from corpuscope.tools.workspace.workspace import Workspace

# An unknown id is answered with the ids there are; nobody reads more than this.
IDS_IN_A_MESSAGE = 15
WORDS_IN_A_LABEL = 3


@dataclass(frozen=True)
class Selection:
    """A dataset with one of its runs."""

    card: DatasetCard
    run: Run
    descriptions: dict[str, Description]

    def node(self, cluster: str) -> Node:
        """The cluster of this id.

        Raises:
            NotFound: There is none in the run; the message lists ids there are.
        """
        if node := self._nodes.get(check_cluster_id(cluster)):
            return node
        known = sorted((node.id for node in self.run.nodes), key=id_sort_key)
        listed = ", ".join(known[:IDS_IN_A_MESSAGE]) or "none"
        more = ", …" if len(known) > IDS_IN_A_MESSAGE else ""
        raise NotFound(
            f"No cluster '{cluster}' in run {self.run.id} of '{self.card.name}'. "
            f"Clusters: {listed}{more}, and {NOISE}. `list-clusters` shows them all."
        )

    @cached_property
    def _nodes(self) -> dict[str, Node]:
        return {node.id: node for node in self.run.nodes}

    def check_current(self) -> None:
        """Make sure that the run is of the records that the dataset has now.

        Raises:
            NotReady: The dataset was replaced after it.
        """
        if self.run.collection != self.card.collection:
            raise NotReady(
                f"'{self.card.name}' was replaced after run {self.run.id}: its clusters are of "
                "other records. Call cluster() to find those of the new ones."
            )

    def check(self, cluster: str) -> None:
        """Make sure that there is such a cluster, or a heading made by hand; `noise` always is.

        Raises:
            NotFound: There is none; the message lists those there are.
        """
        if cluster != NOISE and cluster not in self.run.grouped:
            self.node(cluster)

    def label(self, node: Node) -> str:
        """The cluster's title, or its first keywords while nobody has described it."""
        return _label(node, self.descriptions.get(node.id))

    def children(self, parent: str) -> list[Node]:
        """The clusters directly below one, in the order of their ids; for `noise` the themes that
        were found in it."""
        if parent == NOISE:
            run = self.run
            found = [node for node in run.nodes if found_in_noise(node, run.recommended)]
            return sorted(found, key=lambda node: id_sort_key(node.id))
        return [self._nodes[child] for child in children_of(parent, self._nodes)]

    def siblings(self, node: Node) -> list[Node]:
        """The clusters beside one, the largest first: below the same parent, or on top as it is."""
        parent = parent_of(node.id)
        if parent is not None:
            beside = self.children(parent)
        else:
            beside = self.standing_in(node.layers[1]) if node.layers else self.children(NOISE)
        siblings = [sibling for sibling in beside if sibling.id != node.id]
        return sorted(siblings, key=lambda sibling: -sibling.size)

    def standing_in(self, layer: int) -> list[Node]:
        """The clusters of a layer, in the order of their ids."""
        there = [node for node in self.run.nodes if stands_in(node, layer)]
        return sorted(there, key=lambda node: id_sort_key(node.id))


def select(
    workspace: Workspace, dataset: str | None, run: str | None, layer: int | None = None
) -> Selection:
    """The dataset and run that a client means, with words as they may be shown.

    With a layer the run is seen at that one: its clusters are the themes, and noise, counts and
    neighbours are of it.

    Raises:
        NotFound: No such dataset or run.
        BadInput: No dataset named although there are several, or no such layer.
    """
    return shown_selection(workspace, select_stored(workspace, dataset, run, layer))


def select_stored(
    workspace: Workspace, dataset: str | None, run: str | None, layer: int | None = None
) -> Selection:
    """The dataset and run that a client means, with words as they are kept: to make a run of.

    Raises:
        NotFound: No such dataset or run.
        BadInput: No dataset named although there are several, or no such layer.
    """
    card = workspace.store.card(dataset)
    chosen = workspace.runs.load(card.name, run, layer)
    return Selection(card, chosen, workspace.runs.descriptions(chosen))


def shown_selection(workspace: Workspace, selection: Selection) -> Selection:
    """A selection with keywords and descriptions redacted: they may be older than the setting,
    and a person may have written what no model is to read."""
    redact = workspace.redact
    nodes = [
        replace(node, keywords=[redact(word) for word in node.keywords])
        for node in selection.run.nodes
    ]
    return Selection(
        selection.card,
        replace(selection.run, nodes=nodes),
        {
            cluster: redact_description(description, redact)
            for cluster, description in selection.descriptions.items()
        },
    )


def redact_description(description: Description, redact: Redact) -> Description:
    """A description as it may be shown; what is kept stays as it was written."""
    summary = [replace(sentence, text=redact(sentence.text)) for sentence in description.summary]
    return replace(
        description,
        title=redact(description.title),
        summary=summary,
        keywords=[redact(word) for word in description.keywords],
        misfits=redact(description.misfits),
        note=redact(description.note),
    )


def cluster_rows(run: Run, members: Members, cluster: str) -> NDArray[np.int64]:
    """The rows of `members` that are in a cluster, its children included, or below a heading made
    by hand.

    `noise` are the records in no cluster of the layer shown, as they are counted everywhere:
    also those which a coarser layer takes in, and those in themes that were found in the noise.
    """
    if cluster != NOISE:
        held = run.grouped.get(cluster, [cluster])
        distinct = set(members.paths.tolist())
        inside = {path: any(is_within(path, one) for one in held) for path in distinct}
        return np.flatnonzero([inside[path] for path in members.paths.tolist()])
    places = layer_paths(members.paths, run.nodes, run.recommended)
    return np.flatnonzero([place == NOISE for place in places])


def theme_places(run: Run, paths: Iterable[str]) -> dict[str, str]:
    """For each path the theme that holds it, or the finest part of it found by drilling down;
    `noise` where no theme of the layer shown does."""
    themes = {node.id for node in run.nodes if stands_in(node, run.recommended)}
    drilled = {node.id for node in run.nodes if node.drilled}
    places: dict[str, str] = {}
    for path in set(paths):
        place = NOISE
        for above in lineage(path):
            below_place = above in drilled and parent_of(above) == place
            place = above if above in themes or below_place else place
        places[path] = place
    return places


def cluster_records(run: Run, members: Members, cluster: str) -> set[str]:
    """The ids of the records in a cluster, or in the noise."""
    return {members.ids[row] for row in cluster_rows(run, members, cluster)}


def labels(run: Run, descriptions: Mapping[str, Description]) -> dict[str, str]:
    """What to call each cluster of a run: its title, or its first keywords."""
    return {node.id: _label(node, descriptions.get(node.id)) for node in run.nodes}


def _label(node: Node, description: Description | None) -> str:
    return description.title if description else ", ".join(node.keywords[:WORDS_IN_A_LABEL])


def shown_records(
    workspace: Workspace,
    card: DatasetCard,
    ids: Sequence[str],
    fields: Sequence[str] | None = None,
) -> dict[str, Record]:
    """Records by id as they may be shown: text and metadata redacted before anything is cut off.

    Ids that are not in the dataset are left out.
    """
    records = workspace.store.fetch(card, ids)
    return {id_: shown_record(workspace, record, fields) for id_, record in records.items()}


def shown_record(
    workspace: Workspace, record: Record, fields: Sequence[str] | None = None
) -> Record:
    """A record as it may be shown, with the columns of `fields`, or its first ones that have a
    value; some numbers are told by the name of their column only."""
    redact = workspace.redact
    metadata = {
        name: shown_value(name, value, redact)
        for name, value in first_values(record.metadata, fields).items()
    }
    return replace(record, text=redact(record.text), metadata=metadata)


def shown_texts(workspace: Workspace, card: DatasetCard, ids: Sequence[str]) -> dict[str, str]:
    """The texts of records by id as they may be shown; ids that are not there are left out."""
    records = workspace.store.fetch(card, ids)
    return {record_id: shown_text(workspace, record.text) for record_id, record in records.items()}


def shown_text(workspace: Workspace, text: str) -> str:
    """A text as it may be shown: redacted before anything is cut off."""
    return workspace.redact(text)


def shown_descriptions(workspace: Workspace, run: Run) -> dict[str, Description]:
    """The descriptions of a run as they are kept now, and may be shown."""
    return {
        cluster: redact_description(description, workspace.redact)
        for cluster, description in workspace.runs.descriptions(run).items()
    }


def shown_values(workspace: Workspace, column: str, values: Iterable[str]) -> dict[str, str]:
    """Each of a column's values as it may be shown."""
    return {value: redact_value(column, value, workspace.redact) for value in values}
