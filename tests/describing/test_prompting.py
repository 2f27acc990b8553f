"""The prompts about clusters: as a reviewer read them, whole, fenced, and keyed by what decides."""

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from pydantic import BaseModel
from support.made_evidence import nearby_evidence, record, rich_evidence

from corpuscope.prompts import Templates, template_names
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import Description, Sentence
from corpuscope.tools.describing.answers import ApartAnswer, DescriptionAnswer, SortAnswer
from corpuscope.tools.describing.prompting import (
    TEMPLATES,
    PromptContext,
    again_prompt,
    apart_prompt,
    assistant_prompt,
    describe_prompt,
    sort_prompt,
    system_prompt,
)
from corpuscope.tools.describing.proof import Mistakes
from corpuscope.tools.llm.asker import Prompt

SNAPSHOTS = Path(__file__).parent / "snapshots"

PLAIN = PromptContext(Templates())
GERMAN = PromptContext(
    Templates(), "de", "Letters to a bank's support; by what went wrong, not by the product."
)

WRONG = Mistakes(
    missed=["The shop took my money two times.", "Paid once, booked twice."],
    taken=["My card was charged in a country I never visited."],
    records=[record(21), record(22)],
)


def described(cluster: str, title: str) -> Description:
    summary = [
        Sentence(text="Customers were charged twice.", records=[record(1)]),
        Sentence(text="They wait for one of the sums to come back.", records=[record(2)]),
    ]
    return Description(cluster=cluster, title=title, summary=summary, keywords=[], author="llm")


def all_prompts(context: PromptContext) -> dict[str, Prompt]:
    rich, near = rich_evidence(), nearby_evidence()
    titles = {"3.1": "Charged twice", "3.4": "Charged two times"}
    texts = ["Where is my money?", "I was charged twice.", "How do I change my address?"]
    return {
        "describe": describe_prompt(context, rich),
        "again": again_prompt(context, rich, described("3.1", "Charged twice"), WRONG),
        "apart": apart_prompt(context, [rich, near], titles),
        "sort": sort_prompt(context, described("3.1", "Charged twice"), texts),
    }


def fenced(text: str) -> str:
    """What stands between the two lines of the only fence of a prompt."""
    marks = re.findall(r"^<<<DATA (\w{12})$", text, re.MULTILINE)
    assert len(marks) == 1
    return text.split(f"<<<DATA {marks[0]}\n")[1].split(f"\nDATA {marks[0]}>>>")[0]


def is_reviewed(name: str, parts: Sequence[tuple[str, str]]) -> None:
    snapshot = SNAPSHOTS / f"{name}.txt"
    text = "".join(f"===== {part} =====\n{said}\n" for part, said in parts)
    if not snapshot.exists():
        snapshot.parent.mkdir(exist_ok=True)
        snapshot.write_text(text, encoding="utf-8")
        pytest.fail(f"{snapshot.name} was missing and is written anew: review it and run again.")
    assert text == snapshot.read_text(encoding="utf-8"), (
        f"The prompt is not the reviewed one. If it should change, delete {snapshot} and run again."
    )


@pytest.mark.parametrize(
    ("name", "context", "answer"),
    [
        ("describe", GERMAN, DescriptionAnswer),
        ("again", PLAIN, DescriptionAnswer),
        ("apart", GERMAN, ApartAnswer),
        ("sort", PLAIN, SortAnswer),
    ],
)
def test_a_prompt_is_the_one_that_was_reviewed(
    name: str, context: PromptContext, answer: type[BaseModel]
) -> None:
    prompt = all_prompts(context)[name]
    form = json.dumps(answer.model_json_schema(), indent=1)
    is_reviewed(name, [("system", prompt.system), ("user", prompt.user), ("answer", form)])


def test_the_text_for_the_assistant_is_the_one_that_was_reviewed() -> None:
    text = assistant_prompt(GERMAN, [rich_evidence(), nearby_evidence()])
    is_reviewed("yourself", [("tool result", text)])


@pytest.mark.parametrize("context", [PLAIN, GERMAN])
def test_with_and_without_language_and_focus_there_are_no_gaps(context: PromptContext) -> None:
    texts = [
        text for prompt in all_prompts(context).values() for text in (prompt.system, prompt.user)
    ]
    for text in [*texts, assistant_prompt(context, [rich_evidence()])]:
        assert "\n\n\n" not in text
        assert "  " not in text
        assert all(line == line.strip() for line in text.splitlines())
        assert text == text.strip()


def test_a_language_is_named_and_without_one_it_is_that_of_the_texts() -> None:
    for text in (system_prompt(GERMAN), assistant_prompt(GERMAN, [])):
        assert "Write in German." in text
        assert "language of" not in text
    for text in (system_prompt(PLAIN), assistant_prompt(PLAIN, [])):
        assert "Write in the language of most excerpts." in text


def test_the_focus_stands_in_every_prompt_that_asks_for_words_and_not_where_texts_are_sorted() -> (
    None
):
    prompts = all_prompts(GERMAN)
    sorting = prompts.pop("sort")
    for prompt in prompts.values():
        assert prompt.user.count(GERMAN.focus) == 1
        assert GERMAN.focus not in fenced(prompt.user)
    assert GERMAN.focus in assistant_prompt(GERMAN, [rich_evidence()])
    assert GERMAN.focus not in sorting.user + sorting.system


