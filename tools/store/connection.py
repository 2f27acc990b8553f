"""The connection to Milvus: opened at first use, renewed when its server went away.

In: where Milvus is; out: the results of its client's methods, with the errors that can be foreseen
as those of core.
"""

import contextlib
import copy
import logging
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpuscope.tools.core.disk import failure_in, home_trouble
from corpuscope.tools.core.errors import NotFound, SystemFailure, Unavailable
from corpuscope.tools.lite import server as lite_server
from corpuscope.tools.store.patience import OutOfTime, Patience, endless

if TYPE_CHECKING:
    from pymilvus import MilvusClient
    from pymilvus.exceptions import MilvusException

CONNECT_SECONDS = 10.0

# Codes of MilvusException: pymilvus' own for a server that cannot be reached, Milvus' for the rest.
UNEXPECTED = 1
UNREACHABLE = 2
NO_COLLECTION = 100
NOT_LOADED = 101

NEEDS_LOADED = frozenset({"query", "query_iterator", "search", "delete"})
"""The client's methods that want the collection in memory, its name being their first argument."""


@dataclass(frozen=True)
class MilvusLocation:
    """Where Milvus is: `uri` None means Milvus Lite in the home."""

    home: Path
    uri: str | None = None
    token: str = ""

    @property
    def is_lite(self) -> bool:
        """Whether corpuscope serves the data itself."""
        return self.uri is None

    @property
    def shown(self) -> str:
        """Where it is, for messages: a user and password in the URI are left out."""
        return without_login(self.uri) if self.uri else str(self.home / lite_server.FOLDER)


def without_login(uri: str) -> str:
    """A URI without the user and password that it may carry."""
    return re.sub(r"//[^/@]*@", "//", uri)


@dataclass
class _Link:
    """What a connection and those bounded by a patience share."""

    client: "MilvusClient | None" = None
    lite: lite_server.LiteServer | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)


class _StoppableStub:
    """Milvus' service as pymilvus calls it for reads; a stopped patience cancels its requests."""

    def __init__(self, handler: Any, patience: Patience) -> None:
        self._handler = handler
        self._patience = patience

    def __getattr__(self, method: str) -> "Callable[..., Any]":
        def answer(request: Any, **options: Any) -> Any:
            # Asked for now: the handler gets another one when it connects again.
            future = getattr(self._handler._stub, method).future(request, **options)
            with self._patience.stopping(future.cancel):
                return future.result()

        return answer


