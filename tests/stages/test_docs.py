"""The pages: every command that they show runs as it stands there, with the files that lie there.

The reader's folder is a copy in which the data is cut short, and commands get a few options more that make them tiny.
What commands print is docs/run.py's to hold to the pages. Chinese editions have the same blocks
(tests/shape/test_chinese_docs.py) and are not run again.
"""

import json
import lzma
import re
import shlex
import shutil
import tomllib
from collections.abc import Callable, Iterable, Iterator
from io import StringIO
from itertools import takewhile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from gptwright.configs.command_line import read_command
from gptwright.configs.verbs import VERBS
from gptwright.recipes.read import Recipe, Step, find_recipe, read_recipe, write_recipe
from gptwright.text.jsonl import write_objects

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", ROOT / "CONTRIBUTING.md",
         *sorted(path for path in (ROOT / "docs").glob("*.md")
                 if path.name != "commands.md" and not path.name.endswith(".zh.md"))]  # fmt: skip
COURSE = sorted((ROOT / "docs/course").glob("*.md"))  # docs/run.py carries it out, and writes what it prints
STORY = [page for page in PAGES if re.match(r"0[1-8]-", page.name)]
OTHERS = [page for page in PAGES if page not in STORY]
PROGRAMS = ("gptwright", "make", "pip", "python", "pytest", "torchrun")
SHELL = ("|", "||", "&", ">", "2>", "2>&1")  # what follows is no word of the program's
GROUPS = ("--updates 1 --episodes 4 --samples 2 --minibatches 1 --max-tokens 4 --sequence-length 16 "
          "--heldout-prompts 4 --threads 1")  # fmt: skip
TINY = {
    "prepare": "--max-characters 60000",
    "tokenize": "--vocab 300",
    "pretrain": "--steps 2 --batch-size 2 --sequence-length 16 --eval-every 1 --save-every 1 "
                "--average-checkpoints 1 --warmup 1 --threads 1 "
                "--model.width 16 --model.heads 2 --model.layers 1 --model.context 96",
    "codex": "--steps 2 --batch-size 2 --solutions-batch-size 2 --edits-batch-size 2 --sequence-length 16 --threads 1",
    "clip": "--steps 2 --batch-size 4 --eval-every 0 --threads 1",
    "vision": "--steps 2 --batch-size 2 --sequence-length 16 --threads 1",
    "finetune": "--steps 2 --batch-size 2 --threads 1",
    "sft": "--steps 2 --batch-size 2 --sequence-length 16 --continuations 4 --threads 1",
    "rank": "--train-prompts 4 --heldout-prompts 2 --max-tokens 4 --threads 1",
    "reward": "--steps 2 --batch-size 2 --threads 1",
    "ppo": "--updates 1 --episodes 4 --minibatches 1 --max-tokens 4 --sft-batch-size 2 --sequence-length 16 "
           "--heldout-prompts 4 --threads 1",
    "dpo": "--steps 2 --batch-size 2 --max-tokens 4 --sequence-length 16 --heldout-prompts 4 --threads 1",
    "grpo": GROUPS,
    "rloo": GROUPS,
    "rejection": "--samples 3 --max-tokens 4 --heldout-prompts 4 --threads 1",
    "generate": "--max-tokens 4",
}  # fmt: skip
# These are read, and their files must be there, but they take minutes, end with a server, or need what is elsewhere.
ONLY_READ = {"start", "run", "serve", "sandbox"}
FRAGMENTS = ("generation.md", "adding-a-family.md", "family-steps.md")  # Python that goes on from what the text says
ELSEWHERE = (
    "clip-vit-base-patch32",
    "encoder.json",
    "humaneval",
    "minilm",
    "smollm2-135m",
    "some-mistral-folder",
    "runs/gpt2-vocabulary",
    "runs/vision/",
    "runs/tokenizers/",
    "runs/verse/",
    "runs/programs/",
    "runs/far/",
    "datatrove.utils",
    "megatron.core",
    "runs/smol",
    "runs/incontext",
    "runs/instructions",
    "runs/editor-spelling",
    "runs/kept",
    "runs/tested",
    "runs/tiny",
    "runs/web",
    "mistral-nano",
    "conversation.jsonl",
    "Where does Otto live?",  # a model of a few steps says nothing
    "…",
)


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and content of every fenced block."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> Iterator[list[str]]:
    """Words of every command in a block without a language, or of `sh`."""
    for language, block in blocks(page):
        lines = block.replace("\\\n", " ").splitlines() if language in ("", "sh") else []
        words = (shlex.split(line, comments=True) for line in lines if line.split(" ")[0] in PROGRAMS)
        yield from (list(takewhile(lambda word: word not in SHELL, each)) for each in words)


def of_gptwright(pages: Iterable[Path]) -> list[tuple[Path, list[str]]]:
    """Verb and options of every command that gptwright carries out, alone or under torchrun."""
    found = ((page, words) for page in pages for words in commands(page))
    return [(page, words[words.index("gptwright") + 1 :]) for page, words in found if "gptwright" in words]


def config_of(verb: str, options: list[str]) -> Any:
    return read_command(VERBS[verb], options).config


def is_elsewhere(words: list[str]) -> bool:
    return any(part in word for word in words for part in ELSEWHERE)


