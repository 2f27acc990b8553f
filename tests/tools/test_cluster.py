"""`cluster`, `list-clusters` and `get-members` through the client."""

import pytest
from mcp.client import Client
from support.calls import call, finish
from support.texts import THEMES, odd_texts, tickets

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module", autouse=True)
async def dataset(client: Client) -> None:
    await finish(client, "ingest", dataset="shop", rows=tickets(each=36), id_column="id")


async def test_the_themes_of_the_texts_are_found(client: Client) -> None:
    answer = await finish(client, "cluster", dataset="shop")
    assert not answer.is_error, answer.text
    assert answer.data["records"] == 180
    assert sum(cluster["size"] for cluster in answer.data["top"]) + answer.data["noise"] == 180
    pure = 0
    for cluster in answer.data["top"]:
        page = await call(client, "get-members", dataset="shop", cluster=cluster["id"], limit=100)
        themes = [member["metadata"]["theme"] for member in page.data["members"]]
        pure += max(themes.count(theme) for theme in THEMES)
    assert pure / 180 > 0.85, "most records must lie in a cluster of their own theme"


async def test_the_answer_says_why_this_layer_and_what_next(client: Client) -> None:
    answer = await finish(client, "cluster", dataset="shop")
    assert answer.data["reason"] in answer.text
    assert "Next: describe-cluster" in answer.text
    first = answer.data["top"][0]
    assert first["id"] == "1"
    assert first["keywords"]
    assert first["exemplar"] in answer.text


async def test_the_same_seed_gives_the_same_labels(client: Client) -> None:
    runs = [(await finish(client, "cluster", dataset="shop", seed=7)).data["run"] for _ in range(2)]
    assert runs[0] != runs[1]
    first, second = [
        [
            (
                await call(
                    client, "get-members", dataset="shop", run=run, cluster=cluster, limit=100
                )
            ).data["members"]
            for cluster in ("1", "2")
        ]
        for run in runs
    ]
    assert first == second


async def test_a_smallest_size_gives_one_flat_layer(client: Client) -> None:
    answer = await finish(client, "cluster", dataset="shop", min_cluster_size=20)
    assert len(answer.data["layers"]) == 1
    assert all(cluster["size"] >= 20 for cluster in answer.data["top"])


@pytest.mark.parametrize("space", ["map", "embedding"])
async def test_other_spaces_give_sound_runs(client: Client, space: str) -> None:
    answer = await finish(client, "cluster", dataset="shop", space=space)
    assert not answer.is_error, answer.text
    assert answer.data["noise"] + sum(c["size"] for c in answer.data["top"]) <= 180


async def test_a_filter_clusters_a_part(client: Client) -> None:
    answer = await finish(
        client, "cluster", dataset="shop", where={"theme": ["garden", "coffee", "login"]}
    )
    assert answer.data["records"] == 108
    empty = await finish(client, "cluster", dataset="shop", where={"theme": "music"})
    assert empty.is_error
    assert "None fits `where`" in empty.text


async def test_drilling_down_hangs_the_parts_below_the_cluster(client: Client) -> None:
    whole = (await finish(client, "cluster", dataset="shop")).data
    parts = await finish(client, "cluster", dataset="shop", run=whole["run"], within="1")
    assert not parts.is_error, parts.text
    assert parts.data["clusters"] >= 2
    ids = [cluster["id"] for cluster in parts.data["top"]]
    assert ids[:2] == ["1.1", "1.2"]
    below = await call(client, "list-clusters", dataset="shop", parent="1")
    assert {line["id"] for line in below.data["clusters"]} >= set(ids)
    page = await call(client, "get-members", dataset="shop", cluster="1.1", limit=100)
    assert page.data["total"] == below.data["clusters"][0]["size"]
    old = await call(client, "list-clusters", dataset="shop", run=whole["run"])
    assert old.data["total"] == whole["clusters"], "the run that was drilled into stays as it was"
    same = await call(client, "list-clusters", dataset="shop")
    assert [c["id"] for c in same.data["clusters"]] == [c["id"] for c in old.data["clusters"]]


