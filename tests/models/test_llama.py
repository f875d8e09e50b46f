"""What a LLaMA's folder says of its rotary positions, under every spelling, and what it must not say."""

from typing import Any

import pytest
import transformers

from gptwright.foundations.errors import ArtifactError
from gptwright.layers.positions import RopeScaling
from gptwright.models.catalogue import presets
from gptwright.models.formats.mappings import llama

BASE = {"hidden_size": 24, "num_attention_heads": 6}
STRETCH = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ({}, {"kv_heads": 6, "base": 10_000.0, "tied": False}),
        ({"num_key_value_heads": 2, "rope_theta": 5e5, "tie_word_embeddings": True},
         {"kv_heads": 2, "base": 5e5, "tied": True}),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": 500.0}}, {"base": 500.0}),
        ({"rope_scaling": {"type": "llama3", **STRETCH}, "rope_theta": 7.0},
         {"base": 7.0, "scaling": {"factor": 8.0, "low": 1.0, "high": 4.0, "original_context": 64}}),
        ({"rope_scaling": None}, {"base": 10_000.0}),
    ],
)  # fmt: skip
def test_spellings(table: dict[str, Any], found: dict[str, Any]) -> None:
    read = llama.read(BASE | table)
    assert {name: read[name] for name in found} == found


@pytest.mark.parametrize(
    "table", [{"rope_scaling": {"rope_type": "yarn"}}, {"rope_parameters": {"rope_type": "linear"}}, {"head_dim": 8}]
)
def test_what_is_not_computed_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(ArtifactError):
        llama.read(BASE | table)


@pytest.mark.parametrize("name", [name for name, config in presets().items() if config.family == "llama"])
def test_what_is_written_is_read_and_is_a_configuration_of_theirs(name: str) -> None:
    config = presets()[name]
    written = llama.write(config)
    read = llama.read({"hidden_size": config.width, "num_attention_heads": config.heads} | written)
    scaling = read.pop("scaling", None)
    assert read == {"kv_heads": config.kv_heads, "base": config.base, "tied": config.tied}
    assert (RopeScaling(**scaling) if scaling else None) == config.scaling
    theirs = transformers.LlamaConfig(hidden_size=config.width, num_attention_heads=config.heads,
                                      max_position_embeddings=config.context, **written)  # fmt: skip
    assert theirs.rope_parameters["rope_theta"] == config.base
