"""llama.cpp opens what we export and says the same: `make test-llama` compiles llama-cpp-python and runs this."""

from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

import gptwright
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.llama import LlamaConfig
from gptwright.pipelines.export import export_gguf
from gptwright.tokenizers.registry import TRAINERS

pytestmark = pytest.mark.llama_cpp

PROMPTS = [
    "The capital of France is", "Once upon a time, there was a little", "def fibonacci(n):\n", "Water boils at",
    "1, 2, 3, 4,", "The quick brown fox", "In 1969, Neil Armstrong", "Photosynthesis is the process by which",
    "To bake bread, you need", "The opposite of hot is", "My favourite book is", "Q: What is 7 times 8?\nA:",
    "The sun rises in the", "A haiku about autumn:\n", "Dear Sir or Madam,\n\n", "import numpy as np\n",
    "Dogs are loyal because", "The largest planet in our solar system", "She opened the door and", "To be or not",
]  # fmt: skip
TEXT = "Où est 猫?  12 ok\n\n aaaa bbb abcabcab, 'tis: a--b.\tÇa va? 🤷 don't"


@pytest.fixture(scope="module")
def llama_cpp() -> Any:
    try:
        return import_module("llama_cpp")
    except ImportError:
        pytest.fail("llama-cpp-python is not installed: make test-llama compiles it")


def said_by(llama_cpp: Any, path: Path, prompts: list[list[int]], tokens: int) -> list[list[int]]:
    """Greedy continuations, computed in float32; nobody stops early."""
    theirs = llama_cpp.Llama(str(path), n_ctx=256, n_threads=1, type_k=0, type_v=0, flash_attn=False,
                                  verbose=False)  # fmt: skip
    said: list[list[int]] = []
    for prompt in prompts:
        theirs.reset()
        said.append(list(islice(theirs.generate(prompt, temp=0.0, repeat_penalty=1.0), tokens)))
    return said


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("kind", ["byte-level", "byte-fallback"])
def test_llama_cpp_opens_what_we_export(llama_cpp: Any, family: str, kind: str, tmp_path: Path) -> None:
    """Both architectures with both kinds of tokenizer: the same ids of a text, and the same greedy text."""
    tokenizer = TRAINERS[kind]([*PROMPTS, TEXT], 420)
    sizes: dict[str, Any] = {"vocab": tokenizer.vocab + 2, "context": 128, "width": 64, "heads": 4, "layers": 2}
    config = GPT2Config(**sizes) if family == "gpt2" else LlamaConfig(**sizes, kv_heads=2, hidden=96)
    model = build(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.2)
    export_gguf(model.eval(), tokenizer, tmp_path / "model.gguf", "model")
    prompts = [tokenizer.encode(prompt) for prompt in (*PROMPTS, TEXT)]
    theirs = llama_cpp.Llama(str(tmp_path / "model.gguf"), vocab_only=True, verbose=False)
    texts = (*PROMPTS, TEXT)
    assert [theirs.tokenize(text.encode(), add_bos=False, special=False) for text in texts] == prompts
    ours = Engine(model).generate(prompts, Sampling(temperature=0.0, max_tokens=24))
    assert [answer.answer for answer in ours] == said_by(llama_cpp, tmp_path / "model.gguf", prompts, 24)


def test_twenty_prompts_go_on_as_in_llama_cpp(llama_cpp: Any, tmp_path: Path) -> None:
    smollm2: Any = gptwright.load("smollm2-135m")
    export_gguf(smollm2.network, smollm2.tokenizer, tmp_path / "model.gguf", "model")
    prompts = [smollm2.tokenizer.encode(prompt) for prompt in PROMPTS]
    ours = Engine(smollm2.network).generate(prompts, Sampling(temperature=0.0, max_tokens=24))
    assert [answer.answer for answer in ours] == said_by(llama_cpp, tmp_path / "model.gguf", prompts, 24)
