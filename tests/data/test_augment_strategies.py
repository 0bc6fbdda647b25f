"""The strategies of ``TripletAugmenter`` one by one."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtgcnn import DataError, TripletAugmenter
from dtgcnn.data import Seq2Seq
from dtgcnn.data.augmentation import noise
from dtgcnn.data.augmentation.noise import NoiseInjection
from dtgcnn.data.augmentation.rewriter import Rewriter, RoundTrip
from dtgcnn.data.augmentation.thesaurus import SynonymReplacement, read_thesaurus
from dtgcnn.errors import MissingExtraError

QUESTION = "Why isn't my card payment of 100 USD to John not showing up, after 3 days?"


def versions(strategy: Any, text: str, seeds: int = 200) -> list[str]:
    """The first version for each seed."""
    rngs = [np.random.default_rng(seed) for seed in range(seeds)]
    return [proposed[0] for proposed in strategy.propose([text] * seeds, rngs)]


# -- Noise


def test_noise_changes_every_text_and_spares_numbers_and_negations() -> None:
    text = f"{QUESTION} Never without invoice2024."
    for version in versions(NoiseInjection(0.3), text):
        assert version != text
        kept = Counter(version.split())
        spared = ("isn't", "not", "100", "3", "Never", "without", "invoice2024.")
        assert all(kept[word] == 1 for word in spared)


def test_noise_is_at_the_level_of_characters_and_of_words() -> None:
    words = QUESTION.split()
    found = {
        "left out": lambda v: len(v) == len(words) - 1,
        "moved": lambda v: v != words and sorted(v) == sorted(words),
        "typed": lambda v: len(v) == len(words) and len(set(v) - set(words)) == 1,
    }
    kinds = [{k for k, is_one in found.items() if is_one(v.split())} for v in slips(QUESTION)]
    counts = Counter(kind for own in kinds for kind in own)
    assert all(len(own) == 1 for own in kinds)
    assert min(counts[kind] for kind in found) > 20


def slips(text: str) -> list[str]:
    """Versions with one slip."""
    return versions(NoiseInjection(0.01), text)


def test_a_single_word_gets_a_typing_error_inside() -> None:
    found = set(slips("Payment"))
    assert {"Pyment", "Apyment", "Payemnt"} & found == {"Pyment", "Payemnt"}
    assert all(v[0] == "P" and v[-1] == "t" for v in found)
    letters = {v for v in found if len(v) == 7 and Counter(v.lower()) != Counter("payment")}
    near = {"a": "qwsz", "y": "tugh", "m": "njk", "e": "wrsd", "n": "bmhj"}
    for version in letters:
        ((old, new),) = [(o, n) for o, n in zip("Payment", version, strict=True) if o != n]
        assert new in near[old]
    assert len(letters) > 5


def test_the_rate_is_in_slips_per_word() -> None:
    text = " ".join(f"word{c}ish" for c in "abcdefghijklmnopqrst")
    touched = [
        np.mean(
            [len(set(text.split()) - set(v.split())) for v in versions(NoiseInjection(r), text)]
        )
        for r in (0.1, 0.5)
    ]
    assert touched[1] > 3 * touched[0] > 3


def test_time_grows_with_words_and_slips_are_spread_over_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at = 0

    def counted(word: str) -> bool:
        nonlocal looked_at
        looked_at += 1
        return False

    monkeypatch.setattr(noise, "_is_kept", counted)
    words = [f"word{'abcdefghij'[i % 10]}ish" for i in range(10_000)]
    looks = []
    for count in (1_000, 10_000):
        looked_at = 0
        (version,) = set(versions(NoiseInjection(), " ".join(words[:count]), 1))
        looks.append(looked_at)
    assert looks[1] < 15 * looks[0]
    typed = [place / 10_000 for place, word in enumerate(version.split()) if word not in words]
    assert np.histogram(typed, 5, (0, 1))[0].min() > 80  # of 600 or so


def test_scripts_without_a_keyboard_row_get_noise_too() -> None:
    assert all(v != "借记卡丢了怎么办" for v in slips("借记卡丢了怎么办"))


def test_what_cannot_be_changed_stays() -> None:
    assert set(slips("no 12")) == {"no 12"}


# -- Synonyms


def test_synonyms_replace_the_share_of_words_in_their_case() -> None:
    thesaurus = read_thesaurus({"card": ["payment card", "plastic"], "LOST": ["mislaid"]})
    (found,) = SynonymReplacement(thesaurus, 1.0).propose(
        ["Lost my CARD, a card-holder's card?"], [np.random.default_rng(0)]
    )
    for version in found:
        pattern = r"Mislaid my (PAYMENT CARD|PLASTIC), a card-holder's (payment card|plastic)\?"
        assert re.fullmatch(pattern, version)
    one = versions(SynonymReplacement(thesaurus, 0.1), "lost my card")
    assert set(one) == {"mislaid my card", "lost my payment card", "lost my plastic"}


def test_a_text_without_known_words_gets_no_version() -> None:
    nothing = SynonymReplacement(read_thesaurus({"card": ["plastic"]}))
    assert nothing.propose(["my phone"], [np.random.default_rng(0)]) == [[]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.tsv", "word\tsynonym\ncard\tplastic\nCard\tpayment  card\nlost\tmislaid\n"),
        ("t.csv", "note,synonym,word\n,plastic,card\n,payment card,card\n,mislaid,lost\n"),
        (
            "t.json",
            '[{"word": "card", "synonym": "plastic"}, {"word": "card", "synonym": "payment card"},'
            ' {"word": "lost", "synonym": "mislaid"}]',
        ),
    ],
)
def test_a_thesaurus_is_a_file_of_pairs(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    found = read_thesaurus(tmp_path / name)
    assert list(found("card")) == ["plastic", "payment card"]
    assert (list(found("lost")), list(found("mislaid"))) == (["mislaid"], [])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("word,synonym\ncard,plastic\nlost,\n", "line 3: 'synonym': must not be blank"),
        ("word,synonym\ncard,Card\n", "line 2: 'synonym': must differ from the word, received"),
        ("word,synonym\ntop up,load\n", "line 2: 'word': must be one word of letters, received"),
        ("word,synonyms\ncard,plastic\n", "line 2: 'synonym': is missing; found the fields word, "),
        ("word,synonym\ncard\n", "line 2: has 1 cells where the header has 2"),
        ("word,synonym\n", "holds no pairs of a word and a synonym"),
    ],
)
def test_a_faulty_thesaurus_is_refused_with_its_line(
    tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(DataError, match=rf"t\.csv: {message}"):
        TripletAugmenter(["synonym_replacement"], thesaurus=tmp_path / "t.csv")


@pytest.mark.parametrize("synonyms", ["plastic", [], [""], [3]])
def test_a_faulty_mapping_is_refused(synonyms: Any) -> None:
    with pytest.raises(DataError, match="thesaurus: "):
        TripletAugmenter(["synonym_replacement"], thesaurus={"card": synonyms})


# -- WordNet

LEXICON = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE LexicalResource SYSTEM "http://globalwordnet.github.io/schemas/WN-LMF-1.1.dtd">
<LexicalResource xmlns:dc="https://globalwordnet.github.io/schemas/dc/">
<Lexicon id="tiny" label="tiny" language="en" email="a@b.c" license="CC0" version="1">
%s
<Synset id="tiny-1" ili="" partOfSpeech="v"/><Synset id="tiny-2" ili="" partOfSpeech="n"/>
<Synset id="tiny-3" ili="" partOfSpeech="n"/><Synset id="tiny-4" ili="" partOfSpeech="a"/>
</Lexicon></LexicalResource>"""


