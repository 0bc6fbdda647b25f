"""How many threads the host's linear algebra has."""

from __future__ import annotations

import os
import sys

from dtgcnn.array.threads import limit_threads, thread_count


def test_there_are_no_more_threads_than_processors() -> None:
    processors = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    with limit_threads(10_000):
        assert (thread_count() or 1) <= processors
