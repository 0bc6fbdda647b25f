"""Maps of an embedding space: panels of 2-D points, coloured by label. Needs matplotlib."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..config import check_whole
from ..evaluation import Method, choose_method, project, stratified_sample
from ..model import check_embedder
from .figure import boxes, class_styles, finish, give_glyphs, new_figure, picture_path, shorten_name
from .rows import Data, read_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

    from ..model import Embedder

__all__ = ["plot_embedding_map", "visualize_embeddings"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]

_NAMED = 20  # with more classes the points carry numbers, and the legend is their index
_INDEXED = 150  # with more still, colour alone tells them apart
_TITLES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}


def visualize_embeddings(
    model: Embedder,
    data: Data,
    path: str | os.PathLike[str] | None = None,
    *,
    labels: Sequence[Any] | npt.NDArray[Any] | None = None,
    method: Method = "auto",
    num_samples: int = 1000,
    seed: int = 0,
    title: str | None = None,
) -> Figure:
    """Draw a trained model's embeddings of ``data``, coloured by label.

    The legend names the classes that occur: up to 20 by colour, up to 150 by colour and a number
    at the median of their points. What triplets join has a colour, but no name.

    Args:
        model: whose ``encode`` is drawn.
        data: a loader, for the rows of its side; a dataset, for those of its split "test" or else
            for all; a list of texts; or an array of vectors (N, input_dim).
        path: the ``.png`` or ``.svg`` to write; it appears only once complete.
        labels: a class for each row of texts or of an array; without it all have one colour.
        method: the projection, see ``dtgcnn.evaluation.projection.project``.
        num_samples: embed and draw at most so many rows, every class in proportion.
        seed: of the sample and of the projection.
        title: printed above; without it, what is drawn and how.

    Raises:
        ImportError: without matplotlib, or without what the method needs.
        ValueError: an argument is out of its range, the model is not trained, or the data do not
            fit it.
    """
    path = None if path is None else picture_path(path)
    check_whole("num_samples", num_samples, 1)
    check_embedder(model)
    rows = read_rows(data, labels)
    of_chosen = np.zeros(len(rows.chosen)) if rows.labels is None else rows.labels[rows.chosen]
    sample = stratified_sample(of_chosen, num_samples, seed)
    shown = choose_method(method, len(sample))
    figure = new_figure()
    embeddings = model.encode(rows.take(rows.chosen[sample]))
    classes, own = np.unique(of_chosen[sample], return_inverse=True)
    names = None if rows.names is None else [rows.names[int(label)] for label in classes]
    _lay_out(figure, 1, names or [], side=7.0)
    points = project(embeddings, method, seed)
    axes = figure.axes[0]
    _draw(axes, points, own, len(classes), numbered=names is not None, scale=2.5)
    drawn = f"{len(sample):,} of {len(rows.chosen):,} {rows.what}, {_TITLES[shown]}"
    axes.set_title(drawn if title is None else title, parse_math=False)
    finish(figure, path)
    return figure


def plot_embedding_map(
    panels: Mapping[str, npt.ArrayLike],
    labels: npt.ArrayLike,
    path: str | os.PathLike[str],
    *,
    label_names: Sequence[str] | None = None,
    method: Method = "auto",
    max_points: int = 1000,
    seed: int = 0,
    title: str | None = None,
) -> Path:
    """Draw the same rows in several spaces side by side, coloured by label, and save the figure.

    Up to 20 classes are named in a legend beside the panels; up to 150 are numbered at the median
    of their points, and an index below explains the numbers.

    Args:
        panels: title -> (N, D) vectors, e.g. ``{"Input vectors": x, "Trained embedding": z}``.
        labels: (N,) classes, integers or strings.
        path: the ``.png`` or ``.svg`` to write; it appears only once complete. Returned.
        label_names: names of the classes 0, 1, …; without it the labels name themselves.
        method: the projection, see ``dtgcnn.evaluation.projection.project``.
        max_points: draw at most so many rows, every class in proportion.
        seed: of the sample and of the projection.
        title: printed above the panels.

    Raises:
        ImportError: without matplotlib, or without what the method needs.
        ValueError: for an unknown suffix or method and for arrays that do not fit together.
    """
    path = picture_path(path)
    names, own = _classes(panels, labels, label_names)
    figure = new_figure()
    _lay_out(figure, len(panels), names, side=4.5)
    sample = stratified_sample(own, max_points, seed)
    for axes, (heading, vectors) in zip(figure.axes, panels.items(), strict=True):
        axes.set_title(heading, parse_math=False)
        points = project(np.asarray(vectors)[sample], method, seed)
        _draw(axes, points, own[sample], len(names), numbered=True)
    if title is not None:
        figure.suptitle(title, parse_math=False)
    finish(figure, path)
    return path


def _classes(
    panels: Mapping[str, npt.ArrayLike], labels: npt.ArrayLike, label_names: Sequence[str] | None
) -> tuple[list[str], Ints]:
    """The names of the classes that occur and, for each row, which of them is its own."""
    given = np.asarray(labels)
    shapes = {heading: np.shape(vectors) for heading, vectors in panels.items()}
    if not given.size or given.ndim != 1 or {s[:1] for s in shapes.values()} != {given.shape}:
        raise ValueError(f"panels must have one row a label, received {shapes} for {given.shape}")
    classes, own = np.unique(given, return_inverse=True)
    if label_names is None:
        return [str(label) for label in classes], own
    if given.dtype.kind not in "iu" or classes[0] < 0 or classes[-1] >= len(label_names):
        span = f"{classes[0]} to {classes[-1]}"
        raise ValueError(f"labels must index the {len(label_names)} label_names, received {span}")
    return [label_names[int(label)] for label in classes], own


def _lay_out(figure: Figure, n_panels: int, names: list[str], side: float) -> None:
    """Give the figure square panels of ``side`` inches, a legend, and a size that holds both."""
    figure.subplots(1, n_panels, squeeze=False)
    width, height = side * n_panels, side + 0.4
    names = [shorten_name(name) for name in names]
    numbered = [f"{number}  {name}" for number, name in enumerate(names)]
    if names and len(names) <= _NAMED:
        beside, _ = _legend(figure, names, "outside right center", 8, 1)
        width += beside + 0.2
    elif n_panels == 1 and names and len(names) <= _INDEXED:
        columns = -(-len(names) // int(side / 0.155))
        beside, _ = _legend(figure, numbered, "outside right center", 7, columns)
        width += beside + 0.2
    elif names and len(names) <= _INDEXED:
        columns = max(1, int(width / (0.55 + 0.048 * max(map(len, names)))))
        _, below = _legend(figure, numbered, "outside lower center", 6, columns)
        height += below + 0.2
    figure.set_size_inches(width, height)


def _legend(
    figure: Figure, names: list[str], loc: str, fontsize: int, columns: int
) -> tuple[float, float]:
    """Add the legend; its width and height in inches."""
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], linestyle="", marker=marker, color=color, markersize=0.7 * fontsize)
        for color, marker in class_styles(len(names))
    ]
    legend: Legend = figure.legend(
        marks, [" "] * len(names), loc=loc, ncols=columns, fontsize=fontsize, frameon=False
    )
    # As legend labels, names that start with "_" vanish and those with "$" are read as formulas.
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)
    give_glyphs(figure)
    with boxes():
        extent = legend.get_window_extent()
    return extent.width / figure.dpi, extent.height / figure.dpi


def _draw(
    axes: Axes, points: Floats, own: Ints, n_classes: int, *, numbered: bool, scale: float = 1.0
) -> None:
    """Scatter one panel; number its classes when they are too many for a legend of colours."""
    size = scale * float(np.clip(6000 / len(points), 6, 30))
    centres = {}
    for label, (color, marker) in enumerate(class_styles(n_classes)):
        mine = points[own == label]
        x, y = mine.T
        axes.scatter(x, y, s=size, color=color, marker=marker, linewidths=0, alpha=0.75)
        if len(mine):
            centres[label] = np.median(mine, axis=0)
    axes.set(xticks=[], yticks=[], box_aspect=1)
    if numbered and _NAMED < n_classes <= _INDEXED:
        _number(axes, centres)


def _number(axes: Axes, centres: dict[int, Floats]) -> None:
    """Write the number of each class just above its centre, or so near that no two overlap."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=1.5, foreground="white")]
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    corner, extent = np.array([left, bottom]), np.array([right - left, top - bottom])
    at = _apart((np.array(list(centres.values())) - corner) / extent, gap=0.024)
    style: dict[str, Any] = {"fontsize": 6, "ha": "center", "va": "bottom", "path_effects": halo}
    for label, place in zip(centres, corner + at * extent, strict=True):
        axes.annotate(str(label), place, (0, 2), textcoords="offset points", **style)


def _apart(at: Floats, gap: float) -> Floats:
    """Push points (n, 2) apart, a little a time, until no two are nearer than ``gap``."""
    turn = 2.4 * np.arange(len(at))  # equal points part in directions of their own
    at = at + 1e-3 * gap * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for _ in range(100):
        step = at[:, None] - at[None]
        distance = np.linalg.norm(step, axis=2) + gap * np.eye(len(at))
        short = np.maximum(gap - distance, 0.0)
        if not short.any():
            break
        push = 0.52 * short / np.maximum(distance, 1e-12)
        at = at + (push[:, :, None] * step).sum(axis=1)
    return at
