"""The documents of a corpus packed in parts, by several processes, and joined.

A part is a token file of its own, of some megabytes of text, called after where these stand in the corpus, and is there
whole or not at all. So whoever is stopped and begins again packs only what is missing, and neither how many processes
there are nor the moment of a stop changes a byte.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from uuid import uuid4

from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.workers import Workers
from gptwright.text.file_ranges import FileRange
from gptwright.text.pack import TokenFile, TokenFileMeta, join, pack, rename
from gptwright.text.split import Split
from gptwright.tokenizers.tokenizer import Tokenizer

PARTS = "parts"
PART = 8 * 2**20
"""bytes of the file of a part"""


@dataclass(frozen=True)
class Corpus:
    """The documents of both splits, in pieces that can be read apart.

    `read` gives source and text of a piece's documents; processes get it, so it can be pickled where there are several.
    """

    pieces: Mapping[Split, Sequence[FileRange]]
    read: Callable[[FileRange, Split], Iterator[tuple[str, str]]]
    pairs: bool = False

    def documents(self, split: Split) -> Iterator[tuple[str, str]]:
        """Source and text of every document of a split."""
        return chain.from_iterable(self.read(piece, split) for piece in self.pieces[split])

    def texts(self, split: Split) -> Iterator[str]:
        """The text of every document of a split."""
        return (text for _, text in self.documents(split))


@dataclass(frozen=True)
class _Packer:
    """What a process needs to pack pieces of a split; the tokenizer is in `folder`, whose `PARTS` are filled."""

    corpus: Corpus
    split: Split
    folder: Path
    tokenizer_sha256: str

    def __call__(self, piece: FileRange) -> Path:
        """The stem of the piece's part, which is packed when it is not there."""
        stem = self.folder / PARTS / f"{self.split}-{piece.begin}"
        if not self._is_there(stem):
            tokenizer = _tokenizer(self.folder, self.tokenizer_sha256)
            texts = (text for _, text in self.corpus.read(piece, self.split))
            own = stem.with_name(f"{stem.name}.{uuid4().hex}")  # on a cluster one that was given up may still write
            pack(texts, tokenizer.encode_many, tokenizer.eos_id, own, tokenizer.vocab, self.tokenizer_sha256,
                 pairs=self.corpus.pairs)  # fmt: skip
            rename(own, stem)
        return stem

    def _is_there(self, stem: Path) -> bool:
        """Whole, and of this tokenizer: whoever is killed while parts are deleted leaves some of one."""
        try:
            return TokenFile.open(stem).meta.tokenizer_sha256 == self.tokenizer_sha256
        except ArtifactError:
            return False


@lru_cache(maxsize=1)
def _tokenizer(folder: Path, sha256: str) -> Tokenizer:
    """A process opens it once, not for every part."""
    return Tokenizer.load(folder)


def pack_corpus(
    corpus: Corpus, split: Split, folder: Path, tokenizer_sha256: str, path_stem: Path, workers: Workers
) -> TokenFileMeta:
    """Packs a split with the tokenizer that is saved in `folder`, in parts there that stay, and joins these.

    Raises what `pack` raises, and `ProcessLost` when a process dies.
    """
    (folder / PARTS).mkdir(exist_ok=True)
    packer = _Packer(replace(corpus, pieces={}), split, folder, tokenizer_sha256)  # it gets its piece alone
    return join(list(workers.map(packer, corpus.pieces[split])), path_stem)
