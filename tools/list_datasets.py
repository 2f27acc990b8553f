"""The tool `list-datasets`: what datasets there are, with their newest run."""

from corpuscope.tools.core.schema import DatasetCard, Result, Verbatim
from corpuscope.tools.workspace.workspace import Workspace


class DatasetSummary(Result):
    """One dataset in a list."""

    name: Verbatim
    records: int
    embedding: Verbatim
    text_columns: list[Verbatim]
    metadata_columns: dict[str, str]
    created: Verbatim
    newest_run: Verbatim | None
    clusters: int | None
    """In the recommended layer of the newest run."""
    stale: bool
    """Whether records changed after the newest run."""

    def as_text(self) -> str:
        """The dataset in two lines."""
        columns = ", ".join(f"{name} ({kind})" for name, kind in self.metadata_columns.items())
        run = "not clustered yet"
        if self.newest_run is not None:
            changed = ", records changed since" if self.stale else ""
            run = f"newest run {self.newest_run}: {self.clusters} clusters{changed}"
        return (
            f"{self.name}: {self.records:,} records, vectors by {self.embedding}, {run}\n"
            f"  text: {', '.join(self.text_columns)}; metadata: {columns or 'none'}"
        )


class DatasetList(Result):
    """All datasets."""

    datasets: list[DatasetSummary]

    def as_text(self) -> str:
        """A line or two per dataset."""
        if not self.datasets:
            return "No datasets yet. Read a file into one with `ingest`."
        return "\n".join(dataset.as_text() for dataset in self.datasets)


def list_datasets(workspace: Workspace) -> DatasetList:
    """List the datasets: records, columns, embedding, newest run.

    Start here to see what there is; then `cluster` or `list-clusters`.
    """
    return DatasetList(
        datasets=[dataset_summary(workspace, card) for card in workspace.store.cards()]
    )


def dataset_summary(workspace: Workspace, card: DatasetCard) -> DatasetSummary:
    """What a dataset holds, counted now, and whether its newest run still fits it."""
    newest = workspace.runs.load(card.name) if workspace.runs.ids(card.name) else None
    return DatasetSummary(
        name=card.name,
        records=workspace.store.count(card),
        embedding=card.embedding,
        text_columns=card.text_columns,
        metadata_columns=dict(card.metadata_columns),
        created=card.created,
        newest_run=newest.id if newest else None,
        clusters=newest.layers[newest.recommended].clusters if newest else None,
        stale=newest is not None
        and (newest.collection, newest.dataset_version) != (card.collection, card.version),
    )
