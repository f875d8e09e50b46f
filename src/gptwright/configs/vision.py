"""Options of vision."""

from pathlib import Path
from typing import Annotated, Literal

from gptwright.configs.training import AdaptedTextOptions
from gptwright.configs.validation import without_password
from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Amount, Range, Rows, Size, settings


@settings
class Vision(AdaptedTextOptions):
    """Teach a chat model to see, from conversations with images (LLaVA)."""

    base: Path
    """folder of sft, whose model is to see, or of vision, which goes on"""
    encoder: Path | None = None
    """folder of clip, whose image encoder the base gets, and a fresh projector between; not for a base that sees"""
    conversations: tuple[Path, ...] = ()
    """JSON Lines of {"messages": [...]} whose content may be parts, text and image_url, as OpenAI has them"""
    from_store: str | None = None
    """store of demonstrations and of rankings, whose best answers are learned: a run's folder, a file or a URL"""
    tokens: Path
    """folder of tokenize: pretraining text is mixed in, so that the language is not forgotten"""
    learn: Literal["projector", "all"] = "all"
    """the projector alone, so that the decoder can read what is seen, or all of it"""
    batch_size: Rows = 32
    """conversations a step"""
    ptx_batch_size: Rows = 2
    """windows of pretraining text a step, where all learns"""
    sequence_length: Size = 128
    """tokens of such a window"""
    warmup: Amount = 20
    """steps in which the rate rises"""
    jitter: bool = True
    """images are shown a little nearer or farther and aside, each time otherwise"""
    heldout: Annotated[int, Range(1, 10**6)] = 200
    """held-out conversations by which it is measured, at most"""

    def __post_init__(self) -> None:
        super().__post_init__()
        without_password(self.from_store)
        if not self.conversations and self.from_store is None:
            raise ConfigError("conversations", "none", "Give --conversations FILE or --from-store STORE.")
        if self.lora and self.learn == "projector":
            raise ConfigError("learn all beside lora", "the projector alone, which has no attention",
                              "Leave one of them out.")  # fmt: skip
