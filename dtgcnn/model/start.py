"""``Start``: the closed-form start of an embedding, applied through ``ops``."""

from __future__ import annotations

from dataclasses import dataclass

from ..array import Array, ArrayOps, HostArray, Tree, numerics

__all__ = ["Start", "shapes_of"]

BLOCK_ROWS = 1024
"""Rows started at a time where many are, which bounds the kernel that is held."""

BLOCK_TERMS = 64
"""Terms of a class code that a backend sums in its own order. Coefficients of both signs sum to a
hundred times the code, so one sum of 10,000 terms would keep no more of it than 2e-4."""

LARGEST, LEAST_SCALE = 1e18, 1e-20
"""Farthest from a column's mean that a number is taken to be, in deviations, and least that 1 / σ
is taken to be for that: so products are finite."""

_CODES = ("rows", "coefficients", "code_scale", "code_norm")
_COLUMNS = ("column_mean", "column_scale")
"""Which standardise the rows, where there are any."""

_RELEVANCE = ("row_relevance", "white_relevance")
"""Which models of earlier releases do not have: to them all directions count alike."""


def shapes_of(
    host_arrays: dict[str, HostArray], input_dim: int, output_dim: int
) -> dict[str, tuple[int, ...]]:
    """The names and shapes that the arrays of a start must have, as many rows and classes as they
    tell of themselves."""
    shapes: dict[str, tuple[int, ...]] = {}
    if host_arrays.keys() & set(_COLUMNS):
        shapes = dict.fromkeys(_COLUMNS, (input_dim,))
        input_dim += 1
    shapes |= {"mean": (input_dim,), "whitening": (input_dim, input_dim)}
    if not host_arrays.keys() & set(_CODES):
        return {**shapes, "projection": (input_dim, output_dim)}
    (rows, _), (_, classes) = (
        (*getattr(host_arrays.get(name), "shape", ()), 0, 0)[:2]
        for name in ("rows", "coefficients")
    )
    shapes |= {"rows": (rows, input_dim), "coefficients": (rows, classes)}
    shapes |= {"code_scale": (), "code_norm": ()}
    if host_arrays.keys() & set(_RELEVANCE):
        shapes |= dict.fromkeys(_RELEVANCE, (input_dim, input_dim))
    return {**shapes, "projection": (input_dim + classes, output_dim)}


