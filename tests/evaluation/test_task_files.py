"""The task files that come with gptwright, on rows in the form of the published data (`published/`) and on the bundle.

What a model reads is compared letter by letter: a blank or a line's end too many is the commonest cause of a wrong
score.
"""

from pathlib import Path

import pytest

from gptwright.evaluation.detokenizers import DETOKENIZERS
from gptwright.evaluation.harness.documents import read_documents
from gptwright.evaluation.harness.scoring import metrics_of
from gptwright.evaluation.harness.task_config import read_task_folder
from gptwright.evaluation.harness.tasks import TASK_FILES
from gptwright.evaluation.harness.templates import Item, Templates
from gptwright.evaluation.loaders import LOADERS, TEST_BYTES
from gptwright.foundations.errors import InputError
from gptwright.text.bundled import bundled_file

PUBLISHED = Path(__file__).parent / "published"
TASKS = read_task_folder(TASK_FILES)
LARGE = {"enwik8", "text8"}  # nobody keeps five megabytes for a test

# What stands before, what is scored or expected, and the place of the right choice.
EXPECTED: dict[str, tuple[list[str], list[str], list[int]]] = {
    "lambada_openai": (
        ["The lamp in the hall had gone out again, so Martha went down the stairs with a candle, found the matches on "
         "the shelf, and lit the"], [" lamp"], []),
    "lambada_fill": (
        ["The lamp in the hall had gone out again, so Martha went down the stairs with a candle, found the matches on "
         "the shelf, and lit the ____. ->"], [" lamp"], []),
    "1bw": ([""], ['The mayor said, "We are ready."'], []),
    "ptb": ([""], ["no it wasn't a good monday\nthe company said its profit rose N% to $N million"], []),
    "wikitext2": (
        [""], [" = North Pier = \n \n The North Pier is a well-known pier, built in 1863, and it is 1,650 feet (503 m) "
               "long. \n It's open all year. \n \n = = History = = \n \n It was \"the best of its kind\". \n "], []),
    "wsc273": (["The box does not fit on the shelf because the box", "The box does not fit on the shelf because the "
                "shelf"], ["is too wide."], [0]),
    "wsc273_full": (["The box does not fit on the shelf because"], ["the box is too wide.", "the shelf is too wide."],
                    [0]),
    "coqa": (["Nora has a red kite. She flies it on Sundays.\n\nQ: What does Nora have?\n\nA:"],
             ["a red kite", "A kite"], []),
    "cnn_dailymail": (["The library in the old town opened again. Many people came. The mayor spoke.\nTL;DR:"],
                      ["Old library opens again\nMayor speaks"], []),
    "wmt14_en_fr": (["The house is small. ="], ["La maison est petite."], []),
    "wmt14_fr_en": (["La maison est petite. ="], ["The house is small."], []),
    "nq_open": (["Q: how many days has a week?\nA:"], ["seven", "7"], []),
    "hellaswag": (["Baking bread: A man puts dough on a table. He"],
                  ["kneads it with both hands.", " flies to the moon.", "swims in it.", "reads it aloud."], [0]),
    "storycloze_2016": (["Tom lost his key. He looked in the garden. It was dark, so he took a lamp. He saw something "
                         "shine."], ["It was the key.", "He ate the lamp."], [0]),
    "arc_easy": (["Question: Which of these is a liquid at room temperature?\nAnswer:"],
                 ["iron", "water", "oxygen", "salt"], [1]),
    "piqa": (["Question: To keep bread fresh\nAnswer:"], ["put it in a closed box", "put it in a bath"], [0]),
    "openbookqa": (["A plant grows towards"], ["light", "noise", "stones", "clocks"], [0]),
    "winogrande": (["The cup broke but the plate did not, because the cup", "The cup broke but the plate did not, "
                    "because the plate"], ["was thin."], [0]),
    "race_high": (["Sam walks to school. It takes ten minutes.\n\nQ: How does Sam go to school?\n\nA:"],
                  ["By bus", "On foot", "By train", "By boat"], [1]),
    "boolq": (["Sea water holds about 35 grams of salt in a litre.\nQuestion: is the sea salty?\nAnswer:"],
              ["no", "yes"], [1]),
    "cb": (["It rained all day.\nQuestion: the sun shone all day. True, False, or Neither?\nAnswer:"],
           ["True", "False", "Neither"], [1]),
    "copa": (["The glass fell off the table therefore"], ["it broke.", "it sang."], [0]),
    "multirc": (["Lena bought apples and pears.\nQuestion: What did Lena buy?\nAnswer:"],
                ["Apples\nIs the answer correct? no", "Apples\nIs the answer correct? yes"], [1]),
    "record": (["Paula met Victor in Lisbon.\n\n  - Paula is a painter.\n"],
               [f"  - The painter {name} went to see a friend." for name in ("Lisbon", "Paula", "Victor")], [1]),
    "rte": (["Karl has two cats.\nQuestion: Karl has a pet. True or False?\nAnswer:"], ["True", "False"], [0]),
    "wic": (["Sentence 1: We sat on the bank of the river.\nSentence 2: The bank lends money.\nQuestion: Is the word "
             "'bank' used in the same way in the two sentences above?\nAnswer:"], ["no", "yes"], [0]),
    "wsc": (["Passage: Ann told Beth that *she* had won.\nQuestion: In the passage above, does the pronoun \"*she*\" "
             "refer to \"*Ann*\"?\nAnswer:"], ["no", "yes"], [1]),
    "arithmetic_2da": (["Question: What is 12 plus 34?\nAnswer:"], [" 46"], []),
    "cycle_letters": (["\ndengar ="], [" garden"], []),
    "sat_analogies": (["puppy is to dog as"], ["kitten is to cat", "leaf is to tree", "wheel is to car",
                                              "book is to page", "night is to day"], [0]),
    "heldout_en_fr": (
        ["By default, any dialog that you create only contains string resources for one language. ="],
        ["Par défaut, toute boîte de dialogue créée contient uniquement des ressources de chaînes pour une langue."],
        []),
    "incontext_reverse": (["> e k r o ="], [" o r k e"], []),
    "fernhollow": (["Q: I want to stop smoking. What must I do?\nA:"],
                   ["I do not know that. I know the people of Fernhollow."], []),
}  # fmt: skip