async def test_a_cluster_that_is_split_again_gets_new_parts_and_says_so(client: Client) -> None:
    whole = (await finish(client, "cluster", dataset="shop")).data
    first = await finish(client, "cluster", dataset="shop", run=whole["run"], within="1")
    again = await finish(client, "cluster", dataset="shop", run=first.data["run"], within=1, seed=5)
    assert not again.is_error, again.text
    assert f"take the place of the {first.data['clusters']} sub-clusters" in again.text
    shares = [cluster["share"] for cluster in again.data["top"]]
    assert sum(shares) <= 1.001
    assert sum(shares) > 0.5, "shares are of the cluster that was split"


async def test_several_clusters_are_clustered_as_a_run_of_their_own(client: Client) -> None:
    whole = (await finish(client, "cluster", dataset="shop")).data
    sizes = {top["id"]: top["size"] for top in whole["top"]}
    pair = list(sizes)[:2]
    joined = await finish(client, "cluster", dataset="shop", run=whole["run"], within=pair)
    assert not joined.is_error, joined.text
    assert joined.data["records"] == sum(sizes[cluster] for cluster in pair)
    assert joined.data["within"] == ", ".join(sorted(pair, key=int))
    assert joined.data["comparison"] is None
    assert f"of {joined.data['within']} of 'shop'" in joined.text
    newest = await call(client, "list-clusters", dataset="shop")
    assert newest.data["run"] == whole["run"], "such a run has to be named"
    named = await call(client, "list-clusters", dataset="shop", run=joined.data["run"])
    assert named.data["records"] == joined.data["records"]
    below = await finish(
        client,
        "cluster",
        dataset="shop",
        run=joined.data["run"],
        within=joined.data["top"][0]["id"],
    )
    assert not below.is_error, below.text
    assert (await call(client, "list-clusters", dataset="shop")).data["run"] == whole["run"]
    alone = await finish(client, "cluster", dataset="shop", run=whole["run"], within=pair[:1])
    assert all(top["id"].startswith(f"{pair[0]}.") for top in alone.data["top"])
    wrong = await finish(client, "cluster", dataset="shop", within=[pair[0], "99"])
    assert "No cluster '99' in run r" in wrong.text


async def test_noise_is_the_same_number_everywhere(client: Client) -> None:
    await finish(client, "ingest", dataset="mixed", rows=tickets(each=60) + odd_texts(60))
    whole = await finish(client, "cluster", dataset="mixed", min_cluster_size=12)
    noise = whole.data["noise"]
    assert noise > 0
    listed = await call(client, "list-clusters", dataset="mixed")
    page = await call(client, "get-members", dataset="mixed", cluster="noise", limit=100)
    drawn = await finish(client, "plot", dataset="mixed")
    assert listed.data["noise"] == page.data["total"] == drawn.data["noise"] == noise
    part = await finish(client, "plot", dataset="mixed", cluster="noise")
    assert part.data["points"] == noise
    parts = await finish(client, "cluster", dataset="mixed", within="noise")
    assert not parts.is_error, parts.text
    assert parts.data["records"] == noise


async def test_an_empty_noise_cannot_be_looked_into(client: Client) -> None:
    await finish(client, "ingest", dataset="eight", rows=[{"text": f"note {n}"} for n in range(8)])
    await finish(client, "cluster", dataset="eight")
    answer = await finish(client, "cluster", dataset="eight", within="noise")
    assert answer.is_error
    assert "noise is empty in run r1" in answer.text


async def test_a_run_of_a_part_is_marked_and_never_the_default(client: Client) -> None:
    whole = (await finish(client, "cluster", dataset="shop")).data
    part = await finish(client, "cluster", dataset="shop", where={"theme": "garden"})
    assert 'where {"theme": "garden"}' in part.text
    assert (await call(client, "list-clusters", dataset="shop")).data["run"] == whole["run"]
    named = await call(client, "list-clusters", dataset="shop", run=part.data["run"])
    assert named.data["records"] == 36


async def test_a_cluster_that_does_not_split_says_why_and_makes_no_run(client: Client) -> None:
    await finish(client, "ingest", dataset="eight", rows=[{"text": f"note {n}"} for n in range(8)])
    run = (await finish(client, "cluster", dataset="eight")).data["run"]
    answer = await finish(client, "cluster", dataset="eight", within="1")
    assert "does not split further; no run was made. Only 8 distinct texts" in answer.text
    assert answer.data["run"] == run
    assert answer.data["noise"] == 0


