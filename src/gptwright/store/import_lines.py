"""Lines of labels taken into a store, in our shapes and those of TRL and OpenRLHF."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

from sqlalchemy.orm import Session

from gptwright.store.imports import take_demonstration, take_ranking
from gptwright.store.messages import digest
from gptwright.store.offline_lines import take_offline
from gptwright.store.ranking_lines import read_ranking
from gptwright.store.rows import load_rows
from gptwright.text.jsonl import Line
from gptwright.tokenizers.chat_templates.chat import read_messages

OWN = {"messages", "prompt", "answers", "ranks", "chosen", "rejected", "labeller", "model", "models"}
"""fields of a line that have a place of their own in the store"""


def take_rankings(session: Session, lines: Sequence[Line]) -> int:
    """Rankings and pairs; how many were not there. Raises as `read_ranking` does."""
    rankings = [read_ranking(line) for line in lines]
    found = [
        {"turns": ranking.messages, "answers": ranking.answers, "ranks": ranking.ranks, "author": ranking.labeller}
        | _models_and_fields(ranking.line, len(ranking.answers))
        for ranking in rankings
    ]
    return sum(take_ranking(session, **line, copy=copy) for line, copy in _copies(found))


def _models_and_fields(line: Line, count: int) -> dict[str, Any]:
    """Who wrote each answer, and all that has no place of its own in the store."""
    fields = {name: value for name, value in line.items() if name not in OWN}
    model, models = line.get("model"), line.get("models")
    if isinstance(models, list) and len(cast("list[Any]", models)) == count:
        return {"models": [str(name) for name in cast("list[Any]", models)], "fields": fields}
    return {"models": [str(model or "")] * count, "fields": fields}


def take_demonstrations(session: Session, lines: Sequence[Line]) -> int:
    """Conversations that show what to say; how many were not there. Raises as `read_messages` does."""
    found = [
        {
            "turns": read_messages(line.get("messages"), line.where),
            "author": str(line.get("labeller") or ""),
            "fields": {name: value for name, value in line.items() if name not in ("messages", "labeller")},
        }
        for line in lines
    ]
    return sum(take_demonstration(session, **line, copy=copy) for line, copy in _copies(found))


def _copies(found: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], int]]:
    """Each with how often the same was there before it."""
    before: Counter[str] = Counter()
    for line in found:
        key = digest(line)
        yield line, before[key]
        before[key] += 1


READERS: Mapping[str, Callable[[Session, Sequence[Line]], int]] = {
    "rankings": take_rankings,
    "trl": take_rankings,
    "openrlhf": take_rankings,
    "demonstrations": take_demonstrations,
    "offline": take_offline,
    "rows": load_rows,
}
