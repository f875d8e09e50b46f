"""vision gives a chat model an encoder, teaches both together, and goes on from what sees already."""

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

import gptwright
from gptwright.configs.tokenize import Tokenize
from gptwright.configs.vision import Vision
from gptwright.foundations.errors import ConfigError
from gptwright.images.named import as_data_uri, named_image
from gptwright.pipelines.load import load_decoder, load_writer
from gptwright.pipelines.vision_model import IMAGE_TOKEN, VisionModel
from gptwright.recipes.stage import execute_stage
from gptwright.serving.api import create_app
from gptwright.stages.vision import choose_parts, task_of
from gptwright.stages.vision import seeing as seeing_of
from gptwright.store.database import Store, open_store
from gptwright.store.labels import annotate
from gptwright.store.messages import find_message, keep_turns
from gptwright.store.ranking_lines import read_rankings
from gptwright.tasks.vision import read_conversations
from gptwright.tokenizers.chat_templates.parts import Message, PlacedImage, images_of
from gptwright.training.evaluation import read_evaluations

EMBEDDING = "decoder.embed.weight"  # in which the place of an image is new


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
    encoder: Any = gptwright.load(clip).network
    assert torch.equal(model.network.vision.norm.weight, encoder.image.norm.weight)
    theirs = load_decoder(tuned).network.embed.weight
    assert torch.equal(model.network.decoder.embed.weight[: len(theirs)], theirs)
    assert model.network.config.placeholder == len(theirs)


def test_the_projector_alone_learns(vision_config: Vision, tmp_path: Path) -> None:
    model, _ = seeing_of(vision_config)
    choose_parts(model.network, replace(vision_config, learn="projector"))
    assert {name.split(".")[0] for name, each in model.network.named_parameters() if each.requires_grad} == {
        "projector"
    }
    choose_parts(model.network, vision_config)
    unread = {name for name, each in model.network.named_parameters() if not each.requires_grad}
    assert unread and all(name.startswith(("vision.norm", "vision.blocks.3")) for name in unread)


def test_low_rank_paths_learn_in_both_and_the_projector_whole(vision_config: Vision, run: Path) -> None:
    config = replace(vision_config, lora=2, dtype="bfloat16", learning_rate=0.03)
    before, _ = seeing_of(config)
    after = opened(execute_stage("vision", config, run / "vision-lora").path).network.state_dict()
    changed = {name for name, weight in before.network.state_dict().items() if not torch.equal(weight, after[name])}
    decoder = {name for name in changed if name.startswith("decoder.")}
    encoder = {name for name in changed if name.startswith("vision.")}
    assert decoder and all("attention" in name and name.endswith("weight") for name in decoder - {EMBEDDING})
    assert encoder and all("attention" in name and name.endswith("weight") for name in encoder)
    assert not any(name.startswith("vision.blocks.3") for name in encoder), "a block that nobody reads"
    assert {name for name in changed if name.startswith("projector.")} == {
        f"projector.{name}" for name, _ in before.network.projector.named_parameters()
    }
    with pytest.raises(ConfigError, match="the projector alone"):
        replace(config, learn="projector")


def test_what_does_not_learn_stays_to_the_bit_in_bfloat16(vision_config: Vision, tmp_path: Path) -> None:
    config = replace(vision_config, steps=2, learn="projector", dtype="bfloat16")
    before, _ = seeing_of(config)
    after = opened(execute_stage("vision", config, tmp_path / "out").path).network
    for part in ("vision", "decoder"):
        for name, weight in before.network.get_submodule(part).state_dict().items():
            assert torch.equal(weight, after.get_submodule(part).state_dict()[name]), f"{part}.{name}"


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


def test_images_of_stored_conversations_are_learned(vision_config: Vision, pictures: Path, tmp_path: Path) -> None:
    """Demonstrations, and the best answers of rankings."""

    def turns(number: int, answer: str) -> list[Any]:
        image = named_image(f"sheet.png#xywh={8 * number},0,8,8", pictures)
        asked = Message(role="user", content="Who fell?", images=[PlacedImage(0, image)])
        return [asked, {"role": "assistant", "content": answer}]

    place = str(tmp_path / "store.sqlite")
    with open_store(place) as store, store.write() as session:
        annotate(session, "demonstration", keep_turns(session, turns(0, "The rain.")), True)
        for number in range(1, 9):
            ids = [keep_turns(session, turns(number, answer), model="m") for answer in ("A boat.", "The cat.")]
            annotate(
                session, "ranking", str(find_message(session, ids[0]).parent_id), {"answers": ids, "ranks": [2, 1]}
            )
    config = replace(vision_config, conversations=(), from_store=place, steps=1)
    out = execute_stage("vision", config, tmp_path / "out").path
    (shown,) = read_conversations(out / "from-store/demonstrations.jsonl")
    ranked = read_rankings(out / "from-store/rankings.jsonl")
    assert len(images_of(shown.messages)) == 1 and len({*images_of([m for r in ranked for m in r.messages])}) == 8
    told = replace(config, conversations=(out / "from-store/demonstrations.jsonl",), from_store=None)
    task = task_of(told, [out / "from-store/rankings.jsonl"])
    decode = task.model.tokenizer.decode
    said = {decode([id for id in one.ids.targets if id >= 0]).split("<|")[0] for one in task.train}
    assert said == {"The rain.", "The cat."} and all(len(one.images) == 1 for one in task.train)
    assert 1 < len(task.train) < 9, "what is held out for reward is not learned"


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


