"""Watch training with a callback of your own, and end it early.

After each epoch the callback embeds the held-out messages of the sample, adds to the epoch's
metrics the share of them whose nearest neighbour is of their intent, prints it, and ends training
once it is three in five.

    python examples/own_callback.py
"""

import numpy as np

from dtgcnn import DTGCNN, Callback, Trainer
from dtgcnn.data import load_sample


class StopWhenGood(Callback):
    """End training once the share ``val_nearest_right`` is ``enough``."""

    def __init__(self, enough):
        self.enough = enough

    def on_validation_end(self, trainer, metrics):
        """Add the share to what the trainer measured on the held-out side."""
        rows = trainer.embed_side(trainer.val_loader)  # at unit length
        labels = np.asarray(trainer.val_loader.labels)
        similarity = rows @ rows.T
        np.fill_diagonal(similarity, -1.0)
        metrics["val_nearest_right"] = np.mean(labels[similarity.argmax(axis=1)] == labels)

    def on_epoch_end(self, trainer, metrics):
        """Say how far it is, and stop where that will do."""
        share = metrics["val_nearest_right"]
        print(f"epoch {metrics['epoch']:2.0f}: nearest of the same intent {share:.1%}")
        trainer.should_stop = share >= self.enough


train_loader, val_loader = load_sample().create_dataloaders(batch_size=64, train_split=0.7)
model = DTGCNN(input_dim=128, hidden_dim=64, output_dim=32, num_gcn_layers=2, learning_rate=3e-3)
trainer = Trainer(model, epochs=30, callbacks=[StopWhenGood(0.6)], progress=False)
history = trainer.train(train_loader, val_loader)
print(f"ended after {len(history)} of 30 epochs, {trainer.global_step} steps")
