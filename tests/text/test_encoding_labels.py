import pytest

from gptwright.text.encoding_labels import decode_as, lookup_encoding, of_codec


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("latin1", "windows-1252"),
        ("ISO-8859-1", "windows-1252"),
        ("us-ascii", "windows-1252"),
        ("iso-8859-9", "windows-1254"),
        ("tis-620", "windows-874"),
        ("x-sjis", "shift_jis"),
        ("ks_c_5601-1987", "euc-kr"),
        ("gb2312", "gb18030"),
        ("x-gbk", "gb18030"),
        ("unicode-1-1-utf-8", "utf-8"),
        (" UTF8\n", "utf-8"),
        ("iso-2022-jp", "iso-2022-jp"),
        ("iso-2022-kr", "iso2022_kr"),
        ("hz-gb-2312", "hz"),
        ("koi8-ru", "koi8-u"),
        ("cp437", "cp437"),
    ],
)
def test_labels_mean_what_browsers_take_them_for(label: str, name: str) -> None:
    found = lookup_encoding(label)
    assert found is not None and found.name == name


@pytest.mark.parametrize("label", ["martian", "", "base64", "rot13", "undefined", "a\0b"])
def test_what_is_no_encoding_of_text_is_unknown(label: str) -> None:
    assert lookup_encoding(label) is None


@pytest.mark.parametrize(
    ("label", "data", "text"),
    [
        ("shift_jis", b"\x87\x40\x83\x41", "①ア"),
        ("euc-jp", b"\xad\xa1\xa4\xa2", "①あ"),
        ("iso-2022-jp", b'\x1b$B-!$"\x1b(B a', "①あ a"),
        ("euc-kr", b"\x8c\x63", "똠"),
        ("gb2312", b"\x95\xf8", "書"),
        ("latin1", b"\x93a\x94\x81", "“a”\x81"),
    ],
)
def test_what_browsers_know_beyond_the_codecs(label: str, data: bytes, text: str) -> None:
    found = lookup_encoding(label)
    assert found is not None and decode_as(data, found) == text


def test_bytes_that_mean_nothing() -> None:
    found = of_codec("cp949")
    assert found.name == "euc-kr"
    with pytest.raises(UnicodeDecodeError):
        decode_as(b"a\xff", found)
    assert decode_as(b"a\xffb", found, replace=True) == "a\ufffdb"
