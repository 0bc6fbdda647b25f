"""``CurriculumScheduler``: easy triplets first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

from typing_extensions import override

from ..array import ArrayOps, HostArray, numerics
from ..callbacks import Callback, TrainerView
from ..config import check_whole, to_python

if TYPE_CHECKING:
    from ..data import TripletDataset, TripletLoader

__all__ = ["CurriculumScheduler"]


class CurriculumScheduler(Callback):
    """Train on easy triplets first and on harder ones stage by stage (Bengio et al. 2009).

    The epochs are divided into ``num_stages`` stages of equal length. When one begins, every
    triplet of the training side is scored under the present model by ``cos(a, n) − cos(a, p)``: the
    larger, the harder. Labelled rows are scored against the means of classes, see
    ``dtgcnn.data.difficulties``, and each class gives the same share of its rows. Stage i of n
    trains on the easiest i/n of them, the last stage on all. An epoch keeps its number of steps, so
    an early stage sees its triplets several times in it.

    With a dataset it needs no training: ``get_stage_data()`` is a dataset of the stage, scored by
    the rows' own vectors, and ``advance_stage()`` goes on to the next.

    Args:
        dataset: of triplets or labelled; a number is taken for ``num_stages``.
        num_stages: at least 1.
        cumulative: False trains stage i on the i-th n-th of the triplets alone.

    Raises:
        ValueError: an argument is out of range; there are more stages than triplets or labelled
            rows, or when training begins than epochs.
    """

    every_process = True

    def __init__(
        self,
        dataset: TripletDataset | int | None = None,
        num_stages: int = 4,
        *,
        cumulative: bool = True,
    ) -> None:
        dataset = to_python(dataset)
        if isinstance(dataset, int):
            num_stages, dataset = dataset, None
        self.num_stages = check_whole("num_stages", num_stages, 1)
        self.cumulative = cumulative
        self.dataset = dataset
        self.current_stage = -1 if dataset is None else 0
        """The running stage, from 0; −1 before the first."""
        self.difficulties: HostArray = None
        """(T,) of the training side's triplets, as the running stage found them."""
        self._own: HostArray = None
        self._labels: HostArray = None
        self._rows: HostArray = None
        self._loader: TripletLoader | None = None
        if dataset is not None:
            if not hasattr(dataset, "label_names"):
                raise ValueError(f"dataset must be a TripletDataset, received {dataset!r}")
            if dataset.label_names is None and dataset.triplets is None:
                raise ValueError("dataset must hold triplets or labels, it holds single texts")
            from ..data import training_labels

            self._labels = training_labels(dataset)
            self._check_stages(dataset.triplets, self._labels)

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        loader = trainer.train_loader
        assert loader is not None
        self._check_stages(loader.triplets, loader.labels, epochs=trainer.config.num_epochs)
        self.current_stage, self._loader = -1, loader
        loader.restrict(None)

    def _check_stages(self, triplets: HostArray, labels: HostArray, **limits: int) -> None:
        named = ("labelled rows", labels >= 0) if triplets is None else ("triplets", triplets)
        limits[named[0]] = int(named[1].sum()) if triplets is None else len(triplets)
        for name, most in limits.items():
            if self.num_stages > most:
                raise ValueError(
                    f"num_stages must be at most the number of {name}, {most}, "
                    f"received {self.num_stages}"
                )

    @override
    def on_epoch_begin(self, trainer: TrainerView, epoch: int) -> None:
        stage = (epoch - 1) * self.num_stages // trainer.config.num_epochs
        if stage != self.current_stage:
            self.advance_stage(trainer)

    @override
    def on_train_end(self, trainer: TrainerView) -> None:
        if trainer.train_loader is not None:
            trainer.train_loader.restrict(None)

    def advance_stage(self, trainer: TrainerView | None = None) -> None:
        """Begin the next stage, the last one again after the last: in training score the rows anew,
        and let the loader draw from those of the stage."""
        self.current_stage = min(self.current_stage + 1, self.num_stages - 1)
        if trainer is None:
            return
        self.difficulties = self.compute_triplet_difficulties(trainer)
        self._rows = self.get_stage_data(trainer)
        assert trainer.train_loader is not None
        trainer.train_loader.restrict(self._rows)

    def compute_triplet_difficulties(self, trainer: TrainerView | None = None) -> HostArray:
        """(T,) ``cos(a, n) − cos(a, p)`` of the training side's triplets under the model, or of the
        dataset's by the rows' own vectors; of labelled rows (N,), see ``dtgcnn.data``."""
        from ..data import difficulties, input_vectors

        if trainer is None:
            dataset = self._given()
            return difficulties(input_vectors(dataset), self._labels, dataset.triplets)
        loader = trainer.train_loader
        assert loader is not None
        rows = trainer.embed_side(loader)
        if loader.triplets is None:
            return difficulties(rows, loader.labels)
        places = loader.items.searchsorted(loader.triplets)
        return _difficulties(trainer.model.ops, rows, places)

    def _given(self) -> TripletDataset:
        if self.dataset is None:
            raise ValueError("dataset must be given to CurriculumScheduler, or a trainer here")
        return self.dataset

    @overload
    def get_stage_data(self, trainer: TrainerView) -> HostArray: ...

    @overload
    def get_stage_data(self, trainer: None = None) -> TripletDataset: ...

    def get_stage_data(self, trainer: TrainerView | None = None) -> HostArray | TripletDataset:
        """Which of the training side's triplets or rows the running stage trains on, the easiest
        first; without a trainer a dataset of those of the scheduler's own, and of all its rows that
        are of other splits than "train".

        Raises:
            ValueError: there is neither a trainer nor a dataset.
        """
        from ..data import stage_data

        if trainer is not None:
            loader = trainer.train_loader
            assert loader is not None
            return self._stage(
                self.difficulties, loader.labels if loader.triplets is None else None
            )
        dataset = self._given()
        if self._own is None:
            self._own = self.compute_triplet_difficulties()
        labels = self._labels if dataset.triplets is None else None
        return stage_data(dataset, self._stage(self._own, labels))

    def _stage(self, scores: HostArray, labels: HostArray) -> HostArray:
        from ..data import stage_rows

        place = (max(self.current_stage, 0), self.num_stages)
        return stage_rows(scores, *place, cumulative=self.cumulative, labels=labels)

    @override
    def state_dict(self) -> dict[str, Any]:
        rows = None if self._rows is None else [int(row) for row in self._rows]
        return {"current_stage": self.current_stage, "rows": rows}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.current_stage, self._rows = state["current_stage"], state["rows"]
        if self._loader is not None:
            self._loader.restrict(self._rows)


def _difficulties(ops: ArrayOps, rows: HostArray, places: HostArray) -> HostArray:
    """``cos(a, n) − cos(a, p)`` of triplets (T, 3) of rows."""
    unit = numerics.l2_normalize(ops, ops.asarray(rows))
    a, p, n = (ops.take(unit, ops.asarray(places[:, i], "int32")) for i in range(3))
    return ops.to_numpy(ops.sum(a * n, axis=1) - ops.sum(a * p, axis=1))
