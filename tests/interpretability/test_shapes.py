"""Lines that are in the files, in the order in which they ran, with the shapes that they made."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gptwright.interpretability.shapes import PACKAGE, shapes
from gptwright.models.catalogue import FAMILIES
from gptwright.models.decoder import Decoder

DECODERS = [name for name, family in FAMILIES.items() if family.kind == "decoder"]
IDS = torch.arange(12)[None] * 7 % 58 + 2


@pytest.mark.parametrize("family", DECODERS)
def test_lines_are_those_of_the_files(family: str, small: Callable[[str], Decoder]) -> None:
    network = small(family)
    lines = shapes(network, IDS)
    for line in lines:
        assert Path(PACKAGE, line.file).read_text(encoding="utf-8").splitlines()[line.number - 1].strip() == line.code
    files = [line.file for line in lines]
    own = f"models/{family}.py" if family != "gpt3" else "models/gpt2.py"
    assert own in files and files.count("layers/feedforward.py") >= 3
    assert next(line.shape for line in lines if line.file == "models/decoder.py") == (1, 12, 24)
    assert lines[-1].shape == (1, 12, 60) and lines[-1].dtype == "float32"


def test_nothing_is_recorded_afterwards_and_nothing_changes(small: Callable[[str], Decoder]) -> None:
    network = small("llama")
    before = network(IDS)
    lines = shapes(network, IDS)
    count = len(lines)
    assert torch.equal(network(IDS), before) and len(lines) == count
