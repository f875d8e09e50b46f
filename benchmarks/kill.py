"""Is anything lost when a run is killed? The tiny story once in one go, and again with SIGKILL at random moments.

python benchmarks/kill.py --times 20 --seed 1

Whoever is killed is started again with the same command, in the same folder; a run that got to its end is compared and
begun anew in another, until it was killed so many times. Then every file that every stage left is compared by SHA-256.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gptwright.foundations.runs import identity

RECIPE = Path(__file__).parents[1] / "recipes/tiny.toml"


def command(out: Path) -> list[str]:
    return [sys.executable, "-m", "gptwright", "run", str(RECIPE), "--out", str(out)]


def hashes(run: Path) -> dict[str, str]:
    """One SHA-256 a stage: of the hashes of all that it left."""
    records = {path.parent.name: json.loads(path.read_text()) for path in sorted(run.glob("*/stage.json"))}
    return {name: identity(record["outputs"]) for name, record in records.items()}


def killed_after(seconds: float, out: Path) -> bool:
    """Whether the run had to be killed; False when it was done before."""
    with subprocess.Popen(command(out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return True
    if code:
        sys.exit(f"needed a run that goes on; got exit code {code}.\n  Try: {' '.join(command(out))}")
    return False


def where(run: Path) -> str:
    """The stage in which it is, and the step that it saved last."""
    folders = sorted(path.parent for path in run.glob("*/stage.json"))
    if not folders:
        return "before the first stage"
    saved = sorted(path.name for path in folders[-1].glob("checkpoints/step-*"))
    return " ".join((folders[-1].name, *saved[-1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=20, help="how often it is killed")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    asked = parser.parse_args()
    dice = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        whole, began = Path(folder) / "whole", time.monotonic()
        killed_after(3600, whole)
        seconds, expected = time.monotonic() - began, hashes(whole)
        print(f"in one go: {seconds:.0f} s")
        kills, number, different = 0, 1, 0
        while True:
            out = Path(folder) / f"killed-{number}"
            wait = dice.uniform(0.01, 0.3) * seconds if kills < asked.times else 3600
            if killed_after(wait, out):
                kills += 1
                print(f"kill {kills}: after {wait:.1f} s, {where(out)}", flush=True)
                continue
            found, number = hashes(out), number + 1
            for name, digest in expected.items():
                same = found.get(name) == digest
                different += not same
                print(f"{name:20} {digest[:16]} {found.get(name, 'nothing')[:16]} {'equal' if same else 'DIFFERENT'}")
            if kills >= asked.times:
                break
    print(f"killed {kills} times in {number - 1} runs: {different or 'nothing'} different")
    sys.exit(bool(different))


if __name__ == "__main__":
    main()
