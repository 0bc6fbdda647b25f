"""Neighbours, links and what is propagated along them are those of dense matrices."""

MODULES = ("construction", "adaptive", "links", "leading", "construction_properties")
"""In the order in which a report has their checks."""
