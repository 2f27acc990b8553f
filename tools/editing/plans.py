"""What each kind of edit does to the clusters and members of a run, before texts are looked at.

In: a run with its members, and what is asked for. Out: an `EditPlan`, whose sizes, words and
examples are not worked out yet. What cannot be done is refused here, with what could be.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.clustering.tree import Paths, found_in_noise
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.ids import id_sort_key, is_within, parent_of, stands_in
from corpuscope.tools.core.schema import NOISE, Members, Node, Run

RECORDS_NAMED = 5
"""Records that a message names; it says how many there are."""

CLUSTERS_NAMED = 15
"""Clusters that a message names, where one is not among them."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class EditPlan:
    """What an edit does: `said` in a sentence; `run` with the clusters that will be there, not
    counted yet; `paths` (n,) of its members.

    `names` says what a cluster is called or is in now, where it gave way; `titles` are new ones, by
    cluster or heading. `strength` is that of records that are moved, None where they keep theirs;
    `reason` says why they are noise, where they are.
    """

    said: str
    run: Run
    paths: Paths
    names: Mapping[str, str] = field(default_factory=dict)
    titles: Mapping[str, str] = field(default_factory=dict)
    strength: float | None = None
    reason: str = "moved"


def plan_merge(
    run: Run, members: Members, clusters: Sequence[str], into: str | None, used: Collection[str]
) -> EditPlan:
    """All records of some clusters in one of them: `into`, or the largest.

    What stands in finer layers than that one does becomes a part of it there, so that they lose
    nothing; `used` are ids that no part may get.

    Raises:
        BadInput: There is only one cluster, or one is a part of another.
    """
    asked = list(dict.fromkeys([*clusters, *([into] if into else [])]))
    if len(asked) < 2:
        raise BadInput(
            f"merge takes two clusters or more, not {' and '.join(asked) or 'none'} alone: "
            "clusters=['3', '5'], or clusters=['5'] with into='3'."
        )
    for part in asked:
        for whole in asked:
            if part != whole and is_within(part, whole):
                raise BadInput(
                    f"{part} is a part of {whole} already: all of its records are in it. Merge "
                    f"{whole} with another theme, or {part} with other parts."
                )
    nodes = {node.id: node for node in run.nodes}
    largest = min(asked, key=lambda cluster: (-nodes[cluster].size, id_sort_key(cluster)))
    target = into or largest
    gone = sorted((cluster for cluster in asked if cluster != target), key=id_sort_key)
    kept = _standing(run, nodes[target], [nodes[cluster] for cluster in gone])
    names: dict[str, str] = {}
    parts: list[Node] = []
    for cluster in gone:
        _hang_parts(run, kept, cluster, (names, parts, {*used, *nodes}))
    around = [node for node in run.nodes if node.id not in names and node.id != target]
    frozen = [target if cluster in gone else cluster for cluster in run.frozen]
    return EditPlan(
        said=f"merged {_listed(gone)} into {target}",
        run=replace(
            run,
            nodes=[*around, kept, *parts],
            grouped=_regrouped(run.grouped, names, target),
            frozen=list(dict.fromkeys(frozen)),
        ),
        paths=_renamed(members.paths, names),
        names=names,
    )


def _standing(run: Run, kept: Node, others: Sequence[Node]) -> Node:
    """The cluster that takes in the others; one that was found in the noise stands where they do,
    where there are themes among them."""
    themes = [node.layers for node in others if node.layers and stands_in(node, run.recommended)]
    if not themes or not found_in_noise(kept, run.recommended):
        return kept
    spans = [*themes, *([kept.layers] if kept.layers else [])]
    layers = min(first for first, _ in spans), max(last for _, last in spans)
    return replace(kept, layers=layers)


