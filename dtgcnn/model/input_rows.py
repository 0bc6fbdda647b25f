"""The rows that go into the network: checked on the host, normalised on the device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ..array import Array, ArrayOps, HostArray, numerics
from ..config import DTGCNNConfig
from .start import Start

if TYPE_CHECKING:
    from ..data import Encoder

__all__ = ["ChosenRows", "checked_rows", "device_rows"]

DEVICE_ROWS = 1 << 14
"""Rows checked and normalised at a time, which bounds what is held beside them."""


class ChosenRows:
    """Some rows of a host array, which stand for an array of their own: copied as they are asked
    for, a block at a time.

    Args:
        rows: (N, D), maybe mapped from a file.
        items: (M,) their numbers.
        view: what is made of each block (n, D), where that is something else.
    """

    def __init__(
        self,
        rows: HostArray,
        items: HostArray,
        view: Callable[[HostArray], HostArray] | None = None,
    ) -> None:
        self.rows, self.items, self.view = rows, items, view
        width = rows.shape[1:] if view is None else view(rows[:0]).shape[1:]
        self.shape: tuple[int, ...] = (len(items), *width)

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, places: Any) -> HostArray:
        chosen = self.rows[self.items[places]]
        return chosen if self.view is None else self.view(chosen)

    def __iter__(self) -> Iterator[HostArray]:
        for block in self.blocks():
            yield from block

    def blocks(self) -> Iterator[HostArray]:
        """All of them, in order."""
        for start in range(0, len(self), DEVICE_ROWS):
            yield self[start : start + DEVICE_ROWS]


def checked_rows(
    ops: ArrayOps,
    config: DTGCNNConfig,
    encoder: Encoder | None,
    x: Any,
    prompt_name: str | None = None,
) -> HostArray:
    """Float32 host rows of texts or vectors; see ``DTGCNN.vectors``."""
    width = config.row_width
    from ..data import as_inputs, in_single

    rows: Any = [x] if isinstance(x, str) else as_inputs(x)
    if isinstance(rows, list):
        texts = rows
        if encoder is None:
            raise ValueError(
                "the model has no text encoder: it was trained on vectors, so encode takes an "
                f"array of shape (N, {width})"
            )
        rows = encoder.encode(texts, **_prompt(encoder, prompt_name))
        wanted, found = (len(texts), width), getattr(rows, "shape", None)
        if found != wanted:
            raise ValueError(f"the encoder must give an array of shape {wanted}, not {found}")
    if rows.ndim != 2 or rows.shape[1] != width:
        name = config.width_name
        raise ValueError(f"x must have shape (N, {name} = {width}), received {rows.shape}")
    rows = _without_negative_zeros(in_single(rows))
    for start in range(0, len(rows), DEVICE_ROWS):
        finite = ops.isfinite(ops.asarray(rows[start : start + DEVICE_ROWS]))
        bad = ops.to_numpy(ops.sum(~finite, axis=1)).nonzero()[0]
        if len(bad):
            raise ValueError(f"x must be finite; row {start + bad[0]} holds nan or infinity")
    if config.vocab_size is not None:
        _check_pieces(rows, config.vocab_size)
    return rows


def _without_negative_zeros(rows: HostArray) -> HostArray:
    """The rows, each −0.0 made 0.0, so that equal rows have equal bytes; a copy where there is
    one."""
    for start in range(0, len(rows), DEVICE_ROWS):
        block = rows[start : start + DEVICE_ROWS]
        if (block.view("int32") == -(2**31)).any():
            return rows + 0.0
    return rows


def _prompt(encoder: Encoder, name: str | None) -> dict[str, Any]:
    """What names a prompt to an encoder.

    Raises:
        ValueError: it knows none.
    """
    if name is None:
        return {}
    if not hasattr(encoder, "prompts"):
        raise ValueError(f"prompt_name must be left out: the encoder {encoder.name} has no prompts")
    return {"prompt_name": name}


def device_rows(
    ops: ArrayOps, config: DTGCNNConfig, start: Start | None, host_x: HostArray
) -> Array:
    """Host rows on the device; see ``DTGCNN.device_rows``."""
    if config.vocab_size is not None:
        return ops.asarray(host_x[:], "int32")
    blocks = []
    for begin in range(0, max(len(host_x), 1), DEVICE_ROWS):
        rows = ops.asarray(host_x[begin : begin + DEVICE_ROWS])
        blocks.append(_unit_rows(ops, rows if start is None else start.standardized(ops, rows)))
        if len(host_x) <= DEVICE_ROWS:
            return blocks[0]
        ops.evaluate(blocks[-1])
    return ops.concat(blocks)


def _check_pieces(rows: HostArray, vocab_size: int) -> None:
    wrong = (rows != rows.round()) | (rows < 0) | (rows >= vocab_size)
    if wrong.any():
        row, column = (int(places[0]) for places in wrong.nonzero())
        raise ValueError(
            f"pieces must be whole numbers from 0 to {vocab_size - 1}; row {row} holds "
            f"{rows[row, column]}"
        )


def _unit_rows(ops: ArrayOps, x: Array) -> Array:
    if x.shape[0] == 0:
        return x
    largest = ops.max(ops.abs(x), axis=1, keepdims=True)
    return numerics.l2_normalize(ops, x / ops.where(largest > 0, largest, 1.0))
