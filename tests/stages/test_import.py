"""Released vocabularies come in through `import`, and `tokenize --model` packs text with them."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sentencepiece

from gptwright.foundations.runs import finished_stage
from gptwright.stages.tokenize import open_tokenizer, open_tokens
from gptwright.tokenizers.byte_unicode import unicode_to_bytes
from gptwright.tokenizers.tokenizer import Tokenizer

Do = Callable[..., None]
TEXT = "the old miller walked to a river and saw grey cat near boat while rain fell on roof\n" * 20


def files_of(tokenizer: Tokenizer, folder: Path) -> dict[str, Path]:
    """The vocabulary of a byte-level tokenizer as GPT-2 was released, under both pairs of names, and as tiktoken's."""
    model = json.loads(tokenizer.backend.to_str())["model"]
    merges = "#version: 0.2\n" + "".join(" ".join(pair) + "\n" for pair in model["merges"])
    for names in (("encoder.json", "vocab.bpe"), ("vocab.json", "merges.txt")):
        (folder / names[0]).write_text(json.dumps(model["vocab"]), "utf-8")
        (folder / names[1]).write_text(merges, "utf-8")
    ranked = sorted((i, token) for token, i in model["vocab"].items() if i not in tokenizer.all_special_ids)
    lines = (f"{base64.b64encode(unicode_to_bytes(t) or b'').decode()} {n}\n" for n, (_, t) in enumerate(ranked))
    (folder / "r50k_base.tiktoken").write_text("".join(lines), "utf-8")
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture
def do(gptwright: Callable[..., Any]) -> Do:
    """A command that is to end well."""

    def do(*words: object) -> None:
        ended = gptwright(*words)
        assert ended.code == 0, ended.err

    return do


@pytest.fixture(scope="module")
def files(tokenized: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("vocabulary")
    found = files_of(open_tokenizer(tokenized), folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
    (folder / "vocab.txt").write_text("\n".join([*words, *(f"##{c}" for c in words[5:])]) + "\n", "utf-8")
    trained = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXT.splitlines()), model_writer=trained, model_type="bpe", vocab_size=290,
        byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False, minloglevel=2,
    )  # fmt: skip
    (folder / "tokenizer.model").write_bytes(trained.getvalue())
    return found | {name: folder / name for name in ("vocab.txt", "tokenizer.model")}


@pytest.mark.parametrize("name", ["vocab.bpe", "encoder.json", "merges.txt", "vocab.json"])
def test_either_file_of_a_pair(do: Do, files: dict[str, Path], tokenized: Path, tmp_path: Path, name: str) -> None:
    do("import", files[name], "--out", tmp_path / "out")
    found, wanted = Tokenizer.load(tmp_path / "out"), open_tokenizer(tokenized)
    assert found.vocab == wanted.vocab and found.encode(TEXT) == wanted.encode(TEXT)
    record = finished_stage(tmp_path / "out", "import")
    assert record["metrics"] == {"vocab": 300} and len(record["inputs"]) == 2


@pytest.mark.parametrize("name", ["vocab.txt", "tokenizer.model"])
def test_a_vocabulary_in_one_file(do: Do, files: dict[str, Path], tmp_path: Path, name: str) -> None:
    do("import", files[name], "--out", tmp_path / "out")
    assert Tokenizer.load(tmp_path / "out").decode(Tokenizer.load(tmp_path / "out").encode("the cat")) == "the cat"


def test_text_is_packed_with_an_imported_vocabulary(
    do: Do, files: dict[str, Path], prepared: Path, tokenized: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "gpt-2"
    folder.mkdir()
    for name in ("vocab.json", "merges.txt"):
        (folder / name).write_bytes(files[name].read_bytes())
    do("import", folder, "--out", tmp_path / "vocabulary")
    do("tokenize", "--text", prepared, "--model", tmp_path / "vocabulary", "--out", tmp_path / "tokens")
    tokens = open_tokens(tmp_path / "tokens", "heldout", open_tokenizer(tmp_path / "tokens"))
    assert tokens.window(0, 50).tolist() == open_tokens(tokenized, "heldout").window(0, 50).tolist()


def test_tiktoken_needs_a_known_name(
    do: Do, refused: Callable[..., str], files: dict[str, Path], tokenized: Path, tmp_path: Path
) -> None:
    renamed = tmp_path / "mine.tiktoken"
    renamed.write_bytes(files["r50k_base.tiktoken"].read_bytes())
    assert "r50k_base, p50k_base, cl100k_base" in refused("import", renamed, "--out", tmp_path / "out")


def test_half_of_a_pair(refused: Callable[..., str], files: dict[str, Path], tmp_path: Path) -> None:
    alone = tmp_path / "merges.txt"
    alone.write_bytes(files["merges.txt"].read_bytes())
    assert str(tmp_path / "vocab.json") in refused("import", alone, "--out", tmp_path / "out")
