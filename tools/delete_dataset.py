"""The tool `delete-dataset`: a dataset, its runs and descriptions are deleted, once confirmed."""

from typing import Annotated

from pydantic import Field

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import Result, Verbatim
from corpuscope.tools.ingestion.loading import drop_leftovers
from corpuscope.tools.store.locks import dataset_lock
from corpuscope.tools.workspace.workspace import Workspace


class Deleted(Result):
    """What was deleted."""

    dataset: Verbatim
    records: int
    runs: int

    def as_text(self) -> str:
        """One line."""
        return f"Deleted dataset '{self.dataset}': {self.records:,} records, {self.runs} runs."


def delete_dataset(
    workspace: Workspace,
    dataset: Annotated[str, Field(description="The dataset to delete.")],
    confirm: Annotated[
        bool, Field(description="Must be true: ask the person before you set it.")
    ] = False,
) -> Deleted:
    """Delete a dataset for good: its records, vectors, runs and descriptions.

    Cannot be undone. Without confirm=true it only says what would be lost. Files that were
    ingested and maps that were drawn stay where they are.
    """
    card = workspace.store.card(dataset)
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
    return Deleted(dataset=card.name, records=records, runs=runs)
