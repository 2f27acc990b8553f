"""Asking a model: structured answers and vectors from an OpenAI-compatible endpoint.

The only importer of `openai`. Its client retries (429, 408, 409, 5xx, timeouts, broken
connections) with exponential backoff and jitter, and honours Retry-After up to two minutes.
"""

import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from pydantic import BaseModel, ValidationError

from corpuscope.tools.endpoint import (
    NO_KEY,
    Call,
    EndpointOptions,
    InvalidAnswer,
    StatusAnswer,
    check_endpoint,
    connection_error,
    quote,
    status_error,
    timeout_error,
)
from corpuscope.tools.errors import Unavailable
from corpuscope.tools.schema import Floats

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI

T = TypeVar("T", bound=BaseModel)

EMBED_TEXTS = 128
"""Texts in one request: past this, a request only gets slower, not cheaper."""

EMBED_CHARACTERS = 200_000
"""Characters in one request: OpenAI takes 300,000 tokens, and a character may be more than one."""

EMBED_CUT = 6_000
"""Characters kept of one text: the common models take 8,192 tokens and refuse what is longer."""

REPAIR_ERRORS = 6
"""Faults named to the model when it is asked again; the first ones cause most of the rest."""

FIND_TRIES = 50
"""Braces at which a JSON object is looked for: each failed try may read the whole answer."""

ANSWER_CUT = 100_000
"""Characters of an answer that are looked at: a description has some two thousand."""

REFUSED_FORMAT = re.compile(
    r"response.?format|json.?schema|json.?object|structured.?output|grammar|guided", re.IGNORECASE
)


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    """The part of a chat completion that is used; all else an endpoint may shape as it likes."""

    choices: list[_Choice]


class _Vector(BaseModel):
    index: int
    embedding: list[float]


class _Embeddings(BaseModel):
    data: list[_Vector]


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


class _Answered(NamedTuple):
    text: str
    formats: list[Any]
    """The response formats from the one that the endpoint took on."""


def embed_texts(endpoint: EndpointOptions, model: str, texts: Sequence[str]) -> Floats:
    """Vectors of texts, in their order: (len(texts), dim) float32 with rows of unit length.

    Of a text, the first `EMBED_CUT` characters count. No texts give an array of shape (0, 0).

    Raises:
        Unavailable: The endpoint cannot be reached, refuses, or answers other than one usable
            vector of one length for each text.
    """
    if not texts:
        return np.zeros((0, 0), np.float32)
    call = Call(endpoint, model, "the model in the embedding spec `openai:<model>`")
    with (
        _open_client(endpoint) as client,
        ThreadPoolExecutor(max_workers=max(1, endpoint.concurrency)) as pool,
    ):
        parts = list(pool.map(lambda batch: _embed_batch(client, call, batch), _batches(texts)))
    widths = sorted({part.shape[1] for part in parts})
    if len(widths) > 1:
        raise Unavailable(
            f"{endpoint.host} answered vectors of different lengths for {model}: {widths}. "
            "Check that one model serves all requests."
        )
    return np.concatenate(parts)


def complete(endpoint: EndpointOptions, model: str, system: str, user: str, answer: type[T]) -> T:
    """The model's answer to a prompt, as `answer`: a pydantic model, asked for as JSON schema.

    An endpoint that refuses the schema is asked for a JSON object, then for plain text. The
    schema stands in the prompt too: servers that only constrain the output never show it to the
    model. JSON is found within fences, prose and after `<think>`; what does not validate is sent
    back once with the errors. `answer` should forbid extra fields and have no defaults, as
    strict schemas want.

    Raises:
        EndpointDown: Nothing listens there, or key or model are refused.
        InvalidAnswer: The answer does not fit `answer`, asked twice.
        Unavailable: Anything else: refused, empty, rate limit, server error, timeout.
    """
    call = Call(endpoint, model, f"{endpoint.setting}_MODEL")
    schema = answer.model_json_schema()
    wanted = f"Answer with one JSON object that fits this JSON schema:\n{json.dumps(schema)}"
    messages = [
        {"role": "system", "content": f"{system}\n\n{wanted}"},
        {"role": "user", "content": user},
    ]
    with _open_client(endpoint) as client:
        first = _ask(client, call, messages, _formats(answer.__name__, schema))
        try:
            return _parse(first.text, answer)
        except ValueError as wrong:
            problem = _faults(wrong)
        messages += [
            {"role": "assistant", "content": first.text},
            {"role": "user", "content": f"This is not right: {problem}. Answer again. {wanted}"},
        ]
        second = _ask(client, call, messages, first.formats)
    try:
        return _parse(second.text, answer)
    except ValueError as wrong:
        raise InvalidAnswer(
            f"{model} at {endpoint.host} did not answer as asked, twice: {_faults(wrong)}. "
            f"Try again, or set {call.model_setting} to a more capable model."
        ) from wrong


