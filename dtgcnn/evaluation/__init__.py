"""Figures of embeddings, on the host: metrics, comparison with the input, projections, links,
groups of rows, and labels that look wrong."""

from .alignment import aligned, mean_of, procrustes, side_by_side
from .calibration import Held, expected_calibration_error, fit_calibration, fit_votes, measured
from .classification import Classification, classification, measure_classes
from .comparison import Comparison, compare, compare_pairs
from .diagnostics import effective_rank, mean_cosine
from .discovery import Discovery, Group, discover
from .fusion import interleaved
from .label_check import LabelCheck, check_labels
from .labelling import NextRow, next_rows
from .layout import table_lines
from .links import (
    Links,
    bank_items,
    bank_labels,
    check_linked,
    class_purity,
    embedding_links,
    graph_links,
    in_degrees,
    skewness,
)
from .metrics import (
    COUNTS,
    comparison_rows,
    findable,
    nearest_rows,
    pair_auc,
    retrieval_metrics,
    triplet_accuracy,
    unit_rows,
)
from .near_duplicates import NearDuplicates, near_duplicates
from .projection import Method, choose_method, project, stratified_sample
from .rivals import Rivals, measure_rivals
from .search_index import Hit, Ranking, SearchIndex
from .smaller import Precision, kept_neighbors, restored, smaller, step_of
from .suspects import LabelSuspects, suspect_labels
from .worst import WorstRow, worst_neighbors

__all__ = [
    "COUNTS",
    "Classification",
    "Comparison",
    "Discovery",
    "Group",
    "Held",
    "Hit",
    "LabelCheck",
    "LabelSuspects",
    "Links",
    "Method",
    "NearDuplicates",
    "NextRow",
    "Precision",
    "Ranking",
    "Rivals",
    "SearchIndex",
    "WorstRow",
    "aligned",
    "bank_items",
    "bank_labels",
    "check_labels",
    "check_linked",
    "choose_method",
    "class_purity",
    "classification",
    "compare",
    "compare_pairs",
    "comparison_rows",
    "discover",
    "effective_rank",
    "embedding_links",
    "expected_calibration_error",
    "findable",
    "fit_calibration",
    "fit_votes",
    "graph_links",
    "in_degrees",
    "interleaved",
    "kept_neighbors",
    "mean_cosine",
    "mean_of",
    "measure_classes",
    "measure_rivals",
    "measured",
    "near_duplicates",
    "nearest_rows",
    "next_rows",
    "pair_auc",
    "procrustes",
    "project",
    "restored",
    "retrieval_metrics",
    "side_by_side",
    "skewness",
    "smaller",
    "step_of",
    "stratified_sample",
    "suspect_labels",
    "table_lines",
    "triplet_accuracy",
    "unit_rows",
    "worst_neighbors",
]
