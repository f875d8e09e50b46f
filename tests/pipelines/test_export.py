"""What is exported, opened by transformers, CTranslate2 and as GGUF, says the same words."""

from pathlib import Path
from typing import Any

import ctranslate2
import pytest
import torch
import transformers

from gptwright.foundations.atomic_io import MANIFEST, read_json, verify_folder
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.models.decoder import Decoder
from gptwright.models.gpt2 import GPT2
from gptwright.models.llama import Llama, LlamaConfig
from gptwright.pipelines.export import export, export_gguf
from gptwright.pipelines.generation_config import UNSAID, GenerationConfig
from gptwright.pipelines.load import load_decoder as load
from gptwright.tokenizers.chat_templates.chat import Message, prompt_ids
from gptwright.tokenizers.special_tokens import END_OF_TEXT, END_OF_TURN
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
    export(network, tokenizer, tmp_path / "model", GenerationConfig.of(Sampling(temperature=0, max_tokens=25)))
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
        ids = torch.tensor([[tokenizer.special_id(END_OF_TEXT), *tokenizer.encode(text)]])
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
    export(network, tokenizer, tmp_path / "model", GenerationConfig.of(sampling))
    assert load(tmp_path / "model").sampling == sampling
    model: Any = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    found, _ = model._prepare_generation_config(None)
    assert found.do_sample == (sampling.temperature > 0)
    assert found.max_new_tokens == sampling.max_tokens
    assert found.repetition_penalty == sampling.repetition_penalty
    assert tokenizer.special_id(END_OF_TURN) in found.eos_token_id
    if found.do_sample:
        assert (found.temperature, found.top_k) == (sampling.temperature, sampling.top_k)
        assert (found.top_p, found.min_p) == (sampling.top_p, sampling.min_p)


def test_a_base_model_ends_with_the_text_and_a_chat_model_with_the_turn(
    network: GPT2, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    for name, defaults, end in (("base", UNSAID, END_OF_TEXT), ("chat", GenerationConfig.of(Sampling()), END_OF_TURN)):
        export(network, tokenizer, tmp_path / name, defaults)
        config = transformers.AutoConfig.from_pretrained(tmp_path / name)
        assert config.eos_token_id == tokenizer.special_id(end)


def random_llama(tokenizer: Tokenizer) -> Llama:
    """One whose every weight shows in its logits, with rows for more tokens than there are."""
    sizes: dict[str, Any] = {"context": 64, "width": 32, "heads": 4, "kv_heads": 2, "layers": 2, "hidden": 48}
    model = Llama(LlamaConfig(vocab=tokenizer.vocab + 3, **sizes))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.25)
    return model.requires_grad_(False)


@pytest.fixture(params=["gpt2", "llama"])
def either(request: pytest.FixtureRequest, network: GPT2, tokenizer: Tokenizer) -> Decoder:
    return network if request.param == "gpt2" else random_llama(tokenizer)


def prompts_of(tokenizer: Tokenizer) -> list[list[int]]:
    texts = ("the cat", "x", "dog ran to the sea where")
    return [[tokenizer.special_id(END_OF_TEXT), *tokenizer.encode(text)] for text in texts]


def test_ctranslate2_says_the_same_token_for_token(either: Decoder, tokenizer: Tokenizer, tmp_path: Path) -> None:
    export(either, tokenizer, tmp_path / "model")
    ctranslate2.converters.TransformersConverter(str(tmp_path / "model")).convert(str(tmp_path / "theirs"))
    theirs = ctranslate2.Generator(str(tmp_path / "theirs"), device="cpu", compute_type="float32", intra_threads=1)
    names = read_json(tmp_path / "theirs" / "vocabulary.json")
    prompts = prompts_of(tokenizer)
    tokens = [[names[i] for i in prompt] for prompt in prompts]
    said = theirs.generate_batch(tokens, max_length=25, sampling_topk=1, include_prompt_in_result=False)
    ours = Engine(either, [tokenizer.eos_id]).generate(prompts, Sampling(temperature=0, max_tokens=25))
    for answer, other in zip(ours, said, strict=True):
        assert [i for i in answer.answer if i != tokenizer.eos_id] == other.sequences_ids[0]
    assert sum(len(answer.answer) for answer in ours) > 30


def test_a_gguf_is_the_same_model(tokenizer: Tokenizer, tmp_path: Path) -> None:
    path, model = tmp_path / "model.gguf", random_llama(tokenizer)
    export_gguf(model, tokenizer, path, "model")
    found = load(path)
    ids = torch.tensor(prompts_of(tokenizer)[2:])
    assert torch.equal(found.logits(ids), model(ids))
    assert found.tokenizer.encode("the cat 猫") == tokenizer.encode("the cat 猫")
    assert prompt_ids(TALKS[1], found.tokenizer) == prompt_ids(TALKS[1], tokenizer)


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
