"""SentenceTransformerEncoder: a model of the library sentence-transformers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from ...errors import DataError
from ..reading.raw import FloatArray
from .encoding import checked_texts, equal_shapes, require
from .pretrained import TRUST, PretrainedEncoder

__all__ = ["SentenceTransformerEncoder", "quiet"]


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
        prompts: what goes before a text, by name, such as ``{"query": "query: ", "document":
            "passage: "}``; beside those that the model has, or in their place.
        default_prompt_name: the prompt where none is named; by default the model's own.
        trust_remote_code: let code run that the model brings.
        revision: a commit, branch or tag on the hub.

    Raises:
        DataError: there is no such model, or it cannot be loaded.
        ValueError: ``default_prompt_name`` is not the name of a prompt.
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
        prompts: Mapping[str, str] | None = None,
        default_prompt_name: str | None = None,
        trust_remote_code: bool = False,
        revision: str | None = None,
    ) -> None:
        self.device = device
        self.trust_remote_code = self.has_code = trust_remote_code
        super().__init__(model_name, cache=cache, progress=progress, revision=revision)
        own = dict(getattr(self._model, "prompts", None) or {})
        self.prompts = {**own, **(prompts or {})}
        self.default_prompt_name = default_prompt_name
        if default_prompt_name is None:
            self.default_prompt_name = getattr(self._model, "default_prompt_name", None)
        self._prompt(None)
        if any(self.prompts.values()) and not _pools_prompts(self._model):
            raise DataError(
                f"{model_name}: leaves prompts out of its pooling, which is not supported: name "
                "prompts that are empty, as prompts={'query': ''}"
            )

    @override
    def encode(self, texts: Sequence[str], prompt_name: str | None = None) -> FloatArray:
        """(N, dim) float32 rows, each independent of the other texts; see ``PretrainedEncoder``.

        Args:
            texts: the texts.
            prompt_name: the prompt that goes before each of them.

        Raises:
            ValueError: there is no such prompt.
        """
        prompt = self._prompt(prompt_name)
        texts = checked_texts(f"{type(self).__name__}.encode", texts)
        return super().encode([prompt + text for text in texts] if prompt else texts)

    def _prompt(self, name: str | None) -> str:
        name = self.default_prompt_name if name is None else name
        if name is not None and name not in self.prompts:
            known = ", ".join(map(repr, self.prompts)) or "none"
            raise ValueError(f"prompt_name must be one of {known}, received {name!r}")
        return "" if name is None else self.prompts[name]

    @override
    def _more_settings(self) -> dict[str, Any]:
        return {
            "prompts": self.prompts,
            "default_prompt_name": self.default_prompt_name,
            "has_code": self.has_code,
        }

    @override
    def _read_settings(self, saved: dict[str, Any]) -> None:
        self.prompts = saved.get("prompts") or {}
        self.default_prompt_name = saved.get("default_prompt_name")
        self.has_code = bool(saved.get("has_code"))
        self.trust_remote_code = os.environ.get(TRUST) == "1"
        named = [*self.prompts, *self.prompts.values(), self.default_prompt_name or ""]
        if not isinstance(self.prompts, dict) or not all(isinstance(n, str) for n in named):
            raise TypeError("'prompts' must be texts by name and 'default_prompt_name' a name")
        if self.default_prompt_name is not None and self.default_prompt_name not in self.prompts:
            raise TypeError("'default_prompt_name' must be one of 'prompts'")

    @classmethod
    @override
    def _full_name(cls, model_name: str) -> str:
        if "/" in model_name or Path(model_name).is_dir():
            return model_name
        return f"sentence-transformers/{model_name}"  # as the library itself has it

    @override
    def _load_model(self, folder: Path) -> Any:
        library = require("sentence_transformers", type(self).__name__, self.extra)
        with quiet():
            return library.SentenceTransformer(
                str(folder), device=self.device, trust_remote_code=self.trust_remote_code
            )

    @override
    def _rows(self, model: Any, texts: list[str]) -> Iterator[tuple[list[int], FloatArray]]:
        for batch, filled in equal_shapes(_lengths(model, texts), self.batch_size):
            rows = model.encode(
                [texts[i] for i in filled],
                batch_size=self.batch_size,
                show_progress_bar=False,
                convert_to_numpy=True,
                prompt="",  # the texts have theirs
            )
            yield batch, np.asarray(rows[: len(batch)], np.float32)

    @override
    def _cut(self, model: Any, texts: list[str]) -> list[bool]:
        longest = getattr(model, "max_seq_length", None)
        if longest is None:
            return [False] * len(texts)
        lengths = _tokens(model, texts, longest + 1) or [0] * len(texts)
        return [length > longest for length in lengths]


def _pools_prompts(model: Any) -> bool:
    """Whether prompts are texts like others to a model."""
    return all(getattr(module, "include_prompt", True) for module in model)


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
def quiet() -> Iterator[None]:
    """Loading, and saving, without the library's own progress bar."""
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
