"""Maps of an embedding space: panels of 2-D points, coloured by label. Needs matplotlib."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from .evaluate import unit_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_embedding_map", "project", "save_figure", "stratified_sample"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Method = Literal["auto", "pca", "tsne"]

_TSNE_ROWS = 10  # below this a neighbourhood has no meaning
_NAMED = 20  # with more classes the points carry numbers, and the legend is their index
_INDEXED = 150  # with more still, colour alone tells them apart
_LONGEST = 32  # letters of a name


def plot_embedding_map(
    panels: Mapping[str, npt.ArrayLike],
    labels: npt.ArrayLike,
    path: str | os.PathLike[str],
    *,
    label_names: Sequence[str] | None = None,
    method: Method = "auto",
    max_points: int = 2000,
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
        method: the projection, see ``project``.
        max_points: draw at most so many rows, every class in proportion.
        seed: of the sample and of t-SNE.
        title: printed above the panels.

    Raises:
        ImportError: without matplotlib; without scikit-learn when ``method`` is "tsne".
        ValueError: for an unknown suffix or method and for arrays that do not fit together.
    """
    path = Path(path)
    if path.suffix.lower() not in (".png", ".svg"):
        raise ValueError(f"path must end in .png or .svg, received {path.name!r}")
    names, own = _classes(panels, labels, label_names)
    figure = _figure(len(panels), names)
    sample = stratified_sample(own, max_points, seed)
    for axes, (heading, vectors) in zip(figure.axes, panels.items(), strict=True):
        axes.set_title(heading, parse_math=False)
        _draw(axes, project(np.asarray(vectors)[sample], method, seed), own[sample], len(names))
    if title is not None:
        figure.suptitle(title, parse_math=False)
    save_figure(figure, path)
    return path


def project(vectors: npt.ArrayLike, method: Method = "auto", seed: int = 0) -> Floats:
    """Project the directions of (N, D) ``vectors`` to (N, 2) coordinates.

    "pca" is the plane of largest variance. "tsne" (van der Maaten & Hinton 2008, "Visualizing Data
    using t-SNE") starts from it and keeps near neighbours by cosine distance together. "auto" is
    "tsne" where scikit-learn is installed and N ≥ 10, else "pca". Rows that all point the same way
    make a single point. Raises what ``plot_embedding_map`` does, and ValueError for "tsne" of fewer
    than 10 rows.
    """
    if method not in get_args(Method):
        raise ValueError(f"method must be one of {get_args(Method)}, received {method!r}")
    x = unit_rows(vectors, name="vectors")
    if method == "tsne" and len(x) < _TSNE_ROWS:
        raise ValueError(f"tsne needs at least {_TSNE_ROWS} rows, received {len(x)}")
    plane = _pca(x)
    if method == "pca" or len(x) < _TSNE_ROWS or not plane.any():
        return plane
    try:
        from sklearn import manifold
    except ImportError as error:
        if method == "auto":
            return plane
        raise ImportError("tsne needs scikit-learn: pip install 'dtgcnn[plot]'") from error
    start = (1e-4 * plane / plane[:, 0].std()).astype(np.float32)
    tsne: Any = manifold.TSNE
    model = tsne(metric="cosine", init=start, perplexity=min(30, len(x) / 4), random_state=seed)
    return np.asarray(model.fit_transform(x), dtype=np.float64)


def stratified_sample(labels: npt.ArrayLike, max_points: int, seed: int = 0) -> Ints:
    """Choose at most ``max_points`` rows, each class in proportion; ascending row numbers.

    The j-th row of a class of n, in random order from 0, is due at j / n; the rows due first are
    taken. So every class is there as long as there is a point for each.
    """
    if max_points < 1:
        raise ValueError(f"max_points must be at least 1, received {max_points}")
    order = np.random.default_rng(seed).permutation(np.size(labels))
    shuffled = np.asarray(labels)[order]
    due = np.empty(len(order))
    for label in np.unique(shuffled):
        mine = shuffled == label
        due[mine] = np.arange(mine.sum()) / mine.sum()
    return np.sort(order[np.argsort(due, kind="stable")[:max_points]])


def _pca(x: Floats) -> Floats:
    """(N, 2) coordinates in the plane of largest variance; each axis's largest loading is > 0."""
    x = x - x.mean(axis=0)
    _, spread, axes = np.linalg.svd(x, full_matrices=False)
    plane = np.zeros((len(x), 2))
    if spread[0] > 1e-7 * np.sqrt(len(x)):  # less is the rounding of float32 vectors
        for i, axis in enumerate(axes[:2]):
            plane[:, i] = x @ axis * np.sign(axis[np.abs(axis).argmax()])
    return plane


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


def _figure(n_panels: int, names: list[str]) -> Figure:
    """An empty figure with its axes and its legend, large enough for both."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'dtgcnn[plot]'") from error
    figure = Figure(layout="constrained")
    figure.subplots(1, n_panels)
    half = _LONGEST // 2  # endings often tell names apart, so the middle goes
    names = [n if len(n) <= _LONGEST else f"{n[: half - 1]}…{n[-half:]}" for n in names]
    longest = max(map(len, names))
    width, height = 4.5 * n_panels, 4.8
    if len(names) <= _NAMED:
        _legend(figure, names, loc="outside right center", fontsize=8)
        width += 0.4 + 0.07 * longest
    elif len(names) <= _INDEXED:
        names = [f"{number}  {name}" for number, name in enumerate(names)]
        columns = max(1, int(width / (0.55 + 0.048 * longest)))
        _legend(figure, names, loc="outside lower center", fontsize=6, ncols=columns)
        height += 0.13 * -(-len(names) // columns)
    figure.set_size_inches(width, height)
    return figure


def _legend(figure: Figure, names: list[str], *, fontsize: int, **options: Any) -> None:
    from matplotlib.lines import Line2D

    marks = [
        Line2D([], [], linestyle="", marker=marker, color=color, markersize=0.7 * fontsize)
        for color, marker in _styles(len(names))
    ]
    legend = figure.legend(marks, [" "] * len(names), fontsize=fontsize, frameon=False, **options)
    # As legend labels, names that start with "_" vanish and those with "$" are read as formulas.
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_parse_math(False)
        text.set_text(name)


def _draw(axes: Axes, points: Floats, own: Ints, n_classes: int) -> None:
    """Scatter one panel; number its classes when they are too many for a legend beside it."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=1.5, foreground="white")]
    size = float(np.clip(6000 / len(points), 6, 30))
    for label, (color, marker) in enumerate(_styles(n_classes)):
        x, y = points[own == label].T
        axes.scatter(x, y, s=size, color=color, marker=marker, linewidths=0, alpha=0.75)
        if _NAMED < n_classes <= _INDEXED and len(x):
            at = float(np.median(x)), float(np.median(y))
            axes.text(*at, str(label), fontsize=6, ha="center", va="center", path_effects=halo)
    axes.set(xticks=[], yticks=[], box_aspect=1)


def _styles(n: int) -> list[tuple[str, str]]:
    """A colour and a marker for each of ``n`` classes: neighbours in the list are far apart."""
    from matplotlib import colormaps, colors

    if n <= 10:
        return [(colors.to_hex(colormaps["tab10"](i)), "o") for i in range(n)]
    # Steps of the golden ratio spread evenly over the map, however many they are.
    hues = [colormaps["turbo"](i * 0.618034 % 1) for i in range(n)]
    return [(colors.to_hex(hue), "osD^vP"[i % 6]) for i, hue in enumerate(hues)]


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure beside ``path`` first, then move it there in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        figure.savefig(part, format=path.suffix[1:].lower(), dpi=150)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
