"""What every picture needs: a checked path, an empty figure, colours, and a file that is whole."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import needing
from ..storage import replace_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "AFTER",
    "BEFORE",
    "WORSE",
    "boxes",
    "class_styles",
    "finish",
    "give_glyphs",
    "new_figure",
    "picture_path",
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
    with needing("plots need matplotlib", "plot"):
        from matplotlib.figure import Figure
    return Figure(layout="constrained", **options)


def finish(figure: Figure, path: Path | None) -> None:
    """Give a drawn figure the fonts that its texts need, and save it where ``path`` is given, whole
    or not at all."""
    give_glyphs(figure)
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    with boxes():
        figure.savefig(content, format=path.suffix[1:].lower(), dpi=150)
    replace_file(path, content.getvalue())


@contextmanager
def boxes() -> Iterator[None]:
    """Draw letters of a script for which no font is installed as boxes, without a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from", UserWarning)
        yield


def give_glyphs(figure: Figure) -> None:
    """Add to the fonts of a figure's texts those that are installed and have the letters which the
    usual one lacks, as few as there need be."""
    from matplotlib import font_manager
    from matplotlib.text import Text

    for axes in figure.axes:  # the texts of ticks are made when they are asked for
        axes.get_xticklabels(), axes.get_yticklabels()
    texts: list[Any] = [text for text in figure.findobj(Text) if not text.get_text().isascii()]
    letters = {ord(letter) for text in texts for letter in text.get_text() if letter.isprintable()}
    usual = font_manager.FontProperties().get_family()
    missing = letters - _letters(font_manager.findfont(font_manager.FontProperties()))
    more: list[str] = []
    fonts = font_manager.fontManager.ttflist if missing else []
    fonts = [font for font in fonts if not font.name.startswith("Last Resort")]  # boxes alone
    for font in sorted(fonts, key=lambda font: (font.style != "normal", font.weight != 400)):
        found = missing & _letters(font.fname)
        if found:
            more.append(font.name)
            missing -= found
        if not missing:
            break
    for text in texts if more else []:
        text.set_fontfamily([*usual, *more])


@cache
def _letters(path: str) -> frozenset[int]:
    """The code points that a font has glyphs of; none of a file that cannot be read."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(FT2Font(path).get_charmap())
    except (OSError, RuntimeError):
        return frozenset()


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
