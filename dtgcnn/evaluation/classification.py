"""How well a model tells classes: class by class, by how sure it is, and by what it refuses."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data import check_items, progress_bar
from ..errors import needing
from ..model import Classifier, check_embedder
from .calibration import expected_calibration_error
from .layout import table_lines

if TYPE_CHECKING:
    from ..array import HostArray
    from ..data import Items
    from ..model import Answers

__all__ = ["Classification", "classification", "measure_classes"]

RATES = (0.01, 0.05, 0.1, 0.2)
"""Shares of the held-out rows that thresholds are to refuse."""

SHOWN, SHOWN_PAIRS = 10, 5
"""Classes, the worst by F1, and pairs of them, the most confused, in the table for people."""


@dataclass(frozen=True)
class Classification:
    """Figures of the rows whose class the model knows.

    Attributes:
        rows: how many there are.
        unknown: rows of classes that the model does not know, which count in ``coverage`` alone.
        accuracy: the share that is told right.
        calibration_error: see ``expected_calibration_error``.
        classes: precision, recall, F1 and rows (``support``) of each class by name; of a class that
            is neither there nor told they are 0.
        confused: pairs of another class told than the row has, the most frequent first: what it has
            (``label``), what was told (``predicted``), and how often (``rows``).
        coverage: for each of some rates (``reject``) the share of rows that is answered
            (``coverage``), how many of these are told right (``accuracy``), and the share of
            ``unknown`` rows that is refused (``unknown_refused``). Empty of a model without
            held-out rows.
    """

    rows: int
    unknown: int
    accuracy: float
    calibration_error: float
    classes: dict[str, dict[str, float]]
    confused: list[dict[str, Any]]
    coverage: list[dict[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """All figures, for machines."""
        return asdict(self)

    def table(self) -> str:
        """The worst classes, the most confused pairs, and what is gained by refusing, in percent,
        for people."""
        there = {name: own for name, own in self.classes.items() if own["support"]}
        worst = sorted(there, key=lambda name: (there[name]["f1"], name))[:SHOWN]
        of = f"{len(worst)} worst of {len(there)} classes" if len(there) > SHOWN else "classes"
        rows = [[of, "precision", "recall", "F1", "rows"]]
        for name in worst:
            own = there[name]
            shares = [f"{100 * own[key]:.1f}" for key in ("precision", "recall", "f1")]
            rows.append([name, *shares, f"{own['support']:.0f}"])
        parts = [
            f"{100 * self.accuracy:.1f}% of {self.rows:,} rows told right, expected calibration "
            f"error {100 * self.calibration_error:.1f}%"
            + (f"; {self.unknown:,} more of classes that are not known" if self.unknown else ""),
            "\n".join(table_lines(rows)),
        ]
        if self.confused:
            pairs = [[str(value) for value in pair.values()] for pair in self.confused]
            confused = [["confused", "told as", "rows"], *pairs[:SHOWN_PAIRS]]
            parts.append("\n".join(table_lines(confused)))
        if self.coverage:
            names = ["reject", "coverage", "accuracy"]
            names += ["unknown_refused"] if self.unknown else []
            heads = [name.replace("_", " ") for name in names]
            found = [[f"{100 * own[name]:.1f}" for name in names] for own in self.coverage]
            parts.append("\n".join(table_lines([heads, *found])))
        return "\n\n".join(parts)


def classification(
    answers: Answers,
    labels: Sequence[str],
    thresholds: dict[float, float] | None = None,
    told_classes: Set[str] | None = None,
) -> Classification:
    """Figures of answers to rows of known ``labels`` (N,); ``thresholds`` are those of rates, and
    ``told_classes`` the classes that the model may tell, all of the answers' where None.

    Raises:
        MissingExtraError: scikit-learn is not installed.
        ValueError: no row is of a class that the model knows.
    """
    with needing("figures of classes need scikit-learn", "text"):
        from sklearn.metrics import precision_recall_fscore_support
    numbers = {
        name: number
        for number, name in enumerate(answers.classes)
        if told_classes is None or name in told_classes
    }
    truth = np.array([numbers.get(name, -1) for name in labels], np.int64)
    known = truth >= 0
    if not known.any():
        raise ValueError("no row is of a class that the model knows")
    told, sure = np.asarray(answers.best)[:, 0], np.asarray(answers.sure)[:, 0]
    right = told == truth
    scores = precision_recall_fscore_support(
        truth[known], told[known], labels=list(numbers.values()), zero_division=0.0
    )
    names = ("precision", "recall", "f1", "support")
    classes = {
        name: {key: float(column[place]) for key, column in zip(names, scores, strict=True)}
        for place, name in enumerate(numbers)
    }
    pairs = np.stack([truth, told], axis=1)[known & ~right]
    both, counts = np.unique(pairs, axis=0, return_counts=True)  # not classes × classes
    confused = [
        {
            "label": answers.classes[both[place, 0]],
            "predicted": answers.classes[both[place, 1]],
            "rows": int(counts[place]),
        }
        for place in np.argsort(-counts, kind="stable")
    ]
    return Classification(
        int(known.sum()),
        int((~known).sum()),
        float(right[known].mean()),
        expected_calibration_error(sure[known], right[known]),
        classes,
        confused,
        [_covered(answers, known, right, *pair) for pair in (thresholds or {}).items()],
    )


def measure_classes(
    model: Classifier, dataset: Items, *, progress: bool = False
) -> Classification | None:
    """Figures of a model on the rows "test" of labelled data, or else on those of a split for
    validation, or where they have no such split, on the rows that the model's bank does not hold.
    With ``progress`` there is a bar, where standard error is a terminal.

    Returns:
        None where the data have no labels, the model knows no classes, or there is no such row of
        a class that it knows.

    Raises:
        MissingExtraError: scikit-learn is not installed.
    """
    check_embedder(model)
    check_items("dataset", dataset)
    names, labels = dataset.label_names, dataset.labels
    if names is None or labels is None or not model.knows_classes:
        return None
    vectors = model.vectors(dataset.inputs)
    test, _ = dataset.held_out_items()
    held = model.bank_rows_of(vectors)
    rows = test if len(test) else [row for row, place in enumerate(held) if place < 0]
    rows = [row for row in rows if labels[row] >= 0]
    own = dataset.names_of(rows)
    classes = model.told_classes()
    if not set(own) & classes:
        return None
    try:
        thresholds = {rate: model.threshold(rate) for rate in RATES}
    except ValueError:  # no rows were held out
        thresholds = {}
    with progress_bar("telling classes", 1, progress):
        return classification(model.answers(vectors[rows]), own, thresholds, classes)


def _covered(
    answers: Answers, known: HostArray, right: HostArray, rate: float, threshold: float
) -> dict[str, float]:
    kept = np.asarray(answers.scores) >= threshold
    both = kept & known
    return {
        "reject": rate,
        "coverage": float(kept[known].mean()),
        "accuracy": float(right[both].mean()) if both.any() else 0.0,
        "unknown_refused": float((~kept[~known]).mean()) if (~known).any() else 0.0,
    }
