"""CLIP opened from a folder of transformers' own: its tokenizer, its images and its scores are the same here."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from tokenizers.pre_tokenizers import ByteLevel
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

import gptwright
from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.pipelines.image_text import ImageTextModel
from gptwright.pipelines.load import load_decoder

LETTERS = sorted(ByteLevel.alphabet())
WORDS = ["ca", "cat</w>", "th", "the</w>", "<|startoftext|>", "<|endoftext|>"]
VOCAB = {word: i for i, word in enumerate([*LETTERS, *(letter + "</w>" for letter in LETTERS), *WORDS])}
MERGES = [("c", "a"), ("ca", "t</w>"), ("t", "h"), ("th", "e</w>")]
TEXTS = ["The CAT  sat.", "a dog", "café"]


def picture(seed: int) -> tuple[Image.Image, bytes]:
    image = Image.fromarray(np.random.default_rng(seed).integers(0, 255, (30, 24, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return image, buffer.getvalue()


@pytest.fixture
def theirs(tmp_path: Path) -> tuple[Any, Any, Any]:
    """Model, tokenizer and image processor made by transformers; their folder is `theirs`."""
    begin, end = len(VOCAB) - 2, len(VOCAB) - 1
    text = {"vocab_size": len(VOCAB), "hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 2,
            "num_attention_heads": 2, "max_position_embeddings": 24,
            "bos_token_id": begin, "eos_token_id": end}  # fmt: skip
    image = {"hidden_size": 24, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
             "image_size": 16, "patch_size": 8}  # fmt: skip
    model = transformers.CLIPModel(transformers.CLIPConfig(text_config=text, vision_config=image, projection_dim=20))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.2)
    made = (
        model.eval(),
        transformers.CLIPTokenizer(vocab=VOCAB, merges=MERGES),
        CLIPImageProcessorPil(size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}),
    )
    for part in made:
        part.save_pretrained(tmp_path / "theirs")
    return made


@torch.no_grad()
def test_files_and_texts_score_as_in_transformers(theirs: tuple[Any, Any, Any], tmp_path: Path) -> None:
    model, tokenizer, processor = theirs
    ours: Any = gptwright.load(tmp_path / "theirs")
    assert isinstance(ours, ImageTextModel)
    pictures = [picture(seed) for seed in (0, 1)]
    pixels = processor([image for image, _ in pictures], return_tensors="pt")
    expected = model(**tokenizer(TEXTS, padding=True, return_tensors="pt"), **pixels).logits_per_image
    found = ours.logits([data for _, data in pictures], TEXTS)
    assert (found - expected).abs().max() <= 1e-4
    ours.save(tmp_path / "back")
    again: Any = gptwright.load(tmp_path / "back")
    assert torch.equal(again.logits([data for _, data in pictures], TEXTS), found)
    back = transformers.CLIPModel.from_pretrained(tmp_path / "back").eval()
    assert torch.equal(back(**tokenizer(TEXTS, padding=True, return_tensors="pt"), **pixels).logits_per_image, expected)


def test_long_texts_are_cut_and_none_give_none(theirs: tuple[Any, Any, Any], tmp_path: Path) -> None:
    ours: Any = gptwright.load(tmp_path / "theirs")
    assert ours.embed_texts(["cat " * 100]).shape == (1, 20)
    assert ours.embed_texts([]).shape == ours.embed_images([]).shape == (0, 20)
    many = ours.embed_texts(["the cat", "a dog"] * 20)
    torch.testing.assert_close(many[:2], many[38:])


def test_what_it_cannot_do_is_refused(theirs: tuple[Any, Any, Any], tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="got an encoder of images and texts"):
        load_decoder(tmp_path / "theirs")
    with pytest.raises(ArtifactError, match="a model without images for an adapter"):
        gptwright.load(tmp_path / "theirs", adapter=tmp_path)
    with pytest.raises(InputError, match="an empty file"):
        gptwright.load(tmp_path / "theirs").embed_images([b""])
