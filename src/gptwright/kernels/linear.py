"""Linear layers whose weights are packed once and only read: one row of x costs what reading the weights costs.

    formats()                   what the kernels have here, the most exact first
    pack(weight, format)        a layer: layer(x, bias, out_dtype), layer.refresh(weight)

fp32 and bf16 keep the weights as they are; int8 rounds each output's weights to 8 bits with one scale, int4 every 32
weights to 4 bits with a scale in bf16, and both round each row of x to 8 bits. A number of a kernel's result does not
depend on the rows beside it nor on the threads.
"""

import ctypes
from typing import Literal, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.kernels.library import can_bf16, library

Format = Literal["fp32", "bf16", "int8", "int4"]
FORMATS: tuple[Format, ...] = ("fp32", "bf16", "int8", "int4")
WORD = {"fp32": 1, "bf16": 2, "int8": 4, "int4": 8}  # weights of four bytes
WHOLE = {"fp32": torch.float32, "bf16": torch.bfloat16}  # what x is rounded to
PANEL, GROUP, OFFSET = 64, 32, -8
FLOATS = (torch.bfloat16, torch.float32)
WIDE_X, WIDE_BIAS, WIDE_OUT = 1, 2, 4


@runtime_checkable
class Layer(Protocol):
    """x Wᵀ + b for a W that was given before."""

    def refresh(self, weight: Float[Tensor, "N K"]) -> None:
        """Takes a weight of the same shape instead, in the memory of the one before."""
        ...

    def __call__(
        self, x: Float[Tensor, "*B K"], bias: Float[Tensor, "N"] | None = None, out_dtype: torch.dtype | None = None
    ) -> Float[Tensor, "*B N"]:
        """The result in the format of x, or in `out_dtype`: bf16 or float32, as x and the bias are."""
        ...


def formats() -> tuple[Format, ...]:
    """Formats whose kernels are here. `pack` takes the others too, in PyTorch's operations: right, but not fast."""
    return () if library() is None else FORMATS if can_bf16() else FORMATS[2:]


def pack(weight: Float[Tensor, "N K"], format: Format) -> Layer:
    """The fastest layer for a weight in bf16 or float32 that is here."""
    return Packed(weight, format) if format in formats() and weight.is_cpu else Plain(weight, format)


class Plan(ctypes.Structure):
    """The kernels' view of a packed weight."""

    _fields_ = (("outputs", ctypes.c_long), ("inputs", ctypes.c_long), ("format", ctypes.c_long),
                ("panels", ctypes.c_void_p), ("scales", ctypes.c_void_p))  # fmt: skip


