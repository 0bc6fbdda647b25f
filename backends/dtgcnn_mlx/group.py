"""MLX's arrays between processes: its ring over TCP, JACCL over Thunderbolt, NCCL, or MPI."""

from __future__ import annotations

from typing import ClassVar

import mlx.core as mx

__all__ = ["MlxGroup"]


class MlxGroup:
    """The processes of ``mx.distributed``."""

    launchers: ClassVar[tuple[str, ...]] = ("mlx.launch", "mpiexec")

    def __init__(self, ops: object) -> None:
        self._group = mx.distributed.init(strict=True)
        self.rank, self.size = self._group.rank(), self._group.size()

    def all_gather(self, x: mx.array) -> mx.array:
        """Evaluated at once: results that were evaluated in another order would be mixed up."""
        gathered = mx.distributed.all_gather(x[None], group=self._group)
        mx.eval(gathered)
        return gathered
