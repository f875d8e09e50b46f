"""A look inside a decoder that sees: what stands in the places of patches, and where the encoder's heads look."""

import json

import pytest
import torch
from tests.models.test_vision_language import IMAGE, PATCHES, ids_of, model, seeing  # noqa: F401

from gptwright.foundations.errors import InputError
from gptwright.interpretability.inside import Stage, inside, most_tokens
from gptwright.interpretability.sight import Sight
from gptwright.interpretability.steps import finished
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.vision_language import VisionLanguageModel

PIXELS = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
IDS = [1, IMAGE, 2, 3, IMAGE, 4, 5]


def of(network: VisionLanguageModel) -> Sight:
    return Sight(network, PIXELS, ["data:one", "data:two"])


def test_the_encoders_heads_look_between_the_patches_of_one_image(model: VisionLanguageModel) -> None:  # noqa: F811
    ids = ids_of(IDS)
    layers = of(model).attention(ids)
    assert of(model).first_places(ids) == [1, 7] and len(layers) == 2, "the last layer of the encoder is not read"
    trace = model.vision.trace(PIXELS, model.config.layer)
    for layer, whole in zip(trace.attention, layers, strict=True):
        assert torch.equal(whole[:, 1:5, 1:5], layer[0, :, 1:, 1:])
        assert torch.equal(whole[:, 7:11, 7:11], layer[1, :, 1:, 1:])
        elsewhere = whole.clone()
        elsewhere[:, 1:5, 1:5] = elsewhere[:, 7:11, 7:11] = 0
        assert not elsewhere.any() and (whole[:, 1:5].sum(-1) < 1).all()
    features = model.vision.features(PIXELS, model.config.layer)
    torch.testing.assert_close(trace.states[-1][:, 1:], features, atol=1e-4, rtol=1e-4)


def test_a_whole_view(model: VisionLanguageModel) -> None:  # noqa: F811
    ids, sight = ids_of(IDS), of(model)
    view = finished(inside(model.decoder, ids[0].tolist(), str, [Stage("before", model.decoder, sight)], sight))
    assert json.loads(json.dumps(view, allow_nan=False))["images"] == {
        "side": 2, "pictures": [{"first": 1, "uri": "data:one"}, {"first": 7, "uri": "data:two"}]}  # fmt: skip
    config = model.config
    assert view["parts"] == ["image"] * 2 + ["decoder"] * config.text.layers
    assert view["heads"] == [2, 2, *[config.text.heads] * config.text.layers] and view["layers"] == len(view["heads"])
    with torch.no_grad():
        expected = model(ids, PIXELS)[0].softmax(-1)
    before_text = [at for at in range(len(ids[0]) - 1) if ids[0, at + 1] != IMAGE]
    for at, actual in enumerate(view["said"]["actual"]):
        if at in before_text:
            assert actual == pytest.approx(float(expected[at, ids[0, at + 1]]), abs=1e-4)
        else:
            assert actual is None and view["said"]["rank"][at] == -1, "nobody foretells a patch"
    assert view["stages"][0]["actual"] == view["said"]["actual"]
    assert len(view["scores"]["ablation"]) == config.text.layers and IMAGE not in view["neighbours"]
    assert any(line["file"] == "models/vision.py" for line in view["shapes"])


def test_what_a_head_costs_is_measured_on_the_text_and_with_the_images() -> None:
    """Without images the same ids cost otherwise, and what is switched off is what counts."""
    network = seeing(GPT2Config(vocab=50, context=32, width=16, heads=2, layers=1))
    ids = ids_of(IDS)[0].tolist()
    sights = (Sight(network, pixels, ["", ""]) for pixels in (PIXELS, PIXELS.flip(0)))
    one, other = (finished(inside(network.decoder, ids, str, sight=each))["scores"]["ablation"] for each in sights)
    assert one != other and 0 not in one[0]
    alone = Sight(network, PIXELS[:1], [""])
    assert "ablation" not in finished(inside(network.decoder, [IMAGE] * PATCHES, str, sight=alone))["scores"]


def test_a_page_has_room_for_the_heads_of_both() -> None:
    network = seeing(GPT2Config(vocab=50, context=20, width=16, heads=2, layers=1))
    assert most_tokens(network.decoder, of(network)) == 20
    with pytest.raises(InputError, match="one for each patch"):
        finished(inside(network.decoder, [1, *[IMAGE] * 4, 2], str, sight=of(network)))
