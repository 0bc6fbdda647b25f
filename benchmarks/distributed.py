"""Training shared by several processes: equal bits, steps that survive kills, and scaling.

    python benchmarks/distributed.py bits banking77.minilm.npz
    python benchmarks/distributed.py gradient
    python benchmarks/distributed.py kills banking77.minilm.npz --times 10
    python benchmarks/distributed.py scaling --rows 1024 4096

``bits`` trains 60 steps on 2,000 rows in six parts, with dropout, on one, two and three processes,
NumPy over MPI and MLX over its ring, and prints digests of weights, optimiser and history.
``gradient`` holds a step in parts to the whole batch without dropout. ``kills`` ends a process of
a run at a random moment, ``--times`` times, and resumes on 1, 2 and 3 processes. ``scaling`` times
steps of three graph convolutions of width 512, one thread a process, and counts the bytes that a
process sends. Needs mpi4py and mpich, and for MLX's ring mlx.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from dtgcnn_numpy import NumpyOps

from dtgcnn import DTGCNN, DTGCNNConfig, Trainer, TripletDataset, load_ops
from dtgcnn.array import flatten
from dtgcnn.array import random as draws
from dtgcnn.array.distributed import bounds_of, joined
from dtgcnn.model import Network
from dtgcnn.optim import make_optimizer
from dtgcnn.training.accumulation import AccumulatedStep
from dtgcnn.training.step import TrainingStep

BIN = Path(sys.executable).parent
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def start(backend: str, size: int, *arguments: str) -> subprocess.Popen[bytes]:
    """This script in ``size`` processes; without a launcher in one."""
    program = [sys.executable, __file__, *arguments]
    if size > 1 and backend == "mlx":
        port = str(20_000 + random.randrange(20_000))
        launch = [str(BIN / "mlx.launch"), "-n", str(size), "--starting-port", port, "--"]
        program = [*launch, *program]
    elif size > 1:
        program = [program[0], "-m", "mpi4py", *program[1:]]
        program = [str(BIN / "mpiexec"), "-n", str(size), *program]
    environment = {**os.environ, **ONE_THREAD}
    silent = subprocess.DEVNULL
    return subprocess.Popen(
        program, env=environment, stdin=silent, stdout=silent, stderr=silent, process_group=0
    )


def run(folder: Path, data: Path, backend: str, resume: bool) -> None:
    """What one of the processes does: train, and write digests on the first."""
    ops = load_ops(backend)
    world = joined(ops)
    archive = np.load(data)
    rows = np.random.default_rng(0).permutation(len(archive["train_x"]))[:2000]
    x, y = archive["train_x"][rows].astype(np.float32), archive["train_y"][rows]
    model = DTGCNN(
        ops=ops,
        **{"input_dim": x.shape[1], "hidden_dims": (128, 128), "output_dim": 128},
        **{"num_epochs": 4, "batch_parts": 6, "dropout_rate": 0.1},
    )
    loader, held_out = TripletDataset.from_arrays(x, y).create_dataloaders(128, 0.9)
    trainer = Trainer(
        model,
        train_loader=loader,
        val_loader=held_out,
        progress=False,
        keep_best=False,
        state_dir=folder / "state",
        save_every_n_steps=5,
    )
    trainer.train(resume=resume)
    if world.is_first:
        state = max((folder / "state").glob("state-*.safetensors"))
        from dtgcnn.storage import read_arrays

        arrays = read_arrays(state)[1]
        told = {"steps": trainer.global_step}
        for kind in ("params", "optimizer"):
            digest = hashlib.sha256()
            for name in sorted(n for n in arrays if n.startswith(kind)):
                digest.update(name.encode() + arrays[name].tobytes())
            told[kind] = digest.hexdigest()[:16]
        timeless = [{k: v for k, v in e.items() if k != "seconds"} for e in trainer.history]
        told["history"] = hashlib.sha256(json.dumps(timeless).encode()).hexdigest()[:16]
        (folder / "out.json").write_text(json.dumps(told))


def result(folder: Path, data: Path, backend: str, size: int, resume: bool = False) -> Any:
    """The digests of a run of ``size`` processes."""
    given = ["run", str(data), "--folder", str(folder), "--backend", backend]
    start(backend, size, *given, *(["--resume"] if resume else [])).wait()
    return json.loads((folder / "out.json").read_text())


def bits(data: Path, backends: list[str]) -> None:
    print(
        "| backend | processes | steps | weights | optimiser | history |\n|---|---|---|---|---|---|"
    )
    for backend in backends:
        for size in (1, 2, 3):
            with tempfile.TemporaryDirectory() as folder:
                told = result(Path(folder), data, backend, size)
            cells = (told[name] for name in ("steps", "params", "optimizer", "history"))
            print(f"| {backend} | {size} | {' | '.join(map(str, cells))} |", flush=True)


def task(dtype: str, rows: int, width: int, parts: int, dropout: float) -> Any:
    """A step of three graph convolutions on drawn rows, and its arguments."""
    ops = NumpyOps(dtype=dtype)
    config = DTGCNNConfig(
        **{"input_dim": width, "hidden_dims": (width,) * 3, "output_dim": 128, "start": "none"},
        **{"dropout_rate": dropout, "mining_strategy": "batch_hard"},
        batch_parts=parts if parts > 1 else None,
    )
    network = Network.from_config(config)
    params, state = network.init(ops, 0)
    rng = np.random.default_rng(0)
    x = ops.asarray(rng.normal(size=(rows, width)))
    bank = ops.asarray(rng.normal(size=(2000, width)))
    graph = network.constructor.attach(ops, x, bank, ops.asarray([-1] * rows, "int32"))
    batch = {"x": x, "neighbors": graph.neighbors, "weights": graph.weights, "own": graph.own}
    joint = {"labels": ops.asarray(np.arange(rows) % (rows // 4), "int32"), "x": x}
    joint["items"] = ops.arange(rows)
    key = ops.asarray(draws.derive_key(0, "step"), "uint32")
    step = TrainingStep(ops, config, network, make_optimizer("adamw", weight_decay=1e-4))
    sources = {str(i): bank for i in range(3)}
    cut = [{n: v[a:b] for n, v in batch.items()} for a, b in pairwise(bounds_of(rows, parts))]
    return ops, step, params, state, batch, joint, cut, sources, key


def gradient() -> None:
    for dtype in ("float64", "float32"):
        for parts in (2, 3, 6):
            _, step, params, state, batch, joint, cut, sources, key = task(dtype, 240, 64, parts, 0)
            whole = step.differentiate(params, state, {**batch, **joint}, sources, key)[0]
            found = AccumulatedStep(step).cached(params, state, cut, joint, sources, key)[0]
            a, b = (
                np.concatenate([x.ravel() for x in flatten(t).values()]) for t in (whole, found)
            )
            off = np.linalg.norm(a - b) / np.linalg.norm(a)
            print(f"{dtype}, {parts} parts: {off:.1e} of the gradient's norm")


def kills(data: Path, times: int) -> None:
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        whole = result(Path(folder), data, "numpy", 1)
    same = left = done = 0
    while done < times:
        size, after = 2 + done % 2, 1 + done % 3
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            given = ("run", str(data), "--folder", name, "--backend", "numpy")
            process, moment = start("numpy", size, *given), draw.uniform(1.5, 6.0)
            time.sleep(moment)
            rank, ranks = draw.randrange(size), _ranks(name)
            if rank in ranks:
                os.kill(ranks[rank], signal.SIGKILL)
            process.wait()
            time.sleep(3.0)
            lingering = len(_ranks(name))
            if (folder / "out.json").exists():  # it had ended before
                continue
            equal = result(folder, data, "numpy", after, resume=True) == whole
            done, same, left = done + 1, same + equal, left + lingering
            print(
                f"{size} processes, rank {rank} killed after {moment:.1f} s, resumed on {after}: "
                f"{'equal bits' if equal else 'OTHER BITS'}, {lingering} processes left",
                flush=True,
            )
    print(f"{same} of {times} with equal bits, {left} processes left behind")


def _ranks(mark: str) -> dict[int, int]:
    """The process of each rank of the run whose command line holds ``mark``."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().split(b"\0")
            told = dict(
                v.split(b"=", 1) for v in (folder / "environ").read_bytes().split(b"\0") if v
            )
        except (OSError, ValueError):
            continue
        if mark.encode() in line and b"PMI_RANK" in told:
            found[int(told[b"PMI_RANK"])] = int(folder.name)
    return found


