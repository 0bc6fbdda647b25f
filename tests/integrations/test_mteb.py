"""MTEB runs on a saved model, over a task of the sample's rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from dtgcnn import DTGCNN
from dtgcnn.data import load_sample
from dtgcnn.evaluation.mteb import MtebEncoder

from ..conftest import SETTINGS

pytestmark = pytest.mark.filterwarnings("default")  # the libraries warn of their own affairs
mteb = pytest.importorskip("mteb")


def classification(train: Any, test: Any) -> Any:
    """A task of these rows, as MTEB describes one."""
    from datasets import Dataset, DatasetDict
    from mteb.abstasks import AbsTaskClassification

    class Tickets(AbsTaskClassification):
        metadata = mteb.TaskMetadata(
            name="Tickets",
            description="Which intent a message has",
            dataset={"path": "none/none", "revision": "1"},
            type="Classification",
            category="t2c",
            eval_splits=["test"],
            eval_langs=["eng-Latn"],
            main_score="accuracy",
            date=("2020-01-01", "2020-01-02"),
            domains=["Written"],
            task_subtypes=[],
            license="mit",
            annotations_creators="derived",
            dialect=[],
            sample_creation="found",
            modalities=["text"],
            bibtex_citation="",
        )
        samples_per_label = 16
        n_experiments = 2

        def load_data(self, **options: Any) -> None:
            self.dataset = DatasetDict(
                {"train": Dataset.from_dict(train), "test": Dataset.from_dict(test)}
            )
            self.data_loaded = True

    return Tickets()


def test_a_task_of_its_own_rows(saved: Path) -> None:
    model, data = DTGCNN.load(saved, backend="numpy"), load_sample()
    sides = []
    for name in ("train", "test"):
        items = data.split_items(name)
        labels = np.asarray(data.labels)[items].tolist()
        sides.append({"text": data.inputs_of(items), "label": labels})
    encoder = MtebEncoder(model, "me/own")
    assert isinstance(encoder, mteb.models.EncoderProtocol)
    found = mteb.evaluate(encoder, classification(*sides), cache=None, show_progress_bar=False)
    score = found[0].get_score()
    x, y = (model.encode(side["text"]) for side in sides), [side["label"] for side in sides]
    fitted = LogisticRegression(max_iter=100).fit(next(x), y[0])
    assert score == pytest.approx(fitted.score(next(x), y[1]), abs=0.15)  # it sees fewer rows
    assert score > 0.5
    assert found.model_name == "me/own"


def test_similarities_are_cosines_and_queries_take_their_prompt(saved: Path) -> None:
    model: Any = DTGCNN.load(saved, backend="numpy")
    encoder = MtebEncoder(model, "me/own")
    a, b = np.random.default_rng(0).normal(size=(2, 3, 16)).astype(np.float32)
    np.testing.assert_allclose(encoder.similarity(a, b), model.similarity(a, b), atol=1e-6)
    pairs = np.diag(model.similarity(a, b))
    np.testing.assert_allclose(encoder.similarity_pairwise(a, b), pairs, atol=1e-6)
    with pytest.raises(ValueError, match="name must be 'owner/name', received 'own'"):
        MtebEncoder(model, "own")
    with pytest.raises(ValueError, match="the model must take texts"):
        MtebEncoder(DTGCNN(backend="numpy", **SETTINGS), "me/own")

    told = []
    model.encoder.prompts = {"query": "q: ", "document": ""}
    model.encode = lambda texts, prompt_name: told.append((texts, prompt_name))
    for role in (mteb.types.PromptType.query, mteb.types.PromptType.document, None):
        encoder.encode([{"text": ["a", "b"]}, {"text": ["c"]}], prompt_type=role)
    assert told == [(["a", "b", "c"], name) for name in ("query", None, None)]
