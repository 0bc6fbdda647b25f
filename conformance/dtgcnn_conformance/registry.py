"""The list of checks, by tier."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from .probe import Probe

__all__ = ["TIERS", "Check", "all_checks", "check"]

TIERS = (
    "ops",
    "gradients",
    "random",
    "graph",
    "layers",
    "losses",
    "optimisers",
    "training",
    "groups",
    "determinism",
    "errors",
)
"""From what a port gets right first to what rests on all of it."""

CheckFunction: TypeAlias = "Callable[[Probe], None]"

_CHECKS: dict[str, Check] = {}


@dataclass(frozen=True)
class Check:
    """One promise of the protocol, and the function that holds a backend to it."""

    id: str
    tier: str
    promise: str
    fn: CheckFunction


def check(tier: str) -> Callable[[CheckFunction], CheckFunction]:
    """Register a function as a check of ``tier``; the first line of its docstring is the promise.

    Raises:
        ValueError: the tier is unknown, the function has no docstring, or its name is taken.
    """
    if tier not in TIERS:
        raise ValueError(f"tier must be one of {', '.join(TIERS)}, received {tier!r}")

    def register(fn: CheckFunction) -> CheckFunction:
        identity = f"{tier}/{fn.__name__}"
        promise = (inspect.getdoc(fn) or "").partition("\n")[0]
        if not promise:
            raise ValueError(f"check {identity} must state its promise in a docstring")
        if identity in _CHECKS:
            raise ValueError(f"check {identity} is defined twice")
        _CHECKS[identity] = Check(identity, tier, promise, fn)
        return fn

    return register


def all_checks() -> tuple[Check, ...]:
    """Every check, tier by tier. A tier is a package, which lists its modules."""
    for tier in TIERS:
        package = import_module(f".{tier}", __package__)
        for module in package.MODULES:
            import_module(f".{module}", package.__name__)
    return tuple(sorted(_CHECKS.values(), key=lambda c: TIERS.index(c.tier)))
