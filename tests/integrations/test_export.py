"""What sentence-transformers loads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from dtgcnn import DTGCNN, Ensemble, Trainer, TripletDataset
from dtgcnn.cli import main
from dtgcnn.data import load_sample

from ..conftest import SETTINGS, blobs

pytestmark = pytest.mark.filterwarnings("default")  # the libraries warn of their own affairs


def exported(saved: Path, output: Path, *more: str) -> Any:
    arguments = ["export", str(saved), "--to", "sentence-transformers", str(output), *more]
    return CliRunner().invoke(main, arguments)


def loaded(folder: Path) -> Any:
    library = pytest.importorskip("sentence_transformers")
    return library.SentenceTransformer(str(folder), trust_remote_code=True, device="cpu")


def test_the_folder_is_written_whole_and_not_over_others(saved: Path, tmp_path: Path) -> None:
    assert exported(saved, tmp_path / "out").exit_code == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"modules.json", "config_sentence_transformers.json", "dtgcnn_module.py"} < names
    again = exported(saved, tmp_path / "out")
    assert again.exit_code == 2
    assert "already holds an export; --overwrite replaces it" in again.output
    assert exported(saved, tmp_path / "out", "--overwrite").exit_code == 0
    assert DTGCNN.load(tmp_path / "out" / "dtgcnn_model", backend="numpy").encoder is not None
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("mine")
    assert "it holds other files (file)" in exported(saved, tmp_path / "other").output
    assert exported(saved, tmp_path / "out" / "README.md").exit_code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "out"]


def test_what_cannot_be_exported_is_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="to must be 'sentence-transformers', received 'onnx'"):
        DTGCNN.load(saved).export(tmp_path / "out", to="onnx")  # type: ignore[arg-type]
    loader, _ = TripletDataset.from_arrays(*blobs()).create_dataloaders(24, 1.0)
    model = DTGCNN(**SETTINGS)
    Trainer(model, train_loader=loader, progress=False).train()
    with pytest.raises(ValueError, match="the model takes vectors"):
        model.export(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_vectors_are_the_same_and_stay_so_when_saved_again(saved: Path, tmp_path: Path) -> None:
    model, texts = DTGCNN.load(saved), list(load_sample().texts or [])[:200]
    library = loaded(model.export(tmp_path / "out"))
    wanted = model.encode(texts)
    np.testing.assert_allclose(library.encode(texts), wanted, atol=1e-5)
    np.testing.assert_allclose(library.encode(texts[0]), wanted[0], atol=1e-5)
    cosines = library.similarity(library.encode(texts[:3]), library.encode(texts[:5]))
    np.testing.assert_allclose(cosines, model.similarity(wanted[:3], wanted[:5]), atol=1e-5)
    library.save(str(tmp_path / "again"))
    np.testing.assert_allclose(loaded(tmp_path / "again").encode(texts), wanted, atol=1e-5)


def test_an_ensemble(saved: Path, tmp_path: Path) -> None:
    model, texts = DTGCNN.load(saved), list(load_sample().texts or [])[:20]
    both = Ensemble([model, DTGCNN.load(saved)], "concat")
    library = loaded(both.export(tmp_path / "out"))
    np.testing.assert_allclose(library.encode(texts), both.encode(texts), atol=1e-5)


def test_its_evaluators_run(saved: Path, tmp_path: Path) -> None:
    library = loaded(DTGCNN.load(saved).export(tmp_path / "out"))
    from sentence_transformers import evaluation

    data = load_sample()
    texts, labels = list(data.texts or []), np.asarray(data.labels)
    same = [np.flatnonzero(labels == label)[:2] for label in range(8)]
    first, second = ([texts[pair[i]] for pair in same] for i in (0, 1))
    triplets = evaluation.TripletEvaluator(first, second, second[1:] + second[:1])
    assert next(iter(library.evaluate(triplets).values())) > 0.8
    queries = {str(i): text for i, text in enumerate(first)}
    corpus = {str(i): text for i, text in enumerate(second)}
    relevant = {name: {name} for name in queries}
    found = library.evaluate(evaluation.InformationRetrievalEvaluator(queries, corpus, relevant))
    assert found["cosine_accuracy@1"] > 0.6