def _hang_parts(
    run: Run, kept: Node, cluster: str, into: tuple[dict[str, str], list[Node], set[str]]
) -> None:
    """Note what becomes of a cluster and all below it: the name of each, and the parts that stay,
    below the one that takes it in."""
    names, parts, used = into
    end = kept.layers[1] if kept.layers else len(run.layers)
    below = [node for node in run.nodes if is_within(node.id, cluster)]
    for node in sorted(below, key=lambda node: id_sort_key(node.id)):
        above = kept.id if node.id == cluster else names[str(parent_of(node.id))]
        finer = node.layers is not None and node.layers[1] > end
        drilled = node.layers is None and node.id != cluster
        if not (finer or drilled):
            names[node.id] = above
            continue
        names[node.id] = _next_id(above, used)
        used.add(names[node.id])
        layers = (max(node.layers[0], end + 1), node.layers[1]) if node.layers else None
        parts.append(replace(node, id=names[node.id], layers=layers))


def _next_id(parent: str, used: Iterable[str]) -> str:
    numbers = (int(id_.rpartition(".")[2]) for id_ in used if parent_of(id_) == parent)
    return f"{parent}.{max(numbers, default=0) + 1}"


def plan_move(run: Run, members: Members, records: Sequence[str], to: str) -> EditPlan:
    """Some records in another cluster, or in the noise; those of equal text go with them.

    Raises:
        BadInput: The run does not have some of them, or all are there already.
    """
    row_of = {record: row for row, record in enumerate(members.ids)}
    unknown = [record for record in dict.fromkeys(records) if record not in row_of]
    if unknown:
        named = ", ".join(f"'{record[:40]}'" for record in unknown[:RECORDS_NAMED])
        more = f" and {len(unknown) - RECORDS_NAMED} more" if len(unknown) > RECORDS_NAMED else ""
        raise BadInput(
            f"Run {run.id} has no record {named}{more}; nothing was moved. Ids are those that "
            "get-members and search give."
        )
    asked = np.array([row_of[record] for record in dict.fromkeys(records)], np.int64)
    rows = np.flatnonzero(np.isin(members.copies_of, members.copies_of[asked]))
    rows = rows[[not _is_there(str(path), to) for path in members.paths[rows]]]
    if not rows.size:
        raise BadInput(f"All of these records are in {to} already; nothing was moved.")
    copies = len(rows) - len(np.intersect1d(rows, asked))
    also = f" ({copies} of them with the same text as one that was named)" if copies else ""
    paths = members.paths.copy()
    paths[rows] = to
    return EditPlan(
        said=f"moved {_count(len(rows), 'record')} to {to}{also}",
        run=run,
        paths=paths,
        strength=0.0 if to == NOISE else 1.0,
    )


def _is_there(path: str, to: str) -> bool:
    return path == to if to == NOISE else is_within(path, to)


def plan_dissolve(run: Run, members: Members, clusters: Sequence[str]) -> EditPlan:
    """No theme any more: the records of some clusters, and of all below them, are noise."""
    inside = {n.id for n in run.nodes if any(is_within(n.id, cluster) for cluster in clusters)}
    names = dict.fromkeys(inside, NOISE)
    return EditPlan(
        said=f"dissolved {_listed(clusters)}",
        run=replace(run, nodes=[node for node in run.nodes if node.id not in inside]),
        paths=_renamed(members.paths, names),
        names=names,
        strength=0.0,
        reason="dissolved",
    )


def plan_rename(run: Run, members: Members, cluster: str, title: str) -> EditPlan:
    """Another title for a cluster or a heading made by hand."""
    said = f"named {cluster} '{title}'"
    return EditPlan(said=said, run=run, paths=members.paths, titles={cluster: title})


