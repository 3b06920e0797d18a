"""What a build may ask of a comparison, and the three answers."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from harness.cli.gate import format_judgement
from harness.comparison import make_reports, run_comparison
from harness.launch.progress import ProgressDisplay
from harness.store.document import load_document
from harness.store.rounding import find_difference
from harness.verify.gate import (
    Condition,
    Judgement,
    compute_exit_code,
    judge,
    judge_conclusive,
    judge_improvement,
    judge_loss,
)
from mainrun.record.errors import RequestError, RunError, StoredResultsError
from mainrun.record.files import save_json
from tests.harness.fakes import (
    Curve,
    FakeLauncher,
    Mishap,
    build_request,
    make_comparison,
    read_events,
    rehash,
    skip_rendering,
    write_events,
)
from tests.harness.sources.logs import BASELINE as LOG
from tests.harness.sources.logs import SAME_COVERAGE as OTHER_LOG
from tests.harness.sources.logs import write_json
from tests.harness.sources.test_imports import compare, write


def build_verdict(low: float, high: float, word: str = "IMPROVED") -> dict[str, Any]:
    interval = {"low_percent": low, "high_percent": high}
    said = {"word": word, "label": word, "basis": "full loss", "reason": "tested", "adjusted": None}
    return {**said, "gain_percent": (low + high) / 2, "interval_95": interval}


@pytest.mark.parametrize(
    ("low", "high", "status"),
    [(5.0, 6.0, "met"), (5.1, 6.0, "met"), (4.0, 4.9, "missed"), (4.9, 5.1, "undecided"), (4.0, 5.0, "undecided")],
)
def test_an_improvement_is_judged_by_the_whole_interval(low: float, high: float, status: str) -> None:
    assert judge_improvement(build_verdict(low, high), 5.0).status == status


def test_without_an_interval_nothing_is_decided() -> None:
    assert judge_improvement(build_verdict(5, 6) | {"interval_95": None}, 1.0).status == "undecided"


def test_where_the_arms_are_in_doubt_no_interval_meets_what_is_asked(tmp_path: Path) -> None:
    """An optimized arm that is better untrained than the trained baseline: of another text, tokenizer or metric."""
    launcher = FakeLauncher(curves={"optimized": Curve(start=3.0, floor=2.0)})
    folder = make_comparison(tmp_path, seeds=(1337, 1338), launcher=launcher)
    improvement, conclusive = judge(folder, 5.0, None, True).conditions
    assert improvement.status == conclusive.status == "undecided"
    assert "untrained, at step 1" in improvement.text


def test_a_pair_that_is_missing_is_told_with_the_arm_that_it_lacks(own_comparison: Path) -> None:
    folder = own_comparison / "runs" / "baseline-s1337"
    write_events(folder / "mainrun.log", read_events(folder / "mainrun.log")[:-1])
    rehash(folder)
    with skip_rendering():
        make_reports(own_comparison)
    with pytest.raises(StoredResultsError, match=r"baseline \(changed\): it was not evaluated after its last"):
        judge(own_comparison, 0.0, None, False)


def compare_three(folder: Path, against: str) -> Path:
    """Three arms, of which the last is the best."""
    recipes, out = ("baseline", "baseline", "optimized"), folder / against
    with skip_rendering():
        return run_comparison(
            replace(build_request(out, recipes), against=against),
            FakeLauncher(),
            ProgressDisplay(lambda text: None),
        )


def test_against_the_best_arm_no_gain_is_judged_whoever_won(tmp_path: Path) -> None:
    folder = compare_three(tmp_path, "best")
    for arm in (None, "baseline", "optimized"):
        for percent, conclusive in ((1.0, False), (None, True)):
            with pytest.raises(RequestError, match=r"depends on the losses.*compare --from .* --against ARM"):
                judge(folder, percent, None, conclusive, arm)
    judged = judge(folder, None, 99.0, False)
    assert (judged.candidate, judged.baseline, judged.conditions[0].status) == ("optimized", None, "met")


def test_what_the_others_are_compared_with_is_no_candidate(tmp_path: Path) -> None:
    folder = compare_three(tmp_path, "optimized")
    with pytest.raises(RequestError, match=r"compared with no other arm.* --arm: baseline, baseline-2\."):
        judge(folder, 1.0, None, False)
    judged = judge(folder, 1.0, None, False, "baseline-2")
    assert (judged.candidate, judged.baseline, judged.conditions[0].status) == ("baseline-2", "optimized", "missed")


def test_the_arm_that_is_judged_can_be_chosen_and_both_arms_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, asked = str(compare_three(tmp_path, "first")), ("--max-loss", "99", "--min-improvement", "-1e-3")
    assert main(["gate", folder, *asked]) == 0
    assert capsys.readouterr().out.startswith("judged     optimized (changed) against baseline (changed)\n")
    assert main(["gate", folder, *asked, "--arm", "baseline-2", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["candidate"], answer["baseline"]) == ("baseline-2", "baseline")
    assert main(["gate", folder, *asked, "--arm", "optimised"]) == 2
    assert "names 'optimised', which is not compared. Arms: baseline, baseline-2, optimized." in capsys.readouterr().err


def test_what_was_measured_is_shown_so_far_that_it_is_told_from_what_is_asked() -> None:
    improvement = judge_improvement(build_verdict(29.98788, 30.95), 29.99)
    assert improvement.status == "undecided" and improvement.text.endswith("; tested; its low end is 29.988 %")
    assert judge_improvement(build_verdict(29.98, 29.9899), 29.99).text.endswith("; its high end is 29.9899 %")
    assert judge_improvement(build_verdict(29.99, 30.95), 29.99).text.endswith("; tested")
    assert "gain in full loss 30.000001 %" in judge_improvement(build_verdict(29.000002, 31), 30.0).text
    assert judge_improvement(build_verdict(1, 2), 29.9999999).name == "--min-improvement 29.9999999"
    assert judge_loss(1.40000001, 1.4, None).text.endswith(": 1.40000001 nats per character")
    assert judge_loss(1.4, 1.4, None).text.endswith(": 1.4000 nats per character")


def test_a_conclusion_is_required_of_the_word_that_stands_over_all_pairs() -> None:
    verdict = build_verdict(1, 2) | {"adjusted": {"word": "INCONCLUSIVE", "num_pairs_judged": 7}}
    conclusive = judge_conclusive(verdict)
    assert conclusive.status == "undecided"
    assert conclusive.text == "IMPROVED; INCONCLUSIVE where all 7 pairs are judged together"
    verdict["adjusted"]["word"] = "IMPROVED"
    assert (judge_conclusive(verdict).status, judge_conclusive(verdict).text) == ("met", "IMPROVED")


def test_no_condition_or_broken_rule_begins_a_line_of_its_own() -> None:
    condition = Condition("a\n::error::b", "met", "c\r\nd")
    text = format_judgement(Judgement("a", "b", "a\nmet  x", [condition]), ["rule\x0b\n::warning::e"])
    assert len(text.splitlines()) == 3


def test_a_loss_is_met_up_to_and_with_the_highest() -> None:
    assert [judge_loss(loss, 1.4, 1337).status for loss in (1.39, 1.4, 1.41)] == ["met", "met", "missed"]
    said = [judge_loss(1.39, 1.4, seed).text.partition(":")[0] for seed in (1337, None)]
    assert said == ["frozen loss at the last step, seed 1337", "frozen loss at the last step"]


def test_an_interval_that_spans_what_is_asked_never_fails_a_build_unless_a_conclusion_is_required() -> None:
    undecided = judge_improvement(build_verdict(4, 6), 5.0)
    missed = judge_loss(2.0, 1.0, 1337)
    assert compute_exit_code([undecided], require_conclusive=False) == 0
    assert compute_exit_code([undecided], require_conclusive=True) == 5
    assert compute_exit_code([undecided, missed], require_conclusive=True) == 1
    assert judge_conclusive(build_verdict(0, 1, "INCONCLUSIVE")).status == "undecided"
    assert judge_conclusive(build_verdict(0, 0, "EQUIVALENT")).status == "met"


def test_the_loss_is_the_frozen_one_of_the_last_named_arm(tiny_comparison: Path) -> None:
    final = load_document(tiny_comparison)["arms"][-1]["final"]["loss_nats_per_char"]
    assert judge(tiny_comparison, None, final, False).conditions[0].status == "met"
    assert judge(tiny_comparison, None, final - 1e-9, False).conditions[0].status == "missed"


def test_asking_nothing_is_a_wrong_request(tiny_comparison: Path) -> None:
    with pytest.raises(RequestError, match="asks nothing"):
        judge(tiny_comparison, None, None, False)


def test_a_comparison_with_a_failed_run_cannot_be_judged(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        make_comparison(tmp_path, launcher=FakeLauncher({"optimized": Mishap("fail", step=20)}))
    with pytest.raises(StoredResultsError, match=r"optimized-s1337 .* Train them with compare --resume\."):
        judge(tmp_path / "fake", 0.0, None, False)


def test_logs_are_judged_whatever_became_of_a_third_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = write(tmp_path, a=write_json(LOG.build()), b=write_json(OTHER_LOG.build()), broken=b"starting up\n")
    assert compare(logs, tmp_path / "out") == 3
    gate = ["gate", str(tmp_path / "out"), "--min-improvement", "0", "--max-loss", "1.33"]
    assert main([*gate, "--arm", "b"]) == 0
    assert main([*gate, "--arm", "b", "--require-conclusive"]) == 5
    capsys.readouterr()
    for asked in (gate, [*gate, "--require-conclusive"], [*gate[:2], *gate[-2:]]):
        assert main(asked) == 4
        said = capsys.readouterr().err
        assert "cannot be judged: broken-s1337 failed: broken.log, lines 1 to 1: there is no validation loss" in said
        assert "Choose another arm with --arm" in said and "--resume" not in said


@pytest.mark.parametrize("against", ["first", "optimized"])
def test_of_runs_taken_in_the_two_arms_that_are_judged_have_to_be_whole(
    against: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launcher = FakeLauncher({"optimized-s1": Mishap("fail", step=20)})
    with pytest.raises(RunError):
        make_comparison(tmp_path, ("baseline", "baseline", "optimized"), (1337, 1), launcher)
    monkeypatch.setattr("harness.launch.local.LocalLauncher", FakeLauncher)
    assert compare([str(tmp_path / "fake")], tmp_path / "out", "--against", against) == 3
    asked = (0.0, None, True)
    if against == "first":
        assert judge(tmp_path / "out", *asked, "baseline-2").baseline == "baseline"
    lacking = "optimized" if against == "first" else "baseline-2"
    with pytest.raises(StoredResultsError, match=r"optimized-s1 \(changed\) failed: training loss nan"):
        judge(tmp_path / "out", *asked, lacking)


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
def test_an_infinity_is_no_number(number: str, own_comparison: Path) -> None:
    path = own_comparison / "comparison.json"
    low = load_document(own_comparison)["pairs"][0]["verdict"]["interval_95"]["low_percent"]
    path.write_text(path.read_text().replace(str(low), number))
    with pytest.raises(StoredResultsError, match="too large for a number"):
        judge(own_comparison, 1000.0, None, False)
    assert find_difference(float(number), 1.0) and find_difference(1.0, float(number))
    assert find_difference(0.0, 1e-300)


def test_a_broken_rule_is_named_beside_the_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_comparison(tmp_path, seeds=(7,))
    assert main(["gate", str(folder), "--min-improvement", "1"]) == 0
    assert (
        "\nFAIL       Fixed random seed: 1337: baseline-s7: the headline seed is 7, not 1337;"
        in capsys.readouterr().out
    )


def test_numbers_of_other_runs_are_not_judged(own_comparison: Path, tmp_path: Path) -> None:
    other = make_comparison(tmp_path, seeds=(1,), name="other")
    shutil.copy(other / "comparison.json", own_comparison / "comparison.json")
    with pytest.raises(StoredResultsError, match=r"comparison\.json"):
        judge(own_comparison, 0.0, None, False)


@pytest.mark.parametrize(
    "pointer",
    ["/pairs/0/verdict/word", "/pairs/0/verdict/interval_95/low_percent", "/arms/1/final/loss_nats_per_char"],
)
def test_an_edited_verdict_or_loss_is_named_with_what_the_journals_give(
    pointer: str, own_comparison: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = load_document(own_comparison)
    *path, last = pointer.split("/")[1:]
    place: Any = document
    for part in path:
        place = place[int(part)] if isinstance(place, list) else place[part]
    was = place[last]
    place[last] = "REGRESSED" if isinstance(was, str) else was * 0.5
    save_json(own_comparison / "comparison.json", document)
    asked = ["--min-improvement", "0", "--max-loss", "9"]
    assert main(["gate", str(own_comparison), *asked]) == 4
    said = capsys.readouterr().err
    assert f"{pointer}: found {place[last]!r}, expected {was!r}" in said


@pytest.mark.parametrize(("asked", "code"), [("0", 0), ("99", 1)])
def test_the_command_ends_with_the_answer(
    asked: str, code: int, tiny_comparison: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["gate", str(tiny_comparison), "--min-improvement", asked, "--json"]) == code
    answer = json.loads(capsys.readouterr().out)
    assert answer["exit_code"] == code
    assert (answer["reason"] is None) == (code == 0)
