"""Every attack is blocked, and the attacks are real: outside of the sandbox they get what they want."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gptwright.sandbox.attacks import attack_all, read_attacks
from gptwright.sandbox.sandbox import Check, Sandbox

HARMLESS = [
    "read a file of the user", "read a file of the user by way of ..",
    "read a file of the user through a symbolic link",
    "read a file of the user through a hard link", "read a file of the user through /proc", "read the list of users",
    "read installed packages, which may hold the answers", "connect to a server of this machine", "send a datagram",
    "open a port for others", "start a shell", "see other processes", "read secrets of the environment",
    "take much memory", "run machine code of its own", "open descriptors without end", "write one huge file",
]  # fmt: skip
NAIVE = """
import sys
namespace = {}
try:
    exec(sys.argv[1], namespace)
    assert namespace["answer"](7) == 1234567890
except SystemExit:
    pass
"""
FOOLED = ["exit early with 0", "exit while it is read", "answer with what equals everything",
          "answer with a number that equals everything"]  # fmt: skip


@pytest.mark.sandbox
def test_every_attack_is_blocked(sandbox: Sandbox) -> None:
    results = list(attack_all(sandbox))
    assert [result for result in results if not result.blocked] == []
    assert len(results) >= 40


def test_names_are_given_once() -> None:
    names = [attack.name for attack in read_attacks()]
    assert len(names) == len(set(names)) and {*HARMLESS, *FOOLED} <= set(names)


@pytest.mark.parametrize("name", HARMLESS)
def test_outside_of_the_sandbox_an_attack_succeeds(name: str, tmp_path: Path) -> None:
    attack = next(attack for attack in read_attacks() if attack.name == name)
    (tmp_path / "secret").write_text("a secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        program = attack.program.replace("PATH", str(tmp_path / "secret")).replace("PORT", str(server.getsockname()[1]))
        done = subprocess.run([sys.executable, "-c", f"{program}\nprint(bool(attack()))"], cwd=tmp_path,
                              capture_output=True, text=True)  # fmt: skip
    assert done.stdout == "True\n", done.stderr


@pytest.mark.parametrize("name", FOOLED)
def test_tests_beside_the_program_are_cheated(name: str) -> None:
    attack = next(attack for attack in read_attacks() if attack.name == name)
    assert subprocess.run([sys.executable, "-c", NAIVE, attack.program], capture_output=True).returncode == 0


FORGED = """
import os
for number in range(3, 64):
    try:
        os.write(number, b'{{"value": null}}\\n{reply}\\n')
    except OSError:
        pass
os._exit(0)
"""


@pytest.mark.sandbox
@pytest.mark.parametrize(
    "reply",
    ['{"value": {"list": 1}}', '{"value": {"set": [[1]]}}', "1", "[]", '{"error": 1}', '{"value": {}}',
     '{"value": {"a": 1, "b": 2}}', '{"value": {"bytes": "?"}}', "{", "\\xff"],
)  # fmt: skip
def test_forged_replies_are_wrong_answers(sandbox: Sandbox, reply: str) -> None:
    tests = "def check(candidate):\n    assert candidate() == 1\n"
    outcome = sandbox.run(Check.function(FORGED.format(reply=reply), "f", tests))
    assert outcome.reason in ("wrong answer", "exception"), outcome
