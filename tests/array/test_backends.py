"""Finding backends, and what is said when one cannot be had."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
from click.testing import CliRunner
from dtgcnn_numpy import NumpyOps

import dtgcnn.array.backends as backends
from dtgcnn import ArrayOps, BackendError, load_ops
from dtgcnn.cli import main


def register(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    points = {name: EntryPoint(name, value, backends.GROUP) for name, value in values.items()}
    monkeypatch.setattr(backends, "available_backends", lambda: points)


def test_numpy_is_an_array_ops() -> None:
    ops = load_ops("numpy")
    assert isinstance(ops, ArrayOps)
    assert (ops.name, ops.device, ops.dtype) == ("numpy", "cpu", "float32")


def test_options_reach_the_backend() -> None:
    assert load_ops("numpy", dtype="float64").dtype == "float64"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float8"}, "dtype must be .* received 'float8'"),
        ({"device": "gpu"}, "device must be 'cpu' .* received 'gpu'"),
        ({"colour": "red"}, "takes the options device, dtype"),
    ],
)
def test_bad_options_are_named(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_ops("numpy", **options)


def test_unknown_backend_lists_what_is_installed() -> None:
    with pytest.raises(
        BackendError, match=r"unknown backend 'none'; installed backends: .*mlx, numpy"
    ):
        load_ops("none")


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, far="no_such_library.ops:Ops")
    with pytest.raises(BackendError, match=r"cannot be loaded .*pip install 'no_such_library'"):
        load_ops("far")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            "dtgcnn_numpy:NoSuchOps",
            "backend 'own', dtgcnn_numpy:NoSuchOps, cannot be loaded: .*has no",
        ),
        ("dtgcnn_numpy", "module 'dtgcnn_numpy' .* is no ArrayOps: .*take is missing"),
    ],
)
def test_what_is_no_class_is_named(
    monkeypatch: pytest.MonkeyPatch, value: str, message: str
) -> None:
    register(monkeypatch, own=value, numpy="dtgcnn_numpy:NumpyOps")
    with pytest.raises(BackendError, match=message):
        load_ops("own")
    monkeypatch.setattr("dtgcnn.cli.backends.available_backends", backends.available_backends)
    listed = CliRunner().invoke(main, ["backends"])
    assert listed.exit_code == 0, listed.output
    assert "own        not usable: " in listed.output
    assert "numpy      cpu" in listed.output


def test_missing_mlx_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in [n for n in sys.modules if n.partition(".")[0] in ("mlx", "dtgcnn_mlx")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mlx", None)
    with pytest.raises(BackendError, match=r"pip install 'dtgcnn\[mlx\]'"):
        load_ops("mlx")


class Renamed(NumpyOps):
    def top_k(self, x: object) -> object:  # type: ignore[override]
        return x


class Lacking(NumpyOps):
    scatter_sum = None  # type: ignore[assignment]


class Dimension(NumpyOps):
    def max(self, x: object, dim: int | None = None, keepdims: bool = False) -> object:  # type: ignore[override]
        return x


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Renamed", r"top_k must take \(x, k\), it takes \(self, x"),
        ("Lacking", "scatter_sum is missing"),
        ("Dimension", r"max must take \(x, \*, axis=None, keepdims=False\), it takes"),
    ],
)
def test_signatures_are_checked(monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    register(monkeypatch, own=f"{__name__}:{name}")
    with pytest.raises(BackendError, match=message):
        load_ops("own")


@pytest.mark.parametrize(("gpu", "name"), [(True, "mlx"), (False, "numpy")])
def test_auto_takes_mlx_where_it_has_a_gpu(
    monkeypatch: pytest.MonkeyPatch, gpu: bool, name: str
) -> None:
    class Mlx(NumpyOps):
        name = "mlx"

        @classmethod
        def available_devices(cls) -> tuple[str, ...]:
            return ("gpu", "cpu") if gpu else ("cpu",)

    monkeypatch.setattr("dtgcnn_numpy.MlxForTest", Mlx, raising=False)
    register(monkeypatch, mlx="dtgcnn_numpy:MlxForTest", numpy="dtgcnn_numpy:NumpyOps")
    assert load_ops("auto").name == name
