"""Serves a tiny model of random weights until it is stopped: `python server.py FOLDER` prints the port, once it
answers, and leaves the model in FOLDER/model."""

import sys
from pathlib import Path

import torch

from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.pipelines.generation_config import GenerationConfig
from gptwright.pipelines.model import Model
from gptwright.serving.api import create_app
from gptwright.serving.server import serve_until_stopped, take_port
from gptwright.store.database import open_store
from gptwright.tokenizers import bytelevel

WORDS = "the cat sat on the mat and the dog ran to the sea where we like to be when it is warm and we are free "


def main(folder: Path) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokenizer = bytelevel.train([WORDS * 3], 290)
    network = GPT2(GPT2Config(vocab=tokenizer.vocab, context=2048, width=32, heads=2, layers=1)).requires_grad_(False)
    model = Model(network, tokenizer, "tiny", GenerationConfig.of(Sampling(max_tokens=64)))
    model.save(folder / "model")
    port = take_port("127.0.0.1", 0)
    with open_store(folder / "store.sqlite") as store:
        app = create_app({"tiny": model}, store)
        serve_until_stopped(app, port, lambda: print(port.getsockname()[1], flush=True))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
