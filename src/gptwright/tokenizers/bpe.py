"""Byte-level byte-pair encoding, as GPT-2 uses it: trained and run by `tokenizers`, kept as `tokenizer.json`.

Every byte string has ids and comes back unchanged. Text never becomes a control token: those are ids that only the
chat template and the packer insert.
"""

import codecs
import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from gptwright.foundations.durable import write_json, write_text
from gptwright.foundations.errors import ArtifactError, ConfigError
from gptwright.tokenizers.chat import CHAT_TEMPLATE, CONTROL_TOKENS, END_OF_TEXT, END_OF_TURN, PAD
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, pre_tokenizers, trainers

HALF_PAIRS = re.compile("[\ud800-\udc7f\udd00-\udfff]")
SMALLEST_VOCAB = 256 + len(CONTROL_TOKENS)


class Tokenizer:
    """Made by `train` or `load`. `encode` and `decode` are exact inverses on all text."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        backend.encode_special_tokens = True

    @classmethod
    def train(cls, texts: Iterable[str], vocab: int) -> "Tokenizer":
        """Learns merges until there are `vocab` tokens. Raises `ConfigError` when the text cannot fill so many."""
        if vocab < SMALLEST_VOCAB:
            raise ConfigError(f"a vocab of at least {SMALLEST_VOCAB} (256 bytes and the control tokens)", str(vocab),
                              "Raise vocab.")  # fmt: skip
        backend = Backend(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab,
            special_tokens=list(CONTROL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        backend.train_from_iterator(texts, trainer)
        if backend.get_vocab_size() < vocab:
            raise ConfigError(f"text with enough different words for a vocab of {vocab}",
                              f"one that yields {backend.get_vocab_size()} tokens", "Lower vocab.")  # fmt: skip
        return cls(backend)

    @classmethod
    def load(cls, folder: Path) -> "Tokenizer":
        """Reads `tokenizer.json` in `folder`. Raises `ArtifactError` when it is missing or damaged."""
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise ArtifactError(f"a tokenizer at {path}", "nothing there", "Run the tokenize stage first.")
        try:
            tokenizer = cls(Backend.from_file(str(path)))
        except Exception as error:  # the Rust library raises plain Exception
            raise ArtifactError(f"a tokenizer.json in {folder}", f"a damaged one ({error})",
                                "Restore it, or run the tokenize stage again.") from error  # fmt: skip
        for token in CONTROL_TOKENS:
            tokenizer.control(token)
        return tokenizer

    def save(self, folder: Path, context: int | None = None) -> None:
        """Writes `tokenizer.json` and `tokenizer_config.json`, which `transformers` opens, template included."""
        write_text(folder / "tokenizer.json", self.backend.to_str())
        config: dict[str, Any] = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "chat_template": CHAT_TEMPLATE,
            "bos_token": END_OF_TEXT,
            "eos_token": END_OF_TURN,
            "pad_token": PAD,
            "clean_up_tokenization_spaces": False,
        }
        write_json(folder / "tokenizer_config.json", config | ({"model_max_length": context} if context else {}))

    @property
    def vocab(self) -> int:
        return self.backend.get_vocab_size()

    @cached_property
    def sha256(self) -> str:
        """Identity of the mapping, to notice token files made by another tokenizer."""
        return hashlib.sha256(self.backend.to_str().encode()).hexdigest()

    def control(self, token: str) -> int:
        """The id of a control token. Raises `ArtifactError` when the tokenizer lacks it."""
        found = self.backend.token_to_id(token)
        if found is None:
            raise ArtifactError(
                f"the control token {token}", "a tokenizer without it", "Use a tokenizer made for chat."
            )
        return found

    def encode(self, text: str) -> list[int]:
        """Never yields a control token, whatever the text says."""
        try:
            return self.backend.encode(text, add_special_tokens=False).ids
        except (
            TypeError
        ):  # halves of surrogate pairs: some stand for bytes that were not UTF-8 (PEP 383), others for nothing
            return self.encode_bytes(HALF_PAIRS.sub("\ufffd", text).encode("utf-8", "surrogateescape"))

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of each text, in parallel."""
        try:
            return [e.ids for e in self.backend.encode_batch_fast(list(texts), add_special_tokens=False)]
        except TypeError:
            return [self.encode(text) for text in texts]

    def encode_bytes(self, data: bytes) -> list[int]:
        """Ids of any bytes: what is UTF-8 as text, what is not byte by byte."""
        ids: list[int] = []
        while data:
            try:
                return ids + self.encode(data.decode("utf-8"))
            except UnicodeDecodeError as error:
                ids += self.encode(data[: error.start].decode("utf-8")) if error.start else []
                ids += [self._id_of_byte[byte] for byte in data[error.start : error.end]]
                data = data[error.end :]
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Text of the ids, control tokens left out; bytes that are not UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The exact bytes of the ids, control tokens left out."""
        return b"".join(self._bytes_of_id[i] for i in ids)

    def streaming_decoder(self) -> Callable[[int], str]:
        """A function from the next id to the text it makes certain: a split character comes with its last token."""
        characters = codecs.getincrementaldecoder("utf-8")("replace")
        return lambda token: characters.decode(self._bytes_of_id[token])

    @cached_property
    def _bytes_of_id(self) -> list[bytes]:
        byte_of_letter = {letter: byte for byte, letter in _letters().items()}
        table = [b""] * self.vocab
        for token, i in self.backend.get_vocab().items():
            if token not in CONTROL_TOKENS:
                table[i] = bytes(byte_of_letter[letter] for letter in token)
        return table

    @cached_property
    def _id_of_byte(self) -> dict[int, int]:
        vocab = self.backend.get_vocab()
        return {byte: vocab[letter] for byte, letter in _letters().items()}


def _letters() -> dict[int, str]:
    """GPT-2's printable letter for every byte: itself when printable, else the next free one from U+0100."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(0x100 + i) for i, byte in enumerate(others)}
