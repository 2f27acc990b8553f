"""Text files in the encodings that are met, whole and damaged."""

import gzip
from pathlib import Path

import pytest
from support.file_rows import Read, opened, rows_of, values

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.readers.encodings import encoding_notes
from corpuscope.tools.readers.source import TextEncoding, decoded_lines

SENTENCES = {
    "quotes": "I don’t know why flight {} wasn’t on time – “really” bad…",
    "cafe": "flight {} was late and the café closed",
    "French": "Le vol {} a été retardé à cause de la météo ; où est mon bagage égaré ?",
    "German": "Flug {} war verspätet, das Gepäck fehlt; größere Ärgernisse für müde Gäste",
    "Spanish": "¿Dónde está mi equipaje? El vuelo {} llegó mañana, ¡qué vergüenza señor!",
    "Italian": "Il volo {} è in ritardo, perché nessuno dà informazioni? Così non va più",
    "Portuguese": "O voo {} não chegou, a bagagem está perdida; atenção à situação, avó",
    "Swedish": "Flyget {} var försenat, väskan är borta och ingen på bolaget svarar",
    "Polish": "Lot {} był opóźniony, zgubiono bagaż, proszę o pomoc w związku z tą sprawą",
    "Czech": "Let {} měl zpoždění, zavazadlo se ztratilo, příšerně žluťoučký kůň",
    "Turkish": "Uçuş {} gecikti, bagajım kayboldu, çok kötü bir şirket değil mi",
    "Russian": "Рейс {} задержали, багаж потеряли, очень недоволен обслуживанием",
    "Greek": "Η πτήση {} καθυστέρησε και χάθηκαν οι αποσκευές μου",
    "Hebrew": "הטיסה {} התעכבה והמזוודה אבדה",
    "Japanese": "飛行機{}便が遅れて、荷物がなくなりました。とても残念です。",
    "Chinese": "航班{}延误了，行李丢失，服务态度很差，希望改进",
    "Taiwanese": "航班{}延誤了，行李丟失，服務態度很差，希望改進",
    "Korean": "비행기 {}편이 지연되어 짐을 잃어버렸습니다. 서비스가 매우 나쁩니다",
}
WEST = ["quotes", "cafe", "French", "German", "Spanish", "Italian", "Portuguese", "Swedish"]
MET = [
    *((language, codec) for language in WEST for codec in ("cp1252", "mac_roman")),
    *(("Polish", "cp1250"), ("Polish", "iso8859_2"), ("Czech", "cp1250"), ("Turkish", "cp1254")),
    *(("French", "latin-1"), ("German", "cp850"), ("Russian", "cp1251"), ("Russian", "koi8_r")),
    *(("Greek", "cp1253"), ("Hebrew", "cp1255"), ("Japanese", "shift_jis")),
    *(("Japanese", "euc_jp"), ("Chinese", "gb18030"), ("Chinese", "gbk"), ("Taiwanese", "big5")),
    *(("Korean", "euc_kr"),),
    *(
        (language, codec)
        for language in ("quotes", "Russian", "Chinese")
        for codec in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be")
    ),
    *(("quotes", codec) for codec in ("utf-32", "utf-32-le", "utf-32-be")),
]


def table(language: str, rows: int) -> str:
    sentence = SENTENCES[language].format
    lines = [f'{number},"{sentence(number)}"' for number in range(rows)]
    return "\n".join(["id,text", *lines, ""])


