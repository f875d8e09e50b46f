"""Folders of several models in one: the table of each in config.json, and its tensors among those of all."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from gptwright.foundations.atomic_io import MANIFEST, read_json, verify_folder
from gptwright.foundations.errors import ArtifactError


def read_table(folder: Path, model_type: str) -> dict[str, Any]:
    """config.json of a whole folder. Raises `ArtifactError` for one of another `model_type`."""
    if (folder / MANIFEST).is_file():
        verify_folder(folder)
    path = folder / "config.json"
    table = read_json(path)
    if not isinstance(table, dict) or cast("dict[str, Any]", table).get("model_type") != model_type:
        raise ArtifactError(f"model_type '{model_type}' in {path}", "another", "Give the folder of such a model.")
    return cast("dict[str, Any]", table)


def sub_table(table: Mapping[str, Any], name: str, unsaid: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The table of one of the models, with what is `unsaid` in it: what `transformers` then takes.

    Early folders say some of it again under a second name, which counts. Raises `ArtifactError` for a damaged one, or
    one of another model than `unsaid` is of.
    """
    parts: list[Any] = [table.get(name) or {}, table.get(f"{name}_dict") or {}]
    if not all(isinstance(part, dict) for part in parts):
        raise ArtifactError(f"tables as '{name}' in {path}", "something else", "Restore the file from its source.")
    found = {**unsaid, **parts[0], **parts[1]}
    if found.get("model_type") != unsaid.get("model_type", found.get("model_type")):
        raise ArtifactError(f"model_type '{unsaid['model_type']}' in {name} of {path}", f"'{found['model_type']}'",
                            "No other is computed here.")  # fmt: skip
    return found


class Part(Mapping[str, Tensor]):
    """The tensors of one model among those of several, by its own names; each is read when it is asked for."""

    def __init__(self, tensors: Mapping[str, Tensor], names: Mapping[str, str]) -> None:
        """`names` lead from its names to those in `tensors`."""
        self.tensors, self.names = tensors, names

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[self.names[name]]
