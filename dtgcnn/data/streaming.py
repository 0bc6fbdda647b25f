"""Files larger than memory, encoded block by block into a file of features."""

from __future__ import annotations

from array import array
from hashlib import blake2b
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..storage import replacing
from .encoders.encoder import Encoder, check_encoder
from .reading.blocks import Block, read_blocks
from .reading.equality import text_key
from .reading.inputs import in_single
from .reading.raw import TRIPLET_FIELDS, FloatArray, IntArray, RawData
from .reading.shapes import Columns
from .reading.source import Source

__all__ = ["stream_file"]


def stream_file(
    path: str | PathLike[str],
    encoder: Encoder,
    folder: str | PathLike[str],
    columns: Columns | None = None,
) -> RawData:
    """What ``TripletDataset.stream`` promises: checked data, its features mapped from a file."""
    folder = Path(folder)
    blocks = read_blocks(path, columns=columns)
    first = next(blocks)  # nothing is written for a file that cannot be read
    check_encoder(encoder)
    target = folder / f"{Path(path).name}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    gathered = _Triplets(first) if first.kind == "triplets" else _Items(first)
    with replacing(target) as file:
        count = 0
        _write_header(file, count, encoder.dim)
        for block in chain([first], blocks):
            rows, texts = gathered.take(block)
            if texts:
                file.write(_encode(encoder, block.source, rows, texts).tobytes())
                count += len(texts)
        file.seek(0)
        _write_header(file, count, encoder.dim)
    features = np.load(target, mmap_mode="r").view(np.ndarray)
    return gathered.data(features)


def _write_header(file: BinaryIO, count: int, dim: int) -> None:
    # The format leaves room for a first axis that grows, so a header of as many bytes as before
    # takes the place of the first one.
    fields = {"descr": "<f4", "fortran_order": False, "shape": (count, dim)}
    np.lib.format.write_array_header_1_0(file, fields)


def _encode(encoder: Encoder, source: Source, rows: list[int], texts: list[str]) -> FloatArray:
    """(n, dim) little-endian float32, finite; ``rows`` are those of the texts, for messages."""
    given, wanted = np.asarray(encoder.encode(texts)), (len(texts), encoder.dim)
    if given.shape != wanted:
        raise ValueError(f"the encoder must give an array of shape {wanted}, not {given.shape}")
    # −0.0 becomes 0.0: equal rows have equal bytes.
    x = in_single(given).astype("<f4") + np.float32(0)
    finite = np.isfinite(x).all(axis=1)
    if not finite.all():
        raise source.error("the encoder gives nan or infinity", rows[int(np.argmin(finite))])
    return x


class _Items:
    """Texts, with or without labels: every record is an item."""

    def __init__(self, first: Block) -> None:
        self._kind, self._source = first.kind, first.source
        self._hashes = array("Q")
        self._names: dict[str, str] = {}
        self._columns: dict[str, list[str]] = {n: [] for n in first.columns if n != "text"}

    def take(self, block: Block) -> tuple[list[int], list[str]]:
        """The texts to encode, with their rows."""
        texts = block.columns["text"]
        for text in texts:
            self._hashes.append(int.from_bytes(_digest(text_key(text), 8), "little"))
        for name, values in self._columns.items():  # one string per name, however often it occurs
            values += [self._names.setdefault(v, v) for v in block.columns[name]]
        return block.rows, texts

    def data(self, features: FloatArray) -> RawData:
        labels, splits, groups = map(self._columns.get, ("label", "split", "group"))
        hashes = np.frombuffer(self._hashes, np.uint64)
        _, first, group = np.unique(hashes, return_index=True, return_inverse=True)
        return RawData(
            self._kind,
            self._source,
            range(len(features)),
            features=features,
            labels=labels,
            splits=splits,
            groups=groups,
            equal=first[group],  # in the order of ``equal_groups``: one seed divides both alike
        )


class _Triplets:
    """Triplets of texts: every distinct text is an item, known again by its digest."""

    def __init__(self, first: Block) -> None:
        self._source = first.source
        self._index: dict[bytes, int] = {}
        self._equal: dict[bytes, int] = {}
        self._equal_of = array("q")
        self._triplets = array("q")
        self._rows = array("q")
        self._groups: list[str] | None = [] if "group" in first.columns else None

    def take(self, block: Block) -> tuple[list[int], list[str]]:
        """The texts to encode, which did not occur before, with the rows they occur in."""
        rows: list[int] = []
        fresh: list[str] = []
        roles = [block.columns[name] for name in TRIPLET_FIELDS]
        for row, *texts in zip(block.rows, *roles, strict=True):
            for text in texts:
                number = self._index.setdefault(_digest(text, 16), len(self._index))
                if number == len(self._equal_of):
                    rows.append(row)
                    fresh.append(text)
                    key = _digest(text_key(text), 16)
                    self._equal_of.append(self._equal.setdefault(key, len(self._equal)))
                self._triplets.append(number)
        self._rows.extend(block.rows)
        if self._groups is not None:
            self._groups += block.columns["group"]
        return rows, fresh

    def data(self, features: FloatArray) -> RawData:
        triplets: IntArray = np.array(self._triplets, np.int64).reshape(-1, 3)
        return RawData(
            "triplets",
            self._source,
            self._rows,
            features=features,
            triplets=triplets,
            groups=self._groups,
            equal=np.array(self._equal_of, np.int64),
        )


def _digest(text: str, size: int) -> bytes:
    return blake2b(text.encode(), digest_size=size).digest()
