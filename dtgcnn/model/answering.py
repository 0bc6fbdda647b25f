"""``AnsweringModel``: a model that tells the classes of rows by the labelled rows of its bank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from typing_extensions import override

from ..array import Array, ArrayOps, HostArray, numerics
from ..config import DTGCNNConfig, check_whole
from .bank import nodes_of
from .calibration import Calibration
from .classifier import VOTES, Answers, Classifier
from .encoding import Encodes
from .graph import Graph
from .saving import SavedModel
from .voters import SCOPE_ROWS, Voters, probabilities, two_best, voters_of

if TYPE_CHECKING:
    from ..storage import Checkpoint

__all__ = ["AnsweringModel", "Neighbors", "judged", "probabilities_of"]

ANSWER_ROWS = 256
"""Rows answered at a time; a block is padded to this height, as those of ``encode`` are."""


_LINKS = ("neighbors", "weights", "own")
"""What the bank's own links are made of."""


class Neighbors(NamedTuple):
    """What answers rest on: of each row its nearest labelled rows of the bank, nearest first."""

    rows: HostArray
    """(N, k) int32, their places in the bank."""
    labels: HostArray
    """(N, k) int32, their classes, places in ``classes_``."""
    cosines: HostArray
    """(N, k) float32, of their embeddings with the row's."""
    scope: HostArray
    """(N, 3) float32, what tells whether the row is in scope; see ``Voters.scope``."""


class AnsweringModel(SavedModel, Encodes, Classifier):
    """What ``DTGCNN`` answers when it is asked for classes.

    Args:
        config: what shapes the network.
        ops: the backend that holds it.
    """

    def __init__(self, config: DTGCNNConfig, ops: ArrayOps) -> None:
        super().__init__(config, ops)
        self.calibration = Calibration()
        """What held-out rows told of its answers; that of no rows before training."""
        self._voters: tuple[list[Any], Voters] | None = None

    @property
    @override
    def knows_classes(self) -> bool:
        bank = self.bank
        return self.classes_ is not None and bank is not None and bank.labels is not None

    @override
    def bank_rows_of(self, host_x: HostArray) -> list[int]:
        return self.trained_bank().rows_of(host_x)

    @override
    def answers(self, x: HostArray | Sequence[str], *, k: int = VOTES) -> Answers:
        check_whole("k", k, 1)
        rows = self.vectors(x)
        return judged([self], [self.neighbors_of(rows, self.embed(rows), k)], rows)

    @override
    def predict_proba(self, x: HostArray | Sequence[str], *, k: int = VOTES) -> HostArray:
        return probabilities_of([self], [self.neighbors(x, k)])

    def probabilities(self, near: Neighbors, asked: Array) -> Array:
        """The probabilities (N, A) of classes ``asked``, (N, A) or (1, A), that rest on what
        ``neighbors`` gave."""
        count, ops, tau = len(self.class_names()), self.ops, self.calibration
        found = []
        for rows in self._blocks(len(near.rows)):
            own = asked if asked.shape[0] == 1 else ops.take(asked, ops.asarray(rows, "int32"))
            votes = ops.asarray(near.labels[rows], "int32"), ops.asarray(near.cosines[rows])
            p = probabilities(ops, own, *votes, count, tau.temperature, tau.background)
            ops.evaluate(p)
            found.append(p)
        return ops.concat(found)[: len(near.rows)]

    @override
    def threshold(self, reject: float) -> float:
        return self.calibration.threshold(reject)

    def neighbors(self, x: HostArray | Sequence[str], k: int = VOTES) -> Neighbors:
        """The labelled rows of the bank that the answers to texts or vectors rest on: the ``k``
        nearest by the cosine of their embeddings, or all where they are fewer.

        Raises:
            ValueError: as ``answers``.
        """
        check_whole("k", k, 1)
        host_x = self.vectors(x)
        return self.neighbors_of(host_x, self.embed(host_x), k)

    def neighbors_of(self, host_x: HostArray, f: HostArray, k: int = VOTES) -> Neighbors:
        """``neighbors`` of rows as ``vectors`` gives them, whose embeddings ``f`` are known."""
        voters, ops, found = self.voters(), self.ops, []
        for rows in self._blocks(len(host_x)):
            z = numerics.l2_normalize(ops, ops.asarray(f[rows]))
            near = voters.nearest(ops, z, max(k, SCOPE_ROWS))
            scope = voters.scope(ops, self.unit_inputs(host_x[rows]), near[2])
            found.append((*(of_voters[:, :k] for of_voters in near), scope))
            ops.evaluate(found[-1])
        parts = map(ops.concat, zip(*found, strict=True))
        return Neighbors(*(ops.to_numpy(part)[: len(host_x)] for part in parts))

    def voters(self) -> Voters:
        """The labelled rows of the bank, as the parameters and the bank are now.

        Raises:
            ValueError: the model knows no classes, or no labels of its bank.
        """
        bank, names = self.trained_bank(), self.class_names()
        if bank.labels is None:
            raise ValueError(
                "the model's bank has no labels: it is that of an index, or was saved by an "
                "earlier release; ask the model as it was trained"
            )
        now = [bank, self.params, self.state, *bank.states, *bank.hop_states]
        known = [*bank.labels, len(names)]
        if self._voters is None or not _same(self._voters[0], [*now, known]):
            ops, network, hops = self.ops, self.network, self.config.propagation_hops
            if bank.graph is None:  # of a model that an earlier release saved
                bank.link(ops, network)
            z = bank.embeddings(ops, network, self.params, self.state, hops)
            made = voters_of(ops, bank.labels, self.unit_inputs(bank.host_x), z)
            ops.evaluate(made.rows, made.labels, made.x, made.z, made.means)
            self._voters = [*now, known], made
        return self._voters[1]

    def forget_rows(self) -> None:
        """Let go of the bank, the start, and what answers are made of, which hold rows: it cannot
        encode from then on."""
        self.bank = self.start = self._voters = None

    @override
    def class_names(self) -> list[str]:
        if self.classes_ is None:
            raise ValueError(
                "the model knows no classes: it was trained on triplets, or saved by an earlier "
                "release; train it on labelled rows"
            )
        return self.classes_

    def unit_inputs(self, host_x: HostArray) -> Array:
        """What there is of host rows before the network, (N, input_dim) on the device at unit
        length: vectors, or bags of pieces as the parameters are now."""
        return nodes_of(self.ops, self.network, self.params, self.device_rows(host_x))

    def _blocks(self, count: int) -> Iterator[list[int]]:
        """Places of rows, so many at a time that none is answered otherwise than alone: of the last
        block the last one fills up."""
        for start in range(0, max(count, 1), ANSWER_ROWS):
            block = list(range(start, min(start + ANSWER_ROWS, count)))
            missing = 0 if numerics.alike_at_any_height(self.ops) else ANSWER_ROWS - len(block)
            yield block + block[-1:] * missing

    @override
    def checkpoint(self) -> Checkpoint:
        saved = super().checkpoint()
        own = {f"calibration.{name}": a for name, a in self.calibration.arrays.items()}
        graph = None if self.bank is None else self.bank.graph
        if graph is not None:
            own |= {f"bank.{n}": self.ops.to_numpy(getattr(graph, n)) for n in _LINKS}
        return replace(saved, arrays={**saved.arrays, **own})

    @override
    def _restore(self, saved: Checkpoint) -> None:
        super()._restore(saved)
        self.calibration = Calibration.of(saved)
        if self.bank is not None and "bank.neighbors" in saved.arrays:
            rows, k = len(self.bank), self.config.graph_k_neighbors
            widths = dict(zip(_LINKS, (k, k, 1), strict=True))
            found = {name: saved.array(f"bank.{name}", (rows, widths[name])) for name in _LINKS}
            self.bank.graph = Graph(
                self.ops.asarray(found["neighbors"], "int32"),
                self.ops.asarray(found["weights"]),
                self.ops.asarray(found["own"]),
                None,
            )
            self.ops.evaluate(self.bank.graph.neighbors)


