"""A picture of which rows of the bank get the links of a trained model's graph."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..evaluation import (
    Links,
    bank_items,
    bank_labels,
    check_linked,
    graph_links,
    in_degrees,
    skewness,
)
from .figure import AFTER, BEFORE, WORSE, finish, new_figure, picture_path
from .rows import Data, Rows, read_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..model import DTGCNN

__all__ = ["plot_degrees"]

Ints = npt.NDArray[np.int64]

_HUBS = 20  # named beside the distribution
_BARS = 60  # of the distribution at most
_LETTERS = 64  # of a hub


def plot_degrees(
    model: DTGCNN,
    data: Data,
    path: str | os.PathLike[str] | None = None,
    *,
    labels: Sequence[Any] | npt.NDArray[Any] | None = None,
) -> Figure:
    """Draw how many links of ``data`` end at each row of the bank, and at which most: the hubs.

    The title tells the skewness (see ``dtgcnn.evaluation.skewness``). Of each hub it is shown how
    many of its links come from its own class, where that is known.

    Args:
        model: whose graph is drawn.
        data: a loader, for the rows of its side; a dataset, a list of texts or an array of vectors
            (N, input_dim), for all of their rows.
        path: the ``.png`` or ``.svg`` to write; it appears only once complete.
        labels: a class for each row of texts or of an array.

    Raises:
        ImportError: without matplotlib.
        ValueError: for another suffix, a model that is not trained, and data that do not fit it.
    """
    path = None if path is None else picture_path(path)
    check_linked(model)
    rows = read_rows(data, labels, held_out=False)
    figure = new_figure(figsize=(13, 5.6))
    host_x = model.vectors(rows.inputs)
    links = graph_links(model, host_x[rows.chosen])
    items = bank_items(model, host_x)
    degrees = in_degrees(links, len(items))
    distribution, ranking = figure.subplots(1, 2, width_ratios=(1, 0.8))
    _draw_distribution(distribution, degrees)
    hubs = np.argsort(-degrees, kind="stable")[:_HUBS]
    parts = {"links": degrees[hubs]}
    if rows.names is not None and rows.labels is not None:
        ends, own = bank_labels(items, rows.labels), rows.labels[rows.chosen]
        inside = Links(links.neighbors, links.linked & (ends[links.neighbors] == own[:, None]))
        parts = _by_class(degrees, in_degrees(inside, len(items)), ends, hubs)
    names = [_name_of(rows, int(items[hub]), int(hub)) for hub in hubs]
    _draw_hubs(ranking, parts, names)
    if "links" not in parts:
        figure.legend(*ranking.get_legend_handles_labels(), loc="outside lower right", ncols=3)
    good = "good: few rows without links, a skewness below 1"
    if "from its own class" in parts:
        good += ", and hubs whose links come from their own class"
    figure.supxlabel(good, fontsize=8, x=0.01, ha="left")
    alone = float(np.mean(~links.linked.any(axis=1)))
    figure.suptitle(
        f"{len(links.linked):,} {rows.what}, {degrees.sum():,} links to {len(degrees):,} rows of "
        f"the bank; {alone:.1%} have none; skewness of the in-degrees {skewness(degrees):.2f}",
        fontsize=10,
    )
    finish(figure, path)
    return figure


def _draw_distribution(axes: Axes, degrees: Ints) -> None:
    """How many rows of the bank have each number of links, the counts on a log scale."""
    top = int(degrees.max())
    width = -(-(top + 1) // _BARS)
    edges = np.arange(0, top + width + 1, width) - 0.5
    axes.hist(degrees, bins=edges.tolist(), color=AFTER, log=True, rwidth=0.9)
    mean = float(degrees.mean())
    axes.axvline(mean, color=WORSE, linestyle="--", linewidth=1, label=f"mean {mean:.1f}")
    never = float(np.mean(degrees == 0))
    axes.legend(frameon=False, title=f"{never:.1%} get none, at most {top:,}")
    axes.set(xlabel="links that end at a bank row (in-degree)", ylabel="bank rows")


def _by_class(degrees: Ints, inside: Ints, ends: Ints, hubs: Ints) -> dict[str, Ints]:
    """The links of the hubs by where they come from; a part that all hubs lack is left out."""
    known = ends >= 0
    parts = {
        "from its own class": inside,
        "from other classes": np.where(known, degrees - inside, 0),
        "its class is unknown": np.where(known, 0, degrees),
    }
    return {name: part[hubs] for name, part in parts.items() if part[hubs].any()}


def _draw_hubs(axes: Axes, parts: dict[str, Ints], names: list[str]) -> None:
    """The rows with most links, the largest on top; ``parts`` of their links side by side."""
    places, left = np.arange(len(names)), np.zeros(len(names))
    colors = {"from other classes": WORSE, "its class is unknown": BEFORE}
    for name, part in parts.items():
        axes.barh(places, part, left=left, color=colors.get(name, AFTER), label=name)
        left = left + part
    axes.set_yticks(places, names, fontsize=7, parse_math=False)
    axes.invert_yaxis()
    axes.set(xlabel="links", title=f"the {len(names)} largest hubs")


def _name_of(rows: Rows, item: int, bank_row: int) -> str:
    """A bank row by its text or its row in the data, and by its class."""
    if item < 0:
        return f"bank row {bank_row}"
    name = f"row {item}" if isinstance(rows.inputs, np.ndarray) else str(rows.inputs[item])
    if rows.labels is not None and rows.names is not None and rows.labels[item] >= 0:
        name = f"{rows.names[int(rows.labels[item])]}: {name}"
    name = " ".join(name.split())
    if len(name) <= _LETTERS:
        return name
    cut = name[: _LETTERS - 1]
    whole = cut.rpartition(" ")[0]  # no word is cut either, where there are some
    return f"{whole if len(whole) > _LETTERS // 2 else cut}…"
