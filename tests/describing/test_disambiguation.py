"""Clusters whose titles came out alike are told apart together."""

import json
import re
from dataclasses import replace

import pytest
from support.endpoint_server import (
    Behaviour,
    EndpointServer,
    Reply,
    Request,
    chat,
    endpoint_server,
    fails,
)
from support.made_tasks import describer_at, made_task

from corpuscope.tools.core.schema import Author, Description
from corpuscope.tools.describing.describe import describe_with_keywords
from corpuscope.tools.describing.disambiguation import KnownTitles, tell_apart
from corpuscope.tools.describing.evidence import Evidence
from corpuscope.tools.describing.gathering import DescriptionTask
from corpuscope.tools.llm.budget import Limits

BESIDE = ("1", "2", "3", "4", "5", "6")
WORDS = {
    "1": ["refund", "shoes"],
    "2": ["refund", "hotel"],
    "3": ["refund", "train ticket"],
    "4": ["refund", "concert"],
    "5": ["refund", "insurance"],
    "6": ["refund", "phone"],
}


def tasks(*ids: str) -> list[DescriptionTask]:
    return [made_task(cluster, words=WORDS[cluster], beside=BESIDE) for cluster in ids]


def known(title: str, *ids: str, author: Author = "llm") -> dict[str, Description]:
    return {
        task.evidence.cluster: replace(
            describe_with_keywords(task.evidence), title=title, author=author
        )
        for task in tasks(*ids)
    }


def titles_by(name: str, *only: str) -> Behaviour:
    """A model that answers this for each cluster (or only these), `#` for its last keyword."""

    def behaviour(request: Request) -> Reply | None:
        ids = only or re.findall(r"^Cluster (\S+) of", request.prompt, re.MULTILINE)
        titles = [
            {"cluster": cluster, "title": name.replace("#", WORDS[cluster][-1])} for cluster in ids
        ]
        return chat(json.dumps({"reasoning": "", "titles": titles}))

    return behaviour


def told_apart(
    server: EndpointServer, new: list[DescriptionTask], found: dict[str, Description]
) -> dict[str, str]:
    """The titles that were changed."""
    descriptions = changed(server, new, found, {})
    return {cluster: words.title for cluster, words in descriptions.items()}


def changed(
    server: EndpointServer,
    new: list[DescriptionTask],
    found: dict[str, Description],
    older: dict[str, Evidence],
    limits: Limits | None = None,
) -> dict[str, Description]:
    """The descriptions that were changed; `older` is the evidence of clusters that are not new."""
    kept: dict[str, Description] = {}

    def keep(description: Description) -> None:
        kept[description.cluster] = description

    with describer_at(server, limits or Limits()) as describer:
        tell_apart(describer, new, KnownTitles(found, older.get, keep))
    return kept


def test_distinct_titles_cost_nothing() -> None:
    found = known("Shoes sent back", "1") | known("Hotel nights", "2")
    with endpoint_server(titles_by("Refund of #")) as server:
        assert told_apart(server, tasks("1", "2"), found) == {}
    assert server.requests == []


def test_equal_titles_are_told_apart_in_one_call_with_the_evidence_of_all() -> None:
    with endpoint_server(titles_by("Refund of #")) as server:
        told = told_apart(server, tasks("1", "2", "3"), known("Refunds", "1", "2", "3"))
    assert told == {
        "1": "Refund of shoes",
        "2": "Refund of hotel",
        "3": "Refund of train ticket",
    }
    assert len(server.requests) == 1
    assert server.requests[0].prompt.count("Its title now: Refunds") == 3


def test_nearly_equal_titles_count_as_equal() -> None:
    found = known("Refund of the money", "1") | known("Money refunds", "2")
    with endpoint_server(titles_by("Refund of #")) as server:
        assert set(told_apart(server, tasks("1", "2"), found)) == {"1", "2"}


def test_many_alike_are_asked_for_a_few_at_a_time() -> None:
    with endpoint_server(titles_by("Refund of #")) as server:
        told = told_apart(server, tasks(*BESIDE), known("Refunds", *BESIDE))
    assert len(set(told.values())) == 6
    assert [r.prompt.count("Its title now:") for r in server.requests] == [4, 2]


