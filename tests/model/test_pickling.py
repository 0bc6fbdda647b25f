"""Models that are pickled and copied."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from dtgcnn import DTGCNN, MultiTaskDTGCNN, Trainer, TripletDataset
from dtgcnn.model import pickling

from ..conftest import SETTINGS, blobs


@pytest.fixture
def trained(backend: str) -> DTGCNN:
    dataset = TripletDataset.from_arrays(*blobs())
    loaders = dataset.create_dataloaders(24, 0.8)
    model = DTGCNN(backend=backend, **SETTINGS)
    Trainer(model, train_loader=loaders[0], val_loader=loaders[1], progress=False).train()
    return model


def test_a_pickled_model_answers_as_before(trained: DTGCNN) -> None:
    x, _ = blobs()
    for other in (pickle.loads(pickle.dumps(trained)), copy.deepcopy(trained)):
        assert type(other) is DTGCNN
        assert other.ops.name == trained.ops.name
        np.testing.assert_array_equal(other.encode(x), trained.encode(x))
        assert other.predict(x, reject=0.1) == trained.predict(x, reject=0.1)
        assert other.params is not trained.params


def test_an_untrained_model_and_one_of_several_tasks(backend: str) -> None:
    model = pickle.loads(pickle.dumps(DTGCNN(backend=backend, **SETTINGS)))
    assert model.bank is None
    many = MultiTaskDTGCNN(num_classes=4, regression=True, backend=backend, **SETTINGS)
    again = pickle.loads(pickle.dumps(many))
    assert isinstance(again, MultiTaskDTGCNN)
    assert again.extras() == many.extras()


def test_a_shallow_copy_shares_what_it_holds(trained: DTGCNN) -> None:
    other = copy.copy(trained)
    assert other is not trained
    assert other.params is trained.params
    assert other.bank is trained.bank


def test_another_backend_takes_over_where_its_own_is_missing(trained: DTGCNN) -> None:
    told = trained.__reduce__()[1]
    other = pickling.unpickled(told[0], "no-such-backend", *told[2:])
    assert other.ops.name in ("numpy", "mlx")
    np.testing.assert_allclose(other.encode(blobs()[0]), trained.encode(blobs()[0]), atol=1e-5)
