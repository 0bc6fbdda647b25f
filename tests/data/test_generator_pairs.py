"""Triplets of pairs, and triplets straight to files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dtgcnn import TripletDataset, TripletGenerator
from dtgcnn.data import Pairs, load_sample, read_pairs
from dtgcnn.errors import DataError

from ..conftest import sentences

SCORED = [
    ("a man plays a guitar", "a man is playing the guitar", 5.0),
    ("a man is playing the guitar", "somebody plays guitar", 4.0),
    ("a man plays a guitar", "a dog runs", 0.5),
    ("a dog runs", "the dog is running", 4.5),
    ("a dog runs", "a cat sleeps", 2.5),
    ("a cat sleeps", "the cat is sleeping", 4.0),
    ("rain falls", "snow falls", 1.0),
]

pytest.importorskip("sklearn", reason="TfidfEncoder needs scikit-learn")


def partners(triplets: list[tuple[str, str, str]], anchor: str, role: int) -> set[str]:
    return {triplet[role] for triplet in triplets if triplet[0] == anchor}


# -- Pairs


def test_scored_pairs_work_both_ways_and_name_negatives() -> None:
    generator = TripletGenerator(None, "hard")
    triplets = generator.generate_from_pairs(SCORED, 1, positive_score=4, negative_score=1)
    assert len(triplets) == 7  # texts with a positive, in either place
    assert partners(triplets, "the dog is running", 1) == {"a dog runs"}
    assert partners(triplets, "a man plays a guitar", 2) == {"a dog runs"}
    assert partners(triplets, "a dog runs", 2) == {"a man plays a guitar"}


def test_an_anchors_own_negatives_go_before_the_nearest() -> None:
    pairs = [*SCORED[:2], SCORED[3], ("a man plays a guitar", "snow falls", 0.0)]
    triplets = TripletGenerator(None, "hard").generate_from_pairs(
        pairs, 3, positive_score=4, negative_score=1
    )
    found = [n for a, _, n in triplets if a == "a man plays a guitar"]
    assert found == ["snow falls", "a dog runs", "the dog is running"]


def test_what_lies_between_the_scores_is_neither() -> None:
    triplets = TripletGenerator(None, "random").generate_from_pairs(
        SCORED, 50, positive_score=4, negative_score=1
    )
    assert not {(a, n) for a, _, n in triplets} & {
        ("a dog runs", "a cat sleeps"),
        ("a cat sleeps", "a dog runs"),
    }
    assert ("the dog is running", "a cat sleeps") in {(a, n) for a, _, n in triplets}
    assert partners(triplets, "a dog runs", 1) == {"the dog is running"}
    unknown = TripletGenerator(None, "random").generate_from_pairs(SCORED, 50, positive_score=4)
    assert ("a man plays a guitar", "a dog runs") not in {(a, n) for a, _, n in unknown}


def test_texts_joined_over_several_pairs_are_no_negatives() -> None:
    triplets = TripletGenerator(None, "random").generate_from_pairs(SCORED, 50, positive_score=4)
    guitars = {SCORED[0][0], SCORED[0][1], SCORED[1][1]}
    for anchor in guitars:
        assert not partners(triplets, anchor, 2) & guitars
    assert partners(triplets, "somebody plays guitar", 1) == {"a man is playing the guitar"}


def test_negative_pairs_that_positive_ones_join_are_left_out() -> None:
    generator = TripletGenerator(None, "hard")
    contradiction = [*SCORED, ("a man plays a guitar", "somebody plays guitar", 0.0)]
    triplets = generator.generate_from_pairs(contradiction, 3, positive_score=4, negative_score=1)
    assert len(TripletDataset.from_triplets(triplets)) == len(triplets)
    assert generator.report is not None
    assert generator.report.contradictory_pairs == 1
    assert "1 negative pairs left out" in str(generator.report)


def test_anchors_and_positives_have_a_direction() -> None:
    pairs = [
        ("how do I pay?", "payments"),
        ("where is it?", "delivery"),
        ("is it late?", "delivery"),
    ]
    triplets = TripletGenerator(None, "hard").generate_from_pairs(pairs, 2)
    assert {a for a, _, _ in triplets} == {"how do I pay?", "where is it?", "is it late?"}
    assert partners(triplets, "where is it?", 1) == {"delivery"}
    assert partners(triplets, "where is it?", 2) == {"how do I pay?", "payments"}


def test_near_duplicates_of_other_pairs_are_no_negatives() -> None:
    pairs = [
        ("reset my password", "password page"),
        ("Reset my password!", "account help"),
        ("open hours", "we open at nine"),
    ]
    generator = TripletGenerator(0.8, "hard")
    triplets = generator.generate_from_pairs(pairs, 5)
    assert "Reset my password!" not in partners(triplets, "reset my password", 2)
    assert generator.report is not None
    assert generator.report.near_duplicates == 1


def test_pair_files_are_read(tmp_path: Path) -> None:
    table = "\n".join(["sentence1,sentence2,score", *(f"{a},{b},{s}" for a, b, s in SCORED)])
    (tmp_path / "p.csv").write_text(table)
    pairs = read_pairs(tmp_path / "p.csv")
    assert list(zip(pairs.first, pairs.second, pairs.scores, strict=True)) == SCORED
    lines = [json.dumps({"positive": b, "anchor": a, "more": 1}) for a, b, _ in SCORED]
    (tmp_path / "p.jsonl").write_text("\n".join(lines))
    assert read_pairs(tmp_path / "p.jsonl").scores is None
    generator = TripletGenerator(None, "hard")
    given = generator.generate_from_pairs(SCORED, positive_score=4)
    assert generator.generate_from_pairs(tmp_path / "p.csv", positive_score=4) == given
    assert generator.generate_from_pairs(pairs, positive_score=4) == given
    assert isinstance(pairs, Pairs)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "sentence1,sentence2,score\na,b,1\na,c,nan\n",
            "line 3: 'score': must be finite, rec.* nan",
        ),
        ("sentence1,sentence2,score\na,b,1\na,c,-inf\n", "line 3: 'score': must be finite"),
        ("sentence1,sentence2,score\na,b,high\n", "line 2: 'score': must be a number, .*'high'"),
        ("sentence1,sentence2,score\na,,1\n", "line 2: 'sentence2': must not be blank"),
        ("sentence1,sentence2\na,b\n", "line 2: a pair has .* score is missing"),
        ("anchor,positive\n", "holds no records"),
    ],
)
def test_bad_pair_files(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(content)
    with pytest.raises(DataError, match=rf"p\.csv: {message}"):
        read_pairs(tmp_path / "p.csv")


def test_wrong_scores_and_pairs() -> None:
    generate = TripletGenerator().generate_from_pairs
    for pairs, arguments, message in (
        (SCORED, {}, "positive_score must be given .* which lie between 0.5 and 5 here: .*--pos"),
        (SCORED, {"positive_score": 4, "negative_score": 4}, "negative_score must be below posit"),
        (SCORED, {"positive_score": 9}, "no pair of two different texts is positive"),
        ([("a", "b")], {"positive_score": 4}, "positive_score needs pairs with scores, received 4"),
        ([("a", "A")], {}, "no pair of two different texts is positive"),
        ([("a",)], {}, r"record 0 .*must be two texts, or two and a score"),
        ([("a", 5)], {}, r"record 0 .*'positive': must be a string, received 5"),
        ([("a", "b", True)], {}, r"record 0 .*'score': must be a number, received True"),
        ([("a", "b")], {}, "these texts give no triplet"),
    ):
        with pytest.raises(ValueError, match=message):
            generate(pairs, **arguments)  # type: ignore[arg-type]


# -- Files


@pytest.mark.parametrize("suffix", ["jsonl", "csv.gz"])
@pytest.mark.parametrize("strategy", ["random", "hard", "semi_hard", "distance_weighted"])
def test_the_same_seed_gives_the_same_file(strategy: str, suffix: str, tmp_path: Path) -> None:
    texts, labels = sentences()
    contents = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        path = tmp_path / f"{name}.{suffix}"
        generator = TripletGenerator(0.95, strategy, seed=seed)
        report = generator.write_triplets(path, texts, labels, 3)
        assert report is generator.report
        contents.append(path.read_bytes())
    assert contents[0] == contents[1] != contents[2]
    if suffix.endswith("gz"):
        assert contents[0][4:8] == bytes(4)  # no time in it
    written = TripletDataset(tmp_path / f"a.{suffix}")
    generator = TripletGenerator(0.95, strategy, seed=1)
    listed = TripletDataset.from_triplets(generator.generate_triplets(texts, labels, 3))
    assert written.texts == listed.texts
    np.testing.assert_array_equal(written.triplets, listed.triplets)


def test_a_run_that_fails_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("old")
    with pytest.raises(DataError, match="give no triplet"):
        TripletGenerator(-1.0).write_triplets(path, *sentences())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(DataError, match="the suffix must be one of"):
        TripletGenerator().write_triplets(tmp_path / "t.parquet", ["a"], [0])


def test_memory_does_not_grow_with_the_square_of_the_texts(tmp_path: Path) -> None:
    """30,000 texts: their similarities alone would be 3.6 GB."""
    code = f"""
import resource, numpy as np
from dtgcnn import TripletGenerator
rng = np.random.default_rng(0)
texts, labels = [f"text {{i}}" for i in range(30_000)], np.arange(30_000) % 50
x = rng.normal(size=(30_000, 8)).astype(np.float32)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
path = {str(tmp_path / "t.jsonl")!r}
TripletGenerator(0.99, "hard").write_triplets(path, texts, labels, 2, vectors=x)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10)
"""
    if not sys.platform.startswith("linux"):
        pytest.skip("ru_maxrss is in other units elsewhere")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 200  # MiB
    assert (tmp_path / "t.jsonl").read_bytes().count(b"\n") == 60_000


def test_the_sample_has_near_duplicates(tmp_path: Path) -> None:
    generator = TripletGenerator(0.6)
    sample = load_sample()
    names = sample.label_names or []
    labels = [] if sample.labels is None else [names[label] for label in sample.labels]
    report = generator.write_triplets(tmp_path / "t.jsonl", sample.texts or [], labels)
    assert report.near_duplicates > 0
