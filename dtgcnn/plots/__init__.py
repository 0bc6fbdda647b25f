"""Pictures of a trained model: maps of its embeddings, its graph. They need matplotlib."""

from .curves import plot_curves
from .degrees import plot_degrees
from .embeddings import plot_embedding_map, visualize_embeddings
from .figure import new_figure, picture_path, save_figure
from .purity import plot_purity

__all__ = [
    "new_figure",
    "picture_path",
    "plot_curves",
    "plot_degrees",
    "plot_embedding_map",
    "plot_purity",
    "save_figure",
    "visualize_embeddings",
]
