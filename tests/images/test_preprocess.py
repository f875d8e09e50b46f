"""What the encoder reads is what transformers' CLIPImageProcessor makes of the same image, to the bit."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from gptwright.foundations.errors import ArtifactError
from gptwright.images.preprocess import MEAN, STD, Preprocessing, read_preprocessing, write_preprocessing


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(3).integers(0, 255, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("size", [(32, 32), (1, 1), (31, 33), (64, 64), (100, 37), (37, 100), (3, 250), (640, 480)])
def test_it_is_clip_s_own(size: tuple[int, int]) -> None:
    theirs = CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    expected = theirs(noise(*size), return_tensors="pt")["pixel_values"]
    assert torch.equal(Preprocessing(size=32)([noise(*size)]), expected)


def test_images_come_as_a_batch_in_their_order() -> None:
    images, prepare = [noise(9, 7), Image.new("RGB", (50, 50), (255, 0, 0))], Preprocessing(size=8)
    batch = prepare(images)
    assert batch.shape == (2, 3, 8, 8) and batch.dtype == torch.float32
    assert all(torch.equal(batch[i : i + 1], prepare([image])) for i, image in enumerate(images))
    red = torch.tensor([(value - mean) / std for value, mean, std in zip((1, 0, 0), MEAN, STD, strict=True)])
    torch.testing.assert_close(batch[1, :, 0, 0], red)


def test_its_file_goes_both_ways(tmp_path: Path) -> None:
    ours = Preprocessing(size=24, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25))
    write_preprocessing(ours, tmp_path)
    assert read_preprocessing(tmp_path, 24) == ours
    theirs = CLIPImageProcessorPil.from_pretrained(tmp_path)
    expected = theirs(noise(70, 50), return_tensors="pt")["pixel_values"]
    assert torch.equal(ours([noise(70, 50)]), expected)
    theirs.save_pretrained(tmp_path / "back")
    assert read_preprocessing(tmp_path / "back", 24) == ours


def test_folders_of_all_versions_are_read(tmp_path: Path) -> None:
    assert read_preprocessing(tmp_path, 224) == Preprocessing()
    early = {"crop_size": 224, "do_center_crop": True, "do_normalize": True, "do_resize": True, "resample": 3,
             "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": [*MEAN], "image_std": [*STD],
             "size": 224}  # fmt: skip
    path = tmp_path / "preprocessor_config.json"
    path.write_text(json.dumps(early))
    assert read_preprocessing(tmp_path, 224) == Preprocessing()
    path.rename(tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": early}))
    assert read_preprocessing(tmp_path, 224) == Preprocessing()


@pytest.mark.parametrize(("fields", "needed"), [
    ({"do_center_crop": False}, "do_center_crop for True"),
    ({"resample": 2}, "resample for 3"),
    ({"size": {"height": 224, "width": 224}}, "size for 224"),
    ({"crop_size": 336}, "crop_size for 224"),
    ({"rescale_factor": 1.0}, "rescale_factor for 1.0"),
    ({"image_mean": [0.5]}, "three numbers as 'image_mean'"),
])  # fmt: skip
def test_what_would_not_be_done_is_refused(tmp_path: Path, fields: dict[str, Any], needed: str) -> None:
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(fields))
    with pytest.raises(ArtifactError, match=needed):
        read_preprocessing(tmp_path, 224)
