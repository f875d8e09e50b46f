"""Every page has a Chinese edition, NAME.zh.md beside NAME.md, which says the same: who changes one changes both.

What a program can compare is compared, section by section: kinds and order of blocks, rows and columns of tables, code,
links, numbers, names in `code`. Numbers are compared by value: 45 million is 4500 万. Sentences are for people to read.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ENGLISH_ONLY = {
    "commands": "is made from what the program prints, which is English",
    "parameters": "is made from the source",
    "architecture": "is made from the imports and docstrings",
    "family-steps": "is made from the models' files and a benchmark's results",
}

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT / "docs")
    import chinese

EDITIONS = sorted((ROOT / "docs").rglob("*.zh.md"))
ENGLISH = sorted(set((ROOT / "docs").rglob("*.md")) - set(EDITIONS))

UNITS = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12,
         "千": 3, "万亿": 12, "万": 4, "百万": 6, "千万": 7, "十亿": 9, "亿": 8}  # fmt: skip
UNIT = "|".join(UNITS)
NUMBER = re.compile(rf"(\d{{1,3}}(?:,\d{{3}})+(?!\d)|\d+)(\.\d+)?(?: ?({UNIT}))?", re.ASCII)
SHARED_UNIT = re.compile(r"(\d[\d.,]*)(,| and| or| to) (?=\d[\d.,]* (thousand|million|billion|trillion)\b)", re.ASCII)
MONTHS = "January February March April May June July August September October November December".split()  # noqa: SIM905
DATE = re.compile(rf"\b({'|'.join(MONTHS)}) (\d{{4}})\b", re.ASCII)
CODE_SPAN = re.compile(r"(`+)(.+?)\1")
WORD = re.compile(r"(?<![\w-])[A-Za-z]{2,}(?:[-'’][A-Za-z]+)*(?![\w-])", re.ASCII)
HAN = re.compile(r"[一-鿿]")


@dataclass
class Section:
    """A heading and what stands under it up to the next one."""

    title: str
    kinds: list[str] = field(default_factory=list[str])
    """heading, paragraph, item, table and code, in order, with levels and sizes"""
    blocks: list[str] = field(default_factory=list[str])
    """fenced blocks"""
    prose: list[str] = field(default_factory=list[str])
    """headings, paragraphs, items and cells"""

    @property
    def text(self) -> str:
        return "\n".join(self.prose)


def cells(row: str) -> list[str]:
    whole = CODE_SPAN.sub(lambda span: span[0].replace("|", "\0"), row.replace("\\|", "\0")).strip().strip("|")
    return [cell.strip().replace("\0", "|") for cell in whole.split("|")]


def chunks(text: str) -> Iterator[tuple[str, list[str]]]:
    """Kind and lines of every block, in order."""
    kind, lines = "", list[str]()
    for line in text.splitlines():
        fenced = kind == "code"
        if fenced:
            lines.append(line)
            if line.strip() == "```":
                yield kind, lines
                kind, lines = "", []
            continue
        new = next((name for name, begins in KINDS.items() if re.match(begins, line)), "")
        goes_on = kind and ((new == kind and kind in ("table", "quote")) or (not new and line.strip()))
        if not goes_on and kind:
            yield kind, lines
            kind, lines = "", []
        if line.strip():
            kind = kind or new or "paragraph"
            lines.append(line)
    if kind:
        yield kind, lines


KINDS = {
    "code": r" *```",
    "comment": r"<!--",
    "heading": r"#{1,6} ",
    "table": r" *\|",
    "quote": r" *>",
    "item": r" *(?:[-*]|\d+\.) ",
}


def sections(text: str) -> list[Section]:
    found = [Section("the page's beginning")]
    for kind, lines in chunks(text):
        first = lines[0]
        indent = len(first) - len(first.lstrip())
        if kind == "heading":
            found.append(
                Section(first.strip("# "), [f"heading {len(first.split()[0])}"], [], [first.lstrip("#").strip()])
            )
            continue
        section = found[-1]
        if kind in ("code", "comment"):  # a comment says which command printed the block after it
            section.kinds.append(kind)
            section.blocks.append("\n".join(lines))
        elif kind == "table":
            rows = [cells(line) for line in lines]
            section.kinds.append(f"table {[len(row) for row in rows]}")
            section.prose += [cell for row in rows for cell in row]
        else:
            section.kinds.append(f"{kind} {indent}" if kind == "item" else kind)
            section.prose.append(" ".join(line.strip() for line in lines))
    return found


def without_targets(text: str) -> str:
    return chinese.LINK.sub("]", text)


def numbers(text: str) -> Counter[Decimal]:
    """Of prose, outside of code and of links' targets, by value."""
    plain = CODE_SPAN.sub("", without_targets(text))
    plain = SHARED_UNIT.sub(r"\1 \3\2 ", plain)
    plain = DATE.sub(lambda date: f"{MONTHS.index(date[1]) + 1} {date[2]}", plain)
    found = ((whole.replace(",", "") + part, unit) for whole, part, unit in NUMBER.findall(plain))
    return Counter((Decimal(number).scaleb(UNITS.get(unit, 0))).normalize() for number, unit in found)


