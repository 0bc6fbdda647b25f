"""What goes wrong on one process ends all of them, with an error that says where."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from dtgcnn_numpy import NumpyOps

from dtgcnn.array.distributed import joined, joining
from dtgcnn.errors import BackendError, DistributedError

from .started import has_mpi, run
from .test_runs import trained

pytestmark = pytest.mark.skipif(not has_mpi(), reason="mpi4py or mpiexec is not installed")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"trouble": "error", "rank": 1, "step": 4}, "ValueError: this process has trouble"),
        ({"trouble": "error", "rank": 0, "step": 4}, "ValueError: this process has trouble"),
        ({"trouble": "SIGINT", "rank": 1, "step": 4}, "KeyboardInterrupt"),
        ({"trouble": "order", "rank": 1, "step": 4}, "rank 1 at"),
        ({"other_settings": 1}, "the same setting learning_rate: rank 0 has 0.001, rank 1 has 0.5"),
        ({"other_data": 1}, "the same data (a digest of them): rank 0 has"),
        ({"other_version": 2}, "the same dtgcnn: rank 0 has '0.1.0', rank 2 has '0.0.1'"),
        ({"settings": {"graph_scope": "batch"}}, "graph_scope must be 'bank' where a step is cut"),
        ({"settings": {"adaptive_batch_size": True}}, "adaptive_batch_size must be False where"),
    ],
    ids=str,
)
def test_an_error_names_what_and_where(given: dict[str, Any], message: str, tmp_path: Path) -> None:
    ended, told = trained(tmp_path, "numpy", 3, **given)
    assert told is None
    assert ended.code != 0
    assert message in ended.text
    assert ended.seconds < 40
    assert not ended.left


@pytest.mark.parametrize("rank", [0, 2])
def test_a_process_that_dies(rank: int, tmp_path: Path) -> None:
    ended, told = trained(tmp_path, "numpy", 3, trouble="SIGKILL", rank=rank, step=4)
    assert told is None
    assert ended.code != 0
    assert ended.seconds < 40
    assert not ended.left


def test_a_process_that_ends_early(tmp_path: Path) -> None:
    ended, told = trained(tmp_path, "numpy", 2, trouble="end", rank=1, step=4)
    assert told is None
    assert ended.code != 0
    assert "rank 0: rank 1 ended by SystemExit: 0" in ended.text
    assert not ended.left


def test_a_program_that_ends_early() -> None:
    program = (
        "import sys; from dtgcnn import load_ops; from dtgcnn.array.distributed import joined\n"
        "world = joined(load_ops('numpy'))\n"
        "world.barrier('one')\n"
        "if world.rank == 1: sys.exit(0)\n"
        "world.barrier('another')\n"
    )
    ended = run("numpy", 2, ["-c", program])
    assert ended.code != 0
    assert "rank 0: rank 1 ended before the collective 'another'" in ended.text
    assert not ended.left


def test_a_librarys_number_is_gathered_as_a_number() -> None:
    """A callback of one's own may leave a NumPy scalar in the metrics that the first tells."""
    program = (
        "import sys; import numpy as np; from dtgcnn import load_ops\n"
        "from dtgcnn.array.distributed import joined\n"
        "world = joined(load_ops('numpy'))\n"
        "told = world.from_first('end', lambda: {'val_own': np.float32(1.5)})\n"
        "sys.stdout.write(f'{world.rank} {told}\\n')\n"
    )
    ended = run("numpy", 2, ["-c", program])
    assert ended.code == 0, ended.text
    for rank in (0, 1):
        assert f"{rank} {{'val_own': 1.5}}" in ended.text


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_stops_is_named(rank: int, tmp_path: Path) -> None:
    given = {"trouble": "SIGSTOP", "rank": rank, "step": 4, "settings": {"process_timeout": 3.0}}
    ended, told = trained(tmp_path, "numpy", 2, **given)
    assert told is None
    assert ended.code != 0
    assert f"rank {rank} does not answer" in ended.text
    assert ended.seconds < 60
    assert not ended.left


@pytest.mark.parametrize(
    ("variable", "message"),
    [
        ("MLX_RANK", "started by mlx.launch, and processes of the backend 'numpy' are started by"),
        ("TORCHELASTIC_RUN_ID", "started by torchrun, and processes of the backend 'numpy' are"),
    ],
)
def test_another_backends_launcher(
    variable: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "0")
    with pytest.raises(DistributedError, match=message):
        joined(NumpyOps())


