"""Few-shot classification of vectors that you have: NumPy arrays in, accuracy out.

Vectors of 20 classes, of which five rows each are labelled: any other row gets the class of the
labelled row nearest to it by cosine (1-NN). Prints the accuracy by the vectors as they are, and by
the embedding of a model that was trained on the labelled rows.

    python examples/vectors.py
"""

import numpy as np

from dtgcnn import DTGCNN, Trainer, TripletDataset

CLASSES, LABELLED, OTHERS, WIDTH = 20, 5, 50, 64

# Half of the columns hold noise alone. Put your own vectors here: x (N, D) floats, y (N,) classes.
draw = np.random.default_rng(0)
tells = np.arange(WIDTH) < WIDTH // 2
centres = np.where(tells, draw.normal(size=(CLASSES, WIDTH)), 0.0)
y, test_y = np.repeat(np.arange(CLASSES), LABELLED), np.repeat(np.arange(CLASSES), OTHERS)
x, test_x = (
    centres[labels] + np.where(tells, 0.6, 2.0) * draw.normal(size=(len(labels), WIDTH))
    for labels in (y, test_y)
)


def accuracy(x, test_x):
    """The share of test rows whose nearest labelled row is of their class."""
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    return np.mean(y[(test_x @ unit.T).argmax(axis=1)] == test_y)


loader, _ = TripletDataset.from_arrays(x, y).create_dataloaders(batch_size=80, train_split=1.0)
model = DTGCNN(input_dim=WIDTH, hidden_dim=64, output_dim=32, num_gcn_layers=2, learning_rate=3e-3)
Trainer(model, train_loader=loader, epochs=40, progress=False).train()

print(f"{len(x)} labelled rows, {len(test_x)} test rows, {CLASSES} classes")
print(f"1-NN by the vectors    {accuracy(x, test_x):.1%}")
print(f"1-NN by the embedding  {accuracy(model.encode(x), model.encode(test_x)):.1%}")
