"""Answers of a model as pydantic models: asked for by schema, found in its words, repaired once.

In: a system and a user message, and the pydantic model that the answer shall have. Out: an instance
of it.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from pydantic import BaseModel, Field, ValidationError

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.llm.budget import EXPECTED_ANSWER_TOKENS, Budget, Usage, estimate_tokens
from corpuscope.tools.llm.client import error_words, explain_errors, open_client, sendable_text
from corpuscope.tools.llm.endpoint import Call, EndpointOptions, InvalidAnswer, quote

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

AnswerT = TypeVar("AnswerT", bound=BaseModel)

Messages: TypeAlias = list[dict[str, str]]

REPAIR_ERRORS = 6
"""Faults named to the model when it is asked again; the first ones cause most of the rest."""

FIND_TRIES = 50
"""Braces at which a JSON object is looked for: each failed try may read the whole answer."""

ANSWER_CUT = 100_000
"""Characters of an answer that are looked at: a description has some two thousand."""

REFUSED_FORMAT = re.compile(
    r"response.?format|json.?schema|json.?object|structured.?output|grammar|guided", re.IGNORECASE
)

PLAIN = "plain"
"""The way of asking that no endpoint refuses: without a response format."""


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    """The part of a chat completion that is used; all else an endpoint may shape as it likes."""

    choices: list[_Choice]
    usage: Any = None


class _Counted(BaseModel):
    """Tokens as the endpoint counted them. No prompt has 0: that stands for not counted."""

    prompt_tokens: int = Field(ge=1)
    completion_tokens: int = Field(ge=0)


def accept_any(answer: object) -> None:
    """The check of answers about which the schema says everything."""


@dataclass(frozen=True, eq=False)
class Session:
    """A model at an endpoint, for one piece of work and all its threads."""

    client: "OpenAI"
    call: Call
    budget: Budget
    refused: set[str] = field(default_factory=set)
    """The formats that the endpoint refused, so that only the first requests pay for it."""

    def complete(
        self,
        system: str,
        user: str,
        answer: type[AnswerT],
        check: Callable[[AnswerT], None] = accept_any,
    ) -> AnswerT:
        """The model's answer to a prompt, as `answer`: a pydantic model, asked for as JSON schema.

        An endpoint that refuses the schema is asked for a JSON object, then for plain text. The
        schema stands in the prompt too: servers that only constrain the output never show it to
        the model. JSON is found within fences, prose and after `<think>`. What does not validate,
        or lets `check` raise ValueError, is sent back once with the reason. `answer` should forbid
        extra fields and have no defaults, as strict schemas want.

        Raises:
            EndpointDown: Nothing listens there, key or model are refused, or it wants a long pause.
            InvalidAnswer: The answer does not fit `answer` or `check`, asked twice.
            LimitReached: The budget has no room for the request.
            Unavailable: Anything else: refused, empty, rate limit, server error, timeout.
        """
        messages = _messages(system, user, answer)
        first = self._ask(messages, answer)
        try:
            return _parse(first, answer, check)
        except ValueError as wrong:
            problem = format_faults(wrong)
        again = f"This is not right: {problem}. Answer again. {_wanted(answer)}"
        messages += [
            {"role": "assistant", "content": first},
            {"role": "user", "content": sendable_text(again)},
        ]
        second = self._ask(messages, answer)
        try:
            return _parse(second, answer, check)
        except ValueError as wrong:
            raise InvalidAnswer(
                f"{self.call.model} at {self.call.endpoint.host} did not answer as asked, twice: "
                f"{quote(format_faults(wrong), self.call.endpoint)}. "
                f"Try again, or set {self.call.model_setting} to a more capable model."
            ) from wrong

    def _ask(self, messages: Messages, answer: type[BaseModel]) -> str:
        """The text of the model's answer, in the first format that the endpoint takes."""
        from openai import APIStatusError

        chat: Any = self.client.chat.completions.with_raw_response
        expected = _expected(messages)
        for kind, response_format in _formats(answer):
            if kind in self.refused:
                continue
            with explain_errors(self.call), self.budget.room(expected) as report_usage:
                try:
                    raw = chat.create(
                        model=self.call.model, messages=messages, response_format=response_format
                    )
                except APIStatusError as error:
                    if kind == PLAIN or not _refuses_format(error):
                        raise
                    self.refused.add(kind)
                    continue
                completion = _completion(raw.text, self.call)
                # Before its words are looked at: an answer of no use was paid for as well.
                report_usage(_usage(completion, expected))
            return _content(completion, self.call)
        raise AssertionError("the plain way either answers or raises")


@contextmanager
def open_session(endpoint: EndpointOptions, model: str, budget: Budget) -> Iterator[Session]:
    """A session with a model; sends nothing yet. EndpointDown where the options cannot work."""
    with open_client(endpoint) as client:
        yield Session(client, Call(endpoint, model, f"{endpoint.setting}_MODEL"), budget)


