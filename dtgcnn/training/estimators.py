"""``DTGCNNClassifier`` and ``DTGCNNTransformer``: estimators of scikit-learn.

This file imports scikit-learn, so nothing of the core imports this file: ``dtgcnn`` loads it when
one of its classes is asked for.
"""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

from ..array import HostArray
from ..config import DTGCNNConfig
from ..errors import MissingExtraError
from .fitting import fit_rows

try:
    from sklearn.base import (
        BaseEstimator,
        ClassifierMixin,
        ClassNamePrefixFeaturesOutMixin,
        TransformerMixin,
    )
    from sklearn.preprocessing import LabelEncoder
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d
except ImportError as error:
    raise MissingExtraError(
        f"estimators need scikit-learn ({error}): pip install 'dtgcnn[text]'"
    ) from None

if TYPE_CHECKING:
    from ..data import Encoder

__all__ = ["DTGCNNClassifier", "DTGCNNTransformer"]

UNLABELLED = -1


class _Estimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """What both estimators are: a ``DTGCNN`` that ``fit`` trains."""

    def __init__(
        self,
        *,
        output_dim: int | None = None,
        num_epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        loss: str | None = None,
        graph_k_neighbors: int | None = None,
        encoder: str | Encoder | None = None,
        train_split: float = 0.8,
        config: DTGCNNConfig | None = None,
        backend: str = "auto",
        random_state: Any = None,
    ) -> None:
        self.output_dim = output_dim
        self.num_epochs = num_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.loss = loss
        self.graph_k_neighbors = graph_k_neighbors
        self.encoder = encoder
        self.train_split = train_split
        self.config = config
        self.backend = backend
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Train on rows and their labels.

        Args:
            X: texts, as a list, an array or a column of a table; or vectors (N, D), compared by the
                cosine, so that their length counts for nothing, unless held-out rows are told
                better by standardised columns (``standardize`` of the config).
            y: (N,) labels. Rows whose label is blank, None, NaN or −1 are unlabelled: they are
                trained on where held-out rows say that it helps. Where there is but one class
                beside −1, that is a class too, as in scikit-learn's binary problems.

        Raises:
            ValueError: the rows or labels cannot be trained on, or a setting is out of range.
            MissingExtraError: the library of the encoder is not installed.
        """
        from ..data import TripletDataset

        if self.config is not None and not isinstance(self.config, DTGCNNConfig):
            raise ValueError(f"config must be a DTGCNNConfig, received {self.config!r}")
        if y is None:
            name = type(self).__name__
            raise ValueError(f"{name} requires y to be passed, but the target y is None")
        inputs = self._rows(X, reset=True)
        if self.encoder is not None and not isinstance(inputs, list):
            raise ValueError(f"encoder goes with texts, X holds vectors: {self.encoder!r}")
        y = column_or_1d(y, warn=True)
        check_consistent_length(inputs, y)
        self.classes_, codes = _coded(y)
        rows = TripletDataset
        make: Any = rows.from_labelled if isinstance(inputs, list) else rows.from_arrays
        dataset = make(inputs, codes)
        dataset.label_names = [str(name) for name in self.classes_.tolist()]  # by code
        self.model_, self.n_iter_ = fit_rows(
            dataset,
            self._named(),
            self.config,
            encoder=self.encoder,
            train_split=self.train_split,
            backend=self.backend,
        )
        return self

    def transform(self, X: Any) -> HostArray:
        """Embeddings (N, output_dim), float32, of texts or vectors; see ``DTGCNN.encode``."""
        check_is_fitted(self)
        return self.model_.encode(self._rows(X))

    @property
    def _n_features_out(self) -> int:
        return int(self.model_.config.output_dim)

    def _rows(self, X: Any, reset: bool = False) -> HostArray | list[str]:
        """Texts, or vectors, whose width becomes ``n_features_in_`` with ``reset``."""
        from ..data import texts_of

        if isinstance(X, list | tuple) and not X:
            raise ValueError("X must hold one text or vector or more, received none")
        texts = texts_of(X)
        if texts is None:
            try:
                rows: HostArray = _validated(self, X, reset=reset, dtype=["float32", "float64"])
            except ValueError as error:
                if not str(error).startswith("could not convert string"):
                    raise
                hint = "X must be numbers, or one column of texts, such as table['text']"
                raise ValueError(f"{hint}: {error}") from error
            return rows
        if reset:
            for name in ("n_features_in_", "feature_names_in_"):  # of an earlier fit
                self.__dict__.pop(name, None)
        elif hasattr(self, "n_features_in_"):
            raise ValueError(
                f"X must hold vectors of {self.n_features_in_} numbers, it holds texts"
            )
        return texts

    def _named(self) -> dict[str, Any]:
        """The settings that parameters name."""
        names = ["output_dim", "num_epochs", "batch_size", "learning_rate", "loss"]
        values = {name: getattr(self, name) for name in [*names, "graph_k_neighbors"]}
        seed = self.random_state
        if isinstance(seed, Integral):
            seed = seed if isinstance(seed, bool) else int(seed)
        else:
            seed = int(check_random_state(seed).randint(2**31 - 1))
        return {name: v for name, v in values.items() if v is not None} | {"seed": seed}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = []
        return tags

    def _more_tags(self) -> dict[str, Any]:
        """The tags of scikit-learn before 1.6."""
        types = ["2darray", "string"]
        return {"X_types": types, "requires_y": True, "preserves_dtype": []}


class DTGCNNTransformer(_Estimator):
    """Embeddings of texts or vectors, learnt from labels, as a transformer of scikit-learn.

        make_pipeline(DTGCNNTransformer(), LogisticRegression()).fit(texts, labels)

    Its arguments and attributes are those of ``DTGCNNClassifier``.
    """


class DTGCNNClassifier(ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A classifier of texts or vectors, as one of scikit-learn.

        cross_val_score(DTGCNNClassifier(num_epochs=5), texts, labels)

    A ``DTGCNN`` is trained, and the labelled rows nearest to an embedding vote; see
    ``DTGCNN.answers``. ``transform`` gives the embeddings themselves.

    Args:
        output_dim, num_epochs, batch_size, learning_rate, loss, graph_k_neighbors: settings of
            ``DTGCNNConfig``; None leaves them as ``config`` has them, or as suits the size of the
            data.
        encoder: what makes vectors of texts: what ``dtgcnn train --encoder`` takes, such as
            ``"sentence-transformer:all-MiniLM-L6-v2"``, or an ``Encoder``, which is copied. One
            that learns is fitted on the texts. None is ``"tfidf"``.
        train_split: the share of the labelled rows that trains while the others choose the epoch,
            after which a model is trained anew on all of them; 1 holds out nothing.
        config: all other settings.
        backend: a registered backend, or ``"auto"``: MLX where it has a GPU, NumPy elsewhere.
        random_state: source of every random choice: a seed, a ``RandomState`` of NumPy, or None for
            NumPy's own.

    Attributes:
        classes_: (C,) the labels, sorted.
        model_: the trained ``DTGCNN``, to save, search or ask further.
        n_features_in_: width of the vectors; texts have none.
        n_iter_: epochs of the model, 0 where the closed-form start did best on held-out rows.
    """

    def predict(self, X: Any) -> HostArray:
        """The most probable label of each row, (N,)."""
        found = self.predict_proba(X).argmax(axis=1)
        return self.classes_[found]

    def predict_proba(self, X: Any) -> HostArray:
        """The probability (N, C) of each class, in the order of ``classes_``, float32."""
        check_is_fitted(self)
        return self.model_.predict_proba(self._rows(X))


