"""Leaving a model as a folder that other tools open: weights, tokenizer, template and generation defaults together."""

from pathlib import Path

from torch import nn

from gptwright.foundations.durable import new_folder, write_json
from gptwright.generation.sampling import Sampling
from gptwright.models.huggingface import write_model
from gptwright.tokenizers.bpe import Tokenizer
from gptwright.tokenizers.chat import END_OF_TEXT, END_OF_TURN, PAD


def export(model: nn.Module, tokenizer: Tokenizer, folder: Path, sampling: Sampling | None = None) -> None:
    """Writes the folder whole or not at all. A base model ends at the end of a text, a chat model (with `sampling`,
    its defaults) at the end of its turn."""
    end = tokenizer.control(END_OF_TURN if sampling else END_OF_TEXT)
    ids = {"bos_token_id": tokenizer.control(END_OF_TEXT), "eos_token_id": end, "pad_token_id": tokenizer.control(PAD)}
    with new_folder(folder) as unfinished:
        write_model(model, unfinished, ids)
        tokenizer.save(unfinished, model.config.context)
        defaults = sampling or Sampling(temperature=0.8)
        write_json(unfinished / "generation_config.json", ids | {
            "do_sample": defaults.temperature > 0,
            "temperature": defaults.temperature or 1.0,
            "top_k": defaults.top_k or None,
            "top_p": defaults.top_p,
            "max_new_tokens": defaults.max_tokens,
        })  # fmt: skip
