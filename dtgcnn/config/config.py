"""``DTGCNNConfig``: every setting of the model and its training, checked when it is made."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from pathlib import Path
from typing import Any, Literal

from .choices import (
    Activation,
    Distance,
    GraphScope,
    Initializer,
    LossName,
    MiningStrategy,
    OptimizerName,
    Precision,
    ScheduleName,
    StartName,
)
from .contradictions import check_together
from .files import read_settings, write_settings
from .rules import (
    SHAPE_THE_MODEL,
    check_names,
    check_values,
    check_whole,
    is_whole,
    refuse_more,
    refuse_unless,
    to_python,
)
from .templates import LARGE, MEDIUM, SMALL, template_of

__all__ = ["DTGCNNConfig"]

_DEFAULT_DIMS = (256, 256, 256)


@dataclass(frozen=True)
class DTGCNNConfig:
    """Settings of a DT-GCNN. An unknown name, a value out of range or a contradiction is refused.

    A setting that the others leave without effect, such as the ``momentum`` of AdamW, is a
    contradiction unless it is at its default.

    Args:
        input_dim: width of the vectors that go in, or that the embedding layer gives.
        vocab_size: how many pieces of text the trainable embedding layer has a vector for, padding
            included; None has no such layer, and vectors go in.
        max_length: with ``vocab_size``: the pieces that are kept of a text.
        hidden_dims: width of each graph convolution.
        num_gcn_layers: how many graph convolutions there are, which must agree with
            ``hidden_dims``. Without them all have the width ``hidden_dim``, by default 256.
        output_dim: width of the embedding.
        start: what the network adds to: ``"closed_form"``, an embedding of whitened rows and class
            codes that is found when training begins; or ``"none"``: nothing, and the rows
            themselves are the network's nodes, as they are where ``vocab_size`` is set.
        standardize: of the start: columns of vectors at mean 0 and deviation 1, beside a constant,
            before rows are brought to unit length; ``"auto"`` where rows are labelled, not all
            of one length, and those held out in turn are told better so.
        code_weight: of the class codes of the start. More of it puts whole classes first (MAP@R),
            less keeps more of the rows' own order (recall@10); 0 leaves the codes out.
        start_weight: weight of ``1 − cos(embedding, start)`` beside the loss.
        propagation_hops: how often an embedding is averaged with those of its neighbours in the
            bank, after the network; 0 leaves it as it is.
        gcn_activation: of each graph convolution: ``"gelu"``, ``"relu"``, ``"tanh"`` or
            ``"identity"``.
        use_batch_norm: batch norm in place of layer norm.
        dropout_rate: share of hidden entries dropped in training, in [0, 1).
        normalize_output: embeddings at unit length.
        initializer: of weights: ``"xavier_uniform"``, ``"xavier_normal"``, ``"he_uniform"`` or
            ``"he_normal"``.
        graph_k_neighbors: nearest neighbours that each node links to.
        graph_similarity_threshold: least cosine similarity of a link; −1 links the nearest
            however far they are.
        graph_self_weight: a node's own share in a graph convolution: a number, None or ``"kipf"``
            for Kipf & Welling's, or ``"adaptive"``, the larger the farther its neighbours are, as
            it always is in propagation.
        graph_scope: whom a node is linked to in training: its nearest rows of the ``"bank"``, as
            in inference, or of the ``"batch"``.
        dynamic_graph_update_freq: epochs between refreshes of the bank's states in training. In
            the scope ``"batch"`` the graph is new at every step.
        bank_size: most rows of the training data that the bank keeps, drawn evenly over classes.
        triplet_margin: of ``"triplet"``, ``"focal"`` and ``"batch_all"``: by how much a negative
            must be farther than a positive.
        target_margin: what the margin becomes by the last epoch, in a straight line; None keeps it.
        loss: ``"triplet"``, ``"focal"``, or over all pairs of a batch ``"batch_all"``,
            ``"supcon"``, ``"info_nce"``, ``"multi_similarity"`` or ``"circle"``.
        triplet_distance: of the losses with a margin: ``"euclidean"``, ``"squared"`` or
            ``"cosine"``.
        triplet_swap: of ``"triplet"`` and ``"focal"``: compare with the nearer of the negative's
            distances to anchor and positive.
        soft_margin: softplus in place of the hinge of ``"triplet"``.
        focal_gamma: how much ``"focal"`` looks away from easy triplets.
        temperature: of ``"supcon"`` and ``"info_nce"``.
        uniformity_weight: weight of a term against collapse beside a loss over pairs.
        loss_reduction: of the losses with a margin: the mean over valid triplets (``"mean"``), over
            those whose loss is above 0 (``"mean_active"``), or the ``"sum"``.
        mining_strategy: of ``"triplet"`` and ``"focal"``. ``"batch_hard"``: each row's hardest
            positive and negative of the batch; ``"explicit"``: the data's own triplets; ``"auto"``:
            the data's own triplets, or else batch-hard ones, and with the same weight a semi-hard
            negative for each of their pairs; ``"semi_hard"``, ``"easy_positive"``,
            ``"distance_weighted"``. Of a row's positives, ``"semi_hard"`` and
            ``"distance_weighted"`` take ``samples_per_class`` − 1 at most.
        batch_size: rows (labelled data) or triplets per batch of the loader.
        gradient_accumulation_steps: batches of the loader that make one step.
        gradient_accumulation: ``"cached"``: the batches are one large batch to loss and mining,
            encoded part by part with cached gradients (batch norm sees one part at a time);
            ``"plain"``: the mean of their gradients, each batch mining among its own rows only, so
            that the negatives of the others are lost.
        batch_parts: parts of about the same size that the rows of a step are cut into, encoded one
            after the other with cached gradients, or each by one of the processes of a run (see
            docs/distributed.md). The bits of a run depend on them and not on the number of
            processes. None makes as many as the run is begun with processes.
        samples_per_class: rows of one class in a labelled batch of the loader.
        num_epochs: passes over the training data.
        optimizer: what makes steps of gradients: ``"adamw"``, ``"adam"`` or ``"sgd"``.
        learning_rate: the optimiser's peak step size.
        momentum: of SGD, in [0, 1).
        weight_decay: decoupled from the gradient in AdamW, added to it in the others.
        warmup_epochs: epochs of linear warm-up of the learning rate; it may be a fraction.
            ``"one_cycle"`` has its own.
        warmup_steps: the warm-up in steps, in place of ``warmup_epochs``.
        scheduler: what follows the warm-up: ``"cosine"`` or ``"linear"`` to zero, ``"constant"``,
            ``"one_cycle"``, ``"step"`` or ``"exponential"``.
        scheduler_step_size: of ``"step"``: epochs between the drops.
        scheduler_gamma: factor of each drop (``"step"``, by default 0.1) or epoch
            (``"exponential"``, 0.95).
        gradient_clip_val: largest global norm of the gradient.
        early_stopping_patience: epochs without a better validation loss, or training loss where
            nothing is held out, after which training ends; None never ends it early.
        mixed_precision: matrix products in half precision: ``"float16"``, or true, with a loss
            scale that adapts, or ``"bfloat16"``. Weights, norms and losses stay in float32.
        gradient_checkpointing: keep no hidden values for the backward pass but recompute them: less
            memory, more time. NumPy keeps them all the same.
        adaptive_batch_size: where memory runs out, encode each batch in twice as many parts with
            cached gradients, which keeps the step as it was, or else halve the batches, and go on.
        offload_optimizer: keep the optimiser's state in the host's memory between steps.
        cache_limit: most bytes of freed memory that the backend keeps for reuse; None for its own
            limit. NumPy cannot be told.
        clear_cache_every: steps between two clearings of that memory; 0 never clears it.
        num_workers: threads that assemble batches ahead; 0 assembles each when it is needed.
        prefetch_factor: batches ahead per thread.
        persistent_workers: keep the threads from epoch to epoch.
        device: ``"cpu"``, ``"gpu"``, or ``"auto"``: the backend's preferred one.
        num_threads: most threads of the BLAS library in training; None for its own number. MLX has
            threads of its own.
        process_timeout: seconds that the processes of a run wait for one of them before all end.
        seed: source of every random choice.
    """

    input_dim: int = 768
    vocab_size: int | None = None
    max_length: int = 128
    hidden_dims: tuple[int, ...] = _DEFAULT_DIMS
    num_gcn_layers: int | None = None
    output_dim: int = 256
    start: StartName = "closed_form"
    standardize: bool | Literal["auto"] = "auto"
    code_weight: float = 1.5
    start_weight: float = 0.3
    propagation_hops: int = 0
    gcn_activation: Activation = "gelu"
    use_batch_norm: bool = False
    dropout_rate: float = 0.1
    normalize_output: bool = True
    initializer: Initializer = "xavier_uniform"
    graph_k_neighbors: int = 10
    graph_similarity_threshold: float = 0.0
    graph_self_weight: float | Literal["adaptive"] | None = 0.8
    graph_scope: GraphScope = "bank"
    dynamic_graph_update_freq: int = 1
    bank_size: int = 10_000
    triplet_margin: float = 0.2
    target_margin: float | None = None
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
    gradient_accumulation_steps: int = 1
    gradient_accumulation: Literal["cached", "plain"] = "cached"
    batch_parts: int | None = None
    samples_per_class: int = 4
    num_epochs: int = 30
    optimizer: OptimizerName = "adamw"
    learning_rate: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 1e-4
    warmup_epochs: float = 1.0
    warmup_steps: int | None = None
    scheduler: ScheduleName = "cosine"
    scheduler_step_size: int = 10
    scheduler_gamma: float | None = None
    gradient_clip_val: float = 1.0
    early_stopping_patience: int | None = None
    mixed_precision: bool | Precision = False
    gradient_checkpointing: bool = False
    adaptive_batch_size: bool = False
    offload_optimizer: bool = False
    cache_limit: int | None = None
    clear_cache_every: int = 0
    num_workers: int = 0
    prefetch_factor: int = 2
    persistent_workers: bool = False
    device: str = "auto"
    num_threads: int | None = None
    process_timeout: float = 600.0
    seed: int = 0
    hidden_dim: InitVar[int | None] = None

    def __new__(cls, *args: Any, **settings: Any) -> DTGCNNConfig:
        """Refuse an unknown setting, and name the nearest one that there is."""
        check_names(settings)  # before ``__init__``, which would not name the nearest
        return super().__new__(cls)

    def __post_init__(self, hidden_dim: int | None) -> None:
        if str(self.graph_self_weight) == "kipf":
            object.__setattr__(self, "graph_self_weight", None)
        for name, value in vars(self).items():
            object.__setattr__(self, name, to_python(value))
        dims = _widths(self.hidden_dims, self.num_gcn_layers, to_python(hidden_dim))
        object.__setattr__(self, "hidden_dims", dims)
        check_values(vars(self))
        check_together(vars(self), {f.name: f.default for f in dataclasses.fields(self)})
        object.__setattr__(self, "num_gcn_layers", len(dims))
        if self.mixed_precision is True:
            object.__setattr__(self, "mixed_precision", "float16")

    @classmethod
    def small(cls, **settings: Any) -> DTGCNNConfig:
        """For fewer than 10,000 samples; ``settings`` override. See ``dtgcnn.config.templates``."""
        return cls.from_dict({**SMALL, **settings})

    @classmethod
    def medium(cls, **settings: Any) -> DTGCNNConfig:
        """For 10,000 to 100,000 samples; ``settings`` override. See ``dtgcnn.config.templates``."""
        return cls.from_dict({**MEDIUM, **settings})

    @classmethod
    def large(cls, **settings: Any) -> DTGCNNConfig:
        """For more than 100,000 samples; ``settings`` override. See ``dtgcnn.config.templates``."""
        return cls.from_dict({**LARGE, **settings})

    @classmethod
    def for_size(cls, num_samples: int, **settings: Any) -> DTGCNNConfig:
        """The template that suits ``num_samples`` rows or triplets; ``settings`` override."""
        num_samples = check_whole("num_samples", num_samples, 0)
        return cls.from_dict({**template_of(num_samples), **settings})

    @property
    def width_name(self) -> str:
        """The setting that is the width of the rows that go in."""
        return "input_dim" if self.vocab_size is None else "max_length"

    @property
    def row_width(self) -> int:
        """The width of the rows that go in: numbers of a vector, or pieces of a text."""
        width: int = getattr(self, self.width_name)
        return width

    @property
    def has_start(self) -> bool:
        """Whether the network adds to a closed-form start."""
        return self.start != "none" and self.vocab_size is None

    @property
    def standardizes(self) -> bool | Literal["auto"]:
        """``standardize`` as far as there is a start to do so, and to ``"auto"`` class codes."""
        if not self.has_start or (self.standardize == "auto" and self.code_weight == 0.0):
            return False
        return self.standardize

    @property
    def node_width(self) -> int:
        """The width of the network's nodes."""
        return self.output_dim if self.has_start else self.input_dim

    @property
    def embedding_layer(self) -> str:
        """How the names of the parameters of the embedding layer begin."""
        return "head." if self.vocab_size is None else "embedding."

    def replace(self, **changes: Any) -> DTGCNNConfig:
        """A copy with some settings changed, checked anew."""
        check_names(changes)
        if "hidden_dim" in changes and "hidden_dims" not in changes:
            layers = changes.get("num_gcn_layers") or len(self.hidden_dims)
            changes |= {"hidden_dims": _DEFAULT_DIMS, "num_gcn_layers": layers}
        changes = {"num_gcn_layers": None, "hidden_dim": None, **changes}
        return dataclasses.replace(self, **changes)

    def require_same_model(self, other: DTGCNNConfig) -> None:
        """Refuse a config that shapes another model than ``other`` does.

        Raises:
            ValueError: names the first setting that differs.
        """
        for name in SHAPE_THE_MODEL:
            ours, theirs = getattr(self, name), getattr(other, name)
            refuse_unless(ours == theirs, name, f"must be the model's {theirs!r}", ours)

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON's types, ``num_gcn_layers`` by ``hidden_dims`` alone."""
        settings = {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}
        del settings["num_gcn_layers"]
        return settings

    def save(self, path: str | Path) -> None:
        """Write the settings as TOML or JSON; see ``dtgcnn.config.files``."""
        write_settings(path, self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> DTGCNNConfig:
        """The config that a TOML or JSON file names; see ``dtgcnn.config.files``."""
        return cls.from_dict(read_settings(path))

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> DTGCNNConfig:
        """The config of these settings; those not named keep their defaults."""
        check_names(settings)
        return cls(**settings)


def _widths(dims: Any, layers: Any, width: Any) -> Any:
    """``hidden_dims`` as ``num_gcn_layers`` and ``hidden_dim`` have it, where they are given."""
    for name, value in (("num_gcn_layers", layers), ("hidden_dim", width)):
        rule = "must be a whole number of at least 1"
        refuse_unless(value is None or is_whole(value, 1), name, rule, value)
        refuse_more(name, value or 1)
    if width is not None:
        rule = f"must not be given beside hidden_dims = {list(dims)}"
        refuse_unless(dims is _DEFAULT_DIMS, "hidden_dim", rule, width)
        return (width,) * (len(dims) if layers is None else layers)
    if layers is None or not isinstance(dims, tuple) or layers == len(dims):
        return dims
    rule = f"contradicts hidden_dims = {list(dims)}: it must be {len(dims)}, or be left out"
    refuse_unless(dims is _DEFAULT_DIMS, "num_gcn_layers", rule, layers)
    return dims[:1] * layers
