"""``dtgcnn predict``, and the classes of ``dtgcnn evaluate``."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from dtgcnn import DTGCNN, Ensemble, MultiTaskDTGCNN, Trainer, TripletDataset
from dtgcnn.cli import main
from dtgcnn.data import load_sample

pytest.importorskip("sklearn", reason="scikit-learn is not installed")

QUICK = ("--backend", "numpy", "--epochs", "1", "--no-map", "--quiet")
KINDS = ("cancel_subscription", "change_address", "late_delivery", "refund_status", "wrong_item")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of a few of the sample's classes, and files: all of their rows, and plain texts."""
    folder, sample = tmp_path_factory.mktemp("predict"), load_sample()
    assert sample.texts is not None
    assert sample.label_names is not None
    assert sample.labels is not None
    assert sample.splits is not None
    names = [sample.label_names[label] for label in sample.labels]
    rows = [r for r in zip(sample.texts, names, sample.splits, strict=True) if r[1] in KINDS]
    with (folder / "all.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label", "split"), *rows])
    (folder / "plain.txt").write_text("\n".join(text for text, _, _ in rows[:40]), "utf-8")
    done = run("train", folder / "all.csv", "--output", folder / "m", *QUICK)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> DTGCNN:
    return DTGCNN.load(folder / "m", backend="numpy")


def test_texts_are_told_with_what_that_rests_on(folder: Path, model: DTGCNN) -> None:
    texts = ["where is my parcel?", "I sent the wrong thing.csv back"]
    done = run("predict", folder / "m", *texts, "--why", "--k", "3", "--backend", "numpy")
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert len(lines) == 8
    answers, near = model.answers(texts, k=3), model.neighbors(texts, 3)
    for row, text in enumerate(texts):
        label, p, shown = lines[4 * row].split(maxsplit=2)
        assert (label, shown) == (model.predict(texts, k=3)[row], text)
        assert float(p) == pytest.approx(answers.sure[row, 0], abs=6e-4)
        for place in range(3):
            cosine, name, *_, number = lines[4 * row + 1 + place].split()
            assert float(cosine) == pytest.approx(near.cosines[row, place], abs=6e-4)
            assert name == answers.classes[near.labels[row, place]]
            assert int(number) == near.rows[row, place]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".csv.gz"])
def test_a_file_is_answered_in_a_file(
    folder: Path, model: DTGCNN, tmp_path: Path, suffix: str
) -> None:
    output = tmp_path / f"answers{suffix}"
    given = ("predict", folder / "m", folder / "all.csv", "--reject", "0.2", "--output", output)
    done = run(*given)
    assert done.exit_code == 0, done.output
    data = TripletDataset(folder / "all.csv")
    assert data.texts is not None
    told = model.predict(data.texts, reject=0.2)
    if suffix == ".parquet":
        parquet = pytest.importorskip("pyarrow.parquet")
        rows = parquet.read_table(output).to_pylist()
    elif suffix == ".jsonl":
        rows = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
    else:
        import gzip

        opened = gzip.open if suffix.endswith(".gz") else open
        with opened(output, "rt", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            row |= {"rejected": row["rejected"] == "True", "label": row["label"] or None}
    assert list(rows[0]) == ["row", "text", "label", "probability", "rejected"]
    assert [row["label"] for row in rows] == told
    assert [row["rejected"] for row in rows] == [name is None for name in told]
    assert [row["text"] for row in rows] == data.texts
    assert [int(row["row"]) for row in rows] == list(range(len(data)))
    sure = model.predict_proba(data.texts).max(axis=1)
    assert [float(row["probability"]) for row in rows] == pytest.approx(sure, abs=1e-5)
    test = data.split_items("test")
    names, labels = data.label_names, data.labels
    assert names is not None
    assert labels is not None
    pairs = [(told[i], names[labels[i]]) for i in test if told[i] is not None]
    right = np.mean([a == b for a, b in pairs])
    assert f"accuracy {right:.1%} of {len(pairs)} test rows with a label" in done.output
    assert f"{len(test) - len(pairs)} more were refused" in done.output
    again = run(*given)
    assert again.exit_code == 2
    assert f"--output {output} exists; --overwrite replaces it" in again.output
    assert run(*given, "--overwrite").exit_code == 0


def test_texts_of_training_rows_are_shown_where_the_file_has_them(folder: Path) -> None:
    done = run("predict", folder / "m", folder / "all.csv", "--why", "--k", "1")
    assert done.exit_code == 0, done.output
    itself = [line for line in done.output.splitlines() if re.match(r"     1\.000 ", line)]
    assert len(itself) > 100
    assert all(re.search(r"bank row \d+  \S", line) for line in itself)
    plain = run("predict", folder / "m", folder / "plain.txt")
    assert len(plain.output.splitlines()) == 40


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.csv"], "missing.csv: no such file"),
        (["missing.csv.gz"], "missing.csv.gz: no such file"),
        (["a text", " "], "text 2 of 2: must not be blank, received ' '"),
        (["a text", "--reject", "1.5"], "reject must be a share in (0, 1), received 1.5"),
        (["a text", "--output", "x.txt"], "the suffix must be one of .parquet, .csv"),
        (["a text", "--output", "no/x.csv"], "does not exist"),
        (["a text", "--k", "0"], "--k"),
    ],
)
def test_bad_input_is_one_message(folder: Path, arguments: list[str], message: str) -> None:
    done = run("predict", folder / "m", *arguments)
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output


