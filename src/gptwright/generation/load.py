"""`gptwright.load`: any model folder as the object of its kind."""

from pathlib import Path

from gptwright.generation.encoder import Encoder
from gptwright.generation.model import Model, model_folder, model_of
from gptwright.models.catalogue import family_of
from gptwright.models.huggingface import read_model
from gptwright.tokenizers.bpe import Tokenizer


def load(path: str | Path) -> Model | Encoder:
    """Opens a stage folder, or a Hugging Face folder of a family in the catalogue.

    Raises `ArtifactError` when nothing there can be opened, and `InputError` when the path does not exist.
    """
    folder = model_folder(Path(path))
    network = read_model(folder)
    if family_of(network.config).kind == "encoder":
        return Encoder(network, Tokenizer.load(folder), Path(path).resolve().name)
    return model_of(network, folder, Path(path))
