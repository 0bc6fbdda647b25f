"""Conformance: the checks that a backend of ``dtgcnn`` must pass.

``python -m dtgcnn_conformance --backend NAME`` prints a table, and ``check_backend(ops)`` returns
it as a report. ``pytest -p dtgcnn_conformance.plugin --pyargs dtgcnn_conformance --backend NAME``
runs the same checks as tests.
"""

from .registry import all_checks
from .runner import check_backend

__all__ = ["all_checks", "check_backend"]
