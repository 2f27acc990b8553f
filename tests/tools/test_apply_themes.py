"""New texts put into the themes of a run or a codebook, through the client."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client
from support.calls import Answer, call, finish
from support.texts import odd_texts, tickets

pytestmark = pytest.mark.anyio

TICKETS = [{name: row[name] for name in ("text", "theme")} for row in tickets(each=50)]
OLD, NEW = TICKETS[:212], TICKETS[212:]
CAKE = "the best recipe for carrot cake"
LONGER = (
    "title,definition,examples\n"
    "Refunds,The money for returned goods has not come back to the bank account or card.,"
    "My refund is still pending | the repayment never came\n"
    "Sign-in,Customers cannot log in: password or code or user account is rejected.,\n"
)


@pytest.fixture(scope="module", autouse=True)
async def dataset(client: Client, folder: Path) -> None:
    (folder / "scheme.csv").write_text(LONGER, encoding="utf-8")
    (folder / "bare.csv").write_text("title,definition\nRefunds,\nSign-in,\n", encoding="utf-8")
    done = await finish(client, "ingest", dataset="shop", rows=OLD, embedding="wordllama")
    assert not done.is_error, done.text
    await finish(client, "cluster", dataset="shop")


async def applied(client: Client, **arguments: Any) -> Answer:
    answer = await call(client, "apply-themes", **{"dataset": "shop", **arguments})
    assert not answer.is_error, answer.text
    return answer


async def refused(client: Client, **arguments: Any) -> str:
    answer = await call(client, "apply-themes", **{"dataset": "shop", **arguments})
    assert answer.is_error, answer.text
    return answer.text


async def themes_of_clusters(client: Client, dataset: str = "shop") -> dict[str, str]:
    """For each cluster id, what most of its records are of."""
    found = {}
    for line in (await call(client, "list-clusters", dataset=dataset)).data["clusters"]:
        page = await call(client, "get-members", dataset=dataset, cluster=line["id"], limit=100)
        counts = Counter(member["metadata"]["theme"] for member in page.data["members"])
        found[line["id"]] = counts.most_common(1)[0][0]
    return found


async def test_new_texts_go_to_their_theme_and_strangers_to_none_with_the_reason(
    client: Client,
) -> None:
    answer = await applied(client, texts=[*(row["text"] for row in NEW), CAKE])
    of_cluster = await themes_of_clusters(client)
    placed = answer.data["texts"]
    right = [
        line["theme"] is not None and of_cluster[line["theme"]] == row["theme"]
        for line, row in zip(placed, NEW, strict=False)
    ]
    assert sum(right) > 0.8 * len(right)
    last = await applied(client, texts=["a parcel is late", "", CAKE])
    cake = last.data["texts"][2]
    assert cake["theme"] is None
    assert cake["score"] < cake["threshold"]
    named = f"3. no theme: nearest {cake['nearest']} "
    assert named in last.text
    assert f" {cake['score']:.2f}, below its {cake['threshold']:.2f}: {CAKE}" in last.text
    assert "2. no theme: nothing in it that the dataset's model knows" in last.text
    assert last.text.startswith("3 texts against the ")
    runner = last.data["texts"][0]
    assert runner["runner_up"] != runner["theme"]
    assert runner["runner_up_score"] <= runner["score"]


async def test_the_answer_says_how_often_held_back_members_came_back(client: Client) -> None:
    answer = await applied(client, texts=[NEW[0]["text"], CAKE])
    data = answer.data
    assert data["held_back"] == len(OLD) - data["noise_tried"], "every text is put in once"
    assert 0.75 * data["held_back"] < data["came_back"] < data["held_back"]
    assert f"{data['came_back']} of {data['held_back']} members held back" in data["basis"]
    (theme,) = data["themes"]
    assert theme["texts"] == 1
    assert theme["came_back"] <= theme["held_back"]
    taken = theme["came_back"] + theme["others"]
    assert theme["precision"] == pytest.approx(theme["came_back"] / taken, abs=1e-4)
    assert (
        f"{theme['came_back']} of {theme['held_back']} held-back members came back" in answer.text
    )


async def test_a_codebook_sorts_by_its_definitions_and_claims_no_precision(client: Client) -> None:
    texts = ["my refund never came to my account", "password rejected at login", CAKE]
    answer = await applied(client, texts=texts, codebook="scheme.csv")
    assert [line["theme"] for line in answer.data["texts"]] == ["c1", "c2", None]
    assert answer.data["codebook"] == "scheme.csv"
    assert answer.data["run"] is None
    assert "how often it is right is not known" in answer.text
    assert answer.data["themes"][0]["precision"] is None


async def test_another_dataset_is_counted_whole_and_listed_in_pages(client: Client) -> None:
    rows = [*NEW, *odd_texts(20)]
    await finish(client, "ingest", dataset="later", rows=rows, embedding="wordllama")
    whole = await applied(client, from_dataset="later")
    assert whole.data["asked"] == len(rows)
    assert whole.data["fitting"] == sum(theme["texts"] for theme in whole.data["themes"])
    lines, offset = whole.data["texts"], whole.data["next_offset"]
    assert offset == len(lines) == 40
    rest = await applied(client, from_dataset="later", offset=offset)
    lines = [*lines, *rest.data["texts"]]
    assert len({line["id"] for line in lines}) == len(rows)
    counted = [t["id"] for t in whole.data["themes"] for _ in range(t["texts"])]
    none = [None] * (len(rows) - whole.data["fitting"])
    assert [line["theme"] for line in lines] == [*counted, *none], "theme by theme"
    inline = await applied(client, texts=[lines[0]["text"]])
    assert inline.data["texts"][0]["theme"] == lines[0]["theme"], "as when the call brings it"
    past = await applied(client, from_dataset="later", offset=999)
    assert f"offset 999 is past the last of {len(rows)}." in past.text


async def test_what_a_run_looks_past_is_taken_off_new_rows_too(client: Client) -> None:
    shops = {"north": "@northwind northwind northwind", "south": "@southgate southgate southgate"}
    rows = [
        {**row, "shop": shop, "text": f"{shops[shop]} {row['text']}"}
        for number, row in enumerate(TICKETS)
        for shop in [[*shops][number % 2]]
    ]
    await finish(client, "ingest", dataset="shops", rows=rows[: len(OLD)], embedding="wordllama")
    run = await finish(client, "cluster", dataset="shops", regardless_of=["shop"])
    assert not run.is_error, run.text
    of_cluster = await themes_of_clusters(client, "shops")
    given = [{name: row[name] for name in ("text", "shop")} for row in rows[len(OLD) :]]
    answer = await applied(client, dataset="shops", texts=given)
    assert not answer.data["notes"]
    placed = [line["theme"] and of_cluster[line["theme"]] for line in answer.data["texts"]]
    right = [theme == row["theme"] for theme, row in zip(placed, rows[len(OLD) :], strict=True)]
    assert sum(right) > 0.75 * len(right)
    bare = await applied(client, dataset="shops", texts=[row["text"] for row in rows[len(OLD) :]])
    assert "The run looks past shop, which not all texts came with" in bare.text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "Give either `texts` (a list of texts or rows"),
        ({"texts": []}, "Give either `texts`"),
        ({"texts": ["a"], "from_dataset": "shop"}, "and not both"),
        ({"texts": ["a"], "codebook": "scheme.csv", "run": "r1"}, "Give a codebook or a run"),
        ({"texts": ["a"] * 501}, "501 texts, the limit of a call is 500. Ingest them"),
        ({"texts": [{"body": "a"}]}, "Row 1 has no text: it has body; 'shop' takes its text from"),
        ({"texts": [{"text": ["a"]}]}, "Row 1: column 'text' holds a list, not a text"),
        ({"texts": ["a"], "codebook": "bare.csv"}, "of 2 themes 2 have no definition ('Refunds'"),
        ({"texts": ["a"], "codebook": "/etc/hosts"}, "is outside the allowed folders"),
        ({"texts": ["a"], "codebook": "gone.csv"}, "No file "),
        ({"from_dataset": "shop"}, "from_dataset is 'shop' itself"),
        ({"from_dataset": "nothing"}, "No dataset 'nothing'"),
        ({"from_dataset": "words"}, "'words' has vectors by lexical ("),
        ({"dataset": "words", "texts": ["a"]}, "has no run yet"),
        ({"dataset": "vectors", "texts": ["a"]}, "came with its file and no model was named"),
    ],
)
async def test_bad_input_gets_a_sentence_with_the_next_step(
    client: Client, others: None, arguments: dict[str, Any], said: str
) -> None:
    assert said in await refused(client, **arguments)


@pytest.fixture(scope="module")
async def others(client: Client, dataset: None) -> None:
    await finish(client, "ingest", dataset="words", rows=NEW[:30], embedding="lexical")
    rows = [{"text": f"text {n}", "v": [float(n % 3 == at) for at in range(3)]} for n in range(40)]
    await finish(client, "ingest", dataset="vectors", rows=rows, vector_column="v")
    await finish(client, "cluster", dataset="vectors")


async def test_a_run_of_a_replaced_dataset_is_refused(client: Client) -> None:
    await finish(client, "ingest", dataset="twice", rows=OLD[:60], embedding="wordllama")
    await finish(client, "cluster", dataset="twice")
    await finish(client, "ingest", dataset="twice", rows=NEW, embedding="wordllama", mode="replace")
    assert "was replaced after run" in await refused(client, dataset="twice", texts=["a"])
