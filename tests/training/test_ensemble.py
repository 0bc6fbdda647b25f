"""Ensembles: what each mode does to the embeddings, and how members differ."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.stats import ortho_group

from dtgcnn import (
    DTGCNN,
    Callback,
    DTGCNNConfig,
    Ensemble,
    TfidfEncoder,
    Trainer,
    TripletDataset,
    TripletLoader,
)
from dtgcnn.array.tree import flatten
from dtgcnn.evaluation.alignment import procrustes
from dtgcnn.evaluation.metrics import retrieval_metrics
from dtgcnn.training.ensemble import Mode

from ..conftest import PLAIN, STARTS, blobs, sentences

CONFIG = DTGCNNConfig(**PLAIN)
MODES = get_args(Mode)


def loaders(dataset: TripletDataset) -> tuple[TripletLoader, TripletLoader]:
    return dataset.create_dataloaders(batch_size=24, train_split=0.8)


def train(dataset: TripletDataset, config: DTGCNNConfig = CONFIG, **options: Any) -> Ensemble:
    settings = {"backend": "numpy", "progress": False, **options}
    return Ensemble.train(config, *loaders(dataset), **settings)


@pytest.fixture(params=STARTS)
def config(request: pytest.FixtureRequest) -> DTGCNNConfig:
    return DTGCNNConfig(**STARTS[request.param])


@pytest.fixture
def ensemble(labelled: TripletDataset, config: DTGCNNConfig) -> Ensemble:
    return train(labelled, config)


def turned(model: DTGCNN, q: Any) -> DTGCNN:
    """The same model in a space that is a rotation of its own."""
    other = copy.copy(model)
    head = model.params["head"]
    q = model.ops.asarray(q)
    turned_head = {"weight": head["weight"] @ q, "bias": (head["bias"][None, :] @ q)[0]}
    other.params = {**model.params, "head": turned_head}
    return other


def map_at_r(view: Any) -> float:
    return retrieval_metrics(view, blobs()[1])["map@r"]


def test_procrustes_undoes_a_rotation_that_damages_the_mean(labelled: TripletDataset) -> None:
    trained, x = DTGCNN(CONFIG, backend="numpy"), blobs()[0]
    Trainer(trained, train_loader=loaders(labelled)[0], epochs=60, progress=False).train()
    alone = trained.encode(x)
    for seed in range(3):
        axes = ortho_group.rvs(8, random_state=seed)
        q = axes @ np.diag([1.0] * 2 + [-1.0] * 6) @ axes.T  # a mean cancels six axes of eight
        other = turned(trained, q)
        np.testing.assert_allclose(other.encode(x), alone @ q, atol=1e-5)
        assert map_at_r(other.encode(x)) == pytest.approx(map_at_r(alone), abs=0.01)
        aligned = Ensemble([trained, other]).encode(x)
        np.testing.assert_allclose(aligned, alone, atol=1e-5)
        assert map_at_r(aligned) == pytest.approx(map_at_r(alone), abs=0.01)
        mean = Ensemble([trained, other], "mean").encode(x)
        assert map_at_r(mean) < map_at_r(alone) - 0.1


def test_a_mirrored_member_is_turned_back(labelled: TripletDataset) -> None:
    trained = train(labelled, seeds=(0, 1)).models[0]
    mirror = np.diag([-1.0] + [1.0] * 7)
    aligned = Ensemble([trained, turned(trained, mirror)])
    assert aligned.rotations is not None
    np.testing.assert_allclose(aligned.rotations[1], mirror, atol=1e-3)
    np.testing.assert_allclose(aligned.encode(blobs()[0]), trained.encode(blobs()[0]), atol=1e-5)


def test_rotations_are_scipys_on_the_first_bank(ensemble: Ensemble) -> None:
    first, bank = ensemble.models[0], ensemble.models[0].bank
    assert bank is not None
    assert ensemble.rotations is not None
    reference = first.encode(bank.host_x).astype(np.float64)
    for model, rotation in zip(ensemble.models, ensemble.rotations, strict=True):
        wanted, _ = orthogonal_procrustes(model.encode(bank.host_x).astype(np.float64), reference)
        np.testing.assert_allclose(rotation, wanted, atol=1e-10)


def test_anchors_decide_the_rotations(ensemble: Ensemble) -> None:
    models, anchors = ensemble.models, blobs()[0][:30]
    given = Ensemble(models, anchors=anchors)
    assert given.rotations is not None
    wanted = procrustes(models[1].encode(anchors), models[0].encode(anchors))
    np.testing.assert_array_equal(given.rotations[1], wanted)


def test_what_each_mode_is(ensemble: Ensemble) -> None:
    x = blobs()[0]
    views = [model.encode(x).astype(np.float64) for model in ensemble.models]
    mean = sum(views) / 3
    unit = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(Ensemble(ensemble.models, "mean").encode(x), unit, atol=1e-6)
    side_by_side = Ensemble(ensemble.models, "concat")
    cosines = sum(view @ view.T for view in views) / 3
    z = side_by_side.encode(x)
    np.testing.assert_allclose(z @ z.T, cosines, atol=1e-6)
    assert z.shape == (len(x), 24) == (len(x), side_by_side.output_dim)
    assert ensemble.rotations is not None
    mean = sum(view @ q for view, q in zip(views, ensemble.rotations, strict=True)) / 3
    unit = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(ensemble.encode(x), unit, atol=1e-6)
    assert ensemble.output_dim == 8


@pytest.mark.parametrize("mode", MODES)
def test_an_embedding_does_not_depend_on_its_company(ensemble: Ensemble, mode: Mode) -> None:
    x = np.concatenate([blobs()[0], blobs(per_class=90)[0]])
    ensemble = Ensemble(ensemble.models, mode)
    together = ensemble.encode(x)
    assert together.dtype == np.float32
    order = np.random.default_rng(0).permutation(len(x))
    np.testing.assert_array_equal(ensemble(x[order]), together[order])
    for row in range(0, len(x), 40):
        np.testing.assert_array_equal(ensemble.encode(x[row : row + 1]), together[row : row + 1])
    assert ensemble.encode(x[:0]).shape == (0, ensemble.output_dim)


def test_without_normalisation_the_mean_keeps_its_length(labelled: TripletDataset) -> None:
    config, x = CONFIG.replace(normalize_output=False), blobs()[0]
    kept = Ensemble.train(config, loaders(labelled)[0], backend="numpy", progress=False)
    assert kept.rotations is not None
    views = [model.encode(x) for model in kept.models]
    wanted = sum(view @ q for view, q in zip(views, kept.rotations, strict=True)) / 3
    np.testing.assert_allclose(kept.encode(x), wanted, atol=1e-5)
    assert np.ptp(np.linalg.norm(kept.encode(x), axis=1)) > 0.01


class Batches(Callback):
    """Keeps the first batch of a run, and the rows of both sides."""

    def __init__(self) -> None:
        self.first: list[int] = []

    def on_train_begin(self, trainer: Trainer) -> None:
        assert trainer.train_loader is not None
        assert trainer.val_loader is not None
        self.sides = [trainer.train_loader.items.tolist(), trainer.val_loader.items.tolist()]

    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.first = self.first or batch.items.tolist()


def test_seeds_differ_in_weights_and_batches_not_in_rows(labelled: TripletDataset) -> None:
    seen = {seed: Batches() for seed in (3, 4)}
    ensemble = train(labelled, seeds=(3, 4), callbacks=lambda seed: [seen[seed]])
    assert [model.config.seed for model in ensemble.models] == [3, 4]
    assert sorted(seen[3].first) != sorted(seen[4].first)
    assert seen[3].sides == seen[4].sides
    assert set(seen[3].sides[0]).isdisjoint(seen[3].sides[1])
    one, two = (flatten(model.params)["gcn.0.linear.weight"] for model in ensemble.models)
    assert np.abs(one - two).max() > 0.1
    assert [len(history) for history in ensemble.histories] == [2, 2]
    assert ensemble.histories[0][0]["val_loss"] != ensemble.histories[1][0]["val_loss"]


def test_a_member_is_what_a_trainer_makes_of_its_seed(
    labelled: TripletDataset, config: DTGCNNConfig
) -> None:
    ensemble = train(labelled, config, seeds=(0, 5))
    for model in ensemble.models:
        seed = model.config.seed
        loader, val_loader = loaders(labelled)
        alone = DTGCNN(config.replace(seed=seed), backend="numpy")
        Trainer(
            alone, train_loader=loader.with_seed(seed), val_loader=val_loader, progress=False
        ).train()
        for name, leaf in flatten(alone.params).items():
            np.testing.assert_array_equal(flatten(model.params)[name], leaf)


def test_a_killed_run_goes_on(
    labelled: TripletDataset, config: DTGCNNConfig, tmp_path: Path
) -> None:
    class Stop(Callback):
        def __init__(self, seed: int) -> None:
            self.seed = seed

        def on_epoch_end(self, trainer: Trainer, metrics: dict[str, float]) -> None:
            if self.seed == 1 and broken:
                raise KeyboardInterrupt

    def begin(resume: bool) -> Ensemble:
        return train(
            labelled,
            config,
            seeds=(0, 1),
            callbacks=lambda seed: [Stop(seed)],
            state_dir=tmp_path,
            resume=resume,
        )

    broken = True
    with pytest.raises(KeyboardInterrupt):
        begin(resume=False)
    finished = sorted(path.name for path in (tmp_path / "seed-0").iterdir())
    broken = False
    resumed, whole = begin(resume=True), train(labelled, config, seeds=(0, 1))
    assert sorted(path.name for path in (tmp_path / "seed-0").iterdir()) == finished
    np.testing.assert_array_equal(resumed.encode(blobs()[0]), whole.encode(blobs()[0]))


class CountingEncoder(TfidfEncoder):
    fitted = 0

    def fit(self, texts: Any) -> CountingEncoder:
        CountingEncoder.fitted += 1
        super().fit(texts)
        return self


def test_texts_share_one_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtgcnn.data.encoders.registry.TfidfEncoder", CountingEncoder)
    CountingEncoder.fitted = 0
    texts, labels = sentences()
    ensemble = train(TripletDataset.from_labelled(texts, labels))
    assert CountingEncoder.fitted == 1
    assert len({id(model.encoder) for model in ensemble.models}) == 1
    wanted = ensemble.encode(ensemble.vectors(texts))
    np.testing.assert_array_equal(ensemble.encode(texts), wanted)
    back = Ensemble.load(ensemble.save(tmp_path / "e"), backend="numpy")
    np.testing.assert_array_equal(back.encode(texts), wanted)
    assert len({id(model.encoder) for model in back.models}) == 1


def test_backends_agree(labelled: TripletDataset, backend: str, tmp_path: Path) -> None:
    trained = train(labelled, backend=backend, seeds=(0, 1))
    folder = trained.save(tmp_path / "e")
    for name in {"numpy", backend}:
        back = Ensemble.load(folder, backend=name)
        assert back.models[1].ops.name == name
        np.testing.assert_allclose(back.encode(blobs()[0]), trained.encode(blobs()[0]), atol=1e-5)
        again = Ensemble(back.models)
        np.testing.assert_allclose(again.encode(blobs()[0]), trained.encode(blobs()[0]), atol=1e-4)


def test_members_that_do_not_fit_are_refused(labelled: TripletDataset) -> None:
    trained = train(labelled, seeds=(0, 1)).models[0]

    def member(**settings: Any) -> DTGCNN:
        model = DTGCNN(CONFIG, backend="numpy", **settings)
        model.build_bank(blobs(width=model.config.input_dim)[0], [0] * 80)
        return model

    texts, _ = sentences()
    encoders = [TfidfEncoder(12).fit(texts), TfidfEncoder(12).fit(texts[:40])]
    for models, message in [
        ([trained], "models must be two or more, received 1"),
        ([trained, "model"], r"models must be DTGCNN models, models\[1\] is 'model'"),
        ([trained, DTGCNN(CONFIG, backend="numpy")], r"must be trained, models\[1\] is not"),
        ([trained, member(output_dim=6)], "agree on output_dim: it is 8 of .*, 6 of"),
        ([trained, member(input_dim=14)], "agree on input_dim: it is 12 of .*, 14 of"),
        ([trained, member(normalize_output=False)], "agree on normalize_output"),
        ([trained, member(encoder=encoders[0])], "models must share one text encoder"),
        ([member(encoder=encoder) for encoder in encoders], "models must share one text encoder"),
    ]:
        with pytest.raises(ValueError, match=message):
            Ensemble(models)  # type: ignore[arg-type]
    equal = TfidfEncoder(12).fit(texts)
    Ensemble([member(encoder=encoders[0]), member(encoder=equal)])
    with pytest.raises(ValueError, match="mode must be one of procrustes, mean, concat, received"):
        Ensemble([trained, trained], "median")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="anchors must hold a row or more, received none"):
        Ensemble([trained, trained], anchors=blobs()[0][:0])
    assert len(train(labelled, seeds=iter((0, 1))).models) == 2
    for seeds in [(), (1,), (1, 2, 1)]:
        with pytest.raises(ValueError, match="seeds must be two or more, no two equal, received"):
            train(labelled, seeds=seeds)
