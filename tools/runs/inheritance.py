"""What a run takes over from earlier runs of the same records: ids and descriptions.

A cluster is the same as an earlier one where they share most of their records, or, where these are
gone, where their centroids are close (`matching`). It keeps the id and the words that it had, also
after it was away for a few runs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache

from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.core.ids import id_sort_key, is_within
from corpuscope.tools.core.schema import (
    STALE,
    DatasetCard,
    Description,
    Floats,
    Members,
    Run,
    Scalar,
)
from corpuscope.tools.runs.changes import ComparedRun, compare
from corpuscope.tools.runs.draft import RunDraft
from corpuscope.tools.runs.matching import (
    Overlaps,
    inherited_ids,
    overlaps,
    rename_clusters,
    same_by_centroid,
    same_clusters,
)
from corpuscope.tools.workspace.selection import labels

LOOKED_BACK = 5
"""Earlier runs in which a cluster is looked for: someone tries parameters and comes back."""


def inherit(runs: Runs, draft: RunDraft) -> RunDraft:
    """The draft with the ids and descriptions of the earlier runs of the same records."""
    # With the same columns set aside first: themes across airlines are others than those of all.
    past = sorted(
        earlier_runs(runs, draft.run), key=lambda run: run.regardless_of != draft.run.regardless_of
    )
    if not past:
        return draft
    newest = past[0]
    newest_members, newest_words = runs.members(newest), runs.descriptions(newest)
    shared = overlaps(newest_members, draft.members)
    # Means of vectors from which other things were taken off cannot be compared.
    alike = newest.regardless_of == draft.run.regardless_of
    same = _same(runs, newest, shared, draft.centroids if alike else {})
    # What was frozen is what it was, whatever else has most of its records.
    frozen = {id_: theme.cluster for id_, theme in draft.frozen.items()}
    same = {id_: was for id_, was in same.items() if was not in frozen.values() or id_ in frozen}
    words = inherited_descriptions(newest.as_of, newest_words, same)
    words = with_changes(runs, newest, words, same, draft.members)
    words |= _frozen_words(runs, draft)
    # What was away for a few runs comes back under its id: an id never means two things.
    returning = same | frozen
    present = {node.id for node in newest.nodes}
    for run in past[1:LOOKED_BACK]:
        if len(returning) == len(draft.run.nodes):
            break
        matches = same_clusters(overlaps(runs.members(run), draft.members))
        for cluster_id, earlier in matches.items():
            if cluster_id not in returning and earlier not in {*present, *returning.values()}:
                returning[cluster_id] = earlier
                back = {cluster_id: earlier}
                returned = inherited_descriptions(run.as_of, runs.descriptions(run), back)
                words |= with_changes(runs, run, returned, back, draft.members)
    used = {node.id for run in past for found in (run, runs.as_of(run)) for node in found.nodes}
    names = inherited_ids([node.id for node in draft.run.nodes], returning, used)
    named = _renamed(draft, names)
    run = replace(named.run, follows=newest.id)
    where = run.parameters.get("where")
    same = {names[cluster_id]: earlier for cluster_id, earlier in same.items()}
    words = {
        names[cluster_id]: replace(description, cluster=names[cluster_id])
        for cluster_id, description in words.items()
    }
    comparison = compare(
        ComparedRun(newest, labels(newest, newest_words)),
        ComparedRun(run, labels(run, words)),
        same,
        overlaps(newest_members, named.members),
    )
    named = replace(named, run=run)
    run, headings = with_headings(runs, alike_runs(runs, draft.card, where), named)
    words |= headings
    return replace(named, run=run, descriptions=words, same=same, comparison=comparison)


def _frozen_words(runs: Runs, draft: RunDraft) -> dict[str, Description]:
    """The words of frozen themes, from the runs in which they were frozen."""
    words: dict[str, Description] = {}
    for id_, theme in draft.frozen.items():
        same = {id_: theme.cluster}
        own = inherited_descriptions(theme.run.as_of, runs.descriptions(theme.run), same)
        words |= with_changes(runs, theme.run, own, same, draft.members)
    return words


def with_headings(
    runs: Runs, past: Sequence[Run], draft: RunDraft
) -> tuple[Run, dict[str, Description]]:
    """The run of a draft with the headings made by hand in an earlier one, above those clusters
    that are the same still, and their titles."""
    # What a later run was handed down is not held against the first, where it may be undone.
    own = (run for run in past if run.id == past[0].id or run.grouped != runs.as_of(run).grouped)
    source = next((run for run in own if run.grouped), None)
    if source is None:
        return draft.run, {}
    same = same_clusters(overlaps(runs.members(source), draft.members))
    now = {earlier: later for later, earlier in same.items()}
    below = {
        heading: [now[cluster] for cluster in clusters if cluster in now]
        for heading, clusters in source.grouped.items()
    }
    grouped = {heading: clusters for heading, clusters in below.items() if clusters}
    return replace(draft.run, grouped=grouped), heading_words(runs.descriptions(source), grouped)


def heading_words(
    known: Mapping[str, Description], headings: Iterable[str]
) -> dict[str, Description]:
    """The titles of headings made by hand, which do not age with the records below them."""
    return {heading: known[heading] for heading in headings if heading in known}


def _renamed(draft: RunDraft, names: Mapping[str, str]) -> RunDraft:
    """The draft with other ids for its clusters."""
    nodes, members = rename_clusters(draft.run.nodes, draft.members, names)
    centroids = {names[cluster_id]: vector for cluster_id, vector in draft.centroids.items()}
    frozen = {names[cluster_id]: theme for cluster_id, theme in draft.frozen.items()}
    run = replace(draft.run, nodes=nodes, frozen=sorted(frozen, key=id_sort_key))
    return replace(draft, run=run, members=members, centroids=centroids, frozen=frozen)


def _same(runs: Runs, run: Run, shared: Overlaps, centroids: dict[str, Floats]) -> dict[str, str]:
    """The cluster of an earlier run, by later one: by records, else by the centroids it keeps."""
    same = same_clusters(shared)
    unmatched = {id_: vector for id_, vector in centroids.items() if id_ not in same}
    lost = {id_: vector for id_, vector in runs.centroids(run).items() if id_ in shared.lost}
    return same | same_by_centroid(lost, unmatched)


def earlier_runs(runs: Runs, run: Run) -> list[Run]:
    """The saved runs of the same records (dataset, filter), the newest first, before this one.

    `run` may be a draft, which comes after all that are saved.
    """
    alike = _alike(runs, run.dataset, run.collection, run.parameters.get("where"))
    return [saved for saved in alike if not run.id or int(saved.id[1:]) < int(run.id[1:])]


def alike_runs(runs: Runs, card: DatasetCard, where: Scalar) -> list[Run]:
    """The saved runs of these records (dataset, filter) whose edits count for a new one: the
    dataset's default, and the newest."""
    alike = list(_alike(runs, card.name, card.collection, where))
    if not alike:
        return []
    default = runs.default(card.name).run.id
    return [*(run for run in alike if run.id == default), alike[0]]


