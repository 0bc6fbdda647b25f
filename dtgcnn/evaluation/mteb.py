"""``MtebEncoder``: a model as MTEB 2 evaluates it (Muennighoff et al. 2023, arXiv:2210.07316)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ..errors import MissingExtraError
from ..model import Encodes

__all__ = ["MtebEncoder"]


class MtebEncoder:
    """A model of texts, to be given to ``mteb.evaluate``.

        mteb.evaluate(MtebEncoder(DTGCNN.load("model"), "me/tickets"), tasks)

    Queries and documents of retrieval take the text encoder's prompts "query" and "document", where
    it has them.

    Args:
        model: a ``DTGCNN`` or an ``Ensemble``.
        name: what the results are filed under, ``"owner/name"``.
        revision: of the model, which the results name too.

    Raises:
        ValueError: the model takes vectors, or ``name`` has no owner.
        MissingExtraError: mteb is not installed.
    """

    def __init__(self, model: Encodes, name: str, revision: str = "1") -> None:
        try:
            from mteb.models.model_meta import ModelMeta, ScoringFunction
        except ImportError as error:
            raise MissingExtraError(
                f"MtebEncoder needs mteb ({error}): pip install 'dtgcnn[mteb]'"
            ) from None
        if model.encoder is None:
            raise ValueError("the model must take texts, it takes vectors")
        owner, slash, rest = name.partition("/")
        if not (owner and slash and rest):
            raise ValueError(f"name must be 'owner/name', received {name!r}")
        self.model = model
        told = {
            "name": name,
            "revision": revision,
            "embed_dim": model.get_embedding_dimension(),
            "similarity_fn_name": ScoringFunction.COSINE,
            "framework": [],
        }
        fields = ModelMeta.model_fields.items()  # which differ from release to release
        unknown = {field: None for field, how in fields if how.is_required()}
        self.mteb_model_meta = ModelMeta(**unknown | told)

    def encode(self, inputs: Any, *, prompt_type: Any = None, **options: Any) -> NDArray[Any]:
        """Embeddings (N, D) of the texts of MTEB's batches."""
        texts = [text for batch in inputs for text in batch["text"]]
        role = getattr(prompt_type, "value", prompt_type)
        name = None if role is None else self.model.prompt_of(str(role))
        found: NDArray[Any] = self.model.encode(texts, prompt_name=name)
        return found

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Cosines (N, M), a tensor; see ``Encodes.similarity``."""
        return _tensor(self.model.similarity(embeddings1, embeddings2))

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Cosines (N,) of matching rows, a tensor."""
        pairs = zip(embeddings1, embeddings2, strict=True)
        return _tensor([float(self.model.similarity(a, b)[0, 0]) for a, b in pairs])


def _tensor(values: Any) -> Any:
    import torch

    return torch.as_tensor(values)
