"""`label-cluster` through the client: one answer or many, checked and tried."""

import re
from typing import Any

import pytest
from mcp.client import Client
from support.calls import Answer, call, finish
from support.made_shop import FLAT, fill, made_run

from corpuscope.tools.workspace.workspace import Workspace

pytestmark = pytest.mark.anyio

SENTENCES = "The texts complain about it. They say when it happened."

TITLES = {
    "delivery": "Parcels that do not arrive",
    "refund": "Refunds that are late or short",
    "login": "Accounts nobody can enter",
    "coffee": "Espresso machines that fail",
    "garden": "Plants that arrived or grew badly",
}
SUMMARIES = {
    "delivery": ["A parcel or package has not arrived at the address.", "Tracking shows nothing."],
    "refund": ["Money for returned goods has not reached the bank.", "Repayments are too small."],
    "login": ["A password or login code is rejected.", "The user account stays locked."],
    "coffee": ["The espresso machine or coffee grinder is faulty.", "Water leaks or stays cold."],
    "garden": ["Roses, lawn seed or trees withered.", "Leaves and roots were dry or rotten."],
}


@pytest.fixture(scope="module")
def shop(client: Client, workspace: Workspace) -> Client:
    """A client of a server without a model, with a run of `shop` that was made by hand."""
    fill(workspace)
    made_run(workspace, FLAT, telling=True)
    return client


@pytest.fixture(scope="module")
def themes() -> dict[str, str]:
    """The id of the cluster of each theme."""
    return FLAT


def words_for(theme: str, cluster: str, **changes: object) -> dict[str, Any]:
    summary = [{"text": text, "refs": [f"r{n}"]} for n, text in enumerate(SUMMARIES[theme], 1)]
    return {"cluster": cluster, "title": TITLES[theme], "summary": summary, **changes}


async def label(client: Client, **arguments: object) -> Answer:
    return await finish(client, "label-cluster", **arguments)


async def test_evidence_answered_for_all_clusters_in_one_call_is_saved_with_its_proof(
    shop: Client, themes: dict[str, str]
) -> None:
    evidence = await finish(shop, "describe-cluster", cluster="all")
    assert sorted(evidence.data["to_write"]) == ["1", "2", "3", "4", "5"]
    answers = [words_for(theme, cluster) for theme, cluster in themes.items()]
    saved = await label(shop, answers=answers)
    assert not saved.is_error, saved.text
    assert {one["cluster"] for one in saved.data["saved"]} == set(themes.values())
    assert saved.data["refused"] == []
    assert saved.data["undescribed"] == []
    proofs = {one["cluster"]: one["proof"]["auc"] for one in saved.data["saved"]}
    assert min(proofs.values()) > 0.75, proofs
    listed = await call(shop, "list-clusters")
    assert {line["title"] for line in listed.data["clusters"]} == set(TITLES.values())
    assert re.search(r"Parcels that do not arrive .*, proof \d\.\d\d (strong|fair)", listed.text)
    again = await finish(shop, "describe-cluster", cluster="all", detail="full")
    assert again.data["evidence"] is None
    assert {one["author"] for one in again.data["descriptions"]} == {"assistant"}


async def test_references_lead_to_the_records_that_were_shown(
    shop: Client, themes: dict[str, str]
) -> None:
    cluster = themes["coffee"]
    evidence = await finish(shop, "describe-cluster", cluster=cluster, refresh=True)
    shown = dict(re.findall(r"^(r\d+) \([^)]*\): (.+)$", evidence.data["evidence"], re.MULTILINE))
    await label(shop, answers=[words_for("coffee", cluster)])
    told = await finish(shop, "describe-cluster", cluster=cluster, detail="full")
    summary = told.data["descriptions"][0]["summary"]
    for number, sentence in enumerate(summary, start=1):
        assert shown[f"r{number}"][:60] in sentence["text"]


