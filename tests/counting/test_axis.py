"""Which values an answer shows."""

import numpy as np

from corpuscope.tools.counting.axis import cut_axis
from corpuscope.tools.counting.dimensions import Dimension, Kind


def test_the_largest_values_are_shown_then_what_is_missing_then_all_others_as_one() -> None:
    many = 50_000
    kinds: list[Kind] = ["value"] * many
    kinds.append("missing")
    keys = [*(str(at) for at in range(many)), ""]
    dimension = Dimension(
        "city",
        np.arange(many + 1, dtype=np.int32),
        keys,
        kinds,
        lambda places: [keys[at] for at in places],
    )
    codes = np.concatenate([dimension.codes, [7, 7, 9]]).astype(np.int32)
    axis = cut_axis(dimension, codes, 2)
    assert [(slot.label, slot.size) for slot in axis.slots] == [
        ("7", 3),
        ("9", 2),
        ("", 1),
        ("other (49,998 values)", 49_998),
    ]
    assert np.bincount(axis.codes).tolist() == [3, 2, 1, 49_998]
    by_value = cut_axis(dimension, codes, 2, np.arange(many + 1, dtype=np.float64))
    assert [slot.label for slot in by_value.slots][:2] == ["0", "1"]


def test_of_a_date_far_off_that_is_not_counted_the_years_until_then_are_not_shown() -> None:
    days = [f"day {at}" for at in range(3_000)]
    kinds: list[Kind] = ["period"] * len(days)
    codes = np.array([0, 2_990, 2_990, 2_991, 2_993], np.int32)
    dimension = Dimension(
        "seen:day", codes, days, kinds, lambda places: [days[at] for at in places], "day"
    )
    axis = cut_axis(dimension, codes[1:], 25)
    assert [(slot.label, slot.size) for slot in axis.slots] == [
        ("day 2990", 2), ("day 2991", 1), ("day 2992", 0), ("day 2993", 1)
    ]  # fmt: skip
