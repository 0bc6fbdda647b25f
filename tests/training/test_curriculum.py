"""Curriculum: the easiest triplets first, by their difficulty under the model as it then is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Callback, CurriculumScheduler, Trainer, TripletDataset
from dtgcnn.array.tree import flatten

from ..conftest import PLAIN, blobs, text_triplets


class Watch(Callback):
    """Keeps the triplets of each epoch's batches, and what the curriculum found; fails at step
    ``fatal``."""

    def __init__(self, curriculum: CurriculumScheduler, fatal: int = 0) -> None:
        self.curriculum, self.fatal = curriculum, fatal
        self.stages: list[int] = []
        self.scores: list[Any] = []
        self.by_hand: list[Any] = []
        self.drawn: list[list[tuple[int, ...]]] = []

    def on_epoch_begin(self, trainer: Trainer, epoch: int) -> None:
        stage = self.curriculum.current_stage
        if stage not in self.stages:
            self.scores.append(np.array(self.curriculum.difficulties))
            self.by_hand.append(difficulties(trainer))
        self.stages.append(stage)
        self.drawn.append([])

    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.drawn[-1] += map(tuple, batch.items[batch.triplets].tolist())
        if trainer.global_step == self.fatal:
            raise InterruptedError


def difficulties(trainer: Trainer) -> Any:
    """``cos(a, n) − cos(a, p)``, by NumPy in float64, of texts encoded one side at a time."""
    loader = trainer.train_loader
    assert loader is not None
    assert loader.triplets is not None
    texts = loader.dataset.texts
    assert texts is not None
    sides = [trainer.model.encode([texts[i] for i in column]) for column in loader.triplets.T]
    a, p, n = (side.astype(np.float64) for side in sides)
    a, p, n = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (a, p, n))
    return (a * n).sum(axis=1) - (a * p).sum(axis=1)


def train(
    backend: str = "numpy",
    num_stages: int = 3,
    epochs: int = 6,
    fatal: int = 0,
    state_dir: Path | None = None,
    **rest: Any,
) -> tuple[Watch, Trainer]:
    loader, _ = text_triplets().create_dataloaders(batch_size=20, train_split=1.0)
    curriculum = CurriculumScheduler(num_stages, **rest)
    watch = Watch(curriculum, fatal)
    settings = {**PLAIN, "num_epochs": epochs, "learning_rate": 1e-2}
    trainer = Trainer(
        DTGCNN(backend=backend, **settings),
        train_loader=loader,
        callbacks=[curriculum, watch],
        progress=False,
        state_dir=state_dir,
        save_every_n_steps=state_dir and 1,
    )
    trainer.train(resume=state_dir is not None)
    return watch, trainer


@pytest.mark.parametrize("cumulative", [True, False])
def test_a_stage_draws_its_triplets_only(cumulative: bool, backend: str) -> None:
    watch, trainer = train(backend, cumulative=cumulative)
    loader = trainer.train_loader
    assert loader is not None
    assert loader.triplets is not None
    assert watch.stages == [0, 0, 1, 1, 2, 2]
    count = len(loader.triplets)
    for epoch, stage in enumerate(watch.stages):
        np.testing.assert_allclose(watch.scores[stage], watch.by_hand[stage], atol=2e-6)
        order = np.argsort(watch.scores[stage], kind="stable")
        first = 0 if cumulative else count * stage // 3
        rows = loader.triplets[order[first : count * (stage + 1) // 3]]
        assert len(watch.drawn[epoch]) == count  # the epoch keeps its length
        assert set(watch.drawn[epoch]) == set(map(tuple, rows.tolist()))
    assert watch.drawn[0] != watch.drawn[1]
    # Afterwards the loader draws from all triplets again.
    drawn = [batch.items[batch.triplets] for batch in loader.batches(0)]
    assert {tuple(t) for t in np.concatenate(drawn)} == {tuple(t) for t in loader.triplets}


def test_the_last_stage_is_all_and_stages_are_scored_anew() -> None:
    watch, trainer = train()
    loader = trainer.train_loader
    assert loader is not None
    assert loader.triplets is not None
    assert sorted(watch.drawn[-1]) == sorted(map(tuple, loader.triplets.tolist()))
    for before, after in zip(watch.scores, watch.scores[1:], strict=False):
        assert np.abs(after - before).mean() > 0.01
    assert watch.scores[-1].mean() < watch.scores[0].mean() - 0.1  # they have become easier


def test_two_runs_from_one_seed_are_bit_equal(backend: str) -> None:
    first, second = (train(backend) for _ in range(2))
    assert first[0].drawn == second[0].drawn
    for one, other in zip(
        flatten(first[1].model.params).values(),
        flatten(second[1].model.params).values(),
        strict=True,
    ):
        assert np.array_equal(np.asarray(one), np.asarray(other))


# Six steps an epoch, two epochs a stage: inside the first stage, at the end of one, in the last.
@pytest.mark.parametrize("fatal", [3, 12, 13, 35])
def test_a_resumed_run_draws_what_the_whole_one_drew(tmp_path: Path, fatal: int) -> None:
    whole, trainer = train()
    with pytest.raises(InterruptedError):
        train(fatal=fatal, state_dir=tmp_path)
    resumed, again = train(state_dir=tmp_path)
    expected = [triplet for epoch in whole.drawn for triplet in epoch]
    taken = [triplet for epoch in resumed.drawn for triplet in epoch]
    assert taken == expected[20 * (fatal - 1) :]  # the step it died in is taken again
    ends = [flatten(t.model.params) for t in (trainer, again)]
    assert all(np.array_equal(ends[0][name], ends[1][name]) for name in ends[0])
    assert resumed.curriculum.state_dict() == whole.curriculum.state_dict()


def test_stages_of_unequal_length() -> None:
    watch, _ = train(num_stages=4, epochs=5)
    assert watch.stages == [0, 0, 1, 2, 3]
    sizes = [len(set(epoch)) for epoch in watch.drawn]
    assert sizes[0] == sizes[1] < sizes[2] < sizes[3] < sizes[4]
    assert train(num_stages=1, epochs=2)[0].stages == [0, 0]


def test_what_the_first_stage_leaves_out_is_harder() -> None:
    watch, trainer = train(num_stages=2, epochs=2)
    scores = watch.scores[0]
    median = np.median(scores)
    taken = set(watch.drawn[0])
    loader = trainer.train_loader
    assert loader is not None
    assert loader.triplets is not None
    for triplet, score in zip(map(tuple, loader.triplets.tolist()), scores, strict=True):
        assert (triplet in taken) == (score <= median) or score == pytest.approx(median, abs=1e-6)


def test_advance_stage_stays_at_the_last() -> None:
    watch, trainer = train(num_stages=2, epochs=2)
    curriculum = watch.curriculum
    assert curriculum.current_stage == 1
    curriculum.advance_stage(trainer)
    assert curriculum.current_stage == 1
    loader = trainer.train_loader
    assert loader is not None
    assert loader.triplets is not None
    assert len(curriculum.get_stage_data(trainer)) == len(loader.triplets)


def test_what_is_out_of_range_is_refused() -> None:
    for wrong in (0, 2.5, "4"):
        with pytest.raises(ValueError, match="num_stages must be a whole number of at least 1, r"):
            CurriculumScheduler(num_stages=wrong)  # type: ignore[arg-type]
    assert CurriculumScheduler(np.int64(3)).num_stages == 3  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="dataset must be a TripletDataset, received"):
        CurriculumScheduler(["a", "b"])  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="at most the number of epochs, 2, received 3"):
        train(num_stages=3, epochs=2)
    with pytest.raises(ValueError, match="at most the number of triplets, 120, received 121"):
        train(num_stages=121, epochs=121)
    labelled = TripletDataset.from_arrays(*blobs())
    with pytest.raises(ValueError, match="at most the number of labelled rows, 80, received 81"):
        CurriculumScheduler(labelled, num_stages=81)
    with pytest.raises(ValueError, match="dataset must hold triplets or labels"):
        CurriculumScheduler(TripletDataset.from_arrays(blobs()[0]))
    with pytest.raises(ValueError, match="dataset must be given to CurriculumScheduler"):
        CurriculumScheduler(num_stages=2).get_stage_data()


def brute_force(x: Any, labels: Any) -> Any:
    """The nearest mean of another class less the mean of the others of one's own, row by row."""
    unit = x.astype(float) / np.linalg.norm(x, axis=1, keepdims=True)
    found = []
    for i, row in enumerate(unit):
        means = {}
        for label in set(labels.tolist()):
            mean = unit[[j for j in range(len(x)) if labels[j] == label and j != i]].mean(axis=0)
            means[label] = row @ mean / np.linalg.norm(mean)
        own = means.pop(labels[i])
        found.append(max(means.values()) - own)
    return np.array(found)


