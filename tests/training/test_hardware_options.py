"""Memory, threads and devices: what the options do, and that they change no result."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps
from threadpoolctl import threadpool_info

from dtgcnn import DTGCNN, Callback, Trainer, TripletDataset, load_ops
from dtgcnn.array.tree import flatten
from dtgcnn.model.network import Network
from dtgcnn.training import adaptive_step as adaptive
from dtgcnn.training.adaptive_step import out_of_memory
from dtgcnn.training.training_run import TrainingRun

from ..conftest import PLAIN, blobs


@pytest.fixture(autouse=True)
def _a_library_with_errors_of_its_own() -> Iterator[None]:
    def out_of_memory(self: NumpyOps, error: Exception) -> bool:
        return str(error) == METAL

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NumpyOps, "out_of_memory", out_of_memory, raising=False)
        yield


METAL = (
    "[metal::malloc] Attempting to allocate 18253611008 bytes which is greater than the maximum "
    "allowed buffer size of 17179869184 bytes."
)


class Watch(Callback):
    """The rows, metrics and steps that training reported."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.steps: list[int] = []

    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.rates.append(outputs["learning_rate"])
        self.steps.append(trainer.global_step)


def trainer_of(backend: str, data: TripletDataset | None = None, **changes: Any) -> Trainer:
    config = {**PLAIN, "learning_rate": 3e-3, **changes}
    data = data or TripletDataset.from_arrays(*blobs())
    loader, _ = data.create_dataloaders(config["batch_size"], 1.0, samples_per_class=2)
    # On the CPU, where the order of sums is always the same.
    model = DTGCNN(ops=load_ops(backend, device="cpu"), **config)
    return Trainer(model, train_loader=loader, progress=False)


def weights(trainer: Trainer) -> dict[str, Any]:
    model = trainer.model
    return {name: model.ops.to_numpy(leaf) for name, leaf in flatten(model.params).items()}


def assert_equal(one: dict[str, Any], two: dict[str, Any]) -> None:
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)


# -- Memory that runs out ---------------------------------------------------------------------


class Full:
    """Lets a run's backend run out of memory in steps of more than ``most`` rows.

    The arrays that the failing step has made can never be evaluated, as with a lazy backend.
    """

    def __init__(self, patch: pytest.MonkeyPatch, most: int, error: Exception) -> None:
        self.rows: list[list[int]] = []
        """The items of each step that was finished."""
        self.refused = 0
        take, full = TrainingRun._take, self

        def taken(
            run: TrainingRun, group: list[Any], epoch: int, parts: int = 1
        ) -> dict[str, float]:
            items = [int(item) for batch in group for item in batch.items]

            def refuse(*trees: Any) -> None:
                full.refused += 1
                for tree in trees:
                    for leaf in flatten(tree).values():
                        spoilt.add(id(leaf))
                raise error

            spoilt = set[int]()
            with pytest.MonkeyPatch.context() as inner:
                if len(items) > most:
                    inner.setattr(run.ops, "evaluate", refuse, raising=False)
                try:
                    result = take(run, group, epoch, parts)
                except type(error):
                    kept = flatten({"p": run.model.params, "s": run.model.state})
                    kept |= flatten({"o": run._optimizer_state})
                    assert not {id(leaf) for leaf in kept.values()} & spoilt
                    raise
            full.rows.append(items)
            return result

        patch.setattr(TrainingRun, "_take", taken)
        # Encoding in parts would not help: it is the whole step that is too large.
        patch.setattr(adaptive, "PART_ROWS", 10**9)


