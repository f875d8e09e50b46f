"""How likely every token was, in the two ways in which OpenAI's answers say it.

A token's text is its bytes as UTF-8, with U+FFFD where they are only a part of a character.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from gptwright.inference.stream import TokenLogprob
    from gptwright.tokenizers.tokenizer import Tokenizer

Spell = Callable[[int], tuple[str, list[int] | None]]
"""An id's text, and its bytes if it has any of its own"""
LEAST = -9999.0  # JSON has no infinity


class ChatLogprobs(TypedDict):
    """A choice's `logprobs` in a chat completion."""

    content: list[dict[str, object]]
    refusal: None


def token_speller(tokenizer: "Tokenizer") -> Spell:
    """Control tokens are called by their names, and have no bytes."""

    def spell(id: int) -> tuple[str, list[int] | None]:
        said = tokenizer.token_bytes(id)
        if said is None:
            return tokenizer.backend.id_to_token(id) or "", None
        return said.decode("utf-8", "replace"), list(said)

    return spell


def chat_logprobs(tokens: "Sequence[TokenLogprob]", spell: Spell) -> ChatLogprobs:
    """A list, each token with those that were likeliest in its place."""

    def one(id: int, logprob: float) -> dict[str, object]:
        text, said = spell(id)
        return {"token": text, "logprob": max(logprob, LEAST), "bytes": said}

    content = [
        {**one(noted.id, noted.logprob or 0.0), "top_logprobs": [one(id, value) for id, value in noted.top.items()]}
        for noted in tokens
    ]
    return {"content": content, "refusal": None}


def text_logprobs(tokens: "Sequence[TokenLogprob]", spell: Spell) -> dict[str, object]:
    """Lists side by side. The token that was drawn is always among the likeliest; of two that read the same, the
    likelier is told."""

    def likeliest(noted: "TokenLogprob") -> Mapping[str, float] | None:
        if noted.logprob is None:
            return None
        found: dict[str, float] = {}
        for id, value in {**noted.top, noted.id: noted.logprob}.items():
            found.setdefault(spell(id)[0], max(value, LEAST))
        return found

    return {
        "tokens": [spell(noted.id)[0] for noted in tokens],
        "token_logprobs": [None if noted.logprob is None else max(noted.logprob, LEAST) for noted in tokens],
        "top_logprobs": [likeliest(noted) for noted in tokens],
        "text_offset": [noted.offset for noted in tokens],
    }
