"""``DTGCNNConfig``: every setting of the model and its training, checked when it is made."""

from __future__ import annotations

import dataclasses
import difflib
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from .layers import Activation
from .losses import Distance
from .optim import OptimizerName
from .schedules import SCHEDULES, ScheduleName

__all__ = ["DTGCNNConfig", "GraphScope", "MiningStrategy", "suggest"]

GraphScope: TypeAlias = Literal["bank", "batch"]
MiningStrategy: TypeAlias = Literal[
    "auto", "batch_hard", "explicit", "semi_hard", "easy_positive", "distance_weighted"
]
LossName: TypeAlias = Literal[
    "triplet", "focal", "batch_all", "supcon", "info_nce", "multi_similarity", "circle"
]


@dataclass(frozen=True)
class DTGCNNConfig:
    """Settings of a DT-GCNN. An unknown name or a value out of range is refused.

    Args:
        input_dim: width of the vectors that go in.
        hidden_dims: width of each graph convolution.
        output_dim: width of the embedding.
        gcn_activation: ``"gelu"``, ``"relu"``, ``"tanh"`` or ``"identity"``.
        use_batch_norm: batch norm in place of layer norm.
        dropout_rate: share of hidden entries dropped in training, in [0, 1).
        normalize_output: embeddings at unit length.
        graph_k_neighbors: nearest neighbours that each node links to.
        graph_similarity_threshold: least cosine similarity of a link.
        graph_self_weight: a node's own share in a graph convolution; None, or ``"kipf"``, for Kipf
            & Welling's.
        graph_scope: whom a node is linked to in training: its nearest rows of the ``"bank"``, as
            in inference, or of the ``"batch"``.
        dynamic_graph_update_freq: epochs between refreshes of the bank's states in training.
        bank_size: most rows of the training data that the bank keeps, drawn evenly over classes.
        triplet_margin: by how much a negative must be farther than a positive.
        loss: ``"triplet"``, ``"focal"``, or over all pairs of a batch ``"batch_all"``,
            ``"supcon"``, ``"info_nce"``, ``"multi_similarity"`` or ``"circle"``.
        triplet_distance: ``"euclidean"``, ``"squared"`` or ``"cosine"``.
        triplet_swap: compare with the nearer of the negative's distances to anchor and positive.
        soft_margin: softplus in place of the hinge of ``"triplet"``.
        focal_gamma: how much ``"focal"`` looks away from easy triplets.
        temperature: of ``"supcon"`` and ``"info_nce"``.
        uniformity_weight: weight of a term against collapse beside a loss over pairs.
        loss_reduction: of the triplet losses: the mean over valid triplets (``"mean"``), over those
            whose loss is above 0 (``"mean_active"``), or the ``"sum"``.
        mining_strategy: of ``"triplet"`` and ``"focal"``. ``"batch_hard"``: each row's hardest
            positive and negative of the batch; ``"explicit"``: the data's own triplets; ``"auto"``:
            the data's own triplets, or else batch-hard ones, and with the same weight a semi-hard
            negative for each of their pairs; ``"semi_hard"``, ``"easy_positive"``,
            ``"distance_weighted"``.
        batch_size: rows (labelled data) or triplets per step.
        samples_per_class: rows of one class in a labelled batch.
        num_epochs: passes over the training data.
        optimizer: ``"adamw"``, ``"adam"`` or ``"sgd"``.
        learning_rate: the optimiser's peak step size.
        momentum: of SGD, in [0, 1).
        weight_decay: decoupled from the gradient in AdamW, added to it in the others.
        warmup_epochs: epochs of linear warm-up of the learning rate; it may be a fraction.
            ``"one_cycle"`` has its own and takes none.
        scheduler: what follows the warm-up: ``"cosine"`` or ``"linear"`` to zero, ``"constant"``,
            ``"one_cycle"``, ``"step"`` or ``"exponential"``.
        scheduler_step_size: epochs between the drops of ``"step"``.
        scheduler_gamma: factor of each drop (``"step"``, by default 0.1) or epoch
            (``"exponential"``, 0.95).
        gradient_clip_val: largest global norm of the gradient.
        seed: source of every random choice.
    """

    input_dim: int = 768
    hidden_dims: tuple[int, ...] = (256, 256, 256)
    output_dim: int = 128
    gcn_activation: Activation = "gelu"
    use_batch_norm: bool = False
    dropout_rate: float = 0.1
    normalize_output: bool = True
    graph_k_neighbors: int = 10
    graph_similarity_threshold: float = 0.0
    graph_self_weight: float | None = 0.8
    graph_scope: GraphScope = "bank"
    dynamic_graph_update_freq: int = 1
    bank_size: int = 10_000
    triplet_margin: float = 0.2
    loss: LossName = "triplet"
    triplet_distance: Distance = "euclidean"
    triplet_swap: bool = False
    soft_margin: bool = False
    focal_gamma: float = 2.0
    temperature: float = 0.1
    uniformity_weight: float = 0.0
    loss_reduction: Literal["mean", "mean_active", "sum"] = "mean"
    mining_strategy: MiningStrategy = "auto"
    batch_size: int = 128
    samples_per_class: int = 4
    num_epochs: int = 30
    optimizer: OptimizerName = "adamw"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 1e-4
    warmup_epochs: float = 1.0
    scheduler: ScheduleName = "cosine"
    scheduler_step_size: int = 10
    scheduler_gamma: float | None = None
    gradient_clip_val: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if str(self.graph_self_weight) == "kipf":
            object.__setattr__(self, "graph_self_weight", None)
        if isinstance(self.hidden_dims, list):
            object.__setattr__(self, "hidden_dims", tuple(self.hidden_dims))
        several = isinstance(self.hidden_dims, tuple)
        _require(several, "hidden_dims", "must be a list of widths", self.hidden_dims)
        _require(bool(self.hidden_dims), "hidden_dims", "must name one width or more", ())
        for name, value in vars(self).items():  # NumPy's numbers become Python's
            if isinstance(value, numbers.Integral) and not isinstance(value, bool):
                object.__setattr__(self, name, int(value))
            elif isinstance(value, numbers.Real) and not isinstance(value, bool):
                object.__setattr__(self, name, float(value))
        for name in _AT_LEAST_ONE:
            _whole(name, getattr(self, name), 1)
        for width in self.hidden_dims:
            _whole("hidden_dims", width, 1)
        _whole("samples_per_class", self.samples_per_class, 2)
        _whole("seed", self.seed, 0)
        for name in ("use_batch_norm", "normalize_output", "triplet_swap", "soft_margin"):
            value = getattr(self, name)
            _require(isinstance(value, bool), name, "must be true or false", value)
        for name, low, high, closed in _RANGES:
            value = getattr(self, name)
            if value is None and name in ("graph_self_weight", "scheduler_gamma"):
                continue
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            inside = number and (low <= value if closed[0] == "[" else low < value)
            inside = inside and (value <= high if closed[1] == "]" else value < high)
            rule = f"must be a number in {closed[0]}{low}, {high}{closed[1]}"
            _require(inside, name, rule, value)
        for name, choices in _CHOICES.items():
            value = getattr(self, name)
            _require(value in choices, name, f"must be one of {', '.join(choices)}", value)

        mined = self.loss in ("triplet", "focal") or self.mining_strategy == "auto"
        rule = f"must be auto: the loss {self.loss!r} takes all pairs of a batch and mines none"
        _require(mined, "mining_strategy", rule, self.mining_strategy)

    @property
    def num_gcn_layers(self) -> int:
        """How many graph convolutions there are."""
        return len(self.hidden_dims)

    def replace(self, **changes: Any) -> DTGCNNConfig:
        """A copy with some settings changed, checked anew."""
        check_names(changes)
        return dataclasses.replace(self, **changes)

    def require_same_model(self, other: DTGCNNConfig) -> None:
        """Refuse a config that shapes another model than ``other`` does.

        Raises:
            ValueError: names the first setting that differs.
        """
        for name in _SHAPE_THE_MODEL:
            ours, theirs = getattr(self, name), getattr(other, name)
            _require(ours == theirs, name, f"must be the model's {theirs!r}", ours)

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON's types."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}

    def save(self, path: str | Path) -> None:
        """Write the settings as TOML or JSON; see ``dtgcnn.config_file``."""
        from .config_file import write_settings

        write_settings(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> DTGCNNConfig:
        """The config that a TOML or JSON file names; see ``dtgcnn.config_file``."""
        from .config_file import read_settings

        return cls.from_dict(read_settings(path))

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> DTGCNNConfig:
        """The config of these settings; those not named keep their defaults."""
        check_names(settings)
        return cls(**settings)


SMALL_DATA_ROWS = 10_000


def suggest(rows: int, steps_per_epoch: int) -> dict[str, Any]:
    """Settings that suit the size of the data, for those that the user did not name.

    Small data (below 10,000 rows or triplets) overfit sooner: more dropout and fewer steps. Epochs
    are those that make about 800 steps, or else 2,500, and between 10 and 100.
    """
    dropout_rate, steps = (0.3, 800) if rows < SMALL_DATA_ROWS else (0.1, 2500)
    num_epochs = min(max(round(steps / max(steps_per_epoch, 1)), 10), 100)
    return {"dropout_rate": dropout_rate, "num_epochs": num_epochs}


_SHAPE_THE_MODEL = (
    *("input_dim", "hidden_dims", "output_dim", "gcn_activation", "use_batch_norm"),
    *("dropout_rate", "normalize_output", "graph_k_neighbors", "graph_similarity_threshold"),
    "graph_self_weight",
)

_AT_LEAST_ONE: tuple[str, ...] = (
    "input_dim",
    "output_dim",
    "graph_k_neighbors",
    "dynamic_graph_update_freq",
    "bank_size",
    "batch_size",
    "num_epochs",
    "scheduler_step_size",
)

_INF = float("inf")
_RANGES = (
    ("dropout_rate", 0.0, 1.0, "[)"),
    ("graph_similarity_threshold", -1.0, 1.0, "[]"),
    ("graph_self_weight", 0.0, 1.0, "(]"),
    ("triplet_margin", 0.0, _INF, "()"),
    ("focal_gamma", 0.0, _INF, "()"),
    ("temperature", 0.0, _INF, "()"),
    ("uniformity_weight", 0.0, _INF, "[)"),
    ("learning_rate", 0.0, _INF, "()"),
    ("momentum", 0.0, 1.0, "[)"),
    ("scheduler_gamma", 0.0, 1.0, "(]"),
    ("weight_decay", 0.0, _INF, "[)"),
    ("warmup_epochs", 0.0, 1e6, "[]"),
    ("gradient_clip_val", 0.0, _INF, "(]"),
)
_CHOICES: dict[str, tuple[str, ...]] = {
    "gcn_activation": get_args(Activation),
    "graph_scope": get_args(GraphScope),
    "loss": get_args(LossName),
    "loss_reduction": ("mean", "mean_active", "sum"),
    "mining_strategy": get_args(MiningStrategy),
    "triplet_distance": get_args(Distance),
    "optimizer": get_args(OptimizerName),
    "scheduler": tuple(SCHEDULES),
}


def check_names(settings: Mapping[str, Any]) -> None:
    """Refuse a setting that does not exist, naming the nearest that does."""
    known = [field.name for field in dataclasses.fields(DTGCNNConfig)]
    for name in settings:
        if name not in known:
            also = {"hidden_dim": ["hidden_dims"], "num_gcn_layers": ["hidden_dims"]}
            near = also.get(name) or difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"unknown setting {name!r}{hint}")


def _require(holds: bool, name: str, rule: str, value: object) -> None:
    if not holds:
        raise ValueError(f"{name} {rule}, received {value!r}")


def _whole(name: str, value: object, least: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    _require(
        whole and value >= least,  # type: ignore[operator]
        name,
        f"must be a whole number of at least {least}",
        value,
    )
