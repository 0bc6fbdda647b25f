"""Random words are those that other libraries draw: MLX's and JAX's ``split``, and Random123's."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from dtgcnn.array import load_ops, random

KEYS = [(0, 0), (7, 3), (0xFFFFFFFF, 0x80000000), (0x13198A2E, 0x03707344)]
COUNTS = (1, 2, 5, 64, 1001)
WAYS = ["numpy", pytest.param("mlx", marks=pytest.mark.mlx), "derived"]


def words(way: str, key: tuple[int, int], n: int) -> Any:
    if way == "mlx":
        pytest.importorskip("mlx.core")
    ops = load_ops("numpy" if way == "derived" else way)
    drawn = inspect.unwrap(random.random_bits) if way == "derived" else random.random_bits
    return ops.to_numpy(drawn(ops, ops.asarray(key, "uint32"), n))


@pytest.mark.parametrize("way", WAYS)
def test_words_of_the_first_key_are_those_that_jax_documents(way: str) -> None:
    """``jax.random.split(jax.random.PRNGKey(0))``, as JAX 0.1 to 0.4 print it."""
    expected = [4146024105, 967050713, 2718843009, 1272950319]
    assert words(way, (0, 0), 4).tolist() == expected
    assert words(way, (0, 0), 3).tolist() == expected[:3]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_words_are_those_of_mlx(key: tuple[int, int], way: str) -> None:
    mx = pytest.importorskip("mlx.core")
    for h in COUNTS:
        keys = np.array(mx.random.split(mx.array(np.array(key, np.uint32)), h))
        for n in (2 * h - 1, 2 * h):
            np.testing.assert_array_equal(words(way, key, n), keys.reshape(-1)[:n])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("key", KEYS, ids=str)
def test_words_are_those_of_jax(key: tuple[int, int], way: str) -> None:
    jax = pytest.importorskip("jax")
    with jax.threefry_partitionable(False):
        for h in COUNTS:
            keys = np.array(jax.random.split(jax.numpy.array(key, "uint32"), h))
            np.testing.assert_array_equal(words(way, key, 2 * h), keys.reshape(-1))


def test_one_cipher_has_the_known_answers() -> None:
    """Of ``kat_vectors`` in Random123: Threefry-2x32, 20 rounds."""
    known = [
        ((0x00000000, 0x00000000), (0x00000000, 0x00000000), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ]
    for key, counter, cipher in known:
        assert random.threefry2x32(key, counter) == cipher
