"""Train with a loss of your own, which is written once for every backend.

Its idea is that of prototypes: a row is to be nearer to the mean of its class in the batch than to
the means of the others. Beside the loss it returns a metric, the share of rows that give their own
class more than half. Prints both for the first epoch and the last, of training rows and of held-out
rows (``val_``).

    python examples/own_loss.py
"""

import numpy as np

from dtgcnn import DTGCNN, Trainer, TripletDataset


def prototypes(ops, embeddings, batch, scale=10.0):
    """Mean cross entropy of each row (B, D) over the cosines to the means of the classes."""
    labels = batch["labels"]
    same = ops.astype(labels[:, None] == labels[None, :], ops.dtype)  # (B, B)
    members = ops.sum(same, axis=1)
    means = same @ embeddings / members[:, None]  # row i: the mean of i's class
    logits = scale * embeddings @ ops.permute_dims(means, (1, 0))
    mass = ops.exp(logits) / members[None, :]  # a class counts once, not once a member
    own = ops.sum(mass * same, axis=1) / ops.sum(mass, axis=1)
    sure = ops.astype(own > 0.5, ops.dtype)
    count = float(labels.shape[0])
    return -ops.sum(ops.log(own)) / count, {"sure": ops.sum(sure) / count}


# Vectors in six classes, half of whose columns are noise alone.
draw = np.random.default_rng(0)
labels = np.repeat(np.arange(6), 60)
tells = np.arange(24) < 12
centres = np.where(tells, 2.0 * draw.normal(size=(6, 24)), 0.0)
x = centres[labels] + np.where(tells, 0.7, 3.0) * draw.normal(size=(len(labels), 24))

dataset = TripletDataset.from_arrays(x, labels)
train_loader, val_loader = dataset.create_dataloaders(batch_size=48, train_split=0.8)
model = DTGCNN(input_dim=24, hidden_dim=64, output_dim=16, num_gcn_layers=2)
trainer = Trainer(model, loss=prototypes, epochs=10, progress=False)
history = trainer.train(train_loader, val_loader)

for name in ("loss", "sure", "val_loss", "val_sure"):
    print(f"{name:8}  {history[0][name]:.3f} -> {history[-1][name]:.3f}")
