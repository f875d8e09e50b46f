"""What a page is told of a decoder, and which decoders it is told nothing of."""

from base64 import b64decode
from collections.abc import Callable
from zlib import decompress

import pytest
import torch

from gptwright.foundations.errors import ArtifactError
from gptwright.layers.feedforward import quick_gelu
from gptwright.layers.masks import CAUSAL, FULL
from gptwright.models.decoder import Decoder
from gptwright.models.formats.page_model import page_model
from gptwright.models.gpt2 import GPT2, GPT2Config


@pytest.mark.parametrize("family", ["gpt1", "gpt2", "gpt3", "llama", "modern"])
def test_every_number_is_there_once(small: Callable[[str], Decoder], family: str) -> None:
    network = small(family)
    data = page_model(network)
    matrices = [rows * columns for rows, columns in data["matrices"].values()]
    scales = [rows for rows, _ in data["matrices"].values()]
    assert sum(matrices) + sum(data["vectors"].values()) == sum(one.numel() for one in network.parameters())
    size = len(decompress(b64decode(data["numbers"])))
    assert size == sum(matrices) + 4 * sum(scales) + 4 * sum(data["vectors"].values())


def test_masks_follow_the_layers(small: Callable[[str], Decoder]) -> None:
    masks = page_model(small("gpt3"))["masks"]
    assert [mask["kind"] for mask in masks] == ["causal", "banded", "causal"]


def test_unknown_parts_are_named() -> None:
    config = GPT2Config(vocab=50, context=8, width=8, heads=2, layers=2)
    with pytest.raises(ArtifactError, match="quick_gelu"):
        page_model(GPT2(config, quick_gelu))
    looking_back = GPT2(config)
    looking_back.masks = (CAUSAL, FULL)
    with pytest.raises(ArtifactError, match="the mask Full"):
        page_model(looking_back)
    mixed = GPT2(config)
    mixed.blocks[1].mlp = torch.nn.Identity()
    with pytest.raises(ArtifactError, match="blocks of several kinds"):
        page_model(mixed)
