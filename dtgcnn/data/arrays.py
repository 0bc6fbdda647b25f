"""Feature arrays: reading .npy, .npz and .safetensors, and checking what they hold."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load as load_safetensors

from .errors import Source, shorten
from .raw import FloatArray, Kind, RawData, label_name

__all__ = [
    "as_features",
    "check_length",
    "column",
    "from_arrays",
    "read_npy",
    "read_npz",
    "read_safetensors",
]

_LAYOUTS = (
    "x [, y [, labels]] [, split]",
    "train_x, train_y, test_x, test_y [, labels]",
    "anchor, positive, negative",
)


def read_npy(source: Source, data: bytes) -> RawData:
    """Features from the bytes of a .npy file."""
    array = _load_numpy(source, data)
    if not isinstance(array, np.ndarray):
        raise source.error("is a .npz archive, so its suffix must be .npz")
    return from_arrays(source, {"x": array})


def read_npz(source: Source, data: bytes) -> RawData:
    """Features, labels or triplets from the bytes of a .npz file."""
    arrays = _load_numpy(source, data)
    if isinstance(arrays, np.ndarray):
        raise source.error("is a single .npy array, so its suffix must be .npy")
    return from_arrays(source, arrays)


def read_safetensors(source: Source, data: bytes) -> RawData:
    """Features, labels or triplets from the bytes of a .safetensors file.

    The format has no strings: ``labels`` and ``split`` are JSON lists in its metadata.
    """
    try:
        arrays: dict[str, NDArray[Any]] = dict(load_safetensors(data))
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size]).get("__metadata__", {})
        for name in {"labels", "split"} & set(metadata):
            arrays[name] = np.array(json.loads(metadata[name]), dtype=np.str_)
    except Exception as error:  # whatever damaged bytes provoke inside the parser
        raise source.error(f"is not a readable .safetensors file: {error}") from None
    return from_arrays(source, arrays)


def _load_numpy(source: Source, data: bytes) -> Any:
    """The array of a .npy file, or the arrays by name of a .npz file."""
    try:
        content = np.load(io.BytesIO(data), allow_pickle=False)
        return content if isinstance(content, np.ndarray) else dict(content)
    except Exception as error:  # NumPy raises seven kinds of error on damaged bytes
        raise source.error(f"is not a readable NumPy file: {error}") from None


def from_arrays(source: Source, arrays: Mapping[str, NDArray[Any]]) -> RawData:
    """Check named arrays and bring them together; the names decide what they are.

    Raises:
        DataError: the names fit no layout, or an array breaks a rule (see ``as_features``).
    """
    if {"anchor", "positive", "negative"} <= set(arrays):
        return _triplets(source, arrays)
    if {"train_x", "train_y", "test_x", "test_y"} <= set(arrays):
        return _train_test(source, arrays)
    if "x" not in arrays:
        raise source.error(
            f"needs the arrays {' or '.join(_LAYOUTS)}; found {', '.join(arrays) or 'none'}"
        )
    x = as_features(source, "x", arrays["x"])
    labels = splits = None
    if "y" in arrays:
        labels = _labels(source, "y", arrays["y"], len(x), arrays.get("labels"))
    if "split" in arrays:
        splits = column(source, "split", arrays["split"], len(x))
    kind: Kind = "texts" if labels is None else "labelled"
    return RawData(kind, source, range(len(x)), features=x, labels=labels, splits=splits)


def as_features(source: Source, name: str, array: object) -> FloatArray:
    """``array`` as (N, D) float32.

    Raises:
        DataError: it is no array of float16, float32 or float64, is not two-dimensional, is
            empty, or holds a number that is not finite in float32; names the first such row.
    """
    if not isinstance(array, np.ndarray) or array.dtype not in (np.float16, np.float32, np.float64):
        received = array.dtype if isinstance(array, np.ndarray) else shorten(array)
        raise source.error(
            f"must be a float16, float32 or float64 array, received {received}", field=name
        )
    if array.ndim != 2 or 0 in array.shape:
        raise source.error(
            f"must have the shape (N, D), both at least 1, received {array.shape}", field=name
        )
    with np.errstate(over="ignore"):
        # Adding 0 turns −0.0 into 0.0, so that equal rows have equal bytes.
        features = np.ascontiguousarray(array, dtype=np.float32) + np.float32(0)
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        value = array[row][~np.isfinite(features[row])][0]
        raise source.error(f"must be finite in float32, received {value}", row, name)
    return features


def _train_test(source: Source, arrays: Mapping[str, NDArray[Any]]) -> RawData:
    parts: list[FloatArray] = []
    labels: list[str] = []
    splits: list[str] = []
    for split in ("train", "test"):
        part = as_features(source, f"{split}_x", arrays[f"{split}_x"])
        y = f"{split}_y"
        labels += _labels(source, y, arrays[y], len(part), arrays.get("labels"))
        splits += [split] * len(part)
        parts.append(part)
    _check_widths(source, dict(zip(("train_x", "test_x"), parts, strict=True)))
    x = np.concatenate(parts)
    return RawData("labelled", source, range(len(x)), features=x, labels=labels, splits=splits)


def _triplets(source: Source, arrays: Mapping[str, NDArray[Any]]) -> RawData:
    roles = {n: as_features(source, n, arrays[n]) for n in ("anchor", "positive", "negative")}
    _check_widths(source, roles)
    count = len(roles["anchor"])
    for name, part in roles.items():
        if len(part) != count:
            raise source.error(
                f"must have as many rows as anchor, {count}, received {len(part)}", field=name
            )
    # Equal rows are one item, numbered by first appearance along the triplets.
    rows = np.stack(list(roles.values()), axis=1).reshape(3 * count, -1)
    index: dict[bytes, int] = {}
    items = np.array([index.setdefault(row.tobytes(), len(index)) for row in rows], np.int64)
    triplets = items.reshape(count, 3)
    same = (triplets[:, :2] == triplets[:, 2:]).any(axis=1)
    if same.any():
        message = "must differ from the anchor and the positive, received an equal row"
        raise source.error(message, int(np.argmax(same)), "negative")
    first = np.unique(items, return_index=True)[1]
    return RawData("triplets", source, range(count), features=rows[first], triplets=triplets)


def _check_widths(source: Source, parts: Mapping[str, FloatArray]) -> None:
    widths = {name: part.shape[1] for name, part in parts.items()}
    if len(set(widths.values())) > 1:
        listed = ", ".join(f"{name} {width}" for name, width in widths.items())
        raise source.error(f"arrays must have equal widths, received {listed}")


def _labels(
    source: Source, name: str, y: NDArray[Any], count: int, labels: NDArray[Any] | None
) -> list[str]:
    """Class names of ``y``: its own values, or the ``labels`` that it counts."""
    if labels is None:
        return column(source, name, y, count)
    if y.dtype.kind not in "iu":
        raise source.error(f"must be integers, indices into labels, received {y.dtype}", field=name)
    names = column(source, "labels", labels, labels.size)
    check_length(source, name, y, count)
    outside = (y < 0) | (y >= len(names))
    if outside.any():
        row = int(np.argmax(outside))
        message = f"must be between 0 and {len(names) - 1} (labels has {len(names)} names)"
        raise source.error(f"{message}, received {y[row]}", row, name)
    return [names[i] for i in y]


def column(
    source: Source, name: str, values: NDArray[Any] | Sequence[Any], count: int
) -> list[str]:
    """One name a row, from strings or numbers.

    Raises:
        DataError: there are not ``count`` values, or one is blank, not finite or of another type.
    """
    check_length(source, name, values, count)
    return [label_name(source, row, value, name) for row, value in enumerate(values)]


def check_length(source: Source, name: str, values: object, count: int) -> None:
    """Raise ``DataError`` unless ``values`` is a sequence or array of shape (count,)."""
    if isinstance(values, np.ndarray):
        shape = values.shape
    elif isinstance(values, Sequence) and not isinstance(values, str):
        shape = (len(values),)
    else:
        raise source.error(f"must be a list or an array, received {shorten(values)}", field=name)
    if shape != (count,):
        raise source.error(
            f"must be one value a row, shape ({count},), received shape {shape}", field=name
        )
