"""Faults in how rows join a bank, and leave it."""

from __future__ import annotations

from .core import in_the_core

CHECK = "training/rows_join_and_leave"

in_the_core(
    {
        "dtgcnn.model.bank_changes:joined": [
            ("what joins stands first", "[bank.x, x]", "[x, bank.x]", CHECK),
            (
                "the gates of what joins stand first",
                "[bank.gate, gate]",
                "[gate, bank.gate]",
                CHECK,
            ),
        ],
        "dtgcnn.model.bank_changes:without": [
            ("the first rows stay", "ops.take(bank.x, rows)", "bank.x[: len(kept)]", CHECK),
            ("the first gates stay", "ops.take(bank.gate, rows)", "bank.gate[: len(kept)]", CHECK),
        ],
    }
)
