"""The image encoder: what it must be by its definition, and what CLIP's paper says of its sizes."""

import pytest
import torch
import torch.nn.functional as F

from gptwright.foundations.errors import ConfigError
from gptwright.layers.feedforward import quick_gelu
from gptwright.layers.patches import PatchEmbedding, patches_of
from gptwright.models.catalogue import count
from gptwright.models.vision import PRESETS, ViT, ViTConfig
from gptwright.training.optimizer import cast_linears

TINY = ViTConfig(image_size=12, patch=4, width=16, heads=2, layers=3)


@pytest.fixture
def vit() -> ViT:
    model = ViT(TINY)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.3)
    return model.eval()


def test_patches_stand_row_by_row_from_the_top_left() -> None:
    image = torch.arange(16.0).reshape(1, 1, 4, 4).expand(1, 3, 4, 4)
    found = patches_of(image, 2)
    assert found.shape == (1, 4, 12)
    assert found[0, :, :4].tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_the_patch_embedding_is_unfold_and_a_matrix_and_a_convolution() -> None:
    images, part = torch.randn(2, 3, 12, 12), PatchEmbedding(8, 4)
    unfolded = F.unfold(images, 4, stride=4).mT @ part.project.weight.T
    convolved = F.conv2d(images, part.project.weight.view(8, 3, 4, 4), stride=4).flatten(2).mT
    torch.testing.assert_close(part(images), unfolded)
    torch.testing.assert_close(part(images), convolved)


def test_quick_gelu_by_hand() -> None:
    x = torch.tensor([-1.0, 0.0, 1.0, 10.0])
    torch.testing.assert_close(quick_gelu(x), torch.tensor([-0.154198, 0.0, 0.845796, 10.0]), atol=1e-5, rtol=0.0)


def test_a_patch_that_moves_moves_its_state_only_by_its_position(vit: ViT) -> None:
    with torch.no_grad():
        vit.positions.weight.zero_()
        image = torch.randn(1, 3, 12, 12)
        turned = torch.roll(image, 4, dims=3)  # every patch one place to the right, the last to the front
        states, moved = (vit.features(pixels)[0].unflatten(0, (3, 3)) for pixels in (image, turned))
    torch.testing.assert_close(torch.roll(states, 1, dims=1), moved)


def test_images_of_a_batch_do_not_see_each_other(vit: ViT) -> None:
    images = torch.randn(3, 3, 12, 12)
    with torch.no_grad():
        torch.testing.assert_close(vit(images)[1:2], vit(images[1:2]))


def test_features_leave_out_the_class_token_and_the_last_layer(vit: ViT) -> None:
    images = torch.randn(2, 3, 12, 12)
    with torch.no_grad():
        assert vit.features(images).shape == (2, TINY.patches, 16)
        assert torch.equal(vit.features(images), vit.states(images, 2)[:, 1:])
        assert torch.equal(vit.features(images, -1), vit.states(images, 3)[:, 1:])
        assert torch.equal(vit(images), vit.norm(vit.states(images, 3)[:, 0]))


def test_a_gradient_reaches_every_parameter(vit: ViT) -> None:
    vit(torch.randn(2, 3, 12, 12)).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in vit.parameters())


def test_the_encoder_computes_in_bfloat16(vit: ViT) -> None:
    images = torch.randn(2, 3, 12, 12)
    with torch.no_grad():
        exact = vit(images)
        cast_linears(vit, torch.bfloat16)
        rough = vit(images)
    assert rough.dtype == torch.bfloat16
    assert F.cosine_similarity(exact, rough.float(), dim=-1).min() > 0.99


def test_fresh_weights_are_a_function_of_the_seed() -> None:
    one, two, other = ViT(TINY), ViT(TINY), ViT(TINY)
    for model, seed in ((one, 3), (two, 3), (other, 4)):
        model.initialise(seed)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one.class_token.weight, other.class_token.weight)
    assert one.class_token.weight.any()


@pytest.mark.parametrize(("name", "millions"), [("vit-b-32", 87.5), ("vit-b-16", 85.8), ("vit-l-14", 303.2)])
def test_presets_have_the_parameters_of_the_released_encoders(name: str, millions: float) -> None:
    with torch.device("meta"):
        assert round(count(ViT(PRESETS[name])) / 1e6, 1) == millions


def test_sizes_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigError, match="a patch that divides image_size 224"):
        ViTConfig(patch=15)
    with pytest.raises(ConfigError, match="a heads that divides width 768"):
        ViTConfig(heads=7)
