"""The sandbox under attack: hostile programs, run in it, and what they reached."""

import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory

from gptwright.sandbox.sandbox import Check, Outcome, Sandbox

ATTACKS = Path(__file__).with_name("attacks.toml")
SECRET = "a secret of the user"
GOT_NOTHING = "def check(candidate):\n    found = candidate()\n    assert not found, found\n"


@dataclass(frozen=True)
class Attack:
    """What is tried, by which program; a cheat is to pass tests that it cannot."""

    name: str
    program: str
    cheats: bool


@dataclass(frozen=True)
class AttackResult:
    """An attack and its outcome."""

    attack: Attack
    outcome: Outcome

    @property
    def blocked(self) -> bool:
        """Whether it got nothing: a cheat did not pass, another attack returned nothing that it had got hold of."""
        return not self.outcome.passed if self.attack.cheats else self.outcome.reason != "wrong answer"

    @property
    def how(self) -> str:
        """In a few words."""
        words = self.outcome.detail.splitlines()[-1:] or ["it got nothing" if self.outcome.passed else ""]
        return f"{self.outcome.reason}: {words[0]}" if not self.outcome.passed else words[0]


def read_attacks() -> list[Attack]:
    """All that are known."""
    tables = tomllib.loads(ATTACKS.read_text(encoding="utf-8"))
    return [Attack(entry["name"], entry["program"], kind == "cheat")
            for kind, entries in tables.items() for entry in entries]  # fmt: skip


@dataclass(frozen=True)
class Outside:
    """What lies outside of the sandbox and must not be reached: a file, a server, a process."""

    file: Path
    server: socket.socket
    process: subprocess.Popen[bytes]

    def aim(self, program: str) -> str:
        """The program with the targets in it."""
        port = str(self.server.getsockname()[1])
        return program.replace("PATH", str(self.file)).replace("PORT", port).replace("PID", str(self.process.pid))

    def harmed(self) -> list[str]:
        """What was reached, by what can be seen here."""
        found: list[str] = []
        if not self.file.exists() or self.file.read_text() != SECRET:
            found.append("the file was changed")
        if self.process.poll() is not None:
            found.append("the process was ended")
        try:
            self.server.accept()
            found.append("the server was connected to")
        except BlockingIOError:
            pass
        return found


def attack_all(sandbox: Sandbox, together: int = 2) -> Iterator[AttackResult]:
    """Every attack and what became of it; in the end, as one more, whether anything outside was harmed."""
    attacks = read_attacks()
    number = SystemRandom().randrange(10**9, 10**10)
    guessing = f"def check(candidate):\n    assert candidate(7) == {number}\n"
    with (
        TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0)) as server,
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process,
    ):
        server.setblocking(False)
        outside = Outside(Path(folder) / "secret", server, process)
        outside.file.write_text(SECRET)
        checks = [Check.function(outside.aim(attack.program), "answer" if attack.cheats else "attack",
                                 guessing if attack.cheats else GOT_NOTHING) for attack in attacks]  # fmt: skip
        for attack, outcome in zip(attacks, sandbox.run_all(checks, together), strict=True):
            yield AttackResult(attack, outcome)
        harmed = outside.harmed()
        process.kill()
    reason = "wrong answer" if harmed else "passed"
    yield AttackResult(Attack("what lies outside is as it was", "", cheats=False), Outcome(reason, "; ".join(harmed)))
