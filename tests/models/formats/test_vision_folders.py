"""Folders of CLIP and LLaVA: transformers computes the same from ours, we from theirs."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tests.models.test_vision_language import ENCODER

from gptwright.foundations.errors import ArtifactError, ConfigError
from gptwright.interpretability.sight import Sight
from gptwright.models.formats.clip import read_clip, write_clip
from gptwright.models.formats.llava import read_llava, write_llava
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.gpt3 import GPT3Config
from gptwright.models.vision import ViTConfig
from gptwright.models.vision_language import VisionLanguageConfig, VisionLanguageModel, with_room

VISION = {
    "hidden_size": 24, "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 4, "image_size": 32,
    "patch_size": 8,
}  # fmt: skip
TEXT = {
    "vocab_size": 60, "hidden_size": 16, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2,
    "max_position_embeddings": 12, "bos_token_id": 58, "eos_token_id": 59,
}  # fmt: skip
LLAMA = {
    "vocab_size": 60, "hidden_size": 20, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 5,
    "num_key_value_heads": 1, "max_position_embeddings": 64, "bos_token_id": 0, "eos_token_id": 0,
}  # fmt: skip
PLACE, PATCHES = 50, 16
IMAGES = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
TEXTS, LAST = torch.tensor([[58, 4, 9, 7, 59, 1], [58, 3, 59, 1, 1, 1], [58, 8, 8, 8, 8, 59]]), torch.tensor([4, 2, 5])
IDS = torch.tensor([with_room(text, PLACE, PATCHES) for text in ([1, PLACE, 7, 8], [PLACE, 9, 3, 4])])


def randomised(model: Any, folder: Path) -> Any:
    """With large weights everywhere, and saved."""
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0.0, 0.2)
    model.eval().save_pretrained(folder)
    return model


@pytest.fixture
def clip(tmp_path: Path) -> Any:
    config = transformers.CLIPConfig(text_config=TEXT, vision_config=VISION, projection_dim=20)
    return randomised(transformers.CLIPModel(config), tmp_path / "theirs")


def llava_of(folder: Path, **text: Any) -> Any:
    config = transformers.LlavaConfig(
        vision_config=transformers.CLIPVisionConfig(**VISION),
        text_config=transformers.LlamaConfig(**LLAMA, **text),
        image_token_index=PLACE,
        image_seq_length=PATCHES,
    )
    return randomised(transformers.LlavaForConditionalGeneration(config), folder)


@pytest.fixture
def llava(tmp_path: Path) -> Any:
    return llava_of(tmp_path / "theirs")


def change(folder: Path, **fields: Any) -> None:
    """A field of config.json, or of a table in it."""
    path = folder / "config.json"
    table = json.loads(path.read_text())
    for name, value in fields.items():
        table[name] = table[name] | value if isinstance(value, dict) and name in table else value
    path.write_text(json.dumps(table))


def same_tensors(one: Path, two: Path) -> bool:
    before, after = (load_file(folder / "model.safetensors") for folder in (one, two))
    return before.keys() == after.keys() and all(torch.equal(before[name], after[name]) for name in before)


@torch.no_grad()
def test_clip_goes_both_ways(clip: Any, tmp_path: Path) -> None:
    ours = read_clip(tmp_path / "theirs")
    expected = clip(input_ids=TEXTS, pixel_values=IMAGES)
    torch.testing.assert_close(ours.embed_images(IMAGES), expected.image_embeds, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(ours.embed_texts(TEXTS, LAST), expected.text_embeds, atol=1e-5, rtol=0.0)
    assert (ours(IMAGES, TEXTS, LAST) - expected.logits_per_image).abs().max() <= 1e-4
    (tmp_path / "back").mkdir()
    write_clip(ours, tmp_path / "back", {"bos_token_id": 58, "eos_token_id": 59})
    assert same_tensors(tmp_path / "theirs", tmp_path / "back")
    again = transformers.CLIPModel.from_pretrained(tmp_path / "back").eval()
    assert torch.equal(again(input_ids=TEXTS, pixel_values=IMAGES).logits_per_image, expected.logits_per_image)


@torch.no_grad()
def test_every_layer_of_the_image_encoder_computes_the_same(clip: Any, tmp_path: Path) -> None:
    ours = read_clip(tmp_path / "theirs").image
    states = clip.vision_model(IMAGES, output_hidden_states=True).hidden_states
    for layers, expected in enumerate(states):
        torch.testing.assert_close(ours.states(IMAGES, layers), expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(ours.features(IMAGES), states[-2][:, 1:], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_where_the_heads_of_both_look_is_where_those_of_transformers_look(llava: Any, tmp_path: Path) -> None:
    llava.set_attn_implementation("eager")
    ours = read_llava(tmp_path / "theirs")
    ids, images = IDS[:1], IMAGES[:1]
    expected = llava(input_ids=ids, pixel_values=images, output_attentions=True).attentions
    sight = Sight(ours, images, ["data:"])
    trace = ours.decoder.trace(ids, sight.embeddings(ids))
    encoder = llava.model.vision_tower(images, output_attentions=True).attentions
    seen = ours.vision.trace(images, -2).attention
    assert len(trace.attention) == len(expected) == 2 and len(seen) == 2, "the last layer is not read"
    for found, reference in zip([*trace.attention, *seen], [*expected, *encoder[:2]], strict=True):
        torch.testing.assert_close(found, reference, atol=1e-5, rtol=0)


@torch.no_grad()
def test_early_clip_folders_are_read(clip: Any, tmp_path: Path) -> None:
    """Sizes under second names, buffers among the tensors, settings of generation: as OpenAI's folders have them."""
    folder = tmp_path / "theirs"
    table = json.loads((folder / "config.json").read_text())
    change(folder, vision_config_dict=table["vision_config"], text_config_dict=None, initializer_factor=1.0)
    change(folder, text_config={"top_k": 50, "bad_words_ids": None, "dropout": 0.0, "torchscript": False})
    tensors = load_file(folder / "model.safetensors") | {
        "text_model.embeddings.position_ids": torch.arange(12)[None],
        "vision_model.embeddings.position_ids": torch.arange(17)[None],
    }
    save_file(tensors, folder / "model.safetensors")
    expected = clip(input_ids=TEXTS, pixel_values=IMAGES).logits_per_image
    assert (read_clip(folder)(IMAGES, TEXTS, LAST) - expected).abs().max() <= 1e-4


