"""The verb around a recipe: what it prints, and every recipe it refuses."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gptwright.recipes.read import find_recipe, shipped

Refused = Callable[..., str]


@pytest.fixture
def recipe(material: Path, tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(f'[prepare]\ndata = ["{material / "text.jsonl"}"]\n[tokenize]\ntext = "prepare"\nvocab = 300\n')
    return path


def test_it_prints_the_folder(gptwright: Callable[..., Any], recipe: Path, tmp_path: Path) -> None:
    done = gptwright("run", recipe, "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert done.out == f"{tmp_path / 'out'}\n"
    assert "── 01-prepare" in done.err and "── 02-tokenize" in done.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[prepare\n", "TOML in"),
        ("", "at least one stage"),
        ("steps = 3\n", "tables only"),
        ("[[prepare]]\n", "tables only"),
        ("[prepar]\n", "Did you mean 'prepare'?"),
        ('[mine]\nverb = "tokenise"\n', "Did you mean 'tokenize'?"),
        ("[prepare]\nverb = 5\n", "'5'"),
        ("[prepare]\ndta = []\n", "Did you mean 'data'?"),
        ('[prepare]\ndata = "x"\n', "a list for [prepare].data"),
        ('[prepare]\nseed = "x"\n', "int for [prepare].seed"),
        ("[prepare]\nseed = true\n", "int for [prepare].seed"),
        ('[prepare]\n[tokenize]\ntext = "prepair"\n', "Did you mean 'prepare'?"),
        ('[tokenize]\ntext = "prepare"\n[prepare]\n', "Correct it."),
        ("[prepare]\n[tokenize]\n", "either text or pairs; got neither"),
        ("[prepare]\n[tokenize]\ntext = 3\n", "a path in [tokenize]"),
        ('[prepare]\n[reward]\nbase = "prepare"\nrankings = ["bundled:teaching/rankins.jsonl.xz"]\n', "jsonl.xz'?"),
        ('[prepare]\n[pretrain]\ntokens = "prepare"\nmodel = "gpt2-nan"\n', "Did you mean 'gpt2-nano'?"),
        ('[prepare]\n[pretrain]\ntokens = "prepare"\nmodel = 5\n', "a preset's name"),
        (
            '[prepare]\n[pretrain]\ntokens = "prepare"\nmodel = { preset = "gpt2-nano", heads = 5 }\n',
            "divide the width",
        ),
        ('[prepare]\n[pretrain]\ntokens = "prepare"\nmodel = { preset = "gpt2-nano", hats = 5 }\n', "'hats'"),
        ('[prepare]\n[pretrain]\ntokens = "prepare"\nsteps = 0\n', "steps from 1 to"),
        ('[prepare]\n[rank]\nmodel = "prepare"\ntext = "prepare"\nanswers = 1\n', "answers from 2 to"),
    ],
)
def test_a_recipe_that_does_not_fit_makes_nothing(refused: Refused, tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    assert says in refused("run", path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_recipe_that_is_none(refused: Refused, tmp_path: Path) -> None:
    assert "nothing there" in refused("run", tmp_path / "none.toml", "--out", tmp_path / "out")
    assert "a folder" in refused("run", tmp_path, "--out", tmp_path / "out")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    assert "TOML in" in refused("run", tmp_path / "binary.toml", "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "20,000 characters"),
        (b"too short", "20,000 characters"),
        (bytes(range(256)) * 100, "binary data"),
        ("Bläue und Grün. ".encode("latin1") * 2000, "20,000 characters"),
        (b"\xff\xfe" + b"\x00\xd8" * 40, "UTF-8"),
        (b"%PDF-1.4 text", "a PDF file"),
    ],
)
def test_data_that_is_no_text_is_refused_and_leaves_nothing(
    refused: Refused, tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "book.txt").write_bytes(content)
    message = refused("prepare", "--data", tmp_path / "book.txt", "--out", tmp_path / "out")
    assert says in message and "book.txt" in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("number", "says"), [(28, "room on the disk"), (30, "can be written"), (13, "can be written")])
def test_a_disk_that_refuses(
    refused: Refused, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    """28 is a full disk, 30 one that is read only, 13 no permission: every file is flushed before it has its name."""

    def flush(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", flush)
        assert says in refused("run", recipe, "--out", tmp_path / "out")
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == []


def test_a_disk_that_fills_up_leaves_earlier_stages_whole(
    gptwright: Callable[..., Any], refused: Refused, recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    def hashes(folder: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def flush(path: Path) -> None:
        if "02-tokenize" in path.parts:
            raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr("gptwright.foundations.atomic_io._flush", flush)
        assert "room on the disk" in refused("run", recipe, "--out", out)
    before = hashes(out / "01-prepare")
    assert before["stage.json"]
    assert gptwright("run", recipe, "--out", out).code == 0
    assert hashes(out / "01-prepare") == before


def test_recipes_that_come_with_gptwright_have_names(
    refused: Refused, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_recipe(Path("tiny")).name == "tiny.toml" and {"tiny", "gpt2", "bert"} <= set(shipped())
    (tmp_path / "tiny").mkdir()
    assert find_recipe(Path("tiny")).name == "tiny.toml"
    mine = tmp_path / "mine.toml"
    mine.write_text("")
    assert find_recipe(mine) == mine
    assert "'gptwright run tiny' carries out" in refused("run", "recipes/tiny.toml", "--out", "out")
    assert "Did you mean 'tiny'?" in refused("run", "tinny", "--out", "out")
    assert not (tmp_path / "out").exists()
