"""The data doctor: what a file holds, and what in it will trouble training or its figures."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..config import TEMPLATES, suggest, template_of
from ..errors import DataError
from .batches.loader import make_loaders, usual_split
from .dataset import TripletDataset
from .reading.equality import components, equal_groups
from .reading.raw import UNLABELLED, IntArray, RawData, listed
from .reading.readers import read_file
from .reading.shapes import Columns

__all__ = ["Examination", "Finding", "examine"]

Level: TypeAlias = Literal["fault", "warning"]

FEW = 4
"""Rows that a class needs to fill its share of a batch."""
RARE = 0.1
"""A class of a smaller share of the median class's rows is nearly empty."""
UNEVEN = 20.0
"""The largest class is so many times the smallest, where classes are uneven."""
MAIN_SCRIPT = 0.95
"""The share of texts in one script from which texts in others stand out."""
MOST_TOGETHER = 10
"""Equal rows that one place names."""
BATCHES = 20
"""Batches that are looked at for what a batch holds."""
SHOWN = 5
"""Pairs of names in a line."""

_APART = re.compile(r"[\s_-]+")


@dataclass(frozen=True)
class Finding:
    """Something that will trouble training or its figures.

    Attributes:
        level: ``"fault"`` where figures would be wrong, else ``"warning"``.
        rule: its kind, in one word or two.
        message: what was found, and what it does.
        places: the rows that it was found at, as messages name them.
        unnamed: how many more there are.
    """

    level: Level
    rule: str
    message: str
    places: tuple[str, ...] = ()
    unnamed: int = 0


@dataclass
class Examination:
    """What there is in a file, and what was found.

    Attributes:
        source: the file.
        kind: as ``TripletDataset.kind``.
        figures: counts by name, for people and programs.
        findings: faults first.
    """

    source: str
    kind: str
    figures: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def faults(self) -> list[Finding]:
        """What would make figures wrong."""
        return [finding for finding in self.findings if finding.level == "fault"]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON's types."""
        findings = [{**vars(f), "places": list(f.places)} for f in self.findings]
        own = {"source": self.source, "kind": self.kind, "faults": len(self.faults)}
        return {**own, "figures": self.figures, "findings": findings}


def examine(
    path: str | PathLike[str] | RawData, batch_size: int = 128, columns: Columns | None = None
) -> Examination:
    """Look a file of training data over.

    Equal texts are those that differ only in case and white space; equal vectors, bit by bit.

    Args:
        path: of any kind that ``read_file`` reads; or what it gave.
        batch_size: rows, or triplets, of the batches whose triplets are counted.
        columns: as of ``read_file``.

    Raises:
        DataError: it cannot be read.
    """
    raw = path if isinstance(path, RawData) else read_file(path, columns=columns)
    found = Examination(raw.source.name, raw.kind)
    same = equal_groups(raw.texts, raw.features)
    found.figures = _columns(raw)
    found.figures |= {"items": len(same), "distinct items": int(same.max()) + 1}
    if raw.triplets is not None:
        found.figures["triplets"] = len(raw.triplets)
        found.findings += _of_triplets(raw, same)
    if raw.splits is not None:
        found.figures["splits"] = dict(sorted(Counter(raw.splits).items()))
        found.findings += _leaks(raw, same, raw.splits)
    if raw.labels is not None:
        found.figures["classes"] = _sizes(raw, raw.labels)
        unlabelled = raw.labels.count(UNLABELLED)
        if unlabelled:
            found.figures["unlabelled items"] = unlabelled
        found.findings += _of_classes(raw, same, raw.labels)
        found.findings += _like_names(raw, raw.labels)
    if raw.triplets is None:
        found.findings += _duplicates(raw, same)
    if raw.texts is not None:
        found.figures |= {"words": _lengths(raw.texts)}
        scripts = [_script(text) for text in raw.texts]
        found.figures["scripts"] = dict(Counter(scripts).most_common())
        found.findings += _other_scripts(raw, scripts)
    else:
        found.findings += _zero_vectors(raw)
    _try_batches(found, raw, batch_size)
    found.findings.sort(key=lambda finding: finding.level != "fault")
    return found


def _columns(raw: RawData) -> dict[str, Any]:
    """The file's columns that are read, with what they are where they are called otherwise, and
    those that are not."""
    names, unread = raw.source.names, raw.source.unread
    read = [name if name == role else f"{name} ({role})" for role, name in names.items()]
    figures: dict[str, Any] = {"columns": listed(read)} if read else {}
    return figures | ({"not read": listed(unread)} if unread else {})


def _places(raw: RawData, rows: Iterable[int]) -> tuple[str, ...]:
    return tuple(raw.source.place(raw.rows[row]) for row in rows)


def _groups(same: IntArray) -> Iterator[IntArray]:
    """The items of each group of two or more equal ones."""
    order = np.argsort(same, kind="stable")
    ends = np.flatnonzero(np.diff(same[order])) + 1
    return (rows for rows in np.split(order, ends) if len(rows) > 1)


