"""What clustering worked out about a dataset, kept until the dataset changes.

Below `datasets/<collection>/cache/<version>/` lie the distinct texts and their vectors in order,
the neighbour graph, the node embedding and the map. Everything here may be deleted at any time: it
costs the next run its time, and nothing else.
"""

import logging
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.graph import NeighbourGraph
from corpuscope.tools.core.schema import Floats

Arrays: TypeAlias = Mapping[str, NDArray[Any]]

FORMAT = 1
"""Raised with every change of the steps whose results are kept here: older ones do not hold."""

GRAPH = "graph"
CORPUS = "corpus"
CORPUS_PARTS = (
    *("ids", "ids_ends", "texts", "texts_ends"),
    *("copies_of", "vectors", "first", "weights"),
)


class Cache:
    """The memory of one version of a whole dataset, on disk."""

    def __init__(self, folder: Path, version: int) -> None:
        self._folder = folder / f"{FORMAT}-{version}"

    def graph(self, k: int, make: Callable[[], NeighbourGraph]) -> NeighbourGraph:
        """The neighbour graph as it was found, or found now and kept."""
        found = self.known_graph(k)
        if found is None:
            found = make()
            provider = np.array(found.provider)
            kept = {"indices": found.indices, "similarities": found.similarities}
            self._keep(f"{GRAPH}-{k}", kept | {"provider": provider})
        return found

    def known_graph(self, k: int) -> NeighbourGraph | None:
        """The neighbour graph, where it was searched already."""
        kept = self._kept(f"{GRAPH}-{k}", ("indices", "similarities", "provider"))
        if kept is None:
            return None
        return NeighbourGraph(kept["indices"], kept["similarities"], str(kept["provider"]))

    def points(self, name: str, make: Callable[[], Floats]) -> Floats:
        """Places as they were worked out, or worked out now and kept."""
        kept = self._kept(name, ("points",))
        if kept is not None:
            return kept["points"]
        made = make()
        self._keep(name, {"points": made})
        return made

    def corpus(self, read: Callable[[], Corpus]) -> Corpus:
        """The whole dataset as it was read, or read now and kept."""
        kept = self._kept(CORPUS, CORPUS_PARTS)
        if kept is not None:
            ids, texts = (_strings(kept[name], kept[f"{name}_ends"]) for name in ("ids", "texts"))
            return Corpus(
                ids, kept["copies_of"], texts, kept["vectors"], kept["first"], kept["weights"]
            )
        corpus = read()
        arrays = {
            name: getattr(corpus, name) for name in ("copies_of", "vectors", "first", "weights")
        }
        for name in ("ids", "texts"):
            arrays[name], arrays[f"{name}_ends"] = _bytes(getattr(corpus, name))
        self._keep(CORPUS, arrays)
        return corpus

    def _kept(self, name: str, parts: Sequence[str]) -> dict[str, NDArray[Any]] | None:
        folder = self._folder / name
        try:
            return {part: np.load(folder / f"{part}.npy", allow_pickle=False) for part in parts}
        # Not there, just deleted by a newer version's run, or not as it was written.
        except (OSError, ValueError, EOFError):
            return None

    def _keep(self, name: str, arrays: Arrays) -> None:
        draft = self._folder / f"draft-{uuid.uuid4().hex[:8]}"
        try:
            draft.mkdir(parents=True)
            for part, array in arrays.items():
                np.save(draft / f"{part}.npy", array)
            shutil.rmtree(self._folder / name, ignore_errors=True)
            draft.rename(self._folder / name)
            self._drop_older()
        except OSError as error:  # as a rule the disk is full
            logging.getLogger(__name__).warning("not cached: %s: %s", name, error)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _drop_older(self) -> None:
        for other in self._folder.parent.iterdir():
            if other.name != self._folder.name:
                shutil.rmtree(other, ignore_errors=True)


def _bytes(strings: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Strings as one run of UTF-8 bytes and where each ends."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in strings]
    ends = np.cumsum([len(one) for one in encoded], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8), ends


def _strings(data: NDArray[np.uint8], ends: NDArray[np.int64]) -> list[str]:
    raw, starts = data.tobytes(), np.concatenate(([0], ends[:-1]))
    return [
        raw[start:end].decode("utf-8", "surrogatepass")
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
