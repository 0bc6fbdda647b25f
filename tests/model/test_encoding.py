"""What users of sentence-transformers type."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from dtgcnn import DTGCNN, Ensemble, HashingEncoder, Trainer, TripletDataset
from dtgcnn.model import input_rows

from ..conftest import SETTINGS, blobs


def trained(backend: str, seed: int = 0, **more: Any) -> DTGCNN:
    loader, _ = TripletDataset.from_arrays(*blobs()).create_dataloaders(24, 1.0)
    encoder = HashingEncoder(12)
    model = DTGCNN(backend=backend, encoder=encoder, **SETTINGS | {"seed": seed} | more)
    Trainer(model, train_loader=loader, progress=False).train()
    return model


@pytest.fixture(params=["model", "ensemble"])
def model(request: pytest.FixtureRequest, backend: str) -> Any:
    if request.param == "model":
        return trained(backend)
    return Ensemble([trained(backend, 0), trained(backend, 1)])


def test_a_single_text_is_a_vector(model: Any) -> None:
    one = model.encode("where is it")
    assert one.shape == (8,) == (model.get_embedding_dimension(),)
    assert model.get_sentence_embedding_dimension() == 8
    np.testing.assert_array_equal(one, model.encode(["where is it"])[0])
    assert model.encode([]).shape == (0, 8)
    for encode in (model.encode_query, model.encode_document):
        np.testing.assert_array_equal(encode("where is it"), one)
    with pytest.raises(ValueError, match="the encoder hashing has no prompts"):
        model.encode("where", prompt_name="query")


def test_rows_are_lists_arrays_and_columns(model: Any) -> None:
    x, _ = blobs()
    wanted = model.encode(x[:5])
    np.testing.assert_array_equal(model.encode(x[:5].tolist()), wanted)
    np.testing.assert_array_equal(model.encode(list(x[:5])), wanted)
    np.testing.assert_array_equal(
        model.encode(np.array(["a b", "c"], object)), model.encode(["a b", "c"])
    )


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_columns_of_tables(library: str) -> None:
    module = pytest.importorskip(library)
    model, (x, _) = trained("numpy"), blobs()
    make = module.array if library == "pyarrow" else module.Series
    texts, rows = ["where is it", "a b"], x[:5].tolist()
    np.testing.assert_array_equal(model.encode(make(texts)), model.encode(texts))
    np.testing.assert_array_equal(model.encode(make(rows)), model.encode(x[:5]))


def test_options_of_encode(backend: str) -> None:
    model, (x, _) = trained(backend, normalize_output=False), blobs()
    found = model.encode(x)
    np.testing.assert_allclose(model.encode(x, batch_size=7), found, atol=1e-5)
    np.testing.assert_array_equal(model.encode(x, show_progress_bar=True), found)
    unit = model.encode(x, normalize_embeddings=True)
    np.testing.assert_allclose(
        unit, found / np.linalg.norm(found, axis=1, keepdims=True), atol=1e-6
    )
    own = model.encode(x, convert_to_numpy=False)
    assert type(own) is type(model.ops.asarray(found))
    np.testing.assert_array_equal(model.ops.to_numpy(own), found)
    for wrong in (0, True, 2.5):
        with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1"):
            model.encode(x, batch_size=wrong)
    np.testing.assert_array_equal(model.encode(x, batch_size=np.int64(3)), found)


class Column:
    """A column of a table, of numbers or of lists."""

    ndim = 1

    def __init__(self, values: Any) -> None:
        self.shape, self._values = (len(values),), values.tolist()

    def tolist(self) -> Any:
        return self._values


def test_similarity_is_the_cosine(model: Any) -> None:
    a, b = np.random.default_rng(0).normal(size=(2, 4, 8))
    b[0] = 0
    np.testing.assert_allclose(model.similarity(a, b), cosine_similarity(a, b), atol=1e-6)
    np.testing.assert_allclose(model.similarity(a[0], b), cosine_similarity(a[:1], b), atol=1e-6)
    lists = model.similarity(a[0].tolist(), b.tolist())
    np.testing.assert_array_equal(lists, model.similarity(a[0], b))
    np.testing.assert_array_equal(model.similarity(tuple(a[0].tolist()), list(b)), lists)
    for rows in (Column(a[0]), Column(a)):
        np.testing.assert_array_equal(
            model.similarity(rows, b), model.similarity(np.array(rows.tolist()), b)
        )
    with pytest.raises(ValueError, match="a and b must have equal widths, received 8 and 3"):
        model.similarity(a, b[:, :3])
    with pytest.raises(ValueError, match="a must be embeddings of shape"):
        model.similarity(["text"], b)
    for number in (np.nan, 1e39):
        b[1, 2] = number
        with pytest.raises(ValueError, match="b must be finite, it holds nan or infinity"):
            model.similarity(a, b)


def test_a_prompt_beside_vectors_is_refused() -> None:
    class Prompted:
        name, dim, prompts = "prompted", 12, {"query": "query: ", "document": "doc: "}

        def encode(self, texts: list[str], prompt_name: str | None = None) -> Any:
            return np.full((len(texts), 12), len(self.prompts.get(prompt_name or "", "")) + 1.0)

    model, (x, _) = trained("numpy"), blobs()
    model.encoder = Prompted()  # type: ignore[assignment]
    with pytest.raises(ValueError, match=r"prompt_name goes with texts, x holds none: .*'query'"):
        model.encode(x, prompt_name="query")
    np.testing.assert_array_equal(model.encode_query(x), model.encode(x))
    np.testing.assert_array_equal(model.encode_document(x.tolist()), model.encode(x))
    assert model.encode("a", prompt_name="query").shape == (8,)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({"text": ["where"]}, "sequence of texts or vectors, received dict"),
        ({"where"}, "sequence of texts or vectors, received set"),
        ([None, None], "texts alone; row 0 is None"),
    ],
)
def test_what_are_no_rows_is_refused(rows: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        trained("numpy").encode(rows)


def test_vectors_of_float32_are_not_copied_but_for_negative_zeros(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(input_rows, "DEVICE_ROWS", 7)  # the last block holds it
    model, (x, _) = trained("numpy"), blobs()
    x = x.astype(np.float32)
    given = model.vectors(x)
    assert np.shares_memory(given, x)
    wide = model.vectors(x.astype(np.float64))
    np.testing.assert_array_equal(wide, x)
    signed = x.copy()
    signed[-1, 3] = -0.0
    kept = signed.tobytes()
    plain = model.vectors(signed)
    assert not np.signbit(plain[-1, 3])
    np.testing.assert_array_equal(plain, signed)
    assert signed.tobytes() == kept
    model.encode(x)
    model.index(x).encode(x)
    np.testing.assert_array_equal(x, given)
    turned = np.asfortranarray(signed)[::2, ::-1]
    np.testing.assert_array_equal(model.vectors(turned), turned + 0.0)
