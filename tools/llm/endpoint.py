"""Where an OpenAI-compatible endpoint is, and the error for each way in which it can fail.

Plain data and messages: the connection itself is opened in `client`.
"""

import ipaddress
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.core.text import clean_text, shorten

OPENAI_URL = "https://api.openai.com/v1"

NO_KEY = "no-key"
"""Sent where no key was given: the client insists on one, and local servers ignore it."""

QUOTE = 200
"""Characters of an endpoint's own words that go into a message."""

LONGEST_PAUSE = 120.0
"""Seconds that an endpoint may ask to wait and is obeyed: more, and the work stops and says so."""


class EndpointDown(Unavailable):
    """Every other call would fail like this one: nothing listens, or key or model are refused."""


class InvalidAnswer(Unavailable):
    """The endpoint works, but what the model wrote does not fit the schema, asked twice."""


class LimitReached(Unavailable):
    """The work has used what it may: nothing is wrong, and what was answered is kept."""


@dataclass(frozen=True)
class EndpointOptions:
    """An OpenAI-compatible endpoint: OpenAI, Azure, Ollama, vLLM, LM Studio, llama.cpp and so on.

    `base_url` None is OpenAI's own; `api_key` may be empty for endpoints that want none;
    `timeout` is in seconds for one try; `retries` come after the first try; at most
    `concurrency` requests are on their way at once. `setting` is what the names of the settings
    that lead here begin with, for messages that say what to set.
    """

    base_url: str | None
    api_key: str = field(repr=False)
    timeout: float = 60.0
    retries: int = 4
    concurrency: int = 4
    setting: str = "CORPUSCOPE_LLM"

    def __repr__(self) -> str:
        # The base URL may carry a password or a token, so that only the host is shown.
        return f"EndpointOptions({self.host}, timeout={self.timeout:g}, retries={self.retries})"

    @property
    def url(self) -> str:
        """The base URL to send to, OpenAI's own where none was given."""
        return self.base_url or OPENAI_URL

    @property
    def host(self) -> str:
        """Host and port for messages, without path, user or password."""
        try:
            return urlsplit(self.url).netloc.rpartition("@")[2] or "the model endpoint"
        except ValueError:
            return "the model endpoint"

    @property
    def is_plain_http(self) -> bool:
        """Whether the connection is not encrypted, as local servers mostly are."""
        return self.url.lower().startswith("http://")

    @property
    def is_local(self) -> bool:
        """Whether the endpoint is on this machine, so that no text leaves it."""
        try:
            name = urlsplit(self.url).hostname or ""
            return name == "localhost" or ipaddress.ip_address(name).is_loopback
        except ValueError:
            return False


def check_endpoint(endpoint: EndpointOptions) -> None:
    """Refuse what can never work, before anything is sent.

    Raises:
        EndpointDown: The base URL is no URL or holds a password, or the key is missing or no key.
    """
    try:
        parts = urlsplit(endpoint.url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise EndpointDown(
            f"{endpoint.setting}_BASE_URL is not an http:// or https:// URL. "
            "Set it, for example, to http://localhost:11434/v1 (Ollama)."
        )
    if parts.username or parts.password:
        raise EndpointDown(
            f"{endpoint.setting}_BASE_URL holds a user or a password. "
            f"Take it out, and put the key into {endpoint.setting}_API_KEY."
        )
    if endpoint.base_url is None and not endpoint.api_key:
        raise EndpointDown(
            f"OpenAI wants an API key. Set {endpoint.setting}_API_KEY, "
            f"or {endpoint.setting}_BASE_URL for another endpoint."
        )
    if not endpoint.api_key.isascii() or any(sign <= " " for sign in endpoint.api_key):
        raise EndpointDown(
            f"{endpoint.setting}_API_KEY has spaces, line ends or letters beyond ASCII, "
            "which no key has. Copy it again."
        )


@dataclass(frozen=True)
class Call:
    """What a message says about a request: where it went, and which setting names the model."""

    endpoint: EndpointOptions
    model: str
    model_setting: str


class StatusAnswer(NamedTuple):
    """An answer that is no success: status, the endpoint's words and code, seconds to wait."""

    status: int
    words: str
    code: str | None
    wait: float | None


def quote(text: str, endpoint: EndpointOptions) -> str:
    """An endpoint's words for a message: short, on one line, without the key."""
    shown = clean_text(text[: 10 * QUOTE])
    if endpoint.api_key:
        shown = shown.replace(endpoint.api_key, "***")
    return shorten(shown, QUOTE)


def timeout_error(call: Call) -> Unavailable:
    """The error for an endpoint that stayed silent through every try."""
    return Unavailable(
        f"{call.endpoint.host} did not answer within {call.endpoint.timeout:g} s "
        f"(tries: {call.endpoint.retries + 1}). "
        f"Raise CORPUSCOPE_LLM_TIMEOUT, or set {call.model_setting} to a faster model."
    )


def connection_error(call: Call, reached: bool, why: str) -> Unavailable:
    """The error for a connection that was never made, or (`reached`) broke on the way."""
    host, reason = call.endpoint.host, quote(why, call.endpoint)
    if reached:
        return Unavailable(
            f"{host} broke the connection: {reason}. Try again, and look at its log."
        )
    return EndpointDown(
        f"Cannot connect to {host}: {reason}. Is it running? "
        f"Start it, or correct {call.endpoint.setting}_BASE_URL."
    )


def status_error(call: Call, answer: StatusAnswer) -> Unavailable:
    """The error for an HTTP status that is no success; `EndpointDown` where no call can do."""
    endpoint, status = call.endpoint, answer.status
    host, tries = endpoint.host, endpoint.retries + 1
    reason = f"{status}: {quote(answer.words, endpoint)}"
    if status == 401:
        # The endpoint's own words are left out: some quote a part of the key.
        what = "refused the API key" if endpoint.api_key else "wants an API key"
        return EndpointDown(f"{host} {what} (401). Set {endpoint.setting}_API_KEY.")
    if status == 403:
        return EndpointDown(
            f"{host} does not allow this ({reason}). "
            f"Check {endpoint.setting}_API_KEY and what it may use."
        )
    if status == 404:
        return EndpointDown(
            f"{host} does not know the model '{call.model}', or the address is wrong ({reason}). "
            f"Set {call.model_setting}, or {endpoint.setting}_BASE_URL: it mostly ends with /v1."
        )
    if (status == 429 or status >= 500) and (answer.wait or 0) > LONGEST_PAUSE:
        what = "is over its rate limit or quota" if status == 429 else "failed"
        return EndpointDown(
            f"{host} {what} ({reason}), and asks to wait {answer.wait:.0f} s: "
            f"more than the {LONGEST_PAUSE:.0f} s that are waited for. Try again after that."
        )
    if status == 429:
        kind = EndpointDown if answer.code == "insufficient_quota" else Unavailable
        when = f"in {answer.wait:.1f} s" if answer.wait else "later"
        return kind(
            f"{host} is over its rate limit or quota (tries: {tries}; {reason}). "
            f"Try again {when}, or lower CORPUSCOPE_LLM_CONCURRENCY."
        )
    if status < 400:
        return EndpointDown(
            f"{host} redirects elsewhere ({status}), which is not followed. "
            f"Set {endpoint.setting}_BASE_URL to the final address."
        )
    if status >= 500:
        return Unavailable(
            f"{host} failed (tries: {tries}; {reason}). Look at its log, or try again later."
        )
    return Unavailable(
        f"{host} did not accept the request ({reason}). "
        f"Check {call.model_setting} and what the endpoint supports."
    )
