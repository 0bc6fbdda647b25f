"""``dtgcnn encode`` and ``generate`` in several processes write the bytes that one writes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from dtgcnn_conformance.processes import together
from numpy.typing import NDArray

from dtgcnn import DTGCNN, Trainer, TripletDataset, load_ops
from dtgcnn.array.distributed import World, sharing

from .started import has_mpi, run

pytestmark = pytest.mark.skipif(not has_mpi(), reason="mpi4py or mpiexec is not installed")

WORDS = ["card", "loan", "rate", "branch", "paper", "order", "parcel", "late", "login", "refund"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labelled texts in three blocks, more vectors than two processes gather at once, and a model
    of each."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    folder = tmp_path_factory.mktemp("encode")
    draw = np.random.default_rng(0)
    classes = np.arange(2 * sharing.TEXTS + 300) % 4
    lengths = draw.integers(2, 9, len(classes))
    texts = [
        " ".join([*draw.choice(WORDS, n), WORDS[c], f"n{i}"])
        for i, (c, n) in enumerate(zip(classes.tolist(), lengths, strict=True))
    ]
    records = [{"text": t, "label": f"c{c}"} for t, c in zip(texts, classes.tolist(), strict=True)]
    (folder / "texts.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    x = draw.normal(size=(2 * sharing.AT_ONCE * sharing.ROWS + 30, 12)).astype(np.float32)
    np.savez(folder / "vectors.npz", x=x, y=np.arange(len(x)) % 4)
    settings = {"hidden_dims": (8,), "output_dim": 6, "graph_k_neighbors": 4, "num_epochs": 1}
    for name, data, width in (
        ("texts", TripletDataset(folder / "texts.jsonl"), 24),
        ("vectors", TripletDataset.from_arrays(x[:300], (np.arange(300) % 4).tolist()), 12),
    ):
        model = DTGCNN(backend="numpy", input_dim=width, bank_size=100, **settings)
        loader, _ = data.create_dataloaders(64, 1.0)
        Trainer(model, train_loader=loader, progress=False).train()
        model.save(folder / name)
    return folder


def program(folder: Path, command: str, output: str, *more: str) -> list[str]:
    return [
        *("-m", "dtgcnn", command, *(str(folder / name) for name in more)),
        *("--output", str(folder / output), "--backend", "numpy"),
    ]


@pytest.mark.parametrize(
    ("command", "files", "ending"),
    [
        ("encode", ("texts", "texts.jsonl"), "npy"),
        ("encode", ("vectors", "vectors.npz"), "npy"),
        ("generate", ("texts.jsonl",), "jsonl"),
    ],
)
def test_bytes_do_not_depend_on_how_many_processes_there_are(
    command: str, files: tuple[str, ...], ending: str, folder: Path
) -> None:
    made = []
    for size in (1, 2, 3):
        output = f"{command}-{files[0]}-{size}.{ending}"
        ended = run("numpy", size, program(folder, command, output, *files), limit=120)
        assert (ended.code, ended.left) == (0, []), ended.text
        assert ended.text.count(output) == 1  # the first process alone prints
        made.append((folder / output).read_bytes())
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize(
    ("command", "files"), [("encode", ("texts", "texts.jsonl")), ("generate", ("texts.jsonl",))]
)
def test_an_output_that_exists_is_refused_on_all(
    command: str, files: tuple[str, ...], folder: Path
) -> None:
    output = "there.npy" if command == "encode" else "there.jsonl"
    (folder / output).write_bytes(b"before")
    ended = run("numpy", 2, program(folder, command, output, *files), limit=120)
    assert ended.code != 0
    assert not ended.left
    assert "exists; --overwrite replaces it" in ended.text
    assert (folder / output).read_bytes() == b"before"


def test_blocks_of_texts_do_not_depend_on_how_many_processes_there_are() -> None:
    texts = [f"text {i}" for i in range(20 * sharing.TEXTS + 7)]
    made: dict[int, set[tuple[str, int]]] = {}

    def process(world: World) -> None:
        def make(part: list[str]) -> NDArray[np.float32]:
            made.setdefault(world.size, set()).add((part[0], len(part)))
            return np.array([[float(text.split()[1])] for text in part], np.float32)

        rows = sharing.shared_rows(world, ops, "texts", texts, make)
        assert rows[:, 0].tolist() == list(range(len(texts)))

    ops = load_ops("numpy")
    together(ops, process)
    assert made.keys() == {2, 3}
    assert made[2] == made[3]
    assert {count for _, count in made[2]} == {sharing.TEXTS, 7}


def test_processes_that_are_given_unlike_rows_are_refused(folder: Path) -> None:
    x = np.load(folder / "vectors.npz")["x"]
    for rank in range(2):
        np.savez(folder / f"own-{rank}.npz", x=x[rank : rank + 50], y=np.arange(50) % 4)
    given = program(folder, "encode", "unlike.npy", "vectors")[2:]
    code = (
        "import os, sys; from dtgcnn.cli.main import main; "
        f"args = {given!r}; rank = os.environ['PMI_RANK']; "
        f"main([*args[:2], {str(folder)!r} + f'/own-{{rank}}.npz', *args[2:]])"
    )
    ended = run("numpy", 2, ["-c", code], limit=120)
    assert ended.code != 0
    assert "must be given the same rows (a digest of them)" in ended.text
    assert not (folder / "unlike.npy").exists()
