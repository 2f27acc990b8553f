"""The home when a server starts: this user's alone, and what killed processes left is finished."""

import logging
import os
import stat
from pathlib import Path

from corpuscope.tools.core.files import PRIVATE
from corpuscope.tools.core.ids import NAME
from corpuscope.tools.workspace.workspace import Workspace

OURS = frozenset(
    {
        *("datasets", "exports", "inbox", "locks", "milvus.db", "milvus.json", "models", "plots"),
        "runs",
    }
)
"""What a home holds. A folder with anything else in it may be meant for others, too."""

logger = logging.getLogger(__name__)


def open_home(workspace: Workspace) -> None:
    """Make the home's inbox, keep others out, and clear up after killed processes.

    Raises:
        OSError: It cannot be written to.
    """
    home = workspace.home
    (home / "inbox").mkdir(parents=True, exist_ok=True)
    _keep_others_out(home)
    for folder in (home / "runs").glob("*"):
        if NAME.fullmatch(folder.name):
            workspace.runs.sweep(folder.name)


def _keep_others_out(home: Path) -> None:
    """Take the rights of others off a home that was made when they were not looked at: off the
    folder itself, or, where that holds more than is ours, off what is ours in it."""
    if os.name != "posix":
        return
    names = os.listdir(home)
    strangers = [name for name in names if name not in OURS]
    for folder in [home / name for name in names if name in OURS] if strangers else [home]:
        status = folder.lstat()
        if stat.S_ISLNK(status.st_mode) or status.st_uid != os.getuid():
            continue
        if others := stat.S_IMODE(status.st_mode) & PRIVATE:
            folder.chmod(stat.S_IMODE(status.st_mode) & ~others)
            logger.info("others on this machine could enter %s: no longer", folder)
