"""Suspected labels against those of cleanlab."""

from __future__ import annotations

import numpy as np
import pytest

from dtgcnn.evaluation.suspects import _confidently_other

filters = pytest.importorskip("cleanlab.filter")


def test_suspicion_is_that_of_cleanlab() -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(5, 0.3), 400)
    own = np.where(rng.random(400) < 0.7, p.argmax(axis=1), rng.integers(0, 5, 400))
    expected = filters.find_label_issues(own, p, filter_by="confident_learning", n_jobs=1)
    assert expected.any()
    assert (_confidently_other(np.log(p), own) == expected).all()
