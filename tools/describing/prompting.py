"""The prompts about clusters: templates filled in with evidence, language and focus."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from corpuscope.prompts import BadTemplate, Templates, fence
from corpuscope.tools.analysis.language import language_name
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import Description
from corpuscope.tools.core.text import shorten_middle
from corpuscope.tools.describing.evidence import KEY_LETTERS, Evidence
from corpuscope.tools.describing.proof import Mistakes
from corpuscope.tools.llm.asker import Prompt

SORTED_CHARACTERS = 300
"""The most of one text that is sorted: twenty of them are in a prompt."""

TEMPLATES = ("describe-system", "describe-user", "describe-again")
"""Those that decide what a model writes of a cluster."""


@dataclass(frozen=True, slots=True)
class PromptContext:
    """How to write: by which templates, in which language (ISO 639-1; None: the texts' own), and
    what the person said about the corpus and the perspective."""

    templates: Templates
    language: str | None = None
    focus: str = ""

    def key(self, model: str) -> str:
        """Changes with everything but the evidence that decides what a model writes."""
        with _own_templates():
            parts = [self.templates.key(*TEMPLATES), self.language or "", self.focus, model]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:KEY_LETTERS]


def system_prompt(context: PromptContext) -> str:
    """What a model is told before it sees anything."""
    return _rendered(context, "describe-system", language=_language(context))


def writer_instructions(context: PromptContext) -> str:
    """What a model is told beside evidence and focus: what is no answer when it comes back."""
    asked = _rendered(context, "describe-user", cluster="", focus="", evidence="")
    return f"{system_prompt(context)}\n{asked}"


def describe_prompt(context: PromptContext, evidence: Evidence) -> Prompt:
    """Asks for the description of one cluster."""
    user = _rendered(
        context,
        "describe-user",
        cluster=evidence.cluster,
        focus=_focus(context),
        evidence=fence(evidence.as_text()),
    )
    return Prompt(system_prompt(context), user)


def again_prompt(
    context: PromptContext, evidence: Evidence, description: Description, wrong: Mistakes
) -> Prompt:
    """Asks for a better description of one cluster, with what the first one got wrong."""
    summary = " ".join(sentence.text for sentence in description.summary)
    lines = [
        evidence.as_text(),
        f"The earlier title: {description.title}",
        f"The earlier summary: {summary}",
        *_headed("Texts of the cluster that it misses:", wrong.missed),
        *_headed("Texts of other clusters that it takes in:", wrong.taken),
    ]
    user = _rendered(
        context,
        "describe-again",
        cluster=evidence.cluster,
        focus=_focus(context),
        evidence=fence("\n".join(lines)),
    )
    return Prompt(system_prompt(context), user)


def apart_prompt(
    context: PromptContext,
    evidences: Sequence[Evidence],
    known: Mapping[str, str],
    fixed: Collection[str] = (),
) -> Prompt:
    """Asks for titles that tell clusters apart whose titles, by id in `known`, are nearly equal.

    Those of the clusters in `fixed` stay.
    """
    parts = [
        f"{evidence.as_text()}\n"
        f"Its title{', which stays' if evidence.cluster in fixed else ' now'}: "
        f"{known[evidence.cluster]}"
        for evidence in evidences
    ]
    asked = [evidence.cluster for evidence in evidences if evidence.cluster not in fixed]
    user = _rendered(
        context,
        "describe-apart",
        clusters=", ".join(asked),
        focus=_focus(context),
        evidence=fence("\n\n".join(parts)),
    )
    return Prompt(system_prompt(context), user)


def sort_prompt(context: PromptContext, description: Description, texts: Sequence[str]) -> Prompt:
    """Asks which of the texts fit a description, numbered from 1."""
    summary = " ".join(sentence.text for sentence in description.summary)
    # The description too is fenced: who wrote it had read the texts.
    lines = [f"Title: {description.title}", f"Summary: {summary}", "Texts:"]
    lines += [
        f"{number}: {shorten_middle(text, SORTED_CHARACTERS)}"
        for number, text in enumerate(texts, 1)
    ]
    user = _rendered(context, "describe-sort", texts=fence("\n".join(lines)))
    return Prompt(system_prompt(context), user)


def assistant_prompt(context: PromptContext, evidences: Sequence[Evidence]) -> str:
    """The evidence and how to answer it, for the assistant where no model is configured."""
    shown = "\n\n".join(evidence.as_text() for evidence in evidences)
    return _rendered(
        context,
        "describe-yourself",
        language=_language(context),
        focus=_focus(context),
        evidence=fence(shown),
    )


def _language(context: PromptContext) -> str:
    name = language_name(context.language) if context.language else None
    return f"Write in {name}." if name else "Write in the language of most excerpts."


def _focus(context: PromptContext) -> str:
    if not context.focus:
        return ""
    return f"What the person who asks says about the texts and how to look at them: {context.focus}"


def _headed(heading: str, texts: Sequence[str]) -> list[str]:
    return [heading, *(f"- {text}" for text in texts)] if texts else []


def _rendered(context: PromptContext, name: str, /, **values: str) -> str:
    with _own_templates():
        return context.templates.render(name, **values)


@contextmanager
def _own_templates() -> Iterator[None]:
    try:
        yield
    except BadTemplate as error:
        raise BadInput(f"{error} Mend it, or unset CORPUSCOPE_PROMPTS_DIR.") from error