def judged(
    models: Sequence[AnsweringModel], near: Sequence[Neighbors], host_x: HostArray
) -> Answers:
    """What models say together of rows ``host_x`` (N, …): means of their probabilities and scores.

    A class without a vote is never more probable than one with some, and of two without one none
    is. So the classes of voters and the first two are all that the two best can be.

    Args:
        models: of the same classes and backend.
        near: what ``neighbors`` of each gave.
        host_x: the rows.
    """
    ops, names = models[0].ops, models[0].class_names()
    voted = [ops.asarray(own.labels, "int32") for own in near]
    first = ops.zeros((len(host_x), 1), "int32") + ops.arange(min(2, len(names)))[None, :]
    asked = ops.concat([*voted, first], axis=1)
    best, sure = map(ops.to_numpy, two_best(ops, asked, _mean(models, near, asked)))
    told = [m.calibration.scores(own.scope) for m, own in zip(models, near, strict=True)]
    scores = sum(told[1:], told[0]) / len(models)
    scores[~models[0].tells(host_x)] = float("-inf")
    return Answers(names, best, sure, scores)


def probabilities_of(models: Sequence[AnsweringModel], near: Sequence[Neighbors]) -> HostArray:
    """The mean of the models' probabilities (N, C) of all classes; see ``judged``."""
    ops, count = models[0].ops, len(models[0].class_names())
    return ops.to_numpy(_mean(models, near, ops.arange(count)[None, :]))


def _mean(models: Sequence[AnsweringModel], near: Sequence[Neighbors], asked: Array) -> Array:
    given = [model.probabilities(own, asked) for model, own in zip(models, near, strict=True)]
    return sum(given[1:], given[0]) * (1.0 / len(models))


def _same(before: list[Any], now: list[Any]) -> bool:
    """Whether all but the last are the same objects, and the last equal."""
    *old, old_known = before
    *new, new_known = now
    same = len(old) == len(new) and all(a is b for a, b in zip(old, new, strict=True))
    return same and bool(old_known == new_known)
