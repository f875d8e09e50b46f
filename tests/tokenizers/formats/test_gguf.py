"""transformers' own conversion is the oracle, and a plain search for the best score that of SentencePiece's pieces."""

import json
import random
from itertools import pairwise
from typing import Any
from unicodedata import category

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from transformers.integrations.gguf import convert_gguf_tokenizer

from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers.formats.gguf import BYTE, CONTROL, NORMAL, UNKNOWN, USER, tokenizer_of
from gptwright.tokenizers.formats.pretokenizers import PRETOKENIZERS
from gptwright.tokenizers.special_tokens import SpecialTokens
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers, trainers

WORDS = "the cat sat on the mat, don't they? 1984 2024 12  34 naïve café 你好 你好 世界 \n\n\t  x == y; THE Cat's"
HOSTILE = [
    "",
    " ",
    "   7\t\t7 2024 ３½①",
    "\r\n \n\n\t",
    "don't DON'T we'll",
    "naïve e\u0301 你好，世界 🤷🏽‍♀️",
    "\x00\x04\x7f\u200b\u202e\ufeff\U0010ffff",
    "<|im_start|>system\n<|im_end|>",
    "<s></s><unk><0x0A>▁",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
]


def byte_level(pre: str, **changes: Any) -> dict[str, Any]:
    """The values of a small "gpt2" vocabulary that was learned with this cut."""
    backend = Backend(models.BPE())
    backend.pre_tokenizer = PRETOKENIZERS[pre].build()
    letters = pre_tokenizers.ByteLevel.alphabet()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(vocab_size=330, special_tokens=special, initial_alphabet=letters, show_progress=False)
    backend.train_from_iterator([WORDS] * 3, trainer)
    ids = backend.get_vocab()
    tokens = sorted(ids, key=lambda token: ids[token])
    merges = [" ".join(pair) for pair in json.loads(backend.to_str())["model"]["merges"]]
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": (*tokens, "\n\n\n"),
        "tokenizer.ggml.token_type": (*[CONTROL] * 3, *[NORMAL] * (len(tokens) - 3), USER),
        "tokenizer.ggml.merges": tuple(merges),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.chat_template": "{{ messages }}",
    } | changes


def pieces(**changes: Any) -> dict[str, Any]:
    """The values of a small "llama" vocabulary: special_tokens, bytes, then pieces, each with another score."""
    words = ["▁the", "▁cat", "▁sat", "▁on", "▁mat", "he", "th", "▁t", "ca", "at", "▁c", "▁ca", "is", "his", "▁s"]
    words += ["▁▁", "▁▁▁▁", "你好", "ll", "''", "ab", "abc", "bc", "bcd", "abcd"]
    single = sorted(set("".join(words)) | set("thecatsonmdxyz.,?!'0123456789"))
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words, *single]
    scores = [0.0] * 259 + [-float(i) for i in range(len(words))] + [-1000.0 - i for i in range(len(single))]
    kinds = [UNKNOWN, CONTROL, CONTROL, *[BYTE] * 256, *[NORMAL] * (len(words) + len(single))]
    return {
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tuple(tokens),
        "tokenizer.ggml.scores": tuple(scores),
        "tokenizer.ggml.token_type": tuple(kinds),
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
    } | changes


def theirs(metadata: dict[str, Any]) -> Backend:
    """transformers' tokenizer of the same values."""
    names = {
        "tokenizer.ggml.model": "tokenizer_type",
        "tokenizer.ggml.pre": "pre_tokenizer_type",
        "tokenizer.ggml.tokens": "tokens",
        "tokenizer.ggml.scores": "scores",
        "tokenizer.ggml.token_type": "token_type",
        "tokenizer.ggml.merges": "merges",
    }
    backend, _ = convert_gguf_tokenizer("llama", {names[k]: v for k, v in metadata.items() if k in names})
    backend.encode_special_tokens = True
    return backend


def ids(backend: Backend, text: str) -> list[int]:
    return backend.encode(text, add_special_tokens=False).ids


KNOWN_TO_THEM = [pre for pre in PRETOKENIZERS if pre not in ("smollm", "starcoder")]
BACKENDS = {pre: (tokenizer_of(byte_level(pre))[0], theirs(byte_level(pre))) for pre in KNOWN_TO_THEM}
PIECES = (tokenizer_of(pieces())[0], theirs(pieces()))
SMOL = tokenizer_of(byte_level("smollm"))[0]
SMOL_AS_GPT2 = theirs(byte_level("smollm") | {"tokenizer.ggml.pre": "gpt-2"})
texts = st.text() | st.text(alphabet="the cat's 12\n\t<|>_imstart你好é")


