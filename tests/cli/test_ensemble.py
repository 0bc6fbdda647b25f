"""Commands that take an ensemble in the place of a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result

from dtgcnn import Ensemble, TripletDataset
from dtgcnn.cli import main
from dtgcnn.evaluation import SearchIndex, discover, next_rows

from ..conftest import blobs
from ..training.test_ensemble import map_at_r, train


def test_the_command_line_takes_an_ensemble(labelled: TripletDataset, tmp_path: Path) -> None:
    ensemble, (x, labels) = train(labelled), blobs()
    np.savez(tmp_path / "blobs.npz", x=x, y=labels)
    folder, output = ensemble.save(tmp_path / "e"), tmp_path / "z.npy"
    dataset, backend = str(tmp_path / "blobs.npz"), ["--backend", "numpy"]
    done = CliRunner().invoke(main, ["evaluate", str(folder), dataset, *backend])
    assert done.exit_code == 0, done.output
    assert f"{100 * map_at_r(ensemble.encode(x)):.1f}" in done.output
    done = CliRunner().invoke(
        main, ["encode", str(folder), dataset, "--output", str(output), *backend]
    )
    assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(np.load(output), ensemble.encode(x))


def test_rows_of_an_ensemble_are_indexed_searched_joined_grouped_and_chosen(
    labelled: TripletDataset, tmp_path: Path
) -> None:
    ensemble, (x, labels) = train(labelled), blobs()
    folder, given = ensemble.save(tmp_path / "e"), tmp_path / "x.npz"
    np.savez(given, x=x, y=labels)
    other, new = tmp_path / "other.npz", (x[:30] + 1.0).astype(np.float32)
    np.savez(other, x=new)
    np.save(tmp_path / "q.npy", new[3:4])

    def run(*arguments: object) -> Result:
        done = CliRunner().invoke(main, [*map(str, arguments), "--backend", "numpy"])
        assert done.exit_code == 0, done.output
        return done

    own = ensemble.save(tmp_path / "own")
    for command in (("add", own, other), ("remove", own, other), ("index", own, given)):
        run(*command, "--output", own, "--overwrite")
    index = tmp_path / "i"
    done = run("index", folder, other, "--output", index)
    assert "its graph over 30 of 30 rows" in done.output
    hits = json.loads(run("search", index, tmp_path / "q.npy", "--json", "--top", "2").output)
    expected = SearchIndex.build(ensemble, TripletDataset.from_arrays(new)).search(new[3:4], 2)[0]
    assert [hit["row"] for hit in hits[0]["hits"]] == [hit.row for hit in expected]
    np.testing.assert_allclose(hits[0]["hits"][0]["embedding"], expected[0].embedding, atol=1e-6)
    grown, less = tmp_path / "grown", tmp_path / "less"
    assert "30 of 30 rows joined its bank" in run("add", folder, other, "--output", grown).output
    assert len(Ensemble.load(grown, backend="numpy").models[1].trained_bank()) == 94
    run("remove", grown, "--class", "2", "--output", less)
    assert Ensemble.load(less, backend="numpy").classes_ == ["0", "1", "3"]
    groups, chosen = tmp_path / "g.json", tmp_path / "n.csv"
    run("discover", folder, other, "--groups", "3", "--json", groups)
    found = discover(ensemble, new, 3)
    assert json.loads(groups.read_text())["assigned"] == found.assigned.tolist()
    run("next", folder, other, "--count", "2", "--output", chosen)
    rows = [int(line.split(",")[0]) for line in chosen.read_text().splitlines()[1:]]
    assert rows == [one.row for one in next_rows(ensemble, new, 2)]


def test_what_an_ensemble_cannot_do_is_refused_by_name(
    labelled: TripletDataset, tmp_path: Path
) -> None:
    ensemble, (x, labels) = train(labelled), blobs()
    folder, given = ensemble.save(tmp_path / "e"), tmp_path / "x.npz"
    np.savez(given, x=x, y=labels)
    index, output = tmp_path / "i", tmp_path / "o"
    SearchIndex.build(ensemble, TripletDataset.from_arrays(x)).save(index)
    for arguments, said in (
        (("train", given, "--init", folder), "must hold one model, it holds an ensemble, as"),
        (("train", given, "--init", index), "must hold a trained model, it holds an index of one"),
        (("add", index, given), "holds an index, whose rows are those of a file"),
        (("remove", index, "--class", "1"), "holds an index, whose rows are those of a file"),
        (("remove", folder, "--class", "colour"), "there is no class 'colour' among 4"),
    ):
        done = CliRunner().invoke(main, [*map(str, arguments), "--output", str(output)])
        assert done.exit_code == 2, done.output
        assert said in done.output
        assert not output.exists()
