from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gptwright.foundations.atomic_io import new_folder
from gptwright.foundations.errors import ArtifactError, ConfigError, InputError
from gptwright.foundations.runs import open_stage
from gptwright.inference.content import Content
from gptwright.inference.decode_state import Listener
from gptwright.inference.engine import Engine
from gptwright.inference.request import Request
from gptwright.inference.sampler import Constraint
from gptwright.inference.sampling import Sampling
from gptwright.inference.speculative import DraftModel
from gptwright.models.formats.huggingface import write_model
from gptwright.models.gpt2 import GPT2
from gptwright.models.heads import RewardModel
from gptwright.pipelines.export import export
from gptwright.pipelines.generation_config import GenerationConfig
from gptwright.pipelines.load import load_decoder as load
from gptwright.pipelines.model import Model
from gptwright.tokenizers import bytefallback
from gptwright.tokenizers.chat_templates.chat import Message, prompt_ids
from gptwright.tokenizers.special_tokens import END_OF_TEXT
from gptwright.tokenizers.tokenizer import Tokenizer

CHAT: list[Message] = [{"role": "user", "content": "the cat"}]


@pytest.fixture
def model(network: GPT2, tokenizer: Tokenizer) -> Model:
    return Model(network, tokenizer, "tiny", GenerationConfig.of(Sampling(temperature=0.5, max_tokens=9)))


class Script(Engine):
    """Writes these ids, whatever is asked."""

    def __init__(self, network: GPT2, ids: list[int]) -> None:
        super().__init__(network)
        self.ids = ids

    def submit(
        self,
        ids: Sequence[int],
        sampling: Sampling,
        *,
        seed: int | None = None,
        listener: Listener | None = None,
        constraint: Constraint | None = None,
        content: Mapping[int, Content] | None = None,
    ) -> Request:
        self.request, self.listener, self.left = Request(list(ids), sampling, 0), listener, iter(self.ids)
        return self.request

    def step(self, *, watched: bool = True) -> list[Request]:
        token = next(self.left, None)
        if token is None:
            self.request.finish = "length"
        elif self.listener:
            self.listener.feed(token)
            self.request.finish = "stop" if self.listener.stopped else None
        return [self.request]


def scripted(model: Model, *said: str | bytes | int) -> Model:
    found, script = Model(model.network, model.tokenizer, "scripted"), list[int]()
    for part in said:
        if isinstance(part, int):
            script.append(part)
        else:
            script += model.tokenizer.encode_bytes(part if isinstance(part, bytes) else part.encode())
    found.engine = Script(model.network, script)
    return found


def test_a_reply_comes_in_pieces_and_the_last_says_why_it_ended(model: Model) -> None:
    end = model.tokenizer.special_id(END_OF_TEXT)
    chunks = list(scripted(model, "x", "猫".encode()[:1], "猫".encode()[1:], "y", end).stream("abc", Sampling()))
    assert [chunk.text for chunk in chunks] == ["x", "猫", "y", ""]
    assert [chunk.finish for chunk in chunks] == [None, None, None, "stop"]
    assert [chunk.completion_tokens for chunk in chunks] == [1, 4, 5, 6]
    assert {chunk.prompt_tokens for chunk in chunks} == {4}


def test_a_stop_text_ends_the_reply_and_is_no_part_of_it(model: Model) -> None:
    chunks = list(scripted(model, "q", "\n", "\n", "z").stream("abc", Sampling(stop=("\n\n",))))
    assert "".join(chunk.text for chunk in chunks) == "q"
    assert (chunks[-1].finish, chunks[-1].completion_tokens) == ("stop", 3)


def test_half_a_stop_text_is_given_out_at_the_end(model: Model) -> None:
    chunks = list(scripted(model, "q", "\n").stream("abc", Sampling(stop=("\n\n",))))
    assert "".join(chunk.text for chunk in chunks) == "q\n"
    assert chunks[-1].finish == "length"


def test_half_a_character_at_the_end_is_shown_as_such(model: Model) -> None:
    chunks = list(scripted(model, "q", "猫".encode()[:1]).stream("abc", Sampling()))
    assert "".join(chunk.text for chunk in chunks) == "q\ufffd"
    chunks = list(scripted(model, "q", "猫".encode()[:1]).stream("abc", Sampling(stop=("\ufffd",))))
    assert "".join(chunk.text for chunk in chunks) == "q"


def test_a_text_begins_as_the_family_begins_texts(model: Model) -> None:
    tokens = list(model.stream("the cat", Sampling(max_tokens=1)))[-1].prompt_tokens
    assert tokens == 1 + len(model.tokenizer.encode("the cat"))
    without = replace(model.tokenizer.special_tokens, bos=None)
    bare = Model(model.network, Tokenizer(model.tokenizer.backend, without), "bare")
    assert list(bare.stream("the cat", Sampling(max_tokens=1)))[-1].prompt_tokens == tokens - 1
    with pytest.raises(InputError, match="at least one token"):
        bare.generate("")
    names = replace(without, names={"bos_token": "<|endoftext|>"})
    known = Model(model.network, Tokenizer(model.tokenizer.backend, names), "known")
    assert known.text_ids("") == [known.tokenizer.eos_id] and known.text_ids("the") == known.tokenizer.encode("the")


