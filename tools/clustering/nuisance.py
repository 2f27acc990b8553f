"""Themes across the groups of a column: what a group has in common is taken off its vectors.

In: a corpus, and the values that its records have in one or more columns. Out: an offset for each
group, and the corpus without them; and how far clusters repeat a column.

Where every text names its airline, or was written in the style of its source, the densest groups
of texts are those. An offset is the mean of the group's texts less that of all, shrunk as the best
linear unbiased prediction of a random effect is (Robinson 1991, "That BLUP is a good thing",
Statistical Science 6): times n / (n + v), where v, the variance within groups over that between
them, is read off the data. A group of few texts keeps what is its own; one of many is set on the
mean of all. The offsets of several columns are found together, each on what the others leave. Then
the few axes along which groups differ most are taken out of all texts (Ravfogel et al. 2020, "Null
it out", ACL), as the mean alone leaves what varies within a group along its offset.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from corpuscope.tools.clustering.corpus import Corpus
from corpuscope.tools.core.schema import Floats, GroupOffsets, Ints, Scalar
from corpuscope.tools.core.vectors import unit_rows

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FEWEST_IN_GROUP = 10
"""Records of a value that are a group of their own; rarer values are one group together. The mean
of fewer is mostly the texts themselves, and nothing that they share."""

BACKFITTING_ROUNDS = 10
"""Passes over several columns. They end where the offsets no longer move, mostly after three."""

SETTLED = 1e-3
"""Columns are settled when no offset moves by more than this share of the longest."""

AXIS_SHARE = 0.05
"""Share of what the groups differ by from which an axis is taken out of all texts. A short text
holds more of its group's word than a long one: what the mean leaves of it lies along the offset.
Many groups differ in many ways, none of which is worth an axis that themes may need."""

SHUFFLES = 8
"""Shuffled columns that say how far groups of these sizes agree by chance: their mean is known to
a third of its spread, which is small in thousands of records."""

NO_GROUP = -1


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of one column: by each value, as JSON, the number of its group; `rest`, that of
    the values too rare to be named (-1: none are); `codes` (n,) int32 of the records; how many
    `values` there are, and the share of the records whose value is `named`, 0 to 1."""

    numbers: dict[str, int]
    rest: int
    codes: Ints
    values: int
    named: float


def group_records(values: Sequence[Scalar]) -> Groups:
    """The groups of records by their values; a missing value (None) is a value like others.

    Records without a value may come from one source that never gives it. Values that fewer than
    `FEWEST_IN_GROUP` records have are one group together.
    """
    keys = [value_key(value) for value in values]
    counts = Counter(keys)
    large = sorted(
        (key for key, count in counts.items() if count >= FEWEST_IN_GROUP),
        key=lambda key: (-counts[key], key),
    )
    numbers = {key: number for number, key in enumerate(large)}
    rest = len(large) if len(large) < len(counts) else NO_GROUP
    codes = np.fromiter((numbers.get(key, rest) for key in keys), np.int32, len(keys))
    named = float((codes != rest).mean()) if rest != NO_GROUP and len(codes) else 1.0
    return Groups(numbers, rest, codes, len(counts), named)


def value_key(value: Scalar) -> str:
    """A metadata value as the key of its group."""
    return json.dumps(value, ensure_ascii=False)


def groups_of(offsets: GroupOffsets, rows: Sequence[dict[str, Scalar]]) -> Ints:
    """(n, columns) int32, the groups of records that the run does not know, by their metadata.

    A value that no record of the run had is rare: it goes with the rare ones, where there are any.
    """
    codes = np.full((len(rows), len(offsets.columns)), NO_GROUP, np.int32)
    for at, column in enumerate(offsets.columns):
        numbers, rest = offsets.values[at], offsets.rest[at]
        codes[:, at] = [numbers.get(value_key(row.get(column)), rest) for row in rows]
    return codes


def find_offsets(corpus: Corpus, columns: Sequence[str], groups: Sequence[Groups]) -> GroupOffsets:
    """The offsets of the groups of one or more columns.

    Distinct texts are counted, so that no text that is repeated often stands for its group; one
    whose records are in several groups is in each by its share.
    """
    shares = [_shares(corpus, group.codes, group.codes.max(initial=0) + 1) for group in groups]
    sizes = [np.asarray(share.sum(axis=0), np.float64) for share in shares]
    centre = corpus.vectors.mean(axis=0)
    left = corpus.vectors - centre
    priors = [_prior(left, share, size) for share, size in zip(shares, sizes, strict=True)]
    offsets = [np.zeros((len(size), left.shape[1]), np.float32) for size in sizes]
    for _round in range(BACKFITTING_ROUNDS):
        moved = 0.0
        for at, (share, size) in enumerate(zip(shares, sizes, strict=True)):
            # What this column would have to explain, were it not for the others.
            missing = (share.T @ left) / np.maximum(size, 1.0)[:, None] + _smoothed(
                share, size, offsets[at]
            )
            found = (missing * (size / (size + priors[at]))[:, None]).astype(np.float32)
            left -= share @ (found - offsets[at])
            longest = float(np.linalg.norm(found, axis=1).max(initial=0.0))
            step = float(np.linalg.norm(found - offsets[at], axis=1).max(initial=0.0))
            moved = max(moved, step / longest if longest else 0.0)
            offsets[at] = found
        if len(columns) == 1 or moved < SETTLED:
            break
    return GroupOffsets(
        columns=list(columns),
        values=[group.numbers for group in groups],
        rest=[group.rest for group in groups],
        offsets=offsets,
        codes=np.stack([group.codes for group in groups], axis=1),
        axes=_main_axes(offsets, sizes),
        centre=centre,
    )


