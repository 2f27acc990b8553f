"""What Linux says of this process and those below it: which there are, and their memory."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

PROC = Path("/proc")
KIB_PER_MB = 1024
# Written to `clear_refs`, it makes the peak of a process its present size (man 5 proc).
FORGET_PEAK = "5"
# A process may end while it is looked at.
GONE = (FileNotFoundError, ProcessLookupError)


def below(top: int) -> set[int]:
    """The process ids of all that descend from `top`."""
    parents = dict(_parents())
    pids: set[int] = set()
    while more := {pid for pid, parent in parents.items() if parent in pids | {top}} - pids:
        pids |= more
    return pids


def resident(pid: int) -> float:
    """Resident memory now, in MB; 0 for a process that has ended."""
    return _status(pid, "VmRSS")


def peak(pid: int) -> float:
    """The most resident memory since `forget_peaks`, in MB; 0 for a process that has ended."""
    return _status(pid, "VmHWM")


def forget_peaks(pids: Iterable[int]) -> None:
    """Let the peaks of these processes begin anew."""
    for pid in pids:
        with contextlib.suppress(*GONE):
            (PROC / str(pid) / "clear_refs").write_text(FORGET_PEAK, encoding="ascii")


def cpu_seconds(pid: int) -> float:
    """CPU seconds since its start; 0 for a process that has ended."""
    with contextlib.suppress(*GONE):
        user, system = _stat(pid)[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return 0.0


def command(pid: int) -> str:
    """The command line; empty for a process that has ended."""
    with contextlib.suppress(*GONE):
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return ""


def machine() -> str:
    """Processor, cores, memory and how busy it is, in a line."""
    info = (PROC / "cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in info if "model name" in line), "CPU")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return f"{model}, {cores} cores, {memory:.0f} GiB, load {load:.1f}"


def _parents() -> Iterator[tuple[int, int]]:
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(*GONE):
                yield int(folder.name), int(_stat(int(folder.name))[1])


def _stat(pid: int) -> list[str]:
    """The fields of `stat` from the third on, the state."""
    # The second, the command, stands in parentheses and may hold anything, parentheses too.
    return (PROC / str(pid) / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()


def _status(pid: int, field: str) -> float:
    with contextlib.suppress(*GONE):
        for line in (PROC / str(pid) / "status").read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / KIB_PER_MB
    return 0.0
