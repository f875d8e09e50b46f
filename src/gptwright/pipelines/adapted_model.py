"""A model that is another one with low-rank paths beside its layers: several of them hold the weights of that one once.

The paths are not merged into the matrices, so every step multiplies by them too.
"""

from pathlib import Path

from gptwright.foundations.atomic_io import sha256
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.runs import RECORD, identity
from gptwright.inference.packed_model import with_paths
from gptwright.models.decoder import Decoder
from gptwright.models.formats.peft import WEIGHTS, adapter_folder, paths_of
from gptwright.pipelines.loaded_model import LoadedModel
from gptwright.pipelines.model import Model
from gptwright.tokenizers.formats.folder import has_tokenizer
from gptwright.tokenizers.tokenizer import Tokenizer


class AdaptedModel(Model):
    """`base` with the adapter of a stage with --lora, or as peft writes it. Its tokenizer, with the chat template, is
    the adapter's own where it has one; how it draws is as the base says.

    Raises `ArtifactError` when the adapter is another model's, or has more than low-rank paths.
    """

    def __init__(self, base: LoadedModel, source: Path) -> None:
        if type(base) is not Model:
            raise ArtifactError(f"a model that writes, for the adapter {source}", f"{base.name}, which is another",
                                "Serve the whole model, which lies beside the adapter.")  # fmt: skip
        folder = adapter_folder(source)
        self.base, self.paths = base, paths_of(base.network, folder)
        super().__init__(with_paths(base.network, self.paths), _tokenizer(folder) or base._tokenizer,
                         adapter_name(source), base._defaults, dtype=base.dtype)  # fmt: skip
        self.draft = base.draft

    def packed(self) -> Decoder:
        return with_paths(self.base.engine.view, self.paths)


def adapter_name(source: Path) -> str:
    """That of the stage's folder, or of the adapter's where it is no stage's."""
    folder = source.resolve()
    return (folder.parent if (folder.parent / RECORD).is_file() else folder).name


def adapted_weights(base: str, source: Path) -> str:
    """SHA-256 of the base's, which is given, and the adapter's together."""
    return identity({"base": base, "adapter": sha256(adapter_folder(source) / WEIGHTS)})


def _tokenizer(folder: Path) -> Tokenizer | None:
    """Of the adapter's folder, or of the whole model that a stage left beside it."""
    found = next((place for place in (folder, folder.parent / "model") if has_tokenizer(place)), None)
    return Tokenizer.load(found) if found else None
