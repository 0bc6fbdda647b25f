"""``AnsweringEnsemble``: what several models say of classes as one, and rows that join or leave
their banks."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import Any, Self

from typing_extensions import override

from ..array import HostArray
from ..config import DTGCNNConfig
from ..model import (
    DTGCNN,
    VOTES,
    Answers,
    Bank,
    Classifier,
    Encodes,
    Neighbors,
    judged,
    listed_labels,
    probabilities_of,
)

__all__ = ["AnsweringEnsemble"]


class AnsweringEnsemble(Classifier, Encodes):
    """What is asked of each model of an ensemble, or done to its bank.

    What is told of *the* bank is told of the first model's: the banks hold the same rows, unless
    there are more than ``bank_size``, of which each model draws its own.
    """

    models: list[DTGCNN]
    """Two or more trained models of one encoder."""

    @abstractmethod
    def put_together(self, views: Sequence[HostArray]) -> HostArray:
        """One embedding (N, output_dim) of those of the models."""

    @override
    def vectors(self, x: Any, prompt_name: str | None = None) -> HostArray:
        """What goes into the models; see ``DTGCNN.vectors``."""
        return self.models[0].vectors(x, prompt_name)

    def input_vectors(self, host_x: HostArray) -> HostArray:
        """What there is of host rows before training; see ``DTGCNN.input_vectors``."""
        return self.models[0].input_vectors(host_x)

    @property
    def input_width(self) -> int:
        """Columns of ``input_vectors``."""
        return self.models[0].input_width

    def tells(self, host_x: HostArray) -> HostArray:
        """Which host rows say anything; see ``DTGCNN.tells``."""
        return self.models[0].tells(host_x)

    @property
    def config(self) -> DTGCNNConfig:
        """The settings of the first model."""
        return self.models[0].config

    @property
    def classes_(self) -> list[str] | None:
        """The names of the classes that the models know; None where they know none, or not the
        same."""
        first, *others = (model.classes_ for model in self.models)
        return first if all(names == first for names in others) else None

    @property
    def untrained_classes(self) -> list[str]:
        """The names of the classes that joined the banks after training; see ``DTGCNN.add``."""
        return self.models[0].untrained_classes

    @property
    @override
    def knows_classes(self) -> bool:
        return self.classes_ is not None and all(model.knows_classes for model in self.models)

    @override
    def class_names(self) -> list[str]:
        names = self.models[0].class_names()
        for i, model in enumerate(self.models):
            if model.classes_ != names:
                raise ValueError(
                    f"the models must know the same classes; those of models[{i}] differ from "
                    "those of models[0]"
                )
        return names

    @override
    def trained_bank(self) -> Bank:
        return self.models[0].trained_bank()

    @override
    def bank_rows_of(self, host_x: HostArray) -> list[int]:
        return self.models[0].bank_rows_of(host_x)

    def bank_embeddings(self) -> HostArray:
        """Embeddings of the bank's rows; see ``DTGCNN``."""
        views, rows = [], self.trained_bank().host_x
        for model in self.models:
            places = model.bank_rows_of(rows)
            whole = min(places) >= 0
            views.append(model.bank_embeddings()[places] if whole else model.embed(rows))
        return self.put_together(views)

    @override
    def answers(self, x: HostArray | Sequence[str], *, k: int = VOTES) -> Answers:
        """The most probable classes by the mean of the models' probabilities (Lakshminarayanan et
        al. 2017, arXiv:1612.01474), and the mean of their scores (N,); see ``DTGCNN``.

        Raises:
            ValueError: as for ``DTGCNN``, or the models know different classes.
        """
        self.class_names()
        rows = self.vectors(x)
        return judged(self.models, [model.neighbors(rows, k) for model in self.models], rows)

    @override
    def predict_proba(self, x: HostArray | Sequence[str], *, k: int = VOTES) -> HostArray:
        self.class_names()
        rows = self.vectors(x)
        return probabilities_of(self.models, [model.neighbors(rows, k) for model in self.models])

    @override
    def threshold(self, reject: float) -> float:
        return sum(model.threshold(reject) for model in self.models) / len(self.models)

    def neighbors(self, x: HostArray | Sequence[str], k: int = VOTES) -> Neighbors:
        """The rows of the first model's bank that its answers rest on; see ``DTGCNN``."""
        return self.models[0].neighbors(self.vectors(x), k)

    def index(self, corpus: HostArray | Sequence[str], *, hops: int = 3) -> Self:
        """An ensemble of the same models, each over ``corpus``, whose embeddings are put together
        as before; see ``DTGCNN.index``."""
        rows = self.vectors(corpus)
        return self._with([model.index(rows, hops=hops) for model in self.models])

    def add(
        self,
        x: HostArray | Sequence[str],
        labels: Iterable[str | int | None] | None = None,
        *,
        places: Callable[[int], str] = "row {}".format,
    ) -> Self:
        """An ensemble like this one with more rows in each model's bank; see ``DTGCNN.add``."""
        rows = self.vectors(x)
        labels = None if labels is None else listed_labels(labels)
        return self._with([model.add(rows, labels, places=places) for model in self.models])

    def remove(
        self, rows: HostArray | Sequence[str] | None = None, labels: Iterable[str] = ()
    ) -> Self:
        """An ensemble like this one without some rows of each model's bank; see
        ``DTGCNN.remove``."""
        gone = None if rows is None else self.vectors(rows)
        labels = listed_labels(labels)
        return self._with([model.remove(gone, labels) for model in self.models])

    def _with(self, models: list[DTGCNN]) -> Self:
        """An ensemble of other models, put together as these are."""
        other = copy(self)
        other.models = models
        return other
