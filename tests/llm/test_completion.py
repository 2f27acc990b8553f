"""The real `openai` client against a server over loopback: answers, fallbacks, and failures."""

import json
import socket
import traceback

import pytest
from support.endpoint_server import (
    Behaviour,
    Reply,
    Request,
    breaks_off,
    chat,
    describes,
    endpoint_server,
    fails,
    hangs_up,
    in_turn,
    says,
    stalls,
    without_choices,
)
from support.stand_in_clock import Clock

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.core.schema import Frozen
from corpuscope.tools.llm.budget import Budget, Limits
from corpuscope.tools.llm.client import list_models
from corpuscope.tools.llm.completion import open_session
from corpuscope.tools.llm.endpoint import EndpointDown, EndpointOptions, InvalidAnswer

SECRET = "sk-secret-0123456789"


class Colour(Frozen):
    """An answer small enough to write out."""

    name: str
    red: int


BLUE = '{"name": "blue", "red": 3}'


def ask(endpoint: EndpointOptions) -> Colour:
    with open_session(endpoint, "tiny", Budget(Limits())) as session:
        return session.complete("You name colours.", "Which one?", Colour)


def failure(behaviour: Behaviour, api_key: str = SECRET) -> Unavailable:
    with endpoint_server(behaviour) as server, pytest.raises(Unavailable) as caught:
        ask(server.options(api_key=api_key))
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert "127.0.0.1:" in str(caught.value)
    return caught.value


def test_an_answer_is_asked_for_by_strict_schema_which_the_prompt_shows_too() -> None:
    with endpoint_server(says(BLUE)) as server:
        assert ask(server.options()) == Colour(name="blue", red=3)
    body = server.requests[0].body
    schema = Colour.model_json_schema()
    wanted = {"name": "Colour", "schema": schema, "strict": True}
    assert body["response_format"] == {"type": "json_schema", "json_schema": wanted}
    assert schema["additionalProperties"] is False
    system, user = body["messages"]
    assert system["content"].startswith("You name colours.")
    assert json.dumps(schema) in system["content"]
    assert user == {"role": "user", "content": "Which one?"}
    assert body["model"] == "tiny"


@pytest.mark.parametrize("status", [400, 404, 422])
@pytest.mark.parametrize(
    ("refused", "taken"),
    [(["json_schema"], "json_object"), (["json_schema", "json_object"], "none")],
)
def test_an_endpoint_that_refuses_a_format_is_asked_in_a_simpler_one(
    status: int, refused: list[str], taken: str
) -> None:
    def behaviour(request: Request) -> Reply | None:
        if request.format in refused:
            return fails(status, f"'response_format.type' {request.format} is unknown")(request)
        return chat(BLUE if request.number > len(refused) else "not yet")

    with endpoint_server(behaviour) as server:
        assert ask(server.options()).name == "blue"
    # The repair begins with the format that was taken, not from the top.
    assert [request.format for request in server.requests] == [*refused, taken, taken]


def test_a_bad_request_about_something_else_is_no_reason_to_try_other_formats() -> None:
    with (
        endpoint_server(fails(400, "the context is too long")) as server,
        pytest.raises(Unavailable, match=r"did not accept the request \(400: the context is"),
    ):
        ask(server.options())
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "written",
    [
        f"```json\n{BLUE}\n```",
        f"Sure! Here it is:\n\n{BLUE}\n\nAsk me {{anything}} else.",
        f'<think>Maybe {{"name": "red", "red": 255}}? No.</think>\n{BLUE}',
        f'Perhaps {{"name": "a very long name that is no answer", "red": 1}}…</think>{BLUE}',
        f'{{"thought": 1}} {BLUE}',
        f"{{{{{{ {BLUE}",
    ],
)
def test_json_is_found_in_fences_in_prose_and_after_thinking(written: str) -> None:
    with endpoint_server(says(written)) as server:
        assert ask(server.options()) == Colour(name="blue", red=3)
    assert len(server.requests) == 1


def test_a_closing_think_within_the_answer_does_no_harm() -> None:
    with endpoint_server(says('```{"name": "</think> blue", "red": 3}```')) as server:
        assert ask(server.options()).name == "</think> blue"


