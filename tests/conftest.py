"""Where the files are, and small data that every test trains on in a second."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.callbacks.pace import Pace

Vectors = np.ndarray[Any, np.dtype[np.float32]]

ROOT = Path(__file__).parents[1]
"""The checkout."""

DATA = ROOT.parent / "shared" / "data"
"""Public data sets, which lie beside the checkout and are no part of it."""

SETTINGS: dict[str, Any] = {
    "input_dim": 12,
    "hidden_dims": (16, 16),
    "output_dim": 8,
    "graph_k_neighbors": 4,
    "batch_size": 24,
    "num_epochs": 2,
}

PLAIN: dict[str, Any] = {**SETTINGS, "start": "none", "graph_self_weight": 0.8}
"""The same of a network that adds to nothing: its rows are the vectors, its links weigh alike."""

STARTS = {"closed_form": SETTINGS, "none": PLAIN}
"""By what the network adds to; the first is the default."""


def blobs(classes: int = 4, per_class: int = 20, width: int = 12) -> tuple[Vectors, Any]:
    """Clusters that half of the columns hide by noise, and their classes."""
    rng = np.random.default_rng(5)
    labels = np.repeat(np.arange(classes), per_class)
    centres = 2.0 * rng.normal(size=(classes, width))
    centres[:, width // 2 :] = 0.0
    spread = np.where(np.arange(width) < width // 2, 0.7, 3.0)
    x = centres[labels] + spread * rng.normal(size=(len(labels), width))
    return x.astype(np.float32), labels


def bags(classes: int = 4, per_class: int = 20, length: int = 6) -> tuple[Vectors, Any]:
    """Rows of up to ``length`` pieces of 1 to 39, and their classes: half of a row's pieces are of
    its class, the others of any, and 0 fills up."""
    rng = np.random.default_rng(9)
    labels = np.repeat(np.arange(classes), per_class)
    own = 1 + rng.integers(0, 9, (len(labels), length)) + 9 * labels[:, None]
    pieces = np.where(rng.random(own.shape) < 0.5, own, rng.integers(1, 40, own.shape))
    lengths = rng.integers(2, length + 1, len(labels))
    pieces[np.arange(length) >= lengths[:, None]] = 0
    return pieces.astype(np.float32), labels


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that a parameter puts on MLX."""
    for item in items:
        values = getattr(getattr(item, "callspec", None), "params", {}).values()
        if any(isinstance(value, str) and value == "mlx" for value in values):
            item.add_marker("mlx")


@pytest.fixture(autouse=True)
def log_level() -> None:
    """What is logged is the same for every test, whatever command a test, or a fixture of several,
    has run in this process."""
    logging.getLogger("dtgcnn").setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def saved_after_each_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process a run's state is there after every epoch, however short that is."""
    monkeypatch.setattr(Pace, "SHARE", math.inf)


@pytest.fixture(params=["numpy", "mlx"])
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend whose library is installed."""
    if request.param == "mlx":
        pytest.importorskip("mlx.core", reason="MLX is not installed")
    return str(request.param)


@pytest.fixture
def labelled() -> TripletDataset:
    return TripletDataset.from_arrays(*blobs())


@pytest.fixture
def trained(labelled: TripletDataset) -> DTGCNN:
    train, val = labelled.create_dataloaders(batch_size=24, train_split=0.8)
    model = DTGCNN(backend="numpy", **SETTINGS)
    Trainer(model, train_loader=train, val_loader=val, progress=False).train()
    return model


WORDS = {
    "animals": ["cat", "dog", "horse", "cow", "sheep", "goat", "hen", "duck"],
    "weather": ["rain", "snow", "wind", "storm", "sun", "cloud", "fog", "hail"],
    "food": ["bread", "cheese", "soup", "rice", "apple", "salad", "pasta", "cake"],
}


def sentences() -> tuple[list[str], list[str]]:
    """Distinct short texts in three classes."""
    texts, labels = [], []
    for label, words in WORDS.items():
        for i, word in enumerate(words):
            for other in words[:i]:
                texts.append(f"the {word} and the {other} today")
                labels.append(label)
    return texts, labels


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    """A labelled CSV file with a split column."""
    texts, labels = sentences()
    rows = [
        f"{'test' if i % 4 == 0 else 'train'},{label},{text}"
        for i, (text, label) in enumerate(zip(texts, labels, strict=True))
    ]
    path = tmp_path / "texts.csv"
    path.write_text("\n".join(["split,label,text", *rows]) + "\n")
    return path


@pytest.fixture
def triplet_file(tmp_path: Path) -> Path:
    """The guide's triplet JSON."""
    texts, labels = sentences()
    by_class = {
        name: [t for t, own in zip(texts, labels, strict=True) if own == name] for name in WORDS
    }
    names = list(WORDS)
    triplets = []
    for n, name in enumerate(names):
        own, others = by_class[name], by_class[names[(n + 1) % 3]]
        for i in range(0, len(own) - 1, 2):
            negative = others[(7 * i) % len(others)]
            triplets.append({"anchor": own[i], "positive": own[i + 1], "negative": negative})
    path = tmp_path / "triplets.json"
    path.write_text(json.dumps({"triplets": triplets}))
    return path


def text_triplets(count: int = 120) -> TripletDataset:
    """Random triplets of ``sentences``."""
    texts, labels = sentences()
    rng = np.random.default_rng(3)
    own = {name: [t for t, c in zip(texts, labels, strict=True) if c == name] for name in WORDS}
    triplets = []
    for _ in range(count):
        name, other = rng.choice(list(WORDS), 2, replace=False)
        anchor, positive = rng.choice(own[name], 2, replace=False)
        triplets.append((str(anchor), str(positive), str(rng.choice(own[other]))))
    return TripletDataset.from_triplets(triplets)