async def test_one_unfit_answer_costs_no_other(shop: Client, themes: dict[str, str]) -> None:
    answers = [
        words_for("delivery", themes["delivery"], title="a b c d e f g h i"),
        words_for("refund", themes["refund"], title="Repayments"),
        words_for("login", themes["login"], summary=[{"text": "One.", "refs": ["r1"]}]),
        words_for("coffee", themes["coffee"], summary=[{"text": "No.", "refs": ["r77"]}] * 2),
        words_for("garden", "99"),
        words_for("garden", "noise"),
        words_for("refund", themes["refund"], title="The same again"),
    ]
    saved = await label(shop, answers=answers)
    assert not saved.is_error, saved.text
    assert [(one["cluster"], one["title"]) for one in saved.data["saved"]] == [
        (themes["refund"], "Repayments")
    ]
    reasons = {(one["cluster"], one["reason"]) for one in saved.data["refused"]}
    for cluster, said in (
        (themes["delivery"], "the title has 9 words, at most 8"),
        (themes["login"], "1 sentences, expected 2 to 4"),
        (themes["coffee"], "cites 'r77', which is not in cluster"),
        ("99", "No cluster '99'"),
        ("noise", "Noise is what belongs to no theme"),
        (themes["refund"], "it is given twice"),
    ):
        assert any(one == cluster and said in reason for one, reason in reasons), (said, reasons)
    await label(shop, answers=[words_for("refund", themes["refund"])])


async def test_words_that_do_not_fit_their_texts_are_to_be_improved_and_why(
    shop: Client, themes: dict[str, str]
) -> None:
    wrong = words_for("garden", themes["login"], title="Trees and roses")
    saved = await label(shop, answers=[wrong])
    told = saved.data["saved"][0]
    assert told["proof_word"] == "weak"
    assert "It misses: " in told["improve"]
    assert re.search(r"It takes in, of others: .*(rose|tree|lawn|seedlings)", told["improve"])
    await label(shop, answers=[words_for("login", themes["login"])])


async def test_a_sentence_that_is_near_none_of_what_it_cites_is_named_and_saved(
    shop: Client, themes: dict[str, str]
) -> None:
    page = await call(shop, "get-members", cluster=themes["coffee"], limit=1)
    record = page.data["members"][0]["id"]
    about_roses = {"text": "Roses, lawn seed or trees withered.", "refs": [record]}
    right = {"text": SUMMARIES["coffee"][0], "refs": ["r1"]}
    await finish(shop, "describe-cluster", cluster=themes["coffee"], refresh=True)
    answer = words_for("coffee", themes["coffee"], summary=[right, about_roses])
    saved = await label(shop, answers=[answer])
    doubt = f"sentence 2 cites {record}, which is near it neither in words nor in meaning"
    assert doubt in saved.data["saved"][0]["improve"]
    again = await finish(shop, "describe-cluster", cluster=themes["coffee"])
    assert f"To check: {doubt}." in again.text
    await label(shop, answers=[words_for("coffee", themes["coffee"])])


async def test_titles_that_are_nearly_equal_are_to_be_told_apart(
    shop: Client, themes: dict[str, str]
) -> None:
    await label(shop, answers=[words_for("delivery", themes["delivery"])])
    near = words_for("refund", themes["refund"], title="Parcel that does not arrive")
    saved = await label(shop, answers=[near])
    assert f'nearly that of {themes["delivery"]} "Parcels that do not arrive"' in saved.text
    equal = words_for("refund", themes["refund"], title="Parcels that do not arrive")
    await finish(shop, "describe-cluster", cluster=themes["refund"], refresh=True)
    refused = await label(shop, answers=[equal])
    assert refused.is_error
    assert f"the title is that of cluster {themes['delivery']}" in refused.text
    await label(shop, answers=[words_for("refund", themes["refund"])])


