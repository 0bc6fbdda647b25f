"""Curves of metrics over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .figure import AFTER, BEFORE, WORSE, finish, new_figure, picture_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["HELD_OUT", "plot_curves"]

Points = Sequence[Sequence[float]]

HELD_OUT = "held-out rows"
"""The panel of metrics that the steps do not have."""

_SHARES = ("accuracy", "ratio", "fraction")
_COLORS = (WORSE, AFTER, BEFORE)


def plot_curves(
    curves: Mapping[str, Sequence[float]],
    path: str | Path | None = None,
    *,
    validation: Mapping[str, Points] | None = None,
    kept: int | None = None,
) -> Figure:
    """Draw each of ``curves`` over the steps in a panel of its own, three or four in a row.

    Shares have an axis from 0 to 1, what else is never negative one from 0. A panel has the
    validation of its metric too; what of it the steps do not have is in a panel for itself.

    Args:
        curves: title -> values, one a step; none at all leaves the panel empty.
        path: the ``.png`` or ``.svg`` to write; it appears only once complete.
        validation: title -> pairs of a step and a value, one an epoch. That of the curve ``loss``
            is called ``val_loss``.
        kept: the step whose weights were kept, 0 for those before the first.

    Raises:
        ImportError: without matplotlib.
        ValueError: for an unknown suffix.
    """
    path = None if path is None else picture_path(path)
    validation = dict(validation or {})
    own = {name: validation.pop(f"val_{name}", ()) for name in curves}
    count = len(curves) + bool(validation)
    columns = 3 if count <= 6 else 4
    rows = -(-count // columns)
    figure = new_figure(figsize=(4.2 * columns, 3.4 * rows))
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel, (name, values) in zip(panels, curves.items(), strict=False):
        _draw(panel, name, values, own[name])
    if validation:
        _draw_held_out(panels[len(curves)], validation)
    for panel in panels[:count]:
        if kept is not None:
            panel.axvline(kept, color=BEFORE, linestyle="-.", linewidth=1.2, label="kept")
        if panel.get_legend_handles_labels()[0]:
            panel.legend(frameon=False, fontsize=8)
    for panel in panels[count:]:
        panel.set_axis_off()
    finish(figure, path)
    return figure


def _draw(panel: Axes, name: str, values: Sequence[float], validation: Points) -> None:
    faint: dict[str, Any] = {"alpha": 0.35} if len(validation) > 1 else {}
    label = "steps" if validation else None
    panel.plot(range(1, len(values) + 1), values, linewidth=1, color=AFTER, label=label, **faint)
    if validation:
        ends = [int(step) for step, _ in validation]
        means = [_mean(values[a:b]) for a, b in zip([0, *ends], ends, strict=False)]
        style: dict[str, Any] = {"marker": "o", "markersize": 3, "linewidth": 1.6}
        if len(validation) > 1:
            panel.plot(ends, means, color=AFTER, label="mean of an epoch", **style)
        steps, found = zip(*validation, strict=True)
        panel.plot(steps, found, color=WORSE, linestyle="--", label="held-out rows", **style)
    _scale(panel, name, bool(values) or bool(validation))


def _draw_held_out(panel: Axes, validation: Mapping[str, Points]) -> None:
    for (name, points), color in zip(validation.items(), _COLORS, strict=False):
        steps, found = zip(*points, strict=True)
        panel.plot(steps, found, "o-", markersize=3, color=color, label=name.removeprefix("val_"))
    _scale(panel, HELD_OUT, True)


def _scale(panel: Axes, name: str, drawn: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    share = name == HELD_OUT or any(part in name for part in _SHARES)
    panel.set(title=name, xlabel="step", ylabel="share" if share else "")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.set_xlim(left=0)
    panel.grid(alpha=0.3)
    if not drawn:
        panel.text(0.5, 0.5, "not recorded", transform=panel.transAxes, ha="center")
    elif share:
        panel.set_ylim(0.0, 1.0)
    elif panel.get_ylim()[0] >= -0.05 * panel.get_ylim()[1]:
        panel.set_ylim(bottom=0.0)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