def expected_call_usage(system: str, user: str, answer: type[BaseModel]) -> Usage:
    """What one request for this answer is expected to use."""
    return _expected(_messages(system, user, answer))


def _messages(system: str, user: str, answer: type[BaseModel]) -> Messages:
    return [
        {"role": "system", "content": sendable_text(f"{system}\n\n{_wanted(answer)}")},
        {"role": "user", "content": sendable_text(user)},
    ]


def _wanted(answer: type[BaseModel]) -> str:
    schema = json.dumps(answer.model_json_schema())
    return f"Answer with one JSON object that fits this JSON schema:\n{schema}"


def _expected(messages: Messages) -> Usage:
    tokens = sum(estimate_tokens(message["content"]) for message in messages)
    return Usage(1, tokens, EXPECTED_ANSWER_TOKENS, estimated=True)


def _usage(completion: _Completion, expected: Usage) -> Usage:
    """What a completion used: as the endpoint counted, or else estimated."""
    try:
        counted = _Counted.model_validate(completion.usage)
    except ValidationError:
        words = "".join(choice.message.content or "" for choice in completion.choices)
        return Usage(1, expected.tokens_in, estimate_tokens(words), estimated=True)
    return Usage(1, counted.prompt_tokens, counted.completion_tokens)


def _formats(answer: type[BaseModel]) -> list[tuple[str, Any]]:
    """The response formats to try, each with its name: strict JSON schema, JSON object, none."""
    from openai import omit

    wanted = {"name": answer.__name__, "schema": answer.model_json_schema(), "strict": True}
    return [
        ("json_schema", {"type": "json_schema", "json_schema": wanted}),
        ("json_object", {"type": "json_object"}),
        (PLAIN, omit),
    ]


def _refuses_format(error: "APIStatusError") -> bool:
    """Whether the endpoint says that it cannot answer in the format asked for."""
    return error.status_code in (400, 404, 422) and bool(REFUSED_FORMAT.search(error_words(error)))


def _completion(text: str, call: Call) -> _Completion:
    """A chat completion as it was sent."""
    try:
        return _Completion.model_validate_json(text)
    except ValidationError:
        raise Unavailable(
            f"{call.endpoint.host} answered, but with no chat completion: "
            f"'{quote(text, call.endpoint)}'. Check {call.endpoint.setting}_BASE_URL: "
            "it mostly ends with /v1."
        ) from None


def _content(completion: _Completion, call: Call) -> str:
    """The words in a chat completion."""
    where = f"{call.model} at {call.endpoint.host}"
    if not completion.choices:
        raise Unavailable(
            f"{where} answered with no choices. Try again, or set {call.model_setting}."
        )
    message, reason = completion.choices[0].message, completion.choices[0].finish_reason
    if message.refusal or reason == "content_filter":
        why = quote(message.refusal or "stopped by its content filter", call.endpoint)
        raise Unavailable(
            f"{where} refused to answer: {why}. "
            f"Set {call.model_setting} to another model, or write the words with label-cluster."
        )
    if not (message.content or "").strip():
        raise Unavailable(
            f"{where} answered with nothing (finish_reason {reason}). "
            f"Try again, or set {call.model_setting} to another model."
        )
    return (message.content or "")[:ANSWER_CUT]


def _parse(text: str, answer: type[AnswerT], check: Callable[[AnswerT], None]) -> AnswerT:
    """The checked answer in a model's text; ValueError (pydantic's is one) says what is wrong."""
    try:
        parsed = answer.model_validate_json(text)
    except ValidationError as error:
        # Some servers keep the opening <think> in the prompt: only the closing one arrives.
        json_object = _find_object(text.rpartition("</think>")[2]) or _find_object(text)
        if not json_object:
            raise ValueError("there is no complete JSON object in the answer") from error
        parsed = answer.model_validate_json(json_object)
    check(parsed)
    return parsed


def _find_object(text: str) -> str:
    """The longest JSON object in a text; empty where there is none."""
    decoder = json.JSONDecoder()
    best = ""
    start = text.find("{")
    for _ in range(FIND_TRIES):
        if start < 0:
            break
        try:
            end = decoder.raw_decode(text, start)[1]
        except (ValueError, RecursionError):
            end = start + 1
        else:
            best = max(best, text[start:end], key=len)
        start = text.find("{", end)
    return best


def format_faults(wrong: ValueError) -> str:
    """What is wrong with an answer, for the model that wrote it and for people."""
    if not isinstance(wrong, ValidationError):
        return str(wrong)
    errors = wrong.errors(include_url=False, include_context=False, include_input=False)
    faults = [
        f"{'.'.join(str(part) for part in error['loc']) or 'answer'}: "
        f"{error['msg'].removeprefix('Value error, ')}"
        for error in errors[:REPAIR_ERRORS]
    ]
    return "; ".join(faults)
