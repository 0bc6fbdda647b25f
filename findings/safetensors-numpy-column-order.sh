#!/usr/bin/env bash
# safetensors.numpy saves an array that lies in column order with its values in other places: such
# arrays come from scikit-learn's PCA.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "safetensors==0.8.0" "scikit-learn==1.9.1" "scipy==1.17.1" \
    "numpy==2.4.6"; then
    echo "could not be tried: safetensors or scikit-learn were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - "$folder" <<'PYTHON'
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load, load_file, save, save_file
from sklearn.decomposition import PCA

rng = np.random.default_rng(0)
centres = rng.normal(size=(10, 64))
labels = np.arange(10).repeat(30)
x = (centres[labels] + 0.3 * rng.normal(size=(300, 64))).astype(np.float32)
reduced = PCA(16, svd_solver="full").fit_transform(x)


def neighbour_of_class(x):
    """The share of rows whose nearest other row, by Euclidean distance, is of their class."""
    distances = np.linalg.norm(x[:, None].astype(np.float64) - x[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    return float(np.mean(labels[distances.argmin(axis=1)] == labels))


path = Path(sys.argv[1]) / "rows.safetensors"
cases = {
    "in row order": np.ascontiguousarray(reduced),
    "PCA(svd_solver='full')": reduced,
    "transposed": np.ascontiguousarray(reduced.T).T,
    "asfortranarray": np.asfortranarray(reduced),
}
same = True
print("300 rows of ten classes, saved and loaded: nearest row of the same class, values in place")
print("                         before   after  in place  the shape, save the same")
for name, array in cases.items():
    save_file({"x": array}, path)
    loaded = load_file(path)["x"]
    kept = float(np.mean(loaded == array))
    # What is loaded is the array's memory from its start, read row by row.
    memory = array.ravel(order="K").reshape(array.shape)
    told = loaded.shape == array.shape and loaded.tobytes() == load(save({"x": array}))["x"].tobytes()
    before, after = neighbour_of_class(array), neighbour_of_class(loaded)
    print(f"{name:24}{100 * before:6.0f}%{100 * after:7.0f}%{100 * kept:9.0f}%  {told}")
    same = same and told and np.array_equal(loaded, memory) and before > 0.95
    same = same and ((kept == 1) if array.flags.c_contiguous else (kept < 0.05 and after < 0.5))
print("safetensors 0.8.0, numpy", np.__version__)
print("expected: what is loaded equals what was saved, or save refuses, as safetensors.torch does")
print("cause: the memory of the array is written as it lies, with the shape alone. The documentation")
print("asks for 'contiguous' tensors: NumPy calls these F-contiguous. Releases before 0.8 wrote them")
print("right; it is reported to the project as issue 825")
print("why it matters: embeddings and projections come out of decompositions in column order; the")
print("file is valid, and has the right shape, type, mean and histogram, only the rows are no rows")
sys.exit(0 if same else 1)
PYTHON
