"""Wrong transformations of functions: ``value_and_grad``, ``compile``, ``checkpoint``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from autograd.tracer import getval
from dtgcnn_numpy import NumpyOps

from .fault import rejected_by


def _map(fn: Callable[[Any], Any], tree: Any) -> Any:
    return {k: _map(fn, v) for k, v in tree.items()} if isinstance(tree, dict) else fn(tree)


class _Afterwards(NumpyOps):
    """What ``value_and_grad`` gives is changed by ``after(params, value, aux, gradients)``."""

    def after(self, params: Any, value: Any, aux: Any, gradients: Any) -> Any:
        raise NotImplementedError

    def value_and_grad(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        full = super().value_and_grad(fn)
        return lambda params, *args: self.after(params, *full(params, *args))


@rejected_by("gradients/aux_passes_through")
class NoAux(_Afterwards):
    """``value_and_grad`` drops aux."""

    def after(self, params: Any, value: Any, aux: Any, gradients: Any) -> Any:
        return value, {}, gradients


@rejected_by("gradients/gradients_have_the_form_of_params")
class DoubleGradients(_Afterwards):
    """Gradients are float64, whatever the parameters are."""

    def after(self, params: Any, value: Any, aux: Any, gradients: Any) -> Any:
        return value, aux, _map(lambda g: g.astype(np.float64), gradients)


@rejected_by("gradients/gradients_have_the_form_of_params")
class OneElementValue(_Afterwards):
    """The value has the shape (1,)."""

    def after(self, params: Any, value: Any, aux: Any, gradients: Any) -> Any:
        return np.reshape(value, (1,)), aux, gradients


@rejected_by("gradients/unused_parameters")
class NoneWithoutUse(_Afterwards):
    """A parameter that is not used has no gradient, where it should have zeros."""

    def after(self, params: Any, value: Any, aux: Any, gradients: Any) -> Any:
        return value, aux, _used(gradients)


def _used(tree: Any) -> Any:
    if not isinstance(tree, dict):
        return tree
    some = {k: v for k, v in tree.items() if isinstance(v, dict) or v.any()}
    return {k: _used(v) for k, v in some.items()}


@rejected_by("gradients/unused_parameters")
class ZerosOfOneShape(_Afterwards):
    """A parameter that is not used has the gradient 0, a number."""

    def after(self, params: Any, value: Any, aux: Any, gradients: Any) -> Any:
        return value, aux, _map(lambda g: g if g.any() else np.zeros((), g.dtype), gradients)


@rejected_by("gradients/other_arguments")
class ArgumentsTogether(NumpyOps):
    """The gradient of the first other argument is added, where it has the shape of the first
    parameter's."""

    def value_and_grad(self, fn: Callable[..., Any]) -> Callable[..., Any]:
        full = super().value_and_grad(fn)

        def both(params: Any, *args: Any) -> Any:
            value, aux, gradients = full(params, *args)
            if args and getattr(args[0], "shape", None) == () and args[0].dtype.kind == "f":
                joint = super(ArgumentsTogether, self).value_and_grad(
                    lambda p: fn(params, p["first"], *args[1:])
                )
                extra = joint({"first": args[0]})[2]["first"]
                gradients = _map(lambda g: g + extra, gradients)
            return value, aux, gradients

        return both


@rejected_by("gradients/calls_are_independent")
class GradientsAddUp(_Afterwards):
    """A gradient is added to the one that the same parameters had before, as PyTorch does."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._sums: dict[int, tuple[Any, Any]] = {}

    def after(self, params: Any, value: Any, aux: Any, gradients: Any) -> Any:
        return value, aux, self._add(params, gradients)

    def _add(self, params: Any, gradients: Any) -> Any:
        if isinstance(params, dict):
            return {name: self._add(params[name], gradients[name]) for name in params}
        before = self._sums.get(id(params), (params, 0.0))[1]
        self._sums[id(params)] = (params, gradients + before)
        return (gradients + before).astype(gradients.dtype)


@rejected_by("gradients/calls_are_independent", "training/cached_gradients")
class OneGradientBuffer(_Afterwards):
    """``value_and_grad`` writes each parameter's gradient to the same memory every time."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._buffers: dict[Any, Any] = {}

    def after(self, params: Any, value: Any, aux: Any, gradients: Any) -> Any:
        return value, aux, self._write(gradients, ())

    def _write(self, tree: Any, path: tuple[str, ...]) -> Any:
        if isinstance(tree, dict):
            return {name: self._write(sub, (*path, name)) for name, sub in tree.items()}
        buffer = self._buffers.setdefault((path, tree.shape), np.empty_like(tree))
        buffer[...] = tree
        return buffer


