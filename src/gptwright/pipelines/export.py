"""Leaving a model for other tools: weights, tokenizer, template and generation defaults together, as a folder or, for
llama.cpp and what is built on it, as one GGUF file."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict, Unpack

import torch
from torch import nn

from gptwright.foundations.atomic_io import new_folder, write_json
from gptwright.images.preprocess import Preprocessing, write_preprocessing
from gptwright.inference.beam import BeamSearch
from gptwright.models.catalogue import family_of
from gptwright.models.clip import CLIP
from gptwright.models.config import config_of
from gptwright.models.decoder import Decoder
from gptwright.models.formats.clip import write_clip
from gptwright.models.formats.gguf_writing import write_gguf
from gptwright.models.formats.huggingface import write_model
from gptwright.models.formats.llava import write_llava
from gptwright.models.vision_language import VisionLanguageModel
from gptwright.pipelines.generation_config import UNSAID, GenerationConfig
from gptwright.tokenizers.formats.gguf_writing import values_of
from gptwright.tokenizers.tokenizer import Tokenizer


class ExportOptions(TypedDict, total=False):
    """How weights are written: their format, and how many bytes of them a file holds at most."""

    dtype: torch.dtype
    shard: int


def export(
    model: nn.Module,
    tokenizer: Tokenizer,
    folder: Path,
    defaults: GenerationConfig = UNSAID,
    **how: Unpack[ExportOptions],
) -> None:
    """Writes the folder whole or not at all, its weights as `how` says. A base model ends at the end of a text, a chat
    model, of whose `defaults` something is said, at the end of its turn. `model` is one of the catalogue or a reward
    model."""
    config = config_of(model)
    if family_of(config).kind == "encoder-decoder":
        export_translator(model, tokenizer, folder, tokenizer.eos_id, tokenizer.eos_id, BeamSearch(), **how)
        return
    ids = _token_ids(tokenizer, defaults)
    with new_folder(folder) as unfinished:
        write_model(model, unfinished, ids, **how)
        tokenizer.save(unfinished, config.context)
        if family_of(config).kind == "decoder":
            _write_generation(tokenizer, defaults, ids, unfinished)


def export_vision(
    model: VisionLanguageModel,
    tokenizer: Tokenizer,
    preprocessing: Preprocessing,
    folder: Path,
    defaults: GenerationConfig = UNSAID,
    **how: Unpack[ExportOptions],
) -> None:
    """`export` for a decoder that sees: what its encoder asks of images goes with it."""
    ids = _token_ids(tokenizer, defaults)
    with new_folder(folder) as unfinished:
        write_llava(model, unfinished, ids, **how)
        tokenizer.save(unfinished, model.config.context)
        write_preprocessing(preprocessing, unfinished)
        _write_generation(tokenizer, defaults, ids, unfinished)


def export_clip(
    model: CLIP, tokenizer: Tokenizer, preprocessing: Preprocessing, folder: Path, **how: Unpack[ExportOptions]
) -> None:
    """`export` for the two encoders: what the one asks of images goes with the other's tokenizer."""
    with new_folder(folder) as unfinished:
        write_clip(model, unfinished, _token_ids(tokenizer, UNSAID), **how)
        tokenizer.save(unfinished, model.config.context)
        write_preprocessing(preprocessing, unfinished)


def _token_ids(tokenizer: Tokenizer, defaults: GenerationConfig) -> dict[str, int]:
    end = tokenizer.stop_ids[0] if defaults.fields else tokenizer.eos_id
    begin = {} if tokenizer.declared_bos_id is None else {"bos_token_id": tokenizer.declared_bos_id}
    return begin | {"eos_token_id": end, "pad_token_id": tokenizer.pad_id}


def _write_generation(tokenizer: Tokenizer, defaults: GenerationConfig, ids: Mapping[str, int], folder: Path) -> None:
    said = dict(defaults.fields)
    ends = said.get("eos_token_id") or []
    stops = dict.fromkeys([*tokenizer.stop_ids, *(ends if isinstance(ends, list) else [ends])])
    write_json(folder / "generation_config.json", {**ids, **said, "eos_token_id": list(stops)})


def export_gguf(
    model: Decoder, tokenizer: Tokenizer, path: Path, name: str, dtype: torch.dtype = torch.float32
) -> None:
    """Writes the file whole or not at all; the model is called `name` in it. Raises `ArtifactError` for families and
    tokenizers that llama.cpp does not know."""
    write_gguf(model, path, name, values_of(tokenizer, model.config.vocab), dtype)


def export_translator(
    model: nn.Module,
    tokenizer: Tokenizer,
    folder: Path,
    start: int,
    end: int,
    search: BeamSearch,
    **how: Unpack[ExportOptions],
) -> None:
    """Targets begin after the token `start`, sources and targets end with `end`: in other tools too.

    The length penalty of `transformers` is length^α, ours GNMT's: the same for one beam, near otherwise.
    """
    context = config_of(model).context
    ids = {"decoder_start_token_id": start, "eos_token_id": end, "pad_token_id": tokenizer.pad_id}
    with new_folder(folder) as unfinished:
        write_model(model, unfinished, ids, **how)
        tokenizer.with_eos().save(unfinished, context)
        write_json(unfinished / "generation_config.json", ids | {
            "do_sample": False, "num_beams": search.beams, "length_penalty": search.alpha, "early_stopping": True,
            "max_length": context + 1,  # the start token counts
        })  # fmt: skip
