"""A conversation: its commands, what it keeps, how it ends."""

import io
import json
import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gptwright.alignment.demonstrations import read_conversations
from gptwright.foundations.intake import Intake
from gptwright.pipelines.load import load_decoder as load
from gptwright.pipelines.model import Model
from gptwright.stages.chat import COMMANDS, ChatSession, converse
from gptwright.tokenizers.tokenizer import Tokenizer

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
    talk, said = ChatSession(model), []
    talk.answer("Who walked?", said.append)
    reply = model.chat([USER])
    assert "".join(said) == reply + "\n"
    assert talk.messages == [USER, {"role": "assistant", "content": reply}]


def test_the_second_reply_sees_the_first_turn(model: Model) -> None:
    talk, said = ChatSession(model), []
    talk.answer("Who walked?", lambda text: None)
    before = talk.messages
    talk.answer("And then?", said.append)
    assert "".join(said) == model.chat([*before, {"role": "user", "content": "And then?"}]) + "\n"


def test_reset_forgets_the_turns_and_keeps_the_system_text(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    talk = ChatSession(model)
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
    talk = ChatSession(model)
    talk.answer("Who walked?", lambda text: None)
    talk.command(f"/save {tmp_path / 'deep' / 'talk.jsonl'}")
    assert [c.messages for c in read_conversations(tmp_path / "deep/talk.jsonl", Intake("sft"))] == [talk.messages]


def test_save_has_a_name_of_its_own(model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ChatSession(model).command("/save")
    assert json.loads((tmp_path / "conversation.jsonl").read_text()) == {"messages": []}


def test_help_lists_every_command(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    ChatSession(model).command("/help")
    said = capsys.readouterr().err
    assert all(name in said and what in said for name, what in COMMANDS.items())


def test_an_unknown_command_offers_the_nearest(model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    ChatSession(model).command("/rest")
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


@pytest.mark.parametrize(
    "line", ["/quit now", "/QUIT", "/exit", "/q", "/bye bye", "/new\n/quit", "/Help me\n/quit", "/clear all\n/q"]
)
def test_commands_are_read_with_tolerance(
    model: Model, typed: Callable[[str], None], capsys: pytest.CaptureFixture[str], line: str
) -> None:
    typed(f"{line}\nWho walked?\n")
    converse(model)
    out, err = capsys.readouterr()
    assert out.strip() == "" and "no such command" not in err


def test_a_conversation_goes_on_when_it_has_outgrown_the_context(model: Model, capsys: Any) -> None:
    talk, said = ChatSession(model), list[str]()
    talk.command("/system Be kind.")
    for turn in range(12):
        talk.answer(f"{turn} who walked near the river?", said.append)
    told = [line for line in capsys.readouterr().err.splitlines() if "oldest turns" in line]
    assert told == ["the conversation has outgrown the 96 tokens that the model can read: "
                    "from here on its oldest turns are left out"]  # fmt: skip
    assert len(talk.messages) == 25, "all of it is kept, and saved"
    question = [*talk.messages, USER]
    shown = model.truncated(question, model.sampling)
    assert shown[0] == talk.messages[0] and shown[1]["role"] == "user" and shown[1:] == question[-len(shown) + 1 :]
    said.clear()
    talk.answer(USER["content"], said.append)
    assert "".join(said) == model.chat(shown) + "\n"
    talk.command("/reset")
    for turn in range(12):
        talk.answer(f"{turn} who walked near the river?", lambda text: None)
    assert capsys.readouterr().err.count("oldest turns") == 1, "again, of the new conversation"


def test_a_question_that_is_too_long_is_not_blamed_on_the_turns_before_it(
    model: Model, typed: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    typed(f"Who walked?\n{'cat ' * 96}\n")
    converse(model)
    err = capsys.readouterr().err
    assert "fewer than 96 tokens" in err and "oldest turns" not in err


def test_a_question_that_is_too_long_by_itself_ends_neither_the_chat_nor_the_conversation(
    model: Model, typed: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    typed("Who walked?\n" * 9 + f"{'cat ' * 96}\n" + "Who walked?\n")
    converse(model)
    out, err = capsys.readouterr()
    assert err.count("fewer than 96 tokens") == 1
    assert len([line for line in out.splitlines() if line.strip()]) <= 10 and out.count("\n") >= 11


@pytest.mark.parametrize("before", [0, 2])
def test_ctrl_c_during_a_reply_stops_that_alone(model: Model, capsys: Any, before: int) -> None:
    written: list[str] = []

    def pressed(text: str) -> None:
        written.append(text)
        if len(written) == before + 1:
            os.kill(os.getpid(), signal.SIGINT)

    talk = ChatSession(model)
    talk.answer("Who walked?", pressed)
    reply = talk.messages[-1]["content"]
    assert written[-1] == "\n" and reply == "".join(written[:-1])
    assert model.chat([USER]).startswith(reply) and len(reply) < len(model.chat([USER]))
    assert "stopped; Ctrl-C again leaves" in capsys.readouterr().err
    assert not model.engine.scheduler.running and not model.engine._decoding
    talk.answer("And then?", lambda text: None)
    assert [m["role"] for m in talk.messages] == ["user", "assistant"] * 2


def test_ctrl_c_before_the_first_word_leaves_no_turn(model: Model) -> None:
    class Pressed(Model):
        def stream_chat(self, messages: Any, sampling: Any) -> Any:
            raise KeyboardInterrupt
            yield

    talk = ChatSession(Pressed(model.network, model.tokenizer, "pressed"))
    talk.answer("Who walked?", lambda text: None)
    assert talk.messages == []


def test_in_a_terminal_arrows_move_in_the_line_and_through_those_before(tuned: Path) -> None:
    parent, child = pty.openpty()
    command = [sys.executable, "-c", "from gptwright.cli import main; main()", "chat", str(tuned)]
    environment = os.environ | {"TERM": "xterm", "INPUTRC": os.devnull}
    chat = subprocess.Popen(command, stdin=child, stdout=child, stderr=child, env=environment)
    os.close(child)
    seen = ""

    def until(text: str) -> None:
        nonlocal seen
        while text not in seen:
            assert select.select([parent], [], [], 120)[0], seen
            seen += os.read(parent, 4096).decode("utf-8", "replace")
        seen = seen.split(text, 1)[1]

    try:
        until("you> ")
        for keys in (b"/hlp\x1b[D\x1b[De\n", b"\x1b[A\n"):  # two to the left and an e; the line before
            os.write(parent, keys)
            until(COMMANDS["/quit"])
            until("you> ")
        os.write(parent, b"/quit\n")
        assert chat.wait(120) == 0
    finally:
        chat.kill()
        os.close(parent)


def test_ctrl_c_ends_it(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(prompt: str) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", pressed)
    converse(model)


def test_a_run_or_nothing_means_its_last_model(
    gptwright: Command, tuned: Path, typed: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = tmp_path / "runs" / "start"
    run.mkdir(parents=True)
    (run / "04-sft").symlink_to(tuned)
    monkeypatch.chdir(tmp_path)
    for given in ((), ("runs/start",), ("runs/start/04-sft",)):
        typed("/quit\n")
        done = gptwright("chat", *given)
        assert done.code == 0 and "chatting with" in done.err
        assert ("runs/start/04-sft" in done.err) == (given != ("runs/start/04-sft",))
    done = gptwright("generate", "runs/start", "The", "--max-tokens", 2)
    assert done.code == 0 and "the last model of this run is runs/start/04-sft" in done.err


def test_without_a_run_it_says_what_to_do(refused: Refused, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for verb in ("chat", "serve"):
        assert "gptwright start" in refused(verb, *(("--port", 0) if verb == "serve" else ()))


def test_a_base_model_is_called_one(gptwright: Command, pretrained: Path, typed: Callable[[str], None]) -> None:
    typed("/quit\n")
    done = gptwright("chat", pretrained)
    assert done.code == 0 and "is a base model" in done.err and "not taught to answer" in done.err


def test_a_model_without_a_template_is_refused_before_the_first_word(
    refused: Refused, tuned: Path, tmp_path: Path
) -> None:
    model = load(tuned)
    bare = Tokenizer(model.tokenizer.backend, replace(model.tokenizer.special_tokens, chat_template=None))
    Model(model.network, bare, "bare").save(tmp_path / "bare")
    assert "a model with a chat template" in refused("chat", tmp_path / "bare")


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
