"""A picture of a search for settings."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .figure import AFTER, BEFORE, WORSE, finish, new_figure, picture_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_tuning"]


def plot_tuning(
    values: Sequence[float | None],
    importances: Mapping[str, float],
    path: str | os.PathLike[str] | None = None,
    *,
    metric: str = "value",
) -> Figure:
    """Draw what each trial of a search gave, the best so far, and which settings mattered.

    Args:
        values: one a trial, in order; None where it failed.
        importances: the share of the variance by setting; none leaves its panel empty.
        path: the ``.png`` or ``.svg`` to write; it appears only once complete.
        metric: the name of the values.

    Raises:
        ImportError: without matplotlib.
        ValueError: for an unknown suffix.
    """
    path = None if path is None else picture_path(path)
    figure = new_figure(figsize=(11, 4.2))
    course, mattered = figure.subplots(1, 2)
    done = [(number, value) for number, value in enumerate(values) if value is not None]
    x, y = [number for number, _ in done], [value for _, value in done]
    course.scatter(x, y, s=18, color=AFTER, label="a trial")
    best = [max(y[: i + 1]) for i in range(len(y))]
    course.step(x, best, where="post", color=BEFORE, linestyle="--", label="the best so far")
    if done and done[0][0] == 0:
        course.scatter([0], [y[0]], s=60, marker="D", color=WORSE, label="settings as they were")
    course.set(xlabel="trial", ylabel=f"{metric} of held-out rows", title="trials")
    course.legend(frameon=False, fontsize=8)
    course.grid(alpha=0.3)
    names = list(importances)
    mattered.barh(range(len(names)), list(importances.values()), color=AFTER)
    mattered.set_yticks(range(len(names)), names, fontsize=8)
    mattered.invert_yaxis()
    mattered.set(xlabel="share of the variance", title="what mattered", xlim=(0.0, 1.0))
    if not names:
        mattered.text(0.5, 0.5, "too few trials tell", transform=mattered.transAxes, ha="center")
    finish(figure, path)
    return figure
