"""A model with its tokenizer, ready to be talked to. What a stage folder, a Hugging Face folder or a preset gives."""

import secrets
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Unpack

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gptwright.foundations.device import device_of
from gptwright.foundations.errors import ConfigError, InputError
from gptwright.inference.content import Content
from gptwright.inference.engine import Engine
from gptwright.inference.grammar import GrammarCompiler, Matcher
from gptwright.inference.packed_model import pack_model
from gptwright.inference.sampler import derive_seed
from gptwright.inference.sampling import Sampling
from gptwright.inference.speculative import check_draft
from gptwright.inference.stream import Chunk, Prompt, Stream, StreamOptions
from gptwright.inference.token_healing import Beginnings, BeginsWith, Healed, heal
from gptwright.models.decoder import Decoder
from gptwright.pipelines.generation_config import UNSAID, GenerationConfig
from gptwright.pipelines.loaded_model import LoadedModel
from gptwright.pipelines.truncation import drop_oldest_turns, nearest_to_hole, room_for_prompt
from gptwright.tokenizers.chat_templates.chat import Message, prompt_ids
from gptwright.tokenizers.chat_templates.template import Tool
from gptwright.tokenizers.edits import EditMarks
from gptwright.tokenizers.fill_in_the_middle import Sentinels
from gptwright.tokenizers.padding import padded
from gptwright.tokenizers.token_bytes import token_bytes_of
from gptwright.tokenizers.tokenizer import Tokenizer

DRAFTS = 8  # proposed a step at most: a text that repeats what was said is written several tokens at a time


