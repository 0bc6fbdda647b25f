"""Searching for settings that do best on held-out rows, by Optuna."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import TrainingError, needing
from ..model import DTGCNN
from .best_epoch import chosen_by
from .state_keeper import hold
from .trainer import Trainer

if TYPE_CHECKING:
    from ..data import TripletLoader

__all__ = ["SPACE", "STUDY", "Made", "Range", "Trial", "Tuned", "tune"]

_log = logging.getLogger("dtgcnn")

STUDY = "study.log"
"""The file, in the folder of a search, that holds its trials."""

_LOCK = "search.lock"
_TELLING = 10  # different values that say which setting moves them

Made = tuple[DTGCNN, "TripletLoader", "TripletLoader"]
"""A model and the loaders that train and validate it."""


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    Attributes:
        low, high: the ends; where both are whole numbers, so are all.
        log: whether drawn evenly by their logarithm.
    """

    low: float
    high: float
    log: bool = False


SPACE: dict[str, Range | tuple[Any, ...]] = {
    "learning_rate": Range(1e-4, 1e-2, log=True),
    "weight_decay": Range(1e-6, 1e-2, log=True),
    "dropout_rate": Range(0.0, 0.5),
    "loss": ("triplet", "supcon", "multi_similarity"),
    "graph_k_neighbors": Range(3, 30),
    "graph_self_weight": Range(0.5, 0.95),
    "code_weight": Range(0.5, 3.0),
    "start_weight": Range(0.03, 3.0, log=True),
}
"""What is searched where nothing else is named: settings by their ranges or choices."""


