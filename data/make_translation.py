#!/usr/bin/env python3
"""Write translation.jsonl.xz: sentences of the LibreOffice help in English and in French.

    python data/make_translation.py --work /tmp/corpus --out data

Both languages' pages carry the same paragraph ids, so paragraphs are paired by page and id. They are cut
into sentences where both sides have equally many, and only plain sentences are kept: no labels of menus and
buttons, keys, formulas or code. Packages are pinned and checked as in build.py; the same packages give the
same bytes on every run. Origin, licence and counts are in SOURCES.md beside this file.
"""

from __future__ import annotations

import argparse
import html
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from build import BuildError, Document, Package, clean, fetch, held_out, members, split_name, write

ENGLISH = Package(
    client="apt",
    name="libreoffice-help-en-us",
    version="4:7.4.7-1+deb12u14",
    file="libreoffice-help-en-us_4%3a7.4.7-1+deb12u14_all.deb",
    sha256="8faa840285734d6cfe1ed25537b48f07e74bd6412e3917bf8e5f8a653f7b3712",
)
FRENCH = Package(
    client="apt",
    name="libreoffice-help-fr",
    version="4:7.4.7-1+deb12u14",
    file="libreoffice-help-fr_4%3a7.4.7-1+deb12u14_all.deb",
    sha256="c796530d3e95af1ea4d054076682efc8aad2b569ae9513f3d4a776b2df3fd206",
)


@dataclass(frozen=True)
class Pair:
    page: str  # "swriter/guide/anchor_object"
    source: str
    target: str


# ---------------------------------------------------------------------------
# Pages to pairs of sentences
# ---------------------------------------------------------------------------

PARAGRAPH = re.compile(r'<p id="((?:par_|N)[^"]+)"(?: class="(\w+)")?[^>]*>(.*?)</p>', re.DOTALL)
NO_PROSE = ("code", "codeintable", "smathcode", "related", "tableheadintable", "image", "imageintable")
# Stands for everything that is not prose: a key, a formula, an icon, a line break.
MARK = "\ue000"
SPANS = (
    (re.compile(r'<span(?: class="(?:avis|productname|acronym)")?>'), "", ""),
    (re.compile(r'<span class="(?:emph|menuitem)">'), "“", "”"),  # labels of menus and buttons, emphasis
    (re.compile("<span"), MARK, MARK),
)


def paragraphs(package: Package, work: Path) -> dict[tuple[str, str, int], str]:
    """The markup of every paragraph, by page, id and how often the page has had that id."""
    found: dict[tuple[str, str, int], str] = {}
    pages = members(fetch(package, work), lambda name: "/text/" in name and name.endswith(".html"))
    for name in sorted(pages):
        body = pages[name].decode("utf-8").partition('id="DisplayArea"')[2].partition('id="SearchFrame"')[0]
        page = PurePosixPath(name.partition("/text/")[2]).with_suffix("").as_posix()
        met: Counter[str] = Counter()
        for key, kind, markup in PARAGRAPH.findall(body):
            met[key] += 1
            if kind not in NO_PROSE:
                found[page, key, met[key]] = markup
    return found


def plain(markup: str) -> str:
    """The text of a paragraph, with labels in quotation marks and `MARK` for what is no prose."""
    parts: list[str] = []
    ends: list[str] = []  # of the open spans
    for piece in re.split("(<[^>]*>)", markup):
        if piece.startswith("<span"):
            start, end = next((start, end) for kind, start, end in SPANS if kind.match(piece))
            parts.append(start)
            ends.append(end)
        elif piece.startswith("</span"):
            parts.append(ends.pop())
        elif piece.startswith("<"):
            parts.append("" if re.match("</?a[ >]", piece) else MARK)
        elif MARK not in ends:
            parts.append(piece)
    return " ".join(clean(html.unescape("".join(parts))).split())


SENTENCE_START = re.compile(
    rf"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)(?<!ex\.)(?<! \w\.) (?=[{MARK}\"«(“ ]*[A-ZÀ-Ý])"
)


def sentences(text: str) -> list[str]:
    return [sentence.strip() for sentence in SENTENCE_START.split(text)]


def pairs(work: Path) -> Iterator[Pair]:
    """Every pair of sentences, as it stands in the pages."""
    french = paragraphs(FRENCH, work)
    for key, markup in paragraphs(ENGLISH, work).items():
        source, target = sentences(plain(markup)), sentences(plain(french.get(key, "")))
        if len(source) == len(target):
            yield from (Pair(key[0], s, t) for s, t in zip(source, target, strict=True))


# ---------------------------------------------------------------------------
# Typography
# ---------------------------------------------------------------------------

PLAIN = str.maketrans({"‘": "'", "’": "'", "‑": "-", "`": "'"})


def tidy(text: str) -> str:
    """Plain apostrophes; spaces before and after quotations, none inside."""
    text = re.sub('"([^"]*)"', r"“\1”", text.translate(PLAIN))
    return re.sub(r"”(?=\w)", "” ", re.sub(r"(?<=\w)“", " “", re.sub("“ +", "“", re.sub(" +”", "”", text))))


