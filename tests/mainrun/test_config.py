from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainrun.config import Config, build_config, find_changes, is_same_setting, shorten_key
from mainrun.optim.optimizers import OPTIMIZERS
from mainrun.optim.schedules import SCHEDULES
from mainrun.record.errors import RequestError
from mainrun.settings import Value, unknown_name

SCALE = {"data.num_titles": 300, "data.vocab_size": 300, "model.n_layer": 1, "model.n_head": 2, "model.d_model": 16,
         "model.block_size": 8, "training.batch_size": 4}  # fmt: skip
ADAMW: dict[str, Value] = {"optimizer.name": "adamw", "optimizer.learning_rate": 0.01, "optimizer.beta2": 0.8}


def build(**settings: str) -> Config:
    return build_config(SCALE, settings)


def build_error(**settings: str) -> str:
    with pytest.raises(RequestError) as raised:
        build(**settings)
    return str(raised.value)


def find_setting_changes(before: Config, after: Config) -> dict[str, tuple[object, object]]:
    return find_changes(before.flatten(), after.flatten())


def test_without_settings_a_config_is_its_scale_and_the_baseline() -> None:
    assert build().flatten() == {
        **SCALE,
        "data.val_fraction": 0.1,
        "data.tokenizer": "bpe",
        "model.dropout": 0.1,
        "model.dropout_embedding": None,
        "model.dropout_attention": None,
        "model.positions": "learned",
        "model.attention": "window",
        "model.mlp": "gelu",
        "model.biases": True,
        "model.residual_init": "plain",
        "model.shifts": False,
        "optimizer.name": "sgd",
        "optimizer.learning_rate": 6e-3,
        "optimizer.momentum": 0.0,
        "optimizer.weight_decay": 0.0,
        "schedule.name": "cosine",
        "schedule.warmup_fraction": 0.0,
        "training.epochs": 7,
        "training.grad_clip": 1.0,
        "training.order": "fixed",
        "training.rdrop": 0.0,
        "training.evals_per_epoch": 3,
    }


def test_settings_replace_just_what_they_name_and_keep_its_type() -> None:
    before = build()
    after = build(**{"model.n_layer": "3", "learning_rate": "1e-3", "weight_decay": "1", "training.epochs": "2"})
    assert find_setting_changes(before, after) == {
        "model.n_layer": (1, 3),
        "optimizer.learning_rate": (6e-3, 1e-3),
        "optimizer.weight_decay": (0.0, 1.0),
        "training.epochs": (7, 2),
    }
    assert [type(value) for value in after.flatten().values()] == [type(value) for value in before.flatten().values()]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_config_is_built_again_from_its_flat_form_and_each_short_name_means_one_setting(
    optimizer: str, schedule: str
) -> None:
    flat = build(optimizer=optimizer, schedule=schedule).flatten()
    assert build_config(SCALE, {key: str(value) for key, value in flat.items()}).flatten() == flat
    assert set(Counter(map(shorten_key, flat)).values()) == {1}
    short = {shorten_key(key): str(value) for key, value in flat.items()}
    assert build_config(SCALE, short).flatten() == flat


@pytest.mark.parametrize("key", ["optimizer.learning_rate", "learning_rate", "lr"])
def test_a_setting_has_a_full_and_a_short_name(key: str) -> None:
    assert build(**{key: "0.5"}).optimizer.learning_rate == 0.5


@pytest.mark.parametrize("key", ["optimizer", "optimizer.name"])
def test_another_optimizer_brings_its_own_defaults_and_other_settings_apply_to_it(key: str) -> None:
    changed = build_config({**SCALE, "optimizer.momentum": 0.9}, {"weight_decay": "0.3", key: "adamw"})
    assert {key: value for key, value in changed.flatten().items() if key.startswith("optimizer.")} == {
        "optimizer.name": "adamw",
        "optimizer.learning_rate": 3e-4,
        "optimizer.beta1": 0.9,
        "optimizer.beta2": 0.95,
        "optimizer.eps": 1e-8,
        "optimizer.weight_decay": 0.3,
    }


