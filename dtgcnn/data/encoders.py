"""Text encoders: from texts to the feature rows that a model reads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Protocol, TypeVar, runtime_checkable

from typing_extensions import Self

from .errors import DataError
from .raw import FloatArray
from .tfidf import TfidfEncoder

__all__ = ["Encoder", "TfidfEncoder", "load_encoder", "register_encoder"]


@runtime_checkable
class Encoder(Protocol):
    """What turns texts into rows; the row of a text does not depend on the other texts.

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


_Class = TypeVar("_Class", bound=type[Encoder])
_registry: dict[str, type[Encoder]] = {"tfidf": TfidfEncoder}


def register_encoder(cls: _Class) -> _Class:
    """Let ``load_encoder`` find a class by its ``name``; usable as a decorator.

    Raises:
        ValueError: another class has that name.
    """
    if _registry.setdefault(cls.name, cls) is not cls:
        raise ValueError(f"name must be free, received {cls.name!r} of {_registry[cls.name]}")
    return cls


def load_encoder(directory: str | PathLike[str]) -> Encoder:
    """The encoder that was saved in ``directory``, of the class that its name stands for.

    Raises:
        DataError: there is none, it is damaged, or its name is not registered.
    """
    path = Path(directory) / "encoder.json"
    try:
        name = json.loads(path.read_text(encoding="utf-8"))["name"]
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: is not the description of an encoder: {error!r}") from None
    if not isinstance(name, str) or name not in _registry:
        raise DataError(
            f"{path}: 'name' must be one of {', '.join(_registry)}, received {name!r}; "
            "register_encoder adds others"
        )
    return _registry[name].load(directory)
