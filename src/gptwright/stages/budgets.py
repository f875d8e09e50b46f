"""A budget for pretrain: what it decides, what may not stand beside it, and what it comes to on this machine."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gptwright.foundations.config import encode
from gptwright.foundations.device import matrix_dtype
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder
from gptwright.models.catalogue import config_from_table, family_of
from gptwright.pretraining.budget import OPTIMIZER, Plan, Text, for_flops, for_seconds, for_tokens
from gptwright.stages.tokenize import open_tokenizer
from gptwright.text.pack import TokenFile
from gptwright.training.distributed.mesh import World
from gptwright.training.throughput import step_seconds

if TYPE_CHECKING:
    from gptwright.stages.pretrain import Pretrain

BUDGETS = ("minutes", "total_tokens", "flops")
DECIDED = ("batch_size", "steps", "learning_rate", "warmup", "optimizer", "eval_every", "save_every")
LOOKS, SAVES = 8, 5
TRAINING = 0.9  # share of the minutes that is for steps: the rest is for looking at the machine and at the results


def check_budget_conflicts(config: "Pretrain") -> None:
    """Raises `ConfigError` unless there is one budget at most, and nothing beside it that it decides."""
    asked = [name for name in BUDGETS if getattr(config, name)]
    beside = [name for name in DECIDED if getattr(config, name) != getattr(type(config), name)]
    if len(asked) > 1 or (asked and beside):
        raise ConfigError(f"either {asked[0]} or {(asked[1:] + beside)[0]}", "both",
                          f"A budget decides {', '.join(DECIDED)} and the model's width and layers.")  # fmt: skip
    if asked and family_of(config.model).kind != "decoder":
        raise ConfigError(f"a decoder where {asked[0]} decides", f"the family {family_of(config.model).name}",
                          "Its law of scaling was not measured: give its sizes and steps.")  # fmt: skip


def within_budget(config: "Pretrain", folder: StageFolder, together: World) -> "Pretrain":
    """The configuration with what its budget comes to. It is noted in `stage.json`, so that a stopped run goes on with
    the same sizes however fast the machine is then."""
    asked = next((name for name in BUDGETS if getattr(config, name)), None)
    if asked is None:
        return config
    if "plan" not in folder.record:
        folder.record["plan"] = encode(planned(config, together))
        folder.save()
    plan = folder.record["plan"]
    model = config_from_table(plan["model"])
    say(
        f"pretrain: for {getattr(config, asked):g} {asked}: {model.layers} layers × {model.width}, {plan['steps']} "
        f"steps of {plan['batch_size']} × {config.sequence_length} tokens, {plan['optimizer']} at "
        f"{plan['learning_rate']:g}"
    )
    steps = plan["steps"]
    decided = {**plan, "model": model, "eval_every": -(-steps // LOOKS), "save_every": -(-steps // SAVES)}
    return replace(config, **dict.fromkeys(BUDGETS, 0), **decided)


def planned(config: "Pretrain", together: World) -> Plan:
    """What the budget comes to. Raises `ConfigError` for minutes of several processes: one alone is timed."""
    model = replace(config.model, vocab=open_tokenizer(config.tokens).vocab)
    text = Text(config.sequence_length, len(TokenFile.open(config.tokens / "train")))
    if config.total_tokens:
        return for_tokens(config.total_tokens, model, text)
    if config.flops:
        return for_flops(config.flops, model, text)
    if together.process.count > 1:
        raise ConfigError("total_tokens or flops as the budget of several processes", "minutes",
                          "How fast they are together is not measured: give one of the others.")  # fmt: skip
    say(f"pretrain: looking at how fast this machine trains with {config.threads} threads")
    dtype = matrix_dtype(config.dtype, together.device.type)

    def measure(model: Any, rows: int) -> float:
        return step_seconds(
            model, (rows, config.sequence_length), optimizer_name=OPTIMIZER, dtype=dtype, device=together.device
        )

    return for_seconds(60 * config.minutes * TRAINING, model, text, measure)
