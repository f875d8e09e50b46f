"""What becomes of programs: passed, or why not; and nothing of them is left."""

import math
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from gptwright.foundations.errors import ResourceError
from gptwright.sandbox.sandbox import Check, Sandbox

pytestmark = pytest.mark.sandbox
DOUBLES = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate([1, 2]) == [1, 2, 1, 2]\n"


@pytest.mark.parametrize(
    ("program", "reason", "detail"),
    [
        ("def f(x): return x * 2", "passed", ""),
        ("def f(x):\n    print(x)\n    return x * 2", "passed", ""),
        ("def f(x): return 2 * x if x == 2 else x", "wrong answer", "AssertionError at tests.py:3"),
        ("def f(x): pass", "wrong answer", "AssertionError at tests.py:2"),
        ("def f(x): return lambda: x", "exception", "TypeError: a value of type function"),
        ("def f(x):", "syntax", "IndentationError"),
        ("def f(x) return x", "syntax", "SyntaxError"),
        ("def g(x): return x * 2", "exception", "KeyError: 'f'"),
        ("def f(x): return x / 0", "exception", "ZeroDivisionError"),
        ("def f(x): assert False", "exception", "AssertionError"),
        ("def f(x): raise SystemExit", "exception", "SystemExit"),
        ("def f(): return 4", "exception", "TypeError"),
        ("import numpy\ndef f(x): return x * 2", "exception", "ModuleNotFoundError"),
        ("class Odd(Exception): pass\ndef f(x): raise Odd('so')", "exception", "Odd: so"),
        ("def f(x): return f(x)", "exception", "RecursionError"),
        ("def f(x):\n    while True: pass", "time", "processor time"),
        ("x = 'a' * 10**9", "memory", "MemoryError"),
        ("import os\nos._exit(0)", "exited", "ended before its tests"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "exited", "signal 11"),
        ("def f(x): open('/usr/lib/x', 'w')", "refused", "Read-only"),
        ("import socket\nsocket.socket()", "refused", "not permitted"),
        ("print('x' * 10**6)", "output", "too much"),
    ],
)
def test_every_end_has_its_reason(sandbox: Sandbox, program: str, reason: str, detail: str) -> None:
    outcome = sandbox.run(Check.function(program, "f", DOUBLES))
    assert outcome.reason == reason and detail in outcome.detail
    assert outcome.passed == (reason == "passed")


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -(10**30), 10**400, 0.1, -0.0, math.inf, "", "é\0\ud800\n", b"\0\xff", (1, (2,)), [], [[], ()],
     {1, 2}, frozenset("a"), {1: "a", (1, 2): {"b": {3}}}, {"list": [1]}, 1 + 2j, [True, 1, 1.0, None]],
)  # fmt: skip
def test_values_pass_in_and_out_as_they_are(sandbox: Sandbox, value: Any) -> None:
    tests = f"def check(candidate):\n    found = candidate({value!r})\n    assert repr(found) == repr({value!r})\n"
    tests = tests.replace("inf", "float('inf')")
    outcome = sandbox.run(Check.function("def f(x): return x", "f", tests))
    assert outcome.passed, outcome


def test_nan_passes_too(sandbox: Sandbox) -> None:
    tests = "def check(candidate):\n    assert candidate(1) != candidate(1)\n"
    assert sandbox.run(Check.function("def f(x): return float('nan')", "f", tests)).passed


CATCHES = """
def check(candidate):
    try:
        candidate(-1)
    except ValueError as error:
        assert "neg" in str(error)
    else:
        assert False
"""


def test_tests_catch_what_the_program_raises(sandbox: Sandbox) -> None:
    assert sandbox.run(Check.function("def f(x): raise ValueError('neg')", "f", CATCHES)).passed
    outcome = sandbox.run(Check.function("def f(x): raise KeyError('neg')", "f", CATCHES))
    assert outcome.reason == "exception" and "KeyError" in outcome.detail


def test_an_answer_may_have_many_digits(sandbox: Sandbox) -> None:
    tests = "def check(candidate):\n    assert candidate() == 7**9999\n"
    assert sandbox.run(Check.function("def f(): return 7**9999", "f", tests)).passed


