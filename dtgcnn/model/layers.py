"""Layers: frozen dataclasses with ``init(ops, key)`` and a pure call on the parameters.

Parameters and running state are nested dicts. In training a call takes a ``key``; without one it
is an evaluation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import get_args

from ..array import Array, ArrayOps, Tree, half_matmul, numerics, random
from ..config import Activation, Initializer, refuse_unknown
from .graph import Graph, propagate

__all__ = ["BatchNorm", "GCNLayer", "LayerNorm", "Linear", "dropout", "initial_weight"]


def activate(ops: ArrayOps, name: Activation, x: Array) -> Array:
    """Apply the activation of this name."""
    if name == "gelu":
        return numerics.gelu(ops, x)
    if name == "relu":
        return numerics.relu(ops, x)
    return ops.tanh(x) if name == "tanh" else x


def dropout(ops: ArrayOps, x: Array, rate: float, key: Array | None) -> Array:
    """Zero each entry with probability ``rate`` and scale the rest by ``1 / (1 − rate)``.

    Srivastava et al. 2014. Without a key (evaluation), or at rate 0, ``x`` itself.
    """
    kept = kept_entries(ops, x.shape, rate, key)
    if kept is None:
        return x
    return x * (ops.astype(kept, ops.dtype) * (1.0 / (1.0 - rate)))


def kept_entries(
    ops: ArrayOps, shape: tuple[int, ...], rate: float, key: Array | None
) -> Array | None:
    """Which entries dropout keeps; None where it keeps all."""
    if key is None or rate == 0.0:
        return None
    return random.bernoulli(ops, key, 1.0 - rate, shape)


def initial_weight(
    ops: ArrayOps, key: Array, in_dim: int, out_dim: int, initializer: Initializer
) -> Array:
    """A weight (in_dim, out_dim) of mean 0 and variance ``2 / (in_dim + out_dim)`` (Xavier: Glorot
    & Bengio 2010) or ``2 / in_dim`` (He et al. 2015, arXiv:1502.01852), uniform or normal.

    Raises:
        ValueError: the initialiser is unknown.
    """
    refuse_unknown("initializer", initializer, get_args(Initializer))
    family, shape = initializer.split("_")
    deviation = math.sqrt(2.0 / (in_dim + out_dim if family == "xavier" else in_dim))
    if shape == "normal":
        return random.normal(ops, key, (in_dim, out_dim)) * deviation
    u = random.uniform(ops, key, (in_dim, out_dim))
    return (2.0 * u - 1.0) * (math.sqrt(3.0) * deviation)


def matmul(
    ops: ArrayOps, x: Array, weight: Array, precision: str | None, by_rows: bool = False
) -> Array:
    """``x @ weight``, in half precision where one is named, or row by row."""
    if precision is not None:
        return half_matmul(ops, x, weight, precision)
    if by_rows:
        return numerics.matmul_by_rows(ops, x, weight)
    return numerics.matmul(ops, x, weight)


@dataclass(frozen=True)
class Linear:
    """``x W + b``, with W of shape (in_dim, out_dim); b is 0 at first."""

    in_dim: int
    out_dim: int
    initializer: Initializer = "xavier_uniform"

    def init(self, ops: ArrayOps, key: Array) -> Tree:
        """``bias`` (out_dim,) and ``weight`` (in_dim, out_dim), drawn as the initialiser says."""
        weight = initial_weight(ops, key, self.in_dim, self.out_dim, self.initializer)
        return {"bias": ops.zeros((self.out_dim,)), "weight": weight}

    def __call__(
        self,
        ops: ArrayOps,
        params: Tree,
        x: Array,
        precision: str | None = None,
        by_rows: bool = False,
    ) -> Array:
        """(N, in_dim) to (N, out_dim); ``precision`` and ``by_rows`` as of ``matmul``."""
        out: Array = matmul(ops, x, params["weight"], precision, by_rows) + params["bias"]
        return out


@dataclass(frozen=True)
class LayerNorm:
    """Layer normalisation (Ba et al. 2016). It has no running state."""

    dim: int
    eps: float = 1e-5

    def init(self, ops: ArrayOps) -> Tree:
        """``bias`` and ``weight``, (dim,): 0 and 1."""
        return {"bias": ops.zeros((self.dim,)), "weight": ops.zeros((self.dim,)) + 1.0}

    def init_state(self, ops: ArrayOps) -> Tree:
        """Empty: there is no running state."""
        return {}

    def __call__(
        self, ops: ArrayOps, params: Tree, state: Tree, x: Array, training: bool
    ) -> tuple[Array, Tree]:
        """``x`` (N, dim) normalised row by row, and the state as it was."""
        return numerics.layer_norm(ops, x, params["weight"], params["bias"], self.eps), state


@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation over rows (Ioffe & Szegedy 2015).

    In training it uses the batch's biased variance and moves the running statistics by
    ``momentum`` towards the batch's mean and unbiased variance, as PyTorch does; in evaluation it
    uses the running statistics.
    """

    dim: int
    eps: float = 1e-5
    momentum: float = 0.1

    def init(self, ops: ArrayOps) -> Tree:
        """``bias`` and ``weight``, (dim,): 0 and 1."""
        return {"bias": ops.zeros((self.dim,)), "weight": ops.zeros((self.dim,)) + 1.0}

    def init_state(self, ops: ArrayOps) -> Tree:
        """The running statistics ``mean`` and ``var``, (dim,): 0 and 1."""
        return {"mean": ops.zeros((self.dim,)), "var": ops.zeros((self.dim,)) + 1.0}

    def __call__(
        self, ops: ArrayOps, params: Tree, state: Tree, x: Array, training: bool
    ) -> tuple[Array, Tree]:
        """``x`` (N, dim) normalised column by column, and the new running state."""
        if training:
            mean, var = numerics.mean(ops, x, 0), numerics.var(ops, x, 0)
            n, keep = x.shape[0], 1.0 - self.momentum
            unbiased = ops.stop_gradient(var) * (n / max(n - 1, 1))
            state = {
                "mean": keep * state["mean"] + self.momentum * ops.stop_gradient(mean),
                "var": keep * state["var"] + self.momentum * unbiased,
            }
        else:
            mean, var = state["mean"], state["var"]
        scale = params["weight"] / ops.sqrt(var + self.eps)
        return (x - mean) * scale + params["bias"], state