def list_models(endpoint: EndpointOptions) -> list[str]:
    """The names of the models that the endpoint offers, sorted: a way to ask whether it is there.

    Raises:
        Unavailable: It cannot be reached, refuses, or answers with no list of models.
    """
    call = Call(endpoint, "(none)", f"{endpoint.setting}_MODEL")
    with _open_client(endpoint) as client, _explained(call):
        text = client.models.with_raw_response.list().text
    try:
        return sorted(model.id for model in _Models.model_validate_json(text).data)
    except ValidationError:
        raise Unavailable(
            f"{endpoint.host} answered, but with no list of models: '{quote(text, endpoint)}'. "
            f"Check {endpoint.setting}_BASE_URL: it mostly ends with /v1."
        ) from None


@contextmanager
def _open_client(endpoint: EndpointOptions) -> Iterator["OpenAI"]:
    """The client for one piece of work, closed after it."""
    from openai import DefaultHttpxClient, OpenAI

    check_endpoint(endpoint)
    # A proxy from the environment would carry a local endpoint's texts off the machine, and a
    # redirect would carry them to a host that nobody configured.
    http_client = DefaultHttpxClient(
        timeout=endpoint.timeout,
        trust_env=not endpoint.is_local,
        follow_redirects=False,
        # Loading the certificates takes 80 ms, and plain http has no use for them.
        verify=not endpoint.is_plain_http,
    )
    # What is None here, the client would take from OPENAI_* of the environment.
    client = OpenAI(
        base_url=endpoint.url,
        api_key=endpoint.api_key or NO_KEY,
        admin_api_key="",
        organization="",
        project="",
        webhook_secret="",
        timeout=endpoint.timeout,
        max_retries=endpoint.retries,
        http_client=http_client,
    )
    client.organization = client.project = None
    # OPENAI_CUSTOM_HEADERS is read whatever the arguments; it may hold a key for another host.
    client._custom_headers = {}
    with client:
        yield client


def _formats(name: str, schema: dict[str, Any]) -> list[Any]:
    """The response formats to try: strict JSON schema, a JSON object, and none."""
    from openai import omit

    wanted = {"name": name, "schema": schema, "strict": True}
    return [
        {"type": "json_schema", "json_schema": wanted},
        {"type": "json_object"},
        omit,
    ]


def _ask(client: "OpenAI", call: Call, messages: list[Any], formats: list[Any]) -> _Answered:
    """The text of the model's answer, in the first format that the endpoint takes."""
    from openai import APIStatusError

    for tried, response_format in enumerate(formats):
        with _explained(call):
            try:
                raw = client.chat.completions.with_raw_response.create(
                    model=call.model, messages=messages, response_format=response_format
                )
            except APIStatusError as error:
                if tried + 1 == len(formats) or not _refuses_format(error):
                    raise
                continue
            return _Answered(_content(raw.text, call), formats[tried:])
    raise AssertionError("the last format either answers or raises")


def _refuses_format(error: "APIStatusError") -> bool:
    """Whether the endpoint says that it cannot answer in the format asked for."""
    return error.status_code in (400, 404, 422) and bool(REFUSED_FORMAT.search(_body(error)))


def _content(text: str, call: Call) -> str:
    """The words in a chat completion."""
    where = f"{call.model} at {call.endpoint.host}"
    try:
        choices = _Completion.model_validate_json(text).choices
    except ValidationError:
        raise Unavailable(
            f"{call.endpoint.host} answered, but with no chat completion: "
            f"'{quote(text, call.endpoint)}'. Check {call.endpoint.setting}_BASE_URL: "
            "it mostly ends with /v1."
        ) from None
    if not choices:
        raise Unavailable(
            f"{where} answered with no choices. Try again, or set {call.model_setting}."
        )
    message, reason = choices[0].message, choices[0].finish_reason
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


