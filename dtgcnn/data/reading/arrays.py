"""Feature arrays: checking what they hold."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .field_names import check_columns
from .inputs import unmasked
from .raw import (
    TRIPLET_FIELDS,
    UNLABELLED,
    FloatArray,
    Kind,
    RawData,
    class_name,
    is_minus_one,
    label_name,
    tell_minus_one,
)
from .source import Source, shorten

__all__ = [
    "as_column",
    "as_features",
    "class_names",
    "column",
    "from_arrays",
    "is_layout",
]

_log = logging.getLogger("dtgcnn")

_LAYOUTS = (
    "x [, y [, labels]] [, split] [, group]",
    "train_x, train_y [, val_x, val_y] [, test_x, test_y] [, labels]",
    "anchor, positive, negative [, group]",
)
_PARTS = {"train_x", "train_y"}
_FLOATS = (np.float16, np.float32, np.float64)
_KNOWN = [set(re.findall(r"\w+", layout)) for layout in _LAYOUTS]
_SPLIT = r"train|test|val|valid|validation|dev"
_OTHER_NAMES = {
    r"features?|embeddings?|vectors?": r"x",
    r"targets?|label|class(?:es)?": r"y",
    rf"({_SPLIT})_(?:features?|embeddings?|vectors?)": r"\1_x",
    rf"({_SPLIT})_(?:labels?|targets?)": r"\1_y",
    rf"x_({_SPLIT})": r"\1_x",
    rf"y_({_SPLIT})": r"\1_y",
}
"""What arrays are called that others wrote, and what that is here."""


def from_arrays(
    source: Source,
    given: dict[str, NDArray[Any]],
    columns: Mapping[str, str] | None = None,
    *,
    owned: bool = False,
) -> RawData:
    """Check named arrays and bring them together; the names decide what they are, in any case.

    Args:
        source: names the origin in messages.
        given: arrays by name.
        columns: the names of those that are "text" (the vectors), "label", "split" or "group".
        owned: ``given`` and its arrays are nobody else's, and may be emptied and changed.

    Raises:
        DataError: the names fit no layout, or an array breaks a rule (see ``as_features``).
    """
    source, arrays = _ours(source, given, columns or {})
    names = ", ".join(given) or "none"
    if owned:
        given.clear()  # so that each array ends where it was read
    if set(TRIPLET_FIELDS) <= set(arrays):
        _report_unread(source, arrays, 2)
        return _triplets(source, arrays)
    if set(arrays) >= _PARTS:
        return _train_test(source, arrays, owned)
    if "x" not in arrays:
        raise source.error(f"needs the arrays {' or '.join(_LAYOUTS)}; found {names}")
    if "labels" in arrays and "y" not in arrays:
        if arrays["labels"].shape != arrays["x"].shape[:1]:
            raise source.error("names the classes that y counts, and there is no y", field="labels")
        arrays["y"] = arrays.pop("labels")
    _report_unread(source, arrays, 0)
    x = as_features(source, "x", arrays["x"], owned)
    labels = splits = groups = None
    if "y" in arrays:
        labels = _labels(source, "y", arrays["y"], len(x), arrays.get("labels"))
    if "split" in arrays:
        splits = column(source, "split", arrays["split"], len(x))
    if "group" in arrays:
        groups = column(source, "group", arrays["group"], len(x))
    kind: Kind = "texts" if labels is None else "labelled"
    rows = range(len(x))
    return RawData(kind, source, rows, features=x, labels=labels, splits=splits, groups=groups)


def is_layout(given: object) -> bool:
    """Whether these are arrays of several vectors a row, or a split, by the names of a layout."""
    if not isinstance(given, Mapping) or not all(
        isinstance(name, str) and isinstance(array, np.ndarray) for name, array in given.items()
    ):
        return False
    names = _ours(Source(""), given, {})[1]
    return any(
        set(names) >= layout and all(names[name].ndim == 2 for name in vectors)
        for layout, vectors in ((set(TRIPLET_FIELDS), TRIPLET_FIELDS), (_PARTS, ("train_x",)))
    )


def _ours(
    source: Source, given: Mapping[str, NDArray[Any]], columns: Mapping[str, str]
) -> tuple[Source, dict[str, NDArray[Any]]]:
    """The arrays by our names, and the source, which knows theirs."""
    chosen_as = {}
    check_columns(columns)
    for role, name in columns.items():
        if name not in given:
            raise source.error(f"there is no array {name!r}; found {', '.join(given) or 'none'}")
        chosen_as[name] = {"text": "x", "label": "y"}.get(role, role)
    lower = [name.lower() for name in given]
    names = dict(chosen_as)
    for name in given:
        if name in names:
            continue
        ours = name if lower.count(name.lower()) > 1 else name.lower()
        for pattern, own in _OTHER_NAMES.items():
            if found := re.fullmatch(pattern, ours):
                ours = found.expand(own)
        taken = ours in names.values() or (ours != name and ours in given)
        names[name] = name if taken else ours  # both are there: ours is that of our own name
    theirs = {ours: name for name, ours in names.items() if ours != name}
    return replace(source, names=theirs), {names[name]: array for name, array in given.items()}


def _report_unread(
    source: Source, arrays: Mapping[str, object], layout: int, more: Set[str] = frozenset()
) -> None:
    unread = [name for name in arrays if name not in _KNOWN[layout] | more]
    if unread:
        _log.warning(
            "%s: the arrays %s are not read; those that are read have the names %s",
            *(source.name, ", ".join(map(repr, unread)), _LAYOUTS[layout]),
        )


_CHECKED_ROWS = 8192
"""Rows that are looked over at once, so that it takes no memory to speak of."""


def as_features(source: Source, name: str, array: object, owned: bool = False) -> FloatArray:
    """``array`` as (N, D) float32, in its own memory where it is ``owned`` and has that form.

    Raises:
        DataError: it is no array of float16, float32 or float64, is not two-dimensional, is
            empty, or holds a number that is not finite in float32; names the first such row.
    """
    if not isinstance(array, np.ndarray) or array.dtype.newbyteorder("=") not in _FLOATS:
        received = array.dtype if isinstance(array, np.ndarray) else shorten(array)
        raise source.error(
            f"must be a float16, float32 or float64 array, received {received}", field=name
        )
    if array.ndim != 2 or 0 in array.shape:
        raise source.error(
            f"must have the shape (N, D), both at least 1, received {array.shape}", field=name
        )
    array = unmasked(array)
    with np.errstate(over="ignore", invalid="ignore"):
        features = np.ascontiguousarray(array, dtype=np.float32)
        if np.may_share_memory(features, array) and not (owned and features.flags.writeable):
            features = features.copy()
        # Adding 0 turns −0.0 into 0.0, so that equal rows have equal bytes.
        features += np.float32(0)
    for start in range(0, len(features), _CHECKED_ROWS):
        finite = np.isfinite(features[start : start + _CHECKED_ROWS]).all(axis=1)
        if finite.all():
            continue
        row = start + int(np.argmin(finite))
        value = array[row][~np.isfinite(features[row])][0]
        raise source.error(f"must be finite in float32, received {value}", row, name)
    return features


def _train_test(source: Source, arrays: dict[str, NDArray[Any]], owned: bool) -> RawData:
    parts: list[FloatArray] = []
    labels: list[str] = []
    splits: list[str] = []
    found = [split for split in _SPLIT.split("|") if f"{split}_x" in arrays]
    _report_unread(source, arrays, 1, {f"{split}_{own}" for split in found for own in "xy"})
    for split in found:
        part = as_features(source, f"{split}_x", arrays.pop(f"{split}_x"), owned)
        y = f"{split}_y"
        if y not in arrays:
            raise source.error(f"is missing, where there is {split}_x", field=y)
        labels += _labels(source, y, arrays[y], len(part), arrays.get("labels"))
        splits += [split] * len(part)
        parts.append(part)
    _check_widths(source, dict(zip((f"{split}_x" for split in found), parts, strict=True)))
    x = np.empty((len(splits), parts[0].shape[1]), np.float32)
    filled = len(x)
    while parts:  # from the last on, each ends once it is copied
        part = parts.pop()
        x[filled - len(part) : filled] = part
        filled -= len(part)
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
    groups = None
    if "group" in arrays:
        groups = column(source, "group", arrays["group"], count)
    x = rows[first]
    return RawData("triplets", source, range(count), features=x, triplets=triplets, groups=groups)


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
        return class_names(source, name, y, count)
    if y.dtype.kind not in "iu":
        raise source.error(f"must be integers, indices into labels, received {y.dtype}", field=name)
    names = column(source, "labels", labels, labels.size)
    seen: set[str] = set()
    for row, label in enumerate(names):
        if label in seen:
            raise source.error(f"must name a class once, received {label!r} again", row, "labels")
        seen.add(label)
    as_column(source, name, y, count)
    outside = (y < -1) | (y >= len(names))
    if outside.any():
        row = int(np.argmax(outside))
        message = f"must be between 0 and {len(names) - 1} (labels has {len(names)} names)"
        raise source.error(f"{message}, or -1 for none, received {y[row]}", row, name)
    return [UNLABELLED if i < 0 else names[i] for i in y]


def class_names(
    source: Source, name: str, values: NDArray[Any] | Sequence[Any], count: int
) -> list[str]:
    """One class name a row, see ``class_name``.

    Raises:
        DataError: there are not ``count`` values, or one is not finite or of another type.
    """
    values = as_column(source, name, values, count)
    names = _once(class_name(source, row, value, name) for row, value in enumerate(values))
    tell_minus_one(source, names, sum(map(is_minus_one, values)))
    return names


def column(
    source: Source, name: str, values: NDArray[Any] | Sequence[Any], count: int
) -> list[str]:
    """One name a row, from strings or numbers.

    Raises:
        DataError: there are not ``count`` values, or one is blank, not finite or of another type.
    """
    values = as_column(source, name, values, count)
    return _once(label_name(source, row, value, name) for row, value in enumerate(values))


def _once(names: Iterable[str]) -> list[str]:
    """One string per name, however often it occurs."""
    known: dict[str, str] = {}
    return [known.setdefault(name, name) for name in names]


def as_column(
    source: Source, name: str, values: NDArray[Any] | Sequence[Any], count: int
) -> NDArray[Any] | Sequence[Any]:
    """``values``, as a list where they are a column of pandas, polars or PyArrow.

    Raises:
        DataError: they are no sequence, array or column of shape (count,).
    """
    for method in ("to_pylist", "to_list"):
        if hasattr(values, method):
            values = getattr(values, method)()
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
    return values
