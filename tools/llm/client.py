"""The client of an OpenAI-compatible endpoint: opened here, and its errors turned into ours.

In: where the endpoint is. Out: the client of the library `openai`. It retries (429, 408, 409, 5xx,
timeouts, broken connections) with exponential backoff and jitter, and honours Retry-After up to two
minutes; such a pause then holds for all threads (`rate_limit`).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.llm.endpoint import (
    NO_KEY,
    Call,
    EndpointOptions,
    StatusAnswer,
    check_endpoint,
    connection_error,
    quote,
    status_error,
    timeout_error,
)
from corpuscope.tools.llm.rate_limit import RateLimit, pause_asked

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAI


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    data: list[_Model]


def list_models(endpoint: EndpointOptions) -> list[str]:
    """The names of the models that the endpoint offers, sorted: a way to ask whether it is there.

    Raises:
        Unavailable: It cannot be reached, refuses, or answers with no list of models.
    """
    call = Call(endpoint, "(none)", f"{endpoint.setting}_MODEL")
    with open_client(endpoint) as client, explain_errors(call):
        text = client.models.with_raw_response.list().text
    try:
        return sorted(model.id for model in _Models.model_validate_json(text).data)
    except ValidationError:
        raise Unavailable(
            f"{endpoint.host} answered, but with no list of models: '{quote(text, endpoint)}'. "
            f"Check {endpoint.setting}_BASE_URL: it mostly ends with /v1."
        ) from None


@contextmanager
def open_client(endpoint: EndpointOptions) -> Iterator["OpenAI"]:
    """A client for one piece of work and all its threads, closed when the block ends.

    Raises:
        EndpointDown: The options can never work.
    """
    from openai import DefaultHttpxClient, OpenAI

    check_endpoint(endpoint)
    rate_limit = RateLimit()
    # A proxy from the environment would carry a local endpoint's texts off the machine, and a
    # redirect would carry them to a host that nobody configured.
    http_client = DefaultHttpxClient(
        timeout=endpoint.timeout,
        trust_env=not endpoint.is_local,
        follow_redirects=False,
        # Loading the certificates takes 80 ms, and plain http has no use for them.
        verify=not endpoint.is_plain_http,
        event_hooks={"request": [rate_limit.wait], "response": [rate_limit.hear]},
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


@contextmanager
def explain_errors(call: Call) -> Iterator[None]:
    """Raise Unavailable for the client's errors: where, what was answered, what to do next."""
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
        wait = pause_asked(error.response.headers)
        answer = StatusAnswer(error.status_code, error_words(error), error.code, wait)
        # The client's error repeats the endpoint's words as they are, and some quote the key.
        raise status_error(call, answer) from None


def error_words(error: "APIStatusError") -> str:
    """What the endpoint said about a failure: its message where it gives one, or all of it."""
    body = error.body
    if isinstance(body, dict):
        message = body.get("message") or body.get("error") or body.get("detail") or body
        return message if isinstance(message, str) else json.dumps(message, default=str)
    return str(body or "no reason given")


def sendable_text(text: str) -> str:
    """A text without halves of surrogate pairs, which JSON escapes bring and UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode()
