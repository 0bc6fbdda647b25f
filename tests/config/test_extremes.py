"""Settings that no machine can hold are refused by one line, however they are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dtgcnn import DTGCNNConfig
from dtgcnn.cli import main
from dtgcnn.config import parse_value, read_settings

from ..writers import texts, trained

DEEP = "[" * 100_000 + "]" * 100_000
LONG = "a" * 200_000

VALUES: dict[str, tuple[dict[str, Any], str]] = {
    "seed": ({"seed": 2**64}, "seed must be at most 18,446,744,073,709,551,615"),
    "count": ({"batch_size": 10**12}, "batch_size must be at most 2,147,483,647"),
    "bank": ({"bank_size": 2**31}, "bank_size must be at most 2,147,483,647"),
    "width": ({"input_dim": 10**12}, "input_dim must be at most 16,777,216"),
    "hidden": ({"hidden_dims": [8, 10**12]}, "hidden_dims must be at most 16,777,216"),
    "hidden width": ({"hidden_dim": 10**12}, "hidden_dim"),
    "layers": ({"num_gcn_layers": 10**12}, "num_gcn_layers must be at most 1,024"),
    "hops": ({"propagation_hops": 10**9}, "propagation_hops must be at most 1,024"),
    "threads": ({"num_threads": 10**30}, "num_threads must be at most 2,147,483,647"),
    "digits": ({"learning_rate": 10**400}, "learning_rate must be a number that float32 holds"),
    "large": ({"triplet_margin": 1e300}, "triplet_margin must be a number that float32 holds"),
    "small": ({"temperature": 1e-300, "loss": "supcon"}, "temperature must be a number that"),
    "nested": ({"hidden_dims": json.loads("[" * 900 + "]" * 900)}, r"received \[\[\["),
    "long": ({"loss": LONG}, "loss must be one of"),
    "name": ({LONG: 1}, "unknown setting"),
    "wide": ({"hidden_dims": [0.5] * 100_000}, "hidden_dims must be a whole number"),
}


@pytest.mark.parametrize("case", VALUES)
def test_a_value_beyond_reason_is_refused_in_a_line(case: str) -> None:
    settings, message = VALUES[case]
    with pytest.raises(ValueError, match=message) as caught:
        DTGCNNConfig.from_dict(settings)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("settings", [{"seed": 2**64 - 1}, {"gradient_clip_val": float("inf")}])
def test_the_largest_are_taken(settings: dict[str, Any]) -> None:
    assert DTGCNNConfig.from_dict(settings).to_dict().items() >= settings.items()


@pytest.mark.parametrize("suffix", ["json", "toml"])
def test_a_file_that_is_nested_too_deeply_is_named(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"deep.{suffix}"
    path.write_text(f'{{"hidden_dims": {DEEP}}}' if suffix == "json" else f"hidden_dims = {DEEP}")
    with pytest.raises(ValueError, match=rf"deep\.{suffix}: .*nested too deeply"):
        read_settings(path)


@pytest.mark.parametrize("text", [DEEP, "{a=" * 5000 + "1" + "}" * 5000])
def test_a_value_that_is_nested_too_deeply_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must not be nested so deeply"):
        parse_value(text)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--set", LONG],
        ["--set", f"loss={LONG}"],
        ["--set", f"{LONG}=1"],
        ["--epochs", LONG],
        ["--encoder", LONG],
        [LONG],
    ],
)
def test_a_message_does_not_echo_all_that_was_typed(
    arguments: list[str], text_file: Path, tmp_path: Path
) -> None:
    command = ["train", str(text_file), "--output", str(tmp_path / "m"), *arguments]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert len(result.output) < 3000


@pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning")
def test_a_learning_rate_that_breaks_the_weights_is_told(text_file: Path, tmp_path: Path) -> None:
    command = ["train", str(text_file), "--output", str(tmp_path / "m"), "--backend", "numpy"]
    command += ["--epochs", "2", "--k", "3", "--set", "learning_rate=1e30", "--quiet"]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 2
    assert "are not finite: lower learning_rate" in result.output


def test_a_link_to_nothing_is_told(text_file: Path, tmp_path: Path) -> None:
    (tmp_path / "m").symlink_to(tmp_path / "gone")
    for output in ("m", "m/deeper"):
        command = ["train", str(text_file), "--output", str(tmp_path / output)]
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 2
        assert f"m is a link to {tmp_path / 'gone'}, which is missing" in result.output


MUCH = str(10**30)


@pytest.mark.filterwarnings("ignore")
def test_a_number_beyond_reason_ends_in_a_line_of_any_command(tmp_path: Path) -> None:
    model, rows, output = str(trained(tmp_path)), str(texts(tmp_path)), str(tmp_path / "o")
    (tmp_path / "new.txt").write_text("the cat and the rain\nthe dog and the soup\n")
    new = str(tmp_path / "new.txt")
    for command in (
        ["search", model, rows, "the cat", "--top", MUCH],
        ["predict", model, rows, "--k", MUCH],
        ["next", model, new, "--count", MUCH],
        ["next", model, new, "--seed", MUCH],
        ["discover", model, rows, "--groups", MUCH],
        ["discover", model, rows, "--seed", MUCH],
        ["check", rows, "--places", MUCH],
        ["check", rows, "--batch-size", MUCH],
        ["plot", model, rows, "--max-points", MUCH, "--method", "pca", "--output", f"{output}.png"],
        ["generate", rows, "--seed", MUCH, "--output", f"{output}.json"],
        ["augment", rows, "--seed", MUCH, "--output", f"{output}.csv"],
        ["index", model, rows, "--hops", MUCH, "--output", output],
        ["train", rows, "--epochs", MUCH, "--output", output],
        ["train", rows, "--patience", MUCH, "--epochs", "1", "--output", output, "--no-map"],
        ["tune", rows, "--seed", MUCH, "--output", output],
        ["encode", model, rows, "--threads", MUCH, "--output", f"{output}.npy"],
    ):
        done = CliRunner().invoke(main, command)
        assert done.exit_code in (0, 1, 2), (command, done.output)
        assert done.exception is None or isinstance(done.exception, SystemExit), command
        assert "random_state" not in done.output, command
        if done.exit_code:
            assert MUCH in done.output, (command, done.output)
