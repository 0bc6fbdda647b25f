"""The batches of one side of a dataset: drawn, assembled ahead, joined and halved."""
