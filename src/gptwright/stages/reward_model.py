"""The reward model that stands over a policy, opened for whoever asks it, and what it says of demonstrations."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from gptwright.alignment.demonstrations import Demonstration
from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.runs import finished_stage
from gptwright.models.formats.huggingface import read_model
from gptwright.models.heads import RewardModel
from gptwright.pipelines.model import Model
from gptwright.pipelines.sequence_scorer import SequenceScorer
from gptwright.tokenizers.tokenizer import Tokenizer


def open_reward_model(path: Path, policy: Model) -> RewardModel:
    """Of a folder of reward, frozen. Raises `ArtifactError` unless it reads the policy's ids as they are meant."""
    finished_stage(path, "reward")
    model = read_model(path / "model")
    if not isinstance(model, RewardModel):
        raise ArtifactError(f"a reward model in {path}", "a language model", "Give the folder of reward.")
    mine, theirs = policy.tokenizer, Tokenizer.load(path / "model")
    if mine.sha256 != theirs.sha256 or mine.special_tokens.chat_template != theirs.special_tokens.chat_template:
        what = "another tokenizer" if mine.sha256 != theirs.sha256 else "another chat template"
        raise ArtifactError(f"a reward model in {path} with the policy's tokenizer and chat template", what,
                            "Train it with reward --base on the model that is the policy.")  # fmt: skip
    if policy.sees:
        require_same_sight(path, policy)
    return model.requires_grad_(False)


def require_same_sight(path: Path, model: Model) -> None:
    """Raises `ArtifactError` unless the reward model in a folder of reward reads images as `model` does."""
    if not model.sees or finished_stage(path, "reward")["metrics"].get("sight") != model.sight:
        raise ArtifactError(f"a reward model in {path} that reads images as {model.name} does", "another",
                            "Give the model on which it was trained with reward --base.")  # fmt: skip


def require_plain(model: Model, lora: int) -> None:
    """Raises `ArtifactError` for low-rank paths in a model that sees: `load` would open no adapter of a part of it."""
    if lora and model.sees:
        raise ArtifactError("a model of text alone, for lora", f"{model.name}, which sees", "Leave --lora out.")


def demonstration_scores(
    model: RewardModel, tokenizer: Tokenizer, shown: Sequence[Demonstration]
) -> Float[Tensor, "N"]:
    """What the model says of each one's last answer, read at its end. Those of like length are read together."""
    scorer, rows = SequenceScorer(model, tokenizer, "the reward model"), [each.whole for each in shown]
    order = sorted(range(len(rows)), key=lambda at: len(rows[at]))
    scores = scorer.logits([rows[at][-scorer.context :] for at in order])[:, 0]
    return scores[torch.tensor(order, device=scores.device).argsort()]


def best_demonstrations(
    model: RewardModel, tokenizer: Tokenizer, shown: Sequence[Demonstration], share: float
) -> list[Demonstration]:
    """The share of them, at least one, whose last answers the model scores highest, in their order."""
    best = demonstration_scores(model, tokenizer, shown).topk(max(1, round(share * len(shown)))).indices
    return [shown[at] for at in sorted(best.tolist())]
