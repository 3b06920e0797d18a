import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mainrun.recipes import build_named_config
from mainrun.record.errors import StoredResultsError
from mainrun.record.run_record import SCHEMA_VERSION, load_run_record
from mainrun.record.upgrade import upgrade_config

RUNS = Path(__file__).parents[2] / "first_release" / "runs"


def load_raw(name: str) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((RUNS / name / "run.json").read_text(encoding="utf-8"))
    return record


@pytest.mark.parametrize("recipe", ["baseline", "optimized"])
def test_a_record_of_the_first_schema_is_read_as_the_config_that_recipe_has_today(recipe: str) -> None:
    record = load_run_record(RUNS / f"{recipe}-s1337")
    assert record["schema_version"] == SCHEMA_VERSION
    assert record["config"] == build_named_config(recipe, "quick", {}).flatten()
    assert list(record["config"]) == list(build_named_config(recipe, "quick", {}).flatten())
    raw = load_raw(f"{recipe}-s1337")
    assert {key: value for key, value in record.items() if key not in ("schema_version", "config")} == {
        key: value for key, value in raw.items() if key not in ("schema_version", "config")
    }


def test_what_its_optimizer_did_not_read_is_dropped_and_what_it_did_read_is_kept() -> None:
    flat = load_raw("optimized-s1337")["config"] | {"momentum": 0.9, "adam_beta2": 0.7}
    upgraded = upgrade_config(flat)
    assert "optimizer.momentum" not in upgraded
    assert upgraded["optimizer.beta2"] == 0.7
    assert upgrade_config(flat | {"optimizer": "sgd"})["optimizer.momentum"] == 0.9


def test_the_arm_of_another_program_has_no_configuration_before_and_after() -> None:
    assert upgrade_config({}) == {}


@pytest.mark.parametrize("damage", [{"optimizer": "adam"}, {"n_layer": None}, {"optimizer": []}])
def test_a_damaged_configuration_is_refused_by_file(damage: dict[str, Any], tmp_path: Path) -> None:
    shutil.copy(RUNS / "baseline-s1337" / "run.json", tmp_path)
    record = load_raw("baseline-s1337")
    record["config"] |= damage
    if damage == {"n_layer": None}:
        del record["config"]["n_layer"]
    (tmp_path / "run.json").write_text(json.dumps(record))
    with pytest.raises(StoredResultsError, match=r"run\.json is damaged"):
        load_run_record(tmp_path)
