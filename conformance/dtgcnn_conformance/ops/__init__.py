"""Every operation of the protocol has the values, shapes and dtypes of plain NumPy."""

MODULES = (
    "functions",
    "sums",
    "operators",
    "selection",
    "elementwise_properties",
    "conversions_properties",
    "shapes_properties",
    "selection_properties",
)
"""In the order in which a report has their checks."""
