"""Keywords of made clusters, in several languages."""

import numpy as np
import pytest

from corpuscope.tools.analysis.keywords import (
    MOST_CHARACTERS,
    cluster_keywords,
    word_families,
)
from corpuscope.tools.analysis.stop_words import stop_words_for
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


SAMPLES = {
    "zh": (
        [
            "我的信用卡还没有到",
            "信用卡寄丢了怎么办",
            "新的信用卡什么时候能寄到",
            "信用卡快递没有更新",
        ],
        [
            "酒店房间很脏没有打扫",
            "酒店房间空调坏了",
            "酒店房间太吵晚上睡不着",
            "预订的酒店房间没有窗户",
        ],
        ("信用卡", "酒店房间"),
    ),
    "ja": (
        [
            "クレジットカードが届いていません",
            "クレジットカードの再発行",
            "クレジットカードを紛失した",
        ],
        ["ホテルの部屋が汚かった", "予約した部屋と違う部屋だった", "ホテルの部屋がうるさい"],
        ("クレジットカード", "部屋"),
    ),
    "th": (
        ["กระเป๋าเดินทางหายที่สนามบิน", "กระเป๋าเดินทางของฉันยังไม่มา", "กระเป๋าเดินทางมาช้ามาก"],
        ["ห้องพักสกปรกมาก", "ห้องพักมีกลิ่นเหม็น", "แอร์ในห้องพักเสีย", "ห้องพักเสียงดังนอนไม่หลับ"],
        ("กระเป๋าเดินทาง", "ห้องพัก"),
    ),
    "lo": (
        ["ກະເປົາເດີນທາງເສຍຢູ່ສະໜາມບິນ", "ກະເປົາເດີນທາງຍັງບໍ່ມາ", "ຊອກຫາກະເປົາເດີນທາງ"],
        ["ຫ້ອງພັກເປື້ອນຫຼາຍ", "ຫ້ອງພັກມີກິ່ນເໝັນ", "ແອໃນຫ້ອງພັກເສຍ"],
        ("ກະເປົາເດີນທາງ", "ຫ້ອງພັກ"),
    ),
    "km": (
        ["វ៉ាលីរបស់ខ្ញុំបាត់នៅព្រលានយន្តហោះ", "វ៉ាលីមិនទាន់មកដល់", "វ៉ាលីរបស់ខ្ញុំខូច", "រកវ៉ាលីដែលបាត់"],
        ["បន្ទប់សណ្ឋាគារកខ្វក់", "បន្ទប់មានក្លិនស្អុយ", "ម៉ាស៊ីនត្រជាក់ក្នុងបន្ទប់ខូច"],
        ("វ៉ាលី", "បន្ទប់"),
    ),
    "my": (
        ["အိတ်ပျောက်သွားတယ်", "ကျွန်တော့်အိတ် မရောက်သေးဘူး", "အိတ်ပျက်စီးနေတယ်"],
        ["ဟိုတယ်အခန်းညစ်ပတ်တယ်", "အခန်းမှာအနံ့ဆိုးတယ်", "အခန်းထဲက အဲကွန်းပျက်နေတယ်"],
        ("အိတ်", "အခန်း"),
    ),
    "ko": (
        [
            "신용카드를 잃어버렸어요",
            "신용카드는 언제 배송되나요",
            "신용카드 배송 상태를 알고 싶어요",
        ],
        ["비행기가 다섯 시간 지연되었어요", "날씨 때문에 비행기가 지연됐어요", "비행기를 놓쳤어요"],
        ("신용카드", "비행기"),
    ),
    "de": (
        ["Meine Karte ist nicht da", "Wann kommt die Karte?", "Die Karten sind nicht angekommen"],
        ["Das Zimmer im Hotel war laut", "Die Zimmer sind nicht sauber", "Unser Zimmer ist klein"],
        ("karte", "zimmer"),
    ),
    "fr": (
        [
            "Ma carte n'est pas encore arrivée",
            "Où est la carte ?",
            "Les cartes ne sont pas livrées",
        ],
        [
            "L'avion a du retard",
            "Le retard de l'avion n'était pas annoncé",
            "Cet avion n'est pas là",
        ],
        ("carte", "avion"),
    ),
    "ru": (
        [
            "Моя карта ещё не пришла",
            "Где моя карта?",
            "Когда я получу новую карту?",
            "Доставка карты задерживается",
        ],
        ["Мой рейс отменили", "Из-за погоды отменили все рейсы", "Где рейс? Задержка рейса"],
        ("карта", "рейс"),
    ),
    "ar": (
        ["لم تصل بطاقتي بعد", "متى ستصل البطاقة الجديدة؟", "تأخر وصول البطاقة", "أين بطاقة جديدة؟"],
        ["كانت غرفة الفندق متسخة", "المكيف في الغرفة لا يعمل", "الغرفة كانت صاخبة جدا"],
        ("البطاقة", "الغرفة"),
    ),
}


