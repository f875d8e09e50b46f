"""Text to ids and back, over any `tokenizer.json`.

Text never becomes a special token: those are ids that only the chat template and the packer insert. What bytes an id
stands for is in `token_bytes`, what the special tokens are for in `special_tokens`.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers.backend_variants import (
    NO_TOKEN,
    Token,
    after_special_token,
    special_token_finder,
    text_only,
    without_prefix_space,
)
from gptwright.tokenizers.formats.folder import read_folder, write_folder
from gptwright.tokenizers.special_tokens import SpecialTokens, check_additional
from gptwright.tokenizers.tiktoken_backend import tiktoken_encoder
from gptwright.tokenizers.token_bytes import StreamingDecoder, token_bytes_of
from tokenizers import Tokenizer as Backend
from tokenizers import processors

# Halves of surrogate pairs: some stand for bytes that were not UTF-8 (PEP 383), the others for nothing.
_ESCAPED = re.compile("([\udc80-\udcff]+)")
_HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")


class Tokenizer:
    """Made by a kind's `train`, by `read_vocab` or by `load`. `decode` undoes `encode` as far as its kind can.

    Byte-level vocabularies give back every text and all bytes. Byte fallback does too, but that sentencepiece's sign
    for a space, ▁, comes back as a space. GPT-1 and WordPiece give readable text in lower case, with an unknown token
    for what they never saw.
    """

    def __init__(self, backend: Backend, special_tokens: SpecialTokens) -> None:
        """Takes over `backend`.

        Raises `ArtifactError` when it lacks a special token, reads one in plain text, or is of an unknown kind.
        """
        self.backend, self.special_tokens = backend, special_tokens
        backend.no_truncation()
        backend.no_padding()
        for token in special_tokens.tokens:
            self.special_id(token)
        new = [token for token in special_tokens.additional if backend.token_to_id(token) is None]
        backend.add_special_tokens([*special_tokens.tokens, *new])
        backend.encode_special_tokens = True
        self.text_backend, self.all_special_ids = text_only(backend, special_tokens.chat_template)
        self._token_bytes = token_bytes_of(backend)

    @classmethod
    def load(cls, folder: Path) -> "Tokenizer":
        """Opens the tokenizer of any model folder with a tokenizer.json, ours or another tool's.

        Raises `ArtifactError` when it is missing, damaged, or does not say what ends a text.
        """
        return cls(*read_folder(folder))

    def save(self, folder: Path, context: int | None = None) -> None:
        """Writes `tokenizer.json` and `tokenizer_config.json`, which `transformers` opens, template included."""
        write_folder(folder, self.backend, self.special_tokens, context)

    def with_eos(self) -> "Tokenizer":
        """The same for texts to translate: other tools put the end token behind each, and there is no chat."""
        backend = Backend.from_str(self.backend.to_str())
        end = self.special_tokens.eos
        backend.post_processor = processors.TemplateProcessing(single=f"$A {end}", special_tokens=[(end, self.eos_id)])
        return Tokenizer(backend, replace(self.special_tokens, bos=None, stop=(end,), chat_template=None))

    def with_additional(self, tokens: Sequence[str]) -> "Tokenizer":
        """The same with further special tokens, whose ids come after all others; those that it has already stay.

        Raises `ConfigError` when a text could become one of them.
        """
        new = [token for token in tokens if token not in self.all_special_tokens]
        check_additional(new, self.backend.get_vocab())
        additional = (*self.special_tokens.additional, *new)
        return Tokenizer(Backend.from_str(self.backend.to_str()), replace(self.special_tokens, additional=additional))

    @property
    def continued(self) -> "Tokenizer":
        """The same of a model that goes on with what it is asked, as if one text were the whole conversation."""
        return Tokenizer(Backend.from_str(self.backend.to_str()), self.special_tokens.continued)

    @cached_property
    def vocab(self) -> int:
        """One more than the largest id."""
        return max(self.backend.get_vocab().values()) + 1

    @cached_property
    def sha256(self) -> str:
        """Identity of the mapping, to notice token files made by another tokenizer."""
        return hashlib.sha256(self.backend.to_str().encode()).hexdigest()

    def special_id(self, token: str) -> int:
        """The id of a special token. Raises `ArtifactError` when the tokenizer lacks it."""
        found = self.backend.token_to_id(token)
        if found is None:
            raise ArtifactError(f"the special token {token}", "a tokenizer without it",
                                "Use a tokenizer that has it.")  # fmt: skip
        return found

    @cached_property
    def bos_id(self) -> int | None:
        """The id put before a text; None where nothing is."""
        return self.special_id(self.special_tokens.bos) if self.special_tokens.bos else None

    @cached_property
    def declared_bos_id(self) -> int | None:
        """The id that other tools call bos_token, put before a text or not: an empty text begins with it."""
        token = self.special_tokens.named.get("bos_token")
        return None if token is None else self.special_id(token)

    @cached_property
    def eos_id(self) -> int:
        """The id that closes a document."""
        return self.special_id(self.special_tokens.eos)

    @cached_property
    def pad_id(self) -> int:
        """The id that fills rows of a batch."""
        return self.special_id(self.special_tokens.pad)

    @cached_property
    def stop_ids(self) -> list[int]:
        """A reply ends with any of these ids."""
        return [self.special_id(token) for token in self.special_tokens.stop]

    def encode(self, text: str) -> list[int]:
        """Never yields a special token, whatever the text says."""
        try:
            return self.text_backend.encode(text, add_special_tokens=False).ids
        except TypeError:  # halves of surrogate pairs
            return self._encode_halves(text)

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """`encode` of each text, in the fastest way that is known to give the same ids."""
        try:
            if self._tiktoken:
                return [self._tiktoken(text) for text in texts]
            return [e.ids for e in self.text_backend.encode_batch_fast(list(texts), add_special_tokens=False)]
        except (TypeError, UnicodeEncodeError):
            return [self._encode_halves(text) for text in texts]

    def encode_bytes(self, data: bytes) -> list[int]:
        """Ids of any bytes: what is UTF-8 as text, what is not byte by byte, or U+FFFD where a kind has no bytes."""
        return self._encode_halves(data.decode("utf-8", "surrogateescape"))

    def _encode_halves(self, text: str) -> list[int]:
        text = _HALVES.sub("\ufffd", text)
        byte_ids = self._token_bytes.id_of_byte
        if not byte_ids:
            return self.text_backend.encode(_ESCAPED.sub("\ufffd", text), add_special_tokens=False).ids
        ids: list[int] = []
        backend = self.text_backend
        for number, part in enumerate(_ESCAPED.split(text)):
            if number % 2:
                ids += [byte_ids[byte] for byte in part.encode("ascii", "surrogateescape")]
            elif part:
                ids += backend.encode(part, add_special_tokens=False).ids
            backend = self._continuing
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """Text of the ids, special tokens left out; bytes that are not UTF-8 become U+FFFD."""
        return self.decode_bytes(ids).decode("utf-8", "replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes of the ids, special tokens and ids beyond the vocabulary left out."""
        return self._token_bytes.decode(ids)

    def token_bytes(self, id: int) -> bytes | None:
        """The bytes that an id says by itself; None for a special token and an id beyond the vocabulary."""
        return self._token_bytes.by_id.get(id)

    def streaming_decoder(self, begins: bool = True) -> StreamingDecoder:
        """Ids to text, one by one; with `begins` off, the ids continue a text instead of being one."""
        return StreamingDecoder(self._token_bytes, begins)

    @cached_property
    def _tiktoken(self) -> Callable[[str], list[int]] | None:
        return tiktoken_encoder(self.text_backend)

    @cached_property
    def _continuing(self) -> Backend:
        """The backend for text that stands in the middle of another: nothing is put in front."""
        return without_prefix_space(self.text_backend)

    @cached_property
    def after_special_token(self) -> Backend:
        """The backend for text that follows a special token."""
        return after_special_token(self.text_backend, self.special_tokens.eos)

    @cached_property
    def all_special_tokens(self) -> list[str]:
        """The texts of all special tokens."""
        added = self.text_backend.get_added_tokens_decoder().values()
        return [token.content for token in added if token.special]

    def find_special_tokens(self, text: str) -> list[Token]:
        """The special tokens that a rendered chat template holds, and where."""
        found = self._finder.encode(text, add_special_tokens=False)
        names = map(self._finder.id_to_token, found.ids)
        tokens = zip(names, found.offsets, strict=True)
        return [Token(self.special_id(token), *span) for token, span in tokens if token and token != NO_TOKEN]

    @cached_property
    def _finder(self) -> Backend:
        return special_token_finder(self.text_backend)
