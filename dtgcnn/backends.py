"""Finding compute backends by entry point, and holding them to the protocol's signatures."""

from __future__ import annotations

import inspect
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from .ops import ArrayOps

__all__ = ["BackendError", "available_backends", "load_ops"]

GROUP = "dtgcnn.backends"


class BackendError(ImportError):
    """A backend that is unknown, whose library is missing, or that breaks the protocol."""


def available_backends() -> dict[str, EntryPoint]:
    """The registered backends by name, whether or not their libraries are installed."""
    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda p: p.name)}


def load_ops(name: str = "auto", **options: Any) -> ArrayOps:
    """An ``ArrayOps`` of the backend registered as ``name``.

    Args:
        name: a registered name, or ``"auto"``: MLX where it has a GPU, NumPy elsewhere.
        **options: passed to the backend, such as ``device="cpu"`` or ``dtype="float64"``.

    Raises:
        BackendError: the name is not registered (the message lists what is), the backend's library
            is missing (it names what to install), or an operation is missing or misdeclared.
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
    check_signatures(factory)
    return factory


def check_signatures(factory: type) -> None:
    """Refuse a class that lacks an operation of ``ArrayOps`` or renames its parameters."""
    faults = []
    for operation in protocol_operations():
        declared = inspect.getattr_static(ArrayOps, operation)
        if isinstance(declared, property):
            continue  # an instance attribute: conformance checks it
        own = getattr(factory, operation, None)
        if not callable(own):
            faults.append(f"{operation} is missing")
            continue
        try:
            given = inspect.signature(inspect.unwrap(own))
        except ValueError:
            continue  # a built-in function without a signature
        positional = {
            inspect.Parameter.POSITIONAL_ONLY,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
        }
        wanted = list(inspect.signature(getattr(ArrayOps, operation)).parameters)
        wanted = [p for p in wanted if p not in ("self", "cls")]
        open_ended = any(p.kind is p.VAR_POSITIONAL for p in given.parameters.values())
        room = [p for p in given.parameters if given.parameters[p].kind in positional]
        room = [p for p in room if p not in ("self", "cls")]
        if not open_ended and len(room) < len(wanted):
            faults.append(f"{operation} must take ({', '.join(wanted)}), it takes {given}")
    if faults:
        raise BackendError(f"{factory.__qualname__} is no ArrayOps: " + "; ".join(faults))


def protocol_operations() -> list[str]:
    """The names of ``ArrayOps``, operations and properties."""
    return [name for name in vars(ArrayOps) if not name.startswith("_")]


def _mlx_has_gpu() -> bool:
    try:
        return "gpu" in load_backend("mlx").available_devices()
    except BackendError:
        return False
