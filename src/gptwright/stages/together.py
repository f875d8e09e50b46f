"""What stages share whose work several processes can do together."""

from gptwright.foundations.device import FORMATS, format_name
from gptwright.foundations.runs import StageFolder
from gptwright.training.distributed.world import World


def dtype_of(asked: str, folder: StageFolder, together: World) -> str:
    """The format of the matrices: what the first process chose when the stage began."""
    chosen = folder.freeze_choice("dtype", lambda: format_name(asked, together.device.type))
    return FORMATS[together.broadcast(FORMATS.index(chosen))]
