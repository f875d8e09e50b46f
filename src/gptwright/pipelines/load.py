"""`gptwright.load`: a model wherever it lies, as the object of its kind."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from torch import nn

from gptwright.foundations.atomic_io import read_json, sha256
from gptwright.foundations.errors import ArtifactError, InputError, nearest
from gptwright.foundations.runs import identity
from gptwright.images.preprocess import read_preprocessing
from gptwright.models.catalogue import family_of, presets
from gptwright.models.clip import CLIP
from gptwright.models.formats.clip import read_clip
from gptwright.models.formats.gguf import read_gguf
from gptwright.models.formats.huggingface import build_model, read_model
from gptwright.models.formats.llava import read_llava
from gptwright.models.formats.peft import adapter_folder, with_adapter
from gptwright.models.heads import SequenceModel
from gptwright.models.vision_language import VisionLanguageModel
from gptwright.pipelines.encoder import Encoder
from gptwright.pipelines.generation_config import GenerationConfig, parse_generation_config, read_generation_config
from gptwright.pipelines.image_text import ImageTextModel
from gptwright.pipelines.model import Model
from gptwright.pipelines.moderation_config import read_moderation_config
from gptwright.pipelines.packaged import PACKAGED, packaged_path
from gptwright.pipelines.resolve import model_folder, resolve_model
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.pipelines.translator import Translator, read_translator_config
from gptwright.pipelines.vision_model import VisionModel
from gptwright.tokenizers.formats.folder import eos_ids, has_tokenizer
from gptwright.tokenizers.formats.gguf import tokenizer_of
from gptwright.tokenizers.task_shapes import TEXTS
from gptwright.tokenizers.tokenizer import Tokenizer

AnyModel = Model | Encoder | Translator | SequenceScorer | VisionModel | ImageTextModel
# By the model_type of their folders: what is made of several models.
SEEING: dict[str, Callable[[Path], nn.Module]] = {"llava": read_llava, "clip": read_clip}


def load(source: str | Path, *, dtype: str = "auto", adapter: str | Path | None = None) -> AnyModel:
    """Opens a stage folder, the promoted or last model of a run, a Hugging Face folder of a family in the catalogue, of
    a CLIP or of a LLaVA, a LLaMA as a GGUF file, or the model that an installed package carries, by its name
    (`PACKAGED`). A decoder then writes in the format called `dtype`. A folder without a tokenizer opens too; what needs
    one then raises `ArtifactError`. An `adapter`, in the folder of a stage with --lora or as peft writes it, is merged
    into the model.

    Raises `ArtifactError` when nothing there can be opened or the adapter is another model's, `InputError` when nothing
    is there, and `ConfigError` for a moderation.json that does not fit the model.
    """
    path = find(source)
    packaged = PACKAGED.get(str(source))
    name = str(source) if packaged else path.resolve().name
    if path.is_dir():
        return _from_folder(model_folder(path), name, dtype, adapter)
    gguf = read_gguf(path)
    network: Any = _adapted(build_model(gguf.config, path, lambda: gguf.tensors), adapter)
    tokenizer = Tokenizer(*tokenizer_of(gguf.metadata))
    _fits(network, tokenizer, name)
    if isinstance(network, SequenceModel):
        return SequenceScorer(network, tokenizer, name)
    defaults = parse_generation_config(packaged.fields if packaged else {}, path)
    return Model(network, tokenizer, name, defaults, dtype=dtype)


def load_decoder(
    source: str | Path,
    *,
    dtype: str = "auto",
    draft: str | Path | None = None,
    adapter: str | Path | None = None,
) -> Model:
    """`load` for what must generate, with a draft model if one is given (`Model.use_draft`). Raises `ArtifactError` for
    a model of another kind."""
    return _drafted(as_decoder(load(source, dtype=dtype, adapter=adapter), source), draft)


def load_writer(
    source: str | Path, *, dtype: str = "auto", draft: str | Path | None = None, adapter: str | Path | None = None
) -> Model:
    """`load_decoder`, where what writes may see as well."""
    model = load(source, dtype=dtype, adapter=adapter)
    return _drafted(as_decoder(model.writer if isinstance(model, VisionModel) else model, source), draft)


def load_served(source: str | Path, *, dtype: str = "auto", draft: str | Path | None = None) -> Model | SequenceScorer:
    """What a server can answer with: a classifier of texts by themselves, or what `load_decoder` opens. Raises
    `ArtifactError` for a model of another kind."""
    model = load(source, dtype=dtype)
    if isinstance(model, SequenceScorer) and model.shape and model.shape.name != "classification":
        raise ArtifactError(f"a decoder or a classifier of one text in {source}",
                            f"a model of {model.shape.name}, which reads {TEXTS[model.shape.name]}",
                            f"Ask it in Python: gptwright.load('{source}').")  # fmt: skip
    if isinstance(model, SequenceScorer) and model.classifies:
        return model
    writer = model.writer if isinstance(model, VisionModel) else model
    return _drafted(as_decoder(writer, source, "a decoder or a classifier"), draft)


def as_decoder(model: AnyModel, source: str | Path, needed: str = "a decoder") -> Model:
    """The model that `load` opened at `source`, where it generates. Raises `ArtifactError` naming what is `needed` for
    a model of another kind."""
    if not isinstance(model, Model):
        raise ArtifactError(f"{needed} in {source}", model.kind, "Give the folder of pretrain, sft or ppo.")
    return model


def _drafted(model: Model, draft: str | Path | None) -> Model:
    if draft is not None:
        model.use_draft(load_decoder(draft))
    return model


def find(source: str | Path) -> Path:
    """The file or folder that a path, of a run too, or the name of a packaged model stands for."""
    path = Path(source)
    if path.exists():
        return resolve_model(path)
    if str(source) in PACKAGED:
        return packaged_path(str(source))
    remedy = "Give the folder of a stage, such as runs/start/04-sft."
    if str(source) in presets():
        remedy = f"A preset has sizes and no weights: train it with gptwright pretrain --model {source}."
    elif path.parent == Path():
        remedy += f" Models in packages: {nearest(str(source), PACKAGED)}"
    raise InputError(f"a model at {source}", "nothing there", remedy)


def weights_hash(source: str | Path) -> str:
    """SHA-256 of the file in which a model's weights are; of several, of their names and SHA-256s together."""
    path = find(source)
    files = [path] if path.is_file() else sorted(model_folder(path).glob("*.safetensors"))
    hashes = {file.name: sha256(file) for file in files}
    return next(iter(hashes.values())) if len(hashes) == 1 else identity(hashes)


