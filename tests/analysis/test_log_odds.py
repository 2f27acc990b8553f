"""Words that tell two sides apart, held against the formula written out word by word."""

import math

import numpy as np
import pytest

from corpuscope.tools.analysis.log_odds import PRIOR_SHARE, contrast_words, log_odds
from corpuscope.tools.core.redaction import as_it_is

A = np.array([40, 3, 0, 100])
B = np.array([10, 6, 9, 120])


def test_z_is_that_of_the_formula() -> None:
    strength = PRIOR_SHARE * min(A.sum(), B.sum())
    prior = [strength * (a + b) / (A.sum() + B.sum()) for a, b in zip(A, B, strict=True)]
    for at, z in enumerate(log_odds(A, B)):
        a, b, alpha = A[at], B[at], prior[at]
        odds_a = (a + alpha) / (A.sum() + strength - a - alpha)
        odds_b = (b + alpha) / (B.sum() + strength - b - alpha)
        spread = math.sqrt(1 / (a + alpha) + 1 / (b + alpha))
        assert z == pytest.approx(math.log(odds_a / odds_b) / spread)


def test_each_side_has_its_words_with_how_many_texts_hold_them() -> None:
    a = [f"the refund for order {n} never came" for n in range(30)]
    b = [f"the seat by window {n} was broken" for n in range(30)]
    found = contrast_words((a, b), count=3, left_out={"order"}, redact=as_it_is)
    assert "refund" in {word for term in found.a for word in term.word.split()}
    assert "order" not in {word for term in found.a for word in term.word.split()}
    assert all((term.texts_a, term.texts_b) == (30, 0) for term in found.a)
    assert all((term.texts_a, term.texts_b) == (0, 30) for term in found.b)
    assert found.held_a.shape == (30, len(found.a))
    assert found.held_a.all()


@pytest.mark.parametrize("texts", [(["the"], ["of"]), (["word"], [""]), ([], ["one two"])])
def test_texts_without_words_tell_nothing(texts: tuple[list[str], list[str]]) -> None:
    found = contrast_words(texts, count=3, left_out=(), redact=as_it_is)
    assert (found.a, found.b) == ([], [])
    assert (len(found.held_a), len(found.held_b)) == tuple(map(len, texts))
