"""The benchmark's own measures, tables and made data; its peers are not needed."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import mean

import numpy as np
import pytest
from support.endpoint_server import Reply, Request, chat, described, describes, endpoint_server
from support.texts import THEMES, tickets

from bench import description_report, measures, sets, table
from bench.compare import Outcome, row, step_table
from bench.description_methods import Ground, by_keywords, by_model, labelled, prepare
from bench.made import COPY_SHARE, NOISE_SHARE, mixture
from bench.measures import Cost, measured
from bench.methods import METHODS, Step
from bench.reads import TARGETS, read_calls, write_made
from corpuscope.server.settings import open_workspace, read_settings
from corpuscope.tools.llm.endpoint import EndpointOptions
from corpuscope.tools.workspace.workspace import LlmOptions

# Memory and machine are read from /proc.
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
TRUTH = np.repeat(np.arange(4, dtype=np.int32), 25)


def test_equal_groupings_score_one_whatever_the_clusters_are_called() -> None:
    renamed = (TRUTH + 2) % 4
    assert measures.ami(TRUTH, renamed) == pytest.approx(1.0)
    assert measures.ari_noise_apart(TRUTH, renamed) == pytest.approx(1.0)
    assert measures.clusters(renamed) == 4
    assert measures.coverage(renamed) == 1.0


def test_groupings_by_chance_score_nothing() -> None:
    chance = np.random.default_rng(0).integers(0, 4, len(TRUTH)).astype(np.int32)
    assert abs(measures.ami(TRUTH, chance)) < 0.05
    assert abs(measures.ari_noise_apart(TRUTH, chance)) < 0.05


def test_what_is_read_in_the_benchmark_is_in_what_was_made_for_it(tmp_path: Path) -> None:
    from pyarrow import parquet

    write_made(tmp_path, 300)
    made = parquet.read_table(tmp_path / "made.parquet")
    vectors = np.load(tmp_path / "made.npy")
    assert len(made) == len(vectors) == 300
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    calls = read_calls(1)
    assert set(TARGETS) <= calls.keys()
    for _, arguments in calls.values():
        assert arguments.get("where", {}).keys() <= set(made.column_names)
    assert any("word1 " in text for text in made["text"].to_pylist())


def test_noise_is_no_cluster_and_covers_nothing() -> None:
    labels = np.array([0, 0, 1, -1], np.int32)
    assert measures.clusters(labels) == 2
    assert measures.coverage(labels) == 0.75
    nothing = np.full(4, -1, np.int32)
    assert (measures.clusters(nothing), measures.coverage(nothing)) == (0, 0.0)


def test_calling_a_whole_class_noise_does_not_pay() -> None:
    one_thrown_away = np.where(TRUTH == 3, -1, TRUTH).astype(np.int32)
    # Noise as one class would be that very class, and score as if nothing had been thrown away.
    assert measures.ami(TRUTH, one_thrown_away) == pytest.approx(1.0)
    assert measures.ari_noise_apart(TRUTH, one_thrown_away) < 0.9
    assert measures.ari_noise_apart(TRUTH, np.full_like(TRUTH, -1)) == pytest.approx(0.0)


def test_every_pair_of_labellings_is_held_against_each_other() -> None:
    halves = TRUTH // 2
    alike = measures.pairwise_ami([TRUTH, TRUTH, halves])
    assert alike == pytest.approx([1.0, alike[1], alike[1]])
    assert alike[1] < 0.9


@on_linux
def test_memory_that_was_freed_again_counts_as_added() -> None:
    def work() -> int:
        return int(np.ones(40_000_000, np.uint8).sum())

    result, cost = measured(work)
    assert result == 40_000_000
    assert cost.seconds > 0
    assert 30 < cost.added < 80
    assert cost.peak > cost.added
    # What one piece of work took is not counted against the next.
    assert measured(lambda: None)[1].added < 20


@on_linux
def test_a_process_counts_with_what_it_took_if_it_worked_and_not_if_it_waited() -> None:
    eat = "b = bytearray(b'x') * 60_000_000; print(sum(range(10_000_000)), flush=True)"
    lines = f"import sys; sys.stdin.readline(); {eat}; sys.stdin.readline()"
    with subprocess.Popen(
        [sys.executable, "-c", lines], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None and child.stdout is not None
        meter = measures.Meter()
        child.stdin.write("go\n")
        child.stdin.flush()
        child.stdout.readline()
        worked, waited = meter.stop(), measured(lambda: None)[1]
        child.stdin.write("end\n")
    assert 55 < worked.added < 120
    assert waited.added < 20


def test_a_row_shows_medians_and_the_range_of_the_seconds() -> None:
    outcomes = [
        Outcome(Cost(seconds, 10.0, 500.0), found, 0.5, ami, 0.25)
        for seconds, found, ami in ((3.0, 9, 0.7), (1.0, 30, 0.5), (2.0, 10, 0.6))
    ]
    shown = row("a method", outcomes)
    assert shown == ["a method", "2.0 (1.0 to 3.0)", "10", "500", "10", "0.50", "0.600", "0.250"]


def test_a_set_without_labels_has_no_scores() -> None:
    shown = row("a method", [Outcome(Cost(1.0, 10.0, 500.0), 9, 0.5, None, None)])
    assert shown[1] == "1.0"
    assert shown[-2:] == [table.NOT_THERE, table.NOT_THERE]


def test_steps_stand_in_the_order_in_which_they_ran() -> None:
    runs = [
        [Step("second thing", Cost(s, 1.0, 2.0)), Step("a later one", Cost(2 * s, 1.0, 2.0))]
        for s in (1.0, 3.0, 2.0)
    ]
    lines = step_table(runs).splitlines()
    assert lines[2].startswith("| second thing | 2.00 (1.00 to 3.00) |")
    assert lines[3].startswith("| a later one | 4.00 (2.00 to 6.00) |")


def test_a_ratio_stands_beside_its_target() -> None:
    targets = {"a / b": "at most 2", "a / b, large": "at most 3"}
    pairs = {"a / b": (3.0, 2.0), "c / b": (1.0, 2.0)}
    small, large = (table.ratios(pairs, where, targets) for where in ("small", "large"))
    assert "| a / b | 1.50 | at most 2 |" in small
    assert "| a / b | 1.50 | at most 3 |" in large
    assert f"| c / b | 0.50 | {table.NOT_THERE} |" in large


def test_a_section_that_is_not_measured_again_stays_as_it_was() -> None:
    first = table.updated("", {"million": "## big\n\nold\n", "compare b": "## b\n\nold\n"})
    second = table.updated(first, {"compare b": "## b\n\nnew\n", "compare a": "## a\n\nnew\n"})
    assert second.count("old") == 1
    order = [second.index(title) for title in ("## a", "## b", "## big")]
    assert all(one < next_one for one, next_one in pairwise(order))
    assert second.startswith(table.PREFACE)
    assert table.updated(second, {}) == second


@on_linux
def test_a_section_says_how_it_was_measured() -> None:
    text = table.section("A title", table.markdown(["a", "b"], [["1", "2"]]))
    assert text.startswith("## A title\n\n| a | b |\n| --- | ---: |\n| 1 | 2 |\n")
    for fact in ("commit", "python -m bench", "cores", "GiB", "numpy", "evoc"):
        assert fact in text


def test_made_vectors_have_the_noise_and_the_copies_that_were_asked_for() -> None:
    made = mixture(4_000, dim=32, seed=1)
    again = mixture(4_000, dim=32, seed=1)
    assert made.labels is not None and again.labels is not None
    np.testing.assert_array_equal(made.vectors, again.vectors)
    np.testing.assert_allclose(np.linalg.norm(made.vectors, axis=1), 1.0, atol=1e-5)
    assert np.mean(made.labels < 0) == pytest.approx(NOISE_SHARE, abs=0.02)
    assert len(set(made.texts)) == 4_000 - COPY_SHARE * 4_000
    assert len(np.unique(made.vectors, axis=0)) == len(set(made.texts))
    for text in {text for text in made.texts if made.texts.count(text) > 1}:
        same = [at for at, other in enumerate(made.texts) if other == text]
        assert len(np.unique(made.labels[same])) == 1
        assert len(np.unique(made.vectors[same], axis=0)) == 1


def test_made_components_differ_in_size_and_lie_apart() -> None:
    made = mixture(6_000, seed=2)
    assert made.labels is not None
    sizes = np.bincount(made.labels[made.labels >= 0])
    assert sizes[:10].mean() > 4 * sizes[-10:].mean()
    one, other = (made.vectors[made.labels == label] for label in (0, 1))
    assert np.median(one @ one.T) > np.median(one @ other.T) + 0.3


def test_a_set_is_read_with_its_vectors_and_labels(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    from pyarrow import parquet
    from pyarrow import table as columns

    folder = tmp_path_factory.mktemp("sets")
    parquet.write_table(
        columns({"text": ["a", "b", "c"], "label": ["x", "y", "x"]}), folder / "small.parquet"
    )
    np.save(folder / f"small{sets.VECTORS}", np.eye(3, 4, dtype=np.float16) * 2)
    parquet.write_table(columns({"text": ["a"]}), folder / "alone.parquet")
    assert sets.names(folder) == ["small"]
    data = sets.read(folder, "small")
    assert data.texts == ["a", "b", "c"]
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1, 0]
    assert data.vectors.dtype == np.float32
    np.testing.assert_array_equal(data.vectors, np.eye(3, 4))


def test_ours_labels_every_record_and_a_copy_as_its_original() -> None:
    made = mixture(1_500, seed=3)
    assert made.labels is not None
    labels = METHODS["ours"].run(made.texts, made.vectors, 0)
    assert labels.shape == (1_500,)
    of_text: dict[str, int] = {}
    for text, label in zip(made.texts, labels.tolist(), strict=True):
        assert of_text.setdefault(text, label) == label
    assert measures.ami(made.labels, labels) > 0.3


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Messages to a shop, whose vectors are those of their themes, with a label that no text has
    as a word."""
    from pyarrow import parquet
    from pyarrow import table as columns

    folder = tmp_path_factory.mktemp("sets")
    rows = tickets(each=60)
    labels = [f"zz_{row['theme']}" for row in rows]
    texts = [row["text"] for row in rows]
    parquet.write_table(columns({"text": texts, "label": labels}), folder / "shop.parquet")
    parquet.write_table(columns({"text": texts}), folder / "unknown.parquet")
    themes = np.array([list(THEMES).index(row["theme"]) for row in rows])
    vectors = np.random.default_rng(0).normal(0, 0.1, (len(rows), 16))
    vectors[np.arange(len(rows)), themes] += 1
    for name in ("shop", "unknown"):
        np.save(folder / f"{name}{sets.VECTORS}", vectors.astype(np.float16))
    assert labelled(folder) == ["shop"]
    home = tmp_path_factory.mktemp("home")
    settings = read_settings(_env_file=None, home=home, allowed_dirs=(folder,), llm_model=None)
    workspace = open_workspace(settings)
    with closing(workspace.store):
        yield prepare(workspace, folder, "shop", folder / "no model")


