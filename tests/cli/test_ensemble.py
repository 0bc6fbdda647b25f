"""Commands that take an ensemble in the place of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from click.testing import CliRunner

from dtgcnn import TripletDataset
from dtgcnn.cli import main

from ..conftest import blobs
from ..training.test_ensemble import map_at_r, train


def test_the_command_line_takes_an_ensemble(labelled: TripletDataset, tmp_path: Path) -> None:
    ensemble, (x, labels) = train(labelled), blobs()
    np.savez(tmp_path / "blobs.npz", x=x, y=labels)
    folder, output = ensemble.save(tmp_path / "e"), tmp_path / "z.npy"
    dataset, backend = str(tmp_path / "blobs.npz"), ["--backend", "numpy"]
    done = CliRunner().invoke(main, ["evaluate", str(folder), dataset, *backend])
    assert done.exit_code == 0, done.output
    assert f"{100 * map_at_r(ensemble.encode(x)):.1f}" in done.output
    done = CliRunner().invoke(
        main, ["encode", str(folder), dataset, "--output", str(output), *backend]
    )
    assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(np.load(output), ensemble.encode(x))