def code_spans(text: str) -> set[str]:
    return {span for _, span in CODE_SPAN.findall(text)}


def links(text: str) -> list[tuple[str, str]]:
    """Target and anchor of each."""
    return chinese.LINK.findall(text)


def untranslated(text: str) -> bool:
    """Prose without a Chinese character, or with a sentence left in English.

    Files that are linked and what is quoted, such as the answers of a model, may be English.
    """
    plain = re.sub(r"https?://\S+|\[[^\]\s]+\]|“[^”]*”", "", CODE_SPAN.sub("0", without_targets(text)))
    longest = max((len(WORD.findall(run)) for run in re.split(r"[^ -~’]", plain)), default=0)
    return longest > (12 if HAN.search(plain) else 3)


def difference(english: Iterable[Any], edition: Iterable[Any]) -> str:
    """What one has more often than the other."""
    ours, theirs = Counter(english), Counter(edition)
    more = [[str(one) for one in few.elements()] for few in (ours - theirs, theirs - ours)]
    return f"only English {more[0]}, only Chinese {more[1]}"


def faults(english: str, edition: str, page: Path) -> list[str]:
    """What the Chinese edition of a page says otherwise, by section."""
    ours, theirs = sections(english), sections(edition)
    if [s.kinds[:1] for s in ours[1:]] != [s.kinds[:1] for s in theirs[1:]]:
        return [f"other headings: {[s.title for s in ours]}, {[s.title for s in theirs]}"]
    found = list[str]()
    for one, other in zip(ours, theirs, strict=True):
        same = {
            "blocks": (one.kinds, other.kinds),
            "code": (one.blocks, other.blocks),
            "numbers": (numbers(one.text), numbers(other.text)),
            "names in `code`": (code_spans(one.text), code_spans(other.text)),
            "links": (
                Counter(chinese.chinese_target(page, *to) for to in links(one.text)),
                Counter(map("".join, links(other.text))),
            ),
        }
        for what, (a, b) in same.items():
            if a != b:
                count = isinstance(a, Counter)
                said = difference(a.elements() if count else a, b.elements() if count else b)
                found.append(f"{other.title}: {what}: {said}")
        english_prose = set(one.prose)
        found += [f"{other.title}: not translated: {text}" for text in other.prose
                  if untranslated(text) and not (text.startswith(">") and text in english_prose)]  # fmt: skip
    return found


def without_language_link(page: Path, link: str) -> str:
    """The page's text without the link to the other edition, which must be its third line."""
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    assert lines[2].strip() == link, f"the third line of {page.name} must be {link}"
    return "".join(lines[:2] + lines[4:])


@pytest.mark.parametrize("page", EDITIONS, ids=lambda page: page.name)
def test_the_chinese_edition_says_the_same(page: Path) -> None:
    original = chinese.original(page)
    english = without_language_link(original, f"[中文]({page.name})")
    edition = without_language_link(page, f"[English]({original.name})")
    assert "\n".join(faults(english, edition, original)) == ""


