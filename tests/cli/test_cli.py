"""The command line, from training to search; wrong input ends in one message and code 2."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn import DTGCNN, DTGCNNConfig
from dtgcnn.cli import main
from dtgcnn.config.files import read_settings

from ..conftest import blobs

QUICK = ["--backend", "numpy", "--epochs", "3", "--batch-size", "24", "--set", "input_dim=16"]
QUICK += ["--set", "hidden_dims=[16, 16]", "--set", "output_dim=8", "--k", "4"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


def train(file: Path, output: Path, *more: str) -> Result:
    return run("train", file, "--output", output, "--no-map", *QUICK, *more)


@pytest.fixture
def model(text_file: Path, tmp_path: Path) -> Path:
    done = train(text_file, tmp_path / "model")
    assert done.exit_code == 0, done.output
    return tmp_path / "model"


def test_training_leaves_model_map_card_and_figures(text_file: Path, tmp_path: Path) -> None:
    model = tmp_path / "model"
    assert run("train", text_file, "--output", model, *QUICK).exit_code == 0
    names = {path.name.partition("-")[0] for path in model.iterdir()}
    assert names == {
        *("model.safetensors", "config.json", "README.md", "encoder"),
        *("map.png", "metrics.json"),
    }
    assert (model / "map.png").read_bytes().startswith(b"\x89PNG")
    figures = json.loads((model / "metrics.json").read_text())
    assert len(figures["history"]) == 3
    assert {"recall@1", "map@r", "knn@10"} <= set(figures["input"]) == set(figures["trained"])


def test_the_card_tells_what_training_printed_and_an_epoch_of_it_does_not(
    text_file: Path, tmp_path: Path
) -> None:
    done = train(text_file, tmp_path / "m")
    figures = json.loads((tmp_path / "m" / "metrics.json").read_text())
    card, count = (tmp_path / "m" / "README.md").read_text(), "## Figures"
    told = card.partition(f"{count}\n\n")[2]
    assert told.startswith("21 test rows, looked up among 63 train rows\n\nmetric ")
    assert told in done.output
    assert f"recall@1    | {100 * figures['input']['recall@1']:13.1f} |" in told
    if "rivals" in figures:
        assert " ".join(told.split()).endswith(figures["verdict"])
        assert "\nlogistic regression " in told
    again = DTGCNN.load(tmp_path / "m", backend="numpy")
    again.save(tmp_path / "m", overwrite=True)
    assert count not in (tmp_path / "m" / "README.md").read_text(), "they were another model's"


def test_training_prints_a_table(text_file: Path, tmp_path: Path) -> None:
    done = train(text_file, tmp_path / "m")
    assert "21 test rows, looked up among 63 train rows" in done.output
    assert "metric      | input vectors | trained | change" in done.output
    assert "epoch 3/3" in done.output
    assert not (tmp_path / "m" / "map.png").exists()


def test_training_and_evaluate_show_what_else_one_could_do(text_file: Path, tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="scikit-learn does the fitting")
    done = train(text_file, tmp_path / "m")
    measured = run("evaluate", tmp_path / "m", text_file, "--json", tmp_path / "f.json")
    figures = json.loads((tmp_path / "f.json").read_text())
    kept = json.loads((tmp_path / "m" / "metrics.json").read_text())
    assert figures["rivals"] == kept["rivals"]
    assert figures["verdict"] == kept["verdict"]
    found = kept["rivals"]["accuracy"]["trained"]
    assert set(found) == {"predict", "10-NN", "nearest centroid"}
    assert found["predict"] == figures["classification"]["accuracy"]
    for shown in (done.output, measured.output):
        assert "logistic regression          |" in shown
        assert kept["verdict"] in " ".join(shown.split())
    (tmp_path / "all.csv").write_text(text_file.read_text().replace("split,", "side,"))
    alone = run("evaluate", tmp_path / "m", tmp_path / "all.csv")
    assert "each looked up among all others" in alone.output
    assert "logistic regression" not in alone.output


def test_settings_come_from_a_file_and_options_go_before_it(
    text_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "c.toml").write_text("seed = 5\ndropout_rate = 0.45\nnum_epochs = 99\n")
    done = train(text_file, tmp_path / "m", "--config", str(tmp_path / "c.toml"), "--seed", "6")
    assert done.exit_code == 0, done.output
    config = json.loads((tmp_path / "m" / "config.json").read_text())["config"]
    assert (config["seed"], config["dropout_rate"], config["num_epochs"]) == (6, 0.45, 3)


def test_triplets_end_to_end(triplet_file: Path, tmp_path: Path) -> None:
    done = train(triplet_file, tmp_path / "m", "--train-split", "0.7")
    assert done.exit_code == 0, done.output
    assert "is the positive nearer than the negative?" in done.output
    assert "classes are held out" not in done.output
    measured = run("evaluate", tmp_path / "m", triplet_file, "--json", tmp_path / "f.json")
    assert measured.exit_code == 0, measured.output
    figures = json.loads((tmp_path / "f.json").read_text())
    assert set(figures["trained"]) == {"triplet_accuracy"}


def test_vectors_end_to_end(tmp_path: Path) -> None:
    x, y = blobs()
    np.savez(tmp_path / "v.npz", train_x=x[::2], train_y=y[::2], test_x=x[1::2], test_y=y[1::2])
    arguments = [a for a in QUICK if a != "input_dim=16"]
    arguments.remove("--set")
    done = run("train", tmp_path / "v.npz", "--output", tmp_path / "m", "--no-map", *arguments)
    assert done.exit_code == 0, done.output
    assert "40 test rows, looked up among 40 train rows" in done.output
    done = run("encode", tmp_path / "m", tmp_path / "v.npz", "--output", tmp_path / "z.npy")
    assert done.exit_code == 0, done.output
    loaded = DTGCNN.load(tmp_path / "m").encode(np.concatenate([x[::2], x[1::2]]))
    np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), loaded)


def test_triplets_of_vectors_end_to_end(tmp_path: Path) -> None:
    x, file, model = blobs()[0], tmp_path / "t.npz", tmp_path / "m"
    np.savez(file, anchor=x[:20], positive=x[20:40], negative=x[40:60])
    quick = ["--backend", "numpy", "--epochs", "1", "--no-map"]
    for command in (
        ["train", file, "--output", model, *quick],
        ["evaluate", model, file],
        ["report", model, file, "--output", tmp_path / "r.html", "--method", "pca"],
        ["plot", model, file, "--output", tmp_path / "p.png", "--method", "pca"],
    ):
        done = CliRunner().invoke(main, [*map(str, command)])
        assert done.exit_code == 0, done.output


def test_evaluate_writes_figures_of_test_rows_among_train_rows(
    model: Path, text_file: Path, tmp_path: Path
) -> None:
    done = run("evaluate", model, text_file, "--json", tmp_path / "figures.json")
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "figures.json").read_text())
    trained = json.loads((model / "metrics.json").read_text())
    assert figures["trained"] == trained["trained"]
    assert figures["input"] == trained["input"]
    assert figures["trained"]["queries"] == 21


def test_evaluate_measures_pairs_by_their_scores(model: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    rows = ["the cat and the dog,a dog and a cat,5", "the cat,rain and snow,0", "snow,rain,4"]
    pairs.write_text("\n".join(["sentence1,sentence2,score", *rows]))
    done = run("evaluate", model, pairs, "--json", tmp_path / "f.json")
    assert done.exit_code == 0, done.output
    assert "3 pairs: does the cosine follow the score?" in done.output
    figures = json.loads((tmp_path / "f.json").read_text())
    assert list(figures["trained"]) == ["spearman", "pearson"]
    assert figures["input"]["spearman"] > 0.4
    pairs.write_text("anchor,positive\nthe cat,the dog\n")
    done = run("evaluate", model, pairs)
    assert done.exit_code == 2
    told = " ".join(done.output.split())
    assert "pairs are measured by scores, and these have none; 'dtgcnn generate' makes" in told


def test_search_prints_the_nearest_texts(model: Path, text_file: Path) -> None:
    done = run("search", model, text_file, "the cat and the dog today", "--top", "3")
    head, *lines = done.output.splitlines()
    assert head.split() == ["embedding", "input"]
    assert len(lines) == 3
    assert all(re.match(r" +-?[01]\.\d{3}  -?[01]\.\d{3}  \w+  the ", line) for line in lines)
    assert "animals" in lines[0]


@pytest.mark.parametrize(("by", "column"), [("embedding", 0), ("input", 1)])
def test_search_ranks_by_one_view(model: Path, text_file: Path, by: str, column: int) -> None:
    found = []
    for top in ("3", "84"):
        done = run("search", model, text_file, "the cat and the dog", "--top", top, "--by", by)
        assert done.exit_code == 0, done.output
        found.append(done.output.splitlines()[1:])
        scores = [float(line.split()[column]) for line in found[-1]]
        assert scores == sorted(scores, reverse=True)
    assert (len(found[0]), len(found[1])) == (3, 84)
    assert found[0] == found[1][:3]


def test_search_takes_both_views_by_turns(model: Path, text_file: Path) -> None:
    query = "the cat and the rain in the soup"

    def found(by: str) -> list[str]:
        done = run("search", model, text_file, query, "--top", "84", "--by", by)
        return done.output.splitlines()[1:]

    turns, views = [], (found("embedding"), found("input"))
    for pair in zip(*views, strict=True):
        turns += [line for line in pair if line not in turns]
    assert found("both") == list(dict.fromkeys(turns))
    default = run("search", model, text_file, query, "--top", "84").output.splitlines()[1:]
    assert default == found("both") != views[0]


def test_encode_reads_plain_text(model: Path, tmp_path: Path) -> None:
    (tmp_path / "new.txt").write_text("a cat\nrain and snow\n")
    done = run("encode", model, tmp_path / "new.txt", "--output", tmp_path / "z.npy")
    assert done.exit_code == 0, done.output
    assert np.load(tmp_path / "z.npy").shape == (2, 8)
    again = run("encode", model, tmp_path / "new.txt", "--output", tmp_path / "z.npy")
    assert again.exit_code == 2
    assert "exists; --overwrite replaces it" in again.output


def test_backends_lists_numpy_and_what_auto_picks() -> None:
    done = run("backends")
    assert done.exit_code == 0
    assert any(line.startswith("numpy") and "cpu" in line for line in done.output.splitlines())
    assert done.output.count("(auto)") == 1


def test_sample_is_written_once(tmp_path: Path) -> None:
    assert run("sample", tmp_path / "s.csv").exit_code == 0
    assert (tmp_path / "s.csv").read_text().startswith("text,label,split\n")
    assert run("sample", tmp_path / "s.csv").exit_code == 2
    refused = run("sample", tmp_path / "s.txt")
    assert (refused.exit_code, refused.output) == (
        2,
        f"Error: PATH must end in .csv, received {tmp_path / 's.txt'}\n",
    )


@pytest.mark.parametrize("command", ["", "train", "evaluate", "encode", "search", "backends"])
def test_help_teaches(command: str) -> None:
    done = run(*command.split(), "--help")
    assert done.exit_code == 0
    assert "Usage:" in done.output


def write(content: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        suffix = "json" if content.startswith(("{", "[")) else "csv"
        path = folder / f"bad.{suffix}"
        path.write_text(content)
        return path

    return make


def arrays(**named: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        np.savez(folder / "bad.npz", **named)
        return folder / "bad.npz"

    return make


def broken_gzip(folder: Path) -> Path:
    path = folder / "bad.csv.gz"
    path.write_bytes(gzip.compress(b"text,label\nhello,a\n" * 99)[:60])
    return path


X, Y = blobs()
NAN = X.copy()
NAN[7, 3] = np.nan
TEXT_ROWS = "\n".join(f"text {i},{'ab'[i % 2]}" for i in range(20))

WRONG: dict[str, tuple[Callable[[Path], Path], str]] = {
    "missing file": (lambda folder: folder / "none.csv", "none.csv: no such file"),
    "empty file": (write(""), "bad.csv: "),
    "missing column": (write("text,topic\nhello,a\n"), "'label'|label"),
    "empty text": (write("text,label\nhello,a\n ,b\n"), "line 3"),
    "one class only": (write("text,label\nhello,a\nworld,a\n"), "one class only"),
    "no two of a class": (write("text,label\nhello,a\nworld,b\n"), "class with at least two"),
    "no valid negative": (
        write(
            '[{"anchor": "a", "positive": "b", "negative": "c"},'
            '{"anchor": "a", "positive": "c", "negative": "b"}]'
        ),
        "no triplet has a valid negative",
    ),
    "truncated JSON": (write('{"triplets": [{"anchor": "a", "positi'), "bad.json: "),
    "nan": (arrays(x=NAN, y=Y), r"row 7"),
    "mixed widths": (
        arrays(train_x=X, train_y=Y, test_x=X[:, :5], test_y=Y),
        "'test_x'|test_x",
    ),
    "labels of another length": (arrays(x=X, y=Y[:5]), "'y'|y"),
    "broken gzip": (broken_gzip, r"bad\.csv\.gz: "),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_data_end_in_one_message(tmp_path: Path, name: str) -> None:
    make, message = WRONG[name]
    file = make(tmp_path)
    done = train(file, tmp_path / "m")
    check_refused(done, tmp_path / "m", message)
    assert file.name in done.output


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--k", "63"], r"k must be below the number of nodes.* received k = 63"),
        (["--set", "hiden_dims=3"], "unknown setting 'hiden_dims'; did you mean"),
        (["--set", "dropout_rate"], "--set must be NAME=VALUE"),
        (["--learning-rate", "-1"], "learning_rate must be a number"),
        (["--train-split", "0"], r"train_split must be in \(0, 1\], received 0"),
        (["--batch-size", "2"], "batch_size must be a whole number of at least 4"),
        (["--backend", "abacus"], "unknown backend 'abacus'; installed backends:"),
    ],
)
def test_wrong_arguments_end_in_one_message(
    text_file: Path, tmp_path: Path, more: list[str], message: str
) -> None:
    check_refused(train(text_file, tmp_path / "m", *more), tmp_path / "m", message)


def check_refused(done: Result, output: Path, message: str) -> None:
    import re

    assert done.exit_code == 2, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    assert re.search(message, done.output), done.output
    assert done.output.count("Error: ") == 1
    assert not output.exists()


def test_a_model_is_kept_unless_overwriting_is_asked_for(model: Path, text_file: Path) -> None:
    before = (model / "model.safetensors").read_bytes()
    done = train(text_file, model)
    assert done.exit_code == 2
    assert "already holds a model; --overwrite replaces it" in done.output
    assert (model / "model.safetensors").read_bytes() == before
    assert train(text_file, model, "--overwrite", "--seed", "1").exit_code == 0
    assert (model / "model.safetensors").read_bytes() != before


def test_a_folder_of_other_files_is_never_written_to(text_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    (folder / "encoder-notes").mkdir(parents=True)
    (folder / "README.md").write_text("mine")
    for more in ([], ["--overwrite"]):
        done = train(text_file, folder, *more)
        assert done.exit_code == 2
        assert "must be empty or hold a model, it holds other files (README.md)" in done.output
    assert (folder / "README.md").read_text() == "mine"
    assert (folder / "encoder-notes").is_dir()


def test_other_files_in_a_model_folder_are_kept(model: Path, text_file: Path) -> None:
    (model / "encoder-mine").mkdir()
    (model / "notes.txt").write_text("mine")
    assert train(text_file, model, "--overwrite").exit_code == 0
    assert (model / "encoder-mine").is_dir()
    assert (model / "notes.txt").read_text() == "mine"


def test_no_figures_of_a_replaced_model_are_left(text_file: Path, tmp_path: Path) -> None:
    model = tmp_path / "m"
    assert run("train", text_file, "--output", model, *QUICK).exit_code == 0
    (tmp_path / "t.csv").write_text(text_file.read_text().replace("test,", "spare,"))
    done = train(tmp_path / "t.csv", model, "--overwrite", "--train-split", "1")
    assert done.exit_code == 0, done.output
    assert "nothing was held out" in done.output
    assert not (model / "map.png").exists()
    figures = json.loads((model / "metrics.json").read_text())
    assert set(figures) == {"history", "best_epoch", "start", "data"}
    assert (figures["best_epoch"], figures["start"]) == (None, {})


def test_classes_that_only_the_test_rows_have(text_file: Path, tmp_path: Path) -> None:
    lines = text_file.read_text().splitlines()
    rows = [line.partition(",")[2] for line in lines[1:]]
    split = ["test" if row.startswith("food") else "train" for row in rows]
    content = [lines[0], *(f"{s},{row}" for s, row in zip(split, rows, strict=True))]
    (tmp_path / "u.csv").write_text("\n".join(content))
    done = train(tmp_path / "u.csv", tmp_path / "m")
    assert done.exit_code == 0, done.output
    assert "28 test rows, of classes without train rows" in done.output


def test_k_follows_small_data_unless_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "few.csv").write_text(f"text,label\n{TEXT_ROWS.replace('text ', 'some text ')}\n")
    arguments = ["--backend", "numpy", "--epochs", "1", "--no-map", "--batch-size", "4"]
    half = ["--train-split", "0.3", *arguments]
    done = run("train", tmp_path / "few.csv", "--output", tmp_path / "m", *half)
    assert done.exit_code == 0, done.output
    config = json.loads((tmp_path / "m" / "config.json").read_text())["config"]
    assert config["graph_k_neighbors"] < 10
    named = run("train", tmp_path / "few.csv", "--output", tmp_path / "n", *half, "--k", "10")
    assert named.exit_code == 2


def test_settings_are_listed_with_their_meaning(tmp_path: Path) -> None:
    done = run("settings")
    assert "## margin" not in done.output
    assert "## largest global norm of the gradient.\n# gradient_clip_val = 1.0\n" in done.output
    (tmp_path / "c.toml").write_text(done.output)
    assert read_settings(tmp_path / "c.toml") == {}
    bare = done.output.replace("\n# ", "\n").replace("# learning", "learning")
    assert bare.count(" = ") == len(dataclasses.fields(DTGCNNConfig))


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("nowhere/z.npy", "--output"),
        ("model", "the suffix must be one of .npy, .parquet, .safetensors, received 'model'"),
        ("z.txt", "the suffix must be one of .npy, .parquet, .safetensors, received 'z.txt'"),
    ],
)
def test_outputs_are_checked_before_any_work(
    model: Path, text_file: Path, output: str, told: str
) -> None:
    done = run("encode", model, text_file, "--output", model.parent / output)
    assert done.exit_code == 2
    assert told in done.output


def test_ctrl_c_anywhere_ends_with_130(
    model: Path, text_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    for module in ("outcome", "evaluate"):
        monkeypatch.setattr(f"dtgcnn.cli.{module}.compare", interrupt)
    measured = run("evaluate", model, text_file)
    assert (measured.exit_code, measured.output) == (130, "\ninterrupted\n")
    trained = train(text_file, model, "--overwrite")
    assert trained.exit_code == 130
    assert f"interrupted: {model} holds the model of epoch 0" in trained.output


def test_an_output_that_is_a_file_is_refused(text_file: Path) -> None:
    done = train(text_file, text_file)
    assert done.exit_code == 2
    assert "must be a folder, it is a file" in done.output


def test_a_damaged_model_is_refused(model: Path, text_file: Path) -> None:
    (model / "model.safetensors").write_bytes(b"not safetensors")
    done = run("evaluate", model, text_file)
    assert done.exit_code == 2
    assert "not a readable safetensors file" in done.output


def test_search_prints_the_numbers_of_rows_without_texts(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(9, 16)))
    done = run("search", model, tmp_path / "x.npy", "the cat", "--top", "9")
    assert done.exit_code == 0, done.output
    found = [line.split(maxsplit=2)[2] for line in done.output.splitlines()[1:]]
    assert sorted(found) == [f"row {row}" for row in range(9)]


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts are sent by POSIX signals")
def test_an_interrupt_keeps_the_last_finished_epoch(text_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "m"
    arguments = ["train", text_file, "--output", output, *QUICK, "--epochs", "100000"]
    with subprocess.Popen(
        [sys.executable, "-m", "dtgcnn", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ, OMP_NUM_THREADS="1"),
        # A shell starts what runs in the background with interrupts ignored, tests too.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        deadline = time.monotonic() + 60
        while not (output / "model.safetensors").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert f"interrupted: {output} holds the model of epoch" in said
    assert "Traceback" not in said
    assert DTGCNN.load(output, backend="numpy").encode(["the cat"]).shape == (1, 8)
    hidden = [path.name for path in output.iterdir() if path.name.startswith(".")]
    assert hidden == [".state"]  # what --resume goes on from


# -- the start, the best epoch, and the model of all rows


def rows_of_bank(folder: Path) -> int:
    bank = DTGCNN.load(folder, backend="numpy").bank
    assert bank is not None
    return len(bank)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Some rows of the bundled sample, with a column ``split`` and without one."""
    folder = tmp_path_factory.mktemp("sample")
    assert run("sample", folder / "whole.csv").exit_code == 0
    with (folder / "whole.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for i, row in enumerate(csv.DictReader(file)) if i % 4 == 0]
    files = {}
    for split in (True, False):
        files[split] = folder / f"{split}.csv"
        with files[split].open("w", newline="", encoding="utf-8") as file:
            names = [name for name in rows[0] if split or name != "split"]
            writer = csv.DictWriter(file, names, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
    assert {row["split"] for row in rows} == {"train", "test"}
    return files


@pytest.mark.parametrize("split", [True, False])
def test_the_sample_is_trained_on_whole_once_the_epoch_is_chosen(
    sample: dict[bool, Path], split: bool, tmp_path: Path
) -> None:
    with sample[split].open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    wanted = [row for row in rows if row.get("split", "train") == "train"]
    model = tmp_path / "m"
    options = ["--no-map", "--backend", "numpy", "--epochs", "8"]
    done = run("train", sample[split], "--output", model, *options)
    assert done.exit_code == 0, done.output
    figures = json.loads((model / "metrics.json").read_text())
    best, history, start = (figures[name] for name in ("best_epoch", "history", "start"))
    assert 0 <= best <= len(history)
    chosen = start if best == 0 else history[best - 1]
    said = re.search(r"^trained in \d+ s; (.*): val_map@r (\d\.\d{4})", done.output, re.MULTILINE)
    assert said, done.output
    assert said[2] == f"{chosen['val_map@r']:.4f}"
    kept = f"epoch {best} of {len(history)} is kept" if best else "the start is kept"
    assert said[1].endswith(kept)
    if best:
        assert chosen["val_map@r"] > start["val_map@r"]
        assert f"before the first step {start['val_map@r']:.4f}" in done.output
    assert {"val_map@r", "val_recall@1", "val_loss"} <= set(start)
    assert re.search(rf"^and anew on all {len(wanted)} rows in \d+ s$", done.output, re.MULTILINE)
    assert f"model saved in {model}" in done.output
    assert rows_of_bank(model) == len({row["text"] for row in wanted})
    assert not (model / ".state").exists()
    looked = re.search(r"(\d+) [\w-]+(?: \w+)? ?rows, looked up among (\d+) ", done.output)
    assert looked, done.output
    # Without a split it is the model that chose the epoch which is measured, on the rows held out.
    held, gallery = int(looked[1]), int(looked[2])
    assert gallery == len(wanted) if split else held + gallery == len(wanted)
    if split:  # the saved model is the one that was measured
        again = run("evaluate", model, sample[split], "--json", tmp_path / "f.json")
        assert again.exit_code == 0, again.output
        measured = json.loads((tmp_path / "f.json").read_text())
        assert measured["trained"] == figures["trained"]


def test_without_held_out_rows_every_epoch_is_trained_on_all(
    sample: dict[bool, Path], tmp_path: Path
) -> None:
    model = tmp_path / "m"
    done = train(sample[False], model, "--train-split", "1.0")
    assert done.exit_code == 0, done.output
    assert re.search(r"^trained in \d+ s$", done.output, re.MULTILINE)
    assert "and anew" not in done.output
    assert "nothing was held out that could be measured" in done.output
    figures = json.loads((model / "metrics.json").read_text())
    assert set(figures) == {"history", "best_epoch", "start", "data"}
    assert (figures["best_epoch"], figures["start"], len(figures["history"])) == (None, {}, 3)
    with sample[False].open(newline="", encoding="utf-8") as file:
        assert rows_of_bank(model) == len({row["text"] for row in csv.DictReader(file)})


def test_quiet_shows_the_table_alone(text_file: Path, tmp_path: Path) -> None:
    done = train(text_file, tmp_path / "m", "--quiet")
    assert done.exit_code == 0, done.output
    assert "metric      | input vectors | trained | change" in done.output
    for line in ("epoch 3/3", "trained in", "and anew", "model saved in", "rows; "):
        assert line not in done.output


def test_an_interrupt_of_the_second_training_leaves_the_first_ones_model(
    text_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, model = tmp_path / "whole", tmp_path / "m"
    assert train(text_file, whole).exit_code == 0

    def interrupt(*_: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dtgcnn.cli.train.train_on_all", interrupt)
        cut = train(text_file, model)
    assert cut.exit_code == 130
    assert f"interrupted: {model} holds the model of epoch 0; --resume goes on" in cut.output
    assert rows_of_bank(model) < rows_of_bank(whole) == 63
    assert DTGCNN.load(model, backend="numpy").encode(["the cat"]).shape == (1, 8)
    assert not (model / "metrics.json").exists()
    done = train(text_file, model, "--resume")
    assert done.exit_code == 0, done.output
    assert "epoch 1/3" not in done.output
    assert (model / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    first, second = (json.loads((m / "metrics.json").read_text()) for m in (whole, model))
    for metrics in (*first["history"], *second["history"]):
        del metrics["seconds"]
    assert first == second


def test_signs_that_an_encoding_lacks_are_replaced() -> None:
    done = CliRunner(charset="latin-1").invoke(main, ["generate", "--help"])
    assert done.exit_code == 0, done.output
    assert "sentence-transformer:MODEL ?" in done.output
