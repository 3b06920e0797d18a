"""`compare --from`, from the command line to reports, `verify`, `gate` and `list`."""

import json
import shutil
from pathlib import Path
from typing import Any, NoReturn

import pytest

from harness.cli.app import main
from harness.launch.local import LocalLauncher
from harness.sources.names import Wish, make_arm_name, name_arms
from harness.store.document import load_document
from harness.store.measurements import load_metrics
from harness.store.runs import load_comparison
from harness.verify.verify import verify
from mainrun.record.errors import MachineError, RunError
from mainrun.record.files import compute_file_sha256, load_json, save_json
from tests.harness.fakes import FakeLauncher, Mishap, make_comparison, rehash, skip_rendering
from tests.harness.sources.logs import BASELINE, LARGE_BATCH, SAME_COVERAGE, Lines, Shape, write_console, write_json

SUMMARY = "PERFORMANCE_SUMMARY.md"


def write(folder: Path, **contents: bytes) -> list[str]:
    for name, content in contents.items():
        (folder / f"{name}.log").write_bytes(content)
    return [str(folder / f"{name}.log") for name in contents]


def compare(sources: list[str], out: Path, *options: str) -> int:
    with skip_rendering():
        return main(["compare", "--from", *sources, "--out", str(out), *options])


@pytest.fixture(autouse=True)
def _begin_no_real_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stored runs here were made up, and are begun again by what made them."""
    monkeypatch.setattr("harness.launch.local.LocalLauncher", FakeLauncher)


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The public baseline, a run with batch 256 and one of equal coverage; to be read only."""
    folder = tmp_path_factory.mktemp("public")
    logs = {"baseline": BASELINE, "batch256": LARGE_BATCH, "adamw": SAME_COVERAGE}
    sources = write(folder, **{name: write_json(shape.build()) for name, shape in logs.items()})
    assert compare(sources, folder / "out") == 0
    return folder / "out"


def test_a_large_batch_is_judged_on_equal_terms(public: Path) -> None:
    document = load_document(public)
    large, equal = document["pairs"]
    finals = {arm["name"]: arm["final"] for arm in document["arms"]}
    assert 1.30 < finals["batch256"]["matched_loss_nats_per_char"] < 1.34
    assert 24 < large["coverage_share_percent"] < 27
    assert large["verdict"]["word"] == equal["verdict"]["word"] == "INCONCLUSIVE"
    summary = (public / SUMMARY).read_text(encoding="utf-8")
    assert "about a quarter, of the reported gain is coverage" in summary
    assert equal["coverage_share_percent"] is None and not equal["coverage_differs"]
    assert equal["basis_gain_percent"] == pytest.approx(100 * (1 - 1.328 / 1.7533))


def change_last(shape: Shape = BASELINE, **fields: Any) -> bytes:
    """A log whose last evaluation has other fields."""
    events = shape.build()
    return write_json([*events[:-1], events[-1] | fields])


def without_whole_spans() -> Lines:
    """A log of a batch larger than the validation text, whose evaluations begin after its first step."""
    events = [event for event in BASELINE.build() if (event["event"], event.get("step")) != ("validation_step", 1)]
    return [event | ({"batch_size": 1_024} if "batch_size" in event else {}) for event in events]


@pytest.mark.parametrize(
    "content",
    [
        change_last(timestamp="9999-12-31T23:59:59-05:00"),
        change_last(timestamp="0001-01-01T00:00:00+05:00"),
        change_last(full_loss_nats_per_char=0.0),
        change_last(full_loss_nats_per_char=1e-320),
        write_json(BASELINE.build()) + b"[  " + b"9" * 5_000 + b"/938] validation_step: loss=1.2\n",
        write_json(BASELINE.build()) + b"[  938/938] validation_step: loss=1.2 odd=" + b"[" * 200_000 + b"\n",
        write_json(without_whole_spans()),
    ],
    ids=["late", "early", "no-full-loss", "tiny-full-loss", "long-step", "deep-value", "no-span"],
)
def test_absurd_values_are_no_bug_of_ours(content: bytes, tmp_path: Path) -> None:
    sources = write(tmp_path, odd=content, adamw=change_last(SAME_COVERAGE, full_loss_nats_per_char=1.4))
    assert compare(sources, tmp_path / "out") in (0, 2, 4)


