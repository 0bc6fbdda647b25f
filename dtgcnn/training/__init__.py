"""Training: ``Trainer`` and its loop, one step, the state of a run, stages, ensembles."""

from .best_epoch import chosen_by
from .continuing import changed_classes, load_trained, sides
from .curriculum import CurriculumScheduler
from .ensemble import Ensemble, load_embedder
from .fitting import TEXT_INPUT_DIM, input_dim_of
from .progressive import ProgressiveTrainer, Stage
from .refit import train_on_all
from .rehearsal import rehearse
from .state_keeper import hold
from .trainer import LEAST_GAIN, AdvancedTrainer, Trainer, costs_recall
from .training_state import content_of, holds_state, remove_states
from .tuning import SPACE, STUDY, Made, Range, Trial, Tuned, tune

__all__ = [
    "LEAST_GAIN",
    "SPACE",
    "STUDY",
    "TEXT_INPUT_DIM",
    "AdvancedTrainer",
    "CurriculumScheduler",
    "Ensemble",
    "Made",
    "ProgressiveTrainer",
    "Range",
    "Stage",
    "Trainer",
    "Trial",
    "Tuned",
    "changed_classes",
    "chosen_by",
    "content_of",
    "costs_recall",
    "hold",
    "holds_state",
    "input_dim_of",
    "load_embedder",
    "load_trained",
    "rehearse",
    "remove_states",
    "sides",
    "train_on_all",
    "tune",
]
