"""Faults in the middle: mutated files, changed bytes of what is saved, processes that are killed.

    python benchmarks/reliability.py                  # a minute or two
    python benchmarks/reliability.py --mutations 1000000 --kills 200 --backend numpy mlx
    python benchmarks/reliability.py --part "training, mlx" --seed 7

A mutated file must be read or refused by one message, within a second. What is saved and then
changed must be refused, or answer as before. What writes files is killed at random moments, killed
before an operation on a file, and made to fail there: what it writes must then be whole or not
there, or be what was there before, and load; a training that goes on must end with the same bits;
and what fails must say so in one line with the file's name. Prints a table, and what broke these
rules. Parts are drawn from the seed and their own names, so that a part may be run by itself. It
needs POSIX, and runs in a checkout.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dtgcnn.config import parse_value, read_settings
from dtgcnn.data import read_file
from tests.changes import SAVED, changed
from tests.faults import corpus, mutated, outcome
from tests.kills import Campaign
from tests.writers import GROUPS, runs_of

Part = Callable[..., "Counts"]
Counts = Counter[str]


def readers(folder: Path, count: int, rng: random.Random, broken: list[str]) -> Counts:
    found, files = Counts(), corpus()
    for name, content in files.items():
        path = folder / name
        read = read_settings if path.suffix == ".toml" else read_file
        for _ in range(count // len(files)):
            data = mutated(content, rng)
            path.write_bytes(data)
            _count(found, outcome(partial(read, path)), f"{name}: {data!r}", broken)
    return found


def settings(folder: Path, count: int, rng: random.Random, broken: list[str]) -> Counts:
    found, texts = Counts(), (b"0.001", b"[8, 8]", b'{"a": 1}', b'"cosine"', b"2020-01-01")
    for _ in range(count):
        text = mutated(rng.choice(texts), rng).decode(errors="replace")
        _count(found, outcome(partial(parse_value, text)), repr(text), broken)
    return found


def ended(
    folder: Path, count: int, group: str, how: str, rng: random.Random, broken: list[str]
) -> Counts:
    """What writes files, ended in one of three ways; see ``tests/kills.py``."""
    work = folder / "work"
    runs = runs_of(group, folder, work / "out")
    campaign = Campaign(work, rng, broken)
    if how == "killed":
        campaign.killed(runs, count)
    else:
        campaign.operations(runs, count, errno.EIO if how == "EIO" else None)
    return campaign.found


GOOD = {"read", "refused"}


def _count(found: Counts, kind: str, where: str, broken: list[str]) -> None:
    found[kind if kind in GOOD else "BROKEN"] += 1
    if kind not in GOOD:
        broken.append(f"{kind}: {where[:500]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutations", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=20, help="of each group, in each way")
    parser.add_argument("--part", nargs="+", help="those alone whose name holds one of these")
    parser.add_argument("--backend", nargs="+", default=["numpy"])
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ["DTGCNN_CACHE"] = "off"
    logging.getLogger("dtgcnn").setLevel(logging.CRITICAL)
    few = options.mutations // 50
    parts: dict[str, Part] = {
        "mutated files to the readers": partial(readers, count=options.mutations),
        "mutated values of settings": partial(settings, count=5 * few),
        **{f"changed bytes: {n}": partial(changed, name=n, count=few // len(SAVED)) for n in SAVED},
    }
    for group in (*GROUPS, *(f"training, {backend}" for backend in options.backend)):
        for how in ("killed", "killed before an operation on a file", "EIO"):
            parts[f"{group}: {how}"] = partial(ended, count=options.kills, group=group, how=how)
    broken: list[str] = []
    print(f"seed {options.seed}\n\n| part | outcomes | seconds |\n|---|---|---|")
    for name, part in parts.items():
        if not any(wanted in name for wanted in options.part or [name]):
            continue
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            found = part(Path(folder), rng=random.Random(f"{options.seed} {name}"), broken=broken)
            shown = ", ".join(f"{kind} {n:,}" for kind, n in sorted(found.items()))
            print(f"| {name} | {shown} | {time.perf_counter() - begin:.0f} |", flush=True)
    print("\n".join(["", *broken[:50]]))
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
