"""Train on labelled texts, measure on texts that were held out, and search.

Prints how many of the sample's 168 test messages find one of their intent nearest among the 504
training messages (recall@1) and how well all of their intent are ranked (MAP@R), by TF-IDF vectors
and by trained embeddings; then the three messages nearest to a question.

    python examples/labelled_texts.py
"""

import numpy as np

from dtgcnn import DTGCNN, TfidfEncoder, Trainer
from dtgcnn.data import load_sample
from dtgcnn.evaluation import retrieval_metrics

sample = load_sample()
labels, names = sample.labels, sample.label_names
train, test = sample.split_items("train"), sample.split_items("test")
train_texts = [sample.texts[i] for i in train]
test_texts = [sample.texts[i] for i in test]

encoder = TfidfEncoder(128).fit(train_texts)
model = DTGCNN(
    input_dim=128,
    hidden_dim=64,
    output_dim=32,
    num_gcn_layers=2,
    learning_rate=3e-3,
    encoder=encoder,
)
loader, _ = sample.create_dataloaders(batch_size=128, train_split=1.0)
Trainer(model, train_loader=loader, epochs=30, progress=False).train()

for name, encode in (("TF-IDF ", encoder.encode), ("trained", model.encode)):
    figures = retrieval_metrics(
        encode(test_texts), labels[test], encode(train_texts), labels[train]
    )
    print(f"{name}  recall@1 {figures['recall@1']:.1%}  MAP@R {figures['map@r']:.1%}")

question = "my parcel never showed up"
similarity = model.encode(train_texts) @ model.encode([question])[0]  # cosines of unit rows
print(f"\n{question}")
for i in np.argsort(-similarity)[:3]:
    print(f"{similarity[i]:.3f}  {names[labels[train[i]]]}  {train_texts[i]}")
