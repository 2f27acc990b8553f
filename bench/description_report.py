"""The section about words: do descriptions prove themselves, differ, and name the true label?"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import combinations
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory

import numpy as np

from bench.description_methods import Account, Ground, by_keywords, by_model, prepare
from bench.table import NOT_THERE, markdown, section
from corpuscope.server.settings import open_workspace, read_settings
from corpuscope.tools.analysis.keywords import word_stems
from corpuscope.tools.analysis.stop_words import CONTENT_WORDS
from corpuscope.tools.core.schema import Description, Proof
from corpuscope.tools.describing.describe import prove_description
from corpuscope.tools.describing.gathering import DescriptionTask
from corpuscope.tools.describing.judge import Judge
from corpuscope.tools.describing.proof import proof_word
from corpuscope.tools.describing.result import usage_cost
from corpuscope.tools.describing.titles import alike_pairs
from corpuscope.tools.embedding.spec import LEXICAL
from corpuscope.tools.llm.budget import estimate_tokens

FEWEST_LETTERS = 3
"""Shorter words of a label's name, as of, up, in, are in any title."""

LOW = 10
"""The percentile of the AUC that says how bad the bad ones are."""

WORDS = ("strong", "fair", "weak", "blurred", "not tried")
"""The words that a proof may get."""


def in_words(folder: Path, name: str, model: Path) -> str:
    """The section: a set described from keywords, and by a model where the settings name one.

    `model` is the folder of the ONNX model that made the vectors; where it is none, words are
    compared with words.
    """
    with TemporaryDirectory(prefix="corpuscope-bench-") as home:
        settings = read_settings(home=Path(home), allowed_dirs=(folder.resolve(),), milvus_uri=None)
        workspace = open_workspace(settings)
        with closing(workspace.store):
            ground = prepare(workspace, folder.resolve(), name, model.resolve())
            accounts = [by_keywords(ground)]
            if workspace.writer is not None:
                accounts.append(by_model(ground, workspace.writer))
            return as_section(ground, accounts)


def as_section(ground: Ground, accounts: Sequence[Account]) -> str:
    """What the accounts are worth, side by side."""
    by = ground.judge.embedder.spec if ground.judge else LEXICAL
    how = f"compared by `{by.rpartition('/')[2]}`"
    if by == LEXICAL:
        how += ", for want of the model that made the vectors (`--model`)"
    cost = ground.gathering
    bests = [proof.best for proof in proofs(ground, accounts[0].final, {}) if proof]
    ceiling = f" The mean of a cluster's own vectors reaches {mean(bests):.3f}." if bests else ""
    what = (
        "The clusters of the recommended layer. AUC is the proof of a description: how well title "
        f"and summary, {how}, tell texts of the cluster that the writer did not see from texts of "
        'the nearest clusters. "nearest other\'s" is the wrong description in its place: that of '
        "the cluster with the nearest mean, whose own texts are among the others, so that it may "
        f"fall below 0.5.{ceiling} The true label of a cluster is that of most "
        f"of its records. Gathering the evidence took {cost.seconds:.1f} s and added "
        f"{cost.added:,.0f} MB.\n"
    )
    parts = [proof_table(ground, accounts), title_table(ground, accounts)]
    if any(account.used.calls for account in accounts):
        parts.append(model_table(ground, accounts))
    title = f"{ground.selection.card.name}: descriptions of {len(ground.packs)} clusters"
    return section(title, what, *parts)


def proof_table(ground: Ground, accounts: Sequence[Account]) -> str:
    """Proof and label of each description, and of the nearest other cluster's in its place."""
    near = nearest_others(ground.packs)
    head = ["descriptions"]
    columns: list[list[str]] = []
    for account in accounts:
        for name, of in ((account.name, {}), ("nearest other's", near)):
            head.append(name)
            columns.append(_proof_column(ground, account, of))
    rows = [
        "AUC, mean",
        f"AUC, {LOW}th percentile",
        *WORDS,
        "titles with a word of the true label's name",
    ]
    table = [[row, *(column[at] for column in columns)] for at, row in enumerate(rows)]
    return markdown(head, table)


