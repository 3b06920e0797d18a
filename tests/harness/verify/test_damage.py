"""Stored files that were damaged: refused by name, or made again, and never a number that changed in silence."""

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from harness.cli.app import main
from harness.launch.job import Job
from harness.store.document import load_document
from harness.store.locks import hold
from tests.harness.fakes import FakeLauncher, Writing, make_comparison, skip_rendering
from tests.robustness import (
    DAMAGED_FILES,
    DAMAGES,
    LINKS_THAT_LEAD_OUTSIDE,
    NAMES_THAT_LEAD_OUTSIDE,
    NUM_DAMAGED,
)

RUN = "runs/optimized-s1337"
RAW = ("plan.json", f"{RUN}/run.json", f"{RUN}/mainrun.log", f"{RUN}/title_losses.parquet")
"""What is kept; everything else is made again from it."""
VALUES: tuple[Any, ...] = (None, True, 0, -1, 1e308, "", [], {}, "x", "../../x", [None], {"a": 1}, 10**400)
VERBS = (("verify",), ("gate", "--min-improvement", "1"), ("report",))
anything = settings(
    max_examples=NUM_DAMAGED,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def _no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.launch.local.LocalLauncher", FakeLauncher)


def run(*arguments: object) -> int:
    with skip_rendering():
        return main([str(argument) for argument in arguments])


def list_places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value of a JSON document stands; of long lists the first few."""
    if place:
        yield place
    if isinstance(value, dict | list):
        for key in list(value if isinstance(value, dict) else range(len(value)))[:40]:
            yield from list_places(value[key], (*place, key))


def damage(path: Path, kind: str, choose: random.Random) -> None:
    """One of `DAMAGES` done to a file."""
    content = bytearray(path.read_bytes())
    match kind:
        case "missing":
            path.unlink()
        case "folder":
            path.unlink()
            path.mkdir()
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(content[: choose.randrange(len(content))])
        case "flip":
            content[choose.randrange(len(content))] ^= 1 << choose.randrange(8)
            path.write_bytes(content)
        case "version":
            path.write_bytes(path.read_bytes().replace(b'"schema_version": 1', b'"schema_version": 2'))
        case "field" | "value":
            document = json.loads(content)
            *place, key = choose.choice(list(list_places(document)))
            holder = document
            for step in place:
                holder = holder[step]
            if kind == "field":
                del holder[key]
            else:
                holder[key] = choose.choice(VALUES)
            path.write_text(json.dumps(document))


def read_files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@anything
@given(
    name=st.sampled_from(DAMAGED_FILES),
    kind=st.sampled_from(DAMAGES),
    choose=st.randoms(use_true_random=False),
)
def test_no_damage_ends_in_a_traceback_or_changes_a_number(
    tiny_comparison: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, kind: str,
    choose: random.Random,
) -> None:  # fmt: skip
    folder = tmp_path / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(tiny_comparison, folder)
    if kind in ("version", "field", "value") and not name.endswith(".json"):
        kind = "flip"
    damage(folder / name, kind, choose)
    before, intact = read_files(folder), read_files(tiny_comparison)
    changed = before != intact
    for verb, *options in VERBS:
        exit_code = run(verb, folder, *options)
        said = capsys.readouterr()
        in_the_way = kind == "folder" and name not in RAW and verb == "report"  # of a file that would be made again
        assert exit_code in ((0,) if not changed else (0, 1, 4, 6) if in_the_way else (0, 1, 4)), (verb, said.err)
        assert "Traceback" not in said.err
        if exit_code == 4:
            assert str(folder) in said.err and read_files(folder) == before
        if verb == "gate":
            assert exit_code in (0, 4)
        elif verb == "report" and exit_code == 0:
            document, due = load_document(folder), load_document(tiny_comparison)
            assert (document["pairs"], document["arms"]) == (due["pairs"], due["arms"])
        if verb == "report" and changed and name in RAW:
            assert exit_code == 4


@pytest.mark.parametrize("name", RAW)
@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "cut", "flip"])
def test_damage_to_what_is_kept_is_refused_by_name_and_nothing_is_overwritten(
    own_comparison: Path, name: str, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damage(own_comparison / name, kind, random.Random(5))
    before = read_files(own_comparison)
    assert run("report", own_comparison) == 4
    said = capsys.readouterr().err
    assert Path(name).name in said and str(own_comparison) in said
    assert read_files(own_comparison) == before


@pytest.mark.parametrize("name", [name for name in DAMAGED_FILES if name not in RAW and "tokenizer" not in name])
@pytest.mark.parametrize("kind", ["missing", "empty", "cut"])
def test_what_can_be_made_again_is_made_again_byte_for_byte(
    own_comparison: Path, tiny_comparison: Path, name: str, kind: str
) -> None:
    damage(own_comparison / name, kind, random.Random(5))
    assert run("report", own_comparison) == 0
    assert read_files(own_comparison) == read_files(tiny_comparison)


def test_damage_before_the_first_numbers_is_no_bug_of_ours(
    own_comparison: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = own_comparison / RUN / "run.json"
    record = json.loads(path.read_text())
    (own_comparison / "comparison.json").unlink()
    malformed: list[dict[str, Any]] = [
        {"sizes": None},
        {"machine": {}},
        {"config": {"model.block_size": "x"}},
        {"status": []},
    ]
    for changes in malformed:
        path.write_text(json.dumps(record | changes))
        assert run("report", own_comparison) == 4
        assert "Traceback" not in capsys.readouterr().err


def test_a_plan_that_was_changed_after_its_runs_is_refused_by_its_runs_alone(
    own_comparison: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own_comparison / "comparison.json").unlink()
    plan = json.loads((own_comparison / "plan.json").read_text())
    (own_comparison / "plan.json").write_text(json.dumps(plan | {"margin_percent": 0.1}))
    assert run("report", own_comparison) == 4
    assert "plan.json was changed after its runs began" in capsys.readouterr().err


@pytest.mark.parametrize("arm", NAMES_THAT_LEAD_OUTSIDE, ids=repr)
def test_a_plan_whose_names_lead_outside_is_refused_and_nothing_outside_is_touched(
    own_comparison: Path, arm: object, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = json.loads((own_comparison / "plan.json").read_text())
    plan["arms"][1]["name"] = plan["runs"][1]["arm"] = arm
    (own_comparison / "plan.json").write_text(json.dumps(plan))
    before = read_files(own_comparison.parent)
    for verb, *options in VERBS:
        assert run(verb, own_comparison, *options) == 4
        assert "plan.json" in capsys.readouterr().err
    assert read_files(own_comparison.parent) == before


@pytest.mark.parametrize("name", LINKS_THAT_LEAD_OUTSIDE)
def test_a_link_that_leads_outside_is_refused_and_nothing_outside_is_touched(
    own_comparison: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    outside = own_comparison.parent / "outside"
    outside.mkdir()
    (outside / "file").write_text("kept")
    path = own_comparison / name
    shutil.rmtree(path, ignore_errors=True)
    path.unlink(missing_ok=True)
    path.symlink_to(outside / "file" if path.suffix else outside)
    for verb, *options in VERBS:
        assert run(verb, own_comparison, *options) == 4
        assert f"{path} is a symbolic link" in capsys.readouterr().err
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"file": "kept"}


def test_links_that_a_command_left_in_its_own_folder_are_its_own(own_comparison: Path) -> None:
    work = own_comparison / RUN / "work"
    (work / "wandb").mkdir(parents=True)
    (work / "latest-run").symlink_to(work / "wandb")
    (work / "wandb" / "debug.log").symlink_to("/nowhere")
    assert run("gate", own_comparison, "--min-improvement", "1") == 0
    shutil.rmtree(work)
    work.symlink_to(own_comparison.parent)
    assert run("gate", own_comparison, "--min-improvement", "1") == 4


def test_a_flipped_digit_of_the_verdict_does_not_pass_the_gate(
    own_comparison: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = load_document(own_comparison)
    document["pairs"][0]["verdict"]["interval_95"]["low_percent"] += 60
    (own_comparison / "comparison.json").write_text(json.dumps(document))
    assert run("gate", own_comparison, "--min-improvement", 50) == 4
    assert "low_percent" in capsys.readouterr().err


def test_list_names_a_damaged_document_and_goes_on(tiny_comparison: Path, tmp_path: Path) -> None:
    for name, content in {"a": "{", "b": '{"schema_version": 1}', "c": '{"schema_version": 1, "arms": 3}'}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "plan.json").write_text("{}")
        (tmp_path / name / "comparison.json").write_text(content)
    shutil.copytree(tiny_comparison, tmp_path / "d")
    assert run("list", "--results", tmp_path) == 0


@pytest.mark.parametrize("shared", [False, True], ids=["compare", "verify"])
@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb[0])
def test_a_verb_on_a_comparison_that_another_process_holds_is_refused(
    own_comparison: Path, verb: tuple[str, ...], shared: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_files(own_comparison)
    with hold(own_comparison, shared=shared):
        exit_code = run(verb[0], own_comparison, *verb[1:])
    said = capsys.readouterr().err
    if shared and verb[0] != "report":
        assert exit_code == 0
    else:
        assert (exit_code, "Another process is at work in" in said) == (2, True)
    assert read_files(own_comparison) == before


def test_while_a_comparison_runs_it_is_neither_reported_on_nor_judged(tmp_path: Path) -> None:
    codes: list[int] = []

    class Intruder(FakeLauncher):
        def write_run(self, job: Job) -> Writing:
            outcome = yield from super().write_run(job)
            codes.extend(run(verb, tmp_path / "fake", *options) for verb, *options in VERBS)
            return outcome

    folder = make_comparison(tmp_path, launcher=Intruder())
    assert codes == [2] * 12  # at each of two trainings, and of two runs begun again to be checked
    assert run("verify", folder) == 0
