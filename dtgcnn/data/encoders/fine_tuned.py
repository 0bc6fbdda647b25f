"""FineTunedEncoder: a model of the library sentence-transformers, trained on the texts first."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from itertools import count, islice
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike
from typing_extensions import override

from ...config import check_whole, refuse_unless
from ...errors import TrainingError
from ..batches.sampler import ClassBalancedSampler
from ..reading.raw import FloatArray, IntArray
from .encoding import checked_texts, progress_bar, require
from .model_files import find_model, weights_of
from .sentence_transformer import SentenceTransformerEncoder, quiet

__all__ = ["FineTunedEncoder"]

FOLDER = "model"
"""Where the trained model is, in the folder of a saved encoder."""

BATCH, PER_CLASS = 64, 4
"""Texts a step, and how many of a class."""

LEAST_STEPS = 60
"""Of held-out training rows, of five to ten rows a class, twice as many tell two points more of
TREC's 50 types, half a point of its 6, and a point less of Banking77."""

WARM_UP, LONGEST_GRADIENT, DECAY = 0.1, 1.0, 0.01
"""The share of the steps over which step sizes grow, the bound of a gradient's length, and the
decay of weights, all as is usual for such models."""


class _Scratch:
    """A folder that is gone when nobody holds it any more."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dtgcnn-"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


class FineTunedEncoder(SentenceTransformerEncoder):
    """Rows of a sentence-transformers model that is trained on the texts first, such as
    ``FineTunedEncoder("all-MiniLM-L6-v2").fit(texts, labels)``.

    Labels train it by the hardest triplets of each batch, with a soft margin (Hermans, Beyer &
    Leibe 2017; the library's ``BatchHardSoftMarginTripletLoss``). Saving keeps the weights.

    Args:
        model_name: a local folder, or a name on the Hugging Face hub.
        steps: of 64 texts; by default as many as go through them once, 60 at least.
        learning_rate: the largest step size.
        seed: of what is drawn: batches and dropout.
        device, cache, progress, prompts, default_prompt_name, revision: as of
            ``SentenceTransformerEncoder``.

    Raises:
        DataError: there is no such model, or it cannot be loaded.
        ValueError: an argument is out of its range.
        MissingExtraError: sentence-transformers is not installed.
    """

    name = "fine-tuned"
    takes_labels: ClassVar[bool] = True
    keeps_weights: ClassVar[bool] = True
    _fitted: bool = False
    _scratch: _Scratch | None = None

    def __init__(
        self,
        model_name: str,
        *,
        steps: int | None = None,
        learning_rate: float = 5e-5,
        seed: int = 0,
        device: str | None = None,
        cache: bool = True,
        progress: bool = True,
        prompts: Mapping[str, str] | None = None,
        default_prompt_name: str | None = None,
        revision: str | None = None,
    ) -> None:
        self.steps = None if steps is None else check_whole("steps", steps, 1)
        in_range = isinstance(learning_rate, (int, float)) and 0 < learning_rate < np.inf
        refuse_unless(in_range, "learning_rate", "must be above 0 and finite", learning_rate)
        self.learning_rate = learning_rate
        self.seed = check_whole("seed", seed, 0)
        super().__init__(
            model_name,
            device=device,
            cache=cache,
            progress=progress,
            prompts=prompts,
            default_prompt_name=default_prompt_name,
            revision=revision,
        )

    @override
    def __getstate__(self) -> dict[str, Any]:
        """All of it, with the weights of a model that was trained."""
        if not self._fitted:
            return super().__getstate__()
        model = self._model or self._loaded(self._folder)
        return {**vars(self), "_model": model, "_scratch": None}

    @override
    def fit(self, texts: Sequence[str], labels: ArrayLike | None = None) -> Self:
        """Train the model, beginning with what was published, in single precision; returns self. On
        a CPU equal seeds give equal rows. What fails leaves the encoder as it was.

        Args:
            texts: the texts.
            labels: (N,) their classes, whole numbers; below 0 where there is none.

        Raises:
            DataError: a text is blank, or not a string.
            ValueError: labels are not given, or are not of two classes or more, one of them of two
                texts or more.
        """
        texts = checked_texts("FineTunedEncoder.fit", texts)
        if labels is None:
            raise ValueError(
                f"the encoder {self.spec} learns from labels, and is given none: take "
                f"{SentenceTransformerEncoder.name}:{self.model_name}"
            )
        classes = np.asarray(labels)
        whole = classes.shape == (len(texts),) and classes.dtype.kind in "iu"
        refuse_unless(whole, "labels", f"must be {len(texts):,} whole numbers", labels)
        known = np.flatnonzero(classes >= 0)
        sampler = ClassBalancedSampler(classes[known], BATCH, PER_CLASS, self.seed)
        if not sampler.num_batches:
            raise ValueError(
                "labels must be of two classes or more, one of them of two texts or more, received "
                f"{len(np.unique(classes[known]))} of {len(known)} texts"
            )
        steps = self.steps or max(LEAST_STEPS, sampler.num_batches)
        name = self._full_name(self.model_name)
        model = self._loaded(find_model(name, self.extra, self._revision)).float()
        prompt = self._prompt(None)
        batches = (batch for epoch in count() for batch in sampler.batches(epoch))
        with (
            progress_bar("fine-tuning the encoder", steps, self.progress) as advance,
            _training(model, steps, self.learning_rate, self.seed) as step,
        ):
            for batch in islice(batches, steps):
                chosen = known[batch]
                step([prompt + texts[i] for i in chosen], classes[chosen])
                advance(1)
        with tempfile.TemporaryDirectory() as folder:
            self.weights = self._write(model, Path(folder))
        self._model, self._fitted, self._scratch = model, True, _Scratch()
        return self

    def untaught(self) -> SentenceTransformerEncoder:
        """The model as it was published.

        Raises:
            DataError: it is not there any more.
        """
        return SentenceTransformerEncoder(
            self.model_name,
            device=self.device,
            cache=self.cache,
            progress=self.progress,
            prompts=self.prompts,
            default_prompt_name=self.default_prompt_name,
            revision=self._revision,
        )

    @override
    def encode(self, texts: Sequence[str], prompt_name: str | None = None) -> FloatArray:
        """(N, dim) float32 rows; see ``SentenceTransformerEncoder``.

        Raises:
            RuntimeError: the encoder is not fitted.
        """
        self._require_fitted("encode")
        return super().encode(texts, prompt_name)

    @override
    def save(self, directory: str | PathLike[str]) -> None:
        """Write ``encoder.json``, and the trained model in a folder.

        Raises:
            RuntimeError: the encoder is not fitted.
        """
        self._require_fitted("save")
        folder = Path(directory) / FOLDER
        if self._model is None:
            shutil.copytree(self._folder, folder)
            weights = self.weights
        else:
            weights = self._write(self._model, folder)
        self._describe(directory, weights)

    @staticmethod
    def _write(model: Any, folder: Path) -> str:
        """Write a trained model; the hash of its files."""
        with quiet():
            model.save_pretrained(str(folder), create_model_card=False)
        return weights_of(folder)

    def _require_fitted(self, method: str) -> None:
        if not self._fitted:
            raise RuntimeError(
                f"FineTunedEncoder.{method} needs a fitted encoder: call fit(texts, labels) first, "
                "or FineTunedEncoder.load(directory)"
            )

    @override
    def _more_settings(self) -> dict[str, Any]:
        own = {"steps": self.steps, "learning_rate": self.learning_rate, "seed": self.seed}
        return {**super()._more_settings(), **own}

    @override
    def _read_settings(self, saved: dict[str, Any]) -> None:
        super()._read_settings(saved)
        self.steps, self.learning_rate = saved.get("steps"), saved.get("learning_rate", 5e-5)
        self.seed, self._fitted = saved.get("seed", 0), True
        self._revision = saved.get("revision")

    @override
    def _settle(self, model_name: str, folder: Path) -> None:
        """Of what was saved, name and revision are still those of the model that it began with."""
        if self._fitted:
            self.model_name, self.weights, self._folder = model_name, weights_of(folder), folder
        else:
            super()._settle(model_name, folder)

    @override
    def _cache_folder(self) -> Path | None:
        """Rows of weights that nobody has saved are of no use to another run."""
        folder = super()._cache_folder()
        return folder if folder is None or self._scratch is None else self._scratch.folder

    @override
    def _saved_model(self, directory: Path, model: str, revision: str | None, weights: str) -> Path:
        return directory / FOLDER


@contextmanager
def _training(
    model: Any, steps: int, learning_rate: float, seed: int
) -> Iterator[Callable[[list[str], IntArray], None]]:
    """Yields what takes a step, given texts and their classes."""
    torch, losses = _require("torch"), _losses()
    to_device = _require("sentence_transformers.util").batch_to_device
    tokenized = getattr(model, "preprocess", None) or model.tokenize  # its name before 5.3
    loss = losses.BatchHardSoftMarginTripletLoss(model)
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate, weight_decay=DECAY)
    rising = WARM_UP * steps
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda done: min((done + 1) / rising, (steps - done) / (steps - rising), 1.0)
    )

    def step(texts: list[str], classes: IntArray) -> None:
        features = to_device(dict(tokenized(texts)), model.device)
        value = loss([features], torch.as_tensor(classes, device=model.device))
        if not torch.isfinite(value):
            raise TrainingError(f"fine-tuning the encoder: the loss is {value.item()}")
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), LONGEST_GRADIENT)
        optimizer.step()
        schedule.step()

    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        model.train()
        yield step
        model.eval()


def _losses() -> Any:
    """The library's losses; they moved in release 5.4."""
    try:
        return import_module("sentence_transformers.sentence_transformer.losses")
    except ModuleNotFoundError:
        return _require("sentence_transformers.losses")


def _require(module: str) -> Any:
    return require(module, FineTunedEncoder.__name__, FineTunedEncoder.extra)
