"""import: take in a model or a vocabulary that another tool made, so that every stage can go on from it."""

from pathlib import Path

from gptwright.configs.import_ import Import
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.models.catalogue import count
from gptwright.pipelines.load import find, load
from gptwright.tokenizers.formats.vocab_files import read_vocab, vocab_files


def inputs(config: Import) -> dict[str, Path]:
    """The file or folder that the name stands for; a vocabulary may be two files."""
    path = find(config.source)
    return {file.name: file for file in vocab_files(path)} or {"source": path}


def run(config: Import, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/`, in float32; of a vocabulary the files of a tokenizer, which `tokenize --model` takes."""
    if files := vocab_files(find(config.source)):
        tokenizer = read_vocab(files)
        tokenizer.save(folder.path)
        say(f"import: a vocabulary of {tokenizer.vocab:,} tokens")
        return {"vocab": tokenizer.vocab}
    model = load(config.source)
    model.save(folder / "model")
    family, parameters = model.network.config.family, count(model.network)
    say(f"import: {family} of {parameters:,} parameters, {model.tokenizer.vocab:,} tokens known")
    return {"family": family, "parameters": parameters, "vocab": model.tokenizer.vocab}
