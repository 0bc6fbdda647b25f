"""Layers and the network are the reference's and what they are by definition."""

MODULES = (
    "agreement",
    "definitions",
    "initialisers",
    "start",
    "residual",
    "voting",
    "agreement_properties",
)
"""In the order in which a report has their checks."""