@pytest.mark.parametrize("code", SAMPLES)
def test_keywords_in_other_languages_and_scripts_are_words(code: str) -> None:
    first, second, words = SAMPLES[code]
    texts, clusters = clusters_of(first, second)
    found = cluster_keywords(texts, clusters)
    terms = {number: " ".join(keywords).split() for number, keywords in found.items()}
    families = word_families([*words, *terms["1"], *terms["2"]])
    for number, word in enumerate(words, 1):
        assert families[word] in {families[term] for term in terms[str(number)]}
    for inside in terms.values():
        assert not set(inside) & stop_words_for(texts)
        assert len({families[word] for word in inside}) == len(inside)


def test_stop_words_of_every_language_in_a_mixed_dataset_fall_out() -> None:
    german, english = SAMPLES["de"][:2], (CARDS, TRAINS)
    texts, clusters = clusters_of(*german, *english)
    words = {word for terms in cluster_keywords(texts, clusters).values() for word in terms}
    assert {"karte", "zimmer", "card", "train"} <= words
    assert not words & {"die", "ist", "nicht", "sind", "the", "was", "my"}


@pytest.mark.parametrize(
    ("words", "same"),
    [
        (("flighted", "flightled", "flight"), True),
        (("cancel", "cancelled", "cancelling"), True),
        (("bag", "bags"), True),
        (("plot", "plots", "plotting", "plotted"), True),
        (("city", "cities"), True),
        (("карта", "карту", "карты"), True),
        (("카드가", "카드를", "카드"), True),
        (("البطاقة", "بطاقة", "والبطاقة"), True),
        (("plane", "plant"), False),
        (("pass", "passport"), False),
        (("station", "stadium"), False),
        (("java", "javascript"), False),
        (("late", "lately", "lady"), False),
    ],
)
def test_inflections_of_one_word_are_one_family(words: tuple[str, ...], same: bool) -> None:
    assert (len(set(word_families(words).values())) == 1) is same


def test_inflections_of_one_word_are_one_keyword() -> None:
    texts, clusters = clusters_of(
        [f"{day} my flight was {word}" for word in CANCELLED for day in ("Monday", "Friday")] * 3,
        TRAINS,
    )
    found = cluster_keywords(texts, clusters)["1"]
    words = [word for term in found for word in term.split()]
    assert sum(word.startswith("cancel") for word in words) == 1
    assert sum(word.startswith("flight") for word in words) == 1


CANCELLED = (
    "cancelled flightled",
    "cancelled flighted",
    "canceled",
    "cancel",
    "cancelling flights",
)


def test_debris_is_in_no_keyword_of_any_cluster() -> None:
    debris = (
        "&amp; http://t.co/Ab{} \u201a\xc4\xfa \xe2\u20ac\u2122 <br> amp quot nbsp \ufffd www.x.com"
    )
    groups = [[f"{text} {debris.format(n)}" for n, text in enumerate(g)] for g in (CARDS, TRAINS)]
    found = cluster_keywords(*clusters_of(*groups), count=30)
    clean = cluster_keywords(*clusters_of(CARDS, TRAINS), count=30)
    assert found == clean


def test_an_address_hidden_in_entities_is_in_no_keyword_where_it_is_redacted() -> None:
    written = [f"{text} write to card.desk&#64;card-mail.com" for text in CARDS]
    texts, clusters = clusters_of(written, TRAINS)
    found = cluster_keywords(texts, clusters, count=20, redact=redact)["1"]
    assert "card" in found
    assert not [word for word in found if "desk" in word or "mail" in word]
