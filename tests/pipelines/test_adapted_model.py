"""Models of one base with an adapter each: they compute as merged ones do, side by side too, and hold the base once."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from torch import Tensor, nn

from gptwright.foundations.errors import ArtifactError
from gptwright.inference.packed_model import PackedLinear, PackedVocabulary
from gptwright.inference.sampling import Sampling
from gptwright.layers.lora import AdaptedLayer, add_lora, lora_layers
from gptwright.models.catalogue import build, preset
from gptwright.models.formats.huggingface import read_model
from gptwright.models.formats.peft import write_adapter
from gptwright.pipelines.adapted_model import AdaptedModel, adapted_weights, adapter_name
from gptwright.pipelines.export import export
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.model import Model
from gptwright.tokenizers.tokenizer import Tokenizer

SIZES: dict[str, dict[str, Any]] = {
    "gpt2-nano": {"width": 32, "heads": 2, "layers": 2, "context": 64},
    "llama-nano": {"width": 32, "heads": 4, "kv_heads": 2, "layers": 2, "hidden": 40, "context": 64},
}
GREEDY = Sampling(max_tokens=24, temperature=0, stop_ids=())
PROMPTS = [[1, 2, 3], [7, 8], [9, 10, 11, 12], [5]]


@pytest.fixture(params=SIZES)
def base(request: pytest.FixtureRequest, tokenizer: Tokenizer, tmp_path: Path) -> Path:
    """A folder with a whole model."""
    config = replace(preset(request.param), vocab=tokenizer.vocab, **SIZES[request.param])
    export(build(config, seed=3), tokenizer, tmp_path / "base")
    return tmp_path / "base"


def adapter(base: Path, folder: Path, seed: int) -> Path:
    """Ours, of that base, which says something."""
    network, random = read_model(base), torch.Generator().manual_seed(seed)
    add_lora(network, 2, seed)
    for layer in lora_layers(network).values():
        nn.init.normal_(layer.lora_b, std=0.5, generator=random)
    write_adapter(network, read_model(base), folder, str(base))
    return folder


@pytest.fixture
def adapters(base: Path, tmp_path: Path) -> list[Path]:
    return [adapter(base, tmp_path / name, seed) for seed, name in enumerate(("kind", "curt", "odd"), 1)]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8"])
def test_each_computes_as_the_merged_model_does(base: Path, adapters: list[Path], dtype: str) -> None:
    whole = load_decoder(base, dtype=dtype)
    plain = whole.generate_ids(PROMPTS[0], GREEDY)
    ids = torch.tensor(PROMPTS[:1])
    for folder in adapters[:2]:
        found, merged = AdaptedModel(whole, folder), load_decoder(base, adapter=folder)
        torch.testing.assert_close(found.logits(ids), merged.logits(ids), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(found.embeddings(PROMPTS), merged.embeddings(PROMPTS), atol=1e-5, rtol=1e-5)
        said = found.generate_ids(PROMPTS[0], GREEDY)
        assert said != plain and (dtype != "float32" or said == merged.generate_ids(PROMPTS[0], GREEDY))
    assert whole.generate_ids(PROMPTS[0], GREEDY) == plain


def test_what_peft_wrote_opens_too(base: Path, tmp_path: Path) -> None:
    theirs = transformers.AutoModelForCausalLM.from_pretrained(base)
    targets = {"gpt2": ["c_attn", "c_fc"], "llama": ["q_proj", "v_proj", "down_proj"]}[theirs.config.model_type]
    adapted = peft.get_peft_model(
        theirs, peft.LoraConfig(r=3, target_modules=targets, init_lora_weights=False, fan_in_fan_out="c_fc" in targets)
    )
    adapted.save_pretrained(tmp_path / "theirs")
    found = AdaptedModel(load_decoder(base), tmp_path / "theirs")
    with torch.no_grad():
        expected = adapted.eval()(torch.tensor(PROMPTS[:1])).logits
    torch.testing.assert_close(found.logits(torch.tensor(PROMPTS[:1])), expected, atol=1e-5, rtol=1e-5)


def matrices(network: Any) -> Iterator[Tensor]:
    """All numbers that a network computes with, packed ones too."""
    yield from network.parameters()
    yield from network.buffers()
    packed = [module.packed for module in network.modules() if isinstance(module, PackedLinear)]
    packed += [network.vocabulary.packed] if isinstance(network.vocabulary, PackedVocabulary) else []
    for one in packed:
        yield from (value for value in vars(one).values() if isinstance(value, Tensor))


def held(models: list[Model]) -> int:
    """Bytes of all of them together."""
    every = [tensor for model in models for view in (model.network, model.engine.view) for tensor in matrices(view)]
    return sum({part.untyped_storage().data_ptr(): part.untyped_storage().nbytes() for part in every}.values())


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_the_base_is_held_once(base: Path, adapters: list[Path], dtype: str) -> None:
    whole = load_decoder(base, dtype=dtype)
    models = [AdaptedModel(whole, folder) for folder in adapters]
    for model in models:
        own = {id(part) for layer in model.network.modules() if isinstance(layer, AdaptedLayer)
               for part in (layer.a, layer.b)}  # fmt: skip
        theirs = {id(tensor) for view in (whole.network, whole.engine.view) for tensor in matrices(view)}
        assert own and {id(tensor) for tensor in matrices(model.network)} <= own | theirs
        assert {id(tensor) for tensor in matrices(model.engine.view)} - theirs
    paths = sum(part.nbytes for model in models for path in model.paths.values() for part in path)
    assert held([whole, *models]) == held([whole]) + paths


def test_side_by_side_each_says_what_it_says_alone(base: Path, adapters: list[Path]) -> None:
    whole = load_decoder(base)
    models: list[Model] = [whole, *(AdaptedModel(whole, folder) for folder in adapters)]
    alone = [[model.generate_ids(prompt, GREEDY) for prompt in PROMPTS] for model in models]
    assert len({tuple(map(tuple, said)) for said in alone}) == len(models)
    together: dict[int, list[list[int]]] = {}

    def write(at: int, model: Model) -> None:
        together[at] = [request.answer for _ in range(3) for request in model.engine.generate(PROMPTS, GREEDY)]

    threads = [threading.Thread(target=write, args=one) for one in enumerate(models)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[at] for at in range(len(models))] == [said * 3 for said in alone]


def test_names_and_hashes(base: Path, adapters: list[Path], tmp_path: Path) -> None:
    assert [adapter_name(folder) for folder in adapters] == ["kind", "curt", "odd"]
    stage = tmp_path / "run/05-ppo"
    (stage / "adapter").mkdir(parents=True)
    (stage / "stage.json").write_text("{}")
    assert adapter_name(stage / "adapter") == adapter_name(stage) == "05-ppo"
    hashes = {adapted_weights(weights, folder) for weights in ("a", "b") for folder in adapters}
    assert len(hashes) == 6


def test_what_is_more_than_paths_is_refused(base: Path, tmp_path: Path) -> None:
    network = read_model(base)
    add_lora(network, 2, seed=1)
    with torch.no_grad():
        network.get_parameter("embed.weight")[0] += 1
    write_adapter(network, read_model(base), tmp_path / "more", str(base))
    with pytest.raises(ArtifactError, match="low-rank paths alone"):
        AdaptedModel(load_decoder(base), tmp_path / "more")


def test_an_adapter_on_an_adapter_is_refused(base: Path, adapters: list[Path]) -> None:
    with pytest.raises(ArtifactError, match="a model that writes, for the adapter"):
        AdaptedModel(AdaptedModel(load_decoder(base), adapters[0]), adapters[1])
