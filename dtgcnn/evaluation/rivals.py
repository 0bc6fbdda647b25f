"""What one would try instead of training, on the same rows: classifiers of the input vectors."""

from __future__ import annotations

import math
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..array import give_freed_memory_back, one_thread
from ..model import ChosenRows
from .layout import table_lines
from .metrics import COUNTS, Units, unit_rows
from .projection import stratified_sample

__all__ = ["Rivals", "measure_rivals"]

INPUT, TRAINED = "input", "trained"
VIEWS = {INPUT: "input vectors", TRAINED: "embedding"}
PREDICT, KNN, CENTROID = "predict", "10-NN", "nearest centroid"
LOGISTIC, DISCRIMINANT = "logistic regression", "linear discriminant analysis"

Floats = npt.NDArray[np.float64]

_MOST_ROWS = 10_000
_MOST_WORK = 2_000_000_000  # some 10 to 30 s on one core
_BLOCK_ROWS = 2048  # asked for at a time
_HEADS = {
    (1, 1): "Training paid",
    (1, 0): "Training paid for telling classes, not for ranking",
    (1, -1): "Training paid for telling classes and cost the ranking",
    (0, 1): "Training paid for ranking, not for telling classes",
    (0, 0): "Training changed little",
    (-1, 1): "Training did not pay for telling classes, for ranking it did",
    **dict.fromkeys([(0, -1), (-1, 0), (-1, -1)], "Training did not pay"),
}
"""How what the model tells, or 10-NN on the embedding where it tells no classes, stands to the best
rival, and its MAP@R to the input's."""


@dataclass(frozen=True)
class Rivals:
    """Shares of the queries whose class was found, each way but the model's ``predict`` fitted on
    gallery rows.

    Attributes:
        queries: how many rows were classified: those whose class has a gallery row.
        gallery, fitted: rows of the gallery, and how many of them were fitted on; 10-NN sees
            all of them.
        accuracy: on ``"input"`` and ``"trained"``, shares by the way's name.
        left_out: ways that gave no figure, and why.
        verdict: whether training paid, in words.
    """

    queries: int
    gallery: int
    fitted: int
    accuracy: dict[str, dict[str, float]]
    left_out: dict[str, str]
    verdict: str

    def table(self) -> str:
        """The accuracies in percent, what there is to say of them, and the verdict."""
        lines = table_lines(self.rows())
        wrapped = textwrap.fill(self.verdict, 96, break_on_hyphens=False)
        said = self.notes()
        return "\n".join([*lines, "", *said, *([""] if said else []), wrapped])

    def rows(self) -> list[tuple[str, ...]]:
        """The cells of the table, its heads first."""
        ways = (PREDICT, KNN, CENTROID, LOGISTIC, DISCRIMINANT)
        names = [name for name in ways if self._cells(name)]
        return [("classes by", VIEWS[INPUT], TRAINED), *((n, *self._cells(n)) for n in names)]

    def notes(self) -> list[str]:
        """What there is to say of the table: ways that are missing, and rows."""
        said = [f"without {way}: {why}" for way, why in self.left_out.items()]
        if self.fitted < self.gallery:
            others = " and ".join(name for name in (PREDICT, KNN) if self._cells(name))
            said.append(
                f"all but {others} fitted on {self.fitted:,} of the {self.gallery:,} rows, drawn "
                "in proportion to their classes"
            )
        return said

    def to_dict(self) -> dict[str, Any]:
        """The figures, for machines; the verdict is apart."""
        names = ("queries", "gallery", "fitted", "accuracy", "left_out")
        return {name: getattr(self, name) for name in names}

    def _cells(self, name: str) -> tuple[str, ...]:
        values = [self.accuracy[view].get(name) for view in (INPUT, TRAINED)]
        if values == [None, None]:
            return ()
        return tuple("-" if value is None else f"{100 * value:.1f}" for value in values)


