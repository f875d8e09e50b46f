"""A whole view: of every family, of an encoder, of several stages; what is refused."""

import json
from collections.abc import Callable

import pytest
import torch

from gptwright.foundations.errors import InputError
from gptwright.interpretability.inside import Stage, inside
from gptwright.interpretability.steps import finished
from gptwright.models.bert import BERT
from gptwright.models.catalogue import FAMILIES
from gptwright.models.decoder import Decoder

DECODERS = [name for name, family in FAMILIES.items() if family.kind == "decoder"]
IDS = [3, 10, 17, 3, 10]


@pytest.mark.parametrize("family", DECODERS)
def test_every_decoder(family: str, small: Callable[[str], Decoder]) -> None:
    network = small(family)
    view = finished(inside(network, IDS, str, [Stage("before", network)]))
    assert json.loads(json.dumps(view, allow_nan=False))["tokens"] == IDS
    assert view["heads"] == [4, 4, 4] and len(view["lens"]) == 4 and view["reads"] == "left to right"
    probabilities = network(torch.tensor([IDS]))[0].softmax(-1)
    assert view["said"]["actual"][:4] == pytest.approx(
        [float(probabilities[at, id]) for at, id in enumerate(IDS[1:])], abs=1e-4
    )
    assert view["said"]["actual"][4] is None and view["stages"][0]["actual"] == view["said"]["actual"]
    assert set(view["scores"]) == {"previous", "first", "induction", "ablation"}
    assert set(view["neighbours"]) == {3, 10, 17} and view["texts"][17] == "17"


def test_an_encoder_is_asked_for_the_token_that_stands_there(encoder_network: BERT) -> None:
    view = finished(inside(encoder_network, IDS, str))
    assert view["reads"] == "both sides" and "scores" not in view and "shapes" not in view
    probabilities = encoder_network(torch.tensor([IDS]))[0].softmax(-1)
    expected = [float(probabilities[at, id]) for at, id in enumerate(IDS)]
    assert view["said"]["actual"] == pytest.approx(expected, abs=1e-4)


def test_one_token_has_nothing_to_lose(small: Callable[[str], Decoder]) -> None:
    view = finished(inside(small("llama"), [5], str))
    assert "ablation" not in view["scores"] and view["said"]["actual"] == [None]


@pytest.mark.parametrize("ids", [[], [1] * 33])
def test_no_token_and_too_many(ids: list[int], small: Callable[[str], Decoder]) -> None:
    with pytest.raises(InputError, match="needed 1 to 32 tokens"):
        finished(inside(small("gpt2"), ids, str))
