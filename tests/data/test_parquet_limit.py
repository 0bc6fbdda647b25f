"""A Parquet file may unpack to as much as any packed file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dtgcnn import DataError, TripletDataset

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")

TEXTS = {"plain": [f"text {i} " + 40 * "a" for i in range(5000)], "repeated": ["b" * 400] * 5000}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("dictionary", [False, True])
def test_a_parquet_file_of_too_much_is_refused(
    name: str, dictionary: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pyarrow import parquet

    path, columns = tmp_path / "x.parquet", {"text": TEXTS[name], "label": ["a", "b"] * 2500}
    table: Any = pa.table(columns)
    parquet.write_table(table, path, compression="zstd", use_dictionary=dictionary)
    TripletDataset.of_rows(path)
    monkeypatch.setenv("DTGCNN_MAX_UNPACKED", "100000")
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match=r"x.parquet: must unpack to at most 100,000 bytes"):
        TripletDataset.of_rows(path)
