"""A model ends with the weights of its best epoch on the held-out rows."""

from __future__ import annotations

import math
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import (
    DTGCNN,
    Callback,
    EarlyStopping,
    ModelCheckpoint,
    SaveEveryEpoch,
    TfidfEncoder,
    Trainer,
    TrainingError,
    TripletDataset,
)
from dtgcnn.array.tree import flatten
from dtgcnn.callbacks import StopAfter
from dtgcnn.cli.outcome import why_kept
from dtgcnn.data import sample_path
from dtgcnn.evaluation import retrieval_metrics
from dtgcnn.optim.optimizers import sgd
from dtgcnn.training import costs_recall, train_on_all
from dtgcnn.training.best_epoch import BestEpoch

from ..conftest import PLAIN, STARTS, blobs

X, LABELS = blobs(per_class=30)
NAN = float("nan")
SCORES = "val_map@r"


def loaders(split: float = 0.8) -> tuple[Any, Any]:
    return TripletDataset.from_arrays(X, LABELS).create_dataloaders(24, split)


def weights(model: DTGCNN) -> dict[str, bytes]:
    leaves = flatten(model.params, "params") | flatten(model.state, "state")
    return {name: model.ops.to_numpy(leaf).tobytes() for name, leaf in leaves.items()}


class Script(Callback):
    """Tells validation's figures, first those before the first step, as planned; keeps weights."""

    def __init__(self, values: list[Any], name: str = SCORES, fatal: int = 0) -> None:
        self.values, self.name, self.fatal = values, name, fatal
        self.seen: list[dict[str, bytes]] = []
        self.embeddings: list[Any] = []
        self.steps = 0

    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.steps += 1
        if trainer.global_step == self.fatal:
            raise InterruptedError

    def on_validation_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        epoch = len(trainer.history) + (trainer.global_step > 0)
        planned = self.values[epoch if trainer.config.has_start else epoch - 1]
        planned = planned if isinstance(planned, dict) else {self.name: planned}
        metrics |= {"val_recall@1": 0.5, **planned}
        self.seen.append(weights(trainer.model))
        if trainer.model.encoder is None:
            self.embeddings.append(trainer.model.encode(X))


def run(
    values: list[Any],
    base: str = "closed_form",
    backend: str = "numpy",
    name: str = SCORES,
    **options: Any,
) -> tuple[Trainer, Script]:
    model = DTGCNN(
        backend=backend,
        **{
            **STARTS[base],
            "learning_rate": 1e-2,
            "use_batch_norm": True,
            **options.pop("more", {}),
        },
    )
    train, val = loaders()
    epochs = len(values) - (base != "none")
    script = Script(values, name)
    trainer = Trainer(
        model, train_loader=train, val_loader=val, epochs=epochs, progress=False, **options
    )
    trainer.train(callbacks=[script])
    assert len(script.seen) == len(values)
    assert len({tuple(kept.values()) for kept in script.seen}) == len(values), "all are different"
    return trainer, script


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([0.2, 0.5, 0.9, 0.7], 2),
        ([0.2, 0.5, 0.6, 0.7], 3),
        ([0.2, 0.9, 0.5, 0.7], 1),
        ([0.9, 0.5, 0.6, 0.7], 0),
        ([0.2, 0.7, 0.7, 0.7], 1),
        ([0.2, 0.6, NAN, 0.5], 1),
        ([0.2, NAN, NAN, NAN], 0),
    ],
    ids=str,
)
def test_the_best_epoch_is_what_the_model_ends_with(
    values: list[float], best: int, backend: str
) -> None:
    trainer, script = run(values, backend=backend)
    assert trainer.best_epoch == best
    assert weights(trainer.model) == script.seen[best]
    np.testing.assert_array_equal(trainer.model.encode(X), script.embeddings[best])
    assert trainer.start_metrics[SCORES] == values[0]
    shown = [entry[SCORES] for entry in trainer.history]
    np.testing.assert_array_equal(shown, values[1:])


@pytest.mark.parametrize(
    ("values", "best"), [([0.5, 0.9, 0.7], 2), ([0.9, 0.5, 0.7], 1), ([NAN, 0.1, 0.0], 2)]
)
def test_without_a_start_there_is_no_epoch_0(values: list[float], best: int) -> None:
    trainer, script = run(values, "none")
    assert trainer.best_epoch == best
    assert weights(trainer.model) == script.seen[best - 1]
    np.testing.assert_array_equal(trainer.model.encode(X), script.embeddings[best - 1])
    assert trainer.start_metrics == {}


