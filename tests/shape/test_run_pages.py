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
echo long > long.txt
```

<!-- seconds -->
<!-- printed: echo short again -->

```
old
```
"""
CARRIED_OUT = PAGE.replace("typed by hand", "one\ntwo").replace("old", "hidden", 1).replace("old", "short again")


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
        "echo one\necho two >&2\n", "echo hidden >> log.txt", "cat log.txt", "echo long > long.txt\n",
        "echo short again",
    ]  # fmt: skip
    assert [step.hidden for step in steps] == [False, True, False, False, False]
    assert [step.long for step in steps] == [False, False, False, True, False]
    assert [step.long for step in run.steps(PAGE, long=True)] == [True, True, True, True, False]
    assert not run.ends_long(PAGE, long=True)
    assert run.ends_long(PAGE.split("<!-- seconds -->")[0], long=False)


@pytest.mark.parametrize(("program", "long"), [("sh", False), ("no-such-program", True)])
def test_what_needs_a_program_is_left_out_without_it(run: ModuleType, program: str, long: bool) -> None:
    page = f"<!-- run: echo before -->\n<!-- needs: {program} -->\n\n```sh\necho after\n```\n"
    assert [step.long for step in run.steps(page)] == [False, long]
    assert not run.ends_long(page, long=False)  # the next page says what it needs itself


def test_a_block_that_is_carried_out_is_not_one_of_output(run: ModuleType) -> None:
    before, after = run.steps("<!-- server: serve -->\n\n```sh\ncurl\n```\n\n```text\n```\n")
    assert before.server and not before.shown and after.shown


def test_what_was_drawn_is_not_shown(run: ModuleType, tmp_path: Path) -> None:
    step = run.Step("""echo '{"id":"chatcmpl-e0393aa6785f3bff52889e18","created":1795923911.5,"n":3,"of":"c0ffee"}'""")
    assert run.printed(step, tmp_path) == '{"id":"chatcmpl-…","created":…,"n":3,"of":"c0ffee"}\n'


def test_what_is_printed_is_written_into_the_block_that_follows(run: ModuleType, tmp_path: Path) -> None:
    assert run.carry_out(PAGE, tmp_path, short=True) == CARRIED_OUT
    assert not (tmp_path / "long.txt").exists()
    assert run.carry_out(PAGE, tmp_path, short=False) == CARRIED_OUT
    assert (tmp_path / "long.txt").exists()
    assert (tmp_path / "log.txt").read_text() == "hidden\n"  # in a folder that is kept it is done once


def test_python_sees_what_commands_left(run: ModuleType, tmp_path: Path) -> None:
    step = run.Step("print(open('a.txt').read().strip(), __import__('os').getcwd())", python=True)
    (tmp_path / "a.txt").write_text("kept")
    assert run.printed(step, tmp_path.resolve()) == f"kept {tmp_path.resolve()}\n"
    assert run.printed(run.Step("echo $PWD/a.txt"), tmp_path.resolve()) == "a.txt\n"


def test_progress_is_left_out(run: ModuleType, tmp_path: Path) -> None:
    step = run.Step("echo 'reward-control  7/160  4%  223 s left  loss 7'; echo 'reward: 4/6 of pairs, 3%'")
    assert run.printed(step, tmp_path) == "reward: 4/6 of pairs, 3%\n"


SERVER = """import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{sys.argv[1]} at {self.headers['Host']}".encode())
server = http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
print(f"http://127.0.0.1:{os.environ['PORT']}\\nCtrl-C stops.", flush=True)
server.serve_forever()
"""
SERVED = """<!-- server: python server.py one -->

```
old
```

```sh
curl -s http://127.0.0.1:8000/
```

```text
old
```

<!-- server: python server.py two -->
<!-- printed: curl -s http://127.0.0.1:8000/ -->

```
old
```
"""


def test_a_server_answers_until_the_page_ends_or_has_another(run: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text(SERVER)
    text = run.carry_out(SERVED, tmp_path, short=False)
    blocks = [block for language, block in re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", text) if language != "sh"]
    greeting = "http://127.0.0.1:8000\nCtrl-C stops.\n"
    assert blocks == [greeting, "one at 127.0.0.1:8000\n", "two at 127.0.0.1:8000\n"]
    with pytest.raises(SystemExit, match="ended with 7"):  # nobody is there
        run.printed(run.Step("curl -s http://127.0.0.1:8000/"), tmp_path)


def test_a_server_that_cannot_start_ends_it(run: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"ended with 3:\nno room"):
        run.carry_out("<!-- server: echo no room; exit 3 -->\n", tmp_path, short=False)


def test_only_other_seconds_are_no_other_output(run: ModuleType, tmp_path: Path) -> None:
    block = "```sh\necho 'prepare took 7 s of 4 planned, {} documents'\n```\n\n```text\n{}\n```\n"
    same = block.format(3, "prepare took 12 s of 4 planned, 3 documents")
    assert run.carry_out(same, tmp_path, short=False) == same
    other = block.format(4, "prepare took 12 s of 4 planned, 3 documents")
    assert run.carry_out(other, tmp_path, short=False) != other


@pytest.mark.parametrize(("one", "other", "same"), [
    ("loss 7.640 nats", "loss 7.641 nats", True), ("loss 7.64 nats", "loss 7.84 nats", False),
    ("loss 7.64 nats, 3 of 4", "loss 7.64 nats, 2 of 4", False), ("loss 7.64", "gain 7.64", False),
    ("7.64", "7.64 7.64", False), ("loss 0.00", "loss 0.00", True),
    ("1.4 of 23.5 GiB (6 %)", "1.3 of 15.6 GiB (6 %)", True), ("14 of 23 pairs", "13 of 23 pairs", False),
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
