"""Every differentiable operation has the gradients of the reference and of central differences."""

MODULES = (
    "operations",
    "differentiation",
    "transformations",
    "half_precision",
    "operations_properties",
    "rows_properties",
    "compositions_properties",
)
"""In the order in which a report has their checks."""
