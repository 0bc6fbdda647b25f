#!/usr/bin/env bash
# mlx-embeddings' Qwen3 turns every text of a batch but the longest into NaN where it is padded on the left, the side
# that the model's authors pad on and that its pooling has a case for.
#
# Exit code: 0 where it is as told here; 1 where it has changed; 2 where it could not be tried.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
# --no-deps leaves out the models of images and the tokenizers, which this model makes no use of.
if ! python3 -m venv "$folder/venv" || ! "$folder/venv/bin/python" -m pip install --quiet \
    --disable-pip-version-check "mlx[cpu]==0.32.4" "numpy==2.4.6" || ! "$folder/venv/bin/python" -m pip install \
    --quiet --disable-pip-version-check --no-deps "mlx-embeddings==0.1.0"; then
    echo "could not be tried: mlx or mlx-embeddings were not installed" >&2
    exit 2
fi

"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import importlib
import sys
import types
from importlib.metadata import distribution

import mlx.core as mx
import numpy as np

# The packages without what they import beside the model, such as the download of others.
for name in ("mlx_embeddings", "mlx_embeddings.models"):
    sys.modules[name] = types.ModuleType(name)
    sys.modules[name].__path__ = [str(distribution("mlx_embeddings").locate_file(name.replace(".", "/")))]
qwen3 = importlib.import_module("mlx_embeddings.models.qwen3")
mx.set_default_device(mx.cpu)
LENGTHS, WORDS = (3, 9, 5, 12, 7, 12), 1000
rng = np.random.default_rng(0)
mx.random.seed(0)
model = qwen3.Model(
    qwen3.ModelArgs(
        hidden_size=64,
        num_hidden_layers=3,
        intermediate_size=128,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        vocab_size=WORDS,
    )
)
texts = [rng.integers(1, WORDS, size=length) for length in LENGTHS]
alone = np.concatenate([np.array(model(mx.array(text[None])).text_embeds) for text in texts])
longest = max(LENGTHS)


def padded(side):
    places = [(0, longest - n) if side == "right" else (longest - n, 0) for n in LENGTHS]
    words = np.stack([np.pad(text, place) for text, place in zip(texts, places)])
    return mx.array(words), mx.array(np.stack([np.pad(np.ones(len(t), int), p) for t, p in zip(texts, places)]))


def finite(words, mask):
    """The last rows of the same model, given its mask with -1e9 in place of -inf."""
    later = np.triu(np.full((longest, longest), -1e9, np.float32), 1)
    hidden = np.where(np.array(mask)[:, None, None, :] == 0, np.float32(-1e9), 0) + later
    rows = np.array(model.model(words, attention_mask=mx.array(hidden)))[:, -1]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


seen = {
    "right": np.array(model(*padded("right")).text_embeds),
    "left": np.array(model(*padded("left")).text_embeds),
    "left, -1e9 by hand": finite(*padded("left")),
}
print("cosine of each text's embedding in a batch with that of the text by itself")
print(f"{'words in the text':36}" + "".join(f"{length:8}" for length in LENGTHS))
cosines = {side: (rows * alone).sum(1) for side, rows in seen.items()}
for side, values in cosines.items():
    print(f"{'padded on the ' + side:36}" + "".join(f"{value:8.3f}" for value in values))
print("mlx-embeddings 0.1.0, mlx", mx.__version__, "on the CPU, numpy", np.__version__)
print("expected: the embedding of a text whatever it is padded with; positions are relative here, and the pooling")
print("takes the last word of each text where the texts are padded on the left")
print("cause: the padding before a text sees itself and what is before it, all masked by -inf, so that nothing is left")
print("to attend to. Its rows are NaN, and for the words, which mask it out, 0 times NaN is NaN in the next layer")
print("why it matters: with padding_side='left', as in the model's own examples, the longest texts of a batch are")
print("right and all others no number. Which ones goes by what else is in the batch; one text by itself is right")
short = np.array(LENGTHS) < longest
same = all(np.allclose(cosines[side], 1, atol=1e-4) for side in ("right", "left, -1e9 by hand"))
sys.exit(0 if same and (np.isnan(cosines["left"]) == short).all() and np.isnan(seen["left"][short]).all() else 1)
PYTHON