def test_a_file_among_texts_and_a_model_without_classes_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    both = run("predict", folder / "m", folder / "plain.txt", "and a text")
    assert both.exit_code == 2
    assert "give one FILE, or texts" in both.output
    texts = (folder / "plain.txt").read_text("utf-8").splitlines()
    DTGCNN.load(folder / "m", backend="numpy").index(texts).save(tmp_path / "i")
    indexed = run("predict", tmp_path / "i", "where is my parcel?")
    assert indexed.exit_code == 2
    assert "the model's bank has no labels" in indexed.output


def test_evaluate_tells_classes_below_its_tables(folder: Path, tmp_path: Path) -> None:
    done = run("evaluate", folder / "m", folder / "all.csv", "--json", tmp_path / "e.json")
    assert done.exit_code == 0, done.output
    before, _, after = done.output.partition("told right, expected calibration error")
    assert "map@r" in before
    assert "Training" in before
    assert len(after.splitlines()) < 45
    found = json.loads((tmp_path / "e.json").read_text("utf-8"))["classification"]
    assert set(found["classes"]) == set(KINDS)
    assert found["rows"] == 60
    assert [row["reject"] for row in found["coverage"]] == [0.01, 0.05, 0.1, 0.2]
    plain = tmp_path / "train.csv"
    rows = (folder / "all.csv").read_text("utf-8").splitlines()
    plain.write_text("\n".join(r.rpartition(",")[0] for r in rows if "," in r), "utf-8")
    known = run("evaluate", folder / "m", plain)
    assert known.exit_code == 0, known.output
    assert "of 60 rows told right" in known.output  # those that the bank does not hold


def test_a_class_of_test_rows_alone_is_not_known(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    y, test_y = np.repeat(["a", "b"], 20), np.repeat(["a", "b", "other"], [6, 6, 8])
    centres = {name: draw.normal(size=8) for name in ("a", "b", "other")}
    x, test_x = (
        np.float32([centres[name] + 0.2 * draw.normal(size=8) for name in names])
        for names in (y, test_y)
    )
    file = tmp_path / "v.npz"
    np.savez(file, train_x=x, train_y=y, test_x=test_x, test_y=test_y)
    done = run("train", file, "--output", tmp_path / "m", *QUICK)
    assert done.exit_code == 0, done.output
    model = DTGCNN.load(tmp_path / "m", backend="numpy")
    assert model.told_classes() == {"a", "b"}
    done = run("evaluate", tmp_path / "m", file, "--json", tmp_path / "e.json")
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "e.json").read_text("utf-8"))["classification"]
    assert (found["rows"], found["unknown"], set(found["classes"])) == (12, 8, {"a", "b"})
    right = [own == name for own, name in zip(model.predict(test_x[:12]), test_y, strict=False)]
    assert found["accuracy"] == pytest.approx(np.mean(right))
    done = run("predict", tmp_path / "m", file, "--output", tmp_path / "p.csv")
    share = f"; 8 of classes that the model does not know, without which it is {np.mean(right):.1%}"
    assert share in done.output
    np.savez(tmp_path / "o.npz", x=test_x[12:], y=test_y[12:])
    done = run("predict", tmp_path / "m", tmp_path / "o.npz", "--output", tmp_path / "o.csv")
    assert done.output.endswith("; 8 of classes that the model does not know\n")


