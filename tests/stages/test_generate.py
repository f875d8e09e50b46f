"""One text to stdout; a file of prompts to a file or to stdout."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gptwright.inference.sampling import Sampling
from gptwright.pipelines.load import load as load_any
from gptwright.pipelines.load import load_decoder as load
from gptwright.pipelines.model import Model

Refused = Callable[..., str]
Command = Callable[..., Any]


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    path = tmp_path / "prompts.jsonl"
    asked = [{"prompt": "Who walked?"}, {"messages": [{"role": "user", "content": "What fell?"}]}]
    path.write_text("".join(json.dumps(line) + "\n" for line in asked))
    return path


def answers(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_the_text_is_the_models(gptwright: Command, tuned: Path) -> None:
    done = gptwright("generate", tuned, "The old", "--temperature", 0, "--max-tokens", 12)
    assert done.code == 0, done.err
    assert done.out == load(tuned).generate("The old", temperature=0, max_tokens=12) + "\n"


def test_a_draft_model_gives_the_same_text(gptwright: Command, refused: Refused, tuned: Path) -> None:
    words = ("generate", tuned, "The old", "--temperature", 0, "--max-tokens", 12)
    assert gptwright(*words, "--draft", tuned).out == gptwright(*words).out
    assert "a model at nowhere" in refused(*words, "--draft", "nowhere")


def test_the_same_seed_gives_the_same_text_and_none_draws_afresh(gptwright: Command, tuned: Path) -> None:
    def text(*seed: object) -> str:
        return gptwright("generate", tuned, "The", "--max-tokens", 24, "--temperature", 1, *seed).out

    assert text("--seed", 5) == text("--seed", 5) != text("--seed", 6)
    assert text() != text()


def test_a_file_of_prompts_to_a_file(gptwright: Command, tuned: Path, prompts: Path, tmp_path: Path) -> None:
    out = tmp_path / "answers.jsonl"
    done = gptwright("generate", tuned, "--prompts", prompts, "--n", 2, "--max-tokens", 8, "--out", out)
    assert done.code == 0, done.err
    assert done.out == "" and "4 answers" in done.err
    lines = answers(out.read_text(encoding="utf-8"))
    assert [line["messages"][0]["content"] for line in lines] == ["Who walked?", "What fell?"]
    assert [len(line["answers"]) for line in lines] == [2, 2]


def test_a_file_of_prompts_to_stdout_and_the_seed(gptwright: Command, tuned: Path, prompts: Path) -> None:
    def text(*seed: object) -> str:
        return gptwright("generate", tuned, "--prompts", prompts, "--max-tokens", 16, "--temperature", 1, *seed).out

    assert len(answers(text())) == 2
    assert text("--seed", 5) == text("--seed", 5) != text("--seed", 6)
    assert text() != text()


def test_stop_texts_end_a_text_and_the_answers_of_a_file(gptwright: Command, tuned: Path, prompts: Path) -> None:
    greedy = ("--temperature", 0, "--max-tokens", 20)
    full = gptwright("generate", tuned, "The", *greedy).out.removesuffix("\n")
    stop = full[4:6]
    assert gptwright("generate", tuned, "The", *greedy, "--stop", stop).out == full[: full.index(stop)] + "\n"
    drawn = ("--temperature", 1, "--max-tokens", 20, "--seed", 4)
    plain = answers(gptwright("generate", tuned, "--prompts", prompts, *drawn).out)
    longest = max((line["answers"][0] for line in plain), key=len)
    stop = next(letter for letter in longest[3:] if not letter.isspace())
    stopped = answers(gptwright("generate", tuned, "--prompts", prompts, *drawn, "--stop", stop).out)
    for line, before in zip(stopped, plain, strict=True):
        assert line["answers"][0] == before["answers"][0].partition(stop)[0]


def test_an_answer_without_a_stop_text_is_whole(tuned: Path) -> None:
    model = load(tuned)
    ids = [model.tokenizer.encode("The cat")]
    plain = model.answers(ids, Sampling(temperature=0, max_tokens=12))
    assert model.answers(ids, Sampling(temperature=0, max_tokens=12, stop=("never said",))) == plain


def test_either_a_prompt_or_a_file(refused: Refused, tuned: Path, prompts: Path) -> None:
    assert "none of them" in refused("generate", tuned)
    assert "both" in refused("generate", tuned, "The", "--prompts", prompts)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--n", 0), "n from 1 to"),
        (("--temperature", -1), "temperature from 0 to 100"),
        (("--top-p", 2), "top_p from 0 to 1"),
        (("--max-tokens", 0), "max_tokens"),
        (("--stop", ""), "stop texts that are not empty"),
    ],
)
def test_settings_that_make_no_sense(refused: Refused, tuned: Path, words: tuple[object, ...], says: str) -> None:
    assert says in refused("generate", tuned, "The", *words)


@pytest.mark.parametrize("content", ["", "\n\n", '{"prompt": 5}\n', "[1]\n", '{"prompt"\n'])
def test_files_without_prompts(refused: Refused, tuned: Path, tmp_path: Path, content: str) -> None:
    path = tmp_path / "prompts.jsonl"
    path.write_text(content)
    assert "prompts.jsonl" in refused("generate", tuned, "--prompts", path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_fields_stay_and_older_answers_go(gptwright: Command, tuned: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "p.jsonl", tmp_path / "out.jsonl"
    asked = [{"role": "user", "content": "Who?"}]
    older = {"answers": ["a", "b"], "ranks": [1, 2], "labeller": "me", "chosen": None, "rejected": None}
    line = {"prompt": "Who?", "split": "validation", "id": 7, "meta": {"a": [1.5, None]}} | older
    path.write_text(json.dumps(line))
    assert gptwright("generate", tuned, "--prompts", path, "--n", 2, "--max-tokens", 4, "--out", out).code == 0
    (found,) = answers(out.read_text(encoding="utf-8"))
    assert found | {"answers": []} == {
        "messages": asked, "answers": [], "split": "validation", "id": 7, "meta": {"a": [1.5, None]}
    }  # fmt: skip
    assert len(found["answers"]) == 2 and found["answers"] != ["a", "b"]


def test_long_prompts_are_named_counted_and_passed_over(gptwright: Command, tuned: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text("".join(json.dumps({"prompt": "cat " * 96 if i in (3, 5) else f"{i}?"}) + "\n" for i in range(8)))
    done = gptwright("generate", tuned, "--prompts", path, "--max-tokens", 2)
    assert done.code == 0
    assert [line["messages"][0]["content"] for line in answers(done.out)] == ["0?", "1?", "2?", "4?", "6?", "7?"]
    assert (
        f"generate: 6 prompts to answer; 2 dropped (2 of more than 95 tokens, the first on line 4 of {path})"
        in done.err
    )


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"prompt": "cat " * 96}, "1 of more than 95 tokens"),
        (
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
            "ends with its answer",
        ),
        ({"prompt": None}, '"prompt" or a list of messages in line 1'),
    ],
)
def test_files_of_which_nothing_can_be_answered(
    refused: Refused, tuned: Path, tmp_path: Path, line: dict[str, Any], says: str
) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(line))
    assert says in refused("generate", tuned, "--prompts", path, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_answers_have_the_ids_that_were_written(gptwright: Command, tuned: Path, prompts: Path) -> None:
    drawn = ("--temperature", 1, "--max-tokens", 20, "--seed", 9, "--n", 30)
    texts = [
        t for line in answers(gptwright("generate", tuned, "--prompts", prompts, *drawn).out) for t in line["answers"]
    ]
    assert any(text != text.strip() for text in texts)


def test_a_prompt_that_fills_the_context(refused: Refused, tuned: Path) -> None:
    assert "fewer than 96 tokens" in refused("generate", tuned, "cat " * 96)


def test_a_folder_in_the_results_way_is_seen_before_anything_is_written(
    refused: Refused, tuned: Path, prompts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(Model, "answers", None)
    message = refused("generate", tuned, "--prompts", prompts, "--max-tokens", 2, "--out", tmp_path / "out")
    assert "a folder of that name in its way" in message
    assert not list((tmp_path / "out").iterdir())


def test_models_that_are_none(refused: Refused, rewarded: Path, ranked: Path, tmp_path: Path) -> None:
    assert "nothing there" in refused("generate", tmp_path / "none", "The")
    assert "a folder without one" in refused("generate", ranked, "The")
    assert "a reward model" in refused("generate", rewarded, "The")


def test_a_missing_file_of_the_model_is_named(refused: Refused, tuned: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(tuned, tmp_path / "sft")
    (tmp_path / "sft/model/model.safetensors").unlink()
    assert "model.safetensors" in refused("generate", tmp_path / "sft", "The")


def test_a_translator_translates(gptwright: Command, refused: Refused, translator: Path, prompts: Path) -> None:
    done = gptwright("generate", translator, "the old river")
    assert done.code == 0, done.err
    assert done.out == load_any(translator).generate("the old river") + "\n"
    assert "an encoder-decoder" in refused("generate", translator, "--prompts", prompts)


def test_tokens_with_their_log_probabilities(gptwright: Command, refused: Refused, tuned: Path, prompts: Path) -> None:
    greedy = ("--temperature", 0, "--max-tokens", 6)
    text = gptwright("generate", tuned, "The", *greedy).out.removesuffix("\n")
    tokens = answers(gptwright("generate", tuned, "The", *greedy, "--logprobs", 2).out)
    assert bytes(byte for token in tokens for byte in token["bytes"] or []).decode() == text
    assert all(token["top_logprobs"][0]["logprob"] == token["logprob"] for token in tokens)
    assert "--logprobs" in refused("generate", tuned, "--prompts", prompts, "--logprobs", 2)


def test_min_p_and_the_repetition_penalty_arrive(gptwright: Command, tuned: Path) -> None:
    def text(*more: object) -> str:
        return gptwright("generate", tuned, "The", "--max-tokens", 20, "--seed", 1, *more).out

    assert text("--temperature", 1, "--min-p", 1) == text("--temperature", 0)
    assert text("--temperature", 0) != text("--temperature", 0, "--repetition-penalty", 5)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_it_writes_in_the_format_that_is_asked_for(gptwright: Command, tuned: Path, dtype: str) -> None:
    done = gptwright("generate", tuned, "The", "--max-tokens", 6, "--temperature", 0, "--dtype", dtype)
    assert done.code == 0 and len(done.out) > 1, done.err
