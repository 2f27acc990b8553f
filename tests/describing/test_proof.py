"""Whether a description tells its texts from others, and the word for it."""

from dataclasses import replace

import numpy as np
import pytest

from corpuscope.tools.core.schema import Floats, Proof
from corpuscope.tools.describing.proof import (
    FAIR,
    FEWEST,
    MISSED_SHOWN,
    PROOF_MEANING,
    STRONG,
    TAKEN_SHOWN,
    Trial,
    format_proof,
    is_weak,
    mistakes,
    neglected_part,
    proof_word,
    prove,
)

INSIDE: Floats = np.array([1, 0, 0], np.float32)
OUTSIDE: Floats = np.array([0, 1, 0], np.float32)


def vectors(*cosines: float) -> Floats:
    """Unit vectors with these cosines to `INSIDE`; what they lack of it they have of `OUTSIDE`."""
    near = np.array(cosines)
    return np.stack([near, np.sqrt(1 - near**2), 0 * near], axis=1).astype(np.float32)


def trial(inside: Floats, outside: Floats, centroid: Floats = INSIDE) -> Trial:
    return Trial(
        inside,
        outside,
        centroid,
        [f"in {number}" for number in range(len(inside))],
        [f"out {number}" for number in range(len(outside))],
    )


def proof(auc: float, best: float = 0.95, by: str = "onnx:small") -> Proof:
    return Proof(auc=auc, best=best, by=by, inside=30, outside=30)


GOOD = trial(vectors(0.9, 0.8, 0.7, 0.6, 0.5), vectors(0.4, 0.3, 0.2, 0.1, 0.0, 0.05))
MIXED = trial(vectors(0.9, 0.8, 0.7, 0.6, 0.1), vectors(0.65, 0.2, 0.15, 0.05, 0.0))


def test_words_that_are_nearer_to_every_text_inside_have_a_full_score() -> None:
    assert prove(INSIDE, GOOD, "onnx:small") == Proof(
        auc=1.0, best=1.0, by="onnx:small", inside=5, outside=6
    )


def test_words_about_the_others_have_none_and_the_cluster_itself_still_its_own() -> None:
    found = prove(OUTSIDE, GOOD, "onnx:small")
    assert found is not None
    assert (found.auc, found.best) == (0.0, 1.0)


def test_the_score_is_the_share_of_pairs_in_which_the_one_inside_is_nearer() -> None:
    # 0.9, 0.8 and 0.7 come before all five, 0.6 before four, 0.1 before two.
    found = prove(INSIDE, MIXED, "lexical")
    assert found is not None
    assert found.auc == round((5 + 5 + 5 + 4 + 2) / 25, 2)


def test_words_that_say_nothing_are_as_good_as_chance() -> None:
    found = prove(np.zeros(3, np.float32), GOOD, "lexical")
    assert found is not None
    assert found.auc == 0.5


def test_the_best_is_the_score_of_the_cluster_s_own_mean() -> None:
    blurred = trial(GOOD.inside, GOOD.outside, centroid=np.array([0, 0, 1], np.float32))
    found = prove(INSIDE, blurred, "lexical")
    assert found is not None
    assert (found.auc, found.best) == (1.0, 0.5)


@pytest.mark.parametrize(("inside", "outside"), [(0, 0), (0, 9), (FEWEST - 1, 9), (9, FEWEST - 1)])
def test_too_few_texts_on_a_side_prove_nothing(inside: int, outside: int) -> None:
    few = trial(vectors(*[0.9] * inside), vectors(*[0.1] * outside))
    assert prove(INSIDE, few, "lexical") is None


def test_as_many_texts_as_are_needed_are_enough() -> None:
    enough = trial(vectors(*[0.9] * FEWEST), vectors(*[0.1] * FEWEST))
    assert prove(INSIDE, enough, "lexical") is not None


def test_the_halves_of_a_trial_share_no_text_and_together_are_all_of_it() -> None:
    whole = trial(vectors(*np.linspace(0.5, 1, 31)), vectors(*np.linspace(0, 0.4, 20)))
    mending, scoring = whole.halves()
    assert mending is not None
    for side in ("inside", "outside"):
        texts = [getattr(half, f"{side}_texts") for half in (mending, scoring)]
        assert sorted([*texts[0], *texts[1]]) == sorted(getattr(whole, f"{side}_texts"))
        assert not set(texts[0]) & set(texts[1])
        for half in (mending, scoring):
            # Each text has still its own vector.
            rows = [int(text.split()[1]) for text in getattr(half, f"{side}_texts")]
            np.testing.assert_array_equal(getattr(half, side), getattr(whole, side)[rows])
        assert abs(len(texts[0]) - len(texts[1])) <= 1
    assert prove(INSIDE, mending, "lexical") and prove(INSIDE, scoring, "lexical")


