"""What is measured: how good labels are, and what it cost to get them.

In all labels -1 is noise. Every record counts, repeated texts too.
"""

import ctypes
import gc
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeVar

import numpy as np

from bench import processes
from corpuscope.tools.core.schema import Ints

T = TypeVar("T")


WORKED = 0.05
"""CPU seconds that tell a process below this one that worked from one that only waited."""


@dataclass(frozen=True)
class Cost:
    """Seconds on the clock; memory in MB: the peak, and what of it was added to what was held.

    Processes below this one that worked are in both with all they have: HDBSCAN's default starts
    some for more than 16,384 points, and keeps them.
    """

    seconds: float
    added: float
    peak: float


class Meter:
    """Measures one piece of work, from its making to `stop`."""

    def __init__(self) -> None:
        gc.collect()
        # What was freed but kept by malloc would hide what the next method takes.
        ctypes.CDLL(None).malloc_trim(0)
        self._me = os.getpid()
        self._worked = {pid: processes.cpu_seconds(pid) for pid in processes.below(self._me)}
        self._before = processes.resident(self._me)
        processes.forget_peaks({self._me, *self._worked})
        self._start = time.perf_counter()

    def stop(self) -> Cost:
        """What it cost since the meter was made."""
        seconds = time.perf_counter() - self._start
        added = (
            processes.peak(self._me)
            - self._before
            + sum(
                processes.peak(pid)
                for pid in processes.below(self._me)
                if processes.cpu_seconds(pid) - self._worked.get(pid, 0.0) > WORKED
            )
        )
        return Cost(seconds, max(0.0, added), self._before + max(0.0, added))


def measured(work: Callable[[], T]) -> tuple[T, Cost]:
    """Do the work: its result and what it cost."""
    meter = Meter()
    result = work()
    return result, meter.stop()


def clusters(labels: Ints) -> int:
    """How many clusters there are, without the noise."""
    return len(np.unique(labels[labels >= 0]))


def coverage(labels: Ints) -> float:
    """The share of records that are in a cluster, 0 to 1."""
    return float(np.mean(labels >= 0))


def ami(truth: Ints, labels: Ints) -> float:
    """Adjusted mutual information, noise as one more class: 1 is equal, 0 what chance gives."""
    from sklearn.metrics import adjusted_mutual_info_score

    return float(adjusted_mutual_info_score(truth, labels))


def ari_noise_apart(truth: Ints, labels: Ints) -> float:
    """Adjusted Rand index, each noise point a cluster by itself: discarding points does not pay."""
    from sklearn.metrics import adjusted_rand_score

    apart = labels.astype(np.int64)
    noise = np.flatnonzero(labels < 0)
    apart[noise] = labels.max(initial=-1) + 1 + np.arange(len(noise))
    return float(adjusted_rand_score(truth, apart))


def pairwise_ami(labellings: Sequence[Ints]) -> list[float]:
    """How alike labellings of the same records are: the AMI of each pair."""
    return [ami(first, second) for first, second in combinations(labellings, 2)]