@dataclass(frozen=True)
class Trial:
    """Settings that were tried.

    Attributes:
        number: counted from 0, which is the settings as they were.
        settings: the searched ones by name.
        value: what the held-out rows gave; None where training failed.
        epoch: the epoch that gave it, None where there is no value.
    """

    number: int
    settings: dict[str, Any]
    value: float | None
    epoch: int | None


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes:
        metric: the name of what was maximised, of held-out rows.
        trials: all of them, in order.
        importances: the share of the values' variance that each setting explains, the largest
            first; empty where too few trials tell.
    """

    metric: str
    trials: list[Trial]
    importances: dict[str, float]

    @property
    def gain(self) -> float | None:
        """What the best trial gives more than the first; None where that one failed."""
        first = self.trials[0].value
        return None if first is None else (self.best.value or 0.0) - first

    @property
    def ranked(self) -> list[Trial]:
        """The trials that gave a value, the best first; of equal ones the earlier."""
        done = [trial for trial in self.trials if trial.value is not None]
        return sorted(done, key=lambda trial: -(trial.value or 0.0))

    @property
    def best(self) -> Trial:
        """The best trial."""
        return self.ranked[0]


def tune(
    make: Callable[[dict[str, Any]], Made],
    folder: str | Path,
    *,
    space: Mapping[str, Range | Sequence[Any]] | None = None,
    first: Mapping[str, Any] | None = None,
    trials: int = 30,
    seed: int = 0,
    about: str = "",
    told: Callable[[Trial], None] | None = None,
) -> Tuned:
    """Search for settings by the tree-structured Parzen estimator (Bergstra et al. 2011,
    "Algorithms for Hyper-Parameter Optimization"), and keep every trial as soon as it is done.

    A trial trains on one side and is measured on the other, by the greatest MAP@R that an epoch
    reaches there, the start being epoch 0, and of triplets by the AUC of pairs. The values of a
    search are of the rows that chose the best one, so other rows will give a little less.

    Args:
        make: gives a new model with these settings, and the loaders that train and validate it.
        folder: where the search is kept; one that is there goes on.
        space: settings by their ranges or choices; ``SPACE`` where not given.
        first: the values that the first trial has; of the settings left out, any.
        trials: how many there are to be in all, those that failed included.
        seed: of the search.
        about: what is searched on, in words; one that differs from the folder's is refused.
        told: called after each trial.

    Raises:
        MissingExtraError: Optuna is not installed.
        ValueError: ``trials`` is below 1, ``seed`` is out of range, or the folder holds the search
            of something else.
        TrainingError: no trial gave a value.
        BlockingIOError: another process searches in the folder.
    """
    from ..data import check_seed

    if trials < 1:
        raise ValueError(f"trials must be at least 1, received {trials}")
    check_seed(seed)
    space = dict(SPACE if space is None else space)
    with hold(Path(folder), _LOCK):
        optuna, study, distributions = _study(Path(folder) / STUDY, space, about)
        begun = study.get_trials(deepcopy=False)
        if not begun and first:
            study.enqueue_trial({name: first[name] for name in space if name in first})
        done = sum(trial.state.is_finished() for trial in begun)
        for number in range(done, trials):
            own = (seed + number) % 2**32  # wherever a search was stopped
            study.sampler = optuna.samplers.TPESampler(seed=own)
            trial = study.ask(distributions)
            try:
                name, value, epoch = _measured(make(dict(trial.params)))
            except TrainingError as error:
                _log.warning("trial %d: %s", trial.number, error)
                study.tell(trial, state=optuna.trial.TrialState.FAIL)
            except Exception:  # what nothing is searched on leaves nothing in the way of the next
                if trial.number == 0:
                    (Path(folder) / STUDY).unlink(missing_ok=True)
                else:  # which would fail again
                    study.tell(trial, state=optuna.trial.TrialState.FAIL)
                raise
            else:
                study.set_user_attr("metric", name)
                trial.set_user_attr("epoch", epoch)
                study.tell(trial, value)
            if told is not None:
                told(_trial(study.trials[trial.number]))
        found = [_trial(trial) for trial in study.trials]
        if all(trial.value is None for trial in found):
            raise TrainingError(f"none of the {len(found)} trials gave a value")
        return Tuned(study.user_attrs["metric"], found, _importances(optuna, study))


def _study(path: Path, space: Mapping[str, Any], about: str) -> tuple[Any, Any, dict[str, Any]]:
    """Optuna, the search that is kept at ``path``, and what it draws from."""
    with needing("tuning needs optuna", "tune"):
        optuna = import_module("optuna")
        journal = import_module("optuna.storages.journal")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.JournalStorage(journal.JournalFileBackend(str(path)))
    study = optuna.create_study(
        storage=storage, study_name="dtgcnn", direction="maximize", load_if_exists=True
    )
    words = {"about": about, "space": repr(sorted(space.items()))}
    for name, said in words.items():
        kept = study.user_attrs.get(name, said)
        if kept != said:
            raise ValueError(
                f"{path} holds a search of another {name}, {kept}; this one is of {said}: name "
                "another folder"
            )
        study.set_user_attr(name, said)
    states = optuna.trial.TrialState
    for trial in study.get_trials(states=(states.RUNNING,), deepcopy=False):
        storage.set_trial_state_values(trial._trial_id, states.WAITING)  # its process was killed
    return optuna, study, {name: _distribution(optuna, own) for name, own in space.items()}


def _distribution(optuna: Any, own: Range | Sequence[Any]) -> Any:
    kinds = optuna.distributions
    if not isinstance(own, Range):
        return kinds.CategoricalDistribution(list(own))
    whole = isinstance(own.low, int) and isinstance(own.high, int)
    kind = kinds.IntDistribution if whole else kinds.FloatDistribution
    return kind(own.low, own.high, log=own.log)


def _measured(made: Made) -> tuple[str, float, int]:
    """Train; the name of what the held-out rows are measured by, its value, and the epoch."""
    model, loader, val_loader = made
    if model.encoder is not None and not len(loader.pseudo):
        from ..data import fit_encoder

        fit_encoder(model.encoder, loader, unlabelled=False)
    trainer = Trainer(model, train_loader=loader, val_loader=val_loader, progress=False)
    trainer.train()
    if trainer.best_epoch is None:
        raise ValueError("val_loader must hold rows: without held-out ones no settings are better")
    name = chosen_by(trainer.history[0])
    start = trainer.start_metrics
    reached = [start.get(name, float("-inf")), *(entry[name] for entry in trainer.history)]
    value = max(reached)
    return name, round(value, 6), reached.index(value)


def _trial(trial: Any) -> Trial:
    return Trial(trial.number, dict(trial.params), trial.value, trial.user_attrs.get("epoch"))


def _importances(optuna: Any, study: Any) -> dict[str, float]:
    """By PED-ANOVA (Watanabe, Bansal & Hutter 2023), of trials whose values differ."""
    values = {trial.value for trial in study.trials if trial.value is not None}
    if len(values) < _TELLING:
        return {}
    evaluator = optuna.importance.PedAnovaImportanceEvaluator()
    found = optuna.importance.get_param_importances(study, evaluator=evaluator)
    return {name: float(share) for name, share in found.items()}
