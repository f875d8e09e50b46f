"""codex goes on with code: it learns holes and solutions, and its model inserts, everywhere."""

import asyncio
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from gptwright.alignment.solutions import read_solutions
from gptwright.configs.codex import Codex
from gptwright.configs.grpo import GRPO
from gptwright.configs.pretrain import Pretrain
from gptwright.configs.tokenize import Tokenize
from gptwright.foundations.errors import ArtifactError, ConfigError, InputError
from gptwright.foundations.intake import Intake
from gptwright.foundations.metrics import read_metrics
from gptwright.inference.sampling import Sampling
from gptwright.pipelines.load import load_decoder
from gptwright.pipelines.resolve import resolve_model
from gptwright.recipes.stage import execute_stage
from gptwright.serving.api import create_app
from gptwright.store.database import Store, open_store
from gptwright.text.jsonl import write_objects
from gptwright.tokenizers.chat_templates.chat import prompt_ids, render
from gptwright.tokenizers.edits import EditMarks
from gptwright.tokenizers.fill_in_the_middle import SENTINELS, Sentinels
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.evaluation import read_evaluations

Refused = Callable[..., str]


@pytest.fixture(scope="session")
def coder(codex_config: Codex, run: Path) -> Path:
    return execute_stage("codex", codex_config, run / "codex").path


def test_what_it_leaves(coder: Path) -> None:
    found = read_evaluations(coder)
    names = {"heldout_nats", "heldout_bits_per_byte", "heldout_middle_nats", "heldout_solution_nats"}
    assert set(found) == {"before", "after"} and all(set(each.metrics) == names for each in found.values())
    assert found["after"].metrics["heldout_solution_nats"] < found["before"].metrics["heldout_solution_nats"]
    logged = read_metrics(coder / "metrics.jsonl")
    assert sum("heldout_middle_nats" in line for line in logged) == 2
    tokenizer = load_decoder(coder).tokenizer
    assert tokenizer.vocab == 303 and Sentinels.known(tokenizer)


def test_a_base_that_has_sentinels_stays_as_large(prepared: Path, pretrain_config: Pretrain, tmp_path: Path) -> None:
    asked = Tokenize(text=prepared, vocab=300, special_tokens=SENTINELS)
    tokens = execute_stage("tokenize", asked, tmp_path / "tokens").path
    base = execute_stage("pretrain", replace(pretrain_config, tokens=tokens, steps=2), tmp_path / "base").path
    config = Codex(base=base, tokens=tokens, steps=2, batch_size=2, sequence_length=24, threads=1)
    found = execute_stage("codex", config, tmp_path / "codex").path
    assert load_decoder(found).tokenizer.sha256 == load_decoder(base).tokenizer.sha256
    assert set(read_evaluations(found)["after"].metrics) == {
        "heldout_nats", "heldout_bits_per_byte", "heldout_middle_nats"}  # fmt: skip


def test_an_adapter_alone_learns(codex_config: Codex, tmp_path: Path) -> None:
    found = execute_stage("codex", replace(codex_config, lora=2, steps=2), tmp_path / "lora").path
    assert (found / "adapter/adapter_model.safetensors").is_file() and Sentinels.known(load_decoder(found).tokenizer)


def test_it_inserts(coder: Path, gptwright: Callable[..., Any]) -> None:
    model = load_decoder(coder)
    greedy = Sampling(temperature=0, max_tokens=8)
    text = "".join(chunk.text for chunk in model.insert("the cat", " the mat", greedy))
    sentinels = Sentinels.of(model.tokenizer)
    encode = model.tokenizer.encode
    ids = model.generate_ids(sentinels.prompt(encode("the cat"), encode(" the mat")),
                             replace(greedy, stop_ids=(sentinels.end,)))  # fmt: skip
    said = model.tokenizer.decode(ids)
    assert text == said
    words = ("generate", coder, "the cat", "--suffix", " the mat", "--temperature", 0, "--max-tokens", 8)
    assert gptwright(*words).out == said + "\n"


def posted(model: Any, body: dict[str, Any], tmp_path: Path) -> httpx.Response:
    async def post(store: Store) -> httpx.Response:
        app = create_app({"coder": model}, store)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.post("/v1/completions", json={"model": "coder", **body})

    with open_store(tmp_path / "store.sqlite") as store:
        return asyncio.run(post(store))


