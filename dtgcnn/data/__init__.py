"""Data: files, datasets, leak-free splits, batches and text encoders."""

from .dataset import TripletDataset
from .encoders import Encoder, TfidfEncoder, load_encoder, register_encoder
from .errors import DataError, MissingExtraError
from .loader import Batch, TripletLoader
from .readers import RawData, read_file
from .sample import load_sample, sample_path
from .sampler import ClassBalancedSampler

__all__ = [
    "Batch",
    "ClassBalancedSampler",
    "DataError",
    "Encoder",
    "MissingExtraError",
    "RawData",
    "TfidfEncoder",
    "TripletDataset",
    "TripletLoader",
    "load_encoder",
    "load_sample",
    "read_file",
    "register_encoder",
    "sample_path",
]
