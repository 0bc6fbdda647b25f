"""Embeddings of fewer bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.cli import main
from dtgcnn.evaluation import kept_neighbors, restored, smaller, unit_rows

from ..conftest import SETTINGS, blobs


def rows(count: int = 200, width: int = 37) -> Any:
    return unit_rows(np.random.default_rng(0).normal(size=(count, width))).astype(np.float32)


def nearest(x: Any, k: int = 10) -> Any:
    cosines = unit_rows(x) @ unit_rows(x).T
    np.fill_diagonal(cosines, -2)
    return np.argsort(-cosines, axis=1, kind="stable")[:, :k]


def test_bits_and_their_errors() -> None:
    x = rows()
    assert smaller(x, "float32") is not None
    np.testing.assert_allclose(smaller(x, "float16"), x, atol=5e-4)
    whole = smaller(x, "int8")
    assert (whole.dtype, np.abs(whole).max()) == (np.int8, 127)
    np.testing.assert_allclose(whole * (np.abs(x).max() / 127), x, atol=np.abs(x).max() / 250)
    signs = smaller(x, "binary")
    assert (signs.dtype, signs.shape) == (np.uint8, (200, 5))
    np.testing.assert_array_equal(restored(signs, 37), np.where(x > 0, 1, -1))
    assert not smaller(np.zeros((3, 4), np.float32), "int8").any()
    with pytest.raises(ValueError, match="precision must be one of float32, float16, int8, binary"):
        smaller(x, "float64")  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["float16", "int8", "binary"])
def test_neighbours_that_are_kept(precision: Any) -> None:
    x = rows()
    found = smaller(x, precision)
    near = zip(nearest(x), nearest(restored(found, 37)), strict=True)
    wanted = np.mean([len(set(a) & set(b)) / 10 for a, b in near])
    assert kept_neighbors(x, found) == pytest.approx(wanted, abs=0.02)  # ties of signs
    assert kept_neighbors(x, smaller(x, "float32")) == 1.0
    assert kept_neighbors(x[:1], found[:1]) == 1.0


def test_the_command_tells_what_is_lost(tmp_path: Path) -> None:
    x, y = blobs()
    loader, _ = TripletDataset.from_arrays(x, y).create_dataloaders(24, 1.0)
    model = DTGCNN(backend="numpy", **SETTINGS)
    Trainer(model, train_loader=loader, progress=False).train()
    model.save(tmp_path / "model")
    np.savez(tmp_path / "x.npz", x=x)
    arguments = ["encode", str(tmp_path / "model"), str(tmp_path / "x.npz"), "--backend", "numpy"]
    for name, bytes_ in (("float16", "50.0%"), ("int8", "25.0%"), ("binary", "3.1%")):
        output = tmp_path / f"{name}.npy"
        done = CliRunner().invoke(main, [*arguments, "--output", str(output), "--dtype", name])
        assert done.exit_code == 0, done.output
        kept = kept_neighbors(model.encode(x), np.load(output))
        assert f"{name}: {bytes_} of the bytes, {kept:.1%} of the ten nearest rows" in done.output
        np.testing.assert_array_equal(np.load(output), smaller(model.encode(x), name))
