"""What groups share is taken off vectors, and how far clusters repeat a column is told."""

import numpy as np
import pytest

from corpuscope.tools.clustering.corpus import Corpus, collapse
from corpuscope.tools.clustering.nuisance import (
    find_offsets,
    group_records,
    groups_of,
    repeated_share,
    take_off,
)
from corpuscope.tools.core.schema import Floats, Scalar
from corpuscope.tools.core.vectors import unit_rows

THEMES, SOURCES, EACH = 4, 3, 40


def texts_of_sources(loud: float = 1.5) -> tuple[Corpus, list[str], list[int]]:
    """Texts of four themes from three sources, each of which colours all its texts; the theme and
    the source of each. Sources tell themes in different shares."""
    random = np.random.default_rng(0)
    axes = np.eye(24)
    rows, sources, themes = [], [], []
    for source in range(SOURCES):
        for theme in range(THEMES):
            for _ in range(EACH + 20 * (theme == source)):
                rows.append(axes[theme] + loud * axes[8 + source] + random.normal(0, 0.15, 24))
                sources.append("abc"[source])
                themes.append(theme)
    ids = [f"{number:04d}" for number in range(len(rows))]
    return collapse(ids, ids, unit_rows(np.array(rows))), sources, themes


def neighbours_share(vectors: Floats, labels: list[int] | list[str]) -> float:
    """The share of the ten nearest that have the label of the text itself."""
    near = np.argsort(-(vectors @ vectors.T), axis=1)[:, 1:11]
    values = np.array(labels)
    return float((values[near] == values[:, None]).mean())