def title_table(ground: Ground, accounts: Sequence[Account]) -> str:
    """How many pairs of titles are nearly equal, and what a description is made from."""
    tokens = [estimate_tokens(pack.evidence.as_text()) for pack in ground.packs.values()]
    evidence = f"{mean(tokens):,.0f} ({min(tokens):,} to {max(tokens):,})" if tokens else NOT_THERE
    rows = [
        [
            account.name,
            alike(ground.judge, account.first),
            alike(ground.judge, account.final),
            evidence,
            *(
                f"{count / max(1, len(account.first)):,.0f}"
                for count in (account.used.tokens_in, account.used.tokens_out)
            ),
        ]
        for account in accounts
    ]
    head = [
        "",
        "pairs of nearly equal titles",
        "after telling apart",
        "evidence, tokens (bytes / 4)",
    ]
    return markdown([*head, "tokens in, per cluster", "out"], rows)


def model_table(ground: Ground, accounts: Sequence[Account]) -> str:
    """What models used, and how well they sort texts by the descriptions alone."""
    rows = []
    for account in accounts:
        if not account.used.calls or ground.workspace.writer is None:
            continue
        cost = usage_cost(account.used, ground.workspace.writer)
        tried = [written.proof for written in account.final.values() if written.proof]
        rows.append(
            [
                account.name,
                f"{len(ground.packs) - len(account.first)}",
                f"{sum(written.author != 'llm' for written in account.first.values())}",
                f"{cost.calls:,}",
                f"{account.seconds:.1f}",
                NOT_THERE if cost.price is None else f"{cost.price:.4f}",
                _mean([proof.precision for proof in tried]),
                _mean([proof.recall for proof in tried]),
                f"{account.sorting.tokens / max(1, len(account.first)):,.0f}",
            ]
        )
    head = ["model", "failed", "from keywords after all", "calls", "seconds", "price"]
    return markdown([*head, "sorts with precision", "recall", "tokens to sort, per cluster"], rows)


def proofs(
    ground: Ground, written: Mapping[str, Description], of: Mapping[str, str]
) -> list[Proof | None]:
    """The proof of each cluster's texts with its description, or with that of the cluster that
    `of` names for it."""
    return [
        prove_description(ground.judge, written[of.get(cluster, cluster)], pack).proof
        for cluster, pack in ground.packs.items()
        if of.get(cluster, cluster) in written
    ]


def nearest_others(packs: Mapping[str, DescriptionTask]) -> dict[str, str]:
    """For each cluster the one whose mean is nearest to its own; none for an only one."""
    if len(packs) < 2:
        return {}
    ids = list(packs)
    means = np.stack([pack.trial.centroid for pack in packs.values()])
    similar = means @ means.T
    np.fill_diagonal(similar, -np.inf)
    return {
        cluster: ids[nearest] for cluster, nearest in zip(ids, similar.argmax(axis=1), strict=True)
    }


def alike(judge: Judge | None, written: Mapping[str, Description]) -> str:
    """How many pairs of the clusters, which stand in one layer, have nearly equal titles."""
    titles = {cluster: description.title for cluster, description in written.items()}
    pairs = len(list(combinations(titles, 2)))
    count = len(alike_pairs(titles, judge.embedder if judge else None))
    return f"{count} of {pairs:,} ({count / max(1, pairs):.2%})"


def names_label(title: str, label: str) -> bool:
    """Whether a title has a word of a label's name, whatever its plural; words such as not and
    for do not count, and short ones only where the name has no others."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    words = _words(label)
    stop = ENGLISH_STOP_WORDS - CONTENT_WORDS
    telling = [word for word in words if len(word) >= FEWEST_LETTERS and word not in stop]
    return bool(word_stems(" ".join(telling or words)) & word_stems(" ".join(_words(title))))


def are_names(labels: Mapping[str, str]) -> bool:
    """Whether labels are words, and not numbers."""
    return bool(labels) and all(re.search(r"[^\W\d_]", label) for label in labels.values())


def _proof_column(ground: Ground, account: Account, of: Mapping[str, str]) -> list[str]:
    """A writer's column; every cluster with its own description where `of` is empty."""
    tried = proofs(ground, account.final, of)
    aucs = [proof.auc for proof in tried if proof]
    counted = Counter(proof_word(proof) for proof in tried)
    named = NOT_THERE
    if are_names(ground.labels):
        hits = [
            names_label(account.final[of.get(cluster, cluster)].title, label)
            for cluster, label in ground.labels.items()
            if of.get(cluster, cluster) in account.final
        ]
        named = f"{mean(hits):.2f}" if hits else NOT_THERE
    return [
        f"{mean(aucs):.3f}" if aucs else NOT_THERE,
        f"{np.percentile(aucs, LOW):.3f}" if aucs else NOT_THERE,
        *(f"{counted[word]}" for word in WORDS),
        named,
    ]


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{mean(known):.2f}" if known else NOT_THERE


def _words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.casefold())