def _coded(y: HostArray) -> tuple[HostArray, list[int | None]]:
    """The classes of labels (N,), and the place of each among them, None where it is unlabelled."""
    blank = [_is_blank(label) for label in y.tolist()]
    names = {label for label, none in zip(y.tolist(), blank, strict=True) if not none}
    minus_one = {label for label in names if label in (UNLABELLED, str(UNLABELLED))}
    if len(names - minus_one) != 1:  # of two classes one may be -1
        blank = [none or label in minus_one for none, label in zip(blank, y.tolist(), strict=True)]
    known = [row for row, none in enumerate(blank) if not none]
    if not known:
        raise ValueError(f"y must have labels, none of its {len(y)} rows has one")
    text = next((label for label in y[known].tolist() if isinstance(label, str)), None)
    other = next((label for label in y[known].tolist() if not isinstance(label, str)), None)
    if text is not None and other is not None:
        raise ValueError(f"y must hold texts or numbers, it holds both: {text!r} and {other!r}")
    labels = y[known]
    if labels.dtype == object and text is None:  # numbers that stood beside None
        labels = column_or_1d(labels.tolist())
    check_classification_targets(labels)
    found = LabelEncoder().fit(labels)
    if len(found.classes_) < 2:
        (only,) = found.classes_.tolist()
        raise ValueError(f"y must have two classes or more, it has 1 class: {only!r}")
    codes: list[int | None] = [None] * len(y)
    for row, code in zip(known, found.transform(labels).tolist(), strict=True):
        codes[row] = code
    return found.classes_, codes


def _is_blank(label: object) -> bool:
    """Whether a label is null, NaN or a blank text."""
    if label is None or (isinstance(label, str) and not label.strip()):
        return True
    try:
        return bool(label != label)
    except TypeError:  # pandas' NA is neither equal to itself nor unequal
        return True


def _validated(estimator: BaseEstimator, X: Any, **options: Any) -> Any:
    """``validate_data`` of scikit-learn, which before 1.6 was a method."""
    try:
        from sklearn.utils.validation import validate_data
    except ImportError:
        return estimator._validate_data(X, **options)
    return validate_data(estimator, X, **options)
