"""Pictures of a trained model: what is drawn, that it can be read, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DTGCNN, EfficientGraphConstructor, Trainer, TripletDataset, visualize_embeddings
from dtgcnn.evaluation.links import (
    bank_items,
    bank_labels,
    class_purity,
    embedding_links,
    graph_links,
    in_degrees,
)
from dtgcnn.evaluation.projection import project, stratified_sample
from dtgcnn.plots import plot_degrees, plot_purity

from ..conftest import blobs, sentences, text_triplets

pytest.importorskip("matplotlib", reason="pictures are drawn with matplotlib")

purity = import_module("dtgcnn.plots.purity")
PICTURES: list[Callable[..., Any]] = [visualize_embeddings, plot_degrees, plot_purity]
NAMES = [f"{'cards' if i % 2 else 'transfers'} that did {i} things" for i in range(77)]


@pytest.fixture(scope="module")
def many() -> tuple[DTGCNN, TripletDataset]:
    """A model, untrained but for its bank, and data of 77 classes."""
    x, labels = blobs(77, 4)
    data = TripletDataset.from_arrays(x, [NAMES[label] for label in labels])
    model = DTGCNN(
        backend="numpy",
        input_dim=12,
        hidden_dims=(16,),
        output_dim=8,
        graph_k_neighbors=4,
        start="none",
    )
    assert data.labels is not None
    model.build_bank(model.vectors(data.inputs), data.labels.tolist())
    return model, data


def drawn(figure: Any) -> list[Any]:
    """The points of each class, in order."""
    return [np.asarray(c.get_offsets()) for c in figure.axes[0].collections]


def assert_apart(texts: list[Any], figure: Any) -> None:
    """No two texts overlap, and all are inside the figure."""
    boxes = np.array([text.get_window_extent().extents for text in texts])
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= figure.bbox.size + 0.5).all()
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    overlap = np.clip(high - low - 1.0, 0, None).prod(axis=2)  # boxes are a pixel too large
    assert not np.triu(overlap, 1).any()


def test_the_points_are_the_projected_embeddings(trained: DTGCNN, labelled: TripletDataset) -> None:
    figure = visualize_embeddings(trained, labelled, method="pca", num_samples=50, seed=3)
    sample = stratified_sample(labelled.labels, 50, 3)
    x, labels = blobs()
    points = project(trained.encode(x[sample]), "pca")
    for label, mine in enumerate(drawn(figure)):
        np.testing.assert_allclose(mine, points[labels[sample] == label], atol=1e-6)
    assert figure.axes[0].get_title() == "50 of 80 rows, PCA"
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["0", "1", "2", "3"]


def test_methods_and_seeds_differ(trained: DTGCNN, labelled: TripletDataset) -> None:
    pytest.importorskip("sklearn", reason="t-SNE is scikit-learn's")
    maps = {
        (method, seed): np.concatenate(
            drawn(visualize_embeddings(trained, labelled, method=method, num_samples=40, seed=seed))
        )
        for method in ("auto", "pca", "tsne")
        for seed in (0, 1)
    }
    again = visualize_embeddings(trained, labelled, num_samples=40)
    assert np.array_equal(np.concatenate(drawn(again)), maps["auto", 0])
    assert np.array_equal(maps["auto", 1], maps["tsne", 1])
    assert not np.allclose(maps["tsne", 0], maps["pca", 0])
    assert not np.allclose(maps["tsne", 0], maps["tsne", 1])
    assert not np.allclose(maps["pca", 0], maps["pca", 1])


@pytest.mark.umap
@pytest.mark.xdist_group("umap")  # which compiles itself once a process
def test_umap_draws_its_own_map(trained: DTGCNN, labelled: TripletDataset) -> None:
    pytest.importorskip("numba", reason="umap-learn is not installed")
    figure = visualize_embeddings(trained, labelled, method="umap")
    expected = project(trained.encode(labelled.inputs), "umap")
    np.testing.assert_allclose(np.concatenate(drawn(figure)), expected, atol=1e-5)
    assert figure.axes[0].get_title() == "80 of 80 rows, UMAP"


def test_loaders_arrays_and_texts(trained: DTGCNN, labelled: TripletDataset) -> None:
    x, labels = blobs()
    _, side = labelled.create_dataloaders(batch_size=24, train_split=0.8)
    figure = visualize_embeddings(trained, side, method="pca")
    assert [len(mine) for mine in drawn(figure)] == np.bincount(side.labels).tolist()
    figure = visualize_embeddings(trained, x, labels=labels, method="pca", title="mine $_")
    assert [len(mine) for mine in drawn(figure)] == [20] * 4
    assert figure.axes[0].get_title() == "mine $_"
    figure = visualize_embeddings(trained, x, method="pca")
    assert [len(mine) for mine in drawn(figure)] == [80]
    assert not figure.legends
    splits = ["test" if i % 4 == 0 else "train" for i in range(80)]
    dataset = TripletDataset.from_arrays(x, labels, splits)
    figure = visualize_embeddings(trained, dataset, method="pca")
    assert figure.axes[0].get_title() == "20 of 20 test rows, PCA"


def test_triplets_and_texts_of_a_text_model() -> None:
    triplets = text_triplets()
    side, _ = triplets.create_dataloaders(batch_size=24, train_split=1.0)
    model = DTGCNN(backend="numpy", input_dim=16, hidden_dims=(8,), output_dim=8, num_epochs=1)
    Trainer(model, train_loader=side, progress=False).train()
    assert not visualize_embeddings(model, side, method="pca").legends
    texts, labels = sentences()
    figure = visualize_embeddings(model, texts, labels=labels, method="pca")
    assert [len(mine) for mine in drawn(figure)] == [28] * 3
    figure = plot_degrees(model, texts, labels=labels)
    assert "the " in figure.axes[1].get_yticklabels()[0].get_text()
    linked = graph_links(model, model.vectors(texts)).linked  # none at a right angle or beyond
    assert linked.shape == (84, 10)
    assert f"84 rows, {linked.sum()} links" in figure.get_suptitle()
    assert "links" in plot_degrees(model, triplets).axes[1].get_xlabel()


def test_columns_of_a_table_are_drawn_and_a_table_of_texts_is_refused(
    many: tuple[DTGCNN, TripletDataset],
) -> None:
    pa = pytest.importorskip("pyarrow")
    model, data = many
    rows = np.asarray(data.inputs)
    table = pa.table({"x": rows.tolist(), "label": [str(row) for row in range(len(rows))]})
    figure = visualize_embeddings(model, table["x"], method="pca")
    wanted = visualize_embeddings(model, rows.astype(np.float64), method="pca")
    np.testing.assert_array_equal(drawn(figure)[0], drawn(wanted)[0])
    for draw in PICTURES:
        with pytest.raises(ValueError, match="data must be an array of vectors or a list of texts"):
            draw(model, table)


def test_the_legend_of_77_classes_can_be_read(
    many: tuple[DTGCNN, TripletDataset], tmp_path: Path
) -> None:
    model, data = many
    path = tmp_path / "map.svg"
    figure = visualize_embeddings(model, data, path, method="pca")
    figure.draw_without_rendering()
    legend = figure.legends[0]
    texts = legend.get_texts()
    order = [NAMES.index(name) for name in sorted(NAMES)]
    assert [t.get_text() for t in texts] == [f"{i}  {NAMES[j]}" for i, j in enumerate(order)]
    assert min(t.get_fontsize() for t in texts) >= 6
    assert_apart([*texts, figure.axes[0].title], figure)
    assert not legend.get_window_extent().overlaps(figure.axes[0].get_window_extent())
    numbers = figure.axes[0].texts
    assert [t.get_text() for t in numbers] == [str(i) for i in range(77)]
    assert_apart(numbers, figure)
    written = path.read_text()
    assert all(f"<!-- {i}  {NAMES[j]} -->" in written for i, j in enumerate(order))
    assert written.count('id="PathCollection_') == 77


def test_the_purity_of_few_and_of_77_classes_can_be_read(
    many: tuple[DTGCNN, TripletDataset], trained: DTGCNN, labelled: TripletDataset
) -> None:
    few = plot_purity(trained, labelled)
    few.draw_without_rendering()
    assert_apart([*few.texts, *few.legends[0].get_texts()], few)
    model, data = many
    figure = plot_purity(model, data)
    figure.draw_without_rendering()
    ticks = [tick for axes in figure.axes for tick in axes.get_yticklabels()]
    assert sorted(tick.get_text() for tick in ticks) == sorted(NAMES)
    assert_apart([*ticks, *figure.texts, *figure.legends[0].get_texts()], figure)
    assert len(figure.axes) == 2
    shares = np.concatenate([axes.collections[-1].get_offsets()[:, 0] for axes in figure.axes])
    assert (np.diff(shares) >= 0).all()


def test_purity_of_a_graph_without_links_says_so(trained: DTGCNN, labelled: TripletDataset) -> None:
    unlinked = copy(trained)
    unlinked.network = replace(trained.network, constructor=EfficientGraphConstructor(4, 1.0))
    with pytest.raises(ValueError, match=r"purity needs links, and no row .* has one"):
        plot_purity(unlinked, labelled)


def test_purity_shows_graph_and_embedding(trained: DTGCNN, labelled: TripletDataset) -> None:
    figure = plot_purity(trained, labelled)
    host_x = trained.vectors(labelled.inputs)
    assert labelled.labels is not None
    ends = bank_labels(bank_items(trained, host_x), labelled.labels)
    expected = [
        class_purity(find(trained, host_x), labelled.labels, ends, 4)
        for find in (graph_links, embedding_links)
    ]
    axes = figure.axes[0]
    order = [int(tick.get_text()) for tick in axes.get_yticklabels()]
    graph, embedding = (np.asarray(c.get_offsets())[:, 0] for c in axes.collections[-2:])
    np.testing.assert_allclose([graph, embedding], [e[order] for e in expected])
    assert f"graph {graph.mean():.3f}, embedding {embedding.mean():.3f}" in figure.get_suptitle()


def test_the_purity_names_its_axis_and_explains_what_is_drawn_alone(
    trained: DTGCNN, labelled: TripletDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["links of the graph", "nearest in the embedding"]
    worse = "nearest in the embedding, less pure than the graph"
    for shares, legend in (
        ([[0.5] * 4, [0.7] * 4], texts),
        ([[0.7] * 4, [0.5] * 4], [texts[0], worse]),
        ([[0.7] * 4, [0.5, 0.7, 0.8, 0.9]], [*texts, worse]),
    ):
        given = iter(map(np.array, shares))
        monkeypatch.setattr(purity, "class_purity", lambda *_, given=given: next(given))
        figure = plot_purity(trained, labelled)
        assert [text.get_text() for text in figure.legends[0].get_texts()] == legend
        assert figure.axes[0].get_xlabel() == "share of a row's neighbours of its own class"
        colors = {tuple(c) for c in figure.axes[0].collections[-1].get_facecolors()}
        assert len(colors) == len(legend) - 1


def test_hubs_are_cut_at_their_end_alone_and_it_is_said_what_is_good() -> None:
    texts, labels = sentences()
    texts = [
        f"{text}, and what more there is to tell of a {label} day"
        for text, label in zip(texts, labels, strict=True)
    ]
    texts[0] = "猫" * 90
    side = TripletDataset.from_labelled(texts, labels)
    model = DTGCNN(backend="numpy", input_dim=16, hidden_dims=(8,), output_dim=8, num_epochs=1)
    Trainer(model, progress=False).train(side.create_dataloaders(24, 1.0)[0])
    figure = plot_degrees(model, texts, labels=labels)
    whole = [f"{label}: {text}" for text, label in zip(texts, labels, strict=True)]
    for tick in figure.axes[1].get_yticklabels():
        shown = tick.get_text()
        assert len(shown) <= 64
        start = shown.removesuffix("…")
        ends = [text[len(start) :][:1] for text in whole if text.startswith(start)]
        assert ends
        assert "猫" in shown or " " in ends  # no word is cut
    assert figure.get_supxlabel().startswith("good: ")
    figure.draw_without_rendering()
    assert_apart([*figure.axes[1].get_yticklabels(), *figure.texts], figure)


@pytest.mark.parametrize("draw", PICTURES)
def test_letters_of_any_script_are_drawn_by_a_font_that_has_them(
    draw: Callable[..., Any], trained: DTGCNN, tmp_path: Path
) -> None:
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    names = ["Привет γειά", "猫は寝ています", "नमस्ते", "𓀀 \U000e0100 \ufffe"]
    x, labels = blobs()
    more = {"method": "pca"} if draw is visualize_embeddings else {}
    named = [names[label] for label in labels]
    figure = draw(trained, x, tmp_path / "picture.png", labels=named, **more)  # without a warning
    assert (tmp_path / "picture.png").stat().st_size > 5_000
    fonts = {font.name: font.fname for font in font_manager.fontManager.ttflist}
    fonts = {name: path for name, path in fonts.items() if "Last Resort" not in name}
    letters = {name: FT2Font(path).get_charmap() for name, path in fonts.items()}
    texts = figure.legends[0].get_texts() if figure.legends else []
    texts += [tick for axes in figure.axes for tick in axes.get_yticklabels()]
    found = [text for text in texts if names[1] in text.get_text()]
    assert found
    for letter in {ord(letter) for letter in names[1]}:
        if any(letter in own for own in letters.values()):
            own = [letters.get(name, {}) for name in found[0].get_fontfamily()]
            assert any(letter in each for each in own)


def test_degrees_show_every_bank_row_and_the_hubs(
    trained: DTGCNN, labelled: TripletDataset
) -> None:
    figure = plot_degrees(trained, labelled)
    assert trained.bank is not None
    degrees = in_degrees(graph_links(trained, trained.vectors(labelled.inputs)), len(trained.bank))
    bars, hubs = (axes.patches for axes in figure.axes)
    assert [b.get_height() for b in bars] == np.bincount(degrees).tolist()
    lengths = np.zeros(20)
    for bar in hubs:
        lengths[round(bar.get_y() + bar.get_height() / 2)] += bar.get_width()
    assert lengths.tolist() == np.sort(degrees)[::-1][:20].tolist()
    figure.draw_without_rendering()
    assert_apart(figure.axes[1].get_yticklabels(), figure)


@pytest.mark.parametrize("draw", PICTURES)
@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_files_are_whole(
    draw: Callable[..., Any], suffix: str, trained: DTGCNN, labelled: TripletDataset, tmp_path: Path
) -> None:
    more = {"method": "pca"} if draw is visualize_embeddings else {}
    path = tmp_path / f"picture.{suffix}"
    draw(trained, labelled, path, **more)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG" if suffix == "png" else b"<?xml")
    assert content.rstrip().endswith(b"IEND\xaeB`\x82" if suffix == "png" else b"</svg>")
    assert list(tmp_path.iterdir()) == [path]


X, LABELS = blobs()


@pytest.mark.parametrize(
    ("draw", "changes", "message"),
    [
        *((draw, {"path": "a.pdf"}, r"path must end in \.png or \.svg") for draw in PICTURES),
        *((draw, {"labels": LABELS}, "labels go with texts or an array") for draw in PICTURES),
        *(
            (draw, {"data": X, "labels": LABELS[:9]}, r"'labels'.*shape \(80,\), received .*\(9,\)")
            for draw in PICTURES
        ),
        *((draw, {"data": X[:, :5]}, "input_dim = 12") for draw in PICTURES[:2]),
        *((draw, {"data": []}, "data must be a list of texts or an array") for draw in PICTURES),
        (visualize_embeddings, {"method": "isomap"}, "method must be one of .* received 'isomap'"),
        (
            visualize_embeddings,
            {"num_samples": 0},
            "num_samples must be a whole number of at least 1, received 0",
        ),
        (plot_purity, {"data": X}, "purity needs labels"),
        (plot_purity, {"data": text_triplets()}, "purity needs labels"),
        (
            plot_purity,
            {"data": X + 1, "labels": LABELS},
            "give the data that the model was trained",
        ),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    draw: Callable[..., Any],
    changes: dict[str, Any],
    message: str,
    trained: DTGCNN,
    labelled: TripletDataset,
    tmp_path: Path,
) -> None:
    arguments = {"data": labelled, "path": "a.png"} | changes
    data, path = arguments.pop("data"), tmp_path / str(arguments.pop("path"))
    with pytest.raises(ValueError, match=message):
        draw(trained, data, path, **arguments)
    assert not list(tmp_path.iterdir())
