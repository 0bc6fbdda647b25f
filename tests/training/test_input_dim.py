"""How wide text vectors are where no setting names it."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from dtgcnn import TripletDataset
from dtgcnn.cli import main
from dtgcnn.training import fitting, input_dim_of
from dtgcnn.training.fitting import fit_rows


def labelled(rows: int) -> TripletDataset:
    texts = [f"number {row} of kind {row % 4}" for row in range(rows)]
    return TripletDataset.from_labelled(texts, [row % 4 for row in range(rows)])


def test_many_labelled_texts_are_wide() -> None:
    many = fitting.MANY_ROWS
    assert input_dim_of(labelled(many), None) == input_dim_of(labelled(many), "tfidf") == 768
    assert input_dim_of(labelled(many - 1), None) == 384
    assert input_dim_of(labelled(many), "hashing") == 384


def test_rows_without_a_class_do_not_count() -> None:
    many = fitting.MANY_ROWS
    texts = [f"number {row}" for row in range(many)]
    some = TripletDataset.from_labelled(
        texts, [row % 4 if row < 40 else None for row in range(many)]
    )
    assert input_dim_of(some, None) == 384


def test_vectors_are_as_wide_as_they_are() -> None:
    rows = TripletDataset.from_arrays(np.ones((4, 3), np.float32), [0, 0, 1, 1])
    assert input_dim_of(rows, None) == 3


def test_the_command_and_the_estimators_follow_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "MANY_ROWS", 40)
    model, _ = fit_rows(labelled(40), {}, backend="numpy")
    assert model.config.input_dim == 768
    file = tmp_path / "rows.csv"
    file.write_text(
        "text,label\n" + "".join(f"number {i} of kind {i % 4},{i % 4}\n" for i in range(40))
    )
    options = ["--output", str(tmp_path / "model"), "--no-map", "--backend", "numpy", "--quiet"]
    for more, width in ([], 768), (["--set", "input_dim=16", "--overwrite"], 16):
        ended = CliRunner().invoke(main, ["train", str(file), *options, *more])
        assert ended.exit_code == 0, ended.output
        assert f'"input_dim": {width}' in (tmp_path / "model" / "config.json").read_text()
