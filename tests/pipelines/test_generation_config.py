"""generation_config.json: each field followed as transformers does, or refused by name; written again as it was."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from gptwright.foundations.atomic_io import read_json
from gptwright.foundations.errors import ArtifactError, GptwrightError
from gptwright.inference.sampling import Sampling
from gptwright.models.formats.huggingface import write_model
from gptwright.models.gpt2 import GPT2
from gptwright.models.llama import Llama, LlamaConfig
from gptwright.pipelines.export import export
from gptwright.pipelines.generation_config import GenerationConfig, read_generation_config, to_fields
from gptwright.pipelines.load import load
from gptwright.tokenizers.tokenizer import Tokenizer

IDS = [[17, 80, 33, 120, 9, 14]]
REFUSED: dict[str, Any] = {
    "no_repeat_ngram_size": 2, "min_length": 5, "min_new_tokens": 5, "num_beams": 4, "typical_p": 0.9, "top_h": 0.5,
    "epsilon_cutoff": 0.1, "eta_cutoff": 0.1, "num_return_sequences": 3, "guidance_scale": 2.0, "penalty_alpha": 0.6,
    "bad_words_ids": [[1, 2]], "forced_bos_token_id": 3, "forced_eos_token_id": 3, "sequence_bias": [[[3], -2.0]],
    "begin_suppress_tokens": [3], "exponential_decay_length_penalty": [2, 1.5], "watermarking_config": {"bias": 2.0},
    "max_time": 1.0, "token_healing": True, "max_length": 20, "num_beam_groups": 2, "diversity_penalty": 0.5,
    "dola_layers": "low", "constraints": [1], "force_words_ids": [[3]], "never_heard_of": 1, "temperature": "warm",
    "custom_generate": "x", "top_p": 7.0, "stop_strings": 3,
}  # fmt: skip
NEUTRAL: dict[str, Any] = {
    "no_repeat_ngram_size": 0, "num_beams": 1, "typical_p": 1.0, "length_penalty": 2.0, "use_cache": False,
    "output_scores": True, "prompt_lookup_num_tokens": 4, "cache_implementation": "static", "max_length": 64,
    "remove_invalid_values": True, "transformers_version": "4.1", "min_length": 0, "bad_words_ids": None,
    "suppress_tokens": [], "encoder_repetition_penalty": 1.0, "renormalize_logits": True, "bos_token_id": 3,
}  # fmt: skip
FOLLOWED: dict[str, Any] = {
    "none": {},
    "penalty": {"repetition_penalty": 1.7},
    "suppressed": {"suppress_tokens": [211, 5]},
    "bad words": {"bad_words_ids": [[211], [88], [7]]},
    "ends": {"eos_token_id": [211, 88]},
}


@pytest.fixture
def folder(network: GPT2, tmp_path: Path) -> Path:
    """Without a tokenizer: ids in, ids out."""
    write_model(network, tmp_path, {})
    return tmp_path


def tell(folder: Path, **fields: Any) -> None:
    (folder / "generation_config.json").write_text(json.dumps(fields))


@pytest.mark.parametrize("name", FOLLOWED)
def test_greedy_ids_are_those_of_transformers(folder: Path, name: str) -> None:
    fields = {"do_sample": False, "max_new_tokens": 20, "eos_token_id": 1, "pad_token_id": 0} | FOLLOWED[name]
    tell(folder, **fields)
    theirs: Any = transformers.AutoModelForCausalLM.from_pretrained(folder)
    ids = torch.tensor(IDS)
    expected = theirs.generate(ids, attention_mask=torch.ones_like(ids))[0, ids.shape[1] :].tolist()
    model: Any = load(folder)
    assert model.generate_ids(IDS[0]) == expected
    assert model.sampling.temperature == 0


@pytest.mark.parametrize("field", REFUSED)
def test_what_cannot_be_followed_is_refused_by_name(folder: Path, field: str) -> None:
    tell(folder, **{field: REFUSED[field]})
    with pytest.raises(GptwrightError, match=field) as e:
        load(folder)
    assert "generation_config.json" in str(e.value) or field == "top_p"


@pytest.mark.parametrize("field", NEUTRAL)
def test_what_asks_for_nothing(folder: Path, field: str) -> None:
    tell(folder, **{field: NEUTRAL[field]})
    assert read_generation_config(folder, 64).sampling == Sampling()


def test_every_field_of_theirs_is_followed_neutral_or_refused(folder: Path) -> None:
    tell(folder, **transformers.GenerationConfig().to_dict())
    assert read_generation_config(folder, 64).sampling == Sampling()


def test_how_a_text_is_drawn(folder: Path) -> None:
    for fields, expected in (
        ({"do_sample": True}, Sampling(temperature=1.0)),
        ({"do_sample": True, "temperature": 0.6, "top_p": 0.9, "top_k": 20, "min_p": 0.1}, Sampling(
            temperature=0.6, top_p=0.9, top_k=20, min_p=0.1)),
        ({"do_sample": False, "temperature": 0.6}, Sampling(temperature=0)),
        ({"stop_strings": "x"}, Sampling(stop=("x",))),
        ({"stop_strings": ["x"], "max_new_tokens": 9, "max_length": 12}, Sampling(stop=("x",), max_tokens=9)),
    ):  # fmt: skip
        tell(folder, **fields)
        assert read_generation_config(folder, 64).sampling == expected


def test_config_json_counts_where_there_is_no_other(folder: Path) -> None:
    path = folder / "config.json"
    table = read_json(path)
    path.write_text(json.dumps(table | {"repetition_penalty": 1.3, "max_length": 20, "do_sample": False, "top_k": 50}))
    assert read_generation_config(folder, 64).sampling == Sampling(repetition_penalty=1.3)
    path.write_text(json.dumps(table | {"no_repeat_ngram_size": 3}))
    with pytest.raises(ArtifactError, match="no_repeat_ngram_size"):
        load(folder)
    tell(folder, eos_token_id=1)
    assert read_generation_config(folder, 64).sampling == Sampling()


def test_what_was_said_is_written_again_and_nothing_else(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> None:
    export(network, tokenizer, tmp_path / "base")
    ids = {"bos_token_id", "eos_token_id", "pad_token_id"}
    assert read_json(tmp_path / "base/generation_config.json").keys() == ids
    (tmp_path / "base/manifest.json").unlink()
    fields = {"temperature": 0.3, "do_sample": True, "output_scores": True, "eos_token_id": [2, 77]}
    tell(tmp_path / "base", **fields)
    model = load(tmp_path / "base")
    model.save(tmp_path / "again")
    again = read_json(tmp_path / "again/generation_config.json")
    assert again.keys() == ids | fields.keys() and again["temperature"] == 0.3
    assert set(again["eos_token_id"]) == {*tokenizer.stop_ids, 77}
    load(tmp_path / "again").save(tmp_path / "third")
    assert read_json(tmp_path / "third/generation_config.json") == again


def test_settings_of_ours_are_said_in_full() -> None:
    assert to_fields(Sampling(temperature=0.3)) == {
        "do_sample": True, "max_new_tokens": 256, "repetition_penalty": 1.0, "temperature": 0.3, "top_k": 0,
        "top_p": 1.0, "min_p": 0.0,
    }  # fmt: skip


def test_a_word_that_ends_a_text_ends_it_and_stays_a_word(network: GPT2, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """A config.json of another tool names an id of the ordinary vocabulary."""
    export(network, tokenizer, tmp_path / "model", GenerationConfig.of(Sampling(temperature=0)))
    (tmp_path / "model/manifest.json").unlink()
    model: Any = load(tmp_path / "model")
    text = model.tokenizer.encode("the cat")
    written = model.generate_ids(text)
    word = next(i for i in written if i not in tokenizer.stop_ids)
    tell(tmp_path / "model", do_sample=False, eos_token_id=word)
    model = load(tmp_path / "model")
    assert model.generate_ids(text) == written[: written.index(word) + 1]
    assert model.tokenizer.encode(tokenizer.decode([word]) + "x") and word not in model.tokenizer.all_special_ids


def test_a_folder_without_a_tokenizer(tmp_path: Path) -> None:
    network = Llama(LlamaConfig(vocab=60, context=32, width=24, heads=4, kv_heads=2, layers=1, hidden=40))
    write_model(network, tmp_path, {"eos_token_id": 2})
    model: Any = load(tmp_path)
    ids = torch.arange(10)[None]
    assert torch.equal(model.logits(ids), network(ids))
    assert len(model.generate_ids(range(10), Sampling(temperature=0, max_tokens=5))) == 5
    assert model.sampling.stop_ids == (2,)
    for use in (lambda: model.generate("x"), lambda: model.chat([]), lambda: model.save(tmp_path / "x")):
        with pytest.raises(ArtifactError, match=r"a tokenizer in .*got a folder without one(.|\n)*generate_ids"):
            use()
