"""The estimators of scikit-learn."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

import joblib
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from dtgcnn import (
    DTGCNN,
    DTGCNNClassifier,
    DTGCNNConfig,
    DTGCNNTransformer,
    TfidfEncoder,
    Trainer,
    TripletDataset,
)
from dtgcnn.data import load_sample
from dtgcnn.training import train_on_all

from ..conftest import blobs

CONFIG = DTGCNNConfig(hidden_dims=(16,), output_dim=8, graph_k_neighbors=4, batch_size=24)


def quick(cls: Any = DTGCNNClassifier, **more: Any) -> Any:
    options = {"config": CONFIG, "backend": "numpy", "num_epochs": 2, "random_state": 0}
    return cls(**options | more)


def texts() -> tuple[list[str], list[str]]:
    """The sample's rows to train on, of four classes."""
    data = load_sample()
    items = data.split_items("train")
    names = data.names_of(items)
    kept = sorted(set(names))[:4]
    pairs = [(data.texts[i], n) for i, n in zip(items, names, strict=True) if n in kept]
    found, labels = zip(*pairs, strict=True)
    return list(found), list(labels)


CHECKS = parametrize_with_checks([quick(num_epochs=1), quick(DTGCNNTransformer, num_epochs=1)])


@pytest.mark.filterwarnings("default")  # some checks want warnings, and some look at them
@pytest.mark.parametrize(CHECKS.args[0], list(CHECKS.args[1]), ids=CHECKS.kwargs["ids"])
def test_scikit_learns_own_checks(estimator: BaseEstimator, check: Any) -> None:
    check(estimator)


def test_texts_are_told_as_well_as_by_a_linear_model() -> None:
    x, y = texts()
    found = cross_validate(quick(config=None), x, y, cv=3, return_estimator=True)
    assert found["test_score"].mean() > 0.6
    for estimator in found["estimator"]:  # each is trained on its own two thirds
        assert 0.5 * len(x) < len(estimator.model_.bank) < 0.7 * len(x)


def test_what_a_fitted_classifier_tells() -> None:
    x, y = texts()
    fitted = quick().fit(x, y)
    assert fitted.classes_.tolist() == sorted(set(y)) == fitted.model_.classes_
    found = fitted.predict_proba(x)
    assert found.shape == (len(x), 4)
    assert log_loss(y, found) < np.log(4)
    assert (fitted.predict(x) == fitted.classes_[found.argmax(axis=1)]).all()
    assert fitted.score(x, y) == np.mean(fitted.predict(x) == np.array(y)) > 0.8
    np.testing.assert_array_equal(fitted.transform(x), fitted.model_.encode(x))
    assert fitted.get_feature_names_out().tolist() == [f"dtgcnnclassifier{i}" for i in range(8)]
    assert not hasattr(fitted, "n_features_in_")
    x, y = blobs()
    assert fitted.fit(x, y).n_features_in_ == 12
    with pytest.raises(ValueError, match="X must hold vectors of 12 numbers, it holds texts"):
        fitted.predict(["a text"])


@pytest.mark.parametrize("train_split", [0.75, 1.0])
def test_it_trains_as_the_command_does(train_split: float) -> None:
    """Held-out classes beside held-out rows choose the epoch; the whole is trained on then."""
    x, y = blobs(classes=40, per_class=8)
    fitted = quick(config=CONFIG, train_split=train_split).fit(x, y).model_
    data = TripletDataset.from_arrays(x, y)
    config = CONFIG.replace(input_dim=x.shape[1], num_epochs=2)
    share = 0.0 if train_split == 1 else 0.1
    loaders = data.create_dataloaders(24, train_split, 0, held_out_classes=share)
    model = DTGCNN(config, backend="numpy")
    trainer = Trainer(model, *loaders, progress=False)
    trainer.train()
    if train_split < 1:
        assert len(set(y) - set(loaders[0].labels.tolist())) == 4
        model = train_on_all(trainer, data).model
    np.testing.assert_array_equal(fitted.encode(x), model.encode(x))
    measured = model.calibration.arrays  # on the rows that were held out
    assert fitted.calibration.arrays.keys() == measured.keys()
    for name, array in measured.items():
        np.testing.assert_array_equal(fitted.calibration.arrays[name], array)


