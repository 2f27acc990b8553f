"""The evidence of a cluster: what a model or a person reads to say in words what it is.

Findings (sampled texts, keywords, neighbours, metadata) come in; they go out cleaned, cut and
numbered for citing, as data and as text bounded in characters whatever the length of the texts.
Pure: the same findings give the same evidence.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from corpuscope.tools.core.schema import Node, to_json
from corpuscope.tools.core.text import clean_text, shorten_middle
from corpuscope.tools.describing.sampling import OUTSIDE_SHOWN, Pick, Role

EVIDENCE_CHARACTERS = 12_000
"""The most that `Evidence.as_text` gives; about 3,000 tokens of English."""

EXCERPTS_CHARACTERS = 6_900
"""The part of it that all excerpts share; keywords, siblings and metadata have the rest."""

EXCERPT_CHARACTERS = 450
"""The most of one text: its subject shows within a paragraph."""

EXCERPT_LINE_CHARACTERS = 50
"""What stands in the line of an excerpt beside its text: reference, role, copies, cluster."""

MAX_EXCERPTS = 24
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

    def as_text(self) -> str:
        """The evidence as lines, at most `EVIDENCE_CHARACTERS` long."""
        share = f"{self.share:.1%}" if self.share >= 0.001 else "under 0.1%"
        lines = [
            f"Cluster {self.cluster} of the dataset {self.dataset}: "
            f"{self.size:,} records, {share} of all.",
        ]
        if self.keywords:
            counted = any(word.share is not None for word in self.keywords)
            head = "Keywords (share of its texts, of the nearest clusters' texts)"
            phrases = "; ".join(_keyphrase_text(word) for word in self.keywords)
            lines.append(f"{head if counted else 'Keywords'}: {phrases}")
        if self.siblings:
            lines.append(f"Beside it, the nearest first: {_siblings_text(self.siblings)}")
        if self.children:
            lines.append(f"Made of: {_siblings_text(self.children)}")
        if self.traits:
            lines.append("Metadata:")
            lines += [f"- {trait}" for trait in self.traits]
        lines.append("Excerpts of its texts:")
        lines += [_excerpt_line(excerpt) for excerpt in self.excerpts]
        if self.outside:
            lines.append("Not in it, but near (in the clusters named):")
            lines += [_excerpt_line(excerpt) for excerpt in self.outside]
        return "\n".join(lines)


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


def build_evidence(dataset: str, node: Node, findings: Findings) -> Evidence:
    """The evidence for one cluster, cleaned and bounded.

    Texts that differ only in case and space are shown once, the records behind them added up; one
    that is inside and outside is shown inside only.
    """
    by_text: dict[str, Excerpt] = {}
    shown = [*findings.picks[: MAX_EXCERPTS - OUTSIDE_SHOWN], *findings.outside[:OUTSIDE_SHOWN]]
    room = EXCERPTS_CHARACTERS // max(1, len(shown)) - EXCERPT_LINE_CHARACTERS
    for pick in shown:
        text = clean_text(findings.texts[pick.point])
        folded = text.casefold()
        if (earlier := by_text.get(folded)) is not None:
            # A text on both sides tells nothing, and is no copy of the one inside.
            if pick.role != "outside" or earlier.role == "outside":
                by_text[folded] = replace(earlier, copies=earlier.copies + pick.records)
        elif text:
            by_text[folded] = Excerpt(
                ref=f"r{len(by_text) + 1}",
                record=findings.records[pick.point],
                text=shorten_middle(text, min(EXCERPT_CHARACTERS, room)),
                role=pick.role,
                copies=pick.records,
                cluster=findings.homes.get(pick.point),
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
        excerpts=[excerpt for excerpt in by_text.values() if excerpt.role != "outside"],
        outside=[excerpt for excerpt in by_text.values() if excerpt.role == "outside"],
    )


def _clean_phrase(word: Keyphrase) -> Keyphrase:
    return replace(word, text=shorten_middle(clean_text(word.text), LABEL_CHARACTERS))


def _clean_sibling(sibling: Sibling) -> Sibling:
    return replace(sibling, label=shorten_middle(clean_text(sibling.label), LABEL_CHARACTERS))


def _keyphrase_text(word: Keyphrase) -> str:
    if word.share is None or word.beside is None:
        return word.text
    return f"{word.text} ({word.share:.0%}, {word.beside:.0%})"


def _siblings_text(siblings: Sequence[Sibling]) -> str:
    return "; ".join(
        f'{sibling.id} "{sibling.label}" ({sibling.size:,} records)'
        if sibling.titled
        else f"{sibling.id} ({sibling.label or 'no keywords'})"
        for sibling in siblings
    )


def _excerpt_line(excerpt: Excerpt) -> str:
    copies = f", {excerpt.copies:,} alike" if excerpt.copies > 1 else ""
    place = f"in {excerpt.cluster}" if excerpt.role == "outside" else excerpt.role
    if excerpt.role != "outside" and excerpt.cluster is not None:
        place += f", part {excerpt.cluster}"
    return f"{excerpt.ref} ({place}{copies}): {excerpt.text}"
