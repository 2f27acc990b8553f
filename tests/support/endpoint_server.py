"""An OpenAI-compatible endpoint over loopback, whose answers are functions of what it is asked.

with endpoint_server(describes) as server:
    ...  # point the client to server.url; look at server.requests afterwards
"""

import json
import re
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

from corpuscope.tools.llm.endpoint import EndpointOptions

DIM = 16
"""Length of the vectors that `embeds` answers."""

MODELS = ("tiny", "small")
"""What `describes` says it offers."""

USAGE = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
"""What every chat completion says it used."""


@dataclass(frozen=True)
class Request:
    """What the server was asked. `number` counts from 0."""

    number: int
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    closing: threading.Event = field(repr=False)
    """Set when the server closes: what a slow behaviour waits for."""

    @property
    def prompt(self) -> str:
        """The user's first message: the evidence, also where an answer is to be repaired."""
        return next(str(m["content"]) for m in self.body["messages"] if m["role"] == "user")

    @property
    def told(self) -> str:
        """What the model was told first, the schema of its answer included."""
        return str(self.body["messages"][0]["content"])

    @property
    def format(self) -> str:
        """The type of the response format asked for; `none` where none was."""
        return str(self.body.get("response_format", {}).get("type", "none"))


@dataclass(frozen=True)
class Reply:
    """What the server answers."""

    body: object
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Behaviour: TypeAlias = Callable[[Request], Reply | None]
"""None hangs up without an answer."""


@dataclass
class EndpointServer:
    """A running server: where it is, what it was asked, and how many at a time."""

    url: str
    requests: list[Request] = field(default_factory=list)
    busiest: int = 0
    """The most requests that were being answered at once."""

    def options(self, api_key: str = "", retries: int = 0, **others: Any) -> EndpointOptions:
        """Options that lead here."""
        return EndpointOptions(base_url=self.url, api_key=api_key, retries=retries, **others)


@contextmanager
def endpoint_server(behaviour: Behaviour) -> Iterator[EndpointServer]:
    """Serve `behaviour` on a free port of 127.0.0.1 until the block ends."""
    closing = threading.Event()
    lock = threading.Lock()
    busy = 0

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, body: dict[str, Any]) -> None:
            nonlocal busy
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                number = len(server.requests)
                request = Request(number, self.path, headers, body, closing)
                server.requests.append(request)
                busy += 1
                server.busiest = max(server.busiest, busy)
            reply = behaviour(request)
            with lock:
                busy -= 1
            if reply is not None:
                self._send(reply)

        def _send(self, reply: Reply) -> None:
            text = reply.body if isinstance(reply.body, str) else json.dumps(reply.body)
            try:
                self.send_response(reply.status)
                for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text.encode())
            except ConnectionError:
                pass  # The client gave up waiting, which is what slow behaviours are for.

        def log_message(self, *args: object) -> None:
            """Keeps the access log out of the tests' output."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = False  # so that server_close waits for every answer
    server = EndpointServer(f"http://127.0.0.1:{http.server_port}/v1")
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        closing.set()
        http.shutdown()
        thread.join()
        http.server_close()


def describes(request: Request) -> Reply:
    """A good endpoint: a description made of the prompt's keywords; vectors; the models' names."""
    if request.path.endswith("/embeddings"):
        return embeds(request)
    if request.path.endswith("/models"):
        return Reply({"object": "list", "data": [{"id": name} for name in MODELS]})
    return chat(described(request))


def described(request: Request) -> str:
    """The answer of a good model, as JSON: to a describe, an apart or a sort prompt."""
    if '"fits"' in request.told:
        return json.dumps({"fits": _fitting(request.prompt)})
    if '"titles"' in request.told:
        return json.dumps(_apart(request.prompt))
    keywords = keywords_in(request.prompt)
    # Excerpts, not what is in other clusters.
    refs = re.findall(r"^(r\d+) \((?!in )", request.prompt, re.MULTILINE)
    answer = {
        "cluster": re.findall(r"^Cluster (\S+) of", request.prompt, re.MULTILINE)[0],
        "reasoning": f"The excerpts share {' and '.join(keywords[:2])}.",
        "title": " ".join(" and ".join(keywords[:2]).split()[:8]).capitalize(),
        "summary": [
            {"text": f"People write about {', '.join(keywords[:3])}.", "refs": refs[:2]},
            {"text": f"Some of them also name {', '.join(keywords[3:6])}.", "refs": refs[2:4]},
        ],
        "keywords": keywords[:5],
        "misfits": "",
    }
    return json.dumps(answer)


def keywords_in(evidence: str) -> list[str]:
    """The keywords that an evidence shows."""
    found = re.search(r"^Keywords[^:]*: (.+)$", evidence, re.MULTILINE)
    return [re.sub(r" \(\d+%, \d+%\)$", "", word) for word in found[1].split("; ")] if found else []


def _apart(prompt: str) -> dict[str, Any]:
    """For each cluster a title of the keywords that no other one has."""
    parts = re.split(r"^Cluster (\S+) of", prompt, flags=re.MULTILINE)[1:]
    words = {
        cluster: keywords_in(text) for cluster, text in zip(parts[::2], parts[1::2], strict=True)
    }
    titles = []
    for cluster, keywords in words.items():
        taken = {word for other in words if other != cluster for word in words[other]}
        distinct = [word for word in keywords if word not in taken] or keywords
        titles.append(
            {"cluster": cluster, "title": " ".join(" or ".join(distinct[:2]).split()[:8])}
        )
    return {"reasoning": "They differ in their words.", "titles": titles}


def _fitting(prompt: str) -> list[int]:
    """The texts that share a longer word with title and summary."""
    head = re.findall(r"^(?:Title|Summary): (.+)$", prompt, re.MULTILINE)
    known = set(re.findall(r"\w{4,}", " ".join(head).lower()))
    texts = re.findall(r"^(\d+): (.+)$", prompt, re.MULTILINE)
    return [int(n) for n, text in texts if known & set(re.findall(r"\w{4,}", text.lower()))]


def chat(content: str | None, **message: object) -> Reply:
    """A chat completion with one choice, and what it used."""
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": content, **message},
    }
    completion = {"id": "c", "object": "chat.completion", "created": 0, "choices": [choice]}
    return Reply({**completion, "usage": USAGE})


def says(content: str | None, **message: object) -> Behaviour:
    """Always the same words."""
    return lambda request: chat(content, **message)


def embeds(request: Request) -> Reply:
    """A vector for each text, made of its words; in reverse, since only `index` gives the order."""
    rows = [
        {"object": "embedding", "index": index, "embedding": word_vector(text)}
        for index, text in enumerate(request.body["input"])
    ]
    return Reply({"object": "list", "model": request.body["model"], "data": rows[::-1]})


def word_vector(text: str) -> list[float]:
    """How often each class of words occurs, plus a little so that no text is all zero."""
    vector = [0.1] * DIM
    for word in text.lower().split():
        vector[zlib.crc32(word.encode()) % DIM] += 1.0
    return vector


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """One behaviour for each request; the last for all further ones."""
    return lambda request: behaviours[min(request.number, len(behaviours) - 1)](request)


def fails(status: int, message: str = "it failed", **headers: str) -> Behaviour:
    """An error in OpenAI's form. Header names are written with _ for -."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: Reply({"error": {"message": message, "code": None}}, status, sent)