@torch.no_grad()
@pytest.mark.parametrize("tied", [False, True])
def test_llava_goes_both_ways(tmp_path: Path, tied: bool) -> None:
    theirs = llava_of(tmp_path / "theirs", tie_word_embeddings=tied)
    ours = read_llava(tmp_path / "theirs")
    expected = theirs(input_ids=IDS, pixel_values=IMAGES).logits
    assert (ours(IDS, IMAGES) - expected).abs().max() <= 1e-4
    words = torch.tensor([[4, 9, 2, 33]])
    assert (ours(words) - theirs(input_ids=words).logits).abs().max() <= 1e-4
    assert (ours.decoder.output is ours.decoder.embed.weight) is tied
    (tmp_path / "back").mkdir()
    write_llava(ours, tmp_path / "back", {"bos_token_id": 0, "eos_token_id": 0})
    again = transformers.LlavaForConditionalGeneration.from_pretrained(tmp_path / "back").eval()
    assert torch.equal(again(input_ids=IDS, pixel_values=IMAGES).logits, expected)
    assert torch.equal(read_llava(tmp_path / "back")(IDS, IMAGES), ours(IDS, IMAGES))


@torch.no_grad()
def test_names_of_all_versions_are_read(llava: Any, tmp_path: Path) -> None:
    folder, expected = tmp_path / "theirs", llava(input_ids=IDS, pixel_values=IMAGES).logits
    for renamed in ({"vision_tower.": "vision_tower.vision_model."},
                    {"language_model.model.": "model.language_model.", "language_model.lm_head.": "lm_head.",
                     "vision_tower.": "model.vision_tower.", "multi_modal": "model.multi_modal"}):  # fmt: skip
        tensors = {}
        for name, tensor in load_file(folder / "model.safetensors").items():
            old = next((old for old in renamed if name.startswith(old)), "")
            tensors[renamed.get(old, "") + name.removeprefix(old)] = tensor
        (tmp_path / "named").mkdir(exist_ok=True)
        (tmp_path / "named" / "config.json").write_text((folder / "config.json").read_text())
        save_file(tensors, tmp_path / "named" / "model.safetensors")
        assert (read_llava(tmp_path / "named")(IDS, IMAGES) - expected).abs().max() <= 1e-4


