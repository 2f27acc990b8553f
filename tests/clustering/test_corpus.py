"""Distinct texts of records, whole and in part."""

import numpy as np

from corpuscope.tools.clustering.corpus import collapse, sub_corpus
from corpuscope.tools.core.vectors import unit_rows


def test_records_of_equal_text_or_equal_vector_are_one_distinct_text() -> None:
    vectors = np.eye(4, dtype=np.float32)[[0, 1, 0, 2]]
    corpus = collapse(["a", "b", "c", "d"], ["A", "B", "A again", "B"], vectors)
    assert corpus.copies_of.tolist() == [0, 1, 0, 1]
    assert (corpus.texts, corpus.first.tolist()) == (["A", "B"], [0, 1])
    assert corpus.weights.tolist() == [2, 2]
    np.testing.assert_array_equal(corpus.vectors, vectors[:2])


def test_a_part_has_the_chosen_records_and_their_distinct_texts() -> None:
    vectors = unit_rows(np.random.default_rng(0).normal(size=(60, 12)))
    texts = [f"text {number % 50}" for number in range(60)]
    whole = collapse([f"id{number}" for number in range(60)], texts, vectors)
    part, rows = sub_corpus(whole, set(whole.ids[::2]))
    assert part.ids == whole.ids[::2]
    assert [part.texts[place] for place in part.copies_of] == texts[::2]
    assert part.weights.sum() == 30
    assert [part.copies_of[record] for record in part.first] == list(range(len(part.texts)))
    np.testing.assert_array_equal(part.vectors, whole.vectors[rows])
