"""Optimisers and learning-rate schedules: their first steps by hand, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from dtgcnn_numpy import NumpyOps

from dtgcnn.config.choices import OptimizerName, ScheduleName
from dtgcnn.optim.optimizers import Optimizer, adam, adamw, apply_updates, make_optimizer, sgd
from dtgcnn.optim.schedules import SCHEDULES, learning_rate_at

OPS = NumpyOps(dtype="float64")


def steps(optimizer: Optimizer, gradients: list[float], rate: float = 0.1) -> list[float]:
    """Where a parameter that starts at 2 is after each step."""
    params: Any = {"layer": {"w": OPS.asarray([2.0])}}
    state = optimizer.init(OPS, params)
    path = []
    for gradient in gradients:
        given = {"layer": {"w": OPS.asarray([gradient])}}
        updates, state = optimizer.update(OPS, given, state, params, OPS.asarray(rate))
        params = apply_updates(params, updates)
        path.append(float(params["layer"]["w"][0]))
    return path


def test_adams_first_step_is_the_learning_rate_whatever_the_gradient() -> None:
    for gradient in (1e-3, 5.0):
        assert steps(adam(), [gradient]) == pytest.approx([1.9], abs=1e-6)
        assert steps(adam(), [-gradient]) == pytest.approx([2.1], abs=1e-6)


def test_weight_decay_is_decoupled_in_adamw_and_part_of_the_gradient_in_adam() -> None:
    assert steps(adamw(weight_decay=0.5), [1.0]) == pytest.approx([2.0 - 0.1 - 0.1 * 0.5 * 2.0])
    assert steps(adamw(weight_decay=0.5), [0.0]) == pytest.approx([2.0 - 0.1 * 0.5 * 2.0])
    assert steps(adam(weight_decay=0.5), [0.0]) == pytest.approx([2.0 - 0.1])
    assert steps(adam(weight_decay=0.5), [-1.0]) == [2.0]
    gradients = [0.3, -2.0, 1.0]
    assert steps(adam(), gradients) == steps(adamw(weight_decay=0.0), gradients)


def test_sgd_by_hand() -> None:
    assert steps(sgd(), [1.0, 3.0]) == pytest.approx([1.9, 1.6])
    assert steps(sgd(weight_decay=0.5), [1.0]) == pytest.approx([2.0 - 0.1 * (1.0 + 0.5 * 2.0)])
    assert steps(sgd(0.9), [1.0, 3.0]) == pytest.approx([1.9, 1.9 - 0.1 * 3.9])
    look_ahead = [2.0 - 0.1 * 1.9, 2.0 - 0.1 * 1.9 - 0.1 * (3.0 + 0.9 * 3.9)]
    assert steps(sgd(0.9, nesterov=True), [1.0, 3.0]) == pytest.approx(look_ahead)


def test_sgd_without_momentum_keeps_no_state() -> None:
    assert sgd().init(OPS, {"w": OPS.zeros((2,))}) == {}
    assert set(sgd(0.9).init(OPS, {"w": OPS.zeros((2,))})) == {"m"}


@pytest.mark.parametrize("name", get_args(OptimizerName))
def test_an_optimiser_by_name_is_a_function_of_its_arrays(name: str) -> None:
    makers: dict[str, Callable[[], Optimizer]] = {
        "adamw": lambda: adamw(weight_decay=0.2),
        "adam": lambda: adam(weight_decay=0.2),
        "sgd": lambda: sgd(0.8, weight_decay=0.2),
    }
    gradients = [1.0, -0.5, 0.25]
    optimizer = make_optimizer(name, weight_decay=0.2, momentum=0.8)
    path = steps(optimizer, gradients)
    assert path == steps(makers[name](), gradients)
    assert path == steps(optimizer, gradients)


@pytest.mark.parametrize("name", get_args(OptimizerName))
def test_float32_stays_float32(name: str) -> None:
    ops = NumpyOps()
    params = {"w": ops.asarray([1.0, 2.0])}
    optimizer = make_optimizer(name, weight_decay=0.1)
    updates, state = optimizer.update(
        ops, {"w": ops.asarray([0.5, 0.0])}, optimizer.init(ops, params), params, ops.asarray(0.1)
    )
    assert updates["w"].dtype == np.float32
    assert state["m"]["w"].dtype == np.float32


def test_constants_out_of_range_are_refused() -> None:
    choices = "must be one of adamw, adam, sgd, received 'rmsprop'"
    with pytest.raises(ValueError, match=choices):
        make_optimizer("rmsprop", weight_decay=0.0)
    for name in get_args(OptimizerName):
        with pytest.raises(ValueError, match="weight_decay must be finite and at least 0"):
            make_optimizer(name, weight_decay=-0.1)
    with pytest.raises(ValueError, match=r"momentum must be in \[0, 1\), received 1.0"):
        sgd(1.0)
    with pytest.raises(ValueError, match="momentum must be above 0 with nesterov"):
        sgd(nesterov=True)
    with pytest.raises(ValueError, match=r"b2 must be in \[0, 1\), received 1.5"):
        adam(b2=1.5)
    with pytest.raises(ValueError, match="eps must be"):
        adamw(eps=-1.0)


def rate(step: int, schedule: str, **settings: Any) -> float:
    """Of 110 steps up to a rate of 2, the first ten of them warm-up."""
    return learning_rate_at(
        step, **{"peak": 2.0, "total_steps": 110, "warmup_steps": 10, **settings}, schedule=schedule
    )


def test_the_names_are_those_of_the_type() -> None:
    assert tuple(SCHEDULES) == get_args(ScheduleName)


@pytest.mark.parametrize("schedule", [name for name in SCHEDULES if name != "one_cycle"])
def test_every_schedule_is_warmed_up_in_a_line(schedule: str) -> None:
    values = [rate(step, schedule) for step in (0, 4, 9, 10)]
    assert values == pytest.approx([0.2, 1.0, 2.0, 2.0])
    assert rate(0, schedule, warmup_steps=0) == 2.0


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_schedule_stays_in_range_and_holds_its_end(schedule: str) -> None:
    values = [rate(step, schedule) for step in range(111)]
    assert max(values) <= 2.0
    assert min(values) >= 0.0
    after_peak = values[values.index(max(values)) :]
    assert after_peak == sorted(after_peak, reverse=True)
    assert rate(500, schedule) == values[-1]
    assert rate(0, schedule, total_steps=1, warmup_steps=0) > 0.0


def test_what_follows_the_warm_up() -> None:
    assert [rate(step, "constant") for step in (60, 110)] == [2.0, 2.0]
    assert [rate(step, "linear") for step in (60, 85, 110)] == pytest.approx([1.0, 0.5, 0.0])
    assert [rate(step, "cosine") for step in (60, 110)] == pytest.approx([1.0, 0.0])


def test_step_drops_and_exponential_decays_by_epochs_after_the_warm_up() -> None:
    drops = [rate(step, "step", steps_per_epoch=5, step_size=4) for step in (29, 30, 49, 50)]
    assert drops == pytest.approx([2.0, 0.2, 0.2, 0.02])
    assert rate(16, "step", step_size=3, gamma=0.5) == pytest.approx(0.5)
    decays = [rate(step, "exponential", steps_per_epoch=5, gamma=0.5) for step in (14, 15, 20)]
    assert decays == pytest.approx([2.0, 1.0, 0.5])
    assert rate(11, "exponential") == pytest.approx(1.9)


def test_one_cycle_brings_its_own_warm_up() -> None:
    values = [rate(step, "one_cycle", warmup_steps=0) for step in range(110)]
    assert values[0] == pytest.approx(2.0 / 25)
    assert values[32] == pytest.approx(2.0)
    assert values[-1] == pytest.approx(2.0 / 25 / 1e4)
    assert values == [rate(step, "one_cycle", warmup_steps=10) for step in range(110)]


def test_settings_out_of_range_are_refused() -> None:
    choices = f"must be one of {', '.join(SCHEDULES)}, received 'plateau'"
    with pytest.raises(ValueError, match=choices):
        rate(0, "plateau")
    with pytest.raises(ValueError, match=r"gamma must be in \(0, 1\], received 0.0"):
        rate(0, "exponential", gamma=0.0)
    with pytest.raises(ValueError, match="step_size must be at least 1, received 0"):
        rate(0, "step", step_size=0)
    with pytest.raises(ValueError, match="steps_per_epoch must be at least 1, received 0"):
        rate(0, "step", steps_per_epoch=0)


def test_warm_up_then_cosine() -> None:
    def rate(step: int, schedule: str = "cosine") -> float:
        return learning_rate_at(step, peak=2.0, total_steps=110, warmup_steps=10, schedule=schedule)

    assert [rate(0), rate(4), rate(9), rate(10)] == pytest.approx([0.2, 1.0, 2.0, 2.0])
    assert [rate(60), rate(110)] == pytest.approx([1.0, 0.0])
    assert rate(60, "constant") == 2.0
