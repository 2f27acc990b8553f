"""What changed between two runs of the same records, as an answer of the tool `contrast`.

In: two selections, and what their runs share. Out: clusters kept, new, gone, split, merged; noise;
agreement.
"""

import numpy as np

from corpuscope.tools.core.errors import NotFound
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
from corpuscope.tools.workspace.selection import Selection, labels
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


def compare_selected(
    workspace: Workspace, first: Selection, second: Selection
) -> RunComparison | None:
    """What changed from the older to the newer of two runs of one dataset, whichever is named
    first; None where they have no record in common."""
    before, after = sorted((first, second), key=lambda selection: int(selection.run.id[1:]))
    shared = overlaps(workspace.runs.members(before.run), workspace.runs.members(after.run))
    if not shared.records:
        return None
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


def run_before(workspace: Workspace, run: Run) -> Run:
    """The newest run before another of the same records.

    Raises:
        NotFound: There is none; the message lists the runs there are.
    """
    past = earlier_runs(workspace.runs, run)
    if not past:
        runs = [workspace.runs.load(run.dataset, id_) for id_ in workspace.runs.ids(run.dataset)]
        listed = [f"{one.id} ({one.records:,} records{_part(one)})" for one in runs]
        raise NotFound(
            f"No run before {run.id} has the same records (dataset, filter). Name one with b, or "
            f"make one with `cluster`; there are {', '.join(listed)}."
        )
    return past[0]


def _compared(selection: Selection) -> ComparedRun:
    return ComparedRun(selection.run, labels(selection.run, selection.descriptions))


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
