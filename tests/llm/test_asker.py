"""Asking within limits and never twice the same, with the real client over loopback."""

import json
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.endpoint_server import (
    USAGE,
    Reply,
    Request,
    chat,
    endpoint_server,
    fails,
    in_turn,
    says,
    slow,
    stalls,
    with_usage,
    without_choices,
)

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.core.schema import Frozen
from corpuscope.tools.llm.asker import Asker, Prompt, open_asker
from corpuscope.tools.llm.budget import EXPECTED_ANSWER_TOKENS, Limits, Usage, estimate_tokens
from corpuscope.tools.llm.endpoint import EndpointOptions, InvalidAnswer, LimitReached


class Colour(Frozen):
    """An answer small enough to write out."""

    name: str
    red: int


class Shade(Frozen):
    """The same fields, described otherwise."""

    name: str
    red: int


BLUE = '{"name": "blue", "red": 3}'
GREEN = '{"name": "green", "red": 9}'
PROMPT = Prompt("You name colours.", "Which one?")
NO_LIMITS = Limits()
ONE_CALL = Usage(1, USAGE["prompt_tokens"], USAGE["completion_tokens"])


def nowhere() -> EndpointOptions:
    """An endpoint at which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return EndpointOptions(f"http://127.0.0.1:{free.getsockname()[1]}/v1", "", retries=0)


def is_blue(colour: Colour) -> None:
    if colour.name != "blue":
        raise ValueError(f"{colour.name} is no colour of the sea")


def name_of_number(request: Request) -> Reply:
    """An answer that tells which prompt it belongs to."""
    return chat(json.dumps({"name": request.prompt, "red": 1}))


def test_what_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    with endpoint_server(says(BLUE)) as server:
        options = server.options()
        with open_asker(options, "tiny", NO_LIMITS, tmp_path / "answers") as asker:
            first = asker.ask(PROMPT, Colour)
            assert asker.usage == ONE_CALL
        with open_asker(options, "tiny", NO_LIMITS, tmp_path / "answers") as asker:
            assert asker.ask(PROMPT, Colour) == first
            assert asker.usage == Usage(cached=1)
    assert len(server.requests) == 1
    (kept,) = (tmp_path / "answers").iterdir()
    assert json.loads(kept.read_text(encoding="utf-8")) == json.loads(BLUE)
    assert len(kept.stem) == 64


def test_work_that_is_all_in_the_cache_needs_no_endpoint(tmp_path: Path) -> None:
    with endpoint_server(says(BLUE)) as server:
        with open_asker(server.options(), "tiny", NO_LIMITS, tmp_path) as asker:
            asker.ask(PROMPT, Colour)
        options = server.options()
    with open_asker(options, "tiny", Limits(max_calls=0), tmp_path) as asker:
        assert asker.ask(PROMPT, Colour).name == "blue"
        with pytest.raises(LimitReached):
            asker.ask(Prompt("You name colours.", "Another?"), Colour)


def test_nothing_is_kept_where_no_folder_is_given() -> None:
    with (
        endpoint_server(says(BLUE)) as server,
        open_asker(server.options(), "tiny", NO_LIMITS, None) as asker,
    ):
        asker.ask(PROMPT, Colour)
        asker.ask(PROMPT, Colour)
        assert not asker.known(PROMPT, Colour)
    assert len(server.requests) == 2


def test_another_prompt_model_schema_or_endpoint_is_another_question(tmp_path: Path) -> None:
    with endpoint_server(says(BLUE)) as server, endpoint_server(says(BLUE)) as other:
        with open_asker(server.options(), "tiny", NO_LIMITS, tmp_path) as asker:
            asker.ask(PROMPT, Colour)
            assert asker.known(PROMPT, Colour)
            assert not asker.known(Prompt("You name colours", ".Which one?"), Colour)
            assert not asker.known(Prompt("Which one?", "You name colours."), Colour)
            assert not asker.known(PROMPT, Shade)
        for options, model in ((server.options(), "small"), (other.options(), "tiny")):
            with open_asker(options, model, NO_LIMITS, tmp_path) as asker:
                assert not asker.known(PROMPT, Colour)
        # Neither the key nor how patiently it is asked changes what a model says.
        patient = server.options(api_key="sk-other", retries=9, timeout=1.0)
        with open_asker(patient, "tiny", NO_LIMITS, tmp_path) as asker:
            assert asker.known(PROMPT, Colour)


def test_fresh_asks_anew_and_keeps_the_new_answer(tmp_path: Path) -> None:
    with endpoint_server(in_turn(says(BLUE), says(GREEN))) as server:
        for fresh, name in ((False, "blue"), (False, "blue"), (True, "green"), (False, "green")):
            with open_asker(server.options(), "tiny", NO_LIMITS, tmp_path, fresh=fresh) as asker:
                assert asker.known(PROMPT, Colour) is (not fresh and len(server.requests) > 0)
                assert asker.ask(PROMPT, Colour).name == name
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "broken", [b"", b'{"name": "bl', b'{"name": "blue"}', b"\xff\xfe", b"[]", None]
)
def test_a_file_that_is_not_as_it_was_written_counts_as_not_there(
    tmp_path: Path, broken: bytes | None
) -> None:
    with (
        endpoint_server(says(BLUE)) as server,
        open_asker(server.options(), "tiny", NO_LIMITS, tmp_path) as asker,
    ):
        asker.ask(PROMPT, Colour)
        (kept,) = tmp_path.iterdir()
        kept.unlink()
        if broken is None:
            kept.mkdir()
        else:
            kept.write_bytes(broken)
        assert not asker.known(PROMPT, Colour)
        assert asker.ask(PROMPT, Colour).name == "blue"
        assert asker.usage.calls == 2
        assert asker.known(PROMPT, Colour) is (broken is not None)
    assert [file.name for file in tmp_path.iterdir()] == [kept.name]


def test_a_folder_that_cannot_be_written_costs_a_warning_and_no_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with (
        endpoint_server(says(BLUE)) as server,
        open_asker(server.options(), "tiny", NO_LIMITS, tmp_path / "file" / "cache") as asker,
        caplog.at_level(logging.WARNING),
    ):
        assert asker.ask(PROMPT, Colour).name == "blue"
    assert "an answer was not cached: " in caplog.text


def test_an_answer_against_the_facts_is_sent_back_once_with_the_reason(tmp_path: Path) -> None:
    with (
        endpoint_server(in_turn(says(GREEN), says(BLUE))) as server,
        open_asker(server.options(), "tiny", NO_LIMITS, tmp_path) as asker,
    ):
        assert asker.ask(PROMPT, Colour, is_blue).name == "blue"
        assert asker.usage == ONE_CALL + ONE_CALL
        assert asker.ask(PROMPT, Colour, is_blue).name == "blue"
    *_, said, repair = server.requests[1].body["messages"]
    assert said["content"] == GREEN
    assert "This is not right: green is no colour of the sea." in repair["content"]
    assert len(server.requests) == 2


def test_an_answer_against_the_facts_twice_is_refused_and_not_kept(tmp_path: Path) -> None:
    with (
        endpoint_server(says(GREEN)) as server,
        open_asker(server.options(), "tiny", NO_LIMITS, tmp_path) as asker,
        pytest.raises(InvalidAnswer, match="twice: green is no colour of the sea. Try again"),
    ):
        asker.ask(PROMPT, Colour, is_blue)
    assert len(server.requests) == 2
    assert list(tmp_path.iterdir()) == []


def test_a_kept_answer_that_the_facts_have_left_behind_is_asked_anew(tmp_path: Path) -> None:
    with (
        endpoint_server(in_turn(says(GREEN), says(BLUE))) as server,
        open_asker(server.options(), "tiny", NO_LIMITS, tmp_path) as asker,
    ):
        assert asker.ask(PROMPT, Colour).name == "green"
        assert asker.ask(PROMPT, Colour, is_blue).name == "blue"
        assert asker.ask(PROMPT, Colour).name == "blue"
        assert asker.usage == Usage(2, 200, 40, cached=1)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        "free",
        {"prompt_tokens": 0, "completion_tokens": 0},
        {"prompt_tokens": None, "completion_tokens": 5},
        {"input": 7},
    ],
)
def test_tokens_that_the_endpoint_does_not_count_are_estimated_and_marked(usage: object) -> None:
    with (
        endpoint_server(with_usage(usage, says(BLUE))) as server,
        open_asker(server.options(), "tiny", NO_LIMITS, None) as asker,
    ):
        asker.ask(PROMPT, Colour)
        used = asker.usage
    sent = server.requests[0].body["messages"]
    tokens = sum(estimate_tokens(message["content"]) for message in sent)
    assert used == Usage(1, tokens, estimate_tokens(BLUE), estimated=True)


def test_what_will_be_used_is_known_beforehand_without_asking(tmp_path: Path) -> None:
    with (
        endpoint_server(with_usage(None, says(BLUE))) as server,
        open_asker(server.options(), "tiny", NO_LIMITS, tmp_path) as asker,
    ):
        expected = asker.expected(PROMPT, Colour)
        assert asker.usage == Usage()
        assert server.requests == []
        asker.ask(PROMPT, Colour)
        assert (expected.calls, expected.tokens_in) == (1, asker.usage.tokens_in)
        assert (expected.tokens_out, expected.estimated) == (EXPECTED_ANSWER_TOKENS, True)
        assert asker.expected(PROMPT, Colour) == Usage(cached=1)


def test_an_answer_of_no_use_counts_as_it_was_paid_for() -> None:
    paid = with_usage(USAGE, in_turn(says(None), without_choices, says("", refusal="no")))
    with (
        endpoint_server(paid) as server,
        open_asker(server.options(), "tiny", NO_LIMITS, None) as asker,
    ):
        for _ in range(3):
            with pytest.raises(Unavailable):
                asker.ask(PROMPT, Colour)
        assert asker.usage == ONE_CALL + ONE_CALL + ONE_CALL


def test_requests_that_failed_are_not_counted() -> None:
    with (
        endpoint_server(in_turn(fails(500), fails(401), stalls, says(BLUE))) as server,
        open_asker(server.options(timeout=0.2), "tiny", Limits(max_calls=1), None) as asker,
    ):
        for _ in range(3):
            with pytest.raises(Unavailable):
                asker.ask(PROMPT, Colour)
        assert asker.ask(PROMPT, Colour).name == "blue"
        assert asker.usage == ONE_CALL


def test_a_refused_format_is_paid_once_for_the_whole_work_and_counts_as_no_call() -> None:
    def behaviour(request: Request) -> Reply | None:
        if request.format == "json_schema":
            return fails(400, "unknown response_format")(request)
        return chat(BLUE)

    with (
        endpoint_server(behaviour) as server,
        open_asker(server.options(), "tiny", Limits(max_calls=3), None) as asker,
    ):
        for _ in range(3):
            asker.ask(PROMPT, Colour)
        assert asker.usage.calls == 3
    assert [request.format for request in server.requests] == ["json_schema", *["json_object"] * 3]


def test_a_repair_needs_room_too() -> None:
    with (
        endpoint_server(in_turn(says("no"), says(BLUE))) as server,
        open_asker(server.options(), "tiny", Limits(max_calls=1), None) as asker,
    ):
        with pytest.raises(LimitReached, match=r"max_calls \(1\).*1 calls and 120 tokens"):
            asker.ask(PROMPT, Colour)
        assert asker.usage == ONE_CALL
    assert len(server.requests) == 1


def ask_all(asker: Asker, prompts: int, threads: int) -> list[str | None]:
    """Which of the prompts were answered, asked by several threads."""

    def one(number: int) -> str | None:
        try:
            return asker.ask(Prompt("Say the number.", str(number)), Colour).name
        except LimitReached:
            return None

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(prompts)))


def test_a_limit_stops_many_threads_and_the_next_call_goes_on_with_the_rest(tmp_path: Path) -> None:
    with endpoint_server(slow(0.01, name_of_number)) as server:
        with open_asker(server.options(), "tiny", Limits(max_calls=7), tmp_path) as asker:
            said = ask_all(asker, 20, 4)
            assert asker.usage.calls == 7
        assert sum(name is not None for name in said) == len(server.requests) == 7
        assert 1 < server.busiest <= 4
        assert len(list(tmp_path.iterdir())) == 7
        with open_asker(server.options(), "tiny", Limits(max_calls=13), tmp_path) as asker:
            assert ask_all(asker, 20, 4) == [str(number) for number in range(20)]
            assert (asker.usage.calls, asker.usage.cached) == (13, 7)
    assert len(server.requests) == 20


def test_a_limit_of_tokens_counts_what_the_endpoint_counted() -> None:
    with (
        endpoint_server(with_usage({**USAGE, "completion_tokens": 900}, name_of_number)) as server,
        open_asker(server.options(), "tiny", Limits(max_tokens=2_600), None) as asker,
    ):
        said = ask_all(asker, 6, 1)
        # After two answers 2,000 are used: about 500 more fit, and that request uses 1,000.
        assert said == ["0", "1", "2", None, None, None]
        assert asker.usage.tokens == 3_000


def test_texts_with_half_a_surrogate_pair_are_asked_all_the_same(tmp_path: Path) -> None:
    with (
        endpoint_server(says(BLUE)) as server,
        open_asker(server.options(), "tiny", NO_LIMITS, tmp_path) as asker,
    ):
        prompt = Prompt("You name colours.", "lone \ud800 surrogate")
        assert asker.ask(prompt, Colour) == asker.ask(prompt, Colour)
    assert [request.prompt for request in server.requests] == ["lone ? surrogate"]


def test_an_endpoint_that_is_not_there_is_met_at_the_first_question_only() -> None:
    with open_asker(nowhere(), "tiny", NO_LIMITS, None) as asker:
        assert asker.usage == Usage()
        with pytest.raises(Unavailable, match="Cannot connect"):
            asker.ask(PROMPT, Colour)
    with (
        open_asker(EndpointOptions(None, ""), "tiny", NO_LIMITS, None) as asker,
        pytest.raises(Unavailable, match="OpenAI wants an API key"),
    ):
        asker.ask(PROMPT, Colour)
