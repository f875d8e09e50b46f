import subprocess
import sys

import torch

from gptwright.layers.embedding import Embedding


def test_zeros_until_drawn() -> None:
    embed = Embedding(5, 3)
    assert not embed.weight.any()
    assert embed(torch.tensor([[1, 4]])).shape == (1, 2, 3)


def test_counting_a_model_imports_no_compiler() -> None:
    asked = ("import sys; from gptwright.models.catalogue import build, presets; "
             "[build(config) for name, config in presets().items() if name.endswith('nano')]; "
             "print('torch._dynamo' in sys.modules)")  # fmt: skip
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "False"