def test_an_ensemble_answers_by_the_mean_of_its_models(folder: Path, model: DTGCNN) -> None:
    data = TripletDataset(folder / "all.csv")
    loader, held = data.create_dataloaders(32, 0.8)
    settings = model.config.replace(num_epochs=1)
    both = Ensemble.train(
        settings, loader, held, seeds=(0, 1), backend="numpy", encoder=model.encoder, progress=False
    )
    texts = ["where is my parcel?", "refund please", "the moon is far away"]
    given = [one.answers(texts) for one in both.models]
    mean = sum(one.predict_proba(texts) for one in both.models) / 2
    order = np.argsort(-mean, axis=1, kind="stable")[:, :2]
    assert (both.answers(texts).best == order).all()
    assert (both.answers(texts).sure == np.take_along_axis(mean, order, axis=1)).all()
    assert both.predict_proba(texts) == pytest.approx(mean, abs=1e-6)
    assert both.classes_ == sorted(KINDS)
    assert both.predict(texts) == [sorted(KINDS)[i] for i in mean.argmax(axis=1)]
    limit = np.mean([one.threshold(0.3) for one in both.models])
    scores = (given[0].scores + given[1].scores) / 2
    refused = [name is None for name in both.predict(texts, reject=0.3)]
    assert refused == [score < limit for score in scores]
    both.save(folder / "e")
    done = run("predict", folder / "e", *texts, "--why", "--k", "2", "--backend", "numpy")
    assert done.exit_code == 0, done.output
    assert len(done.output.splitlines()) == 9
    assert Ensemble.load(folder / "e", backend="numpy").predict(texts) == both.predict(texts)
    others = ["x", *(both.models[1].classes_ or [])[1:]]
    both.models[1].classes_ = others
    assert not both.knows_classes
    with pytest.raises(ValueError, match=r"must know the same classes; those of models\[1\]"):
        both.predict(texts)


def test_accuracy_tells_how_many_rows_are_of_the_bank(folder: Path, tmp_path: Path) -> None:
    lines = (folder / "all.csv").read_text("utf-8").splitlines()
    seen = [line.rsplit(",", 1)[0] for line in lines if line.endswith(",train")]
    (tmp_path / "seen.csv").write_text("\n".join(["text,label", *seen[:20]]), "utf-8")
    done = run("predict", folder / "m", tmp_path / "seen.csv")
    assert done.exit_code == 0, done.output
    assert "; 20 of these 20 are rows of the model's own bank" in done.output
    whole = run("predict", folder / "m", folder / "all.csv")
    assert "own bank" not in whole.output  # its test rows are new to the model


@pytest.mark.parametrize("reject", [False, True])
def test_texts_without_a_known_word_are_told(folder: Path, tmp_path: Path, reject: bool) -> None:
    texts = ["where is my parcel?", "ηθικη"]
    given = ["predict", folder / "m", *texts, *(["--reject", "0.001"] if reject else [])]
    done = run(*given)
    assert done.exit_code == 0, done.output
    means = "refused" if reject else "their answers mean nothing"
    told = f"warning: texts of which the encoder knows no word: 1, {means}: row 1 (ηθικη)\n"
    assert told in done.stderr
    assert ("(refused)" in done.stdout.splitlines()[1]) == reject
    assert "(refused)" not in done.stdout.splitlines()[0]
    (tmp_path / "many.txt").write_text("\n".join([texts[0], *["ηθικη"] * 7]), "utf-8")
    told = run("predict", folder / "m", tmp_path / "many.txt").stderr
    assert "knows no word: 7, " in told
    assert told.endswith("row 5 (ηθικη), …\n")
    assert not run("predict", folder / "m", texts[0]).stderr
    nothing = run("predict", folder / "m", texts[1], *given[4:])
    if reject:
        assert nothing.stdout.startswith("(refused)")
    else:
        assert (nothing.exit_code, nothing.stdout) == (2, "")
        assert "knows no word: 1, so no class can be told: row 0 (ηθικη)" in nothing.stderr


