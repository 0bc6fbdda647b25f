"""Data: files, datasets, leak-free splits, batches, text encoders, generation, augmentation."""

from ..errors import DataError, MissingExtraError
from .augmentation.augmenter import STRATEGIES, TripletAugmenter
from .augmentation.seq2seq import Seq2Seq
from .batches.join import halves, join
from .batches.loader import Batch, TripletLoader, usual_classes, usual_split
from .batches.prefetch import Prefetcher
from .batches.sampler import ClassBalancedSampler
from .checks import check_rows, check_seed
from .closed_form import ClosedForm, fit_closed_form, standardized_columns
from .dataset import TripletDataset
from .doctor import Examination, Finding, examine
from .encoders.encoder import Encoder, check_encoder, takes_labels, untaught
from .encoders.encoding import progress_bar
from .encoders.preprocessor import DataPreprocessor
from .encoders.registry import (
    FineTunedEncoder,
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
from .encoders.union import UnionEncoder
from .generation.generator import TripletGenerator
from .generation.negatives import NegativeSampling
from .generation.report import GenerationReport
from .items import Items, check_items
from .label_spreading import SpreadLabels, smoothed, spread_labels
from .pseudo_labels import PseudoLabels, fit_encoder, with_pseudo_labels, with_pseudo_labels_by
from .reading.blocks import Block, read_blocks
from .reading.equality import equal_groups
from .reading.inputs import as_inputs, in_single, texts_of
from .reading.pairs import Pairs, holds_pairs, read_pairs
from .reading.raw import class_name
from .reading.readers import SUFFIXES, RawData, is_data_path, read_file, read_records
from .reading.source import Source
from .sample import load_sample, sample_path
from .stages import difficulties, input_vectors, stage_data, stage_rows, training_labels
from .writing.files import check_format, record_format, write_file
from .writing.table import check_table, write_table
from .writing.vectors import VECTOR_SUFFIXES, check_vectors, write_vectors

__all__ = [
    "STRATEGIES",
    "SUFFIXES",
    "VECTOR_SUFFIXES",
    "Batch",
    "Block",
    "ClassBalancedSampler",
    "ClosedForm",
    "DataError",
    "DataPreprocessor",
    "Encoder",
    "Examination",
    "Finding",
    "FineTunedEncoder",
    "GenerationReport",
    "HashingEncoder",
    "Items",
    "MissingExtraError",
    "MlxTextEncoder",
    "Model2VecEncoder",
    "NegativeSampling",
    "Pairs",
    "PieceEncoder",
    "Prefetcher",
    "PseudoLabels",
    "RawData",
    "SentenceTransformerEncoder",
    "Seq2Seq",
    "Source",
    "SpreadLabels",
    "TfidfEncoder",
    "TripletAugmenter",
    "TripletDataset",
    "TripletGenerator",
    "TripletLoader",
    "UnionEncoder",
    "as_inputs",
    "available_encoders",
    "check_encoder",
    "check_format",
    "check_items",
    "check_rows",
    "check_seed",
    "check_table",
    "check_vectors",
    "class_name",
    "default_encoder",
    "difficulties",
    "equal_groups",
    "examine",
    "fit_closed_form",
    "fit_encoder",
    "halves",
    "holds_pairs",
    "in_single",
    "input_vectors",
    "is_data_path",
    "join",
    "load_encoder",
    "load_sample",
    "make_encoder",
    "progress_bar",
    "read_blocks",
    "read_file",
    "read_pairs",
    "read_records",
    "record_format",
    "register_encoder",
    "sample_path",
    "smoothed",
    "spread_labels",
    "stage_data",
    "stage_rows",
    "standardized_columns",
    "takes_labels",
    "texts_of",
    "training_labels",
    "untaught",
    "usual_classes",
    "usual_split",
    "with_pseudo_labels",
    "with_pseudo_labels_by",
    "write_file",
    "write_table",
    "write_vectors",
]
