"""Settings by the size of the data.

``SMALL``, ``MEDIUM`` and ``LARGE`` are cautious starting points: low learning rates, many epochs,
large batches. ``suggest`` adapts the defaults, which learn faster, and is what ``dtgcnn train``
uses where no template is named.
"""

from __future__ import annotations

from typing import Any

__all__ = ["LARGE", "MEDIUM", "SMALL", "TEMPLATES", "suggest", "template_of"]

SMALL_DATA_ROWS = 10_000
LARGE_DATA_ROWS = 100_000

SMALL: dict[str, Any] = {
    "batch_size": 128,
    "learning_rate": 5e-5,
    "num_epochs": 100,
    "dropout_rate": 0.3,
    "weight_decay": 1e-4,
    "graph_k_neighbors": 5,
    "early_stopping_patience": 10,
}
"""Fewer than 10,000 samples."""

MEDIUM: dict[str, Any] = {
    "batch_size": 512,
    "learning_rate": 1e-4,
    "num_epochs": 50,
    "dropout_rate": 0.1,
    "weight_decay": 1e-5,
    "graph_k_neighbors": 10,
    "gradient_accumulation_steps": 2,
}
"""10,000 to 100,000 samples."""

LARGE: dict[str, Any] = {
    "batch_size": 1024,
    "learning_rate": 2e-4,
    "num_epochs": 20,
    "dropout_rate": 0.05,
    "weight_decay": 1e-6,
    "graph_k_neighbors": 20,
    "mixed_precision": True,
    "gradient_accumulation_steps": 4,
}
"""More than 100,000 samples."""


TEMPLATES = {"small": SMALL, "medium": MEDIUM, "large": LARGE}
"""The templates by name."""


def template_of(num_samples: int) -> dict[str, Any]:
    """The template for this many rows or triplets."""
    if num_samples < SMALL_DATA_ROWS:
        return SMALL
    return MEDIUM if num_samples <= LARGE_DATA_ROWS else LARGE


def suggest(
    rows: int, steps_per_epoch: int, *, started: bool = False, triplets: bool = False
) -> dict[str, Any]:
    """Settings that suit the size of the data, for those that the user did not name.

    Small data (below 10,000 rows or triplets) overfit sooner: more dropout and fewer steps. Epochs
    are those that make about 800 steps, or else 2,500, and between 10 and 100. What adds to a
    closed-form start (``started``) needs 200 steps, in 2 to 50 epochs. Triplets know few texts of
    a class, so each pair is set against all others of its batch too (``"info_nce"``), softly, since
    some of these are of its class, and takes four times as many steps.
    """
    loss = {"loss": "info_nce", "temperature": 0.2} if triplets else {}
    if started:
        steps = 800 if triplets else 200
        return {"num_epochs": min(max(round(steps / max(steps_per_epoch, 1)), 2), 50), **loss}
    dropout_rate, steps = (0.3, 800) if rows < SMALL_DATA_ROWS else (0.1, 2500)
    num_epochs = min(max(round(steps / max(steps_per_epoch, 1)), 10), 100)
    return {"dropout_rate": dropout_rate, "num_epochs": num_epochs, **loss}