def _from_folder(folder: Path, name: str, dtype: str, adapter: str | Path | None) -> AnyModel:
    table = read_json(folder / "config.json")
    read = SEEING.get(cast("dict[str, Any]", table).get("model_type", "") if isinstance(table, dict) else "")
    if read and adapter is not None:
        raise ArtifactError("a model without images for an adapter", f"{name}, which sees",
                            "Give the decoder that the adapter was trained for.")  # fmt: skip
    network: Any = read(folder) if read else _adapted(read_model(folder), adapter)
    tokenizer = Tokenizer.load(folder) if has_tokenizer(folder) else None
    if tokenizer:
        _fits(network, tokenizer, name)
    if isinstance(network, VisionLanguageModel | CLIP):
        return _seeing(network, tokenizer, name, folder, dtype)
    if isinstance(network, SequenceModel):
        return SequenceScorer(network, tokenizer, name, read_moderation_config(folder, network.labels))
    match family_of(network.config).kind:
        case "decoder":
            return Model(network, tokenizer, name, _defaults(folder, network.config.context, tokenizer), dtype=dtype)
        case "encoder":
            return Encoder(network, tokenizer, name)
        case "encoder-decoder":
            return Translator(network, tokenizer, name, **read_translator_config(folder, network.config.vocab))


def _seeing(
    network: VisionLanguageModel | CLIP, tokenizer: Tokenizer | None, name: str, folder: Path, dtype: str
) -> VisionModel | ImageTextModel:
    preprocessing = read_preprocessing(folder, network.config.image.image_size)
    if isinstance(network, CLIP):
        return ImageTextModel(network, tokenizer, name, preprocessing)
    defaults = _defaults(folder, network.config.context, tokenizer)
    return VisionModel(network, tokenizer, name, preprocessing, defaults, dtype=dtype)


def _defaults(folder: Path, context: int, tokenizer: Tokenizer | None) -> GenerationConfig:
    """How the folder says that is generated; the ids that it says end a text are words that end a reply too."""
    found = read_generation_config(folder, context)
    ends = set(eos_ids(folder)) - set(tokenizer.stop_ids if tokenizer else [])
    return replace(found, sampling=replace(found.sampling, stop_ids=tuple(sorted(ends))))


def _adapted(network: nn.Module, adapter: str | Path | None) -> nn.Module:
    return network if adapter is None else with_adapter(network, adapter_folder(Path(adapter)))


def _fits(network: nn.Module, tokenizer: Tokenizer, name: str) -> None:
    vocab: int = cast(Any, network).config.vocab
    if tokenizer.vocab > vocab:
        raise ArtifactError(f"a tokenizer of at most the model's {vocab:,} tokens in {name}", f"{tokenizer.vocab:,}",
                            "Model and tokenizer do not belong together.")  # fmt: skip
