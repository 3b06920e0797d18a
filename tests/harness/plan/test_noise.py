from dataclasses import replace
from pathlib import Path

import pytest

from harness.check.planned import check_known_noise
from harness.check.registry import Evidence
from harness.plan.noise import NEEDED_MULTIPLE, PRIORS, KnownNoise, find_known_noise
from harness.plan.plan import load_plan, save_plan
from harness.store.runs import load_comparison
from mainrun.recipes import PRESETS, get_recipe
from mainrun.record.errors import StoredResultsError
from tests.harness.fakes import make_comparison


def test_noise_is_known_at_the_scale_and_kind_of_titles_it_was_measured_on_and_nowhere_else() -> None:
    quick, laptop, mainrun = ({**preset.scale, "model.dropout": 0.1} for preset in PRESETS.values())
    assert find_known_noise("quick", [quick, {**quick, "model.dropout": 0.2}], "synthetic") == PRIORS["quick"]
    assert [find_known_noise("laptop", [laptop] * 2, data) for data in ("hub", "file")] == [PRIORS["laptop"]] * 2
    assert find_known_noise("quick", [quick, {**quick, "model.n_layer": 1}], "synthetic") is None
    assert find_known_noise("quick", [quick, {**quick, "data.vocab_size": 512}], "synthetic") is None
    assert find_known_noise("quick", [quick] * 2, "file") is None
    assert find_known_noise("laptop", [laptop] * 2, "synthetic") is None
    assert find_known_noise("mainrun", [mainrun] * 2, "hub") is None


def test_a_recipe_of_another_width_has_the_noise_where_its_own_was_measured() -> None:
    frontier = {name: {**preset.scale, **get_recipe("frontier", name)} for name, preset in PRESETS.items()}
    assert find_known_noise("laptop", [PRESETS["laptop"].scale, frontier["laptop"]], "file") == PRIORS["laptop"]
    assert find_known_noise("quick", [PRESETS["quick"].scale, frontier["quick"]], "synthetic") is None


def test_noise_that_is_not_known_is_no_fault_where_every_pair_has_two_seeds(
    tiny_comparison: Path, three_seeds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.check.planned.find_known_noise", lambda *_: None)
    found = [check_known_noise(Evidence(load_comparison(folder)))[0] for folder in (tiny_comparison, three_seeds)]
    assert found == ["FAIL", "PASS"]


def test_noise_of_any_shape_reaches_the_needed_multiple_in_at_most_one_of_forty_cases() -> None:
    """Cantelli's inequality; the multiple is no larger than that asks for."""
    assert pytest.approx(0.025, rel=2e-3) == 1 / (1 + NEEDED_MULTIPLE**2)
    assert 1 / (1 + NEEDED_MULTIPLE**2) <= 0.025


def test_a_plan_keeps_the_noise_it_was_made_with_and_its_bytes_where_none_is_known(tmp_path: Path) -> None:
    plan = load_plan(make_comparison(tmp_path))
    assert plan.known_noise == PRIORS["quick"]
    save_plan(tmp_path, plan)
    assert load_plan(tmp_path) == plan
    save_plan(tmp_path, replace(plan, known_noise=None))
    assert "known_noise" not in (tmp_path / "plan.json").read_text()
    assert load_plan(tmp_path).known_noise is None


@pytest.mark.parametrize(
    "change",
    [{"sd_percent": 0.5}, {"low_percent": 0.0}, {"high_percent": -1.0}, {"num_pairs": 1}, {"needed_multiple": 1}],
)
def test_a_plan_whose_known_noise_cannot_be_is_damaged(tmp_path: Path, change: dict[str, float]) -> None:
    folder = make_comparison(tmp_path)
    text = (folder / "plan.json").read_text()
    noise = load_plan(folder).known_noise
    assert isinstance(noise, KnownNoise)
    for name, value in change.items():
        text = text.replace(f'"{name}": {getattr(noise, name)}', f'"{name}": {value}')
    (folder / "plan.json").write_text(text)
    with pytest.raises(StoredResultsError, match="damaged"):
        load_plan(folder)
