import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gptwright.foundations.errors import InputError
from gptwright.text.encoding import decode, decode_html
from gptwright.text.encoding_labels import lookup_encoding

HERE = Path("book.txt")
CHINESE = "话说天下大势,分久必合,合久必分。周末七国分争,并入于秦。及秦灭之后,楚、汉分争,又并入于汉。\n" * 5
ENGLISH = "It is a truth universally acknowledged, that a single man in possession of a good fortune\n"
KOREAN = "오늘 아침에는 비가 조금 내렸다. 나는 작은 우산을 들고 시장까지 걸어갔다. 할머니는 빵을 팔고 계셨다.\n" * 2
JAPANESE = "昨日の朝、私は小さな駅で古い友人に会った。二人で川のそばを歩き、昔の話をした。\n" * 3
KANJI = "東京都内会議決定事項報告書。第一条目的。本規則会社運営方針定。第二条委員会設置。\n" * 5
THAI = "เมื่อวานนี้ฝนตกเล็กน้อย ฉันถือร่มคันเล็กเดินไปที่ตลาด คุณยายขายขนมปังอุ่น\n" * 3
RUSSIAN = "Вчера утром шёл небольшой дождь, и я встретил старого друга на маленькой станции.\n" * 3
GREEK = "Χθες το πρωί έβρεξε λίγο και συνάντησα έναν παλιό φίλο στον μικρό σταθμό του χωριού.\n" * 3
HEBREW = "אתמול בבוקר ירד מעט גשם ופגשתי חבר ותיק בתחנה הקטנה ליד הנהר והלכנו יחד.\n" * 3
ARABIC = "صباح أمس هطل مطر خفيف وقابلت صديقا قديما في المحطة الصغيرة قرب النهر.\n" * 3
TAIWANESE = "昨天早上下了一點雨，我在小車站遇見了老朋友。我們在河邊走路，說了很久的話。\n" * 3
POLISH = "Wczoraj rano padał lekki deszcz i spotkałem starego przyjaciela na małej stacji, gdzieś pod Łodzią.\n" * 3
TURKISH = "Dün sabah hafif bir yağmur yağdı ve küçük istasyonda eski bir arkadaşımla karşılaştım, şaşırdım.\n" * 3
FRENCH = "Hier matin, il a plu un peu et j'ai rencontré un vieil ami à la gare ; « déjà », dit-il, très étonné.\n" * 3
VIETNAMESE = (
    unicodedata.normalize("NFC", "Sáng hôm qua trời mưa nhỏ và tôi gặp một người bạn cũ ở nhà ga nhỏ bên sông.\n") * 3
)


@given(st.text(alphabet=st.characters(exclude_characters="\0\ufeff\x1b~", exclude_categories=["Cs"])))
def test_utf8_comes_back(text: str) -> None:
    if not text.startswith(("%PDF-", "{\\rtf1")):
        assert decode(text.encode(), HERE) == (text, "utf-8")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "gb18030"])
@pytest.mark.parametrize("text", [CHINESE, CHINESE + ENGLISH])
def test_chinese_is_read_in_its_encodings(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding), HERE) == (text, encoding.removesuffix("-sig"))


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("text", [ENGLISH, KOREAN, JAPANESE, CHINESE, RUSSIAN, "A woman 👩 smiles 😀.\n"])
def test_wide_text_of_both_orders_with_its_mark_or_without(text: str, codec: str, mark: str) -> None:
    found, name = decode((mark + text).encode(codec), HERE)
    assert found == text
    assert name.replace("-", "") == (codec[:6] if mark else codec).replace("-", "")


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        (KOREAN, "cp949", "euc-kr"),
        (KOREAN, "iso2022_kr", "iso2022_kr"),
        (JAPANESE, "euc_jp", "euc-jp"),
        (JAPANESE, "cp932", "shift_jis"),
        (JAPANESE, "iso2022_jp", "iso-2022-jp"),
        (KANJI, "euc_jp", "euc-jp"),
        (CHINESE, "hz", "hz"),
        (TAIWANESE, "big5", "big5"),
        (THAI, "tis-620", "windows-874"),
        (RUSSIAN, "koi8-r", "koi8-r"),
        (RUSSIAN, "cp1251", "windows-1251"),
        (RUSSIAN, "iso8859-5", "iso-8859-5"),
        (RUSSIAN, "cp866", "ibm866"),
        (GREEK, "cp1253", "windows-1253"),
        (HEBREW, "cp1255", "windows-1255"),
        (ARABIC, "cp1256", "windows-1256"),
        (POLISH, "cp1250", "windows-1250"),
        (POLISH, "iso8859-2", "iso-8859-2"),
        (TURKISH, "cp1254", "windows-1254"),
        (FRENCH, "cp1252", "windows-1252"),
        (FRENCH, "latin1", "windows-1252"),
        ("She said: “It’s a café” — 5 €.\n" * 3, "cp1252", "windows-1252"),
    ],
)
def test_what_is_not_utf8_is_read_and_named(text: str, codec: str, name: str) -> None:
    assert decode(text.encode(codec), HERE) == (text, name)


def test_vietnamese_comes_back_whose_marks_stand_apart() -> None:
    data = b"".join(_cp1258(c) for c in VIETNAMESE)
    found, name = decode(data, HERE)
    assert (unicodedata.normalize("NFC", found), name) == (VIETNAMESE, "windows-1258")


