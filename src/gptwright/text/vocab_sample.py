"""The text that a vocabulary is learned from: so much of every source as a mix says, and no more than memory allows.

Learning merges holds every different word in memory, so of a large corpus a part is read. Which documents these are
says a hash of their text: neither their order nor the rest of the corpus changes it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from gptwright.foundations.errors import ConfigError
from gptwright.text.mix import Mix
from gptwright.text.split import uniform_hash

Documents = Callable[[], Iterable[tuple[str, str]]]
"""gives source and text of every document, as often as it is called"""
LOT = "vocabulary"


@dataclass(frozen=True)
class VocabSample:
    """How often each source is read; `sizes` are the UTF-8 bytes of the sources, `groups` their patterns in the mix."""

    documents: Documents
    epochs: Mapping[str, float]
    sizes: Mapping[str, int]
    groups: Mapping[str, str]

    def texts(self) -> Iterator[str]:
        """Every text as often as its source is read; where that is not whole, a text is drawn by its hash."""
        for source, text in self.documents():
            whole, rest = divmod(self.epochs[source], 1)
            for _ in range(int(whole) + (rest > 0 and uniform_hash(text, LOT) < rest)):
                yield text

    @property
    def megabytes(self) -> dict[str, float]:
        """What is read of every group, in megabytes of UTF-8."""
        read = dict.fromkeys(self.groups.values(), 0.0)
        for source, size in self.sizes.items():
            read[self.groups[source]] += size * self.epochs[source] / 1e6
        return read


def vocab_sample(documents: Documents, mix: Mix | None, most_bytes: int) -> VocabSample:
    """As many documents of every source as `mix` says, all alike without one; at most `most_bytes` of them.

    Of shares no source is read less than once, unless there are too many bytes: those that have too little for their
    share are repeated. Raises `ConfigError` when mix and sources do not fit.
    """
    if mix is not None and mix.tokens is not None:
        raise ConfigError("shares or epochs in the mix of a vocabulary", f"tokens = {mix.tokens}",
                          "Leave tokens out: vocab_megabytes says how much is read.")  # fmt: skip
    sizes = Counter[str]()
    for source, text in documents():
        sizes[source] += len(text.encode())
    mix = mix or Mix("epochs", {"*": 1.0})
    groups = mix.groups(list(sizes))
    whole = Counter[str]()
    for source, size in sizes.items():
        whole[groups[source]] += size
    numbers = {name: mix.numbers[name] / (1 if mix.kind == "epochs" else size) for name, size in whole.items()}
    if not any(numbers.values()):
        raise ConfigError("a mix that reads more than none of the text", ", ".join(numbers), "Raise a number.")
    if mix.kind == "shares":
        least = min(number for number in numbers.values() if number)
        numbers = {name: number / least for name, number in numbers.items()}
    asked = sum(number * whole[name] for name, number in numbers.items())
    scale = min(1.0, most_bytes / asked)
    return VocabSample(documents, {source: scale * numbers[groups[source]] for source in sizes}, sizes, groups)
