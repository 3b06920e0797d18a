from dataclasses import asdict, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainrun.config import Config, Recipe, Scale, build_config, find_changes, unknown_name
from mainrun.record.errors import RequestError

SCALE = Scale(num_titles=300, vocab_size=300, n_layer=1, n_head=2, d_model=16, block_size=8, batch_size=4)


def build(**settings: str) -> Config:
    return build_config(SCALE, Recipe(), settings)


def build_error(**settings: str) -> str:
    with pytest.raises(RequestError) as raised:
        build(**settings)
    return str(raised.value)


def test_without_settings_a_config_is_its_scale_and_its_recipe() -> None:
    assert asdict(build()) == {**asdict(SCALE), **asdict(Recipe())}


def test_every_setting_is_either_scale_or_recipe() -> None:
    assert {field.name for field in fields(Config)} == {field.name for field in (*fields(Scale), *fields(Recipe))}


def test_settings_replace_just_what_they_name_and_keep_its_type() -> None:
    before, after = build(), build(n_layer="3", learning_rate="1e-3", weight_decay="1", optimizer="adamw")
    assert find_changes(asdict(before), asdict(after)) == {
        "n_layer": (1, 3),
        "learning_rate": (6e-3, 1e-3),
        "weight_decay": (0.0, 1.0),
        "optimizer": ("sgd", "adamw"),
    }
    assert [type(value) for value in asdict(after).values()] == [type(value) for value in asdict(before).values()]


@pytest.mark.parametrize(
    ("key", "nearest"), [("lerning_rate", "learning_rate"), ("n_layers", "n_layer"), ("dropuot", "dropout")]
)
def test_an_unknown_setting_names_the_nearest_one(key: str, nearest: str) -> None:
    message = build_error(**{key: "1"})
    assert f"'{key}'" in message
    assert f"Did you mean '{nearest}'?" in message


def test_an_unknown_name_near_to_nothing_gives_no_hint_but_all_that_is_known() -> None:
    message = str(unknown_name("recipe", "zzz", ["baseline", "optimized"]))
    assert message == "Unknown recipe 'zzz'. Known: baseline, optimized."


@pytest.mark.parametrize("text", ["1.5", "", "two", "1e3", "nan"])
def test_a_setting_that_counts_takes_whole_numbers_only(text: str) -> None:
    assert build_error(n_layer=text) == f"Setting 'n_layer' takes int, not '{text}'."


@pytest.mark.parametrize("text", ["", "high", "0,1"])
def test_a_setting_that_measures_takes_numbers_only(text: str) -> None:
    assert build_error(dropout=text) == f"Setting 'dropout' takes float, not '{text}'."


COUNTS = ("num_titles", "vocab_size", "n_layer", "n_head", "d_model", "block_size", "batch_size", "epochs",
          "evals_per_epoch")  # fmt: skip
OUT_OF_RANGE = [
    *((name, "0") for name in COUNTS),
    ("n_layer", "-1"),
    *((name, "0") for name in ("learning_rate", "grad_clip", "val_fraction", "adam_eps")),
    *((name, "1") for name in ("dropout", "momentum", "val_fraction", "adam_beta1", "adam_beta2", "warmup_fraction")),
    *((name, "-0.1") for name in ("dropout", "momentum", "weight_decay", "warmup_fraction", "learning_rate")),
    *((name, "nan") for name in ("dropout", "learning_rate", "weight_decay", "grad_clip", "val_fraction")),
    *((name, "inf") for name in ("learning_rate", "weight_decay", "grad_clip", "adam_eps")),
    ("n_head", "3"),
]


@pytest.mark.parametrize(("name", "text"), OUT_OF_RANGE)
def test_a_value_out_of_range_is_refused_by_name(name: str, text: str) -> None:
    assert f"Setting '{name}' must be" in build_error(**{name: text})


@pytest.mark.parametrize(
    ("name", "text"), [("dropout", "0"), ("weight_decay", "0"), ("warmup_fraction", "0.99"), ("epochs", "1")]
)
def test_the_ends_of_the_ranges_are_allowed(name: str, text: str) -> None:
    assert getattr(build(**{name: text}), name) == float(text)


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2)),
    st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2)),
)
def test_swapping_two_configurations_swaps_both_sides_of_every_change(one: dict[str, int], two: dict[str, int]) -> None:
    swapped = {key: (after, before) for key, (before, after) in find_changes(two, one).items()}
    assert find_changes(one, two) == swapped
    assert find_changes(one, one) == {}


def test_a_setting_that_one_side_lacks_is_a_change_from_or_to_none() -> None:
    assert find_changes({"a": 1, "b": 2}, {"b": 2, "c": 3}) == {"a": (1, None), "c": (None, 3)}
