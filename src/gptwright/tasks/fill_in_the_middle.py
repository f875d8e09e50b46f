"""Windows of text in which some documents are rearranged, so that their middle is predicted last."""

from random import Random

import torch

from gptwright.objectives.language import IGNORED
from gptwright.tokenizers.fill_in_the_middle import Sentinels
from gptwright.tokenizers.tokenizer import Tokenizer
from gptwright.training.batches import TokenBatch, Windows, key

BROKEN = "\ufffd"  # of a character that the window cuts
CUTS = 8  # tokens that a document is made shorter by until it fits with its sentinels


class FillInTheMiddle:
    """`windows` with a share `rate` of their documents rearranged, of which a share `spm` with the suffix first.

    A document is what stands between two ends within a window (context-level in Bavarian et al. 2022 §3): its middle
    always ends, and its end is learned. Sentinels are not: whoever asks gives them, and text has none. What a window
    then has left over is ignored.
    """

    def __init__(self, windows: Windows, tokenizer: Tokenizer, rate: float, seed: int, spm: float = 0.5) -> None:
        self.windows, self.tokenizer, self.rate, self.seed, self.spm = windows, tokenizer, rate, seed, spm
        self.sentinels = Sentinels.of(tokenizer)

    def batch(self, step: int) -> TokenBatch:
        """As a pure function of the step, like the windows."""
        plain = self.windows.batch(step)
        if not self.rate:
            return plain
        rows = torch.cat([plain.ids, plain.targets[:, -1:]], dim=1).tolist()
        filled = torch.tensor([self.rearranged(row, key(self.seed, step, number)) for number, row in enumerate(rows)])
        ids, targets = filled[:, :-1].clone(), filled[:, 1:]
        ids[ids == IGNORED] = self.tokenizer.pad_id
        return TokenBatch(ids, targets.masked_fill(torch.isin(targets, self.sentinels.ids), IGNORED))

    def middles(self, step: int) -> TokenBatch:
        """The same, with nothing to predict but the middles and their ends, where the suffix does not come first."""
        ids, targets, _ = self.batch(step)
        inside, known = torch.zeros(len(ids), dtype=torch.bool), torch.zeros_like(ids, dtype=torch.bool)
        for place in range(ids.shape[1]):
            inside = (inside | (ids[:, place] == self.sentinels.middle)) & (ids[:, place] != self.sentinels.end)
            known[:, place] = inside
        return TokenBatch(ids, targets.where(known, IGNORED))

    def rearranged(self, row: list[int], seed: int) -> list[int]:
        """A window of as many ids, IGNORED at its end where they are fewer."""
        dice, found = Random(seed), list[int]()
        for document in documents(row, self.sentinels.end):
            room = len(row) - len(found)
            chosen = dice.random() < self.rate
            found += self._document(document, room, dice.getrandbits(64), chosen)[:room]
        return found + [IGNORED] * (len(row) - len(found))

    def _document(self, ids: list[int], room: int, seed: int, chosen: bool) -> list[int]:
        """The document, rearranged if it is chosen and long enough; shortened until that fits into the room."""
        text = ids[:-1] if ids[-1] == self.sentinels.end else ids
        while chosen and len(text) > CUTS:
            dice = Random(seed)
            suffix_first = dice.random() < self.spm
            found = self.sentinels.rearranged(self.tokenizer.decode(text).strip(BROKEN), self.tokenizer, dice,
                                              suffix_first=suffix_first)  # fmt: skip
            if len(found) <= room:
                return found
            text = text[:-CUTS]
        return ids


def documents(row: list[int], end: int) -> list[list[int]]:
    """The parts of a window, each up to the end that closes it."""
    found: list[list[int]] = [[]]
    for id in row:
        found[-1].append(id)
        if id == end:
            found.append([])
    return found if found[-1] else found[:-1]