def test_the_optimizer_a_recipe_has_already_keeps_what_the_recipe_says() -> None:
    unchanged = build_config({**SCALE, **ADAMW}, {"optimizer": "adamw"})
    assert unchanged == build_config({**SCALE, **ADAMW}, {})
    assert (unchanged.optimizer.learning_rate, unchanged.flatten()["optimizer.beta2"]) == (0.01, 0.8)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("optimizer.learning_rate", "learning_rate", True),
        ("optimizer.learning_rate", "lr", True),
        ("learning_rate", "lr", True),
        ("lr", "lr", True),
        ("optimizer", "optimizer.name", True),
        ("known.to.none", "none", True),
        ("learning_rate", "adamw_learning_rate", False),
        ("optimizer.eps", "model.eps", False),
        ("optimizer.name", "schedule.name", False),
        ("optimizer.name", "name", False),
        ("optimizer.lr", "learning_rate", False),
    ],
)
def test_two_names_mean_one_setting_where_one_is_the_last_part_or_an_alias_of_the_other(
    one: str, other: str, expected: bool
) -> None:
    assert is_same_setting(one, other) == is_same_setting(other, one) == expected


@pytest.mark.parametrize(
    ("values", "settings", "said"),
    [
        (ADAMW, {"momentum": "0.9"}, "'optimizer.momentum' is read by sgd and muon; this recipe has adamw."),
        (ADAMW, {"optimizer.momentum": "0.9"}, "'optimizer.momentum' is read by sgd and muon; this recipe has adamw."),
        ({}, {"beta1": "0.9"}, "The setting 'optimizer.beta1' is read by adamw; this recipe has sgd."),
        ({}, {"optimizer": "adamw", "momentum": "0.9"}, "read by sgd and muon; this recipe has adamw."),
        ({}, {"lr": "1", "learning_rate": "1"}, "The setting 'optimizer.learning_rate' is given twice"),
        ({}, {"optimizer": "adamw", "optimizer.name": "adamw"}, "The setting 'optimizer.name' is given twice"),
    ],
)  # fmt: skip
def test_a_setting_that_nothing_chosen_reads_and_one_given_twice_are_refused(
    values: dict[str, Value], settings: dict[str, str], said: str
) -> None:
    with pytest.raises(RequestError) as raised:
        build_config({**SCALE, **values}, settings)
    assert said in str(raised.value)


def test_a_short_name_that_two_sections_have_is_asked_for_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainrun.config.shorten_key", lambda key: "size" if key.endswith("_size") else key)
    said = "could be any of data.vocab_size, model.block_size, training.batch_size: give the full name."
    assert said in build_error(size="3")


@pytest.mark.parametrize(
    ("key", "nearest"),
    [("lerning_rate", "learning_rate"), ("n_layers", "n_layer"), ("dropuot", "dropout"), ("optimiser", "optimizer"),
     ("model.n_layers", "model.n_layer"), ("optimizer.lerning_rate", "optimizer.learning_rate")],
)  # fmt: skip
def test_an_unknown_setting_names_the_nearest_one(key: str, nearest: str) -> None:
    message = build_error(**{key: "1"})
    assert f"'{key}'" in message
    assert f"Did you mean '{nearest}'?" in message


def test_an_unknown_name_near_to_nothing_gives_no_hint_but_all_that_is_known() -> None:
    message = str(unknown_name("recipe", "zzz", ["baseline", "optimized"]))
    assert message == "Unknown recipe 'zzz'. Known: baseline, optimized."


