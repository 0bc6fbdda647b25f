"""Settings: what is refused, and that they survive a round trip."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from dtgcnn import DTGCNN, DTGCNNConfig
from dtgcnn.config.description import GROUPS, describe_settings
from dtgcnn.config.files import parse_value, read_settings, write_settings
from dtgcnn.config.rules import rule_of
from dtgcnn.config.templates import LARGE, MEDIUM, SMALL, suggest, template_of

FIELDS = {field.name: field.default for field in dataclasses.fields(DTGCNNConfig)}
OTHERS: dict[str, Any] = {
    **{"input_dim": 5, "hidden_dims": (4, 3), "num_gcn_layers": 2, "output_dim": 2},
    **{"gcn_activation": "tanh", "use_batch_norm": True, "dropout_rate": 0.25},
    **{"normalize_output": False, "initializer": "he_normal", "graph_k_neighbors": 3},
    **{"graph_similarity_threshold": -0.5, "graph_self_weight": None, "graph_scope": "batch"},
    **{"dynamic_graph_update_freq": 4, "bank_size": 99, "triplet_margin": 0.3},
    **{"target_margin": 0.4, "loss": "focal", "triplet_distance": "squared"},
    **{"triplet_swap": True, "soft_margin": True, "focal_gamma": 1.5, "temperature": 0.2},
    **{"uniformity_weight": 0.1, "loss_reduction": "sum", "mining_strategy": "explicit"},
    **{"batch_size": 33, "gradient_accumulation_steps": 3, "gradient_accumulation": "plain"},
    **{"samples_per_class": 5, "num_epochs": 7, "optimizer": "sgd", "learning_rate": 1e-7},
    **{"momentum": 0.5, "weight_decay": 0.0, "warmup_epochs": 0.5, "warmup_steps": 0},
    **{"scheduler": "step", "scheduler_step_size": 2, "scheduler_gamma": 1.0},
    **{"gradient_clip_val": float("inf"), "early_stopping_patience": 3},
    **{"mixed_precision": "bfloat16", "gradient_checkpointing": True},
    **{"adaptive_batch_size": True, "offload_optimizer": True, "cache_limit": 0},
    **{"clear_cache_every": 8, "num_workers": 2, "prefetch_factor": 5},
    **{"vocab_size": 100, "max_length": 7},
    "standardize": True,
    **{"start": "none", "code_weight": 0.0, "start_weight": 0.5, "propagation_hops": 2},
    **{"persistent_workers": True, "device": "cpu", "num_threads": 1, "seed": 2**40},
    **{"batch_parts": 4, "process_timeout": 5.0},
}
"""For every field another value than its default."""
NEEDED: dict[str, dict[str, Any]] = {
    "max_length": {"vocab_size": 90},
    "num_gcn_layers": {"hidden_dims": (4, 3)},
    "focal_gamma": {"loss": "focal"},
    "temperature": {"loss": "supcon"},
    "uniformity_weight": {"loss": "batch_all"},
    "momentum": {"optimizer": "sgd"},
    "scheduler_step_size": {"scheduler": "step"},
    "scheduler_gamma": {"scheduler": "exponential"},
    "prefetch_factor": {"num_workers": 1},
    "persistent_workers": {"num_workers": 1},
    "gradient_accumulation": {"gradient_accumulation_steps": 2},
}
"""What must stand beside a field, so that it has an effect."""


def config_with(name: str) -> DTGCNNConfig:
    return DTGCNNConfig(**{**NEEDED.get(name, {}), name: OTHERS[name]})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dropout": 0.1}, "unknown setting 'dropout'; did you mean 'dropout_rate'?"),
        ({"dropout_rate": 1.0}, r"dropout_rate must be a number in \[0.0, 1.0\), received 1.0"),
        ({"learning_rate": "fast"}, "learning_rate must be a number .* received 'fast'"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number .* received nan"),
        ({"graph_k_neighbors": 0}, "graph_k_neighbors must be a whole number of at least 1"),
        ({"graph_k_neighbors": 2.5}, "graph_k_neighbors must be a whole number .* received 2.5"),
        ({"graph_self_weight": 0.0}, r"graph_self_weight must be a number in \(0.0, 1.0\]"),
        ({"loss": "supcon", "mining_strategy": "batch_hard"}, "mining_strategy must be auto: the"),
        ({"loss": "soupcon"}, "loss must be one of triplet, focal, .* received 'soupcon'"),
        ({"hidden_dims": 64}, "hidden_dims must be a list of widths, received 64"),
        ({"hidden_dims": []}, "hidden_dims must name one width or more"),
        ({"hidden_dims": [64, 0]}, "hidden_dims must be a whole number of at least 1, received 0"),
        ({"graph_scope": "world"}, "graph_scope must be one of bank, batch, received 'world'"),
        ({"use_batch_norm": 1}, "use_batch_norm must be true or false, received 1"),
        ({"seed": True}, "seed must be a whole number of at least 0, received True"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        DTGCNNConfig.from_dict(settings)


def test_round_trip_through_json() -> None:
    config = DTGCNNConfig(hidden_dims=(64, 32), graph_self_weight=None, seed=7)
    assert DTGCNNConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_hidden_dim_times_layers() -> None:
    widths = {"input_dim": 8, "hidden_dim": 4, "num_gcn_layers": 2, "output_dim": 3}
    model = DTGCNN(**widths, start="none", backend="numpy")
    assert model.config.hidden_dims == (4, 4)
    assert model.num_parameters == (8 * 4 + 3 * 4) + (4 * 4 + 3 * 4) + (4 * 3 + 3)
    model = DTGCNN(**widths, backend="numpy")  # whose nodes are embeddings
    assert model.config.hidden_dims == (4, 4)
    assert model.num_parameters == (3 * 4 + 3 * 4) + (4 * 4 + 3 * 4) + (4 * 3 + 3)


def test_the_width_of_the_nodes() -> None:
    widths = {"input_dim": 8, "output_dim": 3}
    for settings, has_start, width in (
        ({}, True, 3),
        ({"start": "none"}, False, 8),
        ({"vocab_size": 40}, False, 8),
        ({"vocab_size": 40, "start": "none"}, False, 8),
    ):
        config = DTGCNNConfig(**widths, **settings)
        assert (config.has_start, config.node_width) == (has_start, width)


def test_the_defaults_of_the_start() -> None:
    config = DTGCNNConfig()
    assert (config.start, config.code_weight, config.start_weight) == ("closed_form", 1.5, 0.3)
    assert (config.propagation_hops, config.output_dim) == (0, 256)
    assert config.graph_self_weight == 0.8


@pytest.mark.parametrize("name", ["code_weight", "start_weight"])
def test_a_weight_of_no_start_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} .*start"):
        DTGCNNConfig(start="none", **{name: 0.25})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"hidden_dim": 4, "hidden_dims": (4,)}, "hidden_dim must not be given beside hidden_dims"),
        ({"hidden_dims": (4, 4), "num_gcn_layers": 3}, "num_gcn_layers contradicts"),
        ({"hiden_dim": 4}, "unknown setting 'hiden_dim'"),
    ],
)
def test_contradictions_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DTGCNN(backend="numpy", **settings)


def test_suggestions_follow_the_size() -> None:
    assert suggest(600, 4) == {"dropout_rate": 0.3, "num_epochs": 100}
    assert suggest(10_003, 71) == {"dropout_rate": 0.1, "num_epochs": 35}
    assert suggest(1_000_000, 7_000) == {"dropout_rate": 0.1, "num_epochs": 10}


@pytest.mark.parametrize(
    ("steps", "epochs"), [(0, 50), (1, 50), (4, 50), (5, 40), (71, 3), (100, 2), (7_000, 2)]
)
def test_what_adds_to_a_start_needs_few_steps(steps: int, epochs: int) -> None:
    assert suggest(600, steps, started=True) == {"num_epochs": epochs}
    assert suggest(1_000_000, steps, started=True) == {"num_epochs": epochs}


def test_triplets_are_compared_softly_and_take_more_steps() -> None:
    soft = {"loss": "info_nce", "temperature": 0.2}
    assert suggest(600, 19, started=True, triplets=True) == {"num_epochs": 42, **soft}
    assert suggest(600, 4, triplets=True) == {"dropout_rate": 0.3, "num_epochs": 100, **soft}


def test_no_field_is_forgotten_here() -> None:
    assert FIELDS.keys() == OTHERS.keys()
    assert all(OTHERS[name] != FIELDS[name] for name in FIELDS)


@pytest.mark.parametrize("suffix", ["toml", "json"])
@pytest.mark.parametrize("name", FIELDS)
def test_round_trip_through_a_file(tmp_path: Path, name: str, suffix: str) -> None:
    config = config_with(name)
    assert getattr(config, name) == OTHERS[name]
    config.save(tmp_path / f"config.{suffix}")
    assert DTGCNNConfig.load(tmp_path / f"config.{suffix}") == config
    assert config.replace() == config


def test_kipf_is_none(tmp_path: Path) -> None:
    for content in ('graph_self_weight = "kipf"', "graph_self_weight = 0.5"):
        (tmp_path / "c.toml").write_text(content)
        value = DTGCNNConfig.load(tmp_path / "c.toml").graph_self_weight
        assert value == (None if "kipf" in content else 0.5)
    (tmp_path / "c.json").write_text('{"graph_self_weight": null}')
    assert DTGCNNConfig.load(tmp_path / "c.json").graph_self_weight is None


@pytest.mark.parametrize("suffix", ["toml", "json"])
@pytest.mark.parametrize("own", ["adaptive", None, 0.5])
def test_a_nodes_own_share_survives_a_file(tmp_path: Path, own: Any, suffix: str) -> None:
    path = tmp_path / f"c.{suffix}"
    DTGCNNConfig(graph_self_weight=own).save(path)
    assert DTGCNNConfig.load(path).graph_self_weight == own
    with pytest.raises(ValueError, match="did you mean 'adaptive'"):
        DTGCNNConfig.from_dict({"graph_self_weight": "adaptiv"})


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_a_config_file_is_written_whole_or_not_at_all(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"config.{suffix}"
    DTGCNNConfig(seed=3).save(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        DTGCNNConfig(seed=4).save(path)
    assert DTGCNNConfig.load(path).seed == 3
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


# Types, ranges and choices

WRONG: dict[str, tuple[Any, ...]] = {
    "a whole number of at least 0": (-1, 0.5, True, "3", [1]),
    "a whole number of at least 1": (0, -1, 1.5, True, "3"),
    "a whole number of at least 2": (1, 2.5, "x"),
    "true or false": (0, 1, "true", None),
    "a list of widths": (3, "4, 4", None, {"a": 1}),
    "a number in [0.0, 1.0)": (-0.1, 1.0, "x", None, True, float("nan")),
    "a number in (0.0, 1.0]": (0.0, 1.1, "x", True, float("nan")),
    "a number in (0.0, 1.0] or adaptive": (0.0, 1.1, "x", "Adaptive", True, float("nan")),
    "a number in [-1.0, 1.0]": (-1.1, 1.1, "x", None, float("nan")),
    "a number in (0.0, inf)": (0.0, -1.0, float("inf"), "x", True),
    "a number in [0.0, inf)": (-1e-9, float("inf"), "x", None),
    "a number in (0.0, inf]": (0.0, -1.0, "x", None),
    "a number in [0.0, 1000000.0]": (-0.5, 1e7, "x", None),
}
"""Values that each rule refuses."""


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_refuses_what_breaks_its_rule(name: str) -> None:
    rule = rule_of(name)
    wrong = ("no such choice", 7, None) if rule.startswith("one of") else WRONG[rule]
    for value in wrong:
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            DTGCNNConfig(**{name: value})
        shown = tuple(value) if isinstance(value, list) else value
        message = f"{name} must be {rule}, received {shown!r}"
        assert str(caught.value).startswith(message)


@pytest.mark.parametrize("name", FIELDS)
def test_every_field_has_a_line_of_help(name: str) -> None:
    lines = describe_settings().splitlines()
    at = lines.index(next(line for line in lines if line.startswith(f"# {name} = ")))
    rule, meaning = lines[at - 2 : at]
    assert rule.startswith(f"## {name}: {rule_of(name)}")
    assert meaning.startswith("## ")
    assert len(meaning.split()) > 2


def test_settings_stand_in_groups_that_hold_them_all() -> None:
    lines = describe_settings().splitlines()
    heads = [i for i, line in enumerate(lines) if line.startswith("#### ")]
    assert [lines[i][5:] for i in heads] == list(GROUPS.values())
    assert heads[0] == 0
    firsts = [lines[i + 2].split(":")[0][3:] for i in heads]
    assert firsts == list(GROUPS)


def test_yaml_settings_are_those_of_toml(tmp_path: Path) -> None:
    pytest.importorskip("yaml")
    path = tmp_path / "c.yaml"
    path.write_text("learning_rate: 1e-3\nhidden_dims: [64, 32]\nstart: none\nnum_threads: null\n")
    settings = read_settings(path)
    assert settings == {
        "learning_rate": 0.001,
        "hidden_dims": [64, 32],
        "start": "none",
        "num_threads": None,
    }
    config = DTGCNNConfig.from_dict(settings)
    write_settings(tmp_path / "again.yml", config.to_dict())
    assert DTGCNNConfig.from_dict(read_settings(tmp_path / "again.yml")) == config
    path.write_text("a: [1")
    with pytest.raises(ValueError, match=r"c\.yaml: not valid YAML: .*line 1"):
        read_settings(path)
    path.write_text("- a\n")
    with pytest.raises(ValueError, match="must hold settings by name, found list"):
        read_settings(path)


@pytest.mark.parametrize(
    ("settings", "nearest"),
    [
        ({"optimizer": "adamww"}, "adamw"),
        ({"optimizer": "AdamW"}, "adamw"),
        ({"scheduler": "onecycle"}, "one_cycle"),
        ({"mining_strategy": "batchhard"}, "batch_hard"),
        ({"loss": "info-nce"}, "info_nce"),
        ({"mixed_precision": "fp16"}, "float16"),
        ({"gcn_activation": "leaky_relu"}, "relu"),
        ({"dropuot_rate": 0.5}, "dropout_rate"),
    ],
)
def test_the_nearest_valid_choice_is_named(settings: dict[str, Any], nearest: str) -> None:
    for make in (DTGCNNConfig, DTGCNNConfig().replace):
        with pytest.raises(ValueError, match=rf"; did you mean '{nearest}'\?$"):
            make(**settings)


def test_where_nothing_is_near_it_says_where_to_look() -> None:
    with pytest.raises(ValueError, match="unknown setting 'lr'; `dtgcnn settings` lists them"):
        DTGCNNConfig(lr=0.1)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=r"device must be one of auto, cpu, gpu, received 'xyz'$"):
        DTGCNNConfig(device="xyz")


# Contradictions


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"momentum": 0.5}, "momentum must be 0.9: the optimizer 'adamw' makes no use of it, only "
         "sgd does, received 0.5"),
        ({"scheduler_gamma": 0.5}, "scheduler_gamma must be left out: the scheduler 'cosine'"),
        ({"scheduler_step_size": 3}, "scheduler_step_size must be 10: the scheduler 'cosine'"),
        ({"scheduler": "one_cycle", "warmup_epochs": 3}, "warmup_epochs must be 1.0: the"),
        ({"scheduler": "one_cycle", "warmup_steps": 3}, "warmup_steps must be left out: the"),
        ({"warmup_epochs": 2, "warmup_steps": 9}, "warmup_steps must not be given beside warmup_"),
        ({"loss": "supcon", "triplet_margin": 0.5}, "triplet_margin must be 0.2: the loss"),
        ({"loss": "circle", "target_margin": 0.5}, "target_margin must be left out: the loss"),
        ({"loss": "circle", "temperature": 0.5}, "temperature must be 0.1: .* supcon, info_nce do"),
        ({"loss": "batch_all", "mining_strategy": "semi_hard"}, "mining_strategy must be auto"),
        ({"loss": "batch_all", "soft_margin": True}, "soft_margin must be False: .* triplet does"),
        ({"loss": "focal", "soft_margin": True}, "soft_margin must be False: the loss 'focal'"),
        ({"loss": "batch_all", "triplet_swap": True}, "triplet_swap must be False: the loss"),
        ({"focal_gamma": 1.0}, "focal_gamma must be 2.0: the loss 'triplet'"),
        ({"uniformity_weight": 1.0}, "uniformity_weight must be 0.0: the loss 'triplet'"),
        ({"graph_scope": "batch", "dynamic_graph_update_freq": 2}, "dynamic_graph_update_freq m"),
        ({"persistent_workers": True}, "persistent_workers must be False: num_workers = 0 has no"),
        ({"prefetch_factor": 4}, "prefetch_factor must be 2: num_workers = 0 has no threads"),
        ({"gradient_accumulation": "plain"}, "gradient_accumulation must be cached: gradient_accum"
         "ulation_steps = 1 makes a step of each batch, received 'plain'"),
    ],
)  # fmt: skip
def test_settings_without_effect_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DTGCNNConfig(**settings)


def test_no_warm_up_suits_every_schedule() -> None:
    config = DTGCNNConfig(scheduler="one_cycle", warmup_epochs=0, warmup_steps=0)
    assert DTGCNNConfig(warmup_epochs=0, warmup_steps=5).warmup_steps == 5
    assert config.replace(scheduler="cosine").warmup_epochs == 0


def test_a_wrong_number_of_layers_is_told_the_right_one() -> None:
    message = r"contradicts hidden_dims = \[8, 4\]: it must be 2, or be left out, received 3"
    with pytest.raises(ValueError, match=f"num_gcn_layers {message}"):
        DTGCNNConfig(hidden_dims=(8, 4), num_gcn_layers=3)


# Templates


def test_templates_have_the_values_of_the_guide() -> None:
    for config, expected in (
        (DTGCNNConfig.small(), (128, 5e-5, 100, 0.3, 1e-4, 5, 10, False, 1)),
        (DTGCNNConfig.medium(), (512, 1e-4, 50, 0.1, 1e-5, 10, None, False, 2)),
        (DTGCNNConfig.large(), (1024, 2e-4, 20, 0.05, 1e-6, 20, None, "float16", 4)),
    ):
        names: tuple[str, ...] = (
            "batch_size",
            "learning_rate",
            "num_epochs",
            "dropout_rate",
            "weight_decay",
        )
        names += ("graph_k_neighbors", "early_stopping_patience", "mixed_precision")
        names += ("gradient_accumulation_steps",)
        assert tuple(getattr(config, name) for name in names) == expected
    assert DTGCNNConfig.large(batch_size=64, seed=3).batch_size == 64
    with pytest.raises(ValueError, match="unknown setting 'batchsize'; did you mean 'batch_size'"):
        DTGCNNConfig.small(batchsize=3)


@pytest.mark.parametrize(
    ("rows", "template"),
    [(0, SMALL), (9_999, SMALL), (10_000, MEDIUM), (100_000, MEDIUM), (100_001, LARGE)],
)
def test_the_template_of_a_size(rows: int, template: dict[str, Any]) -> None:
    assert template_of(rows) is template
    assert DTGCNNConfig.for_size(rows) == DTGCNNConfig(**template)
    assert DTGCNNConfig.for_size(rows, num_epochs=2).num_epochs == 2


@pytest.mark.parametrize("rows", [-1, "many", 1.5, True])
def test_a_size_that_is_none(rows: Any) -> None:
    with pytest.raises(ValueError, match="num_samples must be a whole number of at least 0"):
        DTGCNNConfig.for_size(rows)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("c.toml", "seed = ", "c.toml: not valid TOML"),
        ("c.json", '{"seed": ', "c.json: not valid JSON"),
        ("c.json", "[1]", "c.json: must hold settings by name, found list"),
        ("c.toml", "sed = 1", "c.toml: unknown setting 'sed'; did you mean 'seed'"),
        ("c.ini", "seed: 1", "must end in .toml, .json or .yaml, received .*c.ini"),
        ("c.toml", "seed = -1", "seed must be a whole number of at least 0, received -1"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        DTGCNNConfig.load(tmp_path / name)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("inf", float("inf")), ("Infinity", float("inf")), ("None", None), ("null", None)),
        *(("[64, 32]", [64, 32]), ("true", True), ("1e-3", 1e-3), ("supcon", "supcon")),
        *(("'supcon'", "supcon"), ("1_000", 1000), ("", "")),
    ],
)
def test_values_are_read_as_toml_and_json_have_them(text: str, value: object) -> None:
    assert parse_value(text) == value


def test_a_saved_models_record_is_a_config_file(tmp_path: Path) -> None:
    model = DTGCNN(backend="numpy", input_dim=6, hidden_dims=[5], loss="supcon")
    model.save(tmp_path / "m")
    assert DTGCNNConfig.load(tmp_path / "m" / "config.json") == model.config
