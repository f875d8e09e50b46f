"""`gptwright.load`: any model folder as the object of its kind."""

from pathlib import Path
from typing import Any, cast

from gptwright.foundations.durable import read_json
from gptwright.foundations.errors import ArtifactError
from gptwright.generation.beam import ALPHA, Search, length_penalty
from gptwright.generation.encoder import Encoder
from gptwright.generation.model import Model, model_folder, model_of
from gptwright.generation.translator import Translator
from gptwright.models.catalogue import family_of
from gptwright.models.huggingface import read_model
from gptwright.models.transformer import Transformer
from gptwright.tokenizers.tokenizer import Tokenizer


def load(path: str | Path) -> Model | Encoder | Translator:
    """Opens a stage folder, or a Hugging Face folder of a family in the catalogue.

    Raises `ArtifactError` when nothing there can be opened, and `InputError` when the path does not exist.
    """
    folder = model_folder(Path(path))
    network = read_model(folder)
    if isinstance(network, Transformer):
        return _translator(network, folder, Path(path).resolve().name)
    if family_of(network.config).kind == "encoder":
        return Encoder(network, Tokenizer.load(folder), Path(path).resolve().name)
    return model_of(network, folder, Path(path))


def _translator(network: Transformer, folder: Path, name: str) -> Translator:
    """Which tokens begin and end a target, and how to search for it, is as the folder says."""
    said: dict[str, Any] = {"num_beams": Search().beams, "length_penalty": ALPHA}
    for file in ("config.json", "generation_config.json"):
        table = read_json(folder / file) if (folder / file).is_file() else {}
        said |= {key: value for key, value in table.items() if value is not None}
    tokens = range(network.config.vocab)
    start, end = (_whole(said, name, tokens, folder) for name in ("decoder_start_token_id", "eos_token_id"))
    beams = _whole(said, "num_beams", range(1, 1000), folder)
    alpha = said["length_penalty"]
    if type(alpha) not in (int, float):
        raise ArtifactError(f"a number as length_penalty in {folder}", repr(alpha)[:60], "Correct it.")
    search = Search(beams=beams, penalty=length_penalty(alpha))
    return Translator(network, Tokenizer.load(folder), name, start=start, end=end, search=search)


def _whole(said: dict[str, Any], name: str, allowed: range, folder: Path) -> int:
    value = said.get(name)
    if isinstance(value, list) and value:
        value = cast("list[Any]", value)[0]
    if type(value) is not int or value not in allowed:
        raise ArtifactError(f"{name} from {allowed[0]} to {allowed[-1]:,} in {folder}", repr(value)[:60], "Correct it.")
    return value
