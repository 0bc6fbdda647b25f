"""Triplets of many labelled texts: time, peak memory, and the same file from the same seed.

    python benchmarks/generate.py
    python benchmarks/generate.py --texts 10000 --strategy hard --runs 1

Texts are sentences drawn from words that all classes have and words of their own. Each run is a
process of its own, ``dtgcnn generate``, encoder included; its peak is what the system tells.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from dtgcnn.data.generation.negatives import NegativeSampling

CLASSES, COMMON, OWN = 100, 3000, 40
PER_ANCHOR = 10
STRATEGIES: tuple[NegativeSampling, ...] = ("random", "hard", "semi_hard", "distance_weighted")


def write_texts(path: Path, count: int) -> None:
    """Sentences of 6 to 14 words, a third of them of their class."""
    rng = np.random.default_rng(0)
    letters = np.array(list("aabcdeefghiiklmnooprstuuvwy"))
    words = ["".join(rng.choice(letters, n)) for n in rng.integers(3, 10, COMMON + CLASSES * OWN)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["label", "text"])
        for i in range(count):
            c, size = i % CLASSES, int(rng.integers(6, 15))
            common = (rng.random(size) ** 3 * COMMON).astype(int)
            own = COMMON + c * OWN + rng.integers(0, OWN, size)
            chosen = np.where(rng.random(size) < 1 / 3, own, common)
            writer.writerow([f"class {c}", " ".join(words[w] for w in chosen)])


def run(texts: Path, output: Path, strategy: str, encoder: str) -> tuple[float, float, float]:
    """Seconds, those of the processor, and peak in MiB of a process that generates."""
    command = [sys.executable, "-m", "dtgcnn", "generate", str(texts), "--output", str(output)]
    command += ["--per-anchor", str(PER_ANCHOR), "--negatives", strategy, "--overwrite"]
    begin = time.perf_counter()
    process = os.posix_spawn(sys.executable, [*command, "--encoder", encoder], os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    elapsed, worked = time.perf_counter() - begin, usage.ru_utime + usage.ru_stime
    return elapsed, worked, usage.ru_maxrss / unit


def sha256(path: Path) -> tuple[int, str]:
    """Lines and digest of a file."""
    digest, lines = hashlib.sha256(), 0
    with path.open("rb") as file:
        for line in file:
            digest.update(line)
            lines += 1
    return lines, digest.hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--strategy", action="append", choices=STRATEGIES)
    parser.add_argument("--encoder", default="tfidf")
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        texts, output = Path(name, "texts.csv"), Path(name, "triplets.jsonl")
        write_texts(texts, options.texts)
        names = ("strategy", "triplets", "seconds", "processor's", "peak MiB", "sha256")
        rows = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
        for strategy in options.strategy or STRATEGIES:
            for _ in range(options.runs):
                seconds, worked, peak = run(texts, output, strategy, options.encoder)
                lines, digest = sha256(output)
                shown = f"{lines:,} | {seconds:.0f} | {worked:.0f} | {peak:.0f} | {digest[:16]}"
                rows.append(f"| {strategy} | {shown} |")
        print("\n".join(rows), flush=True)


if __name__ == "__main__":
    main()
