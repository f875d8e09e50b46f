"""What a family is called in Hugging Face folders: its sizes, its settings and its tensors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


def nothing(_: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True, kw_only=True)
class HuggingFaceMapping:
    """How a Hugging Face folder says what the family is.

    `tensors` maps our names to theirs: keys that begin with a dot may stand anywhere, others only at the start; a
    tuple of names stands for pieces of one of our tensors, equal rows each. `transposed` lists the endings of their
    names that are stored the other way round, `older` what has another name in early folders. `zeros` gives, for a
    configuration, the shapes of tensors of theirs that we lack and that must be zero, `shapes` those of tensors that we
    have with other dimensions. Of the endings of other names,
    `tied` has those of second copies, with our tensor that they must equal, `computed` those of tables that we compute,
    `buffers` those that nobody reads.
    `scorer` is called what has a head of one logit a label, whose tensors begin with `head`; `chooser` what has one for
    multiple choice, where that is another.
    `without` says what a model is called without some of its parts, which it then has as None; `trunk` is called what
    stands without the `prefix`.
    `constants` are settings that a folder must not contradict, `dropouts` are written as 0 and not read.
    `read` and `write` translate what is more than a name.
    """

    model_type: str
    language_model: str
    scorer: str = ""
    chooser: str = ""
    head: str = "score."
    prefix: str = ""
    trunk: str = ""
    without: Mapping[tuple[str, ...], str] = field(default_factory=dict[tuple[str, ...], str])
    sizes: Mapping[str, str]
    constants: Mapping[str, Any] = field(default_factory=dict[str, Any])
    dropouts: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    tensors: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict[str, str | tuple[str, ...]])
    transposed: tuple[str, ...] = ("\0",)
    tied: Mapping[str, str] = field(default_factory=dict[str, str])
    computed: Mapping[str, Callable[[Any], Tensor]] = field(default_factory=dict[str, Callable[[Any], Tensor]])
    buffers: tuple[str, ...] = ("\0",)
    older: Mapping[str, str] = field(default_factory=dict[str, str])
    zeros: Callable[[Any], Mapping[str, tuple[int, ...]]] = nothing
    shapes: Callable[[Any], Mapping[str, tuple[int, ...]]] = nothing
    read: Callable[[Mapping[str, Any]], dict[str, Any]] = nothing
    write: Callable[[Any], Mapping[str, object]] = nothing

    def theirs(self, ours: str) -> tuple[str, ...]:
        """Our tensor's name as their folder has it: one name, or one for each piece."""
        names = [ours]
        for mine, others in self.tensors.items():
            if (mine in names[0]) if mine.startswith(".") else names[0].startswith(mine):
                pieces = (others,) if isinstance(others, str) else others
                names = [name.replace(mine, piece, 1) for name in names for piece in pieces]
        return tuple(names)

    def newer(self, theirs: str) -> str:
        """An early folder's name of a tensor as later ones have it."""
        for old, new in self.older.items():
            theirs = theirs.replace(old, new)
        return theirs

    def architecture(self, absent: set[str]) -> str | None:
        """What a model without these parts is called; None where there is no such model."""
        if not absent:
            return self.language_model
        return next((name for parts, name in self.without.items() if set(parts) == absent), None)