@pytest.mark.parametrize("error", [MemoryError("no more"), RuntimeError(METAL)], ids=["np", "mlx"])
@pytest.mark.parametrize("scope", ["bank", "batch"])
@pytest.mark.parametrize("kind", ["labelled", "triplets"])
def test_the_epoch_goes_on_in_halves(
    backend: str, scope: str, kind: str, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = triplets() if kind == "triplets" else TripletDataset.from_arrays(*blobs(classes=8))
    settings = {"graph_scope": scope, "batch_size": 16, "num_epochs": 2}
    settings |= {"adaptive_batch_size": True, "graph_k_neighbors": 3}
    whole, half = (trainer_of(backend, data, **settings) for _ in range(2))
    watches = [Watch(), Watch()]
    seen = Full(monkeypatch, 10**9, error)
    whole.train(callbacks=[watches[0]])
    monkeypatch.undo()
    rows = len(seen.rows[0])
    full = Full(monkeypatch, rows // 2, error)
    half.train(callbacks=[watches[1]])
    assert full.refused == 1  # every later step is taken in halves at once
    assert len(full.rows) == 2 * len(seen.rows)
    for i, items in enumerate(seen.rows):  # no row of any step is lost
        assert sorted(full.rows[2 * i] + full.rows[2 * i + 1]) == sorted(items)
    assert watches[1].rates == watches[0].rates  # the schedule goes on as it was
    assert watches[1].steps == watches[0].steps
    assert all(np.isfinite(leaf).all() for leaf in weights(half).values())
    assert half.history[-1]["loss"] < 1.5 * half.history[0]["loss"]


@pytest.mark.parametrize("steps", [1, 3], ids=["a batch", "accumulated"])
def test_parts_of_a_batch_keep_the_step(
    backend: str, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where encoding alone lacks memory, a step has the gradient that it would have had."""
    settings = {"batch_size": 64, "dropout_rate": 0.0, "num_epochs": 2, "optimizer": "sgd"}
    settings |= {"gradient_accumulation_steps": steps, "adaptive_batch_size": True}
    data = TripletDataset.from_arrays(*blobs(per_class=48))
    whole = trainer_of(backend, data, **settings)
    whole.train()
    rows: list[int] = []
    encode = Network.__call__

    def small(self: Network, ops: Any, params: Any, state: Any, x: Any, *rest: Any, **key: Any):  # type: ignore[no-untyped-def]
        if key.get("key") is not None:
            rows.append(x.shape[0])
            if x.shape[0] > 16:
                raise RuntimeError(METAL)
        return encode(self, ops, params, state, x, *rest, **key)

    monkeypatch.setattr(Network, "__call__", small)
    parted = trainer_of(backend, data, **settings)
    parted.train()
    assert rows[0] == 64
    assert set(rows[2:]) == {16}  # 64 and 32 were too many
    assert parted.global_step == whole.global_step
    for name, leaf in weights(whole).items():
        np.testing.assert_allclose(weights(parted)[name], leaf, atol=2e-5, err_msg=name)
    assert [m["loss"] for m in parted.history] == pytest.approx([m["loss"] for m in whole.history])


def triplets() -> TripletDataset:
    """Random triplets of random texts."""
    rng, words = np.random.default_rng(0), [f"w{i}" for i in range(40)]
    texts = [" ".join(rng.choice(words, 5)) for _ in range(180)]
    return TripletDataset.from_triplets(list(zip(texts[::3], texts[1::3], texts[2::3])))


@pytest.mark.parametrize("scope", ["bank", "batch"])
def test_what_the_first_step_starts_from_is_computed_before_it(
    backend: str, scope: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lazy array that a step was to compute is lost where memory runs out in that step."""
    trainer = trainer_of(backend, graph_scope=scope, num_epochs=1)
    ops, take = trainer.model.ops, TrainingRun._take
    computed, late = list[Any](), list[list[str]]()
    evaluate = ops.evaluate

    def note(*trees: Any) -> None:
        computed.extend(leaf for tree in trees for leaf in flatten(tree).values())
        evaluate(*trees)

    def look(run: TrainingRun, group: list[Any], epoch: int, parts: int = 1) -> dict[str, float]:
        kept = {"params": run.model.params, "state": run.model.state, "x": run._inputs._x}
        kept |= {"optimizer": run._optimizer_state, "sources": run._sources}
        links = run._inputs._links
        kept |= {} if links is None else {"links": dict(enumerate(links[:3]))}
        known = {id(leaf) for leaf in computed}
        known |= {id(run._inputs.bank.x)}  # its states, which were computed, need it
        late.append([name for name, leaf in flatten(kept).items() if id(leaf) not in known])
        return take(run, group, epoch, parts)

    monkeypatch.setattr(ops, "evaluate", note, raising=False)
    monkeypatch.setattr(TrainingRun, "_take", look)
    trainer.train()
    assert late[0] == []


def test_memory_may_ask_for_quarters_of_accumulated_batches(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"gradient_accumulation_steps": 2, "adaptive_batch_size": True, "batch_size": 16}
    trainer = trainer_of(backend, TripletDataset.from_arrays(*blobs(classes=8)), **settings)
    full = Full(monkeypatch, 8, MemoryError("no more"))
    trainer.train()
    assert full.refused == 2
    assert {len(items) for items in full.rows} == {8}
    assert len(full.rows) == 4 * trainer.global_step
    assert trainer.global_step == 2 * trainer.steps_per_epoch


def test_without_the_option_the_error_is_that_of_the_backend(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Full(monkeypatch, 4, error := RuntimeError(METAL))
    with pytest.raises(RuntimeError) as caught:
        trainer_of(backend).train()
    assert caught.value is error


def test_other_errors_are_not_taken_for_lack_of_memory(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Full(monkeypatch, 4, RuntimeError("shapes (3, 4) and (5, 6) do not fit"))
    with pytest.raises(RuntimeError, match="do not fit"):
        trainer_of(backend, adaptive_batch_size=True).train()
    assert full.refused == 1


@pytest.mark.parametrize(
    ("settings", "rows"),
    [({}, 4), ({"graph_scope": "batch", "graph_k_neighbors": 4}, 8)],
    ids=["triplets", "graph"],
)
def test_a_batch_that_cannot_be_halved(
    settings: dict[str, Any], rows: int, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Full(monkeypatch, 3, MemoryError("no more"))
    data = TripletDataset.from_arrays(*blobs(classes=8))
    with pytest.raises(MemoryError, match=f"not enough memory for a step of {rows} rows, which"):
        trainer_of(backend, data, batch_size=16, adaptive_batch_size=True, **settings).train()


def test_what_libraries_say_when_memory_runs_out() -> None:
    with pytest.raises(MemoryError) as caught:
        np.ones(10**15)
    assert out_of_memory(NumpyOps(), caught.value)


@pytest.mark.mlx
def test_what_mlx_says_when_memory_runs_out() -> None:
    ops = pytest.importorskip("dtgcnn_mlx").MlxOps()
    for text in (
        METAL,
        "[METAL] Command buffer execution failed: Insufficient Memory "
        "(00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)",
        "[metal::malloc] Resource limit (499000) exceeded.",
        "[malloc] Unable to allocate 1073741824 bytes.",
        "cudaMallocAsync(&data, size, stream) failed: out of memory",
    ):
        assert out_of_memory(ops, RuntimeError(text))
    assert not out_of_memory(ops, RuntimeError("index 7 is out of bounds"))
    assert not out_of_memory(ops, ValueError("a text that says out of memory"))


# -- The optimiser's state on the host --------------------------------------------------------


OFFLOADED: list[dict[str, Any]] = [
    {"optimizer": "adamw"},
    {"optimizer": "adam"},
    {"optimizer": "sgd"},
    {"gradient_accumulation_steps": 2},
    {"gradient_accumulation_steps": 2, "graph_scope": "batch"},
]


@pytest.mark.parametrize("settings", OFFLOADED, ids=lambda settings: "-".join(settings.keys()))
def test_offload_keeps_the_state_on_the_host(backend: str, settings: dict[str, Any]) -> None:
    states: list[Any] = []

    class Look(Callback):
        def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
            states.append(flatten(runs[-1]._optimizer_state))

    runs: list[TrainingRun] = []
    with pytest.MonkeyPatch.context() as patch:
        prepare = TrainingRun._prepare
        patch.setattr(
            TrainingRun, "_prepare", lambda run, *given: runs.append(run) or prepare(run, *given)
        )
        apart = trainer_of(backend, offload_optimizer=True, **settings)
        apart.train(callbacks=[Look()])
    beside = trainer_of(backend, **settings)
    beside.train()
    assert states
    assert all(isinstance(leaf, np.ndarray) for state in states for leaf in state.values())
    assert any(np.any(leaf) for leaf in states[-1].values())
    assert_equal(weights(apart), weights(beside))


@pytest.mark.mlx
def test_without_offload_mlx_keeps_the_state() -> None:
    mx = pytest.importorskip("mlx.core")
    trainer = trainer_of("mlx")
    loader = trainer.train_loader
    assert loader is not None
    vectors = trainer.model.vectors(loader.dataset.inputs)
    run = TrainingRun(trainer.model, trainer.config, loader, vectors)
    run.step(next(run.groups(1)), 1)
    assert all(isinstance(leaf, mx.array) for leaf in flatten(run._optimizer_state).values())


# -- The cache of freed memory ----------------------------------------------------------------


@pytest.mark.mlx
def test_the_cache_is_bounded_while_training_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    mx = pytest.importorskip("mlx.core")
    calls: list[Any] = []
    limit, clear = mx.set_cache_limit, mx.clear_cache
    monkeypatch.setattr(mx, "set_cache_limit", lambda n: calls.append(n) or limit(n))
    monkeypatch.setattr(mx, "clear_cache", lambda: calls.append("clear") or clear())
    former = limit(3 * 2**20)
    try:
        trainer = trainer_of("mlx", cache_limit=2**16, clear_cache_every=3, num_epochs=2)
        trainer.train()
        of_fit = ["clear"] * 2  # before the start is fitted and after
        clearings = trainer.global_step // 3
        assert calls == [2**16, *of_fit, *["clear"] * clearings, 3 * 2**20]
        assert clearings > 1
        calls.clear()
        with pytest.raises(OSError, match="the disk is full"):
            trainer.train(callbacks=[Breaks()])
        assert calls == [2**16, *of_fit, 3 * 2**20]  # also after an error
        assert limit(3 * 2**20) == 3 * 2**20
    finally:
        limit(former)


class Breaks(Callback):
    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        raise OSError("the disk is full")


# -- Threads and devices ----------------------------------------------------------------------


def blas() -> list[int]:
    return [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]


def test_blas_has_no_more_threads_than_allowed(tmp_path: Path) -> None:
    before, during = blas(), list[list[int]]()
    if max(before, default=1) == 1:
        pytest.skip("BLAS has one thread here")

    class Look(Callback):
        def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
            during.append(blas())

    trainer = trainer_of("numpy", num_threads=1)
    trainer.train(callbacks=[Look()])
    assert {n for counts in during for n in counts} == {1}
    assert blas() == before
    assert trainer.model.made_with()["threads"] == 1
    with pytest.raises(OSError, match="the disk is full"):
        trainer.train(callbacks=[Breaks()])
    assert blas() == before
    free = trainer_of("numpy")
    free.train(callbacks=[Look()])
    assert during[-1] == before
    assert free.model.made_with()["threads"] == max(before)


def test_another_device_than_the_models_is_refused_in_training(backend: str) -> None:
    model = DTGCNN(ops=load_ops(backend, device="cpu"), **PLAIN)
    with pytest.raises(ValueError, match="device must be the model's 'cpu', received 'gpu'"):
        Trainer(model, model.config.replace(device="gpu"))
