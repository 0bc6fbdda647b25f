"""``Classifier``: asking a model, or several, for classes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from ..array import HostArray
from .bank import Bank

__all__ = ["VOTES", "Answers", "Classifier"]

VOTES = 10
"""Nearest rows of the bank that vote, where no other number is named."""


@dataclass(frozen=True)
class Answers:
    """What a model says of N rows.

    Attributes:
        classes: the names of the C classes.
        best: (N, 2) int32 on the host, the most probable class of each row and the next, places in
            ``classes``; the same twice where there is one class.
        sure: (N, 2) float32, their probabilities; 0 of a next class that there is not.
        scores: (N,) how much each row is in scope: larger of what is like the rows trained on, −inf
            of a zero vector, as that of a text of which the encoder knows no word.
    """

    classes: list[str]
    best: HostArray
    sure: HostArray
    scores: HostArray

    def labels(self, threshold: float | None = None) -> list[str | None]:
        """The most probable class of each row; None where its score is below ``threshold``."""
        found = [self.classes[place] for place in self.best[:, 0]]
        if threshold is None:
            return list(found)
        pairs = zip(found, self.scores, strict=True)
        return [None if score < threshold else name for name, score in pairs]


class Classifier(ABC):
    """What tells classes: a ``DTGCNN`` or an ``Ensemble``."""

    @property
    @abstractmethod
    def knows_classes(self) -> bool:
        """Whether it can be asked for classes."""

    @abstractmethod
    def class_names(self) -> list[str]:
        """The names of the classes that it knows, those of ``classes_``.

        Raises:
            ValueError: it knows none.
        """

    @abstractmethod
    def trained_bank(self) -> Bank:
        """The bank, of an ensemble that of the first model."""

    def told_classes(self) -> set[str]:
        """The names of the classes that it may tell: those with a labelled row in its bank, which a
        class of rows "test" alone has not.

        Raises:
            ValueError: it knows none.
        """
        names = self.class_names()
        return {names[label] for label in set(self.trained_bank().labels or ()) if label >= 0}

    @abstractmethod
    def vectors(self, x: HostArray | Sequence[str]) -> HostArray:
        """What goes into it; see ``DTGCNN.vectors``."""

    @abstractmethod
    def bank_rows_of(self, host_x: HostArray) -> list[int]:
        """For each row of ``vectors`` the row of the bank that is equal to it, or −1; of an
        ensemble, of the first model's bank."""

    @abstractmethod
    def answers(self, x: HostArray | Sequence[str], *, k: int = VOTES) -> Answers:
        """The most probable classes and scores of texts or vectors (N, input_dim), in memory that
        does not grow with the number of classes.

        A row's are the same alone, in any batch and in any order.

        Args:
            x: the rows.
            k: nearest labelled rows of the bank that vote; all where they are fewer.

        Raises:
            ValueError: the model knows no classes, ``k`` is below 1, or as ``encode``.
        """

    @abstractmethod
    def threshold(self, reject: float) -> float:
        """The score that a share ``reject`` of the rows held out in training is below.

        Raises:
            ValueError: ``reject`` is not in (0, 1), or no rows were held out.
        """

    def predict(
        self, x: HostArray | Sequence[str], *, k: int = VOTES, reject: float | None = None
    ) -> list[str | None]:
        """The class of each text or vector: the most probable one.

        Args:
            x: the rows.
            k: see ``answers``.
            reject: refuse rows that are less in scope than this share of the rows that were held
                out in training, so that about as many rows of known classes are refused; and those
                whose vector is zero.

        Returns:
            N names of ``classes_``, None where a row is refused.

        Raises:
            ValueError: as ``answers`` and ``threshold``.
        """
        limit = None if reject is None else self.threshold(reject)
        return self.answers(x, k=k).labels(limit)

    @abstractmethod
    def predict_proba(self, x: HostArray | Sequence[str], *, k: int = VOTES) -> HostArray:
        """The probability (N, C) of each class, in the order of ``classes_``, float32, each above
        0; see ``answers``."""
