import copy
from pathlib import Path
from typing import Any

import pytest

from harness.analyse.document import group_arms
from harness.comparison import make_reports
from harness.store.document import load_document
from mainrun.record.errors import RunError
from tests.harness.claims.said import build_caveats
from tests.harness.fakes import (
    FakeLauncher,
    Mishap,
    make_comparison,
    read_events,
    rehash,
    skip_rendering,
    write_events,
    write_titles,
)

ALWAYS_SAID = ("the frozen evaluation scores", "the tokenizer was trained on")


@pytest.fixture
def document(tiny_document: dict[str, Any]) -> dict[str, Any]:
    """A comparison of which nothing needs to be said but what is always said."""
    document = copy.deepcopy(tiny_document)
    document["corpus"] |= {"source": "hub", "is_official": True}
    document["seeds"] = [1337, 1, 2]
    for arm in document["arms"]:
        arm |= {"settings": {}, "label": arm["name"]}
    for groups in ("scoring", "tokenizers"):
        for group in document[groups]:
            group["labels"] = ["baseline", "optimized"]
    document["pairs"][0] |= {"baseline_label": "baseline", "candidate_label": "optimized"}
    return document


def build_texts(document: dict[str, Any]) -> list[str]:
    return [claim["text"] for claim in build_caveats(document)]


def find_new(document: dict[str, Any], changed: dict[str, Any]) -> list[str]:
    before = build_texts(document)
    return [
        text
        for text in build_texts(changed)
        if text not in before and not any(always in text for always in ALWAYS_SAID)
    ]


def test_what_is_always_said_is_the_tokenizers_data_and_what_is_not_scored(document: dict[str, Any]) -> None:
    always, scored = build_texts(document)
    assert always == "baseline, optimized: the tokenizer was trained on training and validation titles."
    coverage = document["arms"][0]["final"]["coverage_percent"]
    assert scored.startswith(f"baseline, optimized: the frozen evaluation scores {coverage:.1f} %")
    assert "tokens are never scored" in scored


def test_arms_of_other_coverage_have_a_sentence_each(document: dict[str, Any]) -> None:
    document["arms"][0]["final"]["num_spans"] += 1
    document["scoring"] = group_arms(document["arms"], "coverage_percent", "num_spans", "num_unscored_tokens")
    scored = build_texts(document)[1:]
    assert [text.partition(":")[0] for text in scored] == ["baseline", "optimized"]


def change(document: dict[str, Any], name: str) -> None:
    pair = document["pairs"][0]
    match name:
        case "warn_of_data":
            document["corpus"]["source"] = "synthetic"
        case "warn_of_missing_runs":
            document["runs"][1] |= {"label": "optimized", "status": "failed", "reason": "it stopped"}
        case "warn_of_taken_over_runs":
            document["taken_over"] = {"runs": ["optimized with seed 1337"], "comparisons": ["monday (plan 1f…)"]}
        case "warn_of_left_out_seeds":
            document["runs"][1] |= {"label": "optimized", "is_left_out": True}
        case "warn_of_runs_beside_others":
            document["most_at_once"] = 2
        case "warn_of_clocks":
            document["runs"][1] |= {"label": "optimized", "clock_set_back_s": 90.0}
        case "warn_of_many_intervals":
            document["pairs"].append(copy.deepcopy(pair))
        case "warn_of_unusable_arms":
            document["arms"][1] |= {"final": None, "reason": "its last evaluation is missing"}
            document["pairs"] = []
        case "warn_of_single_seed":
            document["seeds"] = [1337]
        case "warn_of_equal_arms":
            pair["changes"] = []
        case "warn_of_settings":
            document["arms"][1] |= {"settings": {"dropout": "0.2"}, "label": "optimized (changed)"}
        case "warn_of_coverage":
            for field in ("coverage_percent", "coverage_low_percent", "coverage_high_percent"):
                document["arms"][1]["final"][field] -= 0.6
            pair["coverage_gap_points"] = {"low": 0.6, "high": 0.6}
        case "warn_of_steps":
            pair["same_steps"] = False
        case "warn_of_vocabulary":
            document["arms"][1]["facts"]["vocab_size"] = 400
        case "warn_of_machines":
            document["arms"][1]["machine"]["cpu_capability"] = "AVX512"
        case "warn_of_cost":
            pair["time_ratio"] = 1.101
        case _:
            raise AssertionError(f"{name} has no change that brings it about")