def test_a_transformer_in_a_pipeline() -> None:
    x, y = texts()
    pipeline = make_pipeline(quick(DTGCNNTransformer), LogisticRegression()).fit(x, y)
    assert pipeline[:-1].transform(x).shape == (len(x), 8)
    assert pipeline.score(x, y) > 0.8
    assert pipeline[:-1].get_feature_names_out()[-1] == "dtgcnntransformer7"


def test_a_search_over_parameters_and_whole_configs(tmp_path: Path) -> None:
    x, y = texts()
    other = CONFIG.replace(hidden_dims=(8, 8))
    pipeline = make_pipeline(quick())
    grid = {
        "dtgcnnclassifier__output_dim": [2, 8],
        "dtgcnnclassifier__config": [CONFIG, other],
    }
    found = GridSearchCV(pipeline, grid, cv=2, n_jobs=2, error_score="raise").fit(x, y)
    assert len(found.cv_results_["params"]) == 4
    best = found.best_estimator_[-1]
    assert best.model_.config.output_dim == found.best_params_["dtgcnnclassifier__output_dim"]
    assert found.predict(x).shape == (len(x),)


@pytest.mark.parametrize("blank", [-1, "-1", None, "", " ", float("nan")])
def test_blank_labels_are_no_class(blank: object) -> None:
    x, y = texts()
    hidden = np.array(y, object)
    hidden[::2] = blank
    fitted = quick().fit(x, hidden)
    assert fitted.classes_.tolist() == sorted(set(y))
    assert np.mean(fitted.predict(x) == np.array(y)) > 0.7


@pytest.mark.parametrize("kind", [int, float, bool])
def test_numbers_beside_none_stay_numbers(kind: type, caplog: pytest.LogCaptureFixture) -> None:
    x, y = blobs(2)
    hidden: Any = [None if row % 3 == 0 else kind(label) for row, label in enumerate(y)]
    fitted = quick().fit(x, hidden)
    assert fitted.classes_.tolist() == [kind(0), kind(1)]
    assert fitted.predict(x).dtype == np.dtype(kind)
    assert fitted.score(x, y.astype(kind)) > 0.9
    assert "label -1" not in caplog.text


def test_minus_one_is_a_class_beside_one_other() -> None:
    x, y = blobs(2)
    fitted = quick().fit(x, np.where(y == 0, -1, 1))
    assert fitted.classes_.tolist() == [-1, 1]
    assert set(fitted.predict(x).tolist()) == {-1, 1}
    x, y = blobs(3)
    assert quick().fit(x, y - 1).classes_.tolist() == [0, 1]


def test_numbers_stay_numbers() -> None:
    x, y = blobs()
    fitted = quick().fit(x, y * 10)
    assert fitted.classes_.tolist() == [0, 10, 20, 30]
    assert fitted.predict(x).dtype == y.dtype


def test_random_state_decides() -> None:
    x, y = blobs()
    first, same, other = (quick(random_state=s).fit(x, y).transform(x) for s in (3, 3, 4))
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()
    np.testing.assert_array_equal(quick(random_state=np.int64(3)).fit(x, y).transform(x), first)
    drawn = quick(random_state=np.random.RandomState(1)).fit(x, y)
    assert drawn.model_.config.seed == np.random.RandomState(1).randint(2**31 - 1)


def test_pickled_and_dumped(tmp_path: Path, backend: str) -> None:
    x, y = texts()
    fitted = quick(backend=backend).fit(x, y)
    joblib.dump(fitted, tmp_path / "model.joblib")
    for other in (pickle.loads(pickle.dumps(fitted)), joblib.load(tmp_path / "model.joblib")):
        assert other.model_.ops.name == backend
        np.testing.assert_array_equal(other.predict_proba(x), fitted.predict_proba(x))
        np.testing.assert_array_equal(other.transform(x), fitted.transform(x))
        assert other.get_params() == fitted.get_params()


