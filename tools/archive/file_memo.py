"""What was read from files lately, kept as long as they are the same: runs and their members.

Each call of a tool reads them, and no file of a run is changed in place: a new one takes its name.
"""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

Kept = TypeVar("Kept")

MOST_BYTES = 16 * 1024 * 1024
"""Of all files that are kept; in memory it is about eight times that. Members of 500,000 records
take so much, or the runs of a hundred datasets."""


class FileMemo:
    """The contents of files that were read lately; a large one is read anew each time."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Path, tuple[tuple[int, ...], Any]] = OrderedDict()
        self._lock = Lock()

    def read(self, file: Path, read: Callable[[Path], Kept]) -> Kept:
        """What `read` makes of a file, now or when it was asked for before; raises as `read` does.

        Whoever gets it must not change it. A file is read in one way only.
        """
        # One at a time: of many that want the same file at once, one reads it.
        with self._lock:
            status = file.stat()
            stamp = (status.st_size, status.st_mtime_ns, status.st_ino)
            if file in self._kept and self._kept[file][0] == stamp:
                self._kept.move_to_end(file)
                known: Kept = self._kept[file][1]
                return known
            self._kept.pop(file, None)
            content = read(file)
            if status.st_size <= self._most_bytes:
                self._kept[file] = (stamp, content)
            while sum(kept[0] for kept, _ in self._kept.values()) > self._most_bytes:
                self._kept.popitem(last=False)
            return content
