import torch

from gptwright.training.adamw import AdamW
from gptwright.training.muon import Muon
from gptwright.training.optimizers import OPTIMIZERS


def test_the_settings_arrive() -> None:
    adam = AdamW(weight_decay=0.2, betas=(0.9, 0.99), epsilon=1e-6)
    assert OPTIMIZERS["adamw"](0.2, torch.bfloat16, 0.99, 1e-6) == adam
    assert OPTIMIZERS["muon"](0.2, torch.float32, 0.99, 1e-6) == Muon(
        weight_decay=0.2, dtype=torch.float32, others=adam
    )