@pytest.mark.parametrize(("inside", "outside"), [(4 * FEWEST - 1, 60), (60, 4 * FEWEST - 1)])
def test_of_few_texts_all_are_kept_to_score_by(inside: int, outside: int) -> None:
    few = trial(vectors(*[0.9] * inside), vectors(*[0.1] * outside))
    mending, scoring = few.halves()
    assert mending is None
    assert scoring is few


def test_of_the_texts_missed_the_most_typical_come_first_of_those_taken_in_the_gravest() -> None:
    inside = vectors(0.9, 0.02, 0.8, 0.05, 0.7)
    outside = vectors(0.1, 0.75, 0.15, 0.95, 0.2)
    found = mistakes(INSIDE, replace(trial(inside, outside), records=["a", "b", "c", "d", "e"]))
    assert (found.missed, found.records) == (["in 3", "in 1"], ["d", "b"])
    assert found.taken == ["out 3", "out 1"]


def test_no_more_mistakes_are_named_than_a_writer_can_use() -> None:
    many = trial(vectors(*[0.1] * 20), vectors(*[0.9] * 20))
    found = mistakes(INSIDE, many)
    assert (len(found.missed), len(found.taken)) == (MISSED_SHOWN, TAKEN_SHOWN) == (6, 3)


def test_words_that_tell_all_texts_apart_make_no_mistakes() -> None:
    found = mistakes(INSIDE, GOOD)
    assert (found.missed, found.taken) == ([], [])


@pytest.mark.parametrize(("inside", "outside"), [(0, 3), (3, 0), (0, 0)])
def test_with_nothing_on_a_side_there_are_no_mistakes(inside: int, outside: int) -> None:
    empty = trial(vectors(*[0.1] * inside), vectors(*[0.9] * outside))
    found = mistakes(INSIDE, empty)
    assert (found.missed, found.taken) == ([], [])


@pytest.mark.parametrize(
    ("auc", "best", "word"),
    [
        (STRONG, 0.95, "strong"),
        (STRONG - 0.01, 0.95, "fair"),
        (FAIR, 0.95, "fair"),
        (FAIR - 0.01, 0.95, "weak"),
        (0.70, 0.75, "blurred"),
        (0.70, 0.76, "weak"),
        (0.70, 0.60, "blurred"),
        (0.0, 1.0, "weak"),
    ],
)
def test_the_score_has_a_word(auc: float, best: float, word: str) -> None:
    assert proof_word(proof(auc, best)) == word
    assert is_weak(proof(auc, best)) == (word == "weak")


def test_what_was_not_tried_is_not_weak() -> None:
    assert not is_weak(None)
    assert proof_word(None) == "not tried"
    assert format_proof(None) == "proof: not tried"


def test_the_line_says_the_score_its_word_and_what_compared_only_words() -> None:
    assert format_proof(proof(0.94)) == "proof 0.94 strong"
    assert format_proof(proof(0.62, by="lexical")) == "proof 0.62 weak, by shared words only"


def test_the_line_says_what_the_model_sorted() -> None:
    found = replace(proof(0.8), precision=0.9, recall=0.75, sorted_by="small")
    assert format_proof(found) == ("proof 0.80 fair, sorted with precision 0.90 and recall 0.75")


def test_the_score_is_kept_as_it_is_shown_so_that_its_word_fits() -> None:
    # 278 of 310 pairs: 0.8968 reads as 0.90 and is called so.
    outside = vectors(*[0.1] * 278, *[0.9] * 32)
    found = prove(INSIDE, trial(vectors(*[0.5] * FEWEST), outside), "onnx:small")
    assert found is not None
    assert found.auc == 0.9
    assert format_proof(found) == "proof 0.90 strong"


def test_the_meaning_names_every_word_and_its_threshold() -> None:
    for word in ("strong from 0.9", "fair from 0.75", "weak", "blurred"):
        assert word in PROOF_MEANING


def test_the_part_that_the_words_pass_over_is_named() -> None:
    covered, missed = [0.9] * 6, [0.1] * 6
    found = trial(vectors(*covered, *missed), vectors(*[0.4] * 12))
    parted = replace(found, parts=["2.1"] * 6 + ["2.2"] * 6)
    assert neglected_part(INSIDE, parted) == "2.2"
    assert neglected_part(OUTSIDE, parted) == "2.1"
    assert neglected_part(INSIDE, found) is None, "without parts there is none to pass over"
    few = replace(found, parts=["2.1"] * 8 + ["2.2"] * 4)
    assert neglected_part(INSIDE, few) is None, "four texts cannot tell"


def test_what_is_passed_over_is_said() -> None:
    told = format_proof(replace(proof(0.9), passed_over="2.2"))
    assert told == "proof 0.90 strong, says little of its part 2.2"
