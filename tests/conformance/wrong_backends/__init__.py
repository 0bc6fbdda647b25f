"""Backends that are wrong on purpose, each by one small fault, and the checks that reject them."""

from . import (  # noqa: F401
    arrays,
    core_changes,
    core_graph,
    core_layers,
    core_losses,
    core_mining,
    core_optimisers,
    core_start,
    core_training,
    core_voters,
    creation,
    differentiation,
    elementwise,
    gradients,
    groups,
    native_forms,
    neighbour_sums,
    refusals,
    selection,
)
from .fault import FAULTS, Fault
from .rejection import rejecting_check

__all__ = ["FAULTS", "Fault", "rejecting_check"]
