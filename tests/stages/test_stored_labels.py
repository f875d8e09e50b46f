"""What stages learn of a store is what they learn of its files, and stays what it was when they began."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gptwright.configs.rank import Rank
from gptwright.configs.reward import Reward
from gptwright.configs.sft import SFT
from gptwright.configs.vision import Vision
from gptwright.foundations.atomic_io import sha256
from gptwright.foundations.errors import ConfigError, InputError
from gptwright.recipes.stage import execute_stage
from gptwright.stages.stored_labels import identity_of_labels, stored_labels
from gptwright.store.database import open_store
from gptwright.store.labels import annotate
from gptwright.store.messages import keep_turns
from gptwright.tasks.vision import read_conversations
from gptwright.text.jsonl import read_objects
from gptwright.tokenizers.chat_templates.parts import PlacedImage, images_of

from .conftest import Command, asked, said

WEIGHTS = "model/model.safetensors"


def test_a_reward_model_of_a_store_is_that_of_its_file(
    reward_config: Reward, rewarded: Path, rankings: Path, gptwright: Command, tmp_path: Path
) -> None:
    store = str(tmp_path / "store.sqlite")
    assert gptwright("store", "import", store, rankings).code == 0
    config = replace(reward_config, rankings=(), from_store=store)
    folder = execute_stage("reward", config, tmp_path / "reward").path
    assert sha256(folder / WEIGHTS) == sha256(rewarded / WEIGHTS)
    assert read_objects(folder / "from-store/rankings.jsonl") == read_objects(rankings)


def test_a_model_that_was_taught_from_a_store_is_that_of_its_file(
    sft_config: SFT, tuned: Path, material: Path, gptwright: Command, tmp_path: Path
) -> None:
    store = str(tmp_path / "store.sqlite")
    assert gptwright("store", "import", store, material / "talk.jsonl", "--format", "demonstrations").code == 0
    config = replace(sft_config, conversations=(), from_store=store)
    folder = execute_stage("sft", config, tmp_path / "sft").path
    assert sha256(folder / WEIGHTS) == sha256(tuned / WEIGHTS)


def test_prompts_of_a_store_are_ranked(rank_config: Rank, tmp_path: Path) -> None:
    store = str(tmp_path / "store.sqlite")
    config = replace(rank_config, text=None, from_store=store)
    with open_store(store):
        pass
    with pytest.raises(InputError, match="prompts in the store"):
        execute_stage("rank", config, tmp_path / "rank")
    assert not (tmp_path / "rank").exists()
    with open_store(store) as opened, opened.write() as session:
        turns: Any
        for i in range(6):
            keep_turns(session, turns := said(f"What is {i}?", "A number."), model="m")
            keep_turns(session, [*turns, *said("And that?", "Another.")], model="m")
    folder = execute_stage("rank", config, tmp_path / "rank").path
    found = [line["messages"] for line in read_objects(folder / "prompts.jsonl")]
    assert len(found) == 12 and all(asked(f"What is {i}?") in found for i in range(6))


def test_what_is_learned_is_what_the_stage_began_with(
    reward_config: Reward, rankings: Path, gptwright: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = str(tmp_path / "store.sqlite")
    gptwright("store", "import", store, rankings)
    before = identity_of_labels(store)
    config = replace(reward_config, rankings=(), from_store=store)
    with monkeypatch.context() as broken, pytest.raises(ZeroDivisionError):
        broken.setattr("gptwright.stages.reward.train_steps", lambda *_, **__: [1 / 0])
        execute_stage("reward", config, tmp_path / "reward")
    with open_store(store) as opened, opened.write() as session:
        turns: Any = said("Hi", "Hello")
        annotate(session, "thumb", keep_turns(session, turns), "up")
        annotate(session, "demonstration", keep_turns(session, turns), True)
    assert identity_of_labels(store) != before
    (tmp_path / "more.jsonl").write_text('{"prompt": "x", "answers": ["a", "b"], "ranks": [1, 2]}\n')
    gptwright("store", "import", store, tmp_path / "more.jsonl")
    folder = execute_stage("reward", config, tmp_path / "reward").path
    assert len(read_objects(folder / "from-store/rankings.jsonl")) == 12


@pytest.mark.parametrize("make", [
    lambda **more: Reward(base=Path(), **more),
    lambda **more: SFT(base=Path(), tokens=Path(), **more),
    lambda **more: Rank(model=Path(), **more),
    lambda **more: Vision(base=Path(), tokens=Path(), **more),
])  # fmt: skip
def test_something_to_learn_is_needed_and_no_password(make: Callable[..., object]) -> None:
    with pytest.raises(ConfigError, match=r"none|neither"):
        make()
    with pytest.raises(ConfigError, match="PGPASSWORD") as refused:
        make(from_store="postgresql://anna:secret@host/x")
    assert "secret" not in str(refused.value)
    make(from_store="postgresql://anna@host/x")


def test_conversations_about_images_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Any] = [{"role": "user", "content": "What?", "images": [PlacedImage(0, b"image")]}]
    answer: list[Any] = [{"role": "assistant", "content": "A cat."}]
    with open_store(tmp_path) as store, store.write() as session:
        annotate(session, "demonstration", keep_turns(session, [*asked("Hi"), *answer]), True)
    alone = identity_of_labels(str(tmp_path))
    with open_store(tmp_path) as store, store.write() as session:
        annotate(session, "demonstration", keep_turns(session, [*seen, *answer]), True)
    assert identity_of_labels(str(tmp_path)) == alone
    [path] = stored_labels(tmp_path / "stage", str(tmp_path), "demonstrations")  # pyright: ignore[reportArgumentType]
    assert [line["messages"] for line in read_objects(path)] == [said("Hi", "A cat.")]
    assert "1 of 2 demonstrations of the store are about images" in capsys.readouterr().err
    [path] = stored_labels(tmp_path / "seeing", str(tmp_path), "demonstrations", images=True)  # pyright: ignore[reportArgumentType]
    assert [len(images_of(each.messages)) for each in read_conversations(path)] == [0, 1]