def entry(word: str, pos: str, *senses: tuple[int, int]) -> str:
    """A word with its senses: the synset of each, and how often it was counted."""
    own = "".join(
        f'<Sense id="tiny-{word}-{pos}-{n}" synset="tiny-{n}"><Count>{count}</Count></Sense>'
        for n, count in senses
    )
    lemma = f'<Lemma writtenForm="{word.replace("_", " ")}" partOfSpeech="{pos}"/>'
    return f'<LexicalEntry id="tiny-{word}-{pos}">{lemma}{own}</LexicalEntry>'


@pytest.fixture
def wordnet_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    wn = pytest.importorskip("wn", reason="wn is not installed")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    monkeypatch.setattr(wn.config, "data_directory", tmp_path / "wn")
    return tmp_path


def test_wordnet_gives_the_synonyms_of_the_most_frequent_sense(wordnet_folder: Path) -> None:
    import wn

    words = [
        entry("pay", "n", (2, 3)),
        entry("wage", "n", (2, 2)),
        entry("pay", "v", (1, 90)),
        entry("hand_over", "v", (1, 1)),
        entry("card", "n", (3, 5)),
        entry("do", "v", (1, 9)),
        entry("lost", "a", (4, 1)),
        entry("confused", "a", (4, 1)),
        entry("lose", "v", (1, 50)),
    ]
    (wordnet_folder / "tiny.xml").write_text(LEXICON % "".join(words))
    wn.add(wordnet_folder / "tiny.xml", progress_handler=None)
    synonyms = read_thesaurus("wordnet")
    assert sorted(synonyms("pay")) == ["do", "hand over", "lose"]  # not wage
    assert list(synonyms("wage")) == ["pay"]
    assert list(synonyms("card")) == []  # alone in its sense
    assert list(synonyms("do")) == []  # a function word
    assert list(synonyms("pays")) == []  # not a lemma
    assert list(synonyms("lost")) == ["confused"]
    assert list(synonyms("unknown")) == []


