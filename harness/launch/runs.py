"""The stage that runs: every run of a plan that is not complete is taken over, trained or commanded."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.launch.alike import Alike
from harness.launch.command import CommandTask, build_command_job
from harness.launch.estimate import Work, find_work
from harness.launch.job import KEEP_CHECKPOINTS, KEEP_WEIGHTS, LOCAL, Job, Launcher
from harness.launch.progress import ProgressDisplay
from harness.launch.reuse import Offers, move_job, take_over
from harness.launch.schedule import Task, run_tasks
from harness.launch.shares import share_machine
from harness.launch.training import TrainingTask, build_training_job
from harness.plan.arms_file import load_arms
from harness.plan.plan import Arm, Plan, PlannedRun
from harness.plan.planning import is_external
from harness.plan.request import CompareRequest
from harness.store.runs import RUNS_FOLDER, get_run_folder, is_complete
from mainrun.record.errors import RequestError
from mainrun.record.files import make_scratch_folder
from mainrun.record.run_record import FILE_NAME as RECORD_NAME
from mainrun.record.run_record import load_run_record


def launch_runs(
    request: CompareRequest,
    plan: Plan,
    folder: Path,
    plan_sha256: str,
    offers: Offers,
    launcher: Launcher,
    display: ProgressDisplay,
) -> list[str]:
    """Runs what is missing of the plan in its order; returns how those runs that failed ended.

    Raises what would end every run, and `KeyboardInterrupt` where the user ended one; all that is complete is kept.
    """
    stage = _Stage(train_alike(request, plan, folder), plan, folder, plan_sha256, display)
    stage.take_over(offers, launcher, folder / RUNS_FOLDER)
    display.expect(stage.find_works(), request.jobs or 1)
    failures = run_tasks(stage.build_tasks(), launcher, request.jobs or 1)
    return [f"{run.folder_name}: {failures[run.folder_name]}" for run in plan.runs if run.folder_name in failures]


def find_taken_over(
    request: CompareRequest, plan: Plan, folder: Path, offers: Offers, launcher: Launcher, display: ProgressDisplay
) -> set[PlannedRun]:
    """The runs that `launch_runs` would take over; nothing of them is kept."""
    if not offers.comparisons:
        return set()
    stage = _Stage(request, plan, folder, "none", display)
    with make_scratch_folder() as scratch:
        stage.take_over(offers, launcher, scratch)
    return stage.taken_over


def train_alike(request: CompareRequest, plan: Plan, folder: Path) -> CompareRequest:
    """The request with the device, precision and threads of the runs begun before, where it names none.

    Raises `RequestError` where it names others: arms trained in different ways are not compared, but for the threads
    where `--mixed-machines` asks for it.
    """
    for run in plan.runs:
        record = get_run_folder(folder, run) / RECORD_NAME
        machine = load_run_record(record.parent).get("machine", {}) if record.exists() else {}
        for key, named in (("device", request.device), ("precision", request.precision)):
            stored = machine.get(key, named)
            if named not in ("auto", stored):
                raise RequestError(
                    f"{run.folder_name} was begun with --{key} {stored}, not {named}. Go on with that, or begin anew "
                    "in another folder."
                )
            request = replace(request, **{key: stored})
        threads = machine.get("num_threads")
        if threads is None or request.mixed_machines:
            continue
        if request.threads not in (None, threads):
            raise RequestError(
                f"{run.folder_name} was begun with --threads {threads}, not {request.threads}, and its bits depend on "
                "it. Go on with that, begin anew in another folder, or ask for both with --mixed-machines."
            )
        request = replace(request, threads=threads)
    return request


@dataclass
class _Stage:
    request: CompareRequest
    plan: Plan
    folder: Path
    plan_sha256: str
    display: ProgressDisplay
    taken_over: set[PlannedRun] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.alike = Alike(mixed_machines=self.request.mixed_machines)
        # Once: the file may be edited, and a branch it names may move, while the first runs go on.
        self.commands = load_arms(self.request.arms_file) if self.request.arms_file else {}
        self.complete = {run for run in self.plan.runs if is_complete(get_run_folder(self.folder, run))}

    def take_over(self, offers: Offers, launcher: Launcher, place: Path) -> None:
        """Copies the runs that another comparison has to `place`; one that was begun here goes on here."""
        offers.taken |= {
            load_run_record(get_run_folder(self.folder, run))["mainrun_log_sha256"] for run in self.complete
        }
        for run in self.plan.runs:
            begun = (get_run_folder(self.folder, run) / RECORD_NAME).exists()
            if is_external(self.plan.get_arm(run.arm)) or begun:
                continue
            job = move_job(self._build_job(run), place / run.folder_name)
            said = take_over(offers, self.plan, run, job, launcher, self.plan_sha256)
            if said and is_complete(job.folder):
                self.taken_over.add(run)
                self.display.begin(self.plan.label_run(run), self._number(run)).finish(said)
            elif said:
                self.display.note(self.plan.label_run(run), said)

    def find_works(self) -> dict[str, Work | None]:
        """What each run that is missing has to do, by the name that it is shown by."""
        missing = [run for run in self.plan.runs if run not in self.complete | self.taken_over]
        return {self.plan.label_run(run): find_work(self.plan.get_arm(run.arm).sizes) for run in missing}

    def build_tasks(self) -> Iterator[Task]:
        """The tasks of the runs that are missing, each built when it is to be started."""
        for arm in self.plan.arms:
            if (trained := self._find_trained(arm)) is not None:
                self.alike.check(trained, arm.code)
        for run in self.plan.runs:
            if run in self.taken_over:
                continue
            arm, name = self.plan.get_arm(run.arm), self.plan.label_run(run)
            progress = self.display.begin(name, self._number(run), arm.tokens_per_step)
            if run in self.complete:
                progress.finish("complete already")
            elif is_external(arm):
                yield CommandTask(self._build_command(run), self.plan, run, self.plan_sha256, progress)
            else:
                yield TrainingTask(self.folder, self._build_job(run), progress, self.alike, arm.code)

    def _build_command(self, run: PlannedRun) -> Job:
        job = build_command_job(self.commands[run.arm], run, get_run_folder(self.folder, run))
        return share_machine(job, self.request)

    def _build_job(self, run: PlannedRun) -> Job:
        # Threads may differ where that is asked for, and a node of a cluster does not have the folder of another run.
        arm, may_differ = self.plan.get_arm(run.arm), self.request.mixed_machines or self.request.launcher != LOCAL
        beside = None if may_differ else self._find_trained(arm)
        kept = {KEEP_WEIGHTS: self.request.keep_weights, KEEP_CHECKPOINTS: self.request.keep_checkpoints}
        more = [option for option, is_asked in kept.items() if is_asked]
        folder = get_run_folder(self.folder, run)
        job = build_training_job(self.request, self.plan, run, folder, self.plan_sha256, beside, more)
        return share_machine(job, self.request)

    def _find_trained(self, arm: Arm) -> Path | None:
        """The folder of a complete run with the code of an arm; all others with it have to be trained as it was."""
        for run in self.plan.runs:
            run_folder, other = get_run_folder(self.folder, run), self.plan.get_arm(run.arm)
            is_ours = not is_external(other) and other.code == arm.code and (run_folder / RECORD_NAME).exists()
            if is_ours and load_run_record(run_folder)["status"] == "complete":
                return run_folder
        return None

    def _number(self, run: PlannedRun) -> str:
        return f"[{self.plan.runs.index(run) + 1}/{len(self.plan.runs)}]"
