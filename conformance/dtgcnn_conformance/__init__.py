"""Conformance: the checks that a backend of ``dtgcnn`` must pass.

``python -m dtgcnn_conformance --backend NAME`` prints a table, and ``check_backend(ops)`` returns
it as a report. ``pytest --pyargs dtgcnn_conformance --backend NAME`` runs the same checks as tests.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .registry import all_checks
    from .runner import check_backend

__all__ = ["all_checks", "check_backend"]

_HOME = {"all_checks": ".registry", "check_backend": ".runner"}


def __getattr__(name: str) -> Any:
    """Import on demand: pytest imports this package for its plugin, in everybody's tests."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name], __name__), name)