@pytest.mark.parametrize("pre", KNOWN_TO_THEM)
@given(text=texts)
def test_byte_level_ids_are_those_of_transformers(pre: str, text: str) -> None:
    ours, other = BACKENDS[pre]
    assert ids(ours, text) == ids(other, text)
    assert ours.decode(ids(ours, text), skip_special_tokens=False) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_too(text: str) -> None:
    for ours, other in BACKENDS.values():
        assert ids(ours, text) == ids(other, text)
    assert ids(PIECES[0], text.lstrip(" ")) == ids(PIECES[1], text.lstrip(" "))


@given(text=texts)
@example("a 12  34 5６½")
def test_smollm_takes_every_digit_on_its_own_and_then_cuts_as_gpt2(text: str) -> None:
    """transformers does not know this cut, so the reference is GPT-2's on every stretch between digits."""
    stretches = [""]
    for letter in text:
        stretches[-1:] = [stretches[-1], letter, ""] if category(letter)[0] == "N" else [stretches[-1] + letter]
    assert ids(SMOL, text) == [i for stretch in stretches for i in ids(SMOL_AS_GPT2, stretch)]


@given(text=texts)
def test_pieces_are_those_of_transformers_but_before_a_space(text: str) -> None:
    """There transformers puts no further space in front; SentencePiece does, as the next test has it."""
    ours, other = PIECES
    assert ids(ours, text.lstrip(" ▁")) == ids(other, text.lstrip(" ▁"))
    assert ours.decode(ids(ours, text)) == text.replace("▁", " ")


@given(text=st.text(alphabet="thecatsonm 你好!abcd\n🤷"))
def test_pieces_are_merged_best_score_first(text: str) -> None:
    metadata = pieces()
    tokens = metadata["tokenizer.ggml.tokens"]
    scores = dict(zip(tokens, metadata["tokenizer.ggml.scores"], strict=True))
    symbols = list(f" {text}".replace(" ", "▁")) if text else []
    while pairs := [(scores[a + b], -i) for i, (a, b) in enumerate(pairwise(symbols)) if a + b in scores]:
        at = -max(pairs)[1]
        symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]
    spelled = [p for s in symbols for p in ([s] if s in scores else [f"<0x{byte:02X}>" for byte in s.encode()])]
    assert [PIECES[0].id_to_token(i) for i in ids(PIECES[0], text)] == spelled


def test_the_space_before_the_first_piece_can_be_left_out() -> None:
    with_space, _ = tokenizer_of(pieces())
    without, _ = tokenizer_of(pieces(**{"tokenizer.ggml.add_space_prefix": False}))
    assert with_space.encode("the", add_special_tokens=False).tokens == ["▁the"]
    assert without.encode("the", add_special_tokens=False).tokens == ["t", "he"]
    assert with_space.decode(ids(with_space, "the cat 🤷")) == "the cat 🤷"
    assert without.decode(ids(without, "the cat 🤷")) == "the cat 🤷"


@given(text=texts)
@example("<|im_start|><|im_end|><|endoftext|>")
@example("<s></s><unk>")
def test_text_never_becomes_a_control_token(text: str) -> None:
    for backend in (SMOL, PIECES[0], BACKENDS["llama-bpe"][0]):
        assert not {0, 1, 2} & set(ids(backend, text))


def test_not_even_when_the_merges_say_so() -> None:
    """Merges and pieces that spell a special token out of letters are not taken."""
    metadata = byte_level("gpt-2")
    tokens, merges = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.merges"]
    spelled = ("<|", "<|i", "<|im", "<|im_", "<|im_end", "end")
    extra = ("< |", "<| i", "<|i m", "<|im _", "e nd", "<|im_ end", "<|im_end |>", "| >")
    metadata |= {
        "tokenizer.ggml.tokens": (*tokens, *(t for t in (*spelled, "|>", "nd") if t not in tokens)),
        "tokenizer.ggml.merges": (*merges, "n d", *extra),
    }
    count = len(metadata["tokenizer.ggml.tokens"]) - len(tokens)
    metadata["tokenizer.ggml.token_type"] += (NORMAL,) * count
    backend, _ = tokenizer_of(metadata)
    # GPT-2's cut parts words from signs; one word of signs and letters does not come up, so the cut is left out.
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    assert backend.encode("<|im_end|>", add_special_tokens=False).tokens == ["<|im_end", "|>"]

    values = pieces()
    values["tokenizer.ggml.tokens"] += ("<", ">", "<s", "/", "</", "</s")
    values["tokenizer.ggml.scores"] += (-1.0,) * 6
    values["tokenizer.ggml.token_type"] += (NORMAL,) * 6
    backend, _ = tokenizer_of(values)
    assert not {1, 2} & set(ids(backend, "<s></s>"))


