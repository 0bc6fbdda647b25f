"""``Probe``: what a check is given to put a backend to the test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import hypothesis
import numpy as np
from dtgcnn_numpy import NumpyOps
from hypothesis.strategies import SearchStrategy

from dtgcnn.array.ops import Array, ArrayOps, HostArray, Tree
from dtgcnn.array.tree import flatten, tree_map

from .comparison import compare, describe, require
from .tolerances import DIFFERENCES, TierTolerance, Tolerance, tolerance_of

__all__ = ["EXAMPLES", "Probe", "Reference", "integers", "normal", "to_device", "to_host"]

STEP = 1e-5
"""The step of central differences."""

EXAMPLES = 25
"""How many examples a property is tried on, where nothing else is asked for."""


class Reference(NumpyOps):
    """NumPy in float64, with what is derived from the protocol computed as derived."""

    gelu = None  # type: ignore[assignment]
    layer_norm = None  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__(dtype="float64")


def normal(*shape: int, seed: int = 0) -> HostArray:
    """Standard normal numbers that float32 holds exactly, in float64."""
    drawn = np.random.default_rng(seed).standard_normal(shape)
    return np.asarray(drawn, np.float32).astype(np.float64)


def integers(values: Any) -> HostArray:
    """An int32 host array."""
    return np.array(values, np.int32)


def to_device(ops: ArrayOps, tree: Tree) -> Tree:
    """Host arrays as the backend's: floats in its dtype, others in their own."""

    def convert(x: HostArray) -> Array:
        return ops.asarray(x, None if x.dtype.kind == "f" else x.dtype.name)

    return tree_map(convert, tree)


def to_host(ops: ArrayOps, tree: Tree) -> Tree:
    """The backend's arrays as the host's."""
    return tree_map(ops.to_numpy, tree)


