"""Embeddings of fewer bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet
from safetensors import safe_open

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
    embeddings = model.encode(x)
    for name, bytes_, suffix in (
        *(("float16", "50.0%", suffix) for suffix in (".npy", ".parquet", ".safetensors")),
        *(("int8", "25.0%", suffix) for suffix in (".npy", ".parquet", ".safetensors")),
        *(("binary", "3.1%", suffix) for suffix in (".npy", ".parquet", ".safetensors")),
    ):
        output = tmp_path / f"{name}{suffix}"
        done = CliRunner().invoke(main, [*arguments, "--output", str(output), "--dtype", name])
        assert done.exit_code == 0, done.output
        read, told = read_back(output, name)
        kept = kept_neighbors(embeddings, read)
        assert f"{name}: {bytes_} of the bytes, {kept:.1%} of the ten nearest rows" in done.output
        wanted = smaller(embeddings, name)
        np.testing.assert_array_equal(read, wanted)
        assert read.dtype == wanted.dtype
        if suffix != ".npy":
            assert (told["dtype"], told["columns"]) == (name, "8")
        if "step" in told:
            near = read * float(told["step"])
            np.testing.assert_allclose(near, embeddings, atol=float(told["step"]) / 1.99)


def read_back(path: Path, precision: str) -> tuple[Any, dict[str, str]]:
    """The array of a file, by the readers of others, and what it tells of it."""
    if path.suffix == ".npy":
        return np.load(path), {}
    if path.suffix == ".safetensors":
        with safe_open(path, "np") as file:
            return file.get_tensor("bits" if precision == "binary" else "x"), file.metadata()
    table = parquet.read_table(path)
    column = table["bits" if precision == "binary" else "embedding"].to_numpy()
    told = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    return np.stack(column), told


def test_a_table_of_embeddings_has_texts_and_labels(text_file: Path, tmp_path: Path) -> None:
    parquet_of, model = tmp_path / "e.parquet", tmp_path / "m"
    small = ("--set", "hidden_dims=[16]", "--no-map", "--backend", "numpy", "--epochs", "1")
    assert not command("train", text_file, "--output", model, *small).exit_code
    assert not command("encode", model, text_file, "--output", parquet_of).exit_code
    table, dataset = parquet.read_table(parquet_of), TripletDataset(text_file)
    assert table["text"].to_pylist() == dataset.texts
    assert table["label"].to_pylist() == dataset.names_of(range(len(dataset)))
    again = TripletDataset(parquet_of, {"text": "embedding"})
    loaded = DTGCNN.load(model, backend="numpy")
    np.testing.assert_array_equal(again.features, loaded.encode(dataset.texts))

    refused = command("encode", model, text_file, "--output", tmp_path / "e.csv")
    assert refused.exit_code == 2
    assert "the suffix must be one of .npy, .parquet, .safetensors" in refused.output


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])
