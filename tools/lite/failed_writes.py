"""Milvus Lite, losing nothing where a write fails: the disk is full, or a file may not grow.

Milvus Lite (3.2) by itself goes on after half a batch in its log, so that what is written after
it is lost with the next kill; drops from memory what it could not flush to a file, and deletes its
log with the next flush; keeps half an index, which no start after that can read; and leaves half a
collection, which cannot be made again. Here a write that fails leaves all as it was, and dropping
a collection writes nothing. Only the process that serves Milvus Lite imports this module.
"""

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, BinaryIO

from milvus_lite import __version__
from milvus_lite import db as lite_db
from milvus_lite.db import DEFAULT_DATABASE_NAME, SCHEMA_FILENAME, MilvusLite
from milvus_lite.engine import collection as lite_collection
from milvus_lite.engine.collection import Collection
from milvus_lite.engine.recovery import _cleanup_orphan_files
from milvus_lite.index.factory import build_index_from_spec
from milvus_lite.storage.manifest import Manifest
from milvus_lite.storage.wal import WAL

from corpuscope.tools.lite.service import KNOWN_VERSIONS

IN_MEMORY = frozenset({"FLAT", "BRUTE_FORCE"})
"""Indexes that are the vectors themselves: a file of them would only be a second copy."""

logger = logging.getLogger(__name__)


class WholeLog(WAL):  # type: ignore[misc]  # milvus_lite has no types
    """The log of what is in no file yet, in which no batch comes after half of one."""

    _data_sink: BinaryIO | None
    _delta_sink: BinaryIO | None

    def write_insert(self, record_batch: Any) -> None:
        """Append rows, or leave the log as it was."""
        with self._whole():
            super().write_insert(record_batch)

    def write_delete(self, record_batch: Any) -> None:
        """Append deletions, or leave the log as it was."""
        with self._whole():
            super().write_delete(record_batch)

    def close_and_delete(self) -> None:
        """Delete the log. Its end need not be written any more, so that a full disk is no error."""
        try:
            super().close_and_delete()
        except OSError as error:
            logger.warning("closing a log: %s", error)

    @contextlib.contextmanager
    def _whole(self) -> Iterator[None]:
        sizes = [0 if sink is None else sink.tell() for sink in (self._data_sink, self._delta_sink)]
        try:
            yield
        except (OSError, MemoryError):
            self._seal(sizes)
            raise

    def _seal(self, sizes: list[int]) -> None:
        """End both files where the last whole batch ended; what comes next goes into new ones."""
        sinks: list[BinaryIO | None] = [self._data_sink, self._delta_sink]
        for sink, size in zip(sinks, sizes, strict=True):
            if sink is not None:
                with contextlib.suppress(OSError):  # half a batch at the very end is passed over
                    os.ftruncate(sink.fileno(), size)
                # Not the buffer before it, which would try once more to write what it holds.
                sink.raw.close()  # type: ignore[attr-defined]  # of a buffered file
        self._data_writer = self._data_sink = self._delta_writer = self._delta_sink = None
        self._number += 1


class WholeManifest(Manifest):  # type: ignore[misc]
    """Which files a collection has, in memory as on disk: not saved is not changed."""

    _saved: dict[str, Any]

    @classmethod
    def load(cls, data_dir: str) -> "WholeManifest":
        """The manifest as it was saved last."""
        manifest: WholeManifest = super().load(data_dir)
        manifest._saved = manifest._state()
        return manifest

    def save(self) -> None:
        """Save it, or take back what was changed since it was saved last."""
        try:
            super().save()
        except (OSError, MemoryError):
            self.__dict__.update(self._saved)
            raise
        finally:
            self._saved = self._state()

    def _state(self) -> dict[str, Any]:
        kept = {name: value for name, value in vars(self).items() if name != "_saved"}
        # The specs never change; what cannot be copied is in them.
        return kept | {
            "_partitions": deepcopy(self._partitions), "_index_specs": dict(self._index_specs)
        }  # fmt: skip


