"""Names and ids: of datasets, runs and clusters; what to read off a cluster's id, and its layers.

A cluster's id is its path, `3`, `3.1`, `3.1.2`: numbered by size within its parent, so that `1` is
the largest when it is found. What belongs to no cluster is `noise`.
"""

import math
import re
import unicodedata
from collections.abc import Iterable
from hashlib import blake2b
from typing import Protocol

from corpuscope.tools.core.errors import BadInput, NotFound
from corpuscope.tools.core.schema import NOISE

NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
LONG_NAME = 39
"""Characters left of a name that is too long: a digest stands behind them."""

RUN = re.compile(r"r[1-9][0-9]{0,6}")
CLUSTER = re.compile(rf"(?:[1-9][0-9]{{0,8}}|{NOISE})(?:\.[1-9][0-9]{{0,8}}){{0,99}}")
"""Bounded, as ids are sorted by their numbers and shown whole."""


def dataset_name(name: str) -> str:
    """The dataset's name that a name means, as it may be used for a collection and a folder.

    Lower-case ASCII, with _ for what is neither letter nor digit: `GoogleNews T` becomes
    `googlenews_t`; a name that fits stays. Of one that is too long, or has no such letter, a digest
    tells it from others, so that the same name is always the same dataset.

    Raises:
        BadInput: It is empty.
    """
    if NAME.fullmatch(name):
        return name
    if not name.strip():
        raise BadInput("The dataset needs a name, for example 'reviews_2024'.")
    # Accents and the like fall off their letters.
    ascii_name = unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^a-z0-9]+", "_", ascii_name).strip("_")
    digest = blake2b(name.strip().encode(errors="replace"), digest_size=4).hexdigest()
    if not plain:
        return f"d_{digest}"
    fitting = plain if plain[0].isalpha() else f"d_{plain}"
    return fitting if NAME.fullmatch(fitting) else f"{fitting[:LONG_NAME].strip('_')}_{digest}"


def check_run_id(run: str) -> str:
    """A run id such as `r3`.

    Raises:
        NotFound: It cannot be the id of a run.
    """
    if RUN.fullmatch(run):
        return run
    raise NotFound(f"No run '{run[:20]}'. Run ids are r1, r2, …; leave `run` out for the default.")


def check_cluster_id(cluster: str) -> str:
    """A cluster id such as `3`, `3.1` or `noise`.

    Raises:
        NotFound: It cannot be the id of a cluster.
    """
    if CLUSTER.fullmatch(cluster):
        return cluster
    raise NotFound(
        f"'{cluster[:20]}' is no cluster id. Ids are paths such as 3 or 3.1, or {NOISE}; "
        "`list-clusters` shows them."
    )


def parent_of(cluster_id: str) -> str | None:
    """The id one level up: `3.1` of `3.1.2`; None at the top and for `noise`."""
    return cluster_id.rpartition(".")[0] or None


def lineage(cluster_id: str) -> list[str]:
    """The id and its ancestors from the top down: `3`, `3.1`, `3.1.2`."""
    parts = cluster_id.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def depth(cluster_id: str) -> int:
    """The level of an id: 1 at the top, 0 for `noise`."""
    return 0 if cluster_id == NOISE else cluster_id.count(".") + 1


def is_within(path: str, cluster_id: str) -> bool:
    """Whether what lies at `path` is in the cluster: `3.1.2` is within `3.1`, `3` and itself."""
    return path == cluster_id or path.startswith(f"{cluster_id}.")


def children_of(cluster_id: str | None, ids: Iterable[str]) -> list[str]:
    """Those of the ids one level below (None: the top level), in order, without `noise`."""
    below = [id_ for id_ in ids if id_ != NOISE and parent_of(id_) == cluster_id]
    return sorted(below, key=id_sort_key)


def id_sort_key(cluster_id: str) -> tuple[float, ...]:
    """Key that sorts ids as people read them: 2 before 10, 1.2 before 1.10, `noise` last."""
    return tuple(math.inf if part == NOISE else int(part) for part in cluster_id.split("."))


class LayeredNode(Protocol):
    """A node of any kind: it has an id, and the first and last layer in which it stands."""

    @property
    def id(self) -> str: ...
    @property
    def layers(self) -> tuple[int, int] | None: ...


def stands_in(node: LayeredNode, layer: int) -> bool:
    """Whether the cluster is one of that layer."""
    return node.layers is not None and node.layers[0] <= layer <= node.layers[1]
