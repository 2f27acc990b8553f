"""Answers about clusters: their form, and what is wrong with one that has it.

The JSON schema of these classes goes to the model and into the key of paid answers: names, order
and descriptions of their fields stay. An answer that has the form comes in with the evidence it was
written from; out come its faults (id, references, language, echoes of what its writer was shown).
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from pydantic import Field, field_validator

from corpuscope.tools.analysis.language import clashing_language, language_name, language_of
from corpuscope.tools.core.schema import Frozen, Sentence
from corpuscope.tools.core.text import clean_text
from corpuscope.tools.describing.evidence import Evidence

TITLE_WORDS = 8

TITLE_CHARACTERS = 120
"""Languages that put no spaces between words have one word of any length."""

SENTENCE_CHARACTERS = 500
SUMMARY_SENTENCES = range(2, 5)
MISFITS_CHARACTERS = 400

KEYWORDS_KEPT = 10
"""Keywords kept of an answer."""

ECHO_WORDS = 3
"""So many words in a row that stand in the instructions are taken from there, and so many keywords
in a list are no title."""

QUOTES = "\"'`*\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019\u201a\u300c\u300d\u300e\u300f"
"""What models put around a title; the star is for bold."""

FULL_STOP = re.compile(r"(?<!\b[^\W\d]\.[^\W\d])[.\u3002]+$")
"""At the end of a title; in `U.S.` it belongs to the word."""

SEPARATORS = re.compile("[,;|/\u00b7\u3001\uff0c]")
"""Between the keywords of a list."""

INLINE = re.compile(r"\s*[\[(][rm]\d+(?:[,;\s]+[rm]\d+)*[\])]")
"""References written into a sentence: `[r1, r4]`. Nobody sees later what they stand for."""

COPIED_WORDS = 6
"""A sentence of so many words that stands in the evidence is no description; fewer may agree."""

REFERENCE = re.compile(r"\b[rm]\d+\b|\b[0-9a-f]{16,}\b")
"""A reference, or the id of a record."""

REFS_NAMED = 5
"""False references that a message names."""


class SentenceAnswer(Frozen):
    """One sentence of the summary."""

    text: str = Field(description="One sentence that says only what the excerpts show.")
    refs: list[str] = Field(
        description="The references of the excerpts that show it to be true, for example r1, r4."
    )

    @field_validator("text")
    @classmethod
    def _is_one_sentence(cls, text: str) -> str:
        text = clean_text(INLINE.sub("", text))
        if not text:
            raise ValueError("the sentence is empty")
        if len(text) > SENTENCE_CHARACTERS:
            raise ValueError(f"{len(text)} characters, at most {SENTENCE_CHARACTERS}")
        return text


class DescriptionAnswer(Frozen):
    """What is answered about one cluster. The descriptions of the fields are the contract."""

    cluster: str = Field(description="The id of the cluster, as it was given.")
    reasoning: str = Field(
        description="First, in one to three sentences: what most excerpts share, and what sets "
        "them apart from the clusters beside this one."
    )
    title: str = Field(
        description=f"At most {TITLE_WORDS} words that name the subject and would not fit the "
        "clusters beside this one."
    )
    summary: list[SentenceAnswer] = Field(
        description="2 to 4 sentences: what the texts are about, and what is typical of them."
    )
    keywords: list[str] = Field(
        description="3 to 8 words or short phrases that people would search these texts by."
    )
    misfits: str = Field(
        description="What in the excerpts does not fit title and summary, with references; empty "
        "where everything does."
    )

    @field_validator("title")
    @classmethod
    def _is_a_title(cls, title: str) -> str:
        return clean_title(title)

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
        return list(dict.fromkeys(word for word in words if word))[:KEYWORDS_KEPT]

    @field_validator("misfits")
    @classmethod
    def _is_short(cls, misfits: str) -> str:
        return clean_text(misfits)[:MISFITS_CHARACTERS]


class WholeAnswer(DescriptionAnswer):
    """The same where the summary came in one piece, which may be a single sentence."""

    @field_validator("summary")
    @classmethod
    def _has_sentences(cls, summary: list[SentenceAnswer]) -> list[SentenceAnswer]:
        if not summary:
            raise ValueError("the summary is empty, expected 2 to 4 sentences")
        return summary


class TitledAnswer(DescriptionAnswer):
    """The same from a person, whose title may stand alone."""

    @field_validator("summary")
    @classmethod
    def _has_sentences(cls, summary: list[SentenceAnswer]) -> list[SentenceAnswer]:
        return summary


class TitleAnswer(Frozen):
    """A new title for one of several clusters."""

    cluster: str = Field(description="The id of the cluster, as it was given.")
    title: str = Field(description=f"At most {TITLE_WORDS} words that fit this cluster only.")

    @field_validator("title")
    @classmethod
    def _is_a_title(cls, title: str) -> str:
        return clean_title(title)


class ApartAnswer(Frozen):
    """Titles that tell clusters apart."""

    reasoning: str = Field(description="First: in what the clusters differ.")
    titles: list[TitleAnswer] = Field(description="One for each of the clusters.")


class SortAnswer(Frozen):
    """Which of the numbered texts fit a description."""

    fits: list[int] = Field(description="The numbers of the texts that fit the description.")


@dataclass(frozen=True, slots=True)
class Rules:
    """What an answer is checked against beside its form.

    `evidence`: what the writer was shown.
    `language`: ISO 639-1 code of the language asked for; None: that of the excerpts.
    `instructions`: what the writer was told, which is not to come back as an answer.
    `members`: ids of further records that may be cited.
    `free`: a person's words need no references and may be in any language.
    """

    evidence: Evidence
    language: str | None
    instructions: str
    members: Collection[str] = ()
    free: bool = False


def clean_title(title: str) -> str:
    """The title without the quotes around it, its full stop, and what cannot be seen.

    Raises:
        ValueError: It has no word, or too many words or characters.
    """
    title = FULL_STOP.sub("", _unquoted(FULL_STOP.sub("", clean_text(title))))
    # A dash between words is none.
    words = sum(any(map(str.isalnum, word)) for word in title.split())
    if not words:
        raise ValueError("the title is empty")
    if words > TITLE_WORDS:
        raise ValueError(f"the title has {words} words, at most {TITLE_WORDS}")
    if len(title) > TITLE_CHARACTERS:
        raise ValueError(f"the title has {len(title)} characters, at most {TITLE_CHARACTERS}")
    return title


def answer_checker(rules: Rules) -> Callable[[DescriptionAnswer], None]:
    """A check that raises ValueError with all the faults of an answer."""

    def check(answer: DescriptionAnswer) -> None:
        if faults := answer_faults(answer, rules):
            raise ValueError("; ".join(faults))

    return check


def answer_faults(answer: DescriptionAnswer, rules: Rules) -> list[str]:
    """What is wrong with an answer that has the right form: id, references, language, echoes."""
    evidence = rules.evidence
    faults = []
    if answer.cluster.strip() != evidence.cluster:
        faults.append(f"cluster: '{answer.cluster[:20]}', expected '{evidence.cluster}'")
    faults += _reference_faults(answer.summary, rules)
    if rules.free:
        return faults
    words = " ".join([answer.title, *(sentence.text for sentence in answer.summary)])
    if fault := _language_fault(words, rules):
        faults.append(fault)
    return faults + _echoes(answer, rules)


def cite_sentence(sentence: SentenceAnswer, evidence: Evidence) -> Sentence:
    """The sentence with the records behind its references; `answer_faults` has let it pass, so that
    what is no reference is the id of a record."""
    record_of = evidence.records
    records = [record_of.get(ref, ref) for ref in _references(sentence.refs)]
    return Sentence(text=sentence.text, records=list(dict.fromkeys(records)))


def cite_records(misfits: str, evidence: Evidence) -> str:
    """What does not fit, with record ids in place of references, which nobody can follow later."""
    excerpts = [*evidence.excerpts, *evidence.outside]
    record_of = {excerpt.ref: excerpt.record for excerpt in excerpts}
    return REFERENCE.sub(lambda match: f"[{record_of.get(match[0], match[0])}]", misfits)


def _unquoted(title: str) -> str:
    """The title without quotes around all of it: those around a part of it stay."""
    while title[:1] and title[0] in QUOTES and title[-1] in QUOTES:
        inner = title[1:-1]
        if title[0] in inner.strip(QUOTES) or title[-1] in inner.strip(QUOTES):
            break
        title = inner.strip()
    return title


def _references(refs: Sequence[str]) -> list[str]:
    """References and record ids one by one: models also write "[r1]", "R1" or "r1, r4"."""
    single = [part for ref in refs for part in REFERENCE.findall(ref.lower()) or [ref.strip()]]
    return [ref for ref in dict.fromkeys(single) if ref]


def _reference_faults(summary: Sequence[SentenceAnswer], rules: Rules) -> list[str]:
    evidence = rules.evidence
    valid = {*evidence.records, *evidence.records.values()}
    outside = {excerpt.ref for excerpt in evidence.outside}
    faults = []
    for number, sentence in enumerate(summary, start=1):
        refs = _references(sentence.refs)
        false = [ref for ref in refs if ref not in valid and ref not in rules.members]
        if not refs and not rules.free:
            faults.append(f"summary sentence {number} cites nothing; give its references")
        elif outsiders := [ref for ref in false if ref in outside]:
            cited = ", ".join(outsiders)
            faults.append(f"summary sentence {number} cites {cited}, which is not in the cluster")
        elif false:
            named = ", ".join(f"'{clean_text(ref)[:20]}'" for ref in false[:REFS_NAMED])
            last = evidence.excerpts[-1].ref if evidence.excerpts else "none"
            faults.append(
                f"summary sentence {number} cites {named}, which is not in cluster "
                f"{evidence.cluster}; valid: r1 to {last}"
                f"{', or ids of its records' if rules.members else ''}"
            )
    return faults


def _language_fault(words: str, rules: Rules) -> str:
    texts = [excerpt.text for excerpt in rules.evidence.excerpts]
    expected = rules.language or language_of(" ".join(texts))
    actual = clashing_language(words, expected) if expected else None
    if expected is None or actual is None:
        return ""
    if rules.language is None:
        # Together the texts are in the language of the longest, which need not be that of most.
        counts = Counter(map(language_of, texts))
        if counts[actual] and counts[actual] >= counts[expected]:
            return ""
    return f"it is in {language_name(actual)}, expected {language_name(expected)}"


def title_fault(title: str, evidence: Evidence, instructions: str) -> str:
    """What a title only repeats: another cluster's title, the instructions, or the keywords; empty
    where it repeats none."""
    plain = _plain(title)
    # An only part is the same theme.
    parts = evidence.children if len(evidence.children) > 1 else []
    others = [other for other in [*evidence.siblings, *parts] if other.titled]
    id_of = {_plain(other.label): other.id for other in others}
    if plain in id_of:
        return f"the title is that of cluster {id_of[plain]}; say in what this one differs"
    if _is_taken(plain, _plain(instructions)):
        return "the title is taken from the instructions; name what the excerpts share"
    if _lists_keywords(title, [_plain(word.text) for word in evidence.keywords]):
        return "the title only repeats the keywords; name what the excerpts share"
    return ""


def _echoes(answer: DescriptionAnswer, rules: Rules) -> list[str]:
    """What only repeats something that the writer was shown."""
    evidence, instructions = rules.evidence, _plain(rules.instructions)
    shown = _plain(evidence.as_text())
    fault = title_fault(answer.title, evidence, rules.instructions)
    faults = [fault] if fault else []
    texts = {_plain(excerpt.text): excerpt.ref for excerpt in evidence.excerpts}
    for number, sentence in enumerate(answer.summary, start=1):
        text = _plain(sentence.text)
        if text in texts:
            faults.append(
                f"summary sentence {number} only repeats {texts[text]}; use your own words"
            )
        elif _is_taken(text, instructions):
            faults.append(f"summary sentence {number} is taken from the instructions")
        elif text.count(" ") + 1 >= COPIED_WORDS and f" {text} " in f" {shown} ":
            faults.append(f"summary sentence {number} is copied from the evidence")
    return faults


def _is_taken(text: str, instructions: str) -> bool:
    return text.count(" ") + 1 >= ECHO_WORDS and f" {text} " in f" {instructions} "


def _lists_keywords(title: str, keywords: Sequence[str]) -> bool:
    """Whether a title is a list of keywords, or the first ones in a row; three of those may make a
    title: "Machine learning jobs"."""
    parts = [_plain(part) for part in SEPARATORS.split(title)]
    if len(parts) >= ECHO_WORDS:
        return set(parts) <= set(keywords)
    rows = range(ECHO_WORDS + 1, len(keywords) + 1)
    return _plain(title) in {" ".join(keywords[:count]) for count in rows}


def _plain(text: str) -> str:
    """The words of a text without case and marks, to compare; C# and C++ stay different."""
    return " ".join(re.findall(r"[\w+#]+", text.casefold()))
