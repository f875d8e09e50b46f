"""Runs inside the sandbox, on the standard library alone: one process holds the tests, another the program.

The program's process is forked before the tests are read. It answers two kinds of request over a pipe: call a function,
or execute a line as a doctest does. What comes back is rebuilt here from plain values, so that no object of the
program's (no `__eq__` of its own) ever meets an expected value. Only the process of the tests holds the pipe on which
the verdict goes out.

stdin: a line of JSON {"program", "limits", "filter"}, then a line {"entry", "setup", "tests"} or {"examples"}.
The file descriptor that the first argument names: one line of JSON {"reason", "detail"}.
"""

from __future__ import annotations

import base64
import builtins
import contextlib
import ctypes
import errno
import io
import json
import os
import resource
import signal
import sys
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` itself takes longer to import than most programs run
    from collections.abc import Callable
    from typing import Any, NoReturn

LONGEST = 1 << 22  # bytes of a message
DETAIL = 400  # characters
SET_DUMPABLE, NO_NEW_PRIVILEGES, SET_SECCOMP, FILTER_MODE = 4, 38, 22, 2
REFUSALS = (errno.EPERM, errno.EACCES, errno.EROFS, errno.ENETUNREACH, errno.EAFNOSUPPORT)


# -- values that may pass ----------------------------------------------------------------------


def encode(value: Any) -> Any:
    """A value of plain types as JSON holds it. Raises `TypeError` for any other, and for a subclass of one."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is list:
        return {"list": [encode(item) for item in value]}
    if kind in (tuple, set, frozenset):
        return {kind.__name__: [encode(item) for item in value]}
    if kind is dict:
        return {"dict": [[encode(key), encode(item)] for key, item in value.items()]}
    if kind is complex:
        return {"complex": [value.real, value.imag]}
    if kind in (bytes, bytearray):
        return {kind.__name__: base64.b64encode(value).decode()}
    raise TypeError(f"a value of type {kind.__name__}")


def decode(value: Any) -> Any:
    """The value that `encode` wrote, of builtin types only."""
    if not isinstance(value, dict):
        return value
    ((kind, found),) = value.items()
    if kind == "dict":
        return {decode(key): decode(item) for key, item in found}
    if kind == "complex":
        return complex(*found)
    if kind in ("bytes", "bytearray"):
        return {"bytes": bytes, "bytearray": bytearray}[kind](base64.b64decode(found))
    return {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}[kind](map(decode, found))


class Pipe:
    """Lines of JSON, in both directions."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self.incoming, self.outgoing = os.fdopen(incoming, "rb"), outgoing

    def send(self, line: bytes) -> None:
        while line:
            line = line[os.write(self.outgoing, line) :]

    def receive(self) -> Any:
        """The next message. Raises `EOFError` when the other side is gone, `ValueError` when it is none."""
        line = self.incoming.readline(LONGEST)
        if not line.endswith(b"\n"):
            raise ValueError("an answer that is too long") if line else EOFError
        return json.loads(line)


# -- the program's process ---------------------------------------------------------------------


def serve(program: str, pipe: Pipe) -> None:
    """Executes the program, then answers requests until there are no more."""
    space: dict[str, Any] = {"__name__": "program"}
    pipe.send(attempt(lambda: exec(compile(program, "program.py", "exec"), space)))
    while True:
        try:
            pipe.send(answer(pipe.receive(), space))
        except EOFError:
            return


def answer(request: Any, space: dict[str, Any]) -> bytes:
    """What the program says to one request."""
    if "line" in request:
        return attempt(lambda: shown(request["line"], space))
    return attempt(lambda: encode(space[request["call"]](*decode(request["args"]), **decode(request["kw"]))))


def attempt(work: Callable[[], Any]) -> bytes:
    """A line of JSON: {"value"} of the work, or {"error", "message", "refused"} of what it raised."""
    try:
        found = work()
        sys.stdout.flush()
        return line_of({"value": found})
    except BaseException as error:  # SystemExit and KeyboardInterrupt of the program are its failures too
        number = error.errno if isinstance(error, OSError) else None
        message = "".join(traceback.format_exception_only(error)).strip()
        return line_of({"error": type(error).__name__, "message": message[-DETAIL:], "refused": number in REFUSALS})


def line_of(message: Any) -> bytes:
    """A message as `Pipe.send` takes it."""
    return json.dumps(message).encode() + b"\n"


def shown(line: str, space: dict[str, Any]) -> str:
    """What an interpreter prints for the line, as doctest does: the value's repr, or what was printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(line, "<example>", "single"), space)
    return printed.getvalue()


def confine(limits: dict[str, list[int]], filter_program: bytes) -> None:
    """Limits of resources, and no further processes."""
    for name, (soft, hard) in limits.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (soft, hard))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file too large is an OSError, not a death without a word

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))

    prepared = Program(len(filter_program) // 8, filter_program)
    set_process(NO_NEW_PRIVILEGES, 1)
    set_process(SET_SECCOMP, FILTER_MODE, ctypes.byref(prepared))


def set_process(option: int, *values: Any) -> None:
    """prctl(2). Raises `OSError` when it is refused."""
    filled = [*values, *[0] * (4 - len(values))]
    if ctypes.CDLL(None, use_errno=True).prctl(option, *filled):
        raise OSError(ctypes.get_errno(), "prctl")


# -- the tests' process ------------------------------------------------------------------------


class Failed(Exception):
    """The program has failed: why, and how."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason, self.detail = reason, detail


class Raised(Exception):
    """What the program raised was caught by no test."""


def reply(pipe: Pipe) -> Any:
    """The answer to a request. Raises `Failed` when the process is gone, and what the program raised."""
    try:
        answer = pipe.receive()
    except EOFError:
        raise Failed("exited", "the program ended before its tests did") from None
    except (ValueError, RecursionError) as error:
        raise Failed("wrong answer", str(error)) from None
    if not isinstance(answer, dict) or "error" not in answer:
        return answer
    raise error_of(answer)


def error_of(answer: dict[str, Any]) -> Exception:
    """An error like the program's that tests can catch, with the reason in it should none do so."""
    name, message = str(answer["error"]), str(answer.get("message"))
    reason = "memory" if name == "MemoryError" else "refused" if answer.get("refused") else "exception"
    reason = "syntax" if name in ("SyntaxError", "IndentationError", "TabError") else reason
    kind = getattr(builtins, name, None)
    base = kind if isinstance(kind, type) and issubclass(kind, Exception) else Raised
    error: Any = base.__new__(base)
    error.args = (message,)
    error.failed = Failed(reason, message)
    return error


def caller(pipe: Pipe, name: str) -> Callable[..., Any]:
    """The program's function as the tests call it."""

    def call(*args: Any, **kw: Any) -> Any:
        pipe.send(line_of({"call": name, "args": encode(args), "kw": encode(kw)}))
        answer = reply(pipe)
        try:
            return decode(answer["value"])
        except (KeyError, TypeError, AttributeError, RecursionError):
            raise Failed("wrong answer", "an answer that is no value") from None

    return call


def judge(pipe: Pipe, task: dict[str, Any]) -> None:
    """Raises `Failed`, or an error of the program's or of the tests', when a test fails."""
    if "examples" in task:
        for line, wanted in task["examples"]:
            try_example(pipe, line, wanted)
        return
    space: dict[str, Any] = {"__name__": "tests"}
    exec(compile(task["setup"], "setup.py", "exec"), space)
    space[task["entry"]] = caller(pipe, task["entry"])  # tests may use its name, too
    exec(compile(task["tests"], "tests.py", "exec"), space)
    space["check"](space[task["entry"]])


def try_example(pipe: Pipe, line: str, wanted: str) -> None:
    """As doctest compares: what is printed, blanks aside, or the last line of a traceback that is expected."""
    pipe.send(line_of({"line": line}))
    try:
        found = reply(pipe).get("value")
    except Exception as error:
        failed: Failed | None = getattr(error, "failed", None)
        if failed is None or not wanted.startswith("Traceback"):
            raise
        found, wanted = failed.detail.splitlines()[-1], wanted.strip().splitlines()[-1]
    if not isinstance(found, str) or found.split() != wanted.split():
        shown = found.strip() if isinstance(found, str) else found
        raise Failed("wrong answer", f"{line.strip()} gives {shown!r}, not {wanted.strip()!r}")


def verdict(pipe: Pipe, task: dict[str, Any]) -> dict[str, str]:
    """{"reason", "detail"} of the tests; the reason is "passed" when none failed."""
    try:
        reply(pipe)
        judge(pipe, task)
    except Failed as failed:
        return {"reason": failed.reason, "detail": failed.detail[:DETAIL]}
    except BaseException as error:
        found: Failed | None = getattr(error, "failed", None)
        if found is not None:
            return {"reason": found.reason, "detail": found.detail[:DETAIL]}
        where = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {error}".strip(": ")
        return {"reason": "wrong answer", "detail": f"{text} at {where.filename}:{where.lineno}"[:DETAIL]}
    return {"reason": "passed", "detail": ""}


def main() -> NoReturn:
    out = int(sys.argv[1])
    sys.set_int_max_str_digits(0)
    set_process(SET_DUMPABLE, 0)  # no process of the same user reads this one's memory or descriptors
    first = json.loads(sys.stdin.buffer.readline())
    asked, answered = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        for descriptor in (0, out, asked[1], answered[0]):
            os.close(descriptor)
        os.open(os.devnull, os.O_RDONLY)  # takes the place of stdin
        confine(first["limits"], base64.b64decode(first["filter"]))
        serve(first["program"], Pipe(asked[0], answered[1]))
        os._exit(0)
    os.close(asked[0])
    os.close(answered[1])
    found = verdict(Pipe(answered[0], asked[1]), json.loads(sys.stdin.buffer.readline()))
    if found["reason"] == "exited":
        _, status, used = os.wait4(child, 0)
        found = ended(status, used.ru_utime + used.ru_stime >= first["limits"]["CPU"][0] - 0.1, found)
    os.write(out, line_of(found))
    os._exit(0)


def ended(status: int, out_of_time: bool, found: dict[str, str]) -> dict[str, str]:
    """Why the program's process is gone: by its own doing, or by a limit's."""
    if out_of_time or (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU):
        return {"reason": "time", "detail": "the processor time was used up"}
    if not os.WIFSIGNALED(status):
        return found
    number = os.WTERMSIG(status)
    return {"reason": "memory" if number == signal.SIGKILL else "exited", "detail": f"ended by signal {number}"}


if __name__ == "__main__":
    main()
