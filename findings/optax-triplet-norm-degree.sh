#!/usr/bin/env bash
# optax's triplet_margin_loss adds differences with their signs: norm_degree=1 is no distance.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "optax==0.2.8" "jax[cpu]==0.10.2" "numpy==2.4.6"; then
    echo "could not be tried: optax or jax were not installed" >&2
    exit 2
fi

JAX_PLATFORMS=cpu "$folder/venv/bin/python" - <<'PYTHON'
import sys

import jax
import numpy as np
from optax.losses import triplet_margin_loss

# The positive is far away, the negative near.
anchor = np.array([[0.0, 0.0, 0.0, 0.0]], np.float32)
positive = np.array([[3.0, -3.0, 3.0, -3.0]], np.float32)
negative = np.array([[-0.1, -0.1, -0.1, -0.1]], np.float32)


def truth(anchors, positives, negatives, degree):
    near = np.linalg.norm(anchors - positives, ord=degree, axis=1)
    far = np.linalg.norm(anchors - negatives, ord=degree, axis=1)
    return np.maximum(near - far + 1.0, 0.0)


print("a triplet whose positive is at 12 and whose negative at 0.4, by absolute differences; margin 1")
seen, expected = {}, {}
for degree in (1, 2, 4):
    seen[degree] = float(triplet_margin_loss(anchor, positive, negative, norm_degree=degree)[0])
    expected[degree] = float(truth(anchor, positive, negative, degree)[0])
    print(f"  norm_degree={degree}: expected {expected[degree]:.3f}, seen {seen[degree]:.3f}")

rng = np.random.default_rng(0)
rows = [rng.normal(size=(1000, 32)).astype(np.float32) for _ in range(3)]
right = truth(*rows, 1)
got = np.asarray(triplet_margin_loss(*rows, norm_degree=1))
wrong = float(np.mean((right > 0) != (got > 0)))
slope = jax.grad(lambda p: triplet_margin_loss(rows[0], p, rows[2], norm_degree=1).sum())(rows[1])
slope = np.asarray(slope)[got > 0]
print("1,000 random triplets of 32 numbers, norm_degree=1: whether there is a loss at all is wrong")
print(f"  for {100 * wrong:.0f}%; the gradient of a positive's numbers is always {set(slope.ravel().tolist())},")
print("  so each is made larger, on whichever side of the anchor it is")
print("optax 0.2.8, jax 0.10.2, numpy", np.__version__)
print("expected: the norm of that degree, as torch.nn.functional.triplet_margin_loss has it")
print("cause: the differences are raised to the power without their absolute value, so that odd")
print("degrees keep the sign; 3 mostly gives NaN, and 1 nothing that looks wrong")
print("why it matters: a positive far beyond the anchor counts as near, and training moves it farther")
same = all(abs(seen[d] - expected[d]) < 1e-3 for d in (2, 4))
same = same and expected[1] > 10 and seen[1] < 1 and wrong > 0.1 and set(slope.ravel()) == {-1.0}
sys.exit(0 if same else 1)
PYTHON
