"""Whole steps, of every kind of training, are the reference's."""

MODULES = (
    "objectives",
    "steps",
    "starts",
    "half_precision",
    "accumulation",
    "memory",
    "bank",
    "propagation",
    "changes",
    "keeping",
    "tasks",
)
"""In the order in which a report has their checks."""