async def test_a_summary_may_come_in_one_piece_though_a_list_is_asked_for(
    shop: Client, themes: dict[str, str]
) -> None:
    first, second = SUMMARIES["login"]
    summary = f"{first[:-1]} [r1, r2]. {second[:-1]} [r3]."
    saved = await label(shop, answers=[words_for("login", themes["login"], summary=summary)])
    assert not saved.is_error, saved.text
    described = await finish(shop, "describe-cluster", cluster=themes["login"])
    cited = [len(one["records"]) for one in described.data["descriptions"][0]["summary"]]
    assert cited == [2, 1]


async def test_a_single_answer_may_be_given_flat_with_record_ids(
    shop: Client, themes: dict[str, str]
) -> None:
    cluster = themes["garden"]
    page = await call(shop, "get-members", cluster=cluster, limit=2, sort="edge")
    ids = [member["id"] for member in page.data["members"]]
    saved = await label(
        shop, cluster=cluster, title="What grows badly", summary=SENTENCES, records=ids
    )
    assert not saved.is_error, saved.text
    told = await finish(shop, "describe-cluster", cluster=cluster, detail="full")
    assert told.data["descriptions"][0]["title"] == "What grows badly"
    assert f"[{ids[0]}]" in told.text


async def test_a_person_needs_no_references_and_may_write_in_any_language(
    shop: Client, themes: dict[str, str]
) -> None:
    saved = await label(
        shop, cluster=themes["garden"], title="Gartenpflanzen", summary="Vertrocknet.",
        author="person",
    )  # fmt: skip
    assert not saved.is_error, saved.text
    assert saved.data["author"] == "person"


async def test_a_persons_title_may_come_alone_and_keeps_the_summary_that_was_there(
    shop: Client, themes: dict[str, str]
) -> None:
    await label(shop, answers=[words_for("coffee", themes["coffee"])])
    saved = await label(
        shop, answers=[{"cluster": themes["coffee"], "title": "Machines"}], author="person"
    )
    assert not saved.is_error, saved.text
    told = await finish(shop, "describe-cluster", cluster=themes["coffee"])
    assert told.data["descriptions"][0]["title"] == "Machines"
    summary = told.data["descriptions"][0]["summary"]
    assert [one["text"] for one in summary] == SUMMARIES["coffee"]
    flat = await label(shop, cluster=themes["coffee"], title="Broken machines", author="person")
    assert not flat.is_error, flat.text


async def test_all_that_is_wrong_is_said_at_once_and_what_is_missing_costs_no_other(
    shop: Client, themes: dict[str, str]
) -> None:
    saved = await label(
        shop,
        answers=[
            {"cluster": themes["login"]},
            {
                "cluster": themes["garden"],
                "title": "a b c d e f g h i",
                "summary": [{"refs": "r77"}],
            },
            words_for("refund", themes["refund"]),
        ],
    )
    assert [one["cluster"] for one in saved.data["saved"]] == [themes["refund"]]
    reasons = {one["cluster"]: one["reason"] for one in saved.data["refused"]}
    missing, wrong = reasons[themes["login"]], reasons[themes["garden"]]
    assert "the title is empty" in missing
    assert "0 sentences, expected 2 to 4" in missing
    for said in ("9 words, at most 8", "the sentence is empty", "cites 'r77', which is not in"):
        assert said in wrong


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"title": "one two three four five six seven eight nine"}, "9 words"),
        ({"summary": ""}, "the summary is empty"),
        ({"records": ["not-a-record"]}, "cites 'not-a-record', which is not in cluster 1"),
        ({"cluster": "noise"}, "Noise"),
        ({"cluster": None}, "Give `answers`"),
    ],
)
async def test_words_that_do_not_fit_are_refused_with_the_reason(
    shop: Client, changes: dict[str, object], said: str
) -> None:
    page = await call(shop, "get-members", cluster="1", limit=1)
    fine = {
        "cluster": "1",
        "title": "A fine title",
        "summary": SENTENCES,
        "records": [page.data["members"][0]["id"]],
    }
    given = {name: value for name, value in (fine | changes).items() if value is not None}
    answer = await label(shop, **given)
    assert answer.is_error
    assert said in answer.text
