"""Encoders that learn from labels: what they are told, and what they are not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from click.testing import CliRunner

from dtgcnn import DTGCNN
from dtgcnn.cli import main
from dtgcnn.data import (
    HashingEncoder,
    TripletDataset,
    UnionEncoder,
    fit_encoder,
    register_encoder,
    takes_labels,
    untaught,
    with_pseudo_labels,
    with_pseudo_labels_by,
)
from dtgcnn.data.encoders import registry
from dtgcnn.errors import DataError
from dtgcnn.evaluation import Comparison, compare, retrieval_metrics
from dtgcnn.training import Trainer, train_on_all
from tests.conftest import STARTS

WORDS = ("money", "travel", "food", "sport")
TEXTS = [f"{WORDS[i % 4]} {i % 7} {i}" for i in range(48)]
LABELS = [WORDS[i % 4] for i in range(48)]


class Told:
    """Hashed words; remembers what each fit was told."""

    name = "told"
    dim = 16
    takes_labels = True
    fits: list[tuple[list[str], Any]] = []  # noqa: RUF012

    def fit(self, texts: Sequence[str], labels: Any = None) -> Self:
        self.fits.append((list(texts), labels))
        return self

    def encode(self, texts: Sequence[str]) -> Any:
        return HashingEncoder(self.dim).encode(texts)

    def untaught(self) -> HashingEncoder:
        return HashingEncoder(self.dim)

    def save(self, directory: Any) -> None:
        (Path(directory) / "encoder.json").write_text('{"name": "told"}')

    @classmethod
    def load(cls, directory: Any) -> Self:
        return cls()


@pytest.fixture(autouse=True)
def fits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], Any]]:
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    register_encoder(Told)
    monkeypatch.setattr(Told, "fits", [])
    return Told.fits


def labelled(blank: int = 0) -> TripletDataset:
    more = [f"{WORDS[i % 4]} of nobody {i}" for i in range(blank)]
    return TripletDataset.from_labelled([*TEXTS, *more], [*LABELS, *[""] * blank])


@pytest.mark.parametrize("joined", [False, True])
def test_labels_of_the_rows_that_train_and_of_no_others(fits: Any, joined: bool) -> None:
    dataset = labelled(blank=10)
    loader, held_out = dataset.create_dataloaders(32, 0.75)
    encoder = UnionEncoder([HashingEncoder(8), Told()]) if joined else Told()
    assert takes_labels(encoder)
    for unlabelled in (False, True):
        fit_encoder(encoder, loader, unlabelled)
        texts, labels = fits.pop()
        own = dict(zip(texts, labels.tolist(), strict=True))
        assert not set(own) & {dataset.texts[item] for item in held_out.items}
        wanted = dict(zip(TEXTS, LABELS, strict=True))
        told = {text: dataset.label_names[label] for text, label in own.items() if label >= 0}
        assert told == {text: wanted[text] for text in own if text in wanted}
        assert len(told) == len(loader.items)
        assert len(own) - len(told) == (10 if unlabelled else 0)


def test_triplets_tell_of_no_labels(fits: Any) -> None:
    given = TripletDataset.from_triplets([(TEXTS[0], TEXTS[4], TEXTS[1]), (*TEXTS[5:10:4], "x")])
    fit_encoder(Told(), given.create_dataloaders(4, 1.0)[0], unlabelled=False)
    (texts, labels) = fits.pop()
    assert len(texts) == 6
    assert labels is None


@pytest.mark.parametrize("blank", [0, 40])
def test_trained_anew_it_is_told_of_the_held_out_rows_too(fits: Any, blank: int) -> None:
    """As many rows without a label as are held out would let another encoder be."""
    dataset = labelled(blank)
    loader, held_out = dataset.create_dataloaders(32, 0.75)
    model = DTGCNN(backend="numpy", encoder=Told(), **STARTS["closed_form"] | {"input_dim": 16})
    fit_encoder(model.encoder, loader, unlabelled=blank > 0)
    if blank:
        loader, _ = with_pseudo_labels_by(model.encoder, loader, held_out, always=True)
    trainer = Trainer(model, loader, held_out, epochs=1, progress=False)
    trainer.train()
    train_on_all(trainer, dataset, Told())
    counts = [(len(texts), int((labels >= 0).sum())) for texts, labels in fits]
    if not blank:
        assert counts == [(36, 36), (48, 48)]
        return
    (few, guessed), (all_few, all_guessed) = counts[:2], counts[2:]
    assert few == (36 + blank, 36)
    assert all_few == (48 + blank, 48)
    for (texts, known), own in [(guessed, 36), (all_guessed, 48)]:
        assert texts == own + blank
        assert own < known <= texts, "pseudo-labels are told as well"


def test_a_model_that_was_loaded_keeps_its_encoder(fits: Any) -> None:
    loader, held_out = labelled(40).create_dataloaders(32, 0.75)
    spread, found = with_pseudo_labels_by(Told(), loader, held_out, learn=False, always=True)
    assert found.taken == len(spread.pseudo) > 0
    assert fits == []


class Drawn(Told):
    """Of what it is told two words alone, so that texts of a class are equal."""

    def encode(self, texts: Sequence[str]) -> Any:
        known = set(self.fits[-1][0]) if self.fits else set()
        return super().encode(
            [text[: text.rindex(" ")] if text in known else text for text in texts]
        )


def test_rows_are_far_by_what_knows_no_labels(fits: Any) -> None:
    loader, held_out = labelled(40).create_dataloaders(32, 0.75)
    encoder = Drawn()
    fit_encoder(encoder, loader, unlabelled=False)
    vectors = encoder.encode(loader.dataset.texts)
    _, wrong = with_pseudo_labels(loader, vectors, held_out)
    assert wrong.far > 30, "beside rows that labels have drawn together others are far"
    _, found = with_pseudo_labels_by(encoder, loader, held_out, learn=False)
    _, plain = with_pseudo_labels(loader, untaught(encoder).encode(loader.dataset.texts), held_out)
    assert found.far == plain.far < wrong.far
    assert (found.without, found.with_them) == (plain.without, plain.with_them)


@pytest.mark.parametrize("joined", [False, True])
def test_one_that_takes_labels_tells_what_it_was(
    joined: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Told, "untaught")
    parts: Any = [HashingEncoder(8), Told()]
    make = partial(UnionEncoder, parts) if joined else partial(DTGCNN, encoder=Told(), input_dim=16)
    with pytest.raises(ValueError, match=r"encoder must have a method untaught\(\), since it"):
        make()


def test_what_is_compared_with_is_from_before_labels(
    fits: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader, held_out = labelled().create_dataloaders(32, 0.75)
    settings = STARTS["closed_form"] | {"input_dim": 16}
    model = DTGCNN(backend="numpy", encoder=Drawn(), **settings)
    fit_encoder(model.encoder, loader, unlabelled=False)
    Trainer(model, loader, held_out, epochs=1, progress=False).train()
    plain = HashingEncoder(16).encode(loader.dataset.texts)

    def compared() -> Comparison:
        found = compare(model, loader.dataset, loader, held_out)
        assert found is not None
        return found

    found = compared()
    np.testing.assert_array_equal(found.input_vectors, plain[held_out.items])
    gallery = plain[loader.items], loader.labels
    assert found.input == retrieval_metrics(plain[held_out.items], held_out.labels, *gallery)
    assert found.protocol.endswith("; input vectors are of the encoder before training")

    def gone(encoder: Any) -> Any:
        raise DataError("tickets-base: there is no such folder")

    monkeypatch.setattr(Drawn, "untaught", gone)
    without = compared()
    assert "of the trained encoder, since without it: tickets-base: there" in without.protocol
    np.testing.assert_array_equal(
        without.input_vectors, model.vectors(loader.dataset.texts)[held_out.items]
    )


def test_before_labels_a_union_is_of_what_its_encoders_were() -> None:
    union = UnionEncoder([Told(), HashingEncoder(9)], [1.0, 0.25])
    before = untaught(union)
    assert not takes_labels(before)
    assert (untaught(before), untaught(before.encoders[1])) == (before, union.encoders[1])
    assert before.weights == union.weights
    assert (before.encode(TEXTS) == union.encode(TEXTS)).all()


def test_other_encoders_are_told_nothing(fits: Any) -> None:
    loader, _ = labelled().create_dataloaders(32, 1.0)
    union = UnionEncoder([HashingEncoder(8), HashingEncoder(9)])
    assert not takes_labels(union)
    fit_encoder(union, loader, unlabelled=False)  # would raise of a keyword that it does not know
    fit_encoder(HashingEncoder(8), loader, unlabelled=False)
    assert fits == []


def test_labels_are_checked_by_what_knows_none(fits: Any, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    rows = [f"{label},{text}" for text, label in zip(TEXTS, LABELS, strict=True)]
    file.write_text("\n".join(["label,text", *rows]), encoding="utf-8")
    done = CliRunner().invoke(main, ["check", str(file), "--labels", "--encoder", "told"])
    assert done.exit_code == 0, done.output
    assert "labels: 0 of 48 are suspected to be wrong" in done.output
    assert len(fits) == 1, "in the trial of training alone"


def test_the_command_trains_with_one(fits: Any, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    lines = [f"{label},{text}" for text, label in zip(TEXTS, LABELS, strict=True)]
    file.write_text("\n".join(["label,text", *lines]), encoding="utf-8")
    output = str(tmp_path / "model")
    arguments = ["train", str(file), "--output", output, "--no-map", "--epochs", "2"]
    options = ["--backend", "numpy", "--encoder", "told+hashing"]
    done = CliRunner().invoke(main, arguments + options)
    assert done.exit_code == 0, done.output
    first, second = (len(labels) for _, labels in fits)
    assert first < second == 48
