"""What a page is told of a tokenizer. That it cuts and merges alike is tried in tests/pipelines/pages."""

from dataclasses import replace

import pytest

from gptwright.foundations.errors import ArtifactError
from gptwright.tokenizers import bytelevel
from gptwright.tokenizers.formats.page_tokenizer import characters, javascript_pattern, page_tokenizer
from gptwright.tokenizers.special_tokens import CHAT_TOKENS
from gptwright.tokenizers.tokenizer import Tokenizer


def test_ids_bytes_and_roles(tokenizer: Tokenizer) -> None:
    found = page_tokenizer(tokenizer)
    assert [found["tokens"][found["bytes"][byte]] for byte in b"a \n"] == ["a", "Ġ", "Ċ"]
    assert found["special"][0] == "<|endoftext|>" and found["tokens"][0] == ""
    assert found["roles"]["user"] == {"before": [4], "behind": [2]}
    left, right = found["merges"][:2]
    assert found["tokens"][left] + found["tokens"][right] in found["tokens"]


def test_classes_of_characters_are_written_out() -> None:
    spaces = r"\u{9}-\u{d}\u{20}\u{85}\u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}-\u{2029}\u{202f}\u{205f}\u{3000}"
    assert characters(r"\s") == spaces
    assert javascript_pattern(r"a[^\s\r]|\s+(?!\S)") == rf"a[^{spaces}\r]|[{spaces}]+(?![^{spaces}])"


def test_what_is_no_byte_level_bpe_of_ours_is_refused(wordpiece: Tokenizer) -> None:
    with pytest.raises(ArtifactError, match="byte-level BPE"):
        page_tokenizer(wordpiece)
    other = bytelevel.train(["a b c"], 264, replace(CHAT_TOKENS, chat_template="{{ messages[0]['content'] }}"))
    with pytest.raises(ArtifactError, match="chat template"):
        page_tokenizer(other)


@pytest.mark.parametrize("pattern", [r"(?i:'s)|\p{L}+", r"\p{L}++", r"\p{N}{1,3}+", r"\d+"])
def test_what_javascript_reads_otherwise_is_refused(tokenizer: Tokenizer, pattern: str) -> None:
    other = bytelevel.train(["a b c"], 264)
    vocab = {token: id for token, id in other.backend.get_vocab().items() if token not in CHAT_TOKENS.tokens}
    built = bytelevel.build(vocab | {token: id for id, token in enumerate(CHAT_TOKENS.tokens)}, [], CHAT_TOKENS,
                            pattern=pattern)  # fmt: skip
    with pytest.raises(ArtifactError, match="of another kind"):
        page_tokenizer(built)