def measure(folder: Path, rows: int, parts: int, whole: bool) -> None:
    """Seconds of a step, on each of the processes that share it; ``whole`` is one in no parts."""
    ops, step, params, state, batch, joint, cut, sources, key = task(
        "float32", rows, 512, parts, 0.1
    )
    world = joined(ops)
    sent = [0]
    gather = world.all_gather

    def counted(name: str, x: Any) -> Any:
        sent[0] += x.nbytes
        return gather(name, x)

    world.all_gather = counted  # type: ignore[method-assign]
    run = AccumulatedStep(step, world=world)
    seconds = []
    for _ in range(7):
        sent[0] = 0
        world.barrier("begin")
        begin = time.perf_counter()
        if whole:
            step.differentiate(params, state, {**batch, **joint}, sources, key)
        else:
            run.cached(params, state, cut, joint, sources, key)
        seconds.append(time.perf_counter() - begin)
    if world.is_first:
        told = {"seconds": statistics.median(seconds[1:]), "bytes": sent[0]}
        (folder / "out.json").write_text(json.dumps(told))


def scaling(rows: list[int]) -> None:
    print("| rows | parts | processes | s a step | ratio | MB sent by a process |")
    print("|---|---|---|---|---|---|")
    for count in rows:
        one = None
        for size, parts, whole in ((1, 1, True), (1, 2, False), (2, 2, False), (3, 3, False)):
            with tempfile.TemporaryDirectory() as name:
                given = ["measure", "--folder", name, "--rows", str(count), "--parts", str(parts)]
                start("numpy", size, *given, *(["--whole"] if whole else [])).wait()
                told = json.loads((Path(name) / "out.json").read_text())
            one = told["seconds"] if size == 1 and not whole else one
            ratio = "" if one is None else f"{told['seconds'] / one:.2f}"
            shown = "whole" if whole else str(parts)
            sent = f"{told['bytes'] / 1e6:.2f}"
            print(
                f"| {count} | {shown} | {size} | {told['seconds']:.3f} | {ratio} | {sent} |",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("bits", "gradient", "kills", "scaling", "run", "measure"))
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--backend", nargs="+", default=["numpy", "mlx"])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[1024, 4096])
    parser.add_argument("--parts", type=int, default=2)
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--whole", action="store_true")
    given = parser.parse_args()
    if given.what == "bits":
        bits(given.data, given.backend)
    elif given.what == "gradient":
        gradient()
    elif given.what == "kills":
        kills(given.data, given.times)
    elif given.what == "scaling":
        scaling(given.rows)
    elif given.what == "run":
        run(given.folder, given.data, given.backend[0], given.resume)
    else:
        measure(given.folder, given.rows[0], given.parts, given.whole)


if __name__ == "__main__":
    main()
