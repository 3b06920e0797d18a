"""External arms: the arms file, how a command can end, and the trainer of docs/logs.md."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.analyse.command import describe_command
from harness.analyse.doubts import MISMATCH, find_mismatch
from harness.cli.app import main
from harness.comparison import run_comparison
from harness.launch.bars import Style
from harness.launch.command import build_command_job
from harness.launch.follow import LogFollower
from harness.launch.job import Job, Outcome, run_alone
from harness.launch.local import LocalLauncher
from harness.launch.progress import ProgressDisplay
from harness.launch.schedule import run_tasks
from harness.plan.arms_file import load_arms
from harness.plan.from_request import plan_request
from harness.plan.plan import PlannedRun
from harness.plan.request import CompareRequest
from harness.processes import GRACE_S, end_as_by_ctrl_c, end_processes
from harness.store.document import load_document
from harness.store.locks import hold
from harness.store.runs import StoredComparison, load_comparison, load_run
from harness.verify.gate import judge
from harness.verify.verify import verify
from mainrun.record.errors import InterruptionError, MachineError, RequestError, RunError, StoredResultsError
from mainrun.record.files import load_json, save_json
from tests.documents import read_code
from tests.harness.fakes import TINY, FakeLauncher, build_request, skip_rendering
from tests.harness.launch.test_faults import Disk, failing_disk
from tests.harness.sources.logs import Shape, write_json
from tests.robustness import FAULTS

SMALL = Shape(num_train_tokens=6_000, block_size=16, batch_size=16, vocab_size=300, first_training_loss=5.7)
OF_AN_EXTERNAL_ARM = ("source.log", "mainrun.log", "run.json")
WRITES_LOG = "import shutil; shutil.copy({src!r}, 'mine.log'); print('done')"


@dataclass
class MixedLauncher:
    """Commands are run for real, our own runs are made up."""

    fake: FakeLauncher = field(default_factory=FakeLauncher)
    local: LocalLauncher = field(default_factory=LocalLauncher)

    def start(self, job: Job) -> None:
        (self.local if job.own_session else self.fake).start(job)

    def poll(self, wait_s: float) -> dict[str, Outcome]:
        return self.fake.poll(wait_s) or self.local.poll(0 if self.fake.running else wait_s)

    def stop(self) -> None:
        self.fake.stop()
        self.local.stop()


@dataclass
class Watched:
    """A task that only looks on."""

    job: Job
    watch: Callable[[], None]

    def restart(self, reason: str) -> None:
        raise AssertionError("a process of this machine is not lost")

    def finish(self, outcome: Outcome) -> str | None:
        return outcome.message

    def close(self) -> None:
        pass


def build_job(tmp_path: Path) -> Job:
    return build_command_job(load_arms(write_arms(tmp_path))["mine"], PlannedRun("mine", 1), tmp_path)


def write_arms(tmp_path: Path, extra: str = "") -> Path:
    path = tmp_path / "arms.toml"
    path.write_text(
        f'[arms.mine]\ncommand = ["{sys.executable}", "run.py", "{{seed}}"]\njournal = "mine.log"\n{extra}',
        encoding="utf-8",
    )
    return path


def run(
    tmp_path: Path, code: str, extra: str = "", seeds: tuple[int, ...] = (1337,), *, resume: bool = False,
    launcher: MixedLauncher | None = None,
) -> Path:  # fmt: skip
    (tmp_path / "run.py").write_text(code, encoding="utf-8")
    write_arms(tmp_path, extra)
    own = build_request(tmp_path / "out", ("baseline",), seeds)
    values = {**own.__dict__, "recipes": ("baseline", "mine"), "arms_file": tmp_path / "arms.toml", "resume": resume}
    request = CompareRequest(**values)
    with skip_rendering():
        return run_comparison(request, launcher or MixedLauncher(), ProgressDisplay(lambda text: None))


def copy_log(tmp_path: Path, content: bytes) -> str:
    (tmp_path / "written.txt").write_bytes(content)
    return WRITES_LOG.format(src=str(tmp_path / "written.txt"))


def test_an_external_arm_is_run_and_judged(tmp_path: Path) -> None:
    folder = run(tmp_path, copy_log(tmp_path, write_json(SMALL.build())))
    document = load_document(folder)
    assert [arm["name"] for arm in document["arms"]] == ["baseline", "mine"]
    assert len(document["pairs"]) == 1 and document["pairs"][0]["full_gain_percent"] is None
    assert (folder / "runs/mine-s1337/output.log").read_text() == "done\n"
    findings = {finding.name: finding for finding in verify(folder, None, None, FakeLauncher())}
    failed = {name for name, finding in findings.items() if finding.status == "FAIL"}
    assert failed == {"same-tokens", "own-clock"}  # the log is that of other titles, and copied, not trained
    assert "its log tells of" in findings["own-clock"].evidence
    verdict = document["pairs"][0]["verdict"]
    assert verdict["word"] == "INCONCLUSIVE" and "its log tells of" in verdict["reason"]
    assert findings["planned-runs"].status == "PASS"
    assert str(tmp_path) not in (folder / "plan.json").read_text(encoding="utf-8")


def test_an_external_arm_on_other_titles_is_not_decided(tmp_path: Path) -> None:
    given = {"train_sha256": "0" * 64, "validation_sha256": "1" * 64}
    folder = run(tmp_path, copy_log(tmp_path, write_json(replace(SMALL, hyperparameters=given).build())))
    findings = {finding.name: finding for finding in verify(folder, None, None, FakeLauncher())}
    assert findings["same-data"].status == "FAIL"
    assert "mine-s1337: has other titles than baseline-s1337, by their fingerprints" in findings["same-data"].evidence
    assert load_document(folder)["pairs"][0]["verdict"]["word"] == "INCONCLUSIVE"


def test_fingerprints_that_differ_are_a_mismatch_though_all_counts_agree() -> None:
    facts = {"num_titles": 100, "num_train_tokens": 5, "vocab_size": 7, "train_sha256": "a", "validation_sha256": "b"}
    facts |= {"num_train_titles": None, "num_validation_chars": None}
    for key, value, expected in (
        ("train_sha256", "a", None),
        ("train_sha256", None, None),
        ("train_sha256", "c", MISMATCH),
        ("validation_sha256", "c", MISMATCH),
    ):
        assert find_mismatch(*(cast(Any, {"facts": own}) for own in (facts, {**facts, key: value}))) == expected


def test_two_seeds_of_an_external_arm_are_two_runs(tmp_path: Path) -> None:
    folder = run(tmp_path, copy_log(tmp_path, write_json(SMALL.build())), seeds=(1337, 1))
    assert load_document(folder)["num_runs_complete"] == 4


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import sys; print('boom'); sys.exit(3)", "exit code 3: boom"),
        ("pass", "stayed empty"),
        ("open('mine.log', 'w').write('nothing to see\\n')", "no validation loss"),
        ("import time; time.sleep(60)", "did not grow for 1 s"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
        ("import sys; sys.exit(130)", "exit code 130"),
        ("import os, signal; signal.signal(2, signal.SIG_DFL); os.kill(os.getpid(), 2)", "SIGINT"),
    ],
)
def test_a_command_that_fails_is_a_failed_run_with_its_reason(tmp_path: Path, code: str, reason: str) -> None:
    with pytest.raises(RunError, match=re.escape(reason)):
        run(tmp_path, code, "stall_s = 1\n")
    stored = load_run(tmp_path / "out/runs/mine-s1337")
    assert stored.record["status"] == "failed" and reason in stored.record["reason"]
    assert "mine with seed 1337 is not compared: failed" in (tmp_path / "out/PERFORMANCE_SUMMARY.md").read_text(
        encoding="utf-8"
    )


def test_a_journal_that_stops_is_a_failed_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the log ends at step"):
        run(tmp_path, copy_log(tmp_path, write_json(SMALL.build()[:60])))


GROWS = "import sys, time\nwhile True: open('grows', 'a').write('x'); time.sleep(0.02)"
"""A child that shows that it runs."""
DEAF = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"


def start_child(code: str) -> str:
    return f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {code!r}])\n"


def stands_still(path: Path) -> bool:
    size = path.stat().st_size
    time.sleep(0.3)
    return path.stat().st_size == size


def test_what_a_command_leaves_behind_is_ended_with_it(tmp_path: Path) -> None:
    wait = "import pathlib, time\nwhile not pathlib.Path('grows').exists(): time.sleep(0.02)\n"
    run(tmp_path, start_child(GROWS) + wait + copy_log(tmp_path, write_json(SMALL.build())))
    assert stands_still(tmp_path / "grows")


@pytest.mark.parametrize("child", [GROWS, DEAF + GROWS])
def test_an_interruption_ends_a_command_that_ignores_ctrl_c_and_its_children(tmp_path: Path, child: str) -> None:
    (tmp_path / "run.py").write_text(DEAF + start_child(child) + "import time; time.sleep(60)", encoding="utf-8")
    job = build_job(tmp_path)

    def interrupt() -> None:
        if (tmp_path / "grows").exists():
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_tasks(iter([Watched(job, interrupt)]), LocalLauncher())
    assert time.monotonic() - began < GRACE_S and stands_still(tmp_path / "grows")


def test_a_process_begun_where_ctrl_c_is_ignored_ends_at_once() -> None:
    process = subprocess.Popen([sys.executable, "-c", DEAF + "print(flush=True); import time; time.sleep(60)"],
                               stdout=subprocess.PIPE)  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == b"\n"
    began = time.monotonic()
    end_processes({process: process.send_signal})
    assert process.returncode == -signal.SIGTERM and time.monotonic() - began < GRACE_S / 2
    process.stdout.close()


@pytest.mark.parametrize(("inherited", "ends"), [(signal.SIG_DFL, True), (signal.SIG_IGN, False)])
def test_a_closed_terminal_ends_the_program_as_ctrl_c_does_but_not_under_nohup(
    inherited: signal.Handlers, ends: bool
) -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGTERM)}
    try:
        signal.signal(signal.SIGHUP, inherited)
        end_as_by_ctrl_c()
        assert (signal.getsignal(signal.SIGHUP) == signal.default_int_handler) == ends
        assert signal.getsignal(signal.SIGTERM) == signal.default_int_handler
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_much_output_is_cut_while_it_is_written_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.launch.schedule.POLL_S", 0.05)
    monkeypatch.setattr("harness.launch.output.MAX_OUTPUT_BYTES", 1_000)
    code = "import sys, time\nfor n in range(100): print('line', n, 'x' * 500, flush=True); time.sleep(0.01)\n"
    (tmp_path / "run.py").write_text(code + "sys.exit('the end')", encoding="utf-8")
    output, sizes = tmp_path / "output.log", [0]
    task = Watched(build_job(tmp_path), lambda: sizes.append(output.stat().st_size))
    assert run_tasks(iter([task]), LocalLauncher()) == {"mine-s1": "the end"}
    assert output.read_bytes().startswith(b"[cut]\n")
    assert output.stat().st_size < 1_010 and any(after < before for before, after in pairwise(sizes[:-1]))


def test_a_second_interruption_leaves_nothing_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        if seconds > 0.01:  # while it ends what was left behind
            raise KeyboardInterrupt
        time.sleep(seconds)

    monkeypatch.setattr("harness.launch.local.LOOK_S", 0.01)
    monkeypatch.setattr("harness.launch.local.time", SimpleNamespace(monotonic=time.monotonic, sleep=interrupt))
    stubborn = DEAF.replace("SIGINT", "SIGTERM") + GROWS
    wait = "import pathlib, time\nwhile not pathlib.Path('grows').exists(): time.sleep(0.02)\n"
    with pytest.raises(InterruptionError):
        run(tmp_path, start_child(stubborn) + wait)
    assert stands_still(tmp_path / "grows")


def test_a_command_may_remove_its_own_output(tmp_path: Path) -> None:
    place = tmp_path / "out/runs/mine-s1337/output.log"
    code = f"import os; os.remove({str(place)!r})\n" + copy_log(tmp_path, write_json(SMALL.build()))
    assert len(load_document(run(tmp_path, code))["pairs"]) == 1


@pytest.mark.parametrize(
    "make", ["os.mkfifo('mine.log')", "os.mkdir('mine.log')", "os.symlink('/dev/zero', 'mine.log')"]
)
def test_a_journal_that_is_no_file_is_none(tmp_path: Path, make: str) -> None:
    with pytest.raises(RunError, match="stayed empty"):
        run(tmp_path, f"import os, time; {make}; time.sleep(1)")


@pytest.mark.skipif(not hasattr(signal, "SIGRTMIN"), reason="has no signals without a name")
def test_a_signal_without_a_name_is_an_end_like_any_other(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="ended by signal 40"):
        run(tmp_path, "import os; os.kill(os.getpid(), 40)")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[arms.a]\ncommand = "python x.py"\njournal = "j"', "give a list"),
        ('[arms.a]\ncomand = ["x"]\njournal = "j"', "command"),
        ('[arms.a]\ncommand = ["x"]', "journal must say"),
        ('[arm.a]\ncommand = ["x"]', "arms"),
        ('[arms."../x"]\ncommand = ["x"]\njournal = "j"', "a name has letters"),
        ("not toml", "is no TOML"),
        ('[arms.a]\ncommand = ["x\\u0000"]\njournal = "j"', "zero byte"),
        ('[arms.a]\ncommand = ["x"]\njournal = "j"\nenv = {"A=B" = "c"}', "an '='"),
        ('[arms.a]\ncommand = ["x"]\njournal = "j"\ncwd = "absent"', "is no folder"),
    ],
)
def test_a_wrong_arms_file_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "arms.toml").write_text(text, encoding="utf-8")
    with pytest.raises(RequestError, match=message):
        load_arms(tmp_path / "arms.toml")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--margin", "-5"], "--margin takes a percentage"),
        (["--seeds", "1,1"], "Seed 1 is given twice"),
        (["--set", "mine.learning_rate=1"], "--set names mine, an external arm"),
        (["mine", "mine"], "An external arm stands twice"),
        (["baseline", "baseline", "baseline-2"], "Two arms would be called baseline-2"),
        (["baseline-2", "baseline", "baseline"], "Two arms would be called baseline-2"),
        (["mine", "other", "--jobs", "2"], "mine-s1337 and other-s1337 would write one journal"),
        (["baseline", "mine", "--seeds", "1,2", "--jobs", "2"], "mine-s1 and mine-s2 would write one journal"),
    ],
    ids=str,
)
def test_external_arms_are_asked_for_by_the_rules_of_all(
    given: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = (
        f'[arms.{name}]\ncommand = ["true", "{{seed}}"]\njournal = "mine.log"\n' for name in ("baseline-2", "other")
    )
    arms = write_arms(tmp_path, "".join(more))
    names = [] if not given[0].startswith("--") else ["mine", "other"]
    assert main(["compare", *names, *given, "--arms", str(arms), "--out", str(tmp_path / "out"), "--dry-run"]) == 2
    assert message in capsys.readouterr().err


def test_an_arm_of_ours_by_the_name_of_a_command_that_is_not_compared_is_ours(tmp_path: Path) -> None:
    arms = write_arms(tmp_path, '[arms.other]\ncommand = ["true"]\njournal = "other.log"\n')
    own = build_request(tmp_path / "out", settings={"other": TINY})
    plan, _ = plan_request(replace(own, recipes=("baseline", "other=baseline", "optimized", "mine"), arms_file=arms))
    assert plan.sources is not None and [source["arm"] for source in plan.sources] == ["mine"]


def test_a_missing_arms_file_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "baseline", "mine", "--arms", str(tmp_path / "absent.toml"), "--dry-run"]) == 2
    assert "absent.toml" in capsys.readouterr().err


def test_the_documented_trainer_runs_as_is_said(tmp_path: Path) -> None:
    trainer = read_code("docs/logs.md", "trainer")
    assert len([line for line in trainer.splitlines() if line]) <= 40
    (tmp_path / "trainer.py").write_text(trainer, encoding="utf-8")
    (tmp_path / "arms.toml").write_text(
        read_code("docs/logs.md", "arms").replace("python3", sys.executable), encoding="utf-8"
    )
    own = build_request(tmp_path / "out", ("baseline",))
    request = CompareRequest(**{**own.__dict__, "recipes": ("baseline", "mine"), "arms_file": tmp_path / "arms.toml"})
    with skip_rendering():
        folder = run_comparison(request, MixedLauncher(), ProgressDisplay(lambda text: None, Style(is_terminal=True)))
    mine = load_document(folder)["arms"][1]
    assert mine["status"] == "imported" and mine["final"]["is_last"]
    assert mine["min_frozen"]["loss_nats_per_char"] < 2.5


@dataclass
class EditingLauncher(MixedLauncher):
    """The arms file is edited once a run has begun."""

    arms: Path = field(kw_only=True)

    def start(self, job: Job) -> None:
        self.arms.write_text('[arms.other]\ncommand = ["false"]\njournal = "other.log"\n', encoding="utf-8")
        super().start(job)


def test_an_arms_file_that_is_edited_meanwhile_changes_no_command_that_was_planned(tmp_path: Path) -> None:
    launcher = EditingLauncher(arms=tmp_path / "arms.toml")
    folder = run(tmp_path, copy_log(tmp_path, write_json(SMALL.build())), seeds=(1337, 1), launcher=launcher)
    assert load_document(folder)["num_runs_complete"] == 4


def test_the_printed_command_of_commands_alone_asks_for_what_it_was_planned_from(tmp_path: Path) -> None:
    arms = write_arms(tmp_path)
    arms.write_text(arms.read_text() + arms.read_text().replace("arms.mine", "arms.other"), encoding="utf-8")
    own = build_request(tmp_path / "out")
    plan, folder = plan_request(replace(own, recipes=("mine", "other"), arms_file=arms, set_texts=()))
    command = describe_command(StoredComparison(folder, plan, {}))
    assert command == "python -m harness compare mine other --arms arms.toml --seeds 1337"


def test_resume_runs_again_what_failed_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        run(tmp_path, "import sys; sys.exit('no disk')")
    with pytest.raises(StoredResultsError, match=r"not complete: mine-s1337\. Train them with compare --resume\."):
        judge(tmp_path / "out", None, 99.0, False, "baseline")
    own = tmp_path / "out/runs/baseline-s1337/mainrun.log"
    before = own.read_bytes(), own.stat().st_mtime_ns
    code = copy_log(tmp_path, write_json(SMALL.build()))
    folder = run(tmp_path, code, resume=True)
    assert load_run(folder / "runs/mine-s1337").record["status"] == "imported"
    assert (own.read_bytes(), own.stat().st_mtime_ns) == before
    taken = (folder / "runs/mine-s1337/run.json").read_bytes()
    run(tmp_path, "import sys; sys.exit('is not run again')", resume=True)
    assert (folder / "runs/mine-s1337/run.json").read_bytes() == taken


def test_a_follower_reads_what_is_new_and_knows_what_is_old(tmp_path: Path) -> None:
    path, lines = tmp_path / "mine.log", write_json(SMALL.build()).splitlines(keepends=True)
    path.write_bytes(lines[0])
    follower = LogFollower(path)
    assert (follower.read_new(), follower.read_all()) == ([], b"")
    with path.open("ab") as journal:
        journal.write(lines[4] + lines[5][:20])
    assert [event["event"] for event in follower.read_new()] == ["training_step"]
    with path.open("ab") as journal:
        journal.write(lines[5][20:])
    assert len(follower.read_new()) == 1 and follower.read_new() == []
    assert follower.read_all() == lines[4] + lines[5]
    path.write_bytes(lines[6])  # written anew, and shorter
    assert len(follower.read_new()) == 1 and follower.read_all() == lines[6]


def load_untimed_pairs(folder: Path) -> str:
    """The pairs of a document, without the seconds that a command is seen to take."""
    return re.sub(r"its command took [\d.]+ s", "", json.dumps(load_document(folder)["pairs"]))


@pytest.mark.parametrize("operation", FAULTS)
def test_a_full_disk_under_any_file_of_an_external_arm_ends_with_6_and_resumes(operation: str, tmp_path: Path) -> None:
    code = copy_log(tmp_path, write_json(SMALL.build()))
    folders = {name: tmp_path / name for name in ("whole", "cut")}
    for folder in folders.values():
        folder.mkdir()
    disk = Disk(operation, None)
    with failing_disk(disk):
        expected = load_untimed_pairs(run(folders["whole"], code))
    first = disk.names.index("source.log") + 1
    places = [place for place, name in enumerate(disk.names, 1) if place >= first and name in OF_AN_EXTERNAL_ARM]
    assert [disk.names[place - 1] for place in places] == list(OF_AN_EXTERNAL_ARM)
    for place in places:
        with failing_disk(Disk(operation, place)), pytest.raises(MachineError):
            run(folders["cut"], code)
        assert load_untimed_pairs(run(folders["cut"], code, resume=True)) == expected
        shutil.rmtree(folders["cut"] / "out")


def test_an_output_that_cannot_be_written_is_the_machines_fault(tmp_path: Path) -> None:
    job = replace(build_job(tmp_path), output=tmp_path / "gone" / "output.log")
    with pytest.raises(MachineError, match=r"output\.log"):
        run_alone(LocalLauncher(), job)


def test_two_seeds_of_a_command_run_at_once_where_each_has_a_journal_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "written.txt").write_bytes(write_json(SMALL.build()))
    (tmp_path / "run.py").write_text(
        f"import shutil, sys, time; time.sleep(0.3); shutil.copy({str(tmp_path / 'written.txt')!r}, sys.argv[1])"
    )
    (tmp_path / "arms.toml").write_text(
        f'[arms.mine]\ncommand = ["{sys.executable}", "run.py", "{{out}}/log", "{{seed}}"]\njournal = "{{out}}/log"\n'
    )
    own = build_request(tmp_path / "out", ("baseline",), (1337, 1))
    request = replace(own, recipes=("baseline", "mine"), arms_file=tmp_path / "arms.toml", jobs=4, threads=1)
    with skip_rendering():
        folder = run_comparison(request, MixedLauncher(), ProgressDisplay(lambda text: None))
    assert load_document(folder)["num_runs_complete"] == 4


def test_an_arms_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = write_arms(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert list(load_arms(path)) == ["mine"]


def test_resume_does_not_join_a_command_that_outlived_a_harness_that_was_killed(tmp_path: Path) -> None:
    """Its output is open in the command, which so holds the lock; the harness that was killed is played by a script."""
    run_folder = tmp_path / "out" / "runs" / "mine-s1337"
    with pytest.raises(RunError):
        run(tmp_path, "import sys; sys.exit('no disk')")
    script = "import subprocess, sys; from pathlib import Path; from harness.launch.output import Output\n"
    script += "with Output(Path(sys.argv[1]) / 'output.log').file as file:\n"
    script += "    print(subprocess.Popen(['sleep', '60'], stdout=file, stderr=file).pid)"
    started = subprocess.run([sys.executable, "-c", script, run_folder], capture_output=True, text=True, check=True)
    try:
        with pytest.raises(RequestError, match="before still runs"):
            run(tmp_path, copy_log(tmp_path, write_json(SMALL.build())), resume=True)
    finally:
        os.kill(int(started.stdout), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while True:
        try:
            folder = run(tmp_path, copy_log(tmp_path, write_json(SMALL.build())), resume=True)
            break
        except RequestError:
            assert time.monotonic() < deadline
    assert load_run(folder / "runs/mine-s1337").record["status"] == "imported"


@pytest.mark.parametrize("stated", [None, 1337], ids=["no seed in the log", "one seed in all logs"])
def test_a_command_taken_in_again_is_the_arm_that_it_was_with_the_seeds_it_was_filed_under(
    stated: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = (1337, 1, 2)
    for seed in seeds:
        lines = replace(SMALL, final=1.7 + seed / 100_000, hyperparameters={"seed": stated}).build()
        (tmp_path / f"{seed}.txt").write_bytes(write_json(lines))
    folder = run(
        tmp_path, f"import shutil, sys; shutil.copy(f'{tmp_path}/{{sys.argv[1]}}.txt', 'mine.log')", seeds=seeds
    )
    monkeypatch.setattr("harness.launch.local.LocalLauncher", FakeLauncher)
    with skip_rendering():
        assert main(["compare", "--from", str(folder), "--against", "mine", "--out", str(tmp_path / "again")]) == 0
    comparison = load_comparison(tmp_path / "again")
    assert [arm.name for arm in comparison.plan.arms] == ["baseline", "mine"]
    assert {*comparison.runs} == {PlannedRun(arm, seed) for arm in ("baseline", "mine") for seed in seeds}
    (pair,) = load_document(tmp_path / "again")["pairs"]
    assert (pair["baseline"], pair["verdict"]["num_seed_pairs"]) == ("mine", 3)
    assert "mine-s1337 mine-s1 baseline-s1 baseline-s2 mine-s2" in describe_command(comparison)
    for place in (folder, tmp_path / "again"):
        notes = [event["text"] for event in load_run(place / "runs/mine-s2").select("import_note")]
        assert any(note.startswith("its seed is not given; it is filed under 2,") for note in notes) == (stated is None)
        findings = {finding.name: finding.status for finding in verify(place, None, None, FakeLauncher())}
        assert findings["reimport"] == "PASS" and findings["seed"] == ("NOT CHECKED" if stated is None else "FAIL")


def take_in_again(folder: Path, out: Path) -> int:
    with skip_rendering():
        return main(["compare", "--from", str(folder), "--out", str(out)])


@pytest.mark.parametrize(("observed_s", "status"), [(0.1, "FAIL"), (None, "NOT VOUCHED"), (700.0, "PASS")])
def test_what_the_harness_saw_of_a_command_is_held_against_its_log_where_it_is_taken_in_again(
    observed_s: float | None, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run(tmp_path, copy_log(tmp_path, write_json(SMALL.build())))
    record = load_json(folder / "runs/mine-s1337/run.json", 2)
    save_json(folder / "runs/mine-s1337/run.json", {**record, "source": {**record["source"], "observed_s": observed_s}})
    monkeypatch.setattr("harness.launch.local.LocalLauncher", FakeLauncher)
    for source, out in ((folder, tmp_path / "again"), (tmp_path / "again", tmp_path / "third")):
        assert take_in_again(source, out) == 0
        findings = {finding.name: finding for finding in verify(out, None, None, FakeLauncher())}
        assert findings["own-clock"].status == status and findings["reimport"].status == "PASS"
        failed = {name for name, finding in findings.items() if finding.status == "FAIL"}
        assert failed - {"own-clock"} == {"same-tokens"}  # the log is that of other titles
        doubts = load_document(out)["pairs"][0]["doubts"]
        assert (findings["own-clock"].evidence in doubts) == (status != "PASS")
        taken = load_run(out / "runs/mine-s1337")
        assert taken.record["source"]["was_external"] == record["source"]["external"] and taken.origin == "log"
        assert describe_command(load_comparison(out)).startswith("python -m harness compare --from")


def test_a_command_that_failed_and_left_a_whole_log_stays_failed_where_it_is_taken_in_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = copy_log(tmp_path, write_json(SMALL.build()))
    with pytest.raises(RunError, match="exit code 1: no room"):
        run(tmp_path, f"{code}; import sys; sys.exit('no room')")
    monkeypatch.setattr("harness.launch.local.LocalLauncher", FakeLauncher)
    for source, out in ((tmp_path / "out", tmp_path / "again"), (tmp_path / "again", tmp_path / "third")):
        assert take_in_again(source, out) == 3
        reason = "its command ended with exit code 1: no room"
        assert f"mine-s1337 failed: {reason}" in capsys.readouterr().out
        record = load_run(out / "runs/mine-s1337").record
        assert (record["status"], record["reason"]) == ("failed", reason)
        document = load_document(out)
        assert document["pairs"] == [] and document["arms"][1]["final"] is None
        findings = {finding.name: finding.status for finding in verify(out, None, None, FakeLauncher())}
        assert findings["reimport"] == "PASS" and "own-clock" not in findings
        assert {name for name, status in findings.items() if status == "FAIL"} == {"same-tokens"}  # as above


def test_a_journal_larger_than_a_file_may_be_is_a_failed_run_and_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.store.locks.MAX_FILE_BYTES", 1_000_000)
    with pytest.raises(
        RunError, match=r"its journal mine\.log has 1,000,001 bytes; a file of a comparison has 1,000,000"
    ):
        run(tmp_path, copy_log(tmp_path, b"\n" * 1_000_001))
    with hold(tmp_path / "out"):
        assert (tmp_path / "out/runs/mine-s1337/source.log").read_bytes() == b""