def test_figures_that_are_never_numbers_keep_the_last_epoch() -> None:
    trainer, script = run([NAN, NAN, NAN])
    assert trainer.best_epoch is None
    assert weights(trainer.model) == script.seen[-1]
    np.testing.assert_array_equal(trainer.model.encode(X), script.embeddings[-1])


@pytest.mark.parametrize("base", STARTS)
def test_keeping_none_keeps_the_last(base: str) -> None:
    trainer, script = run([0.9, 0.8, 0.7, 0.6], base, keep_best=False)
    assert trainer.best_epoch is None
    assert weights(trainer.model) == script.seen[-1]
    np.testing.assert_array_equal(trainer.model.encode(X), script.embeddings[-1])


def test_an_epoch_that_costs_recall_is_not_better() -> None:
    values = [(0.5, 0.8), (0.9, 0.71), (0.8, 0.75), (0.7, 0.9), (0.95, 0.1)]
    trainer, script = run([{SCORES: m, "val_recall@1": r} for m, r in values])
    assert trainer.best_epoch == 2
    assert weights(trainer.model) == script.seen[2]
    trainer, script = run([{SCORES: m, "val_recall@1": r} for m, r in values[1:]], "none")
    assert trainer.best_epoch == 4  # there is no start to lose any of
    for recall, best in ((0.721, 1), (0.719, 0)):  # a fifth of what MAP@R gains
        values = [(0.5, 0.8), (0.9, recall)]
        assert run([{SCORES: m, "val_recall@1": r} for m, r in values])[0].best_epoch == best


def test_recall_may_lose_a_quarter_of_a_point() -> None:
    before = {SCORES: 0.5, "val_recall@1": 0.8}
    for recall, costs in ((0.7976, False), (0.7974, True)):
        assert costs_recall(before, {SCORES: 0.505, "val_recall@1": recall}, SCORES) == costs


@pytest.mark.parametrize(
    ("after", "why"),
    [
        ((0.9, 0.7), "cost recall@1 where they added most (at best 0.9000; val_recall@1 0.7000,"),
        ((0.5001, 0.8), "added no more than chance may (at best 0.5001),"),
        ((0.4, 0.1), "added nothing,"),
    ],
)
def test_it_is_told_why_the_start_is_kept(after: tuple[float, float], why: str) -> None:
    trainer, _ = run([{SCORES: m, "val_recall@1": r} for m, r in [(0.5, 0.8), after]])
    assert trainer.best_epoch == 0
    assert f"the steps {why}" in why_kept(trainer)


def test_an_epoch_must_gain_more_than_four_rows() -> None:
    rows = len(loaders()[1].items)
    assert 4.0 / rows > 0.0025
    for gain, best in ((3.99 / rows, 0), (4.01 / rows, 1)):
        assert run([0.3, 0.3 + gain])[0].best_epoch == best
    assert run([0.3, 0.3 + 2.0 / rows, 0.3 + 5.0 / rows])[0].best_epoch == 2


def test_an_epoch_must_gain_more_than_held_out_classes_lose() -> None:
    unseen = "val_unseen_map@r"
    for lost, best in ((0.21, 0), (0.19, 1), (-0.5, 1)):
        values = [{SCORES: 0.3, unseen: 0.5}, {SCORES: 0.5, unseen: 0.5 - lost}]
        assert run(values)[0].best_epoch == best


class NoFigures(Callback):
    """Leaves of validation's figures the loss alone."""

    def on_validation_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        for name in set(metrics) - {"val_loss"}:
            del metrics[name]


@pytest.mark.parametrize(
    ("values", "best"), [([0.5, 0.4, 0.3, 0.6], 2), ([0.1, 0.4, 0.3, 0.6], 0), ([0.3, 0.3], 0)]
)
def test_without_classes_the_loss_decides(values: list[float], best: int) -> None:
    model = DTGCNN(backend="numpy", **{**STARTS["closed_form"], "learning_rate": 1e-2})
    train, val = loaders()
    script = Script([{"val_loss": value} for value in values])
    script.name = "val_loss"
    trainer = Trainer(
        model, train_loader=train, val_loader=val, epochs=len(values) - 1, progress=False
    )
    trainer.train(callbacks=[script, NoFigures()])
    assert trainer.best_epoch == best
    assert weights(model) == script.seen[best]


