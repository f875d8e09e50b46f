"""What training with low-rank paths leaves: frozen matrices as they were, and what was learned."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from gptwright.layers.lora import add_lora
from gptwright.models.catalogue import build, preset
from gptwright.models.new_tokens import with_new_tokens
from gptwright.pipelines.adapter import leave_adapter
from gptwright.pipelines.export import export
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.optimizer import Optimizer, cast_linears


@pytest.mark.parametrize("spare", [0, 2, 5])
def test_vectors_of_new_tokens_stay_learned_and_frozen_matrices_are_not_rounded(
    tokenizer: Tokenizer, tmp_path: Path, spare: int
) -> None:
    """`spare`: rows of the base that no token of its vocabulary has."""
    known = tokenizer.vocab
    config = replace(preset("llama-nano"), vocab=known + spare, width=24, heads=4, kv_heads=2, layers=1, hidden=40)
    base = build(config, seed=3)
    export(base, tokenizer, tmp_path / "base")
    model = with_new_tokens(base, [known, known + 1], seed=5)
    add_lora(model, 2, seed=1)
    cast_linears(model, torch.bfloat16)
    optimizer = Optimizer(model)
    with torch.no_grad():
        model.get_parameter("embed.lora_rows").fill_(0.25)
    leave_adapter(model, optimizer, tmp_path / "base", tmp_path / "adapter")
    found, before = model.state_dict(), base.state_dict()
    assert (found["embed.weight"][known : known + 2] == 0.25).all()
    assert torch.equal(found["embed.weight"][:known], before["embed.weight"][:known])
    assert all(torch.equal(found[name].float(), before[name]) for name in before if name != "embed.weight")
