"""A model with its tokenizer, ready to be talked to. What a stage folder, a Hugging Face folder or a preset gives."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.engine.reply import Reply
from gptwright.engine.sampling import Sampling
from gptwright.foundations.device import device_of
from gptwright.foundations.errors import InputError
from gptwright.generation.decode import answer_all, check_prompt, decode
from gptwright.generation.export import export
from gptwright.models.decoder import Decoder
from gptwright.tokenizers.chat import Message, prompt_ids
from gptwright.tokenizers.tokenizer import Tokenizer


@dataclass(frozen=True)
class Piece:
    """The next bit of a reply. `finish` is set on the last one; the counts are those so far."""

    text: str
    finish: Literal["stop", "length"] | None
    prompt_tokens: int
    completion_tokens: int


class Model:
    """A language model and its tokenizer."""

    def __init__(self, network: Decoder, tokenizer: Tokenizer, name: str, sampling: Sampling | None = None) -> None:
        self.network, self.tokenizer, self.name = network, tokenizer, name
        self.sampling = sampling or Sampling()
        self.context: int = network.config.context

    @torch.inference_mode()
    def logits(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Raw scores of the next token at every position, in float32. Raises `InputError` beyond the context."""
        if ids.shape[1] > self.context:
            raise InputError(
                f"at most {self.context} tokens, the model's context", str(ids.shape[1]), "Shorten the text."
            )
        return self.network.logits(self.network.hidden(ids.to(device_of(self.network))))

    def generate(self, prompt: str, *, max_tokens: int = 128, temperature: float = 0.7, seed: int | None = None) -> str:
        """Continues a text."""
        sampling = replace(self.sampling, max_tokens=max_tokens, temperature=temperature, seed=seed)
        return "".join(piece.text for piece in self.stream(prompt, sampling))

    def chat(
        self,
        messages: Sequence[Message],
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> str:
        """The assistant's reply to a conversation; what is not given is as the model's folder says."""
        asked = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed}
        sampling = replace(self.sampling, **{k: v for k, v in asked.items() if v is not None})
        return "".join(piece.text for piece in self.stream_chat(messages, sampling))

    def stream(self, prompt: str, sampling: Sampling) -> Iterator[Piece]:
        """Continues a text, piece by piece. Raises `InputError` when it fills the context."""
        begin = [] if self.tokenizer.begin is None else [self.tokenizer.begin]
        return self._stream([*begin, *self.tokenizer.encode(prompt)], sampling, begins=False)

    def stream_chat(self, messages: Sequence[Message], sampling: Sampling) -> Iterator[Piece]:
        """Replies to a conversation, piece by piece. Raises `InputError` when it fills the context."""
        return self._stream(prompt_ids(messages, self.tokenizer), sampling, begins=True)

    def save(self, folder: Path, **how: Any) -> None:
        """Writes a Hugging Face folder; `how` is that of `generation.export.export`."""
        export(self.network, self.tokenizer, folder, self.sampling, **how)

    def answers(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[str]:
        """One text a prompt of ids, many at once."""
        found = answer_all(self.network, prompts, sampling, self.tokenizer.stop_ids)
        return [self._text(answer.ids, sampling).strip() for answer in found]

    def _text(self, ids: Sequence[int], sampling: Sampling) -> str:
        return "".join(piece.text for piece in self._pieces(iter(ids), 0, sampling))

    def _stream(self, ids: list[int], sampling: Sampling, *, begins: bool) -> Iterator[Piece]:
        check_prompt(ids, self.context)
        seed = secrets.randbits(62) if sampling.seed is None else sampling.seed
        steps = decode(self.network, [ids], sampling, self.tokenizer.stop_ids, [seed])
        tokens = (int(drawn.tokens[0]) for drawn in steps)
        return self._pieces(tokens, len(ids), sampling, begins)

    def _pieces(
        self, tokens: Iterator[int], prompt_tokens: int, sampling: Sampling, begins: bool = True
    ) -> Iterator[Piece]:
        reply = Reply(self.tokenizer, sampling, begins=begins)
        for token in tokens:
            if text := reply.feed(token):
                yield Piece(text, None, prompt_tokens, reply.tokens)
            if reply.stopped:
                break
        yield Piece(reply.finish(), reply.finish_reason, prompt_tokens, reply.tokens)
