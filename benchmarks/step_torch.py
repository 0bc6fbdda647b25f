"""The training steps of ``step.py`` in PyTorch: eager or compiled, over an edge list, a sparse CSR
matrix or ``embedding_bag``."""

# mypy: disable-error-code="import-untyped,import-not-found,no-untyped-call,misc,untyped-decorator"
from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from step import Step, Task

__all__ = ["set_threads", "torch_steps"]


class Links(NamedTuple):
    """``Â`` without what a node keeps of itself, as CSR and as an edge list."""

    starts: Tensor
    rows: Tensor
    columns: Tensor
    values: Tensor


def by_edges(links: Links, h: Tensor, source: Tensor) -> Tensor:
    messages = source[links.columns] * links.values[:, None]
    return h.new_zeros(len(h), source.shape[1]).index_add(0, links.rows, messages)


def by_csr(links: Links, h: Tensor, source: Tensor) -> Tensor:
    shape = (len(h), len(source))
    matrix = torch.sparse_csr_tensor(links.starts, links.columns, links.values, shape)
    return matrix @ source


def by_bag(links: Links, h: Tensor, source: Tensor) -> Tensor:
    # An offset for each row, without the last one, which is the end.
    starts = links.starts[:-1]
    return F.embedding_bag(
        links.columns, source, starts, mode="sum", per_sample_weights=links.values
    )


FORMS = {"edge list": by_edges, "CSR": by_csr, "embedding_bag": by_bag}


class Model(nn.Module):
    """The same network and loss, its weights copied from a parameter tree of dtgcnn."""

    def __init__(self, task: Task, form: str) -> None:
        super().__init__()
        config, self.aggregate, self.task = task.config, FORMS[form], task
        widths = (config.node_width, *config.hidden_dims)
        self.weights = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in config.hidden_dims)
        self.head = nn.Linear(widths[-1], config.output_dim)
        layers = [task.params["gcn"][str(i)]["linear"] for i in range(len(self.weights))]
        with torch.no_grad():
            for linear, given in zip([*self.weights, self.head], [*layers, task.params["head"]]):
                linear.weight.copy_(torch.tensor(given["weight"]).T)
                linear.bias.copy_(torch.tensor(given["bias"]))
        self.batch = {name: torch.tensor(x) for name, x in task.batch.items()}
        self.sources = [torch.tensor(x) for x in task.sources.values()]

    def forward(self, links: Links) -> Tensor:
        """The loss of the batch."""
        x = h = self.batch["x"]
        for index, (linear, norm) in enumerate(zip(self.weights, self.norms)):
            if self.sources:
                mixed = self.batch["own"] * h + self.aggregate(links, h, self.sources[index])
                out = linear(mixed)
            else:
                narrow = h @ linear.weight.T
                out = self.aggregate(links, narrow, narrow) + linear.bias
            out = F.dropout(F.gelu(norm(out)), self.task.config.dropout_rate)
            h = out + h if out.shape == h.shape else out
        z = self.head(h)
        if not self.sources:
            return self.triplets(F.normalize(z))
        z = F.normalize(x + self.batch["gate"] * z)
        kept = 1.0 - (F.normalize(z) * x).sum(1).mean()
        return self.triplets(z) + self.task.config.start_weight * kept

    def triplets(self, z: Tensor) -> Tensor:
        """Batch-hard triplets; with a bank half of it over semi-hard negatives of their pairs."""
        with torch.no_grad():
            labels, items = self.batch["labels"], self.batch["items"]
            near = z @ z.T
            distances = (z * z).sum(1) - 2.0 * near
            same = labels[:, None] == labels
            positives, negatives = same & (items[:, None] != items), ~same
            if "anchors" in self.batch:
                anchors = self.batch["anchors"]
                compared = anchors[:, None] & ~anchors
                positives, negatives = positives & compared, negatives & compared
            infinity = float("inf")
            positive = distances.masked_fill(~positives, -infinity).argmax(1)
            negative = distances.masked_fill(~negatives, infinity).argmin(1)
            valid = positives.any(1) & negatives.any(1)
            beyond = negatives & (distances > distances.gather(1, positive[:, None]))
            softer = distances.masked_fill(~beyond, infinity).argmin(1)
        hard = self.hinge(z, positive, negative, valid)
        if self.task.config.mining_strategy == "batch_hard":
            return hard
        return 0.5 * (hard + self.hinge(z, positive, softer, valid & beyond.any(1)))

    def hinge(self, z: Tensor, positive: Tensor, negative: Tensor, valid: Tensor) -> Tensor:
        to_positive = torch.linalg.vector_norm(z - z[positive], dim=1)
        to_negative = torch.linalg.vector_norm(z - z[negative], dim=1)
        terms = F.relu(to_positive - to_negative + self.task.config.triplet_margin) * valid
        return terms.sum() / valid.sum().clamp(min=1)


@torch.no_grad()
def graph_of(x: Tensor, k: int) -> Links:
    """``D^-1/2 (max(M, Mᵀ) + I) D^-1/2``, the neighbours by one product and one ``topk``."""
    rows = F.normalize(x)
    near = (rows @ rows.T).fill_diagonal_(-2.0).topk(k, dim=1, sorted=False).indices
    linked = torch.zeros(len(x), len(x), dtype=torch.bool).scatter_(1, near, True)
    linked |= linked.T.clone()
    degree = linked.fill_diagonal_(True).sum(dim=1)
    root = degree.to(x.dtype).rsqrt()
    row, column = linked.nonzero().unbind(1)
    return Links(F.pad(degree.cumsum(0), (1, 0)), row, column, root[row] * root[column])


def links_of(batch: dict[str, Tensor]) -> Links:
    """The links to a bank that a batch comes with."""
    count, k = batch["neighbors"].shape
    row = torch.arange(count)
    return Links(
        torch.arange(0, count * k + 1, k),
        row.repeat_interleave(k),
        batch["neighbors"].reshape(-1).long(),
        batch["weights"].reshape(-1),
    )


def torch_step(task: Task, form: str, compiled: bool) -> Step:
    model, config = Model(task, form), task.config
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    loss_of: Any = torch.compile(model, dynamic=False) if compiled else model

    def take() -> tuple[float, float]:
        if task.sources:
            links = links_of(model.batch)
        else:
            links = graph_of(model.batch["x"], config.graph_k_neighbors)
        loss = loss_of(links)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip_val)
        optimizer.step()
        return loss.item(), norm.item()

    return take


def set_threads(threads: int) -> str:
    """Set the threads of PyTorch's operations and return its version."""
    torch.set_num_threads(threads)
    return f"torch {torch.__version__}"


def torch_steps(task: Task) -> dict[str, Step]:
    """The steps by name; ``torch.compile`` has no form of a sparse matrix."""
    eager = {f"PyTorch, {form}": torch_step(task, form, False) for form in FORMS}
    forms = ("edge list", "embedding_bag")
    return eager | {f"torch.compile, {form}": torch_step(task, form, True) for form in forms}