@pytest.mark.parametrize("page", [*PAGES, *COURSE], ids=lambda page: page.name)
def test_every_command_is_one(page: Path) -> None:
    for _, (verb, *options) in of_gptwright([page]):
        if "mistral-nano" not in options and "…" not in options:
            assert config_of(verb, options), [verb, *options]
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for program, *words in commands(page):
        if program == "make":
            assert {word for word in words if "=" not in word} <= targets, words
        if program == "pip":
            extras = re.findall(r"gptwright\[(\w+)\]", " ".join(words))
            assert set(extras) <= project["optional-dependencies"].keys(), words
        if program in ("python", "pytest") and words[0] != "-m":
            assert (ROOT / words[0]).exists(), words


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A checkout as a reader has it, with little data, and runs/start and other runs that pages speak of."""
    for path in (ROOT / "data").rglob("*.jsonl*"):
        cut(path, tmp_path / path.relative_to(ROOT))
    for path in (ROOT / "data/emoji").glob("*.webp"):
        shutil.copy(path, tmp_path / "data/emoji")
    for path in ("data/examples", "recipes"):
        shutil.copytree(ROOT / path, tmp_path / path, dirs_exist_ok=True)
    stages = {"start/01-prepare": "prepared", "start/02-tokenize": "tokenized", "start/03-pretrain": "pretrained",
              "start/04-sft": "tuned", "start/05-rank": "ranked", "start/06-reward": "rewarded",
              "start/08-ppo": "improved", "again/03-pretrain": "pretrained", "bert/03-pretrain": "encoder",
              "translate/02-pretrain": "translator", "judge": "judge"}  # fmt: skip
    for place, fixture in stages.items():
        shutil.copytree(request.getfixturevalue(fixture), tmp_path / "runs" / place)
    write_recipe(
        Recipe("start", [Step("prepare", "prepare", {"data": ["bundled"]})]), tmp_path / "runs/start/recipe.toml"
    )
    shutil.copy(ROOT / "data/examples/book.txt", tmp_path / "my-book.txt")  # README: "Your own text"
    about_pictures(tmp_path)
    monkeypatch.setattr("gptwright.text.bundled.PLACES", (tmp_path / "data",))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def about_pictures(folder: Path) -> None:
    """A picture, what is asked about it, and answers to that, as 20-images.md has them."""
    Image.new("RGB", (32, 32), "brown").save(folder / "dog.png")
    picture = {"type": "image_url", "image_url": {"url": "dog.png"}}
    asked = [{"messages": [{"role": "user", "content": [picture, {"type": "text", "text": f"What is {number}?"}]}]}
             for number in range(12)]  # fmt: skip
    write_objects(folder / "prompts.jsonl", asked)
    write_objects(folder / "answers.jsonl", [line | {"answers": ["a dog", "a cat"]} for line in asked])


def cut(path: Path, to: Path) -> None:
    """Some forty lines of a file, from everywhere in it."""
    opened = lzma.open if path.suffix == ".xz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        lines = file.readlines()
    to.parent.mkdir(parents=True, exist_ok=True)
    with opened(to, "wt", encoding="utf-8") as file:
        file.writelines(lines[:: max(len(lines) // 40, 1)])


def test_the_story_runs_as_printed(
    reader: Path, gptwright: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for page in STORY:
        for _, words in of_gptwright([page]):
            if not is_elsewhere(words):
                done = carried_out(words, gptwright, monkeypatch)
                assert done.code == 0, (page.name, words, done.err)
        python_runs(page)


def test_all_other_commands_run_as_printed(
    reader: Path, gptwright: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = {"runs/mine/01-prepare": "01-prepare", "runs/mine/02-tokenize": "02-tokenize"}
    for place, name in prepared.items():
        shutil.copytree(reader / "runs/start" / name, reader / place)
    for page, words in of_gptwright(OTHERS):
        if not is_elsewhere(words):
            done = carried_out(words, gptwright, monkeypatch)
            assert done.code == 0, (page.name, words, done.err)
    for page in OTHERS:
        if page.name not in FRAGMENTS:
            python_runs(page)


def carried_out(words: list[str], gptwright: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command anew, with the options that make it tiny; of the long ones only what they read is looked at."""
    verb, *options = words
    if verb in ONLY_READ or "--minutes" in options or "--engine" in options:
        return looked_at(verb, config_of(verb, options))
    if "--judgements" in options:
        ranked_by_people(Path(options[0]) / "08-ppo/answers.jsonl", Path(options[options.index("--judgements") + 1]))
    monkeypatch.setattr("sys.stdin", StringIO("Who are you?\n/quit\n"))
    if "--out" in options and (out := Path(options[options.index("--out") + 1])).exists():
        shutil.rmtree(out) if out.is_dir() else out.unlink()
    return gptwright(verb, *options, *shlex.split(TINY.get(verb, "")))


def ranked_by_people(answers: Path, to: Path) -> None:
    """What page 07 tells people to do: a copy whose lines have ranks."""
    lines = [json.loads(line) for line in answers.read_text(encoding="utf-8").splitlines()]
    to.write_text("".join(json.dumps(line | {"ranks": [1, 2]}) + "\n" for line in lines), encoding="utf-8")


def looked_at(verb: str, config: Any) -> Any:
    if verb == "run":
        assert list(read_recipe(find_recipe(config.recipe)).configs(config.out))
    needed = {"serve": (config, "models"), "start": (config, "data"), "pretrain": (config, "tokens")}.get(verb)
    found = getattr(*needed) if needed else ()
    files = found if isinstance(found, tuple) else (found,)
    missing = [file for file in files if not str(file).startswith("bundled:") and not Path(file).exists()]
    return SimpleNamespace(code=len(missing), out="", err=" ".join(map(str, missing)))


def python_runs(page: Path) -> None:
    """Every block of Python, in one namespace a page, as if typed one after the other."""
    names: dict[str, Any] = {}
    for language, block in blocks(page):
        if language == "python" and not any(part in block for part in ELSEWHERE):
            exec(compile(block, str(page), "exec"), names)
