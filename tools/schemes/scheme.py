"""The themes that texts are put into, with their thresholds and what is known of these.

In: a run, whose members stand for its themes, or a codebook, whose definitions and examples do.
Out: a scheme, and the theme that a text fits, or why none.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.clustering.tree import layer_paths
from corpuscope.tools.core.errors import NotReady
from corpuscope.tools.core.schema import NOISE, DatasetCard, Floats, GroupOffsets
from corpuscope.tools.embedding.spec import Embedder
from corpuscope.tools.schemes.codebook import Category
from corpuscope.tools.schemes.nearness import (
    MEMBERS_NEAREST,
    NEARER_NOISE,
    Check,
    Prototypes,
    check_thresholds,
    hold_back,
    member_thresholds,
    try_noise,
)
from corpuscope.tools.workspace.reading import load_dataset, load_run
from corpuscope.tools.workspace.selection import Selection
from corpuscope.tools.workspace.workspace import Workspace

BACKGROUND = 2_000
"""Texts of the dataset that say what is near to a definition by chance."""

UNREACHED = 0.98
"""Share of the texts nearer to another theme that a codebook's threshold keeps out. With the bare
labels of BANKING77 and StackOverflow for definitions 0.49 to 0.58 and 0.70 to 0.75 of the texts
then come to their label (0.54 to 0.62 and 0.78 without a threshold), and 0.01 to 0.08 and 0.26 to
0.38 of another set do; at 0.9 up to 0.85 do, and at 0.99 up to 0.04 more of the own are lost."""

FEWEST_ELSEWHERE = 50
"""Texts nearer to another theme that are enough for that; of fewer, all are asked instead."""

UNREACHED_BY_ALL = 0.9
"""Then, the share of all texts that the threshold keeps out: a theme that is alone may well be
that of a tenth."""


@dataclass(frozen=True, slots=True, eq=False)
class Scheme:
    """t themes: `ids` and `titles` (t,), what stands for them, `thresholds` (t,).

    `checks` (t,) say what members that were held back make of a run's thresholds, with
    `noise_tried` texts of its noise; they are empty for a codebook, whose thresholds come from
    `background` texts of the dataset alone. `offsets`: what is taken off a run's vectors.
    """

    ids: list[str]
    titles: list[str]
    prototypes: Prototypes
    thresholds: NDArray[np.float64]
    checks: list[Check]
    noise_tried: int = 0
    background: int = 0
    offsets: GroupOffsets | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """Where one text goes: the `nearest` and `second` theme as places in the scheme (second None
    where there is one theme only), their scores and that in the noise, and whether the nearest
    takes it; `knows_words`: whether the model finds anything in the text."""

    nearest: int
    score: float
    second: int | None
    second_score: float | None
    noise_score: float
    fits: bool
    knows_words: bool


def run_scheme(workspace: Workspace, selection: Selection) -> Scheme:
    """The themes of the layer that the selection shows, each by the vectors of its members.

    Raises:
        NotReady: The dataset was replaced after the run, or no theme has a record left.
    """
    selection.check_current()
    run, members = selection.run, workspace.runs.members(selection.run)
    corpus = load_run(workspace, selection.card, run, members).corpus
    place_of = dict(
        zip(members.ids, layer_paths(members.paths, run.nodes, run.recommended), strict=True)
    )
    places = np.full(len(corpus.texts), NOISE, dtype=object)
    places[corpus.copies_of] = [place_of[record] for record in corpus.ids]
    # A text that nothing is known of points nowhere, and stands for nothing.
    places[~corpus.vectors.any(axis=1)] = ""
    inside = {
        node.id: corpus.vectors[places == node.id]
        for node in selection.standing_in(run.recommended)
    }
    inside = {theme: vectors for theme, vectors in inside.items() if len(vectors)}
    if not inside:
        raise NotReady(
            f"Run {run.id} of '{selection.card.name}' has no theme with records to compare with. "
            "Call cluster(), or name another run or layer; list-datasets names the runs."
        )
    noise = corpus.vectors[places == NOISE]
    prototypes = Prototypes(list(inside.values()), MEMBERS_NEAREST, noise)
    held, tried = hold_back(prototypes), try_noise(prototypes)
    thresholds = member_thresholds(held, len(inside))
    sizes = [len(vectors) for vectors in inside.values()]
    return Scheme(
        ids=list(inside),
        titles=[selection.label(selection.node(theme)) for theme in inside],
        prototypes=prototypes,
        thresholds=thresholds,
        checks=check_thresholds(held, tried, thresholds, sizes),
        noise_tried=len(tried.homes),
        offsets=workspace.runs.offsets(run) if run.regardless_of else None,
    )


def codebook_scheme(
    workspace: Workspace, card: DatasetCard, embedder: Embedder, book: list[Category]
) -> Scheme:
    """The themes of a codebook, by the vectors of their definitions and examples.

    The dataset's texts say what scores come about by chance.
    """
    vectors = [embedder.embed(list(category.texts)) for category in book]
    prototypes = Prototypes(vectors, nearest=1)
    corpus = load_dataset(workspace, card).corpus
    background = _sample(corpus.vectors[corpus.vectors.any(axis=1)], BACKGROUND)
    return Scheme(
        ids=[category.id for category in book],
        titles=[category.title for category in book],
        prototypes=prototypes,
        thresholds=chance_thresholds(prototypes.scores(background)),
        checks=[],
        background=len(background),
    )


def chance_thresholds(scores: Floats) -> NDArray[np.float64]:
    """(t,) what most of the texts that are nearer to another theme do not reach.

    `scores` (b, t) of texts that are not known to be in any theme.
    """
    nearest = scores.argmax(axis=1)
    thresholds = np.ones(scores.shape[1])
    for theme in range(scores.shape[1]):
        elsewhere = scores[nearest != theme, theme]
        if len(elsewhere) >= FEWEST_ELSEWHERE:
            thresholds[theme] = np.quantile(elsewhere, UNREACHED)
        elif len(scores):
            thresholds[theme] = np.quantile(scores[:, theme], UNREACHED_BY_ALL)
    return thresholds


def fit_texts(scheme: Scheme, asked: Floats) -> list[Fit]:
    """Where each of (q, dim) unit vectors goes; one without a direction fits nothing."""
    scores = scheme.prototypes.scores(asked)
    noise = scheme.prototypes.noise_scores(asked)
    order = np.argsort(-scores, axis=1, kind="stable")
    fits = []
    for row, ranked in enumerate(order):
        nearest = int(ranked[0])
        second = int(ranked[1]) if len(ranked) > 1 else None
        score, known = float(scores[row, nearest]), bool(asked[row].any())
        least = max(float(scheme.thresholds[nearest]), NEARER_NOISE * float(noise[row]))
        fits.append(
            Fit(
                nearest=nearest,
                score=score,
                second=second,
                second_score=None if second is None else float(scores[row, second]),
                noise_score=float(noise[row]),
                fits=known and score >= least,
                knows_words=known,
            )
        )
    return fits


def _sample(vectors: Floats, most: int) -> Floats:
    if len(vectors) <= most:
        return vectors
    rows = np.sort(np.random.default_rng(0).permutation(len(vectors))[:most])
    return np.ascontiguousarray(vectors[rows])
