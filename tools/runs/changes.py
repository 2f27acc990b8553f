"""What became of the clusters of one run in a later one: kept, split, merged, born, died.

The kinds are those of MONIC (Spiliopoulou et al., KDD 2006), over the records that both runs know,
between the recommended layers: what people read. Other layers count only as kept or not.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Self, TypeAlias

import numpy as np

from corpuscope.tools.clustering.tree import layer_paths
from corpuscope.tools.core.ids import id_sort_key, is_within, lineage, stands_in
from corpuscope.tools.core.schema import NOISE, Frozen, Result, Run, Verbatim
from corpuscope.tools.runs.matching import Overlaps

LARGE_PART = 0.25
"""Of a cluster that goes elsewhere makes it a split; less is the usual wavering of the edges."""

MOSTLY = 0.5
"""A part is made of what was split, and what was merged lies in what came of it, to this share."""

LINES = 8
"""Changes told in a text; the others are in the structured result, up to `MOST_CHANGES`."""

MOST_CHANGES = 60

ChangeKind: TypeAlias = Literal["split", "merged", "died", "born", "kept"]
CHANGE_KINDS: tuple[ChangeKind, ...] = ("split", "merged", "died", "born", "kept")


class Piece(Frozen):
    """A cluster before or after."""

    id: Verbatim
    title: str
    """Its title, or its first keywords."""
    records: int


class Change(Result):
    """What became of one cluster, or of several."""

    kind: ChangeKind
    before: list[Piece]
    after: list[Piece]
    mostly: Verbatim | None = None
    """Where more records of a cluster that died are than elsewhere, or those of a new one were: a
    cluster or `noise`; None for records that the other run does not know."""

    def with_mostly(self, mostly: str | None) -> Self:
        """The change with where most of the records are, or were."""
        return self._with(mostly=mostly)

    @property
    def moved(self) -> bool:
        """Whether a kept cluster has another id now."""
        return self.kind == "kept" and self.before[0].id != self.after[0].id

    @property
    def growth(self) -> int:
        """Records more (or less) than before."""
        after = sum(piece.records for piece in self.after)
        return after - sum(piece.records for piece in self.before)

    def as_text(self) -> str:
        """The change in a line."""
        if self.kind == "born":
            (new,) = self.after
            were = f"the largest part was in {self.mostly}" if self.mostly else "most are new too"
            return f"new: {new.id} ({new.title}), {new.records:,} records; {were}"
        if self.kind == "died":
            (old,) = self.before
            now = (
                f"the largest part is in {self.mostly} now" if self.mostly else "they are gone too"
            )
            return f"gone: {old.id} ({old.title}), {old.records:,} records; {now}"
        if self.kind == "kept":
            old, new = self.before[0], self.after[0]
            moved = f", now {new.id}" if self.moved else ""
            return f"kept: {old.id} ({new.title}){moved}, {old.records:,} → {new.records:,} records"
        return f"{self.kind}: {_listed(self.before)} → {_listed(self.after)}"


class Comparison(Result):
    """What became of the clusters of an earlier run."""

    earlier: Verbatim
    kept: int
    """Clusters of the recommended layer that are the same thing, wherever they stand now."""
    moved: int
    """Kept ones that have another id, because what they are a part of is another cluster now."""
    split: int
    merged: int
    died: int
    born: int
    other_layers: int
    """Clusters of the earlier run in other layers, sub-clusters and headings."""
    other_layers_kept: int
    noise_before: int
    noise_after: int
    changes: list[Change]
    """Splits, mergers, deaths, births and then what was kept, each by size."""

    def without_unchanged(self) -> Self:
        """The comparison without what stayed as it was: that is the rule; `contrast` has it."""
        return self._with(
            changes=[change for change in self.changes if change.kind != "kept" or change.moved]
        )

    def as_text(self) -> str:
        """The counts, and the largest changes a line each."""
        return "\n".join(self.lines(LINES, "`contrast` with the run as a"))

    def lines(self, most: int, rest: str) -> list[str]:
        """The counts, up to `most` changes, and where the rest of them is found."""
        moved = f" ({self.moved} under another id)" if self.moved else ""
        lines = [
            f"Against {self.earlier}: {self.kept} clusters kept{moved}, {self.born} new, "
            f"{self.died} gone, {self.split} split, {self.merged} merged; in other layers "
            f"{self.other_layers_kept} of {self.other_layers} kept."
        ]
        news = [change for change in self.changes if change.kind != "kept"]
        lines += [f"  {change.as_text()}" for change in news[:most]]
        left = self.born + self.died + self.split + self.merged - most
        return [*lines, f"  … {left} more changes: {rest}."] if left > 0 else lines


@dataclass(frozen=True)
class ComparedRun:
    """A run as it is compared, and what to call each of its clusters."""

    run: Run
    titles: Mapping[str, str]

    @cached_property
    def sizes(self) -> dict[str, int]:
        """The records in each cluster, all layers."""
        return {node.id: node.size for node in self.run.nodes}

    @cached_property
    def recommended(self) -> list[str]:
        """The ids of the recommended layer, in their order."""
        nodes = self.run.nodes
        standing = [node.id for node in nodes if stands_in(node, self.run.recommended)]
        return sorted(standing, key=id_sort_key)

    def piece(self, cluster_id: str) -> Piece:
        """A cluster as a change names it."""
        return Piece(id=cluster_id, title=self.titles[cluster_id], records=self.sizes[cluster_id])


@dataclass(frozen=True, slots=True)
class _Flow:
    """Records both runs know, by their clusters in the recommended layers, `noise` included."""

    between: Counter[tuple[str, str]]
    out: Counter[str]
    into: Counter[str]


def compare(
    before: ComparedRun, after: ComparedRun, same: Mapping[str, str], shared: Overlaps
) -> Comparison:
    """What became of the clusters of `before` in `after`.

    `same` gives the earlier id of a later cluster that is the same thing, all layers; `shared`
    the overlaps; both under the ids that the two runs have.
    """
    flow = _flow(before.run, after.run, shared)
    old, new = before.recommended, after.recommended
    later = {old_id: new_id for new_id, old_id in same.items()}
    splits = {
        old_id: parts for old_id in old if (parts := _parts(old_id, new, later.get(old_id), flow))
    }
    mergers = {new_id: sources for new_id in new if (sources := _sources(new_id, old, same, flow))}
    changes = [_change("split", before, [id_], after, parts) for id_, parts in splits.items()]
    changes += [_change("merged", before, ids, after, [id_]) for id_, ids in mergers.items()]
    going_on = {*later, *splits, *(source for sources in mergers.values() for source in sources)}
    for old_id in old:
        if old_id not in going_on:
            died = _change("died", before, [old_id], after, [])
            changes.append(died.with_mostly(_mostly(flow.between, old_id, 0)))
    explained = {*same, *mergers, *(part for parts in splits.values() for part in parts)}
    for new_id in new:
        if new_id not in explained:
            born = _change("born", before, [], after, [new_id])
            known = 2 * flow.into[new_id] >= after.sizes[new_id]
            changes.append(born.with_mostly(_mostly(flow.between, new_id, 1) if known else None))
    shown_before, shown_after = {*old}, {*new}
    changes += [
        _change("kept", before, [old_id], after, [new_id])
        for new_id, old_id in same.items()
        if old_id in shown_before or new_id in shown_after
    ]
    counts = Counter(change.kind for change in changes)
    other_layers = before.sizes.keys() - shown_before
    return Comparison(
        earlier=before.run.id,
        kept=sum(old_id in later for old_id in old),
        moved=sum(later.get(old_id, old_id) != old_id for old_id in old),
        split=counts["split"],
        merged=counts["merged"],
        died=counts["died"],
        born=counts["born"],
        other_layers=len(other_layers),
        other_layers_kept=len(other_layers & later.keys()),
        noise_before=before.run.noise,
        noise_after=after.run.noise,
        changes=sorted(changes, key=_rank)[:MOST_CHANGES],
    )


def records_staying(before: Run, after: Run, same: Mapping[str, str], shared: Overlaps) -> int:
    """Records both runs know that are where they were: in the same cluster, or in noise still."""
    later_of = {old_id: new_id for new_id, old_id in same.items()}
    old, new = recommended_places(before, shared, 0), recommended_places(after, shared, 1)
    staying = 0
    for (earlier, now), count in shared.pairs.items():
        was, is_in = old[earlier], new[now]
        # The same cluster may stand above or below the layer that the other run recommends.
        if was == NOISE or is_in == NOISE:
            stays = was == is_in
        else:
            stays = later_of.get(was) in lineage(now) or same.get(is_in) in lineage(earlier)
        staying += count * stays
    return staying


def _flow(before: Run, after: Run, shared: Overlaps) -> _Flow:
    old, new = recommended_places(before, shared, 0), recommended_places(after, shared, 1)
    flow = _Flow(Counter(), Counter(), Counter())
    for (earlier, later), count in shared.pairs.items():
        flow.between[old[earlier], new[later]] += count
        flow.out[old[earlier]] += count
        flow.into[new[later]] += count
    return flow


def recommended_places(run: Run, shared: Overlaps, side: int) -> dict[str, str]:
    """The cluster of the recommended layer, or `noise`, for each path of one side."""
    paths = np.array(sorted({pair[side] for pair in shared.pairs}), dtype=object)
    return dict(zip(paths, layer_paths(paths, run.nodes, run.recommended), strict=True))


def _parts(old_id: str, new: Iterable[str], whole: str | None, flow: _Flow) -> list[str]:
    """The clusters that one was split into, the largest part first; none if it was not.

    `whole` is the same cluster now: where it stands above its parts, it was not split.
    """
    large = [
        new_id
        for new_id in new
        if flow.between[old_id, new_id] >= LARGE_PART * max(1, flow.out[old_id])
        and flow.between[old_id, new_id] >= MOSTLY * flow.into[new_id]
    ]
    if len(large) < 2 or _stands_above(whole, large):
        return []
    return sorted(large, key=lambda new_id: -flow.between[old_id, new_id])


def _sources(new_id: str, old: Iterable[str], same: Mapping[str, str], flow: _Flow) -> list[str]:
    """The clusters that were merged into one, the largest first; none if it is no merger.

    Those that ended and lie mostly in it, however small, and the one that it is the same as.
    """
    going_on = set(same.values())
    whole = same.get(new_id)

    def ends_in_it(old_id: str) -> bool:
        records = flow.between[old_id, new_id]
        return old_id not in going_on and records >= MOSTLY * max(1, flow.out[old_id])

    joined = [old_id for old_id in old if old_id == whole or ends_in_it(old_id)]
    if len(joined) < 2 or _stands_above(whole, joined):
        return []
    return sorted(joined, key=lambda old_id: -flow.between[old_id, new_id])


def _stands_above(whole: str | None, parts: list[str]) -> bool:
    """Whether a cluster stands above all the parts, itself none of them."""
    if whole is None or whole in parts:
        return False
    return all(is_within(part, whole) for part in parts)


def _mostly(between: Counter[tuple[str, str]], cluster: str, side: int) -> str | None:
    """Where on the other side most of its records are."""
    places: Counter[str] = Counter()
    for pair, count in between.items():
        if pair[side] == cluster:
            places[pair[1 - side]] += count
    return min(places, key=lambda place: (-places[place], id_sort_key(place)), default=None)


def _change(
    kind: ChangeKind, before: ComparedRun, old: list[str], after: ComparedRun, new: list[str]
) -> Change:
    return Change(
        kind=kind,
        before=[before.piece(cluster_id) for cluster_id in old],
        after=[after.piece(cluster_id) for cluster_id in new],
    )


def _rank(change: Change) -> tuple[int, int]:
    largest = max(piece.records for piece in change.before + change.after)
    return CHANGE_KINDS.index(change.kind), -largest


def _listed(pieces: list[Piece]) -> str:
    return " + ".join(f"{piece.id} ({piece.title}, {piece.records:,})" for piece in pieces)
