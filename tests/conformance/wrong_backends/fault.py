"""``Fault``: one thing that is wrong with a backend, and the checks that must reject it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TypeVar

from dtgcnn_conformance.registry import TIERS
from dtgcnn_numpy import NumpyOps

__all__ = ["FAULTS", "Fault", "rejected_by"]

FAULTS: list[Fault] = []
"""Every fault, as its module defines it."""

B = TypeVar("B", bound=type[NumpyOps])


@dataclass(frozen=True)
class Fault:
    """A wrong backend.

    Args:
        name: of the class, or of the function of the core that is wrong.
        what: what is wrong, in one line.
        checks: those that must reject it; the first lies in the tier where the fault lies, and no
            check of an earlier tier sees it.
        make: makes the backend.
        install: makes the core wrong for this backend, for as long as it is held.
        target: the function of the core that is wrong, None where an operation is.
    """

    name: str
    what: str
    checks: tuple[str, ...]
    make: Callable[[], NumpyOps]
    install: Callable[[], AbstractContextManager[None]] = field(default=nullcontext)
    target: str | None = None

    @property
    def tier(self) -> str:
        """The tier where the fault lies."""
        return self.checks[0].partition("/")[0]

    @property
    def earlier_tiers(self) -> tuple[str, ...]:
        """The tiers that must not see it."""
        return TIERS[: TIERS.index(self.tier)]

    @contextmanager
    def backend(self) -> Iterator[NumpyOps]:
        """The wrong backend, while the core is wrong for it."""
        with self.install():
            yield self.make()


def rejected_by(*checks: str) -> Callable[[B], B]:
    """Register a class as a fault; the first line of its docstring says what is wrong."""

    def register(wrong: B) -> B:
        what = (wrong.__doc__ or "").partition("\n")[0].rstrip(".")
        FAULTS.append(Fault(wrong.__name__, what, checks, wrong))
        return wrong

    return register
