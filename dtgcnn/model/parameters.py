"""``Parameters``: what a model learns, by name: how many there are, and which training may move."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable
from functools import cache
from importlib import metadata
from typing import Any

from ..array import ArrayOps, flatten, limit_threads, thread_count
from ..config import DTGCNNConfig
from .network import Network

__all__ = ["Parameters", "device_option"]

version = cache(metadata.version)  # it reads files, and every save asks for it


class Parameters:
    """A network's parameters and running state, as ``config.seed`` draws them, on a backend.

    Args:
        config: what shapes the network.
        ops: the backend that holds them.
    """

    def __init__(self, config: DTGCNNConfig, ops: ArrayOps) -> None:
        self.config, self.ops = config, ops
        self.network = Network.from_config(config)
        self.params, self.state = self.network.init(ops, config.seed)
        ops.evaluate(self.params, self.state)  # what is put off, another thread cannot compute
        self.frozen: frozenset[str] = frozenset()
        """The dotted names of the parameters that training leaves as they are."""

    @property
    def num_parameters(self) -> int:
        """How many numbers the parameters hold, frozen ones too."""
        return sum(math.prod(leaf.shape) for leaf in flatten(self.params).values())

    def freeze(self, predicate: Callable[[str], bool]) -> None:
        """Freeze the parameters whose dotted name ``predicate`` holds for, beside those that are.

        Training does not differentiate them and leaves every bit of them as it is, as it leaves
        the running statistics of a layer that is frozen as a whole.

        Raises:
            ValueError: it holds for no parameter.
        """
        found = frozenset(filter(predicate, flatten(self.params)))
        if not found:
            names = ", ".join(flatten(self.params))
            raise ValueError(f"predicate must hold for one parameter or more of {names}")
        self.frozen |= found

    def unfreeze(self, predicate: Callable[[str], bool]) -> None:
        """Let training move the frozen parameters that ``predicate`` holds for again."""
        self.frozen = frozenset(name for name in self.frozen if not predicate(name))

    def freeze_gcn_layers(self) -> None:
        """Freeze every graph convolution."""
        self.freeze(lambda name: name.startswith("gcn."))

    def unfreeze_gcn_layers(self) -> None:
        """The opposite of ``freeze_gcn_layers``."""
        self.unfreeze(lambda name: name.startswith("gcn."))

    def freeze_embedding_layer(self) -> None:
        """Freeze the embedding layer: ``embedding`` where the model has one, else ``head``."""
        layer = self.config.embedding_layer
        self.freeze(lambda name: name.startswith(layer))

    def unfreeze_embedding_layer(self) -> None:
        """The opposite of ``freeze_embedding_layer``."""
        layer = self.config.embedding_layer
        self.unfreeze(lambda name: name.startswith(layer))

    def unfreeze_all(self) -> None:
        """Let training move every parameter."""
        self.frozen = frozenset()

    def made_with(self) -> dict[str, Any]:
        """Versions, backend, device and threads, for the metadata of what is saved.

        A backend adds what its method ``made_with`` tells, where it has one.
        """
        own = getattr(self.ops, "made_with", dict)
        with limit_threads(self.config.num_threads):
            threads = thread_count()
        return {
            "dtgcnn": version("dtgcnn"),
            "python": platform.python_version(),
            "backend": self.ops.name,
            "device": self.ops.device,
            "dtype": self.ops.dtype,
            "threads": threads,
            **own(),
        }


def device_option(config: DTGCNNConfig) -> dict[str, str]:
    """What ``config.device`` asks of a backend, by its option's name; nothing for ``"auto"``."""
    return {} if config.device == "auto" else {"device": config.device}
