import hashlib
import json
import lzma
import re

import pytest

from gptwright.text.bundled import TEXTS, bundled_file, bundled_folder, bundled_name, bundled_text
from gptwright.text.find import resolve
from gptwright.text.read import read_file

Pair = dict[str, str]

TRANSLATION = "translation.jsonl.xz"


@pytest.mark.parametrize("name", TEXTS)
def test_every_bundled_source_has_both_sides_and_sound_documents(name: str) -> None:
    documents = list(d for path in resolve([f"bundled:{name}"]) for d in read_file(path))
    assert {d.split for d in documents} == {"train", "heldout"}
    assert all(d.text.strip() and d.title and d.source == name for d in documents)
    assert len({d.text for d in documents}) == len(documents)


def test_paths_and_names_belong_together() -> None:
    assert bundled_text("novels") == bundled_file("novels.jsonl.xz")
    assert bundled_name(bundled_text("novels")) == "novels"
    assert bundled_name(bundled_folder() / "conversations.jsonl.xz") is None


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    with lzma.open(bundled_file(TRANSLATION), "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def held_apart(pairs: list[Pair]) -> tuple[list[Pair], list[Pair]]:
    train = [pair for pair in pairs if pair["split"] == "train"]
    return train, [pair for pair in pairs if pair["split"] == "heldout"]


def plain(text: str) -> str:
    return " ".join(text.lower().split())


def runs(text: str, length: int = 13) -> set[str]:
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[i : i + length]) for i in range(len(words) - length + 1)}


def test_translation_has_two_sides_and_each_source_once(pairs: list[Pair]) -> None:
    train, heldout = held_apart(pairs)
    assert len(train) + len(heldout) == len(pairs)
    assert 12_000 <= len(train) <= 20_000
    assert 500 <= len(heldout) <= 1_000
    assert all(pair.keys() == {"source", "target", "split", "origin"} and all(pair.values()) for pair in pairs)
    assert len({plain(pair["source"]) for pair in pairs}) == len(pairs)


def test_held_out_translations_were_never_trained_on(pairs: list[Pair]) -> None:
    train, heldout = held_apart(pairs)
    assert not {pair["origin"] for pair in train} & {pair["origin"] for pair in heldout}
    for side in ("source", "target"):
        assert not {plain(pair[side]) for pair in train} & {plain(pair[side]) for pair in heldout}
    seen = {run for pair in train for run in runs(pair["source"])}
    assert not any(seen & runs(pair["source"]) for pair in heldout)


def test_translations_are_single_plain_sentences(pairs: list[Pair]) -> None:
    for pair in pairs:
        for text in (pair["source"], pair["target"]):
            assert text[0].isupper()
            assert text[-1] in ".?!"
            assert text == " ".join(text.split())
            assert not re.search(r"[^\w ,;:'\"«»()\-.?!]|_| - ", text)
            assert 3 <= sum(any(c.isalnum() for c in word) for word in text.split()) <= 30
        assert pair["source"] != pair["target"]
        assert pair["source"].count('"') == pair["target"].count("«") + pair["target"].count("»")
        assert not re.search(r'"|«(?! )|(?<! )»|\w[;:!?](?= |$)', pair["target"])


def test_translation_is_the_file_that_its_sources_page_names() -> None:
    digest = hashlib.sha256(bundled_file(TRANSLATION).read_bytes()).hexdigest()
    assert f"| `{TRANSLATION}` | `{digest}` |" in bundled_file("SOURCES.md").read_text("utf-8")
    assert bundled_file("LICENSE-MPL-2.0").read_text("utf-8").startswith("Mozilla Public License Version 2.0")
