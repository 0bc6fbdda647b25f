"""Finding compute backends by entry point, and holding them to the protocol's signatures."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..errors import BackendError
from .numerics import NATIVE
from .ops import ArrayOps
from .random import random_bits

__all__ = ["available_backends", "check_signatures", "load_backend", "load_ops"]

GROUP = "dtgcnn.backends"


def available_backends() -> dict[str, EntryPoint]:
    """The registered backends by name, whether or not their libraries are installed."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda p: p.name)}


def load_ops(name: str = "auto", **options: Any) -> ArrayOps:
    """An ``ArrayOps`` of the backend registered as ``name``.

    Args:
        name: a registered name, or ``"auto"``: MLX where it has a GPU, NumPy elsewhere.
        **options: passed to the backend, such as ``device="cpu"`` or ``dtype="float64"``.

    Raises:
        BackendError: the name is not registered (the message lists what is), the backend cannot be
            loaded (where its library is missing, it names what to install), or an operation is
            missing or misdeclared.
        ValueError: the backend refuses an option.
    """
    if name == "auto":
        name = "mlx" if _mlx_has_gpu() else "numpy"
    factory = load_backend(name)
    try:
        ops: ArrayOps = factory(**options)
    except TypeError as error:
        accepted = ", ".join(inspect.signature(factory).parameters)
        raise ValueError(f"backend {name!r} takes the options {accepted}: {error}") from None
    return ops


def load_backend(name: str) -> type[ArrayOps]:
    """The class registered as ``name``, its signatures checked."""
    points = available_backends()
    if name not in points:
        known = ", ".join(points) or "none"
        raise BackendError(f"unknown backend {name!r}; installed backends: {known}")
    point = points[name]
    try:
        factory: type[ArrayOps] = point.load()
    except ImportError as error:
        distribution = point.dist.name if point.dist else name
        extras = (point.dist.metadata.get_all("Provides-Extra") if point.dist else None) or []
        wanted = f"{distribution}[{name}]" if name in extras else (error.name or distribution)
        raise BackendError(
            f"backend {name!r} cannot be loaded ({error}): pip install '{wanted}'"
        ) from error
    except Exception as error:  # of a foreign module
        raise BackendError(f"backend {name!r}, {point.value}, cannot be loaded: {error}") from error
    check_signatures(factory)
    return factory


def check_signatures(factory: type) -> None:
    """Refuse a class that lacks an operation of ``ArrayOps``, or takes other arguments for one, or
    for a function that it defines natively."""
    faults = []
    for operation in protocol_operations():
        if isinstance(inspect.getattr_static(ArrayOps, operation), property):
            continue  # an instance attribute: conformance checks it
        if not callable(getattr(factory, operation, None)):
            faults.append(f"{operation} is missing")
    wanted = {name: getattr(ArrayOps, name) for name in protocol_operations()}
    wanted |= {**NATIVE, "random_bits": random_bits}
    for name, declared in wanted.items():
        own = getattr(factory, name, None)
        if callable(declared) and callable(own) and not _takes(own, declared):
            faults.append(f"{name} must take {_shown(declared)}, it takes {inspect.signature(own)}")
    if faults:
        shown = getattr(factory, "__qualname__", factory)
        raise BackendError(f"{shown} is no ArrayOps: " + "; ".join(faults))


def _takes(own: Callable[..., Any], declared: Callable[..., Any]) -> bool:
    """Whether ``own`` has room for what is passed by place, and the names of the rest."""
    try:
        given = list(inspect.signature(inspect.unwrap(own)).parameters.values())
    except ValueError:
        return True  # a built-in function without a signature
    wanted = [p for p in inspect.signature(declared).parameters.values() if _named(p)]
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    room = sum(p.kind in by_place and _named(p) for p in given)
    needed = sum(p.kind in by_place for p in wanted)
    names, kinds = {p.name for p in given}, {p.kind for p in given}
    return (room >= needed or inspect.Parameter.VAR_POSITIONAL in kinds) and all(
        p.name in names or inspect.Parameter.VAR_KEYWORD in kinds
        for p in wanted
        if p.kind is p.KEYWORD_ONLY
    )


def _shown(declared: Callable[..., Any]) -> str:
    """The parameters of an operation, without types."""
    parameters = inspect.signature(declared).parameters.values()
    return str(inspect.Signature([p.replace(annotation=p.empty) for p in parameters if _named(p)]))


def _named(parameter: inspect.Parameter) -> bool:
    """Whether a parameter is one of the operation's own."""
    return parameter.name not in ("self", "cls", "ops")


def protocol_operations() -> list[str]:
    """The names of ``ArrayOps``, operations and properties."""
    return [name for name in vars(ArrayOps) if not name.startswith("_")]


def _mlx_has_gpu() -> bool:
    try:
        return "gpu" in load_backend("mlx").available_devices()
    except BackendError:
        return False
