"""How many programs the sandbox runs, how long one takes, and what memory, against a plain subprocess without any wall.

python benchmarks/sandbox.py [--seconds 300] [--together 2]

The programs are the functions of data/code/doctests.jsonl.xz with their examples, over and over; all of them must pass.
"""

import argparse
import resource
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, takewhile
from statistics import quantiles

from gptwright.sandbox.sandbox import Check, Sandbox
from gptwright.text.bundled import bundled_file
from gptwright.text.jsonl import read_objects


def checks() -> list[Check]:
    """Programs that pass, with the examples that they pass."""
    return [Check.examples(f"{line['beside']}\n{line['prompt']}{line['completion']}", line["examples"])
            for line in read_objects(bundled_file("code/doctests.jsonl.xz"))]  # fmt: skip


def plain(python: str) -> Callable[[Check], tuple[str, float]]:
    """Runs a program and its examples in a subprocess, which compares nothing."""

    def run(check: Check) -> tuple[str, float]:
        began = time.perf_counter()
        lines = [source for source, _ in check.task["examples"]]
        guarded = "".join(f"try:\n    exec(compile({line!r}, 'example', 'single'))\nexcept Exception: pass\n"
                          for line in lines)  # fmt: skip
        done = subprocess.run([python, "-s", "-S", "-B", "-c", f"{check.program}\n{guarded}"], capture_output=True)
        return "passed" if done.returncode == 0 else "failed", time.perf_counter() - began

    return run


def sandboxed(sandbox: Sandbox) -> Callable[[Check], tuple[str, float]]:
    """Runs a program in the sandbox."""

    def run(check: Check) -> tuple[str, float]:
        outcome = sandbox.run(check)
        return outcome.reason, outcome.seconds

    return run


def measure(name: str, run: Callable[[Check], tuple[str, float]], seconds: float, together: int) -> None:
    """Runs programs for so many seconds and prints one line."""
    ends = time.monotonic() + seconds
    asked: Iterator[Check] = takewhile(lambda _: time.monotonic() < ends, cycle(checks()))
    before, began = _own(), time.monotonic()
    with ThreadPoolExecutor(together) as pool:
        found = [one for some in _batches(pool, run, asked, 16 * together) for one in some]
    wall, times = time.monotonic() - began, sorted(taken * 1000 for _, taken in found)
    cuts = quantiles(times, n=100)
    print(f"{name}: {len(found):,} runs in {wall:.1f} s, {len(found) / wall * 300:,.0f} in 5 minutes; "
          f"ms: p50 {cuts[49]:.1f}, p99 {cuts[98]:.1f}, most {times[-1]:.1f}; "
          f"{dict(Counter(reason for reason, _ in found))}; "
          f"largest process {_children():.0f} MiB, this one grew by {_own() - before:.1f} MiB", flush=True)  # fmt: skip


def _batches(
    pool: ThreadPoolExecutor, run: Callable[[Check], tuple[str, float]], asked: Iterator[Check], rows: int
) -> Iterator[list[tuple[str, float]]]:
    while some := [check for check, _ in zip(asked, range(rows), strict=False)]:
        yield list(pool.map(run, some))


def _own() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _children() -> float:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--together", type=int, default=2)
    given = parser.parse_args()
    sandbox = Sandbox()
    for name, run in (("subprocess", plain(str(sandbox.python))), ("sandbox", sandboxed(sandbox))):
        measure(name, run, given.seconds, given.together)


if __name__ == "__main__":
    main()
