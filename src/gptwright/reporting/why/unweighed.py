"""What a model learned that cannot be weighed for an answer, said plainly, with what can be looked at instead."""

from collections.abc import Mapping, Sequence

from gptwright.pipelines.ancestry import Ancestor

_OWN_ANSWERS = (
    "learned from rewards of answers that it gave itself: no file shows what to say, so its prompts are not weighed; "
    "gptwright report shows such answers before and after"
)
WEIGHED = ("prepare", "tokenize", "pretrain", "codex", "sft", "reward", "dpo", "improve")
"""stages of which all that they learned is looked at, or that learned nothing"""
UNWEIGHED: Mapping[str, str] = {
    "ppo": _OWN_ANSWERS,
    "grpo": _OWN_ANSWERS,
    "rloo": _OWN_ANSWERS,
    "rejection": "kept the best of a model's own answers: what was taught of them is weighed where sft learned it",
    "rank": "let a rule rank answers of a model: the rankings are weighed where reward or dpo learned them",
    "vision": "learned from conversations with images, which are not weighed; gptwright see MODEL TEXT --image FILE "
              "shows what of an image a word looks at",
    "clip": "learned which image belongs to which text, which is not weighed; gptwright see MODEL TEXT --image FILE "
            "shows what of an image a word looks at",
    "finetune": "learned labels, which are no text that could be weighed; gptwright report shows which it gets right",
    "import": "took in a model that learned elsewhere, and nothing of that is known here; gptwright see looks into it",
}  # fmt: skip


def unweighed(ancestors: Sequence[Ancestor]) -> list[str]:
    """One line for each stage that learned what is not looked at."""
    return [f"{each.path.name} {UNWEIGHED[each.verb]}" for each in ancestors if each.verb in UNWEIGHED]
