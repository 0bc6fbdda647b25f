"""What is saved, each file of it changed in turn: it is refused, or as it was."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dtgcnn.data.augmentation.rewriter import Rewriter
from dtgcnn.data.encoders.cache import EncoderCache
from dtgcnn.errors import DTGCNNError
from dtgcnn.evaluation import SearchIndex
from dtgcnn.training import load_embedder
from dtgcnn.training.training_state import TrainingState

from .conftest import sentences
from .faults import ended_at, mutated
from .writers import TEXTS, runs_of, shouted, trained

ANEW = "made anew"
"""What a cache gives that does not know a row any more."""

GOOD = ("as before", "refused", ANEW)

ASKED = sentences()[0][:5]


class Saved(NamedTuple):
    """Something that is saved: what makes it in a folder, what of it loads, and all that may."""

    make: Callable[[Path], Path]
    load: Callable[[Path], object]
    all: Callable[[Path], list[object]] | None = None


def changed(
    folder: Path, name: str, count: int, rng: random.Random, broken: list[str]
) -> Counter[str]:
    """Change the files of one of ``SAVED`` ``count`` times in all, and count what loads then;
    ``broken`` takes a line for what is neither refused nor as it was."""
    saved, found = SAVED[name], Counter[str]()
    place = saved.make(folder)
    expected = [saved.load(place)] if saved.all is None else saved.all(place)
    files = [path for path in sorted(place.rglob("*")) if path.is_file() and path.suffix != ".md"]
    for number in range(count):
        path = files[number % len(files)]
        content = path.read_bytes()
        path.write_bytes(data := mutated(content, rng))
        try:
            loaded = saved.load(place)
            kind = "as before" if loaded in expected else "answers changed"
            kind = ANEW if loaded == ANEW else kind
        except (DTGCNNError, ValueError) as error:
            kind = "refused" if str(place) in str(error) else f"{error}"[:200]
        except Exception as error:
            kind = f"{type(error).__name__}: {error}"[:200]
        path.write_bytes(content)
        found[kind if kind in GOOD else "BROKEN"] += 1
        if kind not in GOOD:
            broken.append(f"{kind}: {name}, {path.name}, {len(data)} bytes")
    return found


def _model(folder: Path) -> Path:
    return Path(shutil.copytree(trained(folder), folder / "m"))


def _ensemble(folder: Path) -> Path:
    (run,) = runs_of("training of an ensemble", folder, folder).values()
    assert ended_at(run.call, folder / "m", None).code == 0
    return folder / "m"


def _index(folder: Path) -> Path:
    run = runs_of("commands", folder, folder)["index"]
    assert ended_at(run.call, folder / "index", None).code == 0
    return folder / "index"


def _state(folder: Path) -> Path:
    """The state of a training that was killed."""
    (run,) = runs_of("training, numpy", folder, folder).values()
    assert ended_at(run.call, folder / "m", 200).code is None
    return folder / "m" / ".state"


def _answers(place: Path) -> object:
    return load_embedder(place, backend="numpy").encode(ASKED).tobytes()


def _hits(place: Path) -> object:
    return repr([SearchIndex.load(place, backend="numpy").search(ASKED, top=20)])


def _goes_on(place: Path) -> object:
    return _shown(TrainingState.latest(place))


def _both(place: Path) -> list[object]:
    return [_shown(TrainingState._read(path)) for path in place.glob("state-*.safetensors")]


def _shown(state: TrainingState | None) -> object:
    assert state is not None
    arrays = {name: array.tobytes() for name, array in state.arrays.items()}
    return {**vars(state), "arrays": arrays}


ROWS = np.random.default_rng(0).normal(size=(len(TEXTS), 6)).astype(np.float32)


def _rows(place: Path) -> object:
    found = ROWS.copy()
    with EncoderCache("f", 6, place) as cache:
        missing = cache.fill(TEXTS, found)
    if not np.array_equal(found, ROWS):
        return "other rows"
    return ANEW if missing else "all"


def _encoded(folder: Path) -> Path:
    with EncoderCache("f", 6, folder / "cache") as cache:
        cache.add(TEXTS, ROWS)
    return folder / "cache"


def _told(place: Path) -> object:
    return Rewriter("paraphrase", shouted, place / "answers").propose(TEXTS, ())


def _asked(folder: Path) -> Path:
    (folder / "c").mkdir()
    _told(folder / "c")
    return folder / "c"


SAVED = {
    "model": Saved(_model, _answers),
    "ensemble": Saved(_ensemble, _answers),
    "index": Saved(_index, _hits),
    "state of a training": Saved(_state, _goes_on, _both),
    "cache of an encoder": Saved(_encoded, _rows),
    "cache of answers": Saved(_asked, _told),
}
