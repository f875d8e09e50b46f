#!/usr/bin/env python3
"""Write emoji/: emoji at 32 pixels in two styles, what they show in words of three languages, conversations and
questions about them.

    python data/make_emoji.py --work /tmp/corpus --out data

Drawings stand in sheets, noto.webp and twemoji.webp, on white, their colours rounded to 32 levels; counts.webp has
several of one in a picture. An image is named as Media Fragments have it, `noto.webp#xywh=32,64,32,32`. Packages are
pinned and checked as in build.py; the same packages, libwebp and liblzma give the same bytes. Counts are in SOURCES.md.
"""

from __future__ import annotations

import argparse
import colorsys
import hashlib
import json
import lzma
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from build import Package, fetch, members
from PIL import Image

NOTO = Package(
    client="npm",
    name="emoji-datasource-google",
    version="16.0.0",
    file="emoji-datasource-google-16.0.0.tgz",
    sha256="fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
)
TWEMOJI = Package(
    client="npm",
    name="emoji-datasource-twitter",
    version="16.0.0",
    file="emoji-datasource-twitter-16.0.0.tgz",
    sha256="f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877",
)
NAMES = Package(
    client="npm",
    name="emojibase-data",
    version="17.0.0",
    file="emojibase-data-17.0.0.tgz",
    sha256="d01d0e2ca4e22cb402679532155342c71e2e871f25c32223c013b8b166ebdf5a",
)
SIDE, COLUMNS = 32, 44  # pixels of a drawing, drawings of a row of a sheet
GROUPS = (
    "Smileys & Emotion", "People & Body", "Animals & Nature", "Food & Drink", "Travel & Places", "Activities",
    "Objects", "Symbols", "Flags",
)  # fmt: skip
CELL = 10  # pixels of one of several in a picture
MOST = 6  # of one in a picture
LEVEL = 8  # colours are rounded to multiples of it: nobody sees it, and a sheet takes a third less
EACH, PAIRS = 500, 1500  # pictures of each number, and pairs, that are learned
FLAGS = 3  # times that a flag's country is asked in each wording
MAJORITY, MOST_OF_A_COLOUR = 0.6, 60  # share of pixels that makes a drawing red; red drawings that are asked about


@dataclass(frozen=True)
class Language:
    """How pictures are asked about, and what is answered."""

    categories: Sequence[str]
    """of GROUPS, in their order"""
    numbers: Sequence[str]
    """from one to MOST"""
    colours: Sequence[str]
    """in the order of COLOURS"""
    questions: dict[str, Sequence[str]]
    flag: str
    """that of a country, which stands for {}"""


# A line is one meaning in English, Chinese and French.
CATEGORIES = (
    ("feeling", "表情", "émotion"), ("person", "人物", "personne"), ("nature", "自然", "nature"),
    ("food", "食物", "nourriture"), ("place", "地点", "lieu"), ("game", "活动", "activité"),
    ("tool", "物品", "objet"), ("symbol", "符号", "symbole"), ("flag", "旗帜", "drapeau"),
)  # fmt: skip
NUMBERS = (
    ("one", "一", "un"), ("two", "二", "deux"), ("three", "三", "trois"), ("four", "四", "quatre"),
    ("five", "五", "cinq"), ("six", "六", "six"),
)  # fmt: skip
COLOURS = (
    ("red", "红色", "rouge"), ("orange", "橙色", "orange"), ("yellow", "黄色", "jaune"), ("green", "绿色", "vert"),
    ("blue", "蓝色", "bleu"), ("purple", "紫色", "violet"), ("pink", "粉色", "rose"), ("brown", "棕色", "marron"),
    ("black", "黑色", "noir"), ("white", "白色", "blanc"), ("grey", "灰色", "gris"),
)  # fmt: skip
QUESTIONS = {
    "category": (
        ("What kind of thing is this?", "这是哪一类？", "Quel genre de chose est-ce ?"),
        ("What kind of picture is this?", "图片属于哪一类？", "Quel genre d'image est-ce ?"),
    ),
    "name": (
        ("What is this?", "这是什么？", "Qu'est-ce que c'est ?"),
        ("What does the picture show?", "图片上是什么？", "Que montre l'image ?"),
    ),
    "flag": (
        ("Which country's flag is this?", "这是哪里的旗帜？", "De quel pays est ce drapeau ?"),
        ("Whose flag is it?", "这是谁的旗帜？", "À qui est ce drapeau ?"),
        ("Which country has this flag?", "哪里用这面旗帜？", "Quel pays a ce drapeau ?"),
    ),
    "colour": (
        ("What colour is it?", "它是什么颜色？", "De quelle couleur est-ce ?"),
        ("Which colour has it?", "这是什么颜色？", "Quelle est sa couleur ?"),
    ),
    "count": (
        ("How many are there?", "有几个？", "Combien y en a-t-il ?"),
        ("How many do you see?", "你看到几个？", "Combien en vois-tu ?"),
    ),
}
FLAG = ("the flag of {}", "{}的旗帜", "le drapeau : {}")


