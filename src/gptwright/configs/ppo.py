"""Options of ppo."""

from typing import Annotated, Any, Literal, get_args

from gptwright.configs.policy import RolloutOptions
from gptwright.configs.presets import check_preset, with_preset
from gptwright.configs.validation import known
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Amount, Range, Weight, settings
from gptwright.training.schedules import SCHEDULES

Share = Annotated[float, Range(0, 1)]
KL = Literal["k1", "k3"]
CriticKind = Literal["shared", "separate"]
FREE = ("learning_rate",)  # a model of another size needs another than the preset's

# Ouyang et al. 2022, App. C.4 (GAE's λ and the policy's rate are not stated: these are OpenAI's earlier one, and the
# value's); Ziegler et al. 2019, launch.py, sentiment and descriptiveness; Huang et al. 2024, N+. How long a run and an
# answer is remains to be said.
PRESETS: dict[str, dict[str, Any]] = {
    "instructgpt": {
        "episodes": 512, "epochs": 1, "minibatches": 8, "temperature": 1.0, "beta": 0.02, "kl_horizon": 0,
        "gamma": 1.0, "lam": 0.95, "clip": 0.2, "value_clip": 0.2, "value_weight": 0.1, "critic": "separate",
        "normalize_rewards": False, "whiten_rewards": False, "ptx_weight": 27.8, "ptx_batch_size": 512, "ema": 0.992,
        "learning_rate": 9e-6, "schedule": "constant", "warmup": 10},
    "ziegler2019": {
        "episodes": 512, "epochs": 4, "minibatches": 1, "temperature": 0.7, "beta": 0.15, "kl_horizon": 10_000,
        "gamma": 1.0, "lam": 0.95, "clip": 0.2, "value_clip": 0.2, "value_weight": 0.1, "critic": "shared",
        "normalize_rewards": True, "whiten_rewards": True, "ptx_weight": 0.0, "ptx_batch_size": 1, "ema": 0.0,
        "learning_rate": 1e-5, "schedule": "linear", "warmup": 0},
    "nplus": {
        "episodes": 512, "epochs": 4, "minibatches": 1, "temperature": 0.7, "beta": 0.05, "kl_horizon": 0,
        "gamma": 1.0, "lam": 0.95, "clip": 0.2, "value_clip": 0.2, "value_weight": 0.1, "critic": "separate",
        "normalize_rewards": False, "whiten_rewards": False, "ptx_weight": 0.0, "ptx_batch_size": 1, "ema": 0.0,
        "learning_rate": 3e-6, "schedule": "linear", "warmup": 0},
}  # fmt: skip


@settings
class PPO(RolloutOptions):
    """Improve a policy with a reward model, a rule, or both."""

    preset: str = ""
    """hyper-parameters of a paper, instructgpt, ziegler2019 or nplus, instead of the sizes' own below"""
    kl: KL = "k1"
    """estimate of the KL in the reward: k1 = log(π/π_ref), or k3 = π_ref/π - 1 + k1, which is never negative"""
    kl_target: Annotated[float, Range(0, 1000, above=True)] = 6.0
    """nats an answer that β adapts to, and at most those of the best update where no gold is known"""
    kl_horizon: Amount = 0
    """episodes in which β adapts (Ziegler et al. 2019: 10,000); 0: it is fixed"""
    gamma: Share = 1.0
    """discount γ of later rewards"""
    lam: Share = 0.95
    """λ of generalised advantage estimation"""
    clip: Annotated[float, Range(0, 10, above=True)] = 0.2
    """how far the probability ratio may be from 1"""
    value_clip: Annotated[float, Range(0, 1000, above=True)] = 0.2
    """how far a value may move from the rollout's"""
    whiten_rewards: bool = False
    """rewards get variance 1, their mean kept"""
    critic: CriticKind = "shared"
    """a value head on the policy's trunk, or a model of its own, begun from the reward model"""
    value_weight: Weight = 0.1
    """weight of the value loss"""
    ema: Annotated[float, Range(0, 1, below=True)] = 0.0
    """decay a step of the weights' moving average, which is then what is exported (InstructGPT: 0.992); 0: none"""
    schedule: str = "linear"
    """after the warmup: linear down to 0, constant, cosine, cosine-to-zero, wsd or inverse-root"""
    warmup: Amount = 2
    """updates in which the rate rises"""
    evaluate_every: Amount = 0
    """updates between looks at the held-out prompts: score, gold and KL; 0: none"""
    stop_early: bool = False
    """keep the update where they were best, and stop when none has been better for three looks"""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, words in (("kl", get_args(KL)), ("critic", get_args(CriticKind)), ("schedule", SCHEDULES)):
            known(getattr(self, name), words, name)
        check_preset(self, PRESETS, FREE)
        if self.stop_early and not self.evaluate_every:
            raise ConfigError("evaluate_every beside stop_early", "0", "Say after how many updates to look.")

    @property
    def resolved(self) -> "PPO":
        """The same with the preset's numbers in their places."""
        return with_preset(self, PRESETS, FREE)
