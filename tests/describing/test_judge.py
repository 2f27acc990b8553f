"""Who says whether words fit texts, and what it says of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.changed_settings import changed_settings
from support.endpoint_server import DIM, EndpointServer, embeds, endpoint_server, fails
from support.texts import THEMES, tickets

from corpuscope.server.settings import Settings, open_workspace
from corpuscope.tools.core.schema import COLUMN, DatasetCard, Description, Mask, Node, Sentence
from corpuscope.tools.describing.evidence import Findings, build_evidence
from corpuscope.tools.describing.gathering import DescriptionTask
from corpuscope.tools.describing.judge import Judge, open_judge
from corpuscope.tools.describing.proof import MISSED_SHOWN, TAKEN_SHOWN, Trial
from corpuscope.tools.describing.sampling import Pick
from corpuscope.tools.embedding.factory import fit_embedder
from corpuscope.tools.embedding.remote import EndpointEmbedder
from corpuscope.tools.embedding.spec import Embedder, EmbeddingOptions
from corpuscope.tools.workspace.workspace import Workspace

OF_THEME = {
    theme: [row["text"] for row in tickets(30) if row["theme"] == theme] for theme in THEMES
}
FITTING = ("The espresso machine leaks", "Hot water leaks all over the kitchen. Coffee is bitter.")
OTHER = ("Sick rose bush", "The apple tree and the lawn seed withered in June. Leaves are dry.")


def described(title: str, summary: str) -> Description:
    sentences = [Sentence(text=part) for part in summary.split(". ")]
    return Description(cluster="1", title=title, summary=sentences, keywords=[], author="person")


def card(embedding: str, dim: int = 8) -> DatasetCard:
    return DatasetCard(
        name="tickets",
        collection="c_tickets",
        embedding=embedding,
        dim=dim,
        text_columns=["text"],
        created="2026-01-01T00:00:00+00:00",
    )


def task(
    inside: list[str], outside: list[str], shown: str = "The espresso machine leaks"
) -> DescriptionTask:
    """A cluster whose vectors, in 8 dimensions, say nothing; its words are in its texts."""
    picks = [Pick(0, "central", 1)]
    found = Findings(picks, [], texts={0: shown}, records={0: "a" * 32}, homes={})
    node = Node(id="1", layers=(0, 0), size=30, share=0.5, keywords=[], exemplars=[])
    nothing = np.full(8, np.sqrt(1 / 8), np.float32)
    trial = Trial(
        np.tile(nothing, (len(inside), 1)),
        np.tile(nothing, (len(outside), 1)),
        nothing,
        inside,
        outside,
    )
    return DescriptionTask(build_evidence("tickets", node, found), trial, ("1", "2"))


COFFEE = task(OF_THEME["coffee"], OF_THEME["garden"])


@pytest.fixture(scope="module")
def workspace(settings: Settings) -> Workspace:
    return open_workspace(settings)


@pytest.fixture(scope="module")
def lexical(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    folder: Path = tmp_path_factory.mktemp("lexical")
    texts = [*OF_THEME["coffee"], *OF_THEME["garden"]]
    return fit_embedder("lexical", texts, EmbeddingOptions(folder), folder).embedder


def own_trial(embedder: Embedder) -> Trial:
    """The trial with the vectors that the dataset's own embedder gave its texts."""
    inside = embedder.embed(COFFEE.trial.inside_texts)
    outside = embedder.embed(COFFEE.trial.outside_texts)
    return replace(COFFEE.trial, inside=inside, outside=outside, centroid=inside.mean(axis=0))


def test_words_that_fit_score_higher_than_those_of_the_neighbour(lexical: Embedder) -> None:
    judge = Judge(lexical, same_space=True)
    trial = own_trial(lexical)
    good, bad = (judge.proof(described(*words), trial) for words in (FITTING, OTHER))
    assert good is not None and bad is not None
    assert good.auc > 0.85 > 0.3 > bad.auc
    assert (good.by, good.inside, good.outside) == ("lexical", 30, 30)
    assert good.best == bad.best > 0.95


