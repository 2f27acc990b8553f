"""Exemplars: central and distinct members."""

import numpy as np

from corpuscope.tools.analysis.exemplars import choose_exemplars, held_keywords
from corpuscope.tools.core.schema import Floats, Ints


def around(count: int, spread: float) -> Floats:
    random = np.random.default_rng(0)
    rows = np.eye(1, 16) + spread * random.normal(size=(count, 16))
    unit: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


def test_the_first_exemplar_is_the_most_central_member() -> None:
    vectors = around(60, 0.2)
    members = np.arange(20, 60, dtype=np.int32)
    found = choose_exemplars(vectors, members, np.ones(60, np.float32))
    mean = vectors[members].mean(axis=0)
    assert found[0] == members[(vectors[members] @ mean).argmax()]
    assert len(found) == len(set(found.tolist())) == 5
    assert found.dtype == np.int32
    assert set(found.tolist()) <= set(members.tolist())


def test_near_duplicates_are_not_shown_together() -> None:
    vectors = around(40, 0.2)
    vectors[:20] = around(20, 1e-4)
    members = np.arange(40, dtype=np.int32)
    found = choose_exemplars(vectors, members, np.ones(40, np.float32), count=3)
    assert (found < 20).sum() == 1


def test_what_is_weakly_in_the_cluster_does_not_show_it() -> None:
    vectors = around(40, 0.1)
    strengths = np.ones(40, np.float32)
    strengths[:30] = 0.01
    found = choose_exemplars(vectors, np.arange(40, dtype=np.int32), strengths)
    assert (found >= 30).all()


def test_few_members_no_strengths_and_zero_vectors_give_what_there_is() -> None:
    vectors = around(10, 0.1)
    none = np.zeros(10, np.float32)
    assert len(choose_exemplars(vectors, np.array([4, 7], np.int32), none)) == 2
    assert len(choose_exemplars(vectors, np.empty(0, np.int32), none)) == 0
    assert len(choose_exemplars(np.zeros_like(vectors), np.arange(10, dtype=np.int32), none)) == 5


def test_the_same_input_gives_the_same_exemplars() -> None:
    vectors, strengths = around(500, 0.3), np.linspace(0, 1, 500, dtype=np.float32)
    members = np.arange(500, dtype=np.int32)
    first = choose_exemplars(vectors, members, strengths)
    assert first.tolist() == choose_exemplars(vectors, members, strengths).tolist()


def test_the_first_exemplar_is_the_most_central_of_those_that_hold_the_keywords() -> None:
    vectors = around(60, 0.2)
    members = np.arange(60, dtype=np.int32)
    central = np.argsort(-(vectors @ vectors.mean(axis=0)), kind="stable")
    joke, shows = int(central[0]), [int(point) for point in central[3:9]]

    def holding(points: Ints) -> Floats:
        return np.array([0.6 if point in shows else 0.2 for point in points], np.float32)

    strengths = np.ones(60, np.float32)
    assert choose_exemplars(vectors, members, strengths)[0] == joke
    found = choose_exemplars(vectors, members, strengths, holding=holding).tolist()
    assert found[0] == shows[0]
    assert set(found) <= set(shows)


def test_where_few_or_none_hold_keywords_the_central_members_follow() -> None:
    vectors = around(40, 0.2)
    members, strengths = np.arange(40, dtype=np.int32), np.ones(40, np.float32)
    alone = choose_exemplars(vectors, members, strengths)
    one = choose_exemplars(
        vectors, members, strengths, holding=lambda points: (points == 7).astype(np.float32)
    )
    assert one[0] == 7 and len(one) == 5
    none = choose_exemplars(
        vectors, members, strengths, holding=lambda points: np.zeros(len(points), np.float32)
    )
    assert none.tolist() == alone.tolist()


def test_a_text_holds_keywords_by_their_place_in_any_inflection_and_script() -> None:
    keywords = ["bag", "lost luggage"]
    held = held_keywords(
        ["My BAGS", "they lost  luggage", "a bagpipe and a luggage", "bag: lost luggage"], keywords
    )
    assert np.allclose(held, [2 / 3, 1 / 3, 0, 1])
    assert held_keywords(["我的信用卡到了", "酒店"], ["信用卡"]).tolist() == [1, 0]
    assert held_keywords(["text"], []).tolist() == [0]
    assert held_keywords([], ["bag"]).tolist() == []
