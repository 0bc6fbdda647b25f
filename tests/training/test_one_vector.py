"""Elementwise optimisers get all parameters as one vector, others the tree: the same steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.array import flatten, load_ops, ravel, unravel
from dtgcnn.optim import Optimizer, make_optimizer

from ..conftest import PLAIN, blobs


def test_a_tree_goes_into_a_vector_and_back(backend: str) -> None:
    ops = load_ops(backend)
    host = {"b": {"d": np.arange(6.0).reshape(2, 3), "c": np.array(7.0)}, "a": np.arange(3.0)}
    tree = {
        "b": {name: ops.asarray(x) for name, x in host["b"].items()},
        "a": ops.asarray(host["a"]),
    }  # type: ignore[attr-defined]
    vector = ravel(ops, tree)
    assert ops.to_numpy(vector).tolist() == [0, 1, 2, 7, 0, 1, 2, 3, 4, 5]
    back = flatten(unravel(ops, vector, tree))
    assert list(back) == ["a", "b.c", "b.d"]
    for name, leaf in flatten(host).items():
        np.testing.assert_array_equal(ops.to_numpy(back[name]), leaf)
    assert ravel(ops, {}).shape == (0,)


@pytest.mark.parametrize("name", ["adamw", "adam", "sgd"])
def test_steps_over_a_vector_are_those_over_trees(name: Any, backend: str) -> None:
    given = make_optimizer(name, weight_decay=0.1)
    seen: list[Any] = []

    def update(ops: Any, gradients: Any, state: Any, params: Any, rate: Any) -> Any:
        seen.append((gradients, params))
        return given.update(ops, gradients, state, params, rate)

    weights = []
    for optimizer in (None, Optimizer(given.init, update)):
        # The norm is a sum in another order: nothing is clipped, so that bits may be compared.
        settings = {**PLAIN, "optimizer": name, "weight_decay": 0.1, "gradient_clip_val": 1e9}
        model = DTGCNN(backend=backend, **settings)
        model.freeze(lambda name: name == "head.bias")
        loader, _ = TripletDataset.from_arrays(*blobs()).create_dataloaders(24, 1.0)
        Trainer(model, train_loader=loader, optimizer=optimizer, progress=False).train()
        weights.append({n: model.ops.to_numpy(x) for n, x in flatten(model.params).items()})
    names = [name for name in weights[0] if name != "head.bias"]
    assert all(list(flatten(tree)) == names for pair in seen for tree in pair)
    for leaf, expected in weights[0].items():
        np.testing.assert_array_equal(weights[1][leaf], expected, err_msg=leaf)
    assert not weights[0]["head.bias"].any()
    assert weights[0]["gcn.0.linear.bias"].any()
