"""Rows whose products are the cosines of texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ...array.distributed import ALONE, World, shared_rows
from ..encoders.encoder import Encoder
from ..encoders.encoding import digest
from ..encoders.registry import make_encoder
from ..reading.arrays import as_features
from ..reading.raw import FloatArray, IntArray
from ..reading.source import Source
from .negatives import STEP

__all__ = ["encoded_rows", "given_rows", "unit_rows"]

DIM = 256
"""Width of the vectors of an encoder that leaves it open."""
FIT_TEXTS = 10_000
"""An encoder learns from so many of the texts at most: 100,000 would take over a gigabyte."""
ENCODED = 8192
"""Texts that are encoded at a time."""

_GRID = np.sqrt(1 / STEP)


def unit_rows(vectors: FloatArray) -> FloatArray:
    """Rows of length 1, whatever theirs, to multiples of 2⁻¹¹; rows of zeros stay as they are.

    Products of such rows are multiples of 2⁻²² below 2, which float32 holds: so a cosine is the
    same to the bit in whatever order a library sums it, and however many threads it has. It is off
    by some 2e-4.
    """
    # By powers of two, which round nothing, to where squares neither overflow nor vanish.
    largest = np.frexp(np.abs(vectors).max(axis=1, keepdims=True))[1]
    unit: FloatArray = np.ldexp(vectors, -largest)
    norms = np.linalg.norm(unit, axis=1, keepdims=True)
    unit /= np.where(norms == 0, np.float32(1), norms)
    np.multiply(unit, _GRID, out=unit)
    np.rint(unit, out=unit)
    np.divide(unit, _GRID, out=unit)
    return unit.astype(np.float32, copy=False)


def encoded_rows(
    encoder: Encoder | str, texts: Sequence[str], rng: np.random.Generator, world: World = ALONE
) -> FloatArray:
    """(N, D) ``unit_rows`` of texts, by an encoder or by one that is made and learns from them.
    The processes of a world share the texts.

    Raises:
        DistributedError: the processes have unlike encoders, or texts.
    """
    if isinstance(encoder, str):
        encoder = make_encoder(encoder, min(DIM, len(texts)))
        sample = np.sort(rng.permutation(len(texts))[:FIT_TEXTS])
        encoder.fit([texts[i] for i in sample])
    encode = encoder.encode
    if (ops := world.ops) is not None:
        given = {"encoder": getattr(encoder, "fingerprint", None), "texts": digest(*texts)}
        world.check_same("what is encoded", given)
        encode = partial(shared_rows, world, ops, "vectors", make=encoder.encode)
    unit = np.empty((len(texts), encoder.dim), np.float32)
    for start in range(0, len(texts), ENCODED):
        part = slice(start, start + ENCODED)
        unit[part] = unit_rows(encode(texts[part]))
    return unit


def given_rows(source: Source, vectors: object, count: int, rows: IntArray) -> FloatArray:
    """(N, D) ``unit_rows`` of some rows of the vectors that a user gives.

    Raises:
        DataError: they are not ``count`` rows of finite floats.
    """
    features = as_features(source, "vectors", vectors)
    if len(features) != count:
        message = f"must be one for each of {count:,} sentences, received {len(features):,}"
        raise source.error(message, field="vectors")
    return unit_rows(features[rows])
