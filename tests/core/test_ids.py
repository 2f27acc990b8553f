"""Names of datasets, and what is read off a cluster's path."""

import pytest

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.ids import (
    check_dataset_name,
    children_of,
    depth,
    id_sort_key,
    is_within,
    lineage,
    parent_of,
)
from corpuscope.tools.core.schema import NOISE


@pytest.mark.parametrize(
    ("name", "fitting"),
    [("News 2024", "news_2024"), ("2024", "d_2024"), ("../etc", "etc"), ("x" * 60, "x" * 40)],
)
def test_a_name_that_does_not_fit_is_answered_with_one_that_does(name: str, fitting: str) -> None:
    with pytest.raises(BadInput, match=f"For example: '{fitting}'"):
        check_dataset_name(name)
    assert check_dataset_name(fitting) == fitting


def test_paths_are_read_as_people_read_them() -> None:
    assert parent_of("3.1.2") == "3.1"
    assert parent_of("3") is parent_of(NOISE) is None
    assert (depth("3.1.2"), depth("3"), depth(NOISE)) == (3, 1, 0)
    assert lineage("3.1.2") == ["3", "3.1", "3.1.2"]
    assert is_within("3.1", "3") and is_within("3", "3")
    assert not is_within("31", "3") and not is_within("3", "3.1")
    assert sorted(["10", NOISE, "2", "1.10", "1.9", "1"], key=id_sort_key) == [
        "1",
        "1.9",
        "1.10",
        "2",
        "10",
        NOISE,
    ]
    ids = ["1", "1.2", "1.10", "1.2.1", "2", NOISE]
    assert children_of("1", ids) == ["1.2", "1.10"]
    assert children_of(None, ids) == ["1", "2"]
