"""``ArrayOps``: the array operations that a compute backend provides.

The core reaches arrays only through an object of this protocol, passed explicitly as the first
argument ``ops``. Names and meanings are those of the Python array API standard (2024.12) wherever
it has the function; the rest is stated here, clause by clause, and proven by
``python -m dtgcnn_conformance --backend NAME``.

Dtypes are named by strings: ``"float32"``, ``"int32"``, ``"uint32"``, ``"bool"``. A Python scalar
in an expression takes the dtype of the array beside it. ``"uint32"`` is for the words of random
numbers alone; a library without it may hold them in a wider integer, so what adds or shifts them to
the left masks 32 bits. ``to_numpy`` gives uint32.

Shapes that do not fit together, an axis that is not there and a dtype that there is none of are
refused with a ``ValueError``, ``TypeError``, ``RuntimeError`` or ``IndexError``: in the call, or
where the backend is lazy at the latest when the result is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self, TypeAlias, TypeVar, runtime_checkable

HostArray: TypeAlias = Any
"""The host's array: a ``numpy.ndarray``. The core passes it on and never computes with it."""

Tree: TypeAlias = Any
"""A nested ``dict`` with string keys, whose leaves are arrays."""

F = TypeVar("F", bound=Callable[..., Any])


class Array(Protocol):
    """What the core asks of an array: operators, comparison, slices and ``None`` as an index.

    No item assignment and no selection by a boolean mask: every shape is static.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        ...

    @property
    def ndim(self) -> int:
        """The number of axes."""
        ...

    @property
    def dtype(self) -> Any:
        """The dtype, as the array's library has it."""
        ...

    def __getitem__(self, key: Any, /) -> Self: ...
    def __add__(self, other: Any, /) -> Self: ...
    def __radd__(self, other: Any, /) -> Self: ...
    def __sub__(self, other: Any, /) -> Self: ...
    def __rsub__(self, other: Any, /) -> Self: ...
    def __mul__(self, other: Any, /) -> Self: ...
    def __rmul__(self, other: Any, /) -> Self: ...
    def __truediv__(self, other: Any, /) -> Self: ...
    def __rtruediv__(self, other: Any, /) -> Self: ...
    def __matmul__(self, other: Any, /) -> Self: ...
    def __neg__(self) -> Self: ...
    def __eq__(self, other: Any, /) -> Self: ...  # type: ignore[override]
    def __ne__(self, other: Any, /) -> Self: ...  # type: ignore[override]
    def __lt__(self, other: Any, /) -> Self: ...
    def __le__(self, other: Any, /) -> Self: ...
    def __gt__(self, other: Any, /) -> Self: ...
    def __ge__(self, other: Any, /) -> Self: ...
    def __and__(self, other: Any, /) -> Self: ...
    def __invert__(self) -> Self: ...
    def __or__(self, other: Any, /) -> Self: ...
    def __xor__(self, other: Any, /) -> Self: ...
    def __lshift__(self, other: int, /) -> Self: ...
    def __rshift__(self, other: int, /) -> Self: ...


