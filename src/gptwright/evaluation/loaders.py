"""Files of published benchmarks as they are released, read into documents whose fields the task files name.

Only what is no table of its own stands here: JSON Lines, CSV and Parquet need no loader. Every loader takes the path
of one split, a file or a folder, and raises `InputError` naming the line that is not as released.
"""

import json
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from gptwright.evaluation.code_tasks import humaneval, multi_line, random_span, single_line
from gptwright.evaluation.heldout_tasks import cloze_names, cloze_nouns, last_words, scrambled_words
from gptwright.foundations.errors import InputError, found_at
from gptwright.text.compression import open_compressed, read_lines
from gptwright.text.jsonl import read_objects

Document = dict[str, Any]
TEST_BYTES = 5 * 10**6  # of the 10^8 of enwik8 and text8; the 90 million and 5 million before are to train and validate
WINDOW = 10**5  # bytes or characters of a document cut from them


def text_lines(path: Path) -> Iterator[str]:
    """Lines of a UTF-8 text, compressed or not, without their ends. Raises `InputError` when it cannot be read."""
    if not path.is_file():
        raise InputError(f"a file of the benchmark at {path}", found_at(path), "Correct --task-data.")
    with open_compressed(path) as file:
        for number, line in enumerate(read_lines(file, path), 1):
            try:
                yield line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise InputError(f"UTF-8 in line {number} of {path}", str(error), "Restore the file.") from error


def wikitext(path: Path) -> Iterator[Document]:
    """Articles of wiki.test.tokens (Merity et al. 2016). A word is what spaces part, and every line's end is one."""
    article: list[str] = []
    for line in text_lines(path):
        heading = re.match(r" = [^=].* = $", line)
        if heading and article and not article[-1].strip():
            if any(part.strip() for part in article):
                yield _counted(article)
            article = []
        article.append(line)
    if any(line.strip() for line in article):
        yield _counted(article)


def sentences(path: Path) -> Iterator[Document]:
    """Every line a document of its own, as the shuffled One Billion Word Benchmark has it (Chelba et al. 2013)."""
    return (_counted([line]) for line in text_lines(path) if line.strip())


def running_lines(path: Path) -> Iterator[Document]:
    """One document of all lines: the Penn Treebank as Mikolov et al. (2010) cut it."""
    lines = [line.strip() for line in text_lines(path)]
    yield _counted(lines)


def _counted(lines: list[str]) -> Document:
    return {"text": "\n".join(lines), "words": sum(len(line.split()) + 1 for line in lines)}


def enwik8(path: Path) -> Iterator[Document]:
    """The last 5 million bytes of enwik8 or text8, in documents of 100,000 (Mahoney 2006): bits for each byte."""
    data = path.read_bytes() if path.is_file() else b""
    if len(data) < TEST_BYTES:
        raise InputError(f"the {10**8:,} bytes of enwik8 or text8 at {path}", f"{len(data):,}", "Correct --task-data.")
    text, test = data[-TEST_BYTES:].decode("utf-8", errors="replace"), 0
    while test < len(text):
        yield {"text": text[test : test + WINDOW]}
        test += WINDOW


def cbt(path: Path) -> Iterator[Document]:
    """Questions of the Children's Book Test (Hill et al. 2015): 20 lines of a book, and a 21st that lacks a word."""
    story: list[str] = []
    for number, line in enumerate(text_lines(path), 1):
        if not line.strip():
            continue
        count, _, rest = line.partition(" ")
        if count != "21":
            story.append(rest)
            continue
        question, answer, *_, choices = rest.split("\t")
        before, blank, after = question.partition("XXXXX")
        options = choices.split("|")
        if not blank or answer not in options:
            raise InputError(f"a question with XXXXX and its answer among the choices on line {number} of {path}",
                             question[:60], "Restore the file.")  # fmt: skip
        yield {"context": "\n".join(story), "before": before, "after": after, "choices": options, "answer": answer,
               "label": options.index(answer)}  # fmt: skip
        story = []


def coqa(path: Path) -> Iterator[Document]:
    """Every question of coqa-dev-v1.0.json (Reddy et al. 2019) with what went before and all answers."""
    for item in _json(path)["data"]:
        more = item.get("additional_answers", {}).values()
        turns = [{"question": q["input_text"], "answer": a["input_text"]}
                 for q, a in zip(item["questions"], item["answers"], strict=True)]  # fmt: skip
        for i, turn in enumerate(turns):
            answers = [turn["answer"], *(other[i]["input_text"] for other in more)]
            yield {"story": item["story"], "history": turns[:i], "question": turn["question"],
                   "answers": list(dict.fromkeys(answers))}  # fmt: skip


def race(path: Path) -> Iterator[Document]:
    """Every question of a folder of RACE, such as test/high (Lai et al. 2017), with its article."""
    files = sorted(path.glob("*.txt"))
    if not files:
        raise InputError(f"a folder of RACE with .txt files at {path}", "none", "Correct --task-data.")
    for item in map(_json, files):
        for question, options, answer in zip(item["questions"], item["options"], item["answers"], strict=True):
            yield {"article": item["article"], "question": question, "choices": options,
                   "label": "ABCD".index(answer)}  # fmt: skip