def _alike(runs: Runs, dataset: str, collection: str, where: Scalar) -> Iterator[Run]:
    """The saved runs of these records as they were found, the newest first: a layer that was chosen
    to be shown would be compared with themes of another resolution."""
    for run_id in reversed(runs.ids(dataset)):
        run = runs.load(dataset, run_id)
        if run.found is not None:
            run = runs.load(dataset, run_id, run.found)
        if run.collection == collection and run.parameters.get("where") == where:
            yield run


def inherited_descriptions(
    as_of: str, descriptions: Mapping[str, Description], same: Mapping[str, str]
) -> dict[str, Description]:
    """The descriptions of an earlier run, named as it was, for the clusters that are the same
    thing, by later id.

    Their parts are others now, so that nothing is said of one that was passed over.
    """
    return {
        cluster_id: replace(
            without_parts(descriptions[earlier]),
            cluster=cluster_id,
            carried_from=descriptions[earlier].carried_from or f"{as_of}:{earlier}",
        )
        for cluster_id, earlier in same.items()
        if earlier in descriptions
    }


def with_changes(
    runs: Runs,
    source: Run,
    words: Mapping[str, Description],
    same: Mapping[str, str],
    members: Members,
) -> dict[str, Description]:
    """Descriptions taken over from the run `source`, with how much their clusters have changed
    since they were written, however many runs ago.

    Args:
        runs: The saved runs; where the one of the writing was deleted, what had changed until
            `source` and what changed since are put together.
        source: The run that had them.
        words: By cluster id in `members`.
        same: The id in `source` by that id.
        members: Of the later run.

    A proof on texts that are mostly others now says nothing any more, and goes.
    """
    kept = {*runs.ids(source.dataset)} if words else set()
    now = _records_by_path(members)

    @cache
    def then(run_id: str, edit: str) -> dict[str, set[str]]:
        saved = runs.as_of(runs.load(source.dataset, run_id), int(edit or 0))
        return _records_by_path(runs.members(saved))

    def changed_since(place: str, later: str) -> float | None:
        as_of, _, earlier = place.partition(":")
        run_id, _, edit = as_of.partition("@")
        if run_id not in kept:
            return None
        return changed_share(_records_in(then(run_id, edit), earlier), _records_in(now, later))

    aged = {}
    for cluster, description in words.items():
        step = changed_since(f"{source.as_of}:{same[cluster]}", cluster) or 0.0
        changed = changed_since(str(description.carried_from), cluster)
        if changed is None:
            changed = 1 - (1 - description.changed) * (1 - step)
        since_proof = changed
        if description.proved_on:
            measured = changed_since(description.proved_on, cluster)
            since_proof = changed if measured is None else measured
        aged[cluster] = replace(
            description,
            changed=round(changed, 3),
            proof=None if since_proof >= STALE else description.proof,
        )
    return aged


def changed_share(then: set[str], now: set[str]) -> float:
    """The share of the larger of two sets of records that the other has not, 0 to 1."""
    return 1 - len(then & now) / max(1, len(then), len(now))


def _records_by_path(members: Members) -> dict[str, set[str]]:
    records: dict[str, set[str]] = {}
    for record, path in zip(members.ids, members.paths, strict=True):
        records.setdefault(str(path), set()).add(record)
    return records


def _records_in(by_path: Mapping[str, set[str]], cluster: str) -> set[str]:
    """The records in a cluster, its parts included."""
    return set().union(*(ids for path, ids in by_path.items() if is_within(path, cluster)))


def without_parts(description: Description) -> Description:
    """The description without what its proof says of parts that are no more."""
    if description.proof is None or description.proof.passed_over is None:
        return description
    return replace(description, proof=replace(description.proof, passed_over=None))
