"""Who takes part in generate.py: each answers prompts of ids greedily, with as many new ids as it is asked for.

Nobody stops early, and nobody makes text of ids. Peers are given what they ask for: left padding, a batch, a manager
that stays alive. What each of them needs beside the Hugging Face folder is made by `prepare`.
"""

import importlib.util
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

Ids = list[list[int]]
Answer = Callable[[Ids, list[int]], Ids]
PACKAGES = {
    "gptwright": "gptwright.inference.engine",
    "transformers": "transformers",
    "ctranslate2": "ctranslate2",
    "openvino": "openvino_genai",
    "llama.cpp": "llama_cpp",
}
FORMATS = {"fp32": torch.float32, "bf16": torch.bfloat16}
CONTEXT, DRAFTS = 2048, 8


def absent(name: str, optimum: str | None) -> str | None:
    """Why a contestant cannot take part, if it cannot."""
    maker = name.split()[0]
    parent = PACKAGES[maker].rpartition(".")[0]
    if (parent and importlib.util.find_spec(parent) is None) or importlib.util.find_spec(PACKAGES[maker]) is None:
        return f"{PACKAGES[maker]} is not installed"
    return "give --optimum-cli to convert for it" if maker == "openvino" and not optimum else None


def prepare(name: str, folder: Path, optimum: str | None) -> None:
    """What this contestant reads, made out of `folder`/hf where it is not there yet."""
    maker, kind = name.split()[:2]
    if maker == "ctranslate2" and not (folder / "ct2").exists():
        import ctranslate2

        ctranslate2.converters.TransformersConverter(str(folder / "hf")).convert(str(folder / "ct2"))
    if maker == "openvino" and not (folder / _openvino_folder(kind)).exists():
        command = [str(optimum), "export", "openvino", "--task", "text-generation-with-past", "--model",
                   str(folder / "hf"), "--weight-format", "int8" if kind == "int8" else "fp32",
                   str(folder / _openvino_folder(kind))]  # fmt: skip
        subprocess.run(command, check=True, stdout=sys.stderr, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    if maker == "llama.cpp" and not (folder / "model.gguf").exists():
        from gptwright.pipelines.export import export_gguf
        from gptwright.pipelines.load import load_decoder

        model = load_decoder(folder / "hf")
        export_gguf(model.network, model.tokenizer, folder / "model.gguf", "model", torch.bfloat16)


def contestant(name: str, folder: Path, threads: int) -> Any:
    """The contestant: an `Answer`. Ours has its engine as `.engine` too."""
    maker, kind, *manner = name.split()
    torch.set_num_threads(threads)
    if maker == "gptwright":
        return Ours(folder, kind, threads, DRAFTS if "drafting" in manner else 0)
    makers = {"transformers": hugging_face_batching if "generate_batch" in manner else hugging_face,
              "ctranslate2": ctranslate, "openvino": openvino, "llama.cpp": llama_cpp}  # fmt: skip
    return makers[maker](folder, kind, threads)


class Ours:
    def __init__(self, folder: Path, kind: str, threads: int, drafts: int) -> None:
        from gptwright.foundations.device import use_threads
        from gptwright.inference.engine import Engine
        from gptwright.pipelines.load import load_decoder

        use_threads(threads)
        dtype = {"fp32": "float32", "bf16": "bfloat16"}.get(kind, kind)
        self.engine: Any = Engine(load_decoder(folder / "hf").network, dtype=dtype, drafts=drafts)

    def __call__(self, prompts: Ids, lengths: list[int]) -> Ids:
        requests = [self.engine.submit(prompt, greedy(n)) for prompt, n in zip(prompts, lengths, strict=True)]
        self.engine.run(requests)
        return [request.answer for request in requests]


def greedy(length: int) -> Any:
    from gptwright.inference.sampling import Sampling

    return Sampling(max_tokens=length, temperature=0)


def _network(folder: Path, kind: str) -> Any:
    from transformers import AutoModelForCausalLM, GenerationConfig

    network: Any = AutoModelForCausalLM.from_pretrained(folder / "hf", dtype=FORMATS[kind]).eval()
    network.generation_config = GenerationConfig(do_sample=False, pad_token_id=0)
    return network


def hugging_face(folder: Path, kind: str, threads: int) -> Answer:
    """generate, padded on the left; everybody goes on until the longest answer is there."""
    network = _network(folder, kind)

    def answer(prompts: Ids, lengths: list[int]) -> Ids:
        width = max(map(len, prompts))
        ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        with torch.inference_mode():
            said = network.generate(ids, attention_mask=mask, max_new_tokens=max(lengths))
        return [row[width : width + length] for row, length in zip(said.tolist(), lengths, strict=True)]

    return answer


def hugging_face_batching(folder: Path, kind: str, threads: int) -> Answer:
    """What generate_batch does, with the manager kept alive: its set-up, many seconds a call, is not counted."""
    from transformers import ContinuousBatchingConfig

    network = _network(folder, kind)
    settings = ContinuousBatchingConfig(page_size=64, num_blocks=512, max_batch_tokens=512, allow_block_sharing=False)
    manager = network.init_continuous_batching(continuous_batching_config=settings)
    manager.start()

    def answer(prompts: Ids, lengths: list[int]) -> Ids:
        names = [manager.add_request(prompt, max_new_tokens=length, eos_token_id=-1)
                 for prompt, length in zip(prompts, lengths, strict=True)]  # fmt: skip
        said: dict[str, list[int]] = {}
        while len(said) < len(names):
            found = manager.get_result(timeout=60)
            assert found and not found.error, found
            said[found.request_id] = list(found.generated_tokens)
        return [said[name] for name in names]

    return answer


def ctranslate(folder: Path, kind: str, threads: int) -> Answer:
    import ctranslate2

    compute = {"fp32": "float32", "bf16": "bfloat16"}.get(kind, kind)
    generator = ctranslate2.Generator(str(folder / "ct2"), device="cpu", compute_type=compute, intra_threads=threads)
    tokens = json.loads((folder / "ct2" / "vocabulary.json").read_text(encoding="utf-8"))

    def answer(prompts: Ids, lengths: list[int]) -> Ids:
        given = [[tokens[i] for i in prompt] for prompt in prompts]
        most = max(lengths)
        said = generator.generate_batch(given, max_length=most, min_length=most, sampling_topk=1, end_token=[],
                                        include_prompt_in_result=False)  # fmt: skip
        return [found.sequences_ids[0][:length] for found, length in zip(said, lengths, strict=True)]

    return answer


def _openvino_folder(kind: str) -> str:
    return "openvino-int8" if kind == "int8" else "openvino"


def openvino(folder: Path, kind: str, threads: int) -> Answer:
    """Its pipeline for many requests, which is also what its pipeline for one uses on a processor."""
    import numpy as np
    import openvino as ov
    import openvino_genai as genai

    memory = genai.SchedulerConfig()
    memory.cache_size = 2
    memory.enable_prefix_caching = False
    hint = {"INFERENCE_PRECISION_HINT": "bf16" if kind == "bf16" else "f32", "INFERENCE_NUM_THREADS": threads}
    pipeline = genai.ContinuousBatchingPipeline(str(folder / _openvino_folder(kind)), memory, "CPU", hint)

    def settings(length: int) -> Any:
        found = genai.GenerationConfig()
        found.max_new_tokens, found.min_new_tokens = length, length
        found.ignore_eos, found.do_sample = True, False
        return found

    def answer(prompts: Ids, lengths: list[int]) -> Ids:
        given = [ov.Tensor(np.array([prompt], dtype=np.int64)) for prompt in prompts]
        said = pipeline.generate(given, [settings(length) for length in lengths])
        return [list(found.m_generation_ids[0]) for found in said]

    return answer


def llama_cpp(folder: Path, kind: str, threads: int) -> Answer:
    """One request after another: the package has no batches."""
    import llama_cpp

    model = llama_cpp.Llama(str(folder / "model.gguf"), n_ctx=CONTEXT, n_threads=threads, n_threads_batch=threads,
                            verbose=False)  # fmt: skip

    def one(prompt: list[int], length: int) -> list[int]:
        model.reset()
        return list(itertools.islice(model.generate(prompt, temp=0.0, repeat_penalty=1.0), length))

    return lambda prompts, lengths: [one(prompt, length) for prompt, length in zip(prompts, lengths, strict=True)]
