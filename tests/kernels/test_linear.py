"""Packed linear layers: the same numbers as PyTorch's operations, and each the same whatever is computed beside it."""

from ctypes import CDLL
from pathlib import Path

import pytest
import torch
from torch import Tensor

from gptwright.kernels import library as kernels
from gptwright.kernels import linear
from gptwright.kernels.linear import FORMATS, Format, Packed, Plain, formats, pack

SHAPES = ((64, 64), (100, 70), (257, 96), (50, 771), (1, 1))


def drawn(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).bfloat16()


def error(ours: Tensor, exact: Tensor) -> float:
    return float((ours.double() - exact.double()).norm() / exact.double().norm())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("format", FORMATS)
def test_what_torch_computes(shape: tuple[int, int], format: Format) -> None:
    outputs, inputs = shape
    weight, bias = drawn(outputs, inputs), drawn(outputs, seed=2)
    ours, plain = pack(weight, format), Plain(weight, format)
    for rows in (1, 2, 7, 200):
        x = drawn(rows, inputs, seed=rows)
        wide = ours(x, bias, torch.float32)
        assert error(wide, plain(x, bias, torch.float32)) < 4e-6
        assert error(ours(x.float(), bias.float()), plain(x.float(), bias.float())) < 4e-6
        assert ours(x, bias).dtype == torch.bfloat16
        assert error(ours(x, bias), wide) < 5e-3
        assert error(ours(x[None, :, None])[0, :, 0], ours(x)) == 0


@pytest.mark.parametrize(("format", "most"), [("fp32", 1e-6), ("bf16", 1e-6), ("int8", 0.02), ("int4", 0.13)])
def test_as_near_as_the_format_allows(format: Format, most: float) -> None:
    weight, x = drawn(130, 768), drawn(9, 768, seed=2)
    assert error(pack(weight, format)(x, out_dtype=torch.float32), x.double() @ weight.double().T) < most


@pytest.mark.parametrize("format", FORMATS)
def test_neighbours_and_threads_change_nothing(format: Format) -> None:
    """Of what the kernels compute: PyTorch promises no such thing."""
    if format not in formats():
        return
    layer, x = pack(drawn(300, 520), format), drawn(401, 520, seed=2)
    before, results = torch.get_num_threads(), list[Tensor]()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        results.append(layer(x))
    torch.set_num_threads(before)
    assert torch.equal(*results)
    for rows in (slice(0, 1), slice(3, 5), slice(190, 203), slice(400, 401)):
        assert torch.equal(layer(x[rows]), results[0][rows])


@pytest.mark.parametrize("format", FORMATS)
def test_refreshed_where_it_lies(format: Format) -> None:
    layer, x = pack(drawn(70, 40), format), drawn(3, 40, seed=2)
    places = [value.data_ptr() for value in vars(layer).values() if isinstance(value, Tensor)]
    layer.refresh(drawn(70, 40, seed=3).float())
    assert torch.equal(layer(x), pack(drawn(70, 40, seed=3), format)(x))
    if isinstance(layer, Packed):
        assert places == [value.data_ptr() for value in vars(layer).values() if isinstance(value, Tensor)]


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_is_nothing(format: Format) -> None:
    assert torch.equal(pack(torch.zeros(3, 40), format)(drawn(2, 40)), torch.zeros(2, 3).bfloat16())
    assert torch.equal(pack(drawn(3, 40), format)(torch.zeros(2, 40)), torch.zeros(2, 3))


def test_without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "library", lambda: None)
    assert formats() == ()
    assert isinstance(pack(drawn(2, 32), "int8"), Plain)


@pytest.mark.parametrize("architecture", ["x86-64-v3", "x86-64"])
def test_older_processors(architecture: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Compiled for a processor with AVX2 only, or with neither: the same bytes and the same numbers."""
    if "int8" not in formats() or kernels.platform.machine() != "x86_64":
        return
    weight, x = drawn(130, 100), drawn(9, 100, seed=2)
    here = {format: pack(weight, format) for format in ("int8", "int4")}
    flags = tuple(f"-march={architecture}" if flag == "-march=native" else flag for flag in kernels.FLAGS)
    path = kernels._compiled("g++", kernels.ANYWHERE, tmp_path, flags)  # pyright: ignore[reportPrivateUsage]
    older: CDLL = kernels._open(path, kernels.ANYWHERE)  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(linear, "library", lambda: older)
    for format, layer in here.items():
        assert torch.equal(pack(weight, format)(x), layer(x))
