"""The settings of training that goes on from a trained model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .config import DTGCNNConfig
from .contradictions import unused_with
from .rules import SHAPE_THE_MODEL

__all__ = ["continued"]


def continued(
    config: DTGCNNConfig, cautious: Mapping[str, Any], chosen: Mapping[str, Any]
) -> DTGCNNConfig:
    """A trained model's settings, with those of training that are named in their place.

    Settings of the model's that a named one leaves without effect, such as the margin of another
    loss, are at their defaults.

    Args:
        config: the model's.
        cautious: a template, of which what shapes a model is left out.
        chosen: named settings, which override the template.

    Raises:
        ValueError: a named setting is not valid, or shapes another model than ``config``.
    """
    changes = {k: v for k, v in cautious.items() if k not in SHAPE_THE_MODEL}
    changes |= chosen
    named = (unused_with(name, value) for name, value in changes.items() if isinstance(value, str))
    default = DTGCNNConfig()
    unused = {name: getattr(default, name) for names in named for name in names}
    for name in SHAPE_THE_MODEL:
        unused.pop(name, None)
    together = config.replace(**{**unused, **changes})
    together.require_same_model(config)
    return together
