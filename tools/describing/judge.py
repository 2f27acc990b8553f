"""Who says whether words fit texts: the dataset's own embedder, or words against words."""

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

MISTAKES_SHOWN = 3
"""Texts on each side that a writer is shown to do better: they go on top of full evidence."""


@dataclass(frozen=True)
class Judge:
    """Compares descriptions with texts, one at a time, from any thread.

    `own`: whether `embedder` made the vectors of the dataset; if not, it makes those of the texts
    on trial as well.
    """

    embedder: Embedder
    own: bool
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
                words = self._words(description)
                found = prove(words, self._seen(trial), self.embedder.spec)
                missed = neglected_part(words, self._seen(whole)) if whole else None
        except Unavailable as error:
            logging.getLogger(__name__).warning("a description was not tried: %s", error)
            return None
        return replace(found, passed_over=missed) if found else None

    def alike(self, titles: Mapping[str, str]) -> list[tuple[str, str]]:
        """The pairs of clusters whose titles are equal or nearly so."""
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
                return mistakes(self._words(description), self._seen(trial), MISTAKES_SHOWN)
        except Unavailable as error:
            logging.getLogger(__name__).warning("mistakes were not looked for: %s", error)
            return Mistakes([], [])

    def _words(self, description: Description) -> Floats:
        summary = " ".join(sentence.text for sentence in description.summary)
        return self.embedder.embed_query(f"{description.title}. {summary}")

    def _seen(self, trial: Trial) -> Trial:
        if self.own or not enough_texts(trial):
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
                return Judge(embedder, own=True)
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
        return Judge(fit_embedder(LEXICAL, texts, options, Path(folder)).embedder, own=False)
