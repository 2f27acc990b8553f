"""Titles that are equal or nearly so, and how they are told apart without a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from support.texts import tickets

from corpuscope.tools.core.schema import Floats
from corpuscope.tools.describing.answers import TITLE_CHARACTERS, TITLE_WORDS, clean_title
from corpuscope.tools.describing.evidence import Evidence, Keyphrase
from corpuscope.tools.describing.titles import alike_pairs, title_groups, with_keyphrase
from corpuscope.tools.embedding.factory import fit_embedder
from corpuscope.tools.embedding.spec import Embedder, EmbeddingOptions


@dataclass(frozen=True)
class Table:
    """An embedder by a table: the direction of a title is written down with it."""

    known: dict[str, Floats]
    spec: str = "onnx:table"
    dim: int = 8

    def embed(self, texts: Sequence[str]) -> Floats:
        return np.stack([self.known[text] for text in texts])

    def embed_query(self, text: str) -> Floats:
        return self.known[text]


NAMES = ["Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf"]


def turned(cosine: float, axis: int) -> Floats:
    """The unit vector at this cosine to the first axis, for the rest along another one."""
    row = np.zeros(8, np.float32)
    row[0], row[axis] = cosine, np.sqrt(1 - cosine**2)
    return row


def table(cosines: Sequence[float], spec: str = "onnx:table") -> tuple[dict[str, str], Table]:
    """Titles without a common word; the first is at these cosines to those after it."""
    rows = [turned(1.0, 1), *(turned(cosine, axis) for axis, cosine in enumerate(cosines, 1))]
    titles = {str(number): name for number, name in enumerate(NAMES[: len(rows)], 1)}
    return titles, Table(dict(zip(titles.values(), rows, strict=True)), spec)


def titled(*titles: str) -> dict[str, str]:
    return {str(number): title for number, title in enumerate(titles, 1)}


def evidence(cluster: str, *keywords: str) -> Evidence:
    return Evidence(
        dataset="tickets",
        cluster=cluster,
        size=9,
        share=0.1,
        keywords=[Keyphrase(text=word) for word in keywords],
        siblings=[],
        children=[],
        traits=[],
        excerpts=[],
        outside=[],
    )


@pytest.fixture(scope="module")
def lexical(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    texts = [row["text"] for row in tickets(20)]
    folder: Path = tmp_path_factory.mktemp("lexical")
    return fit_embedder("lexical", texts, EmbeddingOptions(folder), folder).embedder


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Lost cards", "Lost cards"),
        ("Lost cards", "  lost CARD "),
        ("Refund of a card", "Card refunds"),
        ("Lost virtual card replacement cost", "Cost of lost card replacement"),
        ("Top-up failed", "Failed top up"),
        ("カード紛失", "カード紛失"),
        ("ﾋﾞｻﾞ カード", "ビザ カード"),
        ("بطاقات مفقودة", "مفقودة بطاقات"),
        ("Ru\u0308ckzahlung", "R\u00fcckzahlungen"),
        ("退款", "退款"),
        ("Оплата в магазине", "оплата магазине"),
        ("🙂", "🙂"),
        ("?!", "?!"),
        ("to be", "To Be"),
    ],
)
def test_titles_of_the_same_words_are_alike_without_an_embedder(one: str, other: str) -> None:
    assert alike_pairs(titled(one, other), None) == [("1", "2")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Lost cards", "Stolen cards"),
        ("UK politics", "US politics"),
        ("Pointers in C++", "Pointers in C#"),
        ("Plots in R", "Plots"),
        ("Floods of 2019", "Floods of 2020"),
        ("Top 10 songs", "Top 20 songs"),
        ("カード紛失", "カード再発行"),
        ("بطاقات مفقودة", "بطاقات جديدة"),
        ("退款", "退货"),
        ("Netflix 退款", "Netflix 退货"),
        ("🙂", "🙁"),
        ("?!", "Lost cards"),
        ("Failed card payment in a Paris shop", "Failed card payment in a London shop"),
    ],
)
def test_titles_that_differ_in_a_word_that_tells_are_not_alike(one: str, other: str) -> None:
    assert alike_pairs(titled(one, other), None) == []


def test_nothing_is_alike_where_there_is_one_title_or_none() -> None:
    _, embedder = table([])
    assert alike_pairs({}, embedder) == []
    assert alike_pairs({"1": "Alpha"}, embedder) == []


def test_pairs_come_in_the_order_of_the_ids_as_they_were_given() -> None:
    titles = {"2": "Cards", "10": "Fees", "1": "Card", "3": "Fee"}
    assert alike_pairs(titles, None) == [("2", "1"), ("10", "3")]


def test_titles_of_the_same_meaning_are_alike_by_the_embedder() -> None:
    titles, embedder = table([0.95, 0.85, 0.3, 0.3, 0.3, 0.3])
    assert alike_pairs(titles, embedder) == [("1", "2")]


@pytest.mark.parametrize("cosines", [[0.9], [0.9, 0.2], [0.9, 0.2, 0.2]])
def test_also_two_or_three_titles_are_told_to_be_alike(cosines: list[float]) -> None:
    titles, embedder = table(cosines)
    assert alike_pairs(titles, embedder) == [("1", "2")]


def test_two_titles_of_other_meaning_are_not_alike() -> None:
    titles, embedder = table([0.85])
    assert alike_pairs(titles, embedder) == []


def test_a_model_that_finds_everything_similar_is_held_to_more() -> None:
    # Any two are at some 0.9 to each other; only the second is clearly nearer to the first.
    titles, embedder = table([0.985, 0.95, 0.95, 0.95, 0.95, 0.95])
    assert alike_pairs(titles, embedder) == [("1", "2")]


def test_words_decide_where_the_embedder_knows_only_those_of_its_texts(lexical: Embedder) -> None:
    titles = titled(
        "Parcel has not arrived",
        "It arrived not, the parcel",
        "Parcel at a neighbour",
        "Locked account",
    )
    assert alike_pairs(titles, None) == alike_pairs(titles, lexical) == [("1", "2")]
    # It knows neither of the words in which they differ.
    one, other = lexical.embed(["Parcel 退", "Parcel 换"])
    assert float(one @ other) > 0.99
    assert alike_pairs(titled("Parcel 退", "Parcel 换"), lexical) == []


def test_what_turns_a_title_into_its_contrary_counts() -> None:
    assert alike_pairs(titled("Refund received", "Refund not received"), None) == []


def test_acronyms_that_look_like_stop_words_count() -> None:
    assert alike_pairs(titled("US floods", "Floods"), None) == []
    assert alike_pairs(titled("Jobs in IT", "Jobs"), None) == []


def test_titles_in_which_the_embedder_knows_nothing_are_not_alike(lexical: Embedder) -> None:
    titles = titled("カード紛失", "再発行", "Locked account")
    assert not lexical.embed_query("カード紛失").any()
    assert alike_pairs(titles, lexical) == []


def test_pairs_that_touch_make_one_group() -> None:
    pairs = [("1", "2"), ("3", "4"), ("5", "6"), ("2", "4"), ("2", "7")]
    found = title_groups(pairs)
    assert sorted(map(sorted, found)) == [["1", "2", "3", "4", "7"], ["5", "6"]]
    assert title_groups([]) == []
    assert title_groups([("1", "2"), ("1", "2")]) == [["1", "2"]]


def test_a_keyphrase_that_the_others_do_not_have_is_added_to_the_title() -> None:
    own = evidence("1", "card", "lost cards", "replacement fee", "stolen")
    others = [evidence("2", "card", "stolen"), evidence("3", "atm")]
    assert with_keyphrase("Lost cards", own, others) == "Lost cards (replacement fee)"


@pytest.mark.parametrize("keywords", [[], ["card"], ["cards", "lost"]])
def test_without_such_a_phrase_the_id_of_the_cluster_is_added(keywords: list[str]) -> None:
    others = [evidence("3.2", "card")]
    assert with_keyphrase("Lost cards", evidence("3.1", *keywords), others) == "Lost cards (3.1)"


def test_two_equal_titles_get_different_phrases() -> None:
    one, two = evidence("1", "card", "fee"), evidence("2", "card", "atm")
    titles = titled(
        with_keyphrase("Lost cards", one, [two]), with_keyphrase("Lost cards", two, [one])
    )
    assert titles == {"1": "Lost cards (fee)", "2": "Lost cards (atm)"}
    assert alike_pairs(titles, None) == []


def test_a_full_title_makes_room_for_a_phrase_rather_than_grow() -> None:
    full = "One two three four five six seven eight"
    added = with_keyphrase(full, evidence("1", "lost purse", "fee"), [])
    assert added == "One two three four five six (lost purse)"
    assert len(added.split()) <= TITLE_WORDS
    # A phrase that fits into a title that is nearly full comes before one that does not.
    nearly = "One two three four five six seven"
    assert with_keyphrase(nearly, evidence("1", "lost purse", "fee"), []) == f"{nearly} (fee)"


@pytest.mark.parametrize("title", ["紛" * TITLE_CHARACTERS, "word" * 30, "w" * 60 + " " + "v" * 59])
def test_a_title_of_many_characters_is_cut_before_the_phrase(title: str) -> None:
    added = with_keyphrase(title, evidence("1", "lost purse"), [])
    assert added.endswith(" (lost purse)")
    assert added.startswith(title[:40])
    assert clean_title(added) == added


def test_even_a_phrase_as_long_as_a_title_leaves_a_word_of_it() -> None:
    phrase = "one two three four five six seven eight"
    assert with_keyphrase("Lost cards", evidence("1", phrase), []) == f"Lost ({phrase})"
