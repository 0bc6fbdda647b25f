"""A folder that the library sentence-transformers loads a model from.

modules.json                        one module of code of its own, and where it is
config_sentence_transformers.json   similarity by cosines
dtgcnn_module.py                    that code: texts to vectors to embeddings, by dtgcnn
dtgcnn_model/                       the model as it is saved
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .checkpoint import check_folder
from .files import draft, flush, remove, replace_file, write_json

__all__ = ["export_sentence_transformers"]

MODULE = '''"""A DT-GCNN model as a module of sentence-transformers; needs dtgcnn."""

import os
import shutil

import torch

try:
    from sentence_transformers.base.modules import Module
except ImportError:  # before 6
    from sentence_transformers.models import Module

from dtgcnn.training import load_embedder


class DTGCNNModule(Module):
    """Texts to embeddings. Nothing of it is trained here."""

    save_in_root = True
    modalities = ["text"]
    tokenizer = None
    max_seq_length = None

    def __init__(self, folder, trust_remote_code=False):
        super().__init__()
        self.folder = folder
        self.model = load_embedder(folder)
        if trust_remote_code and hasattr(self.model.encoder, "trust_remote_code"):
            self.model.encoder.trust_remote_code = True

    def preprocess(self, inputs, prompt=None, **kwargs):
        rows = self.model.vectors([(prompt or "") + text for text in inputs])
        return {"dtgcnn_rows": torch.from_numpy(rows)}

    def tokenize(self, texts, **kwargs):
        return self.preprocess(texts)

    def forward(self, features, **kwargs):
        rows = features["dtgcnn_rows"]
        found = torch.from_numpy(self.model.embed(rows.cpu().numpy()).copy())
        features["sentence_embedding"] = found.to(rows.device)
        return features

    def get_embedding_dimension(self):
        return self.model.get_embedding_dimension()

    get_sentence_embedding_dimension = get_embedding_dimension

    def save(self, output_path, *args, **kwargs):
        shutil.copytree(self.folder, os.path.join(output_path, "dtgcnn_model"), dirs_exist_ok=True)
        shutil.copy(__file__, os.path.join(output_path, "dtgcnn_module.py"))

    @classmethod
    def load(cls, model_name_or_path, subfolder="", trust_remote_code=False, **kwargs):
        names = ("token", "cache_folder", "revision", "local_files_only")
        options = {name: kwargs[name] for name in names if name in kwargs}
        folder = cls.load_dir_path(model_name_or_path, "dtgcnn_model", **options)
        return cls(folder, trust_remote_code)
'''


def export_sentence_transformers(directory: str | Path, model: Any, overwrite: bool) -> Path:
    """Write the folder in one move.

    Raises:
        FileExistsError, NotADirectoryError, PermissionError: see ``check_folder``.
        ValueError: the model takes vectors, not texts.
    """
    directory = Path(directory)
    if model.encoder is None:
        raise ValueError("the model takes vectors: sentence-transformers gives texts to a model")
    check_folder(directory, overwrite, what="an export", main="modules.json")
    directory.absolute().parent.mkdir(parents=True, exist_ok=True)
    with draft(directory.absolute()) as part:
        model.save(part / "dtgcnn_model")
        replace_file(part / "README.md", (part / "dtgcnn_model" / "README.md").read_bytes())
        replace_file(part / "dtgcnn_module.py", MODULE.encode())
        kind = "dtgcnn_module.DTGCNNModule"
        modules = [{"idx": 0, "name": "0", "path": "", "type": kind}]
        write_json(part / "modules.json", modules)  # type: ignore[arg-type]
        write_json(
            part / "config_sentence_transformers.json",
            {"model_type": "SentenceTransformer", "similarity_fn_name": "cosine", "prompts": {}},
        )
        remove(directory.absolute())
        os.rename(part, directory.absolute())
    flush(directory.absolute().parent)
    return directory