def written(folder: Path, content: bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def encoding_of(path: Path) -> TextEncoding:
    found = opened(path).encoding
    assert found is not None
    return found


@pytest.mark.parametrize("rows", [3, 60])
@pytest.mark.parametrize(("language", "codec"), MET)
def test_a_file_is_read_in_the_encoding_it_was_written_in(
    read: Read, language: str, codec: str, rows: int
) -> None:
    written_text = table(language, rows).encode(codec, "replace")
    texts = [row["text"] for row in values(read("a.csv", written_text))]
    # What an encoding cannot hold was lost when it was written.
    expected = written_text.decode(codec).splitlines()[1:]
    assert [f'{number},"{text}"' for number, text in enumerate(texts)] == expected


@pytest.mark.parametrize("codec", ["mac_roman", "utf-16"])
def test_jsonl_json_and_packed_files_are_decoded_like_csv(read: Read, codec: str) -> None:
    lines = '{"text": "café – naïve"}\n{"text": "größer"}\n'
    expected = [{"text": "café – naïve"}, {"text": "größer"}]
    assert values(read("a.jsonl", lines.encode(codec))) == expected
    assert values(read("a.jsonl.gz", gzip.compress(lines.encode(codec)))) == expected
    document = f"[{','.join(lines.splitlines())}]"
    assert values(read("a.json", document.encode(codec))) == expected


def test_what_is_utf_8_but_for_a_few_bytes_stays_it_and_the_lines_are_named(
    tmp_path: Path,
) -> None:
    rows = [f"{number},sûr – naïve 😀" for number in range(400)]
    rows[7] = rows[200] = "CUT"
    whole = "\n".join(["id,text", *rows]).encode()
    path = written(tmp_path, whole.replace(b"CUT", b"8,sad \xf0\x9f\x98, gone"))
    found = encoding_of(path)
    assert (found.codec, found.damaged, found.damaged_lines) == ("utf-8", 2, (9, 202))
    lines = list(decoded_lines(opened(path)))
    assert lines[8] == "8,sad \ufffd, gone\n"
    assert lines[1] == "0,sûr – naïve 😀\n"
    (note,) = encoding_notes(opened(path))
    assert note.startswith("2 characters are cut off or damaged (no utf-8)")
    assert "lines 9, 202" in note


def test_a_replacement_character_that_stands_in_the_file_is_no_damage(tmp_path: Path) -> None:
    path = written(tmp_path, "text\nlost \ufffd here\n".encode())
    assert encoding_of(path).damaged == 0
    path = written(tmp_path, "text\nlost \ufffd ü here\n".encode() + b"and \xff there\n")
    assert encoding_of(path).damaged_lines == (3,)


def test_damage_is_found_over_the_borders_of_blocks(tmp_path: Path) -> None:
    lines = "".join(f"{number},naïve 😀 größer\n" for number in range(120_000))
    whole = f"id,text\n{lines}".encode()
    path = written(tmp_path, whole)
    assert encoding_of(path).damaged == 0
    place = whole.index(b"100000,na")
    path = written(tmp_path, whole[:place] + b"\x80" + whole[place:])
    assert encoding_of(path).damaged_lines == (100_002,)


def test_stray_zeros_are_dropped_and_counted(tmp_path: Path) -> None:
    path = written(tmp_path, b"text\n" + b"a sound line\n" * 50 + b"one \0 zero\n")
    found = encoding_of(path)
    assert (found.damaged, found.damaged_lines) == (1, (52,))
    assert list(decoded_lines(opened(path)))[-1] == "one  zero\n"


def test_lines_of_carriage_returns_alone_are_lines(read: Read) -> None:
    content = "id,text\r1,café\r2,größer\r".encode("mac_roman")
    assert values(read("a.csv", content)) == [
        {"id": "1", "text": "café"},
        {"id": "2", "text": "größer"},
    ]


def test_the_answer_names_an_encoding_that_is_not_utf_8_and_how_to_choose(tmp_path: Path) -> None:
    path = written(tmp_path, table("German", 5).encode("mac_roman"))
    (note,) = encoding_notes(opened(path))
    assert note.startswith("a.csv was read as mac_roman, as its letters say")
    assert "encoding='…' (utf-8, utf-16, cp1252" in note
    assert encoding_notes(opened(written(tmp_path, b"text\nplain\n"))) == []


def test_a_given_encoding_is_taken_and_an_unknown_one_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "text\nő\n".encode("cp1250"))
    assert values(list(rows_of(path, "Windows-1250"))) == [{"text": "ő"}]
    for marked in ("utf-8-sig", "utf-16", "utf-32"):
        path = written(tmp_path, "text\nő\n".encode(marked))
        assert values(list(rows_of(path, marked))) == [{"text": "ő"}]
    for order in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):  # without a mark
        path = written(tmp_path, "text\nő\n".encode(order))
        asked = order[:6]
        assert values(list(rows_of(path, asked))) == [{"text": "ő"}]
    for unknown in ("klingon", "rot13", "zlib", "punycode"):
        with pytest.raises(BadInput, match=f"'{unknown}' is no encoding. Usual ones: utf-8, utf"):
            list(rows_of(path, unknown))
    with pytest.raises(BadInput, match="leave `encoding` out"):
        rows_of(written(tmp_path, b"PAR1", "a.parquet"), "utf-8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK\x03\x04" + bytes(90), "an Excel workbook or a zip archive.*name it .xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1" + bytes(90), "an old Excel or Word file.*save it as xlsx"),
        (b"PAR1" + bytes(90), "a parquet file.*name it .parquet"),
        (b"%PDF-1.7\n", "a PDF"),
        (gzip.compress(b"text\nhello\n", mtime=0), "packed with gzip.*add .gz"),
        (bytes(range(256)) * 4, "no text: .* control characters.*Export it as csv"),
    ],
)
def test_a_file_that_is_no_text_is_refused_with_what_it_is(
    read: Read, content: bytes, message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        read("a.csv", content)