@dataclass(frozen=True)
class GCNLayer:
    """``h' = Dropout(σ(Norm(Â h W + b)))``, plus ``h`` where the widths agree.

    Kipf & Welling 2017 (arXiv:1609.02907) with a norm and a residual connection. The neighbours'
    part of ``Â h`` comes from ``source`` where one is given (a bank's states), else from ``h``.
    """

    in_dim: int
    out_dim: int
    activation: Activation = "gelu"
    batch_norm: bool = False
    dropout_rate: float = 0.0
    initializer: Initializer = "xavier_uniform"

    @property
    def linear(self) -> Linear:
        """The layer of W (in_dim, out_dim) and b."""
        return Linear(self.in_dim, self.out_dim, self.initializer)

    @property
    def norm(self) -> LayerNorm | BatchNorm:
        """Batch norm where ``batch_norm`` asks for it, else layer norm."""
        return BatchNorm(self.out_dim) if self.batch_norm else LayerNorm(self.out_dim)

    def init(self, ops: ArrayOps, key: Array) -> Tree:
        """The parameters of ``linear`` and ``norm``."""
        return {"linear": self.linear.init(ops, key), "norm": self.norm.init(ops)}

    def init_state(self, ops: ArrayOps) -> Tree:
        """The running state of ``norm``."""
        return {"norm": self.norm.init_state(ops)}

    def __call__(
        self,
        ops: ArrayOps,
        params: Tree,
        state: Tree,
        h: Array,
        graph: Graph,
        source: Array | None = None,
        *,
        key: Array | None = None,
        precision: str | None = None,
        by_rows: bool = False,
    ) -> tuple[Array, Tree]:
        """(N, in_dim) to (N, out_dim), and the new running state; with ``by_rows`` no bit of a row
        depends on the others, where ``source`` is given."""
        # Â (h W) = (Â h) W: aggregate on the narrower side. A bank's states are many more rows
        # than the batch, so they are gathered before the product.
        if source is None and self.out_dim < self.in_dim:
            narrow = matmul(ops, h, params["linear"]["weight"], precision)
            out = propagate(ops, graph, narrow) + params["linear"]["bias"]
        else:
            mixed = propagate(ops, graph, h, source)
            out = self.linear(ops, params["linear"], mixed, precision, by_rows)
        added = h if self.in_dim == self.out_dim else None
        if self.activation == "gelu" and not self.batch_norm and numerics.has(ops, "norm_gelu"):
            return self._norm_gelu(ops, params["norm"], out, key, added), state
        out, norm_state = self.norm(ops, params["norm"], state["norm"], out, key is not None)
        out = dropout(ops, activate(ops, self.activation, out), self.dropout_rate, key)
        return out if added is None else out + added, {"norm": norm_state}

    def _norm_gelu(
        self, ops: ArrayOps, params: Tree, x: Array, key: Array | None, h: Array | None
    ) -> Array:
        """Norm, activation, dropout and what is added at once."""
        kept = kept_entries(ops, x.shape, self.dropout_rate, key)
        scale, eps = 1.0 / (1.0 - self.dropout_rate), LayerNorm.eps
        return numerics.norm_gelu(ops, x, params["weight"], params["bias"], eps, kept, scale, h)
