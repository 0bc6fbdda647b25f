"""DataPreprocessor: pieces that the texts hold, and triplets that survive every format."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from dtgcnn import DataPreprocessor, PieceEncoder, TripletDataset
from dtgcnn.data import load_encoder, load_sample
from dtgcnn.errors import DataError, MissingExtraError

from ..conftest import sentences

TRIPLETS = [
    ("lost card", 'my "card", gone', "loan rate"),
    ("猫が好き", "two\nlines", "späte Gebühr"),
    ("lost card", "two\nlines", "a\ttab"),
]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    found = load_sample().texts
    assert found is not None
    return found


@pytest.fixture(scope="module")
def fitted(texts: list[str]) -> DataPreprocessor:
    pytest.importorskip("sentencepiece", reason="DataPreprocessor needs sentencepiece")
    return DataPreprocessor(max_length=12, vocab_size=300).fit(texts)


def test_texts_come_back_from_their_pieces(fitted: DataPreprocessor, texts: list[str]) -> None:
    whole = DataPreprocessor(vocab_size=300).fit(texts)
    assert whole.num_pieces == 300
    rows = whole.encode(texts[:50])
    assert all(2 <= number < 300 for row in rows for number in row)
    assert whole.decode(rows) == [" ".join(text.split()) for text in texts[:50]]
    assert max(map(len, rows)) > 12
    assert fitted.encode(texts[:50]) == [row[:12] for row in rows]


def test_padded_rows_have_one_width(fitted: DataPreprocessor) -> None:
    padded = fitted.encode_padded(["card", "my card has not arrived yet and I am waiting for it"])
    assert padded.shape == (2, 12)
    assert padded.dtype == np.int32
    assert padded[0, -1] == 0
    assert padded[1].all()  # it was cut
    assert fitted.decode(padded)[0] == "card"
    assert fitted.encode_padded([]).shape == (0, 12)


def test_frequent_words_are_fewer_pieces(fitted: DataPreprocessor) -> None:
    frequent, made_up = fitted.encode(["account", "ctcaoun"])
    assert len(frequent) < len(made_up)


def test_fitting_is_deterministic(texts: list[str], tmp_path: Path) -> None:
    for name in ("a", "b"):
        DataPreprocessor(vocab_size=200).fit(texts).save(tmp_path / name)
    (a,), (b,) = ((tmp_path / name).glob("*.model") for name in ("a", "b"))
    assert (a.name, a.read_bytes()) == (b.name, b.read_bytes())


def test_a_small_corpus_gives_what_it_holds(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("sentencepiece", reason="DataPreprocessor needs sentencepiece")
    small = DataPreprocessor(vocab_size=32000).fit(["hello", "hi", "bye", "see you"])
    assert small.num_pieces == 13
    assert "4 texts allow a vocabulary of 13 pieces, fewer than the 32000 asked" in caplog.text
    assert small.decode(small.encode(["see you"])) == ["see you"]
    (unknown,) = small.encode(["猫"])
    assert 1 in unknown


def test_texts_longer_than_sentencepiece_takes_are_learnt_from() -> None:
    pytest.importorskip("sentencepiece", reason="DataPreprocessor needs sentencepiece")
    long = DataPreprocessor(vocab_size=40, max_length=5000).fit(["xyz " * 2000, "abc"])
    (row,) = long.encode(["x"])
    assert 1 not in row


def test_round_trip(fitted: DataPreprocessor, texts: list[str], tmp_path: Path) -> None:
    fitted.save(tmp_path / "new" / "folder")
    loaded = DataPreprocessor.load(tmp_path / "new" / "folder")
    assert loaded.encode(texts) == fitted.encode(texts)
    assert (loaded.max_length, loaded.vocab_size, loaded.num_pieces) == (12, 300, 300)


def test_saving_again_replaces_all_of_it(
    fitted: DataPreprocessor, texts: list[str], tmp_path: Path
) -> None:
    fitted.save(tmp_path)
    other = DataPreprocessor(max_length=7, vocab_size=200).fit(texts)
    other.save(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2
    assert DataPreprocessor.load(tmp_path).encode(texts[:9]) == other.encode(texts[:9])


@pytest.mark.parametrize("damage", ["cut", "other", "no json", "no model", "settings"])
def test_a_damaged_folder_is_refused(
    damage: str, fitted: DataPreprocessor, texts: list[str], tmp_path: Path
) -> None:
    fitted.save(tmp_path)
    (model,) = tmp_path.glob("*.model")
    description = tmp_path / "preprocessor.json"
    if damage == "cut":
        model.write_bytes(model.read_bytes()[:-1])
    elif damage == "other":
        DataPreprocessor(vocab_size=200).fit(texts).save(tmp_path / "other")
        (other,) = (tmp_path / "other").glob("*.model")
        model.write_bytes(other.read_bytes())
    elif damage == "no json":
        description.unlink()
    elif damage == "no model":
        model.unlink()
    else:
        description.write_text(json.dumps(json.loads(description.read_text()) | {"max_length": 0}))
    with pytest.raises(DataError, match="is not a saved DataPreprocessor"):
        DataPreprocessor.load(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tokenizer": "bert"}, "tokenizer must be one of sentence-piece, received 'bert'"),
        ({"max_length": 0}, "max_length must be a whole number of at least 1, received 0"),
        ({"vocab_size": 2.5}, "vocab_size must be a whole number of at least 3, received 2.5"),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataPreprocessor(**arguments)  # type: ignore[arg-type]


def test_use_before_fit(tmp_path: Path) -> None:
    new = DataPreprocessor()
    assert new.num_pieces == 0
    for use in (lambda: new.encode(["a"]), lambda: new.decode([[2]]), lambda: new.save(tmp_path)):
        with pytest.raises(RuntimeError, match=r"call fit\(texts\) first"):
            use()


def test_wrong_texts_and_numbers(fitted: DataPreprocessor) -> None:
    with pytest.raises(DataError, match="must hold at least one text"):
        DataPreprocessor().fit([])
    with pytest.raises(DataError, match=r"record 1 .*'texts': must be a string that is not blank"):
        fitted.encode(["a", "  "])
    with pytest.raises(DataError, match="must be a list of texts, received 'abc'"):
        fitted.encode("abc")
    with pytest.raises(DataError, match=r"vocab_size=5: Vocabulary size is smaller"):
        DataPreprocessor(vocab_size=5).fit(["more letters than five"])
    with pytest.raises(ValueError, match="rows must hold numbers from 0 to 299, received 300"):
        fitted.decode([[5, 300]])


def test_without_sentencepiece(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dtgcnn\[tokens\]'"):
        DataPreprocessor().fit(["a"])


# -- Triplets


@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "tsv", "json.gz", "csv.gz"])
def test_triplets_survive_every_format(suffix: str, tmp_path: Path) -> None:
    preprocessor, path = DataPreprocessor(), tmp_path / "new" / f"triplets.{suffix}"
    assert preprocessor.save_triplets(TRIPLETS, path) == 3
    assert preprocessor.load_triplets(path) == TRIPLETS
    first = path.read_bytes()
    preprocessor.save_triplets(iter(TRIPLETS), path)
    assert path.read_bytes() == first
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_file_is_replaced_and_never_written_into(tmp_path: Path) -> None:
    path, other_name = tmp_path / "t.jsonl", tmp_path / "link"
    DataPreprocessor().save_triplets(TRIPLETS, path)
    other_name.hardlink_to(path)
    before = path.read_bytes()
    DataPreprocessor().save_triplets(TRIPLETS[:1], path)
    assert other_name.read_bytes() == before != path.read_bytes()


def test_the_json_is_the_guides(tmp_path: Path) -> None:
    DataPreprocessor().save_triplets(TRIPLETS[:1], tmp_path / "t.json")
    assert json.loads((tmp_path / "t.json").read_text()) == {
        "triplets": [dict(zip(("anchor", "positive", "negative"), TRIPLETS[0], strict=True))]
    }


def test_a_dataset_is_saved(tmp_path: Path) -> None:
    dataset = TripletDataset.from_triplets(TRIPLETS)
    assert DataPreprocessor().save_triplets(dataset, tmp_path / "t.csv") == 3
    assert DataPreprocessor().load_triplets(tmp_path / "t.csv") == TRIPLETS
    with pytest.raises(DataError, match="must hold triplets, found labelled"):
        DataPreprocessor().save_triplets(load_sample(), tmp_path / "t.csv")


def test_a_bad_triplet_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    DataPreprocessor().save_triplets(TRIPLETS, path)
    before = path.read_bytes()
    for bad, message in (
        ([*TRIPLETS, ("a", "b", "a")], r"record 3 .*'negative': must differ from the anchor"),
        ([*TRIPLETS, ("a", "", "c")], r"record 3 .*'positive': must not be blank"),
        ([("a", "b")], r"record 0 .*must be three texts, received \('a', 'b'\)"),
        ([], "there is no triplet to write"),
    ):
        with pytest.raises(DataError, match=message):
            DataPreprocessor().save_triplets(bad, path)  # type: ignore[arg-type]
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(DataError, match=r"the suffix must be one of \.csv, .* received 't\.txt'"):
        DataPreprocessor().save_triplets(TRIPLETS, tmp_path / "t.txt")


def test_bad_files_are_refused_with_row_and_rule(tmp_path: Path) -> None:
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(b"anchor,positive,negative\na,b,c\na,b,\n"))
    with pytest.raises(DataError, match=r"t\.csv\.gz: line 3: 'negative': must not be blank"):
        DataPreprocessor().load_triplets(path)
    path = tmp_path / "t.csv"
    path.write_text("text,label\na,b\n")
    with pytest.raises(DataError, match="must hold triplets of texts, found labelled"):
        DataPreprocessor().load_triplets(path)


def test_pieces_for_an_embedding_layer(tmp_path: Path) -> None:
    """The encoder ``pieces`` gives the tokeniser's rows, as whole numbers in float32."""
    texts, _ = sentences()
    encoder = PieceEncoder(6, 60).fit(texts)
    rows = encoder.encode(texts)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, encoder.preprocessor.encode_padded(texts))
    assert rows.max() < encoder.preprocessor.num_pieces <= 60
    encoder.save(tmp_path)
    again = load_encoder(tmp_path)
    assert isinstance(again, PieceEncoder)
    assert (again.dim, again.fingerprint) == (6, encoder.fingerprint)
    np.testing.assert_array_equal(again.encode(texts), rows)
    other = PieceEncoder(6, 30).fit(texts)
    assert other.fingerprint != encoder.fingerprint


def test_texts_that_are_cut_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("sentencepiece", reason="PieceEncoder needs sentencepiece")
    texts = [" ".join(["the cat sat"] * 100) + f" {word}" for word in ("a", "b", "c", "d")]
    short = PieceEncoder(16, 40).fit(texts)
    rows = short.encode([*texts, "the cat"])
    assert (rows[0] == rows[3]).all()
    assert "4 of 5 texts have more than max_length = 16 pieces; what comes after" in caplog.text
    caplog.clear()
    short.encode(["the cat"])
    assert "what comes after" not in caplog.text