def test_a_name_is_another_word_in_wordnet(wordnet_folder: Path) -> None:
    import wn

    words = [
        entry("china", "n", (2, 1)),
        entry("porcelain", "n", (2, 1)),
        entry("China", "n", (3, 9)),
        entry("Cathay", "n", (3, 1)),
        entry("march", "v", (1, 1)),
        entry("parade", "v", (1, 1)),
    ]
    (wordnet_folder / "tiny.xml").write_text(LEXICON % "".join(words))
    wn.add(wordnet_folder / "tiny.xml", progress_handler=None)
    synonyms = read_thesaurus("wordnet")
    assert list(synonyms("china")) == ["porcelain"]
    assert list(synonyms("China")) == []  # which of the two cannot be told
    assert list(synonyms("Cathay")) == list(synonyms("cathay")) == []
    assert list(synonyms("March")) == ["parade"]
    strategy = SynonymReplacement(synonyms, rate=1.0)
    rngs = [np.random.default_rng(0)] * 2
    versions = strategy.propose(["a china plate", "the wall of China"], rngs)
    assert set(versions[0]) == {"a porcelain plate"}
    assert versions[1] == []


def test_wordnet_without_data_says_what_to_install(wordnet_folder: Path) -> None:
    with pytest.raises(MissingExtraError, match="python -m wn download oewn:2024; or name a thes"):
        TripletAugmenter(["synonym_replacement"])


# -- Functions that rewrite


def shout(texts: list[str]) -> list[str]:
    """A function with a name of its own."""
    calls.extend(texts)
    return [f"{text} now" for text in texts]


calls: list[str] = []


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


