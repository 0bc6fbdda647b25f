"""The loss and its metrics on data that are not trained on."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..array import HostArray, derive_key
from ..config import DTGCNNConfig
from ..errors import TrainingError
from ..losses import Objective
from ..model import DTGCNN
from .step_inputs import loss_arrays

if TYPE_CHECKING:
    from ..data import Items, TripletLoader

__all__ = ["check_classes", "retrieval", "unseen_rows", "validate"]

LOOKED_UP = ("map@r", "recall@1")

LEAST_UNSEEN = 3
"""Classes without which nothing is told of unseen ones: among two, a row's nearest other is its
like by chance."""

MOST_UNSEEN = 10_000
"""Rows of unseen classes that are looked up, of more with another row of their class each class in
proportion: all among all is rows squared."""

MOST_PAIRS = 2_000
"""Pairs of held-out triplets that are measured, evenly over all."""


def check_finite(model: DTGCNN, embeddings: HostArray) -> None:
    """Refuse embeddings that training has led astray.

    Raises:
        TrainingError: one is not finite.
    """
    ops = model.ops
    bad = int(ops.to_numpy(ops.sum(~ops.isfinite(ops.sum(ops.asarray(embeddings), axis=1)))))
    if bad:
        raise TrainingError(
            f"after training, the embeddings of {bad:,} of {len(embeddings):,} held-out rows are "
            "not finite: lower learning_rate or gradient_clip_val"
        )


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
    check_finite(model, embeddings)
    ops, totals, weight = model.ops, dict[str, float](), 0.0
    key = derive_key(config.seed, "validation")
    margin = config.target_margin or config.triplet_margin
    for batch in loader.batches(0):
        rows = ops.asarray(embeddings[loader.items.searchsorted(batch.items)])
        arrays = loss_arrays(ops, config, loader.dataset, batch, key, margin)
        value, metrics = objective(ops, model.params, rows, arrays)
        given = metrics.get("valid_triplets")
        count = float(batch.valid_triplets if given is None else ops.to_numpy(given))
        for name, figure in {"loss": value, **metrics}.items():
            totals[name] = totals.get(name, 0.0) + count * float(ops.to_numpy(figure))
        weight += count
    return {k: v / max(weight, 1.0) for k, v in totals.items() if k != "valid_triplets"}


def retrieval(model: DTGCNN, loader: TripletLoader, embeddings: HostArray) -> dict[str, float]:
    """How well a loader's rows find their like: what does not depend on the loss.

    Of rows with classes ``map@r`` and ``recall@1``, looked up among those of the model's bank; see
    ``dtgcnn.evaluation.retrieval_metrics``. Those of classes that no row of the bank has are looked
    up among each other, where these are at least three: ``unseen_map@r`` and ``unseen_recall@1``,
    of at most ``MOST_UNSEEN`` of them. Of triplets ``pair_auc`` among the loader's rows; see the
    function of this name.

    Args:
        model: trained so far.
        loader: gives the rows.
        embeddings: those of ``loader.items``, in order.

    Raises:
        ValueError: the loader's dataset numbers classes otherwise than that of the training rows,
            or these are triplets.
    """
    from ..evaluation import findable, pair_auc, retrieval_metrics, stratified_sample

    check_finite(model, embeddings)
    known = model.trained_bank().labels
    if loader.triplets is not None:
        pairs = loader.triplets[:: -(-len(loader.triplets) // MOST_PAIRS), :2]
        anchor, positive = loader.items.searchsorted(pairs).T
        return {"pair_auc": pair_auc(embeddings, loader.labels, anchor, positive)}
    if known is None:
        return {}
    check_classes(loader.dataset, model.classes_)
    metrics: dict[str, float] = {}
    own = loader.labels
    unseen, count = unseen_rows(model, loader)
    if len(unseen) < len(own):
        rows = [row for row, label in enumerate(known) if label >= 0]
        gallery, labels = model.bank_embeddings()[rows], [known[row] for row in rows]
        found = retrieval_metrics(embeddings, own, gallery, labels)
        metrics |= {name: found[name] for name in LOOKED_UP}
    if count >= LEAST_UNSEEN:
        alike = findable(own[unseen])
        drawn = alike[stratified_sample(own[unseen][alike], MOST_UNSEEN)]
        found = retrieval_metrics(embeddings[unseen], own[unseen], only=drawn)
        metrics |= {f"unseen_{name}": found[name] for name in LOOKED_UP}
    return metrics


def check_classes(dataset: Items, classes: list[str] | None) -> None:
    """Refuse held-out rows whose classes are numbered otherwise than those that are trained on, or
    that have some where these are None."""
    if dataset.label_names is not None and classes is None:
        raise ValueError(
            "held-out rows must be triplets, as the training rows are: "
            f"{dataset.source} has classes"
        )
    names = zip(dataset.label_names or (), classes or (), strict=False)
    for number, (own, known) in enumerate(names):
        if own != known:
            raise ValueError(
                f"held-out and training rows must be of one dataset, such as a file with a column "
                f"split, which numbers their classes alike: class {number} is {own!r} in "
                f"{dataset.source}, and {known!r} in the training rows"
            )


def unseen_rows(model: DTGCNN, loader: TripletLoader) -> tuple[list[int], int]:
    """The rows of a loader whose class no row of the model's bank has, in order, and how many
    classes have two of them."""
    labels = loader.labels.tolist()
    known = set(model.trained_bank().labels or [])
    rows = [row for row, label in enumerate(labels) if label not in known]
    counts = Counter(labels[row] for row in rows)
    return rows, sum(count > 1 for count in counts.values())
