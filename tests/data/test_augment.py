"""``TripletAugmenter``: what it adds, what it refuses to add, and what it says about both."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DataError, TripletAugmenter, TripletDataset
from dtgcnn.data import write_file

from ..conftest import blobs, sentences, text_triplets


def labelled_texts(**more: Any) -> TripletDataset:
    return TripletDataset.from_labelled(*sentences(), **more)


def augmenter(rewrite: Any = None, *strategies: str, **more: Any) -> TripletAugmenter:
    """One that augments every item, by default with a function alone."""
    given = {} if rewrite is None else {"paraphrase": rewrite}
    names = strategies or ("paraphrase",)
    return TripletAugmenter(list(names), 1.0, **given, **more)


def politely(texts: list[str]) -> list[str]:
    return [f"please tell me whether {text}" for text in texts]


def new_texts(before: TripletDataset, after: TripletDataset) -> list[str]:
    assert before.texts is not None
    assert after.texts is not None
    assert after.texts[: before.num_items] == before.texts
    return after.texts[before.num_items :]


# -- Rows


def test_labelled_rows_come_first_and_versions_have_what_their_original_has() -> None:
    splits = ["train" if i % 3 else "test" for i in range(len(sentences()[0]))]
    data = labelled_texts(splits=splits, groups=[f"g{i // 4}" for i in range(len(splits))])
    data.set_targets(np.arange(data.num_items))
    result = augmenter(politely).augment_dataset(data, 2)
    added = new_texts(data, result)
    trained = [i for i, split in enumerate(splits) if split == "train"]
    assert added == politely([data.texts[i] for i in trained])  # of equal versions one
    own = np.array(trained)
    assert result.label_names == data.label_names
    np.testing.assert_array_equal(result.labels, np.concatenate([data.labels, data.labels[own]]))
    np.testing.assert_array_equal(result.targets[data.num_items :], own)
    assert result.splits == splits + ["train"] * len(own)
    assert result.groups == data.groups + [data.groups[i] for i in own]


def test_no_split_parts_a_version_from_its_original() -> None:
    data = labelled_texts()
    result = augmenter(politely).augment_dataset(data)
    train, val = result.create_dataloaders(batch_size=24, train_split=0.7)
    sides = {int(i): side for side, part in enumerate((train, val)) for i in part.items}
    assert len(val.items) > 10
    for i in range(data.num_items):
        assert sides[i] == sides[data.num_items + i]


def test_a_version_of_a_triplets_text_has_its_role_and_joins_its_component() -> None:
    data = TripletDataset.from_triplets([("a b c", "d e f", "g h i"), ("j k l", "m n o", "a b c")])
    result = augmenter(politely).augment_dataset(data)
    new = new_texts(data, result)
    assert new == politely(data.texts)
    rows = [tuple(result.texts[i] for i in row) for row in result.triplets]
    assert rows[:2] == [("a b c", "d e f", "g h i"), ("j k l", "m n o", "a b c")]
    assert set(rows[2:]) == {
        (new[0], "d e f", "g h i"),
        ("j k l", "m n o", new[0]),
        ("a b c", new[1], "g h i"),
        ("a b c", "d e f", new[2]),
        (new[2], "g h i", "a b c"),  # or nothing would join it to its original
        (new[3], "m n o", "a b c"),
        ("j k l", new[4], "a b c"),
    }
    np.testing.assert_array_equal(result.labels[5:], result.labels[:5])


def test_a_text_that_is_anchor_and_positive_of_one_triplet_is_joined_to_its_version() -> None:
    data = TripletDataset.from_triplets([("a b c", "a b c", "g h i")])
    result = augmenter(lambda texts: [f"{text} d" for text in texts]).augment_dataset(data)
    assert result.labels.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("seed", [0, 1])
def test_triplets_keep_their_components_and_sides(seed: int) -> None:
    data = text_triplets(60)
    result = augmenter(None, "noise_injection", seed=seed).augment_dataset(data, 2)
    assert len(np.unique(result.labels)) == len(np.unique(data.labels))
    np.testing.assert_array_equal(result.labels[: data.num_items], data.labels)
    anchors, negatives = result.labels[result.triplets[:, 0]], result.labels[result.triplets[:, 2]]
    assert (anchors != negatives).all()
    assert len(result) > 2 * len(data)


def test_groups_of_triplets_are_those_of_the_triplets_they_come_from(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("anchor,positive,negative,group\na b,c d,e f,x\ng h,i j,k l,y\n")
    result = augmenter(politely).augment_dataset(TripletDataset(path))
    for group, row in zip(result.groups, result.triplets, strict=True):
        letters = {"x": "abcdef", "y": "ghijkl"}[group]
        assert all(result.texts[i][-1] in letters for i in row)


# -- What is never added


def test_an_input_that_comes_back_is_not_added(caplog: pytest.LogCaptureFixture) -> None:
    data, same = labelled_texts(), augmenter(lambda texts: texts)
    with caplog.at_level(logging.WARNING, "dtgcnn"):
        result = same.augment_dataset(data, 2)
    assert result.num_items == data.num_items
    assert same.report.changed_share("paraphrase") == 0.0
    assert same.report.refused == {"unchanged": 2 * data.num_items}
    assert "0 of 168 versions added" in caplog.text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (str.upper, "unchanged"),
        (lambda text: text.replace(" ", "  ") + " ?", "unchanged"),
        (lambda text: "  ", "blank or no text"),
        (lambda text: text + "\x00", "blank or no text"),
        (lambda text: "The CAT and the dog: today!", "equal to another item"),
    ],
)
def test_what_is_no_new_text_is_refused(change: Any, reason: str) -> None:
    texts = ["the cat and the dog today", "the wolf tonight", "bread", "rice"]
    data = TripletDataset.from_labelled(texts, [0, 0, 1, 1])
    made = augmenter(lambda texts: [change(text) for text in texts])
    assert new_texts(data, made.augment_dataset(data)) == []
    assert made.report.refused[reason] >= 3


def test_a_refused_version_is_asked_of_the_next_strategy() -> None:
    data = labelled_texts()
    made = augmenter(lambda texts: texts, "paraphrase", "noise_injection")
    added = new_texts(data, made.augment_dataset(data))
    assert len(added) == data.num_items == made.report.asked["noise_injection"]
    assert 20 < made.report.asked["paraphrase"] < 64  # drawn first for about half of 84
    assert made.report.added == {"paraphrase": 0, "noise_injection": data.num_items}


def test_of_several_versions_the_first_that_will_do_is_taken() -> None:
    data = TripletDataset.from_labelled(["one two", "three", "four", "five"], [0, 0, 1, 1])
    made = augmenter(lambda texts: [[t, f"{t} a", f"{t} b"] for t in texts])
    added = new_texts(data, made.augment_dataset(data, 3))
    assert sorted(added) == sorted(f"{t} {end}" for t in data.texts for end in "ab")


def test_no_version_equals_a_held_out_text() -> None:
    texts, labels = sentences()
    splits = ["test" if i < 20 else "train" for i in range(len(texts))]
    data = TripletDataset.from_labelled(texts, labels, splits)
    asked: list[str] = []

    def leak(given: list[str]) -> list[list[str]]:
        asked.extend(given)
        return [[texts[0].upper(), "a secret", f"so {text}"] for text in given]

    made = augmenter(leak)
    added = new_texts(data, made.augment_dataset(data, held_out=["A  secret!"]))
    assert added == [f"so {text}" for text in texts[20:]]
    assert sorted(asked) == sorted(texts[20:])  # no text of the test rows was sent out
    assert made.report.refused["equal to a held-out item"] == 2 * len(added)


def test_held_out_may_be_a_dataset() -> None:
    data, x = labelled_texts(), TripletDataset.from_arrays(*blobs())
    secret = TripletDataset.from_labelled(politely(data.texts), data.labels)
    assert new_texts(data, augmenter(politely).augment_dataset(data, held_out=secret)) == []
    with pytest.raises(DataError, match="held_out must hold what the dataset holds"):
        augmenter(politely).augment_dataset(data, held_out=x)


def test_a_negative_does_not_become_its_anchor_nor_an_anchor_its_negative() -> None:
    anchor, negative = "how do I order a new card", "how do I cancel my subscription"
    data = TripletDataset.from_triplets([(anchor, "I want another card please", negative)])

    def swapped(texts: list[str]) -> list[str]:
        other = {anchor: negative + " now", negative: anchor + " now"}
        return [other.get(text, text) for text in texts]

    made = augmenter(swapped)
    assert len(made.augment_dataset(data)) == len(data)
    assert made.report.refused["too near to its negative or anchor"] == 2
    assert made.report.changed["paraphrase"] == 2


# -- Chance


def test_the_probability_is_that_of_an_item() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 3)).astype(np.float32)
    data = TripletDataset.from_arrays(x, np.arange(4000) % 5)
    made = TripletAugmenter(["mixup"], augmentation_prob=0.3)
    result = made.augment_dataset(data, num_augmentations=2)
    assert 1100 < made.report.chosen < 1300
    assert len(result) == 4000 + 2 * made.report.chosen


def test_the_seed_decides_every_byte(tmp_path: Path) -> None:
    data = labelled_texts()

    def written(seed: int) -> bytes:
        made = TripletAugmenter(["noise_injection"], 0.5, seed=seed)
        path = tmp_path / "more.csv"
        write_file(made.augment_dataset(data, 2), path)
        return path.read_bytes()

    assert written(1) == written(1) != written(2)


def test_what_one_item_gets_does_not_hang_on_the_others() -> None:
    data = labelled_texts()
    fewer = TripletDataset.from_labelled(data.texts[:40], [data.labels[i] for i in range(40)])
    both = [
        new_texts(d, augmenter(None, "noise_injection").augment_dataset(d)) for d in (data, fewer)
    ]
    assert both[1] == both[0][:40]


# -- Vectors


def test_mixtures_lie_between_two_of_one_class_and_keep_unit_length() -> None:
    x, labels = blobs()
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    data = TripletDataset.from_arrays(x, labels, ["train"] * 60 + ["test"] * 20)
    data.set_targets(np.arange(80))
    result = augmenter(None, "mixup").augment_dataset(data, 3)
    np.testing.assert_array_equal(result.features[:80], data.features)
    new, own = result.features[80:], np.repeat(np.arange(60), 3)
    np.testing.assert_allclose(np.linalg.norm(new, axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(result.labels[80:], data.labels[own])
    # each is in the plane of its original and one other row of the class
    for vector, i in zip(new, own, strict=True):
        assert vector @ x[i] < 0.9999
        mates = np.flatnonzero((labels == labels[i]) & (np.arange(80) < 60))
        left = [np.linalg.lstsq(x[[i, j]].T, vector, rcond=None)[1] for j in mates if j != i]
        assert min(float(rest[0]) for rest in left) < 1e-9
    assert not (result.targets[80:] == own).any()  # numbers are mixed too


def test_mixtures_of_short_vectors_are_as_long_as_these() -> None:
    x, labels = blobs()
    plain, short = (
        augmenter(None, "mixup").augment_dataset(TripletDataset.from_arrays(rows, labels))
        for rows in (x.astype(np.float32), np.ldexp(x.astype(np.float32), -80))
    )
    np.testing.assert_allclose(np.ldexp(short.features, 80), plain.features, rtol=1e-6)


def test_no_split_parts_a_mixture_from_either_of_its_items() -> None:
    x, labels = blobs(per_class=30)
    data = TripletDataset.from_arrays(x, labels)
    data.set_targets(np.arange(120) % 30 == 0)
    result = augmenter(None, "mixup").augment_dataset(data, 2)
    groups = np.array(result.groups[:120])
    assert {len(set(groups[labels == c])) for c in range(4)} == {4}  # circles of 7 or 8
    assert result.groups[120:] == [result.groups[i] for i in np.repeat(np.arange(120), 2)]
    for i, vector in enumerate(result.features[120:]):
        mates = np.flatnonzero(groups == result.groups[120 + i])
        spans = [np.linalg.lstsq(x[[i // 2, j]].T, vector, rcond=None)[1] for j in mates]
        assert min(float(rest[0]) for rest in spans if len(rest)) < 1e-6


def test_triplets_of_vectors_are_mixed_within_their_component(tmp_path: Path) -> None:
    rows = np.array([(0, 1, 20), (1, 2, 40), (20, 21, 0)])
    roles = zip(("anchor", "positive", "negative"), blobs()[0][rows.T], strict=True)
    np.savez(tmp_path / "t.npz", **dict(roles))
    data, made = TripletDataset(tmp_path / "t.npz"), augmenter(None, "mixup")
    result = made.augment_dataset(data)
    assert made.report.added["mixup"] == data.num_items - 1  # the last negative is alone
    assert len(np.unique(result.labels)) == len(np.unique(data.labels)) == 3


# -- Words


def test_the_report_tells_what_happened() -> None:
    data = labelled_texts()
    made = augmenter(None, "synonym_replacement", "noise_injection", thesaurus={"cat": ["puss"]})
    assert made.report is None
    made.augment_dataset(data, 2)
    told = made.report.to_dict()
    assert (told["items"], told["chosen"], told["num_augmentations"]) == (84, 84, 2)
    synonyms = told["strategies"]["synonym_replacement"]
    assert 0 < synonyms["added"] <= 7 < synonyms["asked"]
    assert "augmented 84 of 84 items: 168 of 168 versions added" in str(made.report)
    share = 100 * synonyms["changed"] / synonyms["asked"]
    assert f"{share:.1f}%" in str(made.report)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strategies": ["eda"]}, "strategies must be of paraphrase, back_translation, .*'eda'"),
        ({"strategies": []}, "strategies must be a list of paraphrase"),
        ({"strategies": "mixup"}, "strategies must be a list of .* received 'mixup'"),
        ({"strategies": ["mixup", "mixup"]}, "must not repeat a name"),
        ({"augmentation_prob": 0.0}, "augmentation_prob must be in \\(0, 1], received 0"),
        ({"augmentation_prob": 1.1}, "augmentation_prob must be .* received 1.1"),
        ({"augmentation_prob": float("nan")}, "augmentation_prob must be .* received nan"),
        ({"change_rate": 2}, "change_rate must be in \\(0, 1], received 2"),
        ({"mixup_alpha": 0}, "mixup_alpha must be above 0 and finite, received 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0, received -1"),
        ({"strategies": ["paraphrase"]}, "'paraphrase' needs the argument paraphrase: a function"),
        ({"paraphrase": politely}, "paraphrase is given, and strategies has no 'paraphrase'"),
        ({"strategies": ["paraphrase"], "paraphrase": 3}, "must be a function or .* received 3"),
        (
            {"strategies": ["back_translation"], "back_translation": "en-de"},
            "back_translation must be a function or a pair .* received 'en-de'",
        ),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TripletAugmenter(**{"strategies": ["noise_injection"], **arguments})


def test_what_does_not_fit_the_data_is_refused() -> None:
    vectors, texts = TripletDataset.from_arrays(*blobs()), labelled_texts()
    noise, mixup = augmenter(None, "noise_injection"), augmenter(None, "mixup")
    with pytest.raises(DataError, match="holds vectors, and the strategy 'noise_injection' needs"):
        noise.augment_dataset(vectors)
    with pytest.raises(DataError, match="holds texts, and the strategy 'mixup' needs vectors"):
        mixup.augment_dataset(texts)
    with pytest.raises(ValueError, match="num_augmentations must be at least 1, received 0"):
        noise.augment_dataset(texts, 0)
    with pytest.raises(DataError, match="nothing to train on"):
        mixup.augment_dataset(TripletDataset.from_arrays(blobs()[0]))