def test_vectors_are_shown_by_their_rows(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 16)).astype(np.float32)
    x[3] = 0
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(40) % 2)
    done = run("train", tmp_path / "x.npz", "--output", tmp_path / "m", *QUICK)
    assert done.exit_code == 0, done.output
    done = run("predict", tmp_path / "m", tmp_path / "x.npz", "--why", "--k", "1")
    assert done.exit_code == 0, done.output
    assert re.search(r"bank row \d+  row 17 of x\.npz\n", done.output)
    assert "rows of zeros: 1, their answers mean nothing: row 3\n" in done.stderr


def test_a_model_without_classes_is_named(tmp_path: Path) -> None:
    model = DTGCNN(backend="numpy", input_dim=4, hidden_dims=[8], start="none")
    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    model.build_bank(x, [0] * 40)
    model.save(tmp_path / "m")
    np.save(tmp_path / "x.npy", x)
    for command in (["predict"], ["next"], ["remove", "--class", "a", "--output", tmp_path / "o"]):
        files = [] if command[0] == "remove" else [tmp_path / "x.npy"]
        done = run(command[0], tmp_path / "m", *files, *command[1:])
        assert done.exit_code == 2
        assert f"Error: {tmp_path / 'm'}: the model knows no classes" in done.output
    assert not (tmp_path / "o").exists()


def test_discover_and_next_name_the_file_and_the_option(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "few.txt").write_text("my parcel is late\nηθικη\n", "utf-8")
    few, plain = tmp_path / "few.txt", folder / "plain.txt"
    for arguments, message in (
        (["discover", few], f"{few}: must have 11 distinct rows or more that are not zero"),
        (["discover", plain, "--groups", 99], f"{plain}: --groups must be between 2 and the "),
        (["next", plain, "--count", 99], f"{plain}: --count must be at most "),
    ):
        done = run(arguments[0], folder / "m", *arguments[1:])
        assert done.exit_code == 2
        assert f"Error: {message}" in done.output


def test_a_file_of_blank_labels_is_one_without_labels(folder: Path, tmp_path: Path) -> None:
    texts = (folder / "plain.txt").read_text("utf-8").splitlines()
    blank = tmp_path / "blank.csv"
    with blank.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *((f"{text} so", "") for text in texts)])
    for command in ("predict", "next", "discover"):
        done = run(command, folder / "m", blank)
        assert done.exit_code == 0, done.output
        assert "accuracy" not in done.output
    augmenting = ("augment", folder / "all.csv", "--held-out", blank)
    done = run(*augmenting, "--output", tmp_path / "more.csv")
    assert done.exit_code == 0, done.output
    given = ("--output", tmp_path / "n", "--unlabelled", blank, "--backend", "numpy", "--epochs", 1)
    done = run("train", folder / "all.csv", *given, "--no-map")
    assert done.exit_code == 0, done.output
    assert "unlabelled rows take a label" in done.output
    refused = run("train", blank, "--output", tmp_path / "o")
    assert refused.exit_code == 2
    assert "holds no label: every one is blank" in refused.output


def test_a_model_of_several_tasks_is_asked_alike(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(80) % 4
    x = (rng.normal(size=(4, 12))[y] + 0.3 * rng.normal(size=(80, 12))).astype(np.float32)
    loader, _ = TripletDataset.from_arrays(x, y).create_dataloaders(16, 1.0)
    model = MultiTaskDTGCNN(num_classes=4, backend="numpy", input_dim=12, hidden_dims=[8])
    Trainer(model, train_loader=loader, epochs=1, progress=False).train()
    model.save(tmp_path / "m")
    np.save(tmp_path / "new.npy", x + 0.1)
    for command in (["predict"], ["discover", "--groups", "4"], ["next", "--count", "3"]):
        done = run(command[0], tmp_path / "m", tmp_path / "new.npy", *command[1:])
        assert done.exit_code == 0, done.output
    np.savez(tmp_path / "v.npz", x=x, y=y)
    done = run("train", tmp_path / "v.npz", "--init", tmp_path / "m", "--output", tmp_path / "o")
    assert done.exit_code == 2
    assert "must hold a DTGCNN, it holds a MultiTaskDTGCNN" in done.output