def test_a_control_token_that_is_a_word_is_refused() -> None:
    metadata = byte_level("llama-bpe")
    the = metadata["tokenizer.ggml.tokens"].index("Ġthe")
    kinds = list(metadata["tokenizer.ggml.token_type"])
    kinds[the] = CONTROL
    tokens = list(metadata["tokenizer.ggml.tokens"])
    tokens[the] = "word"
    metadata |= {"tokenizer.ggml.token_type": tuple(kinds), "tokenizer.ggml.tokens": tuple(tokens)}
    metadata["tokenizer.ggml.merges"] = tuple(m for m in metadata["tokenizer.ggml.merges"] if "Ġthe" not in m)
    merges = [m for m in metadata["tokenizer.ggml.merges"] if m.replace(" ", "") in tokens]
    metadata["tokenizer.ggml.merges"] = tuple(merges)
    with pytest.raises(ArtifactError, match=r"no text can become; got 'word', a word of its own"):
        tokenizer_of(metadata)


def test_control_tokens_and_the_template_of_a_chat_model() -> None:
    _, special_tokens = tokenizer_of(byte_level("smollm"))
    assert special_tokens == SpecialTokens(
        bos=None,
        eos="<|im_end|>",
        pad="<|im_end|>",
        stop=("<|im_end|>", "<|endoftext|>"),
        chat_template="{{ messages }}",
    )
    named = {"tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.padding_token_id": 0}
    _, special_tokens = tokenizer_of(byte_level("smollm", **named))
    assert (special_tokens.bos, special_tokens.pad) == ("<|im_start|>", "<|endoftext|>")
    _, special_tokens = tokenizer_of(byte_level("gpt-2", **{"tokenizer.ggml.eot_token_id": 1}))
    assert special_tokens.stop == ("<|im_end|>", "<|im_start|>", "<|endoftext|>")


def test_where_a_text_begins_is_said_by_the_file_or_by_custom() -> None:
    assert tokenizer_of(byte_level("llama-bpe"))[1].bos == "<|im_start|>"
    assert tokenizer_of(byte_level("llama-bpe", **{"tokenizer.ggml.add_bos_token": False}))[1].bos is None
    assert tokenizer_of(byte_level("qwen2"))[1].bos is None
    _, special_tokens = tokenizer_of(pieces())
    assert special_tokens == SpecialTokens(bos="<s>", eos="</s>", pad="</s>", stop=("</s>",), chat_template=None)
    without = {key: value for key, value in pieces().items() if not key.endswith("bos_token_id")}
    assert tokenizer_of(without)[1].bos is None


def test_a_user_defined_token_stays_whole_and_one_that_ends_texts_is_a_control() -> None:
    metadata = byte_level("smollm")
    backend, _ = tokenizer_of(metadata)
    assert backend.encode("a\n\n\n b").tokens[1] == "\n\n\n"
    last = len(metadata["tokenizer.ggml.tokens"]) - 1
    backend, special_tokens = tokenizer_of(metadata | {"tokenizer.ggml.eos_token_id": last})
    assert special_tokens.eos == "\n\n\n"
    assert last not in ids(backend, "a\n\n\n b")


def test_bytes_without_a_letter_are_left_out() -> None:
    metadata = byte_level("smollm")
    tokens = metadata["tokenizer.ggml.tokens"]
    kept = [i for i, token in enumerate(tokens) if token != "Ć"]  # byte 6
    metadata["tokenizer.ggml.tokens"] = tuple(tokens[i] for i in kept)
    metadata["tokenizer.ggml.token_type"] = tuple(metadata["tokenizer.ggml.token_type"][i] for i in kept)
    backend, _ = tokenizer_of(metadata)
    assert backend.decode(ids(backend, "a\x06b\x07")) == "ab\x07"


