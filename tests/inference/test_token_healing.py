from itertools import accumulate

import numpy as np
import pytest

from gptwright.inference.sampling import Sampling
from gptwright.inference.token_healing import Beginnings, BeginsWith, heal
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.pipelines.model import Model
from gptwright.tokenizers import bytefallback, bytelevel, gpt1
from gptwright.tokenizers.token_bytes import TokenBytes, token_bytes_of
from gptwright.tokenizers.tokenizer import Tokenizer

CODE = "def add(a, b):\n    total = a + b\n    return total\n\n\ndef sub(a, b):\n\treturn a - b\n" * 8
PROMPTS = ("def add(a, b):", "def add(a, b):\n", "def add(a, b):\n    ", "def add(a, b):\n\n\n", "a = ", "\n", "    ")


@pytest.fixture(scope="module")
def code() -> Tokenizer:
    return bytelevel.train([CODE], 286)


@pytest.fixture
def model(code: Tokenizer) -> Model:
    network = GPT2(GPT2Config(vocab=code.vocab, context=64, width=32, heads=2, layers=2))
    for parameter in network.parameters():
        parameter.data.normal_(0.0, 0.3)
    return Model(network.requires_grad_(False), code, "tiny")


def test_the_vocabulary_has_tokens_that_reach_over_a_line_s_end(code: Tokenizer) -> None:
    assert b"\n   " in token_bytes_of(code.backend).by_id.values()  # the last blank is the next word's


@pytest.mark.parametrize("prompt", PROMPTS)
def test_what_is_taken_back_is_the_end_of_the_prompt(code: Tokenizer, prompt: str) -> None:
    table, ids = token_bytes_of(code.backend), code.encode(prompt)
    healed = heal(ids, table)
    assert table.decode(healed.ids) + healed.begun == prompt.encode()
    assert len(healed.ids) >= 1
    if len(healed.ids) > 1:
        assert not table.by_id[healed.ids[-1]][-1:].isspace()
    if not prompt[-1].isspace():
        assert list(healed.ids) == ids


def test_a_sign_with_a_blank_behind_it_goes_whole_and_nothing_before_it() -> None:
    table = TokenBytes({0: b"x", 1: b":\n", 2: b"  ", 3: b"\xa9\n"}, {})
    assert heal([0, 1, 2], table).begun == b":\n  "
    assert heal([0, 1, 1], table).begun == b":\n"
    assert heal([0, 3], table).begun == b""  # half a character is no text
    assert heal([2, 2], table).begun == b"  "  # an id must stay


def test_tokens_that_end_in_a_blank_of_their_own_stay() -> None:
    words = gpt1.train([CODE], 150)
    ids = words.encode("return total ")
    assert heal(ids, token_bytes_of(words.backend)).ids == ids


def test_every_way_to_write_a_beginning_and_no_other_is_allowed(code: Tokenizer) -> None:
    table, drawn = token_bytes_of(code.backend), np.random.default_rng(0)
    beginnings = Beginnings(table, code.vocab)
    for _ in range(50):
        constraint, said = BeginsWith(b"\n    ", beginnings), b""
        while (row := constraint.allowed()[0]) is not None:
            token = int(drawn.choice(np.flatnonzero(row)))
            constraint.accept(token)
            said += table.by_id[token]
        assert said.startswith(b"\n    ")
    allowed = beginnings.allowed(b"\n    ")
    every = {table.by_id[int(i)] for i in np.flatnonzero(allowed)}
    assert every == {s for s in table.by_id.values() if s and (b"\n    ".startswith(s) or s.startswith(b"\n    "))}


def test_behind_drafts_stands_what_would_be_allowed_after_them(code: Tokenizer) -> None:
    table = token_bytes_of(code.backend)
    beginnings, drafts = Beginnings(table, code.vocab), code.encode("\n") + code.encode(" ") + code.encode("a")
    left = [b"\n  "[len(said) :] for said in accumulate((table.by_id[i] for i in drafts), initial=b"")]
    rows = BeginsWith(b"\n  ", beginnings).allowed(drafts)
    assert len(rows) == 4
    for row, rest in zip(rows, left, strict=True):
        assert (row is None) == (not rest)
        assert row is None or np.array_equal(row, beginnings.allowed(rest))


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_the_answer_goes_on_where_the_prompt_ends(model: Model, prompt: str, temperature: float) -> None:
    ids, sampling = model.tokenizer.encode(prompt), Sampling(temperature=temperature, max_tokens=12, seed=3)
    stream = model.open_stream(ids, sampling, starts_text=False, heal=True)
    told = "".join(chunk.text for chunk in stream.chunks())
    written = token_bytes_of(model.tokenizer.backend).decode(stream.request.ids)
    assert written.decode(errors="replace") == prompt + told
    assert told == model.answers([ids], sampling, starts_text=False, heal=True)[0] or temperature


def test_a_prompt_without_blanks_is_answered_as_ever(model: Model) -> None:
    ids, sampling = model.tokenizer.encode("def add(a, b):"), Sampling(temperature=0, max_tokens=12)
    assert model.answers([ids], sampling, heal=True) == model.answers([ids], sampling)


def test_blanks_that_could_take_all_tokens_stay(model: Model) -> None:
    ids = model.tokenizer.encode("def add(a, b):" + "\n" * 9)
    for most, is_healed in ((99, True), (1, False)):
        stream = model.open_stream(ids, Sampling(temperature=0, max_tokens=most), starts_text=False, heal=True)
        assert (stream.request.prompt < len(ids)) == is_healed
        stream.close()


def test_a_stop_text_among_the_blanks_taken_back_does_not_stop(model: Model) -> None:
    ids = model.tokenizer.encode("def add(a, b):\n    ")
    sampling = Sampling(temperature=0, max_tokens=12, stop=("\n",))
    stream = model.open_stream(ids, sampling, starts_text=False, heal=True)
    told = "".join(chunk.text for chunk in stream.chunks())
    assert told and "\n" not in told


def test_tokens_that_are_told_say_the_whole_text(model: Model) -> None:
    sampling = Sampling(temperature=0, max_tokens=12, logprobs=0)
    ids = model.tokenizer.encode("def add(a, b):\n    ")
    stream = model.open_stream(ids, sampling, starts_text=False, heal=True)
    assert list(stream.request.ids[: len(ids)]) == ids
    stream.close()


def test_a_model_that_knows_the_merged_token_alone_writes_it(model: Model) -> None:
    """What the unhealed prompt hides from it."""
    table = token_bytes_of(model.tokenizer.backend)
    merged = next(id for id, said in table.by_id.items() if said == b"\n   ")
    sampling = Sampling(temperature=0, max_tokens=2, logit_bias={merged: 50.0})
    stream = model.open_stream(model.tokenizer.encode("def add(a, b):\n"), sampling, starts_text=False, heal=True)
    assert next(stream.chunks()).text.startswith("   ")
    assert merged in stream.request.ids


def test_sentencepiece_texts_heal_too() -> None:
    tokenizer = bytefallback.train([CODE], 290)
    table, ids = token_bytes_of(tokenizer.backend), tokenizer.encode("return total\n")
    healed = heal(ids, table)
    assert healed.begun == b"\n" and table.decode(healed.ids) == b"return total"
