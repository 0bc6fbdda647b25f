"""Every setting in words."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re

from .config import DTGCNNConfig
from .rules import rule_of

__all__ = ["describe_settings"]


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
        lines += [f"## {field.name}: {rule}"]
        lines += [f"## {meaning}", f"# {field.name} = {shown}", ""]
    return "\n".join(lines)
