"""Is anything lost when a run is killed? A recipe in one go, and again with SIGKILL at random moments.

python benchmarks/kill.py --times 20 --seed 1

A killed run is started again by the same command, in the same folder, and killed again, up to four times. At its end it
is compared, and another is begun in a new folder, until so many kills were done. Compared is every file that every
stage left, by its SHA-256. Exit code 1 when one differs. On two cores recipes/tiny.toml takes less than ten minutes.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from gptwright.foundations.errors import GptwrightError
from gptwright.foundations.runs import finished_stage, read_record

RECIPE = Path(__file__).parents[1] / "recipes/tiny.toml"
NAMED = (".safetensors", ".bin")  # weights and shards: their hashes are printed, of other files how many are equal
SOONEST, LATEST = 0.05, 0.5  # of the time that the whole run takes
MOST = 4  # of one run: else its last kills all fall into its longest stage
HOUR = 3600.0

Stages = Mapping[str, Mapping[str, str]]


def command(recipe: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "gptwright", "run", str(recipe), "--out", str(out)]


def left(run: Path) -> Stages:
    """SHA-256 of every file of every stage of a finished run."""
    return {path.parent.name: finished_stage(path.parent)["outputs"] for path in sorted(run.glob("*/stage.json"))}


def compared(expected: Stages, found: Stages) -> tuple[list[str], int]:
    """What is to be printed, and how many files differ, or are on one side alone."""
    lines, different = list[str](), 0
    for stage in sorted(expected.keys() | found.keys()):
        mine, theirs = expected.get(stage, {}), found.get(stage, {})
        files = sorted(mine.keys() | theirs.keys())
        unequal = [name for name in files if mine.get(name) != theirs.get(name)]
        for name in files:
            if name.endswith(NAMED) or name in unequal:
                pair = [side.get(name, "nothing")[:16] for side in (mine, theirs)]
                says = "DIFFERENT" if name in unequal else "equal"
                lines.append(f"{f'{stage}/{name}':38} {pair[0]:16}  {pair[1]:16}  {says}")
        lines.append(f"{f'{stage}, all files':38} {len(files) - len(unequal)} of {len(files)} equal")
        different += len(unequal)
    return lines, different


def killed_after(seconds: float, words: list[str]) -> bool:
    """Whether a command had to be killed; False when it was done before. One that fails ends all of this."""
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = process.communicate(timeout=seconds)[1]
        except subprocess.TimeoutExpired:
            process.kill()
            return True
    if process.returncode:
        sys.exit(f"needed a run that goes on where it was; got exit code {process.returncode}:\n{said[-2000:]}")
    return False


def where(run: Path) -> str:
    """The stage in which a killed run is, and the step that it saved last."""
    folders = sorted(path.parent for path in run.glob("*/stage.json"))
    if not folders:
        return "before the first stage"
    try:
        if read_record(folders[-1])["state"] == "complete":
            return f"behind {folders[-1].name}"
    except GptwrightError:
        return f"{folders[-1].name}, which cannot be read"
    saved = sorted(path.name for path in folders[-1].glob("checkpoints/step-*"))
    return ", ".join([folders[-1].name, *saved[-1:]])


def prove(recipe: Path, times: int, seed: int, folder: Path) -> int:
    """Prints what is seen; the number of files that differ. Runs are left in `folder`."""
    dice, began, whole = random.Random(seed), time.monotonic(), folder / "whole"
    killed_after(HOUR, command(recipe, whole))
    seconds, expected = time.monotonic() - began, left(whole)
    print(f"in one go: {seconds:.0f} s", flush=True)
    kills, runs, different = 0, 0, 0
    while kills < times:
        runs += 1
        out, most = folder / f"killed-{runs}", min(times, kills + MOST)
        while killed_after(wait := _wait(dice, seconds) if kills < most else HOUR, command(recipe, out)):
            kills += 1
            print(f"kill {kills}: after {wait:.1f} s, {where(out)}", flush=True)
        lines, unequal = compared(expected, left(out))
        print(f"{f'run {runs}':38} {'in one go':16}  killed", *lines, sep="\n", flush=True)
        different += unequal
    files = sum(map(len, expected.values()))
    print(f"killed {kills} times in {runs} runs of {files} files: {different or 'nothing'} different", flush=True)
    return different


def _wait(dice: random.Random, seconds: float) -> float:
    return dice.uniform(SOONEST, LATEST) * seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="that is run")
    parser.add_argument("--times", type=int, default=20, help="how often it is killed")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    asked = parser.parse_args()
    if asked.times < 1 or not asked.recipe.is_file():
        sys.exit("needed --times of 1 at least and a --recipe that is there.\n  Leave both out for 20 and tiny.toml.")
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(bool(prove(asked.recipe, asked.times, asked.seed, Path(folder))))


if __name__ == "__main__":
    main()
