"""CLIP's two encoders: laws of the shared space, and of the temperature."""

from math import log

import pytest
import torch

from gptwright.models.clip import CLIP, PRESETS, CLIPConfig
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.vision import ViTConfig
from gptwright.objectives.contrastive import contrastive_loss

TINY = CLIPConfig(
    image=ViTConfig(image_size=12, patch=4, width=16, heads=2, layers=2),
    text=GPT2Config(vocab=40, context=10, width=12, heads=3, layers=2),
    embedding=8,
)
IDS, LAST = torch.arange(30).reshape(3, 10) * 7 % 40, torch.tensor([9, 4, 6])


@pytest.fixture
def clip() -> CLIP:
    model = CLIP(TINY)
    model.initialise(0)
    return model.eval()


def test_images_and_texts_are_points_of_one_sphere(clip: CLIP) -> None:
    images = clip.embed_images(torch.randn(2, 3, 12, 12))
    texts = clip.embed_texts(IDS, LAST)
    assert images.shape == (2, 8) and texts.shape == (3, 8)
    torch.testing.assert_close(torch.cat([images, texts]).norm(dim=-1), torch.ones(5))


def test_scores_are_cosines_times_the_scale(clip: CLIP) -> None:
    images = torch.randn(2, 3, 12, 12)
    scores = clip(images, IDS, LAST)
    assert scores.shape == (2, 3)
    torch.testing.assert_close(scores, clip.embed_images(images) @ clip.embed_texts(IDS, LAST).T / 0.07)


def test_what_stands_behind_the_end_of_a_text_changes_nothing(clip: CLIP) -> None:
    other = IDS.clone()
    other[1, 5:] = 3
    assert torch.equal(clip.embed_texts(IDS, LAST), clip.embed_texts(other, LAST))
    other[1, 2] += 1
    assert not torch.equal(clip.embed_texts(IDS, LAST)[1], clip.embed_texts(other, LAST)[1])


def test_the_scale_is_held_at_a_hundred_while_training_and_can_come_back(clip: CLIP) -> None:
    with torch.no_grad():
        clip.log_scale.fill_(log(100.0) + 0.5)
    assert clip.eval().scale > 164  # a foreign folder's is taken as it is
    assert clip.train().scale.item() == pytest.approx(100.0)
    assert clip.log_scale.item() == pytest.approx(log(100.0))
    clip.scale.backward()
    assert clip.log_scale.grad is not None and clip.log_scale.grad > 0


def test_a_gradient_reaches_every_parameter(clip: CLIP) -> None:
    contrastive_loss(clip.train()(torch.randn(3, 3, 12, 12), IDS, LAST)).backward()
    for name, parameter in clip.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_a_batch_is_learned_by_heart(clip: CLIP) -> None:
    torch.manual_seed(0)
    images, optimizer = torch.randn(3, 3, 12, 12), torch.optim.AdamW(clip.parameters(), lr=3e-3)
    clip.train()
    for _ in range(40):
        optimizer.zero_grad()
        contrastive_loss(clip(images, IDS, LAST)).backward()
        optimizer.step()
    assert clip(images, IDS, LAST).argmax(1).tolist() == [0, 1, 2]


def test_presets_are_those_of_the_paper() -> None:
    with torch.device("meta"):
        sizes = {name: sum(p.numel() for p in CLIP(config).parameters()) for name, config in PRESETS.items()}
    assert sizes["clip-b-32"] == 151_277_313  # openai/clip-vit-base-patch32
    assert sizes["clip-l-14"] == 427_616_513  # openai/clip-vit-large-patch14
