"""The kernels as a shared library: compiled on first use, kept in the user's cache, None where that cannot be.

    library()   the loaded library, or None
    reason()    one phrase for a person: what is used here and why

`GPTWRIGHT_KERNELS=off` does without it.
"""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

SOURCES = tuple(sorted(path for path in Path(__file__).parent.iterdir() if path.suffix in (".cpp", ".h")))
FLAGS = ("-O3", "-march=native", "-std=c++17", "-fPIC", "-fopenmp", "-shared")
INT, LONG, FLOAT, POINTER = ctypes.c_int, ctypes.c_long, ctypes.c_float, ctypes.c_void_p


class Heads(ctypes.Structure):
    """Where the heads of a (B, H, T, D) tensor lie: its first number and the strides of B, H and T."""

    _fields_ = (("base", POINTER), ("batch", LONG), ("head", LONG), ("row", LONG))

    @classmethod
    def of(cls, x: Tensor) -> "Heads":
        return cls(x.data_ptr(), *x.stride()[:3])


SHAPE = [LONG] * 5 + [FLOAT]
SIGNATURES: dict[str, list[Any]] = {
    "attention_forward": [*SHAPE, *[Heads] * 4, POINTER, INT],
    "attention_backward": [*SHAPE, *[Heads] * 5, POINTER, *[Heads] * 3, INT],
    "gelu_forward": [LONG, POINTER, POINTER, INT],
    "gelu_backward": [LONG, POINTER, POINTER, POINTER, INT],
    "cross_entropy": [LONG, LONG, POINTER, POINTER, FLOAT, FLOAT, POINTER, INT],
}


def library() -> Any:
    return _load()[0]


def reason() -> str:
    return _load()[1]


def fits(x: Tensor) -> bool:
    """Whether the kernels can work on `x`: bf16 in this process's own memory, not a part of a sharded tensor."""
    return x.dtype == torch.bfloat16 and x.is_cpu and type(x) in (Tensor, nn.Parameter) and library() is not None


@cache
def _load() -> tuple[ctypes.CDLL | None, str]:
    if os.environ.get("GPTWRIGHT_KERNELS") == "off":
        return None, "PyTorch's operations, as GPTWRIGHT_KERNELS=off asks"
    if not _has_bf16_products():
        return None, "PyTorch's operations: this processor has no AVX512-BF16"
    compiler = os.environ.get("CXX") or shutil.which("g++")
    if compiler is None:
        return None, "PyTorch's operations: there is no g++ to compile faster ones"
    try:
        return _open(_compiled(compiler)), "kernels compiled for this processor"
    except (OSError, subprocess.SubprocessError) as error:
        return None, f"PyTorch's operations: {compiler} did not compile faster ones ({type(error).__name__})"


def _has_bf16_products() -> bool:
    try:
        return platform.machine() == "x86_64" and "avx512_bf16" in Path("/proc/cpuinfo").read_text("ascii", "ignore")
    except OSError:
        return False


def _compiled(compiler: str) -> Path:
    """The library in the cache under a name that says of which sources, by which compiler, for which processor."""
    version = subprocess.run([compiler, "--version"], capture_output=True, check=True).stdout
    flags = next(line for line in Path("/proc/cpuinfo").read_text("ascii", "ignore").splitlines() if "flags" in line)
    identity = hashlib.sha256(b"\0".join([version, flags.encode(), *(path.read_bytes() for path in SOURCES)]))
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gptwright"
    path = folder / f"kernels-{identity.hexdigest()[:16]}.so"
    if not path.exists():
        units = [str(source) for source in SOURCES if source.suffix == ".cpp"]
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder) as own:  # several processes may come here at once
            made = Path(own) / path.name
            subprocess.run([compiler, *FLAGS, "-o", str(made), *units], capture_output=True, check=True, timeout=120)
            made.replace(path)
    return path


def _open(path: Path) -> ctypes.CDLL:
    opened = ctypes.CDLL(str(path))
    for name, arguments in SIGNATURES.items():
        function = getattr(opened, name)
        function.argtypes, function.restype = arguments, None
    return opened
