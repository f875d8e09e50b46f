import pytest

from gptwright.foundations.progress import ProgressLine, say


def test_messages_go_to_stderr_and_markup_is_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    say("[bold]a[/bold] " + "long " * 60)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "[bold]a[/bold] " + "long " * 60 + "\n"


def test_without_a_terminal_the_last_step_is_a_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine("pretrain", 10, done=2) as line:
        for step in range(3, 11):
            line.update(step, loss_nats=1 / 3)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "pretrain  10/10  loss nats 0.3333  0 s left\n"