def plan_group(
    run: Run, members: Members, clusters: Sequence[str], title: str, known: Mapping[str, str]
) -> EditPlan:
    """Clusters under a heading of that title, a new one or one there is; with none, under none.

    `known` are the titles of the headings made by hand. A cluster is under one of them at most.

    Raises:
        BadInput: None of the clusters is under a heading, and there is no title.
    """
    apart = {*clusters}
    if not title and not any(apart & {*below} for below in run.grouped.values()):
        raise BadInput(
            f"No heading made by hand has {_listed(clusters)} below it. Give title to put "
            "them under one."
        )
    left = {
        heading: [cluster for cluster in below if cluster not in apart]
        for heading, below in run.grouped.items()
    }
    if not title:
        plan = EditPlan(
            said=f"took {_listed(clusters)} from their heading", run=run, paths=members.paths
        )
        return replace(plan, run=replace(run, grouped=_filled(left)))
    same = next((id_ for id_, name in known.items() if name.casefold() == title.casefold()), None)
    last = max((int(heading[1:]) for heading in run.grouped), default=0)
    heading = same or f"h{last + 1}"
    left[heading] = [*left.get(heading, []), *clusters]
    return EditPlan(
        said=f"put {_listed(clusters)} under the heading {heading} '{title}'",
        run=replace(run, grouped=_filled(left)),
        paths=members.paths,
        titles={heading: title},
    )


def plan_freeze(run: Run, members: Members, clusters: Sequence[str], *, thaw: bool) -> EditPlan:
    """Clusters that later runs keep as they are; `thaw`: no longer.

    Raises:
        BadInput: It changes nothing.
    """
    wrong = [cluster for cluster in clusters if (cluster in run.frozen) != thaw]
    if wrong:
        state = "not frozen" if thaw else "frozen already"
        all_frozen = f"Frozen: {_listed(run.frozen)}." if run.frozen else "None is."
        raise BadInput(f"{_listed(wrong)}: {state}; nothing was changed. {all_frozen}")
    kept = [cluster for cluster in run.frozen if cluster not in clusters]
    frozen = kept if thaw else sorted([*kept, *clusters], key=id_sort_key)
    return EditPlan(
        said=f"{'unfroze' if thaw else 'froze'} {_listed(clusters)}",
        run=replace(run, frozen=frozen),
        paths=members.paths,
    )


def check_edited(run: Run, clusters: Sequence[str], *, headings: bool = False) -> list[str]:
    """The clusters to edit, each once; with `headings` also those made by hand.

    Raises:
        BadInput: None is given, or some are not there: all of these are named.
    """
    asked = list(dict.fromkeys(clusters))
    if not asked:
        raise BadInput("Give clusters: ids as list-clusters shows them, for example ['3', '5.1'].")
    if NOISE in asked:
        raise BadInput(
            f"{NOISE} is what belongs to no theme: it cannot be edited as if it were one. Move "
            "records out of it with op='move', or find themes in it: cluster(within='noise')."
        )
    there = {node.id for node in run.nodes} | ({*run.grouped} if headings else set())
    unknown = [cluster for cluster in asked if cluster not in there]
    if unknown:
        named = _listed([f"'{cluster[:20]}'" for cluster in unknown])
        ids = sorted((node.id for node in run.nodes), key=id_sort_key)
        more = ", …" if len(ids) > CLUSTERS_NAMED else ""
        raise BadInput(
            f"Run {run.id} has no cluster {named}; nothing was changed. Clusters: "
            f"{', '.join(ids[:CLUSTERS_NAMED]) or 'none'}{more}. `list-clusters` shows them all."
        )
    return asked


def _renamed(paths: Paths, names: Mapping[str, str]) -> Paths:
    now = {path: names.get(path, path) for path in set(paths.tolist())}
    renamed: NDArray[np.object_] = np.array([now[path] for path in paths.tolist()], dtype=object)
    return renamed


def _regrouped(
    grouped: Mapping[str, list[str]], names: Mapping[str, str], target: str
) -> dict[str, list[str]]:
    """The headings after clusters gave way: the one that took them in keeps its own heading."""
    has_one = any(target in below for below in grouped.values())
    after: dict[str, list[str]] = {}
    for heading, below in grouped.items():
        moved = (names.get(cluster, cluster) for cluster in below)
        stay = (c for c in moved if not has_one or c != target or target in below)
        after[heading] = list(dict.fromkeys(stay))
        has_one = has_one or target in after[heading]
    return _filled(after)


def _filled(grouped: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {heading: below for heading, below in grouped.items() if below}


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
