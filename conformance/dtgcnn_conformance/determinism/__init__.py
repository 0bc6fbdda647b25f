"""The same seed gives the same numbers, and a row the same embedding in any company."""

MODULES = ("repetition", "starts")
"""In the order in which a report has their checks."""
