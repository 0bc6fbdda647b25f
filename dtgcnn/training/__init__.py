"""Training: ``Trainer`` and its loop, one step, the state of a run, stages, ensembles."""

from .curriculum import CurriculumScheduler
from .ensemble import Ensemble, load_embedder
from .progressive import ProgressiveTrainer, Stage
from .trainer import AdvancedTrainer, Trainer
from .training_state import holds_state, remove_states

__all__ = [
    "AdvancedTrainer",
    "CurriculumScheduler",
    "Ensemble",
    "ProgressiveTrainer",
    "Stage",
    "Trainer",
    "holds_state",
    "load_embedder",
    "remove_states",
]
