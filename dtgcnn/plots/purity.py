"""A picture of how many neighbours are of a row's own class, for each class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..evaluation import (
    bank_items,
    bank_labels,
    check_linked,
    class_purity,
    embedding_links,
    graph_links,
)
from .figure import AFTER, BEFORE, WORSE, finish, new_figure, picture_path, shorten_name
from .rows import Data, read_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..model import DTGCNN

__all__ = ["plot_purity"]

Floats = npt.NDArray[np.float64]

_COLUMN = 40  # classes one below the other
_CLASSES = 160  # more cannot be read


def plot_purity(
    model: DTGCNN,
    data: Data,
    path: str | os.PathLike[str] | None = None,
    *,
    labels: Sequence[Any] | npt.NDArray[Any] | None = None,
) -> Figure:
    """Draw for each class the share of its rows' neighbours in the bank that are of it.

    Two points a class: the links of the graph, which are by the input vectors, and as many
    neighbours that are nearest in the embedding. The classes are sorted by the latter, the least
    pure first; of more than 160, those are shown.

    Args:
        model: whose graph and embedding are drawn.
        data: a loader, for the rows of its side; a dataset, for those of its split "test" or else
            for all; a list of texts; or an array of vectors (N, input_dim). Their classes are
            those of the bank's rows too, so the rows that the model was trained on must be there.
        path: the ``.png`` or ``.svg`` to write; it appears only once complete.
        labels: a class for each row of texts or of an array.

    Raises:
        ImportError: without matplotlib.
        ValueError: for another suffix, a model that is not trained, data without classes, or data
            that hold no row that a link ends at.
    """
    path = None if path is None else picture_path(path)
    check_linked(model)
    rows = read_rows(data, labels)
    if rows.labels is None or rows.names is None:
        raise ValueError("purity needs labels: one class for each row of the data")
    figure = new_figure()
    host_x = model.vectors(rows.inputs)
    items = bank_items(model, host_x)
    ends, own = bank_labels(items, rows.labels), rows.labels[rows.chosen]
    before, after = (
        class_purity(find(model, host_x[rows.chosen]), own, ends, len(rows.names))
        for find in (graph_links, embedding_links)
    )
    known = np.flatnonzero(np.isfinite(before) & np.isfinite(after))
    if not len(known):
        if (ends >= 0).any():
            raise ValueError(
                "purity needs links, and no row of the data has one to a row of the bank whose "
                "class is known: lower graph_similarity_threshold, and train anew"
            )
        raise ValueError(
            "purity needs the classes of the bank's rows, and the data hold none of the rows that "
            "links end at: give the data that the model was trained on"
        )
    order = known[np.argsort(after[known], kind="stable")]
    shown = order[:_CLASSES]
    names = [shorten_name(rows.names[label]) for label in shown]
    _draw_purity(figure, before[shown], after[shown], names)
    which = "" if len(shown) == len(order) else f"; the {len(shown)} least pure"
    figure.suptitle(
        f"Share of neighbours of the same class\nmean of {len(order)} classes: graph "
        f"{before[known].mean():.3f}, embedding {after[known].mean():.3f} "
        f"({len(own):,} {rows.what}{which})",
        fontsize=10,
    )
    finish(figure, path)
    return figure


def _draw_purity(figure: Figure, before: Floats, after: Floats, names: list[str]) -> None:
    """Both shares of each class, joined by a line, in columns of equal length."""
    columns = -(-len(names) // _COLUMN)
    each = -(-len(names) // columns)
    figure.set_size_inches(max(6.0, 4.4 * columns), 1.8 + 0.16 * each)
    panels: Any = figure.subplots(1, columns, squeeze=False, sharex=True)[0]
    for number, axes in enumerate(panels):
        part = slice(number * each, (number + 1) * each)
        old, new = before[part], after[part]
        places = np.arange(len(old))
        colors = np.where(new < old, WORSE, AFTER)
        axes.hlines(places, old, new, colors=colors, linewidth=1.2, zorder=1)
        axes.scatter(old, places, s=42, facecolors="white", edgecolors=BEFORE, zorder=2)
        axes.scatter(new, places, s=16, color=colors, zorder=3)
        axes.set_yticks(places, names[part], fontsize=6.5, parse_math=False)
        axes.set_ylim(each - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
        axes.set_xlabel("share of a row's neighbours of its own class", fontsize=7)
        axes.tick_params(axis="x", labelsize=7)
        axes.grid(alpha=0.3)
        axes.set_axisbelow(True)
    _explain(figure, worse=bool((after < before).any()), better=bool((after >= before).any()))


def _explain(figure: Figure, *, worse: bool, better: bool) -> None:
    from matplotlib.lines import Line2D

    def mark(color: str, face: str) -> Line2D:
        return Line2D([], [], linestyle="", marker="o", color=color, markerfacecolor=face)

    drawn = {"links of the graph": mark(BEFORE, "white")}
    if better:
        drawn["nearest in the embedding"] = mark(AFTER, AFTER)
    if worse:
        drawn["nearest in the embedding, less pure than the graph"] = mark(WORSE, WORSE)
    figure.legend(
        list(drawn.values()),
        list(drawn),
        loc="outside lower center",
        ncols=3,
        fontsize=8,
        frameon=False,
        markerscale=0.7,
    )