def _is_train(split: str) -> bool:
    return split.casefold().startswith("train")


def _leaks(raw: RawData, same: IntArray, splits: list[str]) -> Iterator[Finding]:
    """Rows that are measured, and trained on too. Rows without a label are not measured, and
    training leaves out those that are equal to one that is."""
    labels = raw.labels or ["known"] * len(same)
    leaked: list[tuple[int, int]] = []
    copies: list[tuple[int, int]] = []
    for rows in _groups(same):
        train = [int(row) for row in rows if _is_train(splits[row])]
        twins = sorted(train, key=lambda row: not labels[row])[:1]
        for row, twin in ((int(row), twin) for row in rows for twin in twins):
            if not _is_train(splits[row]):
                (leaked if labels[row] and labels[twin] else copies).append((row, twin))
    shown = [
        tuple(" and ".join(_places(raw, pair)) for pair in sorted(p)) for p in (leaked, copies)
    ]
    if leaked:
        message = f"{len(leaked)} rows outside of train are equal to a row of train"
        yield Finding("fault", "leak", message, shown[0])
    if copies:
        message = (
            f"{len(copies)} rows outside of train are equal to a row of train, one of both without "
            "a label: those of train are left out of training where the other is measured"
        )
        yield Finding("warning", "unlabelled copies", message, shown[1])


def _of_classes(raw: RawData, same: IntArray, labels: list[str]) -> Iterator[Finding]:
    known = ([row for row in rows if labels[row]] for rows in _groups(same))
    told = [rows for rows in known if len({labels[row] for row in rows}) > 1]
    if told:
        message = f"{len(told)} items have more than one label"
        shown = tuple(_with_labels(raw, labels, rows) for rows in told)
        yield Finding("fault", "contradictory labels", message, shown)
    train = [row for row in _training_rows(raw) if labels[row]]
    counts = Counter(labels[row] for row in train)
    if not counts:
        return
    median = float(np.median(list(counts.values())))
    few = {name: n for name, n in counts.items() if n < max(FEW, RARE * median)}
    if few:
        rows = [row for row in train if labels[row] in few]
        some = listed(sorted(few), few)
        message = f"{len(few)} classes have few rows to train on, the median {median:g}: {some}"
        yield Finding("warning", "small classes", message, _places(raw, rows))
    ratio = max(counts.values()) / min(counts.values())
    if ratio > UNEVEN:
        message = f"the largest class has {ratio:.0f} times the rows of the smallest"
        yield Finding("warning", "uneven classes", message)
    untrained = sorted(set(labels) - {UNLABELLED} - counts.keys())
    if untrained:
        message = f"{len(untrained)} classes have no row to train on: {listed(untrained)}"
        yield Finding("warning", "untrained classes", message)


def _like_names(raw: RawData, labels: list[str]) -> Iterator[Finding]:
    """Classes whose names may be one that is written in two ways; the rows are those of the rarer
    way."""
    counts = Counter(filter(None, labels))
    usual: dict[str, str] = {}
    odd: dict[str, str] = {}
    for name, _ in counts.most_common():
        first = usual.setdefault(_APART.sub(" ", name.casefold()), name)
        if first != name:
            odd[name] = first
    if odd:
        pairs = [f"{listed([name])} and {listed([first])}" for name, first in sorted(odd.items())]
        message = (
            f"{len(odd)} classes have a name that is another one's but for case, spaces, hyphens "
            f"or underscores: {'; '.join(pairs[:SHOWN] + ['…'] * (len(pairs) > SHOWN))}"
        )
        rows = (row for row, label in enumerate(labels) if label in odd)
        yield Finding("warning", "like names", message, _places(raw, rows))


def _with_labels(raw: RawData, labels: list[str], rows: list[int]) -> str:
    """The places of equal rows and their labels; of many, one of each label at most."""
    kept = rows
    if len(rows) > MOST_TOGETHER:
        kept = list({labels[row]: row for row in reversed(rows)}.values())[::-1][:MOST_TOGETHER]
    shown = [f"{p} ({labels[row]})" for p, row in zip(_places(raw, kept), kept, strict=True)]
    more = [f"{len(rows) - len(kept)} more"] if len(kept) < len(rows) else []
    return " and ".join([*shown, *more])


def _duplicates(raw: RawData, same: IntArray) -> Iterator[Finding]:
    """Equal rows within a split and a class, which are no pair to learn from."""
    splits, labels = raw.splits or [""] * len(same), raw.labels or [""] * len(same)
    again = []
    for rows in _groups(same):
        seen: set[tuple[bool, str]] = set()
        for row in rows:
            key = (_is_train(splits[row]), labels[row])
            if key in seen:
                again.append(int(row))
            seen.add(key)
    if again:
        message = f"{len(again)} rows repeat an earlier one of their split and class"
        yield Finding("warning", "duplicates", message, _places(raw, sorted(again)))