def piqa(path: Path) -> Iterator[Document]:
    """valid.jsonl and the valid-labels.lst beside it (Bisk et al. 2020)."""
    labels = list(text_lines(path.with_name(f"{path.stem}-labels.lst")))
    for line, label in zip(read_objects(path), labels, strict=True):
        yield {**line, "label": int(label)}


def multirc(path: Path) -> Iterator[Document]:
    """Every answer of MultiRC's val.jsonl (Khashabi et al. 2018) as a document of its own."""
    for line in read_objects(path):
        for question in line["passage"]["questions"]:
            for answer in question["answers"]:
                yield {"paragraph": line["passage"]["text"], "question": question["question"],
                       "answer": answer["text"], "label": answer["label"]}  # fmt: skip


def record(path: Path) -> Iterator[Document]:
    """Every query of ReCoRD's val.jsonl (Zhang et al. 2018); choices are the entities of the passage, once each."""
    for line in read_objects(path):
        text = line["passage"]["text"]
        entities = sorted({text[place["start"] : place["end"] + 1] for place in line["passage"]["entities"]})
        body, *highlights = text.strip().split("\n@highlight\n")
        for query in line["qas"]:
            answers = sorted({answer["text"] for answer in query["answers"]})
            before, after = query["query"].split("@placeholder", 1)
            yield {"text": body, "highlights": highlights, "before": before, "after": after, "entities": entities,
                   "answers": answers}  # fmt: skip


def winograd(path: Path) -> Iterator[Document]:
    """Schemas of WSCollection.xml (Levesque et al. 2012): the text before the pronoun, after it, and who is meant."""
    try:
        schemas = ElementTree.parse(path).getroot().iter("schema")
    except (OSError, ElementTree.ParseError) as error:
        raise InputError(f"WSCollection.xml at {path}", str(error), "Correct --task-data.") from error
    for schema in schemas:
        before, pronoun, after = (" ".join((schema.findtext(f"text/{part}") or "").split())
                                  for part in ("txt1", "pron", "txt2"))  # fmt: skip
        choices = [" ".join((answer.text or "").split()) for answer in schema.iter("answer")]
        right = (schema.findtext("correctAnswer") or "").strip()[:1]
        starts = not before or before[-1] in '.?!"'
        yield {"before": before, "pronoun": pronoun, "after": after, "label": "AB".index(right),
               "choices": [_substituted(choice, pronoun, capital=starts) for choice in choices]}  # fmt: skip


def _substituted(name: str, pronoun: str, *, capital: bool) -> str:
    """A name in a pronoun's place: "their" becomes "the councilmen's"."""
    if pronoun.lower() in ("his", "her", "its", "their") and not name.endswith("'s"):
        name += "'" if name.endswith("s") else "'s"
    first, rest = name[:1], name[1:]
    if name.split(" ")[0].lower() in ("the", "a", "an", "my", "his", "her", "their"):
        first = first.upper() if capital else first.lower()
    return first + rest


def parallel(path: Path) -> Iterator[Document]:
    """Lines of two files of one name, such as newstest2014.en and newstest2014.fr; `path` names the first."""
    others = [other for other in path.parent.glob(f"{path.stem}.*") if other != path]
    if len(others) != 1:
        raise InputError(f"one other language beside {path}", f"{len(others)}", "Leave two files of that name.")
    for source, target in zip(text_lines(path), text_lines(others[0]), strict=True):
        yield {"source": source, "target": target}


def stories(path: Path) -> Iterator[Document]:
    """A folder of CNN/Daily Mail's .story files (Hermann et al. 2015; Nallapati et al. 2016)."""
    for file in sorted(path.glob("*.story")):
        article, *highlights = "\n".join(text_lines(file)).split("@highlight")
        yield {"article": article.strip(), "highlights": "\n".join(part.strip() for part in highlights)}


def analogies(path: Path) -> Iterator[Document]:
    """SAT-package-V3.txt (Turney et al. 2003): a pair of words, five more of which one is alike."""
    block: list[str] = []
    for line in chain(text_lines(path), [""]):
        if line.startswith("#"):
            continue
        if line.strip():
            block.append(line.strip())
        elif block:
            _, stem, *choices, answer = block
            yield {"stem": stem.split()[:2], "pairs": [choice.split()[:2] for choice in choices],
                   "label": "abcde".index(answer.lower())}  # fmt: skip
            block = []


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"a JSON file of the benchmark at {path}", str(error), "Correct --task-data.") from error


LOADERS: Mapping[str, Callable[[Path], Iterator[Document]]] = {
    "wikitext": wikitext, "sentences": sentences, "running_lines": running_lines, "enwik8": enwik8, "cbt": cbt,
    "coqa": coqa, "race": race, "piqa": piqa, "multirc": multirc, "record": record, "winograd": winograd,
    "parallel": parallel, "stories": stories, "analogies": analogies,
    "last_words": last_words, "cloze_names": cloze_names, "cloze_nouns": cloze_nouns,
    "scrambled_words": scrambled_words, "humaneval": humaneval, "humaneval_single_line": single_line,
    "humaneval_multi_line": multi_line, "humaneval_random_span": random_span,
}  # fmt: skip
