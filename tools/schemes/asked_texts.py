"""Texts that are to be put into themes, as vectors like those of the dataset.

In: texts, rows, or another dataset of the same model. Out: their vectors, masked and embedded as
the dataset's own were, with what a run took off its groups taken off these too.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.clustering.nuisance import NO_GROUP, groups_of, take_off
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import COLUMN, DatasetCard, Floats, GroupOffsets, Ints, Scalar
from corpuscope.tools.embedding.spec import LEXICAL, Embedder
from corpuscope.tools.workspace.reading import load_dataset
from corpuscope.tools.workspace.workspace import Workspace

MOST_TEXTS = 500
"""In one call: they travel through the chat, and are embedded while it waits."""

LONGEST_TEXT = 10_000
"""Characters of one: models read the first thousand or two, and the rest says nothing."""


def dataset_embedder(workspace: Workspace, card: DatasetCard) -> Embedder:
    """The embedder of a dataset, with its mask.

    Raises:
        BadInput: The vectors came without a model, or by another than the one that is named.
        Unavailable: Its package, model, endpoint or fit is missing.
    """
    if card.embedding == COLUMN:
        raise BadInput(
            f"The vectors of '{card.name}' came with its file and no model was named: other texts "
            "get none like them. Ingest it again with mode='replace' and `embedding` set to "
            "the vectors' model (with vector_column nothing is embedded again), then cluster()."
        )
    embedder = workspace.embedders.of(card, workspace.dataset_folder(card))
    if embedder.dim != card.dim:
        raise BadInput(
            f"The model {card.embedding} makes vectors of {embedder.dim} numbers, those of "
            f"'{card.name}' have {card.dim}: it is not the one that made them. Ingest again with "
            "the right one."
        )
    return embedder


def check_texts(texts: Sequence[str]) -> None:
    """Raises BadInput where texts are too many or too long for one call."""
    if len(texts) > MOST_TEXTS:
        raise BadInput(
            f"{len(texts):,} texts, the limit of a call is {MOST_TEXTS}. Ingest them as a dataset "
            "with the same `embedding` and `mask` and give its name as from_dataset, or give fewer."
        )
    for number, text in enumerate(texts, 1):
        if len(text) > LONGEST_TEXT:
            raise BadInput(
                f"Text {number} has {len(text):,} characters, the limit is {LONGEST_TEXT:,}. Give "
                "the part that says what it is about."
            )


def comparable_corpus(workspace: Workspace, card: DatasetCard, name: str) -> Corpus:
    """The texts and vectors of another dataset, if they are comparable to those of `card`.

    Raises:
        NotFound: There is no such dataset.
        BadInput: It is the same, or its vectors are of another model, mask or fit.
    """
    other = workspace.store.card(name)
    if other.collection == card.collection:
        raise BadInput(
            f"from_dataset is '{name}' itself, whose records the run knows: get-members reads "
            "them. Records that were added since: cluster(assign=True)."
        )
    again = (
        f"Ingest '{other.name}' again with mode='replace', embedding='{card.embedding}' and the "
        f"mask of '{card.name}' ({card.mask}), or give some of its texts as `texts`."
    )
    if card.embedding == COLUMN or other.embedding == COLUMN:
        dataset_embedder(workspace, card if card.embedding == COLUMN else other)
    if (other.embedding, other.dim) != (card.embedding, card.dim):
        raise BadInput(
            f"'{other.name}' has vectors by {other.embedding} ({other.dim} numbers), "
            f"'{card.name}' by {card.embedding} ({card.dim}): they cannot be compared. {again}"
        )
    if card.embedding == LEXICAL:
        raise BadInput(
            f"Lexical vectors are fitted on each dataset's own words: those of '{other.name}' and "
            f"'{card.name}' cannot be compared. Give some of its texts as `texts`, or ingest them "
            f"into '{card.name}' and call cluster(assign=True)."
        )
    if other.mask != card.mask:
        raise BadInput(
            f"'{other.name}' was embedded without {other.mask}, '{card.name}' without {card.mask}. "
            + again
        )
    return load_dataset(workspace, other).corpus


def group_codes(offsets: GroupOffsets, rows: Sequence[Mapping[str, Scalar]]) -> Ints:
    """(n, columns) the groups of rows by their metadata; -1 where a row lacks the column."""
    codes = groups_of(offsets, [dict(row) for row in rows])
    for at, column in enumerate(offsets.columns):
        codes[[column not in row for row in rows], at] = NO_GROUP
    return codes


def without_groups(vectors: Floats, offsets: GroupOffsets, codes: Ints) -> Floats:
    """(n, dim) vectors, each by itself, without what its groups, `codes` (n, columns), share."""
    rows = np.arange(len(vectors))
    each = Corpus(
        ids=[str(row) for row in rows],
        copies_of=rows.astype(np.int32),
        texts=[""] * len(vectors),
        vectors=vectors,
        first=rows,
        weights=np.ones(len(vectors), np.int32),
    )
    return take_off(each, offsets, codes).vectors
