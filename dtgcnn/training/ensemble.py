"""``Ensemble``: several models of different seeds that answer as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from typing_extensions import override

from ..array import ArrayOps, HostArray
from ..callbacks import Callback
from ..config import DTGCNNConfig, refuse_unknown, refuse_unless
from ..errors import CheckpointError
from ..losses import LossFunction
from ..model import DTGCNN, ENCODE_ROWS
from .answering_ensemble import AnsweringEnsemble
from .members import check_members
from .trainer import Trainer

if TYPE_CHECKING:
    from ..data import Encoder, TripletLoader
    from ..storage import IndexFile

__all__ = ["Ensemble", "Mode", "load_embedder"]

Mode = Literal["procrustes", "mean", "concat"]


class Ensemble(AnsweringEnsemble):
    """Trained models whose embeddings are put together.

    Each model finds axes of its own: the embedding space of one is about a rotation of another's,
    which a mean of both mixes up. The modes:

    - ``"procrustes"``: the mean after each model's space is rotated onto the first one's. The
      rotation is found once, on anchor rows, so an embedding does not depend on its company;
    - ``"mean"``: the mean as it is;
    - ``"concat"``: side by side, n · output_dim columns: the cosine of two rows is the mean of the
      models' cosines.

    A mean is brought back to unit length, unless the models have ``normalize_output=False``.

    Args:
        models: two or more trained models of one input_dim, output_dim and encoder.
        mode: how embeddings are put together.
        anchors: texts or vectors (N, input_dim) that the rotations are found on; the bank of the
            first model where not given.

    Raises:
        ValueError: the models do not fit together or are not trained, or ``mode`` is unknown.
    """

    def __init__(
        self,
        models: Sequence[DTGCNN],
        mode: Mode = "procrustes",
        *,
        anchors: HostArray | Sequence[str] | None = None,
    ) -> None:
        refuse_unknown("mode", mode, get_args(Mode))
        refuse_unless(isinstance(models, Iterable), "models", "must be DTGCNN models", models)
        self.models = list(models)
        check_members(self.models)
        self.mode: Mode = mode
        self.rotations: HostArray | None = None
        """(n, D, D) float64: what each model's embeddings are multiplied by in ``"procrustes"``."""
        self.histories: list[list[dict[str, float]]] = []
        """What ``Trainer.train`` returned for each model that ``train`` trained."""
        if mode == "procrustes":
            from ..evaluation import aligned

            bank = self.models[0].bank
            assert bank is not None
            rows = bank.host_x if anchors is None else self.vectors(anchors)
            if not len(rows):
                raise ValueError("anchors must hold a row or more, received none")
            self.rotations = aligned([model.embed(rows) for model in self.models])

    @classmethod
    def train(
        cls,
        config: DTGCNNConfig,
        train_loader: TripletLoader,
        val_loader: TripletLoader | None = None,
        *,
        seeds: Iterable[int] = (0, 1, 2),
        mode: Mode = "procrustes",
        backend: str = "auto",
        encoder: Encoder | None = None,
        callbacks: Callable[[int], Sequence[Callback]] | None = None,
        progress: bool = True,
        loss: LossFunction | None = None,
        state_dir: str | Path | None = None,
        resume: bool = False,
    ) -> Ensemble:
        """Train a model for each seed, on the same rows, one after the other.

        The seed decides a model's first weights, its dropout, and the order of its batches. Texts
        are encoded by one encoder, fitted once where none is given.

        Args:
            config: the settings of every model, but for the seed.
            train_loader, val_loader: as for ``Trainer``.
            seeds: two or more, no two equal.
            mode: how embeddings are put together.
            backend, encoder: as for ``DTGCNN``.
            callbacks: gives the callbacks of the model of a seed.
            progress, loss: as for ``Trainer``.
            state_dir: the state of each run is kept in its folder ``seed-<seed>``.
            resume: go on with those runs; models that are trained are not trained again.

        Raises:
            ValueError: ``seeds`` are too few or repeat; or as ``Trainer``.
        """
        seeds = tuple(seeds)
        if len(seeds) < 2 or len(set(seeds)) < len(seeds):
            raise ValueError(f"seeds must be two or more, no two equal, received {seeds}")
        models, histories = [], []
        for seed in seeds:
            model = DTGCNN(config.replace(seed=seed), backend=backend, encoder=encoder)
            trainer = Trainer(
                model,
                train_loader=train_loader.with_seed(seed),
                val_loader=val_loader,
                callbacks=() if callbacks is None else callbacks(seed),
                progress=progress,
                loss=loss,
                state_dir=None if state_dir is None else Path(state_dir) / f"seed-{seed}",
            )
            histories.append(trainer.train(resume=resume))
            encoder = model.encoder
            models.append(model)
        ensemble = cls(models, mode)
        ensemble.histories = histories
        return ensemble

    @property
    def encoder(self) -> Encoder | None:  # type: ignore[override]
        """What makes vectors of texts, for all models."""
        return self.models[0].encoder

    @property
    def ops(self) -> ArrayOps:  # type: ignore[override]
        """The backend of the first model."""
        return self.models[0].ops

    @override
    def get_embedding_dimension(self) -> int:
        return self.output_dim

    @property
    def output_dim(self) -> int:
        """Columns of an embedding."""
        count = len(self.models) if self.mode == "concat" else 1
        return count * self.models[0].config.output_dim

    def __call__(self, x: HostArray | Sequence[str]) -> HostArray:
        """The same as ``encode``."""
        return self.encode(x)

    def __repr__(self) -> str:
        from ..storage import spec_of

        first, count = self.models[0], sum(model.num_parameters for model in self.models)
        encoder = "" if first.encoder is None else f", encoder {spec_of(first.encoder)}"
        return (
            f"<Ensemble of {len(self.models)} models, {self.mode}, {first.config.input_dim} → "
            f"{self.output_dim}, {count:,} parameters, {first.ops.name} ({first.ops.device})"
            f"{encoder}>"
        )

    @override
    def embed(
        self,
        host_x: HostArray,
        batch_size: int = ENCODE_ROWS,
        advance: Callable[[int], None] | None = None,
    ) -> HostArray:
        first, *others = self.models
        views = [first.embed(host_x, batch_size, advance)]
        return self.put_together([*views, *(model.embed(host_x, batch_size) for model in others)])

    @override
    def put_together(self, views: Sequence[HostArray]) -> HostArray:
        from ..evaluation import mean_of, side_by_side

        if self.mode == "concat":
            return side_by_side(views)
        return mean_of(views, self.rotations, self.models[0].config.normalize_output)

    def save(
        self, directory: str | Path, *, overwrite: bool = False, index: IndexFile | None = None
    ) -> Path:
        """Write the ensemble into ``directory``, and the rows that are searched by it, if any; see
        ``dtgcnn.storage.write_ensemble``."""
        from ..storage import ensemble_card, write_ensemble

        return write_ensemble(
            directory,
            [model.save for model in self.models],
            {} if self.rotations is None else {"rotations": self.rotations},
            self.mode,
            [model.config.seed for model in self.models],
            self.models[0].made_with(),
            ensemble_card(self),
            overwrite=overwrite,
            index=index,
        )

    @classmethod
    def load(
        cls,
        directory: str | Path,
        *,
        backend: str = "auto",
        ops: ArrayOps | None = None,
        mapped: bool = False,
    ) -> Ensemble:
        """The ensemble that was saved in ``directory``, on ``backend``; ``ops`` and ``mapped`` as
        of ``DTGCNN.load``.

        Raises:
            CheckpointError: there is none, or a file or a member is missing, damaged, foreign or of
                another shape than the others.
        """
        from ..storage import ENSEMBLE, of_one_save, read_ensemble

        def read() -> tuple[list[DTGCNN], str, Any]:
            members, mode, rotations = read_ensemble(directory)
            models = [
                DTGCNN.load(folder, backend=backend, ops=ops, mapped=mapped) for folder in members
            ]
            return models, mode, rotations

        models, mode, rotations = of_one_save(Path(directory) / ENSEMBLE, read)
        try:
            ensemble = cls(models, "mean")
        except ValueError as error:
            raise CheckpointError(
                f"{directory}: its members do not fit together: {error}"
            ) from None
        for model in models:
            model.encoder = models[0].encoder  # one copy, of equal ones
        ensemble.mode, ensemble.rotations = cast(Mode, mode), rotations
        return ensemble


def load_embedder(
    directory: str | Path, *, backend: str = "auto", ops: ArrayOps | None = None
) -> DTGCNN | Ensemble:
    """What was saved in ``directory``: an ensemble, or else a model; on ``backend``, or on ``ops``.

    Raises:
        CheckpointError: as ``Ensemble.load`` and ``DTGCNN.load``.
    """
    from ..storage import holds_ensemble

    if holds_ensemble(directory):
        return Ensemble.load(directory, backend=backend, ops=ops)
    return DTGCNN.load(directory, backend=backend, ops=ops)
