"""rloo: REINFORCE whose baseline is the other answers to the prompt (Ahmadian et al. 2024)."""

from gptwright.alignment import rloo
from gptwright.configs.rloo import RLOO
from gptwright.foundations.runs import StageFolder
from gptwright.stages.policy import learn_from_groups


def run(config: RLOO, folder: StageFolder) -> dict[str, object]:
    """Leaves `model/`, evaluation.json and answers.jsonl, as ppo does."""
    algorithm = rloo.RLOO(samples=config.samples, beta=config.beta, clip=config.clip)
    return learn_from_groups(config, folder, "rloo", algorithm)
