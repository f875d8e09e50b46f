"""import: take in a model that another tool made, so that every stage can go on from it."""

from pathlib import Path
from typing import Any

import tyro

from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.foundations.settings import settings
from gptwright.models.catalogue import count, family_of
from gptwright.pipelines.load import find, load


@settings
class Import:
    """Take in a Hugging Face folder, a GGUF file, or a model that an installed package carries."""

    source: tyro.conf.Positional[Path]
    """folder, file, or name (smollm2-135m, minilm-l6)"""


def inputs(config: Import) -> dict[str, Path]:
    """The file or folder that the name stands for."""
    return {"source": find(config.source)}


def run(config: Import, folder: StageFolder) -> dict[str, Any]:
    """Leaves `model/`, in float32."""
    model = load(config.source)
    model.save(folder / "model")
    family, parameters = family_of(model.network.config).name, count(model.network)
    say(f"import: {family} of {parameters:,} parameters, {model.tokenizer.vocab:,} tokens known")
    return {"family": family, "parameters": parameters, "vocab": model.tokenizer.vocab}
