"""Small random models that transformers makes and writes, whose every weight shows in the logits."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

SMALL: dict[str, Any] = {"vocab_size": 60, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}
LLAMA: dict[str, Any] = SMALL | {
    "hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": False,
}  # fmt: skip
GPT: dict[str, Any] = SMALL | {"n_positions": 32, "n_embd": 24, "n_head": 4, "n_layer": 2}
MADE: dict[str, tuple[Any, Any]] = {
    "llama": (transformers.LlamaForCausalLM, lambda: transformers.LlamaConfig(**LLAMA)),
    "gpt2": (transformers.GPT2LMHeadModel, lambda: transformers.GPT2Config(**GPT)),
    "gpt1": (transformers.OpenAIGPTLMHeadModel, lambda: transformers.OpenAIGPTConfig(**GPT)),
    "bert": (transformers.BertForMaskedLM, lambda: transformers.BertConfig(
        vocab_size=60, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=96,
        max_position_embeddings=32)),
}  # fmt: skip

Make = Callable[..., Any]


def change_config(folder: Path, **more: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | more))


@pytest.fixture(scope="session")
def change() -> Make:
    """Puts fields into a folder's config.json."""
    return change_config


@pytest.fixture(scope="session")
def made() -> Make:
    """`made(family, folder, **more)`: a model of theirs, its folder written, with further fields in its config.json."""

    def make(family: str, folder: Path, **more: Any) -> Any:
        build, config = MADE[family]
        torch.manual_seed(0)
        model = build(config()).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.normal_(0.0, 0.2)
        model.save_pretrained(folder)
        change_config(folder, **more)
        return model

    return make
