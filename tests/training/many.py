"""What each of several processes does in the tests of this room, and one alone to compare with.

Started as a script with torchrun's variables; the first process leaves what all found in `found-COUNT.json`.
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gptwright.inference.engine import Engine
from gptwright.inference.sampling import Sampling
from gptwright.layers.norms import RMSNorm
from gptwright.models.bert import BERTConfig
from gptwright.models.catalogue import build, family_of
from gptwright.models.gpt1 import GPT1Config
from gptwright.models.gpt2 import GPT2Config
from gptwright.models.gpt3 import GPT3Config
from gptwright.models.llama import LlamaConfig
from gptwright.models.modern import ModernConfig
from gptwright.models.transformer import TransformerConfig
from gptwright.objectives.language import next_token_loss, token_nats
from gptwright.objectives.masked import masked_loss, next_sentence_loss
from gptwright.training.adamw import AdamW
from gptwright.training.batch_shard import WHOLE, BatchShard
from gptwright.training.checkpoint import newest_checkpoint, save_checkpoint
from gptwright.training.distributed.layout import local
from gptwright.training.distributed.mesh import Mesh
from gptwright.training.distributed.sharding import gather_model, shard_model
from gptwright.training.distributed.world import ALONE, World, joined, world
from gptwright.training.muon import Muon
from gptwright.training.optimizer import Optimizer, cast_linears
from gptwright.training.train_state import TrainState
from gptwright.training.train_step import train_steps
from step_task import StepTask

# A vocabulary that no number of shards divides, and few enough rows for four processes.
SIZES = {"vocab": 50, "context": 16, "width": 16, "layers": 2}
TINY: dict[str, Any] = {
    "gpt1": GPT1Config(**SIZES, heads=4),
    "gpt2": GPT2Config(**SIZES, heads=4),
    "gpt3": GPT3Config(**SIZES, heads=4, reach=4),
    "llama": LlamaConfig(**SIZES, heads=4, kv_heads=2, hidden=20),
    "llama-tied": LlamaConfig(**SIZES, heads=4, kv_heads=2, hidden=20, tied=True),
    "modern": ModernConfig(**SIZES, heads=4, kv_heads=2),
    "transformer": TransformerConfig(**SIZES, heads=4, hidden=20, dropout=0.0),
    "bert": BERTConfig(**SIZES, heads=4),
}
MESHES = {
    1: {"one": Mesh()},
    2: {"shard 2": Mesh(shard=2), "tensor 2": Mesh(tensor=2), "replicate 2": Mesh(replicate=2)},
    4: {"shard 2 × tensor 2": Mesh(tensor=2), "replicate 2 × shard 2": Mesh(replicate=2)},
}
ROWS, STEPS, SAVED = 8, 4, 2


def randomised(network: nn.Module, spread: float = 0.3) -> Any:
    """Large weights everywhere, so that every part shows."""
    random = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0.0, spread, generator=random)
    return network


def losses(network: Any, step: int, shard: BatchShard) -> Iterator[Tensor]:
    """Of whatever kind the network is."""
    random = torch.Generator().manual_seed(step)
    ids, targets = (torch.randint(50, (ROWS, 16), generator=random) for _ in range(2))
    lengths = torch.randint(4, 16, (ROWS,), generator=random)
    count, kind = ROWS * 16, family_of(network.config).kind
    for rows in shard.slices(ROWS):
        if kind == "decoder":
            hidden = network.hidden(ids[rows])
        elif kind == "encoder-decoder":
            hidden = network.decode(ids[rows], network.encode(ids[rows], lengths[rows]))
        else:
            states = network.encode(ids[rows], ids[rows] % 2, lengths[rows])
            yield next_sentence_loss(network.next_logits(states), lengths[rows] > 8, ROWS) + masked_loss(
                network.masked_states(states), network.output, network.output_bias, targets[rows], count,
                network.vocabulary)  # fmt: skip
            continue
        yield next_token_loss(hidden, network.output, targets[rows], 0.1, count, network.vocabulary)


def gradients(network: nn.Module, together: World) -> dict[str, Tensor]:
    """Whole, with the loss, which all rows add up to, and their norm."""
    layout = shard_model(network, together)
    total = torch.zeros(())
    for loss in losses(network, 0, together.batch_shard(2)):
        loss.backward()
        total += loss.detach()
    mine = {name: local(parameter.grad) for name, parameter in network.named_parameters() if parameter.grad is not None}
    layout.complete(mine)
    found = {name: layout.whole(name, gradient) for name, gradient in mine.items()}
    return found | {"loss": together.total(total), "norm": layout.norm(mine)}


def families() -> Iterator[tuple[str, Any]]:
    """Every family, and layers that have norms with gains inside."""
    yield from ((name, build(config)) for name, config in TINY.items())
    network = build(TINY["llama"])
    for block in network.blocks:
        block.attention.query_norm, block.attention.key_norm = RMSNorm(4), RMSNorm(4)
    yield "llama with norms inside", network


def furthest_gradient(together: World) -> dict[str, float]:
    """How far each family's gradients are from those of one process, in parts of each gradient's largest number.

    Of four processes for some only: both axes have met all of them.
    """
    found: dict[str, float] = {}
    for (name, one), (_, part) in zip(families(), families(), strict=True):
        if together.process.count == 4 and name not in ("gpt2", "llama with norms inside"):
            continue
        expected, got = gradients(randomised(one), ALONE), gradients(randomised(part), together)
        assert expected.keys() == got.keys(), name
        found[name] = max(float((got[k] - e).abs().max() / e.abs().max().clamp(min=1e-3)) for k, e in expected.items())
    return found


RULES: dict[str, tuple[str, Any, torch.dtype]] = {
    "gpt2": ("gpt2", AdamW(), torch.float32),
    "llama": ("llama", AdamW(), torch.float32),
    "muon": ("gpt2", Muon(dtype=torch.float32), torch.float32),
    "bfloat16": ("gpt2", AdamW(), torch.bfloat16),
}


def learner(name: str, together: World) -> tuple[Any, Optimizer]:
    config, rule, dtype = RULES[name]
    network = randomised(build(TINY[config]), 0.1)
    cast_linears(network, dtype)
    return network, Optimizer(network, rule, shard_model(network, together))


def learned(name: str, together: World, saved: Path | None = None, begun: Path | None = None) -> list[float]:
    """Losses and norms of a few steps, which begin with a checkpoint or leave one."""
    network, optimizer = learner(name, together)
    train_state, found = TrainState(micro_batches=2), list[float]()
    if begun:
        newest = newest_checkpoint(begun, layout=optimizer.layout)
        assert newest is not None
        optimizer.restore(newest[0])
        train_state.done = newest[1]["step"]
    task = StepTask(lambda number, shard: losses(network, number, shard), ROWS)
    shard = together.batch_shard(1) if together.axes else WHOLE
    for step in train_steps(task, optimizer, lambda _: 0.01, train_state, steps=STEPS, shard=shard):
        found += [step.loss, step.gradient_norm]
        if saved and step.number == SAVED:
            save_checkpoint(saved, SAVED, optimizer.tensors(), {}, layout=optimizer.layout)
    whole = gather_model(network, optimizer)
    if together.first:
        found.append(float(sum(parameter.double().abs().sum() for parameter in whole.parameters())))
    return found


def said(together: World) -> dict[str, Any]:
    """What evaluation on the way finds: all take part."""
    network = randomised(build(TINY["gpt2"]))
    shard_model(network, together)
    sampling = Sampling(max_tokens=8, temperature=1.0, seed=3)
    ids = torch.arange(32).view(2, 16)
    with torch.inference_mode():
        hidden = network.hidden(ids).flatten(0, 1)
        nats = token_nats(hidden, network.output, ids.flatten(), network.vocabulary)
    answers = Engine(network, [0]).generate([[1, 2, 3], [4, 5]], sampling)
    next(losses(network, 0, together.batch_shard(1))).backward()  # training goes on after it
    return {"answers": [request.answer for request in answers], "nats": nats.tolist()}


def everything(together: World, name: str, folder: Path) -> dict[str, Any]:
    """All that is compared between meshes; checkpoints of meshes that came before are gone on from."""
    before = sorted(path for path in folder.glob("after *"))
    return {
        "learned": {
            rule: learned(rule, together, folder / f"after {name}" if rule == "gpt2" else None) for rule in RULES
        },
        "went on": {path.name: learned("gpt2", together, begun=path) for path in before},
        "said": said(together),
        "gradients": furthest_gradient(together) if together.axes else {},
        "all_max": together.all_max(together.process.rank),
        "broadcast": together.broadcast(together.process.rank + 5),
    }


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    count = int(os.environ["WORLD_SIZE"])
    found: dict[str, Any] = {}
    with joined(Mesh(), "cpu"):
        for name, mesh in MESHES[count].items():
            found[name] = everything(world(replace(mesh), "cpu"), name, folder)
    if os.environ["RANK"] == "0":
        (folder / f"found-{count}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
