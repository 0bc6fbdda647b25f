"""Initial weights, dropout and norms: distributions against PyTorch's, bits across backends."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest

from dtgcnn import DTGCNN, DTGCNNConfig, Trainer, TripletDataset, load_ops
from dtgcnn.array.random import derive_key
from dtgcnn.array.tree import flatten
from dtgcnn.config.choices import Initializer
from dtgcnn.model.layers import BatchNorm, LayerNorm, dropout, initial_weight

from ..conftest import PLAIN, blobs

OPS = load_ops("numpy")
FAN_IN, FAN_OUT = 300, 200


def key(ops: Any, *path: int | str) -> Any:
    return ops.asarray(derive_key(7, *path), "uint32")


def weight(ops: Any, initializer: str) -> Any:
    return ops.to_numpy(
        initial_weight(ops, key(ops, initializer), FAN_IN, FAN_OUT, initializer)  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("initializer", get_args(Initializer))
def test_weights_have_torchs_distribution(initializer: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    stats = pytest.importorskip("scipy.stats", reason="SciPy is not installed")
    fill = {
        "xavier_uniform": torch.nn.init.xavier_uniform_,
        "xavier_normal": torch.nn.init.xavier_normal_,
        "he_uniform": lambda w: torch.nn.init.kaiming_uniform_(w, nonlinearity="relu"),
        "he_normal": lambda w: torch.nn.init.kaiming_normal_(w, nonlinearity="relu"),
    }[initializer]
    ours = weight(OPS, initializer)
    torch.manual_seed(0)
    theirs = fill(torch.empty(FAN_OUT, FAN_IN)).numpy()  # torch's is (out, in)
    assert ours.shape == (FAN_IN, FAN_OUT)
    assert ours.dtype == np.float32
    assert ours.std() == pytest.approx(theirs.std(), rel=0.01)
    deviation = math.sqrt(2.0 / (FAN_IN + FAN_OUT if "xavier" in initializer else FAN_IN))
    assert ours.std() == pytest.approx(deviation, rel=0.01)
    if "uniform" in initializer:
        bound = math.sqrt(3.0) * deviation
        assert 0.999 * bound < np.abs(ours).max() <= bound
        law = stats.uniform(-bound, 2.0 * bound)
    else:
        law = stats.norm(0.0, deviation)
    assert stats.kstest(ours.ravel(), law.cdf).pvalue > 0.01
    assert stats.ks_2samp(ours.ravel(), theirs.ravel()).pvalue > 0.01
    # Rows, columns and neighbours are not alike.
    for other in (np.roll(ours, 1, 0), np.roll(ours, 1, 1)):
        assert abs(np.corrcoef(ours.ravel(), other.ravel())[0, 1]) < 0.02


@pytest.mark.mlx
@pytest.mark.parametrize("initializer", get_args(Initializer))
def test_weights_are_the_same_bits_on_both_backends(initializer: str) -> None:
    pytest.importorskip("mlx.core", reason="MLX is not installed")
    assert weight(OPS, initializer).tobytes() == weight(load_ops("mlx"), initializer).tobytes()
    models = [
        DTGCNN(backend=name, **{**PLAIN, "initializer": initializer}) for name in ("numpy", "mlx")
    ]
    first, second = (
        {n: m.ops.to_numpy(v).tobytes() for n, v in flatten(m.params).items()} for m in models
    )
    assert first == second


def test_a_model_starts_from_the_initialiser_that_its_config_names() -> None:
    starts = {}
    for name in get_args(Initializer):
        config = DTGCNNConfig(
            input_dim=200, hidden_dims=(100, 100), output_dim=128, start="none", initializer=name
        )
        params = flatten(DTGCNN(config, backend="numpy").params)
        starts[name] = {n: leaf for n, leaf in params.items() if n.endswith("linear.weight")}
        fans = {"gcn.0.linear.weight": (200, 100), "gcn.1.linear.weight": (100, 100)}
        for weight_name, (fan_in, fan_out) in fans.items():
            fan = fan_in + fan_out if "xavier" in name else fan_in
            assert params[weight_name].std() == pytest.approx(math.sqrt(2.0 / fan), rel=0.05)
        assert params["head.weight"].shape == (100, 128)
        assert not params["head.bias"].any()
        assert not np.array_equal(
            params["gcn.1.linear.weight"], params["gcn.0.linear.weight"][:100]
        )
    uniform = np.abs(starts["he_uniform"]["gcn.1.linear.weight"]).max()
    assert uniform < np.abs(starts["he_normal"]["gcn.1.linear.weight"]).max()


def test_an_unknown_initialiser_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"must be one of xavier_uniform, .*, received 'orthogonal'"
    ):
        initial_weight(OPS, key(OPS), 2, 2, "orthogonal")  # type: ignore[arg-type]


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_its_rate_and_keeps_the_mean(rate: float, backend: str) -> None:
    ops = load_ops(backend)
    x = np.random.default_rng(0).normal(size=(400, 250)).astype(np.float32) + 3.0
    out = ops.to_numpy(dropout(ops, ops.asarray(x), rate, key(ops, "dropout")))
    lost = out == 0.0
    spread = math.sqrt(rate * (1.0 - rate) / x.size)
    assert abs(lost.mean() - rate) < 4.0 * spread + 2.0**-17
    np.testing.assert_allclose(out[~lost], (x / (1.0 - rate))[~lost], rtol=1e-6)
    assert out.mean() == pytest.approx(x.mean(), rel=0.03)
    assert abs(np.corrcoef(lost[:, :-1].ravel(), lost[:, 1:].ravel())[0, 1]) < 0.02
    other = ops.to_numpy(dropout(ops, ops.asarray(x), rate, key(ops, "other")))
    assert not np.array_equal(out, other)
    reference = dropout(OPS, x, rate, key(OPS, "dropout"))
    assert np.array_equal(reference == 0.0, lost)  # the same mask on every backend


def test_dropout_is_for_training_only(backend: str) -> None:
    ops = load_ops(backend)
    x = ops.asarray(blobs()[0])
    assert dropout(ops, x, 0.5, None) is x
    assert dropout(ops, x, 0.0, key(ops)) is x
    models = [DTGCNN(backend=backend, **{**PLAIN, "dropout_rate": r}) for r in (0.0, 0.9)]
    for model in models:
        model.build_bank(blobs()[0], [0] * 80)
    first, second, again = (m.encode(blobs()[0]) for m in (*models, models[1]))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(second, again)


def trained(backend: str, **settings: Any) -> DTGCNN:
    loader, _ = TripletDataset.from_arrays(*blobs()).create_dataloaders(24, 1.0)
    model = DTGCNN(backend=backend, **{**PLAIN, **settings})
    Trainer(model, train_loader=loader, progress=False).train()
    return model


def test_dropout_acts_in_training(backend: str) -> None:
    ends = [flatten(trained(backend, dropout_rate=r, num_epochs=1).params) for r in (0.0, 0.4)]
    gap = np.abs(
        np.array(ends[0]["gcn.0.linear.weight"]) - np.array(ends[1]["gcn.0.linear.weight"])
    )
    assert gap.max() > 1e-4


def test_batch_norm_is_torchs_on_both_backends(backend: str) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    ops, norm, theirs = load_ops(backend), BatchNorm(6), torch.nn.BatchNorm1d(6)
    rng = np.random.default_rng(0)
    scale, shift = rng.normal(size=6), rng.normal(size=6)
    params = {"weight": ops.asarray(scale), "bias": ops.asarray(shift)}
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(scale))
        theirs.bias.copy_(torch.tensor(shift))
    state = norm.init_state(ops)
    for step in range(6):
        x = (2.0 * rng.normal(size=(10 + step, 6)) + step).astype(np.float32)
        theirs.train()
        y, state = norm(ops, params, state, ops.asarray(x), True)
        expected = theirs(torch.tensor(x)).detach().numpy()
        np.testing.assert_allclose(ops.to_numpy(y), expected, rtol=1e-4, atol=1e-5)
        theirs.eval()
        y, kept = norm(ops, params, state, ops.asarray(x), False)
        expected = theirs(torch.tensor(x)).detach().numpy()
        np.testing.assert_allclose(ops.to_numpy(y), expected, rtol=1e-4, atol=1e-5)
        assert kept is state  # evaluation leaves the statistics alone
    np.testing.assert_allclose(ops.to_numpy(state["mean"]), theirs.running_mean, rtol=1e-5)
    np.testing.assert_allclose(ops.to_numpy(state["var"]), theirs.running_var, rtol=1e-5)


def test_training_moves_running_statistics_and_encoding_uses_them(backend: str) -> None:
    model = trained(backend, use_batch_norm=True)
    stats = {name: np.array(leaf) for name, leaf in flatten(model.state).items()}
    assert sorted(stats) == [
        f"gcn.{layer}.norm.{name}" for layer in "01" for name in ("mean", "var")
    ]
    assert all(np.abs(leaf - name.endswith("var")).max() > 0.01 for name, leaf in stats.items())
    before = model.encode(blobs()[0])
    unmoved = {name: np.array(leaf) for name, leaf in flatten(model.state).items()}
    assert all(np.array_equal(stats[name], unmoved[name]) for name in stats)
    norm = model.state["gcn"]["0"]["norm"]
    norm["mean"] = norm["mean"] + 1.0
    assert np.abs(model.encode(blobs()[0]) - before).max() > 0.01
    assert flatten(trained(backend).state) == {}  # layer norm has none


def test_layer_norm_is_the_same_in_training_and_evaluation(backend: str) -> None:
    ops, norm = load_ops(backend), LayerNorm(12)
    x = ops.asarray(blobs()[0])
    params = norm.init(ops)
    train, evaluation = (norm(ops, params, {}, x, training)[0] for training in (True, False))
    np.testing.assert_array_equal(ops.to_numpy(train), ops.to_numpy(evaluation))
