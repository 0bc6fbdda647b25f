"""Arguments and options that commands share, and the checks on them."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..array import ArrayOps, limit_threads, load_ops, processors
from ..array.distributed import World, joined
from ..config import DEVICES, DTGCNNConfig, parse_value
from ..data import TripletDataset
from ..storage import write_json
from .streams import InputFile, input_options

if TYPE_CHECKING:
    from ..model import DTGCNN
    from ..training import Ensemble

__all__ = [
    "about",
    "backend_option",
    "check_file",
    "check_rows",
    "check_spec",
    "columns_named",
    "columns_options",
    "config_option",
    "dataset_of",
    "device_named",
    "file_argument",
    "loaded_for",
    "model_argument",
    "named",
]
__all__ += ["ops_of", "overwrite_option", "parse_settings", "rows_of", "seed_option", "shorten"]
__all__ += ["tell", "tell_reading", "threads_option", "together", "write_figures"]

_log = logging.getLogger("dtgcnn")

_COLUMNS = "dtgcnn.columns"
_DEVICE = "dtgcnn.device"
_LARGE = 8e6  # bytes
_MANY = 4096
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def _keep(context: click.Context, option: click.Parameter, name: str | None) -> None:
    if name is not None:
        assert option.name is not None
        role = option.name.partition("_")[0]
        context.meta[_COLUMNS] = {**context.meta.get(_COLUMNS, {}), role: name}


def columns_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that name columns; ``columns_named`` tells what was chosen."""
    for role, what in (("label", "labels"), ("text", "texts, or of vectors")):
        command = click.option(
            f"--{role}-column",
            metavar="NAME",
            callback=_keep,
            expose_value=False,
            help=f"The column of {what}  [default: {role}]",
        )(command)
    return command


def columns_named(*roles: str) -> dict[str, str]:
    """What the options of the running command name: "text" and "label", or ``roles`` alone."""
    found: dict[str, str] = click.get_current_context().meta.get(_COLUMNS, {})
    return {role: name for role, name in found.items() if not roles or role in roles}


def file_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """The argument FILE, and the options that tell its format and name its columns."""
    command = columns_options(input_options(command))
    return click.argument("file", type=click.Path(path_type=Path))(command)


model_argument = click.argument("model", metavar="DIR", type=click.Path(path_type=Path))


def _limit(context: click.Context, option: click.Parameter, count: int | None) -> None:
    if count is not None:
        context.with_resource(_few_threads(count))


@contextmanager
def _few_threads(count: int) -> Iterator[None]:
    """A limit on the threads of libraries that are loaded, and of those that are not yet, which
    crash when asked for far more than there are processors."""
    count = min(count, processors())
    kept = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(count)))
    try:
        with limit_threads(count):
            yield
    finally:
        for name, value in kept.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


threads_option = click.option(
    "--threads",
    type=click.IntRange(1),
    callback=_limit,
    expose_value=False,
    help="Most threads of a processor's libraries  [default: theirs]",
)


def _keep_device(context: click.Context, option: click.Parameter, name: str | None) -> None:
    context.meta[_DEVICE] = name


def backend_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """What computes, where, and on how many threads; see ``ops_of`` and ``device_named``."""
    said = "numpy, mlx, or what else is installed."
    backend = click.option("--backend", default="auto", show_default=True, help=said)
    device = click.option(
        "--device",
        type=click.Choice(DEVICES),
        callback=_keep_device,
        expose_value=False,
        help="Where the backend computes  [default: auto, a GPU where it has one]",
    )
    return backend(device(threads_option(command)))


def device_named() -> str | None:
    """What ``--device`` of the running command says."""
    name: str | None = click.get_current_context().meta.get(_DEVICE)
    return name


def ops_of(backend: str) -> ArrayOps:
    """The backend, on the device that ``--device`` names."""
    device = device_named()
    return load_ops(backend, **({} if device in (None, "auto") else {"device": device}))


config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Settings in TOML, JSON or YAML.",
)