@pytest.mark.parametrize("words", [("", FITTING[1]), (FITTING[0], "")])
def test_both_title_and_summary_count(lexical: Embedder, words: tuple[str, str]) -> None:
    judge = Judge(lexical, same_space=True)
    title, summary = words
    # Half of the words are about the cluster, half about its neighbour.
    mixed = described(title or OTHER[0], summary or OTHER[1])
    found, pure = (judge.proof(one, own_trial(lexical)) for one in (mixed, described(*FITTING)))
    bad = judge.proof(described(*OTHER), own_trial(lexical))
    assert found is not None and pure is not None and bad is not None
    assert bad.auc < found.auc < pure.auc


def test_a_judge_of_its_own_vectors_goes_by_those_of_the_trial(lexical: Embedder) -> None:
    trial = own_trial(lexical)
    turned = replace(trial, inside=trial.outside, outside=trial.inside)
    judge = Judge(lexical, same_space=True)
    straight, swapped = (judge.proof(described(*FITTING), one) for one in (trial, turned))
    assert straight is not None and swapped is not None
    assert straight.auc + swapped.auc == pytest.approx(1, abs=0.011)


def test_a_judge_of_other_vectors_embeds_the_texts_itself(lexical: Embedder) -> None:
    other, own = Judge(lexical, same_space=False), Judge(lexical, same_space=True)
    assert COFFEE.trial.inside.shape[1] != lexical.dim
    assert other.proof(described(*FITTING), COFFEE.trial) == own.proof(
        described(*FITTING), own_trial(lexical)
    )


@pytest.mark.parametrize(("inside", "outside"), [(0, 9), (9, 0), (4, 9), (9, 4)])
def test_too_few_texts_are_not_tried(lexical: Embedder, inside: int, outside: int) -> None:
    few = task(OF_THEME["coffee"][:inside], OF_THEME["garden"][:outside]).trial
    judge = Judge(lexical, same_space=False)
    assert judge.proof(described(*FITTING), few) is None
    if not inside or not outside:
        assert judge.mistakes(described(*FITTING), few).missed == []


def test_mistakes_are_named_as_texts_a_few_on_each_side(lexical: Embedder) -> None:
    wrong = Judge(lexical, same_space=False).mistakes(described(*OTHER), COFFEE.trial)
    assert (len(wrong.missed), len(wrong.taken)) == (MISSED_SHOWN, TAKEN_SHOWN)
    assert set(wrong.missed) <= set(OF_THEME["coffee"])
    assert set(wrong.taken) <= set(OF_THEME["garden"])


def test_vectors_that_came_with_the_file_are_judged_by_words(workspace: Workspace) -> None:
    judge = open_judge(workspace, card(COLUMN), [COFFEE])
    assert judge is not None
    assert (judge.same_space, judge.embedder.spec) == (False, "lexical")
    good, bad = (judge.proof(described(*words), COFFEE.trial) for words in (FITTING, OTHER))
    assert good is not None and bad is not None
    assert good.by == "lexical"
    assert good.auc > 0.85 > 0.3 > bad.auc


@pytest.mark.parametrize("embedding", ["onnx:acme/gone", "lexical"])
def test_where_the_dataset_s_own_embedder_is_gone_words_are_compared(
    workspace: Workspace, embedding: str
) -> None:
    judge = open_judge(workspace, card(embedding), [COFFEE])
    assert judge is not None
    assert (judge.same_space, judge.embedder.spec) == (False, "lexical")


def with_endpoint(settings: Settings, server: EndpointServer) -> Workspace:
    return open_workspace(changed_settings(settings, embedding_base_url=server.url))


def test_where_the_endpoint_of_the_embedder_refuses_words_are_compared(settings: Settings) -> None:
    with endpoint_server(fails(401)) as server:
        judge = open_judge(with_endpoint(settings, server), card("openai:small", DIM), [COFFEE])
    assert server.requests
    assert judge is not None
    assert (judge.same_space, judge.embedder.spec) == (False, "lexical")


