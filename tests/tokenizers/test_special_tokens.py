"""Special tokens as an argument: further ones come after all other ids, are special, and nobody forges them."""

from dataclasses import replace
from pathlib import Path

import pytest
import transformers

from gptwright.foundations.errors import ConfigError
from gptwright.tokenizers import bytelevel
from gptwright.tokenizers.chat_templates.chat import Message, prompt_ids, render
from gptwright.tokenizers.edge_cases import TEXTS
from gptwright.tokenizers.formats.gguf import tokenizer_of
from gptwright.tokenizers.formats.gguf_writing import values_of
from gptwright.tokenizers.registry import TRAINERS, train
from gptwright.tokenizers.special_tokens import CHAT_TOKENS, SpecialTokens, check_additional
from gptwright.tokenizers.tiktoken_backend import tiktoken_encoder
from gptwright.tokenizers.tokenizer import Tokenizer

NEW = ("<|fim_prefix|>", "<|fim_suffix|>", "<IMAGE>")
SPELT = "".join(NEW) + " a<IMAGE>b <image> <|fim_prefix|>x <|fim_ <|fim_<IMAGE>suffix|>"


@pytest.fixture(scope="module")
def extended(text: str, learned: dict[str, Tokenizer]) -> dict[str, Tokenizer]:
    """The tokenizers of `learned`, learned again with three more special tokens."""
    return {kind: train(kind, [text], learned[kind].vocab, NEW) for kind in TRAINERS}


def check_new_tokens(tokenizer: Tokenizer, plain: Tokenizer) -> None:
    """The three are special and follow all ids of `plain`; texts, even those that spell them, have the same ids."""
    ids = [tokenizer.special_id(token) for token in NEW]
    assert ids == [plain.vocab, plain.vocab + 1, plain.vocab + 2] and tokenizer.vocab == plain.vocab + 3
    assert tokenizer.all_special_ids == plain.all_special_ids | {*ids}
    texts = [*TEXTS, SPELT]
    assert tokenizer.encode_many(texts) == plain.encode_many(texts) == [plain.encode(text) for text in texts]
    assert [tokenizer.encode(text) for text in texts] == [plain.encode(text) for text in texts]
    assert tokenizer.decode(ids) == "" and all(tokenizer.token_bytes(i) is None for i in ids)


@pytest.mark.parametrize("kind", TRAINERS)
def test_all_other_ids_stay(kind: str, learned: dict[str, Tokenizer], extended: dict[str, Tokenizer]) -> None:
    check_new_tokens(extended[kind], learned[kind])
    old, new = (each[kind].backend.get_vocab() for each in (learned, extended))
    assert new == old | {token: len(old) + place for place, token in enumerate(NEW)}


@pytest.mark.parametrize("kind", TRAINERS)
def test_saved_and_loaded(
    kind: str, learned: dict[str, Tokenizer], extended: dict[str, Tokenizer], tmp_path: Path
) -> None:
    extended[kind].save(tmp_path)
    found = Tokenizer.load(tmp_path)
    check_new_tokens(found, learned[kind])
    assert found.special_tokens == extended[kind].special_tokens and found.special_tokens.additional == NEW
    found.save(tmp_path / "again")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


@pytest.mark.parametrize("kind", TRAINERS)
def test_transformers_knows_them(kind: str, extended: dict[str, Tokenizer], tmp_path: Path) -> None:
    extended[kind].save(tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    ids = [extended[kind].special_id(token) for token in NEW]
    assert theirs.convert_tokens_to_ids(list(NEW)) == ids and {*ids} <= {*theirs.all_special_ids}
    assert theirs.decode([*extended[kind].encode("the cat"), *ids], skip_special_tokens=True).strip() == "the cat"
    assert theirs("".join(NEW), add_special_tokens=False)["input_ids"] == ids


def test_tiktoken_still_encodes(learned: dict[str, Tokenizer], extended: dict[str, Tokenizer]) -> None:
    encode = tiktoken_encoder(extended["byte-level"].text_backend)
    assert encode and encode(SPELT) == learned["byte-level"].encode(SPELT)


@pytest.mark.parametrize("kind", ["byte-level", "byte-fallback"])
def test_gguf_keeps_them(kind: str, learned: dict[str, Tokenizer], extended: dict[str, Tokenizer]) -> None:
    tokenizer = extended[kind]
    check_new_tokens(Tokenizer(*tokenizer_of(values_of(tokenizer, tokenizer.vocab))), learned[kind])


@pytest.mark.parametrize("kind", ["byte-level", "byte-fallback", "gpt1"])
def test_nobody_forges_them_in_a_conversation(
    kind: str, extended: dict[str, Tokenizer], templates: dict[str, str]
) -> None:
    own, said = extended[kind], [Message(role="user", content=SPELT)]
    foreign = Tokenizer(own.backend, replace(own.special_tokens, chat_template=templates["chatml"]))
    new = {own.special_id(token) for token in NEW}
    assert new.isdisjoint(prompt_ids(said, own)) and new.isdisjoint(prompt_ids(said, foreign))
    assert new.isdisjoint(render([*said, Message(role="assistant", content=SPELT)], own)[0])


def test_a_template_writes_them(extended: dict[str, Tokenizer]) -> None:
    own = extended["byte-level"]
    template = "{% for message in messages %}<IMAGE>{{ message['content'] }}{% endfor %}"
    tokenizer = Tokenizer(own.backend, replace(own.special_tokens, chat_template=template))
    ids = prompt_ids([Message(role="user", content=SPELT)], tokenizer)
    assert ids == [own.special_id("<IMAGE>"), *own.encode(SPELT)]


def test_other_special_tokens_than_the_usual(text: str) -> None:
    special = SpecialTokens(
        bos=None, eos="<end>", pad="<fill>", stop=("<end>",), chat_template=None, additional=("<x>",)
    )
    tokenizer = bytelevel.train([text], 300, special)
    assert (tokenizer.eos_id, tokenizer.pad_id, tokenizer.bos_id, tokenizer.special_id("<x>")) == (0, 1, None, 300)
    assert tokenizer.encode("<e><f><x>") == tokenizer.encode_bytes(b"<e><f><x>")
    assert tokenizer.all_special_ids == {0, 1, 300}


@pytest.mark.parametrize(
    "names, got",
    [
        ([""], "''"),
        (["<a>", " "], "' '"),
        (["<a b>"], "'<a b>'"),
        (["<a>\n"], r"'<a>\\n'"),
        (["\udcff"], "udcff"),
        (["<a>", "<b>", "<a>"], "'<a>' twice"),
    ],
)
def test_names_that_cannot_be(names: list[str], got: str) -> None:
    with pytest.raises(ConfigError, match="new special tokens") as error:
        check_additional(names)
    assert got.replace("\\\\", "\\") in error.value.got


@pytest.mark.parametrize("kind", TRAINERS)
def test_names_that_the_vocabulary_has(kind: str, text: str, learned: dict[str, Tokenizer]) -> None:
    vocab, word = learned[kind].vocab, next(token for token in learned[kind].backend.get_vocab() if "at" in token)
    for token in (CHAT_TOKENS.pad if kind != "wordpiece" else "[MASK]", word):
        with pytest.raises(ConfigError, match="which the vocabulary has already"):
            train(kind, [text], vocab, ["<new>", token])