class WholeCollection(Collection):  # type: ignore[misc]
    """A collection that keeps in memory and in its log what it could not write to a file."""

    _is_open = False
    _has_unread_files = False
    """Whether a flush ended on the disk and not in memory."""
    _memtable: Any
    _wal: Any

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._is_open = True

    def close(self) -> None:
        """Close it; what cannot be flushed stays in the log, which the next start reads."""
        try:
            super().close()
        except (OSError, MemoryError) as error:
            logger.warning("%s is closed unflushed: %s", self.name, error)
            self._bg_closed = True
            self._bg_executor.shutdown(wait=True)

    def forget(self) -> None:
        """Let go of what is in memory alone, before the collection is dropped."""
        self._memtable = lite_collection.MemTable(self._schema)

    def _trigger_flush(self) -> None:
        memory, log, version = self._memtable, self._wal, self._manifest.version
        try:
            super()._trigger_flush()
        except (OSError, MemoryError) as error:
            if self._manifest.version != version:
                # The rows are in files by now: nothing is lost, and who reads next looks there.
                logger.warning("%s: after a flush: %s", self.name, error)
                self._recovered_wal_bytes, self._has_unread_files = 0, True
                return
            self._memtable, self._wal = memory, log
            with self._maintenance_lock:
                _cleanup_orphan_files(self._data_dir, self._manifest)
            if self._is_open:
                raise
            # Too much in the log after a kill: it can be read all the same.
            logger.warning("%s is opened unflushed: %s", self.name, error)

    def _segments_snapshot(self) -> Any:
        self._read_files()
        return super()._segments_snapshot()

    def _read_snapshot(self) -> Any:
        self._read_files()
        return super()._read_snapshot()

    def _read_files(self) -> None:
        """Make up for a flush that ended before its files were in memory."""
        if self._has_unread_files:
            with self._maintenance_lock:
                self._refresh_segment_cache()
                self._has_unread_files = False
            self._schedule_bg_maintenance()

    def _build_or_load_segment_index(self, segment: Any, spec: Any) -> None:
        if spec.index_type not in IN_MEMORY:
            super()._build_or_load_segment_index(segment, spec)
        elif spec.field_name not in segment.indexes:
            vectors, _ = segment.vector_data(spec.field_name)
            segment.attach_index(build_index_from_spec(spec, vectors), field_name=spec.field_name)


class WholeLite(MilvusLite):  # type: ignore[misc]
    """Milvus Lite that makes a collection whole or not at all, and drops it without a write."""

    def create_collection(
        self,
        name: str,
        schema: Any,
        properties: dict[str, Any] | None = None,
        database_name: str = DEFAULT_DATABASE_NAME,
    ) -> Any:
        """Make a collection; what one that failed has left is in nobody's way."""
        self._validate_name(name)
        folder = Path(self._collection_dir(name, database_name))
        if not (folder / SCHEMA_FILENAME).exists():
            shutil.rmtree(folder, ignore_errors=True)
        try:
            return super().create_collection(name, schema, properties, database_name)
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def drop_collection(self, name: str, database_name: str = DEFAULT_DATABASE_NAME) -> None:
        """Delete a collection, without writing to a file what is in memory alone."""
        key = (self._normalize_database_name(database_name), name)
        opened = self._collections.get(key)
        if opened is not None:
            opened.forget()
        super().drop_collection(name, database_name)


def open_database(folder: Path) -> Any:
    """Open a folder of Milvus Lite; in versions that are known, one that loses nothing.

    Raises:
        OSError: It cannot be opened.
        DataDirLockedError: Another process has it open.
    """
    if not __version__.startswith(KNOWN_VERSIONS):
        return MilvusLite(str(folder))
    lite_collection.WAL = WholeLog
    lite_collection.Manifest = WholeManifest
    lite_db.Collection = WholeCollection
    return WholeLite(str(folder))