def test_neighbours_are_of_the_theme_and_no_longer_of_the_source() -> None:
    corpus, sources, themes = texts_of_sources()
    assert neighbours_share(corpus.vectors, sources) > 0.95
    offsets = find_offsets(corpus, ["source"], [group_records(sources)])
    without = take_off(corpus, offsets, offsets.codes)
    assert neighbours_share(without.vectors, sources) < 0.55
    assert neighbours_share(without.vectors, themes) > 0.95
    assert np.linalg.norm(without.vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


def test_a_large_group_is_set_on_the_mean_and_a_small_one_keeps_what_is_its_own() -> None:
    random = np.random.default_rng(1)
    vectors = unit_rows(random.normal(size=(1_020, 16)))
    vectors[:500] += np.eye(16, dtype=np.float32)[0] * 0.3
    ids = [f"{number:04d}" for number in range(len(vectors))]
    corpus = collapse(ids, ids, unit_rows(vectors))
    groups = group_records(["large"] * 500 + ["other"] * 500 + ["small"] * 20)
    offsets = find_offsets(corpus, ["source"], [groups])
    mean = corpus.vectors.mean(axis=0)

    def kept(start: int, end: int, group: int) -> float:
        own = corpus.vectors[start:end].mean(axis=0) - mean
        return float(np.linalg.norm(offsets.offsets[0][group]) / np.linalg.norm(own))

    assert kept(0, 500, groups.numbers['"large"']) > 0.9
    assert kept(1_000, 1_020, groups.numbers['"small"']) < 0.6


def test_columns_that_go_together_are_not_taken_off_twice() -> None:
    corpus, sources, themes = texts_of_sources()
    countries = ["x" if source == "a" else "y" for source in sources]
    both = find_offsets(
        corpus, ["source", "country"], [group_records(sources), group_records(countries)]
    )
    without = take_off(corpus, both, both.codes)
    means = [
        without.vectors[np.array(sources) == source].mean(axis=0)[8:11].round(1) for source in "abc"
    ]
    assert np.ptp(means, axis=0).max() < 0.15, "no source stands out, to either side"
    assert neighbours_share(without.vectors, themes) > 0.95


def test_rare_values_are_one_group_and_missing_ones_are_a_value() -> None:
    groups = group_records([None] * 12 + ["a"] * 20 + [f"rare {n}" for n in range(7)] + [3] * 10)
    assert groups.numbers == {'"a"': 0, "null": 1, "3": 2}
    assert groups.rest == 3
    assert groups.values == 10
    assert groups.named == pytest.approx(42 / 49)
    assert set(groups.codes[-17:-10]) == {3}


def test_records_that_come_later_join_the_group_of_their_value() -> None:
    corpus, sources, _themes = texts_of_sources()
    named = find_offsets(corpus, ["source"], [group_records(sources)])
    rows: list[dict[str, Scalar]] = [{"source": "b"}, {"source": "new"}, {}]
    assert groups_of(named, rows).tolist() == [[named.values[0]['"b"']], [-1], [-1]]
    rare = find_offsets(corpus, ["source"], [group_records([*sources[:-3], "x", "y", "z"])])
    assert groups_of(rare, [{"source": "new"}]).tolist() == [[rare.rest[0]]]


def test_a_text_in_two_groups_loses_the_mean_of_both_offsets() -> None:
    vectors = unit_rows(np.random.default_rng(2).normal(size=(60, 8)))
    texts = [f"text {number}" for number in range(60)]
    ids = [f"{number:04d}" for number in range(62)]
    corpus = collapse(ids, [*texts, texts[0], texts[0]], np.concatenate((vectors, vectors[[0, 0]])))
    groups = group_records(["a"] * 30 + ["b"] * 32)
    offsets = find_offsets(corpus, ["source"], [groups])
    without = take_off(corpus, offsets, offsets.codes)
    shared = offsets.offsets[0].T @ np.array(
        [1 / 3 if n == groups.codes[0] else 2 / 3 for n in (0, 1)]
    )
    expected = vectors[0] - shared
    expected -= offsets.axes.T @ (offsets.axes @ (expected - offsets.centre))
    assert without.vectors[0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)


def test_what_varies_within_a_group_along_its_offset_goes_too() -> None:
    random = np.random.default_rng(4)
    named = np.repeat([0.3, 1.2], 100)  # long texts hold less of the word than short ones
    rows = random.normal(0, 0.2, (400, 16))
    rows[:200, 0] += named
    rows[200:, 1] += named
    ids = [f"{number:04d}" for number in range(400)]
    corpus = collapse(ids, ids, unit_rows(rows))
    sources = ["a"] * 200 + ["b"] * 200
    offsets = find_offsets(corpus, ["source"], [group_records(sources)])
    without = take_off(corpus, offsets, offsets.codes)
    assert neighbours_share(corpus.vectors, sources) > 0.8
    assert neighbours_share(without.vectors, sources) < 0.62


def test_many_groups_take_no_axis_that_themes_may_need() -> None:
    random = np.random.default_rng(5)
    vectors = unit_rows(random.normal(size=(1_200, 64)))
    ids = [f"{number:04d}" for number in range(1_200)]
    corpus = collapse(ids, ids, vectors)
    groups = group_records([f"author {number % 60}" for number in range(1_200)])
    assert len(find_offsets(corpus, ["author"], [groups]).axes) <= 5


def test_a_text_without_a_direction_gets_none() -> None:
    corpus, sources, _themes = texts_of_sources()
    corpus.vectors[5] = 0.0
    offsets = find_offsets(corpus, ["source"], [group_records(sources)])
    assert not take_off(corpus, offsets, offsets.codes).vectors[5].any()


def test_how_much_of_a_column_themes_tell_is_adjusted_for_chance_and_not_for_their_number() -> None:
    random = np.random.default_rng(3)
    column = random.integers(0, 4, 2_000).astype(np.int32)
    fine = column * 10 + random.integers(0, 10, 2_000).astype(np.int32)
    assert repeated_share(column, column) == pytest.approx(1.0)
    assert repeated_share(fine, column) == pytest.approx(1.0)
    assert repeated_share(random.integers(0, 40, 2_000).astype(np.int32), column) < 0.02
    assert repeated_share(column, np.zeros(2_000, np.int32)) == 0.0
    half = np.where(random.random(2_000) < 0.5, column, random.integers(0, 4, 2_000))
    assert 0.2 < repeated_share(half.astype(np.int32), column) < 0.5
