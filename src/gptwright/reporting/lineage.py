"""Which stages of a folder its model descends from: told by what went in and what came out, by hash, never by names.

Other work may lie in the same folder: a second policy, a reward model that was tried. Its figures are not this model's.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from gptwright.foundations.runs import identities

CONTROL = "reward-control"
POLICIES = ("ppo", "grpo", "rloo", "dpo")
"""stages that improve a policy, and leave the same figures of it"""
# From the end of the story to its beginning: what is there of it last is what the folder is about.
ENDS = (*POLICIES, "reward", "rank", "sft", "finetune", "codex", "pretrain", "tokenize", "prepare")


class Made(Protocol):
    """A stage with its role, and what it read and wrote, by hash."""

    @property
    def role(self) -> str: ...
    @property
    def inputs(self) -> dict[str, str]: ...
    @property
    def outputs(self) -> dict[str, str]: ...


T = TypeVar("T", bound=Made)


def lineage(stages: Sequence[T]) -> list[T]:
    """What the last stage of the latest kind descends from."""
    return ancestors(next((s for end in ENDS for s in reversed(stages) if s.role == end), stages[-1]), stages)


def ancestors(head: T, stages: Sequence[T]) -> list[T]:
    """A stage, all that it was made from, and the control of its reward model: whatever their folders are called, none
    stands before what it was made from."""
    found = _made_from(head, stages)
    rewards = [set(stage.inputs.values()) for stage in found if stage.role == "reward"]
    controls = [s for s in stages if s.role == CONTROL and set(s.inputs.values()) in rewards]
    kept = [stage for stage in stages if stage in found or stage in controls[-1:]]
    return sorted(kept, key=lambda stage: len(_made_from(stage, stages)))


def _made_from(head: T, stages: Sequence[T]) -> list[T]:
    """A stage and its ancestors, backwards."""
    found = [head]
    for stage in found:
        read = set(stage.inputs.values())
        found += [s for s in stages if s not in found and s.outputs and read & identities(s.outputs)]
    return found
