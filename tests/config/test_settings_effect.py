"""Every field of ``DTGCNNConfig`` changes what training does; a new field must say how."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from dtgcnn import DTGCNN, Callback, DTGCNNConfig, Trainer, TripletDataset, load_ops
from dtgcnn.array.tree import flatten

from ..conftest import PLAIN, ROOT, SETTINGS, bags, blobs

MORE: dict[str, Any] = {"learning_rate": 3e-3, "warmup_epochs": 0.5, "num_epochs": 3}
BASE: dict[str, Any] = {**PLAIN, **MORE}
STARTED: dict[str, Any] = {**SETTINGS, **MORE, "start": "closed_form"}


class Watch(Callback):
    """What can be seen while training runs, beside its numbers."""

    def __init__(self) -> None:
        self.seen: dict[str, Any] = {"rows": [], "prefetch threads": set(), "blas": None}

    def on_batch_end(self, trainer: Trainer, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.seen["rows"].append(len(batch.items))
        threads = [t for t in threading.enumerate() if t.name.startswith("dtgcnn-prefetch")]
        self.seen["prefetch threads"] |= set(threads)
        self.seen["blas"] = [i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"]


def dataset(config: DTGCNNConfig) -> TripletDataset:
    if config.vocab_size is not None:
        x, labels = bags()
        return TripletDataset.from_arrays(x[:, : config.max_length], labels)
    x, labels = blobs()
    return TripletDataset.from_arrays(x[:, : config.input_dim], labels)


def outcome(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> dict[str, Any]:
    """All that a run with these settings shows: weights, history, embeddings, files, threads."""
    config = DTGCNNConfig(**{**BASE, **changes})
    data = dataset(config)
    loader, val = data.create_dataloaders(
        config.batch_size, 0.8, config.seed, config.samples_per_class
    )
    calls: list[Any] = []
    ops: Any = load_ops("numpy")
    monkeypatch.setattr(type(ops), "clear_cache", lambda _: calls.append("clear"), raising=False)
    limit = lambda _, limit: calls.append(limit) or 7  # noqa: E731
    monkeypatch.setattr(type(ops), "set_cache_limit", limit, raising=False)
    checkpoint = lambda _, fn: calls.append("recompute") or fn  # noqa: E731
    monkeypatch.setattr(type(ops), "checkpoint", checkpoint)
    model, watch = DTGCNN(config, ops=ops), Watch()
    first = {name: leaf.copy() for name, leaf in flatten(model.params).items()}
    trainer = Trainer(model, train_loader=loader, val_loader=val, progress=False, keep_best=False)
    history = trainer.train(callbacks=[watch])
    monkeypatch.undo()
    for entry in history:
        del entry["seconds"]
    return {
        "initial": first,
        "weights": flatten(model.params),
        "history": history,
        "embeddings": model.encode(data.features[:5]),
        "bank": len(model.bank or ()),
        "calls": calls,
        "threads": len(watch.seen["prefetch threads"]),
        **{name: watch.seen[name] for name in ("rows", "blas")},
    }


def differing(one: dict[str, Any], two: dict[str, Any]) -> set[str]:
    """What two outcomes do not have in common."""
    return {name for name in one if not same(one[name], two[name])}


def same(one: Any, two: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(same(one[k], two[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(map(same, one, two))
    return np.array_equal(one, two)


DEFAULT_DIMS = DTGCNNConfig().hidden_dims
EFFECTS: dict[str, tuple[dict[str, Any], Any, Any, str]] = {
    # field: settings of both runs, two values, and what must differ
    "input_dim": ({}, 12, 10, "weights"),
    "vocab_size": ({"max_length": 6}, 40, 50, "initial"),
    "max_length": ({"vocab_size": 40}, 6, 3, "weights"),
    "hidden_dims": ({}, (16, 16), (16, 8), "weights"),
    "num_gcn_layers": ({"hidden_dims": DEFAULT_DIMS, "hidden_dim": 8}, 1, 2, "weights"),
    "output_dim": ({}, 8, 6, "embeddings"),
    "start": ({}, "closed_form", "none", "initial"),
    "standardize": (STARTED, False, True, "embeddings"),
    "code_weight": (STARTED, 1.5, 0.0, "embeddings"),
    "start_weight": (STARTED, 0.3, 1.0, "weights"),
    "propagation_hops": (STARTED, 0, 2, "embeddings"),
    "gcn_activation": ({}, "gelu", "relu", "weights"),
    "use_batch_norm": ({}, False, True, "weights"),
    "dropout_rate": ({}, 0.0, 0.3, "weights"),
    "normalize_output": ({}, True, False, "embeddings"),
    "initializer": ({}, "xavier_uniform", "he_normal", "initial"),
    "graph_k_neighbors": ({}, 4, 2, "weights"),
    "graph_similarity_threshold": ({}, 0.0, 0.6, "weights"),
    "graph_self_weight": ({}, 0.8, "adaptive", "weights"),
    "graph_scope": ({}, "bank", "batch", "weights"),
    "dynamic_graph_update_freq": ({}, 1, 3, "weights"),
    "bank_size": ({}, 10_000, 40, "bank"),
    "triplet_margin": ({}, 0.2, 0.6, "weights"),
    "target_margin": ({}, None, 0.6, "weights"),
    "loss": ({}, "triplet", "supcon", "weights"),
    "triplet_distance": ({}, "euclidean", "cosine", "weights"),
    "triplet_swap": ({}, False, True, "weights"),
    "soft_margin": ({}, False, True, "weights"),
    "focal_gamma": ({"loss": "focal"}, 2.0, 1.0, "weights"),
    "temperature": ({"loss": "info_nce"}, 0.1, 0.3, "weights"),
    "uniformity_weight": ({"loss": "supcon"}, 0.0, 0.5, "weights"),
    "loss_reduction": ({"gradient_clip_val": 1e9, "optimizer": "sgd"}, "mean", "sum", "weights"),
    "mining_strategy": ({}, "auto", "batch_hard", "weights"),
    "batch_size": ({}, 24, 16, "rows"),
    "gradient_accumulation_steps": ({}, 1, 2, "weights"),
    "gradient_accumulation": ({"gradient_accumulation_steps": 2}, "cached", "plain", "weights"),
    "batch_parts": ({}, None, 2, "weights"),
    "samples_per_class": ({"batch_size": 12}, 4, 6, "weights"),
    "num_epochs": ({}, 3, 2, "history"),
    "optimizer": ({}, "adamw", "sgd", "weights"),
    "learning_rate": ({}, 3e-3, 1e-3, "weights"),
    "momentum": ({"optimizer": "sgd"}, 0.9, 0.0, "weights"),
    "weight_decay": ({}, 1e-4, 0.1, "weights"),
    "warmup_epochs": ({}, 0.5, 2.0, "history"),
    "warmup_steps": ({"warmup_epochs": 1.0}, None, 5, "history"),
    "scheduler": ({}, "cosine", "linear", "history"),
    "scheduler_step_size": ({"scheduler": "step"}, 10, 1, "history"),
    "scheduler_gamma": ({"scheduler": "exponential"}, None, 0.5, "history"),
    "gradient_clip_val": ({"optimizer": "sgd"}, 1.0, 0.01, "weights"),
    "early_stopping_patience": (
        {"learning_rate": 1e-9, "num_epochs": 6, "dropout_rate": 0.0}, None, 1, "history",
    ),
    "mixed_precision": ({}, False, "bfloat16", "weights"),
    "gradient_checkpointing": ({}, False, True, "calls"),
    "cache_limit": ({}, None, 4096, "calls"),
    "clear_cache_every": ({}, 0, 2, "calls"),
    "num_workers": ({}, 0, 2, "threads"),
    "persistent_workers": ({"num_workers": 2}, False, True, "threads"),
    "num_threads": ({}, None, 1, "blas"),
    "seed": ({}, 0, 1, "initial"),
}  # fmt: skip

HARDWARE = "training/test_hardware_options.py"
ELSEWHERE = {
    "adaptive_batch_size": f"{HARDWARE}::test_the_epoch_goes_on_in_halves",
    "offload_optimizer": f"{HARDWARE}::test_offload_keeps_the_state_on_the_host",
    "device": "model/test_device.py::test_a_device_that_is_not_there_is_refused",
    "process_timeout": "distributed/test_faults.py::test_a_process_that_stops_is_named",
    "prefetch_factor": "data/test_prefetch.py::test_no_more_are_in_flight_than_allowed",
}
"""Fields whose effect another test shows: nothing in the outcome of a run tells of it."""


def test_every_field_has_an_effect_to_be_seen() -> None:
    fields = {field.name for field in dataclasses.fields(DTGCNNConfig)}
    assert fields == EFFECTS.keys() | ELSEWHERE.keys()
    assert not EFFECTS.keys() & ELSEWHERE.keys()
    for place in ELSEWHERE.values():
        file, test = place.split("::")
        assert f"def {test}(" in (ROOT / "tests" / file).read_text()


@pytest.mark.parametrize("name", EFFECTS)
def test_the_effect_of(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "num_threads" and max(blas_threads(), default=1) == 1:
        pytest.skip("BLAS has one thread here")
    shared, one, two, expected = EFFECTS[name]
    first, second = (outcome(monkeypatch, **{**shared, name: v}) for v in (one, two))
    assert expected in differing(first, second)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("start", {"initial", "weights", "history", "embeddings"}),
        ("standardize", {"weights", "history", "embeddings"}),
        ("code_weight", {"weights", "history", "embeddings"}),
        ("start_weight", {"weights", "history", "embeddings"}),
        # It comes after the network, so validation alone sees it.
        ("propagation_hops", {"history", "embeddings"}),
    ],
)
def test_all_that_a_setting_of_the_start_changes(
    name: str, expected: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, one, two, _ = EFFECTS[name]
    first, second = (outcome(monkeypatch, **{**shared, name: v}) for v in (one, two))
    assert differing(first, second) == expected


@pytest.mark.parametrize(
    "changes",
    [
        {"start": "none"},
        {"standardize": True},
        {"code_weight": 0.5},
        {"start_weight": 0.0},
    ],
    ids=str,
)
def test_a_start_has_no_effect_on_pieces(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = {**STARTED, "vocab_size": 40, "max_length": 6}
    plain = outcome(monkeypatch, **pieces)
    assert differing(plain, outcome(monkeypatch, **{**pieces, **changes})) == set()


@pytest.mark.parametrize("name", sorted({*EFFECTS} - {"num_threads", "input_dim"}))
def test_the_effect_on_what_adds_to_a_start(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every field has its effect with the default start too; a head of 0 is drawn from no seed, and
    its own layers are."""
    shared, one, two, expected = EFFECTS[name]
    if name == "triplet_swap":  # which is to find triplets that are not settled already
        shared = {"triplet_margin": 1.5}
    first, second = (outcome(monkeypatch, **{**STARTED, **shared, name: v}) for v in (one, two))
    assert expected in differing(first, second)


def blas_threads() -> list[int]:
    return [info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"]


@pytest.mark.parametrize(
    "changes",
    [
        {"gradient_checkpointing": True},
        {"offload_optimizer": True},
        {"adaptive_batch_size": True},
        {"num_workers": 2, "prefetch_factor": 3},
        {"clear_cache_every": 1, "cache_limit": 0},
        {"num_threads": 1},
    ],
    ids=str,
)
def test_what_is_of_the_machine_changes_no_bit(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = differing(outcome(monkeypatch), outcome(monkeypatch, **changes))
    assert not found & {"weights", "history", "embeddings", "rows"}


def test_the_same_settings_differ_in_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert differing(outcome(monkeypatch), outcome(monkeypatch)) == set()
