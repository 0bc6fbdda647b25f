"""The drawings of a report, by Bokeh; the page gives them the colours of light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from colorsys import hls_to_rgb
from typing import Any

import numpy as np

from ...evaluation import Classification
from ..figure import shorten_name
from .points import Points

__all__ = ["BARS", "bars_of", "confusions_of", "curves_of", "map_of"]

BARS = 60
"""Classes whose figures are drawn; the table has all."""

_CELLS = 24  # classes of confusions
_ACCENT, _SECOND = "#2f7ec4", "#d0661b"  # 3:1 and more on white and on black
_GREY = "#8a8a8a"
_TIP = """<div style="max-width: min(24em, 70vw); overflow-wrap: anywhere; white-space: normal">
@text<br><small>@about</small></div>"""
_CURVES = {
    "Loss": ("loss", "val_loss"),
    "Held-out rows": ("val_map@r", "val_recall@1", "val_pair_auc", "val_unseen_map@r"),
    "Learning rate": ("learning_rate",),
}
_LINES = ((_ACCENT, "solid"), (_SECOND, "dashed"), (_GREY, "dotted"))
_SPOKEN = {"loss": "training", "val_loss": "held out", "val_map@r": "MAP@R"}
_SPOKEN |= {"val_recall@1": "recall@1", "val_pair_auc": "AUC of pairs"}
_SPOKEN |= {"val_unseen_map@r": "MAP@R of unseen classes", "learning_rate": "learning rate"}


def map_of(points: Points) -> Any:
    """The map. Its renderers are named ``points``, ``focus`` and ``links``; what is drawn large or
    faint the page decides, in the columns ``size`` and ``alpha``."""
    from bokeh.models import ColumnDataSource, HoverTool, PanTool, TapTool, WheelZoomTool

    figure = _figure(height=560, name="map")
    hues = _hues(len(points.classes))
    kind = points.columns["kind"]
    outside = points.columns["outside"]
    count = len(kind)
    labelled = bool(points.classes)
    source = ColumnDataSource(
        {
            **points.columns,
            "color": [hues[k] if k >= 0 else _GREY if labelled else _ACCENT for k in kind],
            "marker": [
                "diamond" if out else "x" if k < 0 and labelled else "circle"
                for k, out in zip(kind, outside, strict=True)
            ],
            "size": np.where(outside > 0, 10.0, 6.0).astype(np.float32),
            "alpha": np.full(count, 0.8, np.float32),
        },
        name="rows",
    )
    ends = ColumnDataSource({name: [] for name in ("x0", "y0", "x1", "y1")}, name="links")
    figure.segment("x0", "y0", "x1", "y1", source=ends, color=_GREY, line_width=1.5)
    drawn = figure.scatter(
        "x",
        "y",
        source=source,
        color="color",
        marker="marker",
        size="size",
        alpha="alpha",
        line_width=1.5,
        name="points",
    )
    drawn.nonselection_glyph = drawn.selection_glyph = None
    focus = ColumnDataSource({"x": [], "y": []}, name="focus")
    figure.scatter("x", "y", source=focus, size=18, line_width=3, fill_alpha=0, name="focus-drawn")
    hover = HoverTool(renderers=[drawn], tooltips=_TIP, limit=1)
    pan, zoom = PanTool(), WheelZoomTool(modifiers="ctrl")
    figure.add_tools(hover, TapTool(renderers=[drawn]), pan, zoom)
    figure.toolbar.active_drag, figure.toolbar.active_scroll = pan, zoom
    figure.axis.visible = figure.grid.visible = False
    figure.match_aspect = True
    return figure


def bars_of(classes: Classification) -> Any:
    """F1 of the classes, the worst on top, and what it is made of."""
    from bokeh.models import ColumnDataSource, HoverTool

    there = worst_first(classes)[:BARS]
    figures = [classes.classes[name] for name in there]
    places = list(range(len(there)))
    columns = {key: [own[key] for own in figures] for key in ("precision", "recall", "f1")}
    rows = [int(own["support"]) for own in figures]
    source = ColumnDataSource({"place": places, "name": there, "rows": rows, **columns})
    figure = _figure(height=70 + 18 * len(there), y_range=(len(there) - 0.4, -0.6))
    figure.x_range.start, figure.x_range.end = 0.0, 1.02
    figure.hbar("place", right="f1", height=0.7, source=source, color=_ACCENT, name="bars")
    style = {"source": source, "color": _SECOND, "size": 8, "line_width": 2}
    figure.scatter("precision", "place", marker="x", legend_label="precision", **style)
    figure.scatter("recall", "place", marker="circle", legend_label="recall", fill_alpha=0, **style)
    _name_axis(figure.yaxis, there)
    figure.xaxis.axis_label = "F1 (bar), precision and recall"
    figure.xaxis.formatter = _percent()
    figure.ygrid.visible = False
    _legend_above(figure)
    parts = [("class", "@name"), ("F1", "@f1{0.0%}"), ("precision", "@precision{0.0%}")]
    parts += [("recall", "@recall{0.0%}"), ("rows", "@rows")]
    figure.add_tools(HoverTool(tooltips=parts, renderers=[figure.select_one({"name": "bars"})]))
    return figure


def confusions_of(classes: Classification) -> Any:
    """Who is told as whom, of the classes that are confused most."""
    from bokeh.models import ColumnDataSource, HoverTool

    names = _confused(classes)
    place = {name: i for i, name in enumerate(names)}
    cells = [c for c in classes.confused if c["label"] in place and c["predicted"] in place]
    most = max(cell["rows"] for cell in cells)
    source = ColumnDataSource(
        {
            "x": [place[cell["predicted"]] for cell in cells],
            "y": [place[cell["label"]] for cell in cells],
            "label": [cell["label"] for cell in cells],
            "predicted": [cell["predicted"] for cell in cells],
            "rows": [cell["rows"] for cell in cells],
            "alpha": [0.15 + 0.85 * cell["rows"] / most for cell in cells],
        }
    )
    end = len(names) - 0.5
    figure = _figure(height=220 + 20 * len(names), x_range=(-0.5, end), y_range=(end, -0.5))
    figure.rect("x", "y", 0.94, 0.94, source=source, color=_SECOND, alpha="alpha", name="cells")
    _name_axis(figure.yaxis, names)
    _name_axis(figure.xaxis, names)
    figure.xaxis.major_label_orientation = np.pi / 3
    figure.xaxis.axis_label, figure.yaxis.axis_label = "told as", "label"
    parts = [("label", "@label"), ("told as", "@predicted"), ("rows", "@rows")]
    figure.add_tools(HoverTool(tooltips=parts, renderers=[figure.select_one({"name": "cells"})]))
    return figure


def curves_of(
    history: Sequence[Mapping[str, float]], start: Mapping[str, float], kept: int | None
) -> dict[str, Any]:
    """A drawing of each group of metrics over the epochs; a line marks the one that was kept."""
    from bokeh.models import HoverTool, Span

    drawn = {}
    for number, (title, names) in enumerate(_CURVES.items()):
        there = [name for name in names if any(name in entry for entry in history)]
        if not there:
            continue
        figure = _figure(height=260, title=title, name=f"curve{number}")
        for name, (color, dash) in zip(there, _LINES):
            points = [(int(e["epoch"]), e[name]) for e in history if name in e]
            if name in start:
                points.insert(0, (0, start[name]))
            style = {"color": color, "legend_label": _SPOKEN[name], "name": name}
            x, y = map(list, zip(*points))
            figure.line(x, y, line_width=2, line_dash=dash, **style)
            figure.scatter(x, y, size=6, **style)
        if kept is not None:
            kept_at = Span(location=kept, dimension="height", line_dash="dotdash", line_width=2)
            kept_at.line_color = _GREY
            figure.add_layout(kept_at)
        figure.xaxis.axis_label = "epoch"
        figure.xaxis.ticker.min_interval = 1
        figure.xaxis.ticker.num_minor_ticks = 0
        figure.add_tools(HoverTool(tooltips=[("epoch", "@x"), ("$name", "@y{0.0000}")]))
        _legend_above(figure)
        drawn[title] = figure
    return drawn


def worst_first(classes: Classification) -> list[str]:
    """The classes that there are rows of, by F1."""
    there = {name: own for name, own in classes.classes.items() if own["support"]}
    return sorted(there, key=lambda name: (there[name]["f1"], name))


def _confused(classes: Classification) -> list[str]:
    """The classes of the most frequent confusions, in the order of classes."""
    chosen: set[str] = set()
    for cell in classes.confused:
        more = chosen | {cell["label"], cell["predicted"]}
        if len(more) > _CELLS:
            break
        chosen = more
    return [name for name in classes.classes if name in chosen]


def _figure(**options: Any) -> Any:
    from bokeh.plotting import figure

    made = figure(sizing_mode="stretch_width", tools="", toolbar_location=None, **options)
    made.background_fill_alpha = made.border_fill_alpha = 0
    made.outline_line_color = None
    made.min_border_right = 12
    return made


def _hues(count: int) -> list[str]:
    """A colour a class: neighbours in the list are far apart, and none is near white or black."""
    from bokeh.palettes import Category10

    if count <= 10:
        return list(Category10[10])[:count]
    # Steps of the golden ratio spread evenly over the circle, however many they are.
    places = [(i * 0.618034 % 1, (0.44, 0.5, 0.56)[i % 3]) for i in range(count)]
    # Blue and violet are dark at any lightness.
    hues = (hls_to_rgb(h, light + 0.14 * (0.58 < h < 0.85), 0.6) for h, light in places)
    return ["#" + "".join(f"{round(255 * part):02x}" for part in hue) for hue in hues]


def _percent() -> Any:
    from bokeh.models import NumeralTickFormatter

    return NumeralTickFormatter(format="0%")


def _name_axis(axis: Any, names: Sequence[str]) -> None:
    axis.ticker = list(range(len(names)))
    axis.major_label_overrides = {i: shorten_name(name) for i, name in enumerate(names)}
    axis.major_tick_line_color = None


def _legend_above(figure: Any) -> None:
    legend = figure.legend[0]
    figure.add_layout(legend, "above")
    legend.orientation = "horizontal"
    legend.border_line_color = None
    legend.background_fill_alpha = 0
    legend.padding = legend.margin = 2