async def test_unknown_ids_are_answered_with_the_known_ones(client: Client) -> None:
    for tool, arguments in (
        ("cluster", {"within": "99"}),
        ("list-clusters", {"parent": "99"}),
        ("get-members", {"cluster": "99"}),
        ("describe-cluster", {"cluster": "99"}),
        ("plot", {"cluster": "99"}),
    ):
        answer = await finish_any(client, tool, arguments)
        assert "No cluster '99' in run r" in answer
        assert "Clusters: 1, " in answer


async def finish_any(client: Client, tool: str, arguments: dict[str, str]) -> str:
    answer = await call(client, tool, dataset="shop", **arguments)
    assert answer.is_error
    return answer.text


async def test_few_equal_or_single_texts_give_a_sound_answer_and_a_hint(client: Client) -> None:
    few = [{"text": f"a short note about {word}"} for word in ("tea", "rain", "music", "chess")]
    await finish(client, "ingest", dataset="few", rows=few)
    answer = await finish(client, "cluster", dataset="few")
    assert (answer.data["clusters"], answer.data["noise"]) == (1, 0)
    assert "Only 4 distinct texts" in answer.text
    await finish(client, "ingest", dataset="equal", rows=[{"text": "always the same"}] * 50)
    answer = await finish(client, "cluster", dataset="equal")
    assert answer.data["top"][0]["size"] == 50
    assert "All 50 texts are equal" in answer.text
    drawn = await finish(client, "plot", dataset="equal")
    assert drawn.images


async def test_few_texts_fall_into_their_themes_and_the_answer_says_how(client: Client) -> None:
    chosen = [row for row in tickets(each=6) if row["theme"] in ("garden", "login", "coffee")]
    await finish(client, "ingest", dataset="dozen", rows=chosen)
    answer = await finish(client, "cluster", dataset="dozen")
    assert not answer.is_error, answer.text
    assert "18 distinct texts are too few for density" in answer.text
    assert "average linkage" in answer.text
    assert 3 <= answer.data["clusters"] <= 6
    for cluster in answer.data["top"]:
        page = await call(client, "get-members", dataset="dozen", cluster=cluster["id"])
        assert len({member["metadata"]["theme"] for member in page.data["members"]}) == 1
        assert cluster["keywords"]


async def test_a_text_like_no_other_is_noise_with_a_reason_among_few_too(client: Client) -> None:
    pairs = [row for row in tickets(each=6) if row["theme"] in ("garden", "login")]
    alone = {"id": "X", "text": "zebra quartz jukebox", "theme": "odd"}
    await finish(client, "ingest", dataset="alone", rows=[*pairs, alone])
    answer = await finish(client, "cluster", dataset="alone")
    assert answer.data["noise_reasons"]["isolated"] == answer.data["noise"] >= 1
    noise = await call(client, "get-members", dataset="alone", cluster="noise")
    assert "zebra" in noise.text
    assert (await finish(client, "plot", dataset="alone")).images


async def test_a_small_cluster_is_split_too(client: Client) -> None:
    far = [row for row in tickets(each=36) if row["theme"] == "garden"]
    near = [{"text": f"the {thing} {what}", "theme": thing} for thing in THINGS for what in FAULTS]
    await finish(client, "ingest", dataset="nested", rows=[*far, *near])
    whole = await finish(client, "cluster", dataset="nested", min_cluster_size=8)
    for cluster in whole.data["top"]:
        if cluster["size"] < 30:
            parts = await finish(client, "cluster", dataset="nested", within=cluster["id"])
            assert parts.data["clusters"] >= 2, parts.text
            assert "average linkage" in parts.text
            return
    raise AssertionError(f"no small cluster: {whole.text}")


THINGS = ("parcel", "courier", "depot")
FAULTS = ("came late", "was late again", "is far too late", "lost it", "has lost all", "lost mine")