def measure_rivals(
    queries: Sequence[npt.ArrayLike | ChosenRows],
    query_labels: npt.ArrayLike,
    gallery: Sequence[npt.ArrayLike | ChosenRows],
    gallery_labels: npt.ArrayLike,
    metrics: tuple[Mapping[str, float], Mapping[str, float]],
    predicted: float | None = None,
    max_rows: int = _MOST_ROWS,
) -> Rivals:
    """Classify queries by what was fitted on the gallery, with scikit-learn where it is installed.

    Each pair is of the input vectors and of the embedding; rows are brought to unit length.
    Logistic regression (C = 10) and linear discriminant analysis (each class's covariance shrunk
    by Ledoit & Wolf 2004) see the input vectors alone. 10-NN is the ``knn@10`` of the metrics.

    Args:
        queries: (Q, D) rows each; those whose class has no gallery row are left out, as in metrics.
        query_labels: (Q,) classes.
        gallery: (G, D) rows each.
        gallery_labels: (G,) classes.
        metrics: what ``retrieval_metrics`` gives of both.
        predicted: the share of the queries whose class the model's own ``predict`` tells.
        max_rows: the most gallery rows to fit on, drawn in proportion to their classes.

    Raises:
        ValueError: rows are not 2-D or not finite, or ``max_rows`` is below 1.
    """
    labels, known = np.asarray(query_labels), np.asarray(gallery_labels)
    asked = np.flatnonzero(np.isin(labels, known))
    chosen = stratified_sample(known, max_rows)
    accuracy = {
        view: {KNN: figures["knn@10"]}
        for view, figures in zip((INPUT, TRAINED), metrics, strict=True)
    }
    if predicted is not None:
        accuracy[TRAINED][PREDICT] = predicted
    left_out: dict[str, str] = {}
    try:
        ways = _ways()
    except ImportError:
        ways, missing = {}, "scikit-learn is not installed: pip install 'dtgcnn[text]'"
        left_out[f"{CENTROID}, {LOGISTIC} and {DISCRIMINANT}"] = missing
    for i, view in enumerate((INPUT, TRAINED)):
        q, g = Units(_some(queries[i], asked), "rows"), unit_rows(_some(gallery[i], chosen)[:])
        for name in ways if view == INPUT else ways.keys() & {CENTROID}:
            give_freed_memory_back()
            try:
                _refuse_large(name, len(g), g.shape[1], len(np.unique(known)))
                found = _predicted(ways[name], g, known[chosen], q) == labels[asked]
                accuracy[view][name] = float(found.mean())
            except Exception as error:  # whatever it is, the others are there to be shown
                reason = str(error).strip().partition("\n")[0] or type(error).__name__
                left_out[f"{name} on the {VIEWS[view]}"] = reason
    verdict = _verdict(accuracy, *metrics, len(asked))
    return Rivals(len(asked), len(known), len(chosen), accuracy, left_out, verdict)


def _some(rows: npt.ArrayLike | ChosenRows, places: Any) -> ChosenRows:
    if isinstance(rows, ChosenRows):
        return ChosenRows(rows.rows, rows.items[places], rows.view)
    return ChosenRows(np.asarray(rows), places)


def _ways() -> dict[str, Any]:
    """The classifiers by name; an ImportError where scikit-learn is missing."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import NearestCentroid

    return {
        CENTROID: NearestCentroid(),
        LOGISTIC: LogisticRegression(C=10, max_iter=1000),
        DISCRIMINANT: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    }


def _refuse_large(name: str, rows: int, width: int, classes: int) -> None:
    """Leave out what would take minutes; a step of discriminants is some ten times as slow."""
    work = {LOGISTIC: rows * width * classes, DISCRIMINANT: 10 * classes * width * width}
    if work.get(name, 0) > _MOST_WORK:
        raise ValueError(f"it takes long on {rows:,} rows of {width:,} in {classes:,} classes")


def _predicted(classifier: Any, x: Floats, y: Any, queries: Units) -> Any:
    # Logistic regression's steps are so short that a second thread makes them twice as long.
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes of one row, whose spread counts as 0
        if not np.isfinite(getattr(classifier.fit(x, y), "coef_", 0.0)).all():
            raise ValueError("its coefficients are not finite")
        starts = range(0, len(queries), _BLOCK_ROWS)
        found = [classifier.predict(queries[start : start + _BLOCK_ROWS]) for start in starts]
        return np.concatenate(found)


def _verdict(
    accuracy: Mapping[str, Mapping[str, float]],
    before: Mapping[str, float],
    after: Mapping[str, float],
    rows: int,
) -> str:
    """Whether training paid, and what it cost."""
    tells = PREDICT in accuracy[TRAINED]
    found, rivals = accuracy[TRAINED][PREDICT if tells else KNN], accuracy[INPUT]
    best = max(rivals, key=lambda name: rivals[name])
    ranks = before["map@r"], after["map@r"]
    classes, ranking = _standing(rivals[best], found, rows), _standing(*ranks, rows)
    which = "the best rival" if len(rivals) > 1 else "the one rival measured"
    said = (
        f"{_HEADS[classes, ranking]}: {PREDICT if tells else f'{KNN} on the embedding'} finds "
        f"{100 * found:.1f}% of the {rows:,} rows, {which}, {best} on the {VIEWS[INPUT]}, "
        f"{100 * rivals[best]:.1f}%"
        f"{', level within one standard error' if classes == 0 else ''}; MAP@R went from "
        f"{100 * ranks[0]:.1f} to {100 * ranks[1]:.1f}"
        f"{', level within one standard error' if ranking == 0 else ''}."
    )
    fell = [name for name in after if name not in COUNTS and after[name] < before[name]]
    return f"{said} Below the input vectors: {', '.join(fell)}." if fell else said


def _standing(before: float, after: float, rows: int) -> int:
    """1 ahead, −1 behind, 0 level: apart by no more than one standard error of a share of so many
    rows, ``sqrt(p (1 − p) / n)`` at the mean p of both, which no mean of values in [0, 1] exceeds.
    """
    p = (before + after) / 2
    if abs(after - before) <= math.sqrt(p * (1 - p) / rows):
        return 0
    return 1 if after > before else -1
