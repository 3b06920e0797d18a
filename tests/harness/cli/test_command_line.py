import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from harness.cli.app import main
from mainrun.record.errors import MachineError
from tests.harness.fakes import MACHINE, SOURCE_SHA256, TINY, FakeLauncher, Mishap, skip_rendering, write_titles

VERBS = ("compare", "ablate", "report", "verify", "gate", "list")
TINY_OPTIONS = [f"--set={arm}.{key}={value}" for arm in ("baseline", "optimized") for key, value in TINY.items()]
SYNTHETIC = Path(__file__).parents[3] / "results" / "quick-synthetic"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> FakeLauncher:
    """Takes the place of the local launcher."""
    launcher = FakeLauncher()
    monkeypatch.setattr("harness.launch.local.LocalLauncher", lambda: launcher)
    return launcher


@pytest.fixture
def run(launcher: FakeLauncher, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line; gives exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        with skip_rendering():
            try:
                exit_code = main([str(argument) for argument in arguments])
            except SystemExit as error:
                assert isinstance(error.code, int)
                exit_code = error.code
        captured = capsys.readouterr()
        return exit_code, captured.out, captured.err

    return run


def read_object(stdout: str) -> dict[str, Any]:
    """The one JSON object that `--json` prints."""
    values = json.loads(stdout)
    assert isinstance(values, dict)
    assert values["schema_version"] == 1
    assert {"exit_code", "reason"} <= set(values)
    return values


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_the_help_is_the_golden_one(
    verb: str, golden: Callable[[str, str], None], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    exit_code, stdout, stderr = run(*verb.split(), "--help")
    assert (exit_code, stderr) == (0, "")
    golden(f"help-{verb or 'harness'}.txt", stdout)


def test_a_comparison_prints_its_result_and_nothing_else_on_stdout(run: Run, tmp_path: Path) -> None:
    exit_code, stdout, stderr = run("compare", *TINY_OPTIONS, "--out", tmp_path / "a")
    assert exit_code == 0
    assert re.search(
        r"\nIMPROVED \(single seed, beyond \d+ times the known noise\): optimized \(changed\) against ", stdout
    )
    assert "[1/2] baseline-s1337 (changed)\n" in stderr
    assert "  optimized-s1337 (changed): complete\n" in stderr
    assert "step" in stderr and "complete" in stderr
    assert "[1/2]" not in stdout


def test_a_comparison_with_json_prints_one_object_with_the_folder_and_the_pairs(run: Run, tmp_path: Path) -> None:
    exit_code, stdout, _ = run("compare", *TINY_OPTIONS, "--out", tmp_path / "a", "--json")
    values = read_object(stdout)
    assert (exit_code, values["exit_code"], values["reason"]) == (0, 0, None)
    assert values["folder"] == str(tmp_path / "a")
    assert values["pairs"][0]["verdict"]["word"] == "IMPROVED"


def test_a_dry_run_prints_the_plan_and_keeps_nothing_of_a_few_steps_of_each_kind_of_arm(
    run: Run, launcher: FakeLauncher, tmp_path: Path
) -> None:
    out = tmp_path / "results" / "a"
    exit_code, stdout, stderr = run("compare", *TINY_OPTIONS, "--out", out, "--dry-run", "--seeds", "1337,1")
    assert exit_code == 0
    for word in ("baseline-s1337", "optimized-s1", "coverage", "margin 0.5 %"):
        assert word in stdout
    heads = [line.split("  ") for line in stdout.splitlines() if line.startswith("  ") and "baseline" in line]
    assert [[head.strip() for head in line if head.strip()] for line in heads[:2]] == [
        ["baseline (changed)", "optimized (changed)"]
    ] * 2
    assert "8 of 32 settings differ (* from the first arm)" in stdout
    assert re.findall(r"^optimizer.learning_rate +0.006 +(.*)$", stdout, re.MULTILINE) == ["0.0003 *"]
    assert len(re.findall(r" \*$", stdout, re.MULTILINE)) == 8
    assert re.search(r"^The same in all: .*model.d_model=16, .*training.epochs=7", stdout, re.MULTILINE)
    assert "optimized-s1 (changed)" in stdout
    assert [line.partition(",")[0] for line in stderr.splitlines()] == [
        "Taking 12 steps of baseline",
        "Taking 12 steps of optimized",
    ]
    assert list(tmp_path.iterdir()) == []
    assert launcher.launched == ["baseline for 12 steps", "optimized for 12 steps"]
    assert all("--stop-after=12" in words for words in launcher.arguments)
    assert re.search(r"\nTime: about \d.* in all, by a few real steps of each kind of arm \(a run: baseline \d", stdout)
    swept = ["baseline", "--sweep=optimized:lr=1,2,3", *(f"--set={key}={value}" for key, value in TINY.items())]
    exit_code, stdout, _ = run("compare", *swept, "--out", out, "--dry-run", "--json", "--seeds=1,2")
    assert launcher.launched[2:] == ["baseline for 12 steps", "optimized-lr-1 for 12 steps"]
    assert read_object(stdout)["estimated_s"] > 0
    exit_code, stdout, _ = run("compare", *TINY_OPTIONS, "--out", out, "--dry-run", "--json")
    assert [run["arm"] for run in read_object(stdout)["plan"]["runs"]] == ["baseline", "optimized"]
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_what_would_be_taken_over_and_times_only_the_rest(
    run: Run, launcher: FakeLauncher, tiny_comparison: Path, tmp_path: Path
) -> None:
    words = ["compare", *TINY_OPTIONS, "--out", tmp_path / "a", "--dry-run"]
    reusing = [*words, "--reuse", tiny_comparison]
    exit_code, _, stderr = run(*reusing, "--seeds", "1337,1")
    assert exit_code == 0 and list(tmp_path.iterdir()) == []
    assert "complete: taken over from baseline-s1337 of fake" in stderr
    some, none = (read_object(run(*asked, "--seeds", "1337,1", "--json")[1]) for asked in (reusing, words))
    assert (some["taken_over"], none["taken_over"]) == (["baseline-s1337", "optimized-s1337"], [])
    assert 0 < some["estimated_s"] < none["estimated_s"]
    launcher.launched.clear()
    exit_code, stdout, _ = run(*reusing)
    assert (exit_code, stdout.splitlines()[-1]) == (0, "Time: none; nothing is left to train.")
    assert not [name for name in launcher.launched if name.endswith("for 12 steps")]


def test_of_a_dry_run_that_is_interrupted_the_plan_is_printed(
    run: Run, launcher: FakeLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(wait_s: float) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(launcher, "poll", interrupt)
    exit_code, stdout, stderr = run("compare", *TINY_OPTIONS, "--out", tmp_path / "a", "--dry-run")
    assert (exit_code, stderr.splitlines()[-1]) == (130, "error: interrupted")
    assert "Order:" in stdout and "Time:" not in stdout
    assert read_object(run("compare", *TINY_OPTIONS, "--dry-run", "--json")[1])["exit_code"] == 130


def test_an_unwritten_default_folder_is_below_results_and_latest_points_to_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exit_code, stdout, _ = run("compare", *TINY_OPTIONS, "--json")
    assert exit_code == 0
    folder = Path(read_object(stdout)["folder"])
    assert re.fullmatch(r"results/quick-\d{8}T\d{6}Z", str(folder))
    assert (tmp_path / "results" / "latest").resolve() == (tmp_path / folder).resolve()
    assert (tmp_path / "results" / "latest").readlink() == Path(folder.name)
    assert run("compare", *TINY_OPTIONS, "--out", "results/latest", "--resume")[0] == 0
    assert (tmp_path / "results" / "latest").readlink() == Path(folder.name)


def test_comparisons_begun_in_the_same_second_have_a_folder_each(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in ("plan.from_request", "cli.judge"):
        monkeypatch.setattr(f"harness.{place}.name_folder", lambda begin: Path("results") / "then")
    names = [f"results/{name}" for name in ("then", "then-2", "then-3")]
    for name, arguments in zip(names, ([*TINY_OPTIONS], [*TINY_OPTIONS], ["--from", *names[:2]]), strict=True):
        exit_code, stdout, stderr = run("compare", *arguments, "--json")
        assert exit_code == 0, stderr
        assert read_object(stdout)["folder"] == name
        assert json.loads((tmp_path / name / "plan.json").read_text())["name"] == Path(name).name
        assert (tmp_path / "results" / "latest").readlink() == Path(Path(name).name)


@pytest.mark.parametrize("asked", [TINY_OPTIONS, ["--from", SYNTHETIC]], ids=["trained", "judged"])
def test_a_folder_that_another_fills_while_this_one_plans_is_refused_and_not_joined(
    asked: list[str], run: Run, launcher: FakeLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(folder: Path, *, is_named: bool) -> Path:
        shutil.copytree(SYNTHETIC, folder)
        return folder

    for place in ("comparison", "cli.judge"):
        monkeypatch.setattr(f"harness.{place}.make_own_folder", fill)
    before = (SYNTHETIC / "plan.json").read_bytes()
    exit_code, _, stderr = run("compare", *asked, "--out", tmp_path / "a")
    assert exit_code == 2 and f"{tmp_path / 'a'} exists already." in stderr
    assert (tmp_path / "a" / "plan.json").read_bytes() == before and launcher.launched == []


def write_csv(folder: Path) -> Path:
    path = folder / "titles.csv"
    path.write_text("headline,score\none,1\ntwo,2\n")
    return path


def make_regular_file(folder: Path) -> Path:
    path = folder / "file"
    path.touch()
    return path


@pytest.mark.parametrize(
    ("arguments", "exit_code", "reason"),
    [
        (["baseline", "optimised"], 2, r"Unknown recipe 'optimised'\. Did you mean 'optimized'\?"),
        (["baseline"], 2, "two recipes"),
        (["--preset", "quik"], 2, r"Unknown preset 'quik'\. Did you mean 'quick'\?"),
        (["--set=optimized.learning_rat=1"], 2, r"Unknown setting 'learning_rat'\. Did you mean 'learning_rate'\?"),
        (["--set=optimized.optimizer=adam"], 2, r"Unknown optimizer 'adam'\. Did you mean 'adamw'\?"),
        (["--set=optimized.dropout=much"], 2, "takes float, not 'much'"),
        (["--set=optimized.dropout=nan"], 2, "dropout"),
        (["--set=optimized.learning_rate=inf"], 2, "learning_rate"),
        (["--set=optimized.dropout=2"], 2, "must be from 0 to below 1"),
        (["--set=optimised.dropout=0.2"], 2, "names the arm 'optimised'.*Arms: baseline, optimized"),
        (["--set=dropout"], 2, "takes .ARM..KEY=VALUE"),
        (["--set=.dropout=0.2"], 2, "takes .ARM..KEY=VALUE"),
        (["--set=dropout=2"], 2, "must be from 0 to below 1"),
        (["--sweep=optimized:dropout=0.1"], 2, "varies nothing"),
        (["--against=optimised"], 2, "not 'optimised'"),
        (["--set=optimized.dropout=0", "--set=optimized.dropout=0.1"], 2, "names 'optimized.dropout' twice"),
        (["--seeds", "1,x"], 2, "--seeds takes whole numbers"),
        (["--seeds", "1,1"], 2, "Seed 1 is given twice"),
        (["--seeds", "99999999999999999999999"], 2, "eed"),
        (["--jobs", "0"], 2, "--jobs takes a number above 0, not 0"),
        (["--threads", "-1"], 2, "--threads takes a number above 0, not -1"),
        (["--checkpoint-minutes", "nan"], 2, "--checkpoint-minutes takes a number above 0, not nan"),
        (["--checkpoint-minutes", "5"], 2, "--checkpoint-minutes is of a cluster and goes with --launcher ray"),
        (["--title-column", "headline"], 2, "names a column of a file, but --data is 'synthetic'"),
        (["--data", "hub", "--title-column", "headline"], 2, "names a column of a file, but --data is 'hub'"),
        (["--address", "auto"], 2, "--address names a cluster and goes with --launcher ray"),
        (["--address", "auto", "--dry-run"], 2, "--address names a cluster and goes with --launcher ray"),
        (["--resume"], 2, "--resume needs --out"),
        (["--data", "{tmp}/absent.txt"], 2, "absent.txt"),
        (["--data", "{csv}"], 2, "title"),
        (["--data", "{csv}", "--title-column", "headlin"], 2, "headline"),
        (["--data", "{csv}", "--title-column", "headline"], 2, "2 titles, but the preset needs 400"),
        (["--data-revision", "main"], 2, "belongs to --data hub"),
        (["--data", "{empty}"], 2, "empty"),
        (["--set=baseline.block_size=512", "--set=baseline.batch_size=512"], 2, "too few"),
        (["--out", "{full}"], 2, "exists already"),
        (["--out", "{file}/below"], 6, "Cannot write .*file/below"),
        (["--data", "hub"], 6, "hub"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_request_that_cannot_be_met_ends_with_its_code_and_reason(
    run: Run,
    launcher: FakeLauncher,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    exit_code: int,
    reason: str,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "empty.txt").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").touch()
    places = {"tmp": tmp_path, "csv": write_csv(tmp_path), "empty": tmp_path / "empty.txt", "full": tmp_path / "full",
              "file": make_regular_file(tmp_path)}  # fmt: skip
    given = [argument.format(**places) for argument in arguments]
    if "--out" not in given and given != ["--resume"]:
        given += ["--out", str(tmp_path / "new")]
    kept = [option for option in TINY_OPTIONS if option.rpartition("=")[0] not in {a.rpartition("=")[0] for a in given}]
    if given[:1] in (["baseline"], ["baseline", "optimised"]) or "optimised" in given:
        kept = []
    found, stdout, stderr = run("compare", *given, *kept)
    assert (found, stdout) == (exit_code, "")
    assert re.search(reason, stderr), stderr
    assert "Traceback" not in stderr
    found, stdout, _ = run("compare", *given, *kept, "--json")
    values = read_object(stdout)
    assert (found, values["exit_code"]) == (exit_code, exit_code)
    assert re.search(reason, values["reason"])
    assert launcher.launched == []
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_without_ray_a_cluster_is_what_the_machine_lacks(
    more: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    exit_code, _, stderr = run("compare", *TINY_OPTIONS, "--launcher", "ray", "--out", tmp_path / "a", *more)
    assert (exit_code, (tmp_path / "a").exists()) == (6, False)
    assert (
        "--launcher ray needs Ray. Install it in the checkout: pip install -c constraints.txt -e '.[cluster]'" in stderr
    )


def test_jobs_and_threads_reach_every_run(run: Run, tmp_path: Path) -> None:
    options = ("--jobs", "2", "--threads", "3", "--seeds", "1337,1")
    exit_code, _, stderr = run("compare", *TINY_OPTIONS, *options, "--out", tmp_path / "a")
    assert exit_code == 0, stderr
    records = [json.loads(path.read_text()) for path in (tmp_path / "a").glob("runs/*/run.json")]
    assert [record["machine"]["num_threads"] for record in records] == [3] * 4


@pytest.mark.parametrize(
    "arguments", [["compare", "--bogus"], ["compare", "--device", "tpu"], ["report"], ["frobnicate"]]
)
def test_a_wrong_command_line_ends_with_2_and_with_json_prints_its_object(run: Run, arguments: list[str]) -> None:
    exit_code, stdout, stderr = run(*arguments)
    assert (exit_code, stdout) == (2, "")
    assert "usage:" in stderr
    exit_code, stdout, _ = run(*arguments, "--json")
    assert exit_code == 2
    assert read_object(stdout)["exit_code"] == 2


def test_a_failing_arm_ends_with_3_and_the_reports_are_there(run: Run, launcher: FakeLauncher, tmp_path: Path) -> None:
    launcher.mishaps = {"optimized": Mishap("fail", step=40)}
    exit_code, stdout, _ = run("compare", *TINY_OPTIONS, "--out", tmp_path / "a", "--json")
    values = read_object(stdout)
    assert (exit_code, values["exit_code"]) == (3, 3)
    assert "1 of 2 runs failed. optimized-s1337: The run cannot go on" in values["reason"]
    for name in ("PERFORMANCE_SUMMARY.md", "TRAINING_OPTIMIZATION_REPORT.md", "comparison.json", "metrics.parquet"):
        assert (tmp_path / "a" / name).exists()
    assert launcher.launched == ["baseline-s1337", "optimized-s1337"]


def test_a_run_that_failed_is_told_where_no_pdf_can_be_made_too(
    run: Run, launcher: FakeLauncher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> NoReturn:
        raise MachineError("no library of the PDF")

    monkeypatch.setattr("harness.comparison.make_reports", refuse)
    assert run("compare", *TINY_OPTIONS, "--out", tmp_path / "whole")[0] == 6
    launcher.mishaps = {"optimized": Mishap("fail", step=40)}
    exit_code, _, stderr = run("compare", *TINY_OPTIONS, "--out", tmp_path / "failed")
    assert exit_code == 3
    assert "1 of 2 runs failed. optimized-s1337" in stderr and "no library of the PDF" in stderr


def test_all_runs_failing_before_they_measured_anything_is_still_a_failed_run(
    run: Run, launcher: FakeLauncher, tmp_path: Path
) -> None:
    launcher.mishaps = {"baseline": Mishap("never"), "optimized": Mishap("never")}
    exit_code, _, stderr = run("compare", *TINY_OPTIONS, "--out", tmp_path / "a")
    assert exit_code == 3
    assert "ImportError: no module named torch" in stderr


def test_an_interrupted_comparison_ends_with_130_and_goes_on_with_resume(
    run: Run, launcher: FakeLauncher, tmp_path: Path
) -> None:
    launcher.mishaps = {"optimized": Mishap("interrupt", step=40)}
    arguments = ("compare", *TINY_OPTIONS, "--out", tmp_path / "a")
    exit_code, stdout, _ = run(*arguments, "--json")
    assert (exit_code, read_object(stdout)["exit_code"]) == (130, 130)
    launcher.mishaps = {}
    exit_code, stdout, stderr = run(*arguments, "--resume")
    assert exit_code == 0, stderr
    assert launcher.launched == ["baseline-s1337", "optimized-s1337", "optimized-s1337"]


def test_a_named_precision_reaches_every_run_and_the_command_that_repeats_it(
    run: Run, launcher: FakeLauncher, tmp_path: Path
) -> None:
    launcher.mishaps = {"optimized": Mishap("never")}
    arguments = ("compare", *TINY_OPTIONS, "--out", tmp_path / "a")
    assert run(*arguments, "--precision", "bfloat16")[0] == 3
    launcher.mishaps = {}
    for option, stored, other in (("--precision", "bfloat16", "float32"), ("--device", "cpu", "cuda")):
        exit_code, _, stderr = run(*arguments, "--resume", option, other)
        assert exit_code == 2
        assert f"baseline-s1337 was begun with {option} {stored}, not {other}." in stderr
    assert launcher.launched == ["baseline-s1337", "optimized-s1337"]
    exit_code, _, stderr = run(*arguments, "--resume")
    assert exit_code == 0, stderr
    for arm in ("baseline", "optimized"):
        record = json.loads((tmp_path / "a" / "runs" / f"{arm}-s1337" / "run.json").read_text())
        assert record["machine"]["precision"] == "bfloat16"
    command = json.loads((tmp_path / "a" / "comparison.json").read_text())["command"]
    assert "--device cpu --precision bfloat16 --threads 2" in command  # bits depend on each of them


def test_a_comparison_does_not_go_on_with_other_code_or_another_machine_than_its_finished_runs(
    run: Run, launcher: FakeLauncher, tmp_path: Path
) -> None:
    launcher.mishaps = {"optimized": Mishap("interrupt", step=40)}
    arguments = ("compare", *TINY_OPTIONS, "--out", tmp_path / "a")
    assert run(*arguments)[0] == 130
    launcher.mishaps = {}
    launcher.source_sha256 = {**SOURCE_SHA256, "model/gpt.py": 64 * "0"}
    launcher.machine = {**MACHINE, "library_versions": {**MACHINE["library_versions"], "torch": "2.0.0"}}
    exit_code, _, stderr = run(*arguments, "--resume")
    assert exit_code == 4
    assert "optimized-s1337: baseline-s1337 was trained by other code or otherwise" in stderr
    assert "changed: source.model/gpt.py, torch. Go back" in stderr
    launcher.source_sha256, launcher.machine = SOURCE_SHA256, MACHINE
    assert run(*arguments, "--resume")[0] == 0


def test_a_record_without_a_status_is_damage_to_one_who_goes_on(run: Run, own_comparison: Path) -> None:
    path = own_comparison / "runs" / "baseline-s1337" / "run.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps({key: value for key, value in record.items() if key != "status"}))
    exit_code, _, stderr = run("compare", *TINY_OPTIONS, "--out", own_comparison, "--resume")
    assert exit_code == 4
    assert "run.json is damaged: it has no status." in stderr


def test_a_replay_is_trained_in_the_precision_of_its_run(run: Run, launcher: FakeLauncher, tmp_path: Path) -> None:
    assert run("compare", *TINY_OPTIONS, "--out", tmp_path / "a", "--precision", "bfloat16")[0] == 0
    assert run("verify", tmp_path / "a", "--replay", "2")[0] == 0
    replays = [arguments for arguments in launcher.arguments if "--stop-after=2" in arguments]
    assert len(replays) == 2
    assert all("--precision=bfloat16" in arguments for arguments in replays)


def test_report_prints_what_the_comparison_printed(run: Run, own_comparison: Path) -> None:
    before = {path: path.read_bytes() for path in own_comparison.rglob("*") if path.is_file()}
    exit_code, stdout, stderr = run("report", own_comparison)
    assert (exit_code, stderr) == (0, "")
    assert re.search(
        r"\nIMPROVED \(single seed, beyond \d+ times the known noise\): optimized \(changed\) against ", stdout
    )
    assert {path: path.read_bytes() for path in own_comparison.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("damage", ["absent", "empty", "no-plan", "plan", "record", "journal", "titles"])
def test_report_of_what_is_absent_or_corrupt_ends_with_4(run: Run, own_comparison: Path, damage: str) -> None:
    optimized = own_comparison / "runs" / "optimized-s1337"
    match damage:
        case "absent" | "empty":
            shutil.rmtree(own_comparison)
            if damage == "empty":
                own_comparison.mkdir()
        case "no-plan":
            (own_comparison / "plan.json").unlink()
        case "plan":
            (own_comparison / "plan.json").write_text('{"schema_version": 1, "name": 3}')
        case "record":
            (optimized / "run.json").write_text('{"schema_version": 1')
        case "journal":
            (optimized / "mainrun.log").write_text("not a journal\n")
        case "titles":
            (optimized / "title_losses.parquet").write_bytes(b"PAR1")
    exit_code, stdout, stderr = run("report", own_comparison, "--json")
    values = read_object(stdout)
    assert (exit_code, values["exit_code"]) == (4, 4)
    assert values["reason"]
    assert "Traceback" not in stderr


def test_our_own_mistake_ends_with_70_and_says_so(
    run: Run, own_comparison: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("harness.comparison.make_reports", fail)
    exit_code, stdout, stderr = run("report", own_comparison, "--json")
    assert exit_code == 70
    assert "this is a bug of the harness" in read_object(stdout)["reason"]
    assert "Traceback" in stderr


def test_list_shows_every_stored_comparison_and_what_is_wrong_with_one(
    run: Run, tiny_comparison: Path, tmp_path: Path
) -> None:
    exit_code, stdout, _ = run("list", "--results", tmp_path)
    assert (exit_code, stdout) == (0, f"No comparisons in {tmp_path} yet. Make one with: python -m harness compare\n")
    exit_code, stdout, stderr = run("list", "--results", tmp_path / "absent")
    assert (exit_code, stdout) == (2, "") and f"{tmp_path / 'absent'} is no folder." in stderr
    shutil.copytree(tiny_comparison, tmp_path / "a")
    shutil.copytree(tiny_comparison, tmp_path / "b")
    (tmp_path / "latest").symlink_to("b")
    (tmp_path / "b" / "comparison.json").write_text("{")
    shutil.copytree(tiny_comparison, tmp_path / "c")
    (tmp_path / "c" / "comparison.json").unlink()
    exit_code, stdout, _ = run("list", "--results", tmp_path)
    assert exit_code == 0
    lines = stdout.splitlines()
    assert len(lines) == 4
    verdict = r"IMPROVED +single seed, beyond \d+ times the known noise$"
    assert re.search(rf"^a .*optimized \(changed\) / baseline \(changed\) .*{verdict}", lines[1])
    assert "damaged" in lines[2] and "not finished" in lines[3]
    exit_code, stdout, _ = run("list", "--results", tmp_path, "--json")
    names = [entry["name"] for entry in read_object(stdout)["comparisons"]]
    assert names == ["a", "b", "c"]
    document = json.loads((tmp_path / "a" / "comparison.json").read_text())
    document["pairs"][0]["verdict"]["gain_percent"] = "much"
    (tmp_path / "a" / "comparison.json").write_text(json.dumps(document))
    exit_code, stdout, _ = run("list", "--results", tmp_path)
    assert exit_code == 0 and "could not convert string to float" in stdout


def test_the_program_starts_as_a_module_and_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, runpy\n"
        "sys.argv = ['harness', '--help']\n"
        "try: runpy.run_module('harness', run_name='__main__')\n"
        "except SystemExit as error: assert error.code == 0\n"
        "heavy = {'torch', 'pandas', 'matplotlib', 'jinja2', 'pyarrow', 'scipy', 'datasets', 'tensorboard', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0
    assert done.stderr.strip() == "[]"
    assert done.stdout.startswith("usage: python -m harness")


def test_a_local_file_is_compared_by_its_name_alone(run: Run, tmp_path: Path) -> None:
    data = write_titles(tmp_path)
    exit_code, _, _ = run("compare", *TINY_OPTIONS, "--data", data, "--out", tmp_path / "a", "--json")
    assert exit_code == 0
    document = json.loads((tmp_path / "a" / "comparison.json").read_text())
    assert "--data titles.txt" in document["command"]
    assert str(tmp_path) not in json.dumps(document)


def test_the_command_to_reproduce_names_the_title_column(run: Run, tmp_path: Path) -> None:
    lines = write_titles(tmp_path).read_text().splitlines()
    data = tmp_path / "titles.csv"
    data.write_text("headline\n" + "".join(f'"{line.replace(chr(34), "")}"\n' for line in lines))
    arguments = ("--data", data, "--title-column", "headline", "--out", tmp_path / "a")
    exit_code, _, stderr = run("compare", *TINY_OPTIONS, *arguments)
    assert exit_code == 0, stderr
    assert "--title-column headline" in json.loads((tmp_path / "a" / "comparison.json").read_text())["command"]
