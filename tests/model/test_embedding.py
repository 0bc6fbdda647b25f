"""The trainable embedding layer: bags of pieces, alone and under the graph convolutions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Callback, ProgressiveTrainer, Trainer, TripletDataset, load_ops
from dtgcnn.array.tree import flatten
from dtgcnn.evaluation.metrics import retrieval_metrics
from dtgcnn.model.embedding_bag import EmbeddingBag
from dtgcnn.training.progressive import Stage

from ..conftest import PLAIN, bags

BAGS: dict[str, Any] = {**PLAIN, "vocab_size": 40, "max_length": 6, "dropout_rate": 0.0}
WEIGHT = "embedding.weight"


def model_of(backend: str = "numpy", **settings: Any) -> DTGCNN:
    return DTGCNN(backend=backend, **{**BAGS, **settings})


def data() -> TripletDataset:
    return TripletDataset.from_arrays(*bags())


def trainer_of(model: DTGCNN, **options: Any) -> Trainer:
    train, val = data().create_dataloaders(24, 0.8)
    return Trainer(model, train_loader=train, val_loader=val, progress=False, **options)


class Breaks(Callback):
    """Ends training after a step; never, where that is 0."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            raise KeyboardInterrupt


def bits(model: DTGCNN) -> dict[str, bytes]:
    return {name: np.asarray(leaf).tobytes() for name, leaf in flatten(model.params).items()}


def test_padding_counts_for_nothing(backend: str) -> None:
    ops, bag = load_ops(backend), EmbeddingBag(7, 5)
    params = {"weight": ops.asarray(np.random.default_rng(0).normal(size=(7, 5)))}
    pieces = np.array([[3, 0, 0, 0], [3, 4, 4, 0], [0, 0, 0, 0]], np.int32)
    table = ops.to_numpy(params["weight"])
    sums = np.array([table[3], table[3] + 2.0 * table[4], 0.0 * table[0]])
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    expected = sums / np.where(lengths > 0, lengths, 1.0)
    given = ops.to_numpy(bag(ops, params, ops.asarray(pieces, "int32")))
    np.testing.assert_allclose(given, expected, atol=1e-6)


def test_the_bag_is_torchs() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    ops, bag = load_ops("numpy", dtype="float64"), EmbeddingBag(12, 6)
    table = np.random.default_rng(1).normal(size=(12, 6))
    pieces = np.random.default_rng(2).integers(0, 12, (9, 5)).astype(np.int32)
    pieces[:, 0] = 1 + pieces[:, 0] % 11
    weights = np.random.default_rng(3).normal(size=(9, 6))
    weight = torch.tensor(table, requires_grad=True)
    mean = torch.nn.functional.embedding_bag(
        torch.tensor(pieces), weight, mode="mean", padding_idx=0
    )
    theirs = (torch.nn.functional.normalize(mean) * torch.tensor(weights)).sum()
    theirs.backward()

    def loss(params: Any) -> Any:
        return ops.sum(bag(ops, params, ops.asarray(pieces, "int32")) * ops.asarray(weights)), {}

    value, _, gradients = ops.value_and_grad(loss)({"weight": ops.asarray(table)})
    assert float(value) == pytest.approx(float(theirs.detach()), rel=1e-12)
    np.testing.assert_allclose(gradients["weight"], weight.grad.numpy(), atol=1e-12)


def test_texts_begin_as_similar_as_their_pieces() -> None:
    model = model_of(input_dim=256)
    x = np.array([[1, 2, 3, 4, 0, 0], [1, 2, 3, 5, 0, 0], [9, 8, 7, 6, 0, 0]], np.float32)
    cosines = model.input_vectors(x) @ model.input_vectors(x).T
    assert cosines[0, 1] == pytest.approx(0.75, abs=0.15)
    assert abs(cosines[0, 2]) < 0.25


@pytest.mark.parametrize("scope", ["bank", "batch"])
def test_training_moves_the_layer_and_helps(backend: str, scope: str) -> None:
    model = model_of(backend, graph_scope=scope, num_epochs=25, learning_rate=5e-3)
    first = bits(model)[WEIGHT]
    trainer = trainer_of(model, keep_best=False)  # the last epoch is looked at
    history = trainer.train()
    assert bits(model)[WEIGHT] != first
    assert history[-1]["loss"] < 0.5 * history[0]["loss"]
    x, labels = bags()
    before, after = (
        retrieval_metrics(view, labels)["map@r"]
        for view in (model.input_vectors(x), model.encode(x))
    )
    assert after > before + 0.2


