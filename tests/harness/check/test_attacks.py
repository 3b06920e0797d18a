"""Clever cheats: what a record says of itself never softens a finding; what no offline check can catch is listed."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.analyse.doubts import find_unseen
from harness.check import plausibility
from harness.check.known_code import GUARDED, GUARDED_AT_FIRST, find_changed_files, hash_working_tree, load_releases
from harness.check.plausibility import check_own_clock
from harness.check.registry import Evidence
from harness.check.rules import OFFICIAL_DATASET, judge_official_corpus
from harness.comparison import make_reports
from harness.launch.again import Again
from harness.plan.plan import load_plan
from harness.store.journals import load_journal
from harness.store.locks import hold
from harness.store.runs import load_comparison
from harness.verify.verify import verify
from harness.verify.weights import find_problem, probe_all
from mainrun.data.corpus import CorpusSource
from mainrun.model.gpt import GPT
from mainrun.model.initialization import init_weights
from mainrun.probe import measure_moved_nats
from mainrun.record.errors import StoredResultsError
from mainrun.record.files import load_json, save_json
from mainrun.record.parquet import MAX_ROWS
from tests.harness.fakes import (
    MACHINE,
    Curve,
    FakeLauncher,
    prepare_tiny,
    read_events,
    rehash,
    skip_rendering,
    write_events,
)

ROOT = Path(__file__).parents[3]
CANNOT_BE_CAUGHT = (
    "records forged consistently",
    "seeds that were dropped",
    "a search on the validation titles",
    "margins chosen afterwards",
    "logs that are wholly invented",
)


def edit_record(folder: Path, arm: str, key: str, **fields: Any) -> None:
    path = folder / "runs" / f"{arm}-s1337" / "run.json"
    record = load_json(path, 2)
    save_json(path, record | {key: record[key] | fields})


def find(folder: Path, steps: int | None = None, launcher: FakeLauncher | None = None) -> dict[str, tuple[str, str]]:
    findings = verify(folder, None, steps, launcher or FakeLauncher())
    return {finding.name: (finding.status, finding.evidence) for finding in findings}


def test_hashes_of_another_program_turn_no_replay_into_not_checked(own_comparison: Path) -> None:
    for arm in ("baseline", "optimized"):
        edit_record(own_comparison, arm, "source_sha256", **{"model/gpt.py": "0" * 64})
    found = find(own_comparison, 3, FakeLauncher(curves={"optimized": Curve(floor=1.0)}))
    assert found["replay"][0] == "NOT VOUCHED"
    assert found["known-code"] == (
        "NOT VOUCHED", "baseline-s1337, optimized-s1337: changed code, not here: model/gpt.py",
    )  # fmt: skip


def test_hashes_of_another_program_in_one_record_hide_no_replay_of_another_run_that_fails(own_comparison: Path) -> None:
    edit_record(own_comparison, "baseline", "source_sha256", **{"model/gpt.py": "0" * 64})
    other = Curve(floor=1.0, start=9.0)
    status, evidence = find(own_comparison, 3, FakeLauncher(curves={"baseline": other, "optimized": other}))["replay"]
    assert status == "FAIL" and evidence.startswith("optimized-s1337, training_step 1")


def test_another_machine_in_the_record_turns_no_failed_replay_into_a_pass(own_comparison: Path) -> None:
    edit_record(own_comparison, "optimized", "machine", device_name="Another CPU")
    edit_record(own_comparison, "baseline", "machine", device_name="Another CPU")
    found = find(own_comparison, 3, FakeLauncher(curves={"optimized": Curve(floor=1.0, start=9.0)}))
    assert found["replay"][0] == "FAIL"


def test_a_fresh_start_that_another_machine_explains_is_not_vouched_for(tiny_comparison: Path) -> None:
    found = find(tiny_comparison, launcher=FakeLauncher(machine={**MACHINE, "cpu_capability": "AVX512"}))
    assert found["pre-trained-weights"][0] == "PASS", "the bits are the same, whatever the record says"


def test_a_whole_replay_compares_losses_by_title_and_final_weights(own_comparison: Path) -> None:
    assert find(own_comparison)["replay"][0] == "NOT CHECKED"
    findings = verify(own_comparison, None, "all", FakeLauncher())
    assert findings[-1].status == "PASS" and "losses by title and final weights" in findings[-1].evidence
    path = own_comparison / "runs" / "optimized-s1337" / "run.json"
    save_json(path, load_json(path, 2) | {"final_weights_sha256": "e" * 64})
    findings = verify(own_comparison, None, "all", FakeLauncher())
    assert (findings[-1].status, "final weights" in findings[-1].evidence) == ("FAIL", True)


def test_code_of_data_tokens_and_metric_is_released_code() -> None:
    """Where this fails, a file that makes numbers comparable was changed: enter it with `.ci/record_code VERSION`."""
    changed = find_changed_files(hash_working_tree())
    assert not [name for name in changed if name.startswith(GUARDED)]
    assert all({"evaluate.py", "metric/evaluate.py"} & code.keys() for code in load_releases().values())
    assert {name for code in load_releases().values() for name in code} >= GUARDED_AT_FIRST


def test_the_official_data_needs_more_than_a_stated_revision(own_comparison: Path) -> None:
    plan = load_json(own_comparison / "plan.json", load_json(own_comparison / "plan.json", *range(9))["schema_version"])
    plan["corpus"] |= {
        "source": "hub", "name": OFFICIAL_DATASET, "revision": "0" * 40, "num_train_titles": 90_000,
        "num_validation_titles": 10_000,
    }  # fmt: skip
    save_json(own_comparison / "plan.json", plan)
    comparison = load_comparison(own_comparison, check_hashes=False)
    for run in comparison.runs.values():
        run.record["corpus"] = plan["corpus"]
        run.select("dataset_info")[0].update(plan["corpus"])
        run.__dict__.pop("facts", None)
    assert judge_official_corpus(comparison)[0] == "NOT VOUCHED"
    for run in comparison.runs.values():
        run.select("dataset_info")[0]["num_validation_chars"] = 533_366
    assert judge_official_corpus(comparison)[0] == "PASS"


@dataclass
class Command:
    """As much of a stored run of another program as its clock is judged by."""

    record: dict[str, Any]
    events: list[dict[str, Any]]
    folder: Path = Path("other-s1337")
    is_complete: bool = True


@pytest.mark.parametrize(
    ("observed_s", "elapsed_s", "status"),
    [(0.1, 600.0, "FAIL"), (0.05, 0.01, "FAIL"), (700.0, 600.0, "PASS"), (700.0, None, "NOT VOUCHED"),
     (None, 600.0, "NOT VOUCHED")],
)  # fmt: skip
def test_a_log_that_took_no_time_was_not_trained(
    observed_s: float | None, elapsed_s: float | None, status: str, tiny_comparison: Path
) -> None:
    event = {"event": "validation_step", "step": 900, "elapsed_time": elapsed_s}
    run = Command({"source": {"external": {"command": ["train"]}, "observed_s": observed_s}}, [event])
    comparison = load_comparison(tiny_comparison)
    comparison.runs.clear()
    comparison.runs[load_plan(tiny_comparison).runs[0]] = run  # type: ignore[assignment]  # all that is looked at
    found = check_own_clock(Evidence(comparison))
    assert found[0] == status
    doubts = find_unseen([{"name": "own-clock", "status": found[0], "evidence": found[1]}], ["other-s1337"])
    assert bool(doubts) == (status != "PASS"), "what was not seen to be trained is never IMPROVED"
    assert not find_unseen([{"name": "own-clock", "status": found[0], "evidence": f"an-{found[1]}"}], ["other-s1337"])


def test_the_more_titles_are_held_out_the_less_their_tokens_may_differ(
    tiny_comparison: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find(tiny_comparison)["characters-per-token"][0] == "PASS"
    monkeypatch.setattr(plausibility, "CHARS_SPREAD", 0.001)
    status, evidence = find(tiny_comparison)["characters-per-token"]
    assert status == "FAIL" and evidence.endswith(f"honest with 40 titles: within {0.001 / 40**0.5:.3f} of 1")


def test_an_honest_model_does_not_look_ahead_and_one_that_does_is_seen() -> None:
    config, data = prepare_tiny()
    ids = torch.from_numpy(data.streams.validation_ids).long()
    model = GPT(config.model, data.streams.tokenizer.vocab_size)
    init_weights(model, 1337)

    class Peeking(torch.nn.Module):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            logits = model(rows)
            peeked: torch.Tensor = logits + torch.nn.functional.one_hot(rows.roll(-1, 1), logits.shape[-1])
            return peeked

    assert measure_moved_nats(model, ids, config.model.block_size) < 1e-4
    assert measure_moved_nats(Peeking(), ids, config.model.block_size) > 0.1


def test_kept_weights_that_do_not_give_the_losses_are_found(tiny_comparison: Path) -> None:
    run = load_comparison(tiny_comparison).trained[0]
    losses = run.load_title_losses()["loss_nats"]
    honest = {
        "weights_sha256": run.record["final_weights_sha256"], "title_loss_nats": losses, "moved_nats": 0.0
    }  # fmt: skip
    assert find_problem(run, honest) is None
    assert "tokens that come after" in (find_problem(run, honest | {"moved_nats": 0.5}) or "")
    assert "final weights" in (find_problem(run, honest | {"weights_sha256": "0" * 64}) or "")
    assert "validation title 0" in (find_problem(run, honest | {"title_loss_nats": [99.0, *losses[1:]]}) or "")


@pytest.mark.parametrize("runs", [("baseline-s1337",), ("baseline-s1337", "optimized-s1337")])
def test_runs_that_kept_no_weights_are_not_passed_over(
    runs: tuple[str, ...], own_comparison: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.verify.weights._probe", lambda *given: ("PASS", "measured again"))
    for run in runs:
        (own_comparison / "runs" / run / "weights.pt").touch()
    comparison = load_comparison(own_comparison)
    found = probe_all(comparison, Again(comparison, CorpusSource("synthetic"), FakeLauncher(), None))
    assert found == ("PASS", "measured again" + ("; 1 of 2 runs kept none" if len(runs) == 1 else ""))


@pytest.mark.parametrize("place", ["runs/pipe", "figures/pipe.svg", "plan.json"])
def test_a_pipe_in_a_comparison_is_refused_and_not_waited_for(place: str, own_comparison: Path) -> None:
    path = own_comparison / place
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    with pytest.raises(StoredResultsError, match="pipe"), hold(own_comparison, shared=True):
        pass
    if place == "plan.json":
        with pytest.raises(StoredResultsError, match="it is no file"):
            load_json(path, 1)


def test_a_plan_of_a_trillion_titles_is_refused_before_one_is_made(own_comparison: Path) -> None:
    plan = load_json(own_comparison / "plan.json", *range(9))
    plan["corpus"]["num_train_titles"] = 10**12
    save_json(own_comparison / "plan.json", plan)
    with pytest.raises(StoredResultsError, match="can be read again"):
        find(own_comparison)


def test_a_pattern_that_panics_is_a_failed_check(own_comparison: Path) -> None:
    for path in own_comparison.glob("runs/*/tokenizer.json"):
        save_json(path, load_json(path, 1) | {"split_pattern": "("})
    assert find(own_comparison)["tokens"][0] == "FAIL"


def test_a_table_of_too_many_rows_is_not_unpacked() -> None:
    assert MAX_ROWS < 300_000_000


def test_a_journal_that_is_a_device_is_not_read() -> None:
    with pytest.raises(StoredResultsError, match="it is no file"):
        load_journal(Path("/dev/zero"), finished=True)


def test_what_no_offline_check_can_catch_is_said() -> None:
    text = " ".join((ROOT / "docs" / "trust.md").read_text(encoding="utf-8").split())
    assert not [what for what in CANNOT_BE_CAUGHT if what not in text]


def test_a_comparison_says_when_and_where_it_was_checked(tiny_comparison: Path) -> None:
    document = load_json(tiny_comparison / "comparison.json", 2)
    findings = [*document["constraints"], *document["integrity"]]
    assert {finding["made_by"] for finding in findings} == {"compare"}
    assert {finding["commit"] for finding in findings} == {MACHINE["commit"]}
    assert {finding["status"] for finding in findings} == {"PASS", "NOT CHECKED"}
    assert [finding["name"] for finding in findings if finding["status"] == "NOT CHECKED"] == ["official-data"]


def test_findings_of_other_files_are_not_taken_over(own_comparison: Path) -> None:
    from harness.store.findings import load_findings

    assert load_findings(load_comparison(own_comparison)) is not None
    shutil.copy(own_comparison / "findings.json", own_comparison / "kept.json")
    edit_record(own_comparison, "baseline", "machine", num_cpus=64)
    assert load_findings(load_comparison(own_comparison, check_hashes=False)) is None


def test_a_declared_resume_stands_in_the_reports_with_its_checkpoint(own_comparison: Path) -> None:
    run = own_comparison / "runs" / "optimized-s1337"
    events = read_events(run / "mainrun.log")
    at = {"timestamp": events[19]["timestamp"], "step": events[19]["step"], "gap_s": 1.0}
    resumed = {"event": "run_resumed", **at, "checkpoint_sha256": "ab" * 32}
    write_events(run / "mainrun.log", [*events[:20], resumed, *events[20:]])
    rehash(run)
    record = load_json(run / "run.json", 2)
    declared = [{"step": at["step"], "checkpoint_sha256": "ab" * 32}]
    save_json(run / "run.json", record | {"resumed": declared})
    with skip_rendering():
        document = make_reports(own_comparison)
    said = f"went on after step {at['step']}, from the checkpoint abababababababab…."
    assert any(caveat["text"].endswith(said) for caveat in document["caveats"])
    assert find(own_comparison)["resumes"][0] == "PASS"
