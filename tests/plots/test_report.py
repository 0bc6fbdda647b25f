"""Reports: what the page holds, what it loads, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.plots import write_report
from dtgcnn.plots.report.points import Points
from dtgcnn.plots.report.write import _breakable
from dtgcnn.training import Ensemble

from ..conftest import SETTINGS, blobs, sentences

pytest.importorskip("bokeh", reason="reports are drawn with bokeh")
pytest.importorskip("sklearn", reason="figures of classes need scikit-learn")

AWKWARD = [
    "</script><script>window.ran = 1</script>",
    "<b>bold</b> & <img src=x onerror='window.ran = 1'>",
    "<!-- <script>",
    "\u2028 {{ 7 * 7 }} @label $name",
]

MORE = ["animals", "weather", "<i>food</i>", "<i>food</i>"]


def text_model() -> tuple[DTGCNN, TripletDataset, Trainer]:
    """A model of texts, and its data: some texts are markup, some rows have no label."""
    texts, labels = sentences()
    texts, labels = texts + AWKWARD, [*labels, *MORE]
    splits = ["test" if i % 4 == 0 else "train" for i in range(len(texts))]
    for row in (1, 2, 3):
        labels[row] = ""
    dataset = TripletDataset.from_labelled(texts, labels, splits)
    train, val = dataset.create_dataloaders(batch_size=24, train_split=0.8)
    model = DTGCNN(backend="numpy", **SETTINGS)
    trainer = Trainer(model, train_loader=train, val_loader=val, progress=False)
    trainer.train()
    return model, dataset, trainer


def run_of(trainer: Trainer) -> dict[str, Any]:
    return {
        "history": trainer.history,
        "start": trainer.start_metrics,
        "best_epoch": trainer.best_epoch,
    }


def test_the_page_tells_all_and_loads_nothing(tmp_path: Path) -> None:
    model, dataset, trainer = text_model()
    run = run_of(trainer) | {"data": {"file": "a & b.csv"}}
    path = write_report(model, dataset, tmp_path / "r.html", run=run, method="pca", name="m & <n>")
    page = path.read_text("utf-8")
    body = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert list(tmp_path.iterdir()) == [path]
    assert "<h1>m &amp; &lt;n&gt;</h1>" in page
    assert "a &amp; b.csv" in body
    for heading in (
        "rivals",
        "Map",
        "Confusions",
        "Class by class",
        "Worst neighbours",
        "Training",
    ):
        assert re.search(rf"<h[23][^>]*>[^<]*{heading}", body), heading
    assert '<th scope="row">map@r</th>' in body
    assert "unlabelled (3)" in body
    assert "default-src 'none'" in body
    assert not re.search(r"(?:src|href)=[\"'](?!#)", body)
    assert "<script src" not in page
    assert page.count("</script>") == page.count("<script")


def test_no_text_of_the_data_becomes_markup(tmp_path: Path) -> None:
    model, dataset, trainer = text_model()
    page = write_report(
        model, dataset, tmp_path / "r.html", run=run_of(trainer), method="pca"
    ).read_text("utf-8")
    assert "window.ran" in page
    for text in AWKWARD[:3]:
        assert text not in page
    assert "<i>food" not in page
    assert "49" not in re.findall(r"\u2028 (\S+)", page)


def test_a_name_may_break_after_an_underscore() -> None:
    assert str(_breakable("<i>my_own_food")) == "&lt;i&gt;my_<wbr>own_<wbr>food"


def test_the_same_bytes_again(tmp_path: Path) -> None:
    model, dataset, _ = text_model()
    pages = [write_report(model, dataset, tmp_path / f"{i}.html", method="pca") for i in range(2)]
    first, second = (re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|p\d{4,}", "", p.read_text()) for p in pages)
    assert first == second


def test_points_are_marked_by_label_answer_and_scope(trained: DTGCNN) -> None:
    x, y = blobs()
    far = np.full((1, 12), -50.0, np.float32)
    labels = ["" if row in (0, 7) else str(label) for row, label in enumerate(y)]
    dataset = TripletDataset.from_arrays(np.concatenate([x, far]), [*labels, "9"])
    rows = np.arange(81)
    answers = trained.answers(trained.vectors(dataset.inputs))
    limit = float(np.sort(answers.scores)[4])
    embeddings = trained.encode(dataset.inputs)
    points = Points.of(dataset, rows, embeddings, answers, limit, "pca", 0)
    columns, told = points.columns, answers.labels()
    assert points.marked["unlabelled"] == 2
    assert np.flatnonzero(columns["kind"] < 0).tolist() == [0, 7]
    assert points.marked["outside"] == 4 == columns["outside"].sum()
    assert columns["wrong"][80] == 1
    wrong = [row for row in range(80) if labels[row] and told[row] != labels[row]]
    assert np.flatnonzero(columns["wrong"]).tolist() == [*wrong, 80]
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    cosines = unit @ unit.T - 3 * np.eye(81)
    assert np.allclose(columns["cosine"], -np.sort(-cosines, axis=1)[:, :10], atol=1e-5)
    assert (columns["near"] != rows[:, None]).all()
    assert columns["about"][0].startswith("unlabelled; answer ")


def test_triplets_vectors_and_ensembles_have_reports(tmp_path: Path) -> None:
    x, y = blobs()
    texts = [f"text {i}" for i in range(60)]
    triplets = [(texts[i], texts[i + 1], texts[-i - 1]) for i in range(0, 20, 2)]
    dataset = TripletDataset.from_triplets(triplets)
    train, val = dataset.create_dataloaders(8, 0.8)
    model = DTGCNN(backend="numpy", **SETTINGS)
    Trainer(model, train_loader=train, val_loader=val, progress=False).train()
    page = write_report(model, dataset, tmp_path / "t.html", method="pca").read_text()
    assert "triplet_accuracy" in page
    assert '<select id="class"' not in page
    assert "holds no history" in page

    labelled = TripletDataset.from_arrays(x, y)
    loaders = labelled.create_dataloaders(24, 0.8)
    config = DTGCNN(**SETTINGS).config
    ensemble = Ensemble.train(config, *loaders, seeds=(0, 1), backend="numpy", progress=False)
    page = write_report(ensemble, labelled, tmp_path / "e.html", method="pca").read_text()
    assert "Ensemble of 2 models" in page
    bare = TripletDataset.from_arrays(x)
    page = write_report(
        ensemble, bare, tmp_path / "b.html", method="pca", max_points=30
    ).read_text()
    assert "30 of 80 rows" in page
    assert "Before and after" not in page


def test_refusals(trained: DTGCNN, labelled: TripletDataset, tmp_path: Path) -> None:
    for arguments, said in (
        ({"path": tmp_path / "r.pdf"}, "path must end in .html, received 'r.pdf'"),
        ({"max_points": 0}, "max_points must be a whole number of at least 1, received 0"),
        ({"reject": 1.5}, "reject must be .* received 1.5"),
        ({"method": "best"}, "method must be one of"),
    ):
        given: dict[str, Any] = {"path": tmp_path / "r.html", "method": "pca", **arguments}
        with pytest.raises(ValueError, match=said):
            write_report(trained, labelled, **given)
    with pytest.raises(ValueError, match="no bank yet"):
        write_report(DTGCNN(**SETTINGS), labelled, tmp_path / "r.html", method="pca")
    assert not list(tmp_path.iterdir())


def test_without_bokeh_the_extra_is_named(
    trained: DTGCNN, labelled: TripletDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bokeh.plotting", None)
    with pytest.raises(ImportError, match=r"pip install 'dtgcnn\[report\]'"):
        write_report(trained, labelled, tmp_path / "r.html")
