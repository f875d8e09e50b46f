"""The command line: what it prints where, how it ends, and that help does not wait for torch."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import pytest

from gptwright import cli
from gptwright.configs.command_line import read_command
from gptwright.configs.verbs import STAGES, VERBS
from gptwright.foundations.errors import ConfigError, Interrupted, MemoryShort, ProcessLost, Stopped
from gptwright.foundations.version import __version__
from gptwright.text.bundled import bundled_file


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def gptwright(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`gptwright WORDS…`, in this process."""

    def command(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["gptwright", *map(str, words)])
        code: object = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
        assert isinstance(code, int)
        return Said(code, *capsys.readouterr())

    return command


@pytest.fixture
def verb_that(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Makes every verb end with an error."""

    def fail(error: BaseException) -> None:
        def run(words: list[str]) -> None:
            raise error

        monkeypatch.setattr(cli, "_run", run)

    return fail


def process(*words: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gptwright", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload]


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",), ("help",)])
def test_help_lists_every_verb(gptwright: Command, words: tuple[str, ...]) -> None:
    done = gptwright(*words)
    assert (done.code, done.err) == (0, "")
    for verb in VERBS.values():
        assert re.search(rf"^  {verb.name} +{re.escape(verb.help)}$", done.out, re.MULTILINE)


@pytest.mark.parametrize("words", ["--help", "--version", "nonsense", "serve -h", *(f"{v} --help" for v in VERBS)])
def test_words_of_its_own_do_not_import_torch(words: str) -> None:
    program = (
        "import sys; from gptwright.cli import main; sys.argv = ['gptwright', *sys.argv[1:]]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "assert 'gptwright.cli' in sys.modules\n"
        "print(sorted({'torch', 'numpy', 'transformers', 'fastapi', 'tokenizers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program, *words.split()], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_what_the_package_offers_is_there_and_arrives_when_asked_for() -> None:
    program = (
        "import sys, gptwright; gptwright.ConfigError, gptwright.Sampling\n"
        "assert not {'torch', 'tokenizers', 'numpy'} & set(sys.modules)\n"
        "print([name for name in gptwright.__all__ if not hasattr(gptwright, name)], hasattr(gptwright, 'lod'))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[] False\n", "")


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_version(gptwright: Command, word: str) -> None:
    assert gptwright(word) == Said(0, f"gptwright {__version__}\n", "")


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_help_says_what_it_is_and_explains_every_option(
    gptwright: Command, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    done = gptwright(verb, "--help")
    assert (done.code, done.err) == (0, "")
    config = VERBS[verb].config_type
    assert config.__doc__ in done.out
    documented = docstrings(config)
    names = [field.name for field in fields(config)]
    assert set(documented) == set(names)
    for name, text in documented.items():
        assert text in done.out, name
    if verb in STAGES:
        assert "--out PATH" in done.out and "folder to leave the result in" in done.out


def docstrings(config: type) -> dict[str, str]:
    """The text below each field of a class, or of the class that it inherits the field from, as in the source."""
    import ast

    found: dict[str, str] = {}
    for owner in reversed(config.__mro__[:-1]):
        tree = ast.parse(Path(import_module(owner.__module__).__file__ or "").read_text(encoding="utf-8"))
        body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == owner.__name__)
        for field, text in pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                explained = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
                assert explained or field.target.id in found, f"{field.target.id} is not explained"
                if explained:
                    found[field.target.id] = str(text.value.value)
    return found


def test_an_unknown_verb_offers_the_nearest(gptwright: Command) -> None:
    done = gptwright("pretrian")
    assert (done.code, done.out) == (2, "")
    assert done.err == "gptwright: needed a verb of gptwright; got 'pretrian'.\n  Did you mean 'pretrain'?\n"


def test_a_verb_like_no_other_is_told_them_all(gptwright: Command) -> None:
    done = gptwright("xyzzy")
    assert done.code == 2
    assert all(verb in done.err for verb in VERBS)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("prepare", "--dat", "x", "--out", "y"), "--data"),
        (("tokenize", "--text", "x", "--vocabulary", "9", "--out", "y"), "--vocab"),
        (("start", "--minute", "3"), "--minutes"),
        (("tokenize", "--text", "x", "--vocab", "many", "--out", "y"), "--vocab"),
        (("pretrain", "--out", "y"), "--tokens"),
        (("tokenize", "--text", "x"), "--out"),
        (("generate",), "PATH"),
        (("run", "recipe.toml"), "--out"),
    ],
)
def test_words_that_mean_nothing_are_usage_errors(gptwright: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                  words: tuple[str, ...], says: str) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    done = gptwright(*words)
    assert (done.code, done.out) == (2, "")
    assert says in done.err and "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [2, 15])
def test_stopped_after_saving(gptwright: Command, verb_that: Callable[[BaseException], None], number: int) -> None:
    verb_that(Interrupted("pretrain saved at step 7 of 9", number))
    wanted = "gptwright: stopped; pretrain saved at step 7 of 9. The same command goes on from there.\n"
    assert gptwright("pretrain") == Said(128 + number, "", wanted)


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (Stopped(15), 143), (Stopped(1), 129)])
def test_stopped_at_once(
    gptwright: Command, verb_that: Callable[[BaseException], None], error: BaseException, code: int
) -> None:
    verb_that(error)
    done = gptwright("pretrain")
    assert done.code == code and "stopped at once; what was saved is whole" in done.err


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConfigError("three", "four", "Take one away."), "needed three; got four.\n  Take one away."),
        (MemoryError(), "End other programs"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
            "End other programs",
        ),
        (OSError(36, "File name too long", "x" * 9), "needed to read or write xxxxxxxxx; got 'File name too long'"),
    ],
)
def test_what_a_person_can_mend_ends_with_1_and_a_remedy(
    gptwright: Command, verb_that: Callable[[BaseException], None], error: Exception, says: str
) -> None:
    verb_that(error)
    done = gptwright("pretrain")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("gptwright: needed ") and says in done.err


@pytest.mark.parametrize("error", [RuntimeError("a bug"), OSError("a bug"), ValueError("a bug"), KeyError("a bug")])
def test_a_mistake_of_ours_is_not_hidden(
    gptwright: Command, verb_that: Callable[[BaseException], None], error: Exception
) -> None:
    verb_that(error)
    with pytest.raises(type(error), match="a bug"):
        gptwright("pretrain")


def test_a_port_in_use(gptwright: Command, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = gptwright("serve", tmp_path, "--port", port)
    assert (done.code, done.out) == (1, "")
    assert f"needed port {port}; got in use by another program" in done.err and f"--port {port + 1}" in done.err


def test_a_reader_that_left_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "gptwright", "--help"], stdout=write, stderr=subprocess.PIPE, timeout=60
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


def test_as_a_process(tmp_path: Path) -> None:
    for words, code in ((("--help",), 0), (("nonsense",), 2), (("chat", str(tmp_path / "none")), 1)):
        done = process(*words)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        assert bool(done.stdout) == (code == 0)


def test_a_terminal_without_the_letters_is_no_error(tmp_path: Path) -> None:
    """Results that a narrow encoding cannot show are printed with question marks."""
    program = (
        "import sys; from gptwright import cli; cli._run = lambda words: print('Größe 大')\n"
        "sys.argv = ['gptwright']; cli.main()"
    )
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"Gr??e ?\n", b"")


def test_names_are_utf8_whatever_the_locale_says(tmp_path: Path) -> None:
    """In a locale of ASCII a path in Chinese is bytes, which no file of a run could hold."""
    environment = os.environ | {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    done = process("report", str(tmp_path / "运行"), env=environment)
    assert done.returncode == 1 and "运行" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("verb", "has", "has_not"),
    [
        ("pretrain", "--batch-size or --sequence-length", "--minutes,"),
        ("start", "--minutes", "--batch-size"),
        ("report", "End", "--"),
    ],
)
def test_remedies_for_too_little_memory_name_what_the_verb_has(
    gptwright: Command, verb_that: Callable[[BaseException], None], verb: str, has: str, has_not: str
) -> None:
    verb_that(MemoryError())
    said = gptwright(verb).err
    assert has in said and has_not not in said
    verb_that(MemoryShort("9 GB", "1 GB", "Give fewer rows."))
    assert ("Give fewer rows." in gptwright(verb).err) == (verb == "pretrain")


@pytest.mark.parametrize("error", [ImportError("x.so: cannot allocate memory"), RuntimeError("can't start new thread")])
def test_other_words_for_too_little_memory(
    gptwright: Command, verb_that: Callable[[BaseException], None], error: Exception
) -> None:
    verb_that(error)
    assert "End other programs" in gptwright("start").err


def test_several_processes_pretrain_and_nothing_else(gptwright: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("RANK", "0")
    for verb in [name for name, verb in VERBS.items() if not verb.distributed]:
        said = gptwright(verb)
        assert said.code == 1 and f"needed one process for {verb}; got 8" in said.err


def test_a_variable_of_torchrun_is_missing(gptwright: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {"WORLD_SIZE": "8", "RANK": "0", "LOCAL_WORLD_SIZE": "8", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    said = gptwright("pretrain", "--tokens", tmp_path, "--out", tmp_path / "out")
    assert said.code == 1 and "needed MASTER_ADDR, MASTER_PORT in the environment" in said.err


def test_others_leave_it_to_the_first_to_speak(
    gptwright: Command, verb_that: Callable[[BaseException], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "SECONDS_FOR_THE_FIRST", 0)
    for name, value in {"WORLD_SIZE": "8", "RANK": "5", "LOCAL_RANK": "5"}.items():
        monkeypatch.setenv(name, value)
    verb_that(ConfigError("a", "b", "c"))
    assert gptwright("pretrain").err.startswith("gptwright: process 5: needed a; got b")
    verb_that(ProcessLost("an answer of every process", "none", "c"))
    assert "needed an answer of every process" in gptwright("pretrain").err


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_every_verb_and_its_options_are_completed(gptwright: Command, shell: str) -> None:
    said = gptwright("--completion", shell)
    assert said.code == 0 and all(verb in said.out for verb in VERBS)
    assert "--judgements" in said.out and "--model.layers" in said.out and "--no-files" not in said.out


def test_bash_completes_verbs_options_and_leaves_files_to_itself(gptwright: Command, tmp_path: Path) -> None:
    script = tmp_path / "completion.bash"
    script.write_text(gptwright("--completion", "bash").out)
    assert "complete -o bashdefault -o default -F" in script.read_text()
    asked = 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _tyro_gptwright; echo "${COMPREPLY[*]}"'
    for words, found in ((["repo"], "report"), (["report", "--jud"], "--judgements"), (["see", "--nothing"], "")):
        done = subprocess.run(["bash", "-c", asked, script, "gptwright", *words], capture_output=True, text=True)
        assert (done.stdout.strip(), done.stderr) == (found, "")


@pytest.mark.parametrize("words", [(), ("tcsh",), ("bash", "zsh")])
def test_another_shell_is_refused(gptwright: Command, words: tuple[str, ...]) -> None:
    said = gptwright("--completion", *words)
    assert said.code == 2 and "bash, zsh, fish" in said.err


def test_a_bundled_file_goes_by_its_name_and_a_bundled_source_stays_one() -> None:
    words = ["--base", "b", "--tokens", "t", "--conversations", "bundled:teaching/conversations.jsonl", "--out", "o"]
    (conversations,) = read_command(VERBS["sft"], words).config.conversations
    assert conversations == bundled_file("teaching/conversations.jsonl")
    config = read_command(VERBS["prepare"], ["--data", "bundled:novels", "bundled:nothere", "--out", "o"]).config
    assert config.data == ("bundled:novels", "bundled:nothere")
