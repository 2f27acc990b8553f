"""The tool `delete`: a dataset with all that belongs to it, or one run, once confirmed."""

from typing import Annotated, Self

from pydantic import Field

from corpuscope.tools.core.errors import BadInput, NotFound, NotReady
from corpuscope.tools.core.ids import dataset_name
from corpuscope.tools.core.schema import DatasetCard, Result, Run, Verbatim
from corpuscope.tools.store.deletion import tombstones
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
    resumed: bool = False
    """Whether an earlier call, which was killed, had begun to delete the dataset."""

    def as_resumed(self) -> Self:
        """The same, of a deletion that an earlier call had begun."""
        return self._with(resumed=True)

    def as_text(self) -> str:
        """One line."""
        if self.resumed:
            return f"Deleted dataset '{self.dataset}', as an earlier call had begun to."
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
    from a deleted one stay whole. Ingested files, maps and exports stay where they are.
    """
    if run is None and (finished := _finished(workspace, dataset_name(dataset))):
        return finished
    card = workspace.store.card(dataset)
    if run is not None:
        return _delete_run(workspace, card, run, confirm)
    records = _count(workspace, card)
    runs = len(workspace.runs.ids(card.name))
    if not confirm:
        raise BadInput(
            f"This would delete '{card.name}' for good: {records:,} records, {runs} runs and their "
            "descriptions. Ask the person; then call again with confirm=true."
        )
    with dataset_lock(workspace.home, card.name):
        # Looked up again, now that nobody else can delete it, or has made it anew.
        present = workspace.store.find(card.name)
        if present is None or present.collection != card.collection:
            raise NotReady(f"'{card.name}' was deleted or replaced meanwhile. See `list-datasets`.")
        workspace.store.drop(card)
    return _deleted(card.name, records, runs)


def _finished(workspace: Workspace, dataset: str) -> Deleted | None:
    """The end of a deletion that an earlier call began, and was killed at; None where none was."""
    if dataset not in tombstones(workspace.home).values():
        return None
    with dataset_lock(workspace.home, dataset):
        workspace.store.finish_deletion(dataset)
    return _deleted(dataset, 0, 0).as_resumed()


def _count(workspace: Workspace, card: DatasetCard) -> int:
    try:
        return workspace.store.count(card)
    except NotFound:  # its collection is lost; what is left of it can still be deleted
        return 0


def _deleted(dataset: str, records: int, runs: int) -> Deleted:
    return Deleted(
        dataset=dataset, run=None, records=records, runs=runs, default_run=None, why_default=None
    )


def _delete_run(workspace: Workspace, card: DatasetCard, run: str, confirm: bool) -> Deleted:
    # A damaged run is in no list, and can be deleted all the same.
    if (damaged := workspace.runs.unreadable(card.name).get(run)) is not None:
        told = f"run {run} of '{card.name}' for good; it {damaged}"
    else:
        told = _told(workspace, workspace.runs.load(card.name, run))
    if not confirm:
        raise BadInput(
            f"This would delete {told}. The records stay. Ask the person; then call again with "
            "confirm=true."
        )
    with dataset_lock(workspace.home, card.name):
        workspace.runs.remove_run(card.name, run)
    left = workspace.runs.default(card.name) if workspace.runs.ids(card.name) else None
    return Deleted(
        dataset=card.name,
        run=run,
        records=0,
        runs=1,
        default_run=left.run.id if left else None,
        why_default=left.why if left else None,
    )


def _told(workspace: Workspace, run: Run) -> str:
    """What a run is and has."""
    words = len(workspace.runs.descriptions(run))
    standing = workspace.runs.default(run.dataset).run.id == run.id
    return (
        f"run {run.id} of '{run.dataset}' for good: {run.layers[run.recommended].clusters} "
        f"clusters, {words} descriptions, the map{'; it is the default run' if standing else ''}"
    )