def test_triplets_are_measured_by_their_pairs() -> None:
    apart = [(f"parcel {i} late", f"parcel {i} lost", f"card {i} refused") for i in range(40)]
    train, val = TripletDataset.from_triplets(apart).create_dataloaders(24, 0.8)
    model = DTGCNN(backend="numpy", **{**STARTS["closed_form"], "learning_rate": 1e-2})
    script = Script([0.1, 0.9, 0.7], "val_pair_auc")
    trainer = Trainer(model, train_loader=train, val_loader=val, epochs=2, progress=False)
    history = trainer.train(callbacks=[script])
    assert trainer.best_epoch == 1
    assert weights(model) == script.seen[1]
    assert all(SCORES not in entry for entry in history)


@pytest.mark.parametrize(
    ("first", "auc", "best"),
    [
        (0.9, 0.89, 0),
        (0.9, 0.9099, 0),
        (0.9, 0.9101, 1),
        (0.999, 0.9995, 0),
        (0.9985, 0.9994, 0),
        (0.9985, 0.9996, 1),
    ],
)
def test_pairs_must_gain_a_tenth_of_what_they_lack_and_a_thousandth(
    first: float, auc: float, best: int
) -> None:
    apart = [(f"parcel {i} late", f"parcel {i} lost", f"card {i} refused") for i in range(40)]
    train, val = TripletDataset.from_triplets(apart).create_dataloaders(24, 0.8)
    trainer = Trainer(
        DTGCNN(backend="numpy", **STARTS["closed_form"]),
        train_loader=train,
        val_loader=val,
        epochs=1,
        progress=False,
    )
    trainer.train(callbacks=[Script([first, auc], "val_pair_auc")])
    assert trainer.best_epoch == best


def test_steps_that_hurt_leave_the_start() -> None:
    train, val = loaders()
    model = DTGCNN(
        backend="numpy", **{**STARTS["closed_form"], "optimizer": "sgd", "start_weight": 0.0}
    )
    trainer = Trainer(
        model,
        model.config.replace(learning_rate=1e3, gradient_clip_val=math.inf, warmup_epochs=0),
        train_loader=train,
        val_loader=val,
        loss=lambda ops, z, batch: ops.sum(z[:, :1]),
        progress=False,
    )
    history = trainer.train()
    assert trainer.best_epoch == 0
    assert history[-1][SCORES] < trainer.start_metrics[SCORES] - 0.03
    assert not any(np.any(leaf) for leaf in model.params["head"].values())
    z, _ = model.started(model.vectors(X))
    np.testing.assert_allclose(model.encode(X), z, atol=1e-5)


@pytest.mark.parametrize("base", STARTS)
def test_without_held_out_rows_there_is_no_best_epoch(base: str) -> None:
    for val in (None, loaders(1.0)[1]):
        model = DTGCNN(backend="numpy", **STARTS[base])
        trainer = Trainer(model, train_loader=loaders(1.0)[0], val_loader=val, progress=False)
        trainer.train()
        assert (trainer.best_epoch, trainer.start_metrics) == (None, {})
        assert SCORES not in trainer.history[-1]


def test_what_validation_gives_of_rows_with_classes() -> None:
    train, val = loaders()
    model = DTGCNN(backend="numpy", **STARTS["closed_form"])
    trainer = Trainer(model, train_loader=train, val_loader=val, keep_best=False, progress=False)
    last = trainer.train()[-1]
    assert model.bank is not None
    gallery = model.encode(X[train.items])
    expected = retrieval_metrics(
        model.encode(X[val.items]), LABELS[val.items], gallery, LABELS[train.items]
    )
    for name in ("map@r", "recall@1"):
        assert last[f"val_{name}"] == pytest.approx(expected[name], abs=1e-9), name
    # And MAP@R by its definition (Musgrave et al. 2020), by loops.
    queries, scores = model.encode(X[val.items]), []
    for z, label in zip(queries, LABELS[val.items], strict=True):
        order = np.argsort(-(gallery @ z), kind="stable")
        right = LABELS[train.items][order] == label
        r = int(right.sum())
        scores.append(sum(right[: i + 1].mean() * right[i] for i in range(r)) / r)
    assert last[SCORES] == pytest.approx(np.mean(scores), abs=1e-6)


def test_classes_that_the_bank_lacks_are_not_looked_up() -> None:
    splits = ["validation" if label == 3 else "train" for label in LABELS]
    dataset = TripletDataset.from_arrays(X, LABELS, splits)
    model = DTGCNN(backend="numpy", **STARTS["closed_form"])
    train, _ = loaders()
    trainer = Trainer(model, train_loader=train, progress=False)
    trainer.train()
    from dtgcnn.training.validation import retrieval

    model.bank.labels = [label + 10 for label in model.bank.labels]  # type: ignore[union-attr]
    _, val = loaders()
    found = retrieval(model, val, model.encode(X[val.items]))
    assert set(found) == {"unseen_map@r", "unseen_recall@1"}
    assert dataset.num_items == len(X)


