"""Where a file goes: as the person named it, or by a name of its own into the home.

In: a name, or what is exported; out: a path that may be written. A page that is there is replaced,
as maps are; a table never is, nor what is read-only.
"""

import re
import stat
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from corpuscope.tools.core.errors import BadInput, NotFound
from corpuscope.tools.workspace.workspace import Workspace

FOLDER = "exports"
"""In the home."""

FILE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,150}\.[a-z]{2,7}")
"""How files in it are named, by us."""

DATA = (".csv", ".xlsx", ".parquet", ".jsonl", ".json")
"""What `ingest` reads as well: a file of this kind may be what a dataset was made of."""

READABLE = (".csv", ".json", ".jsonl", ".md", ".qdc", ".html")
"""Files of text, which a resource gives where they are small."""

MOST_READ = 500_000
"""Bytes of such a file: a chat takes no more."""


@dataclass(frozen=True, slots=True)
class ExportTarget:
    """The path of a file to write; `ours`: it is in the home, and its name is new."""

    path: Path
    ours: bool

    @property
    def replaces(self) -> bool:
        """Whether there is a file by this name."""
        return not self.ours and self.path.exists()


def export_target(
    workspace: Workspace, save_as: str | None, stem: str, suffix: str
) -> ExportTarget:
    """The file that was asked for, or a new one in the home: `stem`, the second, `suffix`.

    Raises:
        NotAllowed: It lies outside the allowed folders.
        BadInput: It is a folder, or its folder cannot be made; or a file is there that is a table,
            or read-only.
    """
    if save_as is not None:
        path = workspace.files.writable(save_as)
        check_replaceable(path)
        return ExportTarget(path, False)
    folder = workspace.home / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    # No file holds its place meanwhile: a kill would leave it, empty.
    return ExportTarget(folder / f"{stem}-{stamp}-{uuid.uuid4().hex[:4]}{suffix}", True)


def exported_text(workspace: Workspace, name: str) -> str:
    """The text of a small file that was exported into the home.

    Raises:
        NotFound: There is none by this name, or it is too large or no text.
    """
    path = workspace.home / FOLDER / name
    fits = FILE_NAME.fullmatch(name) is not None and path.suffix in READABLE
    if not fits or not path.is_file() or path.stat().st_size > MOST_READ:
        raise NotFound(
            f"No exported text '{name[:100]}' of at most {MOST_READ // 1000} kB. `export` names "
            "the address of each that it writes; larger files and sheets lie at their path."
        )
    return path.read_text(encoding="utf-8-sig")


def check_replaceable(path: Path) -> None:
    """Refuse to replace what may be a person's own data, or is not to be written.

    Raises:
        BadInput: A file is there that is a table, or read-only.
    """
    if not path.exists():
        return
    if path.suffix.lower() in DATA:
        raise BadInput(
            f"{path} is there already, and a table is never replaced: it may be what a dataset was "
            "made of. Give another name, or leave save_as out."
        )
    if not path.stat().st_mode & stat.S_IWUSR:
        raise BadInput(f"{path} is there already and is read-only. Give another name.")