@pytest.mark.parametrize(
    ("first", "named"),
    [
        ('{"name": "blue", "red": "much"}', "red: Input should be a valid integer"),
        ('{"name": "blue", "red": 3, "alpha": 1}', "alpha: Extra inputs are not permitted"),
        ('{"name": "blue", "re', "there is no complete JSON object in the answer"),
        ("I would rather not.", "there is no complete JSON object in the answer"),
        ('{"name": "\\ud800", "red": 3}', "Invalid JSON: unexpected end of hex escape"),
        ('{"a":' * 20_000, "there is no complete JSON object in the answer"),
    ],
)
def test_an_answer_that_does_not_fit_is_sent_back_once_with_the_reason(
    first: str, named: str
) -> None:
    with endpoint_server(in_turn(says(first), says(BLUE))) as server:
        assert ask(server.options()).name == "blue"
    *_, said, repair = server.requests[1].body["messages"]
    assert said["role"] == "assistant"
    assert first.startswith(said["content"])
    assert named in repair["content"]


def test_an_answer_that_fits_neither_time_is_refused_with_the_reason() -> None:
    with (
        endpoint_server(says('{"name": 1}')) as server,
        pytest.raises(InvalidAnswer, match=r"twice: name: .*string; red: Field required"),
    ):
        ask(server.options())
    assert len(server.requests) == 2


def test_a_rate_limit_is_waited_out_for_as_long_as_the_endpoint_says(clock: Clock) -> None:
    limited = fails(429, "slow down", Retry_After="0.1")
    with endpoint_server(in_turn(limited, says(BLUE))) as server:
        assert ask(server.options(retries=1)).name == "blue"
    assert len(server.requests) == 2
    # The second one was held back for what is left of the pause, which by this clock is all of it.
    assert clock.slept == [0.1]


@pytest.mark.parametrize("broken", [fails(500), fails(503), hangs_up, breaks_off])
def test_server_errors_and_broken_connections_are_tried_again(broken: Behaviour) -> None:
    with endpoint_server(in_turn(broken, says(BLUE))) as server:
        assert ask(server.options(retries=1)).name == "blue"
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("behaviour", "kind", "message"),
    [
        (fails(401, f"bad key {SECRET}"), EndpointDown, r"refused the API key \(401\). Set COR"),
        (fails(403, f"{SECRET} may not"), EndpointDown, r"not allow this \(403: \*\*\* may not"),
        (fails(404, "no such"), EndpointDown, "know the model 'tiny'.*Set CORPUSCOPE_LLM_MODEL"),
        (fails(429, "slow"), Unavailable, "rate limit or quota .tries: 1; 429: slow.*later"),
        (fails(429, "slow", Retry_After="0.2"), Unavailable, "rate limit.*Try again in 0.2 s"),
        (fails(429, "slow", Retry_After="600"), EndpointDown, "rate limit.*to wait 600 s: .*120 s"),
        (fails(503, "full", Retry_After="600"), EndpointDown, "failed .503: full., and asks to"),
        (fails(500, "out of memory"), Unavailable, r"failed \(tries: 1; 500: out of memory\)"),
        (fails(400, f"<{SECRET}>"), Unavailable, r"did not accept the request \(400: <\*\*\*>\)"),
        (fails(307, location="http://127.0.0.1:1/"), EndpointDown, "redirects elsewhere .307."),
        (breaks_off, Unavailable, "broke the connection"),
        (hangs_up, Unavailable, "broke the connection"),
        (without_choices, Unavailable, "answered with no choices"),
        (says(""), Unavailable, "answered with nothing .finish_reason stop."),
        (says(None), Unavailable, "answered with nothing"),
        (says(None, refusal="I cannot help"), Unavailable, "refused to answer: I cannot help"),
        (lambda _: Reply(f"<html>{SECRET}"), Unavailable, r"no chat completion: '<html>\*.*/v1"),
        (lambda _: Reply({"error": "busy"}), Unavailable, "no chat completion: .*busy"),
        (lambda _: Reply('{"choices": ['), Unavailable, "no chat completion"),
        (lambda _: Reply([]), Unavailable, "no chat completion"),
    ],
)
def test_a_failure_says_where_what_and_what_next(
    behaviour: Behaviour, kind: type[Unavailable], message: str
) -> None:
    caught = failure(behaviour)
    assert type(caught) is kind
    with pytest.raises(kind, match=message):
        raise caught


def test_an_endpoint_that_wants_a_key_where_none_was_given_says_so() -> None:
    assert "wants an API key (401). Set CORPUSCOPE_LLM_API_KEY" in str(failure(fails(401), ""))