@runtime_checkable
class ArrayOps(Protocol):
    """The narrow protocol between the core and a compute backend.

    As in the standard, ``axis`` and ``keepdims`` are passed by name.

    A backend may define as a method any function that ``numerics``, ``half_precision`` or
    ``random`` marks ``native`` (``layer_norm``, ``top_k`` or ``random_bits``, say); the core then
    calls it in place of the derived one. It may tell of itself by ``made_with()``, a dict of
    versions and settings, and ``memory()``, bytes by name such as ``active`` and ``peak``, and let
    memory that its library keeps be managed by ``clear_cache()`` and ``set_cache_limit(bytes)``.
    ``out_of_memory(error)`` tells which of its library's exceptions mean that memory ran out, so
    that training goes on in smaller parts; ``MemoryError`` always does.
    None of these is required.
    """

    # -- what the backend is ---------------------------------------------------------------------
    @property
    def name(self) -> str:
        """The name under which the backend is registered, such as ``"numpy"``."""
        ...

    @property
    def device(self) -> str:
        """Where arrays live: ``"cpu"`` or ``"gpu"``."""
        ...

    @property
    def dtype(self) -> str:
        """The floating dtype of parameters and features, ``"float32"`` unless asked otherwise."""
        ...

    @classmethod
    def available_devices(cls) -> Sequence[str]:
        """The devices that this machine offers, the preferred one first."""
        ...

    # -- creation and conversion -----------------------------------------------------------------
    def asarray(self, x: Any, dtype: str | None = None) -> Array:
        """An array of ``x`` (a host array, a number, nested lists). Floats become ``self.dtype``
        unless ``dtype`` says otherwise."""
        ...

    def to_numpy(self, x: Array) -> HostArray:
        """``x`` as the host's array; computes it first where the backend is lazy."""
        ...

    def zeros(self, shape: tuple[int, ...], dtype: str | None = None) -> Array:
        """An array of zeros, in ``self.dtype`` unless ``dtype`` says otherwise."""
        ...

    def arange(self, stop: int) -> Array:
        """``0 … stop − 1`` as int32."""
        ...

    def astype(self, x: Array, dtype: str) -> Array:
        """``x`` in the dtype of this name."""
        ...

    # -- elementwise -----------------------------------------------------------------------------
    def exp(self, x: Array) -> Array:
        """``eˣ``, entry by entry."""
        ...

    def log(self, x: Array) -> Array:
        """The natural logarithm, entry by entry."""
        ...

    def sqrt(self, x: Array) -> Array:
        """The square root, entry by entry."""
        ...

    def tanh(self, x: Array) -> Array:
        """The hyperbolic tangent, entry by entry."""
        ...

    def erf(self, x: Array) -> Array:
        """The error function, for exact GELU."""
        ...

    def abs(self, x: Array) -> Array:
        """The absolute value, entry by entry."""
        ...

    def isfinite(self, x: Array) -> Array:
        """Which entries are neither infinite nor NaN, as booleans."""
        ...

    def maximum(self, x1: Array, x2: Array | float) -> Array:
        """The larger of each two entries."""
        ...

    def where(self, condition: Array, x1: Array | float, x2: Array | float) -> Array:
        """``x1`` where the condition holds, ``x2`` elsewhere; at least one of them an array."""
        ...

    # -- reductions ------------------------------------------------------------------------------
    def sum(self, x: Array, *, axis: int | None = None, keepdims: bool = False) -> Array:
        """The sum in the dtype of ``x``; of booleans, an int32 count.

        Of floats it is off by some roundings of the sum of their sizes, in float32 by 2e-5 of it
        at most, however many they are and along any axis: a running total of a million would be
        off by 1%, so it is taken pairwise or in blocks.
        """
        ...

    def max(self, x: Array, *, axis: int | None = None, keepdims: bool = False) -> Array:
        """The largest entry, of all or along the axis."""
        ...

    def argmax(self, x: Array, *, axis: int) -> Array:
        """int32 index of the maximum; among equal values the lowest."""
        ...

    def cumulative_sum(self, x: Array, *, axis: int) -> Array:
        """The sum of each entry and all before it along the axis, with a rounding for each."""
        ...

    # -- shape -----------------------------------------------------------------------------------
    def reshape(self, x: Array, shape: tuple[int, ...]) -> Array:
        """The same entries in the same order, the last axis running fastest, in another shape."""
        ...

    def permute_dims(self, x: Array, axes: tuple[int, ...]) -> Array:
        """``x`` with ``axes[i]`` as its axis i."""
        ...

    def concat(self, arrays: Sequence[Array], *, axis: int = 0) -> Array:
        """The arrays one after another along the axis."""
        ...

    # -- selection -------------------------------------------------------------------------------
    def take(self, x: Array, indices: Array, *, axis: int = 0) -> Array:
        """Rows (or other slices) at ``indices`` of any shape; differentiable in ``x``.
        Indices in range are the caller's duty."""
        ...

    def take_along_axis(self, x: Array, indices: Array, *, axis: int) -> Array:
        """The entry of ``x`` at each of ``indices`` along the axis; all other axes agree."""
        ...

    def argsort(self, x: Array, *, axis: int = -1) -> Array:
        """int32 indices that sort ascending, stable: equal values keep their order."""
        ...

    # -- aggregation over neighbour lists --------------------------------------------------------
    def scatter_sum(self, x: Array, indices: Array, weights: Array, n: int) -> Array:
        """``out_j = Σ_{ik: indices_ik = j} weights_ik · x_i``, shape ``(n, D)``, for ``(N, K)``
        lists and ``x`` of shape ``(N, D)``; differentiable in ``x`` and ``weights``."""
        ...

    # -- transformations of functions ------------------------------------------------------------
    def stop_gradient(self, x: Array) -> Array:
        """``x``, which counts as a constant where gradients are taken."""
        ...

    def value_and_grad(
        self, fn: Callable[..., tuple[Array, Tree]]
    ) -> Callable[..., tuple[Array, Tree, Tree]]:
        """``fn(params, *args) -> (scalar, aux)`` becomes ``-> (scalar, aux, gradients)``.

        Gradients have the shape and dtype of the nested dict ``params``; ``aux`` is not
        differentiated. A value whose shape is not ``()`` is refused.
        """
        ...

    def compile(self, fn: F) -> F:
        """``fn`` compiled, or ``fn`` itself. A compiled step equals the uncompiled one."""
        ...

    def checkpoint(self, fn: F) -> F:
        """``fn`` that keeps no intermediate values and recomputes them in the backward pass; may
        be ``fn`` itself."""
        ...

    def evaluate(self, *trees: Tree) -> None:
        """Compute every array of the trees now, where the backend is lazy."""
        ...
