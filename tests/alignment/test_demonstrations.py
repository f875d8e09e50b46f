import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gptwright.alignment.demonstrations import (
    GROUP,
    Conversation,
    Demonstration,
    Demonstrations,
    continuations,
    demonstrations,
    is_english,
    read_conversations,
)
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.objectives.language import IGNORED
from gptwright.tokenizers.chat_templates.chat import Message
from gptwright.tokenizers.special_tokens import END_OF_TURN
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
    end = tokenizer.special_id(END_OF_TURN)
    learned = [target for target in shown.targets if target != IGNORED]
    assert learned == [*tokenizer.encode("sat on"), end, *tokenizer.encode("ran"), end]
    assert len(shown.ids) == len(shown.targets)
    for here, following, target in zip(shown.ids, [*shown.ids[1:], end], shown.targets, strict=True):
        assert target in (IGNORED, following), here


def test_long_conversations_are_cut_behind_the_last_whole_answer(tokenizer: Tokenizer) -> None:
    whole = Demonstration.of(TALK, tokenizer, 64)
    first = Demonstration.of(TALK[:3], tokenizer, 64)
    assert (len(first.ids), len(whole.ids), whole.cut, first.cut) == (
        len(first.targets),
        len(whole.targets),
        False,
        False,
    )
    for context in range(1, 64):
        found = Demonstration.of(TALK, tokenizer, context)
        fits = [shown for shown in (first, whole) if len(shown.ids) <= context]
        wanted = fits[-1] if fits else Demonstration([], [])
        assert (found.ids, found.targets) == (wanted.ids, wanted.targets)
        assert found.cut == (len(fits) < 2)


def test_answers_in_a_row_are_all_learned_and_silence_is_not(tokenizer: Tokenizer) -> None:
    end = tokenizer.special_id(END_OF_TURN)
    user: Message = {"role": "user", "content": "the cat"}
    sat, ran, blank = (Message(role="assistant", content=text) for text in ("sat on", "ran", " \n"))
    cat, on, ran_ids = (tokenizer.encode(text) for text in ("sat on", " \n", "ran"))

    def learned(*messages: Message) -> list[int]:
        return [target for target in Demonstration.of(messages, tokenizer, 64).targets if target != IGNORED]

    assert learned(user, sat, ran) == [*cat, end, *ran_ids, end]
    assert learned(user, blank, user, ran) == [*ran_ids, end]
    assert learned(user, sat, user, blank) == [*cat, end]
    assert Demonstration.of([user, sat, user, blank], tokenizer, 64) == Demonstration.of([user, sat], tokenizer, 64)
    assert on and not learned(user, blank)


