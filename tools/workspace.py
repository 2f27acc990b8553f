"""What every tool is given: store, runs, files and models, passed in and never reached for."""

from dataclasses import dataclass
from pathlib import Path

from corpuscope.tools.access import FileAccess
from corpuscope.tools.embedding import EmbeddingOptions
from corpuscope.tools.endpoint import EndpointOptions
from corpuscope.tools.runs import Runs
from corpuscope.tools.schema import DatasetCard
from corpuscope.tools.store import Store


@dataclass(frozen=True)
class Writer:
    """The model that writes descriptions, and where it is."""

    endpoint: EndpointOptions
    model: str


@dataclass(frozen=True)
class Workspace:
    """Everything outside a tool that it may use."""

    home: Path
    store: Store
    runs: Runs
    files: FileAccess
    embedding: EmbeddingOptions
    default_embedding: str
    writer: Writer | None

    def dataset_folder(self, card: DatasetCard) -> Path:
        """Where a dataset keeps what is no record: the fit of its embedder."""
        return self.home / "datasets" / card.collection
