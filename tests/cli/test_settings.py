"""Settings on the command line: what goes before what, and one message where one is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from dtgcnn import DTGCNNConfig
from dtgcnn.cli import main
from dtgcnn.cli.options import parse_settings


def test_what_is_written_last_wins(text_file: Path, tmp_path: Path) -> None:
    """The template, then the file, then --set, then options of their own."""
    (tmp_path / "c.toml").write_text(
        "learning_rate = 0.5\nseed = 3\nnum_epochs = 9\nweight_decay = 0.5\ninput_dim = 16\n"
    )
    arguments = ["train", str(text_file), "--output", str(tmp_path / "m"), "--backend", "numpy"]
    arguments += ["--template", "auto", "--config", str(tmp_path / "c.toml"), "--no-map"]
    arguments += ["--set", "seed=4", "--set", "num_epochs=8", "--set", "hidden_dims=[8]"]
    arguments += ["--set", "warmup_steps=null", "--epochs", "1"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    saved = json.loads((tmp_path / "m" / "config.json").read_text())
    config = DTGCNNConfig.from_dict(saved["config"])
    of_template = (config.dropout_rate, config.graph_k_neighbors, config.early_stopping_patience)
    assert of_template == (0.3, 5, 10)
    assert (config.learning_rate, config.weight_decay) == (0.5, 0.5)
    assert (config.seed, config.num_epochs, config.hidden_dims) == (4, 1, (8,))


@pytest.mark.parametrize(
    ("arguments", "loss", "temperature"),
    [
        ([], "info_nce", 0.2),
        (["loss=info_nce", "temperature=0.3"], "info_nce", 0.3),
        (["loss=info_nce"], "info_nce", 0.1),
        (["loss=supcon"], "supcon", 0.1),
        (["loss=multi_similarity"], "multi_similarity", 0.1),
        (["triplet_margin=0.3"], "triplet", 0.1),
    ],
)
def test_the_loss_of_triplets_is_what_the_user_names_or_suits_what_is_named(
    triplet_file: Path, tmp_path: Path, arguments: list[str], loss: str, temperature: float
) -> None:
    named = ["input_dim=16", "hidden_dims=[8]", "num_epochs=1", *arguments]
    more = [word for setting in named for word in ("--set", setting)]
    command = ["train", str(triplet_file), "--output", str(tmp_path / "m"), "--backend", "numpy"]
    done = CliRunner().invoke(main, [*command, *more])
    assert done.exit_code == 0, done.output
    config = json.loads((tmp_path / "m" / "config.json").read_text())["config"]
    assert (config["loss"], config["temperature"]) == (loss, temperature)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "loss=soupcon"], "loss must be one of .*; did you mean 'supcon'"),
        (["--set", "momentum=0.5"], "momentum must be 0.9: the optimizer 'adamw' makes no use"),
        (["--set", "loss=supcon", "--margin", "0.5"], "triplet_margin must be 0.2: the loss"),
        (["--set", "use_batch_norm=True"], "use_batch_norm must be true or false, received 'True'"),
    ],
)
def test_a_wrong_setting_is_one_message(
    text_file: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    output = tmp_path / "m"
    done = CliRunner().invoke(main, ["train", str(text_file), "--output", str(output), *arguments])
    assert done.exit_code == 2
    assert re.search(message, done.output)
    assert not output.exists()


def test_none_is_a_name_where_names_are_chosen_from() -> None:
    given = ("start=none", "mixed_precision=none", " loss = null ", "batch_size=none")
    wanted = {"start": "none", "mixed_precision": None, "loss": "null", "batch_size": None}
    assert parse_settings(given) == wanted
