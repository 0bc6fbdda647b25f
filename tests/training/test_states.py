"""Saved states of a run: damage, other settings, and a full disk."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import (
    DTGCNN,
    Callback,
    CheckpointError,
    DebugCallback,
    EarlyStopping,
    MetricsTracker,
    MultiTaskDTGCNN,
    SaveEveryEpoch,
    Trainer,
    TrainingError,
    TripletDataset,
)
from dtgcnn.array.tree import flatten
from dtgcnn.storage.files import read_arrays, write_arrays
from dtgcnn.training.training_state import FORMAT, TrainingState, holds_state, remove_states

from ..conftest import SETTINGS, blobs


class Breaks(Callback):
    """Ends training by an error after a step; never, where that is 0."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        if trainer.global_step == self.step:
            raise RuntimeError("the power went")


def trainer_of(folder: Path, step: int = 0, callbacks: Any = (), **settings: Any) -> Trainer:
    """A training of 3 epochs of 3 steps, whose state is saved after every step."""
    dataset = TripletDataset.from_arrays(*blobs())
    train, val = dataset.create_dataloaders(batch_size=24, train_split=0.8)
    model = DTGCNN(
        backend="numpy", **{**SETTINGS, "num_epochs": 3, "dropout_rate": 0.2, **settings}
    )
    return Trainer(
        model,
        train_loader=train,
        val_loader=val,
        callbacks=[*callbacks, Breaks(step)],
        progress=False,
        state_dir=folder,
        save_every_n_steps=1,
    )


def broken(folder: Path, step: int, **settings: Any) -> Trainer:
    trainer = trainer_of(folder, step, **settings)
    with pytest.raises(RuntimeError, match="the power went"):
        trainer.train(resume=True)
    return trainer


def bits(trainer: Trainer) -> dict[str, bytes]:
    model = trainer.model
    leaves = flatten({"params": model.params, "state": model.state})
    return {name: leaf.tobytes() for name, leaf in leaves.items()}


def resumed(folder: Path, **settings: Any) -> Trainer:
    trainer = trainer_of(folder, **settings)
    trainer.train(resume=True)
    return trainer


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, bytes]:
    """The weights of a run that was not interrupted."""
    trainer = resumed(tmp_path / "whole")
    assert trainer.global_step == 9
    return bits(trainer)


def states(folder: Path) -> list[Path]:
    return sorted(folder.glob("state-*"))


def test_the_last_two_states_are_kept(tmp_path: Path) -> None:
    broken(tmp_path, 5)
    assert [path.name for path in states(tmp_path)] == [
        "state-000000003.safetensors",
        "state-000000004.safetensors",
    ]


