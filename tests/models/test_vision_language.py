"""A decoder that sees: where images stand, how many they are, and what is the same without them."""

from typing import Any

import pytest
import torch
from tests.models.test_family import DECODERS, TINY, new_cache

from gptwright.foundations.errors import ConfigError, InputError
from gptwright.layers.masks import Documents
from gptwright.models.bert import BERTConfig
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.llama import LlamaConfig
from gptwright.models.vision import ViTConfig
from gptwright.models.vision_language import VisionLanguageConfig, VisionLanguageModel, placed, with_room

IMAGE = 49  # the placeholder
PATCHES = 4
ENCODER = ViTConfig(image_size=8, patch=4, width=16, heads=2, layers=3)


def seeing(text: Any, **more: Any) -> VisionLanguageModel:
    """Large weights everywhere, so that every part shows."""
    model = VisionLanguageModel(VisionLanguageConfig(image=ENCODER, text=text, placeholder=IMAGE, **more))
    torch.manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.3)
    return model.eval()


@pytest.fixture(params=DECODERS)
def model(request: pytest.FixtureRequest) -> VisionLanguageModel:
    return seeing(TINY[request.param])


def ids_of(*texts: list[int]) -> torch.Tensor:
    return torch.tensor([with_room(text, IMAGE, PATCHES) for text in texts])


def test_a_text_alone_is_read_by_the_decoder_to_the_bit(model: VisionLanguageModel) -> None:
    ids = torch.randint(IMAGE, (2, 9))
    with torch.no_grad():
        assert torch.equal(model(ids), model.decoder(ids))


def test_images_stand_where_their_places_are_in_their_order(model: VisionLanguageModel) -> None:
    images = torch.randn(3, 3, 8, 8)
    ids = ids_of([1, IMAGE, 2, 3, IMAGE], [IMAGE, 4, 5, *[6] * PATCHES, 7])
    with torch.no_grad():
        tokens = model.image_tokens(images)
        expected = model.decoder.embed(ids)
        expected[0, 1:5], expected[0, 7:11], expected[1, :4] = tokens
        found = model.decoder.embedded(ids, placed(ids, tokens.flatten(0, 1), IMAGE))
        assert torch.equal(found, expected)
        assert not torch.allclose(model(ids, images), model(ids, images[[1, 0, 2]]), atol=1e-3)


def test_a_place_for_an_image_is_read_as_its_patches(model: VisionLanguageModel) -> None:
    assert with_room([1, IMAGE, 2], IMAGE, 3) == [1, IMAGE, IMAGE, IMAGE, 2]
    assert with_room([1, 2], IMAGE, 3) == [1, 2]


def test_an_image_later_in_the_row_cannot_change_the_past(model: VisionLanguageModel) -> None:
    ids, images = ids_of([1, IMAGE, 2, IMAGE, 3]), torch.randn(2, 3, 8, 8)
    other = torch.stack([images[0], images[1] + 1])
    with torch.no_grad():
        one, two = model(ids, images), model(ids, other)
    assert torch.equal(one[0, :6], two[0, :6])
    assert not torch.equal(one[0, 6:], two[0, 6:])


def test_cached_equals_uncached(model: VisionLanguageModel) -> None:
    ids, images = ids_of([1, IMAGE, 2, 3, 4]), torch.randn(1, 3, 8, 8)
    with torch.no_grad():
        whole = model(ids, images)
        cache = new_cache(model.decoder, 1, 8)
        first = model.logits(model.hidden(ids[:, :6], images, cache))
        cache.advance(torch.tensor([6]))
        rest = model.logits(model.hidden(ids[:, 6:], cache=cache))
    torch.testing.assert_close(torch.cat([first, rest], 1), whole, atol=1e-4, rtol=1e-4)


def test_documents_of_a_row_are_read_as_if_each_stood_alone(model: VisionLanguageModel) -> None:
    images, first, second = torch.randn(2, 3, 8, 8), ids_of([0, IMAGE, 2]), ids_of([0, 5, IMAGE])
    together = torch.cat([first, second], 1)
    with torch.no_grad():
        found = model.hidden(together, images, documents=Documents.begun_by(0, together))
        alone = [model.hidden(ids, images[i : i + 1]) for i, ids in enumerate((first, second))]
    torch.testing.assert_close(found, torch.cat(alone, 1), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("projector", ["mlp", "linear"])
def test_a_gradient_reaches_every_parameter_that_is_read(projector: str) -> None:
    model = seeing(TINY["llama"], projector=projector)
    model(ids_of([1, IMAGE, 2]), torch.randn(1, 3, 8, 8)).square().sum().backward()
    unread = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    assert unread == {
        name for name, _ in model.named_parameters() if name.startswith(("vision.blocks.2", "vision.norm"))
    }


@pytest.mark.parametrize(("places", "count"), [(1, 0), (0, 1), (1, 2), (2, 1)])
def test_as_many_images_as_places(places: int, count: int) -> None:
    model = seeing(TINY["gpt2"])
    images = torch.randn(count, 3, 8, 8) if count else None
    with pytest.raises(InputError, match=f"needed {count * PATCHES} placeholders, one for each patch of each image; "
                                         f"got {places * PATCHES}"):  # fmt: skip
        model(ids_of([1, *[IMAGE] * places, 2]), images)


def test_fresh_weights_are_a_function_of_the_seed() -> None:
    one, two = seeing(TINY["gpt2"]), seeing(TINY["gpt2"])
    one.initialise(3)
    two.initialise(3)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_what_cannot_be_is_refused() -> None:
    text = LlamaConfig(vocab=49, context=16, width=12, heads=3, kv_heads=3, layers=1, hidden=20)
    with pytest.raises(ConfigError, match="a placeholder below the 49 tokens"):
        VisionLanguageConfig(image=ENCODER, text=text, placeholder=49)
    with pytest.raises(ConfigError, match="a layer from -3 to -1"):
        VisionLanguageConfig(image=ENCODER, text=text, placeholder=1, layer=-4)
    with pytest.raises(ConfigError, match="a decoder behind"):
        VisionLanguageConfig(image=ENCODER, text=BERTConfig(), placeholder=1)
    assert VisionLanguageConfig(image=ENCODER, text=GPT2Config(), placeholder=1).layer == -2
