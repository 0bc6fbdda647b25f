"""Time one training step of dtgcnn on NumPy beside the same step in PyTorch Geometric.

    python benchmarks/step.py --rows 4096 --threads 1 --dropout 0

A step is the batch's k-nearest-neighbour graph, the forward pass, batch-hard mining, the backward
pass, clipping by the global norm and AdamW, float32, of three graph convolutions
768 -> 512 -> 256 -> 128 and a linear head of width 128. ``PyG, edges`` hands ``GCNConv`` an edge
list, ``PyG, CSR`` a sparse matrix; both build it, with its normalisation, once in a step. First all
three must agree on the loss and on the gradient's norm, from the same weights, without dropout.
Then their steps take turns in one process. Needs torch, torch_geometric and threadpoolctl.
"""

# mypy: disable-error-code="import-untyped,import-not-found,no-untyped-call,misc,untyped-decorator"
from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from dtgcnn_numpy import NumpyOps
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch_geometric.nn import GCNConv
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from dtgcnn.array.random import derive_key
from dtgcnn.config.config import DTGCNNConfig
from dtgcnn.model.network import Network
from dtgcnn.optim.optimizers import adamw
from dtgcnn.training.step import TrainingStep

PER_CLASS = 4
PAUSE = 0.05
"""Seconds between steps, in which the other library's worker threads go to sleep."""

Step = Callable[[], tuple[float, float]]
"""Takes a step and returns the loss and the gradient's norm, both from before it."""


def make_config(k: int, dropout: float) -> DTGCNNConfig:
    # At the threshold -1 every list is full, which spares the edge list a selection.
    return DTGCNNConfig(
        input_dim=768,
        hidden_dims=(512, 256, 128),
        output_dim=128,
        dropout_rate=dropout,
        graph_k_neighbors=k,
        graph_similarity_threshold=-1.0,
        graph_self_weight=None,
        graph_scope="batch",
        mining_strategy="batch_hard",
        learning_rate=1e-4,
    )


def make_batch(rows: int, width: int) -> dict[str, Any]:
    """Rows around a centre for each class, near enough that some neighbours are wrong."""
    rng = np.random.default_rng(0)
    labels = np.arange(rows, dtype=np.int32) // PER_CLASS
    centres = rng.normal(size=(labels[-1] + 1, width))
    x = (centres[labels] + 2.0 * rng.normal(size=(rows, width))).astype(np.float32)
    return {"x": x, "labels": labels, "items": np.arange(rows, dtype=np.int32)}


def dtgcnn_step(config: DTGCNNConfig, batch: dict[str, Any]) -> Step:
    ops, network = NumpyOps(), Network.from_config(config)
    optimizer = adamw(weight_decay=config.weight_decay)
    params, state = network.init(ops, config.seed)
    optimizer_state = optimizer.init(ops, params)
    step, rate = TrainingStep(ops, config, network, optimizer), ops.asarray(config.learning_rate)
    count = 0

    def take() -> tuple[float, float]:
        nonlocal params, state, optimizer_state, count
        key = ops.asarray(derive_key(config.seed, "step", count), "uint32")
        params, state, optimizer_state, metrics = step(
            params, state, optimizer_state, batch, {}, key, rate
        )
        count += 1
        return float(metrics["loss"]), float(metrics["gradient_norm"])

    return take


class PyG(nn.Module):
    """The same network, its weights copied from a parameter tree of dtgcnn."""

    def __init__(self, config: DTGCNNConfig, params: dict[str, Any]) -> None:
        super().__init__()
        widths = (config.input_dim, *config.hidden_dims)
        convs: list[Any] = [GCNConv(a, b, normalize=False) for a, b in pairwise(widths)]
        self.convs = nn.ModuleList(convs)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for width in config.hidden_dims)
        self.head = nn.Linear(widths[-1], config.output_dim)
        self.rate = config.dropout_rate
        with torch.no_grad():
            for index, conv in enumerate(convs):
                weight = params["gcn"][str(index)]["linear"]["weight"]
                conv.lin.weight.copy_(torch.tensor(weight).T)
            self.head.bias.zero_()  # every other parameter starts at 0 or 1 in both
            self.head.weight.copy_(torch.tensor(params["head"]["weight"]).T)

    def forward(self, x: Tensor, graph: Tensor, weights: Tensor | None) -> Tensor:
        """Embeddings (N, output_dim) of ``x`` (N, input_dim); without weights the graph has its."""
        for conv, norm in zip(self.convs, self.norms):
            out = F.dropout(F.gelu(norm(conv(x, graph, weights))), self.rate)
            x = out + x if out.shape == x.shape else out
        return F.normalize(self.head(x))


