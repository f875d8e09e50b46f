"""The kernels as a shared library: compiled on first use, kept in the user's cache, None where that cannot be.

Where the cache cannot hold it (no home, read-only, full, or nothing may be run from there) it is compiled into a
temporary folder, for this process alone.

    library()   the loaded library, or None
    can_bf16()  whether all kernels are in it, or only the linear layers in whole numbers
    reason()    one phrase for a person: what is used here and why

`GPTWRIGHT_KERNELS=off` does without it.
"""

import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

SOURCES = tuple(sorted(path for path in Path(__file__).parent.iterdir() if path.suffix in (".cpp", ".h")))
ANYWHERE = ("linear",)  # what other processors have too
FLAGS = ("-O3", "-march=native", "-ffp-contract=off", "-std=c++17", "-fPIC", "-fopenmp", "-shared")
INT, LONG, FLOAT, POINTER = ctypes.c_int, ctypes.c_long, ctypes.c_float, ctypes.c_void_p


class Heads(ctypes.Structure):
    """Where the heads of a (B, H, T, D) tensor lie: its first number and the strides of B, H and T."""

    _fields_ = (("base", POINTER), ("batch", LONG), ("head", LONG), ("row", LONG))

    @classmethod
    def of(cls, x: Tensor) -> "Heads":
        return cls(x.data_ptr(), *x.stride()[:3])


SHAPE = [LONG] * 5 + [FLOAT]
SIGNATURES: dict[str, dict[str, list[Any]]] = {
    "kv_cache": {
        "kv_cache_keep": [LONG, LONG, LONG, Heads, Heads, *[POINTER] * 3],
        "kv_cache_attend": [*[LONG] * 4, FLOAT, LONG, INT, Heads, Heads, *[POINTER] * 4, INT],
    },
    "attention": {
        "attention_forward": [*SHAPE, LONG, LONG, POINTER, *[Heads] * 4, POINTER, INT],
        "attention_backward": [*SHAPE, POINTER, *[Heads] * 5, POINTER, *[Heads] * 3, INT],
    },
    "fused": {
        "rms_norm": [LONG, LONG, POINTER, POINTER, FLOAT, POINTER, INT],
        "rms_norm_backward": [LONG, LONG, POINTER, POINTER, FLOAT, *[POINTER] * 3, INT],
        "silu_product": [LONG, *[POINTER] * 3, INT],
        "silu_product_backward": [LONG, *[POINTER] * 5, INT],
        "turn_heads": [*[LONG] * 4, Heads, POINTER, POINTER, LONG, Heads, INT],
    },
    "linear": {
        "linear_pack": [POINTER, POINTER, INT, INT],
        "linear_apply": [POINTER, LONG, *[POINTER] * 3, INT, INT],
    },
    "pointwise": {
        "gelu_forward": [LONG, POINTER, POINTER, INT, INT],
        "gelu_backward": [LONG, POINTER, POINTER, POINTER, INT, INT],
        "cross_entropy": [LONG, LONG, POINTER, POINTER, FLOAT, FLOAT, POINTER, INT],
    },
}


PARTLY = "PyTorch's operations, and kernels for linear layers in int8: this processor has no AVX512-BF16"


def library() -> Any:
    return _load()[0]


def reason() -> str:
    return _load()[1]


def can_bf16() -> bool:
    return _has_bf16_products() and library() is not None


def fits(x: Tensor, *formats: torch.dtype) -> bool:
    """Whether the kernels can work on `x`: bf16, or one of `formats`, in this process's own memory, not a part of a
    sharded tensor."""
    return x.dtype in (torch.bfloat16, *formats) and x.is_cpu and type(x) in (Tensor, nn.Parameter) and can_bf16()


@cache
def _load() -> tuple[ctypes.CDLL | None, str]:
    if os.environ.get("GPTWRIGHT_KERNELS") == "off":
        return None, "PyTorch's operations, as GPTWRIGHT_KERNELS=off asks"
    bf16 = _has_bf16_products()
    units = tuple(SIGNATURES) if bf16 else ANYWHERE
    compiler = os.environ.get("CXX") or shutil.which("g++")
    if compiler is None:
        return None, "PyTorch's operations: there is no g++ to compile faster ones"
    why = ""
    for place in (_cache, _temporary):
        try:
            with place() as folder:
                opened = _open(_compiled(compiler, units, folder), units)
            return opened, "kernels compiled for this processor" if bf16 else PARTLY
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            why = why or _why(error, compiler)
    return None, f"PyTorch's operations: no faster ones, as {why}"


@contextmanager
def _cache() -> Generator[Path]:
    """The user's own. Raises `RuntimeError` when there is no home, `OSError` when it cannot be written."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gptwright"
    folder.mkdir(parents=True, exist_ok=True)
    yield folder


@contextmanager
def _temporary() -> Generator[Path]:
    """One that nobody else can write into; what was loaded from it stays when it goes."""
    with TemporaryDirectory(prefix="gptwright-") as folder:
        yield Path(folder)


def _why(error: Exception, compiler: str) -> str:
    """What stood in the way, in the system's or the compiler's words."""
    if isinstance(error, subprocess.CalledProcessError):
        said = (error.stderr or b"").decode(errors="replace").strip().splitlines()
        return f"{compiler} says: {next((line for line in said if 'rror' in line), 'nothing')}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"{compiler} did not end in time"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or compiler}: {error.strerror}"
    return str(error)


@cache
def _has_bf16_products() -> bool:
    return platform.machine() == "x86_64" and "avx512_bf16" in _processor().split()


def _processor() -> str:
    """What it can do, as Linux says: `flags`, or `Features` on ARM. Elsewhere nothing is known but its kind."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("ascii", "ignore").splitlines():
            if line.startswith(("flags", "Features")):
                return line
    return f"{platform.machine()} {platform.processor()}"


def _compiled(compiler: str, units: tuple[str, ...], folder: Path, flags: tuple[str, ...] = FLAGS) -> Path:
    """The library in `folder` under a name that says of which sources, by which compiler, for which processor."""
    version = subprocess.run([compiler, "--version"], capture_output=True, check=True).stdout
    said = " ".join([_processor(), *units, *flags]).encode()
    identity = hashlib.sha256(b"\0".join([version, said, *(path.read_bytes() for path in SOURCES)]))
    path = folder / f"kernels-{identity.hexdigest()[:16]}.so"
    if not path.exists():
        sources = [str(source) for source in SOURCES if source.suffix == ".cpp" and source.stem in units]
        with TemporaryDirectory(dir=folder) as own:  # several processes may come here at once
            made = Path(own) / path.name
            subprocess.run([compiler, *flags, "-o", str(made), *sources], capture_output=True, check=True, timeout=120)
            made.replace(path)
    return path


def _open(path: Path, units: tuple[str, ...]) -> ctypes.CDLL:
    opened = ctypes.CDLL(str(path))
    for name, arguments in (item for unit in units for item in SIGNATURES[unit].items()):
        function = getattr(opened, name)
        function.argtypes, function.restype = arguments, None
    return opened
