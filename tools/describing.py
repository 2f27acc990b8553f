"""Saying what a cluster is: by a model, from its keywords, or by somebody else and checked."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, as_completed
from datetime import UTC, datetime

from pydantic import Field, field_validator

from corpuscope.prompts import fence, load, render
from corpuscope.tools.endpoint import EndpointDown, EndpointOptions, InvalidAnswer
from corpuscope.tools.errors import BadInput, Unavailable
from corpuscope.tools.evidence import Evidence, clean_text
from corpuscope.tools.llm import complete
from corpuscope.tools.schema import Description, Frozen, Report, Sentence

TITLE_WORDS = 8

TITLE_CHARACTERS = 120
"""Languages that put no spaces between words have one word of any length."""

SENTENCE_CHARACTERS = 500
SUMMARY_CHARACTERS = 2_000
SUMMARY_SENTENCES = range(2, 5)

KEYWORDS = 10
"""Keywords kept of an answer."""

TITLE_KEYWORDS = 4
"""Keywords that make a title where no model wrote one."""

FAILURES_IN_A_ROW = 8
"""After so many, each with its own retries, the endpoint is taken to be down."""

IDS_NAMED = 5
"""Valid record ids that an error names."""


class SentenceAnswer(Frozen):
    """One sentence of the summary."""

    text: str = Field(description="One sentence that says only what the excerpts show.")
    refs: list[str] = Field(
        description="The references of the excerpts that show it to be true, for example r1, r4."
    )

    @field_validator("text")
    @classmethod
    def _is_one_sentence(cls, text: str) -> str:
        text = clean_text(text)
        if not text:
            raise ValueError("the sentence is empty")
        if len(text) > SENTENCE_CHARACTERS:
            raise ValueError(f"{len(text)} characters, at most {SENTENCE_CHARACTERS}")
        return text


class DescriptionAnswer(Frozen):
    """What the model answers about one cluster. The descriptions of the fields are the contract."""

    reasoning: str = Field(
        description="First, in one to three sentences: what most excerpts share, and what sets "
        "them apart from the clusters beside this one."
    )
    title: str = Field(
        description=f"At most {TITLE_WORDS} words that name the subject and would not fit the "
        "clusters beside this one. In the language of the texts."
    )
    summary: list[SentenceAnswer] = Field(
        description="2 to 4 sentences: what the texts are about, and what is typical of them."
    )
    keywords: list[str] = Field(
        description="3 to 8 words or short phrases that people would search these texts by."
    )

    @field_validator("title")
    @classmethod
    def _is_a_title(cls, title: str) -> str:
        title = clean_text(title).strip("\"'“”„«»").removesuffix(".").strip()
        fault = _title_fault(title)
        if fault:
            raise ValueError(fault)
        return title

    @field_validator("summary")
    @classmethod
    def _has_sentences(cls, summary: list[SentenceAnswer]) -> list[SentenceAnswer]:
        if len(summary) not in SUMMARY_SENTENCES:
            raise ValueError(f"{len(summary)} sentences, expected 2 to 4")
        return summary

    @field_validator("keywords")
    @classmethod
    def _are_clean(cls, keywords: list[str]) -> list[str]:
        words = (clean_text(word)[:TITLE_CHARACTERS] for word in keywords)
        return list(dict.fromkeys(word for word in words if word))[:KEYWORDS]


def describe_with_model(evidence: Evidence, endpoint: EndpointOptions, model: str) -> Description:
    """A model's description of one cluster, or the one from keywords where its answer is unfit.

    A reference that the evidence does not have is dropped.

    Raises:
        Unavailable: The endpoint cannot be reached, refuses or fails; `EndpointDown` of it where
            every other cluster would meet the same.
    """
    system = load("describe-system")
    user = render("describe-user", evidence=fence(evidence.as_text()))
    try:
        answer = complete(endpoint, model, system, user, DescriptionAnswer)
    except InvalidAnswer:
        return describe_with_keywords(evidence)
    records = {excerpt.ref: excerpt.record for excerpt in evidence.excerpts}
    return Description(
        cluster=evidence.cluster,
        title=answer.title,
        summary=[
            Sentence(
                text=sentence.text,
                records=_cited(sentence.refs, records),
            )
            for sentence in answer.summary
        ],
        keywords=answer.keywords or evidence.keywords[:KEYWORDS],
        author="llm",
        model=model,
        created=_now(),
    )


def describe_with_keywords(evidence: Evidence) -> Description:
    """A description without a model: its title is its first keywords, and its summary says so."""
    chosen: list[str] = []
    for keyword in evidence.keywords:
        words = set(keyword.split())
        # "card" says nothing beside "card payment".
        told = any(words <= set(other.split()) or words >= set(other.split()) for other in chosen)
        fits = len(chosen) < TITLE_KEYWORDS and not _title_fault(", ".join([*chosen, keyword]))
        if fits and not told:
            chosen.append(keyword)
    named = ", ".join(evidence.keywords[:KEYWORDS])
    reason = f"its most distinctive words are {named}" if named else "it has none"
    return Description(
        cluster=evidence.cluster,
        title=", ".join(chosen) or f"Cluster {evidence.cluster}",
        summary=[
            Sentence(
                text=f"Named from its keywords, not by a reader: {reason}.",
                records=[excerpt.record for excerpt in evidence.excerpts[:3]],
            )
        ],
        keywords=evidence.keywords[:KEYWORDS],
        author="keywords",
        created=_now(),
    )


def describe_many(
    evidences: Sequence[Evidence],
    endpoint: EndpointOptions,
    model: str,
    report: Report,
    on_done: Callable[[Description], None],
) -> list[tuple[str, str]]:
    """Describe several clusters at once, at most `endpoint.concurrency` at a time.

    Args:
        evidences: One for each cluster.
        endpoint: Where the model is.
        model: Its name.
        report: Told after each cluster.
        on_done: Given each description as it comes, in this thread, one at a time.

    Returns:
        (cluster id, what went wrong) for the clusters without a description, in the order of
        `evidences`. Where the endpoint is down, the rest is not tried, and says so.
    """
    wrong: dict[str, str] = {}
    in_a_row = 0
    down = ""
    with ThreadPoolExecutor(max_workers=max(1, endpoint.concurrency)) as pool:
        futures: dict[Future[Description], str] = {
            pool.submit(describe_with_model, evidence, endpoint, model): evidence.cluster
            for evidence in evidences
        }
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                try:
                    description = future.result()
                except CancelledError:
                    wrong[futures[future]] = f"Not tried, because the endpoint is down: {down}"
                except Unavailable as error:
                    wrong[futures[future]] = str(error)
                    in_a_row += 1
                    if isinstance(error, EndpointDown) or in_a_row == FAILURES_IN_A_ROW:
                        down = down or str(error)
                        _cancel(futures)
                else:
                    in_a_row = 0
                    on_done(description)
                report(done / len(futures), f"Described {done} of {len(futures)} clusters.")
        finally:
            # A bug in one thread, or in `on_done`, must not wait for all the rest.
            _cancel(futures)
    return [
        (evidence.cluster, wrong[evidence.cluster])
        for evidence in evidences
        if evidence.cluster in wrong
    ]


def describe_yourself(evidences: Sequence[Evidence]) -> str:
    """The evidence and how to answer it, for the assistant where no model is configured."""
    shown = "\n\n".join(evidence.as_text(record_ids=True) for evidence in evidences)
    return render("describe-yourself", evidence=fence(shown))


def check_answer(
    title: str, summary: str, records: Sequence[str], known: Collection[str]
) -> tuple[str, str]:
    """Title and summary that somebody else wrote for a cluster, cleaned.

    Args:
        title: At most `TITLE_WORDS` words.
        summary: At most `SUMMARY_CHARACTERS` characters.
        records: The record ids that are said to support the summary.
        known: The ids of the cluster's records.

    Raises:
        BadInput: Title or summary are empty or too long, or a record is not in the cluster.
    """
    title, summary = clean_text(title), clean_text(summary)
    fault = _title_fault(title)
    if fault:
        raise BadInput(f"`title`: {fault}. Shorten or write it, and call again.")
    if not summary:
        raise BadInput("`summary` is empty. Write 2 to 4 sentences, and call again.")
    if len(summary) > SUMMARY_CHARACTERS:
        raise BadInput(
            f"`summary` has {len(summary)} characters, at most {SUMMARY_CHARACTERS}. "
            "Write 2 to 4 sentences."
        )
    unknown = [record for record in dict.fromkeys(records) if record not in known]
    if unknown:
        named = ", ".join(f"'{clean_text(record)[:40]}'" for record in unknown[:IDS_NAMED])
        more = f" and {len(unknown) - IDS_NAMED} more" if len(unknown) > IDS_NAMED else ""
        valid = ", ".join(sorted(known)[:IDS_NAMED])
        raise BadInput(
            f"Not in this cluster: {named}{more}. Valid record ids are, for example, {valid}; "
            "`describe-cluster` and `get-members` show them."
        )
    return title, summary


def _cited(refs: Sequence[str], records: Mapping[str, str]) -> list[str]:
    """The record ids behind the references, in their order, without false ones and repeats."""
    # Models also write "[r1]", "R1" or "r1, r4" where one reference is asked for.
    found = re.findall(r"\br\d+", " ".join(refs).lower())
    return list(dict.fromkeys(records[ref] for ref in found if ref in records))


def _cancel(futures: Iterable[Future[Description]]) -> None:
    """Keep what has not begun from beginning.

    Not by `shutdown(cancel_futures=True)`: it never tells `as_completed`, which then waits on.
    """
    for future in futures:
        future.cancel()


def _title_fault(title: str) -> str:
    """What is wrong with a title; empty where nothing is."""
    words = len(title.split())
    if not words:
        return "the title is empty"
    if words > TITLE_WORDS:
        return f"the title has {words} words, at most {TITLE_WORDS}"
    if len(title) > TITLE_CHARACTERS:
        return f"the title has {len(title)} characters, at most {TITLE_CHARACTERS}"
    return ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