def test_an_endpoint_that_answers_judges_the_vectors_that_it_made(settings: Settings) -> None:
    with endpoint_server(embeds) as server:
        judge = open_judge(with_endpoint(settings, server), card("openai:small", DIM), [])
        assert judge is not None
        assert judge.same_space
        trial = own_trial(judge.embedder)
        found = judge.proof(described(*FITTING), trial)
        asked = len(server.requests)
        few = task(OF_THEME["coffee"][:4], OF_THEME["garden"]).trial
        assert judge.proof(described(*FITTING), few) is None
        assert len(server.requests) == asked  # nobody is asked for what cannot be tried
    assert found is not None
    assert found.by == "openai:small"


def saved_lexical(workspace: Workspace, name: str) -> tuple[DatasetCard, Embedder]:
    """A dataset whose fit is on the disk."""
    at = replace(card("lexical"), collection=name)
    fitted = fit_embedder(
        "lexical",
        OF_THEME["login"],
        workspace.embedders.options,
        workspace.dataset_folder(at),
    )
    return replace(at, dim=fitted.embedder.dim), fitted.embedder


def test_the_dataset_s_own_embedder_judges_where_it_is_there(workspace: Workspace) -> None:
    there, embedder = saved_lexical(workspace, "c_there")
    judge = open_judge(workspace, there, [])
    assert judge is not None
    assert judge.same_space
    text = "My password is rejected"
    np.testing.assert_array_equal(judge.embedder.embed_query(text), embedder.embed_query(text))


def test_what_the_dataset_masks_counts_neither_in_the_proof_nor_in_titles(
    workspace: Workspace,
) -> None:
    masked = replace(card(COLUMN), mask=Mask(kinds=("handles", "urls")))
    judge = open_judge(workspace, masked, [COFFEE])
    assert judge is not None
    title, summary = FITTING
    named = described(f"{title} @garden https://rose.example/tree", f"{summary} @lawn")
    assert judge.proof(named, COFFEE.trial) == judge.proof(described(*FITTING), COFFEE.trial)
    assert judge.alike({"1": "Late @united", "2": "Late @delta"}) == [("1", "2")]
    whole = open_judge(workspace, card(COLUMN), [COFFEE])
    assert whole is not None
    assert whole.alike({"1": "Late @united", "2": "Late @delta"}) == []


def test_an_embedder_of_another_size_than_the_vectors_does_not_judge_them(
    workspace: Workspace,
) -> None:
    there, embedder = saved_lexical(workspace, "c_other")
    judge = open_judge(workspace, replace(there, dim=embedder.dim + 1), [COFFEE])
    assert judge is not None
    assert not judge.same_space


@pytest.mark.parametrize("tasks", [[], [task([], [], shown="")], [task([" "], ["\u3000"], "")]])
def test_without_any_text_there_is_no_judge(
    workspace: Workspace, tasks: list[DescriptionTask]
) -> None:
    assert open_judge(workspace, card(COLUMN), tasks) is None


@pytest.mark.parametrize("shown", ["!", "a", "的", "7"])
def test_the_shortest_texts_are_enough_to_judge_by(workspace: Workspace, shown: str) -> None:
    judge = open_judge(workspace, card(COLUMN), [task([], [], shown=shown)])
    assert judge is not None
    assert judge.proof(described(*FITTING), COFFEE.trial) is not None


def test_the_fit_for_a_judge_is_the_same_every_time_and_leaves_no_file(
    workspace: Workspace,
) -> None:
    before = sorted(workspace.home.rglob("*"))
    judges = [open_judge(workspace, card(COLUMN), [COFFEE]) for _ in range(2)]
    proofs = [judge and judge.proof(described(*FITTING), COFFEE.trial) for judge in judges]
    assert proofs[0] is not None
    assert proofs[0] == proofs[1]
    assert sorted(workspace.home.rglob("*")) == before


def test_an_endpoint_that_dies_leaves_words_untried_and_titles_compared_by_words() -> None:
    with endpoint_server(embeds) as server:
        embedder = EndpointEmbedder("openai:small", server.options(), "small")
        judge = Judge(embedder, same_space=True)
    assert judge.proof(described(*FITTING), COFFEE.trial) is None
    assert judge.alike({"1": "Lost cards", "2": "Lost cards"}) == [("1", "2")]
