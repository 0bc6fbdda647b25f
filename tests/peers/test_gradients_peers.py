"""The reference's gradients against central differences, by ``torch.autograd.gradcheck``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

from dtgcnn.array.tree import flatten, unflatten  # noqa: E402
from dtgcnn.config.config import DTGCNNConfig  # noqa: E402
from dtgcnn.losses.objective import objective  # noqa: E402
from dtgcnn.model.network import Network  # noqa: E402

OPS = NumpyOps(dtype="float64")
RNG = np.random.default_rng(8)
LABELS = np.repeat(np.arange(5), 5).astype(np.int32)
ITEMS = np.arange(25, dtype=np.int32)


def normal(*shape: int) -> Any:
    return RNG.normal(size=shape)


def unit(x: Any) -> Any:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def judged(fn: Callable[[Any], Any], *inputs: Any) -> bool:
    """What ``torch.autograd.gradcheck`` finds of the reference's gradient, by central differences
    of its values."""

    class Ours(torch.autograd.Function):  # type: ignore[misc, name-defined]
        @staticmethod
        def forward(ctx: Any, *given: Any) -> Any:
            ctx.given = [x.detach().numpy().copy() for x in given]
            return torch.tensor(np.asarray(fn(*ctx.given)))

        @staticmethod
        def backward(ctx: Any, seed: Any) -> Any:
            params = {str(i): x for i, x in enumerate(ctx.given)}
            differentiate = OPS.value_and_grad(
                lambda p: (OPS.sum(fn(*p.values()) * seed.numpy()), {})
            )
            return tuple(torch.tensor(g) for g in differentiate(params)[2].values())

    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in inputs]
    passed: bool = torch.autograd.gradcheck(Ours.apply, tensors, eps=1e-5, atol=1e-7, rtol=1e-6)
    return passed


AT = np.array([[1, 1, 0], [3, 2, 1], [3, 3, 3], [0, 2, 1]], np.int32)
OPERATIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "exp": (OPS.exp, (normal(3, 4),)),
    "log": (OPS.log, (1.0 + np.abs(normal(3, 4)),)),
    "sqrt": (OPS.sqrt, (1.0 + np.abs(normal(3, 4)),)),
    "tanh": (OPS.tanh, (normal(3, 4),)),
    "erf": (OPS.erf, (normal(3, 4),)),
    "abs": (OPS.abs, (normal(3, 4),)),
    "maximum": (OPS.maximum, (normal(3, 1), normal(4))),
    "where": (lambda a, b: OPS.where(AT > 1, a, b), (normal(3), normal(4, 1))),
    "sum": (lambda x: OPS.sum(x, axis=0, keepdims=True), (normal(3, 4),)),
    "max": (lambda x: OPS.max(x, axis=1), (normal(3, 4),)),
    "cumulative_sum": (lambda x: OPS.cumulative_sum(x, axis=1), (normal(3, 4),)),
    "reshape": (lambda x: OPS.reshape(x, (2, 6)), (normal(3, 4),)),
    "permute_dims": (lambda x: OPS.permute_dims(x, (2, 0, 1)), (normal(2, 3, 4),)),
    "concat": (lambda a, b: OPS.concat([a, b, a], axis=1), (normal(3, 2), normal(3, 1))),
    "take": (lambda x: OPS.take(x, AT, axis=1), (normal(2, 4, 3),)),
    "take_along_axis": (lambda x: OPS.take_along_axis(x, AT, axis=1), (normal(4, 4),)),
    "top_k": (lambda x: OPS.top_k(x, 3)[0], (normal(3, 8),)),
    "gather_sum": (lambda x, w: OPS.gather_sum(x, AT, w), (normal(5, 3), normal(4, 3))),
    "scatter_sum": (lambda x, w: OPS.scatter_sum(x, AT, w, 5), (normal(4, 2), normal(4, 3))),
    "matmul": (lambda a, b: a @ b, (normal(3, 4), normal(4, 2))),
    "division": (lambda a, b: a / b, (normal(3, 4), 2.0 + np.abs(normal(4)))),
    "slices": (lambda x: x[1:, None, ::2] * x[0, -1], (normal(3, 4),)),
    "gelu": (OPS.gelu, (normal(3, 4),)),
    "layer_norm": (
        lambda x, w, b: OPS.layer_norm(x, w, b, 1e-5),
        (normal(3, 4), normal(4), normal(4)),
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_gradients_of_operations_pass_torchs_gradcheck(name: str) -> None:
    fn, inputs = OPERATIONS[name]
    assert judged(fn, *inputs)


def test_a_wrong_gradient_does_not_pass() -> None:
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        judged(lambda x: x * OPS.stop_gradient(x), normal(3, 4))


@pytest.mark.parametrize("settings", [{}, {"use_batch_norm": True, "gcn_activation": "tanh"}])
@pytest.mark.parametrize("scope", ["batch", "bank"])
def test_gradients_of_a_whole_loss_pass_torchs_gradcheck(scope: Any, settings: Any) -> None:
    """Graph, layers with dropout, head and mined loss, by every parameter."""
    config = DTGCNNConfig(
        start="none",
        input_dim=4,
        hidden_dims=(5, 5),
        output_dim=3,
        graph_k_neighbors=3,
        graph_scope=scope,
        **settings,
    )
    network, x, key = Network.from_config(config), unit(normal(25, 4)), np.array([1, 2], np.uint32)
    params, state = network.init(OPS, 3)
    flat = {name: leaf + 0.1 * normal(*leaf.shape) for name, leaf in flatten(params).items()}
    source, sources = unit(normal(30, 4)), None
    graph = network.constructor.construct_graph_batch(OPS, x)
    if scope == "bank":
        none = np.full(25, -1, np.int32)
        graph = network.constructor.attach(OPS, x, source, none)
        sources = [source, normal(30, 5)]
    batch = {"labels": LABELS, "items": ITEMS}

    def loss(*leaves: Any) -> Any:
        held = unflatten(dict(zip(flat, leaves, strict=True)))
        z, _ = network(OPS, held, state, x, graph, sources, key=key)
        return objective(OPS, config, z, batch)[0]

    assert judged(loss, *flat.values())
