"""Neighbours, propagation, norms and miners against scikit-learn, PyG, PyTorch and
pytorch-metric-learning, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pyg = pytest.importorskip("torch_geometric.nn", reason="torch-geometric is not installed")
pytest.importorskip("pytorch_metric_learning", reason="it is not installed")
pytest.importorskip("sklearn", reason="scikit-learn is the peer of the nearest neighbours")

from pytorch_metric_learning import distances, miners  # noqa: E402
from sklearn.neighbors import NearestNeighbors  # noqa: E402

from dtgcnn.array import numerics  # noqa: E402
from dtgcnn.losses import mining  # noqa: E402
from dtgcnn.model.graph import EfficientGraphConstructor, knn, propagate  # noqa: E402
from dtgcnn.model.layers import BatchNorm, LayerNorm  # noqa: E402

OPS = NumpyOps(dtype="float64")
RNG = np.random.default_rng(8)
LABELS = np.repeat(np.arange(5), 5).astype(np.int32)
ITEMS = np.arange(25, dtype=np.int32)


def normal(*shape: int) -> Any:
    return RNG.normal(size=shape)


def tensor(x: Any) -> Any:
    return torch.tensor(x, dtype=torch.float64, requires_grad=True)


def unit(x: Any) -> Any:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("among_themselves", [True, False])
@pytest.mark.parametrize("k", [1, 5, 20])
def test_neighbours_are_scikit_learns(among_themselves: bool, k: int) -> None:
    source = normal(200, 12)
    queries = source if among_themselves else normal(60, 12)
    exclude = np.arange(200) if among_themselves else np.full(60, -1)
    found, similarity = knn(OPS, unit(queries), unit(source), k, -1.0, exclude.astype(np.int32))
    peer = NearestNeighbors(n_neighbors=k, metric="cosine").fit(source)
    distance, expected = peer.kneighbors(None if among_themselves else queries)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(similarity, 1.0 - distance, rtol=1e-10, atol=1e-12)


def test_neighbours_above_a_threshold_are_scikit_learns() -> None:
    source, queries = normal(150, 4), normal(40, 4)
    none = np.full(40, -1, np.int32)
    found, similarity = knn(OPS, unit(queries), unit(source), 149, 0.5, none)
    peer = NearestNeighbors(radius=0.5, metric="cosine").fit(source)
    _, expected = peer.radius_neighbors(queries, sort_results=True)
    for row, near, wanted in zip(similarity, found, expected, strict=True):
        np.testing.assert_array_equal(near[row > -2.0], wanted)


def held_to(ours: Callable[..., Any], theirs: Callable[..., Any], **inputs: Any) -> None:
    """Hold ours, weighted and summed, to theirs: value, and gradient of every input."""
    other = {name: tensor(x) for name, x in inputs.items()}
    expected = theirs(**other)
    seed = normal(*expected.shape)
    (expected * torch.tensor(seed)).sum().backward()
    value = ours(**inputs)
    np.testing.assert_allclose(value, expected.detach().numpy(), rtol=1e-9, atol=1e-11)
    differentiate = OPS.value_and_grad(lambda p: (OPS.sum(ours(**p) * seed), {}))
    for name, gradient in differentiate(inputs)[2].items():
        wanted = other[name].grad.numpy()
        assert np.abs(wanted).max() > 1e-3, name
        np.testing.assert_allclose(gradient, wanted, rtol=1e-8, atol=1e-10, err_msg=name)


def scaled(layer: Any, weight: float) -> Any:
    """A linear layer that multiplies by a number."""
    with torch.no_grad():
        layer.weight.copy_(weight * torch.eye(len(layer.weight), dtype=torch.float64))
    return layer


@pytest.mark.parametrize("weighted", [False, True])
def test_propagation_and_its_gradient_are_pygs_gcn_conv(weighted: bool) -> None:
    x = normal(40, 6)
    graph = EfficientGraphConstructor(4, 0.2, None, weighted).construct_graph_batch(OPS, x)
    directed = np.zeros((40, 40))
    similarity = unit(x) @ unit(x).T
    np.fill_diagonal(similarity, -1.0)
    for i, row in enumerate(similarity):
        near = np.argsort(-row)[:4]
        directed[i, near] = np.where(row[near] >= 0.2, row[near] if weighted else 1.0, 0.0)
    both = np.maximum(directed, directed.T)
    edges = torch.tensor(np.stack(np.nonzero(both)))
    weights = torch.tensor(both[np.nonzero(both)])
    conv = pyg.GCNConv(3, 3, bias=False).double()
    scaled(conv.lin, 1.0)
    held_to(lambda h: propagate(OPS, graph, h), lambda h: conv(h, edges, weights), h=normal(40, 3))


def test_attachment_and_its_gradient_are_pygs_sage_conv() -> None:
    """A share of a node's own, and the rest of its neighbours' mean, from another set of nodes."""
    queries, source = unit(normal(30, 6)), unit(normal(50, 6))
    graph = EfficientGraphConstructor(4, -1.0, 0.7).attach(
        OPS, queries, source, np.full(30, -1, np.int32)
    )
    near = NearestNeighbors(n_neighbors=4, metric="cosine").fit(source).kneighbors(queries)[1]
    edges = torch.tensor(np.stack([near.ravel(), np.repeat(np.arange(30), 4)]))
    conv = pyg.SAGEConv((3, 3), 3, aggr="mean", bias=False).double()
    scaled(conv.lin_l, 0.3)
    scaled(conv.lin_r, 0.7)
    held_to(
        lambda h, s: propagate(OPS, graph, h, s),
        lambda h, s: conv((s, h), edges),
        h=normal(30, 3),
        s=normal(50, 3),
    )


def test_norms_and_their_gradients_are_torchs() -> None:
    inputs = {"x": normal(9, 5), "weight": normal(5), "bias": normal(5)}
    layer, batch = LayerNorm(5), BatchNorm(5)
    state = batch.init_state(OPS)
    functional = torch.nn.functional

    def normed(norm: Any) -> Callable[..., Any]:
        return lambda x, **params: norm(OPS, params, state, x, True)[0]

    held_to(
        normed(layer),
        lambda x, weight, bias: functional.layer_norm(x, (5,), weight, bias),
        **inputs,
    )
    held_to(
        normed(batch),
        lambda x, weight, bias: functional.batch_norm(x, None, None, weight, bias, True),
        **inputs,
    )


def test_gelu_and_normalisation_and_their_gradients_are_torchs() -> None:
    x, functional = 3.0 * normal(30, 4), torch.nn.functional
    held_to(lambda input: numerics.gelu(OPS, input), functional.gelu, input=x)
    held_to(lambda input: numerics.l2_normalize(OPS, input), functional.normalize, input=x)


def semi_hard_of_the_peer(x: Any) -> dict[tuple[int, int], int]:
    """The nearest negative of each pair among the peer's semi-hard triplets."""
    distance = distances.LpDistance(normalize_embeddings=False)
    miner = miners.TripletMarginMiner(1e3, "semihard", distance=distance)
    triplets = np.stack([part.numpy() for part in miner(torch.tensor(x), torch.tensor(LABELS))], 1)
    lengths = np.linalg.norm(x[triplets[:, 0]] - x[triplets[:, 2]], axis=1)
    nearest: dict[tuple[int, int], int] = {}
    for a, p, n in triplets[np.argsort(lengths)]:
        nearest.setdefault((int(a), int(p)), int(n))
    return nearest


