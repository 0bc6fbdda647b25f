"""TripletAugmenter: more rows to train on, made from those that are there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, TypeAlias

import numpy as np

from ...config import check_whole
from ..checks import check_share
from ..dataset import TripletDataset
from ..reading.raw import FloatArray
from ..reading.source import Source
from .guard import Guard
from .mixup import MixUp
from .noise import NoiseInjection
from .report import AugmentationReport
from .rewriter import Rewrite, Rewriter, as_rewrite
from .rows import Addition, extended, groups_of
from .thesaurus import SynonymReplacement, read_thesaurus

__all__ = ["STRATEGIES", "TripletAugmenter"]

_log = logging.getLogger("dtgcnn")

STRATEGIES = ("paraphrase", "back_translation", "synonym_replacement", "noise_injection", "mixup")

_Propose: TypeAlias = Callable[[Sequence[int], Sequence[np.random.Generator]], list[list[Any]]]


@dataclass
class _Version:
    """One of the versions of an item that are to be made."""

    item: int
    order: list[int]
    rng: np.random.Generator
    found: Addition | None = None


class TripletAugmenter:
    """Adds rewritten texts, or mixed vectors, to a dataset of triplets or of labels.

    An item (a text, or a vector) is augmented with the probability ``augmentation_prob``. Each of
    its new versions comes from one strategy, drawn with equal chance; where nothing that it
    proposes will do, the next is asked. What differs from its original in case, white space or
    punctuation alone, is in the data already or in ``held_out``, or makes a negative out of an
    anchor or the reverse, will not do. So an item may get fewer versions than asked for, or none;
    ``report`` tells how many, and why.

    * ``paraphrase``, ``back_translation``: a function or model that you name, see ``Rewriter``.
    * ``synonym_replacement``: see ``SynonymReplacement`` and ``read_thesaurus``.
    * ``noise_injection``: typing errors, see ``NoiseInjection``.
    * ``mixup``: between vectors of one class, see ``MixUp``.

    Args:
        strategies: their names.
        augmentation_prob: the probability, in (0, 1], that an item is augmented at all. Once it
            is, word-level strategies change a share ``change_rate`` of its words.
        change_rate: in (0, 1], changes per word of ``synonym_replacement`` and
            ``noise_injection``; a text has one at least.
        thesaurus: ``"wordnet"``, a file, or a mapping of words to synonyms.
        paraphrase: a function from a list of texts to a list with a text, or several, for each;
            or its name, ``"MODULE:FUNCTION"``; or the name of a sequence-to-sequence model of
            ``transformers``.
        back_translation: such a function that translates forth and back, or a pair of functions
            or models, one for each way.
        cache: a file that keeps what these two return.
        mixup_alpha: above 0; 1 draws the share of the partner evenly, less keeps nearer to the
            original.
        seed: decides everything that is drawn.

    Attributes:
        report: of the last dataset; None before the first.

    Raises:
        ValueError: an argument is out of its range, or a strategy unknown or without what it needs.
        DataError: the thesaurus breaks a rule.
        MissingExtraError: what a strategy needs is not installed.
    """

    def __init__(
        self,
        strategies: Sequence[str],
        augmentation_prob: float = 0.3,
        *,
        change_rate: float = 0.1,
        thesaurus: str | PathLike[str] | Mapping[str, Sequence[str]] = "wordnet",
        paraphrase: Rewrite | str | None = None,
        back_translation: Rewrite | tuple[Rewrite | str, Rewrite | str] | None = None,
        cache: str | PathLike[str] | None = None,
        mixup_alpha: float = 1.0,
        seed: int = 0,
    ) -> None:
        self.strategies = _checked(strategies)
        check_share("augmentation_prob", augmentation_prob)
        check_share("change_rate", change_rate)
        self.augmentation_prob, self.change_rate = float(augmentation_prob), float(change_rate)
        if not 0.0 < mixup_alpha < float("inf"):
            raise ValueError(f"mixup_alpha must be above 0 and finite, received {mixup_alpha}")
        self.mixup_alpha, self.seed = float(mixup_alpha), check_whole("seed", seed, 0)
        self.report: AugmentationReport | None = None
        rewrites = {
            "paraphrase": _needed("paraphrase", paraphrase, self.strategies),
            "back_translation": _needed("back_translation", back_translation, self.strategies),
        }
        self._texts: dict[str, Any] = {
            name: Rewriter(name, rewrite, cache) for name, rewrite in rewrites.items() if rewrite
        }
        if "synonym_replacement" in self.strategies:
            synonyms = SynonymReplacement(read_thesaurus(thesaurus), self.change_rate)
            self._texts["synonym_replacement"] = synonyms
        if "noise_injection" in self.strategies:
            self._texts["noise_injection"] = NoiseInjection(self.change_rate)

    def augment_dataset(
        self,
        dataset: TripletDataset,
        num_augmentations: int = 1,
        held_out: TripletDataset | Sequence[str] | None = None,
    ) -> TripletDataset:
        """The dataset with new rows after its own.

        A new text stands in for its original in every triplet of it, in the same role, and a
        triplet joins it to its original; or it has the label, the split and the number to predict
        of its original. Of labelled data, original and version are of one group, so no split parts
        them. Only items of split "train" are augmented where splits are named.

        Args:
            dataset: triplets or labelled data.
            num_augmentations: versions of an augmented item, at most.
            held_out: further texts, or vectors, that no version may equal, such as those of a test
                set in another file. The items of other splits are held out anyway.

        Raises:
            ValueError: ``num_augmentations`` is below 1.
            DataError: the data cannot be trained on, or a strategy is not for what they are.
        """
        if num_augmentations < 1:
            raise ValueError(f"num_augmentations must be at least 1, received {num_augmentations}")
        items = dataset.training_items()
        proposers = self._proposers(dataset, items)
        guard = Guard(dataset, items, held_out)
        report = AugmentationReport(self.strategies, len(items), num_augmentations)
        versions = self._drawn(items, num_augmentations)
        report.chosen = len(versions) // num_augmentations
        for turn in range(len(self.strategies)):
            for number, name in enumerate(self.strategies):
                asked = [v for v in versions if v.found is None and v.order[turn] == number]
                if asked:
                    _ask(name, proposers[name], asked, guard, report)
        additions = [v.found for v in versions if v.found is not None]
        self.report = report
        _log.log(logging.INFO if additions else logging.WARNING, "%s: %s", dataset.source, report)
        return extended(dataset, additions)

    def _drawn(self, items: Any, count: int) -> list[_Version]:
        """The versions to be made of the items that chance picks, item by item."""
        versions = []
        for item in items.tolist():
            if np.random.default_rng([self.seed, item, 0]).random() >= self.augmentation_prob:
                continue
            for number in range(1, count + 1):
                rng = np.random.default_rng([self.seed, item, number])
                order = rng.permutation(len(self.strategies)).tolist()
                versions.append(_Version(item, order, rng))
        return versions

    def _proposers(self, dataset: TripletDataset, items: Any) -> dict[str, _Propose]:
        source, texts, features = Source(dataset.source), dataset.texts, dataset.features
        for name in self.strategies:
            if (name == "mixup") != (texts is None):
                holds, needs = ("vectors", "texts") if texts is None else ("texts", "vectors")
                raise source.error(f"holds {holds}, and the strategy {name!r} needs {needs}")
        if features is not None:
            return {"mixup": self._mixing(dataset, features, items)}
        assert texts is not None

        return {name: _of_texts(self._texts[name], texts) for name in self.strategies}

    def _mixing(self, dataset: TripletDataset, features: FloatArray, items: Any) -> _Propose:
        assert dataset.labels is not None
        rng = np.random.default_rng([self.seed, dataset.num_items, 1 << 31])
        groups = np.unique(groups_of(dataset), return_inverse=True)[1]
        mixing = MixUp(features, dataset.labels, groups, items, self.mixup_alpha, rng)
        return mixing.propose


def _of_texts(strategy: Any, texts: list[str]) -> _Propose:
    def propose(items: Sequence[int], rngs: Sequence[np.random.Generator]) -> list[list[Any]]:
        proposals: list[list[Any]] = strategy.propose([texts[i] for i in items], rngs)
        return proposals

    return propose


def _ask(
    name: str, propose: _Propose, asked: list[_Version], guard: Guard, report: AugmentationReport
) -> None:
    """Ask one strategy for versions and take those that will do."""
    proposals = propose([v.item for v in asked], [v.rng for v in asked])
    for version, candidates in zip(asked, proposals, strict=True):
        reasons = []
        for candidate in candidates:
            addition = Addition.of(version.item, candidate)
            reason = guard.refuse(addition)
            if reason is None:
                guard.take(addition)
                version.found = addition
                break
            reasons.append(reason)
        report.count(name, version.found is not None, reasons)


def _checked(strategies: Sequence[str]) -> tuple[str, ...]:
    known = ", ".join(STRATEGIES)
    if isinstance(strategies, str) or not isinstance(strategies, Sequence) or not strategies:
        raise ValueError(f"strategies must be a list of {known}, received {strategies!r}")
    for name in strategies:
        if name not in STRATEGIES:
            raise ValueError(f"strategies must be of {known}, received {name!r}")
    if len(set(strategies)) < len(strategies):
        raise ValueError(f"strategies must not repeat a name, received {list(strategies)}")
    return tuple(strategies)


def _needed(name: str, given: Any, strategies: Sequence[str]) -> Rewrite | None:
    """The function of a strategy that rewrites texts, None where it is not asked for."""
    if (name in strategies) == (given is not None):
        return None if given is None else as_rewrite(name, given)
    if given is not None:
        raise ValueError(f"{name} is given, and strategies has no {name!r}: {list(strategies)}")
    raise ValueError(
        f"the strategy {name!r} needs the argument {name}: a function from texts to texts, or "
        "what names a model of transformers"
    )
