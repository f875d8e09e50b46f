"""What tokenize leaves, and what it refuses."""

import json
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gptwright.foundations.atomic_io import sha256
from gptwright.foundations.errors import ArtifactError, ConfigError, ResourceError
from gptwright.foundations.runs import finished_stage
from gptwright.pipelines.load import load_decoder as load
from gptwright.recipes.stage import execute_stage
from gptwright.stages import tokenize
from gptwright.stages.tokenize import Tokenize, open_tokenizer, open_tokens
from gptwright.text.jsonl import write_objects
from gptwright.tokenizers import bytelevel
from gptwright.tokenizers.registry import TRAINERS
from gptwright.tokenizers.special_tokens import END_OF_TEXT


def texts_of(prepared: Path, split: str) -> list[str]:
    return [json.loads(line)["text"] for line in (prepared / f"{split}.jsonl").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_the_tokens_are_the_text(prepared: Path, tokenized: Path, split: str) -> None:
    tokenizer, tokens = open_tokenizer(tokenized), open_tokens(tokenized, split)
    wanted = texts_of(prepared, split)
    assert [tokenizer.decode(tokens.document(i).tolist()) for i in range(len(tokens.documents))] == wanted
    assert tokens.meta.bytes == sum(len(text.encode()) for text in wanted)
    assert tokens.window(int(tokens.documents[0]) - 1, 1)[0] == tokenizer.special_id(END_OF_TEXT)


def test_the_figures(tokenized: Path) -> None:
    record = finished_stage(tokenized, "tokenize")
    metrics, tokens = record["metrics"], open_tokens(tokenized, "train")
    assert metrics["vocab"] == 300 == open_tokenizer(tokenized).vocab
    assert metrics["train_tokens"] == len(tokens)
    assert metrics["train_bytes_per_token"] == round(tokens.meta.bytes / len(tokens), 3)
    assert {"train.bin", "train.idx", "train.json", "heldout.bin", "tokenizer.json"} <= set(record["outputs"])


def test_tokens_a_line_beside_those_of_another(prepared: Path, tokenized: Path, tmp_path: Path) -> None:
    smaller = execute_stage("tokenize", Tokenize(text=prepared, vocab=270), tmp_path / "bytes").path
    asked = Tokenize(text=prepared, vocab=300, compare=smaller)
    record: Any = finished_stage(execute_stage("tokenize", asked, tmp_path / "tokens").path, "tokenize")
    metrics = record["metrics"]
    lines = [line for text in texts_of(prepared, "heldout") for line in text.splitlines() if line.strip()]
    count = sum(
        len(bytelevel.train(texts_of(prepared, "train"), 300).encode(text)) for text in texts_of(prepared, "heldout")
    )
    assert metrics["heldout_tokens_per_line"] == round(count / len(lines), 2)
    assert metrics["heldout_tokens_per_line_compared"] > metrics["heldout_tokens_per_line"]


def test_runs_of_blanks_are_tokens_and_stay_apart_from_words() -> None:
    code = "def f(x):\n    if x:\n        return x\n"
    learned = bytelevel.train([code * 9], 281)
    tokens = [learned.decode([id]) for id in learned.encode(code)]
    assert "\n       " in tokens and "\n   " in tokens and "".join(tokens) == code
    assert not [token for token in tokens if token.strip() and token.startswith(("  ", "\n "))]


def test_merges_are_learned_from_training_text_only(prepared: Path, tokenized: Path) -> None:
    learned = bytelevel.train(texts_of(prepared, "train"), 300)
    assert learned.sha256 == open_tokenizer(tokenized).sha256


def test_tokens_of_another_tokenizer_are_refused(prepared: Path, tokenized: Path) -> None:
    assert open_tokens(tokenized, "train", open_tokenizer(tokenized))
    with pytest.raises(ArtifactError, match="own tokenizer"):
        open_tokens(tokenized, "train", bytelevel.train(texts_of(prepared, "train"), 299))


@pytest.mark.parametrize(("vocab", "says"), [(10, "at least 262"), (9999, "Lower vocab"), (0, "vocab from 1 to")])
def test_a_vocabulary_too_small_or_too_large(
    refused: Callable[..., str], prepared: Path, tmp_path: Path, vocab: int, says: str
) -> None:
    assert says in refused("tokenize", "--text", prepared, "--vocab", vocab, "--out", tmp_path / "out")


@pytest.mark.parametrize(("kind", "vocab"), [("byte-fallback", 300), ("gpt1", 160), ("wordpiece", 160)])
def test_other_kinds(prepared: Path, tmp_path: Path, kind: str, vocab: int) -> None:
    out = execute_stage("tokenize", Tokenize(text=prepared, vocab=vocab, kind=kind), tmp_path / kind).path
    tokenizer, tokens = open_tokenizer(out), open_tokens(out, "heldout")
    wanted = texts_of(prepared, "heldout")
    assert tokenizer.vocab == vocab and len(tokens.documents) == len(wanted)
    assert [tokens.document(i).tolist() for i in range(len(wanted))] == [tokenizer.encode(text) for text in wanted]
    assert tokens.window(int(tokens.documents[0]) - 1, 1)[0] == tokenizer.eos_id
    assert tokenizer.sha256 == TRAINERS[kind](texts_of(prepared, "train"), vocab).sha256


def test_an_unknown_kind(refused: Callable[..., str], prepared: Path, tmp_path: Path) -> None:
    said = refused("tokenize", "--text", prepared, "--kind", "wordpieces", "--out", tmp_path / "out")
    assert "'wordpieces'" in said and "Did you mean 'wordpiece'?" in said


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pairs") / "pairs.jsonl"
    words = ["dog", "Hund", "cat", "Katze", "door", "T\u00fcr", "house", "Haus"]
    lines = [
        {"source": f"the {a} and the {b}", "target": f"{x} und {y}", "split": "heldout" if a == b else "train"}
        for a, x in zip(words[::2], words[1::2], strict=True)
        for b, y in zip(words[::2], words[1::2], strict=True)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def test_pairs_are_packed_side_by_side(pairs: Path, tmp_path: Path) -> None:
    out = execute_stage("tokenize", Tokenize(pairs=pairs, vocab=290), tmp_path / "out").path
    tokenizer = open_tokenizer(out)
    lines = [json.loads(line) for line in pairs.read_text("utf-8").splitlines()]
    for split, count in (("train", 12), ("heldout", 4)):
        tokens = open_tokens(out, split, tokenizer, pairs=True)
        assert tokens.meta.pairs and len(tokens.documents) == 2 * count
        found = [tokenizer.decode(tokens.document(i).tolist()) for i in range(2 * count)]
        assert found[::2] == [line["source"] for line in lines if line["split"] == split]
        assert found[1::2] == [line["target"] for line in lines if line["split"] == split]
    both = [text for line in lines if line["split"] == "train" for text in (line["source"], line["target"])]
    assert tokenizer.sha256 == bytelevel.train(both, 290).sha256
    assert len(tokenizer.encode(" und")) == len(tokenizer.encode(" and")) == 1


def test_pairs_are_no_running_text_and_running_text_is_no_pairs(pairs: Path, tokenized: Path, tmp_path: Path) -> None:
    out = execute_stage("tokenize", Tokenize(pairs=pairs, vocab=290), tmp_path / "out").path
    with pytest.raises(ArtifactError, match=r"needed running text .*; got pairs to translate"):
        open_tokens(out, "train")
    with pytest.raises(ArtifactError, match=r"needed pairs to translate .*; got running text"):
        open_tokens(tokenized, "train", pairs=True)


def test_either_text_or_pairs(refused: Callable[..., str], prepared: Path, pairs: Path, tmp_path: Path) -> None:
    assert "got neither" in refused("tokenize", "--out", tmp_path / "out")
    assert "got both" in refused("tokenize", "--text", prepared, "--pairs", pairs, "--out", tmp_path / "out")


def test_a_models_own_tokenizer_packs_what_it_goes_on_with(prepared: Path, pretrained: Path, tmp_path: Path) -> None:
    made = execute_stage("tokenize", Tokenize(text=prepared, model=pretrained), tmp_path / "again").path
    own = load(pretrained).tokenizer
    assert open_tokens(made, "train", own).meta.tokenizer_sha256 == own.sha256
    assert open_tokenizer(made).encode("The old river") == own.encode("The old river")


def forged(tokenized: Path, copy: Path, **meta: object) -> Path:
    """The same folder with other figures or an id that nothing knows, as if its stage had left it so."""
    shutil.copytree(tokenized, copy)
    table = json.loads((copy / "train.json").read_text())
    (copy / "train.json").write_text(json.dumps(table | meta))
    if not meta:
        tokens = np.fromfile(copy / "train.bin", dtype="<u2")
        tokens[7] = 301
        tokens.tofile(copy / "train.bin")
    record = json.loads((copy / "stage.json").read_text())
    record["outputs"] |= {name: sha256(copy / name) for name in ("train.json", "train.bin")}
    (copy / "stage.json").write_text(json.dumps(record))
    return copy


@pytest.mark.parametrize(("meta", "says"), [({}, "the id 301"), ({"tokenizer_sha256": "ab"}, "those of another")])
def test_tokens_that_the_tokenizer_does_not_know_train_nothing(
    refused: Callable[..., str], tokenized: Path, tmp_path: Path, meta: dict[str, object], says: str
) -> None:
    tokens = forged(tokenized, tmp_path / "tokens", **meta)
    assert says in refused("pretrain", "--tokens", tokens, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_further_special_tokens_come_after_the_vocabulary(
    gptwright: Callable[..., Any], refused: Callable[..., str], prepared: Path, tokenized: Path, tmp_path: Path
) -> None:
    new = ["<|fim_prefix|>", "<|fim_suffix|>", "<|image|>"]
    gptwright("tokenize", "--text", prepared, "--vocab", 300, "--special-tokens", *new, "--out", tmp_path / "out")
    found = open_tokenizer(tmp_path / "out")
    assert [found.special_id(token) for token in new] == [300, 301, 302] and found.vocab == 303
    assert finished_stage(tmp_path / "out")["metrics"]["vocab"] == 303
    old, same = open_tokens(tokenized, "train"), open_tokens(tmp_path / "out", "train", found)
    assert old.window(0, len(old)).tolist() == same.window(0, len(same)).tolist()
    for names, says in ((["a b"], "without spaces"), (["<a>", "<a>"], "twice"), ([END_OF_TEXT], "has already")):
        assert says in refused("tokenize", "--text", prepared, "--vocab", 300, "--special-tokens", *names,
                               "--out", tmp_path / "bad")  # fmt: skip
    assert "no weights for new tokens" in refused("tokenize", "--text", prepared, "--model", tmp_path / "out",
                                                  "--special-tokens", "<a>", "--out", tmp_path / "bad")  # fmt: skip


def test_a_mix_reads_sources_as_often_as_it_says(prepared: Path, tokenized: Path, tmp_path: Path) -> None:
    sources = {json.loads(line)["source"] for line in (prepared / "train.jsonl").read_text("utf-8").splitlines()}
    first, *others = sorted(sources)
    (tmp_path / "mix.toml").write_text(f'[shares]\n"{first}" = 1\n"*" = {len(others) and 1}\n')
    asked = Tokenize(text=prepared, vocab=300, mix=str(tmp_path / "mix.toml"))
    folder = execute_stage("tokenize", asked, tmp_path / "tokens")
    record: Any = finished_stage(folder.path, "tokenize")
    mixture = record["metrics"]["mixture"]
    assert all(abs(each["share"] - 1 / len(mixture)) < 0.02 for each in mixture.values())
    assert record["metrics"]["train_tokens"] == sum(each["tokens"] for each in mixture.values())
    assert record["inputs"].keys() == {"text", "mix"} and not (folder.path / "unmixed").exists()
    for name in ("heldout.bin", "tokenizer.json"):
        assert sha256(folder.path / name) == sha256(tokenized / name)


def test_a_vocabulary_is_learned_from_as_much_of_each_source_as_its_mix_says(prepared: Path, tmp_path: Path) -> None:
    rows = [json.loads(line) for line in (prepared / "train.jsonl").read_text("utf-8").splitlines()]
    first = min(row["source"] for row in rows)
    (tmp_path / "mix.toml").write_text(f'[epochs]\n"{first}" = 2\n"*" = 0\n')
    asked = Tokenize(text=prepared, vocab=300, vocab_mix=str(tmp_path / "mix.toml"))
    folder = execute_stage("tokenize", asked, tmp_path / "tokens").path
    record: Any = finished_stage(folder, "tokenize")
    own = [row["text"] for row in rows if row["source"] == first]
    assert open_tokenizer(folder).sha256 == bytelevel.train([*own, *own], 300).sha256
    assert record["metrics"]["vocab_megabytes"][first] == round(2e-6 * sum(len(text.encode()) for text in own), 3)
    assert record["inputs"].keys() == {"text", "vocab_mix"}
    assert len(open_tokens(folder, "train").documents) == len(rows)


def test_what_a_token_stands_for_in_each_script(gptwright: Callable[..., Any], tmp_path: Path) -> None:
    dice = random.Random(0)
    words = {
        " ": ["the", "door", "of", "an", "old", "house", "was", "open", "and", "cold", "rivers", "ran", "by"],
        "": "\u6c34\u6728\u706b\u571f\u91d1\u5c71\u77f3",
    }
    texts = [mark.join(dice.choices(some, k=60)) for mark, some in words.items() for _ in range(80)]
    write_objects(tmp_path / "both.jsonl", [{"text": text} for text in texts])
    gptwright("prepare", "--data", tmp_path / "both.jsonl", "--heldout-fraction", 0.5, "--out", tmp_path / "text")
    said = gptwright("tokenize", "--text", tmp_path / "text", "--vocab", 270, "--out", tmp_path / "out").err
    metrics: Any = finished_stage(tmp_path / "out", "tokenize")["metrics"]
    found, tokenizer = metrics["heldout_by_script"], open_tokenizer(tmp_path / "out")
    water = [text for text in texts_of(tmp_path / "text", "heldout") if not text.isascii()]
    tokens = sum(len(tokenizer.encode(text)) for text in water)
    assert found.keys() == {"latin", "cjk"} and found["cjk"]["tokens"] == tokens
    assert found["cjk"]["characters_per_token"] == round(sum(map(len, water)) / tokens, 3)
    assert "characters a token of held-out text: " in said and "latin" in said


def test_killed_at_any_moment_the_same_command_leaves_the_same_bytes(
    prepared: Path, in_a_process: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "mix.toml").write_text('[epochs]\n"*" = 1.5\n')
    asked = Tokenize(text=prepared, vocab=300, mix=str(tmp_path / "mix.toml"))
    whole = in_a_process("tokenize", asked, tmp_path / "whole")
    assert whole.code == 0, whole.said
    for at in range(2, len(whole.changes), 3):
        out = tmp_path / f"killed{at}"
        assert in_a_process("tokenize", asked, out, at).code == 137
        assert in_a_process("tokenize", asked, out).code == 0
        found, wanted = (
            {path.name: sha256(path) for path in folder.iterdir() if path.name != "stage.json"}
            for folder in (out, tmp_path / "whole")
        )
        assert found == wanted


def test_any_number_of_workers_and_a_stop_leave_the_same_bytes(
    prepared: Path, tokenized: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gptwright.stages.tokenize.PART", (prepared / "train.jsonl").stat().st_size // 3)
    two = Tokenize(text=prepared, vocab=300, workers=2)
    with monkeypatch.context() as broken:
        broken.setattr("gptwright.stages.tokenize.figures_by_script", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            execute_stage("tokenize", two, tmp_path / "out")
    assert len(list((tmp_path / "out/parts").glob("train-*.bin"))) in (3, 4)
    with monkeypatch.context() as learned:
        learned.setattr("gptwright.stages.tokenize.train", lambda *_: 1 / 0)  # it is there
        execute_stage("tokenize", two, tmp_path / "out")
    records = [finished_stage(folder, "tokenize") for folder in (tokenized, tmp_path / "out")]
    assert records[0]["outputs"] == records[1]["outputs"] and not (tmp_path / "out/parts").exists()
    assert records[0]["metrics"] == records[1]["metrics"]


def test_whoever_goes_on_says_that_the_vocabulary_is_learned(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mix.toml").write_text('[epochs]\n"*" = 0.5\n')
    asked = Tokenize(text=prepared, vocab=300, vocab_mix=str(tmp_path / "mix.toml"))
    with monkeypatch.context() as broken:
        broken.setattr("gptwright.stages.tokenize.figures_by_script", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            execute_stage("tokenize", asked, tmp_path / "out")
    assert "tokenize: learns 300 tokens from" in capsys.readouterr().err
    execute_stage("tokenize", asked, tmp_path / "out")
    said = capsys.readouterr().err
    assert "tokenize: has learned 300 tokens from" in said and "learns" not in said


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_a_tokenizers_file_that_was_changed_is_refused(tokenized: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(tokenized, tmp_path / "changed")
    assert open_tokenizer(folder).vocab
    (folder / name).write_text((folder / name).read_text() + "\n")
    with pytest.raises(ArtifactError, match=rf"{name} as its stage wrote it; got other bytes"):
        open_tokenizer(folder)


def test_without_ray_it_is_said_before_a_vocabulary_is_learned(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(tokenize, "train", lambda *_: 1 / 0)
    with pytest.raises(ResourceError, match=r"Ray for workers; got none"):
        execute_stage("tokenize", Tokenize(text=prepared, vocab=300, engine="ray"), tmp_path / "tokens")
    assert not (tmp_path / "tokens").exists()


def test_pairs_need_no_ray(pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    assert execute_stage("tokenize", Tokenize(pairs=pairs, vocab=270, engine="ray"), tmp_path / "t").state == "complete"


def test_a_mix_for_a_vocabulary_that_is_not_learned(refused: Callable[..., str], tmp_path: Path) -> None:
    said = refused(
        "tokenize", "--text", tmp_path, "--model", tmp_path, "--vocab-mix", "mix.toml", "--out", tmp_path / "o"
    )
    assert "vocab_mix where a vocabulary is learned" in said


def test_a_mix_of_pairs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a mix of prepared text"):
        Tokenize(pairs=tmp_path / "pairs.jsonl", mix="gpt3")
