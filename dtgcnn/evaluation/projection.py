"""High-dimensional rows on a plane, by PCA, t-SNE or UMAP; and which of many rows to show."""

from __future__ import annotations

import logging
import warnings
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..config import refuse_unknown
from ..data import check_seed
from .metrics import unit_rows

__all__ = ["Method", "choose_method", "project", "stratified_sample"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]
Projection = Literal["pca", "tsne", "umap"]
Method = Literal["auto", "pca", "tsne", "umap"]

_log = logging.getLogger("dtgcnn")

_MANY = 3000  # rows, of which t-SNE is not done at once
_ITERATIONS = 400
"""Of t-SNE. More keep hardly more of 2,000 rows of Banking77 beside their like: of the ten nearest
points 73.9% are of the same class, after 500 73.8%, and 65.5% were among the nearest rows, 66.3%
after 500; after 300 71.9% and 59.9%."""

_FEWEST = 10  # rows; below this a neighbourhood has no meaning


def project(vectors: npt.ArrayLike, method: Method = "auto", seed: int = 0) -> Floats:
    """Project the directions of (N, D) ``vectors`` to (N, 2) coordinates.

    "pca" is the plane of largest variance. "tsne" (van der Maaten & Hinton 2008, "Visualizing Data
    using t-SNE") and "umap" (McInnes, Healy & Melville 2018, arXiv:1802.03426) start from it and
    keep near neighbours by cosine distance together. "auto" is "tsne" where scikit-learn is
    installed and N ≥ 10, else "pca". Rows that all point the same way make a single point. The same
    seed gives the same coordinates.

    Raises:
        ImportError: the method's library is not installed.
        ValueError: for an unknown method, for "tsne" or "umap" of fewer than 10 rows, for vectors
            that are not 2-D, are empty or are not finite, and for a seed that is out of range.
    """
    check_seed(seed)
    x = unit_rows(vectors, name="vectors")
    chosen = choose_method(method, len(x))
    plane = _pca(x)
    if chosen == "pca" or not plane.any():
        return plane
    return (_tsne if chosen == "tsne" else _umap)(x, plane, seed)


def choose_method(method: Method, rows: int) -> Projection:
    """The projection that ``method`` stands for, of so many rows; raises what ``project`` does."""
    refuse_unknown("method", method, get_args(Method))
    if method == "pca" or (method == "auto" and rows < _FEWEST):
        return "pca"
    if rows < _FEWEST:
        raise ValueError(f"{method} needs at least {_FEWEST} rows, received {rows}")
    if method == "umap":
        _umap_class()
        return "umap"
    try:
        _tsne_class()
    except ImportError as error:
        if method == "auto":
            return "pca"
        raise ImportError("tsne needs scikit-learn: pip install 'dtgcnn[plot]'") from error
    return "tsne"


def stratified_sample(labels: npt.ArrayLike, max_points: int, seed: int = 0) -> Ints:
    """Choose at most ``max_points`` rows, each class in proportion; ascending row numbers.

    The j-th row of a class of n, in random order from 0, is due at j / n; the rows due first are
    taken. So every class is there as long as there is a point for each.
    """
    if max_points < 1:
        raise ValueError(f"max_points must be at least 1, received {max_points}")
    check_seed(seed)
    order = np.random.default_rng(seed).permutation(np.size(labels))
    shuffled = np.asarray(labels)[order]
    _, of_class, counts = np.unique(shuffled, return_inverse=True, return_counts=True)
    by_class = np.argsort(of_class, kind="stable")
    turn = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    due = np.empty(len(order))
    due[by_class] = turn / np.repeat(counts, counts)
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


def _tsne(x: Floats, plane: Floats, seed: int) -> Floats:
    if len(x) > _MANY:
        _log.info("t-SNE of %s rows takes minutes; by pca they take a second", f"{len(x):,}")
    start = (1e-4 * plane / plane[:, 0].std()).astype(np.float32)
    near = min(30, len(x) / 4)
    model = _tsne_class()(
        metric="cosine", init=start, perplexity=near, max_iter=_ITERATIONS, random_state=seed
    )
    return np.asarray(model.fit_transform(x), dtype=np.float64)


def _umap(x: Floats, plane: Floats, seed: int) -> Floats:
    start = (10.0 * plane / np.abs(plane).max()).astype(np.float32)
    near = min(15, len(x) - 1)
    model = _umap_class()(
        metric="cosine", init=start, n_neighbors=near, min_dist=0.5, random_state=seed, n_jobs=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of numba's threading layers
        return np.asarray(model.fit_transform(x.astype(np.float32)), dtype=np.float64)


def _tsne_class() -> Any:
    from sklearn import manifold

    return manifold.TSNE


def _umap_class() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that TensorFlow is missing, which nothing here needs
            from umap import UMAP
    except ImportError as error:
        message = f"umap needs umap-learn: pip install 'dtgcnn[umap]' ({error})"
        raise ImportError(message) from error
    return UMAP
