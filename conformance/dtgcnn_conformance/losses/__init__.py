"""Mining takes the triplets that it says, and every loss has its value and gradient."""

MODULES = (
    "triplets",
    "contrastive",
    "anchors",
    "anchored",
    "objectives",
    "combinations",
    "blocks",
    "tasks",
    "far_rows",
    "mining_properties",
    "losses_properties",
)
"""In the order in which a report has their checks."""
