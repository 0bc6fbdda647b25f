"""``Calibration``: what held-out rows tell of how sure a model may be, and of what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING

from ..array import HostArray
from ..errors import CheckpointError

if TYPE_CHECKING:
    from ..storage import Checkpoint

__all__ = ["BACKGROUND", "TEMPERATURE", "Calibration"]

TEMPERATURE, BACKGROUND = 0.15, 0.2
"""τ and ε of a model that had no held-out rows: about what they are of those that had."""

_SHAPES: dict[str, tuple[int, ...]] = {
    "temperature": (),
    "background": (),
    "error": (),
    "weights": (3,),
    "offset": (),
}


@dataclass(frozen=True)
class Calibration:
    """What was measured on held-out rows; see ``dtgcnn.evaluation.fit_calibration``.

    Args:
        arrays: on the host, float64: of shape () ``temperature`` τ, ``background`` ε and ``error``,
            the expected calibration error; ``weights`` (3,) and ``offset`` () that make a score of
            what ``Voters.scope`` gives, and its ``quantiles`` (Q,) among held-out rows, from the
            least to the largest score. Empty where no rows were held out.
    """

    arrays: Mapping[str, HostArray] = field(default_factory=dict)

    @classmethod
    def of(cls, saved: Checkpoint) -> Calibration:
        """That of a saved model.

        Raises:
            CheckpointError: an array is missing, of another shape or out of its range.
        """
        found = saved.under("calibration.")
        if not found:
            return cls()
        arrays: dict[str, HostArray] = {
            name: saved.array(f"calibration.{name}", s) for name, s in _SHAPES.items()
        }
        quantiles = found.get("quantiles")
        if quantiles is None or quantiles.ndim != 1 or len(quantiles) < 2:
            raise CheckpointError(f"{saved.path}: 'calibration.quantiles' must be two or more")
        for name in ("temperature", "background"):
            if not 0.0 < float(arrays[name]) < float("inf"):
                raise CheckpointError(f"{saved.path}: 'calibration.{name}' must be above 0")
        return cls({**arrays, "quantiles": quantiles})

    @property
    def temperature(self) -> float:
        """τ of the votes."""
        return float(self.arrays.get("temperature", TEMPERATURE))

    @property
    def background(self) -> float:
        """ε of the votes."""
        return float(self.arrays.get("background", BACKGROUND))

    @property
    def error(self) -> float | None:
        """The expected calibration error of 15 bins (Guo et al. 2017, arXiv:1706.04599) on the
        held-out rows; None without any."""
        return float(self.arrays["error"]) if self.arrays else None

    def scores(self, scope: HostArray) -> HostArray:
        """How much rows are in scope, (N,), of what ``Voters.scope`` gives of them, (N, 3): about 0
        of a usual one; the sum of the three without held-out rows."""
        if not self.arrays:
            return scope.sum(axis=1)
        weights = self.arrays["weights"]
        return (scope * weights).sum(axis=1) + float(self.arrays["offset"])

    def threshold(self, reject: float) -> float:
        """The score that a share ``reject`` of the held-out rows is below.

        Raises:
            ValueError: it is not in (0, 1), or no rows were held out.
        """
        if not isinstance(reject, Real) or not 0.0 < reject < 1.0:
            raise ValueError(f"reject must be a share in (0, 1), received {reject!r}")
        if not self.arrays:
            raise ValueError(
                "reject needs the scores of held-out rows, and the model has none: train it with "
                "labelled rows held out"
            )
        quantiles = self.arrays["quantiles"]
        place = reject * (len(quantiles) - 1)
        below = min(int(place), len(quantiles) - 2)
        share = place - below
        return float((1.0 - share) * quantiles[below] + share * quantiles[below + 1])
