#!/usr/bin/env python3
"""Write emoji/: emoji at 32 pixels in two styles, what they show in words, conversations and questions about them.

    python data/make_emoji.py --work /tmp/corpus --out data

Drawings stand in sheets, noto.webp and twemoji.webp, without loss and on white; counts.webp has several of one in a
picture. An image is named as Media Fragments have it, `noto.webp#xywh=32,64,32,32`. Packages are pinned and checked as
in build.py; the same packages, and the same libwebp and liblzma, give the same bytes. Counts are in SOURCES.md.
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
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

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
CATEGORIES = {
    "Smileys & Emotion": "feeling", "People & Body": "person", "Animals & Nature": "nature", "Food & Drink": "food",
    "Travel & Places": "place", "Activities": "game", "Objects": "tool", "Symbols": "symbol", "Flags": "flag",
}  # fmt: skip
NUMBERS = ("one", "two", "three", "four", "five", "six")
CELL = 10  # pixels of one of several in a picture
MAJORITY, MOST_OF_A_COLOUR = 0.6, 60  # share of pixels that makes a drawing red; red drawings that are asked about
QUESTIONS = {
    "category": ("What kind of thing is this?", "What kind of picture is this?"),
    "name": ("What is this?", "What does the picture show?"),
    "flag": ("Which country's flag is this?", "Whose flag is it?"),
    "colour": ("What colour is it?", "Which colour has it?"),
    "count": ("How many are there?", "How many do you see?"),
}

Record = dict[str, Any]  # one line of a JSON Lines file


@dataclass(frozen=True)
class Drawing:
    """One emoji in one style."""

    image: str
    name: str
    category: str
    tags: Sequence[str]
    heldout: bool
    pixels: Image.Image = field(repr=False)
    colour: str | None

    @property
    def country(self) -> str | None:
        return self.name.removeprefix("flag: ") if self.name.startswith("flag: ") else None


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
    words = names(work)
    for emoji in table:
        category = CATEGORIES.get(emoji["category"])
        if category is None or (package is TWEMOJI and category == "person"):
            continue
        source = Image.open(BytesIO(files[folder + emoji["image"]])).convert("RGBA")
        label, tags = words[plain_code(emoji["unified"])]
        heldout = chosen(emoji["unified"], 4) and package is TWEMOJI if label.startswith("flag: ") else chosen(label, 9)
        pixels = on_white(source).resize((SIDE, SIDE), Image.Resampling.BOX)
        yield Drawing(sheet.add(pixels), label, category, tags, heldout, pixels, main_colour(source))


def names(work: Path) -> dict[str, tuple[str, list[str]]]:
    """What an emoji is called, and words that belong to it, by its code points without those that choose a style."""
    (table,) = members(fetch(NAMES, work), lambda name: name == "package/en/data.json").values()
    return {plain_code(emoji["hexcode"]): (emoji["label"], emoji.get("tags", [])) for emoji in json.loads(table)}


def plain_code(code: str) -> str:
    return code.replace("-FE0F", "")


def on_white(image: Image.Image) -> Image.Image:
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    white.alpha_composite(image)
    return white.convert("RGB")


def main_colour(image: Image.Image) -> str | None:
    """The colour of most of what is drawn, if one is."""
    drawn = [rgb for *rgb, alpha in zip(*(band.tobytes() for band in image.split()), strict=True) if alpha > 127]
    (colour, count), *_ = Counter(colour_of(*rgb) for rgb in drawn).most_common(1)
    return colour if count >= MAJORITY * len(drawn) else None


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
        sheet.save(folder / self.name, "WEBP", lossless=True, quality=100, method=6)


# -- conversations and questions ---------------------------------------------------------------


def with_article(word: str) -> str:
    return word if word in ("nature", "food") else f"a {word}"


def asked(drawing: Drawing, dice: Random) -> list[tuple[str, str, str]]:
    """Kind, question and answer of all that can be asked about one drawing, in some order."""
    other = dice.choice([each for each in CATEGORIES.values() if each != drawing.category])
    there = dice.random() < 0.5
    pair = dice.sample([drawing.category, other], 2)
    found = [
        ("category", dice.choice(QUESTIONS["category"]), drawing.category),
        ("there", f"Is there {with_article(drawing.category if there else other)} in it?", "yes" if there else "no"),
        ("absent", f"Which is not in it, {with_article(pair[0])} or {with_article(pair[1])}?", other),
    ]
    if drawing.country:
        found.append(("flag", dice.choice(QUESTIONS["flag"]), drawing.country))
    else:
        found.append(("name", dice.choice(QUESTIONS["name"]), drawing.name))
    if drawing.colour:
        found.append(("colour", dice.choice(QUESTIONS["colour"]), drawing.colour))
    return dice.sample(found, len(found))


def conversation(images: Sequence[str], turns: Sequence[tuple[str, str]], *, heldout: bool) -> Record:
    """Questions and answers, of which the first is asked behind the images."""
    messages: list[Record] = []
    for question, answer in turns:
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    shown = [{"type": "image_url", "image_url": {"url": image}} for image in images]
    messages[0]["content"] = [*shown, {"type": "text", "text": messages[0]["content"]}]
    return {"messages": messages, "split": "heldout" if heldout else "train"}


def pairs(drawn: Sequence[Drawing], count: int, dice: Random) -> Iterator[tuple[list[str], str, str]]:
    """Two drawings of different kinds, and which of them is of one kind."""
    while count:
        two = dice.sample(drawn, 2)
        if two[0].category != two[1].category:
            right = dice.randrange(2)
            question = f"Which of the two is {with_article(two[right].category)}, the first or the second?"
            yield [each.image for each in two], question, ("the first", "the second")[right]
            count -= 1


def counted(drawn: Sequence[Drawing], each: int, sheet: Sheet, dice: Random) -> Iterator[tuple[str, str, str]]:
    """Pictures of one to six of the same, somewhere in a grid of three by three."""
    for number in range(len(NUMBERS) * each):
        count = number % len(NUMBERS) + 1
        small = dice.choice(drawn).pixels.resize((CELL, CELL), Image.Resampling.BOX)
        picture = Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
        for cell in dice.sample(range(9), count):
            picture.paste(small, (1 + cell % 3 * CELL, 1 + cell // 3 * CELL))
        yield sheet.add(picture), dice.choice(QUESTIONS["count"]), NUMBERS[count - 1]


def few_of_each(drawn: Iterable[Drawing]) -> Iterator[Drawing]:
    """Those with a colour, of which one does not outnumber the others by far."""
    seen = Counter[str]()
    for drawing in sorted(drawn, key=lambda d: hashlib.sha256(d.image.encode()).digest()):
        if drawing.colour and seen[drawing.colour] < MOST_OF_A_COLOUR and drawing.category != "flag":
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
    captions = [{"image": d.image, "text": ": ".join((d.category, ", ".join((d.name, *d.tags[:4])))),
                 "split": "heldout" if d.heldout else "train"} for d in everything]  # fmt: skip
    lines = list[Record]()
    for drawing in everything:
        turns = [(text, answer) for _, text, answer in asked(drawing, dice)]
        lines.append(conversation([drawing.image], turns, heldout=drawing.heldout))
    tasks: dict[str, list[Record]] = {name: [] for name in ("category", "flag", "colour", "count", "compare", "absent")}
    for some, each, several in ((train, 200, 2000), (unseen, 25, 200)):
        heldout = some is unseen
        of_two = list(pairs(some, several, dice))
        many = list(counted(some, each, sheets["counts"], dice))
        lines += [conversation(two, [(text, answer)], heldout=heldout) for two, text, answer in of_two]
        lines += [conversation([image], [(text, answer)], heldout=heldout) for image, text, answer in many]
    tasks["compare"] = [question(*each) for each in of_two]
    tasks["count"] = [question(*each) for each in many]
    coloured = {each.image for each in few_of_each(unseen)}
    for drawing in unseen:
        for kind, text, answer in asked(drawing, dice):
            if kind in tasks and not (kind == "colour" and drawing.image not in coloured):
                tasks[kind].append(question(drawing.image, text, answer))
    for sheet in sheets.values():
        sheet.save(out)
        print(f"{sheet.name}: {len(sheet.pictures):,}, {(out / sheet.name).stat().st_size:,} bytes, "
              f"{digest(out / sheet.name)}")  # fmt: skip
    write(out / "captions.jsonl.xz", captions)
    write(out / "conversations.jsonl.xz", lines)
    for name, some in tasks.items():
        write(out / f"{name}.jsonl.xz", some)
        print(Counter(each["answer"] for each in some).most_common(9))


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
