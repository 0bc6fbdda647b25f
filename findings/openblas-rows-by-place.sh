#!/usr/bin/env bash
# OpenBLAS's AVX2 kernel: a row of a product depends, in its last bits, on its place among the rows.
#
# OPENBLAS_CORETYPE=Haswell selects the kernel that processors with AVX2 and without AVX-512 take by
# themselves. Exit code: 0 where it is as told here, or does not apply; 1 where it has changed; 2
# where it could not be tried.
set -euo pipefail

if [[ "$(uname -s) $(uname -m)" != "Linux x86_64" ]] || ! grep -qw avx2 /proc/cpuinfo; then
    echo "not applicable here: this needs Linux on an x86-64 processor with AVX2"
    exit 0
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check numpy==2.4.6 threadpoolctl==3.6.0; then
    echo "could not be tried: numpy 2.4.6 and threadpoolctl 3.6.0 were not installed" >&2
    exit 2
fi

cd "$folder"
OPENBLAS_CORETYPE=Haswell venv/bin/python - <<'PYTHON'
import sys

import numpy as np
from threadpoolctl import threadpool_info

blas = next(library for library in threadpool_info() if library["user_api"] == "blas")
print(f"version:   numpy {np.__version__}, {blas['internal_api']} {blas['version']},")
print(f"           kernel {blas['architecture']}, {blas['num_threads']} threads")
if (blas["internal_api"], blas["architecture"]) != ("openblas", "Haswell"):
    print("changed: the wheel's BLAS no longer takes the kernel that OPENBLAS_CORETYPE names")
    sys.exit(1)

draw = np.random.default_rng(0)
row = draw.standard_normal((1, 384), dtype=np.float32)
b = draw.standard_normal((384, 256), dtype=np.float32)
a = np.repeat(row, 256, axis=0)  # 256 equal rows
whole = a @ b
by_eight = np.concatenate([a[i : i + 8] @ b for i in range(0, 256, 8)])


def distinct(rows):
    return len(np.unique(rows, axis=0))


print("expected:  row i of a @ b depends on row i of a and on b alone: 256 equal rows of a")
print("           (384 columns, float32) give 256 equal rows of a @ b")
print(f"seen:      {distinct(whole)} distinct rows, whose elements, of up to {np.abs(whole).max():.0f},")
print(f"           differ by up to {np.ptp(whole, axis=0).max():.1e}; multiplied eight rows at a time,")
print(f"           {distinct(by_eight)} distinct row")
print("matters:   an embedding that is compared bit for bit, cached by its hash or deduplicated")
print("           changes with the texts that happen to be encoded beside it")
if distinct(whole) == 1 or distinct(by_eight) != 1:
    print("changed: this is no longer what was seen")
    sys.exit(1)
PYTHON
