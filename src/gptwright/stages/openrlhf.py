"""What OpenRLHF and verl read: models as folders of transformers, data under their names, and a command to begin with.

policy/, reward/                what --pretrain and --reward_pretrain name
prompts.jsonl                   "prompt": messages to answer; "datasource" and "data_source", as each calls it
rankings.jsonl                  "chosen" and "rejected": two whole conversations, a line for each pair of answers
conversations.jsonl             "messages"
NAME-heldout.jsonl              of each, what its lines hold out
ppo.sh                          a small run of OpenRLHF's PPO
"""

from collections.abc import Iterable, Mapping
from itertools import permutations
from pathlib import Path

from gptwright.alignment.demonstrations import read_conversations
from gptwright.configs.export import Export
from gptwright.foundations.atomic_io import new_folder, write_text
from gptwright.foundations.intake import Intake
from gptwright.pipelines.export import ExportOptions, export
from gptwright.pipelines.load import load_decoder
from gptwright.stages.reward_model import open_reward_model
from gptwright.store.ranking_lines import Ranking, read_rankings
from gptwright.text.jsonl import read_objects, write_objects
from gptwright.tokenizers.chat_templates.chat import Message, read_prompt

Lines = Iterable[tuple[str | None, Mapping[str, object]]]
"""lines of data, each with the side that it names"""

COMMAND = """#!/bin/sh
# A small run of OpenRLHF's PPO on one GPU: pip install openrlhf[vllm], then sh ppo.sh
cd "$(dirname "$0")" && python3 -m openrlhf.cli.train_ppo_ray \\
  --ref_num_nodes 1 --ref_num_gpus_per_node 1 --reward_num_nodes 1 --reward_num_gpus_per_node 1 \\
  --critic_num_nodes 1 --critic_num_gpus_per_node 1 --actor_num_nodes 1 --actor_num_gpus_per_node 1 \\
  --vllm_num_engines 1 --vllm_tensor_parallel_size 1 --colocate_all_models --vllm_gpu_memory_utilization 0.4 \\
  --pretrain policy --reward_pretrain reward --save_path trained --save_hf_ckpt \\
  --prompt_data prompts.jsonl --input_key prompt --apply_chat_template --normalize_reward \\
  --prompt_max_len {prompt} --generate_max_len {answer} --max_epochs 1 --n_samples_per_prompt 1 \\
  --rollout_batch_size 128 --train_batch_size 128 --micro_rollout_batch_size 16 --micro_train_batch_size 16 \\
  --actor_learning_rate 5e-7 --critic_learning_rate 9e-6 --init_kl_coef 0.01
"""


def write_openrlhf(config: Export, how: ExportOptions) -> None:
    """Writes the folder whole or not at all. Raises as the readers of each file do, naming its line."""
    policy = load_decoder(config.model, adapter=config.adapter)
    reward = open_reward_model(config.reward, policy) if config.reward else None
    with new_folder(config.out) as folder:
        policy.save(folder / "policy", **how)
        if reward:
            export(reward, policy.tokenizer, folder / "reward", **how)
        _write(folder, "prompts", _prompts(config.prompts))
        _write(folder, "rankings", _pairs(config.rankings))
        _write(folder, "conversations", _conversations(config.conversations))
        if reward and config.prompts:
            half = policy.context // 2
            write_text(folder / "ppo.sh", COMMAND.format(prompt=half, answer=policy.context - half))


def _write(folder: Path, name: str, lines: Lines) -> None:
    """The lines of each side, where it has some."""
    found = list(lines)
    for file, heldout in ((name, False), (f"{name}-heldout", True)):
        if mine := [line for split, line in found if (split == "heldout") == heldout]:
            write_objects(folder / f"{file}.jsonl", mine)


def _prompts(files: Iterable[Path]) -> Lines:
    for path in files:
        for line in read_objects(path):
            rest = {name: value for name, value in line.items() if name not in ("messages", "split")}
            yield line.split, rest | {"prompt": read_prompt(line, line.where), "datasource": path.stem,
                                      "data_source": path.stem}  # fmt: skip


def _pairs(files: Iterable[Path]) -> Lines:
    for path in files:
        for ranking in read_rankings(path):
            ranked = list(zip(ranking.ranks, ranking.answers, strict=True))
            for (better, chosen), (worse, rejected) in permutations(ranked, 2):
                if better < worse:
                    yield (
                        ranking.split,
                        {"chosen": _answered(ranking, chosen), "rejected": _answered(ranking, rejected)},
                    )


def _answered(ranking: Ranking, answer: str) -> list[Message]:
    return [*ranking.messages, Message(role="assistant", content=answer)]


def _conversations(files: Iterable[Path]) -> Lines:
    intake = Intake("export")
    for path in files:
        for conversation in read_conversations(path, intake):
            yield conversation.split, {"messages": conversation.messages}