def spoken(place: int) -> Language:
    """The words that stand in this place of every line."""
    categories, numbers, colours = ([line[place] for line in lines] for lines in (CATEGORIES, NUMBERS, COLOURS))
    questions = {kind: [line[place] for line in wordings] for kind, wordings in QUESTIONS.items()}
    return Language(categories, numbers, colours, questions, FLAG[place])


LANGUAGES = {name: spoken(place) for place, name in enumerate(("en", "zh", "fr"))}
ENGLISH = LANGUAGES["en"]

Record = dict[str, Any]  # one line of a JSON Lines file


@dataclass(frozen=True)
class Word:
    """What an emoji is called in one language."""

    label: str
    tags: Sequence[str]

    @property
    def country(self) -> str | None:
        """Whose flag it is, if it is a country's: CLDR's label says so before a colon."""
        kind, colon, whose = self.label.partition(":")
        return whose.strip() if colon and kind.strip() in ("flag", "旗", "drapeau") else None


@dataclass(frozen=True)
class Drawing:
    """One emoji in one style."""

    image: str
    words: dict[str, Word]
    """by language"""
    group: int
    """of GROUPS"""
    heldout: bool
    pixels: Image.Image = field(repr=False)
    colour: int | None
    """of a language's colours"""

    @property
    def category(self) -> str:
        return ENGLISH.categories[self.group]


# -- drawings ----------------------------------------------------------------------------------


def chosen(name: str, every: int) -> bool:
    """One in so many, by the SHA-256 of its name: it never changes sides."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % every == 0


def drawings(work: Path, style: str, package: Package, sheet: Sheet) -> Iterator[Drawing]:
    """Of Noto all; of Twemoji all but people, of whom there are hundreds. Of flags, whose country nobody can guess,
    every drawing of Noto is learned, and of Twemoji one in four is held out."""
    folder = f"package/img/{style}/64/"
    files = members(fetch(package, work), lambda name: name.startswith(folder) or name == "package/emoji.json")
    table = sorted(json.loads(files["package/emoji.json"]), key=lambda emoji: emoji["sort_order"])
    words = {language: names(work, language) for language in LANGUAGES}
    for emoji in table:
        if emoji["category"] not in GROUPS or (package is TWEMOJI and emoji["category"] == "People & Body"):
            continue
        source = Image.open(BytesIO(files[folder + emoji["image"]])).convert("RGBA")
        own = {language: known[plain_code(emoji["unified"])] for language, known in words.items()}
        is_flag, label = own["en"].country is not None, own["en"].label
        heldout = chosen(emoji["unified"], 4) and package is TWEMOJI if is_flag else chosen(label, 9)
        pixels = on_white(source).resize((SIDE, SIDE), Image.Resampling.BOX)
        group = GROUPS.index(emoji["category"])
        yield Drawing(sheet.add(pixels), own, group, heldout, pixels, main_colour(source))


def names(work: Path, language: str) -> dict[str, Word]:
    """What an emoji is called, and words that belong to it, by its code points without those that choose a style."""
    (table,) = members(fetch(NAMES, work), lambda name: name == f"package/{language}/data.json").values()
    return {plain_code(emoji["hexcode"]): Word(plain_spaces(emoji["label"]), emoji.get("tags", []))
            for emoji in json.loads(table)}  # fmt: skip


def plain_spaces(text: str) -> str:
    """French has narrow ones before colons."""
    return " ".join(text.split())


def plain_code(code: str) -> str:
    return code.replace("-FE0F", "")


def on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    white.alpha_composite(image)
    return white.convert("RGB")


def main_colour(image: Image.Image) -> int | None:
    """The colour of most of what is drawn, if one is: its place among a language's."""
    drawn = [rgb for *rgb, alpha in zip(*(band.tobytes() for band in image.split()), strict=True) if alpha > 127]
    (colour, count), *_ = Counter(colour_of(*rgb) for rgb in drawn).most_common(1)
    return ENGLISH.colours.index(colour) if count >= MAJORITY * len(drawn) else None


