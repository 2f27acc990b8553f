"""Groups of few texts, by vectors that are made."""

import numpy as np
import pytest

from corpuscope.tools.clustering.linkage import group_few_texts
from corpuscope.tools.core.schema import Floats


def made(sizes: list[int], spread: float, *, dim: int = 64, common: float = 0.0) -> Floats:
    """Unit vectors in groups of these sizes; `common` is what all of them share."""
    random = np.random.default_rng(0)
    centres = np.repeat(np.eye(len(sizes), dim), sizes, axis=0)
    rows = centres + spread * random.normal(size=centres.shape) / np.sqrt(dim)
    rows[:, -1] += common
    unit: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return unit


@pytest.mark.parametrize("sizes", [[2, 2], [3, 3], [6, 6], [4, 9, 14], [5, 5, 5, 5, 5]])
@pytest.mark.parametrize("common", [0.0, 3.0])
def test_groups_are_found_at_any_size_and_in_models_that_find_all_alike(
    sizes: list[int], common: float
) -> None:
    choice = group_few_texts(made(sizes, 0.5, common=common))
    labels = choice.layers[0].labels
    assert sorted(np.bincount(labels[labels >= 0])) == sorted(sizes)
    truth = np.repeat(range(len(sizes)), sizes)
    assert len(set(zip(truth.tolist(), labels.tolist(), strict=True))) == len(sizes)
    assert choice.reason.startswith(
        f"{len(sizes)} clusters: {sum(sizes)} distinct texts are too few"
    )
    assert "average linkage" in choice.reason


@pytest.mark.parametrize("count", [1, 2, 3, 4, 8, 29])
def test_texts_that_are_all_alike_or_all_different_are_one_cluster(count: int) -> None:
    for vectors in (made([count], 0.05), made([1] * count, 0.0), made([1] * count, 0.5)):
        choice = group_few_texts(vectors)
        assert choice.layers[0].labels.tolist() == [0] * count
        assert choice.layers[0].strengths.tolist() == [1] * count
    assert "no clear groups" in choice.reason


def test_a_text_like_no_other_is_noise_and_so_are_groups_smaller_than_asked_for() -> None:
    vectors = made([5, 5, 1, 2], 0.4)
    labels = group_few_texts(vectors).layers[0].labels
    assert labels[10] == -1
    assert labels.max() == 2
    choice = group_few_texts(vectors, smallest=3)
    assert choice.layers[0].labels.tolist() == [*[0] * 5, *[1] * 5, -1, -1, -1]
    assert choice.layers[0].strengths.tolist() == [*[1] * 10, 0, 0, 0]
    assert "3 like no other are noise" in choice.reason
    assert group_few_texts(vectors, smallest=6).layers[0].labels.tolist() == [0] * 13


def test_the_same_texts_give_the_same_groups() -> None:
    vectors = made([4, 9, 14], 1.0)
    first, again = (group_few_texts(vectors).layers[0].labels for _ in range(2))
    assert first.tolist() == again.tolist()
