"""`why`: everything that can be shown of where an answer of a model comes from."""

from collections.abc import Sequence

import torch

from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.pipelines.ancestry import Ancestor
from gptwright.pipelines.model import Model
from gptwright.reporting.why.evidence import Evidence, marked
from gptwright.reporting.why.learned import Learned, learned
from gptwright.reporting.why.passages import by_state, by_words, said
from gptwright.reporting.why.pushes import of_demonstrations, of_rankings
from gptwright.tokenizers.chat_templates.chat import Message


@torch.inference_mode(False)
def why(
    model: Model, answer: str, ancestors: Sequence[Ancestor], *, prompt: str | None = None, most: int = 3
) -> Evidence:
    """`most` of each kind. `prompt`: what was asked; without it no demonstration is weighed, for an answer is one to
    something.

    Raises `InputError` for an empty answer or one beyond the context, `ArtifactError` where nothing that the model
    learned is there.
    """
    ids = _ids(model, answer)
    found = learned(ancestors, model)
    if not (found.texts or found.shown or found.rankings):
        raise _nothing(model, ancestors, found)
    words = by_words(answer, ids, model, found, most)
    near, compared = by_state(ids, model, found, most)
    evidence = Evidence(model.name, prompt, marked(said(model.tokenizer, ids), words.spans), words.passages, near)
    evidence.notes += [*found.notes, *([compared] if compared else [])]
    if not found.texts:
        evidence.notes.append("no text of the corpus is there: passages are those of the conversations")
    if prompt is None:
        if found.shown or found.rankings:
            evidence.notes.append("without --prompt, what was asked, demonstrations and rankings are not weighed")
        return evidence
    _weigh(evidence, [Message(role="user", content=prompt)], answer, model, found, most)
    return evidence


def _weigh(evidence: Evidence, asked: Sequence[Message], answer: str, model: Model, found: Learned, most: int) -> None:
    if found.shown:
        evidence.demonstrations = of_demonstrations(asked, answer, model, found, most)
    else:
        evidence.notes.append("the model learned no conversations that are there")
    evidence.rankings, reason = of_rankings(asked, answer, model, found, most)
    if reason:
        evidence.notes.append(reason)


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
    return ArtifactError(f"text, conversations or rankings that {model.name} learned",
                         "; ".join(found.notes) or f"none in {stages}",
                         "Bring the files back to where they were; gptwright see shows what the model makes of a text "
                         "without them.")  # fmt: skip