def test_an_endpoint_that_is_not_running_is_named_with_the_setting_that_leads_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(EndpointDown, match=f"Cannot connect to {host}.*Is it running.*BASE_URL"):
        ask(EndpointOptions(f"http://{host}/v1", "", retries=0))


def test_an_endpoint_that_is_too_slow_is_given_up_with_the_time_it_had() -> None:
    with (
        endpoint_server(stalls) as server,
        pytest.raises(Unavailable, match=r"did not answer within 0.1 s \(tries: 1\).*TIMEOUT"),
    ):
        ask(server.options(timeout=0.1))


def test_an_endpoints_words_are_shortened_and_cleaned() -> None:
    caught = str(failure(fails(500, "\x1b[31m\u202egone " * 1000)))
    assert "\x1b" not in caught
    assert "\u202e" not in caught
    assert len(caught) < 400


@pytest.mark.parametrize(
    ("base_url", "api_key", "message"),
    [
        (None, "", "OpenAI wants an API key. Set CORPUSCOPE_LLM_API_KEY"),
        ("localhost:11434/v1", "", "not an http:// or https:// URL"),
        ("ftp://host/v1", "", "not an http:// or https:// URL"),
        ("http://[1/v1", "", "not an http:// or https:// URL"),
        ("http://host:port/v1", "", "not an http:// or https:// URL"),
        (f"http://user:{SECRET}@host/v1", "", "holds a user or a password"),
        ("http://127.0.0.1:1/v1", f"{SECRET}\n", "which no key has"),
        ("http://127.0.0.1:1/v1", f"{SECRET}…", "which no key has"),
    ],
)
def test_options_that_cannot_work_are_refused_before_anything_is_sent(
    base_url: str | None, api_key: str, message: str
) -> None:
    options = EndpointOptions(base_url, api_key)
    with pytest.raises(Unavailable, match=message) as caught:
        ask(options)
    assert SECRET not in f"{caught.value}{options!r}{options.host}"


def test_certificates_are_verified_wherever_there_are_any() -> None:
    for url in ("https://host/v1", "HTTPS://host/v1", "https://http://"):
        assert not EndpointOptions(url, "").is_plain_http
    assert not EndpointOptions(None, "").is_plain_http
    assert EndpointOptions("http://127.0.0.1:1/v1", "").is_plain_http


@pytest.mark.parametrize(
    ("base_url", "local"),
    [
        ("http://localhost:11434/v1", True),
        ("http://127.0.0.1/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://localhost.evil.example/v1", False),
        ("http://10.0.0.7/v1", False),
        ("http://[1/v1", False),
        (None, False),
    ],
)
def test_an_endpoint_on_this_machine_is_known_as_such(base_url: str | None, local: bool) -> None:
    assert EndpointOptions(base_url, "").is_local is local


def test_the_key_goes_with_the_request_and_nothing_from_the_environment_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("API_KEY", "ADMIN_KEY", "ORG_ID", "PROJECT_ID", "WEBHOOK_SECRET"):
        monkeypatch.setenv(f"OPENAI_{name}", "from-the-environment")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://from-the-environment.invalid/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: from-the-environment\nX-A: b")
    monkeypatch.setenv("HTTP_PROXY", "http://from-the-environment.invalid")
    with endpoint_server(says(BLUE)) as server:
        ask(server.options(api_key=SECRET))
        ask(server.options())
    with_key, without = server.requests
    assert with_key.headers["authorization"] == f"Bearer {SECRET}"
    assert without.headers["authorization"] == "Bearer no-key"
    for request in server.requests:
        assert "from-the-environment" not in f"{request.headers}{request.body}"
        assert not {"x-a", "openai-organization", "openai-project"} & request.headers.keys()


def test_the_models_on_offer_are_listed() -> None:
    with endpoint_server(describes) as server:
        assert list_models(server.options()) == ["small", "tiny"]


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        (lambda _: Reply("<html>"), "no list of models: '<html>'. Check CORPUSCOPE_LLM_BASE_URL"),
        (fails(401), "wants an API key"),
    ],
)
def test_an_endpoint_that_lists_no_models_says_why(behaviour: Behaviour, message: str) -> None:
    with endpoint_server(behaviour) as server, pytest.raises(Unavailable, match=message):
        list_models(server.options())
