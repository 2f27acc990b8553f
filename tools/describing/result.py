"""What `describe-cluster` answers: descriptions with proof and stability, failures, what is left to
write, and what a model used or would use; as data, and as text for the chat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from corpuscope.tools.clustering.stability import (
    format_stability,
    known_stability_word,
    stability_meanings,
)
from corpuscope.tools.core.schema import (
    Author,
    Description,
    Node,
    Proof,
    Result,
    Sentence,
    Stability,
    Verbatim,
)
from corpuscope.tools.describing.proof import PROOF_MEANING, format_proof, proof_word
from corpuscope.tools.llm.budget import Usage
from corpuscope.tools.workspace.workspace import LlmOptions

CLUSTERS_NAMED = 30
"""Of clusters that share a reason for having no description."""

MILLION = 1_000_000

Detail = Literal["brief", "full"]


class DescribedCluster(Result):
    """One cluster in words."""

    cluster: Verbatim
    title: str
    summary: list[Sentence]
    keywords: list[str]
    misfits: str
    """What does not fit, in the writer's words; empty where everything does."""
    size: int
    share: float
    author: Author
    note: str
    """Why it is not what was asked for; mostly empty."""
    stale: str | None
    """Where it was written, `r1:3`, if the cluster has become another since then."""
    changed: float
    """Share of its records that changed since then, 0 to 1."""
    alike: bool
    """Whether its title is nearly another's, and no call was left to tell them apart."""
    proof: Proof | None
    proof_word: str
    """strong, fair, weak, blurred (the cluster itself overlaps others), or not tried."""
    stability: float | None = None
    """0 to 1: how surely it comes back when a part of the texts is clustered again; None where
    that was not checked."""
    stability_word: str | None = None
    """stable, shaky, unstable, or `not checked` where only others were; None where none was."""

    def with_summary(self, summary: list[Sentence]) -> Self:
        """The cluster with another summary."""
        return self._with(summary=summary)

    def as_text(self) -> str:
        """Title, summary, and how far they can be trusted."""
        summary = " ".join(sentence.text for sentence in self.summary)
        summary = summary or "Its title was given alone; with refresh a summary is written."
        holds = f", {format_stability(self.stability)}" if self.stability_word else ""
        misfits = f"\n  Does not fit: {self.misfits}" if self.misfits else ""
        if doubts := citation_doubts(self.summary):
            misfits += f"\n  To check: {doubts}."
        if self.note:
            misfits += f"\n  {self.note} With refresh it is asked again."
        if self.stale:
            misfits += (
                f"\n  Stale: written for {self.stale}, {self.changed:.0%} of its records changed "
                "since. With refresh it is written anew."
            )
        if self.alike:
            misfits += "\n  Its title is nearly another's: call again to have them told apart."
        return (
            f"{self.cluster}: {self.title} ({self.size:,} records, {self.share:.1%}, "
            f"by {self.author}; {format_proof(self.proof)}{holds})\n  {summary}{misfits}"
        )


class Failure(Result):
    """A cluster that could not be described, or whose description was not verified, and why."""

    cluster: Verbatim
    reason: Verbatim
    kind: Literal["not described", "not verified"] = "not described"

    def as_text(self) -> str:
        """One line."""
        return f"{self.kind.capitalize()}: {self.cluster}. {self.reason}"


class Cost(Result):
    """What describing uses, or will use: calls, tokens, price, seconds."""

    calls: int
    tokens_in: int
    tokens_out: int
    cached: int
    """Answers that were there already, and cost nothing."""
    estimated: bool
    """Whether the tokens are a rule of thumb."""
    price: float | None
    """In the currency of the prices that were set; None where none were."""
    seconds: float | None
    """None before the work."""

    def as_text(self) -> str:
        """Calls, tokens, price and time."""
        about = "about " if self.estimated else ""
        price = "" if self.price is None else f", price {self.price:.4f}"
        cached = f", {self.cached} from the cache" if self.cached else ""
        time = "" if self.seconds is None else f", {self.seconds:.1f} s"
        return (
            f"{self.calls:,} calls, {about}{self.tokens_in:,} tokens in and "
            f"{self.tokens_out:,} out{price}{cached}{time}"
        )


@dataclass(frozen=True)
class ToWrite:
    """Clusters that the assistant is to write: those whose evidence is shown, those whose evidence
    comes next, and the stability of the former, 0 to 1, where it was checked."""

    shown: list[str]
    remaining: list[str]
    stability: dict[str, float]


