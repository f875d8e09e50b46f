"""The only list of families. Tests, documentation and the command line iterate it."""

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn

from gptwright.foundations.config import decode, encode
from gptwright.foundations.device import free_memory
from gptwright.foundations.errors import ConfigError, MemoryShort, nearest
from gptwright.models import bert, gpt1, gpt2, gpt3, llama, modern, transformer
from gptwright.models.family import Family

FAMILIES: dict[str, Family] = {
    module.FAMILY.name: module.FAMILY for module in (transformer, gpt1, gpt2, gpt3, llama, modern, bert)
}


def presets() -> dict[str, Any]:
    """Every named configuration of every family."""
    return {name: config for family in FAMILIES.values() for name, config in family.presets.items()}


def preset(name: str) -> Any:
    """Raises `ConfigError` with the nearest name when there is no such preset."""
    known = presets()
    if name not in known:
        raise ConfigError("the name of a model", f"'{name}'", nearest(name, known))
    return known[name]


def config_from_table(value: Any) -> Any:
    """A preset's name, or `{preset = …, layers = …}`, or `{family = …, …}` as a recipe writes it."""
    if isinstance(value, str):
        return preset(value)
    if not isinstance(value, Mapping):
        raise ConfigError("a preset's name or a table of sizes as model", repr(value), 'Write model = "gpt2-nano".')
    table = dict(cast("Mapping[str, Any]", value))
    start = preset(str(table.pop("preset"))) if "preset" in table else None
    family = str(table.pop("family", family_of(start).name if start else ""))
    if family not in FAMILIES:
        raise ConfigError("a family in the model's table", f"'{family}'", nearest(family, FAMILIES))
    config_type = FAMILIES[family].config
    sizes = {name: encode(value) for name, value in vars(start).items()} if start else {}
    return decode(config_type, sizes | table, "model")


def family_of(config: Any) -> Family:
    """The family that a configuration belongs to."""
    return FAMILIES[config.family]


def build(config: Any, seed: int = 0, copies: int = 1) -> Any:
    """A freshly initialised model. Raises `ConfigError` when the sizes contradict each other, `MemoryShort` when its
    weights alone, in as many `copies` as processes of this machine build at once, are more than the free memory."""
    check_sizes(config)
    family = family_of(config)
    with torch.device("meta"):
        needed = 4 * count(family.model(config)) * copies
    free = free_memory()
    if needed > free:
        raise MemoryShort(f"memory for the model's weights, {needed / 1e9:,.1f} GB", f"{free / 1e9:.1f} GB free",
                            "Lower its width or layers.")  # fmt: skip
    model = family.model(config)
    model.initialise(seed)
    return model


def check_sizes(config: Any) -> None:
    """Raises `ConfigError` when no model can have these sizes together."""
    if config.width % config.heads:
        raise ConfigError(f"heads that divide the width {config.width}", f"{config.heads}", "Change one of the two.")
    if config.heads % getattr(config, "kv_heads", 1):
        raise ConfigError(f"kv_heads that divide the {config.heads} heads", f"{config.kv_heads}", "Change one of them.")


def count(model: nn.Module) -> int:
    """Parameters, a shared matrix counted once."""
    return sum(parameter.numel() for parameter in model.parameters())
