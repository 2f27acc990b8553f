"""The evidence of a cluster: what a model or a person reads to say in words what it is.

Findings (sampled texts, keywords, neighbours, metadata) come in; they go out cleaned, cut and
numbered for citing, as data and as text bounded in characters whatever the length of the texts.
Pure: the same findings give the same evidence.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from corpuscope.tools.core.schema import Node, to_json
from corpuscope.tools.core.text import clean_text, shorten_middle
from corpuscope.tools.describing.sampling import OUTSIDE_ROLES, OUTSIDE_SHOWN, Pick, Role

EVIDENCE_CHARACTERS = 14_000
"""The most that `Evidence.as_text` gives, of a cluster with many parts; about 3,500 tokens of
English."""

BRIEF_CHARACTERS = 1_200
"""The most that `Evidence.as_brief_text` gives: fifteen clusters fit into one answer."""

BRIEF_HEAD_CHARACTERS = 520
"""Of it the most for all but the excerpts."""

BRIEF_KEYWORDS, BRIEF_SIBLINGS, BRIEF_CHILDREN, BRIEF_TRAITS = 6, 3, 3, 2

OF_DATES = re.compile(r": \d{4}-\d\d-\d\d to ")
"""A line of metadata about dates, which brief evidence shows beside the texts."""

BRIEF_SHOWN: dict[Role, int] = {"central": 3, "spread": 2, "keyword": 1, "outside": 1}
"""Excerpts of brief evidence by role, the first of each."""

BRIEF_EXCERPT_CHARACTERS = 40
"""The least of one text in brief evidence: shorter says nothing."""

EXCERPTS_CHARACTERS = 6_600
"""The part of it that all excerpts share; keywords, siblings and metadata have the rest."""

LEAST_EXCERPT_CHARACTERS = 150
"""The least room of one text, however many there are."""

EXCERPT_CHARACTERS = 450
"""The most of one text: its subject shows within a paragraph."""

EXCERPT_LINE_CHARACTERS = 60
"""What stands in the line of an excerpt beside its text: reference, role, copies, cluster, day."""

MAX_EXCERPTS = 38
"""As many as a sample of a cluster with many parts has."""

MAX_KEYWORDS = 8
MAX_SIBLINGS = 8
"""Clusters beside it, the nearest: from the others it differs anyway."""
MAX_CHILDREN = 12
MAX_TRAITS = 12

TRAIT_CHARACTERS = 180
"""The most of one line of metadata."""

LABEL_CHARACTERS = 60
"""The most of a keyword, of a sibling's label, and of the dataset's name."""

KEY_LETTERS = 16
"""Hex digits of a hash that tells one evidence from another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """One text, shortened. `copies` counts the records that say the same, or nearly so."""

    ref: str
    """`r1`, `r2`, …: how an answer cites it."""
    record: str
    text: str
    role: Role
    copies: int = 1
    cluster: str | None = None
    """Of an outsider the cluster that it is in, `noise` if in none; else the part, if any."""
    date: str | None = None
    """The record's day, ISO 8601, where the dataset has a column of dates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyphrase:
    """A phrase that sets the cluster apart, with the share of its texts that hold it, and of those
    of the nearest clusters; None where that was not counted."""

    text: str
    share: float | None = None
    beside: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sibling:
    """A cluster beside this one, or below it. The label is its title, or its keywords where it has
    none."""

    id: str
    label: str
    titled: bool = False
    size: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is shown of one cluster."""

    dataset: str
    cluster: str
    size: int
    """Records in it."""
    share: float
    """`size` as a share of the run's records, 0 to 1."""
    keywords: list[Keyphrase]
    siblings: list[Sibling]
    children: list[Sibling]
    traits: list[str]
    excerpts: list[Excerpt]
    outside: list[Excerpt]

    @property
    def key(self) -> str:
        """A hash of all that is shown but the labels of other clusters, which follow from what was
        described before. Saved descriptions hold it: names and order of the fields are part of it.
        """
        labels = {"__all__": {"label", "titled"}}
        text = to_json(self, exclude={"siblings": labels, "children": labels})
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:KEY_LETTERS]

    @property
    def records(self) -> dict[str, str]:
        """The record behind each reference that may support a sentence."""
        return {excerpt.ref: excerpt.record for excerpt in self.excerpts}

    def with_titles(self, titles: Mapping[str, str]) -> "Evidence":
        """The same evidence, other clusters under the titles that they have by now."""

        def titled(others: Sequence[Sibling]) -> list[Sibling]:
            return [
                _clean_sibling(replace(other, label=titles[other.id], titled=True))
                if other.id in titles
                else other
                for other in others
            ]

        return replace(self, siblings=titled(self.siblings), children=titled(self.children))

    def with_missed(self, missed: Sequence[Excerpt]) -> "Evidence":
        """The same evidence with texts that an earlier description missed, which may be cited."""
        return replace(self, excerpts=[*self.excerpts, *missed])

    def as_text(self) -> str:
        """The evidence as lines, at most `EVIDENCE_CHARACTERS` long."""
        lines = [
            f"Cluster {self.cluster} of the dataset {self.dataset}: "
            f"{self.size:,} records, {_share_text(self.share)} of all.",
        ]
        if self.keywords:
            counted = any(word.share is not None for word in self.keywords)
            head = "Keywords (share of its texts, of the nearest clusters' texts)"
            phrases = "; ".join(_keyphrase_text(word) for word in self.keywords)
            lines.append(f"{head if counted else 'Keywords'}: {phrases}")
        if self.siblings:
            beside = "; ".join(map(_sibling_text, self.siblings))
            lines.append(f"Beside it, the nearest first: {beside}")
        if self.children:
            lines.append("Made of (its records, their share of this cluster, excerpts):")
            lines += [f"- {part}" for part in self._parts()]
        if self.traits:
            lines.append("Metadata:")
            lines += [f"- {trait}" for trait in self.traits]
        lines.append("Excerpts of its texts:")
        lines += [_excerpt_line(excerpt) for excerpt in self.excerpts]
        if self.outside:
            lines.append("Not in it, but near (in the clusters named):")
            lines += [_excerpt_line(excerpt) for excerpt in self.outside]
        return "\n".join(lines)

    def as_brief_text(self) -> str:
        """What tells most of it, at most `BRIEF_CHARACTERS` long; the references are the same."""
        share = _share_text(self.share)
        lines = [f"Cluster {self.cluster}: {self.size:,} records, {share} of all."]
        if self.keywords:
            words = "; ".join(_keyphrase_text(word) for word in self.keywords[:BRIEF_KEYWORDS])
            lines.append(f"Keywords: {words}")
        if self.siblings:
            beside = "; ".join(f"{one.id} {_name(one)}" for one in self.siblings[:BRIEF_SIBLINGS])
            lines.append(f"Beside it: {beside}")
        if self.children:
            parts = self._parts(excerpts=False)
            more = f"; {len(parts) - BRIEF_CHILDREN} more" if len(parts) > BRIEF_CHILDREN else ""
            lines.append(f"Made of: {'; '.join(parts[:BRIEF_CHILDREN])}{more}")
        traits = [trait for trait in self.traits if not OF_DATES.search(trait)]
        lines += [f"- {trait}" for trait in traits[:BRIEF_TRAITS]]
        limit = _common_limit(lines, BRIEF_HEAD_CHARACTERS - len(lines))
        lines = [shorten_middle(line, limit) for line in lines]
        shown = [
            excerpt
            for role, count in BRIEF_SHOWN.items()
            for excerpt in [one for one in [*self.excerpts, *self.outside] if one.role == role][
                :count
            ]
        ]
        room = BRIEF_CHARACTERS - sum(len(line) + 1 for line in lines)
        return "\n".join([*lines, *_fitted(shown, room)])

    def _parts(self, *, excerpts: bool = True) -> list[str]:
        """The parts of the cluster in words, with what is in none that is named."""
        texts = []
        for part in self.children:
            refs = [one.ref for one in self.excerpts if one.cluster == part.id] if excerpts else []
            share = _share_text(part.size / max(1, self.size))
            texts.append(", ".join([f"{part.id} {_name(part)}: {part.size:,}", share, *refs]))
        rest = self.size - sum(part.size for part in self.children)
        if rest > 0:
            texts.append(f"in none of these: {rest:,}, {_share_text(rest / self.size)}")
        return texts


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found about a cluster, before it is cleaned and cut.

    `picks` and `outside` are the texts to show, as points; `texts` and `records` give the text and
    record id of a point; `homes` the cluster that a point outside is in, and the part that one
    inside is in, if the cluster has parts.
    """

    picks: Sequence[Pick]
    outside: Sequence[Pick]
    texts: Mapping[int, str]
    records: Mapping[int, str]
    homes: Mapping[int, str]
    keywords: Sequence[Keyphrase] = ()
    siblings: Sequence[Sibling] = ()
    children: Sequence[Sibling] = ()
    traits: Sequence[str] = ()
    days: Mapping[int, str] = field(default_factory=dict)
    """The day of each point that has one."""


def build_evidence(dataset: str, node: Node, findings: Findings) -> Evidence:
    """The evidence for one cluster, cleaned and bounded.

    Texts that differ only in case and space are shown once, the records behind them added up; one
    that is inside and outside is shown inside only.
    """
    by_text: dict[str, Excerpt] = {}
    shown = [*findings.picks[: MAX_EXCERPTS - OUTSIDE_SHOWN], *findings.outside[:OUTSIDE_SHOWN]]
    room = EXCERPTS_CHARACTERS // max(1, len(shown)) - EXCERPT_LINE_CHARACTERS
    room = max(room, LEAST_EXCERPT_CHARACTERS)
    for pick in shown:
        text = clean_text(findings.texts[pick.point])
        folded = text.casefold()
        if (earlier := by_text.get(folded)) is not None:
            # A text on both sides tells nothing, and is no copy of the one inside.
            if pick.role not in OUTSIDE_ROLES or earlier.role in OUTSIDE_ROLES:
                by_text[folded] = replace(earlier, copies=earlier.copies + pick.records)
        elif text:
            by_text[folded] = Excerpt(
                ref=f"r{len(by_text) + 1}",
                record=findings.records[pick.point],
                text=shorten_middle(text, min(EXCERPT_CHARACTERS, room)),
                role=pick.role,
                copies=pick.records,
                cluster=findings.homes.get(pick.point),
                date=findings.days.get(pick.point),
            )
    return Evidence(
        dataset=shorten_middle(clean_text(dataset), LABEL_CHARACTERS),
        cluster=node.id,
        size=node.size,
        share=node.share,
        keywords=[_clean_phrase(word) for word in findings.keywords][:MAX_KEYWORDS],
        siblings=[_clean_sibling(other) for other in findings.siblings[:MAX_SIBLINGS]],
        children=[_clean_sibling(child) for child in findings.children[:MAX_CHILDREN]],
        traits=[
            shorten_middle(clean_text(trait), TRAIT_CHARACTERS)
            for trait in findings.traits[:MAX_TRAITS]
        ],
        excerpts=[one for one in by_text.values() if one.role not in OUTSIDE_ROLES],
        outside=[one for one in by_text.values() if one.role in OUTSIDE_ROLES],
    )


def _clean_phrase(word: Keyphrase) -> Keyphrase:
    return replace(word, text=shorten_middle(clean_text(word.text), LABEL_CHARACTERS))


def _clean_sibling(sibling: Sibling) -> Sibling:
    return replace(sibling, label=shorten_middle(clean_text(sibling.label), LABEL_CHARACTERS))


def _keyphrase_text(word: Keyphrase) -> str:
    if word.share is None or word.beside is None:
        return word.text
    return f"{word.text} ({word.share:.0%}, {word.beside:.0%})"


def _share_text(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "under 0.1%"


def _name(sibling: Sibling) -> str:
    return f'"{sibling.label}"' if sibling.titled else f"({sibling.label or 'no keywords'})"


def _sibling_text(sibling: Sibling) -> str:
    records = f" ({sibling.size:,} records)" if sibling.titled else ""
    return f"{sibling.id} {_name(sibling)}{records}"


def _excerpt_line(excerpt: Excerpt) -> str:
    place: str = excerpt.role
    if excerpt.role in OUTSIDE_ROLES:
        place = f"in {excerpt.cluster}"
    elif excerpt.cluster is not None:
        place += f", part {excerpt.cluster}"
    if excerpt.role == "overlap":
        place = f"same subject, {place}"
    return f"{excerpt.ref} ({', '.join([place, *_marks(excerpt)])}): {excerpt.text}"


def _marks(excerpt: Excerpt) -> list[str]:
    """How many records say the same, and the day."""
    copies = [f"x{excerpt.copies:,}"] if excerpt.copies > 1 else []
    return copies + ([excerpt.date] if excerpt.date else [])


def _fitted(excerpts: Sequence[Excerpt], room: int) -> list[str]:
    """The excerpts in lines that fit into so many characters: long texts are cut to one length, and
    the last are left out where that is too short."""
    leads = []
    for excerpt in excerpts:
        outside = [f"not in it, but in {excerpt.cluster}"] if excerpt.role == "outside" else []
        marks = ", ".join([*outside, *_marks(excerpt)])
        leads.append(f"{excerpt.ref} ({marks}): " if marks else f"{excerpt.ref}: ")
    for count in range(len(excerpts), 0, -1):
        texts = [excerpt.text for excerpt in excerpts[:count]]
        limit = _common_limit(texts, room - sum(len(lead) + 1 for lead in leads[:count]))
        if limit >= min(BRIEF_EXCERPT_CHARACTERS, max(map(len, texts))):
            cut = [shorten_middle(text, limit) for text in texts]
            return [lead + text for lead, text in zip(leads, cut, strict=False)]
    return []


def _common_limit(texts: Sequence[str], room: int) -> int:
    """The length to which texts are to be cut so that all together have so many characters: what
    short ones leave goes to the long ones."""
    lengths = sorted(map(len, texts))
    for number, length in enumerate(lengths):
        limit = room // (len(texts) - number)
        if length > limit:
            return limit
        room -= length
    return lengths[-1] if texts else 0