def test_a_setting_named_by_a_path_is_no_other_setting(tmp_path: Path) -> None:
    events = BASELINE.build()
    [line] = [event for event in events if event["event"] == "hyperparameters_configured"]
    line["/x/block_size"] = 7
    sources = write(tmp_path, baseline=write_json(events), adamw=write_json(SAME_COVERAGE.build()))
    assert compare(sources, tmp_path / "out") == 0
    assert load_document(tmp_path / "out")["arms"][0]["config"]["block_size"] == BASELINE.block_size


def test_equal_coverage_gives_no_warning_of_it(tmp_path: Path) -> None:
    sources = write(tmp_path, baseline=write_json(BASELINE.build()), adamw=write_json(SAME_COVERAGE.build()))
    assert compare(sources, tmp_path / "out") == 0
    text = (tmp_path / "out" / SUMMARY).read_text(encoding="utf-8")
    assert "is coverage, not" not in text and "not on equal terms" not in text


def test_what_a_log_cannot_prove_is_not_checked_by_name(public: Path) -> None:
    findings = verify(public, None, None, LocalLauncher())
    assert "4 records and 6 files of runs have" in next(f.evidence for f in findings if f.name == "hashes")
    found = {finding.name: finding.status for finding in findings}
    assert "FAIL" not in found.values()
    assert {name for name, status in found.items() if status == "PASS"} == {
        *("epochs", "seed", "validation-fraction", "last-step", "first-loss", "same-tokens", "reimport"),
        *("hashes", "measurements", "numbers", "claims", "reports", "distinct-runs", "stored-findings"),
    }


def test_raw_bytes_are_kept_and_no_folder_is_stored(public: Path) -> None:
    assert (public / "runs/adamw-s1337/source.log").read_bytes() == write_json(SAME_COVERAGE.build())
    for path in public.rglob("*.json"):
        assert str(public.parent) not in path.read_text(encoding="utf-8")
    rows = load_metrics(public)
    assert all(row["elapsed_s"] is None and row["full_loss_nats_per_char"] is None for row in rows)
    assert {row["tokens_seen"] for row in rows if row["step"] == 1} == {8_192, 32_768}


