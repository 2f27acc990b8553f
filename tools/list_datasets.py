"""The tool `list-datasets`: what datasets there are, with their default run and the others."""

from corpuscope.tools.archive.defaults import RULE, apart
from corpuscope.tools.core.schema import DatasetCard, Result, Verbatim
from corpuscope.tools.workspace.workspace import Workspace

OTHERS_NAMED = 8
"""Other runs told in a text, the newest first."""


class DatasetSummary(Result):
    """One dataset in a list."""

    name: Verbatim
    records: int
    embedding: Verbatim
    text_columns: list[Verbatim]
    metadata_columns: dict[str, str]
    created: Verbatim
    newest_run: Verbatim | None
    default_run: Verbatim | None
    """The run that tools use where none is named."""
    why_default: Verbatim | None
    other_runs: dict[str, str | None]
    """The runs beside it, the newest first, with why they are none by themselves: a filter, or a
    trial of settings."""
    clusters: int | None
    """In the layer that the default run shows."""
    stale: bool
    """Whether records changed after the default run."""

    def as_text(self) -> str:
        """The dataset in two lines."""
        columns = ", ".join(f"{name} ({kind})" for name, kind in self.metadata_columns.items())
        run = "not clustered yet"
        if self.default_run is not None:
            changed = ", records changed since" if self.stale else ""
            run = f"default run {self.default_run} ({self.why_default}): "
            run += f"{self.clusters} clusters{changed}"
        if self.other_runs:
            named = [f"{other} ({why})" if why else other for other, why in self.other_runs.items()]
            more = ", …" if len(named) > OTHERS_NAMED else ""
            run += f"; other runs: {', '.join(named[:OTHERS_NAMED])}{more}"
        return (
            f"{self.name}: {self.records:,} records, vectors by {self.embedding}, {run}\n"
            f"  text: {', '.join(self.text_columns)}; metadata: {columns or 'none'}"
        )


class DatasetList(Result):
    """All datasets."""

    datasets: list[DatasetSummary]
    unreadable: dict[str, Verbatim]
    """Datasets, and runs (`shop/r3`), that cannot be read, with why; the others are unharmed."""

    def as_text(self) -> str:
        """A line or two per dataset."""
        lines = [dataset.as_text() for dataset in self.datasets]
        lines += [f"{name} {why}." for name, why in self.unreadable.items()]
        if not lines:
            return "No datasets yet. Read a file into one with `ingest`."
        if any(dataset.other_runs for dataset in self.datasets):
            lines.append(RULE)
        return "\n".join(lines)


def list_datasets(workspace: Workspace) -> DatasetList:
    """List the datasets: records, columns, embedding, the default run and why, other runs.

    Start here to see what there is; then `cluster` or `list-clusters`.
    """
    cards = workspace.store.cards()
    lost = workspace.store.unreadable.items()
    unreadable = {name: f"cannot be read: {why}" for name, why in lost}
    for card in cards:
        lost = workspace.runs.unreadable(card.name).items()
        unreadable |= {f"{card.name}/{run}": why for run, why in lost}
    return DatasetList(
        datasets=[dataset_summary(workspace, card) for card in cards], unreadable=unreadable
    )


def dataset_summary(workspace: Workspace, card: DatasetCard) -> DatasetSummary:
    """What a dataset holds, and whether its default run still fits it."""
    ids = workspace.runs.ids(card.name)
    default = workspace.runs.default(card.name) if ids else None
    run = workspace.runs.load(card.name) if ids else None
    others = (workspace.runs.load(card.name, id_) for id_ in reversed(ids) if run and id_ != run.id)
    return DatasetSummary(
        name=card.name,
        records=workspace.store.count(card) if card.records is None else card.records,
        embedding=card.embedding,
        text_columns=card.text_columns,
        metadata_columns=dict(card.metadata_columns),
        created=card.created,
        newest_run=ids[-1] if ids else None,
        default_run=run.id if run else None,
        why_default=default.why if default else None,
        other_runs={other.id: apart(other) for other in others},
        clusters=run.layers[run.recommended].clusters if run else None,
        stale=run is not None
        and (run.collection, run.dataset_version) != (card.collection, card.version),
    )
