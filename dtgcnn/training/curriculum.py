"""``CurriculumScheduler``: easy triplets first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from ..array import HostArray, numerics
from ..callbacks import Callback, TrainerView

if TYPE_CHECKING:
    from ..data import TripletLoader

__all__ = ["CurriculumScheduler"]


class CurriculumScheduler(Callback):
    """Train on easy triplets first and on harder ones stage by stage (Bengio et al. 2009).

    The epochs are divided into ``num_stages`` stages of equal length. When one begins, every
    triplet of the training side is scored under the present model by ``cos(a, n) − cos(a, p)``: the
    larger, the harder. Stage i of n trains on the easiest i/n of them, the last stage on all. An
    epoch keeps its number of steps, so an early stage sees its triplets several times in it.

    Args:
        num_stages: at least 1.
        cumulative: False trains stage i on the i-th n-th of the triplets alone.

    Raises:
        ValueError: an argument is out of range; when training begins, the data have no triplets, or
            there are more stages than epochs.
    """

    every_process = True

    def __init__(self, num_stages: int = 4, *, cumulative: bool = True) -> None:
        if num_stages < 1:
            raise ValueError(f"num_stages must be at least 1, received {num_stages}")
        self.num_stages = num_stages
        self.cumulative = cumulative
        self.current_stage = -1
        """The running stage, from 0; −1 before the first."""
        self.difficulties: HostArray = None
        """(T,) of the training side's triplets, as the running stage found them."""
        self._rows: HostArray = None
        self._loader: TripletLoader | None = None

    @override
    def on_train_begin(self, trainer: TrainerView) -> None:
        loader = trainer.train_loader
        if loader is None or loader.triplets is None:
            raise ValueError("a curriculum needs triplets, and the data are labelled")
        limits = {"epochs": trainer.config.num_epochs, "triplets": len(loader.triplets)}
        for name, most in limits.items():
            if self.num_stages > most:
                raise ValueError(
                    f"num_stages must be at most the number of {name}, {most}, "
                    f"received {self.num_stages}"
                )
        self.current_stage, self._loader = -1, loader
        loader.restrict(None)

    @override
    def on_epoch_begin(self, trainer: TrainerView, epoch: int) -> None:
        stage = (epoch - 1) * self.num_stages // trainer.config.num_epochs
        if stage != self.current_stage:
            self.advance_stage(trainer)

    @override
    def on_train_end(self, trainer: TrainerView) -> None:
        if trainer.train_loader is not None and trainer.train_loader.triplets is not None:
            trainer.train_loader.restrict(None)

    def advance_stage(self, trainer: TrainerView) -> None:
        """Begin the next stage, the last one again after the last: score the triplets anew, and let
        the loader draw from those of the stage."""
        self.current_stage = min(self.current_stage + 1, self.num_stages - 1)
        self.difficulties = self.compute_triplet_difficulties(trainer)
        self._rows = self.get_stage_data(trainer)
        assert trainer.train_loader is not None
        trainer.train_loader.restrict(self._rows)

    def compute_triplet_difficulties(self, trainer: TrainerView) -> HostArray:
        """(T,) ``cos(a, n) − cos(a, p)`` of the training side's triplets under the model."""
        loader, ops = trainer.train_loader, trainer.model.ops
        assert loader is not None
        assert loader.triplets is not None
        unit = numerics.l2_normalize(ops, ops.asarray(trainer.embed_side(loader)))
        places = loader.items.searchsorted(loader.triplets)
        a, p, n = (ops.take(unit, ops.asarray(places[:, i], "int32")) for i in range(3))
        return ops.to_numpy(ops.sum(a * n, axis=1) - ops.sum(a * p, axis=1))

    def get_stage_data(self, trainer: TrainerView) -> HostArray:
        """Which of the training side's triplets the running stage trains on, the easiest first."""
        ops, stage = trainer.model.ops, max(self.current_stage, 0)
        order = ops.to_numpy(ops.argsort(ops.asarray(self.difficulties)))
        bounds = [round(len(order) * i / self.num_stages) for i in range(self.num_stages + 1)]
        return order[0 if self.cumulative else bounds[stage] : bounds[stage + 1]]

    @override
    def state_dict(self) -> dict[str, Any]:
        rows = None if self._rows is None else [int(row) for row in self._rows]
        return {"current_stage": self.current_stage, "rows": rows}

    @override
    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.current_stage, self._rows = state["current_stage"], state["rows"]
        if self._loader is not None:
            self._loader.restrict(self._rows)
