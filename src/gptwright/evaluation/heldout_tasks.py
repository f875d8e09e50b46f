"""Twins of published tasks that need a download, made of any documents: last words, words left out, scrambled words.

They measure what LAMBADA (Paperno et al. 2016), the Children's Book Test (Hill et al. 2015) and GPT-3's word tasks
(Brown et al. 2020, §3.9.2) measure, in text of the kind that a model trained here has read. A pure function of the
documents, whose splits stay as they are.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from gptwright.text.jsonl import read_objects
from gptwright.text.split import uniform_hash

PASSAGE = 50  # words that a passage has at least
STORY = 20  # sentences before the one that lacks a word
STRIDE = 5  # sentences between two questions
CHOICES = 10
_SENTENCE = re.compile(r"(?:(?<=[.!?;])|(?<=[.!?;]\"))(?<!Mr\.)(?<!Mrs\.)(?<!Dr\.)(?<!St\.)\s+(?=[\"A-Z])")
_LAST = re.compile(r"(.*\s)([a-z]{4,}|[A-Z][a-z]{3,})[.!?;]\"?$", re.DOTALL)
_NAME = re.compile(r"(?:(?<=[a-z,;] )|(?<=Mr\. )|(?<=Mrs\. ))(?!Mrs|Miss|Lady|Sir|Chapter)([A-Z][a-z]{2,})\b")
_NOUN = re.compile(
    r"\b(?:the|a|an|my|his|her|their|your|our) ([a-z]{3,})\b"
    r"(?= (?:of|was|is|were|had|and|in|to|which|that|with|for)\b|[,.;!?])"
)


def last_words(path: Path) -> Iterator[dict[str, Any]]:
    """Passages of at least 50 words whose last word stands in them before: `text` without the mark at its end."""
    for document in read_objects(path):
        for passage in _passages(_sentences(document["text"])):
            found = _LAST.match(passage)
            if found and re.search(rf"\b{found[2]}\b", found[1]):
                yield {"text": found[1] + found[2], "split": document.get("split")}


def cloze_names(path: Path) -> Iterator[dict[str, Any]]:
    """20 sentences, and one that lacks a name; ten names of the same text to choose from."""
    return _cloze(path, _NAME)


def cloze_nouns(path: Path) -> Iterator[dict[str, Any]]:
    """20 sentences, and one that lacks a common noun; ten nouns of the same text to choose from."""
    return _cloze(path, _NOUN)


def scrambled_words(path: Path) -> Iterator[dict[str, Any]]:
    """Words of at least five letters that head a document, in the five ways of GPT-3: `word` and a field for each way.

    `cycle` begins elsewhere, `anagram1` and `anagram2` keep as many letters at both ends, `insertion` has a mark or a
    space behind each letter, `reversed` runs backwards.
    """
    for document in read_objects(path):
        word = str(document["title"])
        if re.fullmatch(r"[a-z]{5,}", word) and len(set(word)) > 3:
            shift = 1 + int(uniform_hash(word, 2) * (len(word) - 1))
            marks = (" .!?,;/-"[int(uniform_hash(f"{word}{place}", 3) * 8)] for place in range(len(word)))
            yield {"word": word, "split": document.get("split"), "cycle": word[shift:] + word[:shift],
                   "anagram1": _anagram(word, 1), "anagram2": _anagram(word, 2), "reversed": word[::-1],
                   "insertion": "".join(letter + mark for letter, mark in zip(word, marks, strict=True))}  # fmt: skip


def _anagram(word: str, kept: int) -> str:
    middle = sorted(range(kept, len(word) - kept), key=lambda place: uniform_hash(f"{word}{place}", kept))
    return word[:kept] + "".join(word[place] for place in middle) + word[len(word) - kept :]


def _cloze(path: Path, word: re.Pattern[str]) -> Iterator[dict[str, Any]]:
    for document in read_objects(path):
        sentences = _sentences(document["text"])
        for first in range(0, len(sentences) - STORY, STRIDE):
            *story, question = sentences[first : first + STORY + 1]
            context = " ".join(story)
            known = list(dict.fromkeys(found[1] for found in word.finditer(f"{context} {question}")))
            asked = next((found for found in word.finditer(question) if re.search(rf"\b{found[1]}\b", context)), None)
            if asked and len(known) >= CHOICES:
                yield _question(context, question, asked, known) | {"split": document.get("split")}


def _question(context: str, question: str, asked: re.Match[str], known: Sequence[str]) -> dict[str, Any]:
    answer = asked[1]
    others = sorted((name for name in known if name != answer), key=lambda name: uniform_hash(name + question, 0))
    choices = sorted([answer, *islice(others, CHOICES - 1)], key=lambda name: uniform_hash(name + question, 1))
    return {"context": context, "before": question[: asked.start(1)], "after": question[asked.end(1) :],
            "choices": choices, "answer": answer, "label": choices.index(answer)}  # fmt: skip


def _sentences(text: str) -> list[str]:
    return [sentence for part in text.split("\n\n") for sentence in _SENTENCE.split(part) if _words(sentence) > 2]


def _passages(sentences: Sequence[str]) -> Iterator[str]:
    """Up to the end of each sentence, as few sentences as make a passage."""
    first, size = 0, 0
    for last, sentence in enumerate(sentences):
        size += _words(sentence)
        while size - _words(sentences[first]) >= PASSAGE:
            size -= _words(sentences[first])
            first += 1
        if size >= PASSAGE:
            yield " ".join(sentences[first : last + 1])


def _words(text: str) -> int:
    return len(text.split())
