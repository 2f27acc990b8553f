"""Foreseen failures, as a tree: their messages reach the model and the person.

    ToolError (mcp)               its message reaches the model; anything else is a bug
    └── CorpuscopeError
        ├── BadInput              an argument, a file or a name is not what it should be
        │   ├── NotAllowed        a path outside the allowed folders
        │   └── NotFound          no such dataset, run, cluster, record or job
        ├── NotReady              right in principle, not now: locked, no data yet, cancelled
        └── Unavailable           something outside is missing: a package, model, endpoint
            └── SystemFailure     the machine refuses: disk full or read-only, no memory

Every message says what was wrong (actual against expected), the valid choices, and the next step.
"""

from mcp.server.mcpserver.exceptions import ToolError


class CorpuscopeError(ToolError):
    """Base of every failure that corpuscope anticipates."""


class BadInput(CorpuscopeError):
    """An argument, a file or a name is not what it should be."""


class NotAllowed(BadInput):
    """A path lies outside the folders that the server may read or write."""


class NotFound(BadInput):
    """No such dataset, run, cluster, record or job."""


class NotReady(CorpuscopeError):
    """Right in principle but not now: somebody else holds the lock, or a step before is missing."""


class Unavailable(CorpuscopeError):
    """Something outside is missing: an optional package, a model, an endpoint, Milvus."""


class SystemFailure(Unavailable):
    """The machine refuses: its disk is full, read-only or broken, or memory or files ran out."""


BY_NAME: dict[str, type[CorpuscopeError]] = {
    kind.__name__: kind
    for kind in (
        *(CorpuscopeError, BadInput, NotAllowed, NotFound, NotReady, Unavailable),
        SystemFailure,
    )
}
"""The same errors by name, to rebuild one that crossed from a worker process."""
