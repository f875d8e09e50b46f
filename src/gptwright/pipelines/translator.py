"""A Transformer and its tokenizer: texts in one language become texts in another."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, TypedDict, Unpack, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.foundations.atomic_io import read_json
from gptwright.foundations.device import device_of
from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.inference.beam import BeamSearch, beam_search
from gptwright.models.transformer import Transformer
from gptwright.pipelines.export import ExportOptions, export_translator
from gptwright.pipelines.loaded_model import LoadedModel
from gptwright.tokenizers.tokenizer import Tokenizer


class Translator(LoadedModel):
    """Sources end with the token `eos`, as in training; targets begin after `bos` and end with `eos`."""

    kind = "an encoder-decoder"

    def __init__(
        self,
        network: Transformer,
        tokenizer: Tokenizer | None,
        name: str,
        *,
        bos: int | None = None,
        eos: int | None = None,
        search: BeamSearch | None = None,
    ) -> None:
        super().__init__(network, tokenizer, name)
        self.eos = self.tokenizer.eos_id if eos is None else eos
        self.bos = self.eos if bos is None else bos
        self.search = search or BeamSearch()

    @torch.inference_mode()
    def logits(
        self,
        source_ids: Int[Tensor, "B S"],
        target_ids: Int[Tensor, "B T"],
        lengths: Int[Tensor, "B"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Raw scores of the next token at every place of the targets, in float32.

        `lengths` are the real tokens of each source, all of them when not given. Raises `InputError` beyond the
        context.
        """
        self.require_context(max(source_ids.shape[1], target_ids.shape[1]))
        whole = torch.full((len(source_ids),), source_ids.shape[1])
        device = device_of(self.network.eval())
        given = (source_ids, whole if lengths is None else lengths, target_ids)
        return self.network(*(part.to(device) for part in given))

    def translate(self, texts: Sequence[str], *, beams: int | None = None, alpha: float | None = None) -> list[str]:
        """One translation a text, by the folder's search unless asked otherwise; 1 beam is greedy, `alpha` is GNMT's.

        Raises `InputError` for a text that is longer than the context.
        """
        asked = {"beams": beams, "alpha": alpha}
        search = replace(self.search, **{name: value for name, value in asked.items() if value is not None})
        return [self.tokenizer.decode(ids) for ids in self.translated(self.sources(texts), search)]

    def generate(self, prompt: str, *, beams: int | None = None, alpha: float | None = None) -> str:
        """The translation of one text."""
        return self.translate([prompt], beams=beams, alpha=alpha)[0]

    def save(self, folder: Path, **how: Unpack[ExportOptions]) -> None:
        """Writes a Hugging Face folder; `how` is that of `pipelines.export.export`."""
        export_translator(self.network, self.tokenizer, folder, self.bos, self.eos, self.search, **how)

    def chat(self, *_: object, **__: object) -> NoReturn:
        """Raises `InputError`."""
        raise InputError("a model that answers", f"{self.name}, a translator", "Use generate, or give a chat model.")

    def sources(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids that the encoder reads."""
        return [[*ids, self.eos] for ids in self.tokenizer.encode_many(texts)]

    def translated(self, sources: Sequence[Sequence[int]], search: BeamSearch) -> list[list[int]]:
        """The ids of the targets, without their end token."""
        self.network.eval()
        return [found.ids for found in beam_search(self.network, sources, search, bos=self.bos, eos=self.eos)]


class TranslatorConfig(TypedDict):
    """The tokens that targets begin after and end with, and the search for them."""

    bos: int
    eos: int
    search: BeamSearch


def read_translator_config(folder: Path, vocab: int) -> TranslatorConfig:
    """What a folder says of a translator's start, end and search. Raises `ArtifactError` where it says nonsense."""
    default = BeamSearch()
    fields: dict[str, Any] = {"num_beams": default.beams, "length_penalty": default.alpha}
    for file in ("config.json", "generation_config.json"):
        table = read_json(folder / file) if (folder / file).is_file() else {}
        if not isinstance(table, dict):
            raise ArtifactError(f"a JSON object in {folder / file}", repr(table)[:60], "Restore it from its source.")
        fields |= {key: value for key, value in cast("dict[str, Any]", table).items() if value is not None}
    bos, eos = (_read_int(fields, name, range(vocab), folder) for name in ("decoder_start_token_id", "eos_token_id"))
    alpha = fields["length_penalty"]
    if type(alpha) not in (int, float):
        raise ArtifactError(f"a number as length_penalty in {folder}", repr(alpha)[:60], "Correct it.")
    search = BeamSearch(beams=_read_int(fields, "num_beams", range(1, 1000), folder), alpha=alpha)
    return {"bos": bos, "eos": eos, "search": search}


def _read_int(fields: dict[str, Any], name: str, allowed: range, folder: Path) -> int:
    value = fields.get(name)
    if isinstance(value, list) and value:
        value = cast("list[Any]", value)[0]
    if type(value) is not int or value not in allowed:
        raise ArtifactError(f"{name} from {allowed[0]} to {allowed[-1]:,} in {folder}", repr(value)[:60], "Correct it.")
    return value
