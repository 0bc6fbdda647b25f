"""Faults in what the core derives from the protocol, as a port has them that writes it anew.

A fault is an edit of the source of one function or method. The edited function is called where
``ops`` is the wrong backend, and the right one for every other: so the reference stays right.
"""

from __future__ import annotations

import functools
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from typing import Any
from unittest import mock

from dtgcnn_conformance.probe import Probe
from dtgcnn_conformance.registry import all_checks
from dtgcnn_conformance.runner import perform
from dtgcnn_numpy import NumpyOps

from .fault import FAULTS, Fault

__all__ = ["in_the_core", "reached"]

Row = tuple[str, ...]
"""What is wrong, the right text, the wrong one, and the checks that must reject it."""


class Derived(NumpyOps):
    """NumPy with what is derived from the protocol computed as derived."""

    aggregate = None  # type: ignore[assignment]
    bernoulli = None  # type: ignore[assignment]
    gelu = None  # type: ignore[assignment]
    l2_normalize = None  # type: ignore[assignment]
    layer_norm = None  # type: ignore[assignment]
    map_rows = None  # type: ignore[assignment]
    matmul = None  # type: ignore[assignment]
    matmul_by_rows = None  # type: ignore[assignment]
    norm_gelu = None  # type: ignore[assignment]
    row_distance = None  # type: ignore[assignment]
    top_products = None  # type: ignore[assignment]
    fault: str = ""


def in_the_core(table: Mapping[str, Sequence[Row]]) -> None:
    """Register the rows of each function, named as in ``"dtgcnn.model.graph:knn"``, as faults."""
    for target, rows in table.items():
        for what, right, wrong, *checks in rows:
            name = f"{target.removeprefix('dtgcnn.').replace(':', '.')}: {what}"
            make = type("WrongCore", (Derived,), {"fault": name})
            install = functools.partial(_installed, target, right, wrong, name)
            label = target.rpartition(":")[2]
            FAULTS.append(Fault(label, what, tuple(checks), make, install, target))


@contextmanager
def _installed(target: str, right: str, wrong: str, fault: str) -> Iterator[None]:
    with _replaced(target, _edited(target, right, wrong), fault):
        yield


@contextmanager
def _replaced(
    target: str, wrong: Any, fault: str, called: Callable[[], object] = bool
) -> Iterator[None]:
    """Call ``wrong`` in place of the target, and ``called`` before it, where ``ops`` has the
    fault."""
    module, owner, name = _place(target)
    all_checks()  # imports every module that may hold the function
    right = vars(owner)[name]
    either = _either(right, wrong, fault, called)
    modules = [m for n, m in list(sys.modules.items()) if n.partition(".")[0].startswith("dtgcnn")]
    with ExitStack() as stack:
        for place in modules if owner is module else [owner]:
            for other, held in list(vars(place).items()):
                if held is right:
                    stack.enter_context(mock.patch.object(place, other, either))
        yield


def _place(target: str) -> tuple[Any, Any, str]:
    """The module of a function, the module or class that holds it, and its name there."""
    module_name, _, path = target.partition(":")
    module = import_module(module_name)
    *owners, name = path.split(".")
    return module, functools.reduce(getattr, owners, module), name


def _edited(target: str, right: str, wrong: str) -> Any:
    """The function with one part of its source exchanged."""
    module, owner, name = _place(target)
    source = textwrap.dedent(inspect.getsource(vars(owner)[name]))
    if source.count(right) != 1:
        raise ValueError(f"{target} must hold {right!r} once, it holds it {source.count(right)}×")
    # This file puts off its annotations as the core does, and what it compiles does so too.
    code = compile(source.replace(right, wrong), f"<wrong {target}>", "exec")
    made: dict[str, Any] = {}
    exec(code, vars(module), made)
    return made[name]


def _either(right: Any, wrong: Any, fault: str, called: Callable[[], object]) -> Any:
    """``wrong`` where the call's backend has the fault; of an optimiser, each of its functions."""

    @functools.wraps(right)
    def dispatch(*args: Any, **options: Any) -> Any:
        ops = _backend_of(args)
        if ops is None and args and hasattr(args[0], "ops"):  # the world of one process
            return right(*args, **options)
        if ops is None:
            made = right(*args, **options), wrong(*args, **options)
            return type(made[0])(*(_either(r, w, fault, called) for r, w in zip(*made)))
        if getattr(ops, "fault", None) != fault:
            return right(*args, **options)
        called()
        return wrong(*args, **options)

    return dispatch


def _backend_of(args: Sequence[Any]) -> Any:
    """The call's first argument, or its second after ``self``, or what ``self`` works with."""
    for candidate in (*args[:2], getattr(args[0], "ops", None) if args else None):
        if hasattr(candidate, "value_and_grad"):
            return candidate
    return None


@functools.cache
def reached(tier: str) -> dict[str, frozenset[str]]:
    """For each check of a tier the functions with a fault that it calls with its backend: no other
    check can see their faults."""
    seen: set[str] = set()
    spy, reached = Derived(), {}
    spy.fault = "none"
    with ExitStack() as stack:
        for target in dict.fromkeys(fault.target for fault in FAULTS if fault.target):
            _, owner, name = _place(target)
            note = functools.partial(seen.add, target)
            stack.enter_context(_replaced(target, vars(owner)[name], spy.fault, note))
        for check in (c for c in all_checks() if c.tier == tier):
            seen.clear()
            perform(check, Probe(spy, tier))
            reached[check.id] = frozenset(seen)
    return reached
