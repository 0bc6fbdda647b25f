"""What every picture needs: a checked path, an empty figure, colours, and a file that is whole."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..storage import replace_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "AFTER",
    "BEFORE",
    "WORSE",
    "class_styles",
    "new_figure",
    "picture_path",
    "save_figure",
    "shorten_name",
]

BEFORE, AFTER, WORSE = "#7f7f7f", "#1f77b4", "#d95f02"
"""Colours that the colour-blind tell apart: without the model, with it, and what is amiss."""

_LONGEST = 32  # letters of a name


def picture_path(path: str | os.PathLike[str]) -> Path:
    """``path``, refused unless it ends in .png or .svg."""
    path = Path(path)
    if path.suffix.lower() not in (".png", ".svg"):
        raise ValueError(f"path must end in .png or .svg, received {path.name!r}")
    return path


def new_figure(**options: Any) -> Figure:
    """An empty figure, apart from pyplot and its windows.

    Raises:
        ImportError: without matplotlib.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("plots need matplotlib: pip install 'dtgcnn[plot]'") from error
    return Figure(layout="constrained", **options)


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure beside ``path`` first, then move it there in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix[1:].lower(), dpi=150)
    replace_file(path, content.getvalue())


def shorten_name(name: str) -> str:
    """``name`` in one line of 32 letters at most; endings often tell names apart, so the middle
    goes."""
    name, half = " ".join(name.split()), _LONGEST // 2
    return name if len(name) <= _LONGEST else f"{name[: half - 1]}…{name[-half:]}"


def class_styles(n: int) -> list[tuple[str, str]]:
    """A colour and a marker for each of ``n`` classes: neighbours in the list are far apart."""
    from matplotlib import colormaps, colors

    if n <= 10:
        return [(colors.to_hex(colormaps["tab10"](i)), "o") for i in range(n)]
    # Steps of the golden ratio spread evenly over the map, however many they are.
    hues = [colormaps["turbo"](i * 0.618034 % 1) for i in range(n)]
    return [(colors.to_hex(hue), "osD^vP"[i % 6]) for i, hue in enumerate(hues)]