def test_callbacks_can_watch_it(tmp_path: Path) -> None:
    train, val = loaders()
    model = DTGCNN(backend="numpy", **{**STARTS["closed_form"], "learning_rate": 1e-2})
    values = [0.1, 0.5, 0.6, 0.55, 0.5, 0.9]
    stopping = EarlyStopping(monitor=SCORES, patience=2)
    keeping = ModelCheckpoint(tmp_path / "kept", monitor=SCORES, save_top_k=1)
    last = SaveEveryEpoch(tmp_path / "last")
    script = Script(values)
    trainer = Trainer(model, train_loader=train, val_loader=val, epochs=5, progress=False)
    trainer.train(callbacks=[script, stopping, keeping, last])
    assert len(trainer.history) == 4
    assert stopping.best_epoch == trainer.best_epoch == 2
    assert stopping.best == 0.6
    assert [path.name for path in keeping.paths] == [f"epoch=002-{SCORES}=0.6000"]
    for folder in (keeping.paths[0], tmp_path / "last"):
        kept = DTGCNN.load(folder, backend="numpy")
        assert weights(kept) == weights(model) == script.seen[2]
        np.testing.assert_array_equal(kept.encode(X), model.encode(X))


# -- killed and resumed


@pytest.mark.parametrize("base", STARTS)
@pytest.mark.parametrize(
    "values", [[0.9, 0.2, 0.3, 0.1], [0.1, 0.8, 0.3, 0.2], [0.1, 0.2, 0.3, 0.8]]
)
@pytest.mark.parametrize("fatal", [1, 2, 4, 6, 8, 11])
def test_a_resumed_run_keeps_the_same_epoch_to_the_bit(
    values: list[float], fatal: int, base: str, tmp_path: Path
) -> None:
    values = values if base == "closed_form" else values[1:]

    def begin(folder: str, fatal: int = 0) -> tuple[Trainer, Script]:
        model = DTGCNN(
            backend="numpy", **{**STARTS[base], "learning_rate": 1e-2, "use_batch_norm": True}
        )
        train, val = loaders()
        script = Script(values, fatal=fatal)
        trainer = Trainer(
            model,
            train_loader=train,
            val_loader=val,
            epochs=3,
            progress=False,
            state_dir=tmp_path / folder,
        )
        trainer.train(callbacks=[script], resume=True)
        return trainer, script

    whole, first = begin("whole")
    assert first.steps == 12
    with pytest.raises(InterruptedError):
        begin("cut", fatal)
    resumed, _ = begin("cut")
    assert resumed.resumed
    assert resumed.best_epoch == whole.best_epoch
    assert resumed.start_metrics == whole.start_metrics
    assert weights(resumed.model) == weights(whole.model)
    np.testing.assert_array_equal(resumed.model.encode(X), whole.model.encode(X))
    again, script = begin("cut")  # it is finished: nothing is trained, and the same is kept
    assert script.steps == 0
    assert again.best_epoch == whole.best_epoch
    assert weights(again.model) == weights(whole.model)


# -- the parts


@pytest.mark.parametrize(
    ("values", "lower", "best"),
    [
        ([1.0, 3.0, 2.0], False, 1),
        ([1.0, 3.0, 2.0], True, 0),
        ([2.0, 2.0, 2.0], False, 0),
        ([NAN, 1.0, NAN], False, 1),
        ([-3.0, -1.0, -2.0], False, 1),
        ([math.inf, 1.0, 2.0], True, 1),
    ],
    ids=str,
)
def test_what_is_offered(values: list[float], lower: bool, best: int) -> None:
    model = DTGCNN(backend="numpy", **PLAIN)
    kept, biases = BestEpoch(model), []
    assert not kept.restore()
    for epoch, value in enumerate(values):
        model.params = {**model.params, "head": {"bias": np.full(8, epoch, np.float32)}}
        biases.append(model.params["head"]["bias"])
        kept.offer(epoch, value, lower=lower)
    assert kept.restore()
    assert (kept.epoch, kept.value) == (best, values[best])
    assert model.params["head"]["bias"] is biases[best]


