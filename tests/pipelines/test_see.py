"""A look inside a loaded model: a text, a conversation, a text that is too long; what cannot be looked into."""

import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest
import torch
from PIL import Image

import gptwright
from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.images.decode import decode_image
from gptwright.images.named import data_uri
from gptwright.images.preprocess import Preprocessing
from gptwright.inference.sampling import Sampling
from gptwright.interpretability.page import Page
from gptwright.models.bert import BERT
from gptwright.models.gpt2 import GPT2, GPT2Config
from gptwright.models.heads import with_head
from gptwright.models.vision import ViTConfig
from gptwright.models.vision_language import VisionLanguageConfig, VisionLanguageModel
from gptwright.pipelines.encoder import Encoder
from gptwright.pipelines.model import Model
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.pipelines.vision_model import VisionModel
from gptwright.tokenizers import bytelevel
from gptwright.tokenizers.chat_templates.parts import PlacedImage
from gptwright.tokenizers.tokenizer import Tokenizer

OTHER = "she sells sea shells by the sea shore and the shells that she sells are real shells for sure, friend " * 3


def picture(colour: tuple[int, int, int]) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (20, 12), colour).save(buffer, "PNG")
    return buffer.getvalue()


RED, BLUE = picture((255, 0, 0)), picture((0, 0, 255))


@pytest.fixture
def model(network: GPT2, tokenizer: Tokenizer) -> Model:
    return Model(network, tokenizer, "tiny")


def view(page: Page) -> Any:
    found = re.search(r'id="data">(.*?)</script>', page.html, re.DOTALL)
    assert found
    return json.loads(found[1])


def said(seen: Any) -> str:
    return "".join(seen["texts"][str(id)] for id in seen["tokens"])


def test_a_text(model: Model) -> None:
    seen = view(gptwright.see(model, "the cat sat"))
    assert said(seen).endswith("the cat sat") and seen["model"] == "tiny" and seen["note"] == ""
    assert seen["about"].startswith("gpt2, 2 layers × 32, ") and "parameters" in seen["about"]


def test_letters_of_several_tokens_and_special_tokens_have_a_text(model: Model) -> None:
    seen = view(gptwright.see(model, "é 猫"))
    assert len(seen["tokens"]) >= 5 and "�" in said(seen)
    assert "<|user|>" in said(view(gptwright.see(model, "the cat", chat=True, max_tokens=1)))


def test_a_conversation_is_answered_first_by_the_likeliest(model: Model) -> None:
    seen = view(gptwright.see(model, "the cat", chat=True, max_tokens=5))
    asked = model.chat_ids([{"role": "user", "content": "the cat"}])
    answer = model.generate_ids(asked, replace(Sampling(), max_tokens=5, temperature=0.0))
    assert seen["tokens"] == [*asked, *answer] and 1 <= len(answer) <= 5


def test_of_a_long_text_the_beginning_is_shown_and_said(model: Model) -> None:
    seen = view(gptwright.see(model, "the cat sat on the mat " * 30))
    assert len(seen["tokens"]) == 64 and "the cat sat on" in said(seen)
    assert re.fullmatch(r"64 of \d+ tokens are shown\.", seen["note"])


def test_other_stages_need_the_same_tokenizer(model: Model, network: GPT2) -> None:
    seen = view(gptwright.see(model, "the cat", stages=[Model(network, model.tokenizer, "sft")]))
    assert [stage["name"] for stage in seen["stages"]] == ["sft"]
    other = bytelevel.train([OTHER], 290)
    with pytest.raises(InputError, match="sft, which has another"):
        gptwright.see(model, "the cat", stages=[Model(network, other, "sft")])


def test_an_encoder(encoder_network: BERT, wordpiece: Tokenizer) -> None:
    encoder = Encoder(encoder_network, wordpiece, "bert")
    seen = view(gptwright.see(encoder, "the cat sat"))
    assert said(seen) == "[CLS] the cat sat[SEP]" and seen["reads"] == "both sides"
    with pytest.raises(InputError, match="Leave out --chat"):
        gptwright.see(encoder, "the cat", chat=True)


def test_nothing_to_read_and_another_kind(model: Model, network: GPT2, tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match=r"(?s)1 to 64 tokens.*Give a text"):
        gptwright.see(model, "")
    with pytest.raises(ArtifactError, match="needed a decoder, an encoder or a translator"):
        gptwright.see(SequenceScorer(with_head(network, "reward"), tokenizer, "judge"), "the cat")


def test_a_translation_and_where_it_looks(tokenizer: Tokenizer) -> None:
    translator = _translator(tokenizer)
    seen = view(gptwright.see(translator, "the cat sat"))
    (source,), network = translator.sources(["the cat sat"]), translator.network
    (written,) = translator.translated([source], translator.search)
    target = [translator.bos, *written, translator.eos]
    assert seen["tokens"] == [*source, *target] and seen["parts"] == ["encoder", "decoder", "source"]
    assert seen["said"]["ids"][: len(source)] == [[]] * len(source)
    expected = (
        network(torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([target]))[0].softmax(-1).detach()
    )
    actual = [float(expected[at, id]) for at, id in enumerate(target[1:])]
    assert seen["said"]["actual"][len(source) : -1] == pytest.approx(actual, abs=1e-4)