def test_it_is_asked_about_images_in_the_terminal(
    seeing: Path, tuned: Path, pictures: Path, gptwright: Callable[..., Any], refused: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    sheet = pictures / "sheet.png"
    words = ["Who fell?", "--temperature", 0, "--max-tokens", 4]
    with_image, without = (gptwright("generate", seeing, *words, *more) for more in (["--image", sheet], []))
    assert with_image.code == without.code == 0
    saved = tmp_path / "talk.jsonl"
    monkeypatch.setattr("sys.stdin", StringIO(f"Who fell?\n/image {sheet}\nAnd here?\n/save {saved}\n"))
    done = gptwright("chat", seeing, "--image", sheet, "--temperature", 0, "--max-tokens", 4)
    assert done.code == 0 and done.out.splitlines()[0] == with_image.out.rstrip("\n")
    (line,) = read_conversations(saved)
    assert [len(message.get("images", [])) for message in line.messages] == [1, 0, 1, 0]
    assert "a model that sees" in refused("chat", tuned, "--image", sheet)
    assert "cannot see" in refused("generate", tuned, "Who?", "--image", sheet)
    assert "nothing there" in refused("generate", seeing, "Who?", "--image", tmp_path / "none.png")


async def stored_answer(app: Any, uri: str) -> str:
    """What is said to the same question in a conversation that is kept."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
        path = "/api/conversations"
        path += f"/{(await client.post(path, json={})).json()['id']}"
        content = [{"type": "image_url", "image_url": {"url": uri}}, {"type": "text", "text": "Who fell?"}]
        message = (await client.post(f"{path}/messages", json={"role": "user", "content": content})).json()
        asked = {"message_id": message["id"], "model": "seeing", "temperature": 0, "max_tokens": 4}
        answer = (await client.post(f"{path}/answers", json=asked)).json()
        await client.get(f"/api/answers/{answer['id']}/events")
        refused = await client.post(f"{path}/answers", json=asked | {"model": "blind"})
        assert refused.status_code == 400 and refused.json()["error"]["param"] == "message_id"
        return str((await client.get(f"/api/answers/{answer['id']}")).json()["message"]["content"])


def test_it_is_asked_about_images_over_http(seeing: Path, tuned: Path, pictures: Path, tmp_path: Path) -> None:
    image = (pictures / "sheet.png").read_bytes()
    uri, writer = as_data_uri(image), load_writer(seeing)

    async def everything(store: Store) -> None:
        app = create_app({"seeing": writer, "blind": load_writer(tuned)}, store)

        async def ask(model: str, url: str, count: int = 1, role: str = "user") -> httpx.Response:
            part = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
            content = [*[part] * count, {"type": "text", "text": "Who fell?"}]
            asked = {"model": model, "messages": [{"role": role, "content": content}], "temperature": 0,
                     "max_tokens": 4, "store": True}  # fmt: skip
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
                return await client.post("/v1/chat/completions", json=asked)

        async with app.router.lifespan_context(app):
            answered = await ask("seeing", uri)
            assert answered.status_code == 200, answered.text
            placed = Message(role="user", content="Who fell?", images=[PlacedImage(0, image)])
            said = answered.json()["choices"][0]["message"]["content"] or ""
            assert said.strip() == load_writer(seeing).chat([placed], temperature=0.0, max_tokens=4).strip()
            assert await stored_answer(app, uri) == said
            elsewhere, broken = "https://example.org/a.png", "data:image/png;base64,aGk="
            wrongs: list[tuple[Any, ...]] = [
                ("blind", uri),
                ("seeing", elsewhere),
                ("seeing", broken),
                ("seeing", uri, 1, "system"),
                ("seeing", uri, 17),
                ("seeing", uri, 6),
            ]
            for wrong in wrongs:
                refused = await ask(*wrong)
                assert refused.status_code == 400 and refused.json()["error"]["message"], wrong[1][:30]

    with open_store(tmp_path / "store.sqlite") as store:
        asyncio.run(everything(store))


def test_it_is_scored_on_questions_about_images(
    seeing: Path, tuned: Path, pictures: Path, gptwright: Callable[..., Any], tmp_path: Path
) -> None:
    rows = [{"image": f"sheet.png#xywh={8 * i},0,8,8", "question": "Who fell?", "answer": "rain"} for i in range(12)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shutil.copy(pictures / "sheet.png", tmp_path)
    fields = {"dataset_path": "json", "dataset_kwargs": {"data_files": {"test": "rows.jsonl"}}, "test_split": "test",
              "doc_to_text": "{{question}}", "doc_to_image": "image", "doc_to_target": "{{answer}}"}  # fmt: skip
    chosen = {"task": "chosen", "output_type": "multiple_choice", "doc_to_choice": ["rain", "cat"]}
    written = {"task": "written", "generation_kwargs": {"max_gen_toks": 4}}
    for each in (chosen, written):
        (tmp_path / f"{each['task']}.yaml").write_text(json.dumps(fields | each))
    tasks = f"{tmp_path}/chosen.yaml,{tmp_path}/written.yaml"
    out = tmp_path / "out"
    done = gptwright("evaluate", seeing, "--tasks", tasks, "--shuffle-images", "--threads", 1, "--out", out)
    assert done.code == 0, done.err
    assert "With images at random" in done.out
    files = [(out / f"chosen-0{suffix}.jsonl").read_text() for suffix in ("", "-shuffled")]
    plain, shuffled = ([json.loads(line)["logprobs"] for line in text.splitlines()] for text in files)
    assert len(plain) == 12 and plain != shuffled
    assert sorted(x for x, _ in plain) == pytest.approx(sorted(x for x, _ in shuffled), abs=1e-4)
    blind = gptwright("evaluate", tuned, "--tasks", tasks, "--threads", 1)
    assert blind.code == 0 and "12 without images, for the model cannot see" in blind.err