def test_a_damaged_state_is_passed_over(
    tmp_path: Path, expected: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    broken(tmp_path, 6)
    last = states(tmp_path)[-1]
    last.write_bytes(last.read_bytes()[:-1])
    assert bits(resumed(tmp_path)) == expected
    assert f"{last}: not a readable safetensors file" in caplog.text
    assert "going back to the state before it" in caplog.text


def test_a_damaged_state_does_not_outlive_newer_ones(tmp_path: Path) -> None:
    broken(tmp_path, 4)
    (tmp_path / "state-000000099.safetensors").write_bytes(b"noise")
    state = TrainingState.latest(tmp_path)
    assert state is not None
    state.global_step += 1
    state.save(tmp_path)
    assert [path.name[-15:-12] for path in states(tmp_path)] == ["003", "004"]


def test_damaged_states_alone_are_an_error(tmp_path: Path) -> None:
    broken(tmp_path, 6)
    for path in states(tmp_path):
        path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(CheckpointError, match=r"no state can be gone on from: .*005.*; .*004"):
        trainer_of(tmp_path).train(resume=True)


EDITS: dict[str, tuple[Callable[[dict[str, Any], dict[str, Any]], object], str]] = {
    "a key": (lambda meta, _: meta.pop("place"), "not those of a training state: 'place'"),
    "an entry": (lambda meta, _: meta.pop("history"), "not those of a training state: .*history"),
    "a stranger": (lambda meta, _: meta.update(more=1), "not those of a training state: .*more"),
    "a number": (lambda meta, _: meta["run"].pop("count"), "the state has no 'count'"),
    "an array": (lambda _, arrays: arrays.pop("params.head.bias"), "has no 'params.head.bias'"),
    "a bank": (lambda _, arrays: arrays.pop("bank.1"), "has no 'bank.1'"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_state_that_lacks_something_is_refused(tmp_path: Path, name: str) -> None:
    edit, message = EDITS[name]
    broken(tmp_path, 4)
    for path in states(tmp_path):
        metadata, arrays = read_arrays(path)
        edit(metadata, arrays)
        write_arrays(path, arrays, metadata)
    with pytest.raises(CheckpointError, match=message):
        trainer_of(tmp_path).train(resume=True)


def test_a_state_of_other_random_numbers_is_refused(tmp_path: Path) -> None:
    broken(tmp_path, 4)
    for path in states(tmp_path):
        metadata, arrays = read_arrays(path)
        assert metadata.pop("format") == FORMAT == "dtgcnn-state-2"
        write_arrays(path, arrays, metadata)
    before = {path: path.read_bytes() for path in states(tmp_path)}
    with pytest.raises(CheckpointError, match=r"must be 'dtgcnn-state-2', it is 'dtgcnn-state-1'"):
        trainer_of(tmp_path).train(resume=True)
    with pytest.raises(FileExistsError, match="holds the state of a run"):
        trainer_of(tmp_path).train()
    assert {path: path.read_bytes() for path in states(tmp_path)} == before
    remove_states(tmp_path)
    assert resumed(tmp_path).global_step == 9


def test_other_settings_data_parts_and_callbacks_are_named(tmp_path: Path) -> None:
    broken(tmp_path, 4)
    with pytest.raises(ValueError, match=r"learning_rate must be 0\.001.*, received 0\.1$"):
        resumed(tmp_path, learning_rate=0.1)
    with pytest.raises(ValueError, match=r"the callbacks must be Breaks, as .* EarlyStopping, Br"):
        resumed(tmp_path, callbacks=[EarlyStopping()])
    trainer = trainer_of(tmp_path)
    trainer.model.freeze(lambda name: name.startswith("head"))
    with pytest.raises(ValueError, match=r"frozen parameters must be \[\], .*head.bias"):
        trainer.train(resume=True)
    trainer = trainer_of(tmp_path)
    x, labels = blobs()
    other, _ = TripletDataset.from_arrays(x + 1, labels).create_dataloaders(24, 0.8)
    said = "the data are not those of the run .*, or the encoder makes other vectors of their texts"
    with pytest.raises(ValueError, match=said):
        trainer.train(other, resume=True)
    trainer = trainer_of(tmp_path, num_epochs=5)  # as more rows may suggest
    said = "num_epochs must be 3, .*, received 5; the data, or how they are divided, are others too"
    with pytest.raises(ValueError, match=said):
        trainer.train(other, resume=True)
    trainer = trainer_of(tmp_path)
    assert trainer.train_loader is not None
    with pytest.raises(ValueError, match="the data are not those of the run"):
        trainer.train(trainer.train_loader.with_seed(1), resume=True)
    assert resumed(tmp_path).global_step == 9  # nothing of all that has harmed it


def test_another_model_or_other_targets_are_refused(tmp_path: Path) -> None:
    def several(targets: Any, weights: Any = None, step: int = 0) -> Trainer:
        trainer = trainer_of(tmp_path, step)
        assert trainer.train_loader is not None
        trainer.train_loader.dataset.set_targets(targets)
        trainer.model = MultiTaskDTGCNN(
            trainer.config, regression=True, task_weights=weights, backend="numpy"
        )
        return trainer

    targets = np.arange(80.0)
    with pytest.raises(RuntimeError, match="the power went"):
        several(targets, step=4).train()
    with pytest.raises(ValueError, match="the data are not those of the run"):
        several(targets[::-1]).train(resume=True)
    with pytest.raises(ValueError, match=r"model and loss must be .*'regression': 1\.0.* 9\.0"):
        several(targets, {"regression": 9.0}).train(resume=True)
    plain = several(targets)
    plain.model = DTGCNN(plain.config, backend="numpy")
    with pytest.raises(ValueError, match=r"model and loss must be .*MultiTaskDTGCNN.*'DTGCNN'"):
        plain.train(resume=True)
    same = several(targets)
    same.train(resume=True)
    assert same.global_step == 9


def test_a_progress_bar_may_come_and_go(tmp_path: Path) -> None:
    broken(tmp_path, 4)
    trainer = trainer_of(tmp_path)
    trainer.progress = True
    trainer.train(resume=True)
    assert trainer.global_step == 9


def test_another_backend_goes_on_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(tmp_path, 4)
    assert caplog.text == ""
    real = DTGCNN.made_with
    monkeypatch.setattr(DTGCNN, "made_with", lambda self: {**real(self), "threads": 99})
    assert resumed(tmp_path).global_step == 9
    assert "in the run to be resumed and is 99: it goes on, maybe not with the same" in caplog.text


def test_a_state_is_not_overwritten_unasked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="resume needs the state_dir"):
        Trainer(trainer_of(tmp_path).model, progress=False).train(
            trainer_of(tmp_path).train_loader, resume=True
        )
    broken(tmp_path, 1)  # at its first step: there is nothing to lose yet
    assert [path.name for path in states(tmp_path)] == ["state-000000000.safetensors"]
    assert holds_state(tmp_path)
    assert not holds_state(tmp_path, begun=True)
    trainer = trainer_of(tmp_path)
    trainer.train()
    with pytest.raises(FileExistsError, match=r"holds the state of a run; train\(resume=True\)"):
        trainer_of(tmp_path).train()
    (tmp_path / "mine.txt").write_text("x")
    remove_states(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_finished_run_is_not_trained_again(tmp_path: Path) -> None:
    first = resumed(tmp_path)
    again = resumed(tmp_path)
    assert again.history == first.history
    assert bits(again) == bits(first)
    x = blobs()[0]
    np.testing.assert_array_equal(again.model.encode(x), first.model.encode(x))


def test_an_epoch_that_is_to_be_the_last_is_ended_after_resuming(tmp_path: Path) -> None:
    class Enough(Callback):
        def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
            trainer.should_stop = trainer.global_step >= 4

    broken(tmp_path / "killed", 5, callbacks=[Enough()])
    trainers = [resumed(tmp_path / name, callbacks=[Enough()]) for name in ("killed", "whole")]
    assert [trainer.global_step for trainer in trainers] == [6, 6]
    assert bits(trainers[0]) == bits(trainers[1])


def test_a_callback_goes_on_where_it_was(tmp_path: Path) -> None:
    def callbacks() -> list[Callback]:
        return [DebugCallback(max_gradient_norm=1e-4), MetricsTracker()]

    broken(tmp_path / "killed", 5, callbacks=callbacks())
    killed, whole = (resumed(tmp_path / n, callbacks=callbacks()) for n in ("killed", "whole"))
    assert [hook.state_dict() for hook in killed.callbacks] == [
        hook.state_dict() for hook in whole.callbacks
    ]
    assert len(killed.callbacks[0].findings) == 3  # type: ignore[attr-defined]  # once an epoch


def test_a_callback_whose_state_is_not_json_is_named(tmp_path: Path) -> None:
    class Arrays(Callback):
        def state_dict(self) -> dict[str, Any]:
            return {"x": np.zeros(3)}

    with pytest.raises(TypeError, match=r"Arrays\.state_dict must give JSON's types: .* ndarray"):
        trainer_of(tmp_path, callbacks=[Arrays()]).train()


def test_a_loss_that_is_not_finite_is_not_saved(tmp_path: Path) -> None:
    class Poison(Callback):
        def on_batch_begin(self, trainer: Trainer, batch: Any, batch_idx: int) -> None:
            if trainer.global_step == 4:
                head = trainer.model.params["head"]
                head["bias"] = head["bias"] + np.float32(np.nan)

    with np.errstate(all="ignore"), pytest.raises(TrainingError, match="the loss is nan"):
        trainer_of(tmp_path, callbacks=[Poison()]).train()
    state = TrainingState.latest(tmp_path)
    assert state is not None
    assert state.global_step == 4
    assert all(np.isfinite(array).all() for array in state.arrays.values())


FULL = textwrap.dedent(
    """
    import resource, signal, sys
    from pathlib import Path

    import numpy as np

    from dtgcnn import DTGCNN, Trainer, TripletDataset

    folder = Path(sys.argv[1])
    model = DTGCNN.load(folder / "model", backend="numpy")
    model.params["head"]["bias"] = model.params["head"]["bias"] + 1
    limit = int(sys.argv[2])
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        model.save(folder / "model", overwrite=True)
    except OSError as error:
        print(error)
    dataset = TripletDataset.from_arrays(*(np.load(folder / f"{n}.npy") for n in "xy"))
    loader, _ = dataset.create_dataloaders(24, 0.8)
    trainer = Trainer(
        model, train_loader=loader, progress=False, state_dir=folder / "state"
    )
    try:
        trainer.train()
    except OSError as error:
        print(error)
    """
)


@pytest.mark.skipif(sys.platform == "win32", reason="file sizes are limited by POSIX")
def test_a_full_disk_leaves_the_last_model_and_state(trained: DTGCNN, tmp_path: Path) -> None:
    x, labels = blobs()
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", labels)
    model = trained.save(tmp_path / "model") / "model.safetensors"
    before, expected = model.read_bytes(), trained.encode(x)
    command = [sys.executable, "-c", FULL, str(tmp_path), str(len(before) // 2)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert "File too large" in first
    assert str(model) in first
    assert str(tmp_path / "state" / "state-000000000.safetensors") in second
    assert model.read_bytes() == before
    np.testing.assert_array_equal(DTGCNN.load(model.parent, backend="numpy").encode(x), expected)
    assert [p.name for p in tmp_path.rglob(".*")] == []
    assert TrainingState.latest(tmp_path / "state") is None


def test_an_interrupt_once_the_model_is_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The epoch counts as saved though the files beside its weights were not reached."""
    saving = SaveEveryEpoch(tmp_path / "model")

    def interrupted(path: Path, content: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dtgcnn.storage.checkpoint.replace_file", interrupted)
    trainer = trainer_of(tmp_path / "state", callbacks=[saving])
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    assert saving.last_epoch == 1
    loaded = DTGCNN.load(tmp_path / "model", backend="numpy")
    assert loaded.encode(blobs()[0]).shape == (80, 8)


def test_an_interrupted_model_encodes_as_its_weights_are(tmp_path: Path) -> None:
    """In the middle of an epoch the bank's states are older than the weights."""
    trainer = trainer_of(tmp_path, step=2)
    with pytest.raises(RuntimeError, match="the power went"):
        trainer.train()
    model = trainer.model
    given = model.encode(blobs()[0])
    bank = model.bank
    assert bank is not None
    bank.refresh(model.ops, model.network, model.params, model.state)
    np.testing.assert_array_equal(given, model.encode(blobs()[0]))


def test_what_the_machine_decides_may_change(tmp_path: Path) -> None:
    whole = trainer_of(tmp_path / "whole")
    whole.train()
    broken(tmp_path / "cut", 4)
    settings = {"num_workers": 2, "num_threads": 1, "offload_optimizer": True}
    assert bits(resumed(tmp_path / "cut", **settings)) == bits(whole)


def test_another_loss_or_validation_side_is_named(tmp_path: Path) -> None:
    def flat(ops: Any, embeddings: Any, batch: Any) -> Any:
        return ops.sum(embeddings)

    broken(tmp_path, 4)
    trainer = trainer_of(tmp_path)
    trainer.loss = flat
    with pytest.raises(ValueError, match=r"model and loss must be .*flat"):
        trainer.train(resume=True)
    trainer = trainer_of(tmp_path)
    trainer.val_loader = None
    with pytest.raises(ValueError, match="the data are not those of the run"):
        trainer.train(resume=True)
    assert resumed(tmp_path).global_step == 9


def test_held_out_rows_without_a_batch_are_known_again(tmp_path: Path) -> None:
    x, labels = blobs()

    def one_of_each_class(moved: float) -> Trainer:
        trainer = trainer_of(tmp_path)
        sides = ["train"] * len(x) + ["validation"] * 4
        rows, own = np.concatenate([x, x[:4] + moved]), [*labels, *range(4)]
        dataset = TripletDataset.from_arrays(rows.astype(np.float32), own, splits=sides)
        trainer.train_loader, trainer.val_loader = dataset.create_dataloaders(24, 0.8)
        assert (len(trainer.val_loader), len(trainer.val_loader.items)) == (0, 4)
        return trainer

    one_of_each_class(0.5).train()
    assert one_of_each_class(0.5).train(resume=True)
    with pytest.raises(ValueError, match="the data are not those of the run"):
        one_of_each_class(1.0).train(resume=True)


@pytest.mark.skipif(sys.platform == "win32", reason="a lock is not held on Windows")
def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from dtgcnn.training.state_keeper import hold

        with hold(Path(sys.argv[1])):
            print("held", flush=True)
            sys.stdin.read()
        """
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError, match="another process is training here"):
            trainer_of(tmp_path).train()
        other.kill()
    trainer_of(tmp_path).train()
    remove_states(tmp_path)
    assert not tmp_path.exists()
