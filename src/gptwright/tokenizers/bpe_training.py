"""Learning merges: what the four kinds share, and the choice of the characters a vocabulary begins with."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, cast

from gptwright.foundations.errors import ConfigError
from gptwright.tokenizers.special_tokens import check_additional
from tokenizers import Regex, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

COVERAGE = 0.9995  # of all characters of the text, as sentencepiece; the rarest become bytes or the unknown token
LONGEST_WORD = 256
"""Characters of a word that are merged together while learning. The trainer's time grows with the square of a word's
length, and what is longer is no word: base64, or a text without spaces."""
ASCII = tuple(chr(code) for code in range(0x21, 0x7F) if not chr(code).isupper())
"""What any prompt in lower case may hold, whether the text had it or not."""
Merges = list[tuple[str, str]]


def train_bpe(
    backend: Backend,
    texts: Iterable[str],
    vocab: int,
    first: Sequence[str],
    alphabet: Sequence[str],
    additional: Sequence[str] = (),
) -> tuple[dict[str, int], Merges]:
    """Learns merges until there are `vocab` tokens, `first` and `alphabet` included; returns both.

    `backend` is a BPE that splits texts into words. `first` are the tokens numbered from 0 on, so that nothing depends
    on the order in which words are met; `alphabet` are the single characters to know, all others are ignored. Raises
    `ConfigError` when the text cannot fill so many, or holds one of the `additional` special tokens.
    """
    check_additional(additional, first)
    model = cast(models.BPE, backend.model)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=list(first),
        initial_alphabet=list(alphabet),
        limit_alphabet=len(alphabet),
        continuing_subword_prefix=model.continuing_subword_prefix or "",
        end_of_word_suffix=model.end_of_word_suffix or "",
        show_progress=False,
    )
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [backend.pre_tokenizer, pre_tokenizers.Split(Regex(rf"[\s\S]{{1,{LONGEST_WORD}}}"), "isolated")]
    )
    backend.train_from_iterator(texts, trainer)
    if backend.get_vocab_size() < vocab:
        raise ConfigError(f"text with enough different words for a vocab of {vocab}",
                          f"one that yields {backend.get_vocab_size()} tokens", "Lower vocab.")  # fmt: skip
    state: dict[str, Any] = json.loads(backend.to_str())["model"]
    check_additional(additional, state["vocab"])
    return state["vocab"], [(left, right) for left, right in state["merges"]]


def common_characters(backend: Backend, texts: Iterable[str], most: int | None = None) -> list[str]:
    """The most frequent characters that are not spaces, enough to write all but one in 2,000; at most `most`."""
    counts = Counter[str]()
    for text in texts:
        counts.update(backend.normalizer.normalize_str(text) if backend.normalizer else text)
    ranked = sorted(((c, n) for c, n in counts.items() if not c.isspace()), key=lambda item: (-item[1], item[0]))
    total, seen = sum(n for _, n in ranked), 0
    chosen: list[str] = []
    for character, count in ranked[:most]:
        if seen >= COVERAGE * total:
            break
        chosen.append(character)
        seen += count
    return sorted(chosen)


def check_vocab(vocab: int, least: int, what: str) -> None:
    """Raises `ConfigError` for a vocab that cannot hold what every vocabulary of the kind holds."""
    if vocab < least:
        raise ConfigError(f"a vocab of at least {least} ({what})", str(vocab), "Raise vocab.")
