"""Standard input and standard output where a file may stand."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

from dtgcnn import TripletDataset
from dtgcnn.cli import main

SMALL = ("--set", "hidden_dims=[16]", "--no-map", "--backend", "numpy", "--epochs", 1)


def run(*arguments: object, given: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments], input=given)


def done(*arguments: object, given: bytes | None = None) -> Result:
    result = run(*arguments, given=given)
    assert result.exit_code == 0, result.output
    return result


@pytest.fixture
def model(text_file: Path, tmp_path: Path) -> Path:
    done("train", text_file, "--output", tmp_path / "model", *SMALL)
    return tmp_path / "model"


@pytest.fixture
def vector_model(tmp_path: Path) -> tuple[Path, Path]:
    """A model of vectors, and the file it was trained on."""
    draw = np.random.default_rng(0)
    y = np.arange(60) % 3
    x = draw.normal(size=(3, 6))[y] + 0.3 * draw.normal(size=(60, 6))
    np.savez(tmp_path / "x.npz", x=x, y=y)
    done("train", tmp_path / "x.npz", "--output", tmp_path / "vector_model", *SMALL)
    return tmp_path / "vector_model", tmp_path / "x.npz"


def forms(file: Path, folder: Path) -> dict[str, bytes]:
    """A labelled file's content in each format that holds records, packed or not."""
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    table = io.StringIO()
    writer = csv.DictWriter(table, list(rows[0]), delimiter="\t")
    writer.writeheader()
    writer.writerows(rows)
    import pyarrow

    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "x.parquet")
    return {
        "csv": file.read_bytes(),
        "csv, packed": gzip.compress(file.read_bytes()),
        "tsv": table.getvalue().encode(),
        "json": json.dumps(rows).encode(),
        "jsonl": "\n".join(map(json.dumps, rows)).encode(),
        "parquet": (folder / "x.parquet").read_bytes(),
    }


def test_rows_of_every_format_come_on_standard_input(
    model: Path, text_file: Path, tmp_path: Path
) -> None:
    done("encode", model, text_file, "--output", tmp_path / "file.npy")
    wanted = (tmp_path / "file.npy").read_bytes()
    for name, content in forms(text_file, tmp_path).items():
        form = name.partition(",")[0]
        said = done("encode", model, "-", "--format", form, "--output", "-", given=content)
        assert said.stdout_bytes == wanted, name
        assert said.stderr == "standard output: 84 rows of 256\n"


def test_arrays_come_on_standard_input(vector_model: tuple[Path, Path], tmp_path: Path) -> None:
    model, file = vector_model
    done("encode", model, file, "--output", tmp_path / "file.npy")
    wanted = (tmp_path / "file.npy").read_bytes()
    np.save(tmp_path / "x.npy", np.load(file)["x"])
    for form in ("npz", "npy"):
        content = (tmp_path / f"x.{form}").read_bytes()
        said = done("encode", model, "-", "--format", form, "--output", "-", given=content)
        assert said.stdout_bytes == wanted
    one = io.BytesIO()
    np.save(one, np.load(file)["x"][:1])
    found = done("search", model, file, "-", "--format", "npy", "--json", given=one.getvalue())
    (query,) = json.loads(found.stdout)
    assert (query["query"], query["hits"][0]["row"]) == ("standard input, row 0", 0)


def test_every_command_that_reads_rows_reads_standard_input(
    model: Path, text_file: Path, tmp_path: Path
) -> None:
    rows, few = text_file.read_bytes(), b"text\nred apple\n"
    numpy = ("--backend", "numpy")

    def both(*arguments: object, given: bytes = rows) -> None:
        """The command says of standard input what it says of the same file."""
        file = tmp_path / "given.csv"
        file.write_bytes(given)
        stream = done(*(a for a in arguments), "--format", "csv", given=given)
        plain = done(*(file if a == "-" else a for a in arguments))
        named = plain.output.replace(str(file), "standard input")
        assert stream.output == named.replace(file.name, "standard input")

    both("predict", model, "-", *numpy)
    both("search", model, "-", "red apple", *numpy)
    queries = done("search", model, text_file, "-", "--format", "csv", *numpy, given=few)
    assert queries.output == done("search", model, text_file, "red apple", *numpy).output
    both("evaluate", model, "-", *numpy)
    both("check", "-")
    both("discover", model, "-", "--groups", 3, *numpy)
    both("next", model, "-", "--count", 1, *numpy, given=few)
    for name in ("index", "add", "remove"):
        given = few if name == "remove" else rows
        said = done(name, model, "-", "--format", "csv", "--output", tmp_path / name, given=given)
        assert "model saved" in said.output
    both("plot", model, "-", "--output", tmp_path / "map.svg", "--overwrite", *numpy)
    report = ("report", model, "-", "--format", "csv", "--output", tmp_path / "r.html")
    done(*report, given=rows)
    trained = done("train", "-", "--format", "csv", "--output", tmp_path / "m", *SMALL, given=rows)
    assert "standard input: 84 rows" in trained.output
    blank = b"text\ngreen apple\n"
    more = ("--unlabelled", "-", "--format", "csv", "--output", tmp_path / "m2", *SMALL)
    done("train", text_file, *more, given=blank)