def tidy_english(text: str) -> str:
    return re.sub("[“”]", '"', tidy(text))


def tidy_french(text: str) -> str:
    """Guillemets for quotation marks, a space inside them and before `; : ! ?`, all spaces plain."""
    text = tidy(text).replace("“", "«").replace("”", "»")
    text = re.sub(" *»", " »", re.sub("« *", "« ", text))
    text = re.sub(r" *([;:!?])(?=[ )»]|$)", r" \1", text)
    text = re.sub(r"\b([ldns]|qu)' ", r"\1'", text, flags=re.IGNORECASE)
    return re.sub(" +([,.)])", r"\1", text)


# ---------------------------------------------------------------------------
# Which pairs are kept
# ---------------------------------------------------------------------------

WORDS = range(3, 31)
ENGLISH_SENTENCE = re.compile(r"[A-Z][A-Za-zéè0-9 ,;:'\"()\-.?!]*[.?!]")
FRENCH_SENTENCE = re.compile(r"[A-ZÀÂÇÉÈÊÎÔŒ][A-Za-zàâäçéèêëîïôöùûüœÀÂÇÉÈÊÎÔŒ0-9 ,;:'«»()\-.?!]*[.?!]")
KEYS = re.compile(r"\b(?:Ctrl|Alt|Shift|Esc|F\d+|[Pp]ress(?:ing)? [A-Z]\w*|[A-Z]\w* key)\b")
KEYS_FRENCH = re.compile(r"\btouches? [A-ZÉ]|\bMaj\b")
CODE = re.compile(r"[A-Za-z][.(:][A-Za-z0-9]|\d[.(:][A-Za-z]|\d:\d|[a-z][A-Z]|\.\.|(?<!\w)\.\w|\(\W*\)")
MENU_PATH = re.compile(r"(?<!\w)-|-(?!\w)")
QUOTATION = re.compile(r"\w(?:[\w '?!()-]*[\w?!)])?")
QUOTED_WORDS = 5
# Slips in French: a word twice, no elision, a singular after a plural article or the reverse, a verb's wrong form.
SLIPS = re.compile(
    r"\b(\w+) (?!vous|nous)\1\b|(?<!-)\b(?:de|le|la|que|ne|se) [aàâeéèêiîoôuœ][a-z]{2,}|\bà partir (?!d)"
    r"|\b(?:les|des|ces|plusieurs) \w+(?:tion|sion|age|eur|ette|té|ance)\b|\bau \w+es\b"
    r"|\b(?:pouvez|pour) \w+ez\b|\bque vous \w+(?:er|ée?s?|ies?)\b"
)
NAMES = re.compile("LibreOffice|OpenDocument|OpenOffice|JavaScript|JavaBeans?|AutoTexts?|MathML|LaTeX|PostScript")
ENGLISH_WORDS = re.compile(r"\b(?:the|of|and|is|to|with|for|this|are|in|an|by|you)\b")
FRENCH_WORDS = re.compile(r"\b(?:le|la|les|des|du|et|est|une|dans|pour|vous)\b")


def words(text: str) -> list[str]:
    return re.findall(r"[^\W_]+", text.lower())


def length(text: str) -> int:
    """Words between spaces; marks that stand alone, as French ones do, are none."""
    return sum(any(c.isalnum() for c in token) for token in text.split())


def is_whole(pair: Pair) -> bool:
    return bool(ENGLISH_SENTENCE.fullmatch(pair.source) and FRENCH_SENTENCE.fullmatch(pair.target))


def has_fit_lengths(pair: Pair) -> bool:
    source, target = length(pair.source), length(pair.target)
    return source in WORDS and target in WORDS and 10 * source <= 14 * target + 20 and 10 * target <= 18 * source + 20


def is_prose(pair: Pair) -> bool:
    source, target = (NAMES.sub("Name", text) for text in (pair.source, pair.target))
    has_code = any(pattern.search(text) for pattern in (CODE, MENU_PATH) for text in (source, target))
    has_keys = KEYS.search(source.replace('"', "")) or KEYS_FRENCH.search(re.sub("[«»] ?", "", target))
    return not has_code and not has_keys


def has_short_quotations(pair: Pair) -> bool:
    """Labels and single words stand in quotation marks, not sentences; none is empty or inside another."""
    quotations = pair.source.split('"')[1::2] + re.findall("« (.*?) »", pair.target)
    return all(QUOTATION.fullmatch(q) and length(q) <= QUOTED_WORDS for q in quotations)


def is_sound_french(pair: Pair) -> bool:
    return not SLIPS.search(pair.target)


def is_translated(pair: Pair) -> bool:
    return pair.source != pair.target and not (ENGLISH_WORDS.search(pair.target) or FRENCH_WORDS.search(pair.source))


def numbers(text: str) -> list[str]:
    return sorted(re.findall(r"\d+", re.sub(r"(?<=\d)[ ,.](?=\d)", "", text)))


def capitals(text: str) -> list[str]:
    """Words all in capitals: XML means the same in both languages, AND does not."""
    return sorted(re.findall(r"\b[A-Z][A-Z0-9]+\b", text))


