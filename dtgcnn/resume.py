"""The state of a training run on the disk, so that a killed run can go on bit for bit.

A folder holds ``state-<step>.safetensors``, the last two of them: weights, running state, optimiser
state, the bank's states, and in the metadata the place in the data, the history and what the
callbacks know. Each is checksummed and appears in one move; one that is damaged is passed over for
the one before it. Random numbers need no state: their keys are functions of seed and step.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import DTGCNNConfig
from .ops import HostArray

if TYPE_CHECKING:
    from .callbacks import Callback
    from .data import TripletLoader

__all__ = ["Place", "TrainingState", "fingerprint", "remove_states"]

_log = logging.getLogger("dtgcnn")

_KEPT = 2
_PATTERN = "state-*.safetensors"


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
        data: the ``fingerprint`` of what it trains on.
        frozen: dotted names of frozen parameters.
        place, history, global_step, finished: of the trainer.
        run, arrays: what ``TrainingRun.state_dict`` gave.
        callbacks: for each callback its class's name and its ``state_dict``.
    """

    config: dict[str, Any]
    data: str
    frozen: list[str]
    place: Place
    history: list[dict[str, float]]
    global_step: int
    finished: bool
    run: dict[str, Any]
    callbacks: list[tuple[str, dict[str, Any]]]
    arrays: dict[str, HostArray] = field(default_factory=dict)

    def save(self, directory: Path, made_with: dict[str, Any]) -> Path:
        """Write it beside the state before, and remove those before that.

        Raises:
            OSError: it cannot be written; what was there is as it was.
        """
        from .files import write_arrays

        directory.mkdir(parents=True, exist_ok=True)
        metadata = {name: value for name, value in vars(self).items() if name != "arrays"}
        metadata |= {"place": asdict(self.place), "made_with": made_with}
        path = directory / f"state-{self.global_step:09}.safetensors"
        write_arrays(path, self.arrays, metadata)
        for stale in sorted(directory.glob(_PATTERN))[:-_KEPT]:
            stale.unlink(missing_ok=True)
        return path

    @classmethod
    def latest(cls, directory: Path) -> TrainingState | None:
        """The last state in ``directory`` that is not damaged; None where there is none.

        Raises:
            CheckpointError: there are states, and all are damaged.
        """
        from .files import CheckpointError

        *before, last = [None, *sorted(directory.glob(_PATTERN))]
        if last is None:
            return None
        try:
            return cls._read(last)
        except CheckpointError as error:
            if before[-1] is None:
                raise
            _log.warning("%s; going back to the state before it", error)
            return cls._read(before[-1])

    @classmethod
    def _read(cls, path: Path) -> TrainingState:
        from .files import read_arrays

        metadata, arrays = read_arrays(path)
        del metadata["made_with"]
        place = Place(**metadata.pop("place"))
        return cls(**metadata, place=place, arrays=arrays)

    def check(
        self, config: DTGCNNConfig, data: str, frozen: list[str], hooks: list[Callback]
    ) -> None:
        """Refuse to go on with other settings, data, frozen parameters or callbacks.

        Raises:
            ValueError: names what differs.
        """
        for name, value in config.to_dict().items():
            if self.config.get(name) != value:
                raise ValueError(
                    f"{name} must be {self.config.get(name)!r}, as in the run to be resumed, "
                    f"received {value!r}"
                )
        if self.data != data:
            raise ValueError("the training data are not those of the run to be resumed")
        if self.frozen != frozen:
            raise ValueError(
                f"the frozen parameters must be {self.frozen}, as in the run to be resumed, "
                f"they are {frozen}"
            )
        names, had = [type(hook).__name__ for hook in hooks], [name for name, _ in self.callbacks]
        if names != had:
            raise ValueError(
                f"the callbacks must be {', '.join(had)}, as in the run to be resumed, they are "
                f"{', '.join(names)}"
            )


def remove_states(directory: Path) -> None:
    """Delete the states in ``directory``, and the folder where nothing else is in it."""
    for path in directory.glob(_PATTERN):
        path.unlink(missing_ok=True)
    if directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()


def fingerprint(loader: TripletLoader, vectors: HostArray) -> str:
    """A hash of the rows, classes and triplets that a loader trains on, and of its batches."""
    digest = hashlib.sha256(f"{loader.batch_size} {len(loader)}".encode())
    digest.update(vectors[loader.items].tobytes())
    for array in (loader.items, loader.labels, loader.triplets):
        digest.update(b"" if array is None else array.tobytes())
    return digest.hexdigest()
