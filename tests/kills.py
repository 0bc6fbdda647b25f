"""Processes that are killed, or whose files fail, and what must be left of them."""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from dtgcnn import CheckpointError

from .faults import Ended, ended_at, killed_at
from .writers import Run, bits_of

GOOD = ("told", "as before", "equal bits", "whole", "loads", "nothing")


class Whole(NamedTuple):
    """A run that was left alone: its operations on files, its seconds, and what was there before
    and after it."""

    operations: int
    seconds: float
    before: object
    after: object
    bits: dict[str, bytes]


class Campaign:
    """Ends runs, and counts what is left.

    Args:
        work: an empty folder; ``work / "out"`` is what the runs write into.
        rng: where the moments come from.
        broken: takes a line for each outcome that is none of ``GOOD``.
    """

    def __init__(self, work: Path, rng: random.Random, broken: list[str]) -> None:
        self.work, self.out, self.rng, self.broken = work, work / "out", rng, broken
        self.found: Counter[str] = Counter()

    def killed(self, runs: dict[str, Run], count: int) -> None:
        """Kill them at ``count`` moments, drawn evenly over the time that they take; what goes on,
        up to three times before it may."""
        for name, run in runs.items():
            whole, wanted, done = self._whole(run), -(-count // len(runs)), 0
            while done < wanted:
                self._fresh(run)
                for _ in range(min(3 if run.goes_on else 1, wanted - done)):
                    done += 1
                    if not killed_at(run.call, self.rng.uniform(0.0, whole.seconds)):
                        break
                    self.found["kills"] += 1
                    self._left(run, whole, f"{name}, kill {done}")
                if run.goes_on:
                    self._end(run, whole, f"{name}, kill {done}")

    def operations(self, runs: dict[str, Run], count: int, fails: int | None) -> None:
        """Kill them before, or let them fail at, operations on files: ``count`` of them, or all."""
        known = {name: self._whole(run) for name, run in runs.items()}
        places = [(name, n + 1) for name, whole in known.items() for n in range(whole.operations)]
        for name, number in sorted(self.rng.sample(places, min(count, len(places)))):
            run, whole = runs[name], known[name]
            self._fresh(run)
            ended = ended_at(run.call, self.work, number, fails)
            where = f"{name}, operation {number} of {whole.operations}"
            if ended.code is None:
                self.found["kills"] += 1
            elif ended.code:
                self._count(told(ended, self.work), where)
            if ended.code == 0 and not run.goes_on and run.state(self.out) != whole.after:
                self._count("done, and not whole", where)
            self._left(run, whole, where)
            if run.goes_on:
                self._end(run, whole, where)

    def _fresh(self, run: Run) -> None:
        shutil.rmtree(self.work, ignore_errors=True)
        self.out.mkdir(parents=True)
        if run.before is not None:
            shutil.copytree(run.before, self.out / "x")

    def _whole(self, run: Run) -> Whole:
        self._fresh(run)
        before, begin = run.state(self.out), time.perf_counter()
        ended = ended_at(run.call, self.work, None)
        seconds = time.perf_counter() - begin
        assert ended.code == 0, ended.said
        return Whole(ended.operations, seconds, before, run.state(self.out), bits_of(self.out))

    def _left(self, run: Run, whole: Whole, where: str) -> None:
        try:
            state = run.state(self.out)
        except CheckpointError as error:
            return self._count(f"damaged: {error}", where)
        kinds = {"whole": whole.after, "nothing": None, "as before": whole.before}
        if run.goes_on:  # what an unfinished training has saved is its own
            return self._count("nothing" if state is None else "loads", where)
        found = next((kind for kind, there in kinds.items() if state == there), "half")
        return self._count(found, where)

    def _end(self, run: Run, whole: Whole, where: str) -> None:
        """Go on, unless it came to its end before: then it says so."""
        ended = ended_at(run.call, self.work, None)
        same = bits_of(self.out) == whole.bits
        self._count("equal bits" if same else f"other bits: {ended.said[-200:]}", where)

    def _count(self, kind: str, where: str) -> None:
        self.found[kind if kind in GOOD else "BROKEN"] += 1
        if kind not in GOOD:
            self.broken.append(f"{kind}: {where[:500]}")


def told(ended: Ended, work: Path) -> str:
    """Whether a command that failed said so in one line that names a file."""
    last = ended.said.strip().splitlines()[-1:]
    one = ended.code == 2 and "Traceback" not in ended.said
    named = bool(last) and last[0].startswith("Error: ") and str(work) in last[0]
    return "told" if one and named else f"said {last}, exit code {ended.code}"
