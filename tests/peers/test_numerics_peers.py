"""Layers, losses and mining against PyTorch, PyG and pytorch-metric-learning."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pyg = pytest.importorskip("torch_geometric.nn", reason="torch-geometric is not installed")
pml = pytest.importorskip("pytorch_metric_learning", reason="it is not installed")

from pytorch_metric_learning import losses as pml_losses  # noqa: E402
from pytorch_metric_learning import miners as pml_miners  # noqa: E402

from dtgcnn.losses import mining  # noqa: E402
from dtgcnn.losses.triplet import TripletLoss  # noqa: E402
from dtgcnn.model.graph import EfficientGraphConstructor, propagate  # noqa: E402
from dtgcnn.model.layers import BatchNorm, GCNLayer, LayerNorm  # noqa: E402

OPS = NumpyOps(dtype="float64")
RNG = np.random.default_rng(0)


def normal(*shape: int) -> Any:
    return RNG.normal(size=shape)


def tensor(x: Any, grad: bool = False) -> Any:
    return torch.tensor(x, dtype=torch.float64, requires_grad=grad)


def edges_of(x: Any, k: int, threshold: float, weighted: bool) -> tuple[Any, Any]:
    """The symmetric union of the k-nearest-neighbour lists, from first principles."""
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    similarity = unit @ unit.T
    np.fill_diagonal(similarity, -9.0)
    directed = np.zeros_like(similarity)
    for i, row in enumerate(similarity):
        for j in np.argsort(-row)[:k]:
            if row[j] >= threshold:
                directed[i, j] = row[j] if weighted else 1.0
    both = np.maximum(directed, directed.T)
    source, target = np.nonzero(both)
    return torch.tensor(np.stack([source, target])), tensor(both[source, target])


@pytest.mark.parametrize(("threshold", "weighted"), [(-1.0, False), (0.3, False), (0.1, True)])
@pytest.mark.parametrize(("d_in", "d_out"), [(6, 4), (4, 6)])
def test_gcn_is_pygs_gcn_conv(threshold: float, weighted: bool, d_in: int, d_out: int) -> None:
    x, constructor = normal(40, d_in), EfficientGraphConstructor(5, threshold, None, weighted)
    layer = GCNLayer(d_in, d_out, "identity")
    params = {
        "linear": {"weight": normal(d_in, d_out), "bias": normal(d_out)},
        "norm": {"weight": normal(d_out), "bias": normal(d_out)},
    }

    def ours(p: Any) -> tuple[Any, Any]:
        graph = constructor.construct_graph_batch(OPS, x)
        out, _ = layer(OPS, p, {"norm": {}}, OPS.asarray(x), graph)
        return OPS.sum(out * out * out), {"out": out}

    _, aux, gradients = OPS.value_and_grad(ours)(params)

    conv = pyg.GCNConv(d_in, d_out).double()
    norm = torch.nn.LayerNorm(d_out).double()
    with torch.no_grad():
        conv.lin.weight.copy_(tensor(params["linear"]["weight"].T))
        conv.bias.copy_(tensor(params["linear"]["bias"]))
        norm.weight.copy_(tensor(params["norm"]["weight"]))
        norm.bias.copy_(tensor(params["norm"]["bias"]))
    theirs = norm(conv(tensor(x), *edges_of(x, 5, threshold, weighted)))
    (theirs**3).sum().backward()

    np.testing.assert_allclose(aux["out"], theirs.detach().numpy(), rtol=1e-9, atol=1e-9)
    pairs = [
        (gradients["linear"]["weight"], conv.lin.weight.grad.T),
        (gradients["linear"]["bias"], conv.bias.grad),
        (gradients["norm"]["weight"], norm.weight.grad),
    ]
    for own, other in pairs:
        np.testing.assert_allclose(own, other.numpy(), rtol=1e-8, atol=1e-8)


def test_self_weight_is_the_lazy_walk() -> None:
    x, h = normal(30, 5), normal(30, 3)
    index, weight = edges_of(x, 4, -1.0, False)
    adjacency = np.zeros((30, 30))
    adjacency[index[0], index[1]] = weight
    root = np.diag(adjacency.sum(axis=1) ** -0.5)
    expected = 0.7 * h + 0.3 * root @ adjacency @ root @ h
    graph = EfficientGraphConstructor(4, -1.0, 0.7).construct_graph_batch(OPS, x)
    np.testing.assert_allclose(propagate(OPS, graph, h), expected, rtol=1e-12, atol=1e-12)


def test_layer_norm_is_torchs() -> None:
    x, weight, bias = normal(7, 5), normal(5), normal(5)
    ours, _ = LayerNorm(5)(OPS, {"weight": weight, "bias": bias}, {}, x, True)
    theirs = torch.nn.functional.layer_norm(tensor(x), (5,), tensor(weight), tensor(bias))
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-10)


def test_batch_norm_is_torchs_in_training_and_evaluation() -> None:
    norm, ours = torch.nn.BatchNorm1d(5).double(), BatchNorm(5)
    params, state = ours.init(OPS), ours.init_state(OPS)
    for _ in range(3):
        x = 2.0 * normal(9, 5) + 1.0
        y, state = ours(OPS, params, state, x, True)
        np.testing.assert_allclose(y, norm(tensor(x)).detach().numpy(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(state["mean"], norm.running_mean.numpy(), rtol=1e-9)
    np.testing.assert_allclose(state["var"], norm.running_var.numpy(), rtol=1e-9)
    y, _ = ours(OPS, params, state, x, False)
    np.testing.assert_allclose(y, norm.eval()(tensor(x)).detach().numpy(), rtol=1e-9, atol=1e-9)


def test_triplet_loss_is_torchs() -> None:
    z = normal(12, 6)
    triplets = np.arange(12, dtype=np.int32).reshape(3, 4).T

    def ours(p: Any) -> tuple[Any, Any]:
        return TripletLoss(1.5)(OPS, p["z"], mining.explicit(OPS, triplets))

    value, metrics, gradients = OPS.value_and_grad(ours)({"z": z})
    rows = tensor(z, grad=True)
    loss = torch.nn.TripletMarginLoss(margin=1.5, eps=0.0)
    theirs = loss(*(rows[triplets[:, i]] for i in range(3)))
    theirs.backward()
    assert float(value) == pytest.approx(theirs.item(), rel=1e-10)
    np.testing.assert_allclose(gradients["z"], rows.grad.numpy(), rtol=1e-8, atol=1e-12)
    assert 0.0 < float(metrics["active_fraction"]) < 1.0


def test_batch_hard_is_pytorch_metric_learnings() -> None:
    z = normal(30, 4)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    labels, items = np.repeat(np.arange(6), 5).astype(np.int32), np.arange(30, dtype=np.int32)
    chosen = mining.batch_hard(OPS, z, labels, items)
    theirs = pml_miners.BatchHardMiner()(tensor(z), torch.tensor(labels))
    for own, other in zip(chosen[:3], theirs, strict=True):
        np.testing.assert_array_equal(own, other.numpy())
    assert chosen.valid.all()
    value, _ = TripletLoss(0.2)(OPS, z, chosen)
    loss = pml_losses.TripletMarginLoss(margin=0.2, reducer=None)
    loss.reducer = pml.reducers.MeanReducer()
    assert float(value) == pytest.approx(loss(tensor(z), torch.tensor(labels), theirs).item())


def test_semi_hard_takes_the_nearest_of_those_farther_than_the_positive() -> None:
    z = normal(40, 4)
    labels = np.repeat(np.arange(8), 5).astype(np.int32)
    anchor, positive = np.arange(0, 40, 5, dtype=np.int32), np.arange(1, 40, 5, dtype=np.int32)
    pairs = mining.Triplets(anchor, positive, positive, anchor != 10)
    chosen = mining.semi_hard(OPS, z, labels, pairs)
    distance = torch.cdist(tensor(z), tensor(z)).numpy()
    for a, p, n, valid in zip(*chosen, strict=True):
        farther = [
            j for j in range(40) if labels[j] != labels[a] and distance[a, j] > distance[a, p]
        ]
        assert valid == (bool(farther) and a != 10)
        if valid:
            assert n == min(farther, key=lambda j, a=a: distance[a, j])  # type: ignore[misc]


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_half_precision_rounds_as_pytorch_does(precision: str) -> None:
    """Every upper half of a float32, with lower halves at, beside and far from a tie."""
    lower = np.array([0, 1, 0x0FFF, 0x1000, 0x1001, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)
    x = ((np.arange(1 << 16, dtype=np.uint32) << 16)[:, None] | lower).view(np.float32)
    x[np.isnan(x)] = np.inf  # a product of NaN warns
    ones = np.ones((1, 1), np.float32)
    found = NumpyOps().half_matmul(x.reshape(-1, 1), ones, precision).reshape(x.shape)
    expected = torch.tensor(x).to(getattr(torch, precision)).float().numpy()
    np.testing.assert_array_equal(found, expected)
