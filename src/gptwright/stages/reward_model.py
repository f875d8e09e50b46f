"""The reward model that stands over a policy, opened for whoever asks it."""

from pathlib import Path

from gptwright.foundations.errors import ArtifactError
from gptwright.foundations.runs import finished_stage
from gptwright.models.formats.huggingface import read_model
from gptwright.models.heads import RewardModel
from gptwright.pipelines.model import Model
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
    return model.requires_grad_(False)
