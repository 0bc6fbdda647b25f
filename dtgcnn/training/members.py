"""Which models fit together in an ensemble."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..model import DTGCNN

if TYPE_CHECKING:
    from ..data import Encoder

__all__ = ["check_members"]


def check_members(models: list[DTGCNN]) -> None:
    """Refuse models that do not fit together.

    Raises:
        ValueError: there are fewer than two, one is not trained, or they differ in widths, in
            ``normalize_output`` or in the text encoder.
    """
    if len(models) < 2:
        raise ValueError(f"models must be two or more, received {len(models)}")
    for i, model in enumerate(models):
        if not isinstance(model, DTGCNN):
            raise ValueError(f"models must be DTGCNN models, models[{i}] is {model!r}")
        if model.bank is None:
            raise ValueError(f"models must be trained, models[{i}] is not")
        for name in ("input_dim", "output_dim", "normalize_output"):
            first, own = getattr(models[0].config, name), getattr(model.config, name)
            if own != first:
                raise ValueError(
                    f"models must agree on {name}: it is {first} of models[0], {own} of models[{i}]"
                )
    encoders = {id(model.encoder): model.encoder for model in models}
    if len(encoders) > 1:
        first, *others = map(_content, encoders.values())
        if any(other != first for other in others):
            raise ValueError("models must share one text encoder, theirs differ")


def _content(encoder: Encoder | None) -> dict[str, bytes] | None:
    """The files that an encoder saves, which tell whether it is another's equal."""
    if encoder is None:
        return None
    with tempfile.TemporaryDirectory() as name:
        encoder.save(name)
        files = (path for path in Path(name).rglob("*") if path.is_file())
        return {str(path.relative_to(name)): path.read_bytes() for path in files}