EXPECTED = {
    "warn_of_data": "The corpus is synthetic",
    "warn_of_missing_runs": "optimized with seed 1337 is not complete: failed (it stopped).",
    "warn_of_taken_over_runs": "taken over from monday (plan 1f…): optimized with seed 1337.",
    "warn_of_left_out_seeds": "optimized with seed 1337 is left out",
    "warn_of_runs_beside_others": "Runs went on at the same time, at most 2 at once:",
    "warn_of_clocks": "set back by 1 min 30 s during optimized with seed 1337",
    "warn_of_many_intervals": "2 arms are compared with baseline; their intervals and verdicts are unadjusted",
    "warn_of_unusable_arms": "optimized cannot be compared: its last evaluation is missing.",
    "warn_of_single_seed": "Single seed (1337)",
    "warn_of_equal_arms": "no noise floor",
    "warn_of_settings": "optimized is not the recipe optimized as named: changed by --set dropout=0.2.",
    "warn_of_coverage": "not on equal terms",
    "warn_of_steps": "evaluated at different steps",
    "warn_of_vocabulary": "do not compare between them",
    "warn_of_machines": "baseline was trained on a processor with AVX2, optimized on one with AVX512: their times",
    "warn_of_cost": "optimized took 1.10 × the training time of baseline.",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_caveat_appears_where_its_fact_holds_and_alone(document: dict[str, Any], name: str) -> None:
    changed = copy.deepcopy(document)
    change(changed, name)
    (caveat,) = find_new(document, changed)
    assert EXPECTED[name] in caveat


@pytest.mark.parametrize(("ratio", "said"), [(1.1, False), (1.11, True), (0.5, False)])
@pytest.mark.parametrize("key", ["time_ratio", "flops_ratio", "memory_ratio"])
def test_a_cost_is_warned_of_above_a_tenth_more(document: dict[str, Any], key: str, ratio: float, said: bool) -> None:
    changed = copy.deepcopy(document)
    changed["pairs"][0][key] = ratio
    assert bool(find_new(document, changed)) is said


@pytest.mark.parametrize(
    ("baseline", "candidate", "said"),
    [
        ({}, {"device_name": "CPU 2"}, "baseline was trained on An invented CPU, optimized on CPU 2: their times"),
        ({}, {"device_name": "CPU 2", "cpu_capability": "AVX512"}, "on CPU 2: their times do not compare, and"),
        ({"device": "cuda"}, {"device": "cuda", "cpu_capability": "AVX512"}, None),
        ({}, {"num_cpus": 64, "commit": None}, None),
    ],
)
def test_other_machines_are_told_once_and_by_what_trained(
    document: dict[str, Any], baseline: dict[str, Any], candidate: dict[str, Any], said: str | None
) -> None:
    changed = copy.deepcopy(document)
    for arm, fields in zip(changed["arms"], (baseline, candidate), strict=True):
        arm["machine"] |= fields
    found = find_new(document, changed)
    assert len(found) == (0 if said is None else 1)
    assert said is None or said in found[0]


def test_a_local_file_is_not_the_tasks_data(tmp_path: Path) -> None:
    document = load_document(make_comparison(tmp_path, data=str(write_titles(tmp_path, 500))))
    assert document["caveats"][0]["text"] == (
        "The titles are from the local file titles.txt (400 of 500 available), not the task's own dataset at its full "
        "size: absolute losses do not compare with public ones."
    )
    assert str(tmp_path) not in str(document)


def test_a_run_that_never_started_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        make_comparison(tmp_path, launcher=FakeLauncher({"optimized": Mishap("never")}))
    caveats = load_document(tmp_path / "fake")["caveats"]
    assert "optimized (changed) with seed 1337 is not complete: missing." in [caveat["text"] for caveat in caveats]


def test_a_clock_that_was_set_back_while_a_run_trained_is_said_and_changes_no_number(own_comparison: Path) -> None:
    before = load_document(own_comparison)
    run = own_comparison / "runs" / "optimized-s1337"
    events = read_events(run / "mainrun.log")
    write_events(run / "mainrun.log", [*events[:40], *(e | {"timestamp": e["timestamp"] - 3600} for e in events[40:])])
    rehash(run)
    with skip_rendering():
        after = make_reports(own_comparison)
    assert after["runs"][1]["clock_set_back_s"] == pytest.approx(3600, abs=1)
    assert after["pairs"] == before["pairs"]
    assert ["was set back by 1 h 00 min during optimized" in caveat["text"] for caveat in after["caveats"]].count(
        True
    ) == 1
