"""A file that is to be read: what it may take, its bytes as they are unpacked, its text.

In: a path and limits; out: bytes, lines or pieces of text, measured as they come. Small files can
unpack to very large ones, and short lines to very many objects: all that is held of a row, a batch
or a file has a limit.
"""

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from corpuscope.tools.core.errors import BadInput

MAX_COLUMNS = 2_000
"""The card of a dataset describes about as many; wider files are matrices turned over."""

PIECE_CHARACTERS = 2**18
"""Decoded at a time where lines do not matter."""

READ_BYTES = 2**16
"""Read and measured at a time."""

DAMAGED_PACKING = (EOFError, gzip.BadGzipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """What a source may take; beyond, it is refused. Bytes are those of the file and, where larger,
    of what it unpacks to."""

    max_bytes: int
    rows: int = 20_000_000
    """Twice the largest corpus that this was tried with; ids and digests of all are remembered."""
    cells: int = 500_000_000
    columns: int = MAX_COLUMNS
    line_characters: int = 16 * 2**20
    """In a line, and in all lines of one row: keeps a bomb without line ends out of memory."""
    row_bytes: int = 128 * 2**20
    """Of memory that one row may take as objects."""
    ratio: int = 200
    """Times its size that a packed file may unpack to, once that is more than `ratio_from` bytes.
    Texts pack to a tenth, tables of repeated values to a fiftieth; gzip ends at a thousandth."""
    ratio_from: int = 64 * 2**20


@dataclass(frozen=True, slots=True)
class TextEncoding:
    """The encoding of a file: Python's name of it, and why it was taken, in a few words.

    `damaged` counts the characters that could not be decoded, `damaged_lines` are the first lines
    with such. `bom` are the bytes before the text, `newline` is what ends its lines.
    """

    codec: str
    reason: str
    damaged: int = 0
    damaged_lines: tuple[int, ...] = ()
    bom: bytes = b""
    newline: str = "\n"


def tell_nobody(share: float) -> None:
    """For whom no one waits."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that is to be read: its size, its limits, its encoding where it is text, and who is
    told, as it is read, which share of it (0 to 1) was read."""

    path: Path
    size: int
    limits: ReadLimits
    encoding: TextEncoding | None = None
    tell: Callable[[float], None] = tell_nobody

    @property
    def name(self) -> str:
        """The file's name, as messages quote it."""
        return self.path.name

    def check_size(self, size: int, verb: str) -> None:
        """Raises BadInput where `size` bytes are too many; `verb`: what they are of ("holds")."""
        limit = self.limits.max_bytes
        if size > limit:
            raise BadInput(
                f"{self.name}: {verb} {size:,} bytes, the limit is {limit:,}; split the file, or "
                "raise the limit (CORPUSCOPE_MAX_FILE_MB)"
            )
        most = max(self.limits.ratio_from, self.limits.ratio * self.size)
        if size > most:
            raise BadInput(
                f"{self.name}: {verb} {size:,} bytes, more than {self.limits.ratio} times its own "
                f"{self.size:,}: so much repetition is no corpus. If it is one, unpack it first"
            )

    def check_width(self, columns: int) -> None:
        """Raises BadInput where a header has too many columns."""
        if columns > self.limits.columns:
            raise BadInput(
                f"{self.name}: {columns:,} columns, the limit is {self.limits.columns:,}; keep "
                "those you need, one record in each row"
            )


class UnpackedFile(io.BufferedIOBase):
    """The bytes of a file, unpacked where it is packed: raises BadInput where they are more than
    the source's limits, and tells how far the reading is."""

    def __init__(self, source: Source) -> None:
        self._source, self._size = source, 0
        self._file = source.path.open("rb")
        packed = source.name.lower().endswith(".gz")
        self._stream = gzip.GzipFile(fileobj=self._file) if packed else self._file
        self._verb = "unpacks to at least" if packed else "holds"

    def readable(self) -> bool:
        return True

    def read1(self, size: int = -1, /) -> bytes:
        """Some bytes; more than a decoder asks for, which costs it nothing."""
        return self._read(READ_BYTES)

    def block(self, size: int) -> bytes:
        """The next bytes; those before a damage of the packing, which the reading will tell."""
        try:
            return self._read(size)
        except DAMAGED_PACKING:
            return b""

    def _read(self, size: int) -> bytes:
        block = self._stream.read(size)
        self._size += len(block)
        self._source.check_size(self._size, self._verb)
        self._source.tell(min(1.0, self._file.tell() / self._source.size))
        return block

    def close(self) -> None:
        self._stream.close()
        self._file.close()
        super().close()


def decoded_lines(source: Source) -> Iterator[str]:
    """The lines of a text file with their line ends, unpacked where the name ends in .gz.

    What cannot be decoded is U+FFFD; NULs are dropped.

    Raises BadInput: beyond the limits in all or in a line, a damaged or truncated gzip.
    """
    number, longest = 0, source.limits.line_characters
    with UnpackedFile(source) as stream:
        text = _text(stream, source)
        while True:
            try:
                # One more than allowed: a line without end is noticed, and never held whole.
                line = text.readline(longest + 1)
            except DAMAGED_PACKING as error:
                raise _damaged(source, f"line {number:,}", error) from error
            if not line:
                return
            number += 1
            if len(line) > longest:
                raise BadInput(
                    f"{source.name}: line {number:,} is longer than {longest:,} characters; "
                    "is it one record per line?"
                )
            yield line.replace("\0", "") if "\0" in line else line


def decoded_pieces(source: Source) -> Iterator[str]:
    """The text of a file as in `decoded_lines`, in pieces whatever its lines."""
    read = 0
    with UnpackedFile(source) as stream:
        text = _text(stream, source)
        while True:
            try:
                piece = text.read(PIECE_CHARACTERS)
            except DAMAGED_PACKING as error:
                raise _damaged(source, f"{read:,} characters", error) from error
            if not piece:
                return
            read += len(piece)
            yield piece.replace("\0", "") if "\0" in piece else piece


def _damaged(source: Source, place: str, error: Exception) -> BadInput:
    return BadInput(
        f"{source.name}: damaged or truncated gzip after {place} ({error}); copy or compress the "
        "file again"
    )


def _text(stream: UnpackedFile, source: Source) -> io.TextIOWrapper:
    """The bytes of the source decoded, with U+FFFD for what cannot be."""
    found = source.encoding
    assert found is not None, "`open_source` finds it"
    stream.block(len(found.bom))
    return io.TextIOWrapper(cast(IO[bytes], stream), found.codec, "replace", found.newline)
