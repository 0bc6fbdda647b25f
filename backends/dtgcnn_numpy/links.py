"""What nodes take from their neighbours, as one entry in autograd's record."""

from __future__ import annotations

from typing import Any

from autograd.extend import defvjp_argnums, primitive
from autograd.tracer import isbox

from .primitives import gather_sum, scatter_sum
from .sparse import from_lists, product, transposed

__all__ = ["aggregate"]


def aggregate(h: Any, source: Any, own: Any, neighbors: Any, weights: Any, reverse: Any) -> Any:
    """``own_i h_i + Σ_k weights_ik s[neighbors_ik] + Σ_{jk: neighbors_jk = i} reverse_jk h_j``, s
    the ``source``, or ``h`` itself where it is None."""
    if any(isbox(x) for x in (source, own, weights, reverse)):
        out = own * h + gather_sum(h if source is None else source, neighbors, weights)
        return out if reverse is None else out + scatter_sum(h, neighbors, reverse, len(h))
    there = from_lists(neighbors, weights, len(h if source is None else source))
    back = None if reverse is None else from_lists(neighbors, reverse, len(h))
    return _aggregate(h, source, own, there, back)


@primitive
def _aggregate(h: Any, source: Any, own: Any, there: Any, back: Any) -> Any:
    out = own * h
    out += product(there, h if source is None else source)
    if back is not None:
        out += product(transposed(back), h)
    return out


def _aggregate_vjp(argnums: Any, ans: Any, args: Any, kwargs: Any) -> Any:
    _, source, own, there, back = args

    def vjp(g: Any) -> Any:
        out = own * g
        if source is None:
            out += product(transposed(there), g)
        if back is not None:
            out += product(back, g)
        return (out,)

    return vjp


defvjp_argnums(_aggregate, _aggregate_vjp)
