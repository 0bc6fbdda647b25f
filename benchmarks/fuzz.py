"""Readers under a coverage-guided fuzzer, one kind of file after another.

    pip install atheris   # a wheel for Linux and Python 3.11 to 3.13
    python benchmarks/fuzz.py --seconds 60 a.csv a.jsonl a.npz

Begins with the small valid files of ``tests/faults.py``. A file must be read or refused by one
message, within a second; the first that is not ends the run of its kind, and is printed. Without
names all kinds are tried. Each kind runs in a process of its own and prints how many files it read.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import atheris

with atheris.instrument_imports(include=["dtgcnn.data.reading", "dtgcnn.config", "dtgcnn.storage"]):
    import dtgcnn.storage  # noqa: F401
    from dtgcnn.config import read_settings
    from dtgcnn.data import read_file

from tests.faults import corpus, outcome


def fuzz(name: str, seconds: int) -> None:
    """Fuzz the reader of files of this name; ends the process."""
    warnings.simplefilter("ignore")
    logging.getLogger("dtgcnn").setLevel(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp())
    (folder / "corpus").mkdir()
    (folder / "corpus" / "valid").write_bytes(corpus()[name])
    path = folder / name
    read = partial(read_settings if path.suffix == ".toml" else read_file, path)

    def one(data: bytes) -> None:
        path.write_bytes(data)
        found = outcome(read)
        if found not in ("read", "refused"):
            raise RuntimeError(f"{found}: {data!r}")

    limits = [f"-max_total_time={seconds}", "-max_len=20000", f"-artifact_prefix={folder}/"]
    atheris.Setup([sys.argv[0], *limits, "-print_final_stats=1", str(folder / "corpus")], one)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(corpus())}")
    parser.add_argument("--seconds", type=int, default=60, help="of each kind")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        fuzz(given.names[0], given.seconds)
    failed = False
    print("| file | tried | outcome |\n|---|---|---|")
    for name in given.names or corpus():
        command = [sys.executable, __file__, name, "--one", "--seconds", str(given.seconds)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        lines = (run.stdout + run.stderr).splitlines()
        tried = next((x.split()[-1] for x in lines if "number_of_executed_units" in x), "?")
        broken = [x for x in lines if "RuntimeError" in x]
        print(f"| {name} | {tried} | {broken[0] if broken else 'read or refused'} |", flush=True)
        failed = failed or bool(broken) or run.returncode != 0
    sys.exit(failed)


if __name__ == "__main__":
    main()
