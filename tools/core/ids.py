"""Names and ids: of datasets, runs and clusters, and what to read off a cluster's id.

A cluster's id is its path, `3`, `3.1`, `3.1.2`: numbered by size within its parent, so that `1` is
the largest when it is found. What belongs to no cluster is `noise`.
"""

import math
import re
from collections.abc import Iterable

from corpuscope.tools.core.errors import BadInput, NotFound
from corpuscope.tools.core.schema import NOISE

NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")
RUN = re.compile(r"r[1-9][0-9]{0,6}")
CLUSTER = re.compile(rf"(?:[1-9][0-9]*|{NOISE})(?:\.[1-9][0-9]*)*")


def check_dataset_name(name: str) -> str:
    """A dataset's name as it may be used for a collection and a folder.

    Raises:
        BadInput: It does not fit the pattern; the message suggests one that does.
    """
    if NAME.fullmatch(name):
        return name
    plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:40]
    fitting = plain if NAME.fullmatch(plain) else f"d_{plain}".rstrip("_")
    raise BadInput(
        f"'{name[:60]}' is no dataset name: use 1 to 48 lower-case letters, digits and _, "
        f"starting with a letter. For example: '{fitting}'."
    )


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
