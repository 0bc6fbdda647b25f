"""A few labels and many rows without one: the rest takes labels over the graph, where that helps.

Vectors of 20 classes, eight labelled rows each and 2,000 rows that are not (-1). Prints what
became of these, and the accuracy of ``predict`` by a model of the labelled rows and by one of all.

    python examples/unlabelled.py
"""

import numpy as np

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.data import with_pseudo_labels

CLASSES, LABELLED, ROWS, WIDTH = 20, 8, 2_000, 64

# Put your own vectors here: x (N, D) floats, y (N,) classes, -1 where they are not known.
draw = np.random.default_rng(0)
centres = draw.normal(size=(CLASSES, WIDTH))
classes = np.arange(CLASSES * LABELLED + ROWS) % CLASSES
x = (centres[classes] + 2.0 * draw.normal(size=(len(classes), WIDTH))).astype(np.float32)
y = np.where(np.arange(len(x)) < CLASSES * LABELLED, classes, -1)

dataset = TripletDataset.from_arrays(x, y)
few, held_out = dataset.create_dataloaders(batch_size=80, train_split=0.8)
everything, found = with_pseudo_labels(few, x, held_out)
print(found)

test = draw.permutation(len(x))[:500]
test = test[y[test] < 0]
for name, loader in (("labelled rows", few), ("all rows", everything)):
    model = DTGCNN(input_dim=WIDTH, hidden_dim=64, output_dim=32, num_gcn_layers=2)
    Trainer(model, train_loader=loader, val_loader=held_out, epochs=3, progress=False).train()
    right = np.mean([int(c) == classes[row] for c, row in zip(model.predict(x[test]), test)])
    print(f"trained on {name:13}  {right:.1%}")
