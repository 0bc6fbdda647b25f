"""How many operations MLX is handed for a step of the default training, no more than there were;
and how much it holds while nearest rows are sought."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, DTGCNNConfig, TripletDataset
from dtgcnn.array import load_ops, numerics
from dtgcnn.training.training_run import TrainingRun

mx: Any = pytest.importorskip("mlx.core", reason="MLX is not installed")
pytestmark = pytest.mark.mlx

VIEWS = {"Broadcast", "CustomTransforms", "ExpandDims", "Flatten", "Reshape", "Slice", "Split"}
VIEWS |= {"Squeeze", "StopGradient", "Transpose"}
"""Operations that compute nothing: they look at what is there in another way, or hand it on."""


def leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict | tuple):
        for sub in tree.values() if isinstance(tree, dict) else tree:
            yield from leaves(sub)
    else:
        yield tree


def operations(results: Any) -> Counter[str]:
    """The operations of the graph that ends in ``results``, by kind."""
    told = io.StringIO()
    mx.export_to_dot(told, *leaves(results))
    return Counter(re.findall(r'label ="([^"]*)", shape=rectangle', told.getvalue()))


class Taken(Exception):
    """The step's arguments are known."""


def default_step() -> tuple[Any, Any]:
    """A step of the default training: 128 rows, each twice, that attach to the bank."""
    rng = np.random.default_rng(0)
    labels = np.arange(320) % 40
    x = rng.normal(size=(40, 384))[labels] + rng.normal(size=(320, 384))
    data = TripletDataset.from_arrays(x.astype(np.float32), labels)
    loader, _ = data.create_dataloaders(batch_size=128, train_split=1.0)
    model = DTGCNN(DTGCNNConfig(input_dim=384), backend="mlx", device="cpu")
    vectors = model.vectors(loader.dataset.inputs)
    run = TrainingRun(model, model.config, loader, vectors)
    pure, seen = run._step, []

    def keep(*given: Any) -> Any:
        seen.append(given)
        raise Taken

    run._step = keep
    with pytest.raises(Taken):
        run.step(next(run.groups(1)), 1)
    assert seen[0][3]["x"].shape == (256, 256)
    mx.eval(list(leaves(seen[0])))
    return pure, seen[0]


@pytest.fixture(scope="module")
def step() -> tuple[Any, Any]:
    return default_step()


@pytest.mark.parametrize(
    ("compiled", "most", "most_that_compute"), [(True, 250, 156), (False, 669, 378)]
)
def test_a_step_is_no_more_operations_than_it_was(
    step: tuple[Any, Any], compiled: bool, most: int, most_that_compute: int
) -> None:
    pure, given = step
    found = operations((mx.compile(pure) if compiled else pure)(*given))
    computing = sum(count for kind, count in found.items() if kind not in VIEWS)
    print(f"{found.total()} operations, {computing} of which compute")
    assert found.total() <= most, found.most_common()
    assert computing <= most_that_compute, found.most_common()


@pytest.mark.parametrize("blocks", [4, 40])
def test_products_of_all_blocks_are_not_held_at_once(blocks: int) -> None:
    ops, rows = load_ops("mlx", device="cpu"), 256
    x, y = (ops.zeros((n, 8)) + 1.0 for n in (rows, blocks * rows))
    ops.evaluate(x, y)
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    ops.evaluate(*numerics.top_products(ops, x, y, 12, rows * rows))
    assert mx.get_peak_memory() - before <= 5 * 4 * rows * rows
