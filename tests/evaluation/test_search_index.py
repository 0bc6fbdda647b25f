"""``SearchIndex``: what it finds, against sorting all cosines, and what it is saved as."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from dtgcnn import DTGCNN, DTGCNNConfig, Ensemble, Trainer, TripletDataset
from dtgcnn.errors import CheckpointError, MissingExtraError
from dtgcnn.evaluation import SearchIndex
from dtgcnn.storage import write_arrays
from tests.model.test_index import SETTINGS, blobs

ROWS, LABELS = blobs(7, 30, seed=3)
ROWS = np.concatenate([ROWS, ROWS[:9]])  # the last are equal to the first
NAMES = ["zero", "one", "two", "three", "four", "five", "six"]
LABELLED = [NAMES[y] for y in (*LABELS, *LABELS[:9])]


@pytest.fixture(scope="module", params=["numpy", pytest.param("mlx", marks=pytest.mark.mlx)])
def index(request: pytest.FixtureRequest) -> SearchIndex:
    x, y = blobs(6, 20, seed=0)
    loader, _ = TripletDataset.from_arrays(x, y).create_dataloaders(32, 1.0)
    model = DTGCNN(backend=request.param, **SETTINGS)
    Trainer(model, train_loader=loader, epochs=2, progress=False).train()
    return SearchIndex.build(model, TripletDataset.from_arrays(ROWS, LABELLED))


@pytest.fixture
def saved(index: SearchIndex, tmp_path: Path) -> Path:
    return index.save(tmp_path / "index")


def unit(rows: np.ndarray) -> np.ndarray:
    rows = rows.astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("by", ["embedding", "input"])
@pytest.mark.parametrize("top", [1, 7, 500])
def test_it_finds_what_sorting_all_cosines_finds(index: SearchIndex, by: str, top: int) -> None:
    queries = np.random.default_rng(5).normal(size=(40, 16))
    rows, mine = (index.embeddings, index.model.encode(queries))
    if by == "input":
        rows, mine = ROWS, queries.astype(np.float32)
    cosines = (unit(mine)[:, None] * unit(rows)).sum(axis=2)
    for hits, expected in zip(index.search(queries, top, by), cosines, strict=True):
        assert len(hits) == min(top, len(ROWS))
        values = [getattr(hit, by) for hit in hits]
        assert values == pytest.approx(np.sort(expected)[::-1][:top], abs=1e-6)
        assert values == pytest.approx(expected[[hit.row for hit in hits]], abs=1e-6)
        assert [hit.label for hit in hits] == [LABELLED[hit.row] for hit in hits]
        order = [(-value, hit.row) for value, hit in zip(values, hits, strict=True)]
        assert order == sorted(order)


def test_equal_rows_are_all_found_the_first_first(index: SearchIndex) -> None:
    assert len(index) == len(ROWS)
    assert len(index.model.trained_bank()) == len(ROWS) - 9  # type: ignore[attr-defined]
    for by in ("embedding", "input", "both"):
        for row, hits in enumerate(index.search(ROWS[:9], 2, by)):
            assert [hit.row for hit in hits] == [row, len(ROWS) - 9 + row]
            assert hits[1].embedding == hits[0].embedding == pytest.approx(1.0, abs=1e-5)


def test_a_query_is_answered_alone_as_among_others(index: SearchIndex) -> None:
    queries = np.random.default_rng(6).normal(size=(70, 16))
    together = index.search(queries, 5)
    assert [index.search(query[None], 5)[0] for query in queries] == together


def test_both_take_turns(index: SearchIndex) -> None:
    queries = np.random.default_rng(6).normal(size=(5, 16))
    first, second = (index.search(queries, 4, by) for by in ("embedding", "input"))
    for both, a, b in zip(index.search(queries, 4), first, second, strict=True):
        turns = [hit for pair in zip(a, b, strict=True) for hit in pair]
        assert both == list(dict.fromkeys(turns))[:4]


def test_what_was_saved_finds_the_same(index: SearchIndex, saved: Path) -> None:
    queries = np.random.default_rng(6).normal(size=(5, 16))
    loaded = SearchIndex.load(saved, backend=index.model.ops.name)  # type: ignore[attr-defined]
    assert loaded.search(queries) == index.search(queries)
    x = np.concatenate([ROWS[:20], queries])
    assert (loaded.model.encode(x) == index.model.encode(x)).all()
    again = DTGCNN.load(saved, backend="numpy")
    assert again.encode(x) == pytest.approx(index.model.encode(x), abs=1e-5)


def test_texts_and_missing_labels_are_saved(saved: Path, tmp_path: Path) -> None:
    loaded = SearchIndex.load(saved, backend="numpy")
    texts = ["", "ä\nb", *map(str, range(len(loaded) - 2))]
    loaded.texts, loaded.labels = texts, np.array([-1, 6] * 109 + [0])
    loaded.save(tmp_path / "other")
    found = SearchIndex.load(tmp_path / "other", backend="numpy")
    assert found.texts is not None
    assert list(found.texts) == found.texts[:] == texts
    hits = {hit.row: hit for hit in found.search(ROWS[:1], 500)[0]}
    assert [hits[row].text for row in (0, 1, 218)] == ["", "ä\nb", "216"]
    assert [hits[row].label for row in (0, 1, 218)] == [None, "zero", "five"]


def test_a_model_saved_over_an_index_leaves_no_index(index: SearchIndex, saved: Path) -> None:
    assert len(list(saved.glob("index-*"))) == 1
    with pytest.raises(FileExistsError, match="already holds a model"):
        index.save(saved)
    index.save(saved, overwrite=True)
    assert len(list(saved.glob("index-*"))) == 1
    DTGCNN.load(saved, backend="numpy").save(saved, overwrite=True)
    assert not list(saved.glob("index-*"))
    with pytest.raises(CheckpointError, match="a model without an index"):
        SearchIndex.load(saved, backend="numpy")


def test_a_save_that_fails_leaves_the_last_index(
    index: SearchIndex, saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    calls: list[str] = []

    def fails(path: Path, *rest: object) -> str:
        calls.append(path.name)
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("dtgcnn.storage.checkpoint.write_arrays", fails)
    other = SearchIndex(index.model, index.embeddings[:50], index.inputs[:50])
    for folder, overwrite in ((saved, True), (tmp_path / "new", False)):
        with pytest.raises(OSError, match="No space left"):
            other.save(folder, overwrite=overwrite)
    assert calls == ["model.safetensors"] * 2
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
    assert not list((tmp_path / "new").iterdir())


def test_files_of_two_folders_are_told_apart(
    index: SearchIndex, saved: Path, tmp_path: Path
) -> None:
    half = TripletDataset.from_arrays(ROWS[:100])
    model = DTGCNN.load(saved, backend="numpy")
    other = SearchIndex.build(model, half).save(tmp_path / "other")
    mixed = shutil.copytree(saved, tmp_path / "mixed")
    shutil.copy(other / "model.safetensors", mixed)
    with pytest.raises(CheckpointError, match=r"is missing; index-\w+.safetensors is another"):
        SearchIndex.load(mixed, backend="numpy")
    (wanted,), (found,) = other.glob("index-*"), mixed.glob("index-*")
    found.rename(mixed / wanted.name)
    with pytest.raises(CheckpointError, match="is the index of another model"):
        SearchIndex.load(mixed, backend="numpy")
    (mixed / wanted.name).unlink()
    with pytest.raises(CheckpointError, match=r"the index of the model here, is missing$"):
        SearchIndex.load(mixed, backend="numpy")


@pytest.mark.parametrize("name", ["index", "model"])
def test_a_file_that_was_cut_short_is_refused(saved: Path, name: str) -> None:
    (path,) = saved.glob(f"{name}*.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=f"{path.name}: not a readable safetensors file"):
        SearchIndex.load(saved, backend="numpy")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"inputs": None}, r"'inputs' must be an array of shape \(219, 16\), found None"),
        ({"inputs": np.zeros((218, 16), np.float32)}, r"found \(218, 16\)"),
        ({"embeddings": np.zeros((219, 3), np.float32)}, r"'embeddings' must .* \(None, 12\)"),
        ({"digests": np.zeros(16, np.uint8)}, r"'digests' must be"),
        ({"labels": np.full(219, 7, np.int32)}, "'labels' must number its classes"),
        ({"labels": np.zeros(219, np.float16)}, "unknown dtype, F16"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    saved: Path, changed: dict[str, np.ndarray | None], message: str
) -> None:
    (path,) = saved.glob("index-*")
    from dtgcnn.storage import read_arrays

    metadata, arrays = read_arrays(path)
    arrays = {name: array for name, array in (arrays | changed).items() if array is not None}
    checksum = write_arrays(path, arrays, metadata)
    path.rename(saved / f"index-{checksum[:12]}.safetensors")
    described, weights = read_arrays(saved / "model.safetensors")
    described["index"] = f"index-{checksum[:12]}.safetensors"
    write_arrays(saved / "model.safetensors", weights, described)
    with pytest.raises(CheckpointError, match=message):
        SearchIndex.load(saved, backend="numpy")


def test_arguments_out_of_range_are_refused(index: SearchIndex) -> None:
    for top in (0, 2.5):
        with pytest.raises(ValueError, match=f"top must be a whole number .* received {top}"):
            index.search(ROWS[:1], top)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="by must be one of both, embedding, input, received 'x'"):
        index.search(ROWS[:1], by="x")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"query 33 has a zero vector, near to no row$"):
        index.search(np.concatenate([ROWS[:33], np.zeros((1, 16))]))
    with pytest.raises(ValueError, match="query 0 must not be empty"):
        index.search(" \n")
    with pytest.raises(ValueError, match="the model has no text encoder"):
        index.search("cat")
    with pytest.raises(ValueError, match="queries must be an array of vectors or a list of texts"):
        index.search(None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"x must have shape .*, received \(16,\)"):
        index.search(ROWS[0])
    with pytest.raises(ValueError, match="x must be finite; row 40 holds nan"):
        index.search(np.concatenate([ROWS[:40], np.full((1, 16), np.nan)]))
    assert index.search(ROWS[:0]) == []
    assert index.search(ROWS[:2].tolist(), 3) == index.search(ROWS[:2], 3)  # type: ignore[arg-type]


def test_a_model_of_the_wrong_kind_is_refused_where_an_index_is_loaded(saved: Path) -> None:
    with pytest.raises(ValueError, match="model must be a DTGCNN or an Ensemble"):
        SearchIndex.load(saved, model=saved)  # type: ignore[arg-type]


def test_rows_over_the_bank_that_the_model_has_are_saved_too(
    index: SearchIndex, tmp_path: Path
) -> None:
    over = SearchIndex.over(index.model, TripletDataset.from_arrays(ROWS[:30] * 2.0))
    loaded = SearchIndex.load(over.save(tmp_path / "o"), backend="numpy")
    assert (loaded.embeddings == over.embeddings).all()
    assert len(loaded.model.trained_bank()) == len(ROWS) - 9  # type: ignore[attr-defined]


def test_an_index_over_an_ensemble_is_saved_with_it(index: SearchIndex, tmp_path: Path) -> None:
    ensemble = Ensemble([index.model, index.model], "concat")  # type: ignore[list-item]
    over = SearchIndex.over(ensemble, TripletDataset.from_arrays(ROWS))
    alone = SearchIndex.over(index.model, TripletDataset.from_arrays(ROWS))
    found = [[hit.row for hit in o.search(ROWS[:3], 20, "input")[0]] for o in (over, alone)]
    assert found[0] == found[1]
    folder = over.save(tmp_path / "e")
    with pytest.raises(CheckpointError, match=r"must come with its model.*Ensemble\.load"):
        SearchIndex.load(folder)
    again = SearchIndex.load(folder, model=Ensemble.load(folder, backend=index.model.ops.name))
    assert again.search(ROWS[:3], 20) == over.search(ROWS[:3], 20)


def test_rows_over_an_ensemble_whose_banks_differ_are_saved_too(tmp_path: Path) -> None:
    loader, _ = TripletDataset.from_arrays(*blobs(6, 20, seed=0)).create_dataloaders(32, 1.0)
    config = DTGCNNConfig(**SETTINGS, bank_size=40, num_epochs=2)
    ensemble = Ensemble.train(config, loader, seeds=(0, 1), backend="numpy", progress=False)
    folder = SearchIndex.over(ensemble, TripletDataset.from_arrays(ROWS)).save(tmp_path / "e")
    loaded = Ensemble.load(folder, backend="numpy")
    SearchIndex.load(folder, model=loaded)
    for own, before in zip(loaded.models, ensemble.models, strict=True):
        rows = before.trained_bank().host_x
        assert own.bank_rows_of(rows) == list(range(40))
        assert (own.encode(rows) == before.encode(rows)).all()


def test_an_export_is_an_index_that_usearch_reads(index: SearchIndex, tmp_path: Path) -> None:
    usearch = pytest.importorskip("usearch.index", reason="usearch is not installed")
    path = index.export(tmp_path / "rows.usearch")
    restored = usearch.Index.restore(str(path))
    assert len(restored) == len(ROWS)
    queries = np.random.default_rng(6).normal(size=(20, 16)).astype(np.float32)
    embeddings = index.model.encode(queries)
    for hits, query in zip(index.search(queries, 5, "embedding"), embeddings, strict=True):
        found = restored.search(query, 20)
        assert set(found.keys.tolist()) >= {hit.row for hit in hits}
        assert 1.0 - found.distances[0] == pytest.approx(hits[0].embedding, abs=1e-4)


def test_an_export_without_usearch_names_the_extra(
    index: SearchIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dtgcnn\[usearch\]'"):
        index.export(tmp_path / "rows.usearch")
    assert not list(tmp_path.iterdir())


def test_an_approximate_search_ranks_what_the_graph_finds(
    index: SearchIndex, tmp_path: Path
) -> None:
    pytest.importorskip("usearch.index", reason="usearch is not installed")
    path = index.export(tmp_path / "rows.usearch")
    queries = np.random.default_rng(6).normal(size=(20, 16)).astype(np.float32)
    exact = {by: index.search(queries, 5, by) for by in ("both", "embedding", "input")}  # type: ignore[arg-type]
    other = SearchIndex(index.model, index.embeddings, index.inputs, labels=index.labels)
    other.label_names = index.label_names
    other.approximate(path)
    for by, hits in exact.items():
        found = other.search(queries, 5, by)  # type: ignore[arg-type]
        same = [a == b for a, b in zip(found, hits, strict=True)]
        assert all(same) if by == "input" else np.mean(same) > 0.8
    for hits in other.search(queries, 5, "embedding"):
        cosines = [hit.embedding for hit in hits]
        assert cosines == sorted(cosines, reverse=True)


def test_the_graph_of_other_rows_is_refused(index: SearchIndex, tmp_path: Path) -> None:
    pytest.importorskip("usearch.index", reason="usearch is not installed")
    path = index.export(tmp_path / "rows.usearch")
    half = SearchIndex(index.model, index.embeddings[::2], index.inputs[::2])
    turned = SearchIndex(index.model, index.embeddings[::-1], index.inputs)
    for wrong in (half, turned):
        with pytest.raises(CheckpointError, match=r"rows.usearch: must be the graph of the"):
            wrong.approximate(path)
    (tmp_path / "no.usearch").write_bytes(b"not one" * 99)
    with pytest.raises(CheckpointError, match=r"no\.usearch: is no file of usearch"):
        index.approximate(tmp_path / "no.usearch")
    with pytest.raises(CheckpointError, match=r"absent\.usearch: no such file"):
        index.approximate(tmp_path / "absent.usearch")
