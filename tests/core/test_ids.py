"""Names of datasets, and what is read off a cluster's path."""

import pytest

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.ids import (
    children_of,
    dataset_name,
    depth,
    id_sort_key,
    is_within,
    lineage,
    parent_of,
)
from corpuscope.tools.core.schema import NOISE


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("news_2024", "news_2024"),
        ("GoogleNews T", "googlenews_t"),
        (" News (2024)! ", "news_2024"),
        ("2024", "d_2024"),
        ("../etc", "etc"),
        ("Café Größe", "cafe_grosse"),
        ("x" * 60, f"{'x' * 39}_71909d93"),
        ("評判", "d_6cc570cb"),
        ("***", "d_3f709783"),
    ],
)
def test_any_name_becomes_one_that_fits_and_stays_it(name: str, made: str) -> None:
    assert dataset_name(name) == dataset_name(made) == made


def test_long_and_foreign_names_do_not_fall_together() -> None:
    names = ["x" * 60, "x" * 61, "評判", "评论", "评论2"]
    assert len({dataset_name(name) for name in names}) == len(names)


def test_an_empty_name_is_refused() -> None:
    with pytest.raises(BadInput, match="needs a name, for example"):
        dataset_name(" ")


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
