"""How byte-level vocabularies split a text into words before they merge inside them, by llama.cpp's names for it.

Another splitting than a vocabulary was learned with gives other ids and a worse model, without any error: so an unknown
name is refused.
"""

from dataclasses import dataclass

from tokenizers import Regex, pre_tokenizers

_WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3 = _WORDS + r"\p{N}{1,3}" + _REST
_QWEN2 = _WORDS + r"\p{N}" + _REST
_TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True, kw_only=True)
class PreTokenizerSpec:
    """`pattern` finds the words; without one they are GPT-2's, with every digit alone if `individual_digits`.

    With `ignore_merges` a word that is a token stays one, whatever the merges say. `add_bos`: a text has bos before it
    unless the file says otherwise.
    """

    pattern: str | None = None
    individual_digits: bool = False
    ignore_merges: bool = False
    add_bos: bool = False

    def build(self) -> pre_tokenizers.PreTokenizer:
        """The same as a part of `tokenizers`."""
        if self.pattern is not None:
            return pre_tokenizers.Sequence(
                [
                    pre_tokenizers.Split(Regex(self.pattern), behavior="isolated"),
                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
                ]
            )
        words = pre_tokenizers.ByteLevel(add_prefix_space=False)
        if not self.individual_digits:
            return words
        return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), words])


LLAMA3 = PreTokenizerSpec(pattern=_LLAMA3, ignore_merges=True, add_bos=True)
QWEN2 = PreTokenizerSpec(pattern=_QWEN2)
PRETOKENIZERS: dict[str, PreTokenizerSpec] = {
    "gpt-2": PreTokenizerSpec(),
    "smollm": PreTokenizerSpec(individual_digits=True),
    "starcoder": PreTokenizerSpec(individual_digits=True),
    "llama-bpe": LLAMA3,
    "llama3": LLAMA3,
    "llama-v3": LLAMA3,
    "falcon3": LLAMA3,
    "tekken": PreTokenizerSpec(pattern=_TEKKEN, ignore_merges=True, add_bos=True),
    "qwen2": QWEN2,
    "deepseek-r1-qwen": QWEN2,
}
