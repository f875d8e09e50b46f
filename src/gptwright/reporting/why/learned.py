"""What a model learned, as far as it is still there: packed text, demonstrations, rankings."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from gptwright.alignment.demonstrations import (
    Conversation,
    Demonstration,
    best_answers,
    demonstrations,
    read_conversations,
)
from gptwright.alignment.influence import DirectLoss
from gptwright.alignment.solutions import read_edits, read_solutions
from gptwright.configs.dpo import DPO
from gptwright.configs.improve import BEST_WEIGHT
from gptwright.foundations.errors import GptwrightError
from gptwright.foundations.intake import Intake
from gptwright.foundations.runs import FROM_STORE
from gptwright.pipelines.ancestry import Ancestor
from gptwright.pipelines.model import Model
from gptwright.reporting.why.evidence import Origin
from gptwright.reporting.why.texts import Text
from gptwright.reporting.why.unweighed import unweighed
from gptwright.store.ranking_lines import Ranking, read_rankings
from gptwright.text.bundled_licences import licence_of_file
from gptwright.text.heldout import assign_splits
from gptwright.text.pack import TokenFile
from gptwright.tokenizers.tokenizer import Tokenizer

T = TypeVar("T")
SEEN = ("solutions", "edits", "conversations", "rankings")
"""fields of stages whose files are looked at"""


@dataclass(frozen=True)
class Shown:
    """A demonstration, its texts as (role, text), and where it stands."""

    demonstration: Demonstration
    turns: Sequence[tuple[str, str]]
    where: str


@dataclass(frozen=True)
class Direct:
    """Rankings that moved a policy itself, and the policy with which it began."""

    stage: str
    rankings: Sequence[Ranking]
    reference: Path
    loss: DirectLoss


@dataclass
class Learned:
    """What was found. `reward` is the folder of the reward model that learned the rankings."""

    texts: list[Text] = field(default_factory=list[Text])
    shown: list[Shown] = field(default_factory=list[Shown])
    direct: list[Direct] = field(default_factory=list[Direct])
    reward: Path | None = None
    rankings: list[Ranking] = field(default_factory=list[Ranking])
    files: dict[str, Path] = field(default_factory=dict[str, Path])
    """those of demonstrations and rankings, by how `where` names them"""
    notes: list[str] = field(default_factory=list[str])

    @property
    def empty(self) -> bool:
        """Whether there is nothing to compare an answer with."""
        return not (self.texts or self.shown or self.direct or self.rankings)

    def origin(self, where: str) -> Origin:
        """Of a line, by "line 3 of FILE"."""
        line, _, name = where.partition(" of ")
        path = self.files.get(name)
        return Origin(path.name if path else name, line, (licence_of_file(path) or "") if path else "")

    def read(self, path: Path, how: Callable[[Path], Iterable[T]]) -> list[T]:
        """What is in a file; of one that cannot be read the reason is noted."""
        self.files[str(path)] = path
        try:
            return list(how(path))
        except GptwrightError as error:
            self.notes.append(f"{path} cannot be read: {error}")
            return []


def learned(ancestors: Sequence[Ancestor], model: Model) -> Learned:
    """What a model's stage and those before it learned. Files that are gone or changed are told in `notes`, and stages
    that learned what cannot be weighed."""
    found = Learned()
    for each in ancestors:
        stage = each.path.name
        for name, where in each.lost.items():
            if name.split("[")[0] in (*SEEN, "tokens", "text", "reward"):
                found.notes.append(f"{stage} read {where}, which is not there: give it back its place to see it")
        for name in sorted(each.changed):
            if name.split("[")[0] in SEEN:
                found.notes.append(f"{each.inputs[name]} was changed since {stage} read it: lines may be others")
    _take_texts(ancestors, found)
    _take_conversations(ancestors, model, found)
    _take_solutions(ancestors, model, found)
    _take_direct(ancestors, found)
    _take_rankings(ancestors, found)
    found.notes += unweighed(ancestors)
    return found


def _take_texts(ancestors: Sequence[Ancestor], found: Learned) -> None:
    for each in ancestors:
        if each.verb != "tokenize":
            continue
        try:
            tokens = TokenFile.open(each.path / "train")
            tokenizer = Tokenizer.load(each.path)
        except GptwrightError as error:
            found.notes.append(f"the text of {each.path.name} cannot be read: {error}")
            continue
        if not tokens.meta.pairs:
            prepared = each.inputs.get("text")
            found.texts.append(Text(tokens, tokenizer, prepared if prepared and prepared.is_dir() else None))


def _take_conversations(ancestors: Sequence[Ancestor], model: Model, found: Learned) -> None:
    intake, read = Intake("why"), list[Conversation]()
    for path in _files([each for each in ancestors if each.verb != "vision"], "conversations"):
        lines = found.read(path, partial(read_conversations, intake=intake))
        read += [each for each in lines if each.split != "heldout"]
    for path in _files([each for each in ancestors if each.verb == "sft"], "rankings"):
        read += best_answers([found.read(path, read_rankings)], intake)
    for conversation in read:
        try:
            shown = demonstrations([conversation], model.tokenizer, model.context, intake)
        except GptwrightError as error:  # the tokenizer has no template
            found.notes.append(f"the conversations cannot be read: {error}")
            return
        turns = [(message["role"], message["content"]) for message in conversation.messages]
        found.shown += [Shown(each, turns, conversation.where) for each in shown]


def _take_solutions(ancestors: Sequence[Ancestor], model: Model, found: Learned) -> None:
    intake = Intake("why")
    coded = [each for each in ancestors if each.verb == "codex"]
    for name, reader in (("solutions", read_solutions), ("edits", read_edits)):
        how = partial(reader, tokenizer=model.tokenizer, context=model.context, intake=intake)
        files = [found.read(path, how) for path in _files(coded, name)]
        if any(files):
            train = assign_splits(files, lambda each: each.prompt, lambda each: each.split).train
            found.shown += [Shown(each.demonstration, list(each.texts.items()), each.where) for each in train]


def _take_direct(ancestors: Sequence[Ancestor], found: Learned) -> None:
    for each in ancestors:
        if not (loss := _direct_loss(each)):
            continue
        paths = [each.path / "rankings.jsonl"] if each.verb == "improve" else _files([each], "rankings")
        lines = [line for path in paths for line in found.read(path, read_rankings)]
        if reference := each.inputs.get("policy"):
            rankings = [line for line in lines if line.split != "heldout"]
            found.direct.append(Direct(each.path.name, rankings, reference, loss))
        else:
            found.notes.append(f"the policy with which {each.path.name} began is not there: its rankings are not "
                               "weighed")  # fmt: skip


def _direct_loss(stage: Ancestor) -> DirectLoss | None:
    """What a stage learned of rankings by themselves: dpo, and improve where it trained no reward model."""
    config = stage.config
    if stage.verb == "dpo":
        return DirectLoss(beta=config["beta"], smoothing=config["label_smoothing"], best_weight=config["best_weight"])
    if stage.verb == "improve" and not (stage.path / "reward").exists():
        return DirectLoss(beta=DPO.beta, best_weight=BEST_WEIGHT)
    return None


def _take_rankings(ancestors: Sequence[Ancestor], found: Learned) -> None:
    """Of the reward model that was learned from last; in dpo one only judges."""
    taught = [each.inputs["reward"].resolve() for each in ancestors if each.verb != "dpo" and "reward" in each.inputs]
    within = [(each.path / "reward", [each.path / "rankings.jsonl"]) for each in ancestors
              if each.verb == "improve" and (each.path / "reward").exists()]  # fmt: skip
    rewards = [(each.path, _files([each], "rankings")) for each in ancestors
               if each.verb == "reward" and not each.config.get("shuffled") and _leaves(each, taught)]  # fmt: skip
    for folder, paths in (*within, *rewards)[:1]:
        found.reward = folder
        lines = [line for path in paths for line in found.read(path, read_rankings)]
        found.rankings = [line for line in lines if line.split != "heldout"]


def _leaves(stage: Ancestor, models: Sequence[Path]) -> bool:
    return any(model == stage.path or stage.path in model.parents for model in models)


def _files(stages: Sequence[Ancestor], field: str) -> list[Path]:
    """The files of a field of any of the stages, and what they took from a store, each once."""
    stored = {"conversations": "demonstrations", "rankings": "rankings"}.get(field)
    paths = [path for stage in stages for _, path in stage.files(field)]
    paths += [path for stage in stages if (path := stage.path / FROM_STORE / f"{stored}.jsonl").is_file()]
    return [path for path in dict.fromkeys(paths) if path.stat().st_size]
