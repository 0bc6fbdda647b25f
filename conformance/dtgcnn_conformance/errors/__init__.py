"""What must be refused is refused, by the backend and by the core on it."""

MODULES = ("backend", "core")
"""In the order in which a report has their checks."""