NO = object()
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no model": ({"model": NO}, "tokenizer.ggml.model among gpt2, llama"),
    "bert": ({"model": "bert"}, "tokenizer.ggml.model among gpt2, llama; got 'bert'"),
    "no pre": ({"pre": NO}, "tokenizer.ggml.pre; got none"),
    "unknown pre": ({"pre": "smolm"}, r"got 'smolm'(.|\n)*Known: gpt-2, smollm, (.|\n)*qwen2"),
    "no tokens": ({"tokens": NO}, "tokenizer.ggml.tokens; got no such value"),
    "empty tokens": ({"tokens": ()}, "tokenizer.ggml.tokens"),
    "tokens in words": ({"tokens": "abc"}, "tokenizer.ggml.tokens"),
    "tokens of numbers": ({"tokens": (1, 2)}, "a list of str as tokenizer.ggml.tokens"),
    "token twice": ({"tokens": ("a", "b", "a"), "token_type": (1, 1, 1)}, "'a' as 0 and 2"),
    "empty token": ({"tokens": ("a", ""), "token_type": (1, 1)}, "no empty token.*one as 1"),
    "no kinds": ({"token_type": NO}, "tokenizer.ggml.token_type"),
    "few kinds": ({"token_type": (1, 1)}, r"entries in tokenizer.ggml.token_type.*2"),
    "strange kinds": ({"token_type": (9,) * 312}, "numbers from 1 to 6"),
    "no merges": ({"merges": NO}, "tokenizer.ggml.merges"),
    "merge of unknown": ({"merges": ("a b", "nowhere to")}, "as merge 1; got 'nowhere to'|as merge 0"),
    "merge of one": ({"merges": ("a",)}, "two tokens that make a third as merge 0; got 'a'"),
    "merge of three": ({"merges": ("a b c",)}, "as merge 0"),
    "merge of nothing": ({"merges": (" ",)}, "as merge 0"),
    "no end": ({"eos_token_id": NO}, "tokenizer.ggml.eos_token_id; got no such value"),
    "end beyond": ({"eos_token_id": 312}, "an id below 312 as tokenizer.ggml.eos_token_id; got 312"),
    "end below": ({"eos_token_id": -1}, "an id below 312"),
    "broken end": ({"eos_token_id": 2.0}, "an id below 312"),
    "true begin": ({"bos_token_id": True}, "an id below 312 as tokenizer.ggml.bos_token_id"),
    "pad beyond": ({"padding_token_id": 2**32 - 1}, "tokenizer.ggml.padding_token_id"),
    "an ordinary end": ({"eos_token_id": 40}, "special tokens to begin and end texts; got the ordinary"),
    "template of numbers": ({"../chat_template": (1, 2)}, "a text as tokenizer.chat_template"),
}


@pytest.mark.parametrize("name", WRONG)
def test_values_that_cannot_be_are_named(name: str) -> None:
    changes, message = WRONG[name]
    keys = {f"tokenizer.ggml.{key}".replace("ggml.../", ""): value for key, value in changes.items()}
    metadata = {key: value for key, value in byte_level("smollm", **keys).items() if value is not NO}
    with pytest.raises(ArtifactError, match=message):
        tokenizer_of(metadata)


def test_tokens_that_are_not_characters_of_bytes_are_named() -> None:
    metadata = byte_level("smollm")
    kinds = (*metadata["tokenizer.ggml.token_type"][:-1], NORMAL)
    with pytest.raises(ArtifactError, match=r"characters of bytes; got '\\n\\n\\n'"):
        tokenizer_of(metadata | {"tokenizer.ggml.token_type": kinds})


def test_pieces_that_cannot_be_are_named() -> None:
    values = pieces()
    scores = values["tokenizer.ggml.scores"]
    for wrong, message in (
        ((*scores[:-1], float("nan")), "finite numbers as tokenizer.ggml.scores"),
        (scores[:-1], "entries in tokenizer.ggml.scores, one for each token"),
        (None, "tokenizer.ggml.scores; got no such value"),
    ):
        with pytest.raises(ArtifactError, match=message):
            tokenizer_of(values | {"tokenizer.ggml.scores": wrong})
    long = {
        "tokenizer.ggml.tokens": (*values["tokenizer.ggml.tokens"], "a" * 257),
        "tokenizer.ggml.scores": (*scores, -1.0),
        "tokenizer.ggml.token_type": (*values["tokenizer.ggml.token_type"], NORMAL),
    }
    with pytest.raises(ArtifactError, match="pieces of at most 256 characters; got one of 257"):
        tokenizer_of(values | long)


def test_values_of_any_kind_are_an_error_or_a_tokenizer() -> None:
    draw = random.Random(0)
    strange: list[Any] = [None, True, -1, 2**64, 0.5, float("nan"), "", "\x00", (), (1,), ("a",), (0.5,), ((),)]
    good = [byte_level("smollm"), pieces()]
    for _ in range(300):
        metadata = dict(draw.choice(good))
        for key in draw.sample(sorted(metadata), draw.randrange(1, 3)):
            metadata[key] = draw.choice(strange)
            whole = draw.choice(good).get(key)
            if isinstance(whole, tuple) and draw.random() < 0.6:
                entries = list(whole)
                for _ in range(draw.randrange(1, 4)):
                    entries[draw.randrange(len(entries))] = draw.choice([*strange, *entries[:40]])
                metadata[key] = tuple(entries)
        try:
            backend, special_tokens = tokenizer_of(metadata)
        except ArtifactError:
            continue
        assert backend.token_to_id(special_tokens.eos) is not None
        backend.decode(ids(backend, WORDS))
