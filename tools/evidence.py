"""What a model or a person is shown of a cluster, to say in words what it is.

Pure functions: the same records and seed give the same evidence, bounded in characters whatever
the length of the texts.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np

from corpuscope.tools.schema import Floats, Frozen, Node

Role: TypeAlias = Literal["central", "sampled", "edge"]

RECORDS = 12
"""Records shown of a cluster: enough to see its spread, at some 2,000 tokens."""

EDGES = 2
"""Of these, the weakest members: they show where the cluster ends."""

EVIDENCE_CHARACTERS = 10_000
"""The most that `Evidence.as_text` gives; about 2,500 tokens of English."""

EXCERPTS_CHARACTERS = 7_000
"""The part of it that all excerpts share; keywords and siblings have the rest."""

EXCERPT_CHARACTERS = 600
"""The most of one text: its subject shows within a paragraph."""

LINE_CHARACTERS = 80
"""What stands in the line of an excerpt beside its text: reference, record id, role, copies."""

MAX_EXCERPTS = 24
MAX_KEYWORDS = 15
MAX_SIBLINGS = 20

LABEL_CHARACTERS = 60
"""The most of a keyword, of a sibling's label, and of the dataset's name."""

# Control characters but those that are white space; lone surrogates; and what Unicode lists as
# Default_Ignorable (zero-width, bidi, tags, variation selectors): unseen by the person, read by
# the model.
UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff\xad\u034f\u061c\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


class Excerpt(Frozen):
    """One text of the cluster, shortened. `copies` counts the chosen records that say the same."""

    ref: str
    """`r1`, `r2`, …: how an answer cites it."""
    record: str
    text: str
    role: Role
    copies: int = 1


class Sibling(Frozen):
    """A cluster beside this one. The label is its title, or its keywords where it has none."""

    id: str
    label: str


class Evidence(Frozen):
    """All that is shown of one cluster."""

    dataset: str
    cluster: str
    size: int
    """Records in it."""
    share: float
    """`size` as a share of the run's records, 0 to 1."""
    keywords: list[str]
    siblings: list[Sibling]
    excerpts: list[Excerpt]

    def as_text(self, record_ids: bool = False) -> str:
        """The evidence as lines, at most `EVIDENCE_CHARACTERS` long.

        With `record_ids`, each excerpt also shows the id of its record, which is what
        `label-cluster` takes; a prompt does without them, since the answer cites references.
        """
        share = f"{self.share:.1%}" if self.share >= 0.001 else "under 0.1%"
        lines = [
            f"Cluster {self.cluster} of the dataset {self.dataset}: "
            f"{self.size:,} records, {share} of all.",
            f"Keywords: {', '.join(self.keywords) or 'none'}",
        ]
        if self.siblings:
            named = "; ".join(f"{sibling.id} ({sibling.label})" for sibling in self.siblings)
            lines.append(f"Beside it: {named}")
        lines.append("Excerpts, each with its reference and its place in the cluster:")
        lines += [_excerpt_line(excerpt, record_ids) for excerpt in self.excerpts]
        return "\n".join(lines)


def choose_records(
    exemplars: Sequence[str],
    members: Sequence[str],
    strengths: Floats,
    *,
    seed: int,
    count: int = RECORDS,
) -> list[tuple[str, Role]]:
    """The records that show a cluster: exemplars, a spread sample of the rest, and its edge.

    Args:
        exemplars: Ids of the records that show best what it is, the most central first.
        members: Ids of all its records, in any order.
        strengths: (len(members),) membership strengths; larger is more central.
        seed: Chooses the sample. The same input gives the same records.
        count: How many to choose; all members where there are no more.

    Returns:
        Ids with their role, none twice: up to half `central`, then `sampled` (one from each of
        equal steps of strength, strongest first), then `EDGES` `edge`.
    """
    central = list(dict.fromkeys(exemplars))[: max(1, count // 2)]
    strength = dict(zip(members, strengths.tolist(), strict=True))
    rest = sorted(strength.keys() - set(central), key=lambda record: (-strength[record], record))
    space = max(0, count - len(central))
    edges = min(EDGES, space, max(0, len(rest) - 1))
    edge = rest[len(rest) - edges :]
    inner = rest[: len(rest) - edges]
    steps = np.array_split(np.arange(len(inner)), max(1, min(space - edges, len(inner))))
    random = np.random.default_rng(seed)
    sampled = [inner[random.choice(step)] for step in steps if len(step)] if space > edges else []
    return (
        [(record, "central") for record in central]
        + [(record, "sampled") for record in sampled]
        + [(record, "edge") for record in edge]
    )


def build_evidence(
    dataset: str,
    node: Node,
    siblings: Sequence[Sibling],
    chosen: Sequence[tuple[str, Role]],
    texts: Mapping[str, str],
) -> Evidence:
    """The evidence for one cluster, cleaned and bounded.

    Args:
        dataset: The dataset's name.
        node: The cluster.
        siblings: The clusters beside it, the largest or nearest first; the first
            `MAX_SIBLINGS` are kept.
        chosen: What `choose_records` gave; the first `MAX_EXCERPTS` distinct texts are kept.
        texts: Record id to text, for at least the chosen ones.
    """
    first: dict[str, tuple[str, Role, str]] = {}
    copies: dict[str, int] = {}
    for record, role in chosen:
        text = clean_text(texts[record])
        same = text.casefold()
        if text:
            first.setdefault(same, (record, role, text))
            copies[same] = copies.get(same, 0) + 1
    shown = list(first.items())[:MAX_EXCERPTS]
    room = EXCERPTS_CHARACTERS // max(1, len(shown)) - LINE_CHARACTERS
    limit = min(EXCERPT_CHARACTERS, room)
    return Evidence(
        dataset=shorten(clean_text(dataset), LABEL_CHARACTERS),
        cluster=node.id,
        size=node.size,
        share=node.share,
        keywords=[shorten(clean_text(word), LABEL_CHARACTERS) for word in node.keywords][
            :MAX_KEYWORDS
        ],
        siblings=[
            Sibling(id=beside.id, label=shorten(clean_text(beside.label), LABEL_CHARACTERS))
            for beside in siblings[:MAX_SIBLINGS]
        ],
        excerpts=[
            Excerpt(
                ref=f"r{number}",
                record=record,
                text=shorten(text, limit),
                role=role,
                copies=copies[same],
            )
            for number, (same, (record, role, text)) in enumerate(shown, start=1)
        ],
    )


def clean_text(text: str) -> str:
    """The text on one line, without control, zero-width, bidi and other unseen characters."""
    return " ".join(UNSEEN.sub("", text).split())


def shorten(text: str, limit: int) -> str:
    """The text in at most `limit` characters, the middle cut: two thirds head, one third tail."""
    mark = " … "
    if len(text) <= limit:
        return text
    tail = (limit - len(mark)) // 3
    head = limit - len(mark) - tail
    return f"{text[:head].rstrip()}{mark}{text[len(text) - tail :].lstrip()}"


def _excerpt_line(excerpt: Excerpt, record_ids: bool) -> str:
    record = f" {excerpt.record}" if record_ids else ""
    copies = f", {excerpt.copies} alike" if excerpt.copies > 1 else ""
    return f"{excerpt.ref}{record} ({excerpt.role}{copies}): {excerpt.text}"
