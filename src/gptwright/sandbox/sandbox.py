"""Running generated Python where it can do no harm: bubblewrap's namespaces, a filter of system calls, and limits.

A program sees a read-only system, an empty directory of its own and nothing else: no network, no other process, no
file of anybody's. It holds neither its tests nor the pipe of the verdict, so that it cannot pass by a trick.
"""

import base64
import json
import os
import selectors
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, Literal

from gptwright.foundations.errors import ResourceError
from gptwright.sandbox import driver
from gptwright.sandbox.seccomp import no_processes, only_allowed

NOBODY = 65534
MIB = 1 << 20
DEVICES = ("null", "zero", "urandom")
Reason = Literal["passed", "syntax", "exception", "wrong answer", "time", "memory", "refused", "exited", "output"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a program may use."""

    seconds: int = 3
    """of processor time; of the clock's four times as much, so that a busy machine changes no result"""
    memory: int = 512 * MIB
    """bytes of addresses"""
    threads: int = 32
    disk: int = 16 * MIB
    """bytes of its own directory, and of a file"""
    output: int = 64 * 1024
    """bytes printed"""

    @property
    def clock(self) -> int:
        """Seconds after which it is stopped whatever it does."""
        return 4 * self.seconds + 2

    @property
    def resources(self) -> dict[str, tuple[int, int]]:
        """Of setrlimit(2), soft and hard."""
        return {
            "CPU": (self.seconds, self.seconds + 1), "AS": (self.memory, self.memory),
            "NPROC": (self.threads, self.threads), "FSIZE": (self.disk, self.disk), "NOFILE": (64, 64), "CORE": (0, 0),
        }  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of a program: `reason` is "passed", or why not; `detail` says more; seconds of the clock."""

    reason: Reason
    detail: str = ""
    seconds: float = 0.0
    printed: str = ""

    @property
    def passed(self) -> bool:
        """Whether every test did."""
        return self.reason == "passed"


@dataclass(frozen=True)
class Check:
    """A program, and what it is tested by."""

    program: str
    task: Mapping[str, Any]

    @classmethod
    def function(cls, program: str, entry: str, tests: str, setup: str = "") -> "Check":
        """`tests` define `check(candidate)`, as HumanEval's do; `setup` is executed before them, beside them."""
        return cls(program, {"entry": entry, "tests": tests, "setup": setup})

    @classmethod
    def examples(cls, program: str, examples: Sequence[tuple[str, str]]) -> "Check":
        """Doctest's: lines as they are typed, and what is printed; blanks aside."""
        return cls(program, {"examples": [list(example) for example in examples]})


class Sandbox:
    """Runs programs. Raises `ResourceError` when this machine has no sandbox: nothing is run without one."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.python = _python()
        self.bubblewrap = _bubblewrap()
        trial = self.run(Check.examples("", [("1 + 1", "2")]))
        if not trial.passed:
            raise ResourceError(
                "a sandbox for generated programs",
                f"bubblewrap, which could not make one: {trial.detail or trial.reason}",
                "Allow unprivileged user namespaces (sysctl user.max_user_namespaces), or use a machine that does.",
            )

    def run_all(self, checks: Iterable[Check], together: int = 2) -> Iterator[Outcome]:
        """The outcomes in order, `together` at a time."""
        with ThreadPoolExecutor(together) as pool:
            yield from pool.map(self.run, checks)

    def run(self, check: Check) -> Outcome:
        """One program's outcome. Nothing of it is left behind, neither process nor file."""
        began, limits = time.monotonic(), self.limits
        first = {"program": check.program, "limits": limits.resources, "filter": self._inner}
        given = "\n".join([json.dumps(first), json.dumps(dict(check.task)), ""]).encode()
        nobody = None if os.getuid() else NOBODY  # the kernel's limit of processes does not apply to root
        reading, writing = os.pipe()
        with _file(given) as stdin, _file(only_allowed()) as calls, Path(driver.__file__).open("rb") as inside:
            descriptors = (calls.fileno(), inside.fileno(), writing)
            process = subprocess.Popen(
                self._command(*descriptors), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={},
                start_new_session=True, pass_fds=descriptors, user=nobody, group=nobody,
                extra_groups=None if nobody is None else [],
            )  # fmt: skip
        os.close(writing)
        printed, stopped = _watch(process, limits)
        with os.fdopen(reading, "rb") as verdict:
            said = verdict.read(driver.LONGEST)
        return _outcome(said, printed, stopped, time.monotonic() - began)

    @cached_property
    def _inner(self) -> str:
        return base64.b64encode(no_processes()).decode()

    def _command(self, calls: int, inside: int, verdict: int) -> list[str]:
        return [
            str(self.bubblewrap), "--unshare-all", "--unshare-user", "--disable-userns", "--cap-drop", "ALL",
            "--uid", str(NOBODY), "--gid", str(NOBODY), "--hostname", "sandbox", "--die-with-parent", "--new-session",
            "--clearenv", "--setenv", "HOME", "/tmp", "--setenv", "PYTHONHASHSEED", "0", *self._binds,
            "--ro-bind-data", str(inside), "/driver.py", "--size", str(self.limits.disk), "--tmpfs", "/tmp",
            "--remount-ro", "/", "--chdir", "/tmp", "--seccomp", str(calls),
            "--", str(self.python), "-s", "-S", "-B", "/driver.py", str(verdict),
        ]  # fmt: skip

    @cached_property
    def _binds(self) -> list[str]:
        """The interpreter and its standard library, read-only; installed packages, which may hold answers, are not."""
        library = self.python.parent.parent / "lib"
        shown = [Path("/lib"), Path("/lib64"), Path("/usr/lib"), Path("/usr/lib64"), library, self.python]
        hidden = [*library.glob("python3*/site-packages"), *library.glob("python3*/dist-packages")]
        words = [word for path in dict.fromkeys(shown) if path.exists() for word in ("--ro-bind", str(path), str(path))]
        words += [word for path in hidden for word in ("--tmpfs", str(path))]
        return words + [word for name in DEVICES for word in ("--dev-bind", f"/dev/{name}", f"/dev/{name}")]


def _file(content: bytes) -> IO[bytes]:
    """An open file without a name."""
    found = TemporaryFile()  # noqa: SIM115 - closed by who asked for it
    found.write(content)
    found.seek(0)
    return found


def _watch(process: subprocess.Popen[bytes], limits: Limits) -> tuple[bytes, Reason | None]:
    """What it printed, and why it was stopped if it was. All of its processes are gone afterwards."""
    assert process.stdout
    printed, ends = bytearray(), time.monotonic() + limits.clock
    stopped: Reason | None = None
    with process, selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(max(ends - time.monotonic(), 0)):
                stopped = "time"
                break
            found = os.read(process.stdout.fileno(), limits.output)
            printed += found
            if not found:
                break
            if len(printed) > limits.output:
                stopped = "output"
                break
        if stopped:
            os.killpg(process.pid, signal.SIGKILL)
    return bytes(printed[: limits.output]), stopped


def _outcome(said: bytes, printed: bytes, stopped: Reason | None, seconds: float) -> Outcome:
    text = printed.decode("utf-8", "replace")
    if stopped:
        return Outcome(stopped, {"time": "it did not end", "output": "it printed too much"}[stopped], seconds, text)
    try:
        found = json.loads(said)
    except ValueError:
        return Outcome("exited", text.strip()[-driver.DETAIL :] or "the tests came to no end", seconds, text)
    return Outcome(found["reason"], found["detail"], seconds, text)


def _bubblewrap() -> Path:
    found = shutil.which("bwrap")
    if found is None or not _for_all(Path(found)):
        raise ResourceError("bubblewrap, to run generated programs in",
                            f"{found}, which only root can run" if found else "a machine without it",
                            "Install it: apt install bubblewrap (or dnf, pacman). It runs on Linux only.")  # fmt: skip
    return Path(found)


def _python() -> Path:
    """An interpreter that the user of the sandbox can read: this one, or the system's."""
    ours = Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    found = [path.resolve() for path in (ours, Path("/usr/bin/python3")) if path.exists() and _for_all(path.resolve())]
    if not found:
        raise ResourceError("a Python that every user can read", f"{ours}, which only root can",
                            "Install the system's: apt install python3.")  # fmt: skip
    return found[0]


def _for_all(path: Path) -> bool:
    """Whether the user in the sandbox can run it."""
    return bool(os.getuid()) or all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents))
