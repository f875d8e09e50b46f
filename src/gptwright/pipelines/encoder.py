"""An encoder with its tokenizer: it understands texts, fills in masked words, and writes nothing of its own."""

from collections.abc import Sequence
from typing import NoReturn

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gptwright.foundations.device import device_of
from gptwright.foundations.errors import ArtifactError, InputError
from gptwright.models.bert import BERT
from gptwright.pipelines.loaded_model import LoadedModel
from gptwright.tokenizers.padding import padded
from gptwright.tokenizers.tokenizer import Tokenizer

MASK = "[MASK]"
BATCH_SIZE = 32


class Encoder(LoadedModel):
    """A BERT and its tokenizer. Raises `ArtifactError` when the tokenizer is not one for encoders."""

    kind = "an encoder"

    def __init__(self, network: BERT, tokenizer: Tokenizer | None, name: str) -> None:
        super().__init__(network, tokenizer, name)
        self.cls = self.sep = self.pad = self.unknown = self.mask = -1
        if tokenizer is None:
            return
        controls = ("[CLS]", "[SEP]", "[PAD]", "[UNK]", MASK)
        try:
            self.cls, self.sep, self.pad, self.unknown, self.mask = (tokenizer.special_id(name) for name in controls)
        except ArtifactError as error:
            raise ArtifactError(f"a tokenizer for encoders, with {', '.join(controls)}", "one without",
                                "Run tokenize with --kind wordpiece.") from error  # fmt: skip

    @torch.inference_mode()
    def logits(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Raw scores of the token at every place, in float32. Raises `InputError` beyond the context, `ArtifactError`
        when the model has no masked-language head."""
        self.require_context(ids.shape[1])
        return self.network(ids.to(device_of(self.network)))

    @torch.inference_mode()
    def embeddings(self, texts: Sequence[str]) -> Float[Tensor, "N C"]:
        """One vector a text: the mean of its tokens' states. What lies beyond the context is not read.

        Texts that mean the same have a high cosine where the model was trained for it (MiniLM).
        """
        rows = [self._with_special_tokens(self.tokenizer.encode(text)[: self.context - 2]) for text in texts]
        device = device_of(self.network)
        vectors = torch.empty(len(rows), self.network.config.width, device=device)
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        for batch in (order[i : i + BATCH_SIZE] for i in range(0, len(order), BATCH_SIZE)):
            lengths = torch.tensor([len(rows[i]) for i in batch], device=device)
            ids = padded([rows[i] for i in batch], self.pad).to(device)
            states = self.network.encode(ids, lengths=lengths).float()
            is_real = (torch.arange(states.shape[1], device=device) < lengths[:, None])[..., None]
            vectors[batch] = (states * is_real).sum(1) / lengths[:, None]
        return vectors

    @torch.inference_mode()
    def fill(self, text: str) -> str:
        """The text with the likeliest token for every [MASK], each chosen by itself, in the tokenizer's spelling.

        Raises `InputError` when there is no [MASK] or the text is longer than the context.
        """
        tokenizer, parts = self.tokenizer, text.split(MASK)
        if len(parts) == 1:
            raise InputError(f"a text with {MASK} where a word is to be found", repr(text)[:60], f"Write {MASK}.")
        ids = tokenizer.encode(parts[0])
        for part in parts[1:]:
            ids += [self.mask, *tokenizer.encode(part)]
        row = torch.tensor([self._with_special_tokens(ids)])
        logits = self.logits(row)[0].cpu()
        logits[:, [self.cls, self.sep, self.pad, self.unknown, self.mask]] = float("-inf")
        return self.tokenizer.decode(torch.where(row[0] == self.mask, logits.argmax(-1), row[0]).tolist())

    def generate(self, *_: object, **__: object) -> NoReturn:
        """Raises `InputError`."""
        raise InputError("a model that writes", f"{self.name}, an encoder, which reads whole texts",
                         "Use .fill, .embeddings or .logits, or give a decoder.")  # fmt: skip

    chat = generate

    def text_ids(self, text: str) -> list[int]:
        """What is read of a text."""
        return self._with_special_tokens(self.tokenizer.encode(text))

    def _with_special_tokens(self, ids: list[int]) -> list[int]:
        return [self.cls, *ids, self.sep]