class Connection:
    """Milvus Lite (a folder in the home), a Milvus server or Zilliz Cloud, reached as one."""

    def __init__(self, location: MilvusLocation) -> None:
        self.location = location
        self.patience = endless()
        self._link = _Link()

    def within(self, patience: Patience) -> "Connection":
        """The same connection, whose calls end when the patience does."""
        bounded = copy.copy(self)
        bounded.patience = patience
        return bounded

    @property
    def lite(self) -> lite_server.LiteServer | None:
        """The Milvus Lite that is reached, where it is one."""
        return self._link.lite

    def close(self) -> None:
        """Let go of the connection, and of Milvus Lite where this process started it.

        The next call reaches Milvus anew.
        """
        link = self._link
        with link.lock:
            if link.client is not None:
                with contextlib.suppress(ValueError):  # its channel may be closed already
                    link.client.close()
            link.client = None
            if link.lite is not None:
                link.lite.close()
                link.lite = None

    def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of pymilvus' client; reach Milvus again once where its server is gone.

        Raises:
            Unavailable: Milvus cannot be reached.
            NotFound: The collection is gone.
            OutOfTime: The patience ended.
        """
        collection = arguments[0] if arguments and method in NEEDS_LOADED else None
        return self._twice(
            lambda client, timeout: getattr(client, method)(*arguments, **options, **timeout),
            needs_loaded=collection,
        )

    def run(self, action: "Callable[[MilvusClient], None]") -> None:
        """Do several things with the client that may be done twice; raises as `call` does."""
        self._twice(lambda client, _: action(client), needs_loaded=None)

    def upsert(self, request: Any) -> None:
        """Send an upsert that is packed already; raises as `call` does."""
        # A schema is what pymilvus would ask the server for at each call, to pack by it.
        packed = {"upsert_param": request, "schema": {"fields": []}}
        self._twice(
            lambda client, timeout: client._get_connection().upsert(
                request.collection_name, [], **packed, **timeout
            ),
            needs_loaded=None,
        )

    @contextlib.contextmanager
    def in_time(self) -> "Iterator[dict[str, float]]":
        """For a request to Milvus within the block: its `timeout`, where the patience has an end.

        Raises:
            OutOfTime: The patience ended, before or within the block.
        """
        from grpc import RpcError, StatusCode
        from pymilvus.exceptions import MilvusException

        left = self.patience.left()
        try:
            yield {} if left is None else {"timeout": left}
        except (RpcError, MilvusException) as error:
            late = isinstance(error, RpcError) and error.code() == StatusCode.DEADLINE_EXCEEDED
            if late or self.patience.over:
                raise OutOfTime("Milvus did not answer in the time that was left.") from error
            raise

    def _twice(
        self, action: "Callable[[MilvusClient, dict[str, float]], Any]", needs_loaded: str | None
    ) -> Any:
        """Do it, and once more where the server was gone or has not loaded the collection."""
        from pymilvus.exceptions import MilvusException

        try:
            client = self.client()
            with self.in_time() as timeout:
                return action(self._stopped_with_patience(client), timeout)
        except MilvusException as error:
            if error.code == UNREACHABLE:
                self.close()
            elif error.code != NOT_LOADED:
                raise self.meaning(error) from error
        try:
            # Whoever opens the folder anew finds its collections not loaded.
            client = self.client()
            with self.in_time() as timeout:
                if needs_loaded is not None:
                    client.load_collection(needs_loaded, **timeout)
                return action(self._stopped_with_patience(client), timeout)
        except MilvusException as error:
            raise self.meaning(error) from error

    def _stopped_with_patience(self, client: "MilvusClient") -> "MilvusClient":
        """The same client, whose requests are cancelled where they are when the patience is."""
        if self.patience.is_endless:
            return client
        bounded = copy.copy(client)
        bounded._handler = copy.copy(client._handler)
        bounded._handler._stub = _StoppableStub(client._handler, self.patience)
        return bounded

    def client(self) -> "MilvusClient":
        """The client of Milvus, which is reached now if it was not before.

        Raises:
            Unavailable: Milvus cannot be reached.
            SystemFailure: The home was taken away.
        """
        from pymilvus import MilvusClient
        from pymilvus.exceptions import MilvusException

        link = self._link
        with link.lock:
            if link.client is not None and self.location.is_lite:
                self._check_home()
            if link.client is None:
                # It logs, with a traceback, even what this module expects and handles.
                logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
                uri = self.location.uri
                if uri is None:
                    link.lite = lite_server.connect(self.location.home)
                    uri = link.lite.address
                token = self.location.token
                try:
                    link.client = MilvusClient(uri, token=token, timeout=CONNECT_SECONDS)
                except (MilvusException, ValueError) as error:  # ValueError: no such port
                    raise self._unreachable() from error
            return link.client

    def _check_home(self) -> None:
        """Refuse to read on in a home that was taken away: it would seem to be empty."""
        home = self.location.home
        if not (home / lite_server.FOLDER).is_dir():
            raise SystemFailure(
                home_trouble(home)
                or f"{home / lite_server.FOLDER} was deleted, with all datasets. Bring it back, or "
                "restart the server to begin with none."
            )

    def meaning(self, error: "MilvusException") -> Exception:
        """Milvus' error as one of ours that a caller can act on, or as it is where it is none."""
        if error.code == UNREACHABLE:
            return self._unreachable()
        if error.code == NO_COLLECTION:
            return NotFound("The dataset was deleted or replaced meanwhile. See `list-datasets`.")
        failure = None
        # The words of a server are about a disk of its own, other codes quote what was asked.
        if self.location.is_lite and error.code == UNEXPECTED:
            failure = failure_in(str(error), self.location.home)
        return failure or error

    def _unreachable(self) -> Unavailable:
        if self.location.is_lite:
            return Unavailable(
                "Milvus Lite went away in the middle of it (another corpuscope on the same home "
                "had started it and ended). Call again: this one starts its own."
            )
        return Unavailable(
            f"Milvus does not answer at {self.location.shown}. Check CORPUSCOPE_MILVUS_URI and "
            "CORPUSCOPE_MILVUS_TOKEN, and that the server runs; `corpuscope doctor` tries it."
        )
