"""Settings in files: TOML, JSON or YAML, by the suffix."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import needing
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
        settings: Any = _READERS[kind](text)
    except RecursionError:
        raise ValueError(f"{path}: not valid settings: nested too deeply") from None
    except ValueError as error:
        said = " ".join(str(error).split())
        raise ValueError(f"{path}: not valid {kind.upper()}: {said}") from None
    if not isinstance(settings, dict):
        raise ValueError(f"{path}: must hold settings by name, found {type(settings).__name__}")
    if isinstance(settings.get("config"), dict) and "trained_with" in settings:
        settings = settings["config"]  # the record of a model or of a run
    named: dict[str, Any] = settings
    try:
        check_names(named)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return named


def write_settings(path: str | Path, settings: dict[str, Any]) -> None:
    """Write settings, as ``DTGCNNConfig.to_dict`` gives them, into a file.

    Raises:
        ValueError: the suffix is neither ``.toml`` nor ``.json``, ``.yaml`` or ``.yml``.
        MissingExtraError: PyYAML is not installed.
        OSError: it cannot be written; what was at ``path`` is as it was.
    """
    from ..storage import replace_file, write_json

    path = Path(path)
    if _format_of(path) == "json":
        write_json(path, settings)
        return
    if _format_of(path) == "yaml":
        replace_file(path, _yaml().safe_dump(settings, sort_keys=False).encode())
        return
    import tomli_w

    # TOML has no null.
    if settings.get("graph_self_weight", 0) is None:
        settings = {**settings, "graph_self_weight": "kipf"}
    text = tomli_w.dumps({k: v for k, v in settings.items() if v is not None})
    replace_file(path, text.encode())


def _format_of(path: Path) -> str:
    kind = path.suffix.lower()[1:].replace("yml", "yaml")
    if kind not in _READERS:
        raise ValueError(f"a config file must end in .toml, .json or .yaml, received {path}")
    return kind


def _yaml() -> Any:
    with needing("YAML needs PyYAML", "yaml"):
        return import_module("yaml")


def _read_yaml(text: str) -> Any:
    """As YAML 1.2 has it: ``1e-3`` is a number, which is a text to PyYAML."""
    yaml = _yaml()
    try:
        settings = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(error) from None
    return {n: _number(v) for n, v in settings.items()} if isinstance(settings, dict) else settings


def _number(value: Any) -> Any:
    if isinstance(value, str):
        with suppress(ValueError):
            return float(value)
    return value


_READERS: dict[str, Callable[[str], Any]] = {
    "toml": tomllib.loads,
    "json": json.loads,
    "yaml": _read_yaml,
}


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
