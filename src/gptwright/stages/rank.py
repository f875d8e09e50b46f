"""rank: the model answers prompts several times, and a labeller made of a rule ranks the answers.

Where people label, their rankings take the place of this stage's rankings.jsonl.
"""

from pathlib import Path
from typing import Annotated, Any

from gptwright.alignment.demonstrations import Conversation, continuations
from gptwright.alignment.labeller import RULES, ranks
from gptwright.engine.sampling import Sampling
from gptwright.foundations.device import use_threads
from gptwright.foundations.errors import ConfigError, nearest
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder, stage_file
from gptwright.foundations.settings import Range, Seed, Size, Threads, settings
from gptwright.generation.load import load_decoder
from gptwright.text.jsonl import read_objects, write_objects
from gptwright.tokenizers.chat import prompt_ids


@settings
class Rank:
    """Sample several answers for each prompt and rank them by a rule (a simulated labeller)."""

    model: Path
    """folder of sft"""
    text: Path
    """folder of prepare: "Continue: ..." prompts are cut from it"""
    rule: str = "plain-words"
    """what the labeller prefers; the models never see it"""
    prompts: Annotated[int, Range(1, 10**5)] = 512
    """training prompts to answer and rank"""
    heldout: Annotated[int, Range(0, 10**5)] = 128
    """held-out prompts to answer and rank"""
    answers: Annotated[int, Range(2, 1000)] = 4
    """answers a prompt (K)"""
    max_tokens: Size = 48
    """an answer's length at most"""
    temperature: Annotated[float, Range(0, 100)] = 0.7
    """of sampling"""
    threads: Threads = 2
    """processor threads"""
    seed: Seed = 1
    """choice of prompts, and sampling"""

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ConfigError("the name of a rule", f"'{self.rule}'", nearest(self.rule, RULES))


def run(config: Rank, folder: StageFolder) -> dict[str, Any]:
    """Leaves prompts.jsonl (all prompts, with their split) and rankings.jsonl (those that were answered)."""
    use_threads(config.threads)
    model = load_decoder(config.model)
    counts = {"train": 4 * config.prompts, "heldout": max(512, config.heldout)}
    pools = {split: _prompts(config, split, count) for split, count in counts.items()}
    prompts = ({"messages": messages, "split": split} for split, pool in pools.items() for messages in pool)
    write_objects(folder / "prompts.jsonl", prompts)
    lines: list[dict[str, Any]] = []
    for split, count in (("train", config.prompts), ("heldout", config.heldout)):
        chosen = pools[split][:count]
        ids = [prompt_ids(messages, model.tokenizer) for messages in chosen for _ in range(config.answers)]
        sampling = Sampling(temperature=config.temperature, max_tokens=config.max_tokens, seed=config.seed)
        texts = model.answers(ids, sampling)
        for i, messages in enumerate(chosen):
            answers = texts[i * config.answers : (i + 1) * config.answers]
            lines.append({"messages": messages, "answers": answers, "ranks": ranks(answers, RULES[config.rule]),
                          "labeller": config.rule, "split": split})  # fmt: skip
    write_objects(folder / "rankings.jsonl", lines)
    ties = sum(len(set(line["ranks"])) == 1 for line in lines) / len(lines)
    say(
        f"rank: {len(lines)} prompts × {config.answers} answers ranked by the rule '{config.rule}'; {ties:.0%} all tied"
    )
    return {"rankings": len(lines), "all_tied": ties}


def _prompts(config: Rank, split: str, count: int) -> list[Conversation]:
    texts = [str(line["text"]) for line in read_objects(stage_file(config.text, f"{split}.jsonl", "prepare"))]
    return [conversation[:-1] for conversation in continuations(texts, count, config.seed + 1)]
