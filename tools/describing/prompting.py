"""The prompts about clusters: templates filled in with evidence, language and focus.

What a prompt is filled with beside evidence (focus, titles, descriptions) is redacted here; the
evidence was when it was gathered.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from corpuscope.prompts import BadTemplate, Templates, fence
from corpuscope.tools.analysis.language import language_name
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.redaction import Redact, as_it_is
from corpuscope.tools.core.schema import Description
from corpuscope.tools.core.text import shorten_middle
from corpuscope.tools.describing.evidence import KEY_LETTERS, Evidence, Excerpt
from corpuscope.tools.describing.proof import Mistakes
from corpuscope.tools.llm.asker import Prompt
from corpuscope.tools.workspace.selection import Selection, redact_description
from corpuscope.tools.workspace.workspace import Workspace

SORTED_CHARACTERS = 300
"""The most of one text that is sorted: twenty of them are in a prompt."""

TEMPLATES = ("describe-system", "describe-user", "describe-again")
"""Those that decide what a model writes of a cluster."""


@dataclass(frozen=True, slots=True)
class PromptContext:
    """How to write: by which templates, in which language (ISO 639-1; None: the texts' own), and
    what the person said about the corpus and the perspective, redacted.

    `redact` is done to titles and descriptions before they are filled into a prompt.
    """

    templates: Templates
    language: str | None = None
    focus: str = ""
    redact: Redact = as_it_is

    def key(self, model: str) -> str:
        """A hash of all that decides what a model writes of the same evidence: templates,
        language, focus and the model's name."""
        with _template_faults_as_bad_input():
            parts = [self.templates.key(*TEMPLATES), self.language or "", self.focus, model]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:KEY_LETTERS]


def prompt_context(
    workspace: Workspace, selection: Selection, focus: str | None = None
) -> PromptContext:
    """How descriptions of a run are written: with this focus, or the one that it keeps."""
    asked = workspace.runs.focus(selection.run) if focus is None else focus
    redact = workspace.redact
    return PromptContext(workspace.templates, workspace.language, redact(asked), redact)


def shown_titles(context: PromptContext, known: Mapping[str, Description]) -> dict[str, str]:
    """The titles of described clusters, by id, as a model may read them."""
    return {cluster: context.redact(words.title) for cluster, words in known.items()}


def shown_description(context: PromptContext, description: Description) -> Description:
    """The description as a model may read it: no more is shown of it than of the texts."""
    return redact_description(description, context.redact)


def system_prompt(context: PromptContext) -> str:
    """What a model is told before it sees anything."""
    return _rendered(context, "describe-system", language=_language(context))


def writer_instructions(context: PromptContext) -> str:
    """What a model is told beside evidence and focus: an answer that repeats it is none."""
    asked = _rendered(context, "describe-user", cluster="", focus="", evidence="")
    return f"{system_prompt(context)}\n{asked}"


def describe_prompt(context: PromptContext, evidence: Evidence) -> Prompt:
    """Asks for the description of one cluster, a `DescriptionAnswer`."""
    user = _rendered(
        context,
        "describe-user",
        cluster=evidence.cluster,
        focus=_focus(context),
        evidence=fence(evidence.as_text()),
    )
    return Prompt(system_prompt(context), user)


def again_prompt(
    context: PromptContext, evidence: Evidence, description: Description, mistakes: Mistakes
) -> Prompt:
    """Asks for a better description of one cluster, with what the first one got wrong."""
    summary = " ".join(sentence.text for sentence in description.summary)
    lines = [
        evidence.as_text(),
        f"The earlier title: {description.title}",
        f"The earlier summary: {summary}",
        *_headed(
            "Texts of the cluster that it misses:",
            [f"{one.ref}: {one.text}" for one in missed_excerpts(mistakes)],
        ),
        *_headed(
            "Texts of other clusters that it takes in:", [f"- {text}" for text in mistakes.taken]
        ),
    ]
    user = _rendered(
        context,
        "describe-again",
        cluster=evidence.cluster,
        focus=_focus(context),
        evidence=fence("\n".join(lines)),
    )
    return Prompt(system_prompt(context), user)


def missed_excerpts(mistakes: Mistakes) -> list[Excerpt]:
    """The texts that a description misses, with references of their own: m1, m2, …; none where
    nobody knows their records."""
    return [
        Excerpt(ref=f"m{number}", record=record, text=text, role="missed")
        for number, (record, text) in enumerate(
            zip(mistakes.records, mistakes.missed, strict=False), start=1
        )
    ]


def apart_prompt(
    context: PromptContext,
    evidences: Sequence[Evidence],
    titles: Mapping[str, str],
    fixed: Collection[str] = (),
) -> Prompt:
    """Asks for titles that tell clusters apart, an `ApartAnswer`.

    `titles`, by cluster id as a model may read them, are nearly equal; those of `fixed` stay.
    """
    parts = [
        f"{evidence.as_text()}\n"
        f"Its title{', which stays' if evidence.cluster in fixed else ' now'}: "
        f"{titles[evidence.cluster]}"
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
    """Asks which of the texts, numbered from 1, fit a description as it may be shown: a
    `SortAnswer`."""
    summary = " ".join(sentence.text for sentence in description.summary)
    # The description too is fenced: who wrote it had read the texts.
    lines = [f"Title: {description.title}", f"Summary: {summary}", "Texts:"]
    lines += [
        f"{number}: {shorten_middle(text, SORTED_CHARACTERS)}"
        for number, text in enumerate(texts, 1)
    ]
    user = _rendered(context, "describe-sort", texts=fence("\n".join(lines)))
    return Prompt(_rendered(context, "describe-sort-system"), user)


def assistant_prompt(
    context: PromptContext, evidences: Sequence[Evidence], *, brief: bool = False
) -> str:
    """The evidence, whole or brief, and how to answer it, for the assistant where no model is
    configured."""
    all_evidence = "\n\n".join(
        evidence.as_brief_text() if brief else evidence.as_text() for evidence in evidences
    )
    return _rendered(
        context,
        "describe-yourself",
        language=_language(context),
        focus=_focus(context),
        evidence=fence(all_evidence),
    )


def assistant_instructions(context: PromptContext) -> str:
    """What the assistant is told beside evidence and focus: an answer that repeats it is none."""
    return assistant_prompt(replace(context, focus=""), [])


def _language(context: PromptContext) -> str:
    name = language_name(context.language) if context.language else None
    return f"Write in {name}." if name else "Write in the language of most excerpts."


def _focus(context: PromptContext) -> str:
    if not context.focus:
        return ""
    return f"What the person who asks says about the texts and how to look at them: {context.focus}"


def _headed(heading: str, texts: Sequence[str]) -> list[str]:
    return [heading, *texts] if texts else []


def _rendered(context: PromptContext, name: str, /, **values: str) -> str:
    with _template_faults_as_bad_input():
        return context.templates.render(name, **values)


@contextmanager
def _template_faults_as_bad_input() -> Iterator[None]:
    """Says of a template of the user's that cannot be used what to do about it."""
    try:
        yield
    except BadTemplate as error:
        raise BadInput(f"{error} Mend it, or unset CORPUSCOPE_PROMPTS_DIR.") from error
