"""Options of sft."""

from pathlib import Path
from typing import Annotated

from gptwright.configs.training import AdapterOptions, SupervisedOptions
from gptwright.foundations.settings import Range, Rows, Size, settings


@settings
class SFT(SupervisedOptions, AdapterOptions):
    """Teach a pretrained model to answer, from conversations."""

    base: Path
    """folder of pretrain"""
    conversations: tuple[Path, ...]
    """JSON Lines of {"messages": [...]}"""
    tokens: Path
    """folder of tokenize: pretraining text is mixed in, so that the language is not forgotten"""
    text: Path | None = None
    """folder of prepare: "Continue: ..." demonstrations are cut from it"""
    rankings: Path | None = None
    """JSON Lines of ranked answers; the best ones show what to say"""
    questions: Path | None = None
    """JSON Lines of {"messages", "answer", "kind"} to measure exact answers on"""
    batch_size: Rows = 20
    """conversations a step"""
    continuations: Annotated[int, Range(0, 10**6)] = 1000
    """"Continue: ..." demonstrations cut from the text"""
    ptx_batch_size: Rows = 1
    """windows of pretraining text a step"""
    sequence_length: Size = 128
    """tokens of such a window"""
