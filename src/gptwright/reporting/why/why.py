"""`why`: everything that can be shown of where an answer of a model comes from."""

from collections.abc import Sequence

import torch

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.pipelines.ancestry import Ancestor
from gptwright.pipelines.model import Model
from gptwright.reporting.why.evidence import Evidence, marked
from gptwright.reporting.why.influence import of_demonstrations, of_pairs, of_rankings
from gptwright.reporting.why.learned import Learned, learned
from gptwright.reporting.why.passages import by_state, by_words, said
from gptwright.reporting.why.question import Question


@torch.inference_mode(False)
def why(
    model: Model, answer: str, ancestors: Sequence[Ancestor], *, question: Question | None = None, most: int = 3
) -> Evidence:
    """`most` of each kind. `question`: what is answered; without it no demonstration is weighed, for an answer is one
    to something.

    Raises `InputError` for an empty answer or one beyond the context, `ArtifactError` where nothing that the model
    learned is there.
    """
    ids = _ids(model, answer)
    found = learned(ancestors, model)
    if found.empty:
        raise _nothing(model, ancestors, found)
    words = by_words(answer, ids, model, found, most)
    near, compared = by_state(ids, model, found, most)
    asked = question.turns if question else []
    evidence = Evidence(model.name, asked, marked(said(model.tokenizer, ids), words.spans), words.passages, near)
    evidence.notes += [*found.notes, *([compared] if compared else [])]
    if not found.texts:
        evidence.notes.append("no text of the corpus is there: passages are those of the demonstrations")
    if question is not None:
        _weigh(evidence, question, answer, model, found, most)
    elif found.shown or found.direct or found.rankings:
        evidence.notes.append("without --prompt, what was asked, demonstrations and rankings are not weighed")
    return evidence


def _weigh(evidence: Evidence, question: Question, answer: str, model: Model, found: Learned, most: int) -> None:
    own = question.answered(answer, model)
    if own is None:
        evidence.notes.append(
            f"what was asked and the answer are more than {model.context:,} tokens: nothing is weighed"
        )
        return
    if not found.shown:
        evidence.notes.append("the model learned no demonstrations that are there")
    evidence.demonstrations = of_demonstrations(own, model, found, most)
    if question.text is not None:
        return
    evidence.pairs, unweighed = of_pairs(own, model, found, most)
    evidence.rankings, reason = of_rankings(question, answer, model, found, most)
    evidence.notes += [*unweighed, *([reason] if reason else [])]


def _ids(model: Model, answer: str) -> list[int]:
    ids = model.tokenizer.encode(answer)
    if not answer.strip() or not ids:
        raise InputError("an answer", "none", "Give its text, or a --prompt for the model to answer.")
    if len(ids) > model.context:
        raise InputError(f"an answer of at most {model.context:,} tokens, the model's context", f"{len(ids):,}",
                         "Give the part that you ask about.")  # fmt: skip
    return ids


def _nothing(model: Model, ancestors: Sequence[Ancestor], found: Learned) -> ArtifactError:
    stages = ", ".join(each.path.name for each in ancestors)
    return ArtifactError(f"text, demonstrations or rankings that {model.name} learned",
                         "; ".join(found.notes) or f"none in {stages}",
                         "Bring the files back to where they were; gptwright see shows what the model makes of a text "
                         "without them.")  # fmt: skip
