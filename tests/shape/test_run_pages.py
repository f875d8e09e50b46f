"""docs/run.py: which blocks of a page are carried out, and what is written where."""

import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGE = """# A page

```sh
echo one
echo two >&2
```

```text
typed by hand
```

```python
print(3)
```
Words between:

```text
not of the Python above
```

<!-- run: echo hidden >> log.txt -->
<!-- printed: cat log.txt -->

```
old
```

```
echo never
```

<!-- minutes -->

```sh
echo long
```
"""
CARRIED_OUT = PAGE.replace("typed by hand", "one\ntwo").replace("old", "hidden")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "docs")
    import run

    return run


@pytest.fixture
def page(tmp_path: Path) -> Path:
    (tmp_path / "page.md").write_text(PAGE, encoding="utf-8")
    return tmp_path / "page.md"


def test_what_is_carried_out_in_order(run: ModuleType) -> None:
    steps = list(run.steps(PAGE))
    assert [step.command for step in steps] == [
        "echo one\necho two >&2\n", "echo hidden >> log.txt", "cat log.txt", "echo long\n"
    ]  # fmt: skip
    assert [step and step.hidden for step in run.steps(PAGE, short=True)] == [False, True, False, None]


def test_what_is_printed_is_written_into_the_block_that_follows(run: ModuleType, page: Path) -> None:
    assert run.carry_out(page, page.parent, short=False) == (CARRIED_OUT, True)
    assert run.carry_out(page, page.parent, short=True) == (CARRIED_OUT, False)
    assert (page.parent / "log.txt").read_text() == "hidden\n"  # in a folder that is kept it is done once


def test_python_sees_what_commands_left(run: ModuleType, tmp_path: Path) -> None:
    step = run.Step("print(open('a.txt').read().strip(), __import__('os').getcwd())", python=True)
    (tmp_path / "a.txt").write_text("kept")
    assert run.printed(step, tmp_path.resolve()) == f"kept {tmp_path.resolve()}\n"
    assert run.printed(run.Step("echo $PWD/a.txt"), tmp_path.resolve()) == "a.txt\n"


def test_progress_is_left_out(run: ModuleType, tmp_path: Path) -> None:
    step = run.Step("echo 'reward-control  7/160  4%  223 s left  loss 7'; echo 'reward: 4/6 of pairs, 3%'")
    assert run.printed(step, tmp_path) == "reward: 4/6 of pairs, 3%\n"


def test_only_other_seconds_are_no_other_output(run: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    block = "```sh\necho 'prepare took 7 s of 4 planned, {} documents'\n```\n\n```text\n{}\n```\n"
    page.write_text(block.format(3, "prepare took 12 s of 4 planned, 3 documents"))
    assert run.carry_out(page, tmp_path, short=False)[0] == page.read_text()
    page.write_text(block.format(4, "prepare took 12 s of 4 planned, 3 documents"))
    assert run.carry_out(page, tmp_path, short=False)[0] != page.read_text()


@pytest.mark.parametrize(("one", "other", "same"), [
    ("loss 7.640 nats", "loss 7.641 nats", True), ("loss 7.64 nats", "loss 7.84 nats", False),
    ("loss 7.64 nats, 3 of 4", "loss 7.64 nats, 2 of 4", False), ("loss 7.64", "gain 7.64", False),
    ("7.64", "7.64 7.64", False), ("loss 0.00", "loss 0.00", True),
])  # fmt: skip
def test_a_figure_may_be_rounded_otherwise(run: ModuleType, one: str, other: str, same: bool) -> None:
    assert run.same(one, other) == same


def test_a_command_that_fails_ends_it(run: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="ended with 3"):
        run.printed(run.Step("exit 3 | cat"), tmp_path)


@pytest.mark.parametrize(("output", "code"), [("one\ntwo", 0), ("one\nthree", 1)])
def test_check_names_the_page_that_shows_something_else(
    run: ModuleType, page: Path, monkeypatch: pytest.MonkeyPatch, output: str, code: int
) -> None:
    before = CARRIED_OUT.replace("one\ntwo", output)
    page.write_text(before, encoding="utf-8")
    monkeypatch.setattr(run, "ROOT", page.parent)
    monkeypatch.setattr(run, "STORIES", [[page]])
    monkeypatch.setattr("sys.argv", ["run.py", "--check"])
    if code:
        with pytest.raises(SystemExit, match=r"^page\.md: not what is printed"):
            run.main()
    else:
        run.main()
    assert page.read_text(encoding="utf-8") == before


def test_the_course_has_ten_evenings_whose_outputs_were_all_printed(run: ModuleType) -> None:
    assert [page.name[:2] for page in run.COURSE] == [f"{number:02}" for number in range(1, 11)]
    for page in run.COURSE:
        text = page.read_text(encoding="utf-8")
        written = {step.shown for step in run.steps(text) if step.shown}
        shown = {match.span(1) for match in re.finditer(r"(?ms)^```text\n(.*?)^```$", text)}
        assert shown == written, page.name
        assert all(text[start:end].strip() for start, end in shown), page.name
        assert "## Exercise" in text and "<summary>Answer</summary>" in text, page.name
