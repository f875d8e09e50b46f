"""A decoder that sees, opened from its folder: the engine writes what the network says, and images are read once."""

import io
from pathlib import Path
from unittest import mock

import pytest
import torch
from PIL import Image

import gptwright
from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.images.preprocess import Preprocessing
from gptwright.inference.sampling import Sampling
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.vision import ViTConfig
from gptwright.models.vision_language import VisionLanguageConfig, VisionLanguageModel
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.vision_model import VisionModel
from gptwright.tokenizers.tokenizer import Tokenizer

GREEDY = Sampling(temperature=0, max_tokens=6)


def picture(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 12), colour).save(buffer, "PNG")
    return buffer.getvalue()


RED, BLUE = picture((255, 0, 0)), picture((0, 0, 255))


@pytest.fixture
def model(tokenizer: Tokenizer, tmp_path: Path) -> VisionModel:
    config = VisionLanguageConfig(
        image=ViTConfig(image_size=8, patch=4, width=16, heads=2, layers=2),
        text=GPT2Config(vocab=tokenizer.vocab + 1, context=40, width=32, heads=2, layers=2),
        placeholder=tokenizer.vocab,
    )
    network = VisionLanguageModel(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0.0, 0.3)
    made = VisionModel(network.eval(), tokenizer, "seeing", Preprocessing(size=8), dtype="float32")
    made.save(tmp_path / "seeing")
    found = gptwright.load(tmp_path / "seeing", dtype="float32")
    assert isinstance(found, VisionModel)
    return found


def test_a_folder_holds_all_of_it(model: VisionModel, tmp_path: Path) -> None:
    files = {path.name for path in (tmp_path / "seeing").iterdir()}
    assert files >= {"config.json", "model.safetensors", "tokenizer.json", "preprocessor_config.json"}
    assert model.architecture == "LlavaForConditionalGeneration"
    assert (model.context, model.preprocessing) == (40, Preprocessing(size=8))


def test_the_engine_writes_what_the_network_says(model: VisionModel) -> None:
    place = model.network.config.placeholder
    ids, images = [5, place, 7, place, 9], [RED, BLUE]
    written: list[int] = []
    for _ in range(6):
        written.append(int(model.logits([*ids, *written], images)[-1].argmax()))
        if written[-1] in model.tokenizer.stop_ids:
            break
    assert model.generate_ids(ids, images, GREEDY) == written
    assert model.logits(ids, images).shape == (3 + 2 * 4, model.network.config.vocab)
    assert not torch.allclose(model.logits(ids, images)[-1], model.logits(ids, [BLUE, RED])[-1], atol=1e-3)


def test_without_images_it_is_its_decoder(model: VisionModel) -> None:
    assert model.generate_ids([5, 7, 9], sampling=GREEDY) == model.writer.generate_ids([5, 7, 9], GREEDY)
    assert model.generate("the cat", temperature=0.0) == model.writer.generate("the cat", temperature=0.0)


def test_a_text_says_where_its_images_stand(model: VisionModel) -> None:
    place, encode = model.network.config.placeholder, model.tokenizer.encode
    ids = [*model.writer.text_ids("the "), place, *encode(" sat on "), place]
    room, content = model.prompt(ids, [RED, BLUE])
    assert [i for i, id in enumerate(room) if id == place] == sorted(content)
    expected = model.generate_ids(ids, [RED, BLUE], GREEDY)
    said = model.generate("the <image> sat on <image>", [RED, BLUE], max_tokens=6, temperature=0.0)
    assert said == model.tokenizer.decode([id for id in expected if id not in model.tokenizer.stop_ids])


def test_an_image_is_encoded_once(model: VisionModel) -> None:
    place = model.network.config.placeholder
    with mock.patch.object(model.network.vision, "features", wraps=model.network.vision.features) as features:
        model.generate_ids([5, place], [RED], GREEDY)
        model.generate_ids([5, place, 7, place, 3], [RED, RED], GREEDY)
        assert features.call_count == 1
        model.generate_ids([5, place], [BLUE], GREEDY)
        assert features.call_count == 2


def test_equal_files_have_equal_keys_and_others_none_in_common(model: VisionModel) -> None:
    place = model.network.config.placeholder
    red, again, blue = ([each.key for each in model.prompt([place], [image])[1].values()] for image in (RED, RED, BLUE))
    assert red == again and len({*red, *blue}) == 8


def test_what_does_not_fit_is_refused(model: VisionModel, tmp_path: Path) -> None:
    place = model.network.config.placeholder
    with pytest.raises(InputError, match="1 images, one for each <image>; got 0"):
        model.generate("see <image>")
    with pytest.raises(InputError, match="0 images, one for each <image>; got 1"):
        model.generate("see", [RED])
    with pytest.raises(InputError, match=r"at most 40 tokens and patches.*; got 44, of which images are 44"):
        model.generate_ids([place] * 11, [RED] * 11)
    with pytest.raises(InputError, match="an SVG"):
        model.generate("<image>", [b"<svg/>"])
    with pytest.raises(ArtifactError, match="got a decoder that sees"):
        load_decoder(tmp_path / "seeing")
    with pytest.raises(ArtifactError, match="a model without images for an adapter"):
        gptwright.load(tmp_path / "seeing", adapter=tmp_path)