@pytest.mark.parametrize("text", ["1.5", "", "two", "1e3", "nan"])
def test_a_setting_that_counts_takes_whole_numbers_only(text: str) -> None:
    assert build_error(n_layer=text) == f"Setting 'model.n_layer' takes int, not '{text}'."


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [("biases", "false", False), ("biases", "True", True), ("dropout_embedding", "None", None),
     ("dropout_embedding", "0.25", 0.25), ("positions", "rope", "rope")],
)  # fmt: skip
def test_switches_choices_and_what_may_be_absent_are_read_from_text(key: str, text: str, value: object) -> None:
    assert build(**{key: text}).flatten()[f"model.{key}"] == value


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [("biases", "no", "Setting 'model.biases' takes bool, not 'no'."),
     ("positions", "ropes", "Unknown model.positions 'ropes'. Did you mean 'rope'? Known: learned, rope."),
     ("dropout", "none", "Setting 'model.dropout' takes float, not 'none'."),
     ("dropout_embedding", "1", "Setting 'model.dropout_embedding' must be from 0 to below 1; it is 1.0.")],
)  # fmt: skip
def test_other_switches_and_choices_are_refused(key: str, text: str, said: str) -> None:
    assert build_error(**{key: text}) == said


def test_rope_needs_heads_of_even_width() -> None:
    assert "must be such that a head's width is even for rope" in build_error(positions="rope", n_head="16")


@pytest.mark.parametrize("text", ["", "high", "0,1"])
def test_a_setting_that_measures_takes_numbers_only(text: str) -> None:
    assert build_error(dropout=text) == f"Setting 'model.dropout' takes float, not '{text}'."


COUNTS = ("data.num_titles", "data.vocab_size", "model.n_layer", "model.n_head", "model.d_model", "model.block_size",
          "training.batch_size", "training.epochs", "training.evals_per_epoch")  # fmt: skip
POSITIVE = ("optimizer.learning_rate", "training.grad_clip", "data.val_fraction")
SHARES = ("model.dropout", "optimizer.momentum", "data.val_fraction", "schedule.warmup_fraction")
OUT_OF_RANGE = [
    *((name, "0", "sgd") for name in COUNTS),
    ("model.n_layer", "-1", "sgd"),
    *((name, "0", "sgd") for name in POSITIVE),
    *((name, "1", "sgd") for name in SHARES),
    *((name, "-0.1", "sgd") for name in (*SHARES, "optimizer.weight_decay", "optimizer.learning_rate")),
    *((name, "nan", "sgd") for name in (*POSITIVE, "model.dropout", "optimizer.weight_decay")),
    *((name, "inf", "sgd") for name in ("optimizer.learning_rate", "optimizer.weight_decay", "training.grad_clip")),
    ("model.n_head", "3", "sgd"),
    *(("optimizer.eps", text, "adamw") for text in ("0", "inf")),
    *((f"optimizer.{name}", "1", "adamw") for name in ("beta1", "beta2")),
]


@pytest.mark.parametrize(("name", "text", "optimizer"), OUT_OF_RANGE)
def test_a_value_out_of_range_is_refused_by_name(name: str, text: str, optimizer: str) -> None:
    assert f"Setting '{name}' must be" in build_error(**{"optimizer": optimizer, name: text})


@pytest.mark.parametrize(
    ("name", "text"),
    [("model.dropout", "0"), ("optimizer.weight_decay", "0"), ("schedule.warmup_fraction", "0.99"),
     ("training.epochs", "1")],
)  # fmt: skip
def test_the_ends_of_the_ranges_are_allowed(name: str, text: str) -> None:
    assert build(**{name: text}).flatten()[name] == float(text)


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2)),
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2)),
)
def test_swapping_two_configurations_swaps_both_sides_of_every_change(one: dict[str, int], two: dict[str, int]) -> None:
    swapped = {key: (after, before) for key, (before, after) in find_changes(two, one).items()}
    assert find_changes(one, two) == swapped
    assert find_changes(one, one) == {}


def test_what_only_one_side_has_stands_with_its_section() -> None:
    one, two = {"a.x": 1, "a.y": 2, "b.x": 3}, {"a.x": 2, "a.z": 4, "b.x": 5}
    assert list(find_changes(one, two)) == ["a.x", "a.y", "a.z", "b.x"]


def test_a_setting_that_one_side_lacks_is_a_change_from_or_to_none() -> None:
    assert find_changes({"a": 1, "b": 2}, {"b": 2, "c": 3}) == {"a": (1, None), "c": (None, 3)}
