"""Text encoders: from texts to the feature rows that a model reads."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import entry_points
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

from ...config import DTGCNNConfig
from ...errors import DataError
from .encoder import Encoder
from .encoding import DESCRIPTION, read_description
from .fine_tuned import FineTunedEncoder
from .hashing import HashingEncoder
from .mlx_text import MlxTextEncoder
from .model2vec import Model2VecEncoder
from .pieces import PieceEncoder
from .sentence_transformer import SentenceTransformerEncoder
from .tfidf import TfidfEncoder

__all__ = [
    "FineTunedEncoder",
    "HashingEncoder",
    "MlxTextEncoder",
    "Model2VecEncoder",
    "PieceEncoder",
    "SentenceTransformerEncoder",
    "TfidfEncoder",
    "available_encoders",
    "default_encoder",
    "load_encoder",
    "make_encoder",
    "register_encoder",
]

UNION = "union"
"""The name of several encoders joined, which registers itself."""

GROUP = "dtgcnn.encoders"
"""The entry-point group under which other packages register encoders, by their names."""


_Class = TypeVar("_Class", bound=type[Encoder])
# None of these modules imports its library before it is used.
_registry: dict[str, type[Encoder]] = {
    TfidfEncoder.name: TfidfEncoder,
    HashingEncoder.name: HashingEncoder,
    SentenceTransformerEncoder.name: SentenceTransformerEncoder,
    FineTunedEncoder.name: FineTunedEncoder,
    Model2VecEncoder.name: Model2VecEncoder,
    MlxTextEncoder.name: MlxTextEncoder,
    PieceEncoder.name: PieceEncoder,
}


def register_encoder(cls: _Class) -> _Class:
    """Let ``load_encoder`` find a class by its ``name``, in this process; usable as a decorator.
    An installed package registers its class for every process under ``dtgcnn.encoders``. A class
    that is defined anew, as by a notebook's cell, takes the place of what it was.

    Raises:
        ValueError: another class has that name.
    """
    known = _registry.get(cls.name, cls)
    if (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ValueError(f"name must be free, received {cls.name!r} of {known}")
    _registry[cls.name] = cls
    return cls


def available_encoders() -> list[str]:
    """The names that ``load_encoder`` and ``make_encoder`` know."""
    registered = {point.name for point in entry_points(group=GROUP)}
    return [*_registry, *sorted(registered - set(_registry))]


def load_encoder(directory: str | PathLike[str]) -> Encoder:
    """The encoder that was saved in ``directory``, of the class that its name stands for.

    Raises:
        DataError: there is none, it is damaged, or its name is not registered.
    """
    name = read_description(directory)["name"]
    if not isinstance(name, str) or name not in available_encoders():
        raise DataError(
            f"{Path(directory) / DESCRIPTION}: 'name' must be one of "
            f"{', '.join(available_encoders())}, received {name!r}; register_encoder adds others, "
            f"and so does a package with an entry point {name!r} in the group {GROUP!r}"
        )
    return _class_of(name).load(directory)


def make_encoder(spec: str, dim: int = 384, *, cache: bool = True, in_all: bool = False) -> Encoder:
    """The encoder that ``spec`` names; one that learns is not fitted yet.

    Args:
        spec: a name, and after a colon what the encoder is made of: ``"tfidf"``, ``"hashing"``,
            ``"sentence-transformer:MODEL"``, ``"fine-tuned:MODEL"``, ``"model2vec:MODEL"``,
            ``"mlx:MODEL"``, ``"pieces"``, or a name that another package registers. MODEL is a
            folder or a name on the Hugging Face hub. Several with a ``+`` between them make a
            ``UnionEncoder``.
        dim: width of the rows, for encoders that leave it open.
        cache: whether rows of a pretrained model are kept on the disk.
        in_all: whether ``dim`` is the width of all rows of a union; those that leave theirs open
            share what the others leave.

    Raises:
        ValueError: ``spec`` is unknown, or lacks its model or has one too many.
    """
    parts = _parts_of(spec)
    if len(parts) > 1:
        return _union(parts, dim, cache, in_all)
    name, colon, argument = spec.partition(":")
    names = [known for known in available_encoders() if known != UNION]
    if name not in names:
        known = ", ".join([*map(_shown, names), "or several with + between them"])
        raise ValueError(f"encoder must be one of {known}, received {spec!r}")
    cls: Any = _class_of(name)
    takes = inspect.signature(cls).parameters
    open_width = "dim" in takes
    needed = [p for n, p in takes.items() if n != "dim" and p.default is p.empty]
    if bool(argument) != bool(colon) or (needed and not argument) or (argument and open_width):
        shown = _shown(name)
        if needed and ":" not in shown:
            shown += f":{needed[0].name.upper()}"
        raise ValueError(f"encoder must be {shown}, received {spec!r}")
    options: dict[str, Any] = {"dim": dim} if open_width else {}
    if "cache" in takes:
        options["cache"] = cache
    encoder: Encoder = cls(*([argument] if argument else []), **options)
    return encoder


def default_encoder(config: DTGCNNConfig) -> Encoder:
    """The encoder of a model that is given none, not fitted yet: pieces for an embedding layer, or
    else TF-IDF."""
    if config.vocab_size is not None:
        return PieceEncoder(config.max_length, config.vocab_size)
    return TfidfEncoder(config.input_dim)


def _parts_of(spec: str) -> list[str]:
    """The specs that a ``+`` joins; one within a model's name or path is no such, nor one in the
    name of a folder that there is."""
    names = "|".join(map(re.escape, available_encoders()))
    parts: list[str] = []
    for part in re.split(rf"(?<=.)\+(?=(?:{names})(?:[:+]|$))", spec):
        model = parts[-1].partition(":")[2] if parts else ""
        if model and Path(f"{model}+{part}").expanduser().is_dir():
            parts[-1] += f"+{part}"
        else:
            parts.append(part)
    return parts


def _union(parts: list[str], dim: int, cache: bool, in_all: bool) -> Encoder:
    made: dict[int, Encoder] = {}
    left_open = [i for i, part in enumerate(parts) if _takes_width(part)]
    for i in set(range(len(parts))) - set(left_open):
        made[i] = make_encoder(parts[i], cache=cache)
    rest = dim - sum(encoder.dim for encoder in made.values())
    if in_all and left_open and rest < len(left_open):
        raise ValueError(
            f"input_dim must be at least {dim - rest + len(left_open)} with {'+'.join(parts)}, "
            f"received {dim}"
        )
    for place, i in enumerate(left_open):
        count = len(left_open)
        width = rest // count + (place < rest % count) if in_all else dim
        made[i] = make_encoder(parts[i], width, cache=cache)
    joined: Any = _class_of(UNION)
    encoder: Encoder = joined([made[i] for i in range(len(parts))])
    return encoder


def _takes_width(spec: str) -> bool:
    """Whether the encoder of one spec leaves its width open."""
    name = spec.partition(":")[0]
    return name in available_encoders() and "dim" in inspect.signature(_class_of(name)).parameters


def _class_of(name: str) -> type[Encoder]:
    if name in _registry:
        return _registry[name]
    (point,) = (p for p in entry_points(group=GROUP) if p.name == name)
    try:
        cls: type[Encoder] = point.load()
    except Exception as error:  # of a foreign module
        raise DataError(f"encoder {name!r}, {point.value}, cannot be loaded: {error}") from error
    if getattr(cls, "name", None) != name:
        raise DataError(
            f"encoder {name!r}, {point.value}, must have the name that it is registered by"
        )
    return cls


def _shown(name: str) -> str:
    """A name as ``make_encoder`` takes it."""
    cls = _registry.get(name)
    return f"{name}:MODEL" if cls is not None and hasattr(cls, "extra") else name
