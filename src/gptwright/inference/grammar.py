"""Answers that keep to a JSON Schema or a regular expression: which tokens may come next. llguidance knows.

It thinks in bytes, so it serves every kind of tokenizer. A space that some kinds put before a text or behind it is no
part of the text and may come or not.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gptwright.foundations.errors import ConfigError
from gptwright.inference.sampling import Sampling, SettingError
from gptwright.tokenizers.token_bytes import token_bytes_of
from gptwright.tokenizers.tokenizer import Tokenizer

COMPACT = {"x-guidance": {"whitespace_flexible": False}}
"""JSON without blanks between its parts: a model that may write them can go on with them until its tokens are spent"""
_OPTIONS = '%llguidance {"no_forcing": true}\n'  # forced text would be cut into tokens by kinds that add or forget


class GrammarCompiler:
    """What can be asked of answers in one vocabulary. Raises `ConfigError` when llguidance is not installed."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        try:
            self._library: Any = import_module("llguidance")
        except ImportError as error:
            raise ConfigError("llguidance for answers that keep to a schema or regex", "no such package here",
                              "pip install 'gptwright[grammar]'") from error  # fmt: skip
        self._token_bytes = token_bytes_of(tokenizer.backend)
        self._stop_ids, self._vocab = frozenset(tokenizer.stop_ids), tokenizer.vocab
        words = _LLGuidanceVocabulary(tokenizer, self._token_bytes.by_id)
        self._vocabulary = self._library.LLTokenizer(words, n_vocab=self._vocab, eos_token=tokenizer.stop_ids)
        self._compiled = lru_cache(maxsize=64)(self._compile)

    def matcher(self, sampling: Sampling, *, starts_text: bool = True) -> "Matcher | None":
        """Follows one answer; None when it is free. With `starts_text` off the answer continues a text.

        Raises `SettingError` when schema or regex are malformed or can never be met.
        """
        setting = "regex" if sampling.schema is None else "schema"
        if sampling.schema is not None:
            rule = f"%json {json.dumps(COMPACT | dict(sampling.schema))}"
        elif sampling.regex is not None:
            rule = f"/{self._library.regex_to_lark(sampling.regex)}/"
        else:
            return None
        fresh = self._compiled(setting, rule, starts_text).deep_copy()
        return Matcher(fresh, self._vocab, self._stop_ids, frozenset(sampling.stop_ids), setting)

    def _compile(self, setting: str, rule: str, starts_text: bool) -> Any:
        before = (
            f"{json.dumps(self._token_bytes.prefix.decode())}? " if starts_text and self._token_bytes.prefix else ""
        )
        after = f" {json.dumps(self._token_bytes.suffix.decode())}?" if self._token_bytes.suffix else ""
        limits = self._library.LLParserLimits(verbose_errors=False)
        text = f"{_OPTIONS}start: {before}main{after}\nmain: {rule}\n"
        found = self._library.LLMatcher(self._vocabulary, text, log_level=0, limits=limits)
        if found.is_error():
            raise SettingError(setting, "a schema or regex that can be met", _error_text(found.get_error()),
                               "Change it; llguidance's documents say what it reads.")  # fmt: skip
        return found


def _error_text(error: str) -> str:
    """What is wrong, without the place in a text that we wrote."""
    lines = error.splitlines()
    said = next((line for line in lines if line.startswith("error: ")), lines[0])
    return re.sub(r"^(error|at \d+\(\d+\)): ", "", said).rstrip(".:")


class Matcher:
    """Where one answer stands in its grammar, which `setting` asked for: schema or regex."""

    def __init__(
        self,
        matcher: Any,
        vocab: int,
        stop_ids: frozenset[int],
        extra_stop_ids: frozenset[int],
        setting: str = "schema",
    ) -> None:
        self._matcher, self._vocab, self._setting = matcher, vocab, setting
        self._stop_ids, self._extra_stop_ids = stop_ids, extra_stop_ids

    def accept(self, token: int) -> None:
        """The answer's next token, one that was allowed."""
        if token not in self._stop_ids | self._extra_stop_ids:
            assert self._matcher.consume_token(token), self._matcher.get_error()

    def allowed(self, drafts: Sequence[int] = ()) -> list[NDArray[np.bool_]]:
        """Which ids may come next, and which behind each of the drafts; stop ids only where the answer may end.

        Behind a draft that is not allowed, or that leads nowhere, it does not matter what is. Raises `SettingError`
        when there is nothing that the vocabulary could say here.
        """
        rows = [self._row(self._matcher)]
        if not rows[0].any():
            raise SettingError(self._setting, "a schema or regex that this vocabulary can spell",
                               "one with characters that it lacks",
                               "Change it, or use a model with a byte-level tokenizer.")  # fmt: skip
        ahead = self._matcher.deep_copy() if drafts else None
        for draft in drafts:
            goes_on = draft < self._vocab and rows[-1][draft] and draft not in self._stop_ids | self._extra_stop_ids
            if ahead is not None and not (goes_on and ahead.consume_token(draft)):
                ahead = None
            row = rows[-1] if ahead is None else self._row(ahead)
            rows.append(row if row.any() else rows[-1])
        return rows

    def _row(self, matcher: Any) -> NDArray[np.bool_]:
        bits = np.frombuffer(matcher.compute_bitmask(), np.uint8)
        row = np.unpackbits(bits, count=self._vocab, bitorder="little").view(np.bool_)
        for token in self._stop_ids | self._extra_stop_ids:  # llguidance lets its own come where nothing else can
            if token < self._vocab:
                row[token] = matcher.is_accepting()
        return row


class _LLGuidanceVocabulary:
    """A vocabulary as llguidance asks for it."""

    is_tokenizer_wrapper = True

    def __init__(self, tokenizer: Tokenizer, pieces: Mapping[int, bytes]) -> None:
        self.eos_token_id, self.bos_token_id = tokenizer.stop_ids[0], None
        self.tokens = [pieces.get(i, b"") for i in range(tokenizer.vocab)]
        self.special_token_ids = [i for i, said in enumerate(self.tokens) if not said]
        self._encode = tokenizer.encode_bytes

    def __call__(self, data: bytes | str) -> list[int]:
        return self._encode(data.encode() if isinstance(data, str) else data)
