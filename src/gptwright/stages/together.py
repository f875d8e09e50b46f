"""What stages share whose work several processes can do together."""

from collections.abc import Generator
from contextlib import contextmanager

from gptwright.alignment.ray_pool import ray_pool
from gptwright.alignment.rollout_pool import Processes
from gptwright.alignment.rollout_worker import RolloutPool, RolloutWorker
from gptwright.configs.policy import RolloutOptions
from gptwright.foundations.device import FORMATS, format_name
from gptwright.foundations.runs import StageFolder
from gptwright.training.distributed.world import World


def dtype_of(asked: str, folder: StageFolder, together: World) -> str:
    """The format of the matrices: what the first process chose when the stage began."""
    chosen = folder.freeze_choice("dtype", lambda: format_name(asked, together.device.type))
    return FORMATS[together.broadcast(FORMATS.index(chosen))]


@contextmanager
def pool_of(config: RolloutOptions, together: World, worker: RolloutWorker) -> Generator[RolloutPool | None]:
    """Who shares the worker's prompts: processes of Ray, those of torchrun, or nobody. Raises as `ray_pool` does."""
    if config.rollout_workers:
        with ray_pool(worker, config.rollout_workers, config.threads) as pool:
            yield pool
    else:
        yield Processes(together) if together.process.count > 1 else None
