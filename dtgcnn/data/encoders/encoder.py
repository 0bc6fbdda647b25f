"""``Encoder``: what turns texts into the rows that a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Protocol, Self, runtime_checkable

from ...config import refuse_unless
from ..reading.raw import FloatArray

__all__ = ["Encoder", "check_encoder", "takes_labels", "untaught"]


@runtime_checkable
class Encoder(Protocol):
    """What turns texts into rows; the row of a text does not depend on the other texts.

    The encoders here also have a ``fingerprint``, a sha256 of what their rows depend on. One whose
    ``takes_labels`` is true learns from the classes too: its ``fit`` takes ``labels``, (N,) whole
    numbers, below 0 where there is none; and its ``untaught()`` is what it was before, for what
    is to be found out of rows that know no labels.

    Attributes:
        name: names the class in ``encoder.json``.
        dim: width of the rows.
    """

    name: str
    dim: int

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn from texts; returns self. A frozen encoder learns nothing."""
        ...

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """(N, dim) float32 rows."""
        ...

    def save(self, directory: str | PathLike[str]) -> None:
        """Write ``encoder.json``, with the name in it, and whatever else ``load`` needs."""
        ...

    @classmethod
    def load(cls, directory: str | PathLike[str]) -> Self:
        """Read what ``save`` wrote."""
        ...


def takes_labels(encoder: object) -> bool:
    """Whether an encoder learns from labels of the texts."""
    return bool(getattr(encoder, "takes_labels", False))


def untaught(encoder: Encoder) -> Encoder:
    """What gives the rows that there were before labels: of an encoder that learns from none
    itself."""
    before: Encoder = encoder.untaught() if takes_labels(encoder) else encoder  # type: ignore[attr-defined]
    return before


def check_encoder(encoder: object) -> None:
    """Raise ``ValueError`` unless ``encoder`` is one."""
    rule = "must be an Encoder, such as TfidfEncoder()"
    refuse_unless(hasattr(encoder, "dim") and hasattr(encoder, "encode"), "encoder", rule, encoder)
    rule = "must have a method untaught(), since it takes labels"
    tells = not takes_labels(encoder) or hasattr(encoder, "untaught")
    refuse_unless(tells, "encoder", rule, encoder)
