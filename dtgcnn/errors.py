"""The errors of this package, which have one base class.

Each keeps the built-in base that says what kind of fault it is, so ``except ValueError`` catches a
``DataError`` as well. An argument that is out of its range is a plain ``ValueError``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = [
    "BackendError",
    "CheckpointError",
    "DTGCNNError",
    "DataError",
    "DistributedError",
    "MissingExtraError",
    "TrainingError",
    "needing",
]


class DTGCNNError(Exception):
    """What goes wrong with data, backends, training or saved models."""


class BackendError(DTGCNNError, ImportError):
    """A backend that is unknown, whose library is missing, or that breaks the protocol."""


class CheckpointError(DTGCNNError, ValueError):
    """A directory that holds no model, or files that are not what a model's files must be."""


class DataError(DTGCNNError, ValueError):
    """Bad data: the message names the file, the place in it, the rule and what was found."""


class DistributedError(DTGCNNError, RuntimeError):
    """Processes of one run that cannot go on together: they were given unlike things, went
    different ways, or were started by what their backend cannot join."""

    told_elsewhere: bool = False
    """Whether it is another process's error, which that one tells of."""


class MissingExtraError(DTGCNNError, ImportError):
    """An optional dependency is not installed: the message names the extra that brings it."""


class TrainingError(DTGCNNError, RuntimeError):
    """Training that cannot go on: no valid triplet, or a loss or gradient that is not finite."""


@contextmanager
def needing(what: str, extra: str) -> Iterator[None]:
    """Let an import that fails say ``what`` it is needed for, and which ``extra`` brings it.

    Raises:
        MissingExtraError: it fails.
    """
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(f"{what}: pip install 'dtgcnn[{extra}]'") from error
