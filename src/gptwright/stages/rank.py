"""rank: the model answers prompts several times, and a labeller made of a rule ranks the answers.

Where people label, their rankings take the place of this stage's rankings.jsonl.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from gptwright.alignment.demonstrations import continuations
from gptwright.alignment.prompts import Prompt, contents_of, prompts_within, read_asked, text_of
from gptwright.configs.rank import Rank
from gptwright.foundations.device import use_threads
from gptwright.foundations.errors import InputError
from gptwright.foundations.intake import Intake
from gptwright.foundations.progress import say
from gptwright.foundations.runs import StageFolder, stage_file
from gptwright.inference.sampling import Sampling
from gptwright.pipelines.load import load_writer
from gptwright.pipelines.model import Model
from gptwright.stages.stored_labels import stored_labels
from gptwright.text.heldout import assign_splits
from gptwright.text.jsonl import Line, read_objects, write_objects
from gptwright.text.rule_labeller import RULES, check_rule, ranks
from gptwright.training.batches import key, permutation


def run(config: Rank, folder: StageFolder) -> dict[str, Any]:
    """Leaves prompts.jsonl (all prompts, with their split) and rankings.jsonl (those that were answered)."""
    use_threads(config.threads)
    model = load_writer(config.model)
    if config.from_store:
        config = replace(config, from_store=None, prompts=_stored_prompts(config.from_store, folder, model))
    pools = _of_file(config, model) if config.prompts else _of_text(config, model)
    check_rule(config.rule, (prompt.fields for pool in pools.values() for prompt in pool))
    prompts = (prompt.fields | {"split": split} for split, pool in pools.items() for prompt in pool)
    write_objects(folder / "prompts.jsonl", prompts)
    lines: list[dict[str, Any]] = []
    for split, count in (("train", config.train_prompts), ("heldout", config.heldout_prompts)):
        chosen = pools[split][:count]
        sampling = Sampling(temperature=config.temperature, max_tokens=config.max_tokens, seed=config.seed)
        asked = [prompt for prompt in chosen for _ in range(config.answers)]
        texts = model.answers(asked, sampling, contents=contents_of(asked))
        for i, prompt in enumerate(chosen):
            answers = texts[i * config.answers : (i + 1) * config.answers]
            ranking = {"answers": answers, "ranks": ranks(prompt.fields, answers, RULES[config.rule])}
            lines.append(prompt.fields | ranking | {"labeller": config.rule, "split": split})
    write_objects(folder / "rankings.jsonl", lines)
    ties = sum(len(set(line["ranks"])) == 1 for line in lines) / len(lines)
    say(
        f"rank: {len(lines)} prompts × {config.answers} answers ranked by the rule '{config.rule}'; {ties:.0%} all tied"
    )
    return {"rankings": len(lines), "all_tied": ties}


def _stored_prompts(place: str, folder: StageFolder, model: Model) -> Path:
    """Raises `InputError` when nobody asked anything yet."""
    found = stored_labels(folder, place, "prompts", images=model.sees)
    if not found:
        raise InputError(f"prompts in the store {place}", "none", "Talk with the model and rate its answers.")
    return found[0]


def _of_file(config: Rank, model: Model) -> dict[str, list[Prompt]]:
    """The prompts of a file that leave room for an answer, by side, in an order that is drawn."""
    assert config.prompts
    intake, longest = Intake("rank"), model.context - config.max_tokens
    found = prompts_within(read_asked(config.prompts), model.chat_ids, longest, intake, model.chat_content)
    intake.require(found, f"prompts of at most {longest:,} tokens", "Shorten them, or lower max_tokens.")
    sides = assign_splits([found], lambda prompt: text_of(prompt.messages), lambda prompt: prompt.line.split)
    intake.drop("that are held out too", count=sides.left_out)
    intake.report(f"{len(sides.train):,} prompts to train on, {len(sides.heldout):,} held out")
    pools = {"train": sides.train, "heldout": sides.heldout}
    return {split: [pool[i] for i in permutation(len(pool), key(config.seed, split))] for split, pool in pools.items()}


def _of_text(config: Rank, model: Model) -> dict[str, list[Prompt]]:
    """Prompts cut from each side's text: more than are ranked, for ppo to answer."""
    counts = {"train": 4 * config.train_prompts, "heldout": max(512, config.heldout_prompts)}
    return {split: _continuations(config, split, count, model) for split, count in counts.items()}


def _continuations(config: Rank, split: str, count: int, model: Model) -> list[Prompt]:
    """Prompts cut from one side's text that leave room for an answer. Raises `InputError` when there is none."""
    assert config.text
    texts = [str(line["text"]) for line in read_objects(stage_file(config.text, f"{split}.jsonl", "prepare"))]
    intake, longest = Intake("rank"), model.context - config.max_tokens
    asked = [(Line({}, ""), conversation.messages[:-1])
             for conversation in continuations(texts, count, config.seed + 1)]  # fmt: skip
    found = prompts_within(asked, model.chat_ids, longest, intake)
    intake.require(found, f"prompts of at most {longest:,} tokens", "Lower max_tokens.")
    if len(found) < count:
        intake.report(f"{len(found):,} prompts from {split}.jsonl")
    return found
