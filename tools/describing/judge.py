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

import numpy as np

from corpuscope.tools.analysis.language import clashing_language, language_of
from corpuscope.tools.core.errors import Unavailable
from corpuscope.tools.core.masking import masked_text
from corpuscope.tools.core.schema import (
    COLUMN,
    NO_MASK,
    DatasetCard,
    Description,
    Floats,
    Mask,
    Proof,
)
from corpuscope.tools.describing.gathering import DescriptionTask
from corpuscope.tools.describing.proof import (
    Mistakes,
    Trial,
    enough_texts,
    mistakes,
    neglected_part,
    prove,
)
from corpuscope.tools.describing.titles import alike_pairs, content_stems
from corpuscope.tools.embedding.factory import fit_embedder
from corpuscope.tools.embedding.masked import with_mask
from corpuscope.tools.embedding.spec import LEXICAL, Embedder
from corpuscope.tools.workspace.workspace import Workspace

FAR = 0.75
"""A text supports a sentence with which it shares no word if it is nearer to it than so many of the
texts of other clusters: of texts on another subject three of four are not."""


@dataclass(frozen=True)
class Judge:
    """Compares descriptions with texts, one at a time, from any thread.

    `same_space`: whether `embedder` made the vectors of the dataset; if not, it makes those of the
    texts on trial as well. What the dataset masks (`mask`) counts neither in vectors nor in titles.
    """

    embedder: Embedder
    same_space: bool
    mask: Mask = NO_MASK
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
        titles = {cluster: masked_text(title, self.mask) for cluster, title in titles.items()}
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

    def with_doubts(
        self, description: Description, texts: Mapping[str, str], trial: Trial
    ) -> Description:
        """The description, each sentence with those of its records that are `doubtful`: they share
        no word with it, and are less near to it than the nearest quarter (`FAR`) of the outsiders.

        `texts`: those of the records, by id; what is not among them is not looked at, nor is a
        description in another language than they are in.
        """
        strange = {
            (sentence.text, record)
            for sentence in description.summary
            for record in sentence.records
            if record in texts and not content_stems(sentence.text) & content_stems(texts[record])
        }
        if not strange or not enough_texts(trial):
            return description
        words = " ".join(sentence.text for sentence in description.summary)
        language = language_of(" ".join(texts[record] for _, record in sorted(strange)))
        if language is None or clashing_language(words, language):
            return description
        try:
            with self._one_at_a_time:
                far = self._far(strange, texts, trial)
        except Unavailable as error:
            logging.getLogger(__name__).warning("citations were not checked: %s", error)
            return description
        summary = [
            replace(
                sentence,
                doubtful=[record for record in sentence.records if (sentence.text, record) in far],
            )
            for sentence in description.summary
        ]
        return replace(description, summary=summary)

    def _far(
        self, pairs: set[tuple[str, str]], texts: Mapping[str, str], trial: Trial
    ) -> set[tuple[str, str]]:
        """The pairs of a sentence and a record that are no nearer than outsiders usually are."""
        outside = self._comparable(trial).outside
        far = set()
        for text, record in sorted(pairs):
            sentence = self.embedder.embed_query(text)
            cosine = float(self.embedder.embed([texts[record]])[0] @ sentence)
            if cosine < float(np.quantile(outside @ sentence, FAR)):
                far.add((text, record))
        return far

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
                return Judge(embedder, same_space=True, mask=card.mask)
        except Unavailable:
            pass  # its package, model or endpoint is gone: words can still be compared
    texts = [
        masked_text(text, card.mask)
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
        fitted = fit_embedder(LEXICAL, texts, options, Path(folder))
        return Judge(with_mask(fitted.embedder, card.mask), same_space=False, mask=card.mask)
