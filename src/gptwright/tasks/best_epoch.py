"""Which epoch is taken: the one that does best on what was held out, for the loss there soon rises while the answers
still get better (Ouyang et al. 2022, §3.5, step 1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from gptwright.alignment.demonstrations import Demonstrations
from gptwright.evaluation.perplexity import answer_loss
from gptwright.foundations.atomic_io import write_file
from gptwright.foundations.device import device_of, to_device
from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.models.decoder import Decoder
from gptwright.models.heads import RewardModel
from gptwright.tokenizers.padding import padded
from gptwright.training.evaluation import Evaluation
from gptwright.training.optimizer import Optimizer

SCORED = 32  # answers that the reward model reads at once


@dataclass(frozen=True)
class HeldoutLoss:
    """The loss of held-out answers; less is better."""

    network: Decoder
    conversations: Demonstrations
    name: str = "heldout_answer_nats"

    def __call__(self) -> float:
        return answer_loss(self.network, self.conversations.in_order())


@dataclass(frozen=True)
class HeldoutReward:
    """What a reward model says, on the average, of the likeliest answers to held-out prompts; more is better."""

    engine: Engine
    prompts: Sequence[Sequence[int]]
    reward: RewardModel
    pad: int
    max_tokens: int
    name: str = "heldout_reward"

    @torch.inference_mode()
    def __call__(self) -> float:
        self.engine.refresh()
        requests = self.engine.generate(self.prompts, Sampling(temperature=0.0, max_tokens=self.max_tokens))
        total, device = 0.0, device_of(self.reward)
        for start in range(0, len(requests), SCORED):
            rows = [request.ids for request in requests[start : start + SCORED]]
            last = torch.tensor([len(row) - 1 for row in rows])
            total += float(self.reward(*(to_device(x, device) for x in (padded(rows, self.pad), last))).sum())
        return total / len(requests)


@dataclass(frozen=True)
class BestEpoch:
    """Measures when an epoch ends, and keeps the weights of the best so far in the file `kept`.

    `ends` are the epochs' last steps. `curve` has what was measured of each epoch; it belongs to the checkpoints.
    """

    measure: HeldoutLoss | HeldoutReward | None
    ends: Sequence[int]
    optimizer: Optimizer
    kept: Path
    curve: dict[str, float]

    def after(self, step: int) -> Mapping[str, float]:
        """What is to be logged of the step."""
        if self.measure is None or step not in self.ends or not self.optimizer.layout.world.first:
            return {}
        epoch = self.ends.index(step) + 1
        self.curve[str(epoch)] = self.measure()
        if self.best == epoch:
            masters = {name: master.detach().contiguous() for name, master in self.optimizer.masters.items()}
            write_file(self.kept, lambda path: save_file(masters, path))
        return {"epoch": epoch, self.measure.name: self.curve[str(epoch)]}

    @property
    def best(self) -> int:
        """The first of the best."""
        sign = -1 if isinstance(self.measure, HeldoutReward) else 1
        return min((sign * value, int(epoch)) for epoch, value in self.curve.items())[1]

    @torch.no_grad()
    def take(self) -> None:
        """Gives the masters the best epoch's weights, if epochs were measured."""
        for name, weights in load_file(self.kept).items() if self.curve else ():
            self.optimizer.masters[name].copy_(weights)

    def evaluations(self) -> dict[str, Evaluation]:
        """The curve, as it is left beside other findings."""
        if self.measure is None:
            return {}
        metrics = {f"epoch {epoch}": value for epoch, value in self.curve.items()}
        return {"epochs": Evaluation(metrics=metrics, notes={"measured": self.measure.name, "taken": str(self.best)})}
