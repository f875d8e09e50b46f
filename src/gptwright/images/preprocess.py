"""What an image encoder reads of an image: resized, cut to a square, its colours centred. The same numbers as those of
CLIPImageProcessor in `transformers`, whose file it reads and writes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.foundations.atomic_io import read_json, write_json
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.settings import Size, settings

if TYPE_CHECKING:
    from PIL.Image import Image

FILE = "preprocessor_config.json"
WHOLE = "processor_config.json"  # that of a model of texts and images, in which transformers 5 puts the same
BICUBIC = 3  # as pillow counts
# Of the pictures that CLIP was trained on.
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
STEPS = ("do_resize", "do_center_crop", "do_rescale", "do_normalize", "do_convert_rgb")


@settings
class Preprocessing:
    """How images are brought to the encoder's size and range."""

    size: Size = 224
    """pixels of the square that is cut from the middle, once the shorter side was resized to it"""
    mean: tuple[float, ...] = MEAN
    """of red, green and blue, from 0 to 1: taken off"""
    std: tuple[float, ...] = STD
    """then divided by"""

    def __call__(self, images: Sequence["Image"]) -> Float[Tensor, "N 3 S S"]:
        """RGB images, one or more, as the encoder reads them."""
        return torch.from_numpy(np.stack([self._pixels(image) for image in images]))

    def square(self, image: "Image") -> "Image":
        """What of an image is read, of the encoder's size."""
        width, height = image.size
        short = min(width, height)
        if short == self.size and width == height:
            return image
        resized = (int(self.size * width / short), int(self.size * height / short))
        left, top = ((side - self.size) // 2 for side in resized)
        return image.resize(resized, BICUBIC).crop((left, top, left + self.size, top + self.size))

    def _pixels(self, image: "Image") -> Any:
        pixels = (np.asarray(self.square(image)).astype(np.float64) * (1 / 255)).astype(np.float32)
        centred = (pixels - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(centred.transpose(2, 0, 1))


def read_preprocessing(folder: Path, size: int) -> Preprocessing:
    """What a model's folder says; CLIP's for images of this `size` where it says nothing.

    Raises `ArtifactError` for steps that would not be done here, or another size.
    """
    path = next((path for name in (FILE, WHOLE) if (path := folder / name).is_file()), None)
    if path is None:
        return Preprocessing(size=size)
    table: Any = read_json(path)
    found: dict[str, Any] = table.get("image_processor", table) if isinstance(table, dict) else {}
    wanted = dict.fromkeys(STEPS, True) | {"resample": BICUBIC}
    said = {
        **{name: found.get(name, value) for name, value in wanted.items()},
        "size": _side(found.get("size", size), "shortest_edge"),
        "crop_size": _side(found.get("crop_size", size), "height"),
        "rescale_factor": round(255 * found.get("rescale_factor", 1 / 255), 6),
    }
    for name, value in (wanted | {"size": size, "crop_size": size, "rescale_factor": 1.0}).items():
        if said[name] != value:
            raise ArtifactError(f"{name} for {value} in {path}", repr(found.get(name))[:60],
                                "Only such preprocessing is done here.")  # fmt: skip
    return Preprocessing(
        size=size, mean=_three(found, "image_mean", MEAN, path), std=_three(found, "image_std", STD, path)
    )


def write_preprocessing(preprocessing: Preprocessing, folder: Path) -> None:
    """The file that `transformers` and `read_preprocessing` read."""
    size = preprocessing.size
    write_json(folder / FILE, {
        "image_processor_type": "CLIPImageProcessor",
        **dict.fromkeys(STEPS, True),
        "size": {"shortest_edge": size},
        "crop_size": {"height": size, "width": size},
        "resample": BICUBIC,
        "rescale_factor": 1 / 255,
        "image_mean": list(preprocessing.mean),
        "image_std": list(preprocessing.std),
    })  # fmt: skip


def _side(said: Any, name: str) -> Any:
    """Early folders have a number, later ones a table."""
    return cast("dict[str, Any]", said).get(name) if isinstance(said, dict) else said


def _three(table: dict[str, Any], name: str, unsaid: tuple[float, ...], path: Path) -> tuple[float, ...]:
    said: Any = table.get(name, unsaid)
    if not isinstance(said, list | tuple) or len(cast("list[Any]", said)) != 3:
        raise ArtifactError(f"three numbers as '{name}' in {path}", repr(said)[:60], "Restore the file.")
    return tuple(float(value) for value in cast("list[Any]", said))
