"""Archives and tables whose parts are not what their names say."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DataError
from dtgcnn.data import read_file

X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
NAMES = np.array(["a", "b", "a", "b"])


def archive(path: Path, **members: bytes | np.ndarray[Any, Any]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            if not isinstance(content, bytes):
                buffer = io.BytesIO()
                np.save(buffer, content)
                name, content = f"{name}.npy", buffer.getvalue()
            file.writestr(name, content)
    return path


def beyond(order: str) -> np.ndarray[Any, Any]:
    names = NAMES.astype(f"{order}U2")
    points = names.view(np.dtype(np.uint32).newbyteorder(order)).copy()
    points[5] = 0x7FFFFFFF
    return points.view(names.dtype)


@pytest.mark.parametrize("name", ["x", "labels", "note"])
def test_a_member_that_is_no_array_is_named(tmp_path: Path, name: str) -> None:
    members: dict[str, Any] = {"x": X, "labels": NAMES}
    path = archive(tmp_path / "a.npz", **{**members, name: b"hello"})
    with pytest.raises(DataError, match=rf"a\.npz: '{name}': must be an array"):
        read_file(path)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", ["labels", "split", "group"])
def test_text_beyond_unicode_is_named(tmp_path: Path, name: str, order: str) -> None:
    members = {"x": X, "labels": NAMES, name: beyond(order)}
    path = archive(tmp_path / "a.npz", **members)
    message = rf"a\.npz: row 2 .*'{name}': must be Unicode, received the code point 0x7fffffff"
    with pytest.raises(DataError, match=message):
        read_file(path)


def test_names_of_other_byte_orders_are_read(tmp_path: Path) -> None:
    raw = read_file(archive(tmp_path / "a.npz", x=X, labels=NAMES.astype(">U3")))
    assert list(raw.labels or ()) == list(NAMES)


def test_a_column_whose_name_is_not_utf8_is_told_with_its_file(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"text": ["a", "b"], "label": ["x", "y"]}), path)
    path.write_bytes(path.read_bytes().replace(b"label", b"lab\xff\xfe"))
    with pytest.raises(DataError, match=r"a\.parquet: the names of columns must be UTF-8"):
        read_file(path)
