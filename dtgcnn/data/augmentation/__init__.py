"""More rows to train on, made from those that are there."""