@dataclass
class Probe:
    """A backend, the reference, and the worst errors seen so far.

    Args:
        ops: the backend under test.
        tier: whose tolerances hold.
        allowed: the tolerances in place of the tier's.
        examples: how many examples a property is tried on.
        seed: of the examples that are drawn.
    """

    ops: ArrayOps
    tier: str
    reference: ArrayOps = field(default_factory=Reference)
    value_error: float | None = None
    gradient_error: float | None = None
    allowed: TierTolerance | None = None
    examples: int = EXAMPLES
    seed: int = 0

    @property
    def tolerance(self) -> TierTolerance:
        """What the tier allows to this backend."""
        return self.allowed or tolerance_of(self.ops.dtype, self.tier)

    def within(self, allowed: TierTolerance) -> Probe:
        """A probe with these tolerances, whose errors do not count among the tier's."""
        return replace(self, allowed=allowed, value_error=None, gradient_error=None)

    def array(self, host: HostArray) -> Array:
        """A host array as the backend's."""
        array: Array = to_device(self.ops, host)
        return array

    def values(self, what: str, actual: Tree, expected: Tree, slack: Any = 0.0) -> None:
        """Hold the backend's arrays to expected host arrays of the same names."""
        error = self._worst(what, actual, expected, self.tolerance.value, slack)
        self.value_error = max(error, self.value_error or 0.0)

    def gradients(self, what: str, actual: Tree, expected: Tree) -> None:
        """The same for gradients, within the tolerance of gradients."""
        error = self._worst(what, actual, expected, self.tolerance.gradient, 0.0)
        self.gradient_error = max(error, self.gradient_error or 0.0)

    def relative(self, what: str, actual: Tree, expected: Tree, share: float) -> None:
        """Hold the backend's arrays to expected ones, off by at most a share of the largest element
        of each, or of a tenth of the largest of all where that is more."""
        largest = {n: np.abs(e).max(initial=0.0) for n, e in flatten(expected).items()}
        least = 0.1 * max(largest.values())
        slack = {name: share * max(size, least) for name, size in largest.items()}
        self._worst(what, actual, expected, Tolerance(0.0, 0.0), slack)

    def same_bits(self, what: str, actual: Tree, expected: Tree) -> None:
        """Hold the backend's arrays to expected host arrays of its dtype, bit for bit."""
        leaves, wanted = flatten(to_host(self.ops, actual)), flatten(expected)
        require(leaves.keys() == wanted.keys(), f"{what}: the names are {sorted(leaves)}")
        for name, leaf in leaves.items():
            same = leaf.dtype == wanted[name].dtype and leaf.tobytes() == wanted[name].tobytes()
            label = f"{what}, {name}" if name else what
            require(same, f"{label}: not the same bits as expected")

    def operation(self, name: str, expected: HostArray, *args: Any, **options: Any) -> None:
        """Hold ``ops.name(*args)`` to the expected host array; host arrays become the backend's."""
        shown = [describe(a, self.ops.dtype) for a in args] + [
            f"{k}={v!r}" for k, v in options.items()
        ]
        arrays = [self.array(a) if isinstance(a, np.ndarray) else a for a in args]
        actual = getattr(self.ops, name)(*arrays, **options)
        self.values(f"{name}({', '.join(shown)})", actual, expected)

    def expression(
        self, what: str, fn: Callable[..., Array], expected: HostArray, *hosts: HostArray
    ) -> None:
        """Hold an expression of arrays to the expected host array."""
        shown = ", ".join(describe(host, self.ops.dtype) for host in hosts)
        self.values(f"{what} of {shown}", fn(*map(self.array, hosts)), expected)

    def agreement(self, what: str, fn: Callable[..., Tree], inputs: dict[str, Any]) -> None:
        """Hold ``fn(ops, inputs)``, a tree of arrays, to the same on the reference."""
        expected = fn(self.reference, to_device(self.reference, inputs))
        actual = fn(self.ops, to_device(self.ops, inputs))
        self.values(what, actual, to_host(self.reference, expected))

    def derivative(
        self,
        what: str,
        fn: Callable[..., Array],
        params: dict[str, Any],
        differences: bool = True,
    ) -> None:
        """Hold value and gradient of ``fn(ops, params)``, weighted and summed, to the reference.

        The gradient is also held to central differences of the reference, which know nothing of
        how either was differentiated, unless ``differences`` is False.
        """
        shown = ", ".join(f"{k}: {describe(v, self.ops.dtype)}" for k, v in flatten(params).items())
        what = f"{what} ({shown})"
        shape = fn(self.reference, to_device(self.reference, params)).shape
        cotangent = normal(*shape, seed=99)

        def loss(ops: ArrayOps) -> Callable[[Tree], tuple[Array, Tree]]:
            return lambda p: (ops.sum(fn(ops, p) * to_device(ops, cotangent)), {})

        value, _, gradients = _differentiate(self.reference, loss, params)
        own_value, _, own_gradients = _differentiate(self.ops, loss, params)
        self.values(f"value of {what}", own_value, value)
        self.gradients(f"gradient of {what}", own_gradients, gradients)
        if differences:
            numeric = _central_differences(self.reference, loss(self.reference), params)
            least = _at_least(self.tolerance.gradient, DIFFERENCES)
            self._worst(f"central difference of {what}", own_gradients, numeric, least, 0.0)

    def for_all(self, body: Callable[..., None], **drawn: SearchStrategy[Any]) -> None:
        """Hold the property ``body`` for examples of its arguments, drawn from a fixed seed.

        A failure names the smallest example that was found.
        """
        test = hypothesis.given(**drawn)(body)
        test = hypothesis.seed(self.seed)(test)
        hypothesis.settings(
            max_examples=self.examples,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(hypothesis.HealthCheck),
        )(test)()

    def _worst(
        self, what: str, actual: Tree, expected: Tree, tolerance: Tolerance, slack: Any
    ) -> float:
        leaves, wanted, slacks = flatten(actual), flatten(expected), flatten(slack)
        require(
            leaves.keys() == wanted.keys(),
            f"{what}: the names are {sorted(leaves)}, expected {sorted(wanted)}",
        )
        errors = [0.0]
        for name, leaf in leaves.items():
            host, more = self.ops.to_numpy(leaf), slacks.get(name, slacks.get("", 0.0))
            label = f"{what}, {name}" if name else what
            scaled = self.tolerance.scaled
            errors.append(
                compare(label, host, wanted[name], self.ops.dtype, tolerance, scaled, more)
            )
        return max(errors)


def _differentiate(ops: ArrayOps, loss: Callable[..., Any], params: Tree) -> tuple[Any, Tree, Tree]:
    value, aux, gradients = ops.value_and_grad(loss(ops))(to_device(ops, params))
    if isinstance(ops, Reference):
        return ops.to_numpy(value), aux, to_host(ops, gradients)
    return value, aux, gradients


def _at_least(a: Tolerance, b: Tolerance) -> Tolerance:
    return Tolerance(max(a.rtol, b.rtol), max(a.atol, b.atol))


def _central_differences(ops: ArrayOps, loss: Callable[..., Any], params: Tree) -> Tree:
    """``(f(x + h) − f(x − h)) / 2h`` for each number of each leaf."""

    def slope(moved: HostArray, place: tuple[int, ...]) -> float:
        at, ends = moved[place], []
        for sign in (1.0, -1.0):
            moved[place] = at + sign * STEP
            ends.append(float(loss(working)[0]))
        moved[place] = at
        return (ends[0] - ends[1]) / (2.0 * STEP)

    working = tree_map(np.array, params)
    return tree_map(
        lambda leaf: np.array([slope(leaf, i) for i in np.ndindex(leaf.shape)]).reshape(leaf.shape),
        working,
    )
