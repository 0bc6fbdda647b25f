"""Pictures of a trained model: maps of its embeddings, its graph. They need matplotlib."""

from ..projection import project, stratified_sample
from .degrees import plot_degrees
from .embeddings import plot_embedding_map, visualize_embeddings
from .figure import new_figure, picture_path, save_figure
from .purity import plot_purity

__all__ = [
    "new_figure",
    "picture_path",
    "plot_degrees",
    "plot_embedding_map",
    "plot_purity",
    "project",
    "save_figure",
    "stratified_sample",
    "visualize_embeddings",
]
