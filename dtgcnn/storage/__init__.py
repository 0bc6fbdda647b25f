"""What is written to the disk: files whole or not at all, saved models and ensembles, cards."""

from .cards import add_figures, ensemble_card, model_card
from .checkpoint import (
    ENSEMBLE,
    WEIGHTS,
    Checkpoint,
    check_folder,
    holds_model,
    read_checkpoint,
    spec_of,
    write_checkpoint,
)
from .ensemble import check_output, holds_ensemble, main_file, read_ensemble, write_ensemble
from .exported import export_sentence_transformers
from .files import (
    draft,
    flush,
    lock,
    read_arrays,
    remove_drafts,
    replace_file,
    replacing,
    write_arrays,
    write_json,
    write_tensors,
)
from .hub import fetched, pushed
from .index_file import IndexFile, holds_index, read_index
from .one_save import of_one_save
from .packed_texts import PackedTexts, packed

__all__ = [
    "ENSEMBLE",
    "WEIGHTS",
    "Checkpoint",
    "IndexFile",
    "PackedTexts",
    "add_figures",
    "check_folder",
    "check_output",
    "draft",
    "ensemble_card",
    "export_sentence_transformers",
    "fetched",
    "flush",
    "holds_ensemble",
    "holds_index",
    "holds_model",
    "lock",
    "main_file",
    "model_card",
    "of_one_save",
    "packed",
    "pushed",
    "read_arrays",
    "read_checkpoint",
    "read_ensemble",
    "read_index",
    "remove_drafts",
    "replace_file",
    "replacing",
    "spec_of",
    "write_arrays",
    "write_checkpoint",
    "write_ensemble",
    "write_json",
    "write_tensors",
]
