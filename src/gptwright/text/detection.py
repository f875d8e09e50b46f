"""Which encoding bytes are in that do not say it: chardet's judgement, and what must be true of it to be believed."""

import re
import unicodedata
from typing import Any

from gptwright.text.encoding_labels import Encoding, decode_as, of_codec

SAMPLE = 200_000
LEAST_CONFIDENCE, LEAST_OF_LONG, LONG, CLEAR, ALIKE = 0.2, 0.35, 1_000, 0.1, 0.05
"""Of 1,400 texts of 40 to 3,000 characters in 24 languages, nearly all that one spoiled byte made another script had
less, from 1,000 bytes on all; nine of ten sound ones of 100 characters had more, and all of 3,000."""

# fmt: off
_LATIN = (
    "cp1250", "cp1252", "cp1254", "cp1257", "cp1258", "iso8859-1", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-9",
    "iso8859-10", "iso8859-13", "iso8859-14", "iso8859-15", "iso8859-16",
)
_RARE = ("cp437", "cp850", "cp852", "mac-roman")
_OTHERS = (
    "big5hkscs", "cp866", "cp874", "cp932", "cp949", "cp1251", "cp1253", "cp1255", "cp1256", "euc_jis_2004", "euc_kr",
    "gb18030", "iso8859-5", "iso8859-6", "iso8859-7", "iso8859-8", "koi8-r", "koi8-u", "mac-cyrillic",
    "shift_jis_2004", "tis-620",
)
# fmt: on
# The commonest of newspapers. Most texts of either language that have no kana are sound in the other's encoding too.
_COMMON = {
    "gb18030": (
        "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可里"
        "后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从"
        "动两长"
    ),
    "euc_jis_2004": (
        "日一国会人年大十二本中長出三同時政事自行社見月分議後前民生連五発間対上部東者党地合市業内相方四定"
        "今回新場金員九入選立開手米力学問高代明実円関決子動京全目表戦経通外最言氏現理調体化田当八六約主題"
        "下首意法"
    ),
}
_SHIFTED = ("iso2022_jp_2", "iso2022_jp_ext", "iso2022_kr", "hz")
_SHIFTS = re.compile(rb"\x1b[$(]|~\{")
_NEVER_TEXT = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffe\uffff]")
# Signs that no word ends in or goes on after: DOS and the old Macintosh have accented letters there.
_TORN = re.compile("[^\\W\\d_][ƒ‚„†‡ˆ˜‹Ž][^\\W\\d_]|[a-z][ƒ‚†‡ˆ˜](?!\\w)")
_WORDS = re.compile(rb"[\xa0-\xff]{4}")
_BORDERS = re.compile("[ \n\u3000\u3001\u3002\uff0c]")


def detect_shifted(data: bytes, declared: Encoding | None = None) -> tuple[str, str] | None:
    """The text and its encoding when the bytes are ASCII that shifts to other characters: ISO-2022-JP and -KR, and HZ;
    else None."""
    first = _SHIFTS.search(data)
    if not first:
        return None
    likely = [of_codec(found["encoding"]) for found in _ranked(_sample(data, first.start()), _SHIFTED)]
    for meant in [declared, *likely] if declared else likely:
        text = _sound(data, meant) if meant.codec in _SHIFTED else None
        if text is not None and (_is_chinese(text) if meant.codec == "hz" else not text.isascii()):
            return text, meant.name
    return None


def _is_chinese(text: str) -> bool:
    """Whether some characters, and most of those beyond ASCII, are of the 3,755 common ones that GB 2312 has first:
    HZ's shift, ~{, may be part of a program."""
    beyond = [c for c in text if not c.isascii()]
    common = [c for c in beyond if 0xB0 <= c.encode("gb2312", "replace")[0] <= 0xD7]
    return len(common) >= max(3, len(beyond) / 2)


def detect_wide(data: bytes) -> tuple[str, str] | None:
    """The text when the bytes are UTF-16 or UTF-32 without byte order mark, of either order; else None."""
    for codec in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        meant = of_codec(codec)
        text = _sound(data, meant)
        # Noise has rarely a space where text has one in every line; the other order makes them U+2000 and U+0A00.
        sample = (text or "")[:SAMPLE]
        if text and _is_assigned(sample) and len(_BORDERS.findall(sample)) >= len(sample) / 100:
            return text, meant.name
    return None