@rejected_by("gradients/gradients_have_the_form_of_params")
class SortedLeaves(_Afterwards):
    """Gradients come in the order of sorted names, and are handed out in that of the dict."""

    def after(self, params: Any, value: Any, aux: Any, gradients: Any) -> Any:
        return value, aux, self._handed_out(gradients)

    def _handed_out(self, tree: Any) -> Any:
        if not isinstance(tree, dict):
            return tree
        return {k: self._handed_out(tree[other]) for k, other in zip(tree, sorted(tree))}


@rejected_by("gradients/stop_gradient")
class NothingStops(NumpyOps):
    """``stop_gradient`` does nothing."""

    def stop_gradient(self, x: Any) -> Any:
        return x


@rejected_by("gradients/compiled_functions", "training/compiled_step")
class ForgottenStep(NumpyOps):
    """A compiled function keeps its first result for ever."""

    def compile(self, fn: Any) -> Any:
        kept: list[Any] = []

        def compiled(*args: Any) -> Any:
            if not kept:
                kept.append(fn(*args))
            return kept[0]

        return compiled


@rejected_by("gradients/compiled_functions", "training/compiled_step")
class BakedNumbers(NumpyOps):
    """A compiled function keeps the 0-d arrays of its first call: a margin, a learning rate."""

    def compile(self, fn: Any) -> Any:
        kept: dict[Any, Any] = {}

        def bake(tree: Any, path: tuple[Any, ...]) -> Any:
            if isinstance(tree, dict):
                return {k: bake(v, (*path, k)) for k, v in tree.items()}
            return kept.setdefault(path, tree) if np.ndim(tree) == 0 else tree

        return lambda *args: fn(*(bake(arg, (i,)) for i, arg in enumerate(args)))


@rejected_by("gradients/compiled_functions")
class FirstShape(NumpyOps):
    """A compiled function cuts its arrays to as many rows as the first call had."""

    def compile(self, fn: Any) -> Any:
        rows: dict[int, int] = {}

        def cut(i: int, arg: Any) -> Any:
            if isinstance(arg, dict) or np.ndim(arg) == 0:
                return arg
            return arg[: rows.setdefault(i, arg.shape[0])]

        return lambda *args: fn(*(cut(i, arg) for i, arg in enumerate(args)))


@rejected_by("gradients/compiled_functions")
class ConstantsOfTheFirstCall(NumpyOps):
    """A compiled function takes whole numbers, such as a random key, for constants."""

    def compile(self, fn: Any) -> Any:
        kept: dict[int, Any] = {}

        def bake(i: int, arg: Any) -> Any:
            whole = not isinstance(arg, dict) and getattr(arg, "dtype", np.dtype("f4")).kind in "iu"
            return kept.setdefault(i, arg) if whole else arg

        return lambda *args: fn(*(bake(i, arg) for i, arg in enumerate(args)))


@rejected_by("gradients/checkpoint")
class CheckpointIsConstant(NumpyOps):
    """What a checkpointed function gives is a constant to differentiation."""

    def checkpoint(self, fn: Any) -> Any:
        return lambda *args: _map(getval, fn(*args))


@rejected_by("gradients/checkpoint_of_trees", "training/recomputed_layers")
class CheckpointOfArraysOnly(NumpyOps):
    """``checkpoint`` differentiates arrays, and takes a dict for a constant."""

    def checkpoint(self, fn: Any) -> Any:
        def again(*args: Any) -> Any:
            return fn(*(_map(getval, a) if isinstance(a, dict) else a for a in args))

        return again


@rejected_by("gradients/checkpoint_of_trees", "training/recomputed_layers")
class CheckpointDropsTheRest(NumpyOps):
    """``checkpoint`` gives zeros for what is returned beside the first array."""

    def checkpoint(self, fn: Any) -> Any:
        def again(*args: Any) -> Any:
            out = fn(*args)
            if not isinstance(out, tuple):
                return out
            return out[0], *(_map(lambda x: 0.0 * x, rest) for rest in out[1:])

        return again
