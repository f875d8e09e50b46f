"""Folders of other tools open here, ours open there, and what is missing is named."""

import json
from pathlib import Path
from typing import Any

import pytest
import transformers

from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers.edge_cases import TEXTS
from gptwright.tokenizers.formats.folder import VOCAB_FILES, eos_ids
from gptwright.tokenizers.formats.vocab_files import vocab_files
from gptwright.tokenizers.special_tokens import CHAT_TEMPLATE, SpecialTokens
from gptwright.tokenizers.tokenizer import Tokenizer


def vocabulary(tokenizer: Tokenizer) -> dict[str, Any]:
    model = json.loads(tokenizer.backend.to_str())["model"]
    merges = [tuple(pair) for pair in model.get("merges", [])]
    return {"vocab": model["vocab"]} | ({"merges": merges} if merges else {})


def configure(folder: Path, **changes: Any) -> None:
    path = folder / "tokenizer_config.json"
    table = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    table |= changes
    path.write_text(json.dumps({name: value for name, value in table.items() if value != "absent"}), "utf-8")


@pytest.fixture
def folder(learned: dict[str, Tokenizer], tmp_path: Path) -> Path:
    """A folder that another tool left: only tokenizer.json is ours."""
    learned["byte-level"].save(tmp_path)
    (tmp_path / "tokenizer_config.json").unlink()
    return tmp_path


