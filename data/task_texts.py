"""Task sets from running text: rated sentences, package descriptions, paragraphs."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from build import (
    BuildError,
    Package,
    clean,
    clean_english,
    fetch,
    held_out,
    members,
    novels,
    split_name,
)
from task_rows import Unit, draw, shuffled

VADER = Package(
    client="pip",
    name="vaderSentiment",
    version="3.3.2",
    file="vaderSentiment-3.3.2.tar.gz",
    sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
)

# ---------------------------------------------------------------------------
# Sentiment rated by people
# ---------------------------------------------------------------------------

RATED = {
    "sentiment": "movieReviewSnippets",
    "sentiment-amazon": "amazonReviewSnippets",
    "sentiment-nyt": "nytEditorialSnippets",
    "sentiment-tweets": "tweets",
}
CLEAR = 0.5  # a mean rating nearer to 0, on a scale from -4 to 4, is left out


def sentiment(name: str, work: Path) -> Iterator[Unit]:
    """Sentences that about 20 people rated. Films are divided by hash; the other domains are all held out."""
    outer = members(fetch(VADER, work), lambda member: member.endswith("hutto_ICWSM_2014.tar.gz"))
    with tarfile.open(fileobj=io.BytesIO(*outer.values()), mode="r:gz") as archive:
        rated = archive.extractfile(f"hutto_ICWSM_2014/{RATED[name]}_GroundTruth.txt").read()  # type: ignore[union-attr]
    for line in rated.decode("cp1252").splitlines():
        number, mean, text = line.split("\t", 2)
        text = clean_english(text.replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">").replace("''", '"'))
        if abs(float(mean)) > CLEAR and len(text.split()) >= 3:
            split = split_name(name != "sentiment" or held_out(text.lower(), 10))
            label = "positive" if float(mean) > 0 else "negative"
            group = f"{name} {number.partition('_')[0]}"
            yield [{"text": text, "label": label, "split": split, "source": RATED[name], "group": group}]


# ---------------------------------------------------------------------------
# Sections of Debian packages
# ---------------------------------------------------------------------------

SECTIONS = {
    "desktop": "gnome kde x11 xfce",
    "development": "devel libdevel debug vcs",
    "documentation": "doc",
    "fonts": "fonts",
    "games": "games",
    "languages": "golang haskell java javascript lisp ocaml perl php python ruby rust",
    "media": "graphics sound video",
    "network": "comm mail net news",
    "science": "electronics gnu-r hamradio math science",
    "system": "admin kernel otherosfs shells utils",
    "text": "editors tex text localization",
    "web": "httpd web",
}
SECTION_OF = {part: name for name, parts in SECTIONS.items() for part in parts.split()}
HELD_OUT_LETTERS = "bvwx"
RELEASE = "bookworm"
# Debian 12.15. A later point release serves other lists.
LISTS = {
    "main_binary-amd64_Packages": "515e692f2c4121c6fcec444ef100cc18f79a991910615f3a88c8b7becfc94d2f",
    "main_i18n_Translation-en": "62f59c3cdca9786e4f7adf9002f9f5729a684adcb4667e58e448dec9b5a46c7f",
}
APT = """\
Dir::State::lists "{folder}/lists";
Dir::Cache "{folder}/cache";
Dir::Etc::Parts "{folder}/parts";
Dir::Etc::SourceList "{folder}/sources.list";
Dir::Etc::SourceParts "{folder}/parts";
Acquire::Languages "en";
Acquire::GzipIndexes "false";
"""


def debian_sections(work: Path) -> Iterator[Unit]:
    """What a package is for -> its section. Packages of one source share text: sources are divided by first letter."""
    packages, descriptions = (apt_list(name, digest, work) for name, digest in LISTS.items())
    long = {field(stanza, "Description-md5"): stanza for stanza in descriptions.split("\n\n")}
    for stanza in packages.split("\n\n"):
        section, digest = SECTION_OF.get(field(stanza, "Section")), field(stanza, "Description-md5")
        if section and digest in long:
            source = (field(stanza, "Source") or field(stanza, "Package")).partition(" ")[0]
            text = description(long[digest])
            if 8 <= len(text.split()) <= 120 and not re.search("transitional|dummy", text):
                yield [{"text": text, "label": section, "split": split_name(source[0] in HELD_OUT_LETTERS),
                        "source": "debian", "group": source}]  # fmt: skip


def field(stanza: str, name: str) -> str:
    found = re.search(rf"^{name}: (.*)$", stanza, re.MULTILINE)
    return found.group(1) if found else ""


def description(stanza: str) -> str:
    """The short description and the first paragraph of the long one."""
    short, _, rest = stanza.partition("Description-en: ")[2].partition("\n")
    first = rest.partition("\n .\n")[0]
    return " ".join(clean(f"{short}\n{first}").split())


def apt_list(name: str, digest: str, work: Path) -> str:
    folder = work / "apt"
    path = folder / "lists" / f"deb.debian.org_debian_dists_{RELEASE}_{name}"
    if not path.exists():
        update(folder)
    if not path.exists() or hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise BuildError(
            f"needed {path.name} with sha256 {digest}; Debian serves another or none.\n"
            "remedy: a point release has replaced it; read what changed before pinning the new hash."
        )
    return path.read_text("utf-8")


def update(folder: Path) -> None:
    """Fetch Debian's lists into `folder` with apt-get, beside those of the machine."""
    print("downloading the lists of Debian", file=sys.stderr)
    for part in ("lists/partial", "cache/archives/partial", "parts"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    (folder / "apt.conf").write_text(APT.format(folder=folder.resolve()))
    keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
    source = f"deb [arch=amd64 signed-by={keys}] http://deb.debian.org/debian {RELEASE} main\n"
    (folder / "sources.list").write_text(source)
    result = subprocess.run(
        ["apt-get", "-c", str(folder / "apt.conf"), "update"], capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise BuildError(f"needed Debian's lists; `apt-get update` failed:\n{result.stderr.strip()[-800:]}")


# ---------------------------------------------------------------------------
# The next paragraph
# ---------------------------------------------------------------------------

CONTEXT_WORDS, CHOICE_WORDS = 60, 40


def next_paragraph(work: Path) -> Iterator[Unit]:
    """What follows a paragraph, among three of the same chapter that are as long; one novel is held out whole."""
    for chapter in novels(work):
        blocks = chapter["text"].split("\n\n")[1:]
        title = chapter["title"]
        for place, (before, after) in enumerate(pairwise(blocks)):
            far = [b for i, b in enumerate(blocks) if abs(i - place - 0.5) > 1 and len(b.split()) >= 8]
            near_length = sorted(far, key=lambda b: (abs(len(opening(b)) - len(opening(after))), draw(before, b)))
            wrong = [opening(b) for b in shuffled(near_length[:6], before)[:3]]
            if min(len(before.split()), len(after.split())) < 8 or len({opening(after), *wrong}) < 4:
                continue
            choices = shuffled([opening(after), *wrong], before, "place")
            split = split_name(title == "Northanger Abbey")
            yield [{"context": ending(before), "choices": choices, "label": choices.index(opening(after)),
                    "split": split, "source": "novels", "group": title}]  # fmt: skip


def opening(paragraph: str) -> str:
    """The first words of a paragraph, which may be cut."""
    words = paragraph.split()
    return " ".join(words[:CHOICE_WORDS]) + (" ..." if len(words) > CHOICE_WORDS else "")


def ending(paragraph: str) -> str:
    words = paragraph.split()
    return ("... " if len(words) > CONTEXT_WORDS else "") + " ".join(words[-CONTEXT_WORDS:])
