"""How many threads the host's linear algebra has."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dtgcnn.array.threads import limit_threads, processors, thread_count


def test_there_are_no_more_threads_than_processors() -> None:
    processors = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    with limit_threads(10_000):
        assert (thread_count() or 1) <= processors


AT_ONCE = """
import time
from concurrent.futures import ThreadPoolExecutor
import numpy
from dtgcnn.array.threads import one_thread, thread_count

def work(seconds):
    with one_thread():
        time.sleep(seconds)

before = thread_count()
with ThreadPoolExecutor(4) as pool:  # where they overlap, the first to begin is the first to end
    list(pool.map(work, (0.1, 0.3, 0.4, 0.5)))
print(before, thread_count())
"""


@pytest.mark.skipif(processors() < 2, reason="needs two processors")
def test_what_several_threads_do_by_one_leaves_their_number_as_it_was() -> None:
    found = subprocess.run(
        [sys.executable, "-c", AT_ONCE],
        env={**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    before, after = found.stdout.split()
    assert after == before
