"""Settings: what is refused, and that they survive a round trip."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dtgcnn import DTGCNN, DTGCNNConfig
from dtgcnn.templates import suggest


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dropout": 0.1}, "unknown setting 'dropout'; did you mean 'dropout_rate'?"),
        ({"dropout_rate": 1.0}, r"dropout_rate must be a number in \[0.0, 1.0\), received 1.0"),
        ({"learning_rate": "fast"}, "learning_rate must be a number .* received 'fast'"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number .* received nan"),
        ({"graph_k_neighbors": 0}, "graph_k_neighbors must be a whole number of at least 1"),
        ({"graph_k_neighbors": 2.5}, "graph_k_neighbors must be a whole number .* received 2.5"),
        ({"graph_self_weight": 0.0}, r"graph_self_weight must be a number in \(0.0, 1.0\]"),
        ({"loss": "supcon", "mining_strategy": "batch_hard"}, "mining_strategy must be auto: the"),
        ({"loss": "soupcon"}, "loss must be one of triplet, focal, .* received 'soupcon'"),
        ({"hidden_dims": 64}, "hidden_dims must be a list of widths, received 64"),
        ({"hidden_dims": []}, "hidden_dims must name one width or more"),
        ({"hidden_dims": [64, 0]}, "hidden_dims must be a whole number of at least 1, received 0"),
        ({"graph_scope": "world"}, "graph_scope must be one of bank, batch, received 'world'"),
        ({"use_batch_norm": 1}, "use_batch_norm must be true or false, received 1"),
        ({"seed": True}, "seed must be a whole number of at least 0, received True"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        DTGCNNConfig.from_dict(settings)


def test_round_trip_through_json() -> None:
    config = DTGCNNConfig(hidden_dims=(64, 32), graph_self_weight=None, seed=7)
    assert DTGCNNConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_hidden_dim_times_layers() -> None:
    model = DTGCNN(input_dim=8, hidden_dim=4, num_gcn_layers=2, output_dim=3, backend="numpy")
    assert model.config.hidden_dims == (4, 4)
    assert model.num_parameters == (8 * 4 + 3 * 4) + (4 * 4 + 3 * 4) + (4 * 3 + 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_dim": 4, "hidden_dims": (4,)}, "hidden_dim must not be given beside hidden_dims"),
        ({"hidden_dims": (4, 4), "num_gcn_layers": 3}, "num_gcn_layers contradicts"),
        ({"hiden_dim": 4}, "unknown setting 'hiden_dim'"),
    ],
)
def test_contradictions_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DTGCNN(backend="numpy", **settings)


def test_suggestions_follow_the_size() -> None:
    assert suggest(600, 4) == {"dropout_rate": 0.3, "num_epochs": 100}
    assert suggest(10_003, 71) == {"dropout_rate": 0.1, "num_epochs": 35}
    assert suggest(1_000_000, 7_000) == {"dropout_rate": 0.1, "num_epochs": 10}


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_round_trip_through_a_file(tmp_path: Path, suffix: str) -> None:
    config = DTGCNNConfig(hidden_dims=(64, 32), graph_self_weight=None, learning_rate=3e-4)
    config.save(tmp_path / f"config.{suffix}")
    assert DTGCNNConfig.load(tmp_path / f"config.{suffix}") == config


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.toml", "seed = ", "c.toml: not valid TOML"),
        ("c.json", '{"seed": ', "c.json: not valid JSON"),
        ("c.json", "[1]", "c.json: must hold settings by name, found list"),
        ("c.toml", "sed = 1", "c.toml: unknown setting 'sed'; did you mean 'seed'"),
        ("c.yaml", "seed: 1", "must end in .toml or .json, received .*c.yaml"),
        ("c.toml", "seed = -1", "seed must be a whole number of at least 0, received -1"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        DTGCNNConfig.load(tmp_path / name)
