"""Nested dicts of arrays: map over them, name their leaves, split them by name, join them."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from itertools import accumulate
from typing import Any

from .numerics import cut
from .ops import Array, ArrayOps, Tree

__all__ = ["flatten", "merge", "partition", "ravel", "refill", "tree_map", "unflatten", "unravel"]


def tree_map(fn: Callable[..., Any], tree: Tree, *rest: Tree) -> Tree:
    """Apply ``fn`` to each leaf of ``tree`` and to the leaves in the same place of ``rest``."""
    if isinstance(tree, dict):
        return {name: tree_map(fn, sub, *(r[name] for r in rest)) for name, sub in tree.items()}
    return fn(tree, *rest)


def flatten(tree: Tree, prefix: str = "") -> dict[str, Any]:
    """Leaves by dotted name: ``{"a": {"b": x}}`` becomes ``{"a.b": x}``, in sorted order."""
    if not isinstance(tree, dict):
        return {prefix: tree}
    flat: dict[str, Any] = {}
    for name in sorted(tree):
        flat.update(flatten(tree[name], f"{prefix}.{name}" if prefix else name))
    return flat


def unflatten(flat: dict[str, Any]) -> Tree:
    """The nested dict whose dotted names are the keys of ``flat``."""
    tree: dict[str, Any] = {}
    for name, leaf in flat.items():
        *parents, last = name.split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = leaf
    return tree


def partition(tree: Tree, names: Collection[str]) -> tuple[Tree, Tree]:
    """The leaves whose dotted names are not among ``names``, and those whose are."""
    flat = flatten(tree)
    rest = unflatten({name: leaf for name, leaf in flat.items() if name not in names})
    return rest, unflatten({name: leaf for name, leaf in flat.items() if name in names})


def merge(tree: Tree, other: Tree) -> Tree:
    """The leaves of two trees as one; of a leaf that both have, that of ``other``."""
    if not isinstance(tree, dict) or not isinstance(other, dict):
        return other
    both = {name: merge(tree[name], other[name]) for name in tree.keys() & other.keys()}
    return dict(sorted({**tree, **other, **both}.items()))


def refill(tree: Tree, flat: dict[str, Any], prefix: str) -> Tree:
    """``tree`` with the leaves that ``flat`` has under ``prefix`` and their dotted names."""
    if isinstance(tree, dict):
        return {name: refill(sub, flat, f"{prefix}.{name}") for name, sub in tree.items()}
    return flat[prefix]


def ravel(ops: ArrayOps, tree: Tree) -> Array:
    """The entries of all leaves as one vector, leaf after leaf in the order of ``flatten``."""
    leaves = flatten(tree).values()
    parts = [leaf if leaf.ndim == 1 else ops.reshape(leaf, (-1,)) for leaf in leaves]
    return ops.concat(parts) if parts else ops.zeros((0,))


def unravel(ops: ArrayOps, vector: Array, like: Tree) -> Tree:
    """The tree, shaped as ``like`` is, whose entries follow each other in ``vector``."""
    leaves = flatten(like)
    stops = accumulate(math.prod(leaf.shape) for leaf in leaves.values())
    flat = {}
    for (name, leaf), part in zip(leaves.items(), cut(ops, vector, list(stops)), strict=True):
        flat[name] = part if leaf.ndim == 1 else ops.reshape(part, leaf.shape)
    return unflatten(flat)
