"""Settings in files: TOML or JSON, by the suffix."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from .config import DTGCNNConfig, check_names
from .settings import rule_of

__all__ = ["describe_settings", "parse_value", "read_settings", "write_settings"]


def read_settings(path: str | Path) -> dict[str, Any]:
    """The settings that a file names: one of settings alone, or a saved model's ``config.json``.

    Raises:
        ValueError: the suffix is another, the file is not valid, or it names an unknown setting.
        OSError: it cannot be read.
    """
    path = Path(path)
    kind = _format_of(path)
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
        settings = json.loads(text) if kind == "json" else _parse_toml(text)
    except ValueError as error:
        raise ValueError(f"{path}: not valid {kind.upper()}: {error}") from None
    if not isinstance(settings, dict):
        raise ValueError(f"{path}: must hold settings by name, found {type(settings).__name__}")
    if isinstance(settings.get("config"), dict) and "trained_with" in settings:
        settings = settings["config"]  # the record of a model or of a run
    try:
        check_names(settings)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return settings


def write_settings(path: str | Path, settings: dict[str, Any]) -> None:
    """Write settings, as ``DTGCNNConfig.to_dict`` gives them, into a file.

    Raises:
        ValueError: the suffix is neither ``.toml`` nor ``.json``.
        OSError: it cannot be written; what was at ``path`` is as it was.
    """
    from .files import replace_file, write_json

    path = Path(path)
    if _format_of(path) == "json":
        write_json(path, settings)
        return
    import tomli_w

    # TOML has no null.
    if settings.get("graph_self_weight", 0) is None:
        settings = {**settings, "graph_self_weight": "kipf"}
    text = tomli_w.dumps({k: v for k, v in settings.items() if v is not None})
    replace_file(path, text.encode())


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


def _format_of(path: Path) -> str:
    if path.suffix.lower() not in (".toml", ".json"):
        raise ValueError(f"a config file must end in .toml or .json, received {path}")
    return path.suffix.lower()[1:]


def parse_value(text: str) -> Any:
    """A setting's value as it is written in TOML or JSON, or None; else the text itself."""
    if text.strip() in ("None", "none", "null"):
        return None
    with suppress(ValueError):
        return json.loads(text)
    with suppress(ValueError):
        return _parse_toml(f"value = {text}")["value"]
    return text


def _parse_toml(text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    return tomllib.loads(text)