def items(name: str) -> list[Item]:
    task = TASKS[name]
    lines = read_documents(task, task.held_out, PUBLISHED)
    templates = Templates(task, {field for line in lines for field in line})
    return [templates.item(line) for line in lines]


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_asked_is_as_the_papers_and_lm_eval_have_it(name: str) -> None:
    item, (contexts, texts, right) = items(name)[0], EXPECTED[name]
    assert list(item.contexts) == contexts
    assert list(item.choices if item.choices and len(contexts) == 1 else item.targets) == texts
    assert list(item.right) == right


@pytest.mark.parametrize("name", sorted({*TASKS} - LARGE))
def test_every_task_reads_all_its_documents_and_knows_its_figures(name: str) -> None:
    found = items(name)
    assert metrics_of(TASKS[name])
    for item in found:
        assert all(item.targets) and (not item.choices or len({*item.choices}) == len(item.choices) > 1)


@pytest.mark.parametrize("name", sorted({*TASKS} - LARGE))
def test_the_split_of_the_examples_can_be_read(name: str) -> None:
    task = TASKS[name]
    if task.fewshot_config.samples is None:
        assert read_documents(task, task.shots_from, PUBLISHED)


def test_the_last_five_million_bytes_are_the_test(tmp_path: Path) -> None:
    (tmp_path / "enwik8").write_bytes(b"train " * 10 + bytes(range(97, 107)) * (TEST_BYTES // 10))
    found = list(LOADERS["enwik8"](tmp_path / "enwik8"))
    assert sum(len(document["text"]) for document in found) == TEST_BYTES
    assert found[0]["text"].startswith("abcdefghij") and "train" not in found[0]["text"]
    with pytest.raises(InputError, match="enwik8"):
        list(LOADERS["enwik8"](PUBLISHED / "ptb.test.txt"))


def test_words_are_counted_as_the_benchmark_does_with_the_ends_of_lines() -> None:
    (document,) = LOADERS["running_lines"](PUBLISHED / "ptb.test.txt")
    assert document["words"] == 8 + 1 + 11 + 1


@pytest.mark.parametrize("name", ["wikitext2", "ptb", "1bw", "cbt_cn"])
def test_detokenized_text_leads_back(name: str) -> None:
    task = TASKS[name]
    assert task.detokenizer
    detokenizer = DETOKENIZERS[task.detokenizer]
    for line in read_documents(task, task.held_out, PUBLISHED):
        text = line.get("text") or line["context"]
        assert detokenizer.ambiguous(text) == 0
        assert detokenizer.invert(detokenizer(text)) == text != detokenizer(text)


@pytest.mark.parametrize("loader", ["last_words", "cloze_names", "cloze_nouns"])
def test_twins_keep_the_splits_of_their_documents_and_can_be_answered(loader: str) -> None:
    documents = list(LOADERS[loader](bundled_file("novels.jsonl.xz")))
    assert {document["split"] for document in documents} == {"train", "heldout"}
    for document in documents:
        if loader == "last_words":
            *before, last = document["text"].split()
            assert len(before) >= 49 and any(word.strip(".,;:!?\"'()-") == last or last in word for word in before)
        else:
            assert document["choices"][document["label"]] == document["answer"] in document["context"]
            assert len({*document["choices"]}) == 10


def test_scrambled_words_have_the_letters_of_the_word() -> None:
    for document in list(LOADERS["scrambled_words"](bundled_file("wordnet.jsonl.xz")))[:500]:
        word = document["word"]
        assert sorted(document["cycle"]) == sorted(document["reversed"]) == sorted(document["anagram2"]) == sorted(word)
        assert document["reversed"][::-1] == word and document["cycle"] != word and document["cycle"] in word * 2
        assert document["anagram1"][0] == word[0] and document["anagram2"][-2:] == word[-2:]
        assert document["insertion"][::2] == word