class Packed:
    """A weight in panels of 64 outputs, for the kernels. Only for a format in `formats()`."""

    def __init__(self, weight: Float[Tensor, "N K"], format: Format) -> None:
        outputs, inputs = weight.shape
        panels, groups = -(-outputs // PANEL), -(-inputs // GROUP)
        words = 4 * groups if format == "int4" else -(-inputs // WORD[format])
        self.format: Format = format
        self.panels = torch.empty(panels, words, PANEL, dtype=torch.int32)
        self.scales = (torch.zeros(panels, groups, PANEL, dtype=torch.bfloat16) if format == "int4"
                       else torch.zeros(panels, PANEL))  # fmt: skip
        self.outputs, self.inputs = outputs, inputs
        self._plan = Plan(outputs, inputs, FORMATS.index(format), self.panels.data_ptr(), self.scales.data_ptr())
        self._at, self._apply = ctypes.addressof(self._plan), library().linear_apply
        self.refresh(weight)

    def refresh(self, weight: Float[Tensor, "N K"]) -> None:
        assert weight.shape == (self.outputs, self.inputs) and weight.dtype in FLOATS
        weight = weight.detach().contiguous()
        library().linear_pack(self._at, weight.data_ptr(), weight.dtype == torch.float32, torch.get_num_threads())

    def __call__(
        self, x: Float[Tensor, "*B K"], bias: Float[Tensor, "N"] | None = None, out_dtype: torch.dtype | None = None
    ) -> Float[Tensor, "*B N"]:
        dtype = out_dtype or x.dtype
        assert x.shape[-1] == self.inputs and x.dtype in FLOATS and dtype in FLOATS
        if self.format in WHOLE and x.dtype != WHOLE[self.format]:
            x = x.to(WHOLE[self.format])
        if self.format == "bf16" and self.inputs % 2:
            x = F.pad(x, (0, 1))
        x = x.contiguous()
        out = torch.empty((*x.shape[:-1], self.outputs), dtype=dtype)
        wide, at = WIDE_X * (x.dtype == torch.float32) + WIDE_OUT * (dtype == torch.float32), None
        if bias is not None:
            wide, at = wide + WIDE_BIAS * (bias.dtype == torch.float32), bias.data_ptr()
        self._apply(self._at, x.numel() // x.shape[-1], x.data_ptr(), at, out.data_ptr(), wide, torch.get_num_threads())
        return out


class Plain:
    """The same numbers by PyTorch's operations, on any device."""

    def __init__(self, weight: Float[Tensor, "N K"], format: Format) -> None:
        self.format: Format = format
        self.refresh(weight)

    def refresh(self, weight: Float[Tensor, "N K"]) -> None:
        weight = weight.detach()
        if self.format == "int8":
            self.whole, self.scales = in_8_bits(weight)
        elif self.format == "int4":
            self.whole, self.scales = in_4_bits(weight)
        else:
            self.whole, self.scales = weight.to(WHOLE[self.format]), torch.ones(1)

    def __call__(
        self, x: Float[Tensor, "*B K"], bias: Float[Tensor, "N"] | None = None, out_dtype: torch.dtype | None = None
    ) -> Float[Tensor, "*B N"]:
        dtype = out_dtype or x.dtype
        if self.format in WHOLE:
            wide = torch.promote_types(self.whole.dtype, dtype)
            y = F.linear(x.to(self.whole.dtype).to(wide), self.whole.to(wide))
        else:
            whole, scale = in_8_bits(x)
            weight = self.whole.float() if self.format == "int8" else of_4_bits(self.whole, self.scales, x.shape[-1])
            y = F.linear(whole.float(), weight) * scale
            y = y * self.scales.mT if self.format == "int8" else y
        return (y if bias is None else y + bias.to(y.dtype)).to(dtype)


def in_8_bits(x: Float[Tensor, "*B K"]) -> tuple[Int[Tensor, "*B K"], Float[Tensor, "*B 1"]]:
    """Whole numbers from -127 to 127, and the scale of every row."""
    wide = x.float()
    scale = wide.abs().amax(-1, keepdim=True) / 127
    inverse = torch.where(scale > 0, 1 / scale, 0)
    return (wide * inverse).round().to(torch.int8), scale


def in_4_bits(weight: Float[Tensor, "N K"]) -> tuple[Int[Tensor, "N S 32"], Float[Tensor, "N S 1"]]:
    """Whole numbers from -8 to 7, and the scale of every 32: a group's number farthest from 0 becomes -8."""
    groups = F.pad(weight.float(), (0, -weight.shape[-1] % GROUP)).unflatten(-1, (-1, GROUP))
    scale = (groups.gather(-1, groups.abs().argmax(-1, keepdim=True)) / OFFSET).bfloat16().float()
    inverse = torch.where(scale != 0, 1 / scale, 0)
    return (groups * inverse).round().clamp(-8, 7).to(torch.int8), scale


def of_4_bits(whole: Int[Tensor, "N S 32"], scales: Float[Tensor, "N S 1"], inputs: int) -> Float[Tensor, "N K"]:
    """The weights that are meant."""
    return (whole * scales).flatten(1)[:, :inputs]
