import hashlib
import json
import lzma
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from gptwright.text.bundled import bundled_file, bundled_folder
from gptwright.text.heldout import normalised
from gptwright.text.instruction_rules import FAMILIES
from gptwright.text.rule_labeller import RULES

Row = dict[str, Any]
TOPICS = {
    "act", "animal", "artifact", "body", "communication", "feeling", "food", "group", "location", "object", "person",
    "plant", "possession", "quantity", "state", "substance", "time",
}  # fmt: skip
SETS: dict[str, tuple[tuple[str, ...], set[Any]]] = {
    "topics": (("text",), TOPICS),
    "entailment": (("premise", "hypothesis"), {"entailment", "neutral", "contradiction"}),
    "definitions": (("context", "choices"), {0, 1, 2, 3}),
    "gloss-similarity": (("first", "second"), {0.0, 1.0, 2.0, 3.0, 4.0, 5.0}),
    "next-paragraph": (("context", "choices"), {0, 1, 2, 3}),
    "same-author": (("first", "second"), {"same", "other"}),
    "author-choice": (("context", "choices"), {0, 1, 2}),
}


def path(name: str) -> Path:
    return bundled_file(f"tasks/{name}.jsonl.xz")


def rows(name: str) -> tuple[list[Row], list[Row]]:
    with lzma.open(path(name), "rt", encoding="utf-8") as file:
        found = [json.loads(line) for line in file]
    train, heldout = ([row for row in found if row["split"] == split] for split in ("train", "heldout"))
    assert len(train) + len(heldout) == len(found)
    return train, heldout


def texts(row: Row, fields: tuple[str, ...]) -> set[str]:
    values = [row[field] for field in fields]
    return {normalised(text) for value in values for text in ([value] if isinstance(value, str) else value)}


@pytest.mark.parametrize("name", SETS)
def test_rows_have_the_declared_form_and_labels(name: str) -> None:
    fields, labels = SETS[name]
    for side in rows(name):
        assert len(side) >= 300
        assert {row["label"] for row in side} == labels
        assert all(row.keys() == {*fields, "label", "split", "source", "group"} for row in side)
        assert all(texts(row, fields) and all(texts(row, fields)) for row in side)
        assert all(
            len(set(row["choices"])) == len(row["choices"]) == len(labels) for row in side if "choices" in fields
        )


@pytest.mark.parametrize("name", SETS)
def test_no_group_and_no_text_is_on_both_sides(name: str) -> None:
    fields = SETS[name][0]
    train, heldout = rows(name)
    assert not {row["group"] for row in train} & {row["group"] for row in heldout}
    seen = {text for row in train for text in texts(row, fields)}
    assert not any(seen & texts(row, fields) for row in heldout)


@pytest.mark.parametrize("name", SETS)
def test_the_file_is_the_one_that_its_sources_page_names(name: str) -> None:
    page = bundled_file("SOURCES.md").read_text("utf-8")
    assert f"| `tasks/{name}.jsonl.xz` | `{hashlib.sha256(path(name).read_bytes()).hexdigest()}` |" in page
    train, heldout = rows(name)
    assert f"| `{name}` | {len(train):,} | {len(heldout):,} |" in page


def test_together_they_are_small_and_every_file_is_described() -> None:
    files = set((bundled_folder() / "tasks").iterdir())
    assert files == {path(name) for name in SETS}
    assert sum(file.stat().st_size for file in files) <= 1_000_000


def test_every_hypothesis_stands_with_all_three_labels() -> None:
    for side in rows("entailment"):
        labels = {(row["group"], row["hypothesis"]): Counter[str]() for row in side}
        for row in side:
            labels[row["group"], row["hypothesis"]][row["label"]] += 1
        assert all(len(set(counts.values())) == 1 and len(counts) == 3 for counts in labels.values())


@pytest.mark.parametrize("name", ["definitions", "next-paragraph"])
def test_neither_the_longest_nor_the_shortest_choice_is_the_answer(name: str) -> None:
    _, heldout = rows(name)
    for pick in (max, min):
        right = sum(row["choices"].index(pick(row["choices"], key=len)) == row["label"] for row in heldout)
        assert right < 0.35 * len(heldout)


def test_the_first_of_a_pair_does_not_tell_whether_one_hand_wrote_both() -> None:
    for side in rows("same-author"):
        by_wordnet = [row["label"] for row in side if row["group"].startswith("WordNet, ")]
        assert by_wordnet.count("same") == pytest.approx(len(by_wordnet) / 2, rel=0.15)
        assert sum(row["label"] == "same" for row in side) * 2 == len(side)


def test_every_author_wrote_one_of_the_choices_and_as_many_contexts() -> None:
    for side in rows("author-choice"):
        answers = Counter(row["label"] for row in side)
        assert max(answers.values()) < 0.4 * len(side)
        by_wordnet = sum(row["group"].startswith("WordNet, ") for row in side)
        assert abs(by_wordnet / len(side) - 1 / 3) < 0.07


# What the tasks teach and ask whose answers a program checks.
CHECKED = ("instructions", "length-target", "arithmetic", "sentiment")


