"""What every tool is given: store, runs, files and models, passed in and never reached for."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Generic, TypeVar

from corpuscope.prompts import Templates
from corpuscope.tools.archive.runs import Runs
from corpuscope.tools.core.redaction import Redact
from corpuscope.tools.core.schema import DatasetCard
from corpuscope.tools.embedding.factory import open_embedder
from corpuscope.tools.embedding.masked import with_mask
from corpuscope.tools.embedding.spec import Embedder, EmbeddingOptions
from corpuscope.tools.llm.endpoint import EndpointOptions
from corpuscope.tools.store.deletion import kept_folder
from corpuscope.tools.store.patience import Patience
from corpuscope.tools.store.store import Store
from corpuscope.tools.tables.table import RecordTable
from corpuscope.tools.workspace.file_access import FileAccess

T = TypeVar("T")

# Datasets that a chat goes back and forth between; a model may take some 100 MB.
MOST_KEPT = 2


@dataclass(frozen=True)
class LlmOptions:
    """The model that writes descriptions, where it is, and what it may use.

    `max_tokens` is for one call of a tool; the prices are for a million tokens, None where the
    person did not say.
    """

    endpoint: EndpointOptions
    model: str
    max_tokens: int | None = None
    price_in: float | None = None
    price_out: float | None = None


class LatelyUsed(Generic[T]):
    """The things that were used lately; each is made once, however many ask for it at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[object, T] = {}
        self._making: dict[object, threading.Lock] = {}

    def of(self, key: object, make: Callable[[], T]) -> T:
        """What has this key, from here or made now."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        # It may take a minute, for which others do not wait.
        with making:
            if key not in self._kept:
                made = make()
                with self._lock:
                    if len(self._kept) >= MOST_KEPT:
                        del self._kept[next(iter(self._kept))]
                    self._kept[key] = made
                return made
            return self._kept[key]


class Embedders:
    """The embedders that were opened lately: loading a model for every query would take longer
    than the search."""

    def __init__(self, options: EmbeddingOptions) -> None:
        self.options = options
        self._opened = LatelyUsed[Embedder]()

    def of(self, card: DatasetCard, saved: Path) -> Embedder:
        """The embedder that made the dataset's vectors; `saved` is the dataset's folder.

        Raises:
            Unavailable: Its package, model, endpoint or fit is missing.
        """

        def opened() -> Embedder:
            return with_mask(open_embedder(card.embedding, self.options, saved), card.mask)

        return self._opened.of((card.collection, card.embedding), opened)


@dataclass(frozen=True)
class Workspace:
    """Everything outside a tool that it may use."""

    home: Path
    store: Store
    runs: Runs
    files: FileAccess
    embedders: Embedders
    tables: LatelyUsed[RecordTable]
    """The datasets' columns."""
    default_embedding: str
    writer: LlmOptions | None
    templates: Templates
    plots_kept: int
    """Maps in the home beyond which the oldest go."""
    language: str | None
    """ISO 639-1 code of the language of descriptions; None: that of the texts."""
    redact: Redact
    """What is done to every text before a model sees it."""

    def within(self, patience: Patience) -> "Workspace":
        """The same for one call, which ends when its patience does."""
        return replace(self, store=self.store.within(patience))

    def dataset_folder(self, card: DatasetCard) -> Path:
        """Where a dataset keeps what is no record: the fit of its embedder."""
        return kept_folder(self.home, card.collection)
