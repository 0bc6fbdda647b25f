"""Which rows of the bank a trained model's rows attach to, and how well that fits their classes.

On the host, in NumPy: what the graph pictures draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..config import refuse_unless
from ..model import DTGCNN, knn
from .metrics import unit_rows

if TYPE_CHECKING:
    from ..array import HostArray

__all__ = ["Links", "bank_items", "bank_labels", "check_linked", "class_purity", "embedding_links"]
__all__ += ["graph_links", "in_degrees", "skewness"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_ANY = -1.5  # below every cosine, rounded as it may be


@dataclass(frozen=True)
class Links:
    """Links from N rows to a bank.

    Attributes:
        neighbors: (N, k) rows of the bank.
        linked: (N, k) False where there is no link.
    """

    neighbors: Ints
    linked: npt.NDArray[np.bool_]


def check_linked(model: object) -> None:
    """Raise ``ValueError`` unless ``model`` is one that links rows to its bank."""
    refuse_unless(
        isinstance(model, DTGCNN), "model", "must be a DTGCNN, no Ensemble of them", model
    )


def graph_links(model: DTGCNN, host_x: HostArray) -> Links:
    """The links of the model's graph, from ``host_x`` (N, input_dim) as ``model.vectors`` gives it.

    A row that is in the bank does not link to itself.
    """
    check_linked(model)
    graph = model.attach(host_x, model.nodes(host_x))
    neighbors, weights = map(model.ops.to_numpy, (graph.neighbors, graph.weights))
    return Links(neighbors.astype(np.int64), weights > 0)


def embedding_links(model: DTGCNN, host_x: HostArray) -> Links:
    """As ``graph_links``, but to the ``graph_k_neighbors`` rows of the bank whose embeddings are
    nearest by cosine."""
    check_linked(model)
    bank, ops = model.trained_bank(), model.ops
    embeddings, source = (
        ops.asarray(unit_rows(model.embed(x)).astype(np.float32)) for x in (host_x, bank.host_x)
    )
    exclude = ops.asarray(bank.rows_of(host_x), "int32")
    k = model.config.graph_k_neighbors
    near, similarity = knn(ops, embeddings, source, k, _ANY, exclude)
    return Links(ops.to_numpy(near).astype(np.int64), ops.to_numpy(similarity) > -2.0)


def bank_items(model: DTGCNN, host_x: HostArray) -> Ints:
    """For each row of the bank the first row of ``host_x`` that is equal to it, or −1: (M,)."""
    bank = model.trained_bank()
    rows = np.array(bank.rows_of(host_x), np.int64)
    found, first = np.unique(rows, return_index=True)
    items = np.full(len(bank), -1)
    items[found[found >= 0]] = first[found >= 0]
    return items


def bank_labels(items: Ints, labels: Ints) -> Ints:
    """The class of each row of the bank: ``labels`` (N,) at ``bank_items``, −1 where that is −1."""
    return np.where(items >= 0, labels[items], -1)


def in_degrees(links: Links, size: int) -> Ints:
    """How many links end at each of the ``size`` rows of the bank."""
    return np.bincount(links.neighbors[links.linked], minlength=size)


def skewness(degrees: npt.ArrayLike) -> float:
    """``E[(d − μ)³] / σ³``, 0 where all degrees are equal; above 1 a few hubs get many links.

    Radovanović, Nanopoulos & Ivanović 2010, "Hubs in Space".
    """
    d = np.asarray(degrees, np.float64)
    spread = d.std()
    return float(np.mean((d - d.mean()) ** 3) / spread**3) if spread > 0 else 0.0


def class_purity(links: Links, labels: Ints, ends: Ints, n_classes: int) -> Floats:
    """The mean share of a row's links that end in its own class, for each class: (n_classes,).

    Args:
        links: of the N rows.
        labels: (N,) their classes.
        ends: (M,) classes of the bank's rows, −1 where unknown; such links do not count.
        n_classes: how many classes there are.

    Returns:
        Shares in [0, 1]; NaN for a class without a row that has a link that counts.
    """
    found = ends[links.neighbors]
    counted = links.linked & (found >= 0)
    count = counted.sum(axis=1)
    used = count > 0
    share = (counted & (found == labels[:, None])).sum(axis=1)[used] / count[used]
    total = np.bincount(labels[used], weights=share, minlength=n_classes)
    rows = np.bincount(labels[used], minlength=n_classes)
    purity = np.full(n_classes, np.nan)
    np.divide(total, rows, out=purity, where=rows > 0)
    return purity
