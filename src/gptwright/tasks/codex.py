"""Code: running text with holes to fill in, functions written from their description (Codex §4), and edits."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from gptwright.alignment.demonstrations import Demonstrations
from gptwright.evaluation.perplexity import answer_loss, text_loss
from gptwright.models.decoder import Decoder
from gptwright.tasks.fill_in_the_middle import FillInTheMiddle
from gptwright.text.pack import TokenFile
from gptwright.training.evaluation import Evaluation
from gptwright.training.next_token import TextMixture

HOLES = 16  # windows of held-out text with holes that are read together


class CodexTask(TextMixture):
    """Every step learns from windows of text, and from what is shown: solutions and edits, by their names."""

    def __init__(
        self, network: Decoder, text: FillInTheMiddle, shown: Mapping[str, Demonstrations], heldout: "HeldoutCode"
    ) -> None:
        super().__init__(network, [text, *shown.values()])
        self.names, self.heldout = ("text", *shown), heldout

    def named(self, parts: Float[Tensor, "sources"]) -> dict[str, float]:
        """The losses of a step's parts by what they are of."""
        return {f"{name}_nats": loss for name, loss in zip(self.names, parts.tolist(), strict=True)}

    def evaluate(self, step: int) -> Evaluation:
        """Losses on what is held out."""
        return self.heldout.evaluate(self.network)


class HeldoutCode:
    """Text in so many windows of `length` tokens, about as many with holes, and what else is shown."""

    def __init__(
        self, text: TokenFile, length: int, windows: int, holes: FillInTheMiddle, shown: Mapping[str, Demonstrations]
    ) -> None:
        self.text, self.length, self.windows, self.holes, self.shown = text, length, windows, holes, shown

    def evaluate(self, network: Decoder) -> Evaluation:
        """Nats a token: of the text from left to right, of middles after prefix and suffix, of what is shown."""
        loss = text_loss(network, self.text, length=self.length, windows=self.windows)
        middles = answer_loss(network, (self.holes.middles(step) for step in range(max(1, self.windows // HOLES))))
        metrics = {"heldout_nats": loss.nats, "heldout_bits_per_byte": loss.bits_per_byte,
                   "heldout_middle_nats": middles}  # fmt: skip
        of_shown = {f"heldout_{name}_nats": answer_loss(network, some.in_order()) for name, some in self.shown.items()}
        return Evaluation(metrics=metrics | of_shown)
