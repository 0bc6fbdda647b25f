"""The model: graph, layers, head, network, bank, and ``DTGCNN`` and ``MultiTaskDTGCNN``."""

from .bank import Bank
from .dtgcnn import DTGCNN, ENCODE_ROWS, create_model
from .embedder import Embedder
from .graph import EfficientGraphConstructor, Graph, graph_figures, knn
from .multitask import MultiTaskDTGCNN
from .network import Network
from .parameters import device_option

__all__ = [
    "DTGCNN",
    "ENCODE_ROWS",
    "Bank",
    "EfficientGraphConstructor",
    "Embedder",
    "Graph",
    "MultiTaskDTGCNN",
    "Network",
    "create_model",
    "device_option",
    "graph_figures",
    "knn",
]
