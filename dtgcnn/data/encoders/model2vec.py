"""Model2VecEncoder: a static model of the library model2vec."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from ..reading.raw import FloatArray
from .encoding import require
from .pretrained import PretrainedEncoder

__all__ = ["Model2VecEncoder"]


class Model2VecEncoder(PretrainedEncoder):
    """Rows of a model2vec model, the mean of its vectors of a text's tokens, such as
    ``Model2VecEncoder("minishlab/potion-base-8M")``.

    Looking vectors up is fast, so nothing is kept in a cache. No text is cut. One without any token
    that the model knows gives a row of zeros.

    Args:
        model_name: a local folder, or a name on the Hugging Face hub.
        progress: show a progress bar on a terminal.

    Raises:
        DataError: there is no such model, or it cannot be loaded.
        MissingExtraError: model2vec is not installed.
    """

    name = "model2vec"
    extra: ClassVar[str] = "model2vec"
    caches: ClassVar[bool] = False
    batch_size: ClassVar[int] = 1024

    def __init__(self, model_name: str, *, progress: bool = True) -> None:
        super().__init__(model_name, cache=False, progress=progress)

    @override
    def _load_model(self, folder: Path) -> Any:
        library = require("model2vec", type(self).__name__, self.extra)
        return library.StaticModel.from_pretrained(str(folder))

    @override
    def _rows(self, model: Any, texts: list[str]) -> Iterator[tuple[list[int], FloatArray]]:
        for start in range(0, len(texts), self.batch_size):
            part = texts[start : start + self.batch_size]
            rows = model.encode(part, max_length=None, use_multiprocessing=False)
            yield list(range(start, start + len(part))), np.asarray(rows, np.float32)
