"""Leaving a model as a folder that other tools open: weights, tokenizer, template and generation defaults together."""

from pathlib import Path
from typing import Any

from gptwright.foundations.durable import new_folder, write_json
from gptwright.generation.beam import ALPHA, Search
from gptwright.generation.sampling import Sampling
from gptwright.models.catalogue import family_of
from gptwright.models.huggingface import write_model
from gptwright.tokenizers.tokenizer import Tokenizer


def export(model: Any, tokenizer: Tokenizer, folder: Path, sampling: Sampling | None = None) -> None:
    """Writes the folder whole or not at all. A base model ends at the end of a text, a chat model (with `sampling`,
    its defaults) at the end of its turn. `model` is one of the catalogue, or a reward model."""
    if family_of(model.config).kind == "encoder-decoder":
        _export_translator(model, tokenizer, folder)
        return
    end = tokenizer.stop_ids[0] if sampling else tokenizer.end
    begin = {} if tokenizer.begin is None else {"bos_token_id": tokenizer.begin}
    ids = begin | {"eos_token_id": end, "pad_token_id": tokenizer.pad}
    with new_folder(folder) as unfinished:
        write_model(model, unfinished, ids)
        tokenizer.save(unfinished, model.config.context)
        write_json(unfinished / "generation_config.json", ids | _generation(sampling or Sampling(temperature=0.8)) | {
            "eos_token_id": tokenizer.stop_ids,
        })  # fmt: skip


def _export_translator(model: Any, tokenizer: Tokenizer, folder: Path) -> None:
    """Targets begin after the end token, as sources end with it: `transformers` then reads and writes what we do.

    Its length penalty is length^α, ours GNMT's: equal for one beam, near otherwise.
    """
    ids = {"decoder_start_token_id": tokenizer.end, "eos_token_id": tokenizer.end, "pad_token_id": tokenizer.pad}
    with new_folder(folder) as unfinished:
        write_model(model, unfinished, ids)
        tokenizer.closing().save(unfinished, model.config.context)
        write_json(unfinished / "generation_config.json", ids | {
            "do_sample": False, "num_beams": Search().beams, "length_penalty": ALPHA, "early_stopping": True,
            "max_length": model.config.context + 1,  # its start token counts
        })  # fmt: skip


def _generation(sampling: Sampling) -> dict[str, Any]:
    """Our settings in the words of `transformers`; a top_k of 0 must be written, or it takes 50."""
    drawn = {"temperature": sampling.temperature, "top_k": sampling.top_k, "top_p": sampling.top_p}
    settings: dict[str, Any] = {"do_sample": sampling.temperature > 0, "max_new_tokens": sampling.max_tokens}
    return settings | (drawn if sampling.temperature > 0 else {})