def _of_triplets(raw: RawData, same: IntArray) -> Iterator[Finding]:
    assert raw.triplets is not None
    folded = same[raw.triplets]
    first: dict[tuple[int, ...], int] = {}
    again, reversed_, trivial = [], [], []
    for t, (a, p, n) in enumerate(folded.tolist()):
        if (a, p, n) in first:
            again.append(t)
        first.setdefault((a, p, n), t)
        if (a, n, p) in first:
            reversed_.append((first[a, n, p], t))
        if a == p:
            trivial.append(t)
    if reversed_:
        shown = tuple(" and ".join(_places(raw, pair)) for pair in reversed_)
        message = f"{len(reversed_)} triplets say the opposite of an earlier one"
        yield Finding("fault", "contradictory triplets", message, shown)
    joined = components(raw.triplets[:, :2], len(same))
    within = np.flatnonzero(joined[raw.triplets[:, 0]] == joined[raw.triplets[:, 2]])
    if len(within):
        message = f"{len(within)} triplets have a negative that positives join to their anchor"
        yield Finding("fault", "joined negatives", message, _places(raw, within))
    for rule, rows, what in (
        ("duplicates", again, "repeat an earlier one"),
        ("equal positives", trivial, "have a positive equal to their anchor"),
    ):
        if rows:
            message = f"{len(rows)} triplets {what}"
            yield Finding("warning", rule, message, _places(raw, rows))


def _training_rows(raw: RawData) -> list[int]:
    splits = raw.splits
    return [row for row in range(len(raw.rows)) if splits is None or _is_train(splits[row])]


def _sizes(raw: RawData, labels: list[str]) -> dict[str, Any]:
    train = (labels[row] for row in _training_rows(raw))
    counts = Counter(filter(None, train)) or Counter(filter(None, labels))
    sizes = np.array(list(counts.values()))
    small, large = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    return {
        "count": len(set(filter(None, labels))),
        "smallest": {"name": small, "rows": counts[small]},
        "median": float(np.median(sizes)),
        "largest": {"name": large, "rows": counts[large]},
    }


def _lengths(texts: list[str]) -> dict[str, float]:
    words: NDArray[Any] = np.array([len(text.split()) for text in texts])
    marks = {"least": 0, "median": 50, "95 %": 95, "most": 100}
    return {name: float(np.percentile(words, mark)) for name, mark in marks.items()}


def _script(text: str) -> str:
    """The script that most letters of a text are in, by their Unicode names, if it has any."""
    names = (unicodedata.name(letter, "OTHER") for letter in text if letter.isalpha())
    counts = Counter(name.split()[0] for name in names)
    return max(counts, key=counts.__getitem__).capitalize() if counts else "no letters"


def _other_scripts(raw: RawData, scripts: list[str]) -> Iterator[Finding]:
    (main, count), *others = Counter(scripts).most_common()
    if others and count >= MAIN_SCRIPT * len(scripts) and raw.triplets is None:
        rows = [row for row, script in enumerate(scripts) if script != main]
        listed = ", ".join(f"{name} {n}" for name, n in others)
        message = f"{len(rows)} texts are not in the script of the others, {main}: {listed}"
        yield Finding("warning", "other scripts", message, _places(raw, rows))


def _zero_vectors(raw: RawData) -> Iterator[Finding]:
    assert raw.features is not None
    rows = np.flatnonzero(~raw.features.any(axis=1))
    if len(rows) and raw.triplets is None:
        message = f"{len(rows)} vectors are zero: they have no direction and no neighbours"
        yield Finding("warning", "zero vectors", message, _places(raw, rows))


def _try_batches(found: Examination, raw: RawData, batch_size: int) -> None:
    """What a batch holds, and the template; or why there is none."""
    try:
        dataset = TripletDataset._from_raw(raw)
        share = usual_split(dataset)  # as ``dtgcnn train`` divides
        notes: dict[str, str] = {}
        loader, _ = make_loaders(dataset, batch_size, share, 0, 4, notes=notes)
        found.findings += [Finding("warning", *note) for note in notes.items()]
        valid = [batch.valid_triplets for batch, _ in zip(loader.batches(0), range(BATCHES))]
    except DataError as error:
        message = str(error).removeprefix(f"{raw.source.name}: ")
        found.findings.append(Finding("fault", "not trainable", message))
        return
    rows = len(dataset.training_rows())
    template = template_of(rows)
    found.figures["batch"] = {
        "size": batch_size,
        "valid triplets": float(np.mean(valid)) if valid else 0.0,
        "batches an epoch": len(loader),
    }
    found.figures["template"] = next(k for k, v in TEMPLATES.items() if v is template)
    found.figures["suggested"] = suggest(rows, len(loader))
