import pytest

from gptwright.foundations.errors import ConfigError, ProcessLost
from gptwright.foundations.processes import NEEDED, Process, is_first, several, this_process, translate_lost_process


def test_alone_where_nobody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NEEDED:
        monkeypatch.delenv(name, raising=False)
    assert this_process() == Process() and this_process().first and is_first() and not several()


def test_as_torchrun_says_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(NEEDED, ("11", "16", "3", "8", "node0", "29500"), strict=True):
        monkeypatch.setenv(name, value)
    assert this_process() == Process(rank=11, count=16, place=3, beside=8)
    assert several() and not is_first()


@pytest.mark.parametrize("name", [name for name in NEEDED if name != "WORLD_SIZE"])
def test_a_variable_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for needed in NEEDED:
        monkeypatch.setenv(needed, "2")
    monkeypatch.delenv(name)
    with pytest.raises(ConfigError, match=f"needed {name} in the environment(.|\n)*torchrun"):
        this_process()


def test_an_error_of_the_network_is_a_lost_process() -> None:
    with pytest.raises(ProcessLost, match="needed an answer of every process"), translate_lost_process():
        raise RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer [10.0.0.2]:12")
    with pytest.raises(RuntimeError, match="a bug"), translate_lost_process():
        raise RuntimeError("a bug")