@pytest.mark.parametrize("family", [None, "gpt2", "openai-gpt", "bert", "llama"])
def test_other_tools_open_ours_with_equal_ids(any_kind: Tokenizer, tmp_path: Path, family: str | None) -> None:
    any_kind.save(tmp_path, context=100_000)
    if family:
        (tmp_path / "config.json").write_text(json.dumps({"model_type": family}))
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    for text in TEXTS:
        ids = theirs(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert any_kind.encode(text) == ids
        assert any_kind.decode(ids) == theirs.decode(ids, skip_special_tokens=True)
    assert theirs.model_max_length == 100_000 and theirs.pad_token_id == any_kind.pad_id
    theirs.save_pretrained(tmp_path / "again")
    again = Tokenizer.load(tmp_path / "again")
    assert again.special_tokens == any_kind.special_tokens and again.encode(TEXTS[8]) == any_kind.encode(TEXTS[8])


def test_other_tools_know_berts_control_tokens(learned: dict[str, Tokenizer], tmp_path: Path) -> None:
    learned["wordpiece"].save(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    names = ("pad", "unk", "cls", "sep", "mask")
    assert [getattr(theirs, f"{name}_token_id") for name in names] == [0, 1, 2, 3, 4]
    assert set(theirs("the cat", "the sea")) == {"input_ids", "token_type_ids", "attention_mask"}


@pytest.mark.parametrize(
    ("kind", "made", "expected"),
    [
        ("byte-level", "GPT2Tokenizer", (None, "<|endoftext|>", "<|endoftext|>", "<|endoftext|>")),
        ("wordpiece", "BertTokenizer", ("[CLS]", "[SEP]", "[PAD]", "[SEP]")),
        ("byte-fallback", "LlamaTokenizer", (None, "</s>", "</s>", "</s>")),
        ("gpt1", "OpenAIGPTTokenizer", (None, "<unk>", "<unk>", "<unk>")),
    ],
)
@pytest.mark.parametrize("says", [True, False])
def test_folders_of_other_tools(
    learned: dict[str, Tokenizer], tmp_path: Path, kind: str, made: str, expected: tuple[str | None, ...], says: bool
) -> None:
    """Also those whose tokenizer_config.json names no token, as GPT-2's and BERT's on the hub."""
    parts = vocabulary(learned[kind])
    if kind == "byte-fallback":
        renamed = {"<|endoftext|>": "<s>", "<|end|>": "</s>"}
        parts["vocab"] = {renamed.get(token, token): i for token, i in parts["vocab"].items()}
    theirs = getattr(transformers, made)(**parts)
    theirs.save_pretrained(tmp_path)
    if not says:
        (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 1024}')
    tokenizer = Tokenizer.load(tmp_path)
    begin, end, pad, stop = expected
    assert tokenizer.special_tokens == SpecialTokens(
        bos=begin, eos=str(end), pad=str(pad), stop=(str(stop),), chat_template=None
    )
    for text in TEXTS:
        assert tokenizer.encode(text) == theirs(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    tokenizer.save(tmp_path / "again")
    assert Tokenizer.load(tmp_path / "again").special_tokens == tokenizer.special_tokens


def test_what_a_folder_says_counts_more_than_names(folder: Path) -> None:
    added = {"__type": "AddedToken", "content": "<|end|>", "special": True}
    configure(folder, bos_token=None, eos_token=added, pad_token="<|pad|>", chat_template="{{ messages }}")
    (folder / "generation_config.json").write_text('{"eos_token_id": [2, 0, 4294967296, "x", 399999]}')
    found = Tokenizer.load(folder).special_tokens
    assert found == SpecialTokens(bos="<|endoftext|>", eos="<|end|>", pad="<|pad|>", stop=("<|end|>", "<|endoftext|>"),
                             chat_template="{{ messages }}")  # fmt: skip
    assert found.named == {"eos_token": "<|end|>", "pad_token": "<|pad|>"}


def test_the_map_of_special_tokens_fills_what_the_configuration_leaves(folder: Path) -> None:
    (folder / "special_tokens_map.json").write_text('{"eos_token": {"content": "<|end|>"}, "bos_token": "<|user|>"}')
    configure(folder, bos_token="<|pad|>")
    found = Tokenizer.load(folder).special_tokens
    assert (found.named["bos_token"], found.eos, found.pad) == ("<|pad|>", "<|end|>", "<|end|>")


BEFORE: dict[str, Any] = {
    "nothing said": {},
    "yes": {"add_bos_token": True},
    "no": {"add_bos_token": False},
    "only of the end": {"add_eos_token": False},
    "null": {"add_bos_token": None},
    "yes, without a token": {"add_bos_token": True, "bos_token": None},
}


@pytest.mark.parametrize("flags", BEFORE)
@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize("made", ["PreTrainedTokenizerFast", "GPT2Tokenizer", "LlamaTokenizer"])
def test_a_text_begins_as_in_transformers(folder: Path, flags: str, kept: bool, made: str) -> None:
    """By the post-processor; beside a tokenizer.json nobody reads what tokenizer_config.json has to say of it."""
    kind = {"tokenizer_class": made, "bos_token": "<|user|>", "eos_token": "<|end|>"}
    configure(folder, **kind | BEFORE[flags])
    if not kept:
        state = json.loads((folder / "tokenizer.json").read_text("utf-8"))
        (folder / "tokenizer.json").write_text(json.dumps(state | {"post_processor": None}), "utf-8")
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    ours = Tokenizer.load(folder)
    begin = [] if ours.bos_id is None else [ours.bos_id]
    assert [*begin, *ours.encode("the cat")] == theirs("the cat")["input_ids"]
    ours.save(folder / "again")
    again = transformers.AutoTokenizer.from_pretrained(folder / "again")
    assert again("the cat")["input_ids"] == theirs("the cat")["input_ids"]
    assert Tokenizer.load(folder / "again").special_tokens == ours.special_tokens


def test_ours_begins_in_transformers_as_here(any_kind: Tokenizer, tmp_path: Path) -> None:
    any_kind.save(tmp_path)
    begin = [] if any_kind.bos_id is None else [any_kind.bos_id]
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)("the cat", split_special_tokens=True)["input_ids"]
    ours = [*begin, *any_kind.encode("the cat")]
    assert theirs[: len(ours)] == ours
    assert Tokenizer.load(tmp_path).sha256 == any_kind.sha256


def test_two_tokens_before_a_text(folder: Path) -> None:
    state = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    ids = {token: {"id": token, "ids": [i], "tokens": [token]} for i, token in enumerate(["<|endoftext|>", "<|pad|>"])}
    single = [
        *({"SpecialToken": {"id": token, "type_id": 0}} for token in ids),
        {"Sequence": {"id": "A", "type_id": 0}},
    ]
    state["post_processor"] |= {"single": single, "special_tokens": ids}
    (folder / "tokenizer.json").write_text(json.dumps(state), "utf-8")
    with pytest.raises(ArtifactError, match=r"at most one token put before a text(.|\n)*<\|endoftext\|> <\|pad\|>"):
        Tokenizer.load(folder)


@pytest.mark.parametrize(
    ("config", "generation", "stops"),
    [
        (2, None, ["<|endoftext|>", "<|end|>"]),
        ([2, 1], None, ["<|endoftext|>", "<|end|>", "<|pad|>"]),
        (2, 1, ["<|endoftext|>", "<|pad|>"]),
        (2, [1, 3], ["<|endoftext|>", "<|pad|>", "<|system|>"]),
        (None, None, ["<|endoftext|>"]),
        (77, None, ["<|endoftext|>"]),
    ],
)
def test_ends_that_the_model_names(folder: Path, config: Any, generation: Any, stops: list[str]) -> None:
    """A word of the vocabulary, 77, stays one."""
    configure(folder, eos_token="<|endoftext|>")
    (folder / "config.json").write_text(json.dumps({"eos_token_id": config}))
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": generation}))
    assert list(Tokenizer.load(folder).special_tokens.stop) == stops
    said = config if generation is None else generation
    assert eos_ids(folder) == ([] if said is None else said if isinstance(said, list) else [said])


def test_where_templates_stand(folder: Path) -> None:
    configure(folder, chat_template=[{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}])
    assert Tokenizer.load(folder).special_tokens.chat_template == "d"
    configure(folder, chat_template=[{"name": "rag", "template": "r"}])
    assert Tokenizer.load(folder).special_tokens.chat_template is None
    (folder / "chat_template.jinja").write_text("{{ 'j' }}\n")
    assert Tokenizer.load(folder).special_tokens.chat_template == "{{ 'j' }}\n"


def test_ours_comes_back_whole(learned: dict[str, Tokenizer], tmp_path: Path) -> None:
    tokenizer = learned["byte-level"]
    odd = SpecialTokens(bos=None, eos="<|pad|>", pad="<|end|>", stop=(), chat_template=None)
    for special_tokens in (tokenizer.special_tokens, odd):
        Tokenizer(tokenizer.backend, special_tokens).save(tmp_path)
        assert Tokenizer.load(tmp_path).special_tokens == special_tokens
    assert tokenizer.special_tokens.chat_template == CHAT_TEMPLATE


def test_a_missing_and_a_damaged_tokenizer(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="nothing there"):
        Tokenizer.load(tmp_path / "none")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "vocab.txt").write_text("a\n")
    with pytest.raises(ArtifactError, match=r"vocab.txt only(.|\n)*gptwright import .*vocab.txt"):
        Tokenizer.load(tmp_path / "old")
    (tmp_path / "old" / "vocab.txt").rename(tmp_path / "old" / "tokenizer.model")
    with pytest.raises(ArtifactError, match=r"tokenizer.model only(.|\n)*gptwright import .*tokenizer.model"):
        Tokenizer.load(tmp_path / "old")
    path = folder / "tokenizer.json"
    path.write_text(path.read_text("utf-8")[:-50], "utf-8")
    with pytest.raises(ArtifactError, match="damaged"):
        Tokenizer.load(folder)


@pytest.mark.parametrize("name", VOCAB_FILES)
def test_what_reads_another_vocabulary_is_there(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ArtifactError) as error:
        Tokenizer.load(tmp_path)
    assert f"gptwright import {tmp_path / name}" in error.value.remedy
    assert tmp_path / name in vocab_files(tmp_path / name) and tmp_path / name in vocab_files(tmp_path)


def test_ids_with_large_gaps(folder: Path) -> None:
    path = folder / "tokenizer.json"
    state = json.loads(path.read_text("utf-8"))
    state["model"]["vocab"]["the cat"] = 4_294_967_295
    path.write_text(json.dumps(state), "utf-8")
    with pytest.raises(ArtifactError, match=r"without large gaps.*(.|\n)*401 tokens with ids up to 4,294,967,295"):
        Tokenizer.load(folder)


def test_a_file_that_is_too_large(folder: Path) -> None:
    with (folder / "tokenizer.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ArtifactError, match="at most 100 MiB"):
        Tokenizer.load(folder)


def test_a_folder_that_does_not_say_what_ends_a_text(folder: Path) -> None:
    path = folder / "tokenizer.json"
    path.write_text(path.read_text("utf-8").replace("<|endoftext|>", "<|done|>"), "utf-8")
    with pytest.raises(ArtifactError, match="'eos_token'"):
        Tokenizer.load(folder)
    configure(folder, eos_token="<|done|>")
    assert Tokenizer.load(folder).decode([Tokenizer.load(folder).eos_id]) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"eos_token": "<|gone|>"}, r"the special token <\|gone\|>"),
        ({"eos_token": 7}, "a token as eos_token"),
        ({"chat_template": 7}, "a chat template in"),
        ({"gptwright": {"end": "<|end|>"}}, "begin, end, pad and stops"),
        ({"gptwright": {"begin": 1, "end": "<|end|>", "pad": "<|pad|>", "stops": []}}, "begin, end, pad and stops"),
        ({"gptwright": {"begin": None, "end": "<|end|>", "pad": "<|pad|>", "stops": [1]}}, "begin, end, pad and stops"),
    ],
)
def test_a_configuration_that_cannot_be(folder: Path, changes: dict[str, Any], said: str) -> None:
    configure(folder, **changes)
    with pytest.raises(ArtifactError, match=said):
        Tokenizer.load(folder)


@pytest.mark.parametrize("content", ["[]", "{", "\udcff"])
def test_a_configuration_that_is_no_table(folder: Path, content: str) -> None:
    (folder / "tokenizer_config.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ArtifactError, match="JSON"):
        Tokenizer.load(folder)
    (folder / "tokenizer_config.json").unlink()
    (folder / "chat_template.jinja").write_bytes(b"\xff")
    with pytest.raises(ArtifactError, match="UTF-8"):
        Tokenizer.load(folder)
