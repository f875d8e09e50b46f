"""The models behind one server, by name: those that write, and classifiers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from gptwright.serving.api_errors import APIError
from gptwright.serving.choices import IndexedChunk
from gptwright.serving.classifications import ClassificationBatches, Classified
from gptwright.serving.worker import Worker

if TYPE_CHECKING:
    from gptwright.pipelines.model import Model
    from gptwright.pipelines.sequence_scorer import SequenceScorer

T = TypeVar("T")
LATEST = "latest"
"""of those that write, the one that answers who names none"""


class Origin(TypedDict, total=False):
    """Where a model comes from, as far as is known, and what else it is called."""

    weights: str
    """SHA-256"""
    stage: str | None
    run: str | None
    base: str | None
    """name of the model it was made of"""
    created: int
    """seconds since 1970"""
    aliases: list[str]


@dataclass(frozen=True)
class ServedModel:
    """A model that writes, the worker whose thread runs it, and that of the texts which it embeds."""

    name: str
    model: "Model"
    worker: Worker[IndexedChunk]
    weights: str
    """SHA-256 of the weights, where it is known"""
    batches: ClassificationBatches
    embedding_worker: Worker[Classified]


@dataclass(frozen=True)
class ServedClassifier:
    """A classifier, what it reads together, and the worker whose thread runs it."""

    name: str
    scorer: "SequenceScorer"
    batches: ClassificationBatches
    worker: Worker[Classified]


class ServedModels:
    """All of them; a name belongs to one."""

    def __init__(
        self,
        models: "Mapping[str, Model]",
        classifiers: "Mapping[str, SequenceScorer]",
        origins: Mapping[str, Origin],
    ) -> None:
        self.origins = dict(origins)
        self.writers = {name: _writer(name, model, origins.get(name, {})) for name, model in models.items()}
        self.classifiers = {name: _classifier(name, scorer) for name, scorer in classifiers.items()}
        self.all: dict[str, ServedModel | ServedClassifier] = {**self.writers, **self.classifiers}
        self.workers: list[Worker[Any]] = [one.worker for one in self.all.values()]
        self.workers += [one.embedding_worker for one in self.writers.values()]

    def add(self, name: str, model: "Model", origin: Origin) -> None:
        """Another model that writes, behind the others."""
        self.origins[name] = origin
        self.writers = {**self.writers, name: _writer(name, model, origin)}
        self.all = {**self.writers, **self.classifiers}
        self.workers += [self.writers[name].worker, self.writers[name].embedding_worker]

    def put_first(self, name: str) -> None:
        """From now on this one answers who names none."""
        self.writers = {name: self.writers[name], **self.writers}
        self.all = {**self.writers, **self.classifiers}

    def aliases_of(self, name: str) -> list[str]:
        """The other names of a model."""
        own = self.origins.get(name, {}).get("aliases", [])
        return [*own, LATEST] if name == self._known(LATEST) and name != LATEST else own

    def _known(self, name: str) -> str:
        """The name that is served under this one, where there is one."""
        if name in self.all:
            return name
        if name == LATEST:
            return next(iter(self.writers), name)
        return next((one for one, origin in self.origins.items() if name in origin.get("aliases", [])), name)

    def find(self, name: str) -> ServedModel | ServedClassifier:
        """The model of this name. Raises `APIError` (404) with the names of those that are served."""
        return self._find(name, self.all, "")

    def writer(self, name: str | None) -> ServedModel:
        """The model that writes of this name, or the first. Raises as `find` does, and `APIError` (400) for a
        classifier."""
        return self._find(name, self.writers, "is a classifier, which writes nothing: ask it at /v1/moderations")

    def classifier(self, name: str | None) -> ServedClassifier:
        """The classifier of this name, or the first. Raises as `find` does, and `APIError` (400) for a model that
        writes."""
        return self._find(name, self.classifiers, "is no classifier: ask it at /v1/chat/completions or /v1/completions")

    def _find(self, name: str | None, wanted: Mapping[str, T], otherwise: str) -> T:
        name = next(iter(wanted), "") if name is None else self._known(name)
        if name in wanted:
            return wanted[name]
        if name in self.all:
            raise APIError(400, f"The model '{name}' {otherwise}.", param="model", code="model_not_supported")
        names = ", ".join(f"'{known}'" for known in self.all)
        what = f"The model '{name[:80]}' does not exist here" if name else "No model here can answer this"
        raise APIError(404, f"{what}; this server has {names}.", param="model", code="model_not_found")


def _writer(name: str, model: "Model", origin: Origin) -> ServedModel:
    batches = ClassificationBatches(model.embeddings)
    worker = Worker(model.engine.step, max_running=model.max_requests)
    return ServedModel(name, model, worker, origin.get("weights", ""), batches, Worker(batches.step))


def _classifier(name: str, scorer: "SequenceScorer") -> ServedClassifier:
    batches = ClassificationBatches(scorer.probabilities)
    return ServedClassifier(name, scorer, batches, Worker(batches.step))
