"""Arms with the same settings and other training programs: what differs is the code, and reports say so."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.comparison import build_document
from harness.store.measurements import load_metrics
from harness.store.runs import load_comparison
from tests.harness.fakes import Curve, FakeLauncher, make_comparison


@pytest.fixture(scope="module")
def document(_private_cache: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two equal arms, the runs of the second one with another model, of which the plan says nothing."""
    return build_with_another("model/gpt.py", tmp_path_factory.mktemp("code"))


def build_with_another(file: str, folder: Path) -> dict[str, Any]:
    launcher = FakeLauncher(curves={"baseline-2": Curve(floor=2.8, seed_sd=0.01)})
    folder = make_comparison(folder, recipes=("baseline", "baseline"), seeds=(1337, 1), launcher=launcher)
    for path in folder.glob("runs/baseline-2-*/run.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        record["source_sha256"][file] = "0" * 64
        path.write_text(json.dumps(record), encoding="utf-8")
    return build_document(load_comparison(folder), load_metrics(folder))


def test_arms_of_other_code_are_not_said_to_differ_by_nothing(document: dict[str, Any]) -> None:
    caveats = {claim["id"]: claim["text"].replace(" (changed)", "") for claim in document["caveats"]}
    assert "equal-arms" not in caveats
    assert caveats["changed-code"] == "baseline-2 has other code than baseline: files of the training program differ."
    assert [row["change"] for row in document["ranking"]["rows"]] == ["code", "the baseline"]


def test_other_recipes_are_no_other_code(_private_cache: None, tmp_path: Path) -> None:
    document = build_with_another("recipes.py", tmp_path)
    assert "changed-code" not in [claim["id"] for claim in document["caveats"]]
    assert {row["change"] for row in document["ranking"]["rows"]} == {"nothing", "the baseline"}


def test_the_noise_floor_of_other_code_is_that_of_the_paired_gains(document: dict[str, Any]) -> None:
    robustness = document["pairs"][0]["robustness"]
    assert robustness["noise_floor_source"] == "standard deviation of the paired gains"
    assert robustness["noise_floor_percent"] == robustness["sd_gain_percent"]
