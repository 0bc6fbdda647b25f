#!/usr/bin/env bash
# MLX on the CPU adds a long float32 array with one running total: the mean of ten million times 0.1.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "mlx[cpu]==0.32.4" "numpy==2.2.6"; then
    echo "could not be tried: mlx or numpy were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" - <<'PYTHON'
import sys

import mlx.core as mx
import numpy as np

mx.set_default_device(mx.cpu)
off = {}
for count in (10**6, 10**7):
    x = np.full(count, 0.1, np.float32)
    exact = float(np.float32(0.1))
    means = {
        "mlx": mx.mean(mx.array(x)).item(),
        "numpy": float(x.mean()),
    }
    for name, mean in means.items():
        off[name, count] = abs(mean / exact - 1.0)
        print(f"{name:6} mean of {count:>10,} times 0.1: {mean:.6f}, off by {off[name, count]:.1e}")
print("mlx 0.32.4, numpy", np.__version__)
print("expected: float32's mean of equal numbers is that number to about 1e-5")
print("why it matters: mean losses, norms and averages of gradients are such sums: a loss over")
print("ten million pairs comes out 9% too large, and nothing tells of it")
same = off["mlx", 10**7] > 1e-2 and off["mlx", 10**6] > 1e-3
same = same and off["numpy", 10**7] < 1e-4
sys.exit(0 if same else 1)
PYTHON
