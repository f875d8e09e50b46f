"""Options of codex."""

from pathlib import Path
from typing import Annotated

from gptwright.configs.training import AdaptedTextOptions
from gptwright.foundations.settings import Amount, Range, Rows, Size, settings


@settings
class Codex(AdaptedTextOptions):
    """Go on pretraining a decoder on code, so that it completes, inserts and, with examples, solves and edits."""

    base: Path
    """folder of pretrain, codex or import"""
    tokens: Path
    """folder of tokenize, with the base's tokenizer"""
    solutions: tuple[Path, ...] = ()
    """JSON Lines of {"prompt", "completion"}: a function's head and description, and its body; or rejection's lines"""
    edits: tuple[Path, ...] = ()
    """JSON Lines of {"instruction", "input", "output"}: what is to be done to a text, and the text after it"""
    fim_rate: Annotated[float, Range(0, 1)] = 0.5
    """share of documents with a hole to fill in, half of them with the suffix first"""
    batch_size: Rows = 16
    """windows of text a step"""
    solutions_batch_size: Rows = 16
    """solutions a step"""
    edits_batch_size: Rows = 16
    """edits a step"""
    sequence_length: Size = 256
    """tokens a window"""
    warmup: Amount = 20
    """steps in which the rate rises"""
    heldout_windows: Size = 200
    """windows of held-out text that are measured, and about as many with holes; a large model wants fewer"""
    eval_every: Annotated[int, Range(1, 10**9)] = 200
    """steps between looks at held-out text"""