def test_the_api_inserts(coder: Path, tmp_path: Path) -> None:
    model = load_decoder(coder)
    wanted = "".join(chunk.text for chunk in model.insert("the cat ", " the mat",
                                                          Sampling(temperature=0, max_tokens=8)))  # fmt: skip
    asked = {"prompt": "the cat ", "temperature": 0, "max_tokens": 8}
    found = posted(model, {**asked, "suffix": " the mat"}, tmp_path)
    assert found.status_code == 200 and found.json()["choices"][0]["text"] == wanted
    plain = posted(model, asked, tmp_path).json()
    assert posted(model, {**asked, "suffix": ""}, tmp_path).json()["choices"] == plain["choices"]
    refused = posted(model, {**asked, "suffix": "x", "echo": True}, tmp_path)
    assert refused.status_code == 400 and refused.json()["error"]["param"] == "echo"
    assert posted(model, {**asked, "suffix": "x " * 200}, tmp_path).status_code == 400


def test_a_model_without_sentinels_says_so(pretrained: Path, refused: Refused, tmp_path: Path) -> None:
    assert "taught to insert" in refused("generate", pretrained, "the", "--suffix", "mat")
    found = posted(load_decoder(pretrained), {"prompt": "the", "suffix": "mat"}, tmp_path)
    assert found.status_code == 400 and found.json()["error"]["param"] == "suffix"


def test_a_suffix_needs_a_prompt_of_its_own(coder: Path, refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "p.jsonl").write_text('{"prompt": "x"}\n')
    assert "--suffix with a PROMPT" in refused("generate", coder, "--prompts", tmp_path / "p.jsonl", "--suffix", "x")


@pytest.mark.parametrize("line", [{"prompt": "a"}, {"completion": "a"}, {"prompt": 5, "completion": "a"},
                                  {"prompt": "a", "completion": "  "}])  # fmt: skip
def test_lines_that_are_no_solutions(codex_config: Codex, tmp_path: Path, line: dict[str, Any]) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(line) + "\n")
    with pytest.raises(InputError, match=r"line 1 of .*s\.jsonl"):
        execute_stage("codex", replace(codex_config, solutions=(path,)), tmp_path / "out")


def test_what_rejection_keeps_is_a_solution(tokenizer: Tokenizer, tmp_path: Path) -> None:
    asked, said = {"role": "user", "content": "the cat "}, {"role": "assistant", "content": "sat on the mat"}
    lines = [{"messages": [asked, said], "split": "train", "examples": []},
             {"prompt": "the cat ", "completion": "sat on the mat", "split": "train"}]  # fmt: skip
    write_objects(path := tmp_path / "kept.jsonl", lines)
    (kept, written) = read_solutions(path, tokenizer, 48, Intake("test"))
    assert kept == written


@pytest.mark.parametrize("turns", [[], ["user"], ["user", "assistant", "user"], ["system", "user"]])
def test_a_conversation_of_other_turns_is_no_solution(tokenizer: Tokenizer, tmp_path: Path, turns: list[str]) -> None:
    line = {"messages": [{"role": role, "content": "the cat"} for role in turns]}
    write_objects(path := tmp_path / "kept.jsonl", [line])
    with pytest.raises(InputError, match="line 1"):
        list(read_solutions(path, tokenizer, 48, Intake("test")))


def test_solutions_longer_than_the_context(codex_config: Codex, tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps({"prompt": "a", "completion": "word " * 500}) + "\n")
    with pytest.raises(InputError, match="solutions to learn"):
        execute_stage("codex", replace(codex_config, solutions=(path,)), tmp_path / "out")


