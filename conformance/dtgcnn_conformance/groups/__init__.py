"""Several processes give the bits of one."""

MODULES = ("gathering", "agreeing", "sharing")
"""In the order in which a report has their checks."""
