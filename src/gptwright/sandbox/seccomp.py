"""Filters of system calls for the kernel, as Berkeley packet filter programs (seccomp(2), filter mode).

A program is a run of 8-byte instructions that reads `struct seccomp_data`: the call's number at 0, the architecture at
4, the low word of the first argument at 16. Its answer allows the call, fails it with an error number, or kills.
"""

import errno
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from gptwright.foundations.errors import ResourceError
from gptwright.sandbox.syscalls import AARCH64, X86_64

NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
LOAD, IF_EQUAL, IF_ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
ALLOW, FAIL, KILL = 0x7FFF0000, 0x00050000, 0x80000000
NEW_NAMESPACES = 0x7E020000  # CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
THREAD = 0x00010000  # CLONE_THREAD
REFUSED, ABSENT = FAIL | errno.EPERM, FAIL | errno.ENOSYS


@dataclass(frozen=True)
class Architecture:
    """What the kernel calls it (AUDIT_ARCH_…), and the numbers of its calls."""

    audit: int
    allowed: dict[str, int]
    clone3: int
    execveat: int


ARCHITECTURES = {
    "x86_64": Architecture(0xC000003E, X86_64, clone3=435, execveat=322),
    "aarch64": Architecture(0xC00000B7, AARCH64, clone3=435, execveat=281),
}


def architecture(machine: str = "") -> Architecture:
    """This machine's. Raises `ResourceError` where no list of calls is known."""
    machine = machine or platform.machine()
    if machine not in ARCHITECTURES:
        raise ResourceError(f"a machine whose system calls are listed: {', '.join(ARCHITECTURES)}", machine,
                            "Run generated code on one of these.")  # fmt: skip
    return ARCHITECTURES[machine]


def only_allowed(machine: str = "") -> bytes:
    """Every call of the list, and no other; no new namespaces. For the whole of the sandbox."""
    arch = architecture(machine)
    clone = arch.allowed["clone"]
    rest = (number for number in arch.allowed.values() if number != clone)
    return b"".join([
        *_same_architecture(arch),
        *_when(arch.clone3, ABSENT),  # its flags lie in memory, where no filter can look: the C library falls back
        *_clone(clone, IF_ANY_BIT, NEW_NAMESPACES, REFUSED, ALLOW),
        *(instruction for number in rest for instruction in _when(number, ALLOW)),
        _instruction(RETURN, REFUSED),
    ])  # fmt: skip


def no_processes(machine: str = "") -> bytes:
    """No other program and no other process: threads only. For the generated program, beside `only_allowed`."""
    arch = architecture(machine)
    makers = [number for name, number in arch.allowed.items() if name in ("fork", "vfork", "execve")]
    return b"".join([
        *_same_architecture(arch),
        *_clone(arch.allowed["clone"], IF_ANY_BIT, THREAD, ALLOW, REFUSED),
        *(instruction for number in (*makers, arch.execveat) for instruction in _when(number, REFUSED)),
        _instruction(RETURN, ALLOW),
    ])  # fmt: skip


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def _same_architecture(arch: Architecture) -> Iterator[bytes]:
    """Kills what calls by another architecture's numbers, and loads the number."""
    yield _instruction(LOAD, ARCHITECTURE)
    yield _instruction(IF_EQUAL, arch.audit, 1, 0)
    yield _instruction(RETURN, KILL)
    yield _instruction(LOAD, NUMBER)


def _when(number: int, answer: int) -> Iterator[bytes]:
    yield _instruction(IF_EQUAL, number, 0, 1)
    yield _instruction(RETURN, answer)


def _clone(number: int, test: int, flags: int, answer: int, otherwise: int) -> Iterator[bytes]:
    """By the flags of clone, its first argument."""
    yield _instruction(IF_EQUAL, number, 0, 4)
    yield _instruction(LOAD, FIRST_ARGUMENT)
    yield _instruction(test, flags, 0, 1)
    yield _instruction(RETURN, answer)
    yield _instruction(RETURN, otherwise)
