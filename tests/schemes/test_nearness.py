"""Scores, thresholds, and what held-back members say of these, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import precision_score
from sklearn.neighbors import NearestNeighbors

from corpuscope.tools.core.schema import Floats
from corpuscope.tools.schemes.nearness import (
    BELIEVED,
    LEFT_OUT,
    MEMBERS_NEAREST,
    NEARER_NOISE,
    Prototypes,
    check_thresholds,
    hold_back,
    member_thresholds,
    try_noise,
)


def made_themes(sizes: list[int], width: float = 0.45) -> list[Floats]:
    """Unit vectors about directions that are not quite apart."""
    random = np.random.default_rng(4)
    themes = []
    for at, size in enumerate(sizes):
        vectors = np.eye(8)[at] + random.normal(scale=width, size=(size, 8))
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        themes.append(unit.astype(np.float32))
    return themes


def scores_by_sklearn(themes: list[Floats]) -> np.ndarray:
    """(n, t) of all members in turn, each left out of its own theme."""
    asked = np.concatenate(themes)
    homes = np.repeat(np.arange(len(themes)), [len(theme) for theme in themes])
    scores = np.zeros((len(asked), len(themes)))
    for at, theme in enumerate(themes):
        search = NearestNeighbors(n_neighbors=MEMBERS_NEAREST + 1, metric="cosine").fit(theme)
        distances, _ = search.kneighbors(asked)
        first = (homes == at).astype(int)  # the text itself
        for row, start in enumerate(first):
            scores[row, at] = 1 - distances[row, start : start + MEMBERS_NEAREST].mean()
    return scores


def test_precision_of_held_back_members_is_that_of_an_independent_count() -> None:
    themes = made_themes([60, 40, 25])
    held = hold_back(Prototypes(themes, MEMBERS_NEAREST))
    thresholds = member_thresholds(held, 3)
    noise = made_themes([0, 0, 0, 80], width=0.6)[3]
    tried = try_noise(Prototypes(themes, MEMBERS_NEAREST, noise))
    checks = check_thresholds(held, tried, thresholds, [60, 40, 25])

    scores = scores_by_sklearn(themes)
    homes = np.repeat([0, 1, 2], [60, 40, 25])
    order = np.argsort(held.homes, kind="stable")
    assert np.sort(held.scores[order], axis=0) == pytest.approx(np.sort(scores, axis=0), abs=1e-5)
    own_noise = scores_by_sklearn([noise])[:, 0]
    assert tried.noise == pytest.approx(own_noise, abs=1e-5)
    nearest, best = scores.argmax(axis=1), scores.max(axis=1)
    for theme, check in enumerate(checks):
        own = best[(nearest == homes) & (homes == theme)]
        pooled = np.quantile(best[nearest == homes], LEFT_OUT)
        share = len(own) / (len(own) + BELIEVED)
        wanted = share * np.quantile(own, LEFT_OUT) + (1 - share) * pooled
        assert thresholds[theme] == pytest.approx(wanted, abs=1e-5)
        put = np.where(best >= thresholds[nearest], nearest, -1) == theme
        assert check.precision == pytest.approx(precision_score(homes == theme, put))
        assert (check.held_back, check.came_back) == (
            (homes == theme).sum(),
            put[homes == theme].sum(),
        )
        assert check.others == put[homes != theme].sum()
        into = (tried.scores.argmax(axis=1) == theme) & (
            tried.scores[:, theme] >= np.maximum(thresholds[theme], NEARER_NOISE * own_noise)
        )
        assert check.noise == into.sum()
    assert 0.7 < sum(check.came_back for check in checks) / 125 < 0.9


def test_a_theme_of_one_text_holds_none_back_and_has_the_threshold_of_all() -> None:
    themes = [*made_themes([50]), *made_themes([0, 1])[1:]]
    held = hold_back(Prototypes(themes, MEMBERS_NEAREST))
    assert set(held.homes) == {0}
    first, second = member_thresholds(held, 2)
    assert first == pytest.approx(second)
    alone = hold_back(Prototypes([themes[1]], MEMBERS_NEAREST))
    assert list(member_thresholds(alone, 1)) == [1.0]


def test_large_themes_hold_back_a_part_that_counts_by_their_size() -> None:
    prototypes = Prototypes(made_themes([400, 30]), MEMBERS_NEAREST)
    held = hold_back(prototypes)
    assert list(np.bincount(held.homes)) == [100, 30]
    thresholds = np.full(2, -1.0)  # everything goes somewhere
    checks = check_thresholds(held, try_noise(prototypes), thresholds, [400, 30])
    small = checks[1]
    assert small.precision == pytest.approx(
        small.came_back / (small.came_back + 4 * small.others), abs=1e-6
    )
