"""The tool `compare-runs`."""

from typing import Annotated

import numpy as np
from pydantic import Field

from corpuscope.tools.core.errors import BadInput, NotFound
from corpuscope.tools.core.schema import Result, Run, Verbatim
from corpuscope.tools.runs.changes import (
    ComparedRun,
    Comparison,
    compare,
    recommended_places,
    records_staying,
)
from corpuscope.tools.runs.inheritance import earlier_runs
from corpuscope.tools.runs.matching import Overlaps, overlaps, same_clusters
from corpuscope.tools.workspace.arguments import DatasetName, RunId
from corpuscope.tools.workspace.selection import Selection, labels, select
from corpuscope.tools.workspace.workspace import Workspace

CHANGES_TOLD = 25
RESIZED_TOLD = 5
"""Kept clusters whose size changed most; the others are in the structured result."""


class RunComparison(Result):
    """What changed from an earlier run to a later one."""

    dataset: Verbatim
    earlier: Verbatim
    later: Verbatim
    records_before: int
    records_after: int
    shared: int
    """Records that both runs know; all that follows is about these, sizes and noise apart."""
    agreement: float
    """Adjusted mutual information of the recommended layers, noise as one more cluster: 1 is the
    same, 0 what chance gives."""
    staying: float
    """Share of the shared records that are in the same cluster as before, or in noise still."""
    clusters: Comparison

    def as_text(self) -> str:
        """Records, agreement, and what became of the clusters."""
        noise = f"{self.clusters.noise_before:,} → {self.clusters.noise_after:,}"
        lines = [
            f"From {self.earlier} to {self.later} of '{self.dataset}': {self.records_before:,} → "
            f"{self.records_after:,} records ({self.shared:,} in both), noise {noise}. "
            f"{self.staying:.0%} of those in both stay where they were; agreement (AMI) "
            f"{self.agreement:.2f}.",
            *self.clusters.lines(CHANGES_TOLD, "in the structured result"),
        ]
        same = [change for change in self.clusters.changes if change.kind == "kept"]
        resized = sorted(
            (change for change in same if change.growth), key=lambda change: -abs(change.growth)
        )
        lines += [f"  {change.as_text()}" for change in resized[:RESIZED_TOLD]]
        return "\n".join(lines)


def compare_runs(
    workspace: Workspace,
    dataset: DatasetName = None,
    run: RunId = None,
    other: Annotated[
        str | None,
        Field(
            description="The run to compare with; left out: the one before, of the same records."
        ),
    ] = None,
) -> RunComparison:
    """Say what changed between two runs: clusters kept, new, gone, split, merged; noise; agreement.

    Use it after clustering again (more records, another seed or parameters), or to see how sure
    the clusters are: what comes back with another seed can be relied on. The older run is taken
    as the earlier one. Clusters are the same that share most of the records both runs know.
    """
    first = select(workspace, dataset, run)
    chosen = _other(workspace, first.run, other)
    second = select(workspace, first.card.name, chosen.id)
    before, after = sorted((first, second), key=lambda selection: int(selection.run.id[1:]))
    shared = overlaps(workspace.runs.members(before.run), workspace.runs.members(after.run))
    if not shared.records:
        replaced = before.run.collection != after.run.collection
        why = f": '{first.card.name}' was replaced between them" if replaced else ""
        raise BadInput(
            f"{before.run.id} and {after.run.id} have no record in common{why}. "
            f"Compare others; {_there_are(workspace, first.run.dataset)}"
        )
    same = same_clusters(shared)
    staying = records_staying(before.run, after.run, same, shared)
    return RunComparison(
        dataset=first.card.name,
        earlier=before.run.id,
        later=after.run.id,
        records_before=before.run.records,
        records_after=after.run.records,
        shared=shared.records,
        agreement=round(_agreement(before.run, after.run, shared), 4),
        staying=round(staying / shared.records, 4),
        clusters=compare(_compared(before), _compared(after), same, shared),
    )


def _other(workspace: Workspace, run: Run, other: str | None) -> Run:
    """The run to compare with: the one named, or the newest before it of the same records."""
    if other == run.id:
        raise BadInput(
            f"{other} is compared with itself. Name another run with `other`; "
            f"{_there_are(workspace, run.dataset)}"
        )
    if other is not None:
        return workspace.runs.load(run.dataset, other)
    past = earlier_runs(workspace.runs, run)
    if not past:
        raise NotFound(
            f"No run before {run.id} has the same records (dataset, filter). Name one with "
            f"`other`, or make one with `cluster`; {_there_are(workspace, run.dataset)}"
        )
    return past[0]


def _compared(selection: Selection) -> ComparedRun:
    return ComparedRun(selection.run, labels(selection.run, selection.descriptions))


def _there_are(workspace: Workspace, dataset: str) -> str:
    runs = [workspace.runs.load(dataset, run_id) for run_id in workspace.runs.ids(dataset)]
    listed = [f"{run.id} ({run.records:,} records{_part(run)})" for run in runs]
    return f"there are {', '.join(listed)}."


def _part(run: Run) -> str:
    where = run.parameters.get("where")
    return f", where {where}" if where else ""


def _agreement(before: Run, after: Run, shared: Overlaps) -> float:
    from sklearn.metrics import adjusted_mutual_info_score

    old, new = recommended_places(before, shared, 0), recommended_places(after, shared, 1)
    counts = np.fromiter(shared.pairs.values(), np.int64)
    labels = [
        np.repeat(np.unique(places, return_inverse=True)[1], counts)
        for places in ([old[a] for a, _ in shared.pairs], [new[b] for _, b in shared.pairs])
    ]
    return float(adjusted_mutual_info_score(*labels))
