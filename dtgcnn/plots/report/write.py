"""``write_report``: what is measured, drawn and written."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any, Protocol

from ...config import DTGCNNConfig, check_whole
from ...data import Items, check_items
from ...errors import MissingExtraError, needing
from ...evaluation import (
    Classification,
    Comparison,
    Method,
    WorstRow,
    choose_method,
    compare,
    comparison_rows,
    measure_classes,
    worst_neighbors,
)
from ...model import Embedder, check_embedder
from ...storage import replace_file
from .charts import BARS, bars_of, confusions_of, curves_of, map_of, worst_first
from .points import Points, sample_of, text_of

__all__ = ["Reported", "write_report"]


class Reported(Embedder, Protocol):
    """A model or an ensemble."""


@dataclass(frozen=True)
class _Found:
    """What the page tells."""

    comparison: Comparison | None
    classes: Classification | None
    points: Points
    worst: list[WorstRow]
    missing: list[str] = field(default_factory=list)


def write_report(
    model: Any,
    dataset: Items,
    path: str | os.PathLike[str],
    *,
    run: Mapping[str, Any] | None = None,
    name: str = "the model",
    method: Method = "auto",
    max_points: int = 10_000,
    reject: float = 0.05,
    seed: int = 0,
) -> Path:
    """Write what there is to know of a trained model and of data as one HTML file.

    It has the figures of ``compare`` and ``measure_classes``, a map of the rows by their embeddings
    in which one can search, the rows with the worst neighbours, the curves of the training and the
    settings. It loads nothing: Bokeh, which draws, is in it. Texts of the data are in it too, so
    treat it as you treat the data.

    Args:
        model: a ``DTGCNN`` or an ``Ensemble``, trained.
        dataset: labelled or unlabelled rows, or triplets.
        path: the ``.html`` to write; it appears only once complete. Returned.
        run: what there is to tell of the training: ``history`` as of a ``Trainer``, ``start``, its
            ``start_metrics``, and ``best_epoch``, as ``dtgcnn train`` leaves them in
            ``metrics.json``; and ``data`` and ``trained_with``, what to say of these by name.
        name: what the model is called.
        method: the map's projection, see ``dtgcnn.evaluation.projection.project``.
        max_points: rows on the map at most, every class in proportion.
        reject: rows are marked out of scope whose score is below that of this share of the rows
            held out in training.
        seed: of the sample and of the projection.

    Raises:
        ImportError: without Bokeh, or without what the method needs.
        ValueError: an argument is out of its range, the model is not trained, or the data do not
            fit it.
    """
    path = Path(path)
    if path.suffix.lower() != ".html":
        raise ValueError(f"path must end in .html, received {path.name!r}")
    check_whole("max_points", max_points, 1)
    check_embedder(model)
    check_items("dataset", dataset)
    _need_bokeh()
    choose_method(method, min(dataset.num_items, max_points))
    found = _found(model, dataset, method, max_points, reject, seed)
    page = _page(model, dataset, found, dict(run or {}), name, reject)
    replace_file(path, page.encode(errors="replace"))  # a file's name may be no UTF-8
    return path


def _need_bokeh() -> None:
    with needing("reports need bokeh", "report"):
        import_module("bokeh.plotting")


def _found(
    model: Any, dataset: Items, method: Method, max_points: int, reject: float, seed: int
) -> _Found:
    host_x, missing = model.vectors(dataset.inputs), []
    embeddings = model.embed(host_x)
    classes, answers, threshold = None, None, None
    rows = sample_of(dataset, max_points, seed)
    if model.knows_classes:
        answers = model.answers(host_x[rows])
        try:
            threshold = model.threshold(reject)
        except ValueError as error:
            if not 0.0 < reject < 1.0:
                raise
            missing.append(f"No row is marked out of scope: {error}.")
        try:
            classes = measure_classes(model, dataset)
        except MissingExtraError as error:
            missing.append(f"No figures of classes: {error}.")
    points = Points.of(dataset, rows, embeddings[rows], answers, threshold, method, seed)
    worst = worst_neighbors(dataset, embeddings)
    return _Found(compare(model, dataset), classes, points, worst, missing)


def _page(
    model: Any, dataset: Items, found: _Found, run: dict[str, Any], name: str, reject: float
) -> str:
    from bokeh.embed import json_item
    from bokeh.resources import Resources
    from jinja2 import Environment

    charts = {"map": map_of(found.points)}
    if found.classes is not None:
        charts["bars"] = bars_of(found.classes)
        if found.classes.confused:
            charts["confusions"] = confusions_of(found.classes)
    history, kept = run.get("history") or [], run.get("best_epoch")
    curves = curves_of(history, run.get("start") or {}, kept)
    charts |= {f"curve{i}": figure for i, figure in enumerate(curves.values())}
    here = files(__package__)
    style, script, page = (
        (here / f"page.{kind}").read_text("utf-8") for kind in ("css", "js", "html")
    )
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["breakable"] = _breakable
    return environment.from_string(page).render(
        name=name,
        style=style,
        library="\n".join(Resources(mode="inline", components=["bokeh"]).js_raw),
        script=script,
        charts={key: _in_page(json_item(figure, key)) for key, figure in charts.items()},
        model=_model_rows(model, run.get("trained_with") or {}),
        data=_data_rows(dataset, run),
        comparison=found.comparison,
        metrics=_metrics(found.comparison),
        points=found.points,
        reject=reject,
        missing=found.missing,
        classes=found.classes,
        bars=BARS,
        class_rows=[] if found.classes is None else worst_first(found.classes),
        worst=[_told(dataset, row) for row in found.worst],
        history=history,
        kept=kept,
        curves=list(curves),
        settings=_settings(model),
    )


def _breakable(name: str) -> Any:
    """The name of a class, which a narrow window may break after an underscore."""
    from markupsafe import Markup, escape

    return escape(name).replace("_", Markup("_<wbr>"))


def _in_page(item: Any) -> str:
    """JSON that may stand in a page whatever is in it: without ``<``, no tag begins or ends."""
    return json.dumps(item).replace("<", "\\u003c").replace("\u2028", "\\u2028")


def _metrics(comparison: Comparison | None) -> list[tuple[str, ...]]:
    return [] if comparison is None else comparison_rows(comparison.input, comparison.trained)


def _model_rows(model: Any, trained_with: Mapping[str, Any]) -> list[tuple[str, str]]:
    members = getattr(model, "models", [model])
    bank = members[0].bank
    rows = [
        ("what", repr(model).strip("<>")),
        ("bank", f"{0 if bank is None else len(bank):,} rows"),
        ("classes", f"{len(model.told_classes()):,}" if model.knows_classes else "none"),
    ]
    made = trained_with or members[0].made_with()
    return [*rows, ("trained with" if trained_with else "here", ", ".join(_pairs(made)))]


def _pairs(made: Mapping[str, Any]) -> list[str]:
    return [f"{name} {value}" for name, value in made.items()]


def _data_rows(dataset: Items, run: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [(f"trained: {key}", str(value)) for key, value in (run.get("data") or {}).items()]
    rows.append(("shown here", dataset.source))
    if dataset.triplets is not None:
        rows.append(("triplets", f"{len(dataset.triplets):,}"))
    rows.append(("rows", f"{dataset.num_items:,}"))
    if dataset.label_names is not None and dataset.labels is not None:
        rows.append(("classes", f"{len(dataset.label_names):,}"))
        rows.append(("unlabelled", f"{int((dataset.labels < 0).sum()):,}"))
    splits = Counter(dataset.splits or [])
    return rows + [(f"split {name}", f"{count:,}") for name, count in sorted(splits.items())]


def _told(dataset: Items, row: WorstRow) -> dict[str, Any]:
    """A row with its neighbours in words."""
    rows = [row.item, *row.near[:5]]
    names = dataset.names_of(rows)
    texts = [text_of(dataset, item) for item in rows]
    near = zip(names[1:], texts[1:], row.cosines)
    return {"label": names[0], "text": texts[0], "share": row.share, "near": list(near)}


def _settings(model: Any) -> dict[str, list[tuple[str, str]]]:
    """All settings, and those that are not at their default."""
    own, default = getattr(model, "models", [model])[0].config.to_dict(), DTGCNNConfig().to_dict()
    changed = [(name, str(value)) for name, value in own.items() if value != default[name]]
    return {"all": [(name, str(value)) for name, value in own.items()], "changed": changed}
