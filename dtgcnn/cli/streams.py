"""Standard input and standard output where a file may stand: ``-``."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout, suppress
from functools import wraps
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import click
from typing_extensions import override

from ..data import SUFFIXES

__all__ = ["TABLES", "InputFile", "given_file", "input_options", "is_stream", "output_option"]
__all__ += ["is_named_as_file", "written"]

STREAM = "-"
PLAIN = (".csv", ".tsv", ".json", ".jsonl", ".html", ".svg")
"""What a terminal shows."""

TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet")
"""What tables of answers are written as."""

READ = ("file", "held_out", "unlabelled")
"""The names of arguments that are files of rows."""

_FORMAT = "dtgcnn.format"
_INPUT = "dtgcnn.input"
_OUTPUT = "dtgcnn.output"
_FORMATS = sorted(suffix.removeprefix(".") for suffix in SUFFIXES)


class StandardInput(PathLike[str]):
    """What came on standard input, or through a pipe, in a file while the command runs, since some
    formats are not read in the order of their bytes, and some files twice."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self.name = path, name

    @override
    def __fspath__(self) -> str:
        return str(self._path)

    @override
    def __str__(self) -> str:
        return self.name


InputFile: TypeAlias = Path | StandardInput
"""What a command reads rows from."""


def input_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let the files of rows that a command reads be ``-``, whose format ``--format`` tells."""

    @wraps(command)
    def reading(**values: Any) -> Any:
        given = [v for value in values.values() for v in _each(value)]
        if _FORMAT in click.get_current_context().meta and not any(map(is_stream, given)):
            raise ValueError("--format tells of standard input, and no file is -")
        for name in READ:
            if isinstance(values.get(name), Path):
                values[name] = given_file(str(values[name]))
        return command(**values)

    def keep(context: click.Context, option: click.Parameter, value: str | None) -> None:
        if value is not None:
            context.meta[_FORMAT] = value

    return click.option(
        "--format",
        type=click.Choice(_FORMATS),
        callback=keep,
        expose_value=False,
        help="How standard input is written, where a file is -",
    )(reading)


def is_stream(value: object) -> bool:
    """Whether an argument stands for what comes on standard input or through a pipe."""
    with suppress(OSError, ValueError):  # a text may be longer than a name, or hold what none may
        return isinstance(value, str | Path) and (str(value) == STREAM or Path(value).is_fifo())
    return False


def is_named_as_file(text: str) -> bool:
    """Whether a text can only be meant as the name of a file of rows, be it there or not."""
    suffix = Path(text.removesuffix(".gz")).suffix.lower()
    return suffix in SUFFIXES and not any(map(str.isspace, text))


def given_file(name: str) -> InputFile:
    """The file that an argument names; of ``-`` what comes on standard input, to its end, and so of
    a pipe.

    Raises:
        ValueError: ``--format`` does not say what comes there, or it stands there twice.
    """
    if not is_stream(name):
        return Path(name)
    context = click.get_current_context()
    shown = "standard input" if name == STREAM else name
    suffix = f".{context.meta[_FORMAT]}" if _FORMAT in context.meta else Path(name).suffix
    if not suffix:
        raise ValueError(
            f"{shown} has no name that tells its format: --format must, as one of "
            f"{', '.join(_FORMATS)}"
        )
    read = context.meta.setdefault(_INPUT, [])
    if name in read:
        raise ValueError(f"{shown} can be read once, {name!r} stands there twice")
    read.append(name)
    folder = Path(context.with_resource(TemporaryDirectory(prefix="dtgcnn-")))
    file = folder / f"{len(read)}{suffix}"
    with (
        nullcontext(sys.stdin.buffer) if name == STREAM else Path(name).open("rb") as stream,
        file.open("wb") as target,
    ):
        shutil.copyfileobj(stream, target)
    with file.open("rb") as content:
        packed = content.read(2) == b"\x1f\x8b"
    if packed and suffix != ".gz":
        file = file.rename(file.with_name(f"{file.name}.gz"))
    return StandardInput(file, shown)


def output_option(
    name: str, *formats: str, help: str, required: bool = False, default: Path | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An option of a file to write; ``-`` is standard output, which all that is printed makes way
    for.

    Args:
        name: of the option, whose argument is ``json_file`` of ``--json``.
        formats: suffixes; of several the first is that of standard output, unless
            ``--output-format`` names another.
        help, required, default: of the option.
    """
    own = "json_file" if name == "--json" else name.removeprefix("--")

    def option(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def writing(**values: Any) -> Any:
            form = values.pop("output_format", None) if len(formats) > 1 else None
            context = click.get_current_context()
            if str(values[own]) == STREAM:
                if _OUTPUT in context.meta:
                    raise ValueError("standard output takes one file, - stands there twice")
                suffix = formats[0] if form is None else f".{form}"
                values[own] = context.with_resource(_standard_output(name, suffix))
                context.meta[_OUTPUT] = values[own]
            elif form is not None:
                raise ValueError(f"--output-format tells of standard output, and {name} is not -")
            return command(**values)

        given: dict[str, Any] = {"required": required}  # click takes a default of None for given
        if default is not None:
            given = {"default": default, "show_default": True}
        kind = click.Path(path_type=Path)
        told = click.option(name, own, type=kind, help=help, **given)(writing)
        if len(formats) == 1:
            return told
        return click.option(
            "--output-format",
            type=click.Choice([suffix.removeprefix(".") for suffix in formats]),
            help=f"Of standard output, where {name} is -  [default: {formats[0][1:]}]",
        )(told)

    return option


def written(path: Path, said: str = "") -> None:
    """Say that a file was written, and what it holds."""
    own = click.get_current_context().meta.get(_OUTPUT)
    shown = "standard output" if path == own else str(path)
    click.echo(f"{shown}: {said}" if said else shown)


@contextmanager
def _standard_output(option: str, suffix: str) -> Iterator[Path]:
    """A file whose content is written to standard output at the end; until then what is printed
    goes to standard error."""
    stream = sys.stdout.buffer
    if stream.isatty() and suffix not in PLAIN:
        raise ValueError(f"{option} - is a terminal, which shows no {suffix} file")
    with TemporaryDirectory(prefix="dtgcnn-") as folder:
        path = Path(folder) / f"output{suffix}"
        try:
            with redirect_stdout(sys.stderr):
                yield path
        finally:
            if path.exists():
                with path.open("rb") as file:
                    shutil.copyfileobj(file, stream)
                stream.flush()


def _each(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)