class DescribeResult(Result):
    """Descriptions, and the evidence for those that the assistant should write itself."""

    dataset: Verbatim
    run: Verbatim
    focus: str
    """What the person said about the corpus and how to look at it."""
    descriptions: list[DescribedCluster]
    failures: list[Failure]
    to_write: list[Verbatim]
    """Clusters whose evidence is below: answer with `label-cluster`."""
    remaining: list[Verbatim]
    """Clusters asked for whose evidence comes next: it did not fit, or they are headings, which are
    named from their parts."""
    refresh: bool
    """Whether the rest is to be asked for with refresh, too."""
    evidence: Verbatim | None
    stability: dict[str, float]
    """The scores of the clusters to write, 0 to 1, where they were checked."""
    used: Cost | None
    """What the model used; None where none was asked."""
    estimate: Cost | None
    """What it would use, where only that was asked for."""

    def with_descriptions(self, descriptions: list[DescribedCluster]) -> Self:
        """The result with other descriptions."""
        return self._with(descriptions=descriptions)

    def with_evidence(self, to_write: ToWrite, refresh: bool, evidence: str | None) -> Self:
        """The result with the evidence for clusters that the assistant is to write."""
        return self._with(
            to_write=to_write.shown,
            remaining=to_write.remaining,
            stability=to_write.stability,
            refresh=refresh,
            evidence=evidence,
        )

    def with_usage(self, failures: list[Failure], used: Cost | None) -> Self:
        """The result with what failed, and what the model used."""
        return self._with(failures=failures, used=used)

    def with_estimate(self, estimate: Cost) -> Self:
        """The result with what the model would use."""
        return self._with(estimate=estimate)

    def as_text(self) -> str:
        """The descriptions, what went wrong, and what is left to write."""
        lines = [f"Run {self.run} of '{self.dataset}'."]
        lines += [described_cluster.as_text() for described_cluster in self.descriptions]
        if any(described_cluster.proof for described_cluster in self.descriptions):
            lines.append(PROOF_MEANING)
        lines += _failure_lines(self.failures)
        if self.estimate is not None:
            lines.append(
                f"Nothing was sent. It takes {self.estimate.as_text()}; more where answers have to "
                "be repaired, written again, or told apart. Call again without estimate; "
                "max_calls sets a limit."
            )
        if self.used is not None:
            lines.append(f"The model used {self.used.as_text()}.")
        if self.remaining:
            asked = len(self.to_write) + len(self.remaining)
            lines.append(f"Evidence for {len(self.to_write)} of {asked} clusters; then the rest.")
        if self.stability:
            scores = [
                f"{cluster}: {format_stability(score)}" for cluster, score in self.stability.items()
            ]
            lines.append(f"Do they hold? {', '.join(scores)}.")
        known = [*(d.stability for d in self.descriptions), *self.stability.values()]
        if meaning := stability_meanings(known):
            lines.append(meaning)
        if self.evidence is not None:
            lines.append(self.evidence)
        if self.remaining:
            rest = f"Afterwards, call describe-cluster for: {', '.join(self.remaining)}"
            lines.append(f"{rest}, with refresh=true." if self.refresh else f"{rest}.")
        return "\n".join(lines)


def citation_doubts(summary: Sequence[Sentence]) -> str:
    """Which sentences cite what is not near them; empty where none does."""
    return "; ".join(
        f"sentence {number} cites {', '.join(sentence.doubtful)}, which is near it neither in "
        "words nor in meaning"
        for number, sentence in enumerate(summary, start=1)
        if sentence.doubtful
    )


def described_cluster(
    node: Node, description: Description, stability: Stability | None
) -> DescribedCluster:
    """A cluster with its description, proof and stability."""
    return DescribedCluster(
        cluster=node.id,
        title=description.title,
        summary=description.summary,
        keywords=description.keywords,
        misfits=description.misfits,
        size=node.size,
        share=node.share,
        author=description.author,
        note=description.note,
        stale=description.carried_from if description.stale else None,
        changed=description.changed,
        alike=description.alike,
        proof=description.proof,
        proof_word=proof_word(description.proof),
        stability=stability.scores.get(node.id) if stability else None,
        stability_word=known_stability_word(stability, node.id),
    )


def usage_cost(usage: Usage, writer: LlmOptions, seconds: float | None = None) -> Cost:
    """The cost of a usage at the prices that were set, which are for a million tokens."""
    price = None
    if writer.price_in is not None or writer.price_out is not None:
        price = usage.tokens_in * (writer.price_in or 0) + usage.tokens_out * (
            writer.price_out or 0
        )
    return Cost(
        calls=usage.calls,
        tokens_in=usage.tokens_in,
        tokens_out=usage.tokens_out,
        cached=usage.cached,
        estimated=usage.estimated,
        price=None if price is None else round(price / MILLION, 6),
        seconds=None if seconds is None else round(seconds, 1),
    )


def _failure_lines(failures: Sequence[Failure]) -> list[str]:
    """The failures in lines, those of one reason in one."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for failure in failures:
        by_reason.setdefault((failure.kind, failure.reason), []).append(failure.cluster)
    lines = []
    for (kind, reason), clusters in by_reason.items():
        named = ", ".join(clusters[:CLUSTERS_NAMED])
        rest = len(clusters) - CLUSTERS_NAMED
        more = f" and {rest} more" if rest > 0 else ""
        lines.append(f"{kind.capitalize()}: {named}{more}. {reason}")
    return lines
