"""What a client asked to ingest, and the rows of it.

In: the request as the tool took it; out: the same with its files opened, and its rows, as often as
they are asked for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeAlias

from numpy.typing import NDArray

from corpuscope.tools.core.schema import NO_MASK, Mask
from corpuscope.tools.ingestion.mojibake import mended_rows
from corpuscope.tools.ingestion.row_vectors import open_vectors
from corpuscope.tools.readers.formats import open_source, read_rows
from corpuscope.tools.readers.rows import BadRow, Row, inline_rows
from corpuscope.tools.readers.source import ReadLimits, Source
from corpuscope.tools.workspace.workspace import Workspace

RowSource: TypeAlias = Path | list[dict[str, Any]]


@dataclass(frozen=True)
class IngestRequest:
    """What the client asked for; None, or `auto` as the embedding, where it is left to us."""

    source: RowSource
    text_columns: list[str] | None
    id_column: str | None
    vector_column: str | None
    metadata_columns: list[str] | None
    embedding: str
    limit: int | None
    vectors: NDArray[Any] | None = None
    """(rows, dim), where the vectors come from a file of their own."""
    encoding: str | None = None
    """Of a text file; None: it is detected."""
    mend: bool = False
    """Whether strings that were decoded wrongly once are mended."""
    mask: Mask = NO_MASK
    """What vectors and keywords are made without; nothing: as in the dataset that is there."""
    file: Source | None = None
    """The source, where it is a file: set as it is opened, so that its encoding is found once."""

    @property
    def brings_vectors(self) -> bool:
        """Whether nothing has to be embedded."""
        return self.vectors is not None or self.vector_column is not None


def with_vector_file(request: IngestRequest, workspace: Workspace) -> IngestRequest:
    """The request with its `.npy` file opened, where `vector_column` is one.

    Raises:
        BadInput: The file is not allowed, not there, or no array of vectors.
    """
    name = request.vector_column
    if name is None or not name.endswith(".npy"):
        return request
    path = workspace.files.readable(name)
    vectors = open_vectors(path, max_bytes=workspace.files.max_bytes)
    return replace(request, vector_column=None, vectors=vectors)


def with_open_file(
    request: IngestRequest, workspace: Workspace, tell: Callable[[float], None]
) -> IngestRequest:
    """The request with its source opened, where that is a file. `tell`: as `open_source` takes it.

    Raises:
        BadInput: The file cannot be read.
    """
    if not isinstance(request.source, Path):
        return request
    limits = ReadLimits(workspace.files.max_bytes)
    return replace(request, file=open_source(request.source, limits, request.encoding, tell))


def open_rows(request: IngestRequest) -> Iterator[Row | BadRow]:
    """The rows of the request's source, from the first one on; a file was opened before."""
    if isinstance(request.source, Path):
        assert request.file is not None, "`with_open_file` comes first"
        rows = read_rows(request.file)
    else:
        rows = inline_rows(request.source)
    return islice(mended_rows(rows) if request.mend else rows, request.limit)
