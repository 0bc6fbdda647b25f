"""``ChangingModel``: a model that rows join and leave without training."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import replace
from typing import Self

from ..array import Array, HostArray
from .answering import AnsweringModel
from .bank import Bank
from .bank_changes import joined, joining, leaving, listed_labels, without

__all__ = ["ChangingModel"]


class ChangingModel(AnsweringModel):
    """What rows join the bank of a ``DTGCNN``, and leave it.

    Args:
        config: what shapes the network.
        ops: the backend that holds it.
    """

    @abstractmethod
    def started(self, host_x: HostArray, *, by_rows: bool = False) -> tuple[Array, Array | None]:
        """What goes into the network; see ``DTGCNN``."""

    @abstractmethod
    def refresh_bank(self) -> None:
        """Compute the bank's states anew; see ``DTGCNN``."""

    def add(
        self,
        x: HostArray | Sequence[str],
        labels: Iterable[str | int | None] | None = None,
        *,
        places: Callable[[int], str] = "row {}".format,
    ) -> Self:
        """A model like this one with more rows in its bank, which its embeddings of like rows, and
        its answers, then rest on. Nothing is trained, and this model stays as it is.

        New classes come after those that there are in ``classes_``, and are told by
        ``untrained_classes``: the network has not learnt to part them.

        Args:
            x: texts or vectors (N, input_dim); of equal ones, and of those in the bank, one is
                kept, and takes the label where it had none.
            labels: the names of their classes; None, NaN or −1 for a row whose class is not known.
            places: what a row is called in messages.

        Raises:
            ValueError: as ``encode``; a row is zero, as of a text whose words the encoder does not
                know; or a label is blank, neither a text nor a number, or contradicts that of an
                equal row.
        """
        host_x, bank = self.vectors(x), self.trained_bank()
        found = joining(bank, self.classes_, host_x, self.tells(host_x), labels, places)
        fresh = host_x[found.fresh]
        other = self._with(
            joined(self.ops, bank, fresh, *self.started(fresh), found.labels)
            if len(fresh)
            else replace(bank, labels=found.labels)
        )
        before = len(self.classes_ or [])
        other.classes_ = found.classes if found.labels is not None else self.classes_
        other.untrained_classes = [*self.untrained_classes, *found.classes[before:]]
        return other

    def remove(
        self, rows: HostArray | Sequence[str] | None = None, labels: Iterable[str] = ()
    ) -> Self:
        """A model like this one without some rows of its bank. Nothing is trained, and this model
        stays as it is.

        Args:
            rows: texts or vectors (N, input_dim); those that are not in the bank are passed over.
            labels: the names of classes, whose rows go, and which leave ``classes_``.

        Raises:
            ValueError: as ``encode``; neither is given; there is no such class, or of an index, no
                row has one; or fewer rows than ``graph_k_neighbors + 1`` would stay.
        """
        labels = listed_labels(labels)
        if rows is None and not labels:
            raise ValueError("rows or labels must be given, received neither")
        bank, classes = self.trained_bank(), self.classes_ or []
        gone = leaving(bank, classes, None if rows is None else self.vectors(rows), labels)
        kept = without(self.ops, bank, gone, self.config.graph_k_neighbors)
        staying = [name for name in classes if name not in labels]
        if labels and kept.labels is not None:
            numbers = {name: number for number, name in enumerate(staying)}
            kept.labels = [-1 if y < 0 else numbers[classes[y]] for y in kept.labels]
        other = self._with(kept)
        other.classes_ = None if self.classes_ is None else staying
        other.untrained_classes = [n for n in self.untrained_classes if n in staying]
        return other

    def _with(self, bank: Bank) -> Self:
        """A model like this one with another bank, whose states are made anew."""
        other = copy(self)
        other.config = self.config.replace(bank_size=max(self.config.bank_size, len(bank)))
        other.bank = bank
        other.refresh_bank()
        return other
