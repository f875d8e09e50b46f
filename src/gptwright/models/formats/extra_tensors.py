"""What a folder's weights hold besides the tensors of the model: copies, tables, buffers; nothing more.

Whatever would make another model of it, a second matrix that differs from its twin, a bias that is not zero, is refused
by name.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from gptwright.foundations.errors import ArtifactError
from gptwright.models.formats.mapping import HuggingFaceMapping


def check_extra_tensors(
    name: str,
    read: Callable[[], Tensor],
    ours: Mapping[str, Tensor],
    folder: HuggingFaceMapping,
    config: object,
    where: Path,
) -> None:
    """Raises `ArtifactError` when their tensor `name`, which none of `ours` was made of, would change what is computed.

    `read` gives its numbers.
    """
    if name.endswith(folder.buffers):
        return
    expected = _expected(name, ours, folder, config)
    if expected is None:
        raise ArtifactError(f"only tensors of a {folder.model_type} beside {where}", f"'{name}' too",
                            "This is another model, or a part of it is not computed here.")  # fmt: skip
    what, numbers, off_by = expected
    found = read()
    if found.shape != numbers.shape or not torch.allclose(found, numbers, rtol=0.0, atol=off_by):
        raise ArtifactError(f"{name} {what} beside {where}", "other numbers",
                            f"A {folder.model_type} with its own cannot be computed here.")  # fmt: skip


def _expected(
    name: str, ours: Mapping[str, Tensor], folder: HuggingFaceMapping, config: object
) -> tuple[str, Tensor, float] | None:
    """What a tensor of this name must be, in words and in numbers, and how far off; None where there is no such one."""
    zeros = folder.zeros(config)
    if name in zeros:
        return "of zeros", torch.zeros(zeros[name]), 0.0
    for ending, twin in folder.tied.items():
        numbers = ours.get(twin, ours.get(f"trunk.{twin}"))
        if name.endswith(ending) and numbers is not None:
            return f"equal to {folder.theirs(twin)[0]}, as the configuration says,", numbers, 0.0
    for ending, make in folder.computed.items():
        if name.endswith(ending):
            return "as it is computed", make(config), 1e-4
    return None
