"""DataPreprocessor: texts as the numbers of subword pieces, and triplets to and from files."""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...config import check_whole, refuse_unknown
from ...errors import DataError
from ...storage import replace_file, write_json
from ..items import Items
from ..writing.files import write_file
from ..writing.triplets import Triplet, read_triplets, write_triplets
from .encoding import checked_texts, report_cut, require

__all__ = ["DataPreprocessor"]

_log = logging.getLogger("dtgcnn")

Pieces: TypeAlias = NDArray[np.int32]

TOKENIZERS = ("sentence-piece",)
PAD, UNKNOWN = 0, 1
_LONGEST = 1 << 30  # bytes of a text; SentencePiece leaves out longer ones than its own 4,192


class DataPreprocessor:
    """A SentencePiece tokeniser of the user's own texts (Kudo 2018, arXiv:1804.10959).

    Number 0 is padding and never stands for a piece, 1 is a character that the texts of ``fit`` do
    not have; pieces follow, from 2. Needs sentencepiece.

    Args:
        tokenizer: ``"sentence-piece"``: a unigram language model over pieces of words.
        max_length: pieces that a text may have; what comes after them is left out.
        vocab_size: pieces to learn, with the two above. Texts too few for so many give the most
            that they hold, and a warning says how many.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self, tokenizer: str = "sentence-piece", max_length: int = 128, vocab_size: int = 32000
    ) -> None:
        refuse_unknown("tokenizer", tokenizer, TOKENIZERS)
        self.tokenizer = tokenizer
        self.max_length = check_whole("max_length", max_length, 1)
        self.vocab_size = check_whole("vocab_size", vocab_size, 3)
        self._model: bytes | None = None
        self._processor: Any = None

    @property
    def num_pieces(self) -> int:
        """How many numbers there are, 0 and 1 included; 0 before ``fit``."""
        return 0 if self._processor is None else int(self._processor.get_piece_size())

    @property
    def fingerprint(self) -> str:
        """A sha256 of the pieces.

        Raises:
            RuntimeError: nothing was fitted or loaded.
        """
        self._fitted("fingerprint")
        assert self._model is not None
        return hashlib.sha256(self._model).hexdigest()

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn the pieces; equal texts in equal order give equal pieces. Returns self.

        Raises:
            DataError: there is no text, one is no string or blank, or together they have more
                different characters than ``vocab_size``.
            MissingExtraError: sentencepiece is not installed.
        """
        library = require("sentencepiece", "DataPreprocessor", "tokens")
        model = io.BytesIO()
        words = [" ".join(text.split()) for text in checked_texts("DataPreprocessor.fit", texts)]
        if not words:
            raise DataError("DataPreprocessor.fit: 'texts': must hold at least one text")
        # Characters left out would be unknown in the very texts that were learnt from; only where
        # they would take most of the vocabulary are the rarest given up.
        every = 2 * len(set().union(*words)) <= self.vocab_size
        try:
            library.SentencePieceTrainer.train(
                sentence_iterator=iter(words),
                model_writer=model,
                model_type="unigram",
                vocab_size=self.vocab_size,
                hard_vocab_limit=False,
                character_coverage=1.0 if every else 0.9995,
                max_sentence_length=_LONGEST,
                pad_id=PAD,
                unk_id=UNKNOWN,
                bos_id=-1,
                eos_id=-1,
                num_threads=1,
                minloglevel=2,
            )
        except RuntimeError as error:
            raise DataError(
                f"DataPreprocessor.fit: {len(words):,} texts and vocab_size={self.vocab_size}: "
                f"{str(error).rpartition('] ')[2]}"
            ) from None
        self._set(model.getvalue())
        if self.num_pieces < self.vocab_size:
            _log.warning(
                "DataPreprocessor: %s texts allow a vocabulary of %d pieces, fewer than the %d "
                "asked for",
                *(f"{len(words):,}", self.num_pieces, self.vocab_size),
            )
        return self

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """The numbers of each text's pieces, ``max_length`` of them at most; how many texts have
        more is logged as a warning.

        Raises:
            DataError: a text is no string or blank.
            RuntimeError: nothing was fitted or loaded.
        """
        processor = self._fitted("encode")
        found = processor.encode(checked_texts("DataPreprocessor.encode", texts))
        limit = f"max_length = {self.max_length} pieces"
        cut = sum(len(row) > self.max_length for row in found)
        report_cut("DataPreprocessor", cut, len(found), limit)
        return [row[: self.max_length] for row in found]

    def encode_padded(self, texts: Sequence[str]) -> Pieces:
        """As ``encode``, in (N, max_length) int32, each row filled up with 0.

        Raises:
            DataError, RuntimeError: as ``encode``.
        """
        rows = self.encode(texts)
        padded = np.full((len(rows), self.max_length), PAD, np.int32)
        for row, numbers in zip(padded, rows, strict=True):
            row[: len(numbers)] = numbers
        return padded

    def decode(self, rows: Sequence[Sequence[int]] | Pieces) -> list[str]:
        """The texts of rows of numbers, padding left out; spelling is as ``fit`` normalised it.

        Raises:
            ValueError: a number stands for no piece.
            RuntimeError: nothing was fitted or loaded.
        """
        processor = self._fitted("decode")
        numbers = [[int(number) for number in row if number != PAD] for row in rows]
        for number in (number for row in numbers for number in row):
            if not 0 <= number < self.num_pieces:
                raise ValueError(
                    f"rows must hold numbers from 0 to {self.num_pieces - 1}, received {number}"
                )
        return [str(processor.decode(row)) for row in numbers]

    def save(self, directory: str | PathLike[str]) -> None:
        """Write ``preprocessor.json`` and the pieces, ``pieces-….model`` (SentencePiece's own
        format). A save that is broken off leaves the one before it as it was.

        Raises:
            RuntimeError: nothing was fitted or loaded.
        """
        digest = self.fingerprint
        assert self._model is not None
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        # The JSON file names the pieces that belong to it, so replacing it is what saves.
        name = f"pieces-{digest[:12]}.model"
        replace_file(folder / name, self._model)
        settings = {"tokenizer": self.tokenizer, "max_length": self.max_length}
        settings |= {"vocab_size": self.vocab_size, "pieces": name, "sha256": digest}
        write_json(folder / "preprocessor.json", settings)
        for old in folder.glob("pieces-*.model"):
            if old.name != name:
                old.unlink(missing_ok=True)

    @classmethod
    def load(cls, directory: str | PathLike[str]) -> Self:
        """Read what ``save`` wrote.

        Raises:
            DataError: a file is missing or damaged, or the two do not belong together.
            MissingExtraError: sentencepiece is not installed.
        """
        require("sentencepiece", "DataPreprocessor", "tokens")
        folder = Path(directory)
        try:
            found = json.loads((folder / "preprocessor.json").read_text(encoding="utf-8"))
            loaded = cls(found["tokenizer"], found["max_length"], found["vocab_size"])
            model = (folder / Path(found["pieces"]).name).read_bytes()
            if hashlib.sha256(model).hexdigest() != found["sha256"]:
                raise ValueError(f"{found['pieces']} does not agree with its checksum")
            loaded._set(model)
        except Exception as error:  # a damaged file may fail in any of the parsers
            raise DataError(f"{folder}: is not a saved DataPreprocessor: {error}") from None
        return loaded

    def save_triplets(self, triplets: Iterable[Triplet] | Items, path: str | PathLike[str]) -> int:
        """Write triplets of texts as JSON, JSONL, CSV or TSV, by the suffix; returns how many.

        Raises:
            DataError, OSError: see ``write_triplets``.
        """
        if isinstance(triplets, Items):
            if triplets.triplets is None:
                raise DataError(f"{triplets.source}: must hold triplets, found {triplets.kind}")
            write_file(triplets, path)
            return len(triplets)
        return write_triplets(path, triplets)

    def load_triplets(self, path: str | PathLike[str]) -> list[Triplet]:
        """The triplets of a file, for ``TripletDataset.from_triplets`` or an augmenter.

        Raises:
            DataError: the file holds something else or breaks a rule; names file, row and rule.
        """
        return read_triplets(path)

    def _set(self, model: bytes) -> None:
        library = require("sentencepiece", "DataPreprocessor", "tokens")
        self._processor = library.SentencePieceProcessor(model_proto=model)
        self._model = model

    def _fitted(self, method: str) -> Any:
        if self._processor is None:
            raise RuntimeError(
                f"DataPreprocessor.{method} needs pieces: call fit(texts) first, "
                "or DataPreprocessor.load(directory)"
            )
        return self._processor
