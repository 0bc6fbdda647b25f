"""Every setting in words."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re

from .config import DTGCNNConfig
from .rules import rule_of

__all__ = ["describe_settings"]

GROUPS = {
    "input_dim": "What goes in, and the shape of the network",
    "start": "The start in closed form, and propagation",
    "gcn_activation": "Layers and head",
    "graph_k_neighbors": "The graph and the bank",
    "triplet_margin": "The loss",
    "mining_strategy": "Mining and batches",
    "num_epochs": "Optimiser, schedule and epochs",
    "mixed_precision": "Memory and speed",
    "num_workers": "Machine",
}
"""The headings of the settings, by the first setting under each."""


def describe_settings() -> str:
    """Every setting with its meaning, what it may be, and its default, as a TOML file whose lines
    are comments."""
    doc = inspect.cleandoc(DTGCNNConfig.__doc__ or "")
    lines = []
    for field in dataclasses.fields(DTGCNNConfig):
        found = re.search(rf"^    {field.name}: (.*(?:\n {{8}}.*)*)", doc, re.MULTILINE)
        meaning = " ".join(found[1].replace("``", "").split()) if found else ""
        value = list(field.default) if isinstance(field.default, tuple) else field.default
        shown = "" if value is None else json.dumps(value)
        rule = rule_of(field.name) + ("; left out by default" if value is None else "")
        if field.name in GROUPS:
            lines += [f"#### {GROUPS[field.name]}", ""]
        lines += [f"## {field.name}: {rule}"]
        lines += [f"## {meaning}", f"# {field.name} = {shown}", ""]
    return "\n".join(lines)
