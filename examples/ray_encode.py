"""Encode a folder of Parquet files with Ray Data, on the machines of a Ray cluster.

Reads the column "text" of the files in FOLDER, and writes Parquet files with one more column,
"embedding", to OUTPUT. Each actor loads the model once. An embedding depends on its own text and
the model alone, so how rows are spread over actors changes none of them.

    pip install "ray[data]" "dtgcnn[text,parquet]"
    python examples/ray_encode.py MODEL FOLDER OUTPUT [ACTORS]
"""

import sys
from pathlib import Path

import ray

from dtgcnn.training import load_embedder

# Ray's workers start in folders of their own.
model, folder, output = (str(Path(path).resolve()) for path in sys.argv[1:4])
actors = int(sys.argv[4]) if len(sys.argv) > 4 else 1

if Path(output).exists():
    sys.exit(f"{output} exists")
ray.init()
if actors >= ray.cluster_resources()["CPU"]:
    sys.exit("an actor takes a core, and reading and writing another one: give fewer actors")


class Encode:
    """A saved model, in an actor of its own."""

    def __init__(self, model):
        self.model = load_embedder(model)

    def __call__(self, batch):
        """The columns of some rows, and their embeddings."""
        return {**batch, "embedding": self.model.encode(batch["text"].tolist())}


rows = ray.data.read_parquet(folder).map_batches(
    Encode,
    fn_constructor_args=(model,),
    compute=ray.data.ActorPoolStrategy(size=actors),
    batch_size=1024,
)
rows.write_parquet(output)
print(f"{output}: {ray.data.read_parquet(output).count():,} rows")
