"""The filters, by an interpreter of their own and by the kernel's headers."""

import re
import struct
from pathlib import Path

import pytest

from gptwright.foundations.errors import ResourceError
from gptwright.sandbox.seccomp import ALLOW, ARCHITECTURES, FAIL, KILL, no_processes, only_allowed
from gptwright.sandbox.syscalls import AARCH64, X86_64

LISTED = {"x86_64": ("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", X86_64),
          "aarch64": ("/usr/include/asm-generic/unistd.h", AARCH64)}  # fmt: skip
EPERM, ENOSYS = FAIL | 1, FAIL | 38
SOCKET = {"x86_64": 41, "aarch64": 198}


def answer(program: bytes, number: int, audit: int, argument: int = 0) -> int:
    """What the kernel would answer: the packet filter's machine, as far as filters use it."""
    data = {0: number, 4: audit, 16: argument & 0xFFFFFFFF}
    instructions = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false, value = instructions[at]
        at += 1
        if code == 0x20:
            accumulator = data[value]
        elif code == 0x06:
            return value
        else:
            hit = accumulator == value if code == 0x15 else bool(accumulator & value)
            at += if_true if hit else if_false


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_what_is_listed_is_allowed_and_nothing_else(machine: str) -> None:
    arch, program = ARCHITECTURES[machine], only_allowed(machine)
    for number in range(600):
        expected = ALLOW if number in arch.allowed.values() else ENOSYS if number == arch.clone3 else EPERM
        assert answer(program, number, arch.audit) == expected
    assert answer(program, SOCKET[machine], arch.audit) == EPERM
    assert answer(program, 0x40000000 | arch.allowed["read"], arch.audit) == EPERM
    assert answer(program, arch.allowed["read"], 0x40000003) == KILL


@pytest.mark.parametrize("machine", ARCHITECTURES)
@pytest.mark.parametrize("flag", [0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000])
def test_no_namespace_is_cloned(machine: str, flag: int) -> None:
    arch = ARCHITECTURES[machine]
    assert answer(only_allowed(machine), arch.allowed["clone"], arch.audit, flag | 17) == EPERM
    assert answer(only_allowed(machine), arch.allowed["clone"], arch.audit, 17) == ALLOW


@pytest.mark.parametrize("machine", ARCHITECTURES)
def test_threads_but_no_processes(machine: str) -> None:
    arch, program = ARCHITECTURES[machine], no_processes(machine)
    assert answer(program, arch.allowed["clone"], arch.audit, 0x10000 | 0x100) == ALLOW
    assert answer(program, arch.allowed["clone"], arch.audit, 17) == EPERM
    makers = {arch.execveat} | {arch.allowed[name] for name in ("fork", "vfork", "execve") if name in arch.allowed}
    for number in set(range(600)) - {arch.allowed["clone"]}:
        assert answer(program, number, arch.audit) == (EPERM if number in makers else ALLOW)


@pytest.mark.parametrize("machine", [machine for machine, (header, _) in LISTED.items() if Path(header).exists()])
def test_numbers_are_the_kernels(machine: str) -> None:
    header, numbers = LISTED[machine]
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", Path(header).read_text())
    known = {name: int(number) for name, number in found}
    known |= {"newfstatat": known["fstatat"]} if "fstatat" in known else {}
    assert {name: known[name] for name in numbers} == numbers
    assert (known["clone3"], known["execveat"]) == (ARCHITECTURES[machine].clone3, ARCHITECTURES[machine].execveat)


def test_an_unknown_machine_is_refused() -> None:
    with pytest.raises(ResourceError, match="system calls"):
        only_allowed("mips")
