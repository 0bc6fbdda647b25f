"""The closed-form start of an embedding, against its formula in NumPy."""

from __future__ import annotations

import numpy as np

from dtgcnn.array.ops import ArrayOps, HostArray
from dtgcnn.model.start import BLOCK_ROWS, BLOCK_TERMS, LARGEST, LEAST_SCALE, Start

from ..comparison import require
from ..probe import Probe, normal
from ..registry import check

WIDTH, ROWS, CLASSES, OUT = 7, 9, 3, 5


def unit(x: HostArray) -> HostArray:
    """Rows at unit length; a zero row stays zero."""
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0.0, length, 1.0)


def single(x: HostArray) -> HostArray:
    """The same numbers, as float32 holds them."""
    return x.astype(np.float32).astype(np.float64)


X = single(unit(normal(40, WIDTH, seed=31)))
X[3] = 0.0

ARRAYS: dict[str, HostArray] = {
    "mean": single(0.1 * normal(WIDTH, seed=32)),
    "whitening": normal(WIDTH, WIDTH, seed=33),
    "rows": single(unit(normal(ROWS, WIDTH, seed=34))),
    "coefficients": normal(ROWS, CLASSES, seed=35),
    "row_relevance": normal(WIDTH, WIDTH, seed=39),
    "white_relevance": normal(WIDTH, WIDTH, seed=40),
    "projection": normal(WIDTH + CLASSES, OUT, seed=36),
    "code_scale": np.array(0.75),
    "code_norm": np.array(1.25),
}
"""A start with class codes, some of which are longer than usual and some shorter."""
WHITENED = {name: ARRAYS[name] for name in ("mean", "whitening")}
WHITENED["projection"] = ARRAYS["projection"][:WIDTH]
"""A start without class codes."""


def start_of(ops: ArrayOps, arrays: dict[str, HostArray] = ARRAYS) -> Start:
    """The start of these arrays, on the device."""
    return Start.of(ops, arrays)


def whitened(x: HostArray, arrays: dict[str, HostArray]) -> HostArray:
    """``s = unit(W (x − μ))`` of each row."""
    return unit((x - arrays["mean"]) @ arrays["whitening"])


def views_of(x: HostArray, arrays: dict[str, HostArray]) -> tuple[HostArray, HostArray]:
    """``t = unit(Ω x)`` and ``u = unit(Ω' s)`` of each row; Ω and Ω' are the identity where they
    are not there."""
    white = whitened(x, arrays)
    if "row_relevance" not in arrays:
        return x, white
    return unit(x @ arrays["row_relevance"]), unit(white @ arrays["white_relevance"])


def codes_of(x: HostArray, arrays: dict[str, HostArray]) -> HostArray:
    """``p = Σ_j k_j A_j``, ``k_j = ½ exp(2 (t·t_j − 1)) + ½ exp(2 (u·u_j − 1))``, of each row."""
    rows, kernel = arrays["rows"], np.zeros((len(x), len(arrays["rows"])))
    for a, b in zip(views_of(x, arrays), views_of(rows, arrays)):
        kernel += 0.5 * np.exp(2.0 * (a @ b.T - 1.0))
    codes: HostArray = kernel @ arrays["coefficients"]
    return codes


def by_definition(
    x: HostArray, arrays: dict[str, HostArray] = ARRAYS
) -> tuple[HostArray, HostArray]:
    """``unit(Vᵀ [s ; (β / c²) ‖p‖ p])`` of each row, and its gate ``min(1, (‖p‖ / c)⁴)``."""
    white, gates = whitened(x, arrays), np.ones((len(x), 1))
    if "coefficients" in arrays:
        codes = codes_of(x, arrays)
        length = np.linalg.norm(codes, axis=1, keepdims=True)
        gates = np.minimum(1.0, (length / arrays["code_norm"]) ** 4)
        white = np.concatenate([white, arrays["code_scale"] * length * codes], axis=1)
    return unit(white @ arrays["projection"]), gates


@check("layers")
def start_by_definition(probe: Probe) -> None:
    """A start is the whitened row and its class code, projected, at unit length."""
    for by_rows in (False, True):
        for x in (X, X[:1], X[:0]):
            z, gates = start_of(probe.ops)(probe.ops, probe.array(x), by_rows=by_rows)
            expected, wanted = by_definition(x)
            what = f"a start of {len(x)} rows, by_rows={by_rows}"
            probe.values(what, z, expected)
            probe.values(f"gates of {what}", gates, wanted)


@check("layers")
def start_without_relevance(probe: Probe) -> None:
    """Without a relevance all directions count alike."""
    arrays = {name: array for name, array in ARRAYS.items() if "relevance" not in name}
    z, gates = start_of(probe.ops, arrays)(probe.ops, probe.array(X))
    expected, wanted = by_definition(X, arrays)
    probe.values("a start without a relevance", z, expected)
    probe.values("its gates", gates, wanted)


