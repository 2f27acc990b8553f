"""Which files the tools may read and write: only those in the allowed folders.

In: a path as the client says it; out: the resolved path, or a refusal. Links are followed before
the check, so that none leads outside.
"""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from corpuscope.tools.core.disk import system_failure
from corpuscope.tools.core.errors import BadInput, NotAllowed, NotFound

IN_THE_CHAT = re.compile(
    r"(sandbox:|attachment:|file-[A-Za-z0-9]{8})|(sandbox:)?/mnt/(data|user-data)(/|$)"
)
"""How the hosts of chats name files that were dropped into one. They lie on the host's machine."""

ON_THE_WEB = re.compile(r"(https?|ftp|s3|gs)://", re.IGNORECASE)


@dataclass(frozen=True)
class FileAccess:
    """The folders that the tools may enter, and how large a file may be.

    `allowed` are resolved folders; `home` is corpuscope's own, where results are written.
    """

    home: Path
    allowed: tuple[Path, ...]
    max_bytes: int

    def readable(self, name: str) -> Path:
        """The resolved path of a regular file that may be read.

        Args:
            name: As the client says it; relative names are tried in each allowed folder.

        Raises:
            NotAllowed: It lies outside (whether it exists is not told).
            NotFound: Nothing there.
            BadInput: No regular file, or larger than the limit.
            SystemFailure: It may not be read, or its disk does not answer.
        """
        path = self._inside(name)
        try:
            status = path.stat()
        except FileNotFoundError:
            raise NotFound(
                self._elsewhere(name) or f"No file {path}.{self._files_near(path)}"
            ) from None
        except OSError as error:
            known = system_failure(error, self.home)
            raise known or BadInput(f"{path} cannot be read: {error.strerror}.") from None
        if not stat.S_ISREG(status.st_mode):
            raise BadInput(f"{path} is no regular file. Give the path of a file.")
        if status.st_size > self.max_bytes:
            raise BadInput(
                f"{path} has {status.st_size:,} bytes; the limit is {self.max_bytes:,}. "
                "Raise CORPUSCOPE_MAX_FILE_MB, or split the file."
            )
        return path

    def writable(self, name: str) -> Path:
        """The resolved path of a file that may be written; its folder is made.

        Raises:
            NotAllowed: It lies outside the allowed folders.
            BadInput: It is a folder, or its folder cannot be made.
            SystemFailure: Its disk is full, or it may not be written.
        """
        path = self._inside(name)
        if path.is_dir():
            raise BadInput(f"{path} is a folder. Give the name of a file in it.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            known = system_failure(error, self.home)
            raise known or BadInput(f"{path.parent} cannot be made: {error.strerror}.") from error
        return path

    def _inside(self, name: str) -> Path:
        """The resolved path: in the first allowed folder where it exists, else in the first."""
        if "\0" in name or not name.strip():
            raise BadInput("The path is empty or has a NUL character. Give the path of a file.")
        try:
            path = Path(name.removeprefix("file://")).expanduser()
            candidates = [path] if path.is_absolute() else [base / path for base in self.allowed]
            resolved = [Path(os.path.realpath(candidate)) for candidate in candidates]
            # Only what is allowed is looked up: whether anything else exists is not told.
            existing = [path for path in resolved if self._allows(path) and path.exists()]
        except (OSError, RuntimeError, UnicodeError) as error:
            raise BadInput(f"{name[:200]!a} is no usable path: {error}. Give another.") from error
        inside = existing or [path for path in resolved if self._allows(path)]
        if not inside:
            raise NotAllowed(
                self._elsewhere(name)
                or f"'{name[:200]}' is outside the allowed folders. Allowed: {self._folders()}. "
                f"Copy the file into {self.home / 'inbox'}, or add its folder to "
                "CORPUSCOPE_ALLOWED_DIRS."
            )
        return inside[0]

    def _elsewhere(self, name: str) -> str:
        """What to do about a file that lies on no disk of this machine; empty where it may."""
        if ON_THE_WEB.match(name):
            return (
                f"'{name[:200]}' is an address on the web, and this server reads files only. "
                f"Ask the person to download it into one of: {self._folders()}."
            )
        if not IN_THE_CHAT.match(name):
            return ""
        return (
            f"'{name[:200]}' is a file that was dropped into the chat: it lies on the chat's own "
            "machine, which this server can never read. Ask the person where the file is on the "
            f"computer on which corpuscope runs, best in one of: {self._folders()}; or pass a "
            "small table as `rows`. (If it is a folder of that computer after all, add it to "
            "CORPUSCOPE_ALLOWED_DIRS.)"
        )

    def _folders(self) -> str:
        return ", ".join(str(folder) for folder in self.allowed)

    def _allows(self, path: Path) -> bool:
        return any(path.is_relative_to(folder) for folder in self.allowed)

    def _files_near(self, path: Path) -> str:
        """A sentence on the files beside a path that is not there; empty outside of the allowed."""
        folder = path.parent
        if not self._allows(folder):
            return ""
        if not folder.is_dir():
            return f" There is no folder {folder} either."
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())[:10]
        return f" In that folder: {', '.join(names) or 'no files'}."