def test_report_list_and_gate_work(public: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (public / SUMMARY).read_bytes()
    with skip_rendering():
        assert main(["report", str(public)]) == 0
    assert (public / SUMMARY).read_bytes() == before
    assert main(["list", "--results", str(public.parent)]) == 0
    assert main(["gate", str(public), "--min-improvement", "20"]) == 0
    assert main(["gate", str(public), "--min-improvement", "20", "--require-conclusive"]) == 5
    assert main(["gate", str(public), "--max-loss", "1.33"]) == 0
    assert main(["gate", str(public), "--max-loss", "1.32"]) == 1
    printed = capsys.readouterr().out
    assert "undecided" in printed and "INCONCLUSIVE" in printed


def edit_source(folder: Path) -> None:
    path = folder / "runs/adamw-s1337/source.log"
    path.write_bytes(path.read_bytes().replace(b"1.328", b"1.228"))


def edit_journal(folder: Path) -> None:
    run = folder / "runs/adamw-s1337"
    path = run / "mainrun.log"
    path.write_text(path.read_text(encoding="utf-8").replace("1.328", "1.228"), encoding="utf-8")
    make_consistent(folder)


def edit_note(folder: Path) -> None:
    """As another version reads the same source."""
    path = folder / "runs/adamw-s1337" / "mainrun.log"
    note = {"event": "import_note", "timestamp": None, "text": "said otherwise"}
    path.write_text(f"{path.read_text(encoding='utf-8')}{json.dumps(note)}\n", encoding="utf-8")
    make_consistent(folder)


def make_consistent(folder: Path) -> None:
    """All that follows from the journal made again, its hash first."""
    run = folder / "runs/adamw-s1337"
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    record["mainrun_log_sha256"] = compute_file_sha256(run / "mainrun.log")
    (run / "run.json").write_text(json.dumps(record), encoding="utf-8")
    (folder / "comparison.json").unlink()
    with skip_rendering():
        assert main(["report", str(folder)]) == 0


@pytest.mark.parametrize(("edit", "check"), [(edit_source, "hashes"), (edit_journal, "reimport")])
def test_an_edited_import_is_caught(public: Path, tmp_path: Path, edit: Any, check: str) -> None:
    folder = Path(shutil.copytree(public, tmp_path / "out"))
    edit(folder)
    findings = {finding.name: finding.status for finding in verify(folder, None, None, LocalLauncher())}
    assert findings[check] == "FAIL" and findings["reimport"] == "FAIL"


@pytest.mark.parametrize("name", ["source.log", "mainrun.log"])
@pytest.mark.parametrize("place", ["", "runs/adamw-s1337"], ids=["the comparison", "the run"])
def test_a_stored_log_that_was_changed_is_refused_where_it_is_taken_in_again(
    public: Path, tmp_path: Path, place: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(public, tmp_path / "copy"))
    path = folder / "runs/adamw-s1337" / name
    path.write_bytes(path.read_bytes().replace(b"1.328", b"1.228"))
    sources = [str(folder / "runs/baseline-s1337"), str(folder / place)] if place else [str(folder)]
    assert compare(sources, tmp_path / "out") == 4 and not (tmp_path / "out").exists()
    assert f"adamw-s1337/{name} was changed after the run: its SHA-256 is" in capsys.readouterr().err


def test_a_note_in_other_words_is_not_vouched_for_and_fails_nothing(public: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(public, tmp_path / "out"))
    edit_note(folder)
    findings = {finding.name: finding.status for finding in verify(folder, None, None, LocalLauncher())}
    assert findings["reimport"] == "NOT VOUCHED"


@pytest.mark.parametrize("name", ["../../../plan.json", "/dev/zero"])
def test_a_record_that_names_a_file_outside_of_its_run_is_damaged(
    public: Path, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(public, tmp_path / "copy"))
    path = next(folder.glob("runs/*/run.json"))
    record = load_json(path, 2)
    record["source"]["files"] = {name: "0" * 64}
    save_json(path, record)
    (folder / "comparison.json").unlink()
    for verb in (["verify"], ["report"], ["gate", "--max-loss", "1"]):
        assert main([*verb, str(folder)]) == 4
        assert f"run.json is damaged: {name!r} is no file of the run" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["name", "files", "loss_unit"])
def test_a_record_that_does_not_say_how_its_log_was_read_is_damaged(
    public: Path, tmp_path: Path, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(public, tmp_path / "copy"))
    path = folder / "runs/adamw-s1337/run.json"
    record = load_json(path, 2)
    del record["source"][key]
    save_json(path, record)
    assert compare([str(folder)], tmp_path / "out") == 4
    assert f"run.json is damaged: source.{key} missing" in capsys.readouterr().err


def test_a_changed_denominator_fails_the_first_loss(tmp_path: Path) -> None:
    lines = [
        line | {"loss": line["loss"] / 20} if line["event"] == "validation_step" else line for line in BASELINE.build()
    ]
    sources = write(tmp_path, baseline=write_json(BASELINE.build()), shrunk=write_json(lines))
    assert compare(sources, tmp_path / "out") == 0
    document = load_document(tmp_path / "out")
    assert {f["name"] for f in document["integrity"] if f["status"] == "FAIL"} == {"first-loss"}
    assert document["pairs"][0]["target"] is None
    assert "does not fit" in document["pairs"][0]["verdict"]["reason"]
    arm, pair = document["arms"][1], document["pairs"][0]
    assert arm["final"]["coverage_percent"] is arm["final"]["matched_loss_nats_per_char"] is None
    assert pair["basis"]["field"] == "loss_nats_per_char" and "equal terms" not in str(pair["claims"])
    assert "**FAIL: The first validation loss" in (tmp_path / "out" / SUMMARY).read_text()


