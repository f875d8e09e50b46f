"""A budget of pretrain as sizes and steps: what it comes to on this machine and this text."""

from dataclasses import replace

from gptwright.configs.pretrain import BUDGETS, Pretrain
from gptwright.foundations.config import decode, encode
from gptwright.foundations.device import matrix_dtype
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.models.catalogue import config_from_table
from gptwright.models.config import ModelConfig
from gptwright.pretraining.budget import OPTIMIZER, Budget, Plan, Text, plan_within
from gptwright.stages.tokenize import open_tokenizer
from gptwright.text.pack import TokenFile
from gptwright.training.distributed.world import World
from gptwright.training.throughput import step_seconds

TRAINING = 0.9  # share of the minutes that is for steps: the rest is for looking at the machine and at the results


def within_budget(config: Pretrain, folder: StageFolder, together: World) -> Pretrain:
    """The configuration with what its budget comes to. It is noted in `stage.json`, so that a stopped run goes on with
    the same sizes however fast the machine is then."""
    asked = next((name for name in BUDGETS if getattr(config, name)), None)
    if asked is None:
        return config
    if "plan" not in folder.record:
        folder.record["plan"] = encode(planned(config, together))
        folder.save()
    plan = decode(Plan, folder.record["plan"], "plan", {ModelConfig: config_from_table})
    size = getattr(config, asked)
    budget = {"minutes": f"{size:g} minute{'s' * (size != 1)}", "total_tokens": f"{size:,} tokens",
              "flops": f"{size:g} flops"}[asked]  # fmt: skip
    say(
        f"pretrain: for {budget}: {plan.model.layers} layers × {plan.model.width}, "
        f"{plan.steps} steps of {plan.batch_size} × {config.sequence_length} tokens, {plan.optimizer} at "
        f"{plan.learning_rate:g}"
    )
    return replace(config, **dict.fromkeys(BUDGETS, 0), **vars(plan), **plan.intervals)


def planned(config: Pretrain, together: World) -> Plan:
    """What the budget comes to. Raises `ConfigError` for minutes of several processes: one alone is timed."""
    if config.minutes and together.process.count > 1:
        raise ConfigError("total_tokens or flops as the budget of several processes", "minutes",
                          "How fast they are together is not measured: give one of the others.")  # fmt: skip
    if config.minutes:
        threads = f"{config.threads} thread{'s' * (config.threads != 1)}"
        say(f"pretrain: looking at how fast this machine trains with {threads}")
    device = together.device

    def measure(model: ModelConfig, rows: int) -> float:
        dtype = matrix_dtype(config.dtype, device.type)
        return step_seconds(model, (rows, config.sequence_length), optimizer_name=OPTIMIZER, dtype=dtype, device=device)

    budget = Budget(seconds=60 * config.minutes * TRAINING, tokens=config.total_tokens, flops=config.flops)
    model = replace(config.model, vocab=open_tokenizer(config.tokens).vocab)
    text = Text(config.sequence_length, len(TokenFile.open(config.tokens / "train")))
    return plan_within(budget, model, text, measure)
