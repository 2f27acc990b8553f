"""Names of datasets, and what is read off a cluster's path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpuscope.tools.core.errors import BadInput, NotFound
from corpuscope.tools.core.ids import (
    LONG_NAME,
    NAME,
    check_cluster_id,
    check_run_id,
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


@given(st.text() | st.text(st.sampled_from("aZé9_ -.\0\ud800"), min_size=30, max_size=90))
def test_a_name_fits_or_is_refused_and_is_the_same_for_the_same(name: str) -> None:
    try:
        made = dataset_name(name)
    except BadInput:
        assert not name.strip()
        return
    assert NAME.fullmatch(made)
    assert dataset_name(made) == dataset_name(f" {name} ") == made


@given(st.text("abc1 _", min_size=60), st.text(min_size=1))
def test_names_that_are_cut_do_not_fall_together(name: str, more: str) -> None:
    # What is cut or has no letter of ASCII keeps a digest of all of it.
    longer = f"x{name}x{more}x"
    if len(dataset_name(longer)) == len(dataset_name(f"x{name}x")) == LONG_NAME + 9:
        assert dataset_name(longer) != dataset_name(f"x{name}x")


CLUSTERS = st.lists(st.integers(1, 999_999_999), min_size=1, max_size=12).map(
    lambda path: ".".join(map(str, path))
)


@given(CLUSTERS, CLUSTERS)
def test_what_is_read_off_a_path_agrees(cluster: str, other: str) -> None:
    assert check_cluster_id(cluster) == cluster
    line = lineage(cluster)
    assert [parent_of(below) for below in line] == [None, *line[:-1]]
    assert [depth(above) for above in line] == list(range(1, len(line) + 1))
    assert all(is_within(cluster, above) for above in line)
    assert is_within(cluster, other) == (other in line)
    assert (id_sort_key(cluster) == id_sort_key(other)) == (cluster == other)
    assert children_of(parent_of(cluster), [cluster, other, NOISE])[0] in (cluster, other)


@given(st.text(st.sampled_from("1290.noiser\n ٣²-"), max_size=12) | st.text())
def test_any_text_is_an_id_or_there_is_no_such_thing(text: str) -> None:
    for check in (check_cluster_id, check_run_id):
        try:
            assert check(text) == text
        except NotFound as error:
            assert "ids are" in str(error).casefold()
            assert len(str(error)) < 200
            continue
        # What passed is as its parts say again.
        assert id_sort_key(text.removeprefix("r"))
        assert text.isascii() and "\n" not in text


@pytest.mark.parametrize("text", ["9" * 5_000, "1." * 5_000 + "1", "1" * 10, ".".join("1" * 101)])
def test_an_id_that_is_no_length_for_one_is_none(text: str) -> None:
    with pytest.raises(NotFound):
        check_cluster_id(text)
