"""A folder of ours, opened by transformers, says the same words."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from gptwright.engine.sampling import Sampling
from gptwright.foundations.durable import MANIFEST, verify_folder
from gptwright.generation.export import export
from gptwright.generation.load import load_decoder as load
from gptwright.models.gpt2 import GPT2
from gptwright.tokenizers.chat import END_OF_TEXT, END_OF_TURN, Message
from gptwright.tokenizers.tokenizer import Tokenizer

TALKS: list[list[Message]] = [
    [{"role": "user", "content": "the cat sat"}],
    [
        {"role": "user", "content": "Où est 猫?\n\n  ok "},
        {"role": "assistant", "content": "x"},
        {"role": "user", "content": "?"},
    ],
    [{"role": "system", "content": "be free"}, {"role": "user", "content": ""}],
]


@pytest.fixture
def folder(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> Path:
    export(network, tokenizer, tmp_path / "model", Sampling(temperature=0, max_tokens=25))
    return tmp_path / "model"


@pytest.mark.parametrize("talk", TALKS)
def test_greedy_chat_is_the_same_token_for_token(folder: Path, talk: list[Message]) -> None:
    theirs: Any = transformers.AutoModelForCausalLM.from_pretrained(folder)
    reader: Any = transformers.AutoTokenizer.from_pretrained(folder)
    ids = reader.apply_chat_template(talk, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    said = theirs.generate(**ids)[0, ids["input_ids"].shape[1] :]
    ours = load(folder)
    assert ours.chat(talk) == ours.tokenizer.decode(said.tolist())
    assert len(said) == list(ours.stream_chat(talk, ours.sampling))[-1].completion_tokens
    assert ours.chat(talk) != "" or len(said) == 1


def test_greedy_text_is_the_same_token_for_token(folder: Path, tokenizer: Tokenizer) -> None:
    theirs: Any = transformers.AutoModelForCausalLM.from_pretrained(folder)
    ours = load(folder)
    for text in ("the cat", "x", "dog ran to the sea where"):
        ids = torch.tensor([[tokenizer.control(END_OF_TEXT), *tokenizer.encode(text)]])
        said = theirs.generate(ids, attention_mask=torch.ones_like(ids))[0, ids.shape[1] :]
        assert ours.generate(text, temperature=0, max_tokens=25) == tokenizer.decode(said.tolist())


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=0.3, max_tokens=96),
        Sampling(temperature=0.9, top_k=7, top_p=0.5),
        Sampling(temperature=0.9, min_p=0.1, repetition_penalty=1.2),
        Sampling(temperature=0, repetition_penalty=1.5),
    ],
)
def test_defaults_are_read_by_us_and_by_transformers(
    network: GPT2, tokenizer: Tokenizer, tmp_path: Path, sampling: Sampling
) -> None:
    export(network, tokenizer, tmp_path / "model", sampling)
    assert load(tmp_path / "model").sampling == sampling
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    found, _ = model._prepare_generation_config(None)
    assert found.do_sample == (sampling.temperature > 0)
    assert found.max_new_tokens == sampling.max_tokens
    assert found.repetition_penalty == sampling.repetition_penalty
    assert tokenizer.control(END_OF_TURN) in found.eos_token_id
    if found.do_sample:
        assert (found.temperature, found.top_k) == (sampling.temperature, sampling.top_k)
        assert (found.top_p, found.min_p) == (sampling.top_p, sampling.min_p)


def test_a_base_model_ends_with_the_text_and_a_chat_model_with_the_turn(
    network: GPT2, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    for name, sampling, end in (("base", None, END_OF_TEXT), ("chat", Sampling(), END_OF_TURN)):
        export(network, tokenizer, tmp_path / name, sampling)
        config = transformers.AutoConfig.from_pretrained(tmp_path / name)
        assert config.eos_token_id == tokenizer.control(end)


def test_the_folder_is_whole_or_as_it_was(
    folder: Path, network: GPT2, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (folder / MANIFEST).read_bytes()
    monkeypatch.setattr(Tokenizer, "save", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(network, tokenizer, folder)
    verify_folder(folder)
    assert (folder / MANIFEST).read_bytes() == before
    assert [path.name for path in folder.parent.iterdir()] == ["model"]
