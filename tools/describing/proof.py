"""The proof of a description: how well it tells texts of its cluster from others, tried on texts
that its writer was not shown.

The vector of title and summary and those of the texts come in. The texts are ranked by cosine to
the description, as in retrieval; the score is the area under the ROC curve (Fawcett 2006), which is
the Mann-Whitney statistic: the chance, 0 to 1, that a text inside comes before one outside. Out
come the score, the word for it, the texts on the wrong side, and the part that is passed over.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.core.schema import Floats, Proof

FEWEST = 5
"""Texts on each side: with fewer, one text moves the score by more than the words do."""

STRONG = 0.9
FAIR = 0.75
"""What the words say of the score. On BANKING77 the keywords of the right cluster reach 0.92 in the
mean, those of the nearest other one 0.50: one in 52 is strong (`make bench-describe`). The words of
a strong model reach 0.92 too: the score tells right from wrong words, not good ones from bare
keywords."""

MISSED_SHOWN, TAKEN_SHOWN = 6, 3
"""Texts on the wrong side that a writer is shown to do better: they go on top of full evidence."""

BLURRED = 0.05
"""So far below the cluster's own mean the words are to blame; nearer, the border is."""


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Texts on which a description is tried: `inside` (a, dim) and `outside` (b, dim) are unit
    vectors; `centroid` (dim,) is the mean of the cluster; `inside_texts` (a), `outside_texts` (b);
    `parts` (a), the part of the cluster that each text inside is in, "" for none.
    """

    inside: Floats
    outside: Floats
    centroid: Floats
    inside_texts: Sequence[str]
    outside_texts: Sequence[str]
    parts: Sequence[str] = ()
    records: Sequence[str] = ()
    """(a), the record behind each text inside, by which it can be cited."""

    def halves(self) -> tuple["Trial | None", "Trial"]:
        """One half to mend a description by, and one to score it; all to score it where few."""
        if min(len(self.inside_texts), len(self.outside_texts)) < 4 * FEWEST:
            return None, self
        return self._part(0), self._part(1)

    def _part(self, start: int) -> "Trial":
        return Trial(
            self.inside[start::2],
            self.outside[start::2],
            self.centroid,
            self.inside_texts[start::2],
            self.outside_texts[start::2],
            self.parts[start::2],
            self.records[start::2],
        )


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Texts that a description puts on the wrong side: those of the cluster that it misses, the
    most typical first, with their `records` where they are known, and those of others that it takes
    in, the gravest first."""

    missed: list[str]
    taken: list[str]
    records: list[str] = field(default_factory=list)


def enough_texts(trial: Trial) -> bool:
    """Whether there are texts enough on each side for a score."""
    return min(len(trial.inside_texts), len(trial.outside_texts)) >= FEWEST


def prove(words: Floats, trial: Trial, by: str) -> Proof | None:
    """How well a description, as a unit vector (dim,), tells the texts of a trial apart: its AUC,
    and `best`, that of the cluster's own mean. None where there are too few texts on a side.

    `by` names the embedder that made the vectors.
    """
    if not enough_texts(trial):
        return None
    return Proof(
        auc=_auc(trial.inside @ words, trial.outside @ words),
        best=_auc(trial.inside @ trial.centroid, trial.outside @ trial.centroid),
        by=by,
        inside=len(trial.inside_texts),
        outside=len(trial.outside_texts),
    )


def neglected_part(words: Floats, trial: Trial) -> str | None:
    """The part of the cluster that a description covers least, if its AUC is below `FAIR`; of parts
    with fewer than `FEWEST` texts that cannot be told."""
    if not enough_texts(trial):
        return None
    near, far = trial.inside @ words, trial.outside @ words
    scores = []
    for part in sorted({*trial.parts} - {""}):
        rows = [row for row, home in enumerate(trial.parts) if home == part]
        if len(rows) >= FEWEST:
            scores.append((_auc(near[rows], far), part))
    least, part = min(scores, default=(1.0, ""))
    return part if least < FAIR else None


def mistakes(words: Floats, trial: Trial) -> Mistakes:
    """The texts on each side that the description ranks wrong: of those missed the most typical
    `MISSED_SHOWN`, since the gravest are those that hardly belong; of those taken in the gravest
    `TAKEN_SHOWN`."""
    if not enough_texts(trial):
        return Mistakes([], [])
    near, far = trial.inside @ words, trial.outside @ words
    typical = np.argsort(-(trial.inside @ trial.centroid), kind="stable")
    missed = [row for row in typical if near[row] < np.median(far)][:MISSED_SHOWN]
    taken = [row for row in np.argsort(-far, kind="stable") if far[row] > np.median(near)]
    return Mistakes(
        [trial.inside_texts[row] for row in missed],
        [trial.outside_texts[row] for row in taken[:TAKEN_SHOWN]],
        [trial.records[row] for row in missed] if trial.records else [],
    )


def is_weak(proof: Proof | None) -> bool:
    """Whether the words are to blame for a low score, so that others may do better."""
    # The difference of two decimals is one only after it is rounded.
    return proof is not None and proof.auc < FAIR and round(proof.best - proof.auc, 3) > BLURRED


def proof_word(proof: Proof | None) -> str:
    """The score in a word: strong, fair, weak, blurred (so is the cluster), or not tried."""
    if proof is None:
        return "not tried"
    if proof.auc >= STRONG:
        return "strong"
    if proof.auc >= FAIR:
        return "fair"
    return "weak" if is_weak(proof) else "blurred"


def format_proof(proof: Proof | None) -> str:
    """The score for a line: `proof 0.94 strong`; with what a model found that sorted by it."""
    if proof is None:
        return "proof: not tried"
    by = ", by shared words only" if proof.by == "lexical" else ""
    text = f"proof {proof.auc:.2f} {proof_word(proof)}{by}"
    if proof.passed_over is not None:
        text += f", says little of its part {proof.passed_over}"
    if proof.precision is not None and proof.recall is not None:
        text += f", sorted with precision {proof.precision:.2f} and recall {proof.recall:.2f}"
    return text


PROOF_MEANING = (
    "proof: how often title and summary are nearer to one of its texts that the writer did not see "
    f"than to one of the nearest clusters (0.5 is chance): strong from {STRONG}, fair from {FAIR}, "
    "weak: write it anew, blurred: the cluster itself overlaps others. It checks that the words "
    "are distinct, as bare keywords are too; not that they are well chosen, or each sentence true: "
    "detail=full quotes the texts behind them."
)


def _auc(inside: NDArray[np.floating], outside: NDArray[np.floating]) -> float:
    """The chance, 0 to 1, that a similarity inside is above one outside; ties count half.

    Rounded as it is shown, so that the word for it always fits: more digits would be noise.
    """
    from sklearn.metrics import roc_auc_score

    truth = np.repeat([1, 0], [len(inside), len(outside)])
    return round(float(roc_auc_score(truth, np.concatenate([inside, outside]))), 2)
