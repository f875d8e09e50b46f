"""A tokenizer on disk: `tokenizer.json`, and `tokenizer_config.json` that says what its special tokens are for.

Folders of other tools are read too. What they leave unsaid (GPT-2's and BERT's say nothing) follows from the token's
name; further stop tokens come from `generation_config.json`, or else `config.json`, a template from
`chat_template.jinja`. A text begins as their tokenizer begins it.
"""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from gptwright.foundations.atomic_io import read_json, write_json, write_text
from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers.post_processor import tokens_around, with_bos, without_bos
from gptwright.tokenizers.special_tokens import SpecialTokens
from tokenizers import Tokenizer as Backend
from tokenizers import normalizers

LARGEST = 100 << 20  # bytes; the largest vocabularies in use take a third of it
BOS_TOKENS = ("<s>", "<|endoftext|>")
EOS_TOKENS = ("</s>", "<|endoftext|>", "[SEP]", "<unk>")
OURS = "gptwright"
CONFIG_FILES = ("tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "generation_config.json",
                "config.json")  # fmt: skip
"""what is read beside the vocabulary, where it is there"""
VOCAB_FILES = ("vocab.json", "vocab.bpe", "vocab.txt", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
"""in folders without a tokenizer.json; `vocab_files` reads them"""
_TOKENS = tuple(f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"))
_NAMELESS = ("PreTrainedTokenizerFast", "TokenizersBackend")  # classes that know no token unless they are told
_NAMES = {"unk_token": ("<unk>", "[UNK]"), "cls_token": ("[CLS]",), "sep_token": ("[SEP]",), "mask_token": ("[MASK]",)}


def write_folder(folder: Path, backend: Backend, special_tokens: SpecialTokens, context: int | None) -> None:
    """Writes both files; `context` is the most tokens that the model sees at once."""
    write_text(folder / "tokenizer.json", with_bos(backend, special_tokens.bos).to_str())
    bos, eos, pad, stop = special_tokens.bos, special_tokens.eos, special_tokens.pad, list(special_tokens.stop)
    config: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "chat_template": special_tokens.chat_template,
        "bos_token": bos,
        "eos_token": (stop or [eos])[0],
        "pad_token": pad,
        "unk_token": None if special_tokens.names else eos,  # GPT-2's habit, as CTranslate2 needs one
        "clean_up_tokenization_spaces": False,
        "model_max_length": context,
        "additional_special_tokens": list(special_tokens.additional) or None,
        OURS: {"begin": bos, "end": eos, "pad": pad, "stops": stop},
    }
    special = _special(backend)
    config |= {name: token for name, tokens in _NAMES.items() for token in tokens if token in special}
    config |= {name: token for name, token in special_tokens.names.items() if name in _TOKENS}
    if others := {name: token for name, token in special_tokens.names.items() if name not in _TOKENS}:
        config["extra_special_tokens"] = others
    if "[MASK]" in special:
        config["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]
    write_json(folder / "tokenizer_config.json", {name: value for name, value in config.items() if value is not None})


def read_folder(folder: Path) -> tuple[Backend, SpecialTokens]:
    """Opens a folder. Raises `ArtifactError` naming what is missing, damaged or unsaid."""
    backend, config = _backend(folder / "tokenizer.json"), _TokenizerConfig(folder)
    _apply_normalizer_config(backend, config)
    found = _own(config) or _derived(folder, backend, config)
    special = _special(backend)
    return without_bos(backend, found.bos), replace(
        found,
        chat_template=_chat_template(folder, config),
        additional=tuple(token for token in config.additional() if token in special and token not in found.tokens),
        names=_names(config, special, found.eos),
    )


def _special(backend: Backend) -> list[str]:
    return [token.content for token in backend.get_added_tokens_decoder().values() if token.special]


def _derived(folder: Path, backend: Backend, config: "_TokenizerConfig") -> SpecialTokens:
    """What the files of another tool say, and where they say nothing, what the names of its tokens say."""
    special, stops = _special(backend), _generation_stops(folder, backend)
    eos = config.token("eos_token", "sep_token") or next(iter(stops), None) or _first(EOS_TOKENS, special)
    if eos is None:
        raise ArtifactError(f"the token that ends a text, 'eos_token' in {config.path}", "none",
                            "Add it to that file.")  # fmt: skip
    return SpecialTokens(
        bos=_bos(config.path, backend),
        eos=eos,
        pad=config.token("pad_token") or _first(("[PAD]",), special) or eos,
        stop=tuple(dict.fromkeys([eos, *stops])),
        chat_template=None,
    )


def eos_ids(folder: Path) -> list[int]:
    """The ids that end a text by what a model folder says: its generation_config.json, or else its config.json."""
    for file in ("generation_config.json", "config.json"):
        ids = _table(folder / file).get("eos_token_id")
        if ids is not None:
            listed = cast("list[Any]", ids) if isinstance(ids, list) else [ids]
            return [i for i in listed if type(i) is int and 0 <= i < 2**32]
    return []


def _apply_normalizer_config(backend: Backend, config: "_TokenizerConfig") -> None:
    """BERT's class follows tokenizer_config.json in what it keeps of capitals, accents and Chinese characters."""
    state: dict[str, Any] = json.loads(backend.normalizer.__getstate__()) if backend.normalizer else {}
    if state.get("type") != "BertNormalizer" or config.table.get("tokenizer_class") in (None, *_NAMELESS):
        return
    fields = {"do_lower_case": "lowercase", "strip_accents": "strip_accents",
              "tokenize_chinese_chars": "handle_chinese_chars"}  # fmt: skip
    kept = {ours: state.get(ours) for ours in ("clean_text", *fields.values())}
    for theirs, ours in fields.items():
        value = config.table.get(theirs)
        if not isinstance(value, bool | None):
            raise ArtifactError(f"true or false as {theirs} in {config.path}", repr(value)[:40], "Restore the file.")
        if config.has(theirs) and not (value is None and ours != "strip_accents"):
            kept[ours] = value
    if any(kept[name] != state.get(name) for name in kept):
        backend.normalizer = normalizers.BertNormalizer(**kept)  # pyright: ignore[reportArgumentType]


def has_tokenizer(folder: Path) -> bool:
    """Whether the folder holds a tokenizer of any kind, readable or not."""
    return any((folder / name).exists() for name in ("tokenizer.json", *VOCAB_FILES))


def _bos(path: Path, backend: Backend) -> str | None:
    """What is put before a text. `transformers` 5 does not read add_bos_token beside a tokenizer.json, whose
    post-processor decides. Raises `ArtifactError` when that is more than one token."""
    before, _ = tokens_around(backend)
    if len(before) > 1:
        raise ArtifactError(f"at most one token put before a text in {path.parent}", " ".join(before)[:60],
                            "Such a tokenizer cannot be used here.")  # fmt: skip
    return next(iter(before), None)


def _names(config: "_TokenizerConfig", special: list[str], eos: str) -> dict[str, str]:
    """The tokens that a chat template may ask for by name, as the tokenizer's class knows them."""
    named = {name: config.token(name) for name in _TOKENS}
    if config.table.get("tokenizer_class") not in _NAMELESS:
        usual = {"bos_token": _first(BOS_TOKENS, special), "eos_token": eos}
        named |= {name: token for name, token in usual.items() if not config.has(name)}
    others = config.table.get("extra_special_tokens")
    if isinstance(others, dict):
        named |= {name: token for name, token in cast("dict[str, Any]", others).items() if isinstance(token, str)}
    return {name: token for name, token in named.items() if token is not None}


def _backend(path: Path) -> Backend:
    if not path.is_file():
        others = [name for name in VOCAB_FILES if (path.parent / name).is_file()]
        raise ArtifactError(f"a tokenizer at {path}", f"{others[0]} only" if others else "nothing there",
                            f"gptwright import {path.parent / others[0]} makes one of it." if others else
                            "Run the tokenize stage first.")  # fmt: skip
    remedy = "Restore it, or run the tokenize stage again."
    if path.stat().st_size > LARGEST:
        raise ArtifactError(
            f"a tokenizer.json of at most {LARGEST >> 20} MiB", f"{path.stat().st_size:,} bytes", remedy
        )
    try:
        backend = Backend.from_file(str(path))
    except Exception as error:  # the Rust library raises plain Exception
        raise ArtifactError(f"a tokenizer.json in {path.parent}", f"a damaged one ({error})", remedy) from error
    ids = backend.get_vocab().values()
    if not ids or max(ids) > 2 * len(ids) + 1000:
        got = f"{len(ids):,} tokens with ids up to {max(ids, default=0):,}"
        raise ArtifactError(f"ids without large gaps in {path}", got, remedy)
    return backend


class _TokenizerConfig:
    """What tokenizer_config.json and special_tokens_map.json say; the first counts more."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tokenizer_config.json"
        self.table: dict[str, Any] = _table(folder / "special_tokens_map.json") | _table(self.path)

    def has(self, name: str) -> bool:
        return name in self.table

    def token(self, *names: str) -> str | None:
        """The first of these names that has a token; a token is a string, or a table with its content."""
        for name in names:
            value = self.table.get(name)
            if isinstance(value, dict):
                value = cast("dict[str, Any]", value).get("content")
            if isinstance(value, str):
                return value
            if value is not None:
                raise ArtifactError(f"a token as {name} in {self.path}", repr(value)[:60], "Write it as a string.")
        return None

    def additional(self) -> list[str]:
        """The special tokens without a use of their own, each once; version 5 of `transformers` calls them extra."""
        for name in ("additional_special_tokens", "extra_special_tokens"):
            if isinstance(found := self.table.get(name), list):
                tokens = [item.get("content") if isinstance(item, dict) else item for item in cast("list[Any]", found)]
                return list(dict.fromkeys(token for token in tokens if isinstance(token, str)))
        return []


def _table(path: Path) -> dict[str, Any]:
    found = read_json(path) if path.is_file() else {}
    if not isinstance(found, dict):
        raise ArtifactError(f"a JSON object in {path}", type(found).__name__, "Restore the file.")
    return cast("dict[str, Any]", found)


def _own(config: _TokenizerConfig) -> SpecialTokens | None:
    """What we wrote; None in a folder of another tool."""
    match config.table.get(OURS):
        case {"begin": str() | None as bos, "end": str(eos), "pad": str(pad), "stops": [*stop]} if all(
            isinstance(token, str) for token in stop
        ):
            return SpecialTokens(bos=bos, eos=eos, pad=pad, stop=tuple(map(str, stop)), chat_template=None)
        case dict() as table:
            raise ArtifactError(f"begin, end, pad and stops under '{OURS}' in {config.path}", repr(table)[:80],
                                "Restore the file.")  # fmt: skip
        case _:
            return None


def _chat_template(folder: Path, config: _TokenizerConfig) -> str | None:
    path = folder / "chat_template.jinja"
    if path.is_file():
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise ArtifactError(f"a chat template in UTF-8 at {path}", str(error), "Restore the file.") from error
    found = config.table.get("chat_template")
    if isinstance(found, list):
        named = [cast("dict[str, Any]", item) for item in cast("list[Any]", found) if isinstance(item, dict)]
        found = next((item.get("template") for item in named if item.get("name") == "default"), None)
    if found is not None and not isinstance(found, str):
        raise ArtifactError(f"a chat template in {config.path}", repr(found)[:60], "Write it as a string.")
    return found


def _generation_stops(folder: Path, backend: Backend) -> list[str]:
    """Tokens that a model folder's settings end a text with, besides the tokenizer's own. A word of the vocabulary is
    none of them: it may stand in a text, and ends a reply by its id alone."""
    added = backend.get_added_tokens_decoder()
    return [added[i].content for i in eos_ids(folder) if i in added]


def _first(known: Iterable[str], special: list[str]) -> str | None:
    return next((token for token in known if token in special), None)
