"""How near texts are to themes, and from which score on a text fits one.

In: for each theme the unit vectors that stand for it. Out: scores, thresholds, and what members of
the themes that were held back say of these.

The score of a theme is the mean cosine to the nearest of its members, all of which stand for it;
its threshold is the score that nine of ten of its members reach when each is taken out and put in
as if it were new. Measured with MiniLM and WordLlama vectors, two folds of five, on the clusters
that were found in BANKING77, StackOverflow, tweet89, SearchSnippets and ABC News, share of
held-back members that the nearest theme is right for:

    one mean each 0.73 to 0.95 | logistic regression 0.79 to 0.98 | nearest members 0.92 to 0.99

The regression (C = 10) is behind on all ten; on the sets' own labels, which nobody found by
density, it is between 0.04 behind (SearchSnippets) and 0.03 ahead (StackOverflow). With
thresholds (back: to the own theme; wrong: to another; then the texts of themes taken out, and of
another set, that get in):

    one mean, nine of ten              0.81 back, 0.05 wrong, 0.24 and 0.10 let in
    k-means, one for 10 texts, to 32   0.88, 0.02, 0.19, 0.11
    5 nearest members                  0.90, 0.01, 0.19, 0.11
    the same, threshold by F1          0.94, 0.02, 0.38, 0.20

Noise stands beside the themes: a text to which it is clearly nearer fits none. Of noise texts that
were kept aside 0.23 get in then, 0.28 without, for 0.001 fewer that come back (0.007 at the most).
Of members only some hundreds kept by lot cost up to 0.24: large themes lose their density.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from corpuscope.tools.core.schema import Floats
from corpuscope.tools.geometry.graph import exact_nearest

MEMBERS_NEAREST = 5
"""Members whose mean cosine is the score. One alone puts twice as many into a wrong theme, three
do as well."""

LEFT_OUT = 0.1
"""Share of a theme's members that its threshold leaves out. At 0.05 a third more strangers get in
(0.32 of the texts of themes taken out, for 0.19)."""

BELIEVED = 20
"""Members held back that count as much as those of all themes together: the tenth part of fewer
says little."""

NEARER_NOISE = 0.95
"""Share of the score in the noise that a theme must reach. At 1 a set with much noise (ABC News,
38 %) loses 0.03 of its members."""

MOST_HELD_BACK, FEWEST_HELD_BACK, ALL_HELD_BACK = 100, 20, 4_000
"""Of one theme, and of all together: enough for a tenth to be known to three points."""

MOST_COMPARED = 60_000_000
"""Pairs of a text that is put in and one of the scheme's own: a second or two on one core. Among
60,000 texts 1,000 are held back, and as many of the noise."""

NOISE_TRIED = 1_000
"""Noise texts that are put in to see how many get in: their share is known to three points."""


@dataclass(frozen=True, slots=True, eq=False)
class Prototypes:
    """What stands for t themes: `vectors` are t arrays (p, dim) of unit float32, p at least 1; a
    score is the mean cosine to the `nearest` of them. `noise` (n, dim) is in no theme; None where
    nothing is known of what fits none."""

    vectors: Sequence[Floats]
    nearest: int
    noise: Floats | None = None

    @property
    def count(self) -> int:
        """How many vectors a text is compared with, those of the noise included."""
        return sum(map(len, self.vectors)) + (0 if self.noise is None else len(self.noise))

    def scores(self, asked: Floats) -> Floats:
        """(q, t) float32 of (q, dim) unit vectors, -1 to 1."""
        scores = np.zeros((len(asked), len(self.vectors)), np.float32)
        # Themes are small: threads that wait for each other take three times as long beside others.
        with threadpool_limits(1):
            for theme, vectors in enumerate(self.vectors):
                scores[:, theme] = mean_nearest(vectors, asked, self.nearest)
        return scores

    def noise_scores(self, asked: Floats) -> Floats:
        """(q,) float32 the same for the noise; -1, the least, where there is none."""
        if self.noise is None or not len(self.noise):
            return np.full(len(asked), -1.0, np.float32)
        return mean_nearest(self.noise, asked, self.nearest)


def mean_nearest(vectors: Floats, asked: Floats, count: int) -> Floats:
    """(q,) float32: the mean cosine of each of (q, dim) to the nearest `count` of (p, dim)."""
    if not len(asked):
        return np.zeros(0, np.float32)
    means: Floats = exact_nearest(vectors, asked, min(count, len(vectors)))[1].mean(axis=1)
    return means


def mean_nearest_others(vectors: Floats, rows: NDArray[np.int64], count: int) -> Floats:
    """(r,) float32: the same for the vectors at `rows`, each without itself; p at least 2."""
    count = min(count + 1, len(vectors))
    ids, cosines = exact_nearest(vectors, vectors[rows], count)
    itself = ids == rows[:, None]
    itself[~itself.any(axis=1), 0] = True  # equal ones took its place
    means: Floats = cosines[~itself].reshape(len(rows), count - 1).mean(axis=1)
    return means


@dataclass(frozen=True, slots=True, eq=False)
class PutIn:
    """Texts of a scheme's own, taken out and put in as if they were new: `homes` (h,) the theme of
    each, -1 for noise; `scores` (h, t) in all themes, `noise` (h,) in the noise."""

    homes: NDArray[np.int64]
    scores: Floats
    noise: Floats

    @property
    def nearest(self) -> NDArray[np.int64]:
        """(h,) the theme in which each scores highest."""
        nearest: NDArray[np.int64] = self.scores.argmax(axis=1)
        return nearest

    @property
    def best(self) -> Floats:
        """(h,) its score there."""
        best: Floats = self.scores.max(axis=1, initial=-1.0)
        return best

    def taken(self, thresholds: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(h,) whether the nearest theme takes each."""
        reached: NDArray[np.bool_] = self.best >= thresholds[self.nearest]
        return reached & (self.best >= NEARER_NOISE * self.noise)