def test_what_continues_a_text_keeps_its_space_and_a_reply_does_not(network: GPT2) -> None:
    tokenizer = bytefallback.train(["the cat sat on the mat " * 9], 275)
    space = tokenizer.encode("the")

    model = Model(network, tokenizer, "says")
    model.engine = Script(network, space)
    assert (model.generate("on"), model.chat(CHAT)) == (" the", "the")


def test_the_same_seed_gives_the_same_text(model: Model) -> None:
    assert model.chat(CHAT, seed=4) == model.chat(CHAT, seed=4) != model.chat(CHAT, seed=5)
    assert model.generate("the", seed=4, max_tokens=8) == model.generate("the", seed=4, max_tokens=8)


def test_streamed_chat_and_batched_answers_say_the_same(model: Model) -> None:
    greedy = Sampling(temperature=0, max_tokens=20)
    ids = prompt_ids(CHAT, model.tokenizer)
    assert model.answers([ids, ids], greedy) == [model.chat(CHAT, temperature=0, max_tokens=20).strip()] * 2
    warm = Sampling(temperature=0.5, max_tokens=20, seed=3)
    one, other = model.answers([ids, ids], warm)
    assert one == model.chat(CHAT, temperature=0.5, max_tokens=20, seed=3).strip() != other


def test_what_is_not_given_is_as_the_folder_says(model: Model) -> None:
    chunks = list(model.stream_chat(CHAT, model.sampling))
    assert chunks[-1].completion_tokens <= 9


def test_a_full_context_ends_with_length(network: GPT2, tokenizer: Tokenizer) -> None:
    endless = Tokenizer(tokenizer.backend, replace(tokenizer.special_tokens, stop=()))
    model = Model(network, endless, "tiny")
    last = list(model.stream("x" * 50, Sampling(max_tokens=500, seed=1)))[-1]
    assert last.finish == "length"
    assert last.prompt_tokens + last.completion_tokens == 64


def test_a_prompt_that_fills_the_context_is_refused_before_the_first_piece(model: Model) -> None:
    with pytest.raises(InputError, match="fewer than 64 tokens"):
        model.stream("x" * 64, Sampling())
    with pytest.raises(InputError, match="fewer than 64 tokens"):
        model.chat([{"role": "user", "content": "x" * 80}])


def test_logits_are_raw_scores_of_a_text_within_the_context(model: Model, network: GPT2) -> None:
    ids = torch.randint(290, (2, 64))
    assert torch.equal(model.logits(ids), network(ids))
    with pytest.raises(InputError, match="at most 64 tokens"):
        model.logits(torch.zeros(1, 65, dtype=torch.long))


def test_a_stage_folder_and_its_model_folder_are_the_same_model(model: Model, tmp_path: Path) -> None:
    folder = open_stage(tmp_path / "sft", "sft", {}, {})
    defaults = GenerationConfig.of(Sampling(temperature=0.2, top_k=5, max_tokens=33))
    export(model.network, model.tokenizer, folder / "model", defaults)
    with pytest.raises(ArtifactError, match="one that was stopped"):
        load(tmp_path / "sft")
    folder.finish({})
    one, two = load(tmp_path / "sft"), load(str(tmp_path / "sft" / "model"))
    assert one.name == "sft"
    assert one.sampling == two.sampling == Sampling(temperature=0.2, top_k=5, max_tokens=33)
    ids = torch.randint(290, (1, 9))
    assert torch.equal(one.logits(ids), model.logits(ids))
    assert torch.equal(two.logits(ids), model.logits(ids))


def test_what_cannot_be_loaded_is_said(model: Model, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing there"):
        load(tmp_path / "nowhere")
    with pytest.raises(ArtifactError, match="a folder without one"):
        load(tmp_path)
    with new_folder(tmp_path / "bare") as bare:
        write_model(model.network, bare, {})
        (bare / "vocab.json").write_text("{}")
    with pytest.raises(ArtifactError, match="a tokenizer at"):
        load(tmp_path / "bare")
    export(RewardModel(model.network), model.tokenizer, tmp_path / "reward")
    with pytest.raises(ArtifactError, match="a reward model, which scores answers and writes none"):
        load(tmp_path / "reward")


def test_a_draft_model_changes_no_text(network: GPT2, tokenizer: Tokenizer) -> None:
    def text(draft: Model | None) -> str:
        model = Model(network, tokenizer, "tiny", GenerationConfig.of(Sampling(temperature=0.9, max_tokens=20, seed=3)))
        if draft:
            model.use_draft(draft)
            assert isinstance(model.engine.proposer, DraftModel)
        return "".join(chunk.text for chunk in model.stream("the cat", model.sampling))

    smaller = GPT2(replace(network.config, layers=1))
    smaller.initialise(5)
    assert text(None) == text(Model(network, tokenizer, "same")) == text(Model(smaller, tokenizer, "smaller"))


def test_a_draft_model_with_another_tokenizer_is_refused(model: Model) -> None:
    other = bytefallback.train(["a cat sat on the mat " * 9], 275)
    with pytest.raises(ConfigError, match="a draft model with the tokenizer of tiny"):
        model.use_draft(Model(GPT2(replace(model.network.config, vocab=other.vocab)), other, "other"))