def seed_option(of: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--seed`` of what scikit-learn draws, ``of`` being its help."""
    seeds = click.IntRange(0, 2**32 - 1)
    return click.option("--seed", default=0, show_default=True, type=seeds, help=of)


overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what is there.")


def named(option: str, check: Callable[..., None], *arguments: Any) -> None:
    """Run a check, its message beginning with the option that it is about."""
    try:
        check(*arguments)
    except OSError as error:
        raise ValueError(f"{option} {error}".replace("; overwrite ", "; --overwrite ")) from error


@contextmanager
def about(path: InputFile, *options: str) -> Iterator[None]:
    """Let a ``ValueError`` begin with ``path``, which it is about, and name an option as one where
    it is about the value of one of ``options``."""
    try:
        yield
    except ValueError as error:
        said = str(error).removeprefix("x ")
        dashes = "--" if said.partition(" ")[0] in options else ""
        raise ValueError(f"{path}: {dashes}{said}") from error


def check_file(
    option: str, path: Path | None, overwrite: bool, *, make_folder: bool = False
) -> None:
    """Refuse a file that cannot or must not be written, before any work is done, if one is named;
    its folder is made where that is asked for."""
    if path is None:
        return
    if path.is_dir():
        raise ValueError(f"{option} {path} must be a file, it is a folder")
    if path.exists() and not overwrite:
        raise ValueError(f"{option} {path} exists; --overwrite replaces it")
    folder = path.absolute().parent
    if make_folder:
        folder.mkdir(parents=True, exist_ok=True)
    if not folder.is_dir():
        raise ValueError(f"{option} {path}: the folder {folder} does not exist")
    if not os.access(folder, os.W_OK):
        raise ValueError(f"{option} {path}: the folder {folder} cannot be written to")


def write_figures(path: Path, content: Mapping[str, Any]) -> None:
    """Write figures as JSON, and say so where a file was replaced."""
    replaced = path.exists()
    write_json(path, content)
    if replaced:
        click.echo(f"{path}: replaced", err=True)


def check_rows(model: Path, loaded: Any, dataset: TripletDataset) -> None:
    """Refuse rows that cannot go into the model, or ensemble, that was loaded from ``model``."""
    first = getattr(loaded, "models", [loaded])[0]
    width = first.config.row_width
    if dataset.features is None:
        if first.encoder is None:
            raise ValueError(
                f"{dataset.source}: holds texts, and the model in {model} has no text encoder: it "
                f"was trained on vectors of {width:,} columns"
            )
    elif dataset.features.shape[1] != width:
        raise ValueError(
            f"{dataset.source}: its vectors must have the {width:,} columns that the model in "
            f"{model} takes ({first.config.width_name}), they have {dataset.features.shape[1]:,}"
        )


def loaded_for(dataset: TripletDataset | None, model: Path, backend: str) -> DTGCNN | Ensemble:
    """The model, or ensemble, in a folder; rows that cannot go into it are refused."""
    from ..training import load_embedder  # which takes a while, and some commands need none of it

    loaded = load_embedder(model, ops=ops_of(backend))
    if dataset is not None:
        check_rows(model, loaded, dataset)
    return loaded


def parse_settings(pairs: tuple[str, ...]) -> dict[str, Any]:
    """``NAME=VALUE`` pairs; see ``parse_value``."""
    chosen: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ValueError(f"--set must be NAME=VALUE, received {shorten(pair)!r}")
        value = parse_value(text)
        if value is None and isinstance(getattr(DTGCNNConfig, name.strip(), None), str):
            value = text.strip()  # a choice among names, such as start=none
        chosen[name.strip()] = value
    return chosen


def dataset_of(file: InputFile, *roles: str, labels: bool = True) -> TripletDataset:
    """The data of a file, whose columns options may name, or those of ``roles`` alone; with
    ``labels`` false every label may be blank."""
    tell_reading(file)
    read = TripletDataset if labels else TripletDataset.of_rows
    return read(file, columns_named(*roles))


def check_spec(file: InputFile, features: object, spec: str | None) -> None:
    """Refuse an --encoder of rows that are vectors."""
    if features is not None and spec is not None:
        raise ValueError(f"--encoder goes with texts, {file} holds vectors")


def rows_of(file: InputFile, *roles: str) -> TripletDataset:
    """The single texts or vectors of a file, labelled or not; one of triplets is refused."""
    dataset = dataset_of(file, *roles, labels=False)
    if dataset.triplets is not None:
        raise ValueError(f"{file}: holds triplets; give a file of single texts or vectors")
    return dataset


def tell_reading(file: InputFile) -> None:
    """Say that a file is read, where that takes a while."""
    path = Path(file)
    if path.is_file() and path.stat().st_size >= _LARGE:
        _log.info("reading %s, %.0f MB", file, path.stat().st_size / 1e6)


def tell(what: str, rows: int) -> None:
    """Say what is done with so many rows, where that takes a while."""
    if rows >= _MANY:
        _log.info("%s %s rows", what, f"{rows:,}")


def together(ops: ArrayOps, timeout: float | None = None) -> World:
    """The processes that a launcher started, of which the first alone prints."""
    world = joined(ops, timeout)
    if not world.is_first:
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - to the end
    return world


def shorten(text: str, limit: int = 60) -> str:
    """A text in one line, cut to ``limit`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