@dataclass(frozen=True, slots=True)
class Check:
    """What is known of one theme's threshold: of `held_back` members `came_back`; `others` of the
    other themes' came too, and `noise` of the noise texts that were tried. `precision`, 0 to 1: the
    share of its own among the members that it takes, if new texts are as many as the members of
    each theme; None where it took none."""

    held_back: int
    came_back: int
    others: int
    noise: int
    precision: float | None


def hold_back(prototypes: Prototypes) -> PutIn:
    """Members of each theme, drawn by lot with a fixed seed, each put in without itself.

    A theme of one text has none.
    """
    themes = len(prototypes.vectors)
    most = min(ALL_HELD_BACK, MOST_COMPARED // max(1, prototypes.count))
    each = int(np.clip(most // max(1, themes), FEWEST_HELD_BACK, MOST_HELD_BACK))
    random = np.random.default_rng(0)
    chosen = {
        theme: np.sort(random.permutation(len(vectors))[:each])
        for theme, vectors in enumerate(prototypes.vectors)
        if len(vectors) > 1
    }
    homes = np.repeat(np.array([*chosen], np.int64), [len(rows) for rows in chosen.values()])
    if not len(homes):
        return PutIn(homes, np.zeros((0, themes), np.float32), np.zeros(0, np.float32))
    # One search in each theme for all of them: many small ones take ten times as long.
    asked = np.concatenate([prototypes.vectors[theme][rows] for theme, rows in chosen.items()])
    scores = prototypes.scores(asked)
    with threadpool_limits(1):
        for theme, rows in chosen.items():
            own = mean_nearest_others(prototypes.vectors[theme], rows, prototypes.nearest)
            scores[homes == theme, theme] = own
    return PutIn(homes, scores, prototypes.noise_scores(asked))


def try_noise(prototypes: Prototypes) -> PutIn:
    """Noise texts, drawn by lot with a fixed seed, each put in without itself."""
    noise = prototypes.noise
    if noise is None or len(noise) < 2:
        return PutIn(
            np.zeros(0, np.int64),
            np.zeros((0, len(prototypes.vectors)), np.float32),
            np.zeros(0, np.float32),
        )
    most = max(FEWEST_HELD_BACK, min(NOISE_TRIED, MOST_COMPARED // prototypes.count))
    rows = np.sort(np.random.default_rng(0).permutation(len(noise))[:most])
    own = mean_nearest_others(noise, rows, prototypes.nearest)
    return PutIn(np.full(len(rows), -1), prototypes.scores(noise[rows]), own)


def member_thresholds(held: PutIn, themes: int) -> NDArray[np.float64]:
    """(t,) the scores from which on texts fit: what nine of ten members that are nearest to their
    own theme reach; of few members drawn towards that of all. 1 where nothing is known."""
    home = held.nearest == held.homes
    best = held.best
    of_all = float(np.quantile(best[home], LEFT_OUT)) if home.any() else 1.0
    thresholds = np.full(themes, of_all)
    for theme in range(themes):
        own = best[home & (held.homes == theme)]
        if len(own):
            weight = len(own) / (len(own) + BELIEVED)
            thresholds[theme] += weight * (float(np.quantile(own, LEFT_OUT)) - of_all)
    return thresholds


def check_thresholds(
    held: PutIn, noise: PutIn, thresholds: NDArray[np.float64], sizes: Sequence[int]
) -> list[Check]:
    """What held-back members, and noise texts that were put in, say of each theme's threshold.

    `sizes` (t,): the texts of each theme, of which those held back are a part.
    """
    nearest = held.nearest
    taken = held.taken(thresholds)
    let_in = noise.nearest[noise.taken(thresholds)]
    tried = np.bincount(held.homes, minlength=len(sizes))
    stands_for = (np.array(sizes) / np.maximum(tried, 1))[held.homes]
    checks = []
    for theme, count in enumerate(tried):
        here = taken & (nearest == theme)
        own = here & (held.homes == theme)
        weight = float(stands_for[here].sum())
        checks.append(
            Check(
                held_back=int(count),
                came_back=int(own.sum()),
                others=int(here.sum() - own.sum()),
                noise=int((let_in == theme).sum()),
                precision=float(stands_for[own].sum()) / weight if weight else None,
            )
        )
    return checks
