"""Words that somebody else wrote: taken in whatever form, checked, and told what to improve."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from support.made_evidence import record, rich_evidence
from support.made_runs import made
from support.made_tasks import INSIDE, OUTSIDE, made_task

from corpuscope.prompts import Templates
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import Description, Sentence
from corpuscope.tools.describing.answers import Rules
from corpuscope.tools.describing.gathering import DescriptionTask
from corpuscope.tools.describing.judge import Judge
from corpuscope.tools.describing.prompting import PromptContext, assistant_prompt
from corpuscope.tools.describing.proof import MISSED_SHOWN, TAKEN_SHOWN
from corpuscope.tools.describing.submissions import (
    QUOTED_CHARACTERS,
    GivenAnswer,
    improvements,
    single_submission,
    submitted_description,
    take_submissions,
)
from corpuscope.tools.embedding.factory import fit_embedder
from corpuscope.tools.embedding.spec import EmbeddingOptions

TOLD = assistant_prompt(PromptContext(Templates()), [])

RULES = Rules(rich_evidence(), None, TOLD, {record(40), record(41)})

FIRST = "Customers see one purchase booked two times."
SECOND = "They ask when one of the sums comes back."


def given(**changes: Any) -> GivenAnswer:
    good = {
        "cluster": "3.1",
        "title": "Payments charged twice",
        "summary": [{"text": FIRST, "refs": ["r1"]}, {"text": SECOND, "refs": ["r2"]}],
    }
    return TypeAdapter(GivenAnswer).validate_python({**good, **changes})


def why_not(answer: GivenAnswer, rules: Rules = RULES, whole: bool = False) -> str:
    with pytest.raises(ValueError) as caught:
        submitted_description(answer, rules, "assistant", whole)
    assert not isinstance(caught.value, ValidationError)
    return str(caught.value)


# What is given.


def test_keywords_misfits_and_references_may_be_left_out() -> None:
    answer = given(summary=[{"text": FIRST}, {"text": SECOND, "refs": ["r1"]}])
    assert why_not(answer) == "summary sentence 1 cites nothing; give its references"
    found = submitted_description(answer, replace(RULES, free=True), "person", whole=False)
    assert [one.records for one in found.summary] == [[], [record(1)]]
    assert found.misfits == ""


@pytest.mark.parametrize(("number", "expected"), [(3, "3"), (3.1, "3.1"), ("3.1.2", "3.1.2")])
def test_an_id_may_be_given_as_a_number(number: object, expected: str) -> None:
    assert given(cluster=number)["cluster"] == expected


def test_an_unfit_answer_can_be_given_so_that_it_costs_no_other() -> None:
    given(title="", summary=[], keywords=[""] * 50, misfits="x" * 9000)
    given(title="a b c d e f g h i j", summary=[{"text": "", "refs": [""]}] * 9)


def test_every_field_of_the_form_that_is_asked_for_is_told_to_the_assistant() -> None:
    for field in GivenAnswer.__annotations__:
        assert f'"{field}": ' in TOLD


# A summary in one piece.


@pytest.mark.parametrize(
    ("summary", "parts"),
    [
        ("One. Two.", ["One.", "Two."]),
        ("  One!  Two?\nThree. ", ["One!", "Two?", "Three."]),
        ("Only one", ["Only one"]),
        ("一句话。两句话！三句话？", ["一句话。", "两句话！", "三句话？"]),  # noqa: RUF001
        ("Version 2.1 costs 3.50 more.", ["Version 2.1 costs 3.50 more."]),
        ("", []),
        (" \n ", []),
    ],
)
def test_a_summary_in_one_piece_is_cut_into_its_sentences(summary: str, parts: list[str]) -> None:
    answer = single_submission("3.1", "Title", summary, ["r1", "r2"])
    assert [one["text"] for one in answer["summary"]] == parts
    assert all(one["refs"] == ["r1", "r2"] for one in answer["summary"])


def test_what_follows_the_third_sentence_of_many_stays_together() -> None:
    answer = single_submission("3.1", "Title", "One. Two. Three. Four. Five. Six.", [])
    assert [one["text"] for one in answer["summary"]] == [
        "One.",
        "Two.",
        "Three.",
        "Four. Five. Six.",
    ]


def sentences(summary: object) -> list[tuple[str, list[str]]]:
    return [(one["text"], one.get("refs", [])) for one in given(summary=summary)["summary"]]


@pytest.mark.parametrize(
    "summary",
    [
        "They wait [r1, r2]. They ask [r3].",
        "They wait. [r1, r2] They ask. [r3]",
        "They wait. (r1; r2)\nThey ask (R3).",
    ],
)
def test_references_in_a_summary_in_one_piece_belong_to_their_sentences(summary: str) -> None:
    first, second = sentences(summary)
    assert first[0].startswith("They wait")
    assert second[0].startswith("They ask")
    assert (first[1], second[1]) == (["r1", "r2"], ["r3"])


def test_references_may_be_given_in_a_row() -> None:
    answer = given(summary=[{"text": FIRST, "refs": "r1, r4"}, {"text": SECOND, "refs": "r2"}])
    found = submitted_description(answer, RULES, "assistant", whole=False)
    assert [one.records for one in found.summary] == [[record(1), record(4)], [record(2)]]


# Refusing at sight.


def test_answers_for_no_cluster_or_twice_for_one_are_refused_and_the_others_taken() -> None:
    selection = made("1:30 2.1:20 noise:5").selection
    answers = [given(cluster=cluster) for cluster in ("1", "noise", "77", "../x", "2.1", "1")]
    submissions = take_submissions(selection, answers, None)
    assert [*submissions.answers] == ["1", "2.1"]
    assert not submissions.whole
    reasons = dict(submissions.refused)
    assert [*reasons] == ["noise", "77", "../x", "1"]
    assert "cluster(within='noise')" in reasons["noise"]
    assert reasons["77"].startswith("No cluster '77' in run r1")
    assert reasons["../x"].startswith("'../x' is no cluster id")
    assert reasons["1"] == "it is given twice; the first answer counts"
    assert not any(reason.endswith(".") for reason in reasons.values())


def test_a_single_answer_is_one_in_one_piece() -> None:
    selection = made("1:30 2.1:20").selection
    single = single_submission("1", "Title", "One. Two.", [])
    submissions = take_submissions(selection, [], single)
    assert (submissions.answers, submissions.whole) == ({"1": single}, True)


@pytest.mark.parametrize("count", [0, 1])
def test_there_are_either_several_answers_or_a_single_one(count: int) -> None:
    selection = made("1:30 2.1:20").selection
    single = single_submission("1", "Title", "One. Two.", []) if count else None
    with pytest.raises(BadInput, match="^Give `answers`, .*; not both"):
        take_submissions(selection, [given(cluster="2.1")] * count, single)


# Checking.


def test_a_good_answer_becomes_a_description_with_its_records_and_its_author() -> None:
    answer = given(
        title="“Payments  charged twice.”",
        summary=[{"text": FIRST, "refs": ["R1, r3"]}, {"text": SECOND, "refs": [record(40)]}],
        misfits="r5 gives orders.",
    )
    found = submitted_description(answer, RULES, "assistant", whole=False)
    assert (found.cluster, found.title, found.author) == (
        "3.1",
        "Payments charged twice",
        "assistant",
    )
    assert [one.records for one in found.summary] == [[record(1), record(3)], [record(40)]]
    assert found.misfits == f"[{record(5)}] gives orders."
    assert found.evidence_key == rich_evidence().key
    assert (found.model, found.proof, found.prompt_key) == (None, None, "")


def test_keywords_that_were_not_given_are_those_of_the_evidence() -> None:
    own = [word.text for word in rich_evidence().keywords]
    assert submitted_description(given(), RULES, "assistant", whole=False).keywords == own
    kept = submitted_description(
        given(keywords=["double charge"]), RULES, "assistant", whole=False
    ).keywords
    assert kept == ["double charge"]


@pytest.mark.parametrize(
    ("unfit", "reason"),
    [
        ({"title": ""}, "title: the title is empty"),
        ({"title": "a b c d e f g h i"}, "title: the title has 9 words, at most 8"),
        ({"summary": []}, "summary: 0 sentences, expected 2 to 4"),
        (
            {"summary": [{"text": FIRST, "refs": ["r1"]}, {"text": "", "refs": []}]},
            "summary.1.text: the sentence is empty",
        ),
        (
            {"summary": [{"text": FIRST, "refs": ["r9"]}, {"text": SECOND, "refs": ["r7"]}]},
            "summary sentence 1 cites 'r9', which is not in cluster 3.1; valid: r1 to r6, or ids "
            "of its records; summary sentence 2 cites r7, which is not in the cluster",
        ),
        ({"title": "Lost and stolen cards"}, "the title is that of cluster 3.2; say in what"),
        ({"cluster": "3.2"}, "cluster: '3.2', expected '3.1'"),
        (
            {"summary": [{"text": FIRST, "refs": ["r1"]}, {"text": "The refs (r1)", "refs": []}]},
            "summary sentence 2 cites nothing; give its references",
        ),
    ],
)
def test_an_unfit_answer_is_refused_with_the_reason(unfit: dict[str, Any], reason: str) -> None:
    assert why_not(given(**unfit)).startswith(reason)


def test_every_fault_of_the_form_is_named() -> None:
    reason = why_not(given(title="", summary=[], misfits="x"))
    assert reason.index("the title is empty") < reason.index("0 sentences")


def test_one_sentence_is_enough_only_where_the_summary_came_in_one_piece() -> None:
    answer = single_submission("3.1", "Payments charged twice", FIRST, ["r1", record(41)])
    (sentence,) = submitted_description(answer, RULES, "assistant", whole=True).summary
    assert sentence.records == [record(1), record(41)]
    assert "1 sentences, expected 2 to 4" in why_not(answer)
    assert "the summary is empty" in why_not(given(summary=[]), whole=True)


def test_an_assistant_has_to_cite_and_a_person_has_not() -> None:
    answer = single_submission("3.1", "Payments charged twice", f"{FIRST} {SECOND}", [])
    assert why_not(answer, whole=True) == (
        "summary sentence 1 cites nothing; give its references; "
        "summary sentence 2 cites nothing; give its references"
    )
    found = submitted_description(answer, replace(RULES, free=True), "person", whole=True)
    assert found.author == "person"
    assert [one.records for one in found.summary] == [[], []]


# Improving.


@pytest.fixture
def judge(tmp_path: Path) -> Iterator[Judge]:
    texts = [*INSIDE, *OUTSIDE]
    options = EmbeddingOptions(models_dir=tmp_path)
    yield Judge(fit_embedder("lexical", texts, options, tmp_path).embedder, same_space=False)


def tried(judge: Judge | None, task: DescriptionTask, title: str, said: str) -> Description:
    """A description, and its proof on the half of the texts that scores."""
    found = Description(
        cluster=task.evidence.cluster,
        title=title,
        summary=[Sentence(text=said)],
        keywords=[],
        author="assistant",
    )
    proof = judge.proof(found, task.trial.halves()[1]) if judge else None
    return replace(found, proof=proof)


def about(cluster: str, *beside: str, refunds: bool = True) -> DescriptionTask:
    inside, outside = (INSIDE, OUTSIDE) if refunds else (OUTSIDE, INSIDE)
    return made_task(cluster, inside=inside, outside=outside, beside=(cluster, *beside))


def test_good_and_distinct_descriptions_need_no_improvement(judge: Judge) -> None:
    new = {"3.1": about("3.1", "3.2"), "3.2": about("3.2", "3.1", refunds=False)}
    known = {
        "3.1": tried(judge, new["3.1"], "Refund of a charge", "They want a refund."),
        "3.2": tried(judge, new["3.2"], "Pin code of an account", "They ask for a pin code."),
    }
    assert improvements(new, known, judge) == {}


def test_words_that_do_not_tell_the_texts_apart_are_named_with_texts_of_both_sides(
    judge: Judge,
) -> None:
    new = {"3.1": about("3.1", "3.2")}
    known = {"3.1": tried(judge, new["3.1"], "Pin code of an account", "They ask for a pin code.")}
    assert known["3.1"].proof is not None
    assert known["3.1"].proof.auc < 0.5
    reason = improvements(new, known, judge)["3.1"]
    assert reason.startswith("its words do not tell its texts from those of the nearest clusters. ")
    missed, taken = reason.split("It misses: ")[1].split(". It takes in, of others: ")
    assert missed.count('"refund of charge number ') == MISSED_SHOWN
    assert taken.count('"pin code of account number ') == 3
    assert taken.endswith('".')


def test_the_texts_named_are_not_those_that_score(judge: Judge) -> None:
    new = {"3.1": about("3.1", "3.2")}
    known = {"3.1": tried(judge, new["3.1"], "Pin code of an account", "They ask for a pin code.")}
    reason = improvements(new, known, judge)["3.1"]
    scored = new["3.1"].trial.halves()[1]
    assert not [text for text in scored.inside_texts if f'"{text}"' in reason]
    assert not [text for text in scored.outside_texts if f'"{text}"' in reason]


def test_long_texts_are_cut_where_they_are_named(judge: Judge) -> None:
    long = [f"{text} {'and so on ' * 40}" for text in INSIDE]
    new = {"3.1": made_task("3.1", inside=long, outside=OUTSIDE)}
    known = {"3.1": tried(judge, new["3.1"], "Pin code of an account", "They ask for a pin code.")}
    reason = improvements(new, known, judge)["3.1"]
    assert len(reason) < (MISSED_SHOWN + TAKEN_SHOWN) * QUOTED_CHARACTERS + 200


def test_a_title_that_is_nearly_anothers_is_told_with_the_other_one(judge: Judge) -> None:
    new = {"3.1": about("3.1", "3.2", "3.3")}
    known = {
        "3.1": tried(judge, new["3.1"], "Refund of a charge", "They want a refund."),
        "3.2": tried(None, about("3.2"), "The refund of a charge", "They want it too."),
        "3.3": tried(None, about("3.3"), "Pin code", "They ask for a pin code."),
    }
    assert improvements(new, known, judge) == {
        "3.1": 'its title is nearly that of 3.2 "The refund of a charge"; say in what they differ.'
    }


def test_two_new_titles_that_are_alike_are_both_told() -> None:
    new = {"3.1": about("3.1", "3.2"), "3.2": about("3.2", "3.1")}
    known = {
        cluster: tried(None, task, "Late refunds", "They wait.") for cluster, task in new.items()
    }
    found = improvements(new, known, None)
    assert found.keys() == {"3.1", "3.2"}
    assert 'nearly that of 3.1 "Late refunds"' in found["3.2"]


def test_old_titles_that_are_alike_and_titles_of_clusters_elsewhere_are_not_told() -> None:
    new = {"3.1": about("3.1", "3.2", "3.3")}
    known = {
        "3.1": tried(None, new["3.1"], "Late refunds", "They wait."),
        "3.2": tried(None, about("3.2"), "Stolen cards", "They are gone."),
        "3.3": tried(None, about("3.3"), "Stolen cards", "They are gone."),
        "9": tried(None, about("9"), "Late refunds", "They wait."),
    }
    assert improvements(new, known, None) == {}


def test_both_reasons_are_told_in_one(judge: Judge) -> None:
    new = {"3.1": about("3.1", "3.2")}
    known = {
        "3.1": tried(judge, new["3.1"], "Pin code of an account", "They ask for a pin code."),
        "3.2": tried(None, about("3.2"), "Pin codes of accounts", "They ask."),
    }
    reason = improvements(new, known, judge)["3.1"]
    assert reason.index("its title is nearly that of 3.2") < reason.index("its words do not tell")
    assert ".." not in reason


def test_without_a_judge_or_enough_texts_nobody_says_that_words_are_weak(judge: Judge) -> None:
    few = {"3.1": made_task("3.1", inside=INSIDE[:3], outside=OUTSIDE[:3])}
    known = {"3.1": tried(judge, few["3.1"], "Pin code of an account", "They ask.")}
    assert known["3.1"].proof is None
    assert improvements(few, known, judge) == improvements(few, known, None) == {}


def test_a_part_that_the_words_pass_over_is_named_with_what_it_is_about(judge: Judge) -> None:
    task = about("3.1", "3.2")
    part = rich_evidence().children[0]
    evidence = replace(task.evidence, children=[part])
    new = {"3.1": replace(task, evidence=evidence)}
    found = tried(judge, task, "Refund of a charge", "They want a refund.")
    assert found.proof is not None
    proof = replace(found.proof, passed_over=part.id)
    known = {"3.1": replace(found, proof=proof)}
    assert improvements(new, known, judge) == {
        "3.1": f"it says little of its part {part.id} ({part.label})."
    }
