"""Headings above many themes."""

import numpy as np

from corpuscope.tools.clustering.headings import HEADING_RANGE, MOST_WITHOUT, add_headings
from corpuscope.tools.clustering.layers import ClusterLayer, LayerChoice
from corpuscope.tools.core.schema import Floats, Ints
from corpuscope.tools.core.vectors import unit_rows

EACH = 5


def subjects(themes: int, fields: int) -> Floats:
    """Unit vectors, `EACH` of each theme; theme t is of the field t % fields."""
    random = np.random.default_rng(4)
    centres = np.eye(fields, 40)[np.arange(themes) % fields] + 0.05 * random.normal(
        size=(themes, 40)
    )
    points = np.repeat(centres, EACH, axis=0)
    return unit_rows(points + 0.02 * random.normal(size=points.shape))


def layer_of(labels: Ints) -> ClusterLayer:
    return ClusterLayer(labels.astype(np.int32), np.ones(len(labels), np.float32), 2.0)


def choice_of(*layers: ClusterLayer) -> LayerChoice:
    return LayerChoice(layers, len(layers) - 1, "why")


def themes_of(count: int) -> Ints:
    return np.repeat(np.arange(count), EACH).astype(np.int32)


def test_few_themes_need_no_headings() -> None:
    choice = choice_of(layer_of(themes_of(MOST_WITHOUT)))
    weights = np.ones(MOST_WITHOUT * EACH, np.int32)
    assert add_headings(choice, subjects(MOST_WITHOUT, 5), weights) is choice


def test_a_coarser_layer_heads_the_themes_and_what_it_leaves_out_joins_the_nearest() -> None:
    themes = themes_of(60)
    fields = themes % 18
    coarse = fields.copy()
    coarse[themes >= 50] = -1  # ten themes that the coarser layer left out
    choice = choice_of(layer_of(coarse), layer_of(themes))
    done = add_headings(choice, subjects(60, 18), np.ones(300, np.int32))
    assert (done.headings, done.recommended, len(done.layers)) == (0, 1, 2)
    headings = done.layers[0].labels
    assert 18 <= done.layers[0].clusters <= HEADING_RANGE[1]
    same_field = fields[:, None] == fields
    same_heading = headings[:, None] == headings
    assert (same_field == same_heading).mean() > 0.97


def test_without_a_coarser_layer_near_themes_share_a_heading() -> None:
    themes = themes_of(120)
    done = add_headings(choice_of(layer_of(themes)), subjects(120, 20), np.ones(600, np.int32))
    fields = themes % 20
    assert HEADING_RANGE[0] <= done.layers[0].clusters <= HEADING_RANGE[1]
    headings = done.layers[0].labels
    assert all(len(set(headings[fields == field])) == 1 for field in range(20))


def test_every_theme_is_whole_under_one_heading_and_noise_under_none() -> None:
    themes = themes_of(60)
    themes[::7] = -1
    done = add_headings(choice_of(layer_of(themes)), subjects(60, 6), np.ones(300, np.int32))
    headings = done.layers[0].labels
    assert (headings[themes < 0] == -1).all()
    assert all(len(set(headings[themes == theme])) == 1 for theme in range(60))
    assert sorted(set(headings[themes >= 0])) == list(range(done.layers[0].clusters))