def with_endpoint(ground: Ground, endpoint: EndpointOptions) -> tuple[Ground, LlmOptions]:
    writer = LlmOptions(endpoint, "tiny", price_in=1.0, price_out=2.0)
    return replace(ground, workspace=replace(ground.workspace, writer=writer)), writer


@on_linux
def test_a_cluster_has_the_label_of_most_of_its_records_and_its_evidence_does_not_tell_it(
    ground: Ground,
) -> None:
    assert sorted(ground.labels.values()) == sorted(f"zz_{theme}" for theme in THEMES)
    assert ground.labels.keys() == ground.packs.keys()
    assert all("zz" not in pack.evidence.as_text() for pack in ground.packs.values())


@on_linux
def test_keywords_tell_their_cluster_from_others_and_those_of_the_nearest_one_do_not(
    ground: Ground,
) -> None:
    written = by_keywords(ground).final
    near = description_report.nearest_others(ground.packs)
    assert all(cluster != neighbour for cluster, neighbour in near.items())
    right, wrong = (
        [proof.auc for proof in description_report.proofs(ground, written, of) if proof]
        for of in ({}, near)
    )
    assert len(right) == len(wrong) == len(THEMES)
    assert mean(right) > 0.7
    assert mean(wrong) < 0.5


@on_linux
def test_without_the_model_of_the_vectors_the_section_says_that_words_are_compared(
    ground: Ground,
) -> None:
    text = description_report.as_section(ground, [by_keywords(ground)])
    assert text.startswith(f"## shop: descriptions of {len(THEMES)} clusters\n")
    assert "by `lexical`, for want of the model that made the vectors" in text
    assert "| keywords | 0 of 10 (0.00%) | 0 of 10 (0.00%) |" in text
    assert "| 0 | 0 |\n" in text  # tokens in and out
    assert "| model |" not in text


