"""Weights of a model folder in safetensors: one file, or several that an index names.

Names, types and shapes are known from the headers alone, so that a caller can refuse what does not fit before it builds
a model or reads a number. No pickle: a `.bin` is refused.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gptwright.foundations.atomic_io import read_json, write_json
from gptwright.foundations.errors import ArtifactError, InputError

WEIGHTS = "model.safetensors"
SHARD = 5 * 10**9  # bytes a file, as the ecosystem has it
FLOATS = ("F64", "F32", "F16", "BF16")
REMEDY = "Restore it from a copy, or run its stage again."


class Weights(Mapping[str, Tensor]):
    """The tensors of a folder by their names, each read when it is asked for, in float32; `shapes` without reading.

    They lie in `file`, or in several that its index names.
    """

    def __init__(self, folder: Path, file: str = WEIGHTS) -> None:
        """Raises `ArtifactError` naming the file that is missing, damaged, outside the folder or a pickle."""
        self.folder = folder
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._files: dict[str, Any] = {}
        place = _index(folder, file)
        for name in sorted(set(place.values())) or [file]:
            opened = _opened(folder / name)
            for tensor in opened.keys():  # noqa: SIM118 (it is no mapping)
                if place.get(tensor, name) != name:
                    continue
                if tensor in self.shapes:
                    raise ArtifactError(f"the tensor {tensor} once in {folder}", f"another in {name}", REMEDY)
                self.shapes[tensor] = tuple(opened.get_slice(tensor).get_shape())
                self._files[tensor] = opened

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, name: str) -> Tensor:
        """Raises `ArtifactError` unless the tensor holds finite numbers, as floats."""
        file = self._files[name]
        kind = file.get_slice(name).get_dtype()
        if kind not in FLOATS:
            raise ArtifactError(f"{name} in {self.folder} as one of {', '.join(FLOATS)}", str(kind),
                                "Convert the weights where they come from.")  # fmt: skip
        tensor: Tensor = file.get_tensor(name).float()
        if tensor.numel() and not all(torch.isfinite(end) for end in torch.aminmax(tensor)):
            raise ArtifactError(f"finite numbers in {name} of {self.folder}", "others", REMEDY)
        return tensor


def write_weights(tensors: Mapping[str, Tensor], folder: Path, shard: int = SHARD) -> None:
    """Writes them in one file, or above `shard` bytes in several with an index."""
    parts = list(_shards(tensors, shard))
    names = [WEIGHTS] if len(parts) == 1 else [f"model-{i:05d}-of-{len(parts):05d}.safetensors"
                                               for i in range(1, len(parts) + 1)]  # fmt: skip
    for name, part in zip(names, parts, strict=True):
        save_file(part, folder / name, metadata={"format": "pt"})
    if len(parts) > 1:
        total = sum(tensor.nbytes for tensor in tensors.values())
        where = {key: name for name, part in zip(names, parts, strict=True) for key in part}
        write_json(folder / f"{WEIGHTS}.index.json", {"metadata": {"total_size": total}, "weight_map": where})


def _shards(tensors: Mapping[str, Tensor], limit: int) -> Iterator[dict[str, Tensor]]:
    part, size = dict[str, Tensor](), 0
    for name, tensor in tensors.items():
        if part and size + tensor.nbytes > limit:
            yield part
            part, size = {}, 0
        part[name] = tensor
        size += tensor.nbytes
    yield part


def narrowed(name: str, tensor: Tensor, dtype: torch.dtype, *, copy: bool = False) -> Tensor:
    """The tensor in another format. Raises `InputError` naming it when it holds a number that the format has not."""
    found = tensor.to(dtype, copy=copy)
    if found.numel() and not all(torch.isfinite(end) for end in torch.aminmax(found)):
        most, words = float(tensor.abs().max()), str(dtype).removeprefix("torch.")
        wider = "float32" if dtype == torch.bfloat16 else "bfloat16 or float32"
        raise InputError(f"numbers of at most {torch.finfo(dtype).max:,.0f} in {name}, for {words}", f"{most:,g}",
                         f"Write it with --dtype {wider}.")  # fmt: skip
    return found


def _index(folder: Path, file: str) -> dict[str, str]:
    """The file of every tensor, where there is an index: it decides, whatever else the files hold."""
    index = folder / f"{file}.index.json"
    if not index.is_file():
        return {}
    table = read_json(index)
    found = cast("dict[str, Any]", table).get("weight_map") if isinstance(table, dict) else None
    place: dict[str, Any] = cast("dict[str, Any]", found) if isinstance(found, dict) and found else {"": None}
    for name in place.values():
        if not isinstance(name, str) or not name.endswith(".safetensors") or not set(name).isdisjoint("/\\:\0"):
            raise ArtifactError(f"names of .safetensors files beside {index} in its weight_map", repr(name)[:60],
                                "Restore the folder from its source.")  # fmt: skip
    if (folder / file).is_file() and file not in place.values():
        raise ArtifactError(f"weights in {file} or in the files of an index, in {folder}", "both, and other tools "
                            "differ in which they take", f"Take {file} or {index.name} away.")  # fmt: skip
    return place


def _opened(path: Path) -> Any:
    if not path.is_file():
        remedy = "Restore the folder, or run its stage again."
        if list(path.parent.glob("*.bin")) or list(path.parent.glob("*.pt")):
            remedy = "A .bin or .pt is a pickle and can run code: convert it to safetensors where you trust it."
        raise ArtifactError(f"the weights {path}", "nothing there", remedy)
    try:
        return safe_open(path, framework="pt")  # pyright: ignore[reportUnknownVariableType]
    except (SafetensorError, OSError) as error:
        raise ArtifactError(f"whole safetensors in {path}", f"a damaged file ({str(error)[:200]})", REMEDY) from error
