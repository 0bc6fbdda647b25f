"""``MultiTaskDTGCNN``: one embedding for retrieval, classification and regression."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import override

from ..array import Array, ArrayOps, HostArray, Tree, derive_key, numerics
from ..config import DTGCNNConfig, check_whole, refuse_unknown
from ..losses import Objective
from .dtgcnn import DTGCNN
from .layers import Linear

if TYPE_CHECKING:
    from ..data import TripletLoader

__all__ = ["MultiTaskDTGCNN", "cross_entropy", "masked_squared_error"]


def cross_entropy(ops: ArrayOps, logits: Array, labels: Array) -> Array:
    """The mean of ``log Σ_c exp(logits_c) − logits_label`` over rows, (N, C) and (N,)."""
    shifted = logits - ops.stop_gradient(ops.max(logits, axis=1, keepdims=True))
    chosen = ops.take_along_axis(shifted, labels[:, None], axis=1)[:, 0]
    return numerics.mean(ops, ops.log(ops.sum(ops.exp(shifted), axis=1)) - chosen)


def masked_squared_error(ops: ArrayOps, values: Array, targets: Array) -> Array:
    """The mean of ``(values − targets)²`` over rows whose target is a number, 0 without any."""
    known = ops.isfinite(targets)
    difference = ops.where(known, values - ops.where(known, targets, 0.0), 0.0)
    count = ops.maximum(ops.astype(ops.sum(known), ops.dtype), 1.0)
    return ops.sum(difference * difference) / count


class MultiTaskDTGCNN(DTGCNN):
    """A ``DTGCNN`` with linear heads for classification and regression, trained together.

    What is minimised is ``Σ_t w_t L_t``: the trainer's loss (``"triplet"``), the cross entropy of
    the classes, and the squared error of ``TripletDataset.set_targets``. With
    ``task_weights="uncertainty"`` each weight is learnt (Kendall et al. 2018, arXiv:1705.07115):
    ``Σ_t exp(−s_t) L_t + s_t / 2``, half of the first term for regression, s_t a parameter, 0 at
    first. Give regression targets of a variance near 1. Each task's own loss is a metric,
    ``loss_<task>``.

    Args:
        config: the settings.
        num_classes: of the classification head; None makes none.
        regression: whether there is a regression head.
        task_weights: a weight for each task, 1 where not named; or ``"uncertainty"``.
        **rest: as for ``DTGCNN``.

    Raises:
        ValueError: there is neither head, an argument is out of range, or a task is unknown.
    """

    def __init__(
        self,
        config: DTGCNNConfig | None = None,
        *,
        num_classes: int | None = None,
        regression: bool = False,
        task_weights: Mapping[str, float] | Literal["uncertainty"] | None = None,
        **rest: Any,
    ) -> None:
        super().__init__(config, **rest)
        if num_classes is None and not regression:
            raise ValueError("num_classes or regression must be given: there is no other task")
        if num_classes is not None:
            num_classes = check_whole("num_classes", num_classes, 2)
        heads = {"classification": num_classes, "regression": 1 if regression else None}
        widths = {task: width for task, width in heads.items() if width is not None}
        self.num_classes, self.regression = num_classes, bool(regression)
        self.tasks: tuple[str, ...] = ("triplet", *widths)
        self.task_weights = _weights(task_weights, self.tasks)
        self._heads = {t: Linear(self.config.output_dim, width) for t, width in widths.items()}
        params: dict[str, Tree] = {
            task: head.init(self.ops, self._key(task)) for task, head in self._heads.items()
        }
        if self.task_weights is None:
            params["log_variance"] = {task: self.ops.zeros(()) for task in self.tasks}
        self.ops.evaluate(params)
        self.params = {**self.params, "tasks": params}

    @override
    def __call__(self, x: HostArray | Sequence[str], task: str = "triplet") -> HostArray:
        """Embeddings (N, output_dim) for ``"triplet"``, logits (N, num_classes) for
        ``"classification"``, values (N,) for ``"regression"``.

        Raises:
            ValueError: there is no such task, or as ``encode``.
        """
        refuse_unknown("task", task, self.tasks)
        embeddings = self.embed(self.vectors(x))
        if task == "triplet":
            return embeddings[0] if isinstance(x, str) else embeddings
        ops, params = self.ops, self.params["tasks"][task]
        out = self._heads[task](ops, params, ops.asarray(embeddings), by_rows=True)
        return self.ops.to_numpy(out if task == "classification" else out[:, 0])

    def classify(self, x: HostArray | Sequence[str]) -> HostArray:
        """The most probable class (N,), int32, of texts or vectors: the number that it had in
        training, whatever classes ``add`` and ``remove`` bring and take."""
        logits = self.ops.asarray(self(x, "classification"))
        return self.ops.to_numpy(self.ops.argmax(logits, axis=1))

    @override
    def objective(self, loss: Objective) -> Objective:
        def together(
            ops: ArrayOps, params: Tree, embeddings: Array, batch: Tree
        ) -> tuple[Array, dict[str, Array]]:
            value, metrics = loss(ops, params, embeddings, batch)
            losses, own = {"triplet": value}, params["tasks"]
            if "classification" in self._heads:
                logits = self._heads["classification"](ops, own["classification"], embeddings)
                losses["classification"] = cross_entropy(ops, logits, batch["labels"])
                hits = ops.argmax(logits, axis=1) == batch["labels"]
                accuracy = numerics.mean(ops, ops.astype(hits, ops.dtype))
                metrics = {**metrics, "classification_accuracy": accuracy}
            if "regression" in self._heads:
                values = self._heads["regression"](ops, own["regression"], embeddings)[:, 0]
                losses["regression"] = masked_squared_error(ops, values, batch["targets"])
            total = ops.zeros(())
            for task, value in losses.items():
                weighed = self._weigh(ops, own, task, value)
                if task == "regression":  # a batch without targets teaches no weight either
                    known = ops.sum(ops.isfinite(batch["targets"])) > 0
                    weighed = ops.where(known, weighed, 0.0)
                total = total + weighed
                metrics = {**metrics, f"loss_{task}": ops.stop_gradient(value)}
            return total, metrics

        return together

    @override
    def check_data(self, loader: TripletLoader) -> None:
        if self.num_classes is not None:
            if loader.triplets is not None:
                raise ValueError("classification needs labelled data, these are triplets")
            largest = int(loader.labels.max())
            if largest >= self.num_classes:
                raise ValueError(
                    f"num_classes must be above the largest class of the data, {largest}, "
                    f"received {self.num_classes}"
                )
        if self.regression:
            targets = loader.dataset.targets
            if targets is None:
                raise ValueError("regression needs targets: call set_targets of the dataset")
            if loader.training and all(math.isnan(targets[item]) for item in loader.items):
                raise ValueError("regression needs targets, and all of the training side's are NaN")

    @classmethod
    @override
    def weight_shapes(
        cls, config: DTGCNNConfig, num_classes: int | None = None, **rest: Any
    ) -> dict[str, tuple[int, int]]:
        shapes = super().weight_shapes(config)
        if num_classes is not None:
            shapes["tasks.classification.weight"] = (config.output_dim, num_classes)
        return shapes

    @override
    def extras(self) -> dict[str, Any]:
        weights = "uncertainty" if self.task_weights is None else self.task_weights
        return {
            "num_classes": self.num_classes,
            "regression": self.regression,
            "task_weights": weights,
        }

    @override
    def _described(self) -> list[str]:
        shape, *rest = super()._described()
        heads = [] if self.num_classes is None else [f"{self.num_classes} classes"]
        return [shape, *heads, *(["regression"] if self.regression else []), *rest]

    def _weigh(self, ops: ArrayOps, params: Tree, task: str, loss: Array) -> Array:
        if self.task_weights is not None:
            return self.task_weights[task] * loss
        s = params["log_variance"][task]
        scale = 0.5 if task == "regression" else 1.0
        weighed: Array = scale * ops.exp(-s) * loss + 0.5 * s
        return weighed

    def _key(self, task: str) -> Array:
        return self.ops.asarray(derive_key(self.config.seed, "init", "tasks", task), "uint32")


def _weights(given: Any, tasks: Sequence[str]) -> dict[str, float] | None:
    """The weight of each task; None where they are learnt."""
    if given == "uncertainty":
        return None
    if given is not None and not isinstance(given, Mapping):
        raise ValueError(
            f"task_weights must be weights by task or 'uncertainty', received {given!r}"
        )
    named = {} if given is None else dict(given)
    for task, weight in named.items():
        if task not in tasks:
            raise ValueError(f"task_weights must name {', '.join(tasks)}, received {task!r}")
        if not 0.0 <= weight < float("inf"):
            raise ValueError(f"task_weights must be finite and at least 0, received {weight!r}")
    return {task: float(named.get(task, 1.0)) for task in tasks}