@pytest.mark.parametrize("cumulative", [True, False])
def test_stages_of_a_labelled_dataset(cumulative: bool) -> None:
    x, labels = blobs()
    curriculum = CurriculumScheduler(
        TripletDataset.from_arrays(x, labels), num_stages=4, cumulative=cumulative
    )
    scores = brute_force(x, labels)
    for stage in range(5):  # advance_stage stays at the last
        data = curriculum.get_stage_data()
        last = min(stage, 3)
        rows: set[int] = set()
        for label in range(4):
            own = [int(i) for i in np.argsort(scores, kind="stable") if labels[i] == label]
            rows |= set(own[0 if cumulative else 5 * last : 5 * (last + 1)])
        chosen = {i for i in range(80) if (data.features == x[i]).all(axis=1).any()}
        assert chosen == rows
        assert data.label_names == ["0", "1", "2", "3"]
        curriculum.advance_stage()
    assert curriculum.current_stage == 3


def test_a_stage_keeps_the_rows_of_other_splits_and_the_targets() -> None:
    x, labels = blobs()
    plain = TripletDataset.from_arrays(x[::2], labels[::2])
    splits = np.where(np.arange(80) % 2, "test", "train")
    data = TripletDataset.from_table({"x": x, "y": labels, "split": splits})
    data.set_targets(x[:, 0])
    curriculum = CurriculumScheduler(data, num_stages=4)
    stage = curriculum.get_stage_data()
    training = CurriculumScheduler(plain, num_stages=4).get_stage_data()
    np.testing.assert_array_equal(stage.features[stage.split_items("train")], training.features)
    np.testing.assert_array_equal(stage.features[stage.split_items("test")], x[1::2])
    np.testing.assert_array_equal(stage.targets, stage.features[:, 0])
    with pytest.raises(ValueError, match="number of labelled rows, 40, received 41"):
        CurriculumScheduler(data, num_stages=41)


