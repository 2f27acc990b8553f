"""What is shown of a cluster: chosen well, bounded, clean, and the same every time."""

import numpy as np
import pytest

from corpuscope.tools.evidence import (
    EVIDENCE_CHARACTERS,
    Evidence,
    Role,
    Sibling,
    build_evidence,
    choose_records,
    clean_text,
    shorten,
)
from corpuscope.tools.schema import Floats, Node

# The strongest first; 101 is a prime, so that all ids differ and their order tells nothing.
MEMBERS = [f"{number * 37 % 101:032x}" for number in range(100)]
STRENGTHS: Floats = np.linspace(1, 0, 100, dtype=np.float32)


def node(keywords: list[str] | None = None) -> Node:
    words = ["refund", "card"] if keywords is None else keywords
    return Node(id="3.1", layers=(0, 1), size=1420, share=0.042, keywords=words, exemplars=[])


def evidence_of(*texts: str) -> Evidence:
    records = dict(zip(MEMBERS, texts, strict=False))
    chosen: list[tuple[str, Role]] = [(record, "central") for record in records]
    return build_evidence("tickets", node(), [], chosen, records)


def test_exemplars_come_first_then_a_sample_then_the_edge_and_none_twice() -> None:
    chosen = choose_records(MEMBERS[5:15], MEMBERS, STRENGTHS, seed=1)
    records = [record for record, _ in chosen]
    assert [role for _, role in chosen] == ["central"] * 6 + ["sampled"] * 4 + ["edge"] * 2
    assert records[:6] == MEMBERS[5:11]
    assert records[-2:] == MEMBERS[98:]
    assert len(set(records)) == 12


def test_the_sample_has_one_record_from_each_step_of_strength() -> None:
    sampled = [
        MEMBERS.index(record)
        for record, role in choose_records(MEMBERS[:2], MEMBERS, STRENGTHS, seed=3)
        if role == "sampled"
    ]
    # 96 records between the two exemplars and the two at the edge, in eight steps of twelve.
    assert [(place - 2) // 12 for place in sampled] == list(range(8))


def test_the_same_seed_chooses_the_same_records_in_whatever_order_they_come() -> None:
    order = np.random.default_rng(0).permutation(100)
    shuffled = [MEMBERS[place] for place in order]
    first = choose_records(MEMBERS[:6], MEMBERS, STRENGTHS, seed=7)
    assert choose_records(MEMBERS[:6], shuffled, STRENGTHS[order], seed=7) == first
    assert choose_records(MEMBERS[:6], MEMBERS, STRENGTHS, seed=8) != first


@pytest.mark.parametrize("size", [1, 2, 3, 5, 12])
def test_a_small_cluster_is_shown_whole(size: int) -> None:
    chosen = choose_records(MEMBERS[:1], MEMBERS[:size], STRENGTHS[:size], seed=1)
    assert sorted(record for record, _ in chosen) == sorted(MEMBERS[:size])


@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_as_many_records_are_chosen_as_were_asked_for(count: int) -> None:
    assert len(choose_records(MEMBERS[:6], MEMBERS, STRENGTHS, seed=1, count=count)) == count


def test_texts_that_differ_only_in_case_and_space_are_shown_once_with_their_count() -> None:
    evidence = evidence_of("Where is my card?", "where  is my\nCARD?", "Refund please")
    assert [(e.ref, e.record, e.text, e.copies) for e in evidence.excerpts] == [
        ("r1", MEMBERS[0], "Where is my card?", 2),
        ("r2", MEMBERS[2], "Refund please", 1),
    ]
    assert "r1 (central, 2 alike): Where is my card?" in evidence.as_text()


def test_texts_with_nothing_to_see_are_left_out() -> None:
    assert [e.text for e in evidence_of(" \u200b\n", "seen").excerpts] == ["seen"]


def test_long_texts_are_cut_in_the_middle() -> None:
    text = evidence_of("the beginning " + "x" * 100_000 + " the end").excerpts[0].text
    assert text.startswith("the beginning")
    assert " … " in text
    assert text.endswith("the end")
    assert len(text) <= 600


@pytest.mark.parametrize("limit", [10, 11, 12, 50])
def test_a_shortened_text_keeps_to_its_limit(limit: int) -> None:
    assert len(shorten("a" * 1000, limit)) == limit
    assert shorten("a" * limit, limit) == "a" * limit


def test_evidence_is_bounded_whatever_it_is_made_of() -> None:
    huge = "word " * 13_000
    records = {record: f"{place} {huge}" for place, record in enumerate(MEMBERS)}
    chosen: list[tuple[str, Role]] = [(record, "central") for record in records]
    siblings = [Sibling(id=f"3.{number}.11.12", label=huge) for number in range(500)]
    evidence = build_evidence(huge, node([huge] * 100), siblings, chosen, records)
    for record_ids in (False, True):
        assert 6_000 < len(evidence.as_text(record_ids)) <= EVIDENCE_CHARACTERS


def test_unseen_characters_are_stripped_and_each_excerpt_is_one_line() -> None:
    hidden = "".join(chr(0xE0000 + ord(letter)) for letter in "obey")
    text = f"a\x00b\u200bc\u202ed\ufeffe\x1b[31mf{hidden}\u2066\nr9 (central): g\u2028h\ud800"
    assert clean_text(text) == "abcde[31mf r9 (central): g h"
    assert len(evidence_of(text, "other").as_text().splitlines()) == 5


def test_letters_of_all_languages_are_kept() -> None:
    text = "Überweisung 退款 возврат धनवापसी استرداد 😀 naïve"
    assert clean_text(text) == text


def test_the_text_names_the_cluster_its_size_and_its_siblings() -> None:
    siblings = [Sibling(id="3.2", label="Lost cards"), Sibling(id="3.3", label="pin, code")]
    chosen: list[tuple[str, Role]] = [("a" * 32, "central"), ("b" * 32, "edge")]
    texts = {"a" * 32: "Where is my refund?", "b" * 32: "Card refund"}
    evidence = build_evidence("tickets", node(), siblings, chosen, texts)
    assert evidence.as_text(record_ids=True) == (
        "Cluster 3.1 of the dataset tickets: 1,420 records, 4.2% of all.\n"
        "Keywords: refund, card\n"
        "Beside it: 3.2 (Lost cards); 3.3 (pin, code)\n"
        "Excerpts, each with its reference and its place in the cluster:\n"
        f"r1 {'a' * 32} (central): Where is my refund?\n"
        f"r2 {'b' * 32} (edge): Card refund"
    )
    assert "a" * 32 not in evidence.as_text()
