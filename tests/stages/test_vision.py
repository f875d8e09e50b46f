"""vision gives a chat model an encoder, teaches both together, and goes on from what sees already."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import gptwright
from gptwright.configs.tokenize import Tokenize
from gptwright.configs.vision import Vision
from gptwright.pipelines.load import load_decoder, load_writer
from gptwright.pipelines.vision_model import IMAGE_TOKEN, VisionModel
from gptwright.recipes.stage import execute_stage
from gptwright.stages.vision import choose_parts, task_of
from gptwright.stages.vision import seeing as seeing_of
from gptwright.tokenizers.chat_templates.parts import Message, PlacedImage
from gptwright.training.evaluation import read_evaluations


def opened(folder: Path) -> VisionModel:
    model = gptwright.load(folder)
    assert isinstance(model, VisionModel)
    return model


def test_what_it_leaves(seeing: Path, pictures: Path) -> None:
    found = read_evaluations(seeing)
    names = {"heldout_answer_nats", "heldout_nats"}
    assert set(found["before"].metrics) == set(found["after"].metrics) == names
    assert found["after"].metrics["heldout_answer_nats"] < found["before"].metrics["heldout_answer_nats"]
    image = (pictures / "sheet.png").read_bytes()
    asked = [Message(role="user", content="Who fell?", images=[PlacedImage(0, image)])]
    writer = load_writer(seeing)
    assert writer.sees and writer.chat(asked, temperature=0.0, max_tokens=4) == writer.chat(
        asked, temperature=0.0, max_tokens=4)  # fmt: skip
    assert len(writer.chat_ids(asked)) == len(writer.chat_ids([Message(role="user", content="Who fell?")])) + 16


def test_the_encoder_is_clips_and_the_decoder_the_bases(vision_config: Vision, tuned: Path, clip: Path) -> None:
    model, _ = seeing_of(vision_config)
    assert torch.equal(model.network.vision.norm.weight, gptwright.load(clip).network.image.norm.weight)
    theirs = load_decoder(tuned).network.embed.weight
    assert torch.equal(model.network.decoder.embed.weight[: len(theirs)], theirs)
    assert model.network.config.placeholder == len(theirs)


def test_the_projector_alone_learns(vision_config: Vision, tmp_path: Path) -> None:
    model, _ = seeing_of(vision_config)
    choose_parts(model.network, "projector")
    assert {name.split(".")[0] for name, each in model.network.named_parameters() if each.requires_grad} == {
        "projector"
    }
    choose_parts(model.network, "all")
    unread = {name for name, each in model.network.named_parameters() if not each.requires_grad}
    assert unread and all(name.startswith(("vision.norm", "vision.blocks.3")) for name in unread)


def test_it_goes_on_from_what_sees(
    vision_config: Vision, prepared: Path, pretrain_config: Any, clip: Path, tmp_path: Path
) -> None:
    tokens = execute_stage("tokenize", Tokenize(text=prepared, vocab=300, special_tokens=(IMAGE_TOKEN,)),
                           tmp_path / "tokens").path  # fmt: skip
    base = execute_stage("pretrain", replace(pretrain_config, tokens=tokens, steps=2), tmp_path / "base").path
    asked = replace(vision_config, base=base, tokens=tokens, steps=2, learn="projector")
    first = execute_stage("vision", asked, tmp_path / "first").path
    again = replace(asked, base=first, encoder=None, learn="all")
    second = execute_stage("vision", again, tmp_path / "second").path
    before, after = opened(first).network, opened(second).network
    assert torch.equal(before.decoder.embed.weight, load_decoder(base).network.embed.weight)
    assert not torch.equal(before.decoder.embed.weight, after.decoder.embed.weight)
    assert task_of(again).text.windows and not task_of(asked).text.windows


def test_what_does_not_fit_is_refused(
    vision_config: Vision, seeing: Path, pictures: Path, material: Path, refused: Callable[..., str], tmp_path: Path
) -> None:
    def said(*, base: Path = vision_config.base, encoder: Any = vision_config.encoder, talk: Path) -> str:
        with_encoder = ["--encoder", encoder] if encoder else []
        return refused("vision", "--base", base, *with_encoder, "--conversations", talk, "--tokens",
                       vision_config.tokens, "--sequence-length", 16, "--out", tmp_path / "out")  # fmt: skip

    talk = pictures / "talk.jsonl"
    assert "to see with" in said(encoder=None, talk=talk)
    assert "to see with" in said(encoder=vision_config.base, talk=talk)
    assert "which sees" in said(base=seeing, talk=talk)
    assert "with images" in said(talk=material / "talk.jsonl")
    assert "a decoder" in refused("sft", "--base", seeing, "--conversations", material / "talk.jsonl", "--tokens",
                                  vision_config.tokens, "--out", tmp_path / "out")  # fmt: skip