def test_a_backend_without_a_group(monkeypatch: pytest.MonkeyPatch) -> None:
    ops = NumpyOps()
    ops.name = "other"
    monkeypatch.setenv("MLX_RANK", "0")
    with pytest.raises(DistributedError, match="backend 'other' has no process group"):
        joined(ops)


def test_a_group_that_cannot_be_loaded_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("numpy", "dtgcnn_numpy:NoSuchGroup", joining.GROUP)
    monkeypatch.setattr(joining, "entry_points", lambda group: [point])
    monkeypatch.setenv("PMI_RANK", "0")
    with pytest.raises(BackendError, match=r"group of 'numpy' cannot be loaded: .*NoSuchGroup"):
        joined(NumpyOps())


def test_processes_of_two_runs_that_are_connected(tmp_path: Path) -> None:
    """A gather that mixes two runs is seen by the tokens of their processes."""
    program = tmp_path / "mixed.py"
    program.write_text(
        "from dtgcnn_numpy import NumpyOps, group\n"
        "import numpy as np\n"
        "class Mixed(group.MpiGroup):\n"
        "    def all_gather(self, x):\n"
        "        found = super().all_gather(x)\n"
        "        if self.rank == 1 and found.shape[-1] == 128:\n"
        "            words = found[0].astype('<i4').tobytes().replace(b'token', b'tokem')\n"
        "            found[0] = np.frombuffer(words, '<i4')\n"
        "        return found\n"
        "group.MpiGroup = Mixed\n"
        "from dtgcnn.array.distributed import joined\n"
        "joined(NumpyOps())\n"
    )
    ended = run("numpy", 2, [str(program)])
    assert ended.code != 0
    assert "processes of two runs are connected with each other" in ended.text


@pytest.mark.mlx
@pytest.mark.xdist_group("ring")
def test_two_runs_on_one_port() -> None:
    """MLX's ring joins whom it meets there: no process goes on with one of the other run."""
    pytest.importorskip("mlx.core")
    program = (
        "import os; from dtgcnn import load_ops; from dtgcnn.array.distributed import joined\n"
        "world = joined(load_ops('mlx'), 20.0)\n"
        "told = world.gather_values('run', os.environ['RUN'])\n"
        "print('together' if len(set(told)) == 1 else 'MIXED')\n"
    )
    with ThreadPoolExecutor() as pool:
        runs = [pool.submit(run, "mlx", 2, ["-c", program], port=27_400, RUN=name) for name in "ab"]
        texts = [ended.result().text for ended in runs]
    for text in texts:
        assert "MIXED" not in text
        assert "together" in text or "processes of two runs" in text or "Error" in text


def test_no_launcher_imports_no_engine() -> None:
    program = (
        "import sys, numpy as np\n"
        "from dtgcnn import DTGCNN, Trainer, TripletDataset\n"
        "x = np.random.default_rng(0).normal(size=(60, 8)).astype('float32')\n"
        "data = TripletDataset.from_arrays(x, [i % 3 for i in range(60)])\n"
        "loader, held = data.create_dataloaders(12, 0.8)\n"
        "model = DTGCNN(input_dim=8, hidden_dims=(8,), output_dim=4, num_epochs=1,\n"
        "    backend='numpy', graph_k_neighbors=3)\n"
        "Trainer(model, progress=False).train(loader, held)\n"
        "bad = [m for m in sys.modules if m.split('.')[0] in ('mpi4py', 'torch')]\n"
        "bad += [m for m in ('dtgcnn.array.distributed.watch', 'multiprocessing.connection',\n"
        "    'dtgcnn_numpy.group') if m in sys.modules]\n"
        "print('imported', bad)\n"
    )
    ended = run("numpy", 1, ["-c", program])
    assert "imported []" in ended.text, ended.text


def test_the_command(tmp_path: Path) -> None:
    """``dtgcnn train`` in two processes saves what one with as many parts does; one prints."""
    sample = str(tmp_path / "sample.csv")
    run("numpy", 1, ["-m", "dtgcnn", "sample", sample])
    models = []
    for size in (1, 2):
        output = tmp_path / f"model{size}"
        options = ("--backend", "numpy", "--epochs", "2", "--no-map", "--set", "batch_parts=2")
        program = ["-m", "dtgcnn", "train", sample, "--output", str(output), *options]
        ended = run("numpy", size, program)
        assert ended.code == 0, ended.text
        assert ended.text.count("model saved in") == 1
        models.append((output / "model.safetensors").read_bytes())
    assert models[0] == models[1]
    ended = run("numpy", 2, program)
    assert ended.code != 0
    assert ended.text.count("--overwrite") == 1, ended.text
