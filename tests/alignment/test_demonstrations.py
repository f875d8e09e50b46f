import json
from collections import Counter
from pathlib import Path

import pytest
import torch

from gptwright.alignment.demonstrations import GROUP, Demonstration, Demonstrations, continuations, read_conversations
from gptwright.foundations.errors import InputError
from gptwright.objectives.language import IGNORED
from gptwright.tokenizers.chat import END_OF_TURN, Message
from gptwright.tokenizers.tokenizer import Tokenizer

TALK: list[Message] = [
    {"role": "system", "content": "be"},
    {"role": "user", "content": "the cat"},
    {"role": "assistant", "content": "sat on"},
    {"role": "user", "content": "the dog"},
    {"role": "assistant", "content": "ran"},
]


def test_only_what_the_assistant_says_is_learned(tokenizer: Tokenizer) -> None:
    shown = Demonstration.of(TALK, tokenizer, 64)
    end = tokenizer.control(END_OF_TURN)
    learned = [target for target in shown.targets if target != IGNORED]
    assert learned == [*tokenizer.encode("sat on"), end, *tokenizer.encode("ran"), end]
    assert len(shown.ids) == len(shown.targets)
    for here, following, target in zip(shown.ids, [*shown.ids[1:], end], shown.targets, strict=True):
        assert target in (IGNORED, following), here


def test_long_conversations_are_cut_to_the_context(tokenizer: Tokenizer) -> None:
    whole, cut = (Demonstration.of(TALK, tokenizer, context) for context in (64, 7))
    assert (cut.ids, cut.targets) == (whole.ids[:7], whole.targets[:7])


def pool(count: int) -> list[Demonstration]:
    """Conversation i is told by its first id, and they have all lengths."""
    return [Demonstration([i, *[7] * (i * 13 % 17)], [*[IGNORED] * (i * 13 % 17), i]) for i in range(count)]


@pytest.mark.parametrize(("count", "rows"), [(64, 4), (48, 2)])
def test_every_example_comes_once_an_epoch(count: int, rows: int) -> None:
    batches = Demonstrations(pool(count), rows, seed=5, pad=0)
    seen = Counter(i for step in range(3 * count // rows) for i in batches.batch(step)[0][:, 0].tolist())
    assert seen == {i: 3 for i in range(count)}


def test_a_batch_is_a_pure_function_of_seed_and_step() -> None:
    one, same, other = (Demonstrations(pool(30), 4, seed, pad=0) for seed in (1, 1, 2))
    one.batch(0)
    for a, b in zip(one.batch(9), same.batch(9), strict=True):
        assert torch.equal(a, b)
    assert any(not torch.equal(one.batch(step)[0][:, 0], other.batch(step)[0][:, 0]) for step in range(4))


def test_rows_of_like_length_come_together_and_what_pads_is_ignored() -> None:
    batches = Demonstrations(pool(64), 8, seed=1, pad=99)
    padding = 0
    for step in range(GROUP):
        ids, targets = batches.batch(step)
        assert ids.shape == targets.shape
        assert (targets[ids == 99] == IGNORED).all()
        padding += int((ids == 99).sum())
    assert padding < 400, "unsorted rows of 1 to 17 tokens, in widths of 8, would carry about 960"


def test_continuations_of_chinese_are_cut_between_characters() -> None:
    sentence = "臣闻天子之职莫大于礼，礼莫大于分，分莫大于名。"
    for question, answer in continuations([sentence * 3 + "何谓礼？"], 5, seed=1):
        begun = question["content"].removeprefix("Continue: ")
        assert 5 <= sum(c.isalpha() for c in begun) <= 8
        assert begun + answer["content"] == sentence


def test_conversations_of_a_file(tmp_path: Path) -> None:
    lines = [
        {"messages": TALK},
        {"messages": TALK[:2], "split": "heldout"},
        {"messages": TALK[1:], "language": "zh"},
        {"messages": TALK[1:3], "split": "train", "language": "en"},
    ]
    path = tmp_path / "talks.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert read_conversations(path) == [TALK, TALK[1:3]]
    assert read_conversations(path, split="heldout") == [TALK, TALK[:2], TALK[1:3]][:2]
    path.write_text('{"messages": [{"role": "user", "content": "a"}]}\n{"text": "b"}\n')
    with pytest.raises(InputError, match=r"a list of messages in line 2 of .*talks\.jsonl"):
        read_conversations(path)


def test_continuations_give_the_sentence_back() -> None:
    sentences = [f"Number {i} is a sentence of {i} and of words that go on for quite some while." for i in range(20)]
    texts = [" ".join(sentences[:10]), "\n".join(sentences[10:]), "Too short. " * 9]
    found = continuations(texts, 50, seed=2)
    assert found == continuations(texts, 50, seed=2) != continuations(texts, 50, seed=3)
    for question, answer in found:
        begun = question["content"].removeprefix("Continue: ")
        assert 5 <= len(begun.split()) <= 8
        assert answer["content"].startswith(" ")
        assert begun + answer["content"] in sentences
    assert len(found) == 50
    with pytest.raises(InputError, match="16 to 40 words"):
        continuations(["Too short."], 1, seed=1)