def ask(rewrite: Any, *texts: str, cache: Path | None = None) -> list[list[str]]:
    return Rewriter("paraphrase", rewrite, cache).propose(texts, ())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda texts: texts[1:], "paraphrase: .*an answer for each text: was given 3, returned 2"),
        (lambda texts: "abc", "an answer for each text, received 'abc'"),
        (lambda texts: None, "an answer for each text, received None"),
        (lambda texts: ["a", "b", 5], r"answer 2 \(counting from 0\) must be a string or .*5"),
        (lambda texts: [["a", None], "b", "c"], "answer 0 .* received None"),
        (lambda texts: [{"score": 1}, "b", "c"], "answer 0 .* received {'score': 1}"),
    ],
)
def test_what_a_function_returns_is_checked(answer: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ask(answer, "a", "b", "c")


def test_functions_may_answer_as_pipelines_do() -> None:
    def pipeline(texts: list[str]) -> list[Any]:
        return [[{"generated_text": f"{text}!"}, {"translation_text": text}] for text in texts]

    assert ask(pipeline, "a", "b") == [["a!", "a"], ["b!", "b"]]
    assert ask(lambda texts: np.array(texts), "a") == [["a"]]


def test_equal_texts_are_asked_once_and_batches_are_small() -> None:
    sizes: list[int] = []

    def rewrite(texts: list[str]) -> list[str]:
        sizes.append(len(texts))
        return texts

    ask(rewrite, *(f"text {i % 70}" for i in range(200)))
    assert sizes == [32, 32, 6]


def test_answers_are_kept_by_function_and_text(tmp_path: Path) -> None:
    cache = tmp_path / "answers.sqlite"
    assert ask(shout, "a", "b", cache=cache) == [["a now"], ["b now"]]
    assert ask(shout, "b", "c", cache=cache) == [["b now"], ["c now"]]
    assert calls == ["a", "b", "c"]

    class Other:
        name = "another model"

        def __call__(self, texts: list[str]) -> list[str]:
            return [f"{text} later" for text in texts]

    assert ask(Other(), "a", cache=cache) == [["a later"]]
    assert ask(shout, "a", cache=cache) == [["a now"]]


def test_a_broken_off_run_keeps_its_finished_batches(tmp_path: Path) -> None:
    def failing(texts: list[str]) -> list[str]:
        if "text 40" in texts:
            raise RuntimeError("no connection")
        return shout(texts)

    failing.__qualname__ = "failing"
    texts = [f"text {i}" for i in range(50)]
    with pytest.raises(RuntimeError, match="no connection"):
        ask(failing, *texts, cache=tmp_path / "c")
    calls.clear()
    ask(failing, *texts[:40], cache=tmp_path / "c")
    assert calls == texts[32:40]


def test_a_function_without_a_name_cannot_be_cached(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="under the name of the function, which has none"):
        ask(lambda texts: texts, "a", cache=tmp_path / "c")


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("text,label\n" * 100)
    with pytest.raises(DataError, match="not a usable cache of answers"):
        ask(shout, "a", cache=tmp_path / "c")
    assert (tmp_path / "c").read_text().startswith("text,label")


def test_back_translation_goes_forth_and_back(tmp_path: Path) -> None:
    def forth(texts: list[str]) -> list[list[str]]:
        return [[f"ja {text}", "nein"] if text != "b" else [] for text in texts]

    def back(texts: list[str]) -> list[list[str]]:
        return [[text.replace("ja", "yes"), text.replace("ja", "yeah")] for text in texts]

    trip = RoundTrip(forth, back)
    assert trip(["a", "b", "c"]) == [["yes a", "yeah a"], [], ["yes c", "yeah c"]]
    with pytest.raises(DataError, match="back_translation, forth: answers are kept under the name"):
        Rewriter("back_translation", trip, tmp_path / "c")
    forth.__qualname__, back.__qualname__ = "forth", "back"
    Rewriter("back_translation", trip, tmp_path / "c").propose(["a"], ())


# -- Models of transformers

WORDS = ["where", "is", "my", "card", "parcel", "lost", "please"]
SWAPPED = ["please", "is", "lost", "parcel", "card", "my", "where"]


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A T5 that has learnt to put each word's partner in its place; it takes some seconds."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["<pad>", "</s>", "<unk>", *WORDS]
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    torch.manual_seed(0)
    config = transformers.T5Config(
        vocab_size=len(words),
        **{"d_model": 32, "d_kv": 16, "d_ff": 32, "num_layers": 1, "num_heads": 2},
        **{"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1, "dropout_rate": 0},
    )
    model = transformers.T5ForConditionalGeneration(config)
    partner = torch.tensor([0, 1, 2, *(3 + WORDS.index(word) for word in SWAPPED)])
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for step in range(900):
        texts = torch.randint(3, len(words), (64, 2 + step % 3))
        answers = torch.nn.functional.pad(partner[texts], (0, 1), value=1)
        optimizer.zero_grad()
        model(input_ids=texts, labels=answers).loss.backward()
        optimizer.step()
    folder = tmp_path_factory.mktemp("model")
    model.save_pretrained(folder)
    fast.save_pretrained(folder)
    return folder


def swapped(text: str) -> str:
    return " ".join(SWAPPED[WORDS.index(word)] for word in text.split())


def test_texts_that_a_model_cuts_are_counted(
    model_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = shutil.copytree(model_folder, tmp_path / "short")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["model_max_length"] = 3
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    model = Seq2Seq(str(folder), versions=1)
    model(["where is my card", "lost parcel"])
    assert "1 of 2 texts have more than its 3 tokens; what comes after is not read" in caplog.text
    caplog.clear()
    Seq2Seq(str(model_folder), versions=1)(["where is my card"])
    assert "not read" not in caplog.text


def test_a_model_gives_several_versions_of_each_text(model_folder: Path) -> None:
    model, texts = Seq2Seq(str(model_folder), versions=3), ["where is my card", "lost parcel"]
    versions = model(texts)
    assert [len(set(own)) for own in versions] == [3, 3]
    assert [own[0] for own in versions] == ["please is lost parcel", "my card"]
    assert {word for own in versions for version in own for word in version.split()} <= set(WORDS)
    assert model(texts) == versions
    prefixed = Seq2Seq(str(model_folder), "please ", 3)(["is my card"])
    assert prefixed[0][0] == "where is lost parcel"


def test_a_model_is_named_by_its_files_and_settings(model_folder: Path) -> None:
    names = {Seq2Seq(str(model_folder), *more).name for more in ((), ("please ",), ("", 2))}
    os.utime(model_folder / "config.json", (1, 1))
    assert len(names | {Seq2Seq(str(model_folder)).name}) == 4
    with pytest.raises(ValueError, match="versions must be at least 1, received 0"):
        Seq2Seq("any", versions=0)


def test_models_paraphrase_and_translate_back_with_a_cache(
    model_folder: Path, tmp_path: Path
) -> None:
    from dtgcnn import TripletDataset

    texts = ["where is my card", "where is parcel", "my card is my", "lost card"]
    data = TripletDataset.from_labelled(texts, [0, 0, 1, 1])
    made = TripletAugmenter(["paraphrase"], 1.0, paraphrase=str(model_folder))
    assert made.augment_dataset(data).texts[4:] == [swapped(text) for text in texts]
    for name, given in (
        ("paraphrase", str(model_folder)),
        ("back_translation", (str(model_folder), str(model_folder))),
    ):
        made = TripletAugmenter([name], 1.0, cache=tmp_path / "c", **{name: given})
        result = made.augment_dataset(data, 2)
        assert made.report.added[name] == result.num_items - 4 >= 6
        again = TripletAugmenter([name], 1.0, cache=tmp_path / "c", **{name: given})
        again._texts[name].rewrite = None  # not asked again
        assert again.augment_dataset(data, 2).texts == result.texts


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dtgcnn\[transformers\]'"):
        TripletAugmenter(["paraphrase"], paraphrase="some/model")
    monkeypatch.setitem(sys.modules, "wn", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'dtgcnn\[wordnet\]'"):
        TripletAugmenter(["synonym_replacement"])


def test_importing_the_augmenter_imports_no_model_library() -> None:
    import subprocess
    import sys

    code = (
        "import sys, json, dtgcnn.data.augmentation.augmenter; "
        "print(json.dumps([m for m in ('torch', 'transformers', 'wn', 'sklearn') "
        "if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