@cache
def colour_of(red: int, green: int, blue: int) -> str:
    hue, saturation, value = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)
    if value < 0.3:
        return "black"
    if saturation < 0.25:
        return "white" if value > 0.85 else "grey"
    edges = ((0.04, "red"), (0.11, "orange"), (0.19, "yellow"), (0.45, "green"), (0.7, "blue"), (0.83, "purple"),
             (0.95, "pink"), (1.01, "red"))  # fmt: skip
    named = next(name for edge, name in edges if hue < edge)
    return "brown" if named in ("red", "orange") and value < 0.65 else named


class Sheet:
    """Pictures side by side in one file."""

    def __init__(self, name: str) -> None:
        self.name, self.pictures = name, list[Image.Image]()

    def add(self, picture: Image.Image) -> str:
        """The name by which the picture is found."""
        row, column = divmod(len(self.pictures), COLUMNS)
        self.pictures.append(picture)
        return f"{self.name}#xywh={column * SIDE},{row * SIDE},{SIDE},{SIDE}"

    def save(self, folder: Path) -> None:
        rows = -(-len(self.pictures) // COLUMNS)
        sheet = Image.new("RGB", (COLUMNS * SIDE, rows * SIDE), (255, 255, 255))
        for place, picture in enumerate(self.pictures):
            sheet.paste(picture, (place % COLUMNS * SIDE, place // COLUMNS * SIDE))
        levels = [min((value + LEVEL // 2) // LEVEL * LEVEL, 255) for value in range(256)]
        sheet.point(levels * 3).save(folder / self.name, "WEBP", lossless=True, quality=100, method=6)


# -- conversations and questions ---------------------------------------------------------------


def with_article(word: str) -> str:
    return word if word in ("nature", "food") else f"a {word}"


def captions(drawing: Drawing, language: str, dice: Random) -> list[str]:
    """What is written below a drawing. One that is learned has three: with up to four tags, with some in another
    order, and without its name, so that what is common to several emoji is learned, and no caption by heart."""
    word, speech = drawing.words[language], LANGUAGES[language]
    category = speech.categories[drawing.group]
    if word.country:
        several = [f"{category}: {word.country}", word.country, speech.flag.format(word.country)]
    else:
        some = [dice.sample(word.tags, dice.randint(min(1, len(word.tags)), len(word.tags))) for _ in range(2)]
        several = [f"{category}: {', '.join(parts)}" for parts in
                   ((word.label, *word.tags[:4]), (word.label, *some[0]), some[1] or (word.label,))]  # fmt: skip
    return several[:1] if drawing.heldout else several


def asked(drawing: Drawing, language: str, dice: Random) -> dict[str, tuple[str, str]]:
    """Question and answer of each kind that can be asked about one drawing, in the order from afar to near."""
    word, speech = drawing.words[language], LANGUAGES[language]
    answers = {
        "colour": None if drawing.colour is None else speech.colours[drawing.colour],
        "category": speech.categories[drawing.group],
        "flag": word.country,
        "name": None if word.country else word.label,
    }
    return {kind: (dice.choice(speech.questions[kind]), answer) for kind, answer in answers.items() if answer}


def on_categories(drawing: Drawing, dice: Random) -> dict[str, tuple[str, str]]:
    """Questions, in English, that name the category: behind them it would be no question any more."""
    other = dice.choice([each for each in ENGLISH.categories if each != drawing.category])
    there = dice.random() < 0.5
    pair = dice.sample([drawing.category, other], 2)
    return {
        "there": (f"Is there {with_article(drawing.category if there else other)} in it?", "yes" if there else "no"),
        "absent": (f"Which is not in it, {with_article(pair[0])} or {with_article(pair[1])}?", other),
    }


def conversation(images: Sequence[str], turns: Sequence[tuple[str, str]], *, heldout: bool) -> Record:
    """Questions and answers, of which the first is asked behind the images."""
    messages: list[Record] = []
    for question, answer in turns:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    shown = [{"type": "image_url", "image_url": {"url": image}} for image in images]
    messages[0]["content"] = [*shown, {"type": "text", "text": messages[0]["content"]}]
    return {"messages": messages, "split": "heldout" if heldout else "train"}


def talks(drawing: Drawing, language: str, dice: Random) -> Iterator[Record]:
    """Each by itself what would give something away, or be given away: the colour, for whoever is asked it first has
    one, in English a question that names a category, and of flags, whose country nobody can guess, every wording
    several times. The name is asked behind the category, and so the picture is seen once for both."""
    one = asked(drawing, language, dice)
    whose, colour = one.pop("flag", None), one.pop("colour", None)
    rows = [[*one.values()]]
    if colour:
        rows.append([colour])
    if language == "en":
        rows.append([dice.choice(list(on_categories(drawing, dice).values()))])
    if whose:
        rows += [[(wording, whose[1])] for wording in LANGUAGES[language].questions["flag"]] * FLAGS
    for turns in rows:
        yield conversation([drawing.image], turns, heldout=drawing.heldout)


class Two(NamedTuple):
    """Two drawings of different kinds."""

    images: list[str]
    question: str
    """which of them is of one kind"""
    answer: str
    further: tuple[str, str]
    """what kind the other is: question and answer"""


def pairs(drawn: Sequence[Drawing], count: int, dice: Random) -> Iterator[Two]:
    """As often the first as the second is the answer."""
    places = ("the first", "the second")
    while count:
        two = dice.sample(drawn, 2)
        if two[0].category != two[1].category:
            right = count % 2
            question = f"Which of the two is {with_article(two[right].category)}, the first or the second?"
            further = f"What kind of thing is {places[1 - right]}?", two[1 - right].category
            yield Two([each.image for each in two], question, places[right], further)
            count -= 1


def counted(drawn: Sequence[Drawing], each: int, sheet: Sheet, dice: Random) -> Iterator[tuple[str, int]]:
    """Pictures of one to six of the same, somewhere in a grid of three by three, and how many."""
    for number in range(MOST * each):
        count = number % MOST + 1
        small = dice.choice(drawn).pixels.resize((CELL, CELL), Image.Resampling.BOX)
        picture = Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
        for cell in dice.sample(range(9), count):
            picture.paste(small, (1 + cell % 3 * CELL, 1 + cell // 3 * CELL))
        yield sheet.add(picture), count


def few_of_each(drawn: Iterable[Drawing]) -> Iterator[Drawing]:
    """Those with a colour, of which one does not outnumber the others by far."""
    seen = Counter[int]()
    for drawing in sorted(drawn, key=lambda d: hashlib.sha256(d.image.encode()).digest()):
        if drawing.colour is not None and drawing.category != "flag" and seen[drawing.colour] < MOST_OF_A_COLOUR:
            seen[drawing.colour] += 1
            yield drawing


def write(path: Path, lines: Sequence[Record]) -> None:
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    path.write_bytes(lzma.compress(text.encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{path.name}: {len(lines):,} lines, {path.stat().st_size:,} bytes, {digest(path)}")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def question(images: str | list[str], asked: str, answer: str) -> Record:
    return {"image": images, "question": asked, "answer": answer}


def build(work: Path, out: Path) -> None:
    dice = Random(17)
    sheets = {name: Sheet(f"{name}.webp") for name in ("noto", "twemoji", "counts")}
    noto = list(drawings(work, "google", NOTO, sheets["noto"]))
    everything = [*noto, *drawings(work, "twitter", TWEMOJI, sheets["twemoji"])]
    train = [each for each in everything if not each.heldout]
    unseen = [each for each in everything if each.heldout]
    many = {some is unseen: list(counted(some, each, sheets["counts"], dice))
            for some, each in ((train, EACH), (unseen, 25))}  # fmt: skip
    for sheet in sheets.values():
        sheet.save(out)
        print(f"{sheet.name}: {len(sheet.pictures):,}, {(out / sheet.name).stat().st_size:,} bytes, "
              f"{digest(out / sheet.name)}")  # fmt: skip
    for language in LANGUAGES:
        ending = "" if language == "en" else f".{language}"
        write(out / f"captions{ending}.jsonl.xz", [
            {"image": d.image, "text": text, "split": "heldout" if d.heldout else "train"}
            for d in everything for text in captions(d, language, dice)
        ])  # fmt: skip
        of_two = {some is unseen: list(pairs(some, several, dice)) if language == "en" else []
                  for some, several in ((train, PAIRS), (unseen, 200))}  # fmt: skip
        lines = [line for drawing in everything for line in talks(drawing, language, dice)]
        for heldout in (False, True):
            lines += [conversation(two.images, [(two.question, two.answer), two.further], heldout=heldout)
                      for two in of_two[heldout]]  # fmt: skip
            lines += [conversation([image], [how_many(count, language, dice)], heldout=heldout)
                      for image, count in many[heldout]]  # fmt: skip
        write(out / f"conversations{ending}.jsonl.xz", lines)
        tasks = {
            **questions(unseen, language, dice),
            "count": [question(image, *how_many(count, language, dice)) for image, count in many[True]],
            **({"compare": [question(*each[:3]) for each in of_two[True]]} if language == "en" else {}),
        }
        for name, some in tasks.items():
            write(out / f"{name}{ending}.jsonl.xz", some)
            print(Counter(each["answer"] for each in some).most_common(9))


def how_many(count: int, language: str, dice: Random) -> tuple[str, str]:
    speech = LANGUAGES[language]
    return dice.choice(speech.questions["count"]), speech.numbers[count - 1]


def questions(unseen: Sequence[Drawing], language: str, dice: Random) -> dict[str, list[Record]]:
    """About drawings that were never shown, by kind."""
    coloured = {each.image for each in few_of_each(unseen)}
    found: dict[str, list[Record]] = {name: [] for name in ("category", "flag", "colour")}
    for drawing in unseen:
        every = asked(drawing, language, dice) | (on_categories(drawing, dice) if language == "en" else {})
        for kind, turn in every.items():
            if kind in ("category", "flag", "absent") or (kind == "colour" and drawing.image in coloured):
                found.setdefault(kind, []).append(question(drawing.image, *turn))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Write data/emoji from pinned packages.")
    parser.add_argument("--work", type=Path, required=True, help="folder for the packages")
    parser.add_argument("--out", type=Path, required=True, help="the data folder")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    (options.out / "emoji").mkdir(exist_ok=True)
    build(options.work, options.out / "emoji")


if __name__ == "__main__":
    main()
