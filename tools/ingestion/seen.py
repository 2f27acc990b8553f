"""How often the hashes of ids and texts were seen before, in memory that a large corpus can afford.

In: hashes of 8 bytes; out: counts. Ten million take 0.2 GB; in a dict they take 1.5 GB.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FEWEST_SETTLED, RECENT_SHARE = 65_536, 16
"""Hashes that wait in a dict until they are sorted in among the others: at least so many, and one
for so many that are settled, so that each is moved a few times only."""


class SeenHashes:
    """Counts hashes. Most are settled in sorted arrays, the recent ones wait in a dict."""

    def __init__(self) -> None:
        self._settled = np.empty(0, np.uint64)
        self._times = np.empty(0, np.uint32)
        self._recent: dict[bytes, int] = {}

    def settled(self, hashes: Sequence[bytes]) -> list[int]:
        """How often each was seen, but for what `add` tells: called before a block is added."""
        if len(self._recent) > max(FEWEST_SETTLED, len(self._settled) // RECENT_SHARE):
            self._settle()
        if not len(self._settled):
            return [0] * len(hashes)
        wanted = np.frombuffer(b"".join(hashes), np.uint64)
        places = self._places(wanted)
        counts: list[int] = np.where(
            self._settled[places] == wanted, self._times[places], 0
        ).tolist()
        return counts

    def recent(self, key: bytes) -> int:
        """How often a hash was seen beside what `settled` tells."""
        return self._recent.get(key, 0)

    def add(self, key: bytes) -> int:
        """Count a hash once more; what `recent` said before."""
        times = self._recent.get(key, 0)
        self._recent[key] = times + 1
        return times

    def _places(self, wanted: NDArray[np.uint64]) -> NDArray[np.intp]:
        """Where hashes stand among the settled ones, if they do."""
        return np.minimum(np.searchsorted(self._settled, wanted), len(self._settled) - 1)

    def _settle(self) -> None:
        keys = np.frombuffer(b"".join(self._recent), np.uint64)
        times = np.fromiter(self._recent.values(), np.uint32, len(self._recent))
        order = np.argsort(keys)
        keys, times = keys[order], times[order]
        self._recent.clear()
        if len(self._settled):
            places = self._places(keys)
            known = self._settled[places] == keys
            self._times[places[known]] += times[known]
            keys, times = keys[~known], times[~known]
        places = np.searchsorted(self._settled, keys)
        self._settled = np.insert(self._settled, places, keys)
        self._times = np.insert(self._times, places, times)