def checked_lines(name: str) -> list[dict[str, Any]]:
    with lzma.open(bundled_file(f"instructions/{name}.jsonl.xz"), "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def test_files_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (bundled_folder() / "instructions").iterdir()}
    assert set(sizes) == {f"{task}{end}.jsonl.xz" for task in CHECKED for end in ("", "-prompts")}
    assert sum(sizes.values()) < 300_000


@pytest.mark.parametrize("task", CHECKED)
def test_what_is_held_out_is_asked_nowhere_else(task: str) -> None:
    prompts = checked_lines(f"{task}-prompts")
    sides = {split: {p["prompt"] for p in prompts if p["split"] == split} for split in ("train", "heldout")}
    taught = {line["messages"][0]["content"] for line in checked_lines(task)}
    assert sides["heldout"] and not sides["heldout"] & (sides["train"] | taught)


@pytest.mark.parametrize("task", CHECKED)
def test_the_rule_reads_every_prompts_line(task: str) -> None:
    for line in checked_lines(f"{task}-prompts"):
        assert RULES[task](line, "Then she went home.") <= 1


def test_every_family_is_asked_as_often_and_held_out_in_new_words_too() -> None:
    prompts = checked_lines("instructions-prompts")
    for split in ("train", "heldout"):
        counts = Counter(line["kind"] for line in prompts if line["split"] == split)
        assert counts.keys() == FAMILIES.keys() and len(set(counts.values())) == 1
    wordings = {split: Counter(line["wording"] for line in prompts if line["split"] == split)
                for split in ("train", "heldout")}  # fmt: skip
    assert wordings == {"train": {"known": 1600}, "heldout": {"known": 200, "new": 200}}
    assert all(line["constraints"][0]["kind"] == line["kind"] for line in prompts)


# -- emoji -------------------------------------------------------------------------------------


LANGUAGES = ("", ".zh", ".fr")


def emoji(name: str) -> list[Row]:
    with lzma.open(bundled_file(f"emoji/{name}.jsonl.xz"), "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def shown_in(conversation: Row) -> list[str]:
    return [part["image_url"]["url"] for part in conversation["messages"][0]["content"] if part["type"] == "image_url"]


def test_emoji_take_at_most_three_megabytes_and_are_those_of_the_sources() -> None:
    files = list((bundled_folder() / "emoji").iterdir())
    assert sum(file.stat().st_size for file in files) < 3e6
    sources = (bundled_folder() / "SOURCES.md").read_text(encoding="utf-8")
    texts = [f"{name}{language}.jsonl.xz" for name in ("captions", "conversations") for language in LANGUAGES]
    for name in ("noto.webp", "twemoji.webp", "counts.webp", *texts):
        assert hashlib.sha256(bundled_file(f"emoji/{name}").read_bytes()).hexdigest() in sources, name


def test_what_is_asked_about_was_never_shown() -> None:
    talks = [each for language in LANGUAGES for each in emoji(f"conversations{language}")]
    learned = {image for each in talks if each["split"] == "train" for image in shown_in(each)}
    captions = [each for language in LANGUAGES for each in emoji(f"captions{language}")]
    learned |= {each["image"] for each in captions if each["split"] == "train"}
    several = [f"{name}{language}" for name in ("category", "flag", "colour", "count") for language in LANGUAGES]
    for name in (*several, "compare", "absent"):
        for row in emoji(name):
            images = [row["image"]] if isinstance(row["image"], str) else row["image"]
            assert not learned & {*images}, row


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_answer_stands_in_what_was_said_before(language: str) -> None:
    """Of an image one thing is asked, or its kind and then its name, which would say the kind."""
    categories = {row["answer"] for row in emoji(f"category{language}")}
    several = 0
    for each in emoji(f"conversations{language}"):
        said = [turn["content"] for turn in each["messages"] if turn["role"] == "assistant"]
        if len(said) > 1 and len(shown_in(each)) == 1:
            several += 1
            kind, _ = said
            assert kind in categories, said
    assert several > 1000


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_asked_first_tells_nothing_of_the_colour(language: str) -> None:
    """A drawing of one colour is asked its kind first as often as any other."""
    questions = {row["question"] for row in emoji(f"category{language}")}
    first = [(shown_in(each), each["messages"][0]["content"][-1]["text"]) for each in emoji(f"conversations{language}")]
    drawn = Counter(images[0] for images, question in first if question in questions)
    assert drawn == dict.fromkeys((row["image"] for row in emoji(f"captions{language}")), 1)


def test_behind_which_of_two_stands_the_kind_of_the_other() -> None:
    """The kind of the one that was named would be known."""
    for each in emoji("conversations"):
        if len(shown_in(each)) == 2:
            _, which, further, _ = (turn["content"] for turn in each["messages"])
            assert further == f"What kind of thing is {'the second' if which == 'the first' else 'the first'}?"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_held_out_drawing_has_one_caption_and_a_learned_one_three(language: str) -> None:
    found = Counter((row["image"], row["split"]) for row in emoji(f"captions{language}"))
    assert {(split, count) for (_, split), count in found.items()} == {("train", 3), ("heldout", 1)}


def test_a_flag_that_is_asked_about_was_shown_in_the_other_style() -> None:
    captions = emoji("captions")
    noto = {row["text"] for row in captions if row["image"].startswith("noto") and row["split"] == "train"}
    for row in emoji("flag"):
        assert row["image"].startswith("twemoji") and any(f"flag: {row['answer']}" in text for text in noto)


def test_counts_are_even_and_every_category_is_there() -> None:
    assert set(Counter(row["answer"] for row in emoji("compare")).values()) == {100}
    for language in LANGUAGES:
        assert set(Counter(row["answer"] for row in emoji(f"count{language}")).values()) == {25}
        assert len({row["answer"] for row in emoji(f"category{language}")}) == 9