def test_unequal_token_counts_are_said_everywhere(tmp_path: Path) -> None:
    other = Shape(final=1.7, num_train_tokens=1_168_720)
    sources = write(tmp_path, baseline=write_json(BASELINE.build()), revised=write_json(other.build()))
    with skip_rendering() as pages:
        assert main(["compare", "--from", *sources, "--out", str(tmp_path / "out")]) == 0
    document = load_document(tmp_path / "out")
    assert document["pairs"][0]["verdict"]["word"] == "INCONCLUSIVE"
    assert {f["name"] for f in document["integrity"] if f["status"] == "FAIL"} == {"same-tokens"}
    assert not document["pairs"][0]["coverage_differs"]  # 93.8 % to 97.6 %, estimated, against 94.7 %
    assert document["pairs"][0]["basis"]["name"].endswith("coverage estimated")
    for text in (*(path.read_text(encoding="utf-8") for path in (tmp_path / "out").glob("*.md")), pages[0]):
        assert "other data or another tokenizer" in text
    assert '@top-center { content: "Other data' in pages[0]


def test_unequal_numbers_of_titles_are_other_data_whatever_the_tokenizer(tmp_path: Path) -> None:
    lines = [line | ({"num_titles": 6_000} if "num_titles" in line else {}) for line in Shape(vocab_size=900).build()]
    assert any("num_titles" in line for line in lines)
    sources = write(tmp_path, baseline=write_json(BASELINE.build()), small=write_json(lines))
    assert compare(sources, tmp_path / "out") == 0
    verdict = load_document(tmp_path / "out")["pairs"][0]["verdict"]
    assert verdict["word"] == "INCONCLUSIVE" and "other data or another tokenizer" in verdict["reason"]
    assert "100,000 titles against 6,000" in (tmp_path / "out" / SUMMARY).read_text()


def test_the_target_is_not_claimed_of_an_evaluation_before_the_last_step(tmp_path: Path) -> None:
    early = [line for line in SAME_COVERAGE.build() if (line["event"], line.get("step")) != ("validation_step", 938)]
    sources = write(tmp_path, baseline=write_json(BASELINE.build()), early=write_json(early))
    assert compare(sources, tmp_path / "out") == 0
    pair = load_document(tmp_path / "out")["pairs"][0]
    assert pair["target"] is None and "its last step was not evaluated" in pair["verdict"]["reason"]


