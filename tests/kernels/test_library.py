"""The library is compiled once and kept; whatever stands in its way leads back to PyTorch, with a reason."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from gptwright.kernels import library as kernels


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """An empty cache, nothing loaded, and a compiler that spends no time on making the kernels fast."""
    quick = tmp_path / "g++"
    quick.write_text('#!/bin/sh\nexec g++ "$@" -O0\n')
    quick.chmod(0o755)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("CXX", str(quick))
    monkeypatch.delenv("GPTWRIGHT_KERNELS", raising=False)
    kernels._load.cache_clear()  # pyright: ignore[reportPrivateUsage]
    yield tmp_path / "gptwright"
    kernels._load.cache_clear()  # pyright: ignore[reportPrivateUsage]


def can_compile() -> bool:
    return shutil.which("g++") is not None


def test_compiled_once_and_kept(anew: Path) -> None:
    assert (kernels.library() is not None) == can_compile(), kernels.reason()
    kept = {path: path.stat().st_mtime_ns for path in anew.glob("*")}
    assert len(kept) == can_compile()
    kernels._load.cache_clear()  # pyright: ignore[reportPrivateUsage]
    kernels.library()
    assert {path: path.stat().st_mtime_ns for path in anew.glob("*")} == kept


def test_off_when_asked(anew: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GPTWRIGHT_KERNELS", "off")
    assert kernels.library() is None
    assert "GPTWRIGHT_KERNELS=off" in kernels.reason()
    assert not kernels.fits(torch.zeros(1, dtype=torch.bfloat16))


@pytest.mark.parametrize("compiler", ["/nowhere/g++", "false"])
def test_a_compiler_that_fails_leads_to_pytorch(anew: Path, monkeypatch: pytest.MonkeyPatch, compiler: str) -> None:
    monkeypatch.setenv("CXX", compiler)
    monkeypatch.setattr(kernels, "_has_bf16_products", lambda: True)
    assert kernels.library() is None
    assert compiler in kernels.reason()
    assert not list(anew.glob("*"))


@pytest.mark.parametrize("cache", ["a file in its way", "no home", "nothing may run from there"])
def test_without_a_cache_it_is_compiled_for_this_process(
    anew: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cache: str
) -> None:
    monkeypatch.setattr(kernels, "_has_bf16_products", lambda: False)  # fewer files to compile
    if cache == "a file in its way":
        anew.write_text("")
    elif cache == "no home":
        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home directory")))
    else:
        real = kernels.ctypes.CDLL
        refuse = OSError(f"{anew}: failed to map segment from shared object: Operation not permitted")

        def load(path: str) -> object:
            if path.startswith(str(anew)):
                raise refuse
            return real(path)

        monkeypatch.setattr(kernels.ctypes, "CDLL", load)
    assert (kernels.library() is not None) == can_compile(), kernels.reason()


def test_without_any_place_the_reason_is_the_places(anew: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**options: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kernels, "TemporaryDirectory", full)
    monkeypatch.setenv("CXX", "true")
    assert kernels.library() is None
    assert "No space left on device" in kernels.reason() and "compile" not in kernels.reason()


def test_a_compilers_own_words_are_the_reason(anew: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compiler = tmp_path / "g++"
    compiler.write_text('#!/bin/sh\n[ "$1" = --version ] || { echo "x.cpp: fatal error: no such flag" >&2; exit 1; }\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    assert kernels.library() is None
    assert "fatal error: no such flag" in kernels.reason()


def test_several_processes_may_compile_at_once(anew: Path, tmp_path: Path) -> None:
    compiler = tmp_path / "slow"
    compiler.write_text("""#!/bin/sh
        if [ "$1" = --version ]; then echo 1; exit; fi
        while [ "$1" != -o ]; do shift; done
        printf half > "$2"; sleep 0.2; printf whole > "$2"
    """)
    compiler.chmod(0o755)
    anew.mkdir()
    with ThreadPoolExecutor() as pool:
        paths = list(pool.map(kernels._compiled, [str(compiler)] * 3, [("linear",)] * 3, [anew] * 3))  # pyright: ignore[reportPrivateUsage]
    assert [path.read_text() for path in paths] == ["whole"] * 3
    assert list(anew.iterdir()) == [paths[0]]


def test_another_processor(anew: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the linear layers in whole numbers, and nothing for bf16."""
    monkeypatch.setattr(kernels, "_has_bf16_products", lambda: False)
    assert (kernels.library() is not None) == can_compile()
    assert not kernels.can_bf16()
    assert not kernels.fits(torch.zeros(1, dtype=torch.bfloat16))
    assert "AVX512-BF16" in kernels.reason() or not can_compile()
