"""Model cards: the ``README.md`` of what is saved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .checkpoint import spec_of
from .files import replace_file

__all__ = ["add_figures", "ensemble_card", "model_card"]

_FIGURES = "\n## Figures\n\n"


def model_card(model: Any) -> str:
    """That of a ``DTGCNN``."""
    config, bank = model.config, 0 if model.bank is None else len(model.bank)
    rows = "\n".join(f"| {name} | {value} |" for name, value in config.to_dict().items())
    vectors = f"vectors of {config.input_dim} numbers"
    what = vectors if config.vocab_size is None else f"rows of {config.max_length} pieces"
    takes = "texts" if model.encoder is not None else what
    spec = spec_of(model.encoder)
    by = "" if spec is None else f"\nTexts become {what} by `{spec}`."
    return f"""---
library_name: dtgcnn
tags: [embeddings, metric-learning, graph-neural-network]
---

# A DT-GCNN embedding model

Takes {takes}, gives embeddings of {config.output_dim} numbers. {model.num_parameters:,} parameters;
every input attaches to its {config.graph_k_neighbors} nearest of {bank:,} bank rows.{by}

```python
from dtgcnn import DTGCNN

model = DTGCNN.load("PATH/OF/THIS/FOLDER")
embeddings = model.encode(...)  # {takes}
```

The bank holds vectors of training rows: treat this folder as you treat the training data.

| setting | value |
|---|---|
{rows}
"""


def ensemble_card(ensemble: Any) -> str:
    """That of an ``Ensemble``."""
    first, count = ensemble.models[0], len(ensemble.models)
    seeds, width = ", ".join(str(m.config.seed) for m in ensemble.models), ensemble.output_dim
    takes = "texts" if first.encoder is not None else f"vectors of {first.config.input_dim} numbers"
    return f"""---
library_name: dtgcnn
tags: [embeddings, metric-learning, graph-neural-network]
---

# An ensemble of DT-GCNN embedding models

Takes {takes}, gives embeddings of {width} numbers. {count} models of the seeds {seeds},
put together by `{ensemble.mode}`; each has a folder and a card of its own.

```python
from dtgcnn import Ensemble

ensemble = Ensemble.load("PATH/OF/THIS/FOLDER")
embeddings = ensemble.encode(...)  # {takes}
```

The banks hold vectors of training rows: treat this folder as you treat the training data.
"""


def add_figures(directory: str | Path, figures: str) -> None:
    """Put figures, Markdown, at the end of the card of a saved model, in place of those there."""
    card = Path(directory) / "README.md"
    text, _, _ = card.read_text("utf-8").partition(_FIGURES)
    replace_file(card, (text + _FIGURES + figures.rstrip("\n") + "\n").encode())
