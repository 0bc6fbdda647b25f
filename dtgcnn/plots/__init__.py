"""What shows a trained model: pictures of its embeddings and of its graph, which need matplotlib,
and a report, which needs Bokeh."""

from .curves import plot_curves
from .degrees import plot_degrees
from .embeddings import plot_embedding_map, visualize_embeddings
from .figure import new_figure
from .purity import plot_purity
from .report import write_report
from .tuning import plot_tuning

__all__ = [
    "new_figure",
    "plot_curves",
    "plot_degrees",
    "plot_embedding_map",
    "plot_purity",
    "plot_tuning",
    "visualize_embeddings",
    "write_report",
]
