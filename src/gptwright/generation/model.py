"""A model with its tokenizer, ready to be talked to. What a stage folder, a Hugging Face folder or a preset gives."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.foundations.durable import read_json
from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.foundations.runs import RECORD, finished_stage
from gptwright.generation.decode import answer_all, check_prompt, decode
from gptwright.generation.sampling import Sampling
from gptwright.generation.stops import StopTexts
from gptwright.models.decoder import Decoder
from gptwright.models.heads import RewardModel
from gptwright.models.huggingface import read_model
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
        self.stop_ids = tokenizer.stop_ids

    @torch.inference_mode()
    def logits(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Raw scores of the next token at every position, in float32. Raises `InputError` beyond the context."""
        if ids.shape[1] > self.context:
            raise InputError(
                f"at most {self.context} tokens, the model's context", str(ids.shape[1]), "Shorten the text."
            )
        return self.network.logits(self.network.hidden(ids))

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

    def answers(self, prompts: Sequence[Sequence[int]], sampling: Sampling) -> list[str]:
        """One text a prompt of ids, many at once."""
        found = answer_all(self.network, prompts, sampling, self.stop_ids)
        return [_before_stop(self.tokenizer.decode(answer.ids), sampling.stop).strip() for answer in found]

    def _stream(self, ids: list[int], sampling: Sampling, *, begins: bool) -> Iterator[Piece]:
        check_prompt(ids, self.context)
        seed = secrets.randbits(62) if sampling.seed is None else sampling.seed
        steps = decode(self.network, [ids], sampling, self.stop_ids, torch.Generator().manual_seed(seed))
        tokens = (int(drawn.tokens[0]) for drawn in steps)
        return self._pieces(tokens, len(ids), sampling, begins)

    def _pieces(
        self, tokens: Iterator[int], prompt_tokens: int, sampling: Sampling, begins: bool = True
    ) -> Iterator[Piece]:
        stops = StopTexts(sampling.stop)
        count, finish = 0, "length"
        text_of = self.tokenizer.streaming_decoder(begins)
        for token in tokens:
            count += 1
            if token in self.stop_ids:
                finish = "stop"
                break
            if text := stops.feed(text_of(token)):
                yield Piece(text, None, prompt_tokens, count)
            if stops.met:
                finish = "stop"
                break
        last = "" if stops.met else stops.feed(text_of.flush())
        yield Piece(last if stops.met else last + stops.rest(), finish, prompt_tokens, count)


def _before_stop(text: str, stop: tuple[str, ...]) -> str:
    stops = StopTexts(stop)
    shown = stops.feed(text)
    return shown if stops.met else shown + stops.rest()


def load(path: str | Path) -> Model:
    """Opens a stage folder, or a Hugging Face folder of a decoder in the catalogue.

    Raises `ArtifactError` when nothing there can be opened, and `InputError` when the path does not exist.
    """
    folder = model_folder(Path(path))
    return model_of(read_model(folder), folder, Path(path))


def model_of(network: nn.Module, folder: Path, given: Path) -> Model:
    """The folder's network with its tokenizer. Raises `ArtifactError` when it is no decoder."""
    if not isinstance(network, Decoder):
        scores = isinstance(network, RewardModel)
        got = "a reward model, which scores answers and writes none" if scores else "an encoder, which writes nothing"
        raise ArtifactError(f"a language model in {given}", got, "Give the folder of a decoder's pretrain, sft or ppo.")
    return Model(network, Tokenizer.load(folder), given.resolve().name, _defaults(folder))


def model_folder(given: Path) -> Path:
    """The Hugging Face folder in a stage's folder, or the folder itself when it is one."""
    if not given.exists():
        raise InputError(
            f"a model at {given}", "nothing there", "Give the folder of a stage, such as runs/start/04-sft."
        )
    folder = given
    if (given / RECORD).is_file():
        finished_stage(given)
        folder = given / "model"
    if not (folder / "config.json").is_file():
        raise ArtifactError(f"a model in {given}", "a folder without one",
                            "Give the folder of pretrain, sft or ppo, or a Hugging Face folder.")  # fmt: skip
    return folder


def _defaults(folder: Path) -> Sampling:
    path = folder / "generation_config.json"
    given = read_json(path) if path.is_file() else {}
    names = {"max_new_tokens": "max_tokens", "temperature": "temperature", "top_k": "top_k", "top_p": "top_p"}
    settings: dict[str, Any] = {ours: given[theirs] for theirs, ours in names.items() if given.get(theirs) is not None}
    if given.get("do_sample") is False:
        settings["temperature"] = 0.0
    return Sampling(**settings)
