"""The tool `delete`: a dataset with all that belongs to it, or one run, once confirmed."""

from typing import Annotated

from pydantic import Field

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import DatasetCard, Result, Run, Verbatim
from corpuscope.tools.ingestion.loading import drop_leftovers
from corpuscope.tools.store.locks import dataset_lock
from corpuscope.tools.workspace.workspace import Workspace


class Deleted(Result):
    """What was deleted."""

    dataset: Verbatim
    run: Verbatim | None
    """The run that was deleted; None where the whole dataset was."""
    records: int
    """Deleted with the dataset; 0 where a run was: its records stay."""
    runs: int
    default_run: Verbatim | None
    """The dataset's default run from now on; None where there is none."""
    why_default: Verbatim | None

    def as_text(self) -> str:
        """One line."""
        if self.run is None:
            return f"Deleted dataset '{self.dataset}': {self.records:,} records, {self.runs} runs."
        now = "it has no run any more: call `cluster`"
        if self.default_run:
            now = f"the default is {self.default_run} ({self.why_default})"
        return f"Deleted run {self.run} of '{self.dataset}'; its records stay, {now}."


def delete(
    workspace: Workspace,
    dataset: Annotated[str, Field(description="The dataset, deleted whole where no run is named.")],
    run: Annotated[
        str | None, Field(description="Delete only this run (r3): its themes, words and map.")
    ] = None,
    confirm: Annotated[
        bool, Field(description="Must be true: ask the person before you set it.")
    ] = False,
) -> Deleted:
    """Delete a dataset for good (records, vectors, runs, descriptions), or one run of it.

    Cannot be undone. Without confirm=true it only says what would be lost. Runs that were made
    from a deleted one stay whole. Ingested files and drawn maps stay where they are.
    """
    card = workspace.store.card(dataset)
    if run is not None:
        return _delete_run(workspace, card, workspace.runs.load(card.name, run), confirm)
    records = workspace.store.count(card)
    runs = len(workspace.runs.ids(card.name))
    if not confirm:
        raise BadInput(
            f"This would delete '{card.name}' for good: {records:,} records, {runs} runs and their "
            "descriptions. Ask the person; then call again with confirm=true."
        )
    with dataset_lock(workspace.home, card.name):
        workspace.store.drop(card)
        workspace.runs.remove(card.name)
        drop_leftovers(workspace, card.name, None)
    return Deleted(
        dataset=card.name,
        run=None,
        records=records,
        runs=runs,
        default_run=None,
        why_default=None,
    )


def _delete_run(workspace: Workspace, card: DatasetCard, run: Run, confirm: bool) -> Deleted:
    if not confirm:
        words = len(workspace.runs.descriptions(run))
        standing = workspace.runs.default(card.name).run.id == run.id
        raise BadInput(
            f"This would delete run {run.id} of '{card.name}' for good: "
            f"{run.layers[run.recommended].clusters} clusters, {words} descriptions, the map"
            f"{'; it is the default run' if standing else ''}. The records stay. Ask the person; "
            "then call again with confirm=true."
        )
    with dataset_lock(workspace.home, card.name):
        workspace.runs.remove_run(run)
    left = workspace.runs.default(card.name) if workspace.runs.ids(card.name) else None
    return Deleted(
        dataset=card.name,
        run=run.id,
        records=0,
        runs=1,
        default_run=left.run.id if left else None,
        why_default=left.why if left else None,
    )
