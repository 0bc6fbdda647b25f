"""Random bits and what is drawn from them: equal on every backend, bit for bit."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np

from dtgcnn.array import random
from dtgcnn.array.ops import HostArray

from ..comparison import require
from ..probe import Probe
from ..registry import check

KNOWN_ANSWERS = (
    ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
    ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
    ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
)
"""Key, counter and cipher of Threefry-2x32-20, from Random123's ``kat_vectors``."""

KEYS = ((0, 0), (0xFFFFFFFF, 0xFFFFFFFF), (0x13198A2E, 0x03707344), (1, 0), (0, 0x80000000))
KEY = random.derive_key(7, "conformance", 3)


def key_array(probe: Probe, key: tuple[int, int]) -> Any:
    """A key on the device."""
    return probe.ops.asarray(key, "uint32")


def words(key: tuple[int, int], n: int) -> HostArray:
    """``n`` words by the definition in ``dtgcnn.array.random``."""
    half = (n + 1) // 2
    pairs = [random.threefry2x32(key, (i, half + i)) for i in range(half)]
    return np.array(pairs, np.uint32).reshape(-1, 2).T.reshape(-1)[:n]


@check("random")
def definition(probe: Probe) -> None:
    """``dtgcnn.array.random.threefry2x32`` gives the known answers of Random123."""
    for key, counter, cipher in KNOWN_ANSWERS:
        got = random.threefry2x32(key, counter)
        shown = " ".join(f"{word:08x}" for word in got)
        require(got == cipher, f"threefry2x32({key}, {counter}) is {shown}, expected {cipher}")


@check("random")
def random_bits(probe: Probe) -> None:
    """``random_bits`` equals the definition bit for bit, for keys and counts of every kind."""
    for key in (*KEYS, KEY):
        for n in (0, 1, 2, 7, 64, 129):
            actual = random.random_bits(probe.ops, key_array(probe, key), n)
            probe.values(f"random_bits(key={key}, n={n})", actual, words(key, n))


@check("random")
def many_random_bits(probe: Probe) -> None:
    """Of many words too, each half is that of the counters ``(i, h + i)``, an odd count cut."""
    many, half, few = 80_001, 40_001, 200
    bits = random.random_bits(probe.ops, key_array(probe, KEY), many)
    require(tuple(bits.shape) == (many,), f"the shape is {bits.shape}, expected {(many,)}")
    for start in (0, 32_668, half - few):  # NumPy draws 2¹⁵ counters at a time
        counters = range(start, start + few)
        first, second = zip(*(random.threefry2x32(KEY, (i, half + i)) for i in counters))
        for name, at, wanted in (("first", start, first), ("second", half + start, second)):
            own = bits[at : min(at + few, many)]
            expected = np.array(wanted, np.uint32)[: many - at]
            probe.values(f"{name} words from counter {start} of many", own, expected)


@check("random")
def uniform(probe: Probe) -> None:
    """``uniform`` is ``(bits >> 8) · 2⁻²⁴`` exactly, in [0, 1), of any shape."""
    for shape in ((4, 5), (7,), (), (0, 3), (2, 3, 4)):
        n = int(np.prod(shape))
        expected = (words(KEY, n) >> np.uint32(8)).astype(np.float64) * 2.0**-24
        actual = random.uniform(probe.ops, key_array(probe, KEY), shape)
        probe.values(f"uniform of shape {shape}", actual, expected.reshape(shape))


@check("random")
def normal(probe: Probe) -> None:
    """``normal`` is Wichura's inverse of the distribution function at ``(bits + ½) · 2⁻³²``."""
    inverse = NormalDist().inv_cdf
    for shape in ((4, 5), (7,), (), (0, 3), (2, 3, 4)):
        expected = np.array(
            [inverse((w + 0.5) * 2.0**-32) for w in words(KEY, int(np.prod(shape)))]
        )
        actual = random.normal(probe.ops, key_array(probe, KEY), shape)
        wanted = expected.reshape(shape).astype(probe.ops.dtype)
        probe.same_bits(f"normal of shape {shape}", actual, wanted)


@check("random")
def bernoulli(probe: Probe) -> None:
    """``bernoulli`` draws the same booleans as the reference, at any probability and shape."""
    reference = probe.reference
    for p in (0.0, 0.1, 0.5, 0.9, 1.0):
        for shape in ((4, 5), (7,), (1,), (0, 3)):
            expected = random.bernoulli(reference, reference.asarray(KEY, "uint32"), p, shape)
            actual = random.bernoulli(probe.ops, key_array(probe, KEY), p, shape)
            probe.values(f"bernoulli of {p}, {shape}", actual, reference.to_numpy(expected))
    # A draw is a half of a word, and true from (1 − p) · 2¹⁶ on: also where it equals that.
    bits = words(KEY, 2)
    draws = np.concatenate([bits & np.uint32(0xFFFF), bits >> np.uint32(16)])
    for limit in draws.tolist():
        actual = random.bernoulli(probe.ops, key_array(probe, KEY), 1.0 - limit / 65536, (4,))
        probe.values(f"bernoulli of 1 - {limit} / 65536", actual, draws >= limit)


@check("random")
def moments(probe: Probe) -> None:
    """Mean, variance and neighbouring correlation are those of independent uniform numbers."""
    n = 20_000
    drawn = random.uniform(probe.ops, key_array(probe, KEY), (n,))
    x = probe.ops.to_numpy(drawn).astype(np.float64)
    correlation = float(np.corrcoef(x[:-1], x[1:])[0, 1])
    share = probe.ops.to_numpy(
        random.bernoulli(probe.ops, key_array(probe, KEY), 0.25, (n,))
    ).mean()
    # Each within five standard errors.
    figures = {"mean": (x.mean(), 0.5, 0.2887), "variance": (x.var(), 1 / 12, 0.0745)}
    figures |= {"correlation": (correlation, 0.0, 1.0), "share of 0.25": (share, 0.25, 0.433)}
    for name, (found, wanted, deviation) in figures.items():
        off = abs(float(found) - wanted)
        require(off < 5.0 * deviation / n**0.5, f"the {name} is {found}, expected {wanted}")


@check("random")
def split(probe: Probe) -> None:
    """``split`` gives distinct keys, equal to the reference's, whose words differ."""
    keys = random.split(probe.ops, key_array(probe, KEY), 5)
    expected = words(KEY, 10).reshape(5, 2)
    for i, key in enumerate(keys):
        probe.values(f"key {i} of split", key, expected[i])
    drawn = {
        tuple(probe.ops.to_numpy(random.random_bits(probe.ops, key, 4)).tolist()) for key in keys
    }
    require(len(drawn) == 5, f"5 keys of split give {len(drawn)} different streams")
