"""What a stage that trained low-rank paths leaves: an adapter in PEFT's format, beside a whole model."""

from pathlib import Path

from torch import nn

from gptwright.layers.lora import merge_lora
from gptwright.models.formats.peft import trunk_of, write_adapter
from gptwright.pipelines.load import find, load
from gptwright.pipelines.resolve import model_folder
from gptwright.training.optimizer import Optimizer


def leave_adapter(model: nn.Module, optimizer: Optimizer, base: Path, folder: Path) -> None:
    """Writes what `model` has learned since it was `base`, and merges it into its matrices.

    Frozen matrices first get their numbers back: they may have been rounded to compute in bfloat16. Embeddings never
    are, and may hold vectors of new tokens.
    """
    before, trunk = trunk_of(load(base).network), trunk_of(model)
    learned, numbers = set(map(id, optimizer.parameters.values())), before.state_dict()
    for module, linear in trunk.named_modules():
        if isinstance(linear, nn.Linear):
            for name, parameter in linear.named_parameters(module):
                old = numbers.get(name)
                if id(parameter) not in learned and old is not None:
                    parameter.data = old.to(parameter.device)
    found = find(base)
    write_adapter(model, before, folder, str(model_folder(found)) if found.is_dir() else str(base))
    merge_lora(trunk)
