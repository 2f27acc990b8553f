"""Errors of disk and system, as the system gives them, become what somebody can act on."""

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from corpuscope.tools.core.disk import (
    check_space,
    failure_in,
    foreseen_failures,
    free_bytes,
    home_trouble,
    shown_bytes,
    system_failure,
)
from corpuscope.tools.core.errors import BY_NAME, SystemFailure, Unavailable

SAID = {
    errno.ENOSPC: "The disk is full",
    errno.EDQUOT: "Your quota is used up",
    errno.EFBIG: "ulimit -f",
    errno.EROFS: "lies on a read-only disk",
    errno.EACCES: "this user may not",
    errno.EPERM: "this user may not",
    errno.EIO: "does not answer",
    errno.ESTALE: "does not answer",
    errno.EMFILE: "ulimit -n",
    errno.ENFILE: "more files are open",
    errno.ENOMEM: "short of memory",
    errno.ENAMETOOLONG: "Give a shorter name",
}

NOWHERE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Shortages of the whole machine."""

OURS = (errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.EBADF)
"""In a sound home only a mistake of ours leads to these."""


@pytest.mark.parametrize("number", SAID)
def test_each_refusal_of_the_system_says_what_it_is_and_where(number: int, tmp_path: Path) -> None:
    path = tmp_path / "runs"
    failure = system_failure(OSError(number, os.strerror(number), str(path)), tmp_path)
    assert failure is not None
    assert SAID[number] in str(failure)
    assert number in NOWHERE or str(path if number != errno.EROFS else tmp_path) in str(failure)


@pytest.mark.parametrize("number", OURS)
def test_what_only_a_mistake_of_ours_leads_to_stays_a_bug(number: int, tmp_path: Path) -> None:
    error = OSError(number, os.strerror(number), str(tmp_path / "runs"))
    assert system_failure(error, tmp_path) is None
    with pytest.raises(OSError, match=r"\[Errno"), foreseen_failures(tmp_path):
        raise error


def test_a_refusal_that_names_no_file_is_no_verdict_on_a_home_that_can_be_written(
    tmp_path: Path,
) -> None:
    assert system_failure(PermissionError(errno.EPERM, "Operation not permitted"), tmp_path) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<MilvusException: (code=1, message=[Errno 28] No space left on device)>", "disk is full"),
        ("[Errno 28] Error writing bytes to file. Detail: [errno 28] No space left", "is full"),
        ("Flush failed: No space left on device", "disk is full"),
        ("[Errno 13] Permission denied: '/home/x/wal'", "this user may not"),
        ("[Errno 30] Read-only file system: 'manifest.json.tmp'", "read-only"),
        ("[Errno 24] Too many open files", "ulimit -n"),
        ("131072 requested and 4096 written", "disk is full"),
    ],
)
def test_the_words_of_libraries_are_read(text: str, said: str, tmp_path: Path) -> None:
    failure = failure_in(text, tmp_path)
    assert failure is not None
    assert said in str(failure)


def test_other_words_are_nobodys_disk(tmp_path: Path) -> None:
    assert failure_in("field 'full' not found, no space between", tmp_path) is None
    assert failure_in("[Errno 2] No such file or directory: 'x.parquet'", tmp_path) is None


def test_memory_that_is_not_there_is_said_with_what_was_asked_for(tmp_path: Path) -> None:
    said = r"Not enough memory .*Unable to allocate"
    with pytest.raises(SystemFailure, match=said), foreseen_failures(tmp_path):
        np.empty((2**40, 2**15))


def test_a_home_that_is_a_file_below_one_or_gone_is_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    assert home_trouble(tmp_path) is None
    assert "is a file" in str(home_trouble(file))
    assert f"lies below {file}" in str(home_trouble(file / "deep" / "home"))
    assert "is gone" in str(home_trouble(tmp_path / "gone"))
    for home in (file, file / "home"):
        with pytest.raises(SystemFailure, match="set CORPUSCOPE_HOME"), foreseen_failures(home):
            home.mkdir(parents=True, exist_ok=True)


def test_a_folder_above_the_home_that_may_not_be_written_is_a_matter_of_the_home(
    tmp_path: Path,
) -> None:
    home = tmp_path / "above" / "home"
    refused = PermissionError(errno.EACCES, "Permission denied", str(home.parent))
    assert "set CORPUSCOPE_HOME" in str(system_failure(refused, home))
    elsewhere = PermissionError(errno.EACCES, "Permission denied", "/elsewhere/x.html")
    assert "CORPUSCOPE_HOME" not in str(system_failure(elsewhere, home))


def test_the_way_out_is_the_tool_delete_where_the_home_is_full(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "elsewhere"))
    assert "`delete`" in str(system_failure(full, tmp_path))
    assert "`delete`" not in str(system_failure(full, tmp_path / "home"))


def test_it_crosses_from_a_worker_as_what_it_is() -> None:
    assert BY_NAME["SystemFailure"] is SystemFailure
    assert issubclass(SystemFailure, Unavailable)


def test_too_little_space_is_said_before_a_large_write(tmp_path: Path) -> None:
    check_space(tmp_path / "not" / "there" / "yet", 0, "nothing")
    free = free_bytes(tmp_path)
    with pytest.raises(SystemFailure) as caught:
        check_space(tmp_path, free, "20 records")
    message = str(caught.value)
    assert f"for 20 records: it takes about {shown_bytes(free)}" in message
    assert str(tmp_path) in message


WRITES = """
    import resource, shutil, sys
    from pathlib import Path
    import numpy, pyarrow, pyarrow.parquet
    from corpuscope.tools.core.disk import foreseen_failures
    from corpuscope.tools.core.errors import SystemFailure
    from corpuscope.tools.core.files import written_aside

    home = Path(sys.argv[1])
    many = numpy.arange(100_000) * 7919 % 65537
    (home / "source").write_bytes(many.tobytes())
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    ways = {
        "python": lambda path: path.write_bytes(bytes(10_000)),
        "numpy": lambda path: numpy.save(path.open("wb"), many),
        "zip": lambda path: numpy.savez(path.open("wb"), many=many),
        "pyarrow": lambda path: pyarrow.parquet.write_table(pyarrow.table({"x": many}), path),
        "shutil": lambda path: shutil.copyfile(home / "source", path),
    }
    for name, write in ways.items():
        try:
            with foreseen_failures(home), written_aside(home / name) as draft:
                write(draft)
        except SystemFailure as failure:
            print(name, failure)
    print(sorted(path.name for path in home.iterdir()))
"""


@pytest.mark.skipif(os.name != "posix", reason="files are limited by setrlimit")
def test_whatever_library_cannot_write_it_is_foreseen_and_no_draft_stays(tmp_path: Path) -> None:
    command = [sys.executable, "-c", textwrap.dedent(WRITES), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *failures, left = done.stdout.strip().splitlines()
    assert [line.split()[0] for line in failures] == ["python", "numpy", "zip", "pyarrow", "shutil"]
    assert all("Nothing that was saved is lost" in line for line in failures)
    assert left == "['source']"
