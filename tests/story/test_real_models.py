"""Real models that ordinary packages carry: `make test-real` installs the packages and runs these."""

from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import gptwright
from gptwright.engine.engine import Engine
from gptwright.engine.sampling import Sampling
from gptwright.generation.export import export_gguf
from gptwright.generation.packaged import packaged_path
from gptwright.models.catalogue import build
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.llama import LlamaConfig
from gptwright.tokenizers.kinds import KINDS

pytestmark = pytest.mark.real

PROMPTS = [
    "The capital of France is", "Once upon a time, there was a little", "def fibonacci(n):\n", "Water boils at",
    "1, 2, 3, 4,", "The quick brown fox", "In 1969, Neil Armstrong", "Photosynthesis is the process by which",
    "To bake bread, you need", "The opposite of hot is", "My favourite book is", "Q: What is 7 times 8?\nA:",
    "The sun rises in the", "A haiku about autumn:\n", "Dear Sir or Madam,\n\n", "import numpy as np\n",
    "Dogs are loyal because", "The largest planet in our solar system", "She opened the door and", "To be or not",
]  # fmt: skip
TEXT = "Où est 猫?  12 ok\n\n aaaa bbb abcabcab, 'tis: a--b.\tÇa va? 🤷 don't"


@pytest.fixture(scope="module")
def smollm2() -> Any:
    return gptwright.load("smollm2-135m")


def test_it_answers(smollm2: Any) -> None:
    conversation = [{"role": "user", "content": "What is the capital of France?"}]
    assert smollm2.chat(conversation, temperature=0.0) == "The capital of France is Paris."
    conversation += [{"role": "assistant", "content": "The capital of France is Paris."},
                     {"role": "user", "content": "And of Italy?"}]  # fmt: skip
    assert "Rome" in smollm2.chat(conversation, temperature=0.0)


def test_twenty_prompts_go_on_as_in_transformers(smollm2: Any, tmp_path: Path) -> None:
    smollm2.save(tmp_path / "model")
    theirs: Any = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model").eval()
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    ids = [smollm2.tokenizer.encode(prompt) for prompt in PROMPTS]
    assert ids == [tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in PROMPTS]
    ours = Engine(smollm2.network).generate(ids, Sampling(temperature=0.0, max_tokens=24))
    for prompt, answer in zip(ids, ours, strict=True):
        row = torch.tensor([prompt])
        expected = theirs.generate(row, attention_mask=torch.ones_like(row), do_sample=False, max_new_tokens=24,
                                   eos_token_id=None, pad_token_id=0)  # fmt: skip
        assert answer.answer == expected[0, len(prompt) :].tolist()


@pytest.fixture(scope="module")
def llama_cpp() -> Any:
    try:
        return import_module("llama_cpp")
    except ImportError:
        pytest.fail("llama-cpp-python is not installed: make test-real compiles it")


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
    tokenizer = KINDS[kind]([*PROMPTS, TEXT], 420)
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


def test_twenty_prompts_go_on_as_in_llama_cpp(llama_cpp: Any, smollm2: Any, tmp_path: Path) -> None:
    export_gguf(smollm2.network, smollm2.tokenizer, tmp_path / "model.gguf", "model")
    prompts = [smollm2.tokenizer.encode(prompt) for prompt in PROMPTS]
    ours = Engine(smollm2.network).generate(prompts, Sampling(temperature=0.0, max_tokens=24))
    assert [answer.answer for answer in ours] == said_by(llama_cpp, tmp_path / "model.gguf", prompts, 24)


def test_minilm_embeds_as_in_transformers() -> None:
    minilm: Any = gptwright.load("minilm-l6")
    folder = packaged_path("minilm-l6")
    theirs: Any = transformers.BertModel.from_pretrained(folder).eval()
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    for text, ours in zip(PROMPTS, minilm.embeddings(PROMPTS), strict=True):
        with torch.no_grad():
            states = theirs(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        assert torch.cosine_similarity(ours, states.mean(0), dim=0) >= 0.9999
    cat, rug, tax = minilm.embeddings(["A cat sits on the mat.", "A kitten lies on a rug.", "Taxes are due in April."])
    assert torch.cosine_similarity(cat, rug, dim=0) > torch.cosine_similarity(cat, tax, dim=0) + 0.3
