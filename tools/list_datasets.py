"""The tool `list-datasets`, and the page of one dataset."""

from corpuscope.tools.core.schema import DatasetCard, Result, Run
from corpuscope.tools.workspace.workspace import Workspace


class DatasetSummary(Result):
    """One dataset in a list."""

    name: str
    records: int
    embedding: str
    text_columns: list[str]
    metadata_columns: dict[str, str]
    created: str
    newest_run: str | None
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
    return DatasetList(datasets=[_summary(workspace, card) for card in workspace.store.cards()])


def dataset_page(workspace: Workspace, name: str) -> str:
    """The card of a dataset in Markdown, with its runs.

    Raises:
        NotFound: No such dataset.
    """
    card = workspace.store.card(name)
    runs = [workspace.runs.load(name, run) for run in workspace.runs.ids(name)]
    lines = [f"# {name}", "", _summary(workspace, card).as_text(), "", "## Runs", ""]
    return "\n".join(lines + [f"- {_run_line(run)}" for run in runs])


def _summary(workspace: Workspace, card: DatasetCard) -> DatasetSummary:
    known = workspace.runs.ids(card.name)
    newest = workspace.runs.load(card.name) if known else None
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


def _run_line(run: Run) -> str:
    part = f", within {run.within}" if run.within else ""
    if run.assigned_from:
        part += f", {run.assigned:,} records assigned to the clusters of {run.assigned_from}"
    layer = run.layers[run.recommended]
    return f"{run.id} ({run.created}{part}): {layer.clusters} clusters, {run.records:,} records"
