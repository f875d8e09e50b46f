"""peft is the oracle: it opens our adapters over transformers' models, we open its own, and both compute the same."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn

from gptwright.foundations.errors import ArtifactError
from gptwright.layers.lora import add_lora, lora_layers, merge_lora
from gptwright.models.formats.huggingface import read_model
from gptwright.models.formats.peft import adapter_folder, fingerprint, with_adapter, write_adapter
from gptwright.models.heads import Classifier, RewardModel

IDS = torch.arange(48).reshape(2, 24) % 60
Make = Callable[..., Any]
# In the first name of each the factors of all queries, keys and values are one pair.
TARGETS = {"gpt2": ["c_attn", "mlp.c_proj"], "llama": ["q_proj", "v_proj", "down_proj"], "gpt1": ["c_attn"],
           "bert": ["query", "value", "output.dense"]}  # fmt: skip


def adapted(folder: Path) -> Any:
    """The model of a folder, with low-rank paths that say something."""
    network = read_model(folder)
    add_lora(network, 2, seed=1)
    random = torch.Generator().manual_seed(2)
    for layer in lora_layers(network).values():
        nn.init.normal_(layer.lora_b, std=0.3, generator=random)
    return network


def said(model: Any, ids: torch.Tensor = IDS) -> torch.Tensor:
    with torch.no_grad():
        found = model(ids)
    return getattr(found, "logits", found)


def close(found: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def change(path: Path, **more: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | more))


@pytest.fixture
def base(made: Make, tmp_path: Path) -> Path:
    made("llama", tmp_path / "base")
    return tmp_path / "base"


@pytest.fixture
def adapter(base: Path, tmp_path: Path) -> Path:
    """Ours, of that base."""
    write_adapter(adapted(base), read_model(base), tmp_path / "adapter", str(base))
    return tmp_path / "adapter"


@pytest.mark.parametrize("family", ["gpt2", "llama", "gpt1"])
def test_peft_opens_ours(family: str, made: Make, tmp_path: Path) -> None:
    theirs = made(family, tmp_path / "base")
    ours = adapted(tmp_path / "base")
    unadapted = said(theirs)
    write_adapter(ours, read_model(tmp_path / "base"), tmp_path / "adapter", str(tmp_path / "base"))
    opened = peft.PeftModel.from_pretrained(theirs, tmp_path / "adapter").eval()
    expected = said(ours)
    assert (expected - unadapted).abs().max() > 0.05
    close(said(opened), expected)
    close(said(opened.merge_and_unload()), expected)
    close(said(with_adapter(read_model(tmp_path / "base"), tmp_path / "adapter")), expected)
    merge_lora(ours)
    close(said(ours), expected)


def test_peft_opens_a_whole_adapter_by_its_base(adapter: Path, base: Path) -> None:
    opened = peft.AutoPeftModelForCausalLM.from_pretrained(adapter).eval()
    close(said(opened), said(adapted(base)))


def test_fused_projections_are_three_of_berts(made: Make, tmp_path: Path) -> None:
    theirs = made("bert", tmp_path / "base")
    ours = adapted(tmp_path / "base")
    write_adapter(ours, read_model(tmp_path / "base"), tmp_path / "adapter", "base")
    opened = peft.PeftModel.from_pretrained(theirs, tmp_path / "adapter").eval()
    merge_lora(ours)
    again = with_adapter(read_model(tmp_path / "base"), tmp_path / "adapter")
    for name, tensor in ours.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor)
    opened.merge_and_unload().save_pretrained(tmp_path / "merged")
    for name, tensor in read_model(tmp_path / "merged").state_dict().items():
        torch.testing.assert_close(tensor, ours.state_dict()[name])


@pytest.mark.parametrize("rslora", [False, True])
@pytest.mark.parametrize("family", TARGETS)
def test_we_open_theirs(family: str, rslora: bool, made: Make, tmp_path: Path) -> None:
    theirs = made(family, tmp_path / "base")
    config = peft.LoraConfig(r=3, lora_alpha=5, target_modules=TARGETS[family], rank_pattern={"0.*": 2},
                             fan_in_fan_out=family.startswith("gpt"), init_lora_weights=False,
                             use_rslora=rslora)  # fmt: skip
    wrapped = peft.get_peft_model(theirs, config).eval()
    wrapped.save_pretrained(tmp_path / "adapter")
    ours = with_adapter(read_model(tmp_path / "base"), tmp_path / "adapter")
    wrapped.merge_and_unload().save_pretrained(tmp_path / "merged")
    for name, tensor in read_model(tmp_path / "merged").state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], tensor)


@pytest.mark.parametrize("labels", [["reward"], ["no", "maybe", "yes"]])
def test_a_head_goes_with_its_adapter(labels: list[str], base: Path, tmp_path: Path) -> None:
    trunk = adapted(base)
    ours: Any = RewardModel(trunk) if len(labels) == 1 else Classifier(trunk, labels)
    nn.init.normal_(ours.head.score.weight)
    write_adapter(ours, read_model(base), tmp_path / "adapter", str(base))
    again: Any = with_adapter(read_model(base), tmp_path / "adapter")
    assert again.labels == tuple(labels)
    theirs = transformers.AutoModelForSequenceClassification.from_pretrained(base, num_labels=len(labels)).eval()
    opened = peft.PeftModel.from_pretrained(theirs, tmp_path / "adapter").eval()
    last = torch.tensor([23, 23])
    with torch.no_grad():
        expected = ours(IDS, last).view(2, -1)
        close(again(IDS, last).view(2, -1), expected)
        close(torch.cat([opened(row[None]).logits for row in IDS]), expected)


def test_what_else_was_learned_goes_with_it(base: Path, tmp_path: Path) -> None:
    ours = adapted(base)
    nn.init.normal_(ours.norm.weight)
    write_adapter(ours, read_model(base), tmp_path / "adapter", str(base))
    assert json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())["modules_to_save"] == ["norm"]
    close(said(with_adapter(read_model(base), tmp_path / "adapter")), said(ours))


def test_another_base_is_refused(adapter: Path, base: Path, made: Make, tmp_path: Path) -> None:
    other = read_model(base)
    with torch.no_grad():
        other.norm.weight *= 1.1
    with pytest.raises(ArtifactError, match="one with other weights"):
        with_adapter(other, adapter)
    made("gpt2", tmp_path / "gpt2")
    with pytest.raises(ArtifactError, match=r"an adapter of a gpt2 .* one of a llama"):
        with_adapter(read_model(tmp_path / "gpt2"), adapter)


def test_a_copy_in_bfloat16_is_the_same_base(base: Path) -> None:
    network = read_model(base)
    before = fingerprint(network)
    assert fingerprint(network.bfloat16()) == before


@pytest.mark.parametrize(
    ("name", "tensor", "says"),
    [
        ("layers.0.self_attn.q_proj.lora_A.weight", torch.ones(2, 23), r"\(24, 24\); got one of \(24, 23\)"),
        ("layers.0.self_attn.k_proj.lora_B.weight", torch.ones(24, 2), r"\(12, 24\); got one of \(24, 24\)"),
        ("layers.7.self_attn.q_proj.lora_A.weight", torch.ones(2, 24), "layers.7.self_attn.q_proj.weight"),
        ("layers.0.self_attn.q_proj.lora_magnitude_vector", torch.ones(24), "lora_magnitude_vector"),
        ("embed_tokens.weight", torch.ones(61, 24), r"\(60, 24\); got one of \(61, 24\)"),
    ],
)
def test_tensors_that_fit_no_base_are_refused(
    name: str, tensor: torch.Tensor, says: str, adapter: Path, base: Path
) -> None:
    for file in ("manifest.json", "base.json"):
        (adapter / file).unlink()
    path = adapter / "adapter_model.safetensors"
    save_file(load_file(path) | {f"base_model.model.model.{name}": tensor}, path)
    with pytest.raises(ArtifactError, match=says):
        with_adapter(read_model(base), adapter)


@pytest.mark.parametrize(
    "more",
    [
        {"peft_type": "IA3"},
        {"use_dora": True},
        {"bias": "all"},
        {"alpha_pattern": {"q_proj": 3}},
        {"init_lora_weights": "pissa"},
        {"lora_alpha": "16"},
    ],
)
def test_what_is_more_than_low_rank_paths_is_refused(more: dict[str, Any], adapter: Path, base: Path) -> None:
    (adapter / "manifest.json").unlink()
    change(adapter / "adapter_config.json", **more)
    with pytest.raises(ArtifactError, match=next(iter(more))):
        with_adapter(read_model(base), adapter)


def test_a_damaged_adapter_and_a_folder_without_one(adapter: Path, base: Path, tmp_path: Path) -> None:
    path = adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\1")
    with pytest.raises(ArtifactError, match="damaged or changed"):
        with_adapter(read_model(base), adapter)
    assert adapter_folder(tmp_path) == adapter == adapter_folder(adapter)
    with pytest.raises(ArtifactError, match=r"an adapter in .*base; got no adapter_config.json"):
        adapter_folder(base)
