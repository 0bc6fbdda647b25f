"""TripletGenerator over labelled texts, held against a search that looks at every text."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import TripletDataset, TripletGenerator
from dtgcnn.data.generation import blocks
from dtgcnn.data.generation.negatives import NONZERO_LOSS_CUTOFF, STEP, draw_negatives
from dtgcnn.data.generation.similarity import unit_rows
from dtgcnn.errors import DataError

from ..conftest import DATA

STRATEGIES = ("random", "hard", "semi_hard", "distance_weighted")
Vectors = np.ndarray[Any, np.dtype[np.float32]]
BANKING = DATA / "banking77.csv.gz"


def made(
    classes: int = 4, per_class: int = 8, width: int = 6, seed: int = 0
) -> tuple[list[str], list[str], Vectors]:
    """Texts named by their number, their labels, and vectors that overlap across classes."""
    rng = np.random.default_rng(seed)
    labels = np.arange(classes * per_class) % classes
    centres = rng.normal(size=(classes, width))
    x = centres[labels] + rng.normal(size=(len(labels), width))
    texts = [f"text {i}" for i in range(len(labels))]
    return texts, [f"class {c}" for c in labels], x.astype(np.float32)


def items(triplets: list[tuple[str, str, str]]) -> Any:
    return np.array([[int(text.split()[1]) for text in triplet] for triplet in triplets])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_triplet_keeps_the_rules(strategy: str) -> None:
    texts, labels, x = made()
    generator = TripletGenerator(None, strategy)
    triplets = generator.generate_triplets(texts, labels, 5, vectors=x)
    found, y = items(triplets), np.array(labels)
    assert (y[found[:, 0]] == y[found[:, 1]]).all()
    assert (found[:, 0] != found[:, 1]).all()
    assert (y[found[:, 0]] != y[found[:, 2]]).all()
    assert len(set(triplets)) == len(triplets)
    for anchor in range(len(texts)):
        own = found[found[:, 0] == anchor]
        assert len(set(own[:, 1])) == len(own)  # 5 of 7 positives
        assert len(set(own[:, 2])) == len(own)
    assert list(found[:, 0]) == sorted(found[:, 0])  # in the order of the texts
    report = generator.report
    assert report is not None
    assert report.triplets == len(triplets) == sum(report.by_class.values())
    assert report.triplets + report.missing == 5 * len(texts)
    if strategy in ("random", "hard"):
        assert set(report.by_class.values()) == {40}


@pytest.mark.parametrize("strategy", ["hard", "semi_hard"])
@pytest.mark.parametrize("threshold", [None, 0.7])
@pytest.mark.parametrize(("per_class", "per_anchor"), [(20, 4), (3, 12)])
def test_negatives_are_those_of_a_full_search(
    strategy: str, threshold: float | None, per_class: int, per_anchor: int
) -> None:
    texts, labels, x = made(per_class=per_class)
    generator = TripletGenerator(threshold, strategy)
    found = items(generator.generate_triplets(texts, labels, per_anchor, vectors=x))
    unit = unit_rows(x).astype(np.float64)
    check_nearest(found, unit @ unit.T, np.array(labels), strategy, threshold)


def check_nearest(
    found: Any, cosines: Any, y: Any, strategy: str, threshold: float | None, among: Any = ()
) -> None:
    """Every negative is the nearest that is left, by looking at all texts or at some."""
    others = np.arange(len(y)) if len(among) == 0 else among
    for anchor in np.unique(found[:, 0]):
        taken: set[int] = set()
        for _, positive, negative in found[found[:, 0] == anchor]:
            allowed = [
                i
                for i in others[y[others] != y[anchor]]
                if i not in taken
                and (threshold is None or cosines[anchor, i] < threshold)
                and (strategy == "hard" or cosines[anchor, i] < cosines[anchor, positive])
            ]
            assert negative == max(allowed, key=lambda i: cosines[anchor, i])
            taken.add(negative)


@pytest.mark.parametrize("strategy", ["hard", "semi_hard"])
def test_of_many_texts_each_is_compared_with_some(
    strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, labels, x = made(per_class=20)
    seen: list[tuple[Any, Any]] = []
    of_block = blocks.Generation._triplets

    def spied(self: blocks.Generation, anchors: Any, counts: Any) -> Any:
        found = of_block(self, anchors, counts)
        seen.append((self._compared, found))
        return found

    monkeypatch.setattr(blocks.Generation, "_triplets", spied)
    monkeypatch.setattr(blocks, "MOST_COMPARED", 30)
    monkeypatch.setattr(blocks, "ENTRIES", 30 * 8)
    generator = TripletGenerator(0.7, strategy, positive_threshold=0.0)
    assert len(generator.generate_triplets(texts, labels, 4, vectors=x)) > 200
    unit, y = unit_rows(x).astype(np.float64), np.array(labels)
    cosines = unit @ unit.T
    assert len(seen) == 10
    assert len({tuple(compared) for compared, _ in seen}) == 10, "drawn anew for each block"
    for compared, found in seen:
        assert len(set(compared)) == 30
        assert (cosines[found[:, 0], found[:, 1]] >= 0.0).all()
        check_nearest(found, cosines, y, strategy, 0.7, compared)
    assert "each compared with 30 texts, drawn at random" in str(generator.report)


def test_near_duplicates_of_many_texts_are_of_those_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts, labels, x = made(per_class=20)
    monkeypatch.setattr(blocks, "MOST_COMPARED", 30)
    generator = TripletGenerator(0.6, "random", positive_threshold=0.9)
    found = items(generator.generate_triplets(texts, labels, 4, vectors=x))
    unit, y = unit_rows(x).astype(np.float64), np.array(labels)
    cosines = unit @ unit.T
    assert (cosines[found[:, 0], found[:, 1]] >= 0.9).all()
    assert (cosines[found[:, 0], found[:, 2]] < 0.6).all()
    near = (cosines >= 0.6) & (y[:, None] != y[None, :])
    assert generator.report is not None
    assert 0 < generator.report.near_duplicates < near.sum() // 2
    for one in generator.report.examples:
        a, b = (int(text.split()[1]) for text in (one.first, one.second))
        assert one.similarity == cosines[a, b] >= 0.6
        assert (one.first_class, one.second_class) == (labels[a], labels[b])


def test_distance_weighted_draws_by_the_weights() -> None:
    """Frequencies of 20,000 draws against w = 1 / q(max(d, ½)), computed here in float64."""
    D, draws = 8, 20_000
    cosines = np.array([0.95, 0.9, 0.6, 0.3, 0.1, 0.03, 0.01, -0.5], np.float32)
    d = np.sqrt(2 - 2 * cosines.astype(np.float64))
    q = np.maximum(d, 0.5) ** (D - 2) * (1 - np.maximum(d, 0.5) ** 2 / 4) ** ((D - 3) / 2)
    weights = np.where(d < NONZERO_LOSS_CUTOFF, 1 / q, 0)
    rng, limit = np.random.default_rng(0), np.zeros(1, np.float32)
    drawn = [
        int(draw_negatives("distance_weighted", cosines.copy(), limit, D, rng)[0])
        for _ in range(draws)
    ]
    share = np.bincount(drawn, minlength=8) / draws
    expected = weights / weights.sum()
    assert (expected[6:] == 0).all()
    np.testing.assert_allclose(share, expected, atol=4 * np.sqrt(0.25 / draws))


def test_no_negative_is_farther_than_a_far_positive() -> None:
    cosines = np.array([0.75, 0.25, 0.5, 0.25, -np.inf], np.float32)
    limits = np.array([0.5, 0.25, 0.5, 0.8, 0.9], np.float32)
    rng = np.random.default_rng(0)
    drawn = draw_negatives("semi_hard", cosines, limits, 1, rng)
    assert drawn.tolist() == [1, -1, 3, 0, 2]
    assert draw_negatives("semi_hard", np.float32([0.5, 0.75]), limits[1:2], 1, rng) == [-1]


def test_random_negatives_are_even() -> None:
    cosines = np.array([0, -np.inf, 0, 0, 0], np.float32)
    rng = np.random.default_rng(1)
    drawn = [draw_negatives("random", cosines.copy(), cosines[:2], 1, rng) for _ in range(4000)]
    counts = np.bincount(np.concatenate(drawn), minlength=5)
    assert counts[1] == 0
    np.testing.assert_allclose(counts[[0, 2, 3, 4]] / 8000, 0.25, atol=0.02)
    assert all(a != b for a, b in drawn)


def test_cosines_do_not_depend_on_the_order_of_summing() -> None:
    unit = unit_rows(np.random.default_rng(0).normal(size=(200, 300)).astype(np.float32))
    products = unit @ unit.T
    mixed = np.random.default_rng(1).permutation(300)
    np.testing.assert_array_equal(products, np.ascontiguousarray(unit[:, mixed]) @ unit[:, mixed].T)
    np.testing.assert_array_equal(products / STEP, np.rint(products / STEP))
    np.testing.assert_allclose(np.diag(products), 1, atol=2e-3)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_length_of_vectors_decides_nothing(strategy: str) -> None:
    texts, labels, x = made()
    expected = TripletGenerator(0.9, strategy).generate_triplets(texts, labels, 3, vectors=x)
    for power in (-120, -70, 70, 120):
        scaled = np.ldexp(x, power)
        generator = TripletGenerator(0.9, strategy)
        assert generator.generate_triplets(texts, labels, 3, vectors=scaled) == expected


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_seed_decides(strategy: str) -> None:
    texts, labels, x = made()
    runs = [
        TripletGenerator(0.9, strategy, seed=seed).generate_triplets(texts, labels, 3, vectors=x)
        for seed in (5, 5, 6)
    ]
    assert runs[0] == runs[1] != runs[2]


def test_near_duplicates_are_no_negatives_and_are_reported() -> None:
    x = np.array([[1, 0], [0.8, 0.6], [0.99, 0.14], [0, 1], [-1, 0.1]], np.float32)
    texts, labels = [f"text {i}" for i in range(5)], ["a", "a", "b", "b", "b"]
    generator = TripletGenerator(0.9, "hard")
    found = items(generator.generate_triplets(texts, labels, 3, vectors=x))
    assert not any({a, n} == {0, 2} for a, _, n in found.tolist())
    assert {n for a, _, n in found.tolist() if a == 0} == {3, 4}
    report = generator.report
    assert report is not None
    assert report.near_duplicates == 1
    (example,) = report.examples
    assert (example.first, example.first_class) == ("text 0", "a")
    assert (example.second, example.second_class) == ("text 2", "b")
    assert example.similarity == pytest.approx(0.99, abs=2e-3)
    assert "1 near-duplicates across classes" in str(report)
    assert "'text 0' (a) | 'text 2' (b)" in str(report)
    TripletGenerator(None, "hard").generate_triplets(texts, labels, 3, vectors=x)


def test_near_duplicates_are_counted_once() -> None:
    texts, labels, x = made(per_class=30)
    generator = TripletGenerator(0.6, "random")
    generator.generate_triplets(texts, labels, vectors=x)
    unit = unit_rows(x).astype(np.float64)
    y = np.array(labels)
    pairs = (unit @ unit.T >= 0.6) & (y[:, None] != y[None, :])
    assert generator.report is not None
    assert generator.report.near_duplicates == pairs.sum() // 2 > 100
    assert len(generator.report.examples) == 5


def test_positives_above_a_threshold() -> None:
    texts, labels, x = made(per_class=12)
    generator = TripletGenerator(None, "random", positive_threshold=0.8)
    found = items(generator.generate_triplets(texts, labels, 50, vectors=x))
    unit = unit_rows(x).astype(np.float64)
    cosines, y = unit @ unit.T, np.array(labels)
    near = (cosines >= 0.8) & (y[:, None] == y[None, :]) & ~np.eye(len(y), dtype=bool)
    assert set(map(tuple, found[:, :2].tolist())) == set(zip(*map(list, np.nonzero(near))))
    assert generator.report is not None
    assert generator.report.without_positive == (~near.any(axis=1)).sum() > 0
    assert "texts without a positive near enough" in str(generator.report)


def test_balanced_classes_give_as_many_triplets_each() -> None:
    texts, _, x = made(1, 60)
    labels = ["large"] * 40 + ["middle"] * 15 + ["small"] * 5
    counts = {}
    for balance in (False, True):
        generator = TripletGenerator(None, "random", balance_classes=balance)
        generator.generate_triplets(texts, labels, 2, vectors=x)
        assert generator.report is not None
        counts[balance] = generator.report.by_class
    assert counts[False] == {"large": 80, "middle": 30, "small": 10}
    assert counts[True] == {"large": 40, "middle": 40, "small": 40}


def test_a_class_of_one_text_is_named(caplog: pytest.LogCaptureFixture) -> None:
    texts, labels, x = made()
    with caplog.at_level(logging.WARNING, "dtgcnn"):
        generator = TripletGenerator(None, "random")
        triplets = generator.generate_triplets(
            [*texts, "text 99"], [*labels, "lonely"], vectors=np.vstack([x, x[:1]])
        )
    assert "1 classes have one text, which gives no anchor: lonely" in caplog.text
    found = items(triplets)
    assert 99 not in found[:, :2]
    assert 99 in found[:, 2]
    assert generator.report is not None
    assert generator.report.by_class["lonely"] == 0


def test_equal_texts_and_contradictory_labels() -> None:
    """A text of two labels would, as a positive in both, make one class of them."""
    texts = ["Lost card", "lost  CARD", "card gone", "late fee", "a fee", "both", "Both", "loan"]
    labels = ["card", "card", "card", "fee", "fee", "card", "fee", "fee"]
    generator = TripletGenerator(None, "random")
    triplets = generator.generate_triplets(texts, labels, 2)
    used = {text for triplet in triplets for text in triplet}
    assert used == {"Lost card", "card gone", "late fee", "a fee", "loan"}
    assert generator.report is not None
    assert (generator.report.repeated, generator.report.contradictory) == (2, ["both"])
    assert "1 texts left out: in several classes, as 'both'" in str(generator.report)
    dataset = TripletDataset.from_triplets(triplets)
    assert len(dataset) == len(triplets)
    assert set(np.bincount(dataset.labels)) == {2, 3}


def test_few_negatives_give_fewer_triplets() -> None:
    generator = TripletGenerator(None, "hard")
    triplets = generator.generate_triplets(["a b", "a c", "d e", "d f"], [0, 0, 1, 1])
    assert Counter(a for a, _, _ in triplets) == dict.fromkeys(["a b", "a c", "d e", "d f"], 2)
    assert generator.report is not None
    assert generator.report.missing == 12


def test_the_default_encoder_finds_like_texts() -> None:
    pytest.importorskip("sklearn", reason="TfidfEncoder needs scikit-learn")
    texts = ["my card is lost", "card stolen", "my card is late", "late delivery", "loan rates"]
    triplets = TripletGenerator(None, "hard").generate_triplets(texts, [0, 0, 1, 1, 1], 1)
    assert {a: n for a, _, n in triplets}["my card is lost"] == "my card is late"


def test_an_encoder_of_ones_own() -> None:
    class Own:
        name, dim = "own", 2

        def encode(self, texts: list[str]) -> Vectors:
            angle = np.array([float(text.split()[1]) for text in texts]) / 10
            return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)

    texts = [f"text {i}" for i in range(6)]
    generator = TripletGenerator(None, "hard", encoder=Own())  # type: ignore[arg-type]
    found = items(generator.generate_triplets(texts, [0, 0, 0, 1, 1, 1], 1))
    assert {a: n for a, _, n in found.tolist()} == {0: 3, 1: 3, 2: 3, 3: 2, 4: 2, 5: 2}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"similarity_threshold": 80}, "similarity_threshold must be a cosine from -1 to 1, or"),
        ({"positive_threshold": "0.5"}, "positive_threshold must be a cosine .* received '0.5'"),
        ({"negative_sampling_strategy": "easy"}, "must be one of random, hard, semi_hard, dist"),
        ({"encoder": "bert"}, "encoder must be one of tfidf, .* received 'bert'"),
        ({"seed": -1}, "seed must be a whole number of at least 0, received -1"),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TripletGenerator(**arguments)  # type: ignore[arg-type]


def test_wrong_data() -> None:
    texts, labels, x = made()
    generate = TripletGenerator().generate_triplets
    for arguments, message in (
        ((texts, labels[:-1]), "'labels': must be as many as .* received 31 for 32 sentences"),
        ((texts, labels, 0), "num_triplets_per_anchor must be .* at least 1, received 0"),
        (("abc", labels), "'sentences': must be a list, received 'abc'"),
        ((["a", ""], [0, 1]), r"record 1 .*'text': must not be blank"),
        ((["a", "b"], [0, []]), r"record 1 .*'label': must be a string or a number"),
        ((["a", "b"], [0, 0]), "needs texts of two labels at least, found 1"),
        (
            (["a", "b", "a", "b"], [0, 1, 2, 0]),
            "two labels at least, found 0 of 3: texts with several are left out",
        ),
        ((["a", "b"], [0, 1]), "needs a label with two different texts at least, found none"),
    ):
        with pytest.raises(ValueError, match=message):
            generate(*arguments)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"'vectors': must be one for each of 32 .* received 31"):
        generate(texts, labels, vectors=x[:-1])
    with pytest.raises(DataError, match=r"record 3 .*'vectors': must be finite"):
        generate(texts, labels, vectors=np.where(np.arange(32)[:, None] == 3, np.nan, x))
    with pytest.raises(DataError, match="these texts give no triplet"):
        TripletGenerator(-1.0, "hard").generate_triplets(texts, labels, vectors=x)


@pytest.mark.skipif(not BANKING.exists(), reason="Banking77 is not here")
def test_banking77(tmp_path: Path) -> None:
    """Its own near-duplicates and contradictory labels, and a file that is the same twice."""
    bank = TripletDataset(BANKING)
    assert bank.texts is not None
    assert bank.labels is not None
    own = [(int(bank.labels[i]), bank.texts[i]) for i in bank.training_items()[::10]]
    labels, texts = zip(*own, strict=True)
    files = []
    for name in ("a.jsonl", "b.jsonl"):
        report = TripletGenerator().write_triplets(tmp_path / name, texts, labels, 2)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]
    assert report.near_duplicates > 0
    assert len(TripletDataset(tmp_path / "a.jsonl")) == report.triplets
