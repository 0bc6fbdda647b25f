"""What a backend must refuse: it ends in an error, and not in a number."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any

from dtgcnn.array import numerics
from dtgcnn.array.ops import Array, Tree
from dtgcnn.training.adaptive_step import out_of_memory

from ..comparison import ConformanceFailure, require
from ..probe import Probe, normal
from ..registry import check

REFUSALS = (ValueError, TypeError, RuntimeError, IndexError)
"""What a backend may refuse with."""


def refuses(probe: Probe, what: str, fn: Callable[..., Any], *args: Any, **options: Any) -> None:
    """Hold a call to end in an error, at the latest when its result is computed."""
    try:
        result = fn(*args, **options)
        for leaf in result if isinstance(result, tuple) else (result,):
            probe.ops.evaluate(leaf)
    except REFUSALS:
        return
    except Exception as error:
        kinds = ", ".join(kind.__name__ for kind in REFUSALS)
        kind = type(error).__name__
        raise ConformanceFailure(f"{what} ends in {kind}, expected one of {kinds}") from error
    shown = getattr(result, "shape", result)
    require(False, f"{what} is accepted, and gives {shown}; expected an error")


@check("errors")
def unknown_options(probe: Probe) -> None:
    """The backend's class refuses a device and a dtype that it does not have: ``ValueError``."""
    factory: Any = type(probe.ops)
    taken = inspect.signature(factory).parameters
    for name, value in (("device", "abacus"), ("dtype", "float12")):
        if name not in taken:
            continue
        try:
            factory(**{name: value})
        except ValueError:
            continue
        require(False, f"{factory.__name__}({name}={value!r}) is accepted, expected ValueError")


@check("errors")
def shapes_that_do_not_broadcast(probe: Probe) -> None:
    """Operators, ``maximum`` and ``where`` refuse shapes that do not broadcast."""
    ops, x = probe.ops, probe.array(normal(3, 4))
    shapes: tuple[tuple[int, ...], ...] = ((3, 5), (2, 4), (3,), (2, 1, 4, 5))
    for shape in shapes:
        y = probe.array(normal(*shape))
        for fn in (operator.add, operator.sub, operator.mul, operator.truediv, operator.lt):
            refuses(probe, f"{fn.__name__} of shapes (3, 4) and {shape}", fn, x, y)
            refuses(probe, f"{fn.__name__} of shapes {shape} and (3, 4)", fn, y, x)
        what = f"of shapes (3, 4) and {shape}"
        refuses(probe, f"maximum {what}", ops.maximum, x, y)
        refuses(probe, f"where {what}", ops.where, x > 0, x, y)
        refuses(probe, f"where with a condition {what}", ops.where, y > 0, x, 0.0)


@check("errors")
def products_of_unequal_inner_dimensions(probe: Probe) -> None:
    """``@`` refuses matrices whose inner dimensions differ, where one of them is 1 too."""
    x = probe.array(normal(3, 4))
    for shape in ((3, 4), (5, 4), (1, 4)):
        y = probe.array(normal(*shape))
        refuses(probe, f"x @ y of shapes (3, 4) and {shape}", operator.matmul, x, y)


@check("errors")
def other_sizes(probe: Probe) -> None:
    """``reshape`` refuses another size, and ``concat`` arrays that do not fit together."""
    ops, x = probe.ops, probe.array(normal(3, 4))
    sizes: tuple[tuple[int, ...], ...] = ((5, 3), (3, 3), (0,), (13,), ())
    for size in sizes:
        refuses(probe, f"reshape of (3, 4) to {size}", ops.reshape, x, size)
    unfit: tuple[tuple[tuple[int, ...], int], ...] = (((3, 5), 0), ((2, 4), 1), ((4,), 0))
    for shape, axis in unfit:
        parts = [x, probe.array(normal(*shape))]
        what = f"concat of (3, 4) and {shape} along axis {axis}"
        refuses(probe, what, ops.concat, parts, axis=axis)


@check("errors")
def axes_out_of_range(probe: Probe) -> None:
    """Reductions, sorting and ``permute_dims`` refuse an axis that is not there."""
    ops, x = probe.ops, probe.array(normal(3, 4))
    for name in ("sum", "max", "argmax", "cumulative_sum", "argsort"):
        for axis in (2, -3):
            what = f"{name} of (3, 4) along axis {axis}"
            refuses(probe, what, getattr(ops, name), x, axis=axis)
    for axes in ((0,), (0, 0), (0, 2)):
        refuses(probe, f"permute_dims of (3, 4) to {axes}", ops.permute_dims, x, axes)


@check("errors")
def unknown_dtypes(probe: Probe) -> None:
    """``astype``, ``asarray`` and ``zeros`` refuse a dtype that there is none of."""
    ops, x = probe.ops, probe.array(normal(3, 4))
    for name in ("float12", "real"):
        refuses(probe, f"astype to {name!r}", ops.astype, x, name)
        refuses(probe, f"asarray of dtype {name!r}", ops.asarray, normal(3), name)
        refuses(probe, f"zeros of dtype {name!r}", ops.zeros, (2, 3), name)


@check("errors")
def memory_that_runs_out(probe: Probe) -> None:
    """``out_of_memory``, where there is one, knows errors that are not of memory from others."""
    ops, x = probe.ops, probe.array(normal(3, 4))
    calls: dict[str, Callable[[], Array]] = {
        "a product": lambda: x @ x,
        "a reshape": lambda: ops.reshape(x, (5,)),
    }
    for what, call in calls.items():
        try:
            ops.evaluate(call())
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            require(not out_of_memory(ops, error), f"{what} that does not fit gave {said}")
    require(out_of_memory(ops, MemoryError()), "a MemoryError is none of memory")


@check("errors")
def more_than_a_row_holds(probe: Probe) -> None:
    """``top_k`` refuses a k beyond the row's length, or below 0; ``top_products`` one beyond M."""
    cases: tuple[tuple[tuple[int, ...], int], ...] = (((3, 4), 5), ((3, 4), -1), ((2, 0), 1))
    for shape, k in cases:
        x = probe.array(normal(*shape))
        refuses(probe, f"top_k of shape {shape} with k = {k}", numerics.top_k, probe.ops, x, k)
    x = probe.array(normal(3, 4))
    for k in (-1, 4):
        what = f"top_products among 3 rows with k = {k}"
        refuses(probe, what, numerics.top_products, probe.ops, x, x, k, 100)


@check("errors")
def gradients_of_what_is_no_scalar(probe: Probe) -> None:
    """``value_and_grad`` refuses a value whose shape is not (): it has no one gradient."""
    ops, params = probe.ops, {"x": probe.array(normal(3, 4))}
    values: dict[str, Callable[[Array], Array]] = {
        "(3, 4)": lambda x: 2.0 * x,
        "(3,)": lambda x: ops.sum(x, axis=1),
        "(1,)": lambda x: ops.sum(x)[None],
        "(1, 1)": lambda x: ops.sum(x * x)[None, None],
    }
    for shape, value in values.items():

        def loss(p: Tree, value: Callable[[Array], Array] = value) -> tuple[Array, Tree]:
            return value(p["x"]), {}

        refuses(
            probe, f"the gradient of a value of shape {shape}", ops.value_and_grad(loss), params
        )
