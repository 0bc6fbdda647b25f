"""PretrainedEncoder: what encoders around somebody else's frozen model have in common."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from ...errors import DataError
from ..reading.raw import FloatArray
from .cache import EncoderCache, cache_folder
from .encoding import (
    DESCRIPTION,
    checked_texts,
    digest,
    progress_bar,
    read_description,
    report_cut,
    write_description,
)
from .model_files import find_model, revision_of, weights_of

__all__ = ["PretrainedEncoder"]

_log = logging.getLogger("dtgcnn")

_KEPT_AT_ONCE = 1024  # rows; an interrupt loses no more than these
TRUST = "DTGCNN_TRUST_REMOTE_CODE"
"""The environment variable that lets code run that a saved model's text encoder brings."""

_TOLD = 100  # texts; of fewer the log is silent


class PretrainedEncoder(ABC):
    """A frozen model that others trained. Saving keeps its name and a hash of its weights.

    Rows are kept in a cache on the disk where ``caches``; see ``EncoderCache``.

    Args:
        model_name: a local folder, or a name on the Hugging Face hub.
        cache: look rows up in the cache, and keep new ones there.
        progress: show a progress bar on a terminal.

    Attributes:
        model_name: the same; of a folder, its absolute path.
        dim: width of the rows.
        weights: sha256 of the model's files.

    Raises:
        DataError: there is no such model, or it cannot be loaded.
        MissingExtraError: the library is not installed.
    """

    name: str
    dim: int
    extra: ClassVar[str]
    """What installs the library."""
    caches: ClassVar[bool] = True
    """Whether encoding takes so long that rows are worth keeping."""
    batch_size: ClassVar[int]
    limit: ClassVar[str] = "longest text"
    """What a text may be at most, in words."""

    trust_remote_code: bool = False
    """Whether code that the model brings may run."""
    has_code: bool = False
    """Whether the model brings code that it cannot do without."""

    def __init__(
        self,
        model_name: str,
        *,
        cache: bool = True,
        progress: bool = True,
        revision: str | None = None,
    ) -> None:
        if not isinstance(model_name, str) or not model_name.strip():
            raise ValueError(f"model_name must be a folder or a name, received {model_name!r}")
        self.cache = cache
        self.progress = progress
        full = self._full_name(model_name)
        self._settle(model_name, find_model(full, self.extra, revision, code=self.has_code))
        self._model: Any = self._loaded(self._folder)
        self.dim = next(iter(self._rows(self._model, ["text"])))[1].shape[1]

    @property
    def spec(self) -> str:
        """What ``make_encoder`` makes it of."""
        return f"{self.name}:{self.model_name}"

    @property
    def fingerprint(self) -> str:
        """A sha256 of what the rows depend on."""
        return digest(self.name, self.weights, str(self.dim))

    def __getstate__(self) -> dict[str, Any]:
        """All but the library's model, which is loaded when a text has to be encoded."""
        return {**vars(self), "_model": None}

    def __deepcopy__(self, memo: object) -> Self:
        """The same model: it learns nothing, so one is enough."""
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn nothing; returns self."""
        return self

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """(N, dim) float32 rows, each independent of the other texts. How many texts are longer
        than the model reads is logged as a warning.

        Raises:
            DataError: an element is not a string or is blank.
            MissingExtraError: a text is not in the cache, and the library is not installed.
        """
        texts = checked_texts(f"{type(self).__name__}.encode", texts)
        out = np.zeros((len(texts), self.dim), np.float32)
        with EncoderCache(self.fingerprint, self.dim, self._cache_folder()) as cache:
            missing = cache.fill(texts, out)
            new = set(missing)
            cut = cache.cut_among([text for i, text in enumerate(texts) if i not in new])
            cut += self._encode_missing(texts, missing, out, cache)
            report_cut(type(self).__name__, cut, len(texts), f"the model's {self.limit}")
            kept = cache.path is not None and cache.path.parent == cache_folder()
            if kept and len(texts) >= _TOLD:
                _log.info(
                    "encoded %s texts, %s were known; cache %s, %.1f MB",
                    *(f"{len(missing):,}", f"{len(texts) - len(missing):,}"),
                    *(cache.path, cache.size / 1e6),
                )
        return out

    def save(self, directory: str | PathLike[str]) -> None:
        """Write ``encoder.json``: the model's name and the hash of its weights, no weights."""
        self._describe(directory, self.weights)

    def _describe(self, directory: str | PathLike[str], weights: str) -> None:
        """Write ``encoder.json``."""
        write_description(
            directory,
            {
                "name": self.name,
                "model": self.model_name,
                "revision": self._revision,
                "dim": self.dim,
                "weights": weights,
                **self._more_settings(),
            },
        )

    def _cache_folder(self) -> Path | None:
        """Where rows are kept, if they are."""
        return cache_folder() if self.cache and self.caches else None

    def _more_settings(self) -> dict[str, Any]:
        """What ``encoder.json`` tells beside."""
        return {}

    def _read_settings(self, saved: dict[str, Any]) -> None:  # noqa: B027 - most have none
        """Take what ``_more_settings`` gave.

        Raises:
            TypeError: it is of another type.
        """

    @classmethod
    def load(cls, directory: str | PathLike[str]) -> Self:
        """Read what ``save`` wrote. The library is imported when a text has to be encoded.

        Raises:
            DataError: the file is missing or damaged, or the model is gone or is another one.
        """
        path, saved = Path(directory) / DESCRIPTION, read_description(directory)
        try:
            model, dim, weights = saved["model"], saved["dim"], saved["weights"]
            revision = saved.get("revision")
            known = isinstance(model, str) and isinstance(dim, int) and isinstance(weights, str)
            if not known:
                raise TypeError("'model' and 'weights' must be strings and 'dim' a number")
            encoder = cls.__new__(cls)
            encoder._read_settings(saved)
        except (KeyError, TypeError) as error:
            raise DataError(f"{path}: is not a saved {cls.__name__}: {error}") from None
        encoder.cache = encoder.progress = True
        encoder._model, encoder.dim = None, dim
        advice = (
            f"put the model that it was saved with there (sha256 {weights[:12]}), or name the "
            f"folder where it is now as 'model' in {path}"
        )
        try:
            folder = encoder._saved_model(Path(directory), model, revision, weights)
            encoder._settle(model, folder)
        except DataError as error:
            raise DataError(f"{path}: {error}; {advice}") from None
        if encoder.weights != weights:
            raise DataError(
                f"{path}: {model!r} is another model (sha256 {encoder.weights[:12]}); {advice}"
            )
        return encoder

    def _saved_model(self, directory: Path, model: str, revision: str | None, weights: str) -> Path:
        """The folder of the model of an encoder that was saved in ``directory``: what was
        downloaded before, where that is the one."""
        name = self._full_name(model)
        try:
            folder = find_model(name, self.extra, revision, local=True, code=self.has_code)
            if weights_of(folder, self.has_code) == weights:
                return folder
        except DataError:
            pass
        return find_model(name, self.extra, revision, code=self.has_code)

    @classmethod
    def _full_name(cls, model_name: str) -> str:
        """``model_name`` as the hub has it."""
        return model_name

    @abstractmethod
    def _load_model(self, folder: Path) -> Any:
        """The library's model."""

    @abstractmethod
    def _rows(self, model: Any, texts: list[str]) -> Iterator[tuple[list[int], FloatArray]]:
        """Rows in batches, with the indices of their texts."""

    def _cut(self, model: Any, texts: list[str]) -> list[bool]:
        """Of each text whether it is longer than the model reads."""
        return [False] * len(texts)

    def _settle(self, model_name: str, folder: Path) -> None:
        is_folder = Path(model_name).expanduser().is_dir()
        self.model_name = str(folder) if is_folder else model_name
        self.weights = weights_of(folder, self.has_code)
        self._revision = None if is_folder else revision_of(folder)
        self._folder = folder

    def _loaded(self, folder: Path) -> Any:
        if self.has_code and not self.trust_remote_code:
            raise DataError(
                f"{self.model_name}: this model runs code of its own: look at it, and then load "
                f"with trust_remote_code=True, or set the environment variable {TRUST}=1"
            )
        try:
            return self._load_model(folder)
        except ImportError:
            raise
        except Exception as error:  # whatever a foreign file provokes in the library
            reason = str(error).partition("\n")[0]
            raise DataError(
                f"{folder}: is no model for {type(self).__name__} "
                f"({type(error).__name__}: {reason})"
            ) from error

    def _encode_missing(
        self, texts: list[str], missing: list[int], out: FloatArray, cache: EncoderCache
    ) -> int:
        """Encode each distinct text once, in parts that are kept one after the other; returns how
        many texts were cut."""
        if not missing:
            return 0
        if self._model is None:
            self._model = self._loaded(self._folder)
        places: dict[str, list[int]] = {}
        for i in missing:
            places.setdefault(texts[i], []).append(i)
        distinct = list(places)
        cut = {text for text, long in zip(distinct, self._cut(self._model, distinct)) if long}
        shown = self.progress and len(distinct) > self.batch_size
        kept: list[int] = []
        with progress_bar("encoding texts", len(distinct), shown) as advance:
            for indices, rows in self._rows(self._model, distinct):
                for i, row in zip(indices, rows, strict=True):
                    out[places[distinct[i]]] = row
                kept += indices
                if len(kept) >= _KEPT_AT_ONCE:
                    _keep(cache, [distinct[i] for i in kept], places, out, cut)
                    kept = []
                advance(len(indices))
            _keep(cache, [distinct[i] for i in kept], places, out, cut)
        return sum(len(places[text]) for text in cut)


def _keep(
    cache: EncoderCache,
    texts: list[str],
    places: dict[str, list[int]],
    out: FloatArray,
    cut: set[str],
) -> None:
    if texts:
        cache.add(texts, out[[places[text][0] for text in texts]], cut.intersection(texts))