@check("layers")
def start_without_class_codes(probe: Probe) -> None:
    """Without class codes a start is the whitened row, projected, and its gate is 1."""
    start = start_of(probe.ops, WHITENED)
    require(not start.has_codes, "a start without coefficients has no class codes")
    z, gates = start(probe.ops, probe.array(X))
    probe.values("a start without class codes", z, by_definition(X, WHITENED)[0])
    probe.same_bits("its gates", gates, np.ones((len(X), 1), probe.ops.dtype))


@check("layers")
def standardized_rows(probe: Probe) -> None:
    """``[(x − μ) / σ ; √D]``, numbers at most 10¹⁸ σ from their mean; without columns the rows."""
    x = single(3.0 + 2.0 * normal(9, WIDTH, seed=41))
    x[4] = 0.0
    x[5:7, 0], x[5:7, 2], x[5:7, 4] = (3e38, -3e38), (3e38, -3e38), (3e37, -3e37)
    columns = {"column_mean": single(normal(WIDTH, seed=42)), "column_scale": np.ones(WIDTH)}
    columns["column_mean"][3], columns["column_scale"][:5] = 0.0, (1e3, 0.25, 0.0, 1e30, 1e-37)
    of_none = start_of(probe.ops).standardized(probe.ops, probe.array(x))
    probe.same_bits("rows of a start without columns", of_none, x.astype(probe.ops.dtype))
    start = start_of(probe.ops, {**ARRAYS, **columns})
    found = probe.ops.to_numpy(start.standardized(probe.ops, probe.array(x)))
    mean, scale = columns.values()
    reach = LARGEST / np.maximum(scale, LEAST_SCALE)
    wanted = (x.astype(np.float64) - mean).clip(-reach, reach) * scale
    wanted = np.hstack([wanted, np.full((9, 1), WIDTH**0.5)])
    require(found.shape == wanted.shape, f"standardised rows have the shape {found.shape}")
    require(bool(np.isfinite(found).all()), "standardised rows are not finite")
    size = np.maximum(1.0, np.abs(wanted) / 10.0)
    probe.values("standardised rows", probe.array(found / size), wanted / size)


@check("layers")
def gate_of_long_and_short_codes(probe: Probe) -> None:
    """A gate is 1 of a code longer than usual, be it 10⁹ times, and 0 where there is none."""
    lengths = np.linalg.norm(codes_of(X, ARRAYS), axis=1)
    for norm, inside in ((0.9 * lengths.min(), True), (1e-9 * lengths.min(), True), (1e9, False)):
        arrays = {**ARRAYS, "code_norm": np.array(norm)}
        gates = probe.ops.to_numpy(start_of(probe.ops, arrays)(probe.ops, probe.array(X))[1])
        wanted = np.full(gates.shape, float(inside), gates.dtype)
        within = (gates == wanted) if inside else (gates < 1e-30)
        require(bool(within.all()), f"gates of codes of {norm:g} as usual are {gates.ravel()}")


@check("layers")
def start_in_blocks(probe: Probe) -> None:
    """More rows than are started at a time have the starts that they have one by one."""
    x = np.concatenate([X] * (BLOCK_ROWS // len(X) + 2))[: BLOCK_ROWS + 45]
    x[:, 0] += np.linspace(0.0, 0.5, len(x))
    x = single(unit(x))
    start = start_of(probe.ops)
    z, gates = start(probe.ops, probe.array(x))
    expected, wanted = by_definition(x)
    probe.values("a start in two blocks", z, expected)
    probe.values("gates in two blocks", gates, wanted)
    for row in (0, BLOCK_ROWS - 1, BLOCK_ROWS, len(x) - 1):
        alone = start(probe.ops, probe.array(x[row : row + 1]))
        for name, actual, whole in zip(("start", "gate"), alone, (expected, wanted)):
            probe.values(f"{name} of row {row} alone", actual, whole[row : row + 1])


@check("layers")
def codes_of_many_rows(probe: Probe) -> None:
    """A class code is the sum over all rows of the bank, however many blocks they make."""
    for count in (BLOCK_TERMS, BLOCK_TERMS + 1, 2 * BLOCK_TERMS + 7):
        arrays = {**ARRAYS, "rows": single(unit(normal(count, WIDTH, seed=37)))}
        arrays["coefficients"] = normal(count, CLASSES, seed=38)
        z, gates = start_of(probe.ops, arrays)(probe.ops, probe.array(X))
        expected, wanted = by_definition(X, arrays)
        probe.values(f"a start of {count} rows of the bank", z, expected)
        probe.values(f"gates of {count} rows of the bank", gates, wanted)
