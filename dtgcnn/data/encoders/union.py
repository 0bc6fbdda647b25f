"""UnionEncoder: rows of several encoders side by side."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from ...config import refuse_unless
from ...errors import DataError
from ..reading.raw import FloatArray
from .encoder import Encoder, check_encoder, takes_labels, untaught
from .encoding import checked_texts, digest, read_description, write_description
from .pieces import PieceEncoder
from .registry import UNION, load_encoder, register_encoder

__all__ = ["UnionEncoder"]

_OTHERS = 0.5


def _of_each(name: str) -> Any:
    """An attribute that is set of each encoder that has it."""

    def get(union: UnionEncoder) -> bool:
        return any(getattr(part, name, False) for part in union.encoders)

    def set_(union: UnionEncoder, value: bool) -> None:
        for part in union.encoders:
            if hasattr(part, name):
                setattr(part, name, value)

    return property(get, set_)


@register_encoder
class UnionEncoder:
    """Rows of several encoders side by side, such as of one that knows what texts mean and one that
    knows their words.

        encode(t) = normalise([w_1 normalise(e_1(t)), …, w_m normalise(e_m(t))])

    so the cosine of two texts is the mean of their cosines by each encoder, weighed by w².

    Args:
        encoders: two or more.
        weights: w, one for each encoder, above 0; by default 1 for the first and 1/2 for each of
            the others.

    Raises:
        ValueError: there are fewer than two, one gives no vectors of texts, or weights are not as
            many, or not above 0.
    """

    name: str = UNION

    def __init__(self, encoders: Sequence[Encoder], weights: Sequence[float] | None = None) -> None:
        self.encoders: list[Encoder] = list(encoders)
        if len(self.encoders) < 2:
            raise ValueError(f"encoders must be two or more, received {len(self.encoders)}")
        for encoder in self.encoders:
            check_encoder(encoder)
            if isinstance(encoder, PieceEncoder):
                raise ValueError("encoders must make vectors, which pieces are not")
        usual = [1.0] + [_OTHERS] * (len(self.encoders) - 1)
        self.weights: list[float] = usual if weights is None else list(map(float, weights))
        fits = len(self.weights) == len(usual) and all(0 < w < np.inf for w in self.weights)
        refuse_unless(fits, "weights", f"must be {len(usual)} numbers above 0", weights)
        self.dim: int = sum(encoder.dim for encoder in self.encoders)

    @property
    def spec(self) -> str:
        """What ``make_encoder`` makes it of."""
        return "+".join(getattr(part, "spec", part.name) for part in self.encoders)

    @property
    def fingerprint(self) -> str:
        """A sha256 of what the rows depend on."""
        parts: list[Any] = list(self.encoders)
        return digest(self.name, str(self.weights), *(part.fingerprint for part in parts))

    @property
    def prompts(self) -> dict[str, str]:
        """What may go before a text, by name, of the encoders that know prompts; of several by one
        name the first that is not empty."""
        found: dict[str, str] = {}
        for part in self.encoders:
            for name, prompt in getattr(part, "prompts", {}).items():
                found[name] = found.get(name) or prompt
        return found

    progress = _of_each("progress")
    cache = _of_each("cache")
    trust_remote_code = _of_each("trust_remote_code")

    @property
    def takes_labels(self) -> bool:
        """Whether one of the encoders does."""
        return any(map(takes_labels, self.encoders))

    def untaught(self) -> Self:
        """The same of what the encoders were before labels."""
        return type(self)(list(map(untaught, self.encoders)), self.weights)

    def fit(self, texts: Sequence[str], labels: ArrayLike | None = None) -> Self:
        """Let each encoder learn from the texts, and from labels if it takes them; returns self."""
        texts = checked_texts("UnionEncoder.fit", texts)
        for part in self.encoders:
            known = {"labels": labels} if takes_labels(part) else {}
            part.fit(texts, **known)
        return self

    def encode(self, texts: Sequence[str], prompt_name: str | None = None) -> FloatArray:
        """(N, dim) float32 rows of length 1, each independent of the other texts; of zeros where
        every encoder has zeros.

        Args:
            texts: the texts.
            prompt_name: the prompt that goes before each of them, to encoders that know it.

        Raises:
            DataError: an element is not a string or is blank.
            RuntimeError: an encoder that learns is not fitted.
            ValueError: no encoder has such a prompt, or the rows of one are not as many or as wide
                as they must be.
        """
        texts = checked_texts("UnionEncoder.encode", texts)
        if prompt_name is not None and prompt_name not in self.prompts:
            known = ", ".join(map(repr, self.prompts)) or "none"
            raise ValueError(f"prompt_name must be one of {known}, received {prompt_name!r}")
        rows = np.zeros((len(texts), self.dim), np.float32)
        column = 0
        for part, weight in zip(self.encoders, self.weights, strict=True):
            own = rows[:, column : column + part.dim]
            named = prompt_name in getattr(part, "prompts", {})
            given: dict[str, Any] = {"prompt_name": prompt_name} if named else {}
            found = np.asarray(part.encode(texts, **given))
            if found.shape != own.shape:
                raise ValueError(
                    f"the encoder {part.name} must give an array of shape {own.shape}, "
                    f"not {found.shape}"
                )
            own[:] = found
            _to_length(own, weight)
            column += part.dim
        _to_length(rows, 1.0)
        return rows

    def save(self, directory: str | PathLike[str]) -> None:
        """Write ``encoder.json``, and each encoder in a folder named by its place, from 0."""
        for place, part in enumerate(self.encoders):
            folder = Path(directory) / str(place)
            folder.mkdir(parents=True, exist_ok=True)
            part.save(folder)
        described = {"name": self.name, "weights": self.weights, "dim": self.dim}
        write_description(directory, described)

    @classmethod
    def load(cls, directory: str | PathLike[str]) -> Self:
        """Read what ``save`` wrote.

        Raises:
            DataError: a file is missing or damaged.
        """
        found = read_description(directory)
        try:
            weights = list(found["weights"])
            parts = [load_encoder(Path(directory) / str(place)) for place in range(len(weights))]
            encoder = cls(parts, weights)
            if encoder.dim != found["dim"]:
                raise ValueError(f"'dim' must be {encoder.dim}, found {found['dim']!r}")
        except (KeyError, TypeError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{directory}: is not a saved UnionEncoder: {error}") from None
        return encoder


def _to_length(rows: FloatArray, length: float) -> None:
    """Scale rows in place; rows of zeros stay."""
    norms = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    rows *= np.float32(length) / np.where(norms == 0, np.float32(1), norms)
