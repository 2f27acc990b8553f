"""Files that are there whole or as they were before: written aside, then renamed."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, renamed to it at the end; removed where that fails."""
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield draft
        draft.replace(path)
    finally:
        with contextlib.suppress(OSError):  # the error that led here tells more
            draft.unlink(missing_ok=True)