def test_a_tools_turn_is_read_where_the_template_writes_it(tokenizer: Tokenizer, tmp_path: Path) -> None:
    template = (
        "{% for m in messages %}{{ '<|user|>' if m.role in ('user', 'tool') else '<|assistant|>' }}{{ m.content }}"
        "{{ '<|end|>' }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    foreign = Tokenizer(tokenizer.backend, replace(tokenizer.special_tokens, chat_template=template))
    talk = [{"role": "user", "content": "the"}, {"role": "tool", "content": "mat"}, TALK[-1]]
    path = tmp_path / "talks.jsonl"
    path.write_text(json.dumps({"messages": talk}))
    intake = Intake("sft")
    found = read_conversations(path, intake)
    assert found[0].asked == talk[:2]
    (shown,) = demonstrations(found, foreign, 64, intake)
    assert [target for target in shown.targets if target != IGNORED] == [
        *tokenizer.encode("ran"),
        tokenizer.special_id(END_OF_TURN),
    ]
    assert not demonstrations(found, tokenizer, 64, intake)
    assert "1 that the model's chat template cannot write ('tool'), the first on line 1" in str(intake.dropped)


def test_what_teaches_nothing_is_dropped_with_its_reason(
    tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    def talk(place: int, *messages: Message) -> Conversation:
        return Conversation(list(messages), where=f"line {place} of t.jsonl")

    user: Message = {"role": "user", "content": "the cat"}
    long: Message = {"role": "user", "content": "the dog " * 40}
    blank: Message = {"role": "assistant", "content": " \n"}
    ran: Message = {"role": "assistant", "content": "ran"}
    intake = Intake("sft")
    talks = [talk(1, user), talk(2, user, ran), talk(3, user, blank), talk(4, long, ran), talk(5, user, ran, long, ran)]
    found = demonstrations(talks, tokenizer, 24, intake)
    assert [shown.ids for shown in found] == [Demonstration.of([user, ran], tokenizer, 24).ids] * 2
    intake.report("2 conversations")
    assert capsys.readouterr().err == (
        "sft: 2 conversations; 3 dropped (2 without an answer, the first on line 1 of t.jsonl; 1 whose first answer "
        "does not end within 24 tokens, the first on line 4 of t.jsonl); 1 cut (1 before an answer that does not end "
        "within 24 tokens, the first on line 5 of t.jsonl)\n"
    )


def test_what_a_foreign_template_cannot_write_is_dropped_with_its_reason(tokenizer: Tokenizer) -> None:
    template = (
        "{% for m in messages %}{% if m.role != 'system' or loop.first %}{{ '<|' + m.role + '|>' + m.content }}"
        "{{ '<|end|>' }}{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
    )
    foreign = Tokenizer(tokenizer.backend, replace(tokenizer.special_tokens, chat_template=template))
    later = [*TALK[1:3], TALK[0], *TALK[3:]]
    intake = Intake("sft")
    assert len(demonstrations([Conversation(TALK), Conversation(later, where="line 2")], foreign, 64, intake)) == 1
    assert "1 that the model's chat template cannot write (a message of the system, number 3," in str(intake.dropped)


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
    for a, b in zip(one.batch(9)[:2], same.batch(9)[:2], strict=True):
        assert torch.equal(a, b)
    assert any(not torch.equal(one.batch(step)[0][:, 0], other.batch(step)[0][:, 0]) for step in range(4))


def test_rows_of_like_length_come_together_and_what_pads_is_ignored() -> None:
    batches = Demonstrations(pool(64), 8, seed=1, pad=99)
    padding = 0
    for step in range(GROUP):
        ids, targets, _ = batches.batch(step)
        assert ids.shape == targets.shape
        assert (targets[ids == 99] == IGNORED).all()
        padding += int((ids == 99).sum())
    assert padding < 400, "unsorted rows of 1 to 17 tokens, in widths of 8, would carry about 960"


def test_continuations_of_chinese_are_cut_between_characters() -> None:
    sentence = "臣闻天子之职莫大于礼，礼莫大于分，分莫大于名。"
    for question, answer in (c.messages for c in continuations([sentence * 3 + "何谓礼？"], 5, seed=1)):
        begun = question["content"].removeprefix("Continue: ")
        assert 5 <= sum(c.isalpha() for c in begun) <= 8
        assert begun + answer["content"] == sentence


def test_conversations_of_a_file(tmp_path: Path) -> None:
    lines = [
        {"messages": TALK},
        {"messages": TALK[:2], "split": "Validation", "language": None},
        {"messages": TALK[1:], "language": "zh"},
        {"messages": TALK[1:3], "split": "train", "language": "en-GB"},
        {"messages": TALK[1:3], "split": None, "language": ""},
    ]
    path = tmp_path / "talks.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    intake = Intake("sft")
    assert read_conversations(path, intake) == [
        Conversation(TALK),
        Conversation(TALK[:2], "heldout"),
        Conversation(TALK[1:3], "train"),
        Conversation(TALK[1:3]),
    ]
    assert str(intake.dropped) == f"1 dropped (1 in another language, the first on line 3 of {path})"
    path.write_text('{"messages": [{"role": "user", "content": "a"}]}\n\n{"text": "b"}\n')
    with pytest.raises(InputError, match=r"a list of messages in line 3 of .*talks\.jsonl"):
        read_conversations(path, intake)
    path.write_text(json.dumps({"messages": TALK, "split": "tran"}))
    with pytest.raises(InputError, match=r"split in line 1 of .*talks\.jsonl; got 'tran'"):
        read_conversations(path, intake)


@pytest.mark.parametrize("language", [None, "", "en", "EN", "en-US", "en_GB", "eng", "English", " en "])
def test_english(language: object) -> None:
    assert is_english(language)


@pytest.mark.parametrize("language", ["zh", "de-en", "enm", "de", "fr-FR", 3])
def test_other_languages(language: object) -> None:
    assert not is_english(language)


def test_all_examples_come_once_in_order() -> None:
    seen = [i for batch in Demonstrations(pool(30), 4, 1, pad=99).in_order() for i in batch.ids[:, 0].tolist()]
    assert sorted(seen) == list(range(30))
    assert not list(Demonstrations([], 4, 1, pad=99).in_order())


def test_continuations_give_the_sentence_back() -> None:
    sentences = [f"Number {i} is a sentence of {i} and of words that go on for quite some while." for i in range(20)]
    texts = [" ".join(sentences[:10]), "\n".join(sentences[10:]), "Too short. " * 9]
    found = continuations(texts, 50, seed=2)
    assert found == continuations(texts, 50, seed=2) != continuations(texts, 50, seed=3)
    for question, answer in (conversation.messages for conversation in found):
        begun = question["content"].removeprefix("Continue: ")
        assert 5 <= len(begun.split()) <= 8
        assert answer["content"].startswith(" ")
        assert begun + answer["content"] in sentences
    assert len(found) == 50
    with pytest.raises(InputError, match="16 to 40 words"):
        continuations(["Too short."], 1, seed=1)