@dataclass(frozen=True)
class Start:
    """What an embedding is before any gradient step, ``z = unit(Vᵀ [s ; (β / c²) ‖p‖ p])``.

    ``s = unit(W (x − μ))`` is the row, whitened within its classes (Hatch et al. 2006), and
    ``p = Σ_j k_j A_j`` its class code, by kernel ridge regression over rows x_j with
    ``k_j = ½ exp(2 (t·t_j − 1)) + ½ exp(2 (u·u_j − 1))``, ``t = unit(Ω x)``, ``u = unit(Ω' s)``:
    directions that tell classes apart count for more. A row unlike any class has a small ``‖p‖``
    and falls back to ``s``. V are leading eigenvectors.

    Args:
        arrays: on the device: ``mean`` (D,), ``whitening`` (D, D) and ``projection``; and where
            there are class codes ``rows`` (M, D), ``coefficients`` (M, C), ``row_relevance`` and
            ``white_relevance`` (D, D), Ω and Ω', and of shape () ``code_scale``, β / c², and
            ``code_norm``, c; and where rows are standardised ``column_mean`` and ``column_scale``
            (D − 1,), see ``standardized``.
        known: (M, D) each, t_j and u_j of those rows, which ``of`` makes; none without class codes.
    """

    arrays: Tree
    known: tuple[Array, ...] = ()

    @classmethod
    def of(cls, ops: ArrayOps, host_arrays: dict[str, HostArray]) -> Start:
        """The start of host arrays, such as ``fit_closed_form`` finds."""
        arrays = {name: ops.asarray(array) for name, array in host_arrays.items()}
        if "rows" not in arrays:
            return cls(arrays)
        start = cls(arrays)
        known = start._views(ops, arrays["rows"], start._whitened(ops, arrays["rows"]))
        ops.evaluate(*known)  # what is put off, another thread cannot compute
        return cls(arrays, known)

    def equals(self, ops: ArrayOps, host_arrays: dict[str, HostArray]) -> bool:
        """Whether it is the start of these host arrays, bit for bit."""
        own = {name: ops.to_numpy(array) for name, array in self.arrays.items()}
        return own.keys() == host_arrays.keys() and all(
            own[name].tobytes() == array.astype(own[name].dtype).tobytes()
            for name, array in host_arrays.items()
        )

    @property
    def has_codes(self) -> bool:
        """Whether there is a class code."""
        return len(self.known) > 0

    @property
    def standardizes(self) -> bool:
        """Whether the columns of rows are standardised before they are brought to unit length."""
        return _COLUMNS[0] in self.arrays

    def columns(self, ops: ArrayOps) -> tuple[HostArray, HostArray] | None:
        """μ and 1 / σ (D,) on the host, float32 as they were found, where it does so."""
        if not self.standardizes:
            return None
        mean, scale = (ops.to_numpy(self.arrays[name]).astype("float32") for name in _COLUMNS)
        return mean, scale

    def standardized(self, ops: ArrayOps, x: Array) -> Array:
        """``[(x − μ) / σ ; √D]`` (N, D + 1) of rows ``x`` (N, D), where columns are standardised;
        or else the rows. By the constant the length of a row still counts at unit length."""
        if not self.standardizes:
            return x
        mean, scale = (self.arrays[name] for name in _COLUMNS)
        reach = LARGEST / ops.maximum(scale, LEAST_SCALE)
        low, high = mean - reach, mean + reach
        z = (ops.where(x > high, high, ops.where(x < low, low, x)) - mean) * scale
        return ops.concat([z, ops.zeros((x.shape[0], 1)) + x.shape[1] ** 0.5], axis=1)

    def __call__(self, ops: ArrayOps, x: Array, *, by_rows: bool = False) -> tuple[Array, Array]:
        """Of unit rows ``x`` (N, D) the embedding (N, output_dim), at unit length, and the gate
        ``min(1, (‖p‖ / c)⁴)`` (N, 1), which is 1 where there are no class codes.

        With ``by_rows`` no bit of a row depends on the others.
        """
        blocks = []
        for begin in range(0, max(x.shape[0], 1), BLOCK_ROWS):
            blocks.append(self._block(ops, x[begin : begin + BLOCK_ROWS], by_rows))
            if x.shape[0] > BLOCK_ROWS:
                ops.evaluate(*blocks[-1])
        return ops.concat([z for z, _ in blocks]), ops.concat([gate for _, gate in blocks])

    def _block(self, ops: ArrayOps, x: Array, by_rows: bool) -> tuple[Array, Array]:
        own, white = self.arrays, self._whitened(ops, x, by_rows)
        gate = ops.zeros((x.shape[0], 1)) + 1.0
        if self.has_codes:
            kernel = ops.zeros(())
            for a, b in zip(self._views(ops, x, white, by_rows), self.known, strict=True):
                cosines = _product(ops, a, ops.permute_dims(b, (1, 0)), by_rows)
                kernel = kernel + 0.5 * ops.exp(2.0 * (cosines - 1.0))
            codes = _summed(ops, kernel, own["coefficients"], by_rows)
            norms = ops.sqrt(ops.sum(codes * codes, axis=1, keepdims=True))
            share = norms / own["code_norm"]
            share = ops.where(share > 1.0, 1.0, share)
            gate = (share * share) * (share * share)
            white = ops.concat([white, codes * (norms * own["code_scale"])], axis=1)
        return numerics.l2_normalize(ops, _product(ops, white, own["projection"], by_rows)), gate

    def _whitened(self, ops: ArrayOps, x: Array, by_rows: bool = False) -> Array:
        """``s`` of rows ``x``."""
        own = self.arrays
        white = _product(ops, x - own["mean"], own["whitening"], by_rows)
        return numerics.l2_normalize(ops, white)

    def _views(
        self, ops: ArrayOps, x: Array, white: Array, by_rows: bool = False
    ) -> tuple[Array, Array]:
        """``t`` and ``u`` of rows ``x`` that are ``white`` when whitened."""

        def weighed(view: Array, name: str) -> Array:
            if name not in self.arrays:
                return view
            return numerics.l2_normalize(ops, _product(ops, view, self.arrays[name], by_rows))

        return weighed(x, _RELEVANCE[0]), weighed(white, _RELEVANCE[1])


def _product(ops: ArrayOps, a: Array, b: Array, by_rows: bool) -> Array:
    out: Array = numerics.matmul_by_rows(ops, a, b) if by_rows else a @ b
    return out


def _summed(ops: ArrayOps, kernel: Array, coefficients: Array, by_rows: bool) -> Array:
    """``kernel @ coefficients``, (N, M) and (M, C): ``BLOCK_TERMS`` terms a block, and the blocks
    by twos, so that an error grows with the logarithm of M."""
    parts = []
    for begin in range(0, coefficients.shape[0], BLOCK_TERMS):
        terms = slice(begin, begin + BLOCK_TERMS)
        parts.append(_product(ops, kernel[:, terms], coefficients[terms], by_rows))
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        parts = [one + other for one, other in pairs] + parts[len(parts) - len(parts) % 2 :]
    return parts[0]
