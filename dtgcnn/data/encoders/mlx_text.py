"""MlxTextEncoder: a model of the library mlx-embeddings, on Apple Silicon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from ..reading.raw import FloatArray
from .encoding import equal_shapes, require
from .pretrained import PretrainedEncoder

__all__ = ["MlxTextEncoder"]

_LONGEST = 512  # tokens, of models that do not say


class MlxTextEncoder(PretrainedEncoder):
    """Rows of an mlx-embeddings model at unit length, such as
    ``MlxTextEncoder("mlx-community/all-MiniLM-L6-v2-bf16")``.

    Texts are cut to the tokeniser's longest.

    Args:
        model_name: a local folder, or a name on the Hugging Face hub.
        cache: look rows up in the cache on the disk, and keep new ones there.
        progress: show a progress bar on a terminal.

    Raises:
        DataError: there is no such model, or it cannot be loaded.
        MissingExtraError: mlx-embeddings is not installed.
    """

    name = "mlx"
    extra: ClassVar[str] = "mlx-text"
    batch_size: ClassVar[int] = 16
    limit: ClassVar[str] = f"longest, {_LONGEST} tokens or fewer"

    @override
    def _load_model(self, folder: Path) -> Any:
        return require("mlx_embeddings", type(self).__name__, self.extra).load(str(folder))

    @override
    def _rows(self, model: Any, texts: list[str]) -> Iterator[tuple[list[int], FloatArray]]:
        mx = require("mlx.core", type(self).__name__, self.extra)
        network, tokenizer = model
        tokens = _tokens(tokenizer, texts, _longest(tokenizer))
        for batch, filled in equal_shapes([len(ids) for ids in tokens], self.batch_size):
            ids = mx.array([tokens[i] for i in filled])
            found = network(ids, attention_mask=mx.ones_like(ids)).text_embeds
            rows = np.asarray(found.astype(mx.float32))
            yield batch, rows[: len(batch)]

    @override
    def _cut(self, model: Any, texts: list[str]) -> list[bool]:
        _, tokenizer = model
        longest = _longest(tokenizer)
        return [len(ids) > longest for ids in _tokens(tokenizer, texts, longest + 1)]


def _longest(tokenizer: Any) -> int:
    return int(min(tokenizer.model_max_length, _LONGEST))


def _tokens(tokenizer: Any, texts: list[str], longest: int) -> list[list[int]]:
    found: list[list[int]] = tokenizer(texts, truncation=True, max_length=longest, padding=False)[
        "input_ids"
    ]
    return found