@torch.no_grad()
def pyg_graph(x: Tensor, k: int, csr: bool) -> tuple[Tensor, Tensor | None]:
    """``D^-1/2 (max(M, Mᵀ) + I) D^-1/2``, the neighbours by one product and one ``topk``."""
    rows = F.normalize(x)
    near = (rows @ rows.T).fill_diagonal_(-2.0).topk(k, dim=1, sorted=False).indices
    linked = torch.zeros(len(x), len(x), dtype=torch.bool).scatter_(1, near, True)
    linked |= linked.T.clone()
    if not csr:
        return tuple(gcn_norm(linked.nonzero().T, num_nodes=len(x), dtype=x.dtype))
    degree = linked.fill_diagonal_(True).sum(dim=1)
    root = degree.to(x.dtype).rsqrt()
    row, column = linked.nonzero().unbind(1)
    starts, values = F.pad(degree.cumsum(0), (1, 0)), root[row] * root[column]
    return torch.sparse_csr_tensor(starts, column, values, linked.shape), None


@torch.no_grad()
def pyg_batch_hard(z: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    distances = 2.0 - 2.0 * (z @ z.T)
    same = labels[:, None] == labels[None, :]
    positives = same.clone().fill_diagonal_(False)
    positive = distances.masked_fill(~positives, -1e9).argmax(dim=1)
    negative = distances.masked_fill(same, 1e9).argmin(dim=1)
    return positive, negative, positives.any(dim=1) & ~same.all(dim=1)


def pyg_step(config: DTGCNNConfig, batch: dict[str, Any], csr: bool) -> Step:
    params, _ = Network.from_config(config).init(NumpyOps(), config.seed)
    model = PyG(config, params)
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    x, labels = torch.tensor(batch["x"]), torch.tensor(batch["labels"])

    def take() -> tuple[float, float]:
        graph, weights = pyg_graph(x, config.graph_k_neighbors, csr)
        z = model(x, graph, weights)
        positive, negative, valid = pyg_batch_hard(z, labels)
        to_positive = torch.linalg.vector_norm(z - z[positive], dim=1)
        to_negative = torch.linalg.vector_norm(z - z[negative], dim=1)
        hinge = F.relu(to_positive - to_negative + config.triplet_margin)
        loss = (hinge * valid).sum() / valid.sum().clamp(min=1)
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), config.gradient_clip_val)
        optimizer.step()
        return loss.item(), norm.item()

    return take


def steps_of(config: DTGCNNConfig, batch: dict[str, Any]) -> dict[str, Step]:
    return {
        "dtgcnn, NumPy": dtgcnn_step(config, batch),
        "PyG, edges": pyg_step(config, batch, csr=False),
        "PyG, CSR": pyg_step(config, batch, csr=True),
    }


def check(config: DTGCNNConfig, batch: dict[str, Any]) -> None:
    """Refuse to time models that differ."""
    found = {name: take() for name, take in steps_of(config, batch).items()}
    for name, (loss, norm) in found.items():
        print(f"{name:14} loss {loss:.6f}  gradient norm {norm:.6f}  (before training, no dropout)")
    if any(max(values) - min(values) > 1e-4 for values in zip(*found.values())):
        raise SystemExit("the models differ: nothing to compare")


def measure(steps: dict[str, Step], threads: int, warm_up: int, rounds: int) -> None:
    torch.set_num_threads(threads)
    times: dict[str, list[float]] = {name: [] for name in steps}
    with threadpool_limits(threads):
        for _ in range(warm_up + rounds):
            for name, take in steps.items():
                time.sleep(PAUSE)
                begin = time.perf_counter()
                take()
                times[name].append(1e3 * (time.perf_counter() - begin))
    ours = statistics.median(next(iter(times.values()))[warm_up:])
    for name, taken in times.items():
        middle, least = statistics.median(taken[warm_up:]), min(taken[warm_up:])
        print(f"{threads:>7}  {name:14} {middle:>9.1f} {least:>8.1f} {ours / middle:>13.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for name, default in {"rows": 1536, "k": 15, "warm-up": 2, "rounds": 15}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--dropout", type=float, default=0.1)
    args = parser.parse_args()
    warnings.filterwarnings("ignore", message="Sparse (CSR|invariant)")  # torch's, once each
    batch = make_batch(args.rows, 768)
    check(make_config(args.k, 0.0), batch)
    print(f"\n{args.rows} rows, k = {args.k}, dropout {args.dropout}, {args.rounds} rounds")
    print(f"{'threads':>7}  {'':14} {'median ms':>9} {'min ms':>8} {'dtgcnn / this':>13}")
    config = make_config(args.k, args.dropout)
    for threads in args.threads:
        measure(steps_of(config, batch), threads, args.warm_up, args.rounds)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")


if __name__ == "__main__":
    main()
