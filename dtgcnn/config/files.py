"""Settings in files: TOML or JSON, by the suffix."""

from __future__ import annotations

import json
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

from .rules import check_names, shown

__all__ = ["parse_value", "read_settings", "write_settings"]


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
        settings = json.loads(text) if kind == "json" else tomllib.loads(text)
    except RecursionError:
        raise ValueError(f"{path}: not valid settings: nested too deeply") from None
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
    from ..storage import replace_file, write_json

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


def _format_of(path: Path) -> str:
    if path.suffix.lower() not in (".toml", ".json"):
        raise ValueError(f"a config file must end in .toml or .json, received {path}")
    return path.suffix.lower()[1:]


def parse_value(text: str) -> Any:
    """A setting's value as it is written in TOML or JSON, or None; else the text itself.

    Raises:
        ValueError: it is nested too deeply.
    """
    if text.strip() in ("None", "none", "null"):
        return None
    try:
        with suppress(ValueError):
            return json.loads(text)
        with suppress(ValueError):
            return tomllib.loads(f"value = {text}")["value"]
    except RecursionError:
        raise ValueError(f"a value must not be nested so deeply, received {shown(text)}") from None
    return text