def test_seven_epochs_are_not_believed_against_the_logs_own_counts(tmp_path: Path) -> None:
    twice = Shape(final=1.3, num_train_tokens=2 * 1_102_455).build()
    lines = [line | ({"tokens_per_epoch": 1_102_455} if "tokens_per_epoch" in line else {}) for line in twice]
    sources = write(tmp_path, baseline=write_json(BASELINE.build()), long=write_json(lines))
    assert compare(sources, tmp_path / "out") == 0
    (found,) = [f for f in load_document(tmp_path / "out")["constraints"] if f["name"] == "epochs"]
    assert found["status"] == "NOT CHECKED" and "269 steps an epoch, but its 1,102,455" in found["evidence"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_two_logs_of_the_same_run_are_refused(end: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (write_json(BASELINE.build(), ending) for ending in ("\n", end))
    assert compare(write(tmp_path, one=one, two=two), tmp_path / "out") == 2
    assert "one.log and two.log hold the same run" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_fingerprints_that_differ_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs = [
        [line | ({"train_sha256": digit * 64} if line["event"] == "dataset_info" else {}) for line in BASELINE.build()]
        for digit in "ab"
    ]
    assert compare(write(tmp_path, a=write_json(logs[0]), b=write_json(logs[1])), tmp_path / "out") == 4
    assert "fingerprints" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_log_that_stops_is_shown_and_not_compared(tmp_path: Path) -> None:
    sources = write(tmp_path, baseline=write_json(BASELINE.build()), cut=write_json(SAME_COVERAGE.build()[:500]))
    assert compare(sources, tmp_path / "out") == 3
    assert load_document(tmp_path / "out")["pairs"] == []
    assert "the log ends at step 484 of 938" in (tmp_path / "out" / SUMMARY).read_text(encoding="utf-8")


def test_a_log_that_stops_is_told_where_no_pdf_can_be_made_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise MachineError("no library of the PDF")

    monkeypatch.setattr("harness.cli.judge.make_reports", refuse)
    sources = write(tmp_path, baseline=write_json(BASELINE.build()), cut=write_json(SAME_COVERAGE.build()[:500]))
    assert compare(sources, tmp_path / "out") == 3
    said = capsys.readouterr().err
    assert "the log ends at step 484 of 938" in said and "no library of the PDF" in said


def test_our_own_runs_keep_their_full_loss_and_verdict(tiny_comparison: Path, tmp_path: Path) -> None:
    assert compare([str(tiny_comparison)], tmp_path / "out") == 0
    before, after = load_document(tiny_comparison), load_document(tmp_path / "out")
    assert after["pairs"][0]["verdict"] == before["pairs"][0]["verdict"]
    assert "compare --from baseline-s1337 optimized-s1337" in after["command"]
    findings = {finding.name: finding.status for finding in verify(tmp_path / "out", None, None, FakeLauncher())}
    assert findings["planned-runs"] == "NOT CHECKED"
    assert not {name for name, status in findings.items() if status == "FAIL"}


def test_the_printed_command_names_what_two_files_are_called_alike_and_what_was_said_of_them(tmp_path: Path) -> None:
    for folder, shape in (("a", BASELINE), ("b", SAME_COVERAGE)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "train.log").write_bytes(write_json(shape.build()))
    sources = [f"old={tmp_path}/a/train.log", f"new={tmp_path}/b/train.log"]
    assert compare([*sources, "--train-tokens", "1155851"], tmp_path / "out") == 0
    command = load_document(tmp_path / "out")["command"]
    assert command.endswith("compare --from old=train.log new=train.log --train-tokens 1155851")


def test_a_run_of_ours_beside_its_copy_is_refused(
    tiny_comparison: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tiny_comparison / "runs" / "baseline-s1337"
    copy = shutil.copytree(run, tmp_path / "other" / "runs" / run.name)
    assert compare([str(run), str(copy)], tmp_path / "out") == 2
    assert "hold the same run" in capsys.readouterr().err


def test_two_runs_that_were_cut_off_are_no_copies_of_each_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, step in (("one", 20), ("two", 30)):
        with pytest.raises(RunError):
            make_comparison(tmp_path, name=name, launcher=FakeLauncher({"optimized": Mishap("fail", step=step)}))
    runs = [str(tmp_path / name / "runs" / "optimized-s1337") for name in ("one", "two")]
    compare(runs, tmp_path / "out")
    assert "hold the same run" not in capsys.readouterr().err


def test_runs_that_were_planned_and_are_missing_stay_missing_when_taken_in(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        make_comparison(tmp_path, seeds=(1337, 1), launcher=FakeLauncher({"optimized-s1": Mishap("fail", step=20)}))
    runs = [str(path) for path in sorted((tmp_path / "fake" / "runs").iterdir())]
    assert compare(runs, tmp_path / "out") in (0, 3)
    (found,) = [f for f in load_document(tmp_path / "out")["constraints"] if f["name"] == "planned-runs"]
    assert found["status"] == "FAIL" and "optimized-s1" in found["evidence"]


def test_a_run_of_ours_beside_its_own_log(tiny_comparison: Path, tmp_path: Path) -> None:
    runs = tiny_comparison / "runs"
    assert compare([str(runs / "baseline-s1337"), str(runs / "optimized-s1337/mainrun.log")], tmp_path / "out") == 0
    pair = load_document(tmp_path / "out")["pairs"][0]
    expected = load_document(tiny_comparison)["pairs"][0]
    assert pair["full_gain_percent"] == pytest.approx(expected["full_gain_percent"])
    assert pair["basis"]["name"] == "full loss" and pair["verdict"]["word"] == "INCONCLUSIVE"
    assert [arm["name"] for arm in load_document(tmp_path / "out")["arms"]] == ["baseline", "mainrun"]


def test_two_arms_of_a_comparison_that_are_given_one_name_stay_two(tiny_comparison: Path, tmp_path: Path) -> None:
    runs = [f"mine={tiny_comparison}/runs/{arm}-s1337" for arm in ("baseline", "optimized")]
    assert compare(runs, tmp_path / "out") == 0
    assert [arm["name"] for arm in load_document(tmp_path / "out")["arms"]] == ["mine", "mine-2"]


def test_a_changed_run_of_ours_is_refused(own_comparison: Path, tmp_path: Path) -> None:
    journal = own_comparison / "runs/optimized-s1337/mainrun.log"
    journal.write_bytes(journal.read_bytes() + b"{}\n")
    assert compare([str(own_comparison)], tmp_path / "out") == 4
    rehash(journal.parent)


def test_tables_and_event_files_need_a_unit(
    tiny_comparison: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, last in (("a", 1.75), ("b", 1.5)):
        (tmp_path / f"{name}.csv").write_text(f"step,train_loss,val_loss\n1,9.7,2.1\n2,9.0,\n100,5.0,{last}\n")
    tables = [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]
    assert compare(tables, tmp_path / "none") == 2
    assert "--loss-unit" in capsys.readouterr().err
    for unit, basis in (("nats_per_char", "frozen loss as reported"), ("nats_per_token", "per token")):
        assert compare(tables, tmp_path / unit, "--loss-unit", unit) == 0
        pair = load_document(tmp_path / unit)["pairs"][0]
        assert basis in pair["basis"]["name"] and pair["basis_gain_percent"] == pytest.approx(100 * 0.25 / 1.75)
    events = tiny_comparison / "logs/tensorboard"
    assert compare([str(events / f"{arm}-s1337") for arm in ("baseline", "optimized")], tmp_path / "tb") == 0
    assert load_document(tmp_path / "tb")["pairs"][0]["basis"]["name"] == "full loss"
    assert compare([tables[0], str(events / "baseline-s1337")], tmp_path / "mix", "--loss-unit", "nats_per_token") == 4


def test_json_lines_without_events_are_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, last in (("a", 1.75), ("b", 1.5)):
        rows = [{"step": 1, "train": 2.4, "val": 2.1}, {"step": 2, "train": 2.3}, {"step": 100, "val": last}]
        (tmp_path / f"{name}.log").write_bytes(write_json(rows))
    tables = [str(tmp_path / "a.log"), str(tmp_path / "b.log")]
    assert compare(tables, tmp_path / "out") == 2 and "--loss-unit" in capsys.readouterr().err
    assert compare(tables, tmp_path / "out", "--loss-unit", "nats_per_char") == 0
    document = load_document(tmp_path / "out")
    assert document["pairs"][0]["basis_gain_percent"] == pytest.approx(100 * 0.25 / 1.75)
    assert "columns or tags that are not used: 'train'" in str(document["arms"][0]["notes"])
    (tmp_path / "b.log").write_bytes(write_json([{"step": 1, "val": 2.1}, {"step": "x", "val": 2.1}]))
    assert compare(tables, tmp_path / "not", "--loss-unit", "nats_per_char") == 2
    assert "b.log, line 2: the step is 'x'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["absent.log", "a.log"],
        ["a.log"],
        ["a.log", "empty"],
        ["a.log", "a.log", "--seeds", "1,2"],
        ["a.log", "a.log", "--precision", "bfloat16"],
        ["a.log", "bad.csv"],
    ],
)
def test_wrong_requests_end_with_2_and_write_nothing(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, a=write_json(BASELINE.build()))
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    assert main(["compare", "--out", "out", "--from", *arguments]) == 2
    assert not (tmp_path / "out").exists()


def test_a_dry_run_shows_what_is_read_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sources = write(tmp_path, a=write_json(BASELINE.build()), b=write_console(SAME_COVERAGE.build()))
    assert compare(sources, tmp_path / "out", "--dry-run", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["exit_code"] == 0 and [source["name"] for source in answer["plan"]["sources"]] == ["a.log", "b.log"]
    assert not (tmp_path / "out").exists()


def test_hostile_names_are_harmless(tmp_path: Path) -> None:
    name = "<img src=x>|`$(id)`\u202e..log"
    (tmp_path / name).write_bytes(write_json(BASELINE.build()))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / name).write_bytes(write_json(SAME_COVERAGE.build()))
    assert compare([str(tmp_path / name), str(tmp_path / "b" / name)], tmp_path / "out") == 0
    runs = sorted(path.name for path in (tmp_path / "out/runs").iterdir())
    assert runs == ["b-s1337", "img_src_x_id-s1337"]
    text = (tmp_path / "out" / SUMMARY).read_text(encoding="utf-8")
    assert "\u202e" not in text
    assert load_comparison(tmp_path / "out").unfinished == []


def test_names_are_unique_and_safe() -> None:
    assert name_arms([Wish("a"), Wish("a"), Wish("a-2")]) == ["a", "a-2", "a-2-2"]
    assert make_arm_name("../..") == "log"


def test_a_log_of_another_seed_leaves_the_seed_pairs_of_our_own_runs_as_they_are(
    three_seeds: Path, tmp_path: Path
) -> None:
    lines = [line | ({"seed": 2} if "seed" in line else {}) for line in BASELINE.build()]
    (log,) = write(tmp_path, other=write_json(lines))
    assert compare([str(three_seeds), log], tmp_path / "out") == 0
    own, other = load_document(tmp_path / "out")["pairs"]
    due = load_document(three_seeds)["pairs"][0]["verdict"]
    for together in ("adjusted", "interval_joint"):  # judged with one pair more it has them
        assert due.pop(together) is None
    assert {key: own["verdict"][key] for key in due} == due and due["num_seed_pairs"] == 3
    assert other["verdict"]["word"] == "INCONCLUSIVE"


def test_a_log_beside_our_own_pair_takes_no_sentence_of_it_away(tmp_path: Path) -> None:
    own = Path(__file__).parents[3] / "results" / "quick-synthetic"
    (log,) = write(tmp_path, other=write_json(BASELINE.build()))
    assert compare([str(own), log], tmp_path / "out") == 0
    alone, beside = (load_document(folder)["pairs"][0]["claims"] for folder in (own, tmp_path / "out"))
    assert {claim["id"] for claim in alone} <= {claim["id"] for claim in beside} and len(alone) > 20


@pytest.mark.parametrize("with_log", [False, True])
def test_comparisons_that_share_no_seed_are_shown_side_by_side_and_not_decided(
    tiny_comparison: Path, tmp_path: Path, with_log: bool
) -> None:
    other = make_comparison(tmp_path, seeds=(1, 2))
    logs = write(tmp_path, log=write_json(BASELINE.build())) if with_log else []
    assert compare([str(tiny_comparison), str(other), *logs], tmp_path / "out") == 0
    document = load_document(tmp_path / "out")
    words = {pair["candidate"]: pair["verdict"]["word"] for pair in document["pairs"]}
    shared = load_document(tiny_comparison)["pairs"][0]["verdict"]["word"]
    undecided = dict.fromkeys(["baseline-2", "optimized-2", *(["log"] if with_log else [])], "INCONCLUSIVE")
    assert words == {"optimized": shared, **undecided} and shared != "INCONCLUSIVE"
    assert "the two runs have different seeds" in document["pairs"][1]["verdict"]["reason"]
    caveats = [claim["id"] for claim in document["caveats"]]
    assert "equal-arms" not in caveats and "runs-beside-others" not in caveats
    doubts = {pair["candidate"]: pair["time_doubts"] for pair in document["pairs"]}
    assert doubts["optimized"] == [] and doubts["optimized-2"] == ["runs were not trained under one plan"]
    report = (tmp_path / "out" / SUMMARY).read_text(encoding="utf-8")
    assert ("With runs of other programs" in report) == with_log
    findings = {finding.name: finding.status for finding in verify(tmp_path / "out", None, None, LocalLauncher())}
    assert {findings[name] for name in ("measurements", "numbers", "claims", "reports")} == {"PASS"}
    assert main(["gate", str(tmp_path / "out"), "--min-improvement", "1", "--require-conclusive"]) == 5


def test_runs_of_seeds_of_which_no_pair_can_be_made_are_left_out_and_said_so(
    tiny_comparison: Path, three_seeds: Path, tmp_path: Path
) -> None:
    sources = [str(tiny_comparison / "runs/baseline-s1337"), *map(str, three_seeds.glob("runs/optimized-s*"))]
    assert compare(sources, tmp_path / "out") == 0
    document = load_document(tmp_path / "out")
    assert document["seeds"] == [1337] and len(document["runs"]) == 4
    said = [claim["text"] for claim in document["caveats"] if claim["id"] == "left-out-seed"]
    assert sorted(said) == [
        f"optimized (changed) with seed {seed} is left out: no pair with the baseline can be made of its seed."
        for seed in (1, 2)
    ]