def test_what_others_are_called_already_stays_and_is_shown_with_its_evidence() -> None:
    found = known("Refunds", "1") | known("Refunds", "2", author="person")
    older = {"2": tasks("2")[0].evidence}
    with endpoint_server(titles_by("Refund of #", "1")) as server:
        assert [*changed(server, tasks("1"), found, older)] == ["1"]
    prompt = server.requests[0].prompt
    assert "or to one that stays: 1. Give" in prompt
    assert "Its title now: Refunds\n\nCluster 2 of" in prompt
    assert "Its title, which stays: Refunds" in prompt


@pytest.mark.parametrize("limits", [Limits(max_calls=0), Limits(max_tokens=10)])
def test_without_room_for_the_call_titles_stay_and_are_marked(limits: Limits) -> None:
    found = known("Refunds", "1", "2")
    with endpoint_server(titles_by("Refund of #")) as server:
        left = changed(server, tasks("1", "2"), found, {}, limits)
        assert {(one.title, one.alike) for one in left.values()} == {("Refunds", True)}
        assert server.requests == []
        later = changed(server, tasks("1", "2"), left, {})
    assert {(one.title, one.alike) for one in later.values()} == {
        ("Refund of shoes", False),
        ("Refund of hotel", False),
    }


def test_titles_that_a_person_gave_meanwhile_stay() -> None:
    found = known("Refunds", "1") | known("Refunds", "2", author="person")
    with endpoint_server(titles_by("Refunds")) as server:
        assert {*changed(server, tasks("1", "2"), found, {})} == {"1"}


def test_an_endpoint_that_is_down_is_asked_no_more() -> None:
    with endpoint_server(fails(401)) as server:
        left = changed(server, tasks(*BESIDE), known("Refunds", *BESIDE), {})
        assert len(server.requests) == 1
    assert all(one.alike for one in left.values())


@pytest.mark.parametrize("behaviour", [titles_by("Refunds"), fails(500), fails(400)])
def test_where_the_model_cannot_the_keyphrase_is_appended(behaviour: Behaviour) -> None:
    with endpoint_server(behaviour) as server:
        told = told_apart(server, tasks("1", "2"), known("Refunds", "1", "2"))
        assert len(server.requests) == 2
    assert told == {"1": "Refunds (shoes)", "2": "Refunds (hotel)"}


def test_titles_of_keywords_are_told_apart_without_the_model() -> None:
    with endpoint_server(titles_by("Refund of #")) as server:
        found = known("Refunds", "1", "2", author="keywords")
        told = told_apart(server, tasks("1", "2"), found)
    assert told == {"1": "Refunds (shoes)", "2": "Refunds (hotel)"}
    assert server.requests == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ([{"cluster": "1", "title": "A"}], "expected one each for ['1', '2']"),
        ([{"cluster": "1", "title": "A"}, {"cluster": "9", "title": "B"}], "expected one each"),
        (
            [
                {"cluster": "2", "title": "B"},
                {"cluster": "1", "title": "Refunds delayed by the bank"},
            ],
            "1: the title is taken from the instructions",
        ),
        (
            [{"cluster": "1", "title": "Lost and stolen cards"}, {"cluster": "2", "title": "B"}],
            "1: the title is that of cluster 3.2",
        ),
    ],
)
def test_an_unfit_answer_is_sent_back_with_the_reason(
    answer: list[dict[str, str]], reason: str
) -> None:
    good = titles_by("Refund of #")

    def behaviour(request: Request) -> Reply | None:
        if len(request.body["messages"]) > 2:
            assert reason in request.body["messages"][-1]["content"]
            return good(request)
        return chat(json.dumps({"reasoning": "", "titles": answer}))

    with endpoint_server(behaviour) as server:
        told = told_apart(server, tasks("1", "2"), known("Refunds", "1", "2"))
    assert told == {"1": "Refund of shoes", "2": "Refund of hotel"}