def take_off(corpus: Corpus, offsets: GroupOffsets, codes: Ints) -> Corpus:
    """The corpus with the offsets taken off its vectors, which are of unit length again.

    `codes` (n, columns) are the groups of its records; a record of no group (-1) has no offset, and
    loses only what all lose along the axes.
    """
    vectors = corpus.vectors.copy()
    for at, offset in enumerate(offsets.offsets):
        # A row of zeros more, which the code -1 finds.
        padded = np.concatenate((offset, np.zeros((1, offset.shape[1]), np.float32)))
        share = _shares(corpus, np.where(codes[:, at] < 0, len(offset), codes[:, at]), len(padded))
        vectors -= share @ padded
    # Along the axes of the offsets all texts are set on the mean.
    vectors -= ((vectors - offsets.centre) @ offsets.axes.T) @ offsets.axes
    # A text without a direction of its own (no known word) must not get that of its group.
    vectors[~corpus.vectors.any(axis=1)] = 0.0
    return replace(corpus, vectors=unit_rows(vectors))


def repeated_share(labels: Ints, codes: Ints) -> float:
    """How much of a column the clusters tell, beyond chance: 0 (nothing) to 1 (all of it).

    `labels` and `codes` (n,), both from 0: the share of the column's entropy that falls away once
    the cluster is known, adjusted for what groups of these sizes share by chance. Unlike the
    adjusted mutual information it does not fall where each value is in many clusters.
    """
    from scipy.stats import entropy
    from sklearn.metrics import mutual_info_score

    if not len(codes):
        return 0.0
    random = np.random.default_rng(0)
    chance = [mutual_info_score(labels, random.permutation(codes)) for _ in range(SHUFFLES)]
    expected, whole = float(np.mean(chance)), float(entropy(np.bincount(codes)))
    known = float(mutual_info_score(labels, codes))
    return max(0.0, (known - expected) / (whole - expected)) if whole > expected else 0.0


def _shares(corpus: Corpus, codes: NDArray[np.int32], groups: int) -> "csr_array":
    """(m, groups) sparse: the share of each distinct text's records that is in each group."""
    from scipy.sparse import csr_array

    rows = corpus.copies_of
    each = (1.0 / np.maximum(corpus.weights, 1))[rows].astype(np.float32)
    return csr_array((each, (rows, codes)), shape=(len(corpus.texts), int(groups)))


def _smoothed(share: "csr_array", size: NDArray[np.floating], offset: Floats) -> Floats:
    """The offsets as the groups' texts have them on average: some texts are in several groups."""
    smoothed: Floats = (share.T @ (share @ offset)) / np.maximum(size, 1.0)[:, None]
    return smoothed


def _prior(vectors: Floats, share: "csr_array", size: NDArray[np.floating]) -> float:
    """The variance within groups over that between them, by the moments of the one-way analysis
    of variance: how many texts a group needs for half of its mean to be believed."""
    count, groups = len(vectors), len(size)
    means = (share.T @ vectors) / np.maximum(size, 1.0)[:, None]
    inside = float(((vectors - share @ means) ** 2).sum()) / max(1, count - groups)
    spread = float((size * (means**2).sum(axis=1)).sum()) - (groups - 1) * inside
    effective = count - float((size**2).sum()) / max(1, count)
    between = spread / effective if effective > 0 else 0.0
    return inside / between if between > 0 else float("inf")


def _main_axes(offsets: Sequence[Floats], sizes: Sequence[NDArray[np.floating]]) -> Floats:
    """(a, dim) unit vectors: the axes along which groups differ, those that carry `AXIS_SHARE`."""
    weighted = [each * np.sqrt(size)[:, None] for each, size in zip(offsets, sizes, strict=True)]
    _left, lengths, axes = np.linalg.svd(np.concatenate(weighted), full_matrices=False)
    carried = lengths**2 / max(float((lengths**2).sum()), np.finfo(np.float32).tiny)
    main: Floats = axes[carried >= AXIS_SHARE].astype(np.float32)
    return main
