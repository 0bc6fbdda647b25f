"""Random bits and what is drawn from them, for any keys, paths, counts and shapes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dtgcnn.array import random

from ..comparison import require
from ..probe import Probe
from ..properties_strategies import SEEDS, SHAPES, hold_for_all
from ..registry import check
from .draws import KEY, KEYS, key_array, words

KEY_WORDS = st.tuples(SEEDS, SEEDS)
COUNTS = (0, 1, 2, 65, 300)


@check("random")
def bits_of_any_key(probe: Probe) -> None:
    """``random_bits`` equals the definition for any key and count."""

    def body(key: tuple[int, int], n: int) -> None:
        actual = random.random_bits(probe.ops, key_array(probe, key), n)
        probe.values(f"random_bits(key={key}, n={n})", actual, words(key, n))

    edges = [(key, n) for key in (*KEYS, KEY) for n in COUNTS]
    hold_for_all(probe, body, edges, key=KEY_WORDS, n=st.sampled_from(COUNTS))


@check("random")
def draws_of_any_shape(probe: Probe) -> None:
    """``uniform`` and ``bernoulli`` of any key, shape and probability are made of its words."""

    def body(key: tuple[int, int], shape: tuple[int, ...], p: float) -> None:
        n, held = math.prod(shape), key_array(probe, key)
        expected = (words(key, n) >> np.uint32(8)).astype(np.float64) * 2.0**-24
        what = f"of key {key} and shape {shape}"
        probe.values(
            f"uniform {what}", random.uniform(probe.ops, held, shape), expected.reshape(shape)
        )
        own = words(key, (n + 1) // 2)
        halves = np.concatenate([own & np.uint32(0xFFFF), own >> np.uint32(16)])[:n]
        actual, limit = random.bernoulli(probe.ops, held, p, shape), 65536 - round(p * 65536)
        probe.values(f"bernoulli({p}) {what}", actual, (halves >= limit).reshape(shape))

    edges = [(KEY, shape, p) for shape in SHAPES for p in (0.0, 2.0**-16, 0.5, 1.0)]
    drawn = {"key": KEY_WORDS, "shape": st.sampled_from(SHAPES), "p": st.floats(0.0, 1.0)}
    hold_for_all(probe, body, edges, **drawn)


PART = st.integers(0, 2**32 - 1) | st.text("ab01é", max_size=4)
PATHS = st.lists(PART, max_size=3).map(tuple)
N = 256


@check("random")
def keys_of_any_paths(probe: Probe) -> None:
    """Keys of different paths, and those split from one of them, have independent words."""

    def body(seed: int, one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
        if one == other:
            return
        keys = [key_array(probe, random.derive_key(seed, *path)) for path in (one, other)]
        keys += random.split(probe.ops, keys[0], 2)
        drawn = [probe.ops.to_numpy(random.random_bits(probe.ops, key, N)) for key in keys]
        bits = [np.unpackbits(x.view(np.uint8)) for x in drawn]
        for i in range(len(keys)):
            for j in range(i):
                # Bits of independent words agree half of the time, numbers have no correlation:
                # each within seven standard errors.
                what = f"words {j} and {i} of paths {one} and {other} below {seed}"
                agree = float((bits[i] == bits[j]).mean())
                off = abs(agree - 0.5) / (0.5 / bits[i].size ** 0.5)
                require(off < 7.0, f"{what} agree in {agree:.3f} of the bits")
                together = float(np.corrcoef(drawn[i], drawn[j])[0, 1])
                require(abs(together) < 7.0 / N**0.5, f"{what} have a correlation of {together}")

    edges: list[Any] = [(0, (), (0,)), (0, (0,), (1,)), (0, (0,), ("0",)), (0, ("",), ())]
    edges += [(0, ("a", 1), (1, "a")), (0, (1, 2), (2, 1)), (7, ("dropout", 1), ("dropout", 2))]
    edges += [(2**64 - 1, (0, 0), (0,)), (5, (2**32 - 1,), (0,))]
    hold_for_all(probe, body, edges, seed=st.integers(0, 2**64 - 1), one=PATHS, other=PATHS)
