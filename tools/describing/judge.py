"""The judge of descriptions: an embedder that compares them with the texts on trial.

It is the dataset's own embedder, by whose vectors the clusters were found. Where that cannot embed
words now, it is `lexical` (TF-IDF and SVD), fitted on the texts at hand.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.core.schema import COLUMN, DatasetCard, Description, Floats, Proof
from corpuscope.tools.describing.gathering import DescriptionTask
from corpuscope.tools.describing.proof import (
    Mistakes,
    Trial,
    enough_texts,
    mistakes,
    neglected_part,
    prove,
)
from corpuscope.tools.describing.titles import alike_pairs
from corpuscope.tools.embedding.factory import fit_embedder
from corpuscope.tools.embedding.spec import LEXICAL, Embedder
from corpuscope.tools.workspace.workspace import Workspace


@dataclass(frozen=True)
class Judge:
    """Compares descriptions with texts, one at a time, from any thread.

    `same_space`: whether `embedder` made the vectors of the dataset; if not, it makes those of the
    texts on trial as well.
    """

    embedder: Embedder
    same_space: bool
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)

    def proof(
        self, description: Description, trial: Trial, whole: Trial | None = None
    ) -> Proof | None:
        """How well title and summary tell the texts of a trial apart; with the `whole` of which it
        is a half, also which part of the cluster they pass over.

        None for too few texts, and where the embedder's endpoint fails: the words are kept, and
        untried.
        """
        if not enough_texts(trial):
            return None
        try:
            with self._one_at_a_time:
                words = self._vector(description)
                proof = prove(words, self._comparable(trial), self.embedder.spec)
                passed_over = neglected_part(words, self._comparable(whole)) if whole else None
        except Unavailable as error:
            logging.getLogger(__name__).warning("a description was not tried: %s", error)
            return None
        return replace(proof, passed_over=passed_over) if proof else None

    def alike(self, titles: Mapping[str, str]) -> list[tuple[str, str]]:
        """The pairs of clusters, by id, whose titles are equal or nearly so."""
        try:
            with self._one_at_a_time:
                return alike_pairs(titles, self.embedder)
        except Unavailable as error:
            logging.getLogger(__name__).warning("titles are compared by words only: %s", error)
            return alike_pairs(titles, None)

    def mistakes(self, description: Description, trial: Trial) -> Mistakes:
        """The texts that title and summary put on the wrong side; none where they are not known."""
        try:
            with self._one_at_a_time:
                words = self._vector(description)
                return mistakes(words, self._comparable(trial))
        except Unavailable as error:
            logging.getLogger(__name__).warning("mistakes were not looked for: %s", error)
            return Mistakes([], [])

    def _vector(self, description: Description) -> Floats:
        summary = " ".join(sentence.text for sentence in description.summary)
        return self.embedder.embed_query(f"{description.title}. {summary}")

    def _comparable(self, trial: Trial) -> Trial:
        """The trial with vectors that the embedder made."""
        if self.same_space or not enough_texts(trial):
            return trial
        inside = self.embedder.embed(trial.inside_texts)
        return replace(
            trial,
            inside=inside,
            outside=self.embedder.embed(trial.outside_texts),
            centroid=inside.mean(axis=0),
        )


def open_judge(
    workspace: Workspace, card: DatasetCard, tasks: Sequence[DescriptionTask]
) -> Judge | None:
    """The judge of a dataset's descriptions: by its own embedder; by `lexical`, fitted on the texts
    of the tasks, where that cannot embed words now. None where there is no text to fit on."""
    if card.embedding != COLUMN:
        try:
            embedder = workspace.embedders.of(card, workspace.dataset_folder(card))
            if embedder.dim == card.dim:  # an endpoint is asked for it
                return Judge(embedder, same_space=True)
        except Unavailable:
            pass  # its package, model or endpoint is gone: words can still be compared
    texts = [
        text
        for task in tasks
        for text in [
            *(excerpt.text for excerpt in task.evidence.excerpts),
            *task.trial.inside_texts,
            *task.trial.outside_texts,
        ]
    ]
    if not any(text.strip() for text in texts):
        return None
    with TemporaryDirectory() as folder:
        options = workspace.embedders.options
        return Judge(fit_embedder(LEXICAL, texts, options, Path(folder)).embedder, same_space=False)