def test_tests_use_what_is_set_up_beside_them_and_the_functions_own_name(sandbox: Sandbox) -> None:
    tests = "def check(candidate):\n    assert helper(candidate(1)) == helper(f(1)) == 3\n"
    setup = "def helper(x): return x + 1\ndef f(x): 'a docstring'"
    assert sandbox.run(Check.function("def f(x): return x + 1", "f", tests, setup)).passed


def test_state_stays_between_calls(sandbox: Sandbox) -> None:
    tests = "def check(candidate):\n    assert [candidate(1) for _ in range(3)] == [1, 2, 3]\n"
    program = "count = 0\ndef f(x):\n    global count\n    count += x\n    return count"
    assert sandbox.run(Check.function(program, "f", tests)).passed


@pytest.mark.parametrize(
    ("line", "wanted", "reason"),
    [
        ("f(2)", "4", "passed"),
        ("f(2)", "5", "wrong answer"),
        ("print('a'); f(1)", "a\n2", "passed"),
        ("x = f(2)", "", "passed"),
        ("{'a':  f(2)}", "{'a':    4}", "passed"),
        ("f(-1)", "Traceback (most recent call last):\n  ...\nValueError: neg", "passed"),
        ("f(-1)", "Traceback (most recent call last):\nKeyError: neg", "wrong answer"),
        ("f(-1)", "1", "exception"),
        ("f(2", "4", "syntax"),
    ],
)
def test_examples_are_tried_as_doctest_does(sandbox: Sandbox, line: str, wanted: str, reason: str) -> None:
    program = "def f(x):\n    if x < 0: raise ValueError('neg')\n    return 2 * x"
    assert sandbox.run(Check.examples(program, [("f(1)", "2"), (line, wanted)])).reason == reason


def test_what_is_printed_is_kept_up_to_the_limit(sandbox: Sandbox) -> None:
    assert sandbox.run(Check.examples("print('a', 1)", [])).printed == "a 1\n"
    assert sandbox.run(Check.examples("import sys\nprint('b', file=sys.stderr)", [])).printed == "b\n"
    outcome = sandbox.run(Check.examples("while True: print('x' * 1000)", []))
    assert outcome.reason == "output" and len(outcome.printed) == sandbox.limits.output


def test_outcomes_come_in_order(sandbox: Sandbox) -> None:
    tests = "def check(candidate):\n    assert candidate() % 2\n"
    checks = [Check.function(f"def f(): return {number}", "f", tests) for number in range(8)]
    assert [outcome.passed for outcome in sandbox.run_all(checks)] == [bool(number % 2) for number in range(8)]


def test_nothing_is_left(sandbox: Sandbox) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    program = (
        "import threading, time\nopen('left', 'w').write('x')\nthreading.Thread(target=time.sleep, args=(60,)).start()"
    )
    for _ in range(3):
        outcome = sandbox.run(Check.examples(program, [("import os; os.listdir()", "['left']")]))
        assert outcome.passed, outcome
    assert descriptors() == before
    assert "driver.py" not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout


def test_what_an_example_gave_is_said_without_its_line_end(sandbox: Sandbox) -> None:
    outcome = sandbox.run(Check.examples("def double(x): return x", [("double(2)", "4")]))
    assert (outcome.reason, outcome.detail) == ("wrong answer", "double(2) gives '2', not '4'")


def test_twice_run_gives_the_same(sandbox: Sandbox) -> None:
    check = Check.examples("", [("hash('a') == hash('a'), list({'b', 'a', 'c'})", "")])
    assert sandbox.run(check).detail == sandbox.run(check).detail


def test_without_bubblewrap_nothing_is_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ResourceError, match="apt install bubblewrap"):
        Sandbox()


def test_where_bubblewrap_may_make_no_namespace_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        (Path(folder) / "bwrap").write_text("#!/bin/sh\necho bwrap: No permissions to create new namespace\nexit 1\n")
        (Path(folder) / "bwrap").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        with pytest.raises(ResourceError, match="No permissions to create new namespace"):
            Sandbox()
