"""Every optimiser under the rates of every schedule, plain and compiled."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_args

from dtgcnn.array.ops import ArrayOps
from dtgcnn.config.choices import OptimizerName
from dtgcnn.optim.optimizers import make_optimizer
from dtgcnn.optim.schedules import SCHEDULES, learning_rate_at

from ..comparison import require
from ..probe import Probe, to_host
from ..registry import CheckFunction, check
from .formulas import RATES, step_of, train


def rates_of(schedule: str) -> list[float]:
    """Twenty rates behind a warm-up; a schedule that has drops has one every five steps."""
    steps = len(RATES)
    rates = [
        learning_rate_at(
            step,
            peak=0.03,
            total_steps=steps,
            warmup_steps=3,
            schedule=schedule,
            steps_per_epoch=5,
            step_size=1,
        )
        for step in range(steps)
    ]
    require(len(set(rates)) > 2, f"the rates of {schedule!r} hardly change: {rates}")
    return rates


def compile_really(ops: ArrayOps, fn: Callable[..., Any]) -> Callable[..., Any]:
    """``fn`` compiled, by a twin of the backend that compiles where this one does not.

    A twin is made where the backend's class takes ``compile``.
    """
    compiled = ops.compile(fn)
    options = inspect.signature(type(ops)).parameters
    if compiled is not fn or "compile" not in options:
        return compiled
    factory: Any = type(ops)
    twin: ArrayOps = factory(device=ops.device, dtype=ops.dtype, compile=True)
    return twin.compile(fn)


def _check_of(name: str) -> CheckFunction:
    optimizer = make_optimizer(name, weight_decay=0.1)

    def hold_all(probe: Probe) -> None:
        plain = step_of(probe.ops, optimizer)
        steps = {"plain": plain, "compiled": compile_really(probe.ops, plain)}
        for schedule in SCHEDULES:
            rates = rates_of(schedule)
            params, state = train(probe.reference, optimizer, rates)
            for how, step in steps.items():
                what = f"{name} under {schedule!r} rates, {how}"
                own_params, own_state = train(probe.ops, optimizer, rates, step)
                probe.values(f"parameters of {what}", own_params, to_host(probe.reference, params))
                probe.values(f"state of {what}", own_state, to_host(probe.reference, state))

    hold_all.__name__ = f"{name}_under_every_schedule"
    hold_all.__doc__ = f"Steps of {name!r}, plain and compiled, follow the rates of every schedule."
    return hold_all


for _name in get_args(OptimizerName):
    check("optimisers")(_check_of(_name))
