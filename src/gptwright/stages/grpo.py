"""grpo: several answers to each prompt, each judged beside its siblings (Shao et al. 2024, §4.1)."""

from gptwright.alignment import grpo
from gptwright.configs.grpo import GRPO
from gptwright.foundations.runs import StageFolder
from gptwright.stages.policy import learn_from_groups


def run(config: GRPO, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/`, evaluation.json and answers.jsonl, as ppo does."""
    algorithm = grpo.GRPO(samples=config.samples, beta=config.beta, clip=config.clip)
    return learn_from_groups(config, folder, "grpo", algorithm)
