"""The figures of a training that a newcomer can read, by verb: those of its line. All of them are in metrics.jsonl."""

from collections.abc import Mapping

LOSS = {"loss_nats": "loss"}
ANSWERS = {"gold": "liked", "score": "score", "kl_nats": "KL", "answer_tokens": "tokens an answer"}
SHOWN: Mapping[str, Mapping[str, str]] = {
    "pretrain": LOSS | {"tokens_per_second": "tokens/s"},
    "codex": {"text_nats": "loss of code", "solution_nats": "of solutions", "edit_nats": "of edits"},
    "clip": LOSS,
    "finetune": LOSS,
    "sft": {"answer_nats": "loss of answers", "text_nats": "of text"},
    "vision": {"answer_nats": "loss of answers", "text_nats": "of text"},
    "reward": LOSS,
    "dpo": LOSS,
    "improve": LOSS | {"score": "score", "kl_nats": "KL"},
    **dict.fromkeys(("ppo", "grpo", "rloo"), ANSWERS),
}


def shown(verb: str, values: Mapping[str, float]) -> dict[str, float]:
    """Those of the measured values that are shown, under their names there."""
    return {name: values[key] for key, name in SHOWN[verb].items() if key in values}
