"""A mixture has the documents of the file that it is mixed from, whole, and says what it has."""

from pathlib import Path

import pytest

from gptwright.foundations.errors import InputError
from gptwright.text.mix import Mix
from gptwright.text.mixture import DocumentFacts, describe, write_mixture
from gptwright.text.pack import TokenFile, pack

EOS = 0


def packed(folder: Path) -> tuple[TokenFile, DocumentFacts]:
    """Sixty documents of nine letters from a, forty of four from b."""
    texts = [("a", f"{i:09d}") for i in range(60)] + [("b", f"{i:04d}") for i in range(40)]
    pack([text for _, text in texts], lambda some: [[ord(sign) for sign in text] for text in some], EOS,
         folder / "all", 300, "hash")  # fmt: skip
    return TokenFile.open(folder / "all"), DocumentFacts.of(texts)


def documents(file: TokenFile) -> list[str]:
    return ["".join(map(chr, file.document(i).tolist())) for i in range(len(file.documents))]


def test_shares_are_exact_and_every_document_is_whole(tmp_path: Path) -> None:
    source, facts = packed(tmp_path)
    meta, figures = write_mixture(source, facts, Mix("shares", {"a": 1, "b": 3}, 2_000), tmp_path / "train")
    mixed = TokenFile.open(tmp_path / "train")
    texts = documents(mixed)
    assert (figures["a"].tokens, figures["b"].tokens) == (500, 1_500) and meta.tokens == len(mixed) == 2_000
    assert (figures["a"].share, figures["b"].share, figures["b"].epochs) == (0.25, 0.75, 7.5)
    assert sum(len(text) == 9 for text in texts) == 50 and sum(len(text) == 4 for text in texts) == 300
    assert set(texts) <= set(documents(source)) and meta.bytes == sum(map(len, texts))
    assert mixed.window(9, 1)[0] == EOS
    assert describe(figures)[1] == "b: 1,500 tokens, 75.0%, read 7.50 times"


def test_once_each_is_the_file_itself(tmp_path: Path) -> None:
    source, facts = packed(tmp_path)
    write_mixture(source, facts, Mix("epochs", {"*": 1}), tmp_path / "train")
    for suffix in ("bin", "idx", "json"):
        assert (tmp_path / f"train.{suffix}").read_bytes() == (tmp_path / f"all.{suffix}").read_bytes()


def test_nothing_at_all(tmp_path: Path) -> None:
    source, facts = packed(tmp_path)
    with pytest.raises(InputError, match="at least one document"):
        write_mixture(source, facts, Mix("epochs", {"*": 0.0001}), tmp_path / "train")