@on_linux
def test_a_model_is_measured_with_what_it_used_and_how_it_sorts(ground: Ground) -> None:
    with endpoint_server(describes) as server:
        asked, writer = with_endpoint(ground, server.options())
        account = by_model(asked, writer)
    assert account.final.keys() == ground.packs.keys()
    assert account.used.calls + account.sorting.calls == len(server.requests)
    assert all(one.proof and one.proof.recall is not None for one in account.final.values())
    text = description_report.as_section(asked, [account])
    price = (100 * account.used.calls * 1.0 + 20 * account.used.calls * 2.0) / 1e6
    assert f"| {price:.4f} |" in text


@on_linux
def test_equal_titles_are_counted_before_and_after_they_are_told_apart(ground: Ground) -> None:
    def one_title_for_all(request: Request) -> Reply:
        answer = described(request)
        if '"summary"' in request.told:
            head, _, rest = answer.partition('"title": "')
            answer = f'{head}"title": "Complaints of customers{rest[rest.index(chr(34)) :]}'
        return chat(answer)

    with endpoint_server(one_title_for_all) as server:
        account = by_model(*with_endpoint(ground, server.options()))
    assert description_report.alike(ground.judge, account.first) == "10 of 10 (100.00%)"
    assert description_report.alike(ground.judge, account.final) == "0 of 10 (0.00%)"


@on_linux
def test_a_model_that_cannot_be_reached_ends_the_benchmark_with_the_reason(ground: Ground) -> None:
    with endpoint_server(describes) as server:
        gone = server.options()
    with pytest.raises(SystemExit, match=r"tiny described nothing: .*127\.0\.0\.1"):
        by_model(*with_endpoint(ground, gone))


@pytest.mark.parametrize(
    ("title", "label", "named"),
    [
        ("Lost cards", "card_arrival", True),
        ("Pending transfers", "card_arrival", False),
        ("Why it is not there", "why_verify_identity", False),
        ("Top up fails", "topping_up_by_card", False),
        ("top, money", "top_up_failed", True),
        ("Qt widgets", "qt", True),
        ("a card", "reverted_card_payment?", True),
        ("Visual Studio plugins", "visual-studio", True),
    ],
)
def test_a_title_names_a_label_by_a_telling_word_in_singular_or_plural(
    title: str, label: str, named: bool
) -> None:
    assert description_report.names_label(title, label) is named


def test_labels_that_are_numbers_are_no_names() -> None:
    assert description_report.are_names({"1": "visual-studio", "2": "qt"})
    assert not description_report.are_names({"1": "visual-studio", "2": "17"})
    assert not description_report.are_names({})
