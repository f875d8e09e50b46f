"""How many processes share the work: a mesh of three axes. Nothing here imports torch.

Ranks count along `tensor` first, so that the processes that hold parts of one layer are neighbours on one machine.
"""

from dataclasses import replace

from gptwright.foundations.errors import ConfigError
from gptwright.foundations.settings import Amount, Count, settings

TOGETHER = "Choose mesh sizes whose product is the number of processes."


@settings
class Mesh:
    """How processes share the work; each axis multiplies them."""

    replicate: Count = 1
    """copies of the model, each on its own rows"""
    shard: Amount = 0
    """processes that share one copy, each on its own rows (FSDP); 0 is all that are left"""
    tensor: Count = 1
    """processes that hold parts of every layer and read the same rows; neighbours on one machine"""

    def of(self, processes: int) -> "Mesh":
        """With `shard` resolved. Raises `ConfigError` when the axes do not multiply to the number of processes."""
        others = self.replicate * self.tensor
        shard = self.shard or max(processes // others, 1)
        if others * shard != processes:
            raise ConfigError(f"{others * shard} processes for a mesh of replicate {self.replicate} × shard {shard} × "
                              f"tensor {self.tensor}", f"{processes}", TOGETHER)  # fmt: skip
        return replace(self, shard=shard)

    @property
    def sizes(self) -> tuple[int, int, int]:
        return self.replicate, self.shard, self.tensor

    def place(self, rank: int) -> tuple[int, int, int]:
        """Where a process stands on the three axes."""
        rest, tensor = divmod(rank, self.tensor)
        return rest // self.shard, rest % self.shard, tensor


ONE_COPY = Mesh()
