"""Options of evaluate."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from gptwright.configs.validation import Dtype
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Range, Seed, Threads, settings


@settings
class Evaluate:
    """Score a model on tasks, with no example, one, or a few in front of each question."""

    model: tyro.conf.Positional[Path]
    """folder of a stage that leaves a model, of a run (its last model), or of Hugging Face; or a packaged model"""
    tasks: str
    """names, tags, .yaml files and folders of them, with commas between: `lambada,my/task.yaml`"""
    shots: str = ""
    """examples before each question, with commas between: `0,1,5`; as the task says when not given"""
    limit: Annotated[int, Range(1, 10**9)] | None = None
    """only the first so many documents of each task"""
    task_data: Path | None = None
    """folder with the tasks' data files"""
    out: Path | None = None
    """folder for results.json and every document as JSON Lines; only the table when not given"""
    draw: Literal["task", "document"] = "task"
    """whose examples are drawn: a task's, the same before all its questions and read once, or each document's"""
    shuffle_labels: bool = False
    """a control: the examples get answers at random"""
    seed: Seed = 1234
    """chooses the examples"""
    dtype: Dtype = "float32"
    """number format in which the model reads and writes"""
    threads: Threads = 2
    """processor threads"""

    def __post_init__(self) -> None:
        if not all(name.strip() for name in self.tasks.split(",")):
            raise ConfigError("names of tasks with commas between", repr(self.tasks), "Name one, or several.")
        if self.shots and not all(count.strip().isdecimal() for count in self.shots.split(",")):
            raise ConfigError("numbers of examples with commas between", repr(self.shots), "Give --shots 0,1,5.")

    @property
    def shot_counts(self) -> list[int | None]:
        """How many examples; None where the task says it."""
        return [int(count) for count in self.shots.split(",")] if self.shots else [None]