@pytest.mark.parametrize("name", ["describe", "again", "apart"])
def test_the_evidence_is_whole_and_within_the_fence(name: str) -> None:
    prompt = all_prompts(PLAIN)[name]
    assert rich_evidence().as_text() in fenced(prompt.user)
    assert "BUY GOLD" not in prompt.user.replace(fenced(prompt.user), "")
    assert re.search("^Describe cluster 3.1|that stays: 3.1, 3.4[.]", prompt.user)


def test_what_an_earlier_description_said_and_got_wrong_is_within_the_fence() -> None:
    shown = fenced(all_prompts(PLAIN)["again"].user)
    after = shown.removeprefix(rich_evidence().as_text()).strip().splitlines()
    assert after == [
        "The earlier title: Charged twice",
        "The earlier summary: Customers were charged twice. They wait for one of the sums to come "
        "back.",
        "Texts of the cluster that it misses:",
        "m1: The shop took my money two times.",
        "m2: Paid once, booked twice.",
        "Texts of other clusters that it takes in:",
        "- My card was charged in a country I never visited.",
    ]


@pytest.mark.parametrize(
    ("wrong", "there", "missing"),
    [
        (Mistakes(["one"], [], ["a"]), "that it misses:", "that it takes in:"),
        (Mistakes([], ["one"]), "that it takes in:", "that it misses:"),
    ],
)
def test_a_kind_of_mistake_that_was_not_made_is_not_named(
    wrong: Mistakes, there: str, missing: str
) -> None:
    prompt = again_prompt(PLAIN, rich_evidence(), described("3.1", "Charged twice"), wrong)
    shown = fenced(prompt.user)
    assert there in shown
    assert missing not in shown


def test_the_clusters_to_tell_apart_come_with_their_titles_each_after_its_evidence() -> None:
    shown = fenced(all_prompts(PLAIN)["apart"].user)
    assert shown == (
        f"{rich_evidence().as_text()}\nIts title now: Charged twice\n\n"
        f"{nearby_evidence().as_text()}\nIts title now: Charged two times"
    )


def test_a_cluster_whose_title_stays_is_shown_and_not_asked_for() -> None:
    titles = {"3.1": "Charged twice", "3.4": "Charged two times"}
    evidences = [rich_evidence(), nearby_evidence()]
    user = apart_prompt(PLAIN, evidences, titles, fixed={"3.4"}).user
    assert "to one that stays: 3.1. Give" in user
    assert "for each of the clusters 3.1 its id" in user
    assert "Its title, which stays: Charged two times" in user


def test_texts_to_sort_are_numbered_cut_and_without_a_sign_of_where_they_come_from() -> None:
    texts = ["first", "long " * 200, "last"]
    prompt = sort_prompt(PLAIN, described("3.1", "Charged twice"), texts)
    title, summary, texts_follow, first, second, third = fenced(prompt.user).splitlines()
    assert (first, third) == ("1: first", "3: last")
    assert second.startswith("2: long long")
    assert 250 < len(second) <= 303
    assert (title, texts_follow) == ("Title: Charged twice", "Texts:")
    assert summary.startswith("Summary: Customers were charged twice. They")


def test_several_clusters_for_the_assistant_are_in_one_fence_in_their_order() -> None:
    shown = fenced(assistant_prompt(PLAIN, [nearby_evidence(), rich_evidence()]))
    assert shown == f"{nearby_evidence().as_text()}\n\n{rich_evidence().as_text()}"


def test_only_templates_that_decide_what_is_written_are_in_the_key(tmp_path: Path) -> None:
    for name in template_names():
        (tmp_path / f"{name}.md").write_text("other", encoding="utf-8")
        same = PromptContext(Templates(tmp_path)).key("tiny") == PLAIN.key("tiny")
        assert same == (name not in TEMPLATES), name
        (tmp_path / f"{name}.md").unlink()


def test_the_key_changes_with_model_language_focus_and_templates(tmp_path: Path) -> None:
    (tmp_path / "describe-user.md").write_text("$evidence", encoding="utf-8")
    keys = [
        PLAIN.key("tiny"),
        PLAIN.key("large"),
        PromptContext(Templates(), "de").key("tiny"),
        PromptContext(Templates(), None, "de").key("tiny"),
        PromptContext(Templates(tmp_path)).key("tiny"),
    ]
    assert all(one != other for one, other in pairwise(sorted(keys)))
    assert PromptContext(Templates()).key("tiny") == keys[0]


def test_a_template_of_the_users_is_used(tmp_path: Path) -> None:
    (tmp_path / "describe-user.md").write_text("ID $cluster\n$focus\n$evidence", encoding="utf-8")
    user = describe_prompt(PromptContext(Templates(tmp_path)), rich_evidence()).user
    assert user.startswith("ID 3.1\n\n<<<DATA ")


@pytest.mark.parametrize("content", [b"$cluster only", b"\xff\xfe", b"$cluster $focus $evidence $"])
def test_a_template_of_the_users_that_does_not_fit_is_told_with_the_next_step(
    tmp_path: Path, content: bytes
) -> None:
    own = tmp_path / "describe-user.md"
    own.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        describe_prompt(PromptContext(Templates(tmp_path)), rich_evidence())
    assert str(caught.value).startswith(str(own))
    assert str(caught.value).endswith(". Mend it, or unset CORPUSCOPE_PROMPTS_DIR.")


def test_a_template_that_cannot_be_read_is_told_the_same_way_by_the_key(tmp_path: Path) -> None:
    (tmp_path / "describe-user.md").write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="describe-user.md cannot be read .*Mend it, or unset"):
        PromptContext(Templates(tmp_path)).key("tiny")