def _cp1258(character: str) -> bytes:
    """One character; those with two marks as the letter with the first and the second apart."""
    try:
        return character.encode("cp1258")
    except UnicodeEncodeError:
        base, *marks = unicodedata.normalize("NFD", character)
        circumflex = [m for m in marks if m in "\u0302\u0306\u031b"]
        letter = unicodedata.normalize("NFC", base + "".join(circumflex))
        return (letter + "".join(m for m in marks if m not in circumflex)).encode("cp1258")


@pytest.mark.parametrize(
    ("text", "codec"), [(KOREAN, "cp949"), (JAPANESE, "euc_jp"), (CHINESE, "gb18030"), (HEBREW, "cp1255")]
)
def test_one_spoiled_byte_does_not_make_it_text_of_another_script(text: str, codec: str) -> None:
    data = text.encode(codec)
    with pytest.raises(InputError, match=r"--encoding"):
        decode(data[:40] + b"\xff" + data[41:], HERE)


@pytest.mark.parametrize("data", [b"\xe9", b"caf\x82 \x8ff", bytes(range(128, 256))])
def test_what_cannot_be_told_is_refused_with_the_offset(data: bytes) -> None:
    at = next(i for i, byte in enumerate(data) if byte >= 128)
    try:
        decode(data, HERE)
    except InputError as error:
        assert f"offset {at}" in str(error) and "--encoding" in str(error)


def test_one_bad_byte_in_utf8_is_not_taken_for_another_encoding() -> None:
    data = CHINESE.encode()
    with pytest.raises(InputError, match=f"UTF-8 text(.|\n)*at offset {len(data)}"):
        decode(data + b"\xff" + data, HERE)
    with pytest.raises(InputError):
        decode(data[:-2], HERE)
    with pytest.raises(InputError, match="UTF-8 text"):
        decode("It’s “so”, he said.".encode() + b"\x92", HERE)


@pytest.mark.parametrize("data", [b"text\0",  b"%PDF-1.7\n...", b"\x89PNG\r\n", b"PK\x03\x04\x80", b"\x1f\x8b\x08...",
                                  b"GIF89a\0\1", b"GGUF\3\0\0\0", b"PAR1\x15\x04\xff", b"{\\rtf1\\ansi"])  # fmt: skip
def test_binary_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match=r"text in book\.txt"):
        decode(data, HERE)


@pytest.mark.parametrize("start", ["GGUF", "GIF8", "GIF89a", "PAR1", "%PDF", "PK", "{\\rtf"])
def test_letters_alone_make_no_binary_file(start: str) -> None:
    text = f"{start} is how files of a kind begin; naïve readers stop there.\n"
    assert decode(text.encode(), HERE) == (text, "utf-8")


@pytest.mark.parametrize("text", ["\x1b[31mred\x1b(B end", "if ($x =~{foo~}bar) {}", "perl ~{ab~} and", "a ~{ b"])
def test_shifts_in_programs_and_terminals_are_not_japanese_or_chinese(text: str) -> None:
    assert decode(text.encode(), HERE) == (text, "utf-8")


def test_utf16_that_is_cut_short_is_refused() -> None:
    with pytest.raises(InputError, match=r"UTF-16 text(.|\n)*offset"):
        decode(b"\xff\xfeA\0B", HERE)


def test_an_encoding_that_was_given_is_for_what_does_not_show_its_own() -> None:
    given = lookup_encoding("latin1")
    assert decode(b"caf\xe9 \x80", HERE, given) == ("café €", "windows-1252")
    assert decode("café".encode(), HERE, given) == ("café", "utf-8")
    assert decode("café".encode("utf-16"), HERE, given) == ("café", "utf-16")
    with pytest.raises(InputError, match=r"EUC-KR text in book\.txt; got a byte that is not \(0xff at offset 1\)"):
        decode(b"a\xff", HERE, lookup_encoding("euc-kr"))


def page(label: str, body: str = "Größe") -> str:
    return f'<html><head><meta charset="{label}"></head><body>{body}</body></html>'


def test_a_page_is_read_as_it_declares() -> None:
    assert decode_html(page("windows-1252").encode("cp1252"), HERE) == (page("windows-1252"), "windows-1252")
    assert decode_html(page("windows-1252").encode(), HERE) == (page("windows-1252"), "utf-8")
    xml = '<?xml version="1.0" encoding="koi8-r"?><html><body>привет'
    assert decode_html(xml.encode("koi8-r"), HERE) == (xml, "koi8-r")
    hidden = '<!-- <meta charset="koi8-r"> --><meta http-equiv=x content="text/html; charset = cp1251"><p>привет'
    assert decode_html(hidden.encode("cp1251"), HERE) == (hidden, "windows-1251")


@pytest.mark.parametrize("label", ["utf-8", "utf-16", "martian", "us-ascii"])
def test_a_page_that_declares_wrongly_is_read_as_what_it_is(label: str) -> None:
    said = page(label, FRENCH)
    assert decode_html(said.encode("cp1252"), HERE) == (said, "windows-1252")


def test_one_bad_byte_does_not_hide_a_page() -> None:
    for label, codec, text in (("euc-kr", "cp949", KOREAN), ("utf-8", "utf-8", CHINESE)):
        data = page(label, text).encode(codec)
        found, name = decode_html(data[:-14] + b"\xff" + data[-14:], HERE)
        assert found == page(label, text)[:-14] + "\ufffd" + page(label, text)[-14:]
        assert name == f"{label} with bad bytes"