def test_what_a_translator_is_not_asked(tokenizer: Tokenizer, model: Model) -> None:
    for asked, word in (({"chat": True}, "a conversation"), ({"stages": [model]}, "other stages")):
        with pytest.raises(InputError, match=word):
            gptwright.see(_translator(tokenizer), "the cat", **asked)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="an empty one"):
        gptwright.see(_translator(tokenizer), "")
    with pytest.raises(InputError, match="32"):
        gptwright.see(_translator(tokenizer), "the cat sat on the mat " * 30)


@pytest.fixture
def seeing(tokenizer: Tokenizer) -> VisionModel:
    config = VisionLanguageConfig(
        image=ViTConfig(image_size=8, patch=4, width=16, heads=2, layers=2),
        text=GPT2Config(vocab=tokenizer.vocab + 1, context=40, width=32, heads=2, layers=2),
        placeholder=tokenizer.vocab,
    )
    network = VisionLanguageModel(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0.0, 0.3)
    return VisionModel(network.eval(), tokenizer.with_additional(["<|image|>"]), "seeing", Preprocessing(size=8))


def test_a_text_with_images(seeing: VisionModel) -> None:
    place = seeing.network.config.placeholder
    seen = view(gptwright.see(seeing, "the <image>cat", images=[RED]))
    ids = seeing.placed_ids("the <image>cat")
    first = ids.index(place)
    assert seen["tokens"] == [*ids[:first], *[place] * 4, *ids[first + 1 :]]
    (picture,) = seen["images"]["pictures"]
    assert seen["images"]["side"] == 2 and picture["first"] == first
    shown = decode_image(data_uri(picture["uri"]))
    assert shown.size == (8, 8) and shown.getpixel((3, 3)) == (255, 0, 0)
    logits = seeing.logits(ids, [RED]).softmax(-1)
    after = first + 4
    actual = seen["said"]["actual"][after - 1]
    assert actual == pytest.approx(float(logits[after - 1, seen["tokens"][after]]), abs=1e-4)
    before = view(gptwright.see(seeing, "cat", images=[RED, BLUE]))
    assert before["tokens"][: before["tokens"].index(place) + 8][-8:] == [place] * 8, "where no place is named: before"


def test_an_answer_about_images(seeing: VisionModel) -> None:
    for text, said in (("Who fell?", [PlacedImage(0, RED)]), ("Who <image>fell?", [PlacedImage(4, RED)])):
        message: Any = {"role": "user", "content": "Who fell?", "images": said}
        asked = seeing.writer.chat_ids([message])
        seen = view(gptwright.see(seeing.writer, text, images=[RED], chat=True, max_tokens=3))
        assert seen["tokens"][: len(asked)] == asked and 1 <= len(seen["tokens"]) - len(asked) <= 3
        answer = seeing.writer.chat([message], max_tokens=3, temperature=0.0)
        assert seeing.tokenizer.decode(seen["tokens"][len(asked) :]).startswith(answer)


def test_stages_beside_images_see_them_too(seeing: VisionModel) -> None:
    seen = view(gptwright.see(seeing, "cat", images=[RED], stages=[seeing.writer]))
    assert seen["stages"][0]["actual"] == seen["said"]["actual"]
    blind = Model(seeing.network.decoder, seeing.tokenizer, "blind")
    with pytest.raises(InputError, match=r"(?s)a stage that sees.*blind"):
        gptwright.see(seeing, "cat", images=[RED], stages=[blind])
    assert "images" not in view(gptwright.see(seeing, "cat", stages=[blind])), "a text alone is read as before"


def test_images_that_cannot_be_seen(seeing: VisionModel, model: Model, tokenizer: Tokenizer) -> None:
    for blind in (model, _translator(tokenizer)):
        with pytest.raises(InputError, match=r"(?s)a model that sees.*reads text alone"):
            gptwright.see(blind, "the cat", images=[RED])
    for chat in (False, True):
        with pytest.raises(InputError, match=r"(?s)2 images, one for each <image>.*got 1"):
            gptwright.see(seeing, "<image> and <image>", images=[RED], chat=chat)
    with pytest.raises(InputError, match=r"(?s)1 images, one for each <image>.*got 0"):
        gptwright.see(seeing, "what is <image>?")
    with pytest.raises(InputError, match="40 tokens and patches, the model's context"):
        gptwright.see(seeing, "cat", images=[RED] * 12)
    with pytest.raises(InputError):
        gptwright.see(seeing, "cat", images=[RED] * 12, chat=True)
    with pytest.raises(InputError, match="a PNG, JPEG"):
        gptwright.see(seeing, "cat", images=[b"no picture"])


def test_more_patches_than_a_page_shows_are_refused(seeing: VisionModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gptwright.interpretability.inside.MOST", 9)
    with pytest.raises(InputError, match=r"(?s)at most 9 tokens and patches, 4 an image.*Give fewer images"):
        gptwright.see(seeing, "the cat", images=[RED, BLUE])


def _translator(tokenizer: Tokenizer) -> Any:
    from gptwright.models.catalogue import build, preset
    from gptwright.pipelines.translator import Translator

    nano = preset("transformer-nano")
    network = build(replace(nano, vocab=tokenizer.vocab, context=32, width=16, heads=2, layers=1))
    return Translator(network, tokenizer, "to-german")