def _parse(text: str, answer: type[T]) -> T:
    """The answer in a model's text; ValueError (pydantic's is one) says what is wrong."""
    try:
        return answer.model_validate_json(text)
    except ValidationError as error:
        # Some servers keep the opening <think> in the prompt: only the closing one arrives.
        found = _find_object(text.rpartition("</think>")[2]) or _find_object(text)
        if found is None:
            raise ValueError("there is no complete JSON object in the answer") from error
    return answer.model_validate(found)


def _find_object(text: str) -> dict[str, Any] | None:
    """The longest JSON object in a text."""
    decoder = json.JSONDecoder()
    best: tuple[int, dict[str, Any]] | None = None
    start = text.find("{")
    for _ in range(FIND_TRIES):
        if start < 0:
            break
        try:
            found, end = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            end = start + 1
        else:
            if best is None or end - start > best[0]:
                best = (end - start, found)
        start = text.find("{", end)
    return best[1] if best else None


def _faults(wrong: ValueError) -> str:
    """What is wrong with an answer, for the model that wrote it and for people."""
    if not isinstance(wrong, ValidationError):
        return str(wrong)
    errors = wrong.errors(include_url=False, include_context=False, include_input=False)
    said = [
        f"{'.'.join(str(part) for part in error['loc']) or 'answer'}: {error['msg']}"
        for error in errors[:REPAIR_ERRORS]
    ]
    return "; ".join(said)


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in order, cut, in batches of bounded number and size."""
    batch: list[str] = []
    characters = 0
    for text in texts:
        # Half a surrogate pair, which JSON escapes may bring, cannot be sent as UTF-8.
        kept = text[:EMBED_CUT].encode("utf-8", "replace").decode()
        if batch and (len(batch) == EMBED_TEXTS or characters + len(kept) > EMBED_CHARACTERS):
            yield batch
            batch, characters = [], 0
        batch.append(kept)
        characters += len(kept)
    yield batch


def _embed_batch(client: "OpenAI", call: Call, batch: list[str]) -> Floats:
    """The unit vectors of one batch: (len(batch), dim) float32."""
    host = call.endpoint.host
    with _explained(call):
        raw = client.embeddings.with_raw_response.create(
            model=call.model, input=batch, encoding_format="float"
        )
    try:
        rows = sorted(_Embeddings.model_validate_json(raw.text).data, key=lambda row: row.index)
    except ValidationError:
        raise Unavailable(
            f"{host} answered, but with no embeddings: '{quote(raw.text, call.endpoint)}'. "
            f"Check {call.endpoint.setting}_BASE_URL (it mostly ends with /v1), and that "
            f"{call.model} is an embedding model."
        ) from None
    if [row.index for row in rows] != list(range(len(batch))):
        raise Unavailable(f"{host} answered {len(rows)} vectors for {len(batch)} texts.")
    if len({len(row.embedding) for row in rows}) > 1:
        raise Unavailable(f"{host} answered vectors of different lengths for {call.model}.")
    vectors = np.array([row.embedding for row in rows])
    with np.errstate(over="ignore"):  # what overflows is refused below, as not finite
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not vectors.size or not np.isfinite(lengths).all() or (lengths == 0).any():
        raise Unavailable(
            f"{host} answered a vector that is empty, all zero or not finite. "
            f"Check that {call.model} is an embedding model."
        )
    return np.asarray(vectors / lengths, np.float32)


@contextmanager
def _explained(call: Call) -> Iterator[None]:
    """Turns the client's errors into ours: where, what it answered, what to do next."""
    import httpx2
    import openai

    try:
        yield
    except openai.APITimeoutError as error:
        raise timeout_error(call) from error
    except openai.APIConnectionError as error:
        reached = not isinstance(error.__cause__, httpx2.ConnectError)
        raise connection_error(call, reached, str(error.__cause__)) from error
    except openai.APIStatusError as error:
        wait = error.response.headers.get("retry-after", "")
        answer = StatusAnswer(error.status_code, _body(error), error.code, wait)
        # The client's error repeats the endpoint's words as they are, and some quote the key.
        raise status_error(call, answer) from None


def _body(error: "APIStatusError") -> str:
    """What the endpoint said about a failure: its message where it gives one, or all of it."""
    body = error.body
    if isinstance(body, dict):
        message = body.get("message") or body.get("error") or body.get("detail") or body
        return message if isinstance(message, str) else json.dumps(message, default=str)
    return str(body or "no reason given")
