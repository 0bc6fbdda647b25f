"""Data: files, datasets, leak-free splits, batches and text encoders."""

from .augmentation.augmenter import TripletAugmenter
from .augmentation.seq2seq import Seq2Seq
from .dataset import TripletDataset
from .doctor import Examination, Finding, examine
from .encoders.preprocessor import DataPreprocessor
from .encoders.registry import (
    Encoder,
    HashingEncoder,
    MlxTextEncoder,
    Model2VecEncoder,
    PieceEncoder,
    SentenceTransformerEncoder,
    TfidfEncoder,
    available_encoders,
    default_encoder,
    load_encoder,
    make_encoder,
    register_encoder,
)
from .errors import DataError, MissingExtraError
from .generation.generator import TripletGenerator
from .generation.report import GenerationReport
from .loader import Batch, TripletLoader
from .reading.pairs import Pairs, read_pairs
from .reading.readers import RawData, read_file, read_records
from .reading.streaming import Block, read_blocks
from .reading.writers import write_file
from .sample import load_sample, sample_path
from .sampler import ClassBalancedSampler

__all__ = [
    "Batch",
    "Block",
    "ClassBalancedSampler",
    "DataError",
    "DataPreprocessor",
    "Encoder",
    "Examination",
    "Finding",
    "GenerationReport",
    "HashingEncoder",
    "MissingExtraError",
    "MlxTextEncoder",
    "Model2VecEncoder",
    "Pairs",
    "PieceEncoder",
    "RawData",
    "SentenceTransformerEncoder",
    "Seq2Seq",
    "TfidfEncoder",
    "TripletAugmenter",
    "TripletDataset",
    "TripletGenerator",
    "TripletLoader",
    "available_encoders",
    "default_encoder",
    "examine",
    "load_encoder",
    "load_sample",
    "make_encoder",
    "read_blocks",
    "read_file",
    "read_pairs",
    "read_records",
    "register_encoder",
    "sample_path",
    "write_file",
]
