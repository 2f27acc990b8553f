"""Differences of shares, as they are told."""

import numpy as np

from corpuscope.tools.contrasting.differences import Shares, contrast_shares


def shares(counts_a: list[int], counts_b: list[int], total: int = 100_000) -> Shares:
    ids = [str(at) for at in range(len(counts_a))]
    counts = np.array(counts_a, np.int64), np.array(counts_b, np.int64)
    return Shares(ids, ids, counts[0], total, counts[1], total, most=8, most_of_one=1)


def test_what_is_all_but_absent_on_one_side_is_told_from_the_other() -> None:
    found = contrast_shares(shares([1, 90_000, 0], [90_000, 1, 40_000]))
    lines = [one.line(("a", "b")) for one in [*found.more_in_a, *found.more_in_b]]
    assert lines[0].startswith("1: 90.0% of a (90,000), under 0.1% of b (1): over 100 ")
    assert lines[1].startswith("0: 90.0% of b (90,000), under 0.1% of a (1): over 100 ")
    assert lines[2].startswith("2: 40.0% of b (40,000), 0.0% of a (0): over 100 ")


def test_alike_is_what_is_shown_to_be_and_the_rest_is_neither() -> None:
    found = contrast_shares(shares([20_000, 3, 2], [20_300, 4, 1]))
    assert [one.id for one in found.alike] == ["0"]
    assert (found.more_in_a, found.more_in_b, found.tried) == ([], [], 2)