def test_tables_go_to_standard_output(model: Path, text_file: Path, tmp_path: Path) -> None:
    numpy = ("--backend", "numpy")
    for command in (("predict", model), ("discover", model, "--groups", 3)):
        for form, suffix in ((None, ".csv"), ("jsonl", ".jsonl"), ("parquet", ".parquet")):
            file = tmp_path / f"{command[0]}{suffix}"
            done(*command[:2], text_file, *command[2:], "--output", file, *numpy)
            chosen = () if form is None else ("--output-format", form)
            said = done(*command[:2], text_file, *command[2:], "--output", "-", *chosen, *numpy)
            assert said.stdout_bytes == file.read_bytes()
            assert "standard output: 84 rows" in said.stderr


def test_what_else_is_written_goes_to_standard_output(
    model: Path, text_file: Path, tmp_path: Path
) -> None:
    def compared(*arguments: object, suffix: str, option: str = "--output") -> None:
        file = tmp_path / f"{arguments[0]}{suffix}"
        done(*arguments, option, file)
        assert done(*arguments, option, "-").stdout_bytes == file.read_bytes(), arguments[0]

    numpy = ("--backend", "numpy")
    compared("generate", text_file, *numpy, suffix=".jsonl")
    compared("augment", text_file, suffix=".csv")
    compared("evaluate", model, text_file, *numpy, suffix=".json", option="--json")
    compared("check", text_file, suffix=".json", option="--json")
    page = done("report", model, text_file, "--output", "-", *numpy).stdout_bytes
    assert page.lstrip().lower().startswith(b"<!doctype html>")
    assert done("plot", model, text_file, "--output", "-", *numpy).stdout_bytes[1:4] == b"PNG"
    sample = done("sample", "-").stdout_bytes
    (tmp_path / "sample.csv").write_bytes(sample)
    assert len(TripletDataset(tmp_path / "sample.csv")) == 672


def test_a_pipe_is_read_to_its_end(model: Path, text_file: Path, tmp_path: Path) -> None:
    done("encode", model, text_file, "--output", tmp_path / "file.npy")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(text_file.read_bytes()))
    writer.start()
    said = done("encode", model, pipe, "--format", "csv", "--output", "-")
    writer.join()
    assert said.stdout_bytes == (tmp_path / "file.npy").read_bytes()


def test_what_is_refused_of_streams(model: Path, text_file: Path, tmp_path: Path) -> None:
    def refused(*arguments: object, given: bytes = b"text\nred apple\n") -> str:
        said = run(*arguments, given=given)
        assert said.exit_code == 2, said.output
        assert said.stdout_bytes == b""
        return said.stderr

    encode = ("encode", model, "-", "--output", tmp_path / "x.npy")
    assert "standard input has no name that tells its format: --format must" in refused(*encode)
    bad = refused(*encode, "--format", "csv", given=b"text,label\nred apple\n")
    assert bad.startswith("Error: standard input: line 2: has 1 cells")
    assert "standard input: the file is empty" in refused(*encode, "--format", "csv", given=b"")
    assert not (tmp_path / "x.npy").exists()
    file = ("encode", model, text_file, "--format", "csv", "--output", tmp_path / "x.npy")
    assert "--format tells of standard input, and no file is -" in refused(*file)
    twice = refused("search", model, "-", "-", "--format", "csv")
    assert "standard input can be read once, '-' stands there twice" in twice
    predict = ("predict", model, text_file, "--output", tmp_path / "x.csv")
    assert "--output is not -" in refused(*predict, "--output-format", "csv")
    both = refused("discover", model, text_file, "--output", "-", "--json", "-")
    assert "standard output takes one file" in both
    mixed = refused("predict", model, "-", "red apple", "--format", "csv")
    assert "give one FILE, or texts" in mixed
