"""A conversation: its commands, what it keeps, how it ends."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gptwright.alignment.demonstrations import read_conversations
from gptwright.foundations.intake import Intake
from gptwright.generation.load import load_decoder as load
from gptwright.generation.model import Model
from gptwright.stages.chat import COMMANDS, Talk, converse

Refused = Callable[..., str]
Command = Callable[..., Any]
USER = {"role": "user", "content": "Who walked?"}


@pytest.fixture(scope="session")
def model(tuned: Path) -> Model:
    model = load(tuned)
    model.sampling = type(model.sampling)(temperature=0, max_tokens=6)
    return model


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_turns_are_kept_and_the_reply_is_the_models(model: Model) -> None:
    talk, said = Talk(model), []
    talk.answer("Who walked?", said.append)
    reply = model.chat([USER])
    assert "".join(said) == reply + "\n"
    assert talk.messages == [USER, {"role": "assistant", "content": reply}]


def test_the_second_reply_sees_the_first_turn(model: Model) -> None:
    talk, said = Talk(model), []
    talk.answer("Who walked?", lambda text: None)
    before = talk.messages
    talk.answer("And then?", said.append)
    assert "".join(said) == model.chat([*before, {"role": "user", "content": "And then?"}]) + "\n"


def test_reset_forgets_the_turns_and_keeps_the_system_text(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    talk = Talk(model)
    talk.command("/system Be kind.")
    talk.answer("Who walked?", lambda text: None)
    assert [m["role"] for m in talk.messages] == ["system", "user", "assistant"]
    talk.command("/reset")
    assert talk.messages == [{"role": "system", "content": "Be kind."}]
    talk.command("/system")
    assert talk.messages == []
    said = capsys.readouterr()
    assert said.out == ""
    assert [line for line in said.err.splitlines() if line] == [
        "system: Be kind.",
        "a new conversation",
        "no system text",
    ]


def test_what_is_saved_is_read_by_sft(model: Model, tmp_path: Path) -> None:
    talk = Talk(model)
    talk.answer("Who walked?", lambda text: None)
    talk.command(f"/save {tmp_path / 'deep' / 'talk.jsonl'}")
    assert [c.messages for c in read_conversations(tmp_path / "deep/talk.jsonl", Intake("sft"))] == [talk.messages]


def test_save_has_a_name_of_its_own(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Talk(model).command("/save")
    assert json.loads((tmp_path / "conversation.jsonl").read_text()) == {"messages": []}


def test_help_lists_every_command(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    Talk(model).command("/help")
    said = capsys.readouterr().err
    assert all(name in said and what in said for name, what in COMMANDS.items())


def test_an_unknown_command_offers_the_nearest(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    Talk(model).command("/rest")
    assert "no such command: /rest. Did you mean '/reset'?" in capsys.readouterr().err


def test_a_reply_that_fails_leaves_the_conversation(
    model: Model, typed: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    typed(f"{'cat ' * 96}\nWho walked?\n")
    converse(model)
    out, err = capsys.readouterr()
    assert "fewer than 96 tokens" in err
    assert out == model.chat([USER]) + "\n\n"  # the first turn is not part of the second's conversation


def test_a_place_that_cannot_be_written_does_not_end_it(
    model: Model, typed: Callable[[str], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    typed(f"/save {tmp_path}\n/save {tmp_path / 'file' / 'x'}\nWho walked?\n")
    converse(model)
    out, err = capsys.readouterr()
    assert err.count("; got ") == 2
    assert out == model.chat([USER]) + "\n\n"


@pytest.mark.parametrize("text", ["", "/quit\n", "\n   \n", "/quit\nWho walked?\n"])
def test_the_end_of_input_and_quit_end_it_quietly(
    gptwright: Command, tuned: Path, typed: Callable[[str], None], text: str
) -> None:
    typed(text)
    done = gptwright("chat", tuned)
    assert done.code == 0 and done.out.strip() == ""
    assert "Ctrl-D leaves" in done.err


def test_ctrl_c_ends_it(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", pressed)
    converse(model)


def test_options_are_the_conversations(gptwright: Command, tuned: Path, typed: Callable[[str], None]) -> None:
    typed("Who walked?\n")
    done = gptwright("chat", tuned, "--temperature", 1, "--max-tokens", 5, "--seed", 3)
    assert done.out == load(tuned).chat([USER], temperature=1, max_tokens=5, seed=3) + "\n\n"


def test_models_that_cannot_chat(refused: Refused, rewarded: Path, tokenized: Path, tmp_path: Path) -> None:
    assert "a reward model, which scores answers" in refused("chat", rewarded)
    assert "a folder without one" in refused("chat", tokenized)
    assert str(tmp_path / "none") in refused("chat", tmp_path / "none")


@pytest.mark.parametrize("words", [("--temperature", -1), ("--max-tokens", 0)])
def test_settings_that_make_no_sense(refused: Refused, tuned: Path, words: tuple[object, ...]) -> None:
    refused("chat", tuned, *words)


def test_a_translator_does_not_chat(refused: Callable[..., str], translator: Path) -> None:
    for verb in ("chat", "serve"):
        assert "needed a decoder" in refused(verb, translator)
