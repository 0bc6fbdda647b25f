"""``SavedModel``: what of a model is saved, and a model that is made of it anew."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ..array import Array, ArrayOps, HostArray, flatten, load_ops, refill
from ..config import DTGCNNConfig
from ..errors import CheckpointError
from .bank import Bank, nodes_of
from .input_rows import device_rows
from .network import Network
from .origin import Origin
from .parameters import Parameters
from .pickling import made_anew, unpickled
from .start import Start, shapes_of

if TYPE_CHECKING:
    from ..data import Encoder
    from ..storage import Checkpoint, IndexFile

__all__ = ["SavedModel"]


class SavedModel(Parameters):
    """Parameters with what else makes a model: encoder, start, bank and classes.

    Args:
        config: what shapes the network.
        ops: the backend that holds them.
    """

    def __init__(self, config: DTGCNNConfig, ops: ArrayOps) -> None:
        super().__init__(config, ops)
        self.encoder: Encoder | None = None
        self.start: Start | None = None
        self.bank: Bank | None = None
        self.classes_: list[str] | None = None
        """The names of the classes of the bank's rows, which its labels count: those that it was
        trained on, and after them ``untrained_classes``; None where the data had none."""
        self.untrained_classes: list[str] = []
        """The names of the classes that joined the bank after training; see ``DTGCNN.add``."""
        self.origin: Origin | None = None
        """What a model that was loaded was then, from which training goes on; None of a new one."""

    def device_rows(self, host_x: HostArray) -> Array:
        """Host rows on the device: vectors at unit length, however small or large they are, their
        columns standardised before where the start has found so, and pieces as int32."""
        return device_rows(self.ops, self.config, self.start, host_x)

    @property
    def standardizes(self) -> bool:
        """Whether there is a start that standardises the columns of rows."""
        return self.start is not None and self.start.standardizes

    def tells(self, host_x: HostArray) -> HostArray:
        """Which host rows (N,) say anything: not a zero row, such as TF-IDF makes of a text whose
        words it does not know, unless it is one of numbers whose columns are standardised."""
        return host_x.any(axis=1) | (self.standardizes and self.encoder is None)

    @property
    def input_width(self) -> int:
        """Columns of ``DTGCNN.input_vectors``: where they are standardised one beside
        ``input_dim``."""
        return self.config.input_dim + int(self.standardizes)

    def trained_bank(self) -> Bank:
        """The bank.

        Raises:
            ValueError: there is none yet.
        """
        if self.bank is None:
            raise ValueError("the model has no bank yet: train it, or call build_bank")
        return self.bank

    def go_on_from(self, origin: Origin) -> None:
        """Become what a loaded model of the same config was; training goes on from it."""
        self.params, self.state, self.start = origin.params, origin.state, origin.start
        self.origin = origin

    @classmethod
    def weight_shapes(cls, config: DTGCNNConfig) -> dict[str, tuple[int, int]]:
        """The shapes of a model's weights, by dotted name: all that is large among its parameters.
        What ``extras`` gives is passed by name.
        """
        return Network.from_config(config).weight_shapes

    def extras(self) -> dict[str, Any]:
        """What makes a model of this class anew, beside its config; empty here."""
        return {}

    def save(
        self,
        directory: str | Path,
        *,
        overwrite: bool = False,
        same_encoder: bool = False,
        index: IndexFile | None = None,
    ) -> Path:
        """Write the model into ``directory``, made where it is missing; see
        ``dtgcnn.storage.write_checkpoint``.

        Args:
            directory: new, empty, or the folder of a model that ``overwrite`` replaces.
            overwrite: whether it may hold a model.
            same_encoder: leave the text encoder that an earlier save of this model wrote there.
            index: the rows that are searched by it, if any.

        Raises:
            FileExistsError, NotADirectoryError, PermissionError: see ``check_folder``.
        """
        from ..storage import model_card, write_checkpoint

        return write_checkpoint(
            directory,
            self.checkpoint(),
            model_card(self),
            self.encoder,
            overwrite=overwrite,
            same_encoder=same_encoder,
            index=index,
        )

    def checkpoint(self) -> Checkpoint:
        """What ``save`` writes of the model itself."""
        from ..storage import Checkpoint

        arrays = {name: self.ops.to_numpy(leaf) for name, leaf in self._leaves().items()}
        if self.bank is not None:
            arrays["bank.x"] = self.bank.host_x
            if self.bank.gate is not None:  # what the start gives of the bank is not made again
                arrays["bank.states.0"] = self.ops.to_numpy(self.bank.states[0])
                arrays["bank.gate"] = self.ops.to_numpy(self.bank.gate)
            if self.bank.labels is not None and self.classes_ is not None:
                labels = self.ops.asarray(self.bank.labels, "int32")
                arrays["bank.labels"] = self.ops.to_numpy(labels)
        if self.start is not None:
            own = self.start.arrays.items()
            arrays |= {f"start.{name}": self.ops.to_numpy(array) for name, array in own}
        settings, made_with = self.config.to_dict(), self.made_with()
        kind, classes = type(self).__name__, (self.classes_, self.untrained_classes)
        return Checkpoint(kind, self.extras(), settings, made_with, arrays, *classes)

    @classmethod
    def load(
        cls,
        directory: str | Path,
        *,
        backend: str = "auto",
        ops: ArrayOps | None = None,
        mapped: bool = False,
        trust_remote_code: bool = False,
    ) -> Self:
        """The model that was saved in ``directory``, on ``backend``.

        Args:
            directory: where it was saved.
            backend: a registered backend, or ``"auto"``.
            ops: a backend object to use in place of ``backend``.
            mapped: leave arrays in their file until they are used: the load of a large bank takes
                no time, but for the first one of a file, which computes its checksum.
            trust_remote_code: let code run that the pretrained model of the text encoder brings.

        Raises:
            CheckpointError: there is no model, a file is damaged or foreign, or an array is missing
                or of another shape than the config asks for.
            ValueError: it is a model of another class.
        """
        from ..storage import WEIGHTS, of_one_save

        return of_one_save(
            Path(directory) / WEIGHTS,
            lambda: cls._read(directory, backend, ops, mapped, trust_remote_code),
        )

    @classmethod
    def _read(
        cls,
        directory: str | Path,
        backend: str,
        ops: ArrayOps | None,
        mapped: bool,
        trust_remote_code: bool,
    ) -> Self:
        from ..storage import read_checkpoint

        saved, encoder = read_checkpoint(directory, mapped=mapped)
        ops = load_ops(backend) if ops is None else ops
        kinds = {kind.__name__: kind for kind in _kinds(SavedModel)}
        kinds[cls.__name__] = cls  # of several of one name the one that is asked for
        if saved.model not in kinds:
            raise CheckpointError(
                f"{saved.path}: its config is not valid: {saved.model!r} is no class of models "
                "here; one of your own has to be imported before its models are loaded"
            )
        model = kinds[saved.model].of_checkpoint(saved, ops)
        if encoder is not None:
            from ..data import load_encoder

            model.encoder = load_encoder(encoder)
            if trust_remote_code and hasattr(model.encoder, "trust_remote_code"):
                model.encoder.trust_remote_code = True
        if not isinstance(model, cls):
            raise ValueError(
                f"{directory}: must hold a {cls.__name__}, it holds a {type(model).__name__}"
            )
        return model

    @classmethod
    def of_checkpoint(cls, saved: Checkpoint, ops: ArrayOps) -> Self:
        """The model that ``checkpoint`` told, but for its text encoder.

        Raises:
            CheckpointError: as ``load``.
        """
        try:
            # The device it was trained on may not be here.
            # Models of earlier releases have no start and end with the network.
            config = DTGCNNConfig.from_dict(
                {"start": "none", "propagation_hops": 0, **saved.config, "device": "auto"}
            )
            for name, shape in cls.weight_shapes(config, **saved.arguments).items():
                saved.array(f"params.{name}", shape)  # before arrays of a crafted size are made
            model: Self = made_anew(cls, config, ops, saved.arguments)
        except CheckpointError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{saved.path}: its config is not valid: {error}") from None
        model.classes_ = None if saved.classes is None else list(saved.classes)
        model.untrained_classes = list(saved.untrained)
        model._restore(saved)
        model.origin = Origin(model.params, model.state, model.start)
        return model

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickled or deeply copied model is as one that was saved and loaded."""
        told = (type(self), self.ops.name, self.ops.device, self.checkpoint(), self.encoder)
        return unpickled, told

    def __copy__(self) -> Self:
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def _leaves(self) -> dict[str, Any]:
        leaves = flatten(self.params, "params") | flatten(self.state, "state")
        if self.bank is not None:
            leaves |= {f"bank.states.{i}": s for i, s in enumerate(self.bank.states) if i > 0}
            leaves |= {f"bank.hops.{i}": s for i, s in enumerate(self.bank.hop_states)}
        return leaves

    def _restore(self, saved: Checkpoint) -> None:
        """Take the arrays of a saved model in place of the first ones."""
        named = self._leaves()
        loaded = {
            name: self.ops.asarray(saved.array(name, leaf.shape)) for name, leaf in named.items()
        }
        self.params = refill(self.params, loaded, "params")
        self.state = refill(self.state, loaded, "state")
        if "bank.x" not in saved.arrays:
            return
        host_x = saved.arrays["bank.x"]
        if host_x.ndim != 2 or host_x.shape[1] != self.config.row_width:
            raise CheckpointError(
                f"{saved.path}: 'bank.x' must have {self.config.row_width} columns"
            )
        config, ops, rows = self.config, self.ops, len(host_x)
        if config.has_start:
            found = saved.under("start.")
            shapes = shapes_of(found, config.input_dim, config.output_dim)
            checked = {name: saved.array(f"start.{name}", shapes[name]) for name in shapes}
            self.start = Start.of(ops, checked)
            bank = Bank(
                host_x, ops.asarray(saved.array("bank.states.0", (rows, config.output_dim)))
            )
            bank.gate = ops.asarray(saved.array("bank.gate", (rows, 1)))
        else:
            bank = Bank(host_x, self.device_rows(host_x))
        bank.states = [nodes_of(ops, self.network, self.params, bank.x)]
        for index, width in enumerate(config.hidden_dims[:-1], 1):
            states = saved.array(f"bank.states.{index}", (rows, width))
            bank.states.append(ops.asarray(states))
        for index in range(config.propagation_hops):
            states = saved.array(f"bank.hops.{index}", (rows, config.output_dim))
            bank.hop_states.append(ops.asarray(states))
        if self.classes_ is not None and "bank.labels" in saved.arrays:
            labels = [int(label) for label in saved.array("bank.labels", (rows,))]
            if not all(-1 <= label < len(self.classes_) for label in labels):
                raise CheckpointError(f"{saved.path}: 'bank.labels' must number its classes")
            bank.labels = labels
        ops.evaluate(bank.x, *bank.states, *bank.hop_states)  # for any thread
        self.bank = bank


def _kinds(kind: type[SavedModel]) -> Iterator[type[SavedModel]]:
    """A class of models, and those that are made of it."""
    yield kind
    for below in kind.__subclasses__():
        yield from _kinds(below)
