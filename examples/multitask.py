"""One embedding, trained for three tasks at once: retrieval, a class, and a number.

The classes are the intents of the sample's messages, the number is how long a message is. Prints
the share of the test messages whose intent is told right, how well their lengths are told
(correlation), and both for one question.

    python examples/multitask.py
"""

import numpy as np

from dtgcnn import DTGCNNConfig, MultiTaskDTGCNN, Trainer
from dtgcnn.data import load_sample

sample = load_sample()
lengths = np.log([len(text) for text in sample.texts])
mean, spread = lengths.mean(), lengths.std()
sample.set_targets((lengths - mean) / spread)

config = DTGCNNConfig(
    input_dim=128, hidden_dims=[64, 64], output_dim=32, num_epochs=30, learning_rate=3e-3
)
names = sample.label_names
model = MultiTaskDTGCNN(
    config,
    num_classes=len(names),
    regression=True,
    task_weights={"classification": 0.5, "regression": 0.5},
)
loader, _ = sample.create_dataloaders(batch_size=64, train_split=1.0)
Trainer(model, train_loader=loader, progress=False).train()

test = sample.split_items("test")
texts = [sample.texts[i] for i in test]
right = np.mean(model.classify(texts) == sample.labels[test])
told = model(texts, task="regression")
print(f"intents told right: {right:.1%} of {len(texts)}, by chance {1 / len(names):.1%}")
print(f"lengths: correlation {np.corrcoef(told, lengths[test])[0, 1]:.2f}")

question = ["where is my parcel?"]
length = np.exp(model(question, task="regression")[0] * spread + mean)
print(f"{question[0]} {names[model.classify(question)[0]]}, about {length:.0f} characters")