def test_semi_hard_is_the_nearest_of_pytorch_metric_learnings() -> None:
    x = normal(25, 3)
    expected = semi_hard_of_the_peer(x)
    assert 50 < len(expected) < 100
    every = mining.semi_hard_all(OPS, x, LABELS, ITEMS, 4)
    found = np.stack(every[:3], axis=1)[every.valid]
    assert {(int(a), int(p)): int(n) for a, p, n in found} == expected
    for given in (np.array(list(expected), np.int32), np.array([[0, 1], [7, 5]], np.int32)):
        pairs = mining.Triplets(given[:, 0], given[:, 1], given[:, 0], given[:, 0] >= 0)
        chosen = mining.semi_hard(OPS, x, LABELS, pairs)
        for a, p, n, valid in zip(*chosen, strict=True):
            assert valid == ((int(a), int(p)) in expected)
            assert not valid or n == expected[int(a), int(p)]


def test_distance_weighted_draws_as_pytorch_metric_learning_does() -> None:
    """Over many draws each anchor's negatives have the peer's shares."""
    x, draws = normal(25, 5) + 0.8, 600
    ours, theirs = np.zeros((25, 25)), np.zeros((25, 25))
    torch.manual_seed(0)
    miner = miners.DistanceWeightedMiner(cutoff=0.5, nonzero_loss_cutoff=1.4)
    for i in range(draws):
        key = np.array([5, i], np.uint32)
        drawn = mining.distance_weighted(OPS, x, LABELS, ITEMS, 4, key)
        np.add.at(ours, (drawn.anchor[drawn.valid], drawn.negative[drawn.valid]), 1)
        anchor, _, negative = miner(torch.tensor(x), torch.tensor(LABELS))
        np.add.at(theirs, (anchor.numpy(), negative.numpy()), 1)
    ours, theirs = (counts / counts.sum(axis=1, keepdims=True) for counts in (ours, theirs))
    np.testing.assert_array_equal(ours > 0.0, theirs > 0.0)
    np.testing.assert_allclose(ours, theirs, atol=0.05)
    assert theirs.max() > 0.25
