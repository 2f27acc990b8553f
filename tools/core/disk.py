"""What disk and system refuse, in words: what happened, where, and what to do; and free space.

Errors of the system are translated at the boundary where tools are run, by `foreseen_failures`,
and where Milvus says them in a text of its own. An error number that only a mistake of ours can
cause (a file that should be there is not) stays the exception that it is: a bug.
"""

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from corpuscope.tools.core.errors import SystemFailure

MEGABYTE = 1024 * 1024

RESERVE_BYTES = 64 * MEGABYTE
"""Left free by large writes, so that descriptions, choices and deletions can still be written."""

RESERVE_SHARE = 0.1
"""Of a small disk the reserve is this share, where that is less."""

SET_HOME = "set CORPUSCOPE_HOME to a folder of yours on a disk that can be written, and restart"


def _numbers(*names: str) -> frozenset[int]:
    """Error numbers by name, those that this system has."""
    return frozenset(getattr(errno, name) for name in names if hasattr(errno, name))


FULL = _numbers("ENOSPC", "EDQUOT", "EFBIG")
REFUSED = _numbers("EACCES", "EPERM", "EROFS")
MISSING = _numbers("ENOTDIR", "EEXIST", "ENOENT", "EISDIR")
"""What a home that is no folder leads to; where the home is one, a mistake of ours."""

BROKEN = _numbers("EIO", "ESTALE", "ENXIO", "ENODEV", "ENOTCONN", "EREMOTEIO", "EHOSTDOWN")
"""A disk that fails, or a removable one or one on the network that went away."""

SHORTAGES = {
    errno.EMFILE: "more files are open than the system allows (`ulimit -n`)",
    errno.ENFILE: "more files are open than the system allows",
    errno.ENOMEM: "the machine is short of memory",
    errno.EAGAIN: "the system allows no further process or thread (`ulimit -u`)",
}

NO_THREAD = "can't start new thread"
"""All that Python says where the system allows no further thread."""

NUMBER_IN_TEXT = re.compile(r"\[errno (\d+)\]", re.IGNORECASE)
"""How Python and pyarrow print an error number."""

SHORT_WRITE = re.compile(r"\d+ requested and \d+ written")
"""All that numpy says where an array did not fit."""

NUMBER_OF_WORDS = {
    os.strerror(number): number
    for number in (FULL | REFUSED | BROKEN | SHORTAGES.keys()) - {errno.EAGAIN, errno.EPERM}
}
"""The system's words, where they mean nothing else."""


@contextlib.contextmanager
def foreseen_failures(home: Path) -> Iterator[None]:
    """Raise what disk and system refuse as what can be acted on; every other error passes.

    Raises:
        SystemFailure: The disk is full, read-only or broken, or memory or files ran out.
    """
    try:
        yield
    except (OSError, MemoryError, RuntimeError) as error:
        failure = system_failure(error, home)
        if failure is None:
            raise
        raise failure from error


def system_failure(error: OSError | MemoryError | RuntimeError, home: Path) -> SystemFailure | None:
    """The failure that an error of the system is; None where a mistake of ours may have led to it.

    `home` is where it was written, if the error names no file.
    """
    if isinstance(error, MemoryError):
        said = str(error).strip().rstrip(".")
        return SystemFailure(
            f"Not enough memory for this{f' ({said})' if said else ''}. Nothing that was saved is "
            "lost. Take fewer records (`where`, `limit`) or end other programs, then call again."
        )
    if isinstance(error, RuntimeError):
        return _failure(errno.EAGAIN, home, home) if NO_THREAD in str(error) else None
    names = [name for name in (error.filename2, error.filename) if isinstance(name, str)]
    number = error.errno or number_in(str(error))
    if number is None or (number in REFUSED and not names and os.access(home, os.W_OK)):
        return None
    return _failure(number, Path(names[0]) if names else home, home)


def failure_in(text: str, home: Path) -> SystemFailure | None:
    """The failure of the system that a text tells of, as Milvus Lite says it; None: of none."""
    number = number_in(text)
    return None if number is None else _failure(number, home, home)


def number_in(text: str) -> int | None:
    """The error number of the system that a text gives, or says in the system's words."""
    if found := NUMBER_IN_TEXT.search(text):
        return int(found[1])
    if SHORT_WRITE.search(text):
        return errno.ENOSPC
    return next((number for words, number in NUMBER_OF_WORDS.items() if words in text), None)


def check_writable(home: Path) -> None:
    """Refuse a folder in which nothing can be written.

    Raises:
        SystemFailure: Its disk is read-only, or this user may not write there.
    """
    if not os.access(home, os.W_OK | os.X_OK):
        read_only = hasattr(os, "statvfs") and os.statvfs(home).f_flag & os.ST_RDONLY
        failure = _failure(errno.EROFS if read_only else errno.EACCES, home, home)
        assert failure is not None
        raise failure


