"""Serves a tiny model of random weights until it is stopped: `python server.py FOLDER CONTEXT` prints the port, once it
answers, and leaves the model in FOLDER/model. With a KEY behind that it wants one of its callers.

The model says visible ASCII alone: never its end, nor half a letter, nor blanks that a client would strip. So every
text has as many tokens as were asked for, whatever is drawn.
"""

import re
import sys
from pathlib import Path

import torch

from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.pipelines.generation_config import FILE, parse_generation_config
from gptwright.pipelines.model import Model
from gptwright.serving.api import create_app
from gptwright.serving.server import serve_until_stopped, take_port
from gptwright.store.database import open_store
from gptwright.tokenizers import bytelevel
from gptwright.tokenizers.tokenizer import Tokenizer

WORDS = "the cat sat on the mat and the dog ran to the sea where we like to be when it is warm and we are free "


def main(folder: Path, context: int, key: str = "") -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    tokenizer = bytelevel.train([WORDS * 3], 290)
    network = GPT2(GPT2Config(vocab=tokenizer.vocab, context=context, width=32, heads=2, layers=1))
    network.requires_grad_(False)
    fields = {"do_sample": True, "max_new_tokens": 64, "suppress_tokens": unseen(tokenizer)}
    model = Model(network, tokenizer, "tiny", parse_generation_config(fields, folder / "model" / FILE))
    model.save(folder / "model")
    port = take_port("127.0.0.1", 0)
    with open_store(folder / "store.sqlite") as store:
        app = create_app({"tiny": model}, store, keys={"owner": key} if key else {})
        serve_until_stopped(app, port, lambda: print(port.getsockname()[1], flush=True))


def unseen(tokenizer: Tokenizer) -> list[int]:
    """Ids of special tokens, of blanks alone, and of bytes that are no ASCII."""
    texts = (tokenizer.token_bytes(id) for id in range(tokenizer.vocab))
    return [id for id, text in enumerate(texts) if not text or not re.fullmatch(rb" ?[!-~]+", text)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
