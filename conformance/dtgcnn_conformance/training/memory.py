"""What saves memory and changes no number: recomputed hidden values, state at rest on the host."""

from __future__ import annotations

from dataclasses import replace

from dtgcnn.array.ops import ArrayOps, Tree
from dtgcnn.array.tree import flatten, tree_map
from dtgcnn.training.accumulation import AccumulatedStep

from ..comparison import require
from ..counting import Counting
from ..probe import Probe, to_device, to_host
from ..registry import check
from ..task import Task, rounded, task_of
from ..tolerances import RECOMPUTED
from .accumulation import whole


@check("training")
def recomputed_layers(probe: Probe) -> None:
    """Layers whose hidden values are recomputed have the same loss, state and gradients."""
    share = RECOMPUTED[probe.ops.dtype]
    for scope in ("batch", "bank"):
        for more in ({}, {"use_batch_norm": True}, {"mixed_precision": "bfloat16"}):
            task = task_of(probe.reference, graph_scope=scope, **more)
            again = replace(task, network=replace(task.network, recompute=True))
            expected = to_host(probe.ops, whole(probe.ops, task))
            counting = Counting(probe.ops)
            actual = whole(counting.ops, again)
            calls = counting.calls["checkpoint"]
            require(calls == len(task.network.layers), f"{calls} layers are recomputed")
            for name in ("metrics", "state", "gradients"):
                what = f"recomputed, {scope}, {more}, {name}"
                if flatten(expected[name]):
                    probe.relative(what, actual[name], expected[name], share)


@check("training")
def state_on_the_host(probe: Probe) -> None:
    """An optimiser state that rests on the host between steps gives the same bits on a CPU."""
    ops = probe.ops
    for precision in (False, "float16"):
        task = task_of(probe.reference, graph_scope="bank", mixed_precision=precision)
        step, start = task.stepper(ops), rounded(task.start, ops.dtype)
        device = to_device(ops, start)
        params, state, optimizer = (device[n] for n in ("params", "state", "optimizer"))
        other_params, other_state, at_rest = params, state, start["optimizer"]
        for number in range(3):
            given = to_device(ops, task.arguments(number))
            params, state, optimizer, _ = step(params, state, optimizer, *given.values())
            other_params, other_state, at_rest = _rested(
                ops, task, other_params, other_state, at_rest, given
            )
        expected = to_host(ops, {"params": params, "optimizer": optimizer})
        actual = {"params": other_params, "optimizer": to_device(ops, at_rest)}
        what = f"after three steps from the host, mixed_precision={precision}"
        if ops.device == "cpu":
            probe.same_bits(what, actual, expected)
        else:
            probe.relative(what, actual, expected, 1e-3)


def _rested(
    ops: ArrayOps, task: Task, params: Tree, state: Tree, at_rest: Tree, given: Tree
) -> tuple[Tree, Tree, Tree]:
    """A step that computes gradients before it fetches the optimiser's state from the host."""
    run, scale = AccumulatedStep(task.stepper(ops)), at_rest.get("loss_scale")
    gradients, state, _ = run.plain(
        params,
        state,
        [given["batch"]],
        given["sources"],
        given["key"],
        None if scale is None else ops.asarray(scale),
    )
    fetched = tree_map(ops.asarray, at_rest)
    params, optimizer, _ = run.update(params, fetched, gradients, given["rate"])
    ops.evaluate(params, optimizer)
    return params, state, to_host(ops, optimizer)
