"""The machine: what computes, how many threads, how much memory, which number format is fast here."""

import contextlib
import ctypes
import os
import platform
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from gptwright.foundations.errors import ConfigError, ResourceError, nearest
from gptwright.foundations.progress import say

if TYPE_CHECKING:
    import torch
    from torch import nn

DEVICES = ("auto", "cuda", "mps", "cpu")
FORMATS = ("float32", "bfloat16")
CONTAINER = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # malloc.h


def physical_cores() -> int:
    """Cores this process may use; hyper-threads do not help matrix products."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))


def use_threads(threads: int) -> None:
    """Sets torch's threads; results are bit-equal only for the same number of them."""
    import torch

    torch.set_num_threads(threads)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Lets glibc keep what one step frees for the next; other allocators are left as they are.

    Blocks of the system's memory taken anew cost a page fault each 4 KiB: a fifth of a training step.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_MMAP_THRESHOLD, 2**30)
        mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def describe_machine() -> dict[str, object]:
    """What a reader of a record needs to compare its speeds."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": physical_cores(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
    }


def free_memory() -> int:
    """Bytes that this process can still get: what the machine has, or less where a container or `ulimit -v` limits."""
    free = [psutil.virtual_memory().available]
    for limit, used in CONTAINER:
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            free.append(int(Path(limit).read_text("ascii")) - int(Path(used).read_text("ascii")))
    if most := memory_limit():
        free.append(most - psutil.Process().memory_info().vms)
    return max(min(free), 0)


def memory_limit() -> int | None:
    """Bytes of addresses that `ulimit -v` allows, if it does."""
    if sys.platform == "win32":
        return None
    import resource

    most = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if most == resource.RLIM_INFINITY else most


def peak_memory_gb() -> float:
    """The most memory this process has held so far, in GiB."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / 2**30
    import resource

    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def choose_device(name: str, place: int = 0) -> "torch.device":
    """The device called `name`: cuda, mps, cpu, or "auto" for the first of these that is there; `place` is which of
    several GPUs.

    Raises `ConfigError` for another name, `ResourceError` when there is no such device, or fewer than `place` + 1.
    """
    import torch

    if name not in DEVICES:
        raise ConfigError("a device", f"'{name}'", nearest(name, DEVICES))
    there = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 2**20}
    if name == "auto":
        name = next(kind for kind, count in there.items() if count)
    if place >= there[name]:
        got = f"{there[name]} of them" if there[name] else "a machine, or a build of torch, without one"
        if place:
            raise ResourceError(f"a device {name} for process {place + 1} of this machine", got,
                                "Start fewer processes, or give another device.")  # fmt: skip
        raise ResourceError(f"a device {name}", got, "Give another one; auto takes what is there.")
    return torch.device(name, place) if name == "cuda" else torch.device(name)


def use_device(name: str, place: int = 0) -> "torch.device":
    """`choose_device`, made the current one, and said once with the reason."""
    import torch

    device = choose_device(name, place)
    reason = "asked for" if name != "auto" else "no GPU that torch can use" if device.type == "cpu" else "it is there"
    _introduce(f"device: {describe_device(device)} ({reason})")
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")  # TF32 for what stays in float32: the output matrix of evaluation
    return device


@cache
def _introduce(text: str) -> None:
    """Says it, but not again in every stage of a chain."""
    say(text)


def describe_device(device: "torch.device") -> str:
    """Its kind, and a GPU's name."""
    import torch

    return f"cuda, {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type


def device_of(module: "nn.Module") -> "torch.device":
    """Where a model's parameters lie, and so where what it reads must lie."""
    return next(module.parameters()).device


def to_device(tensor: "torch.Tensor", device: "torch.device") -> "torch.Tensor":
    """The tensor on `device`; to a GPU it goes while the processor works on."""
    if device.type == "cuda" and tensor.is_cpu:
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


@cache
def fast_dtype(device: str = "cpu") -> "torch.dtype":
    """bfloat16 where its matrix products are at least 1.5 times as fast there as float32's, else float32.

    Measured (about 0.1 s), never guessed from the processor's name: without bf16 units bf16 is slower.
    """
    import torch

    rows = 1024 if device == "cpu" else 4096

    def seconds(dtype: "torch.dtype") -> float:
        x, w = (torch.ones(rows, 256, dtype=dtype, device=device) for _ in range(2))
        return best_seconds(lambda: wait_for(torch.nn.functional.linear(x, w)))

    return torch.bfloat16 if seconds(torch.float32) > 1.5 * seconds(torch.bfloat16) else torch.float32


def wait_for(result: "torch.Tensor") -> None:
    """Returns when the device that computes `result` has come to its end."""
    if not result.is_cpu:
        result.flatten()[:1].cpu()


def matrix_dtype(name: str, device: str = "cpu") -> "torch.dtype":
    """The format called `name`: float32, bfloat16, or "auto" for the faster one on `device`.

    Raises `ConfigError` for another name. A recipe names the format, so that a run goes on in the one it began with.
    """
    import torch

    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "auto": None}
    if name not in known:
        raise ConfigError("a number format", f"'{name}'", nearest(name, known))
    return known[name] or fast_dtype(device)


def format_name(name: str, device: str = "cpu") -> str:
    """float32 or bfloat16, also for "auto"."""
    return str(matrix_dtype(name, device)).removeprefix("torch.")


def best_seconds(work: Callable[[], object], repeats: int = 10) -> float:
    """The shortest of `repeats` timings after one warm-up: other programs can only make it longer."""
    work()
    timings: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        timings.append(time.perf_counter() - start)
    return min(timings)
