"""Optimisers, clipping and schedules follow their formulas, plain and compiled."""

MODULES = ("formulas", "schedules", "formulas_properties")
"""In the order in which a report has their checks."""
