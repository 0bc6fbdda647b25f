"""The training guide, heading by heading: its snippets are run, and each has its effect."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from click.testing import CliRunner

import dtgcnn
from dtgcnn import DTGCNN, DTGCNNConfig, TripletDataset
from dtgcnn.cli import main
from dtgcnn.config.choices import LossName, MiningStrategy
from dtgcnn.losses.mining import explicit

from .conftest import ROOT, WORDS, sentences

GUIDE = ROOT / "docs" / "training_guide.md"
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
_SNIPPET = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets(file: Path = GUIDE) -> dict[str, list[tuple[str, str]]]:
    """The snippets under each heading that has some: (language, code), in order."""
    text = file.read_text(encoding="utf-8")
    outside = _SNIPPET.sub(lambda found: "\n" * found[0].count("\n"), text)
    lines, found = text.split("\n"), {}
    marks = [(outside.count("\n", 0, m.start()), m[1]) for m in _HEADING.finditer(outside)]
    ends = [line for line, _ in marks[1:]] + [len(lines)]
    for (start, heading), end in zip(marks, ends):
        own = _SNIPPET.findall("\n".join(lines[start:end]) + "\n")
        if own:
            found[heading] = own
    return found


class Guide:
    """Runs the snippets in order, each once, in one folder and one namespace."""

    def __init__(self, folder: Path, file: Path = GUIDE) -> None:
        self.folder, self.file = folder, file
        self.names: dict[str, Any] = {}
        self._waiting = list(snippets(file).items())

    def run(self, heading: str) -> dict[str, Any]:
        """The names after the snippets under ``heading``, which come after all before them."""
        while heading in dict(self._waiting):
            title, own = self._waiting.pop(0)
            for language, code in own:
                if language == "python":
                    exec(compile(code, f"{self.file.name}: {title}", "exec"), self.names)
                else:
                    self._shell(code)
        return self.names

    def _shell(self, code: str) -> None:
        for line in code.strip().split("\n"):
            program, *arguments = shlex.split(line)
            assert program == "dtgcnn"
            done = CliRunner().invoke(main, arguments)
            assert done.exit_code == 0, done.output


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guide]:
    folder, before = tmp_path_factory.mktemp("guide"), Path.cwd()
    os.chdir(folder)
    yield Guide(folder)
    os.chdir(before)


def assert_learnt(history: list[dict[str, float]]) -> None:
    """The training loss, which begins near its end, fell, and held-out rows find their class."""
    assert losses(history)[-1] < losses(history)[0]
    assert max(losses(history, "val_map@r")) > 0.6  # of 14 classes


def assert_in_order(model: DTGCNN, dataset: TripletDataset) -> None:
    """Nine of ten anchors or more lie nearer to their positive than to their negative."""
    assert dataset.texts is not None
    assert dataset.triplets is not None
    a, p, n = (model.encode([dataset.texts[i] for i in own]) for own in dataset.triplets.T)
    assert (np.linalg.norm(a - p, axis=1) < np.linalg.norm(a - n, axis=1)).mean() > 0.9


def losses(history: list[dict[str, float]], name: str = "loss") -> list[float]:
    return [metrics[name] for metrics in history]


def test_every_heading_with_a_snippet_has_a_test() -> None:
    tested = set(re.findall(r'guide\.run\("(.*?)"\)', Path(__file__).read_text(encoding="utf-8")))
    assert set(snippets()) - {"Training guide", "Training strategies"} == tested


# -- Getting started


ORIGINAL_QUICK_START = """
from dtgcnn import DTGCNN, Trainer, TripletDataset

# Load your data
dataset = TripletDataset("data/triplets.json")
train_loader, val_loader = dataset.create_dataloaders(
    batch_size=512,
    train_split=0.9
)

# Initialize model
model = DTGCNN(
    input_dim=768,
    hidden_dim=256,
    output_dim=128,
    num_gcn_layers=3
)

# Create trainer and train
trainer = Trainer(
    model=model,
    train_loader=train_loader,
    val_loader=val_loader,
    epochs=20
)

trainer.train()
"""

ORIGINAL_ADVANCED_SETUP = """
from dtgcnn import DTGCNNConfig, create_model, AdvancedTrainer