def test_an_encoder_that_is_given_stays_as_it_is() -> None:
    x, y = texts()
    encoder = TfidfEncoder(32)
    fitted = clone(quick(encoder=encoder)).fit(x, y)
    assert fitted.model_.config.input_dim == 32
    assert encoder.rank == 0
    assert quick(encoder="hashing").fit(x, y).model_.encoder.name == "hashing"


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_columns_of_tables(library: str) -> None:
    module = pytest.importorskip(library)
    x, y = texts()
    make = module.array if library == "pyarrow" else module.Series
    fitted = quick().fit(make(x), y)
    np.testing.assert_array_equal(fitted.predict_proba(make(x)), quick().fit(x, y).predict_proba(x))


def test_what_cannot_be_trained_on_is_refused() -> None:
    x, y = texts()
    with pytest.raises(ValueError, match="X must be numbers, or one column of texts, such as tab"):
        quick().fit(np.array(x)[:, None], y)
    with pytest.raises(ValueError, match="DTGCNNClassifier requires y to be passed"):
        quick().fit(x, None)
    with pytest.raises(ValueError, match="it has 1 class: 'a'"):
        quick().fit(x, ["a"] * len(x))
    with pytest.raises(ValueError, match="none of its 3 rows has one"):
        quick().fit(x[:3], [None] * 3)
    with pytest.raises(ValueError, match="x must be a sequence of texts, received one string"):
        quick().fit("a text", ["a"])
    with pytest.raises(ValueError, match="row 1 is 5"):
        quick().fit(["a", 5], [0, 1])
    with pytest.raises(ValueError, match="two rows or more must differ"):
        quick().fit(np.ones((20, 3)), [0, 1] * 10)
    with pytest.raises(ValueError, match="config must be a DTGCNNConfig, received 3"):
        quick(config=3).fit(x, y)
    with pytest.raises(ValueError, match="encoder must be one of"):
        quick(encoder="no such").fit(x, y)
    with pytest.raises(NotFittedError):
        quick().predict(x)


@pytest.mark.parametrize("names", [["b", "c", "d", "a"], [70, 100, 20, 3]])
def test_warnings_name_classes_as_they_were_given(
    names: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    x, y = blobs()
    labels = [names[0], *(names[1 + label % 3] for label in y[1:].tolist())]
    fitted = quick().fit(x, labels)
    assert f"1 classes have one row to train on, which no batch draws: {names[0]}" in caplog.text
    assert fitted.model_.classes_ == [str(name) for name in sorted(names)]
    assert np.mean(fitted.predict(x)[1:] == np.array(labels)[1:]) > 0.8


@pytest.mark.parametrize("nothing", [[], ()])
def test_no_rows_are_named(nothing: Any) -> None:
    with pytest.raises(ValueError, match="X must hold one text or vector or more, received none"):
        DTGCNNClassifier().fit(nothing, [])


def test_without_scikit_learn_the_extra_is_named() -> None:
    program = "import sys; sys.modules['sklearn'] = None; from dtgcnn import DTGCNNClassifier"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "MissingExtraError: estimators need scikit-learn" in done.stderr
    assert "pip install 'dtgcnn[text]'" in done.stderr


def test_an_encoder_and_labels_of_no_kind_are_named() -> None:
    X, y = blobs()
    with pytest.raises(ValueError, match="y must hold texts or numbers, it holds both: 'a' and 1"):
        quick().fit(X, np.array([["a", 1][i % 2] for i in range(len(y))], object))
    with pytest.raises(ValueError, match="encoder must be a name or an Encoder, received 3"):
        quick(encoder=3).fit(*texts())
    with pytest.raises(ValueError, match="encoder goes with texts, X holds vectors: 'hashing'"):
        quick(encoder="hashing").fit(X, y)
    with pytest.raises(ValueError, match="row 0 is None"):
        quick().fit(X, y).predict([None])
