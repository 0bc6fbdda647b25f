"""The state of a training run on the disk, so that a killed run can go on bit for bit.

A folder holds ``state-<step>.safetensors``, the last two of them: weights, running state, optimiser
state, the bank's states, and in the metadata the place in the data, the history and what the
callbacks know. The first is saved before the first step, so whatever a killed run left, there is a
state that knows of it. Each is checksummed and appears in one move; one that is damaged is passed
over for the one before it. Random numbers need no state: their keys are functions of seed and step.
``run.json`` beside them tells from the first step on what the run is.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..array import HostArray
from ..config import DTGCNNConfig
from ..errors import CheckpointError
from ..model import ChosenRows

if TYPE_CHECKING:
    from ..callbacks import Callback
    from ..data import Items, TripletLoader

__all__ = [
    "FORMAT",
    "OF_THE_MACHINE",
    "Place",
    "TrainingState",
    "content_of",
    "fingerprint",
    "holds_state",
    "record_run",
    "remove_states",
]

_log = logging.getLogger("dtgcnn")

FORMAT = "dtgcnn-state-2"
"""Of states whose steps draw ``random_bits`` as this release does; those before name none."""

_KEPT = 2
LOCK = "lock"
"""The file that keeps a second process from training in the same folder."""

OF_THE_MACHINE = {
    *("device", "num_threads", "num_workers", "prefetch_factor", "persistent_workers"),
    *("adaptive_batch_size", "offload_optimizer", "process_timeout"),
}
"""Settings that a resumed run may have changed: what is computed stays the same."""

_PATTERN = "state-*.safetensors"
_RECORD = "run.json"


@dataclass
class Place:
    """Where a run is: the step to take next, and what the running epoch has added up to."""

    epoch: int = 1
    step: int = 0
    """Steps taken in the epoch."""
    totals: dict[str, float] = field(default_factory=dict)


@dataclass
class TrainingState:
    """What a run needs to go on.

    Args:
        config: its settings.
        data: the ``fingerprint`` of what it trains on; where rows are held out theirs, and their
            ``content_of``.
        model: its class's name and its ``extras``.
        frozen: dotted names of frozen parameters.
        place, history, global_step, finished: of the trainer.
        run, arrays: what ``TrainingRun.state_dict`` gave.
        callbacks: for each callback its class's name and its ``state_dict``.
        made_with: versions, backend, device and threads of the run.
        origin: the digest of the model that it goes on from, None of a new one.
        format: of the release that saved it.
    """

    config: dict[str, Any]
    data: str
    model: dict[str, Any]
    frozen: list[str]
    place: Place
    history: list[dict[str, float]]
    global_step: int
    finished: bool
    run: dict[str, Any]
    callbacks: list[tuple[str, dict[str, Any]]]
    made_with: dict[str, Any]
    arrays: dict[str, HostArray] = field(default_factory=dict)
    origin: str | None = None
    format: str = FORMAT

    def save(self, directory: Path) -> Path:
        """Write it beside the state before, and remove those before that, and later ones, which are
        damaged or this run would not be here.

        Raises:
            OSError: it cannot be written; what was there is as it was.
            TypeError: a callback's state is not made of JSON's types.
        """
        from ..storage import write_arrays

        for name, known in self.callbacks:
            _check_json(f"{name}.state_dict", known)
        directory.mkdir(parents=True, exist_ok=True)
        metadata = {name: value for name, value in vars(self).items() if name != "arrays"}
        path = directory / f"state-{self.global_step:09}.safetensors"
        write_arrays(path, self.arrays, {**metadata, "place": asdict(self.place)})
        paths = sorted(directory.glob(_PATTERN))
        last = paths.index(path) + 1
        for stale in (*paths[: max(0, last - _KEPT)], *paths[last:]):
            stale.unlink(missing_ok=True)
        return path

    @classmethod
    def latest(cls, directory: Path) -> TrainingState | None:
        """The last state in ``directory`` that is not damaged; None where there is none.

        Raises:
            CheckpointError: there are states, and all are damaged.
        """
        damaged = []
        for path in sorted(directory.glob(_PATTERN), reverse=True):
            try:
                state = cls._read(path)
            except CheckpointError as error:
                damaged.append(str(error))
                continue
            for message in damaged:
                _log.warning("%s; going back to the state before it", message)
            return state
        if damaged:
            raise CheckpointError(f"no state can be gone on from: {'; '.join(damaged)}")
        return None

    @classmethod
    def _read(cls, path: Path) -> TrainingState:
        from ..storage import read_arrays

        metadata, arrays = read_arrays(path)
        try:
            metadata.setdefault("format", "dtgcnn-state-1")
            place = Place(**metadata.pop("place"))
            return cls(**metadata, place=place, arrays=arrays)
        except (KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path}: its metadata are not those of a training state: {error}"
            ) from None

    def check_format(self, directory: Path) -> None:
        """Refuse to go on with a run of a release whose random numbers were others.

        Raises:
            CheckpointError: it is one.
        """
        if self.format != FORMAT:
            raise CheckpointError(
                f"{directory}: the state's format must be {FORMAT!r}, it is {self.format!r}, of a "
                "release whose random numbers are others: go on with that release, or begin anew "
                "(remove_states, --overwrite)"
            )

    def check_origin(self, origin: str | None) -> None:
        """Refuse to go on from another model than the run did.

        Raises:
            ValueError: says which it must be.
        """
        if self.origin != origin:
            named = "a new one" if self.origin is None else "the one that was loaded (--init)"
            given = "a new one" if origin is None else "one that was loaded (--init)"
            other = f"another {given[4:]}" if self.origin and origin else given
            raise ValueError(
                f"the model must be {named}, as in the run to be resumed, it is {other}"
            )

    def check(
        self,
        config: DTGCNNConfig,
        data: str,
        model: dict[str, Any],
        frozen: list[str],
        hooks: list[Callback],
        made_with: dict[str, Any],
    ) -> None:
        """Refuse to go on with other settings, data, frozen parameters or callbacks, or another
        model, and warn where another backend, device or number of threads will not give the same
        bits.

        Raises:
            ValueError: names what differs.
        """
        earlier = " ".join(data.split()[:2])  # releases that did not know the held-out content
        others = self.data not in (data, earlier)
        too = "; the data, or how they are divided, are others too" if others else ""
        for name, value in config.to_dict().items():
            if self.config.get(name) != value and name not in OF_THE_MACHINE:
                raise ValueError(
                    f"{name} must be {self.config.get(name)!r}, as in the run to be resumed, "
                    f"received {value!r}{too}"
                )
        if others:
            raise ValueError(
                "the data are not those of the run to be resumed, or the encoder makes other "
                "vectors of their texts, as that of another release may"
            )
        if self.model != json.loads(json.dumps(model)):
            raise ValueError(
                f"model and loss must be {self.model}, as in the run to be resumed, they are "
                f"{model}"
            )
        if self.frozen != frozen:
            raise ValueError(
                f"the frozen parameters must be {self.frozen}, as in the run to be resumed, "
                f"they are {frozen}"
            )
        names, had = [type(hook).__name__ for hook in hooks], [name for name, _ in self.callbacks]
        if names != had:
            raise ValueError(
                f"the callbacks must be {', '.join(had) or 'none'}, as in the run to be resumed, "
                f"they are {', '.join(names) or 'none'}"
            )
        for name, value in made_with.items():
            if self.made_with.get(name) != value:
                _log.warning(
                    "%s was %s in the run to be resumed and is %s: it goes on, maybe not with the "
                    "same bits",
                    name,
                    self.made_with.get(name),
                    value,
                )


def _check_json(what: str, given: dict[str, Any]) -> None:
    try:
        json.dumps(given)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} must give JSON's types: {error}") from None


def holds_state(directory: Path, *, begun: bool = False) -> bool:
    """Whether there is a state to go on from in ``directory``; one after a step, with ``begun``."""
    first = "state-000000000.safetensors"
    return any(not begun or path.name != first for path in directory.glob(_PATTERN))


def record_run(directory: Path, config: DTGCNNConfig, made_with: dict[str, Any]) -> None:
    """Write the settings of a run and what it runs on: versions, backend, device, threads.

    Raises:
        OSError: it cannot be written.
    """
    from ..storage import write_json

    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / _RECORD, {"config": config.to_dict(), "trained_with": made_with})


def remove_states(directory: Path) -> None:
    """Delete the states and the record in ``directory``, and the folder where nothing else is in
    it.

    Raises:
        BlockingIOError: a process trains there.
    """
    from ..storage import lock, remove_drafts

    if not directory.is_dir():
        return
    with lock(directory / LOCK):
        remove_drafts(directory)
        for path in (*directory.glob(_PATTERN), directory / _RECORD):
            path.unlink(missing_ok=True)
    if not any(directory.iterdir()):
        directory.rmdir()


def fingerprint(loader: TripletLoader, vectors: HostArray | None = None) -> str:
    """A hash of a loader's rows, classes, triplets and targets, and of its batches; of the vectors
    too, where they are given."""
    digest = hashlib.sha256(f"{loader.batch_size} {len(loader)} {loader.seed}".encode())
    if vectors is not None:
        for items in (loader.items, loader.nodes):
            _take_in(digest, vectors, items)
    targets = loader.dataset.targets
    targets = None if targets is None else targets[loader.items]
    for array in (loader.items, loader.labels, loader.triplets, targets):
        digest.update(b"" if array is None else array.tobytes())
    return digest.hexdigest()


def content_of(dataset: Items, items: HostArray) -> str:
    """A hash of the texts or vectors of some rows."""
    texts, features = dataset.texts, dataset.features
    if texts is None:
        assert features is not None
        digest = hashlib.sha256()
        _take_in(digest, features, items)
        return digest.hexdigest()
    return hashlib.sha256(json.dumps([texts[item] for item in items]).encode()).hexdigest()


def _take_in(digest: hashlib._Hash, rows: HostArray, items: HostArray) -> None:
    """Let a digest know the bytes of some rows."""
    for block in ChosenRows(rows, items).blocks():
        digest.update(block.tobytes())