def agrees(pair: Pair) -> bool:
    """The same numbers, acronyms, end mark, and as many quotations and brackets, all of them closed."""
    source, target = pair.source, pair.target
    return (
        numbers(source) == numbers(target)
        and capitals(source) == capitals(target)
        and (source[-1] == "?") == (target[-1] == "?")
        and source.count('"') == 2 * target.count("«") == 2 * target.count("»")
        and source.count("(") == source.count(")") == target.count("(") == target.count(")")
    )


CHECKS: tuple[Callable[[Pair], bool], ...] = (
    is_whole,
    has_fit_lengths,
    is_prose,
    has_short_quotations,
    is_translated,
    is_sound_french,
    agrees,
)


# ---------------------------------------------------------------------------
# Repeats, rare words and the two sides
# ---------------------------------------------------------------------------

SEEN_IN_PAIRS = 2
PAGES_PER_HELD_OUT = 17  # one page in so many
OVERLAP_WORDS = 13


def template(text: str) -> str:
    """Sentences that differ only in numbers, marks or capitals are one template."""
    return " ".join(re.sub(r"\d+", "0", word) for word in words(text))


def without_repeats(found: Iterable[Pair]) -> list[Pair]:
    """One pair a source template: the first with its most frequent translation."""
    groups: dict[str, list[Pair]] = {}
    for pair in found:
        groups.setdefault(template(pair.source), []).append(pair)
    chosen: list[Pair] = []
    for group in groups.values():
        ((target, _),) = Counter(pair.target for pair in group).most_common(1)
        chosen.append(next(pair for pair in group if pair.target == target))
    return chosen


def sides(pair: Pair) -> tuple[set[str], set[str]]:
    return set(words(pair.source)), set(words(pair.target))


def without_free_translations(found: list[Pair]) -> list[Pair]:
    """Only pairs in which every word has its usual counterpart, if it has one: clipboard and presse-papiers."""
    both = Counter((s, t) for source, target in map(sides, found) for s in source for t in target)
    in_sources = Counter(word for pair in found for word in sides(pair)[0])
    in_targets = Counter(word for pair in found for word in sides(pair)[1])
    forward: dict[str, set[str]] = {}
    back: dict[str, set[str]] = {}
    for (s, t), count in both.items():
        if is_usual(count, in_sources[s], in_targets[t]):
            forward.setdefault(s, set()).add(t)
        if is_usual(count, in_targets[t], in_sources[s]):
            back.setdefault(t, set()).add(s)
    return [
        pair
        for pair in found
        if not missing(pair.source, pair.target, forward) and not missing(pair.target, pair.source, back)
    ]


def missing(text: str, translation: str, counterparts: dict[str, set[str]]) -> set[str]:
    """The usual counterparts of a text's words that its translation lacks."""
    return {other for word in words(text) for other in counterparts.get(word, ())} - set(words(translation))


def is_usual(together: int, word: int, counterpart: int) -> bool:
    """Whether a counterpart stands opposite a word nearly always, and seldom without it."""
    return word >= 8 and 100 * together >= 95 * word and counterpart <= 3 * word


def without_rare_words(found: list[Pair]) -> list[Pair]:
    """Only pairs whose every word, on either side, is met in `SEEN_IN_PAIRS` pairs or more."""
    counts = (Counter(word for pair in found for word in sides(pair)[side]) for side in (0, 1))
    frequent = [{word for word, count in counted.items() if count >= SEEN_IN_PAIRS} for counted in counts]
    return [pair for pair in found if all(own <= known for own, known in zip(sides(pair), frequent, strict=True))]


def runs(text: str) -> set[str]:
    """Every run of `OVERLAP_WORDS` words."""
    all_words = words(text)
    return {" ".join(all_words[i : i + OVERLAP_WORDS]) for i in range(len(all_words) - OVERLAP_WORDS + 1)}


def divided(found: list[Pair]) -> Iterator[tuple[Pair, bool]]:
    """Pairs with whether they are held out: whole pages are, less what training has seen."""
    training = [pair for pair in found if not held_out(pair.page, PAGES_PER_HELD_OUT)]
    seen = {template(text) for pair in training for text in (pair.source, pair.target)}
    seen_runs = {run for pair in training for run in runs(pair.source)}
    for pair in found:
        is_held_out = held_out(pair.page, PAGES_PER_HELD_OUT)
        is_new = not seen & {template(pair.source), template(pair.target)} and not seen_runs & runs(pair.source)
        if is_new or not is_held_out:
            yield pair, is_held_out


def translation(work: Path) -> Iterator[Document]:
    """Sentences of the help, one document a pair."""
    tidied = (Pair(pair.page, tidy_english(pair.source), tidy_french(pair.target)) for pair in pairs(work))
    kept = [pair for pair in tidied if all(check(pair) for check in CHECKS)]
    chosen = without_rare_words(without_free_translations(without_repeats(kept)))
    for pair, is_held_out in divided(chosen):
        split = split_name(is_held_out)
        yield {"source": pair.source, "target": pair.target, "split": split, "origin": pair.page}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where downloaded packages are kept")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the file is written")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        write(translation(options.work), options.out / "translation.jsonl.xz")
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
