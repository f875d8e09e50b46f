"""Tensors on disk in pieces: every process writes what it holds, and reads what it is to hold, however it was written.

One safetensors file a process: state.safetensors, or state-00001-of-00008.safetensors and so on. A key is a tensor's
name, or name@row,column for a piece that begins there; the header says the shape of the whole. So any layout reads what
any other wrote, and one process is the simplest of layouts.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from gptwright.foundations.atomic_io import write_file
from gptwright.foundations.errors import ArtifactError
from gptwright.training.distributed.layout import Layout, ShardRegion

WHOLES = "shapes"


def parameter_of(name: str) -> str:
    """The parameter that a tensor belongs to: what follows the first dot of `master.blocks.0.mlp.up.weight`."""
    return name.partition(".")[2]


def write_pieces(tensors: Mapping[str, Tensor], folder: Path, layout: Layout) -> None:
    """The file of this process."""
    pieces: dict[str, Tensor] = {}
    wholes: dict[str, Sequence[int]] = {}
    for name, tensor in written_here(tensors, layout).items():
        if in_pieces(name, tensor, layout):
            wholes[name] = layout.shapes[parameter_of(name)]
            pieces |= _pieces(name, tensor, layout.mine(parameter_of(name)))
        else:
            pieces[name] = tensor.contiguous()
    process = layout.world.process
    number = f"-{process.rank + 1:05d}-of-{process.count:05d}" if process.count > 1 else ""
    write_file(
        folder / f"state{number}.safetensors",
        lambda unfinished: save_file(pieces, unfinished, {WHOLES: json.dumps(wholes)}),
    )


def in_pieces(name: str, tensor: Tensor, layout: Layout) -> bool:
    """Whether processes hold parts of it; what is no parameter, nor shaped like one, is whole in each."""
    return layout.world.axes is not None and tensor.dim() > 0 and parameter_of(name) in layout.shapes


def written_here(tensors: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    """Those that this process saves: what several hold is saved by one of them."""
    return {
        name: tensor
        for name, tensor in tensors.items()
        if (layout.is_written_here(parameter_of(name)) if in_pieces(name, tensor, layout) else layout.world.first)
    }


def _pieces(name: str, tensor: Tensor, region: ShardRegion) -> dict[str, Tensor]:
    column = region.columns.start if region.columns else 0
    starts = [rows.start for rows in region.rows]
    parts = tensor.contiguous().split([len(rows) for rows in region.rows])
    return {f"{name}@{row},{column}": part for row, part in zip(starts, parts, strict=True)}


@dataclass(frozen=True)
class Piece:
    """Where a part of a tensor lies: in a file, and in the whole."""

    file: Any
    key: str
    shape: tuple[int, ...]
    row: int
    column: int


class Pieces:
    """The tensors of a folder, read as far as they are asked for. Use as a context manager."""

    def __init__(self, folder: Path) -> None:
        """Raises `ArtifactError` when a process's file is missing."""
        self.folder = folder
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._found: dict[str, list[Piece]] = {}
        self._stack = ExitStack()
        paths = sorted(folder.glob("state*.safetensors"))
        count = int(paths[0].stem.split("-")[-1]) if paths and "-" in paths[0].stem else 1
        if len(paths) != count:
            raise ArtifactError(f"{count} files of tensors in {folder}", f"{len(paths)}", "Delete this checkpoint.")
        for path in paths:
            self._index(self._stack.enter_context(safe_open(path, framework="pt")))

    def __enter__(self) -> "Pieces":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()

    def read(self, name: str, region: ShardRegion | None = None) -> Tensor:
        """A tensor, or a region of it. Raises `ArtifactError` when pieces are missing."""
        pieces, shape = self._found[name], self.shapes[name]
        if region is None and len(pieces) == 1 and pieces[0].shape == shape:
            return pieces[0].file.get_tensor(pieces[0].key)
        region = region or ShardRegion((range(shape[0]),))
        columns = region.columns or range(shape[1] if len(shape) > 1 else 1)
        width = (len(columns), *shape[2:]) if len(shape) > 1 else ()
        kind = pieces[0].file.get_slice(pieces[0].key)[:0].dtype
        found, filled, place = torch.empty(region.height, *width, dtype=kind), 0, 0
        for rows in region.rows:
            for piece in pieces:
                filled += _copied(piece, rows, columns, found[place : place + len(rows)])
            place += len(rows)
        if filled != found.numel():
            raise ArtifactError(f"all of {name} in {self.folder}", f"{filled:,} of {found.numel():,} numbers",
                                "Delete this checkpoint.")  # fmt: skip
        return found

    def _index(self, file: Any) -> None:
        wholes = json.loads((file.metadata() or {}).get(WHOLES, "{}"))
        for key in file.keys():  # noqa: SIM118 (it is no mapping)
            name, _, place = key.partition("@")
            shape = tuple(file.get_slice(key).get_shape())
            row, column = (int(number) for number in place.split(",")) if place else (0, 0)
            self.shapes[name] = tuple(wholes.get(name, shape))
            self._found.setdefault(name, []).append(Piece(file, key, shape, row, column))


def _copied(piece: Piece, rows: range, columns: range, into: Tensor) -> int:
    """Copies what a piece has of some rows and columns; says how many numbers that were."""
    height, *rest = piece.shape
    top, bottom = max(rows.start, piece.row), min(rows.stop, piece.row + height)
    if top >= bottom:
        return 0
    part = piece.file.get_slice(piece.key)[top - piece.row : bottom - piece.row]
    target = into[top - rows.start : bottom - rows.start]
    if rest:
        left, right = max(columns.start, piece.column), min(columns.stop, piece.column + rest[0])
        part = part[:, left - piece.column : max(right - piece.column, 0)]
        target = target[:, left - columns.start : max(right - columns.start, 0)] if left < right else target[:, :0]
        part = part[:, : target.shape[1]]
    target.copy_(part)
    return target.numel()


def read_pieces(folder: Path, layout: Layout) -> dict[str, Tensor]:
    """All tensors of a folder, of each what this process is to hold."""
    with Pieces(folder) as pieces:
        return {name: pieces.read(name, _mine(name, shape, layout)) for name, shape in pieces.shapes.items()}


def _mine(name: str, shape: Sequence[int], layout: Layout) -> ShardRegion | None:
    parameter = parameter_of(name)
    return layout.mine(parameter) if shape and parameter in layout.shapes else None
