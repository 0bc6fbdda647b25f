"""Curves of metrics over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .figure import new_figure, picture_path, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_curves"]


def plot_curves(curves: Mapping[str, Sequence[float]], path: str | Path | None = None) -> Figure:
    """Draw each of ``curves`` over the steps in a panel of its own, three in a row.

    Args:
        curves: title -> values, one a step; none at all leaves the panel empty.
        path: the ``.png`` or ``.svg`` to write; it appears only once complete.

    Raises:
        ImportError: without matplotlib.
        ValueError: for an unknown suffix.
    """
    path = None if path is None else picture_path(path)
    rows = -(-len(curves) // 3)
    figure = new_figure(figsize=(15, 5 * rows))
    panels = figure.subplots(rows, 3, squeeze=False).flat
    for panel, (title, values) in zip(panels, curves.items(), strict=False):
        panel.plot(range(1, len(values) + 1), values, linewidth=1)
        panel.set(title=title, xlabel="step", ylabel="value")
        if not values:
            panel.text(0.5, 0.5, "not recorded", transform=panel.transAxes, ha="center")
    if path is not None:
        save_figure(figure, path)
    return figure
