"""AdamW (Loshchilov & Hutter 2019) over float32 master copies, so that matrices may live in bfloat16."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


def hold_matrices_in(module: nn.Module, dtype: torch.dtype) -> None:
    """Keeps the weights of linear layers in `dtype`; embeddings and norms stay in float32."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            part.to(dtype)


class Optimizer:
    """Fused AdamW with gradient clipping. Only matrices decay. State is plain tensors: no pickle in checkpoints."""

    def __init__(
        self,
        named_parameters: Iterable[tuple[str, nn.Parameter]],
        *,
        decay: float = 0.1,
        betas: tuple[float, float] = (0.9, 0.95),
        epsilon: float = 1e-8,
    ) -> None:
        self.parameters = dict(named_parameters)
        self.masters = {
            name: p if p.dtype == torch.float32 else p.detach().float() for name, p in self.parameters.items()
        }
        matrices = [m for m in self.masters.values() if m.dim() > 1]
        vectors = [m for m in self.masters.values() if m.dim() <= 1]
        groups = [{"params": matrices, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}]
        self.adam = torch.optim.AdamW([g for g in groups if g["params"]], lr=0.0, betas=betas, eps=epsilon, fused=True)
        self.skipped = 0

    def step(self, rate: float, clip: float) -> float:
        """Clips, updates and clears the gradients; returns their norm. A norm that is not finite changes nothing."""
        low = [(self.masters[n], p) for n, p in self.parameters.items() if p is not self.masters[n]]
        for master, parameter in low:
            master.grad = None if parameter.grad is None else parameter.grad.float()
        norm = float(nn.utils.clip_grad_norm_(list(self.masters.values()), clip, foreach=True))
        if norm == norm and norm != float("inf"):
            for group in self.adam.param_groups:
                group["lr"] = rate
            self.adam.step()
            with torch.no_grad():
                for master, parameter in low:
                    parameter.copy_(master)
        else:
            self.skipped += 1
        for master, parameter in zip(self.masters.values(), self.parameters.values(), strict=True):
            master.grad = parameter.grad = None
        return norm

    def tensors(self) -> dict[str, Tensor]:
        """Masters, both moments and the count of steps, by name, and how many steps were skipped."""
        state = {"skipped": torch.tensor(self.skipped)}
        for name, master in self.masters.items():
            state[f"master.{name}"] = master.detach()
            for key, value in self.adam.state.get(master, {}).items():
                state[f"{key}.{name}"] = value
        return state

    @torch.no_grad()
    def restore(self, tensors: dict[str, Tensor]) -> None:
        """Puts back what `tensors` gave, into the masters and the model's parameters."""
        self.skipped = int(tensors["skipped"])
        for name, master in self.masters.items():
            master.copy_(tensors[f"master.{name}"])
            self.parameters[name].copy_(master)
            keys = ("step", "exp_avg", "exp_avg_sq")
            found = {key: tensors[f"{key}.{name}"].clone() for key in keys if f"{key}.{name}" in tensors}
            if found:
                self.adam.state[master] = found