def detect_encoding(data: bytes) -> tuple[str, str] | None:
    """The text and its encoding when the bytes leave little doubt, else None: text read wrongly is worse than none.

    Text with few bytes beyond ASCII is read in the likeliest encoding of the Latin alphabet.
    """
    start = next(re.finditer(rb"[\x80-\xff]", data)).start()
    sample = _sample(data, start)
    least = LEAST_CONFIDENCE if len(sample) < LONG else LEAST_OF_LONG
    ranked = _chinese_or_japanese(sample, _ranked(sample, (*_LATIN, *_RARE, *_OTHERS)))
    is_sure = bool(ranked) and ranked[0]["confidence"] >= least
    if not is_sure and is_sparse(sample):
        ranked, least = _likely_latin(sample, ranked), 0.0
    for found in ranked:
        if found["confidence"] < least:
            return None
        meant = of_codec(found["encoding"])
        if (text := _sound(data, meant)) is not None:
            return None if _TORN.search(text) else (text, meant.name)
    return None


def _likely_latin(sample: bytes, ranked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the candidates for few letters beyond ASCII, none of them sure, those of the Latin alphabet; where all are
    much alike, the web's first guess before the others. None at all where whole words may be of another alphabet.
    """
    if _WORDS.search(sample) and ranked[0]["encoding"] not in (*_LATIN, *_RARE):
        return []
    best = ranked[0]["confidence"]
    latin = [found for found in ranked if found["encoding"] in (_LATIN if best < CLEAR else (*_LATIN, *_RARE))]
    # ISO 8859-15 has œ where English texts have ½.
    is_alike = best < ALIKE or latin[0]["encoding"] == "iso8859-15"
    web = [found for found in latin if found["encoding"] == "cp1252" and is_alike]
    return [*web, *latin]


def _chinese_or_japanese(sample: bytes, ranked: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The candidates, the better first of the two that share all their bytes, by their languages' commonest signs."""
    places = [i for i, found in enumerate(ranked) if found["encoding"] in _COMMON]
    if len(places) < 2 or places[0] > 0:
        return ranked
    confidence = max(ranked[i]["confidence"] for i in places)
    shares = {ranked[i]["encoding"]: _share_of_common(sample, ranked[i]["encoding"]) for i in places}
    best = max(shares, key=lambda codec: shares[codec])
    return [{"encoding": best, "confidence": confidence}, *(each for each in ranked if each["encoding"] != best)]


def _share_of_common(sample: bytes, codec: str) -> float:
    """Among the Chinese signs of the text, kana counted as Japan's; 0 when it is not sound."""
    text = _sound(sample, of_codec(codec)) or ""
    signs = [c for c in text if "\u3040" <= c <= "\u30ff" or "\u4e00" <= c <= "\u9fff"]
    kana = codec != "gb18030"
    common = sum(c in _COMMON[codec] or (kana and c < "\u3100") for c in signs)
    return common / max(len(signs), 1)


def is_sparse(data: bytes) -> bool:
    """Whether few of the bytes that are letters, or parts of them, are beyond ASCII: as in most Latin alphabets."""
    beyond = len(re.findall(rb"[\x81-\x84\x86-\x90\x98-\xff]", data))  # others are Windows' quotes, dashes, … and €
    return beyond < 0.3 * (beyond + len(re.findall(rb"[A-Za-z]", data)))


def _ranked(sample: bytes, codecs: tuple[str, ...]) -> list[dict[str, Any]]:
    """chardet's candidates among Python's codecs, the best first."""
    import chardet

    found = chardet.detect_all(
        sample,
        include_encodings=codecs,
        compat_names=False,
        ignore_threshold=True,
        max_bytes=len(sample),
        no_match_encoding=codecs[0],
    )
    return [dict(each) for each in found if each["encoding"] in codecs]


def _sample(data: bytes, start: int) -> bytes:
    """Bytes around the first that is not ASCII, ending with a line, so that no character is cut in two."""
    start = max(0, start - 1_000)
    if len(data) - start <= SAMPLE:
        return data[start:]
    sample = data[start : start + SAMPLE]
    return sample[: sample.rfind(b"\n") + 1] or sample


def _sound(data: bytes, meant: Encoding) -> str | None:
    """The text when every byte means something, and none a character that text does not have."""
    try:
        text = decode_as(data, meant)
    except UnicodeDecodeError:
        return None
    return None if _NEVER_TEXT.search(text) else text


def _is_assigned(text: str) -> bool:
    return not any(unicodedata.category(c) in ("Cn", "Co") for c in set(text))
