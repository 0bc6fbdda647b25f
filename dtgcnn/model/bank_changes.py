"""Rows that join a bank, or leave it, without training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import NamedTuple, TypeVar

from ..array import Array, ArrayOps, HostArray
from .bank import Bank

__all__ = ["Joining", "joined", "joining", "leaving", "listed_labels", "without"]

T = TypeVar("T")


class Joining(NamedTuple):
    """What joins a bank of some rows."""

    fresh: list[int]
    """Which of the rows are in the bank neither yet nor before in the list."""
    labels: list[int] | None
    """The classes of all rows of the new bank, −1 where it is not known; None where none is."""
    classes: list[str]
    """The names of the classes: those that there were, and after them new ones."""


def listed_labels(labels: Iterable[T]) -> list[T]:
    """Labels as a list; what gives them once is asked once.

    Raises:
        ValueError: they are one string, whose letters may be the names of other classes, or none.
    """
    if isinstance(labels, str) or not isinstance(labels, Iterable):
        raise ValueError(f"labels must be a list of names, received {labels!r}")
    return list(labels)


def joining(
    bank: Bank,
    classes: Sequence[str] | None,
    host_x: HostArray,
    told: HostArray,
    labels: Iterable[str | int | None] | None,
    places: Callable[[int], str] = "row {}".format,
) -> Joining:
    """Which rows (N, D) join a bank and what classes its rows have then.

    An equal row joins once. Where its class was not known, it becomes known.

    Args:
        bank: what they join.
        classes: the names of the classes of the bank's rows, None where they have none.
        host_x: the rows.
        told: (N,) which of them say anything; see ``DTGCNN.tells``.
        labels: their classes' names, None, NaN or −1 for a row whose class is not known; None for
            none known.
        places: what a row is called in a message.

    Raises:
        ValueError: there are not as many labels as rows, a row is zero, or a label is blank or
            contradicts that of an equal row.
    """
    from ..data import Source, class_name

    labels = [None] * len(host_x) if labels is None else listed_labels(labels)
    if len(labels) != len(host_x):
        raise ValueError(
            f"labels must be as many as the rows, received {len(labels)} for {len(host_x)}"
        )
    for row, given in enumerate(told):
        if not given:
            raise ValueError(
                f"{places(row)} has a zero vector, near to no row, as a text of which the encoder "
                "knows no word"
            )
    source = Source("rows that join", "row")
    names = list(classes or [])
    numbers = {name: number for number, name in enumerate(names)}
    known = [-1] * len(bank)
    if classes is not None and bank.labels is not None:
        known = list(bank.labels)
    fresh: dict[bytes, int] = {}
    rows: list[int] = []
    said: dict[int, int] = {}  # by place, the row that told its class
    for row, (place, label) in enumerate(zip(bank.rows_of(host_x), labels, strict=True)):
        if place < 0:
            place = fresh.setdefault(host_x[row].tobytes(), len(known))
            if place == len(known):
                known.append(-1)
                rows.append(row)
        if label is None:
            continue
        if not str(label).strip():
            raise ValueError(f"{places(row)}: a label must not be blank; None is a class not known")
        name = str(label) if str(label) in numbers else class_name(source, row, label, "labels")
        if not name:
            continue
        if name not in numbers:
            numbers[name] = len(names)
            names.append(name)
        if known[place] not in (-1, numbers[name]):
            other = places(said[place]) if place in said else f"row {place} of the bank"
            raise ValueError(
                f"{places(row)} is labelled {name!r}, and {other}, which is equal, "
                f"{names[known[place]]!r}"
            )
        if known[place] < 0:
            known[place], said[place] = numbers[name], row
    some = any(label >= 0 for label in known)
    return Joining(rows, known if some else None, names)


def joined(
    ops: ArrayOps,
    bank: Bank,
    host_x: HostArray,
    x: Array,
    gate: Array | None,
    labels: list[int] | None,
) -> Bank:
    """A bank of the rows of ``bank`` and after them ``host_x`` (N, D), no two equal.

    Args:
        ops: the backend.
        bank: the rows before, whose own ``x`` and ``gate`` are kept as they are.
        host_x, x, gate: the new rows, as ``Bank`` has them.
        labels: of all rows; see ``Bank``.
    """
    both = [ops.asarray(rows) for rows in (bank.host_x, host_x)]
    everything = ops.to_numpy(ops.concat(both)).astype("float32")
    gates = None
    if bank.gate is not None and gate is not None:
        gates = ops.concat([bank.gate, gate])
    return Bank(everything, ops.concat([bank.x, x]), gates, labels)


def leaving(
    bank: Bank, classes: Sequence[str], host_x: HostArray | None, names: Sequence[str]
) -> list[int]:
    """The rows of a bank, in ascending order, that are equal to one of ``host_x`` or of one of the
    classes ``names``.

    Raises:
        ValueError: there is no such class, or no row of the bank has one.
    """
    if names and classes and bank.labels is None:
        raise ValueError(
            "labels name classes whose rows leave, and no row of the bank has one, as of an index: "
            "give rows, or remove the classes of the model as it was trained"
        )
    labels = bank.labels or []
    gone = set() if host_x is None else {row for row in bank.rows_of(host_x) if row >= 0}
    for name in names:
        if not classes:
            raise ValueError(f"the model knows no classes, so none is {name!r}")
        if name not in classes:
            if not isinstance(name, str):
                raise ValueError(f"labels must be names of classes, which are texts: {name!r}")
            near = get_close_matches(name, classes, 3, 0.5)
            hint = f"; like it: {', '.join(map(repr, near))}" if near else ""
            raise ValueError(f"there is no class {name!r} among {len(classes)}{hint}")
        number = list(classes).index(name)
        gone |= {row for row, label in enumerate(labels) if label == number}
    return sorted(gone)


def without(ops: ArrayOps, bank: Bank, gone: Sequence[int], k: int) -> Bank:
    """A bank of the other rows.

    Raises:
        ValueError: too few of them are left for ``k`` neighbours each.
    """
    out = set(gone)
    kept = [row for row in range(len(bank)) if row not in out]
    if len(kept) < k + 1:
        raise ValueError(
            f"of the bank's {len(bank):,} rows {k + 1} or more must stay, for {k} neighbours each "
            f"(graph_k_neighbors); without these {len(out):,} there are {len(kept):,}"
        )
    rows = ops.asarray(kept, "int32")
    gate = None if bank.gate is None else ops.take(bank.gate, rows)
    labels = [-1 if bank.labels is None else bank.labels[row] for row in kept]
    some = any(label >= 0 for label in labels)
    return Bank(bank.host_x[kept], ops.take(bank.x, rows), gate, labels if some else None)