def test_an_embedding_does_not_depend_on_its_company(backend: str) -> None:
    model = model_of(backend)
    trainer_of(model).train()
    x, _ = bags()
    together = model.encode(x)
    alone = np.concatenate([model.encode(row[None]) for row in x[::9]])
    np.testing.assert_array_equal(together[::9], alone)


def test_links_follow_the_layer() -> None:
    """The bank's own links and those of the training rows are made anew as the layer moves."""
    seen: list[Any] = []

    class Watch(Callback):
        def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
            assert trainer.model.bank is not None
            graph = trainer.model.bank.graph
            assert graph is not None
            seen.append((np.asarray(graph.neighbors), metrics["graph_homophily"]))

    model = model_of(num_epochs=6, learning_rate=2e-2)
    trainer_of(model, callbacks=[Watch()]).train()
    assert any((seen[0][0] != later).any() for later, _ in seen[1:])
    assert seen[-1][1] > seen[0][1]  # neighbours become those of the own class
    assert model.bank is not None
    fresh = model.network.nodes(model.ops, model.params, model.bank.x)
    np.testing.assert_array_equal(fresh, model.bank.states[0])


def test_a_saved_model_gives_the_same_bits(backend: str, tmp_path: Path) -> None:
    model = model_of(backend)
    trainer_of(model).train()
    x, _ = bags()
    model.save(tmp_path / "model")
    again = DTGCNN.load(tmp_path / "model", backend=backend)
    np.testing.assert_array_equal(again.encode(x), model.encode(x))


@pytest.mark.parametrize("freq", [1, 2])
def test_an_interrupted_run_goes_on_with_the_same_bits(
    backend: str, tmp_path: Path, freq: int
) -> None:
    settings = {"num_epochs": 4, "learning_rate": 1e-2, "dynamic_graph_update_freq": freq}
    whole = model_of(backend, **settings)
    trainer_of(whole).train()
    kept = {"state_dir": tmp_path / "state", "save_every_n_steps": 1}
    with pytest.raises(KeyboardInterrupt):
        trainer_of(model_of(backend, **settings), callbacks=[Breaks(8)], **kept).train()
    model = model_of(backend, **settings)
    trainer_of(model, callbacks=[Breaks(0)], **kept).train(resume=True)
    assert bits(model) == bits(whole)
    np.testing.assert_array_equal(model.encode(bags()[0]), whole.encode(bags()[0]))


def test_the_layer_is_frozen_and_thawed() -> None:
    model = model_of()
    model.freeze_embedding_layer()
    assert model.frozen == {WEIGHT}
    first = bits(model)
    trainer_of(model).train()
    moved = {name for name, leaf in bits(model).items() if leaf != first[name]}
    assert moved == flatten(model.params).keys() - {WEIGHT}
    model.unfreeze_embedding_layer()
    assert not model.frozen


def test_progressive_training_freezes_and_thaws_it() -> None:
    model, stages = model_of(), []
    trainer = ProgressiveTrainer(model, progress=False)
    for stage in trainer.stages:
        assert isinstance(stage, Stage)
        frozen = stage.frozen or (lambda name: False)
        stages.append({name.partition(".")[0] for name in flatten(model.params) if frozen(name)})
    assert stages == [{"gcn"}, {"embedding"}, set()]


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ([[1, 2, 40, 0, 0, 0]], "whole numbers from 0 to 39; row 0 holds 40"),
        ([[1, 2, 3, 0, 0, 0], [1, -1, 0, 0, 0, 0]], "row 1 holds -1"),
        ([[1, 2.5, 3, 0, 0, 0]], "row 0 holds 2.5"),
        ([[1, 2, 3]], r"shape \(N, max_length = 6\), received \(1, 3\)"),
    ],
)
def test_pieces_that_it_does_not_have_are_refused(pieces: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model_of().vectors(np.array(pieces, np.float32))


def test_a_length_without_a_layer_is_refused() -> None:
    with pytest.raises(ValueError, match="max_length must be 128: vocab_size = None has no"):
        DTGCNN(max_length=64, backend="numpy")
