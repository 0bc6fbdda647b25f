"""The rows that the map of a report shows, and what there is to tell of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ...data import Items
from ...evaluation import Method, choose_method, nearest_rows, project, stratified_sample
from ...model import Answers

__all__ = ["Points", "sample_of", "text_of"]

NEAR = 10
"""Neighbours of a row."""

_LONGEST = 600  # letters of a text in the file
_TITLES = {"pca": "PCA", "tsne": "t-SNE", "umap": "UMAP"}


@dataclass(frozen=True)
class Points:
    """M rows on a plane.

    Attributes:
        what: which rows they are, and how they were laid out.
        classes: names of the classes that occur.
        columns: by name, M values each: ``x`` and ``y``; ``text``; ``label`` and ``told``, the
            classes given and answered, empty where there is none; ``about``, what there is to say
            of the row in words; ``split``; ``kind``, the place of the class in ``classes`` or −1;
            ``outside`` and ``wrong``, 0 or 1; ``near`` and ``cosine``, (M, 10) places of the rows
            among these that are nearest by the embedding, and how near they are.
        marked: how many are unlabelled, out of scope, and answered otherwise than labelled.
    """

    what: str
    classes: list[str]
    columns: dict[str, Any]
    marked: dict[str, int]

    @classmethod
    def of(
        cls,
        dataset: Items,
        rows: npt.NDArray[np.intp],
        embeddings: npt.NDArray[Any],
        answers: Answers | None,
        threshold: float | None,
        method: Method,
        seed: int,
    ) -> Points:
        """The ``rows`` of a dataset, (M, D) their embeddings, and the model's answers."""
        plane = project(embeddings, method, seed)
        near, cosine = nearest_rows(embeddings, NEAR)
        count, known = len(rows), dataset.label_names is not None
        label = dataset.names_of(rows) if known else [""] * count
        classes = [name for name in dataset.label_names or [] if name in set(label)]
        places = {name: place for place, name in enumerate(classes)}
        told = [""] * count if answers is None else answers.labels()
        sure = np.zeros(count) if answers is None else answers.sure[:, 0]
        outside = np.zeros(count, np.uint8)
        if answers is not None and threshold is not None:
            outside[:] = np.asarray(answers.scores) < threshold
        wrong = [a != b for a, b in zip(label, told, strict=True)]
        blank = np.array([name == "" for name in label])
        columns = {
            "x": plane[:, 0].astype(np.float32),
            "y": plane[:, 1].astype(np.float32),
            "text": [text_of(dataset, int(row)) for row in rows],
            "label": label,
            "told": told,
            "split": [dataset.splits[row] if dataset.splits else "" for row in rows],
            "kind": np.array([places.get(name, -1) for name in label], np.int32),
            "outside": outside,
            "wrong": (np.array(wrong) & ~blank & (answers is not None)).astype(np.uint8),
            "near": near.astype(np.int32),
            "cosine": cosine.astype(np.float32),
        }
        columns["about"] = [_about(columns, i, known, sure[i]) for i in range(count)]
        marked = {
            "unlabelled": int(blank.sum()) if known else 0,
            "outside": int(outside.sum()),
            "wrong": int(columns["wrong"].sum()),
        }
        shown = _TITLES[choose_method(method, count)]
        some = "" if count == dataset.num_items else f" of {dataset.num_items:,}"
        return cls(f"{count:,}{some} rows by {shown} of their embeddings", classes, columns, marked)


def sample_of(dataset: Items, most: int, seed: int) -> npt.NDArray[np.intp]:
    """At most so many rows, every class in proportion."""
    labels = dataset.labels
    if labels is None or dataset.label_names is None:
        labels = np.zeros(dataset.num_items, np.int64)
    return stratified_sample(labels, most, seed)


def text_of(dataset: Items, row: int) -> str:
    """A row's text, without the end of a long one, or what messages call it."""
    text = dataset.place(row) if dataset.texts is None else dataset.texts[row]
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _about(columns: Mapping[str, Any], i: int, known: bool, sure: float) -> str:
    """A row in words: class, answer, and what marks it."""
    label, told, split = (columns[name][i] for name in ("label", "told", "split"))
    said = [f"label {label}" if label else "unlabelled"] if known else []
    said += [f"answer {told} ({sure:.0%})"] if told else []
    said += ["out of scope"] if columns["outside"][i] else []
    return "; ".join([*said, *([f"split {split}"] if split else [])])
