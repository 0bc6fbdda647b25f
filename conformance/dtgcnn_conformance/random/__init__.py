"""Random bits, and what is drawn from them, are the same on every backend, bit for bit."""

MODULES = ("draws", "draws_properties")
"""In the order in which a report has their checks."""
