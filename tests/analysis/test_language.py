import pytest

from corpuscope.tools.analysis.language import (
    CLOSE_LANGUAGES,
    LANGUAGE_CODES,
    clashing_language,
    foreign_language,
    language_code,
    language_name,
    language_of,
)
from corpuscope.tools.core.errors import BadInput

SENTENCES = {
    "en": "My card has not arrived yet, and nobody can tell me when it will be delivered.",
    "de": "Meine Karte ist noch nicht da, und niemand kann mir sagen, wann sie geliefert wird.",
    "fr": "Ma carte n'est pas encore arrivée et personne ne sait me dire quand elle sera livrée.",
    "es": "Mi tarjeta todavía no ha llegado y nadie sabe decirme cuándo la van a entregar.",
    "it": "La mia carta non è ancora arrivata e nessuno sa dirmi quando verrà consegnata.",
    "nl": "Mijn kaart is nog niet aangekomen en niemand kan mij vertellen wanneer hij komt.",
    "sv": "Mitt kort har inte kommit än, och ingen kan säga mig när det kommer att levereras.",
    "da": "Mit kort er ikke kommet endnu, og ingen kan fortælle mig, hvornår det bliver leveret.",
    "no": "Kortet mitt har ikke kommet ennå, og ingen kan si meg når det kommer til å bli levert.",
    "pl": "Moja karta jeszcze nie dotarła i nikt nie potrafi mi powiedzieć, kiedy przyjdzie.",
    "cs": "Moje karta ještě nedorazila a nikdo mi nedokáže říct, kdy bude doručena.",
    "sk": "Moja karta ešte neprišla a nikto mi nevie povedať, kedy bude doručená.",
    "pt": "O meu cartão ainda não chegou e ninguém sabe dizer-me quando será entregue.",
    "gl": "A miña tarxeta aínda non chegou e ninguén sabe dicirme cando a van entregar.",
    "hr": "Moja kartica još nije stigla i nitko mi ne može reći kada će biti isporučena.",
    "id": "Kartu saya belum sampai dan tidak ada yang bisa memberi tahu kapan akan dikirim.",
    "ms": "Kad saya masih belum sampai dan tiada sesiapa dapat memberitahu bila ia akan dihantar.",
    "tr": "Kart hâlâ gelmedi ve kimse bana ne zaman teslim edileceğini söyleyemiyor.",
    "ru": "Моя карта ещё не пришла, и никто не может сказать мне, когда её доставят.",
    "ja": "カードがまだ届いていません。いつ届くのか、誰も教えてくれません。",
    "zh": "我的卡还没有到。也没有人能告诉我什么时候会送到。",
    "ko": "제 카드가 아직 도착하지 않았고 언제 배송될지 아무도 알려 주지 않습니다.",
    "ar": "لم تصل بطاقتي بعد، ولا أحد يستطيع أن يخبرني متى سيتم تسليمها.",
    "hi": "मेरा कार्ड अभी तक नहीं आया है और कोई नहीं बता पा रहा कि वह कब आएगा।",
}

SHORT_ENGLISH = (
    "Can I do a SWIFT transfer? Are extra cards free? Can I get a Visa or Mastercard?",
    "how do i find top up for cash deposit. Do I pay extra for exchange?",
    "oracle sqlplus command line question. Linq to XML vs DOM. Hibernate Criteria API",
    "Card delivery estimates: customers ask when a new card arrives and how to track it.",
    "Customers in São Paulo and München mention the naïve café façade of Zürich.",
)


@pytest.mark.parametrize("code", SENTENCES)
def test_a_sentence_is_in_its_language_and_clashes_with_no_other_but_the_unlike(code: str) -> None:
    text = SENTENCES[code]
    alike = {code}.union(*(languages for languages in CLOSE_LANGUAGES if code in languages))
    assert language_of(text) in {None, *alike}
    assert clashing_language(text, code) is None
    for expected in SENTENCES.keys() - alike:
        assert clashing_language(text, expected) in alike, expected
    for expected in alike:
        assert clashing_language(text, expected) is None, expected


@pytest.mark.parametrize("code", ["en", "de", "fr", "es", "ja", "ar", "pl", "ru", "ko", "tr"])
def test_the_large_languages_are_told_from_a_sentence(code: str) -> None:
    assert language_of(SENTENCES[code]) == code


@pytest.mark.parametrize("text", SHORT_ENGLISH)
def test_short_english_with_names_and_jargon_is_no_clash(text: str) -> None:
    assert clashing_language(text, "en") is None
    assert language_of(text) in (None, "en")


@pytest.mark.parametrize(
    "text",
    ["", "ok", "Danke!", "Visa", "12345 67890 12345", "x = y[0]; i += 1", "\ud800", "🎉🎉🎉🎉🎉🎉"],
)
def test_of_what_is_too_short_or_no_language_none_is_told(text: str) -> None:
    assert language_of(text) is None
    assert clashing_language(text, "en") is None
    assert clashing_language(text, "ja") is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *(("de", "de"), ("DE", "de"), ("de-AT", "de"), ("pt_BR", "pt"), ("zh-Hant", "zh")),
        *(("German", "de"), (" german ", "de"), ("Deutsch", "de"), ("français", "fr")),
        *(("Norwegian", "no"), ("nb-NO", "no"), ("Scottish  Gaelic", "gd"), ("日本語", "ja")),
        *(("suomi", "fi"), ("deu", "de"), ("Mandarin", "zh"), ("de_DE.UTF-8", "de"), ("iw", "he")),
    ],
)
def test_a_language_goes_by_code_by_english_name_and_by_its_own(name: str, code: str) -> None:
    assert language_code(name) == code


@pytest.mark.parametrize("name", ["", "Klingon", "xx", "zxx", "de en", "-", "\ud800"])
def test_an_unknown_language_is_refused_with_examples(name: str) -> None:
    with pytest.raises(BadInput, match="No language .* is known. Give an ISO 639-1 code such as"):
        language_code(name)


def test_every_name_leads_back_to_its_code() -> None:
    assert [language_name(code) for code in ("de", "bn", "tl")] == ["German", "Bengali", "Tagalog"]
    assert [language_code(language_name(code)) for code in LANGUAGE_CODES] == list(LANGUAGE_CODES)


def test_the_foreign_language_is_that_of_most_texts() -> None:
    german, french = [SENTENCES["de"]] * 5, [SENTENCES["fr"]] * 3
    english = [SENTENCES["en"]] * 4
    assert foreign_language(german) == "German"
    # Neither is the most frequent alone, but together they are more than the English ones.
    assert foreign_language([*german, *french, *english, *english[:3]]) == "German"
    assert foreign_language([*german, *english, *english]) is None
    assert foreign_language([SENTENCES["ja"]]) == "Japanese"


@pytest.mark.parametrize(
    "texts", [[], ["Galaxy S21", "T-Shirt"], [*["Galaxy S21"] * 11, SENTENCES["de"]]]
)
def test_texts_of_which_hardly_one_is_surely_foreign_are_not(texts: list[str]) -> None:
    assert foreign_language(texts) is None


def test_of_many_texts_some_are_asked_from_the_first_to_the_last() -> None:
    texts = [SENTENCES["en"]] * 900 + [SENTENCES["es"]] * 1_100
    assert foreign_language(texts) == "Spanish"
