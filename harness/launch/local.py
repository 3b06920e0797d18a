"""Starting runs: one small interface, and the launcher for this machine. A run hands back its folder."""

import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.launch.process import run_command
from harness.plan.arms_file import ExternalArm
from harness.plan.plan import Arm, PlannedRun
from harness.processes import POLL_S, build_command, describe_signal, end_process
from mainrun.data.corpus import CorpusSource


@dataclass(frozen=True)
class Job:
    """Everything one run needs to start anywhere."""

    run: PlannedRun
    folder: Path
    arguments: list[str] = field(default_factory=list)
    """Of `python -m mainrun.train`."""
    external: ExternalArm | None = None
    """The command of another program, with its placeholders filled; then there are no `arguments`."""
    output: Path | None = None
    """Where the command's own output is kept."""
    measure: Callable[[], int] | None = None
    """Bytes that the command's journal has by now."""


@dataclass(frozen=True)
class Outcome:
    """How a run's process ended."""

    exit_code: int
    """Of the table both programs share; 128 + n for a process ended by signal n."""
    message: str
    """The last line it wrote to stderr, or ''."""
    errors: str = ""
    """All it wrote to stderr."""


class Launcher(Protocol):
    """Runs jobs to their end, one call a job."""

    def launch(self, job: Job, watch: Callable[[], None]) -> Outcome:
        """Runs `job`, calling `watch` a few times a second; ends the run where the caller is interrupted."""


class LocalLauncher:
    """Each run is a fresh process on this machine."""

    def launch(self, job: Job, watch: Callable[[], None]) -> Outcome:
        if job.external is not None:
            assert job.output is not None and job.measure is not None
            return Outcome(*run_command(job.external, job.output, job.measure, watch))
        command = build_command("mainrun.train", *job.arguments)
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
            try:
                while True:
                    try:
                        exit_code = process.wait(POLL_S)
                        break
                    except subprocess.TimeoutExpired:
                        watch()
            except BaseException:
                end_process(process, process.send_signal)
                raise
            errors.seek(0)
            written = errors.read().decode(errors="replace")
        watch()
        if exit_code < 0:
            return Outcome(128 - exit_code, describe_signal(-exit_code), written)
        lines = written.strip().splitlines()
        return Outcome(exit_code, lines[-1].removeprefix("error: ") if lines else "", written)


def build_job(
    run: PlannedRun, arm: Arm, preset: str, source: CorpusSource, device: str, precision: str, folder: Path,
    plan_sha256: str, beside: Path | None,
) -> Job:  # fmt: skip
    """The job that trains `run` in `folder`, going on from a checkpoint where there is one.

    It refuses to, where code or kind of machine are not those of the finished run in the folder `beside`.
    """
    arguments = [
        *build_arguments(arm.recipe, preset, arm.settings, source, run.seed, device, precision, folder),
        f"--arm={arm.name}",
        f"--plan-sha256={plan_sha256}",
        "--resume",
    ]
    if beside is not None:
        arguments.append(f"--beside={beside}")
    return Job(run, folder, arguments)


def build_arguments(
    recipe: str, preset: str, settings: Mapping[str, Any], source: CorpusSource, seed: int, device: str, precision: str,
    folder: Path,
) -> list[str]:  # fmt: skip
    """Arguments of `python -m mainrun.train` for a run by itself."""
    return [
        f"--recipe={recipe}",
        f"--preset={preset}",
        f"--data={source.data}",
        f"--title-column={source.title_column}",
        f"--seed={seed}",
        f"--out={folder}",
        f"--device={device}",
        f"--precision={precision}",
        *(f"--set={key}={value}" for key, value in settings.items()),
        *([f"--data-revision={source.revision}"] if source.revision is not None else []),
    ]
