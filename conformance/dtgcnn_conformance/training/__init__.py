"""Whole steps, of every kind of training, are the reference's."""

MODULES = ("objectives", "steps", "half_precision", "accumulation", "memory", "bank", "tasks")
"""In the order in which a report has their checks."""
