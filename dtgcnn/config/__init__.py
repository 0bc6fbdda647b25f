"""Settings: ``DTGCNNConfig``, the rules that each obeys, templates, and TOML and JSON files."""

from .choices import DEVICES, Activation, Distance, Initializer, LossName, OptimizerName, Reduction
from .config import DTGCNNConfig
from .continued import continued
from .contradictions import unused_with
from .description import describe_settings
from .files import parse_value, read_settings, write_settings
from .rules import check_whole, is_whole, refuse_unknown, refuse_unless, to_python
from .templates import TEMPLATES, suggest, template_of

__all__ = [
    "DEVICES",
    "TEMPLATES",
    "Activation",
    "DTGCNNConfig",
    "Distance",
    "Initializer",
    "LossName",
    "OptimizerName",
    "Reduction",
    "check_whole",
    "continued",
    "describe_settings",
    "is_whole",
    "parse_value",
    "read_settings",
    "refuse_unknown",
    "refuse_unless",
    "suggest",
    "template_of",
    "to_python",
    "unused_with",
    "write_settings",
]
