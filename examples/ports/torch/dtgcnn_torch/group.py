"""PyTorch's tensors between processes, over Gloo."""

from __future__ import annotations

import atexit
from datetime import timedelta
from typing import ClassVar

import torch
import torch.distributed as dist

__all__ = ["TorchGroup"]


class TorchGroup:
    """The processes of ``torch.distributed``'s default group."""

    launchers: ClassVar[tuple[str, ...]] = ("torchrun",)

    def __init__(self, ops: object) -> None:
        if not dist.is_initialized():
            # Gloo's own limit is never reached: dtgcnn's names the process that is waited for.
            dist.init_process_group("gloo", timeout=timedelta(days=1))
            atexit.register(dist.destroy_process_group)  # or its threads may outlive the process
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def all_gather(self, x: torch.Tensor) -> torch.Tensor:
        """By way of the host's memory, where Gloo works."""
        own = x.detach().cpu().contiguous()
        gathered = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(gathered, own)
        return torch.stack(gathered).to(x.device)