class Model(LoadedModel):
    """A language model and, to read and write texts, its tokenizer.

    It generates in the number format `dtype`, at most `max_requests` texts at once, whose keys and values take
    `kv_cache_gb` GiB at most.
    """

    def __init__(
        self,
        network: Decoder,
        tokenizer: Tokenizer | None,
        name: str,
        defaults: GenerationConfig = UNSAID,
        *,
        dtype: str = "auto",
        kv_cache_gb: float = 1.0,
        max_requests: int = 128,
    ) -> None:
        super().__init__(network, tokenizer, name, defaults)
        self.dtype = dtype
        self.kv_cache_gb, self.max_requests = kv_cache_gb, max_requests
        self.sampling = defaults.sampling
        self.draft: Decoder | None = None

    def use_draft(self, draft: "Model") -> None:
        """From now on a smaller model proposes tokens: the texts stay the same and come sooner where it is often right.

        Raises `ConfigError` unless it has the same tokenizer.
        """
        ours, theirs = (model.tokenizer.backend.get_vocab() for model in (self, draft))
        if ours != theirs:
            raise ConfigError(f"a draft model with the tokenizer of {self.name}", f"{draft.name}, which has another",
                              "Use one that was trained with the same tokenizer.")  # fmt: skip
        check_draft(self.network, draft.network)
        self.draft = draft.network

    @torch.inference_mode()
    def logits(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Raw scores of the next token at every position, in float32. Raises `InputError` beyond the context."""
        self.require_context(ids.shape[1])
        return self.network.logits(self.network.hidden(ids.to(device_of(self.network))))

    @property
    def width(self) -> int:
        """Numbers of an embedding."""
        return self.network.config.width

    @torch.inference_mode()
    def embeddings(self, rows: Sequence[Sequence[int]]) -> Float[Tensor, "N C"]:
        """A vector of length 1 for each text of ids: the mean of what the output matrix sees at its tokens.

        Raises `InputError` for a text beyond the context, or an empty one.
        """
        if not all(rows):
            raise InputError("texts of at least one token", "an empty one", "Leave it out.")
        self.require_context(max(map(len, rows), default=0))
        device = device_of(self.network)
        counts = torch.tensor([[len(row)] for row in rows], device=device)
        states = self.network.hidden(padded(rows, 0).to(device)).float()  # what is padded stands behind, unseen
        is_text = torch.arange(states.shape[1], device=device) < counts
        return nn.functional.normalize((states * is_text[..., None]).sum(1), dim=-1)

    def generate(self, prompt: str, *, max_tokens: int = 128, temperature: float = 0.7, seed: int | None = None) -> str:
        """Continues a text."""
        sampling = replace(self.sampling, max_tokens=max_tokens, temperature=temperature, seed=seed)
        return "".join(chunk.text for chunk in self.stream(prompt, sampling))

    def generate_ids(self, ids: Sequence[int], sampling: Sampling | None = None) -> list[int]:
        """Continues a text of ids: the ids that follow, the one that ended it included. Needs no tokenizer.

        Raises `InputError` when the prompt fills the context.
        """
        (request,) = self.engine.generate([list(ids)], sampling or self.sampling)
        return request.answer

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
        return "".join(chunk.text for chunk in self.stream_chat(messages, sampling))

    def stream(self, prompt: str, sampling: Sampling) -> Generator[Chunk]:
        """Continues a text, piece by piece. Raises `InputError` when it fills the context."""
        return self.open_stream(self.text_ids(prompt), sampling, starts_text=False).chunks()

    def insert(self, prefix: str, suffix: str, sampling: Sampling) -> Generator[Chunk]:
        """Writes what stands between two texts, piece by piece. Raises as `open_insertion` does."""
        return self.open_insertion(prefix, suffix, sampling).chunks()

    def edit(self, text: str, instruction: str, sampling: Sampling) -> Generator[Chunk]:
        """Writes a text as an instruction wants it, piece by piece. Raises as `open_edit` does."""
        return self.open_edit(text, instruction, sampling).chunks()

    def stream_chat(self, messages: Sequence[Message], sampling: Sampling) -> Generator[Chunk]:
        """Replies to a conversation, piece by piece. Raises `InputError` when it fills the context."""
        return self.open_chat(messages, sampling).chunks()

    def text_ids(self, prompt: str) -> list[int]:
        """What is read of a text that is to be continued."""
        begin = [] if self.tokenizer.bos_id is None else [self.tokenizer.bos_id]
        return [*begin, *self.tokenizer.encode(prompt)] or (
            [] if self.tokenizer.declared_bos_id is None else [self.tokenizer.declared_bos_id]
        )

    def text_prompt(self, prompt: str | Sequence[int]) -> Prompt:
        """A text, given as text or as ids, to be continued; ids are read as they are."""
        if isinstance(prompt, str):
            ids = self.text_ids(prompt)
            return Prompt(ids, prompt, len(ids) - len(self.tokenizer.encode(prompt)))
        characters = self.tokenizer.streaming_decoder()
        return Prompt(prompt, "".join(characters(id) for id in prompt) + characters.flush())

    def chat_ids(self, messages: Sequence[Message], tools: Sequence[Tool] = (), begun: str = "") -> list[int]:
        """What is read of a conversation that is to be replied to, by words or by calls of `tools`; `begun`: text with
        which the reply begins."""
        return [*prompt_ids(messages, self.tokenizer, tools), *(self.tokenizer.encode(begun) if begun else ())]

    @property
    def sees(self) -> bool:
        """Whether conversations may have images in them."""
        return False

    @property
    def inserts(self) -> bool:
        """Whether it was taught to write what stands between two texts."""
        return Sentinels.known(self.tokenizer) is not None

    @property
    def edits(self) -> bool:
        """Whether it was taught to write a text as an instruction wants it."""
        return EditMarks.known(self.tokenizer) is not None

    @property
    def sight(self) -> str:
        """A hash of what brings images to the decoder, of a model that sees: where it is equal, an image is the same
        tokens."""
        return ""

    def truncated(
        self, messages: Sequence[Message], sampling: Sampling, tools: Sequence[Tool] = (), begun: str = ""
    ) -> list[Message]:
        """The conversation without the oldest turns, as many as must go for the rest and a reply to fit the context."""
        most = room_for_prompt(self.context, sampling.max_tokens)
        return drop_oldest_turns(messages, lambda some: len(self.chat_ids(some, tools, begun)), most)

    def answers(
        self,
        prompts: Sequence[Sequence[int]],
        sampling: Sampling,
        *,
        starts_text: bool = True,
        contents: Sequence[Mapping[int, Content]] | None = None,
        heal: bool = False,
    ) -> list[str]:
        """One text a prompt of ids, side by side; text number i is drawn with the i-th seed. With `starts_text` off
        they continue texts, whose last blanks are theirs with `heal`.

        Spaces around a text stay: without them it would have other ids than those that were written.
        """
        seed = secrets.randbits(62) if sampling.seed is None else sampling.seed
        streams: list[Stream] = []
        with self.engine.all_or_none() as requests:
            for i, ids in enumerate(prompts):
                content = contents[i] if contents else {}
                streams.append(self.open_stream(ids, sampling, seed=derive_seed(seed, i), starts_text=starts_text,
                                                content=content, heal=heal))  # fmt: skip
                requests.append(streams[-1].request)
            self.engine.run(requests)
        return [chunk.text if (chunk := stream.next()) else "" for stream in streams]

    def open_chat(self, messages: Sequence[Message], sampling: Sampling) -> Stream:
        """Lets the engine reply to a conversation, as `open_stream` to ids."""
        return self.open_stream(self.chat_ids(messages), sampling, content=self.chat_content(messages))

    def open_stream(self, ids: Sequence[int], sampling: Sampling, **how: Unpack[StreamOptions]) -> Stream:
        """Lets the engine write to a prompt of ids beside whatever else it writes; whoever opened it steps the engine.

        Raises `InputError` when the prompt fills the context, and what `matcher` raises.
        """
        matcher = self.matcher(sampling, starts_text=how.get("starts_text", True))
        # Tokens that are told one by one say all of the text, so none may reach back into the prompt.
        healing = how.get("heal") and not matcher and sampling.logprobs is None
        healed = heal(ids, self.beginnings.token_bytes) if healing else Healed(ids)
        if not healed.begun or len(ids) - len(healed.ids) >= sampling.max_tokens:  # its tokens could all be blanks
            return Stream(self.engine, self.tokenizer, ids, sampling, matcher, **how)
        return Stream(self.engine, self.tokenizer, healed.ids, sampling, BeginsWith(healed.begun, self.beginnings),
                      begun=healed.begun.decode(), **how)  # fmt: skip

    def open_insertion(
        self, prefix: str | Sequence[int], suffix: str, sampling: Sampling, *, seed: int | None = None
    ) -> Stream:
        """Lets the engine write what stands between two texts, as `open_stream` what follows one.

        Raises `ConfigError` when the model was never taught to insert, and as `open_stream` does.
        """
        sentinels, encode = Sentinels.of(self.tokenizer), self.tokenizer.encode
        before = encode(prefix) if isinstance(prefix, str) else prefix
        return self.open_hole(sentinels.prompt(before, encode(suffix)), sampling, seed=seed)

    def open_hole(self, ids: Sequence[int], sampling: Sampling, *, seed: int | None = None) -> Stream:
        """The same where prefix and suffix have been put together, as `insertion_ids` does."""
        return self.open_document(ids, sampling, seed=seed, starts_text=False, heal=True)

    def insertion_ids(
        self, prefix: str, suffix: str, others: Sequence[str], sampling: Sampling
    ) -> tuple[list[int], bool]:
        """What is read before what stands between two texts of any length is written, after other texts that bear on
        it; and whether anything was left out, for the context holds no more beside an answer.

        Raises `ConfigError` when the model was never taught to insert.
        """
        sentinels, encode = Sentinels.of(self.tokenizer), self.tokenizer.encode_many
        before = [id for other in encode(others) for id in (*other, sentinels.end)]
        ahead, after = encode([prefix, suffix])
        parts = before, ahead, after
        room = room_for_prompt(self.context, sampling.max_tokens) - len(sentinels.prompt((), ()))
        kept = nearest_to_hole(*parts, room)
        return [*kept[0], *sentinels.prompt(*kept[1:])], kept != parts

    def open_edit(self, text: str, instruction: str, sampling: Sampling, *, seed: int | None = None) -> Stream:
        """Lets the engine write a text as an instruction wants it, as `open_stream` what follows one.

        Raises `ConfigError` when the model was never taught to edit, and as `open_stream` does.
        """
        marks, encode = EditMarks.of(self.tokenizer), self.tokenizer.encode
        return self.open_document(marks.prompt(encode(text), encode(instruction)), sampling, seed=seed)

    def open_document(self, ids: Sequence[int], sampling: Sampling, **how: Unpack[StreamOptions]) -> Stream:
        """The same of what ends where a document does, even if conversations end otherwise."""
        ends = replace(sampling, stop_ids=(*sampling.stop_ids, self.tokenizer.eos_id))
        return self.open_stream(ids, ends, **how)

    def matcher(self, sampling: Sampling, *, starts_text: bool = True) -> Matcher | None:
        """What keeps an answer to the schema or regex that is asked for. The first time takes a moment.

        Raises `InputError` when they are malformed or can never be met, `ConfigError` without llguidance.
        """
        if sampling.schema is None and sampling.regex is None:
            return None
        return self.grammars.matcher(sampling, starts_text=starts_text)

    @cached_property
    def beginnings(self) -> Beginnings:
        """What a text may begin with in this vocabulary."""
        return Beginnings(token_bytes_of(self.tokenizer.backend), self.tokenizer.vocab)

    @cached_property
    def grammars(self) -> GrammarCompiler:
        """What can be asked of answers in this vocabulary. Raises `ConfigError` without llguidance."""
        return GrammarCompiler(self.tokenizer)

    @cached_property
    def engine(self) -> Engine:
        """What writes; it must be told by `engine.refresh()` when the network's weights have changed."""
        stops = self.tokenizer.stop_ids if self._tokenizer else []
        drafts = 0 if self.draft else DRAFTS  # the engine's own number for a draft model
        return Engine(self.network, stops, dtype=self.dtype, kv_cache_gb=self.kv_cache_gb, view=self.packed(),
                      max_requests=self.max_requests, drafts=drafts, draft=self.draft)  # fmt: skip

    def packed(self) -> Decoder:
        """The network as it writes, in its number format."""
        return pack_model(self.network, self.dtype)