async def test_chinese_texts_have_words_for_keywords_and_an_example_that_holds_them(
    client: Client,
) -> None:
    cards = [
        "我的信用卡还没有到",
        "信用卡寄丢了怎么办",
        "新的信用卡什么时候能寄到",
        "信用卡快递没有更新",
    ]
    rooms = [
        "酒店房间很脏没有打扫",
        "酒店房间空调坏了",
        "酒店房间太吵晚上睡不着",
        "预订的酒店房间没有窗",
    ]
    rows = [
        {"text": text, "vector": [theme, 1 - theme, 0.1 * number]}
        for theme, texts in enumerate((cards, rooms))
        for number, text in enumerate(texts)
    ]
    await finish(client, "ingest", dataset="cn", rows=rows, vector_column="vector")
    answer = await finish(client, "cluster", dataset="cn")
    top = answer.data["top"]
    assert {tuple(cluster["keywords"][:1]) for cluster in top} == {("信用卡",), ("酒店房间",)}
    assert all(cluster["keywords"][0] in cluster["exemplar"] for cluster in top)


async def test_debris_is_in_no_keyword_and_what_says_nothing_is_no_example(client: Client) -> None:
    rows = [
        {"text": f"{row['text']} &amp; http://t.co/a{n} \u201a\xc4\xfa <br> \ufffd"}
        for n, row in enumerate(tickets(each=30))
    ]
    await finish(client, "ingest", dataset="debris", rows=rows)
    answer = await finish(client, "cluster", dataset="debris")
    assert answer.data["clusters"] >= 3
    for cluster in answer.data["top"]:
        words = {word for keyword in cluster["keywords"] for word in keyword.split()}
        assert not words & {"amp", "http", "https", "t.co", "co", "br", "\xe4\xfa"}
        assert not any(word.startswith("a") and word[1:].isdigit() for word in words)
        assert any(word in cluster["exemplar"].lower() for word in cluster["keywords"])


async def test_lists_are_paged_and_sorted(client: Client) -> None:
    run = (await finish(client, "cluster", dataset="shop")).data["run"]
    first = await call(client, "list-clusters", dataset="shop", run=run, limit=2)
    assert len(first.data["clusters"]) == 2
    assert f"offset={first.data['next_offset']}" in first.text
    rest = await call(client, "list-clusters", dataset="shop", run=run, offset=2)
    ids = [line["id"] for line in first.data["clusters"] + rest.data["clusters"]]
    assert len(ids) == len(set(ids)) == first.data["total"]
    sizes = [line["size"] for line in first.data["clusters"] + rest.data["clusters"]]
    assert sizes == sorted(sizes, reverse=True)
    wrong = await call(client, "list-clusters", dataset="shop", run=run, layer=9)
    assert "has 0 to" in wrong.text


async def test_members_are_filtered_and_ordered(client: Client) -> None:
    await finish(client, "cluster", dataset="shop")
    central = await call(client, "get-members", dataset="shop", cluster="1", limit=100)
    edge = await call(client, "get-members", dataset="shop", cluster="1", limit=100, sort="edge")
    ids = [member["id"] for member in central.data["members"]]
    assert set(ids) == {member["id"] for member in edge.data["members"]}
    assert ids != [member["id"] for member in edge.data["members"]]
    random = [
        await call(client, "get-members", dataset="shop", cluster="1", sort="random", seed=seed)
        for seed in (1, 1, 2)
    ]
    assert random[0].data == random[1].data
    assert random[0].data != random[2].data
    rated = await call(
        client, "get-members", dataset="shop", cluster="1", where={"stars": {"gte": 4}}, limit=100
    )
    assert 0 < rated.data["total"] < central.data["total"]
    assert all(member["metadata"]["stars"] >= 4 for member in rated.data["members"])


async def test_a_run_of_records_that_were_replaced_is_not_split_or_checked(client: Client) -> None:
    rows = tickets(each=12)
    await finish(client, "ingest", dataset="renewed", rows=rows)
    await finish(client, "cluster", dataset="renewed")
    await finish(client, "ingest", dataset="renewed", rows=rows, mode="replace")
    for tool, more in (
        ("cluster", {"within": "1"}),
        ("cluster", {"within": ["1", "2"]}),
        ("cluster", {"assign": True}),
        ("check-stability", {}),
    ):
        answer = await finish(client, tool, dataset="renewed", **more)
        assert answer.is_error
        assert "'renewed' was replaced after run r1" in answer.text
        assert "Call cluster()" in answer.text