def test_windows_longer_than_the_context(codex_config: Codex, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        execute_stage("codex", replace(codex_config, sequence_length=10**4), tmp_path / "out")


def test_of_a_run_it_is_the_last_model_and_the_report_knows_it(
    coder: Path, pretrained: Path, gptwright: Callable[..., Any], tmp_path: Path
) -> None:
    for number, stage in enumerate((pretrained, coder), 1):
        shutil.copytree(stage, tmp_path / "run" / f"0{number}-{stage.name}")
    assert resolve_model(tmp_path / "run").name == "02-codex"
    assert gptwright("report", tmp_path / "run").code == 0
    page = (tmp_path / "run/report.html").read_text(encoding="utf-8")
    assert "A code model" in page and "goes on with code" in page


def test_an_adapter_does_not_learn_by_muon(coder: Path, tokenized: Path) -> None:
    with pytest.raises(ConfigError, match="adamw beside lora"):
        Codex(base=coder, tokens=tokenized, lora=2, optimizer="muon")


EDITS = [{"instruction": "take cat away", "input": f"the {word} cat sat", "output": f"the {word} sat"}
         for word in ["old", "grey", "mad", "red"]]  # fmt: skip


def written(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def test_it_learns_edits_beside_solutions_and_edits(
    codex_config: Codex, coder: Path, tmp_path: Path, gptwright: Callable[..., Any], refused: Refused
) -> None:
    edits = written(tmp_path / "edits.jsonl", EDITS)
    found = execute_stage("codex", replace(codex_config, edits=(edits,)), tmp_path / "editor").path
    losses = read_evaluations(found)
    assert losses["after"].metrics["heldout_edit_nats"] < losses["before"].metrics["heldout_edit_nats"]
    assert {"text_nats", "solution_nats", "edit_nats"} <= set(read_metrics(found / "metrics.jsonl")[0])
    model = load_decoder(found)
    marks, encode = EditMarks.of(model.tokenizer), model.tokenizer.encode
    assert model.tokenizer.vocab == load_decoder(coder).tokenizer.vocab + 3
    greedy = Sampling(temperature=0, max_tokens=8, stop_ids=(marks.end,))
    said = model.tokenizer.decode(model.generate_ids(marks.prompt(encode("the cat"), encode("take cat")), greedy))
    words = ("generate", found, "the cat", "--edit", "take cat", "--temperature", 0, "--max-tokens", 8)
    assert gptwright(*words).out == said + "\n"
    assert "either --suffix or --edit" in refused("generate", found, "x", "--edit", "y", "--suffix", "z")
    assert "taught to edit" in refused("generate", coder, "the cat", "--edit", "take cat away")
    assert "fewer than" in refused("generate", found, "cat " * 300, "--edit", "take cat away")


@pytest.mark.parametrize("line", [{"instruction": " ", "input": "a", "output": "b"}, {"input": "a", "output": "b"},
                                  {"instruction": "a", "input": 5, "output": "b"}])  # fmt: skip
def test_lines_that_are_no_edits(codex_config: Codex, tmp_path: Path, line: dict[str, Any]) -> None:
    edits = written(tmp_path / "e.jsonl", [line])
    with pytest.raises(InputError, match=r"line 1 of .*e\.jsonl"):
        execute_stage("codex", replace(codex_config, edits=(edits,)), tmp_path / "out")


def test_edits_longer_than_the_context_are_counted(
    codex_config: Codex, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = {"instruction": "a", "input": "word " * 500, "output": "b"}
    edits = written(tmp_path / "e.jsonl", [*EDITS, long])
    execute_stage("codex", replace(codex_config, edits=(edits,), steps=1), tmp_path / "out")
    assert "1 of more than 96 tokens" in " ".join(capsys.readouterr().err.split())
    with pytest.raises(InputError, match="edits to learn"):
        only = written(tmp_path / "only.jsonl", [long])
        execute_stage("codex", replace(codex_config, edits=(only,)), tmp_path / "none")


def test_tokens_of_before_the_sentinels_are_refused_with_what_helps(
    codex_config: Codex, coder: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match="gptwright tokenize --text TEXT --model MODEL"):
        execute_stage("codex", replace(codex_config, base=coder), tmp_path / "out")


def test_a_model_that_solves_is_asked_as_it_was_taught(coder: Path, codex_config: Codex) -> None:
    """So ppo and grpo, whose prompts are conversations, go on with a function's head."""
    tokenizer, head = load_decoder(coder).tokenizer, "def f():\n"
    asked = prompt_ids([{"role": "user", "content": head}], tokenizer)
    first, *_ = read_solutions(codex_config.solutions[0], tokenizer, 48, Intake("test"))
    assert asked == [first.demonstration.ids[0], *tokenizer.encode(head)]
    ids, mask = render([{"role": "user", "content": head}, {"role": "assistant", "content": "    pass\n"}], tokenizer)
    assert ids[-1] == first.demonstration.targets[-1] == tokenizer.eos_id and mask[-1]


@pytest.mark.sandbox
def test_tests_are_a_reward(coder: Path, prepared: Path, tmp_path: Path) -> None:
    """From a function's head to a policy; every prompt passes or fails, by kind too."""
    example = [["len('cat')", "3"]]
    sides = {"cat": "train", "mat": "train", "dog": "heldout", "sea": "heldout"}
    lines = [{"prompt": f"# {name}\n", "examples": example, "kind": "comment", "split": split}
             for name, split in sides.items()]  # fmt: skip
    write_objects(tmp_path / "prompts.jsonl", lines)
    tokens = execute_stage("tokenize", Tokenize(text=prepared, model=coder), tmp_path / "tokens").path
    asked = GRPO(policy=coder, prompts=tmp_path / "prompts.jsonl", rule="unit-tests", tokens=tokens, updates=1,
                 episodes=4, samples=2, minibatches=1, epochs=1, max_tokens=4, ptx_batch_size=1,
                 sequence_length=24, threads=1)  # fmt: skip
    found = read_evaluations(execute_stage("grpo", asked, tmp_path / "grpo").path)
    assert 0 <= found["grpo"].estimates["comment"].value <= 1 and found["grpo"].estimates["comment"].count == 2
    assert found["comparison"].notes == {"rule": "unit-tests"}
