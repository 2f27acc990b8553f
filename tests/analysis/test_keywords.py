"""Keywords of made clusters, in several languages."""

import numpy as np

from corpuscope.tools.analysis.keywords import MOST_CHARACTERS, cluster_keywords
from corpuscope.tools.core.redaction import redact
from corpuscope.tools.core.schema import Ints


def clusters_of(*groups: list[str]) -> tuple[list[str], dict[str, Ints]]:
    """Texts and clusters 1, 2, … of them."""
    texts = [text for group in groups for text in group]
    ends = np.cumsum([0, *map(len, groups)])
    return texts, {
        str(n): np.arange(ends[n - 1], ends[n], dtype=np.int32) for n in range(1, len(groups) + 1)
    }


CARDS = [f"my card was {what} at the cash machine" for what in ("lost", "eaten", "blocked")] * 4
TRAINS = [f"the train to the {where} was late again" for where in ("coast", "city", "north")] * 4


def test_keywords_are_what_the_siblings_do_not_say() -> None:
    texts, clusters = clusters_of(CARDS, TRAINS)
    found = cluster_keywords(texts, clusters)
    assert {"card", "cash machine"} <= set(found["1"])
    assert {"train", "late"} <= set(found["2"])
    assert not {"the", "was", "my", "at", "to"} & {*found["1"], *found["2"]}
    assert all(word == word.lower() for words in found.values() for word in words)


def test_a_phrase_takes_the_place_of_its_words_and_is_not_cut_across_a_mark() -> None:
    texts, clusters = clusters_of(["Exchange rate, again."] * 5 + ["exchange rate!"] * 5, TRAINS)
    assert cluster_keywords(texts, clusters)["1"] == ["exchange rate"]


def test_a_phrase_with_a_particle_stays_whole() -> None:
    texts, clusters = clusters_of(["please top up my account", "top up failed"] * 5, TRAINS)
    assert cluster_keywords(texts, clusters)["1"][0] == "top up"


def test_singular_and_plural_are_one_keyword() -> None:
    texts, clusters = clusters_of(
        ["the city closed", "cities closed", "a new card", "new cards", "this case", "cases"] * 4,
        TRAINS[::3],
    )
    found = cluster_keywords(texts, clusters)["1"]
    for pair in (("city", "cities"), ("card", "cards"), ("case", "cases")):
        assert sum(word in term.split() for term in found for word in pair) == 1


def test_german_and_spanish_stop_words_fall_out_without_a_list() -> None:
    german = [
        [f"der {a} und die {b} in der Stadt sind mit der {c}" for _ in range(6)]
        for a, b, c in (
            ("Bahnhof", "Züge", "Verspätung"),
            ("Trainer", "Spieler", "Mannschaft"),
            ("Minister", "Wahlen", "Regierung"),
            ("Regen", "Stürme", "Überschwemmung"),
            ("Arzt", "Pfleger", "Klinik"),
        )
    ]
    spanish = [
        [f"el {a} de la {b} no es de los {c}" for _ in range(6)]
        for a, b, c in (
            ("tren", "estación", "viajeros"),
            ("equipo", "liga", "jugadores"),
            ("ministro", "nación", "votos"),
            ("viento", "lluvia", "huracanes"),
        )
    ]
    for groups, empty in ((german, "der und die in sind mit"), (spanish, "el de la no es los")):
        found = cluster_keywords(*clusters_of(*groups))
        words = {word for terms in found.values() for term in terms for word in term.split()}
        assert not words & set(empty.split())
        assert all(len(terms) >= 3 for terms in found.values())
    assert {"bahnhof", "züge", "verspätung"} == set(cluster_keywords(*clusters_of(*german))["1"])


def test_a_name_in_one_text_is_no_keyword_of_a_big_cluster() -> None:
    texts, clusters = clusters_of([*CARDS, "zanzibar zanzibar zanzibar"], TRAINS)
    assert "zanzibar" not in cluster_keywords(texts, clusters)["1"]


def test_children_are_held_against_each_other_not_against_other_themes() -> None:
    visa = ["card visa fee", "visa card fee abroad"] * 5
    lost = ["card lost in street", "lost card on holiday"] * 5
    texts, clusters = clusters_of(visa, lost, TRAINS)
    nested = {
        "1": np.concatenate((clusters["1"], clusters["2"])),
        "1.1": clusters["1"],
        "1.2": clusters["2"],
        "2": clusters["3"],
    }
    found = cluster_keywords(texts, nested)
    assert found["1"][0] == "card"
    assert "card" not in {*found["1.1"], *found["1.2"]}
    assert "visa" in " ".join(found["1.1"]) and "lost" in " ".join(found["1.2"])


def test_an_only_cluster_is_held_against_the_texts_outside_it() -> None:
    texts, clusters = clusters_of(CARDS, TRAINS)
    found = cluster_keywords([*texts, "word"], {"1": clusters["1"]})
    assert "card" in found["1"]
    assert cluster_keywords(CARDS, {"1": clusters["1"]})["1"]


def test_names_of_programs_and_short_forms_survive() -> None:
    texts, clusters = clusters_of(["C++ and node.js don't build"] * 5, TRAINS)
    found = cluster_keywords(texts, clusters)["1"]
    assert any("c++" in term for term in found)
    assert any("node.js" in term for term in found)
    assert not any("don" in term for term in found)


def test_texts_without_words_and_no_clusters_give_no_keywords() -> None:
    assert cluster_keywords(["1 2 3", "!!!"], {"1": np.array([0, 1], np.int32)}) == {"1": []}
    assert cluster_keywords(["a text"], {}) == {}


def test_no_more_than_asked_for_and_the_same_each_time() -> None:
    random = np.random.default_rng(0)
    groups = [
        [" ".join(f"{letter}{random.integers(40)}x" for _ in range(9)) for _ in range(60)]
        for letter in "pqrst"
    ]
    texts, clusters = clusters_of(*groups)
    found = cluster_keywords(texts, clusters, count=5)
    assert {len(words) for words in found.values()} == {5}
    assert found == cluster_keywords(texts, clusters, count=5)


def test_what_is_redacted_is_in_no_keyword_and_neither_is_its_mark() -> None:
    written = [f"{text}, write to card.desk@card-mail.com, phone +49 30 901820" for text in CARDS]
    texts, clusters = clusters_of(written, TRAINS)
    assert any("mail.com" in word for word in cluster_keywords(texts, clusters, count=20)["1"])
    found = cluster_keywords(texts, clusters, count=20, redact=redact)["1"]
    assert "card" in found
    assert not [word for word in found if "email" in word.split()]
    assert not [word for word in found if "desk" in word or "mail" in word]


def test_an_address_where_a_long_text_is_cut_is_in_no_keyword() -> None:
    address = "card.desk@card-mail.com"
    for over in range(1, len(address)):
        before = "x " * ((MOST_CHARACTERS - over) // 2) + " " * (over % 2)
        texts, clusters = clusters_of(
            [f"{text} {before}"[-len(before) :] + address for text in CARDS], TRAINS
        )
        found = cluster_keywords(texts, clusters, count=20, redact=redact)["1"]
        assert not [word for word in found if "desk" in word or "mail" in word]


def test_without_redaction_a_word_in_brackets_is_a_word() -> None:
    texts, clusters = clusters_of([f"{text} [email] [card]" for text in CARDS], TRAINS)
    assert "email" in " ".join(cluster_keywords(texts, clusters, count=20)["1"])