def test_every_page_has_a_chinese_edition() -> None:
    without = {page.stem for page in ENGLISH if not chinese.edition(page).is_file()}
    assert without == ENGLISH_ONLY.keys()
    assert {chinese.original(page) for page in EDITIONS} <= set(ENGLISH)


def test_links_of_chinese_pages_are_as_docs_build_sets_them() -> None:
    assert [page.name for page in chinese.pages(ROOT) if chinese.linked(page) != page.read_text(encoding="utf-8")] == []


PAGE = """# page

On 28 November 2026 it reads 45 million links, 1,013 of them [twice](commands.md#start).

## What you should see

```
page: 12 read
```

| option | means |
|---|---|
| `--steps` | steps, 3 % of 2.5 and 6 billion |
| what comes | I do not know that, but please ask me again! |

- One item about something.
> Printed by a model of this size, and left alone.
"""
EDITION = """# page

它于 2026 年 11 月 28 日读取 4500 万个链接，其中 1013 个[读两次](commands.md#start)。

## 你会看到什么

```
page: 12 read
```

| 选项 | 含义 |
|---|---|
| `--steps` | 步数，25 亿和 60 亿的 3 % |
| 得到什么 | “I do not know that, but please ask me again!” |

- 关于某事的一项。
> Printed by a model of this size, and left alone.
"""


def test_editions_that_say_the_same_have_no_fault() -> None:
    assert faults(PAGE, EDITION, ROOT / "docs/page.md") == []


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("## 你会看到什么", "### 你会看到什么", "other headings"),
        ("page: 12 read", "page: 13 read", "code"),
        ("4500 万", "450 万", "numbers"),
        ("1013", "1014", "numbers"),
        ("60 亿", "6 亿", "numbers"),
        ("11 月", "12 月", "numbers"),
        ("commands.md#start", "commands.md#run", "links"),
        ("`--steps`", "`--step`", "names in `code`"),
        ("| 步数，25 亿和 60 亿的 3 % |", "| 步数，25 亿和 60 亿的 3 % | |", "blocks"),
        ("- 关于某事的一项。\n", "", "blocks"),
        ("- 关于某事的一项。", "关于某事的一项。", "blocks"),
        ("关于某事的一项。", "One item about something.", "not translated"),
        (
            "一项。",
            "一项。 Nobody would have thought that a whole sentence could stay in English in here.",
            "not translated",
        ),
        (
            "“I do not know that, but please ask me again!”",
            "I do not know that, but please ask me again!",
            "not translated",
        ),
        ("and left alone", "and left as is", "not translated"),
    ],
)
def test_what_differs_is_found(before: str, after: str, fault: str) -> None:
    assert before in EDITION
    found = faults(PAGE, EDITION.replace(before, after), ROOT / "docs/page.md")
    assert found and all(fault in one for one in found), found


def test_links_lead_to_the_chinese_heading(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(
        "# a\n\n## One\n\n[b](b.md#two), [here](#one), [c](c.md), [out](https://x.org/b.md)\n"
    )
    (tmp_path / "b.md").write_text("# b\n\n## Two\n")
    (tmp_path / "c.md").write_text("# c\n")
    (tmp_path / "b.zh.md").write_text("# b\n\n## 二、三\n", encoding="utf-8")
    edition = tmp_path / "a.zh.md"
    edition.write_text(
        "# a\n\n[English](a.md)\n\n## 一\n\n[b](b.md#two), [c](c.md), [out](https://x.org/b.md)\n", "utf-8"
    )
    assert chinese.linked(edition).endswith("[b](b.zh.md#二三), [c](c.md), [out](https://x.org/b.md)\n")
    edition.write_text(chinese.linked(edition), encoding="utf-8")
    assert chinese.linked(edition) == edition.read_text(encoding="utf-8")
    assert chinese.chinese_target(tmp_path / "a.md", "", "#one") == "#一"
    with pytest.raises(ValueError, match="not in list"):
        chinese.chinese_target(tmp_path / "a.md", "b.md", "#three")
