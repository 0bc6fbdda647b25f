"""Ask a trained model for classes, how sure it is, what that rests on, and what it refuses.

Two of the sample's 14 intents are left out of training, so that there are texts of no class that
the model knows. Prints the accuracy on test messages of the others, how far the probabilities are
off (expected calibration error), the shares of both that are refused at a rate of 10%, and what
one answer rests on.

    python examples/classes.py
"""

import numpy as np

from dtgcnn import DTGCNN, TfidfEncoder, Trainer, TripletDataset
from dtgcnn.data import load_sample
from dtgcnn.evaluation import expected_calibration_error

UNSEEN = {"invoice_request", "login_code_missing"}

sample = load_sample()
names = [sample.label_names[label] for label in sample.labels]
train = [i for i in sample.split_items("train") if names[i] not in UNSEEN]
test = [i for i in sample.split_items("test") if names[i] not in UNSEEN]
foreign = [i for i in sample.split_items("test") if names[i] in UNSEEN]
texts = [sample.texts[i] for i in train]

dataset = TripletDataset.from_labelled(texts, [names[i] for i in train])
loader, held_out = dataset.create_dataloaders(batch_size=128, train_split=0.8)
encoder = TfidfEncoder(128).fit([texts[i] for i in loader.items])  # not on what is held out
model = DTGCNN(input_dim=128, hidden_dim=64, output_dim=32, num_gcn_layers=2, encoder=encoder)
trainer = Trainer(model, train_loader=loader, val_loader=held_out, epochs=5, progress=False)
trainer.train()  # the rows that are held out tell how sure the model may be

asked = [sample.texts[i] for i in test]
right = np.array(model.predict(asked)) == [names[i] for i in test]
sure = model.predict_proba(asked).max(axis=1)
print(f"told right: {right.mean():.1%} of {len(test)}")
print(f"expected calibration error {expected_calibration_error(sure, right):.3f}")

for what, rows in (("known", test), ("unseen", foreign)):
    told = model.predict([sample.texts[i] for i in rows], reject=0.1)
    print(f"refused of {what} intents: {told.count(None) / len(told):.1%}")

question = "my parcel never showed up"
near = model.neighbors([question], k=3)
print(f"\n{question}: {model.predict([question])[0]}")
for row, label, cosine in zip(near.rows[0], near.labels[0], near.cosines[0]):
    print(f"{cosine:.3f}  {model.classes_[label]}  row {row} of the bank")
