"""Rotations of one space onto another."""

from __future__ import annotations

import numpy as np
from scipy.stats import ortho_group

from dtgcnn.evaluation.alignment import _rotate, procrustes


def test_the_rotation_is_the_nearest_of_all() -> None:
    rng = np.random.default_rng(0)
    z, reference = rng.normal(size=(50, 6)), rng.normal(size=(50, 6))
    q = procrustes(z, reference)
    np.testing.assert_allclose(q.T @ q, np.eye(6), atol=1e-12)
    least = np.linalg.norm(z @ q - reference)
    for other in ortho_group.rvs(6, size=200, random_state=1):
        assert np.linalg.norm(z @ other - reference) > least


def test_a_rotated_row_is_the_same_to_the_last_bit_in_any_company() -> None:
    rng = np.random.default_rng(0)
    z, q = rng.normal(size=(600, 128)).astype(np.float32), ortho_group.rvs(128, random_state=0)
    together = _rotate(z, q)
    np.testing.assert_allclose(together, z @ q, atol=1e-12)
    for rows in (slice(0, 1), slice(7, 9), slice(250, 531)):
        np.testing.assert_array_equal(_rotate(z[rows], q), together[rows])
