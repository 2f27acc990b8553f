"""Asking a model within limits, and never twice the same: what it answered is kept in files.

In: a prompt and the pydantic model of its answer. Out: that answer, checked. A file is named by the
hash of all that decides an answer: endpoint, model, prompt and schema.
"""

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from corpuscope.tools.core.files import written_aside
from corpuscope.tools.llm.budget import Budget, Limits, Usage
from corpuscope.tools.llm.completion import (
    AnswerT,
    Session,
    accept_any,
    expected_call_usage,
    open_session,
)
from corpuscope.tools.llm.endpoint import EndpointOptions


@dataclass(frozen=True, slots=True)
class Prompt:
    """The two messages to a model: what its part is (`system`), and what it is asked (`user`)."""

    system: str
    user: str


class Asker:
    """One model, for one piece of work and all its threads. Made by `open_asker`."""

    def __init__(
        self,
        source: tuple[str, str],
        answers: "_Answers",
        connect: Callable[[Budget], Session],
        budget: Budget,
    ) -> None:
        self._source, self._answers, self._budget = source, answers, budget
        self._connect = connect
        self._session: Session | None = None
        self._connecting = threading.Lock()

    @property
    def usage(self) -> Usage:
        """What was used so far."""
        return self._budget.usage

    def ask(
        self, prompt: Prompt, answer: type[AnswerT], check: Callable[[AnswerT], None] = accept_any
    ) -> AnswerT:
        """The model's answer as the pydantic model `answer`: from the cache, or asked now and kept.

        `check` raises ValueError with what is wrong with an answer that fits the schema but not
        the facts: such an answer is sent back once with the reason, and one from the cache is
        asked anew. What the model had to repair is kept as the answer to the prompt.

        Raises:
            EndpointDown: Every other request would fail like this one.
            InvalidAnswer: The answer does not fit `answer` or `check`, asked twice.
            LimitReached: The limits leave no room for the request.
            Unavailable: Anything else that goes wrong with an endpoint.
        """
        key = self._key(prompt, answer)
        cached = self._answers.find(key, answer, check)
        if cached is not None:
            self._budget.add(Usage(cached=1))
            return cached
        written = self._open().complete(prompt.system, prompt.user, answer, check)
        self._answers.keep(key, written)
        return written

    def known(self, prompt: Prompt, answer: type[BaseModel]) -> bool:
        """Whether the cache has the answer; sends nothing."""
        return self._answers.find(self._key(prompt, answer), answer, accept_any) is not None

    def expected(self, prompt: Prompt, answer: type[BaseModel]) -> Usage:
        """About what `ask` will use, the schema in the prompt included; sends nothing."""
        if self.known(prompt, answer):
            return Usage(cached=1)
        return expected_call_usage(prompt.system, prompt.user, answer)

    def _open(self) -> Session:
        with self._connecting:
            if self._session is None:
                self._session = self._connect(self._budget)
            return self._session

    def _key(self, prompt: Prompt, answer: type[BaseModel]) -> str:
        """What decides the answer, as 64 hex digits."""
        parts = [*self._source, prompt.system, prompt.user, answer.model_json_schema()]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@contextmanager
def open_asker(
    endpoint: EndpointOptions,
    model: str,
    limits: Limits,
    cache: Path | None,
    *,
    fresh: bool = False,
) -> Iterator[Asker]:
    """A model to ask while the block runs: one piece of work.

    Nothing is sent, and no endpoint is needed, before the first question that is not in the cache.

    Args:
        endpoint: Where the model is.
        model: Its name.
        limits: What the work may use.
        cache: The folder of the answers, made when the first is kept; None keeps none. It holds
            what models said about texts, and may be deleted at any time.
        fresh: Ask anew what the cache has, and keep the new answers.
    """
    with ExitStack() as until_done:
        yield Asker(
            (endpoint.url, model),
            _Answers(cache, fresh),
            lambda budget: until_done.enter_context(open_session(endpoint, model, budget)),
            Budget(limits),
        )


@dataclass(frozen=True)
class _Answers:
    """Answers on disk: `<key>.json` for each. Without a folder, or `fresh`, it finds none."""

    folder: Path | None
    fresh: bool

    def find(
        self, key: str, answer: type[AnswerT], check: Callable[[AnswerT], None]
    ) -> AnswerT | None:
        """The answer, if it is there, still fits `answer` and passes `check`."""
        if self.folder is None or self.fresh:
            return None
        try:
            cached = answer.model_validate_json((self.folder / f"{key}.json").read_bytes())
            check(cached)
        # Not there, not as it was written, or no longer right.
        except (OSError, ValueError):
            return None
        return cached

    def keep(self, key: str, written: BaseModel) -> None:
        """Write an answer; a full disk is only logged."""
        if self.folder is None:
            return
        try:
            self.folder.mkdir(exist_ok=True)  # not its parents: those go with the dataset
            with written_aside(self.folder / f"{key}.json") as draft:
                draft.write_text(written.model_dump_json(), encoding="utf-8")
        except OSError as error:
            logging.getLogger(__name__).warning("an answer was not cached: %s", error)