def rate_limited(times: int, retry_after: float | None, then: Behaviour) -> Behaviour:
    """429 for the first requests, with the seconds to wait where they are given."""
    headers = {} if retry_after is None else {"Retry_After": str(retry_after)}
    limited = fails(429, "slow down", **headers)
    return lambda request: (limited if request.number < times else then)(request)


def slow(seconds: float, then: Behaviour) -> Behaviour:
    """An answer that takes its time, cut short when the server closes."""

    def behaviour(request: Request) -> Reply | None:
        request.closing.wait(seconds)
        return then(request)

    return behaviour


def breaks_off(request: Request) -> Reply:
    """The connection ends in the middle of an answer."""
    return Reply('{"choices": [', headers={"Content-Length": "1000"})


def with_usage(usage: object, then: Behaviour) -> Behaviour:
    """Completions that say they used this; None leaves it out, as many local servers do."""

    def behaviour(request: Request) -> Reply | None:
        reply = then(request)
        if reply is None or not isinstance(reply.body, dict):
            return reply
        others = {name: value for name, value in reply.body.items() if name != "usage"}
        body = others if usage is None else {**others, "usage": usage}
        return Reply(body, reply.status, reply.headers)

    return behaviour


def without_choices(request: Request) -> Reply:
    """A completion in which nothing was chosen."""
    return Reply({"id": "c", "object": "chat.completion", "created": 0, "choices": []})


def refuses_formats(*types: str, status: int = 400) -> Behaviour:
    """A good model behind a server that does not know these response formats."""

    def behaviour(request: Request) -> Reply | None:
        if request.format in types:
            message = f"response_format type '{request.format}' is not supported"
            return fails(status, message)(request)
        return describes(request)

    return behaviour


def stalls(request: Request) -> None:
    """No answer until the server closes."""
    request.closing.wait()


def hangs_up(request: Request) -> None:
    """The connection ends without an answer."""


def obeys_the_texts(request: Request) -> Reply:
    """A gullible model: does what a text orders with TITLE: … and KEY: …, schema or not."""
    answer = json.loads(described(request))
    for field_name, ordered in re.findall(r"\b(TITLE|KEY): ([^;\n]+)", request.prompt):
        answer[field_name.lower()] = ordered
    return chat(json.dumps(answer))
