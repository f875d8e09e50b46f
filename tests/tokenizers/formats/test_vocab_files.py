"""Released vocabularies: read as the reference reads them, and every fault named."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tiktoken
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers.byte_unicode import unicode_to_bytes
from gptwright.tokenizers.edge_cases import TEXTS
from gptwright.tokenizers.formats.vocab_files import CL100K_PATTERN, read_bert, read_gpt1, read_gpt2, read_tiktoken
from gptwright.tokenizers.tiktoken_backend import GPT2_PATTERN
from gptwright.tokenizers.tokenizer import Tokenizer

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def model_of(tokenizer: Tokenizer) -> Any:
    return json.loads(tokenizer.backend.to_str())["model"]


def merges_text(tokenizer: Tokenizer) -> str:
    return "\n".join(["#version: 0.2", *(" ".join(pair) for pair in model_of(tokenizer)["merges"]), ""])


def ranks_of(tokenizer: Tokenizer) -> dict[bytes, int]:
    """The vocabulary numbered as OpenAI does: bytes and merges from 0 on, special tokens behind them."""
    learned = sorted((i, t) for t, i in model_of(tokenizer)["vocab"].items() if i not in tokenizer.all_special_ids)
    return {unicode_to_bytes(token) or b"": rank for rank, (_, token) in enumerate(learned)}


def ranks_text(ranks: dict[bytes, int]) -> str:
    return "".join(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in ranks.items())


def test_gpt2(learned: dict[str, Tokenizer], write: Write) -> None:
    vocab = model_of(learned["byte-level"])["vocab"]
    files = write("encoder.json", json.dumps(vocab)), write("vocab.bpe", merges_text(learned["byte-level"]))
    tokenizer = read_gpt2(*files)
    reference = transformers.GPT2Tokenizer(*map(str, files))
    for text in TEXTS:
        assert tokenizer.encode(text) == reference(text, split_special_tokens=True)["input_ids"]
    assert (tokenizer.bos_id, tokenizer.eos_id, tokenizer.pad_id, tokenizer.stop_ids) == (0, 0, 0, [0])
    assert tokenizer.special_tokens.chat_template is None


@pytest.mark.parametrize("pattern", [GPT2_PATTERN, CL100K_PATTERN])
def test_tiktoken(learned: dict[str, Tokenizer], write: Write, pattern: str) -> None:
    ranks = ranks_of(learned["byte-level"])
    special = {"<|endoftext|>": len(ranks) + 7, "<|fim_prefix|>": len(ranks) + 8}
    tokenizer = read_tiktoken(write("ours.tiktoken", ranks_text(ranks)), pattern, special)
    reference = tiktoken.Encoding("ours", pat_str=pattern, mergeable_ranks=ranks, special_tokens=special)
    for text in TEXTS:
        assert tokenizer.encode(text) == reference.encode_ordinary(text)
    assert tokenizer.all_special_ids == set(special.values())
    assert (tokenizer.eos_id, tokenizer.vocab) == (len(ranks) + 7, len(ranks) + 9)


def test_tiktoken_puts_the_end_of_text_behind_all_ranks(learned: dict[str, Tokenizer], write: Write) -> None:
    ranks = ranks_of(learned["byte-level"])
    assert read_tiktoken(write("ours.tiktoken", ranks_text(ranks))).eos_id == len(ranks)


def test_gpt1(learned: dict[str, Tokenizer], write: Write) -> None:
    vocab = json.dumps(model_of(learned["gpt1"])["vocab"])
    files = write("vocab.json", vocab), write("merges.txt", merges_text(learned["gpt1"]))
    tokenizer, reference = read_gpt1(*files), transformers.OpenAIGPTTokenizer(*map(str, files))
    for text in TEXTS:
        assert tokenizer.encode(text) == reference(text, split_special_tokens=True)["input_ids"]
    assert (tokenizer.bos_id, tokenizer.eos_id) == (None, tokenizer.special_id("<unk>"))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_bert(learned: dict[str, Tokenizer], write: Write, tmp_path: Path, newline: str) -> None:
    vocab = model_of(learned["wordpiece"])["vocab"]
    tokens = sorted(vocab, key=lambda token: vocab[token])
    tokenizer = read_bert(write("vocab.txt", newline.join([*tokens, ""])))
    reference = transformers.BertTokenizer(str(write("reference.txt", "\n".join([*tokens, ""]))))
    for text in TEXTS:
        ids = reference(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert tokenizer.encode(text) == ids
    assert tokenizer.sha256 == learned["wordpiece"].sha256


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "JSON"),
        (b"\xff{}", "UTF-8"),
        (b"[]", "a table of tokens and ids"),
        (b"{}", "a table of tokens and ids"),
        (b"[" * 100_000, "JSON"),
        (b'{"a": 0, "b": 4294967295}', "ids from 0 to 1"),
        (b'{"a": 0, "b": 99999999999999999999}', "ids from 0 to 1"),
        (b'{"a": 0, "b": 0}', "each once"),
        (b'{"a": 0, "b": -1}', "each once"),
        (b'{"a": 0, "b": "1"}', "ids from 0"),
        (b'{"a": 0, "b": true}', "ids from 0"),
        (b'{"a": 0, "b": 1.0}', "ids from 0"),
        (b'{"a": 0, "b": 1}', "a token for every byte"),
    ],
)
def test_faults_of_an_encoder(write: Write, content: bytes, said: str) -> None:
    with pytest.raises(ArtifactError, match=said) as error:
        read_gpt2(write("encoder.json", content), write("vocab.bpe", ""))
    assert "encoder.json" in str(error.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("#version: 0.2\na t\nt\n", "two tokens on line 3"),
        ("t h e\n", "two tokens on line 1"),
        ("t q\n", "tokens of the vocabulary on line 1.*'tq'"),
        ("t \u732b\n", "tokens of the vocabulary on line 1.*'\u732b'"),
        (b"\xff\n", "UTF-8"),
    ],
)
def test_faults_of_merges(learned: dict[str, Tokenizer], write: Write, content: str | bytes, said: str) -> None:
    encoder = write("encoder.json", json.dumps(model_of(learned["byte-level"])["vocab"]))
    with pytest.raises(ArtifactError, match=said):
        read_gpt2(encoder, write("vocab.bpe", content))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("YQ== 0 0\n", "a token in base64 and its rank on line 1"),
        ("YQ==\n", "on line 1"),
        ("YQ== x\n", "on line 1"),
        ("Y! 0\n", "on line 1"),
        ("YQ== 0\nYQ== 1\n", "a new token of 1 to 1024 bytes on line 2"),
        (f"{base64.b64encode(b'a' * 2000).decode()} 0\n", "a new token of 1 to 1024 bytes"),
        ("", "ranks from 0 on"),
        ("YQ== -1\n", "ranks from 0 on"),
        ("YQ== 0\nYg== 0\n", "ranks from 0 on"),
        ("YQ== 99999999999999999999\n", "ranks from 0 on"),
        ("YQ== 0\n", "a token for every byte"),
    ],
)
def test_faults_of_ranks(write: Write, content: str, said: str) -> None:
    with pytest.raises(ArtifactError, match=said):
        read_tiktoken(write("x.tiktoken", content))


def test_ranks_that_no_merges_make(write: Write) -> None:
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"abcd": 256}
    with pytest.raises(ArtifactError, match="two earlier tokens that make b'abcd'"):
        read_tiktoken(write("x.tiktoken", ranks_text(ranks)))
    for special in ({"<e>": 5}, {"<e>": 2**40}, {"<e>": -1}):
        with pytest.raises(ArtifactError, match="room for <e>"):
            read_tiktoken(write("x.tiktoken", ranks_text({bytes([b]): b for b in range(256)})), special=special)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[PAD]\n[UNK]\n[CLS]\n[SEP]\n", r"the token \[MASK\]"),
        ("a\nb\na\n", "a new token on line 3"),
        (b"\xff", "UTF-8"),
    ],
)
def test_faults_of_a_word_list(write: Write, content: str | bytes, said: str) -> None:
    with pytest.raises(ArtifactError, match=said):
        read_bert(write("vocab.txt", content))


def test_a_file_that_is_missing_and_one_that_is_too_large(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nothing there"):
        read_bert(tmp_path / "vocab.txt")
    with (tmp_path / "vocab.txt").open("wb") as file:
        file.truncate(1 << 40)  # without a byte on the disk
    with pytest.raises(ArtifactError, match="at most 100 MiB"):
        read_bert(tmp_path / "vocab.txt")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(), st.text(max_size=40).map(str.encode), st.just(b"YQ== 1\n") | st.just(b'{"a": 0}')))
def test_any_bytes_are_refused_in_three_parts(write: Write, data: bytes) -> None:
    path, empty = write("data", data), write("empty", "")
    with pytest.raises(ArtifactError):
        read_gpt2(path, empty)
    with pytest.raises(ArtifactError):
        read_gpt1(path, path)
    for read in (read_bert, read_tiktoken):
        with pytest.raises(ArtifactError):
            read(path)
