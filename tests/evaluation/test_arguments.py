"""A model or data of the wrong kind are refused by their names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Ensemble, SearchIndex, TripletDataset, visualize_embeddings
from dtgcnn.data import write_file
from dtgcnn.evaluation import (
    check_labels,
    compare,
    compare_pairs,
    discover,
    graph_links,
    measure_classes,
    next_rows,
    worst_neighbors,
)
from dtgcnn.plots import plot_degrees, plot_purity, write_report

from ..conftest import blobs
from ..model.test_encoding import trained

TEXTS = ["where is my parcel?", "it never came"]
ROWS, LABELS = blobs()
DATA = TripletDataset.from_arrays(ROWS, LABELS)


@pytest.mark.parametrize("model", [None, "model", Path("model"), TEXTS, ROWS, DATA, DTGCNN])
@pytest.mark.parametrize(
    "call",
    [
        lambda model: SearchIndex.build(model, DATA),
        lambda model: SearchIndex.over(model, DATA),
        lambda model: compare(model, DATA),
        lambda model: compare_pairs(model, DATA),  # type: ignore[arg-type]
        lambda model: discover(model, ROWS),
        lambda model: next_rows(model, ROWS),
        lambda model: measure_classes(model, DATA),
        lambda model: write_report(model, DATA, "report.html"),
        lambda model: visualize_embeddings(model, DATA),
        lambda model: graph_links(model, ROWS),
        lambda model: plot_degrees(model, DATA),
        lambda model: plot_purity(model, DATA),
    ],
)
def test_what_is_no_model_is_refused(call: Callable[[Any], Any], model: Any) -> None:
    with pytest.raises(ValueError, match=r"^model must be a DTGCNN"):
        call(model)


@pytest.mark.parametrize("data", [None, "file.csv", TEXTS, ROWS, DATA.create_dataloaders(24)[0]])
@pytest.mark.parametrize(
    "call",
    [
        lambda model, data: SearchIndex.build(model, data),
        lambda model, data: SearchIndex.over(model, data),
        lambda model, data: compare(model, data),
        lambda model, data: measure_classes(model, data),
        lambda model, data: write_report(model, data, "report.html"),
        lambda model, data: worst_neighbors(data, ROWS),
        lambda model, data: DATA.with_unlabelled(data),
        lambda model, data: write_file(data, "rows.npz"),
    ],
)
def test_what_are_no_data_is_refused(call: Callable[[Any, Any], Any], data: Any) -> None:
    with pytest.raises(ValueError, match=r"^\w+ must be a TripletDataset, such as"):
        call(trained("numpy"), data)


def test_an_ensemble_has_no_links_of_its_own() -> None:
    ensemble = Ensemble([trained("numpy"), trained("numpy")])
    for draw in (plot_degrees, plot_purity):
        with pytest.raises(ValueError, match="model must be a DTGCNN, no Ensemble"):
            draw(ensemble, DATA)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="models must be DTGCNN models, received <DTGCNN"):
        Ensemble(trained("numpy"))  # type: ignore[arg-type]


def test_pairs_encoders_counts_and_embeddings_of_the_wrong_kind() -> None:
    model, data = trained("numpy"), TripletDataset.from_labelled(TEXTS, ["a", "b"])
    with pytest.raises(ValueError, match="pairs must be what read_pairs gives"):
        compare_pairs(model, TEXTS)  # type: ignore[arg-type]
    for given in ("tfidf", data):
        with pytest.raises(ValueError, match="encoder must be an Encoder, such as TfidfEncoder"):
            check_labels("file.csv", given)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="encoder must be an Encoder, such as TfidfEncoder"):
            DTGCNN(encoder=given)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"count must be a whole number .*, received 1\.5"):
        next_rows(model, ROWS, 1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"embeddings must have the shape \(2, D\), received"):
        worst_neighbors(data, np.zeros((3, 4)))