# Detailed configuration
config = DTGCNNConfig(
    # Model architecture
    input_dim=768,
    hidden_dims=[512, 256, 128],
    num_gcn_layers=3,
    gcn_activation='gelu',
    use_batch_norm=True,
    dropout_rate=0.1,

    # Training parameters
    batch_size=512,
    learning_rate=1e-4,
    weight_decay=1e-5,
    num_epochs=50,
    warmup_epochs=5,

    # Loss configuration
    triplet_margin=0.2,
    mining_strategy='batch_hard',
    loss_reduction='mean',

    # Optimization
    optimizer='adamw',
    scheduler='cosine',
    gradient_clip_val=1.0,
    gradient_accumulation_steps=4,

    # Graph construction
    graph_k_neighbors=15,
    graph_similarity_threshold=0.7,
    dynamic_graph_update_freq=10,

    # Hardware optimization
    mixed_precision=True,
    num_workers=8,
    prefetch_factor=2,
    persistent_workers=True
)

# Create model and trainer
model = create_model(config)
trainer = AdvancedTrainer(model, config)

# Train with callbacks
trainer.train(
    train_loader,
    val_loader,
    callbacks=[
        EarlyStopping(patience=5),
        ModelCheckpoint(save_top_k=3),
        LearningRateMonitor(),
        TensorboardLogger()
    ]
)
"""


@pytest.fixture
def in_a_folder_with_triplets(
    triplet_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    (tmp_path / "data").mkdir()
    triplet_file.rename(tmp_path / "data" / "triplets.json")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_original_quick_start_runs_as_written(in_a_folder_with_triplets: Path) -> None:
    scope: dict[str, Any] = {}
    exec(ORIGINAL_QUICK_START, scope)
    seen = losses(scope["trainer"].history)
    assert len(seen) == 20
    assert np.isfinite(seen).all()
    assert_in_order(scope["model"], scope["dataset"])
    embeddings = scope["model"].encode(["the cat and the dog today", "bread and soup"])
    assert embeddings.shape == (2, 128)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-6)


def test_the_original_advanced_setup_runs_as_written(in_a_folder_with_triplets: Path) -> None:
    scope: dict[str, Any] = {}
    dataset = TripletDataset("data/triplets.json")
    scope["train_loader"], scope["val_loader"] = dataset.create_dataloaders(512)
    names = ("EarlyStopping", "ModelCheckpoint", "LearningRateMonitor", "TensorboardLogger")
    scope |= {name: getattr(dtgcnn, name) for name in names}
    exec(ORIGINAL_ADVANCED_SETUP, scope)
    history = scope["trainer"].history
    assert min(losses(history, "val_loss")) < history[0]["val_loss"]
    kept = sorted(Path("checkpoints").iterdir())
    assert len(kept) == 3
    assert DTGCNN.load(kept[0], backend="numpy").encode(["a cat"]).shape == (1, 256)
    assert list(Path("runs").glob("*/events.out.tfevents.*"))


def test_quick_start(guide: Guide) -> None:
    names = guide.run("Quick start")
    assert len(losses(names["trainer"].history)) == 20
    assert_in_order(names["model"], names["dataset"])
    assert names["embeddings"].shape == (2, 128)


def test_advanced_setup(guide: Guide) -> None:
    names = guide.run("Advanced setup")
    assert names["AdvancedTrainer"] is dtgcnn.Trainer
    history = names["trainer"].history
    assert 5 < len(history) <= 10  # it may stop early
    assert history[-1]["val_loss"] < history[0]["val_loss"]
    assert history[-1]["val_triplet_accuracy"] > 0.5
    assert len(list((guide.folder / "checkpoints").iterdir())) == 3
    assert list((guide.folder / "runs").glob("*/events.out.tfevents.*"))


# -- Data preparation


def test_dataset_format(guide: Guide) -> None:
    names = guide.run("Dataset format")
    assert names["from_file"].num_items == 672
    assert (len(names["from_lists"]), len(names["from_triplets"])) == (4, 2)
    batch = next(iter(names["train_loader"]))
    assert set(np.unique(batch.labels, return_counts=True)[1]) == {9}  # 128 // 14 classes


def test_data_preprocessing(guide: Guide) -> None:
    names = guide.run("Data preprocessing")
    triplets, generated = names["triplets"], names["generated"]
    assert len(triplets) == 5 * 672 == names["generator"].report.triplets
    assert len(generated) == len(triplets)
    labels = dict(zip(names["raw_sentences"], names["class_labels"], strict=True))
    assert all(labels[a] == labels[p] != labels[n] for a, p, n in triplets)
    assert names["padded"].shape == (1, 128)
    assert names["preprocessor"].decode(names["padded"]) == ["where is my parcel?"]
    assert dtgcnn.DataPreprocessor.load(guide.folder / "preprocessor").num_pieces == 1000
    written = TripletDataset(guide.folder / "triplets.jsonl")
    assert set(written.texts or []) < set(names["raw_sentences"])  # of the split "train"


ORIGINAL_PREPROCESSING = """
from dtgcnn.data import DataPreprocessor, TripletGenerator

