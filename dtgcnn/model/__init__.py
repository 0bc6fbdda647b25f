"""The model: graph, layers, head, network, bank, and ``DTGCNN`` and ``MultiTaskDTGCNN``."""

from .answering import Neighbors, judged, probabilities_of
from .bank import Bank, nodes_of
from .bank_changes import listed_labels
from .calibration import Calibration
from .classifier import VOTES, Answers, Classifier
from .dtgcnn import DTGCNN, create_model
from .embedder import Embedder, check_embedder
from .encoding import ENCODE_ROWS, Encodes
from .graph import EfficientGraphConstructor, Graph, graph_figures, knn
from .input_rows import ChosenRows
from .layers import BatchNorm
from .multitask import MultiTaskDTGCNN
from .network import Network
from .parameters import device_option

__all__ = [
    "DTGCNN",
    "ENCODE_ROWS",
    "VOTES",
    "Answers",
    "Bank",
    "BatchNorm",
    "Calibration",
    "ChosenRows",
    "Classifier",
    "EfficientGraphConstructor",
    "Embedder",
    "Encodes",
    "Graph",
    "MultiTaskDTGCNN",
    "Neighbors",
    "Network",
    "check_embedder",
    "create_model",
    "device_option",
    "graph_figures",
    "judged",
    "knn",
    "listed_labels",
    "nodes_of",
    "probabilities_of",
]
