"""Tables of tabs with quotes around cells, as our own, and without, as most public ones."""

from __future__ import annotations

import csv
import gzip
import logging
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dtgcnn.cli import main
from dtgcnn.data import TripletDataset, read_blocks, read_file, read_pairs, write_file
from dtgcnn.errors import DataError

ROWS = [
    ('"stop the music', "music"),
    ("play jazz", "music"),
    ("rain today", "weather"),
    ('is it sunny"', "weather"),
    ("snow tonight", "weather"),
]


def plain(rows: list[tuple[str, ...]], *names: str) -> str:
    return "".join("\t".join(row) + "\n" for row in [names, *rows])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_public_tables_have_a_row_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, end: str
) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(plain(ROWS, "text", "label").replace("\n", end).encode())
    with caplog.at_level(logging.WARNING, "dtgcnn"):
        raw = read_file(path)
    assert list(zip(raw.texts or [], raw.labels or [], strict=True)) == ROWS
    assert list(raw.rows) == [2, 3, 4, 5, 6]
    assert f"{path}: quotes are read as characters of the texts" in caplog.text
    assert "2 lines hold some, and that of line 2 encloses no cell" in caplog.text
    (block,) = read_blocks(path)
    assert block.columns["text"] == raw.texts


def test_packed_ones_and_pairs_too(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv.gz"
    rows = [('"a b', "c d", "5"), ("e f", 'g h"', "1"), ('say "so"', '"all"', "2")]
    path.write_bytes(gzip.compress(plain(rows, "sentence1", "sentence2", "score").encode()))
    pairs = read_pairs(path)
    assert pairs.first == ['"a b', "e f", 'say "so"']
    assert pairs.second == ["c d", 'g h"', '"all"']


def test_tables_that_others_quoted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.tsv"
    rows = [('say "so"', "x"), ("two\nlines", "y"), ("a\ttab", "x"), ("plain", "y")]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter="\t").writerows([("text", "label"), *rows])
    with caplog.at_level(logging.WARNING, "dtgcnn"):
        assert read_file(path).texts == [text for text, _ in rows]
    assert not caplog.text
    path.write_text('text\tlabel\n"a"\tx\nb\ty\n')
    assert read_file(path).texts == ["a", "b"]
    assert "1 lines hold cells in quotes, which are read without them" in caplog.text


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"a\tx\nb\nc\ty\n')
    with pytest.raises(DataError, match=r"line 3: has 1 cells where the header has 2"):
        read_file(path)
    path.write_text('text\tlabel\n"a\tx\n"b\nb"\tx\n"c\n')
    with pytest.raises(DataError, match=r"a.tsv: line \d"):
        read_file(path)


def test_rows_of_commas_that_quotes_join_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(plain(ROWS, "text", "label").replace("\t", ","))
    with caplog.at_level(logging.WARNING, "dtgcnn"):
        assert len(read_file(path).rows) == 2
    assert "each of which would be a row without the quotes" in caplog.text
    assert "the first begins in line 2" in caplog.text
    caplog.clear()
    path.write_text('text,label\n"two\nlines",x\nb,y\n')
    with caplog.at_level(logging.WARNING, "dtgcnn"):
        assert len(read_file(path).rows) == 2
    assert not caplog.text


def test_check_tells_both(tmp_path: Path) -> None:
    tabs, commas = tmp_path / "a.tsv", tmp_path / "a.csv"
    tabs.write_text(plain(ROWS * 4, "text", "label"))
    commas.write_text(plain(ROWS * 4, "text", "label").replace("\t", ","))
    done = CliRunner().invoke(main, ["check", str(tabs)])
    assert "items           20\n" in done.output
    assert "quotes are read as characters of the texts" in done.stderr
    done = CliRunner().invoke(main, ["check", str(commas)])
    assert "warning: reading: rows of several lines, each of which would be a row" in done.stdout


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.text('"ab\t\n\r ,', min_size=1).filter(str.strip), min_size=1, max_size=5))
def test_what_is_written_is_read(tmp_path: Path, texts: list[str]) -> None:
    labels = ['"x"' if i % 2 else "y" for i in range(len(texts))]
    for path in (tmp_path / "a.tsv", tmp_path / "a.csv"):
        write_file(TripletDataset.from_labelled(texts, labels), path)
        raw = read_file(path)
        assert raw.texts == [text.strip() for text in texts]
        assert raw.labels == labels
