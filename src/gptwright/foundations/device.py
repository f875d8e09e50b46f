"""The machine: how many threads, how much memory, which number format is fast here."""

import os
import platform
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import psutil

from gptwright.foundations.errors import ConfigError, nearest

if TYPE_CHECKING:
    import torch


def physical_cores() -> int:
    """Cores this process may use; hyper-threads do not help matrix products."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))


def use_threads(threads: int) -> None:
    """Sets torch's threads; results are bit-equal only for the same number of them."""
    import torch

    torch.set_num_threads(threads)


def describe_machine() -> dict[str, Any]:
    """What a reader of a record needs to compare its speeds."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": physical_cores(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
    }


def peak_memory_gb() -> float:
    """The most memory this process has held so far, in GiB."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / 2**30
    import resource

    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


@cache
def fast_dtype() -> "torch.dtype":
    """bfloat16 where its matrix products are at least 1.5 times as fast here as float32's, else float32.

    Measured (about 0.1 s), never guessed from the processor's name: without bf16 units bf16 is slower.
    """
    import torch

    def seconds(dtype: "torch.dtype") -> float:
        x, w = torch.ones(1024, 256, dtype=dtype), torch.ones(1024, 256, dtype=dtype)
        return best_seconds(lambda: torch.nn.functional.linear(x, w))

    return torch.bfloat16 if seconds(torch.float32) > 1.5 * seconds(torch.bfloat16) else torch.float32


def matrix_dtype(name: str) -> "torch.dtype":
    """The format called `name`: float32, bfloat16, or "fast" for the faster one here.

    Raises `ConfigError` for another name. A recipe names the format, so that a run goes on in the one it began with.
    """
    import torch

    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "fast": None}
    if name not in known:
        raise ConfigError("a number format", f"'{name}'", nearest(name, known))
    return known[name] or fast_dtype()


def format_name(name: str) -> str:
    """float32 or bfloat16, also for "fast"."""
    return str(matrix_dtype(name)).removeprefix("torch.")


def best_seconds(work: Callable[[], object], repeats: int = 10) -> float:
    """The shortest of `repeats` timings after one warm-up: other programs can only make it longer."""
    work()
    timings: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        timings.append(time.perf_counter() - start)
    return min(timings)
