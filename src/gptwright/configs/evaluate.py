"""Options of evaluate."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from gptwright.configs.validation import Dtype
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Range, Seed, Size, Threads, settings


@settings
class Evaluate:
    """Score a model on tasks, with no example, one, or a few in front of each question; or compare several."""

    model: tyro.conf.Positional[Path | None] = None
    """folder of a stage that leaves a model, of a run (its last model), or of Hugging Face; or a packaged model"""
    tasks: str = ""
    """names, tags, .yaml files and folders of them, with commas between: `lambada,my/task.yaml`"""
    shots: str = ""
    """examples before each question, with commas between: `0,1,5`; as the task says when not given"""
    compare: tuple[Path, ...] = ()
    """further models, on the same documents"""
    limit: Annotated[int, Range(1, 10**9)] | None = None
    """only the first so many documents of each task"""
    task_data: Path | None = None
    """folder with the tasks' data files"""
    out: Path | None = None
    """folder for results.json, evaluation.html and every document as JSON Lines; only the table when not given"""
    draw: Literal["task", "document"] = "task"
    """whose examples are drawn: a task's, the same before all its questions and read once, or each document's"""
    shuffle_labels: bool = False
    """a control beside: the same with examples that get answers at random"""
    shuffle_images: bool = False
    """a control beside: each question with the images of another"""
    prefer: tuple[Path, Path] | None = None
    """two models that answer --prompts, and of which --judge prefers one without knowing it, instead of tasks"""
    prompts: Path | None = None
    """JSON Lines with "prompt" or "messages", for --prefer"""
    judge: str = ""
    """of --prefer: a rule (`plain-words`), the folder of reward, or `me`, who is asked in the terminal"""
    max_tokens: Size = 64
    """an answer's length at most, for --prefer"""
    temperature: Annotated[float, Range(0, 100)] = 0.7
    """of the answers, for --prefer"""
    seed: Seed = 1234
    """chooses the examples; for --prefer the answers and their order"""
    dtype: Dtype = "float32"
    """number format in which the model reads and writes"""
    threads: Threads = 2
    """processor threads"""

    def __post_init__(self) -> None:
        if self.prefer:
            self._check_preference()
            return
        if self.shuffle_images and self.shuffle_labels:
            raise ConfigError("one control beside", "--shuffle-labels and --shuffle-images", "Run evaluate twice.")
        if self.prompts or self.judge:
            raise ConfigError("two models to judge", "--prompts or --judge without --prefer", "Add --prefer A B.")
        if not all(name.strip() for name in self.tasks.split(",")):
            raise ConfigError("names of tasks with commas between", repr(self.tasks), "Name one, or several.")
        if self.shots and not all(count.strip().isdecimal() for count in self.shots.split(",")):
            raise ConfigError("numbers of examples with commas between", repr(self.shots), "Give --shots 0,1,5.")

    def _check_preference(self) -> None:
        if self.compare or self.tasks or self.model:
            raise ConfigError("models on tasks, or --prefer with two models", "both", "Run evaluate twice.")
        if not (self.prompts and self.judge):
            raise ConfigError("--prompts FILE and --judge with --prefer", "not both of them", "Add what is missing.")
        if self.judge == "me" and not self.out:
            raise ConfigError("a folder for what you judge", "--judge me without --out", "Add --out FOLDER.")

    @property
    def shot_counts(self) -> list[int | None]:
        """How many examples; None where the task says it."""
        return [int(count) for count in self.shots.split(",")] if self.shots else [None]
