"""Names and ids as people type them: datasets, runs and clusters."""

import re

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
    raise NotFound(f"No run '{run[:20]}'. Run ids are r1, r2, …; leave `run` out for the newest.")


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