def home_trouble(home: Path) -> str | None:
    """Why the home can hold nothing: a file, below a file, gone; None where it is a folder."""
    # os.path, not Path: a folder above that may not be entered is no error here.
    if os.path.isdir(home):
        return None
    for place in (home, *home.parents):
        if os.path.exists(place) and not os.path.isdir(place):
            which = "is a file" if place == home else f"lies below {place}, which is a file"
            return f"The home {home} {which}: nothing can be kept there; {SET_HOME}."
    return (
        f"The home {home} is gone: the folder was deleted, or its disk taken away. Bring it back, "
        "or restart the server to begin with an empty one."
    )


def _failure(number: int, path: Path, home: Path) -> SystemFailure | None:
    """What an error number means at a path; None where it means a mistake of ours."""
    if number in MISSING:
        trouble = home_trouble(home)
        return None if trouble is None else SystemFailure(trouble)
    if number in FULL:
        return SystemFailure(f"{_fullness(number, path)} {_way_out(path, home)}")
    if number in REFUSED:
        ours = _is_of(home, path)
        other = f", or {SET_HOME}" if ours else ""
        if number == errno.EROFS:
            place = f"The home {home}" if ours else str(path)
            return SystemFailure(f"{place} lies on a read-only disk. Let it be written{other}.")
        return SystemFailure(
            f"{path} cannot be read or written: this user may not. Give the right to{other}."
        )
    if number in BROKEN:
        return SystemFailure(
            f"The disk that holds {path} does not answer: {os.strerror(number)}. It may be broken "
            "or have been taken away. See to it, then call again."
        )
    if number in SHORTAGES:
        return SystemFailure(
            f"Not done: {SHORTAGES[number]}. Nothing that was saved is lost. End other programs or "
            "raise the limit, then call again."
        )
    if number == errno.ENAMETOOLONG:
        return SystemFailure(
            f"{str(path)[:200]} is a longer path than the system takes. Give a shorter name, or "
            "set CORPUSCOPE_HOME to a folder with a shorter path."
        )
    return None


def _is_of(home: Path, path: Path) -> bool:
    """Whether a path lies in the home, or is a folder above that is still to be made."""
    return path.is_relative_to(home) or home.is_relative_to(path)


def _fullness(number: int, path: Path) -> str:
    if number == errno.EFBIG:
        return f"{path} would grow beyond what system or disk allow for a file (`ulimit -f`)."
    free = shown_bytes(free_bytes(path))
    if number == errno.ENOSPC:
        return f"The disk is full: {free} free where {path} lies."
    return f"Your quota is used up on the disk where {path} lies ({free} free on it)."


def _way_out(path: Path, home: Path) -> str:
    ours = " (`delete` of a run or dataset works now, too)" if _is_of(home, path) else ""
    return (
        f"Nothing that was saved is lost. Free some space{ours}, then call again; the server need "
        "not be restarted."
    )


def free_bytes(path: Path) -> int:
    """The bytes that this user may still write on the disk of a path, which need not be there."""
    return _usage(path)[0]


def spare_bytes(path: Path) -> float:
    """The bytes free where a path lies beyond the reserve; below 0 where that is touched."""
    free, total = _usage(path)
    return free - min(RESERVE_BYTES, RESERVE_SHARE * total)


def _usage(path: Path) -> tuple[int, int]:
    """Free and all bytes on the disk of a path, or of the nearest folder above that is there."""
    there = (place for place in (path, *path.parents) if os.path.exists(place))
    usage = shutil.disk_usage(next(there, Path(path.anchor)))
    return usage.free, usage.total


def check_space(path: Path, needed: float, what: str) -> None:
    """Refuse a large write before it begins, where it would not leave the reserve free.

    Args:
        path: Where it goes; need not be there yet.
        needed: Bytes, as good an estimate as there is.
        what: What they are for, as the message shall say.

    Raises:
        SystemFailure: Not enough space; says how much is needed and how much is free.
    """
    spare = spare_bytes(path)
    if spare < needed:
        free = free_bytes(path)
        raise SystemFailure(
            f"Too little space on the disk for {what}: it takes about {shown_bytes(needed)}, and "
            f"{shown_bytes(free - spare)} are kept in reserve; {shown_bytes(free)} are free where "
            f"{path} lies. Free some space, then call again; or {SET_HOME}."
        )


def shown_bytes(size: float) -> str:
    """Bytes as kB, MB or GB, rounded."""
    if size >= 1024 * MEGABYTE:
        return f"{size / MEGABYTE / 1024:,.1f} GB"
    return f"{size / MEGABYTE:,.0f} MB" if size >= MEGABYTE else f"{size / 1024:,.0f} kB"
