"""``value_and_grad`` on autograd's record of operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.core import VJPNode, add_outgrads, sparse_object_types
from autograd.tracer import getval, isbox, new_box, toposort, trace_stack

__all__ = ["value_and_grad"]


def value_and_grad(fn: Callable[..., tuple[Any, Any]]) -> Callable[..., Any]:
    """See ``ArrayOps.value_and_grad``."""

    def differentiated(params: Any, *args: Any) -> tuple[Any, Any, Any]:
        leaves: list[Any] = []
        _collect(params, leaves)
        roots = [VJPNode.new_root() for _ in leaves]
        with trace_stack.new_trace() as trace:
            boxes = (new_box(leaf, trace, root) for leaf, root in zip(leaves, roots, strict=True))
            traced, aux = fn(_rebuild(params, boxes), *args)
        value = getval(traced)
        if np.shape(value) != ():  # the gradient would be that of its sum
            raise ValueError(f"the value must have shape (), received {value.shape}")
        inside = isbox(traced) and traced._trace == trace
        # Half precision may overflow: training skips such a step, without NumPy's warnings.
        with np.errstate(over="ignore", invalid="ignore"):
            found = _backward(np.ones((), value.dtype), traced._node) if inside else {}
        gradients = (
            np.asarray(found[root][0], order="C") if root in found else np.zeros_like(leaf)
            for leaf, root in zip(leaves, roots, strict=True)
        )
        return value, _map(getval, aux), _rebuild(params, gradients)

    return differentiated


def _backward(seed: Any, end: VJPNode) -> dict[VJPNode, tuple[Any, bool]]:
    """The gradients of the record's roots, and whether they may be written to."""
    sums: dict[VJPNode, tuple[Any, bool]] = {end: (seed, False)}
    for node in toposort(end):
        if not node.parents:
            continue
        gradient, _ = sums.pop(node)
        for parent, part in zip(node.parents, node.vjp(gradient)):
            sums[parent] = _added(sums.get(parent), part)
    return sums


def _added(total: tuple[Any, bool] | None, part: Any) -> tuple[Any, bool]:
    if type(part) in sparse_object_types:
        added: tuple[Any, bool] = add_outgrads(total, part)
        return added
    if total is None:
        return part, False
    if not total[1] or np.ndim(part) == 0:
        return total[0] + part, True
    return np.add(total[0], part, out=total[0]), True


def _collect(tree: Any, leaves: list[Any]) -> None:
    if isinstance(tree, dict):
        for name in tree:
            _collect(tree[name], leaves)
    else:
        leaves.append(tree)


def _rebuild(tree: Any, leaves: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _rebuild(sub, leaves) for name, sub in tree.items()}
    return next(leaves)


def _map(fn: Callable[[Any], Any], tree: Any) -> Any:
    if isinstance(tree, dict):
        return {name: _map(fn, sub) for name, sub in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(_map(fn, sub) for sub in tree)
    return fn(tree)