def test_stages_of_a_dataset_of_triplets() -> None:
    dataset = text_triplets()
    assert dataset.triplets is not None
    curriculum = CurriculumScheduler(dataset, num_stages=4, cumulative=False)
    seen: list[tuple[str, ...]] = []
    hardest = -np.inf
    for _ in range(4):
        data = curriculum.get_stage_data()
        scores = np.sort(curriculum.compute_triplet_difficulties())[len(seen) :][: len(data)]
        assert scores[0] >= hardest
        hardest = scores[-1]
        assert data.texts is not None
        assert data.triplets is not None
        seen += [tuple(data.texts[i] for i in row) for row in data.triplets]
        assert data.create_dataloaders(8, 1.0)[0].triplets is not None
        curriculum.advance_stage()
    assert dataset.texts is not None
    whole = [tuple(dataset.texts[i] for i in row) for row in dataset.triplets]
    assert sorted(seen) == sorted(whole)


def test_labelled_training_draws_from_the_stage(backend: str) -> None:
    x, labels = blobs()
    loader, _ = TripletDataset.from_arrays(x, labels).create_dataloaders(24, 1.0)
    curriculum = CurriculumScheduler(num_stages=2)
    drawn: list[set[int]] = []
    expected: list[set[int]] = []

    class Drawn(Callback):
        def on_epoch_begin(self, trainer: Any, epoch: int) -> None:
            scores = brute_force(trainer.embed_side(loader), labels)
            np.testing.assert_allclose(scores, curriculum.difficulties, atol=1e-5)
            order = np.argsort(curriculum.difficulties, kind="stable")
            each = [[int(i) for i in order if labels[i] == c] for c in range(4)]
            expected.append({i for own in each for i in own[: 10 * epoch]})
            drawn.append(set())

        def on_batch_end(self, trainer: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
            assert len(batch.items) == 24
            drawn[-1] |= set(batch.items.tolist())

    model = DTGCNN(backend=backend, **{**PLAIN, "num_epochs": 2})
    Trainer(model, loader, callbacks=[curriculum, Drawn()], progress=False).train()
    assert drawn[0] == expected[0]
    assert drawn[1] <= expected[1] == set(range(80))
    assert {int(i) for e in range(4) for b in loader.batches(e) for i in b.items} == set(range(80))
