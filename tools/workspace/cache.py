"""What clustering worked out about a dataset, on disk until the dataset changes.

In: how to make a corpus, a graph or places. Out: the same, read where it was written before.

Below `datasets/<collection>/cache/<format>-<version>/` is a folder each for the distinct texts and
their vectors, the neighbour graph, the node embedding and the map, with an array in a file.
Everything here may be deleted at any time: it costs the next run its time, and nothing else.
"""

import logging
import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.core.disk import spare_bytes
from corpuscope.tools.core.schema import Floats
from corpuscope.tools.geometry.graph import NeighbourGraph

Arrays: TypeAlias = Mapping[str, NDArray[Any]]

FORMAT = 2
"""Goes up with every change of the steps whose results are kept here: older ones do not hold."""

GRAPH = "graph"
CORPUS = "corpus"
OTHER_VECTORS = "vectors"
MOST_OTHER_VECTORS = 3
"""Sets of columns that a person goes back and forth between; each is about as large as the rest."""

CORPUS_STRINGS = ("ids", "texts")
CORPUS_ARRAYS = ("copies_of", "vectors", "first", "weights")


class Cache:
    """What is known of one version of a whole dataset: `Intermediates` that outlive the process.

    `folder` is made where it alone is missing. Whatever cannot be read is made anew, and what
    cannot be written is not kept: nothing is raised.
    """

    def __init__(self, folder: Path, version: int) -> None:
        self._version = self._folder = folder / f"{FORMAT}-{version}"

    def of_other_vectors(self, key: str) -> Self:
        """What is known of the same texts with other vectors, of which `key` is a hash: kept apart,
        as long as the rest."""
        apart = copy(self)
        apart._folder = self._version / f"{OTHER_VECTORS}-{key}"
        return apart

    def graph(self, k: int, make: Callable[[], NeighbourGraph]) -> NeighbourGraph:
        """The neighbour graph with k neighbours each, read, or made now and kept."""
        graph = self.known_graph(k)
        if graph is None:
            graph = make()
            arrays = {"indices": graph.indices, "similarities": graph.similarities}
            self._write(f"{GRAPH}-{k}", arrays | {"provider": np.array(graph.provider)})
        return graph

    def known_graph(self, k: int) -> NeighbourGraph | None:
        """The neighbour graph with k neighbours each, where it was searched already."""
        arrays = self._read(f"{GRAPH}-{k}", ("indices", "similarities", "provider"))
        if arrays is None:
            return None
        return NeighbourGraph(arrays["indices"], arrays["similarities"], str(arrays["provider"]))

    def points(self, name: str, make: Callable[[], Floats]) -> Floats:
        """(m, d) places of this name, read, or made now and kept."""
        arrays = self._read(name, ("points",))
        if arrays is not None:
            return arrays["points"]
        points = make()
        self._write(name, {"points": points})
        return points

    def corpus(self) -> Corpus | None:
        """The whole dataset; None where it was not read from the store yet."""
        ends = [f"{name}_ends" for name in CORPUS_STRINGS]
        arrays = self._read(CORPUS, (*CORPUS_STRINGS, *ends, *CORPUS_ARRAYS))
        if arrays is None:
            return None
        ids, texts = (_strings(arrays[name], arrays[f"{name}_ends"]) for name in CORPUS_STRINGS)
        return Corpus(ids=ids, texts=texts, **{name: arrays[name] for name in CORPUS_ARRAYS})

    def keep_corpus(self, corpus: Corpus) -> None:
        """Keep the whole dataset as it was read."""
        arrays = {name: getattr(corpus, name) for name in CORPUS_ARRAYS}
        for name in CORPUS_STRINGS:
            arrays[name], arrays[f"{name}_ends"] = _bytes(getattr(corpus, name))
        self._write(CORPUS, arrays)

    def _read(self, name: str, parts: Sequence[str]) -> dict[str, NDArray[Any]] | None:
        """The arrays of a folder; None where one of them cannot be read."""
        folder = self._folder / name
        try:
            arrays = {part: np.load(folder / f"{part}.npy", allow_pickle=False) for part in parts}
        # Not there, just deleted by a newer version's run, or not as it was written.
        except (OSError, ValueError, EOFError):
            return None
        with suppress(OSError):
            os.utime(self._folder)  # it was used
        return arrays

    def _write(self, name: str, arrays: Arrays) -> None:
        """Write a folder of arrays aside and rename it: a reader finds all of them or none."""
        size = sum(array.nbytes for array in arrays.values())
        if spare_bytes(self._folder) < size:
            logging.getLogger(__name__).warning("not cached, too little space: %s", name)
            return
        draft = self._folder / f"draft-{uuid.uuid4().hex[:8]}"
        try:
            # The folder of the dataset is not made anew: where it is gone, so is the dataset.
            for folder in (self._version.parent, self._version, self._folder, draft):
                folder.mkdir(exist_ok=True)
            for part, array in arrays.items():
                np.save(draft / f"{part}.npy", array)
            shutil.rmtree(self._folder / name, ignore_errors=True)
            draft.rename(self._folder / name)
            self._drop_older()
            self._drop_other_vectors()
        except OSError as error:  # as a rule the disk is full
            logging.getLogger(__name__).warning("not cached: %s: %s", name, error)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _drop_older(self) -> None:
        """Delete what was kept of other versions of the dataset, or in another format."""
        for folder in self._version.parent.iterdir():
            if folder.name != self._version.name:
                shutil.rmtree(folder, ignore_errors=True)

    def _drop_other_vectors(self) -> None:
        """Keep what is known of other vectors for the latest that were used only."""
        others = [*self._version.glob(f"{OTHER_VECTORS}-*")]
        others.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
        for folder in others[MOST_OTHER_VECTORS:]:
            shutil.rmtree(folder, ignore_errors=True)


def _bytes(strings: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Strings as one run of UTF-8 bytes and where each ends.

    numpy's own strings would all take the room of the longest. Lone surrogates pass.
    """
    encoded = [text.encode("utf-8", "surrogatepass") for text in strings]
    ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
    return np.frombuffer(b"".join(encoded), np.uint8), ends


def _strings(data: NDArray[np.uint8], ends: NDArray[np.int64]) -> list[str]:
    """The strings that `_bytes` was given."""
    raw, starts = data.tobytes(), np.concatenate(([0], ends[:-1]))
    return [
        raw[start:end].decode("utf-8", "surrogatepass")
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
