"""The loss and its metrics on data that are not trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..array import HostArray, derive_key
from ..config import DTGCNNConfig
from ..losses import Objective
from ..model import DTGCNN
from .step_inputs import loss_arrays

if TYPE_CHECKING:
    from ..data import TripletLoader

__all__ = ["validate"]


def validate(
    model: DTGCNN,
    config: DTGCNNConfig,
    objective: Objective,
    loader: TripletLoader,
    embeddings: HostArray,
) -> dict[str, float]:
    """The mean loss and metrics over a loader's batches, each weighted by its triplets.

    Args:
        model, config, objective: what is measured, the settings of the loss, and the loss.
        loader: gives the batches, the same ones each time.
        embeddings: those of ``loader.items``, in order.
    """
    ops, totals, weight = model.ops, dict[str, float](), 0.0
    row_of = {int(item): row for row, item in enumerate(loader.items)}
    key = derive_key(config.seed, "validation")
    margin = config.target_margin or config.triplet_margin
    for batch in loader.batches(0):
        rows = ops.asarray(embeddings[[row_of[int(item)] for item in batch.items]])
        arrays = loss_arrays(ops, config, loader.dataset, batch, key, margin)
        value, metrics = objective(ops, model.params, rows, arrays)
        given = metrics.get("valid_triplets")
        count = float(batch.valid_triplets if given is None else ops.to_numpy(given))
        for name, figure in {"loss": value, **metrics}.items():
            totals[name] = totals.get(name, 0.0) + count * float(ops.to_numpy(figure))
        weight += count
    return {k: v / max(weight, 1.0) for k, v in totals.items() if k != "valid_triplets"}