@pytest.mark.parametrize("epochs", [0, 1, 3])
def test_stopping_after_so_many_epochs(epochs: int) -> None:
    rates: list[float] = []

    class Rates(Callback):
        def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
            rates.append(outputs["learning_rate"])

    def train(*callbacks: Callback) -> Trainer:
        model = DTGCNN(backend="numpy", **STARTS["closed_form"])
        trainer = Trainer(model, train_loader=loaders(1.0)[0], epochs=5, progress=False)
        trainer.train(callbacks=callbacks)
        return trainer

    short = train(StopAfter(epochs), Rates())
    assert len(short.history) == epochs
    assert short.model.encode(X[:2]).shape == (2, 8)
    taken = len(rates)
    train(Rates())
    assert rates[:taken] == rates[taken : 2 * taken], "the schedule is that of all epochs"
    with pytest.raises(ValueError, match="epochs must be at least 0, received -1"):
        StopAfter(-1)


@pytest.mark.parametrize("best", [0, 2])
def test_training_anew_on_all_rows(best: int) -> None:
    values = [0.9 if epoch == best else 0.1 * epoch for epoch in range(4)]
    trainer, script = run(values)
    dataset = TripletDataset.from_arrays(X, LABELS)
    before = weights(trainer.model)
    told: list[int] = []
    final = train_on_all(trainer, dataset, advance=told.append)
    assert sum(told) == trainer.best_epoch
    assert weights(trainer.model) == before == script.seen[best]
    assert len(final.history) == best
    assert final.train_loader is not None
    assert sorted(final.train_loader.items.tolist()) == list(range(len(X)))
    assert final.model.bank is not None
    assert sorted(map(bytes, final.model.bank.host_x)) == sorted(map(bytes, X))
    alone = DTGCNN(trainer.config, backend="numpy")
    again = Trainer(alone, train_loader=loaders(1.0)[0], progress=False)
    again.train(callbacks=[StopAfter(best)])
    assert weights(final.model) == weights(alone)
    assert final.best_epoch is None
    assert weights(train_on_all(trainer, dataset, keep=False).model) == weights(alone)
    with pytest.raises(ValueError, match="the model has no bank"):
        trainer.model.encode(X[:1])
    with pytest.raises(TrainingError, match="must have a best epoch"):
        train_on_all(final, dataset)


def test_training_anew_has_the_same_optimiser_and_schedule() -> None:
    given: Any = {"optimizer": sgd(), "scheduler": lambda step: 0.01 / (1 + step)}
    model = DTGCNN(backend="numpy", **STARTS["closed_form"])
    trainer = Trainer(model, *loaders(0.8), epochs=2, progress=False, **given)
    trainer.train()
    trainer.best_epoch = 2  # whichever it was
    final = train_on_all(trainer, TripletDataset.from_arrays(X, LABELS))
    alone = DTGCNN(trainer.config, backend="numpy")
    Trainer(alone, loaders(1.0)[0], progress=False, **given).train()
    assert weights(final.model) == weights(alone)


def test_training_anew_keeps_what_held_out_texts_tell_of_class_codes(tmp_path: Path) -> None:
    dataset = TripletDataset(sample_path())
    loader, held_out = dataset.create_dataloaders(64, 0.8)
    settings: dict[str, Any] = {"input_dim": 384, "hidden_dims": (8,), "output_dim": 32}
    model = DTGCNN(backend="numpy", **settings)
    trainer = Trainer(model, loader, held_out, callbacks=[StopAfter(0)], progress=False)
    trainer.train()  # its encoder is fitted on the training side alone
    final = train_on_all(trainer, dataset, TfidfEncoder(384)).model
    assert model.codes_longer > 1.25 ** (2 / 3)
    assert final.codes_longer == model.codes_longer
    copied = deepcopy(DTGCNN(model.config, backend="numpy"))
    Trainer(copied, loader, held_out, callbacks=[StopAfter(0)], progress=False).train()
    assert copied.codes_longer == model.codes_longer, "a copy is trained as what it is of"
    loaded = DTGCNN.load(final.save(tmp_path / "model"), backend="numpy")
    items = dataset.training_items()
    rows = loaded.vectors([dataset.texts[item] for item in items])
    alone = DTGCNN(model.config, backend="numpy")
    alone.fit_start(rows, dataset.labels[items])
    assert alone.codes_longer == 1.0
    norms = [float(m.start.arrays["code_norm"]) for m in (final, alone) if m.start is not None]
    assert norms[0] == pytest.approx(model.codes_longer * norms[1])
    assert loaded.fit_start(rows, dataset.labels[items]) is not None, "the same start is found"