# Automatic triplet generation from labeled data
preprocessor = DataPreprocessor(
    tokenizer='sentence-piece',
    max_length=128,
    vocab_size=32000
)

# Generate triplets from sentence pairs with labels
generator = TripletGenerator(
    similarity_threshold=0.8,
    negative_sampling_strategy='hard'
)

triplets = generator.generate_triplets(
    sentences=raw_sentences,
    labels=labels,
    num_triplets_per_anchor=5
)

# Save processed data
preprocessor.save_triplets(triplets, "data/processed_triplets.json")
"""


def test_the_original_preprocessing_runs_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    texts, names = sentences()
    labels = [list(WORDS).index(name) for name in names]
    scope: dict[str, Any] = {"raw_sentences": texts, "labels": labels}
    exec(ORIGINAL_PREPROCESSING, scope)
    assert len(TripletDataset("data/processed_triplets.json")) == 5 * len(texts)


def test_data_augmentation(guide: Guide) -> None:
    names = guide.run("Data augmentation")
    before, after = names["original_dataset"], names["augmented_dataset"]
    added = names["augmenter"].report.added
    assert set(added) == {"paraphrase", "back_translation", "synonym_replacement"}
    assert min(added.values()) > 0
    assert after.num_items == before.num_items + sum(added.values())
    assert (guide.folder / "answers.sqlite").is_file()
    more = TripletDataset(guide.folder / "more.csv")
    assert more.num_items > 900
    assert set(more.splits[672:]) == {"train"}


# -- Training configuration


def section(heading: str) -> str:
    text = GUIDE.read_text(encoding="utf-8")
    return text.split(f"### {heading}\n")[1].split("\n#")[0]


def first_column(heading: str) -> list[str]:
    """The names in the first column of the table under a heading."""
    body = section(heading).split("|---|")[-1]
    rows = [line for line in body.split("\n") if line.startswith("| `")]
    return [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]


def test_hyperparameters() -> None:
    fields = {field.name for field in dataclasses.fields(DTGCNNConfig)}
    named = first_column("Hyperparameters")
    assert len(named) >= 8
    assert set(named) <= fields


def test_losses_and_mining() -> None:
    assert sorted(first_column("Losses and mining")) == sorted(get_args(LossName))
    for strategy in get_args(MiningStrategy):
        assert f"`{strategy}`" in section("Losses and mining")


def test_templates(guide: Guide) -> None:
    names = guide.run("Templates")
    assert names["config"] == DTGCNNConfig.small()  # 336 triplets
    assert DTGCNNConfig.medium(input_dim=384).input_dim == 384


def test_files_and_the_command_line(guide: Guide) -> None:
    guide.run("Files and the command line")
    saved = json.loads((guide.folder / "model" / "config.json").read_text())
    assert saved["config"]["loss"] == "supcon"  # of the file
    assert saved["config"]["temperature"] == 0.2  # of --set
    assert saved["config"]["num_epochs"] == 2  # of the option
    assert {"dtgcnn", "python", "backend", "device", "threads"} <= set(saved["trained_with"])


def test_optimisers_and_schedules(guide: Guide) -> None:
    assert guide.run("Optimisers and schedules")["config"].optimizer == "sgd"


# -- Training strategies


def test_progressive_training(guide: Guide) -> None:
    names = guide.run("Progressive training")
    assert names["model"].frozen == frozenset()
    assert [len(history) for history in names["histories"]] == [5, 10, 8]
    first, last = names["histories"][0], names["histories"][-1]
    assert last[-1]["loss"] < first[0]["loss"]


def test_curriculum_learning(guide: Guide) -> None:
    curriculum = guide.run("Curriculum learning")["curriculum"]
    assert curriculum.current_stage == 3
    assert len(curriculum.difficulties) == len(guide.names["triplet_loader"].triplets)


def test_multi_task_learning(guide: Guide) -> None:
    names = guide.run("Multi-task learning")
    assert names["logits"].shape == (1, 14)
    assert names["value"].shape == (1,)
    right = names["model"].classify(names["labelled"].texts) == names["labelled"].labels
    assert right.mean() > 0.5  # of 14 classes


# -- Monitoring and debugging


def test_training_metrics(guide: Guide) -> None:
    tracker = guide.run("Training metrics")["tracker"]
    last = guide.names["history"][-1]
    assert set(first_column("Training metrics")) <= set(last)
    for name in ("loss", "triplet_accuracy", "mean_positive_distance"):
        assert last[f"val_{name}"] != last[name]
    steps = 8 * len(guide.names["train_loader"])
    assert {len(values) for values in tracker.metrics.values()} == {steps}
    assert (guide.folder / "metrics.png").read_bytes().startswith(b"\x89PNG")


def test_embedding_visualisation(guide: Guide) -> None:
    guide.run("Embedding visualisation")
    for name in ("space.png", "degrees.png", "purity.png"):
        assert (guide.folder / name).read_bytes().startswith(b"\x89PNG")
    for name in ("space.svg", "map.svg", "report.html"):
        assert "cancel_subscription" in (guide.folder / name).read_text()
    assert "of which" not in (guide.folder / "space.html").read_text()


def test_debugging_tools(guide: Guide) -> None:
    assert isinstance(guide.run("Debugging tools")["debug"].findings, list)


def test_callbacks(guide: Guide) -> None:
    assert guide.run("Callbacks")["StopWhenGood"].__mro__[1] is dtgcnn.Callback
    for name in first_column("Callbacks"):
        assert issubclass(getattr(dtgcnn, name), dtgcnn.Callback)
    hooks = {name for name in vars(dtgcnn.Callback) if not name.startswith("_")}
    assert all(f"`{hook}`" in section("Callbacks") for hook in hooks)


@pytest.mark.parametrize("name", dtgcnn._ELSEWHERE)
def test_names_that_are_settings_here(name: str) -> None:
    told = dtgcnn._ELSEWHERE[name]
    with pytest.raises(ImportError, match=re.escape(f"{name} is no class of dtgcnn: it is {told}")):
        exec(f"from dtgcnn import {name}")
    for setting in re.findall(r"(\w+)=", told):
        assert setting in {field.name for field in dataclasses.fields(DTGCNNConfig)}
    for arguments in re.findall(r"DTGCNNConfig\((.*?)\)", told):
        DTGCNNConfig(**eval(f"dict({arguments})"))


OTHER_GUIDE = ROOT.parent / "shared" / "training_guide.md"


def test_each_name_of_other_guides_leads_to_what_does_it_here() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    table = text.split("## Names of other guides\n")[1]
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE))
    fields = {field.name for field in dataclasses.fields(DTGCNNConfig)}
    anchors = {
        heading.lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    assert set(rows) - set(dtgcnn.__all__) == set(dtgcnn._ELSEWHERE)
    for name, told in rows.items():
        assert told.startswith("the same") == (name in dtgcnn.__all__), name
        assert set(re.findall(r"\(#([\w-]+)\)", told)) <= anchors, told
        for settings in re.findall(r"`(\w+=[^`]*)`", told):
            given = eval(f"dict({settings})")
            assert set(given) <= fields
            DTGCNNConfig(**given)


@pytest.mark.skipif(not OTHER_GUIDE.exists(), reason="the guide is no part of the checkout")
def test_every_class_and_function_that_the_original_guide_defines_is_told() -> None:
    original = OTHER_GUIDE.read_text(encoding="utf-8")
    defined = re.findall(r"^(?:class|def) (\w+)", original, re.MULTILINE)
    imported = re.findall(r"^from dt_gcnn_mlx\S* import (.+)$", original, re.MULTILINE)
    table = GUIDE.read_text(encoding="utf-8").split("## Names of other guides\n")[1]
    assert len(defined) >= 18
    for name in defined:
        assert f"| `{name}` |" in table
    for name in {name for names in imported for name in names.split(", ")}:
        assert getattr(dtgcnn, name) is not None


# -- Performance


def test_hardware(guide: Guide) -> None:
    names = guide.run("Hardware")
    assert names["model"].ops.device == "cpu"
    assert_learnt(names["history"])


def test_memory(guide: Guide) -> None:
    """What saves memory changes nothing else."""
    before = guide.run("Hardware")["history"]
    assert losses(guide.run("Memory")["history"]) == pytest.approx(losses(before), rel=1e-6)


def test_mixed_precision(guide: Guide) -> None:
    history = guide.run("Mixed precision")["history"]
    assert history[-1]["loss_scale"] > 0
    assert_learnt(history)


def test_graph_construction(guide: Guide) -> None:
    graph = guide.run("Graph construction")["graph"]
    assert graph.neighbors.shape == graph.weights.shape == (100, 10)


# -- Common issues


def test_training_is_not_stable(guide: Guide) -> None:
    assert_learnt(guide.run("Training is not stable")["history"])


def test_poor_convergence(guide: Guide) -> None:
    history = guide.run("Poor convergence")["history"]
    rates = losses(history, "learning_rate")
    assert rates[0] < max(rates) > rates[-1]  # one cycle
    assert_learnt(history)


def test_overfitting(guide: Guide) -> None:
    names = guide.run("Overfitting")
    loaded = dtgcnn.Ensemble.load(guide.folder / "ensemble", backend="numpy")
    again = loaded.encode(["where is my parcel?"])
    np.testing.assert_array_equal(again, names["embeddings"])
    members = [model.encode(["where is my parcel?"]) for model in loaded.models]
    assert not np.allclose(members[0], members[1], atol=1e-3)  # they add to almost one start


def test_not_enough_memory(guide: Guide) -> None:
    names = guide.run("Not enough memory")
    assert_learnt(names["history"])
    assert names["history"][-1]["valid_triplets"] > 64


# -- Best practices


def test_resuming_a_run(guide: Guide) -> None:
    trainer = guide.run("Resuming a run")["trainer"]
    assert list((guide.folder / "state").glob("state-*.safetensors"))
    assert len(trainer.history) == 3


def test_going_on_from_a_trained_model(guide: Guide) -> None:
    names = guide.run("Going on from a trained model")
    assert (guide.folder / "model2" / "model.safetensors").is_file()
    trainer, model = names["trainer"], names["model"]
    assert names["known"] == 0  # the same rows are held out as before
    assert trainer.best_epoch is not None
    assert len(model.trained_bank()) > len(trainer.model.trained_bank())


# -- Advanced tips


def test_custom_loss_functions(guide: Guide) -> None:
    """The guide's own loss has the value and gradient of ``FocalTripletLoss``."""
    names = guide.run("Custom loss functions")
    ops = dtgcnn.load_ops("numpy", dtype="float64")
    z = np.random.default_rng(0).normal(size=(9, 4))
    triplets = ops.asarray(np.arange(9).reshape(3, 3).T, "int32")
    focal = dtgcnn.FocalTripletLoss(0.2, 2.0)
    mined = explicit(ops, triplets)
    theirs = ops.value_and_grad(lambda p: focal(ops, p["z"], mined))({"z": z})
    own = names["focal_triplet"]
    ours = ops.value_and_grad(lambda p: own(ops, p["z"], {"triplets": triplets}))({"z": z})
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)
    np.testing.assert_allclose(ours[2]["z"], theirs[2]["z"], rtol=1e-9)


def test_adaptive_margin(guide: Guide) -> None:
    names = guide.run("Adaptive margin")
    assert losses(names["history"], "margin") == pytest.approx([0.2, 0.35, 0.5])
