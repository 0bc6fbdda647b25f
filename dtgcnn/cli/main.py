"""The group of commands, and how an expected error ends."""

from __future__ import annotations

import ast
import logging
import sys
from importlib import import_module
from importlib.util import find_spec, module_from_spec
from io import TextIOWrapper
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import click
from typing_extensions import override

from ..array.distributed import current_world
from ..errors import DTGCNNError

__all__ = ["INTERRUPTED", "main"]

INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it: 128 + SIGINT."""

_SHARED = ("main", "options", "outcome", "preparing", "streams")
"""Files that hold no command."""

_LONGEST = 2000
"""Characters of a message."""


class _Refusal(click.ClickException):
    """Input or arguments that cannot be worked with."""

    exit_code = 2


class _Commands(click.Group):
    """Loads a command's file when it is asked for, shows an expected error as one message and exits
    with code 2."""

    @override
    def main(self, *arguments: Any, **options: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper) and stream.errors == "strict":
                stream.reconfigure(errors="replace")  # not every encoding has the signs in texts
        return super().main(*arguments, **options)

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        names = (module.name for module in iter_modules([str(Path(__file__).parent)]))
        return sorted(name for name in names if name not in _SHARED)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.list_commands(ctx):
            _put_off("scipy.stats")
            import_module(f".{cmd_name}", __package__)
        return super().get_command(ctx, cmd_name)

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The table of commands as click writes it, of what their files say: none is loaded."""
        names = self.list_commands(ctx)
        told = {name: click.Command(name, help=_docstring(name)) for name in names}
        click.Group(commands=told).format_commands(ctx, formatter)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except (ValueError, OSError, ImportError, DTGCNNError) as error:
            current_world().fail(error, _Refusal.exit_code)
            raise _Refusal(_one_message(error)) from error
        except click.UsageError as error:
            raise click.UsageError(_shortened(error.format_message()), error.ctx) from error
        except MemoryError as error:
            current_world().fail(error, _Refusal.exit_code)
            raise _Refusal(f"not enough memory{f': {error}' if str(error) else ''}") from error
        except KeyboardInterrupt as error:
            current_world().fail(error, INTERRUPTED)
            click.echo("\ninterrupted", err=True)
            sys.exit(INTERRUPTED)


class _Later(ModuleType):
    """A module that is loaded when something of it is asked for. The standard library's
    ``LazyLoader`` loads one as soon as it is imported again."""

    def __getattr__(self, name: str) -> Any:
        spec, self.__class__ = self.__spec__, ModuleType  # type: ignore[assignment]
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(self)
        return getattr(self, name)


def _put_off(name: str) -> None:
    """Load a library's module later. scikit-learn imports ``scipy.stats`` for what hardly any
    command calls, in half the time that a search takes."""
    try:
        spec = None if name in sys.modules else find_spec(name)
    except ImportError:  # the library is not there
        return
    if spec is not None:
        module = module_from_spec(spec)
        module.__class__ = _Later
        sys.modules[name] = module


def _docstring(name: str) -> str | None:
    """That of a command's function."""
    source = Path(__file__).with_name(f"{name}.py").read_text("utf-8")
    for function in ast.parse(source).body:
        if isinstance(function, ast.FunctionDef) and any(
            "main.command" in ast.unparse(decorator) for decorator in function.decorator_list
        ):
            return ast.get_docstring(function)
    return None


def _one_message(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return _shortened(f"{error.filename}: {error.strerror}")
    return _shortened(str(error))


def _shortened(message: str) -> str:
    """A message without the middle of it, where somebody's file or argument made it long."""
    if len(message) <= _LONGEST:
        return message
    return f"{message[: _LONGEST // 2]} … {message[-_LONGEST // 2 :]}"


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dtgcnn")
def main() -> None:
    """Train text embeddings with a Dynamic Triplet Graph Convolutional Neural Network.

    \b
    Try it:
      dtgcnn sample support.csv
      dtgcnn train support.csv --output model
      dtgcnn search model support.csv "where is my parcel?"

    A FILE of training data holds triplets (JSON or CSV: anchor, positive, negative), labelled texts
    (CSV, TSV, JSON or JSONL: text, label and maybe split), or vectors (.npz, .safetensors: x, y).
    Any of them may be gzipped.
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("dtgcnn").setLevel(logging.INFO)
