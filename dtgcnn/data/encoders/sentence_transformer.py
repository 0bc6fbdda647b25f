"""SentenceTransformerEncoder: a model of the library sentence-transformers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from ..reading.raw import FloatArray
from .encoding import equal_shapes, require
from .pretrained import PretrainedEncoder

__all__ = ["SentenceTransformerEncoder"]


class SentenceTransformerEncoder(PretrainedEncoder):
    """Rows of a sentence-transformers model (Reimers & Gurevych 2019), such as
    ``SentenceTransformerEncoder("all-MiniLM-L6-v2")``.

    Texts are cut to the model's longest. On the CPU a row is the same, bit for bit, in any company;
    on a GPU to rounding.

    Args:
        model_name: a local folder, or a name on the Hugging Face hub.
        device: ``"cpu"``, ``"cuda"``, ``"mps"``; by default a GPU where there is one.
        cache: look rows up in the cache on the disk, and keep new ones there.
        progress: show a progress bar on a terminal.

    Raises:
        DataError: there is no such model, or it cannot be loaded.
        MissingExtraError: sentence-transformers is not installed.
    """

    name = "sentence-transformer"
    extra: ClassVar[str] = "sentence-transformers"
    batch_size: ClassVar[int] = 16
    limit: ClassVar[str] = "max_seq_length of tokens"
    device: str | None = None

    def __init__(
        self,
        model_name: str,
        *,
        device: str | None = None,
        cache: bool = True,
        progress: bool = True,
    ) -> None:
        self.device = device
        super().__init__(model_name, cache=cache, progress=progress)

    @classmethod
    @override
    def _full_name(cls, model_name: str) -> str:
        if "/" in model_name or Path(model_name).is_dir():
            return model_name
        return f"sentence-transformers/{model_name}"  # as the library itself has it

    @override
    def _load_model(self, folder: Path) -> Any:
        library = require("sentence_transformers", type(self).__name__, self.extra)
        with _quiet():
            return library.SentenceTransformer(str(folder), device=self.device)

    @override
    def _rows(self, model: Any, texts: list[str]) -> Iterator[tuple[list[int], FloatArray]]:
        for batch, filled in equal_shapes(_lengths(model, texts), self.batch_size):
            rows = model.encode(
                [texts[i] for i in filled],
                batch_size=self.batch_size,
                show_progress_bar=False,
                convert_to_numpy=True,
            )
            yield batch, np.asarray(rows[: len(batch)], np.float32)

    @override
    def _cut(self, model: Any, texts: list[str]) -> list[bool]:
        longest = getattr(model, "max_seq_length", None)
        if longest is None:
            return [False] * len(texts)
        lengths = _tokens(model, texts, longest + 1) or [0] * len(texts)
        return [length > longest for length in lengths]


def _lengths(model: Any, texts: list[str]) -> list[int]:
    """Tokens of each text; characters where the model has no tokeniser of the usual kind."""
    found = _tokens(model, texts, getattr(model, "max_seq_length", None))
    return [len(text) for text in texts] if found is None else found


def _tokens(model: Any, texts: list[str], longest: int | None) -> list[int] | None:
    """Tokens of each text, at most ``longest``."""
    try:
        found = model.tokenizer(texts, truncation=True, max_length=longest)
        return [len(ids) for ids in found["input_ids"]]
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


@contextmanager
def _quiet() -> Iterator[None]:
    """Loading without the library's own progress bar."""
    logging = require(
        "transformers.utils.logging", "SentenceTransformerEncoder", "sentence-transformers"
    )
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