@torch.no_grad()
def test_one_matrix_as_projector_goes_both_ways(llava: Any, tmp_path: Path) -> None:
    config = read_llava(tmp_path / "theirs").config
    sizes = {"image": config.image, "text": config.text, "placeholder": PLACE}
    model = VisionLanguageModel(VisionLanguageConfig(**sizes, projector="linear", layer=-1))
    model.initialise(0)
    (tmp_path / "ours").mkdir()
    write_llava(model.eval(), tmp_path / "ours", {"bos_token_id": 0, "eos_token_id": 0})
    theirs = transformers.LlavaForConditionalGeneration.from_pretrained(tmp_path / "ours").eval()
    assert (theirs(input_ids=IDS, pixel_values=IMAGES).logits - model(IDS, IMAGES)).abs().max() <= 1e-4
    again = read_llava(tmp_path / "ours")
    assert again.config == model.config
    assert torch.equal(again(IDS, IMAGES), model(IDS, IMAGES))


@torch.no_grad()
def test_a_gpt2_behind_the_encoder_is_opened(tmp_path: Path) -> None:
    """Its output is its embedding, which `transformers` ties under another name alone: both are written."""
    text = GPT2Config(vocab=60, context=64, width=24, heads=2, layers=2)
    image = ViTConfig(image_size=32, patch=8, width=24, heads=4, layers=3)
    model = VisionLanguageModel(VisionLanguageConfig(image=image, text=text, placeholder=PLACE)).eval()
    model.initialise(0)
    write_llava(model, tmp_path, {"bos_token_id": 0, "eos_token_id": 0})
    theirs: Any = transformers.LlavaForConditionalGeneration.from_pretrained(tmp_path).eval()
    assert (theirs(input_ids=IDS, pixel_values=IMAGES).logits - model(IDS, IMAGES)).abs().max() <= 1e-4
    again = read_llava(tmp_path)
    assert again.config == model.config and again.decoder.output is again.decoder.embed.weight
    assert torch.equal(again(IDS, IMAGES), model(IDS, IMAGES))


@torch.no_grad()
def test_a_decoder_that_transformers_lacks_keeps_its_folder(tmp_path: Path) -> None:
    text = GPT3Config(vocab=50, context=32, width=12, heads=3, layers=2, reach=4)
    model = VisionLanguageModel(VisionLanguageConfig(image=ENCODER, text=text, placeholder=49)).eval()
    model.initialise(0)
    write_llava(model, tmp_path, {})
    again = read_llava(tmp_path)
    ids, images = torch.tensor([with_room([1, 49, 2], 49, 4)]), torch.randn(1, 3, 8, 8)
    assert again.config == model.config
    assert torch.equal(again(ids, images), model(ids, images))


@pytest.mark.parametrize(("fields", "needed"), [
    ({"vision_config": {"hidden_act": "gelu"}}, "hidden_act = 'quick_gelu'"),
    ({"vision_config": {"model_type": "siglip_vision_model"}}, "model_type 'clip_vision_model'"),
    ({"vision_config": {"intermediate_size": 48}}, "intermediate_size 96"),
    ({"vision_config": {"patch_size": 7}}, "a patch that divides"),
    ({"vision_feature_select_strategy": "full"}, "vision_feature_select_strategy = 'default'"),
    ({"vision_feature_layer": [-2, -5]}, "a whole number as 'vision_feature_layer'"),
    ({"projector_hidden_act": "relu"}, "projector_hidden_act gelu or linear"),
    ({"image_token_index": 99}, "a placeholder below the 60"),
    ({"mystery": 3}, "only fields that a llava is known to have"),
    ({"text_config": {"model_type": "bert"}}, "hidden_act = 'gelu'"),
    ({"model_type": "llava_next"}, "model_type 'llava'"),
])  # fmt: skip
def test_what_would_be_computed_otherwise_is_refused(
    llava: Any, tmp_path: Path, fields: dict[str, Any], needed: str
) -> None:
    change(tmp_path / "theirs", **fields)
    with pytest.raises((ArtifactError, ConfigError), match=needed):
        read_llava(tmp_path / "theirs")


@pytest.mark.parametrize("name", ["vision_tower.post_layernorm.bias", "multi_modal_projector.linear_2.weight",
                                  "language_model.model.norm.weight"])  # fmt: skip
def test_a_tensor_too_few_or_too_many_is_refused(llava: Any, tmp_path: Path, name: str) -> None:
    path = tmp_path / "theirs" / "model.safetensors"
    tensors = load_file(path)
    for others in (tensors | {f"{name}.more": torch.zeros(2)}, tensors | {"image_newline": torch.zeros(2)},
                   {other: tensor for other, tensor in tensors.items() if other != name}):  # fmt: skip
        save_file(others, path)
        with pytest.raises(ArtifactError):
            read_llava(tmp_path / "theirs")
