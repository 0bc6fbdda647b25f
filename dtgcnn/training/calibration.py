"""Calibrating a trained model's answers on the rows that were held out."""

from __future__ import annotations

from typing import Any

from ..array import HostArray, numerics
from ..model import DTGCNN, Calibration, ChosenRows, judged

__all__ = ["calibrate"]

LEAST_ROWS = 10
"""Held-out rows of known classes without which nothing can be measured."""

MOST_ROWS = 2_000
"""Most of them that are looked at, evenly over all."""


def calibrate(
    model: DTGCNN, host_x: HostArray | ChosenRows, labels: HostArray, linked: dict[int, Any]
) -> None:
    """Measure how sure the model may be, and what it should refuse; see ``fit_calibration``.

    Args:
        model: trained; its ``calibration`` is replaced, by that of no rows where there are too few
            of classes that its bank knows, or it knows none.
        host_x: (N, input_dim) rows that it was not trained on, as ``model.vectors`` gives them.
        labels: (N,) their classes, as the bank's.
        linked: what ``model.embed`` filled with these rows, if it did.
    """
    from ..evaluation import Held, fit_calibration, measured

    numerics.clear_cache(model.ops)  # training takes arrays of other sizes
    model.calibration = Calibration()
    known = model.trained_bank().labels
    if model.classes_ is None or known is None:
        return
    voting = set(known) - {-1}
    rows = [row for row, label in enumerate(labels) if int(label) in voting]
    rows = rows[:: -(-len(rows) // MOST_ROWS) or 1]
    if len(rows) < LEAST_ROWS or len(voting) < 2:
        return
    x, own = host_x[rows], labels[rows]
    f = model.embed(host_x, held=linked)[rows] if linked else model.embed(x)
    voters, ops, near = model.voters(), model.ops, model.neighbors_of(x, f)
    host = [ops.to_numpy(a) for a in (model.unit_inputs(x), voters.x, voters.labels)]
    held = Held(own, near.labels, near.cosines, near.scope, *host)
    arrays = fit_calibration(held, len(model.classes_))
    model.calibration = Calibration(arrays)
    model.calibration = Calibration(measured(arrays, judged([model], [near], x), own))
