"""Train on triplets of texts, read from a file, and save the model.

Makes the file from the bundled sample of support-desk messages: each message with one of the same
intent and one of another. Prints, for the first epoch and the last, the loss of the held-out
triplets and the share of them whose positive is nearer than their negative; then the model as it
was saved.

    python examples/triplets.py [FOLDER]    # where triplets.json and the model go
"""

import json
import random
import sys
from collections import defaultdict
from pathlib import Path

from dtgcnn import DTGCNN, Trainer, TripletDataset
from dtgcnn.data import load_sample

folder = Path(sys.argv[1] if len(sys.argv) > 1 else "triplets-example")
folder.mkdir(parents=True, exist_ok=True)

sample, draw = load_sample(), random.Random(0)
members = defaultdict(list)
for text, label in zip(sample.texts, sample.labels):
    members[label].append(text)
triplets = []
for label, own in members.items():
    others = [text for other in members if other != label for text in members[other]]
    for anchor, positive in zip(own[::2], own[1::2]):
        negative = draw.choice(others)
        triplets.append({"anchor": anchor, "positive": positive, "negative": negative})
file = folder / "triplets.json"
file.write_text(json.dumps({"triplets": triplets}, indent=1), encoding="utf-8")

dataset = TripletDataset(file)
train_loader, val_loader = dataset.create_dataloaders(batch_size=64, train_split=0.8)
model = DTGCNN(input_dim=128, hidden_dim=64, output_dim=32, num_gcn_layers=2, learning_rate=3e-3)
trainer = Trainer(
    model, train_loader=train_loader, val_loader=val_loader, epochs=10, progress=False
)
history = trainer.train()

for metrics in (history[0], history[-1]):
    loss, share = metrics["val_loss"], metrics["val_triplet_accuracy"]
    print(f"epoch {metrics['epoch']:.0f}: held-out loss {loss:.3f}, {share:.0%} in order")
model.save(folder / "model", overwrite=True)
print(DTGCNN.load(folder / "model"))
