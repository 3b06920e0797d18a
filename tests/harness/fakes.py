"""A launcher that trains nothing: it writes run folders exactly as `mainrun.run` would, in milliseconds.

Records and journals are written by the training program's own code; only the losses, the weights' hashes and the clock
are made up. The clock is synthetic, so that the same request gives the same bytes.
"""

import json
import math
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.comparison import run_comparison
from harness.launch.again import NAME_END
from harness.launch.job import Job, Launcher, Outcome
from harness.launch.progress import ProgressDisplay
from harness.plan.arguments import MODULE
from harness.plan.request import CompareRequest
from harness.report.pdf import Attachment
from mainrun.config import Config
from mainrun.data.streams import PreparedData, prepare_data
from mainrun.data.synthetic import generate_headlines
from mainrun.metric.evaluate import Evaluation
from mainrun.metric.full_loss import FullLoss
from mainrun.provenance import compute_source_sha256
from mainrun.recipes import build_named_config
from mainrun.record.errors import EXIT_BUG, EXIT_DONE, EXIT_INTERRUPTED, ProgramError, RunError
from mainrun.record.events import Progress, write_opening_events, write_training_step, write_validation_step
from mainrun.record.files import compute_file_sha256, compute_sha256, make_folder, save_json
from mainrun.record.identity import check_beside
from mainrun.record.journal import Journal
from mainrun.record.run_record import (
    HASHED_FILES,
    JOURNAL_NAME,
    TITLE_LOSSES_NAME,
    TOKENIZER_NAME,
    RunRecord,
    RunRequest,
)
from mainrun.record.title_losses import save_title_losses
from mainrun.step import StepResult
from mainrun.train import parse_request

TINY: dict[str, str] = {
    "num_titles": "400",
    "vocab_size": "300",
    "n_layer": "1",
    "n_head": "2",
    "d_model": "16",
    "block_size": "16",
    "batch_size": "16",
}
"""`--set` values under which a plan takes milliseconds, and a true training seconds."""
SOURCE_SHA256 = compute_source_sha256()
STARTED_AT = 1_767_225_600.0
"""2026-01-01 00:00 UTC."""
EVALUATION_S = 0.05
PEAK_MEMORY_BYTES = 300 * 2**20
MACHINE: dict[str, Any] = {
    "python_version": "3.11.7",
    "library_versions": {
        "torch": "2.13.0",
        "numpy": "2.3.0",
        "tokenizers": "0.22.0",
        "tiktoken": "0.12.0",
        "pandas": "2.3.0",
        "pyarrow": "22.0.0",
        "datasets": "4.0.0",
    },
    "operating_system": "Linux",
    "architecture": "x86_64",
    "device": "cpu",
    "device_name": "An invented CPU",
    "precision": "float32",
    "cpu_capability": "AVX2",
    "num_threads": 2,
    "num_cpus": 2,
    "commit": "0123456789abcdef0123456789abcdef01234567",
}


@dataclass(frozen=True)
class Curve:
    """How an arm's loss falls, in nats per token: from `start` towards `floor`."""

    start: float = 5.7
    floor: float = 3.0
    rate: float = 4.0
    """The larger, the faster: exp(−rate) of the way is left at the end."""
    seed_sd: float = 0.004
    """Standard deviation of the floor from seed to seed."""
    step_s: float = 0.010
    """Training time of one step."""

    def compute_loss(self, share_done: float, offset: float) -> float:
        return self.floor + offset + (self.start - self.floor) * math.exp(-self.rate * share_done)


CURVES: dict[str, Curve] = {
    "baseline": Curve(floor=3.4, rate=5.0),
    "optimized": Curve(floor=2.9, rate=7.0, step_s=0.0104),
}
"""By recipe; any other recipe has the baseline's."""


@dataclass(frozen=True)
class Mishap:
    """How a run goes wrong."""

    kind: str
    """`fail` (a loss that is not finite), `kill` (SIGKILL), `interrupt` (Ctrl-C) or `never` (it never starts)."""
    step: int = 0
    """The step at which the loss is not finite; the last step before a kill."""
    torn: bool = False
    """Whether a killed run leaves half a line at the end of its journal."""


Writing = Generator[None, None, Outcome]
"""A run that is being written, and what comes of it."""


@dataclass
class FakeLauncher:
    """Writes runs instead of training them, a piece of each at every poll.

    Mishaps and curves are by arm, or by folder name (`baseline-s1`).
    """

    mishaps: Mapping[str, Mishap] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    source_sha256: Mapping[str, str] = field(default_factory=lambda: SOURCE_SHA256)
    machine: Mapping[str, Any] = field(default_factory=lambda: MACHINE)
    launched: list[str] = field(default_factory=list)
    """Folder names of all jobs, in order."""
    arguments: list[list[str]] = field(default_factory=list)
    """Of all jobs, in the same order."""

    running: dict[str, Writing] = field(default_factory=dict)
    """By the job's name."""

    def start(self, job: Job) -> None:
        if not _is_begun_again(job):
            self.launched.append(job.name)
        self.running[job.name] = self.write_run(job)

    def poll(self, wait_s: float) -> dict[str, Outcome]:
        ended = {}
        for name, writing in list(self.running.items()):
            try:
                next(writing)
            except StopIteration as end:
                ended[name] = end.value
                del self.running[name]
        return ended

    def stop(self) -> None:
        self.running.clear()

    def write_run(self, job: Job) -> Writing:
        """Writes the run, stopping wherever a real one would be looked at; the tests' launchers change this."""
        started_at = STARTED_AT + 1000.0 * (len(self.launched) - 1)
        arguments = list(job.argv[job.argv.index(MODULE) + 1 :])
        if not _is_begun_again(job):
            self.arguments.append(arguments)
        try:
            request = parse_request(arguments)
            build_named_config(request.recipe, request.preset, request.settings)
            self._check_beside(job, request)
        except ProgramError as error:  # a real process ends with its exit code
            return Outcome(error.exit_code, str(error))
        if (request.out / JOURNAL_NAME).exists():
            started_at += 86_400.015625  # a run that is begun again does not write the bytes it wrote before
        mishap = self.mishaps.get(job.name) or self.mishaps.get(request.arm)
        if mishap is not None and mishap.kind == "never":
            return Outcome(EXIT_BUG, "ImportError: no module named torch")
        yield  # a real process has not opened its journal yet when it is first looked at
        curve = self.curves.get(job.name) or self.curves.get(request.arm) or CURVES.get(request.recipe)
        return (yield from _FakeRun(job, request, curve or CURVES["baseline"], mishap, started_at, self).write())

    def describe_machine(self, job: Job, request: RunRequest) -> dict[str, Any]:
        threads = {} if job.num_threads is None else {"num_threads": job.num_threads}
        precision = {} if request.precision == "auto" else {"precision": request.precision}
        return {**self.machine, **threads, **precision}

    def _check_beside(self, job: Job, request: RunRequest) -> None:
        if request.beside:
            machine = self.describe_machine(job, request)
            check_beside(request.beside, {"machine": machine, "source_sha256": self.source_sha256})


def _is_begun_again(job: Job) -> bool:
    """Whether a check begins a run again beside those that are trained."""
    return job.name.endswith(NAME_END) and "--stop-after=0" in job.argv


class _ClockJournal(Journal):
    """A journal whose time is told to it."""

    now = STARTED_AT

    def write(self, event: str, **fields: Any) -> None:
        super().write(event, timestamp=self.now, **fields)


class _FakeRun:
    def __init__(
        self,
        job: Job,
        request: RunRequest,
        curve: Curve,
        mishap: Mishap | None,
        started_at: float,
        launcher: FakeLauncher,
    ) -> None:
        self.request, self.curve, self.mishap, self.started_at = request, curve, mishap, started_at
        self.config = build_named_config(request.recipe, request.preset, request.settings)
        self.data = prepare_data(self.config, request.source)
        make_folder(request.out)
        machine, code = launcher.describe_machine(job, request), dict(launcher.source_sha256)
        self.record = RunRecord(request, self.config, self.data, machine, code)
        own = f"{request.recipe} {request.seed}"
        noise = np.random.default_rng(zlib.crc32(own.encode()))
        self.offset = float(noise.normal(0, curve.seed_sd))
        num_tokens = self.data.streams.title_num_tokens
        factors: NDArray[np.float64] = noise.normal(1, 0.05, len(num_tokens))
        self.title_factors = factors * num_tokens.sum() / (factors @ num_tokens)
        self.own = own

    def write(self) -> Writing:
        record, max_steps = self.record, self.data.sizes.max_steps
        record.values["initial_weights_sha256"] = compute_sha256(f"initial {self.request.seed}".encode())
        record.save("running")
        save_json(self.request.out / TOKENIZER_NAME, self.data.streams.tokenizer.to_json())
        stop = self.mishap.step if self.mishap else max_steps
        stop = stop if self.request.stop_after is None else min(stop, self.request.stop_after)
        with _ClockJournal(self.request.out / JOURNAL_NAME) as journal:
            journal.now = self.started_at
            write_opening_events(journal, self.request, self.data, record.values, self.data.sizes.num_parameters)
            num_evaluations = 0
            for step in range(1, stop + 1):
                if self.mishap and self.mishap.kind == "fail" and step == self.mishap.step:
                    break
                evaluated = self._write_step(journal, step, num_evaluations)
                if evaluated and num_evaluations % 5 == 0:
                    yield
                num_evaluations += evaluated
        if stop < max_steps and not self.mishap:
            record.save("stopped", reason=f"stopped after step {stop}")
            return Outcome(EXIT_DONE, "")
        if self.mishap:
            return self._go_wrong(self.mishap)
        save_title_losses(self.request.out / TITLE_LOSSES_NAME, self.data, self._split_by_title(max_steps))
        record.save(
            "complete",
            final_weights_sha256=compute_sha256(f"final {self.own}".encode()),
            **{key: compute_file_sha256(self.request.out / name) for name, key in HASHED_FILES.items()},
            peak_memory_bytes=PEAK_MEMORY_BYTES,
        )
        return Outcome(EXIT_DONE, "")

    def _write_step(self, journal: _ClockJournal, step: int, num_evaluations: int) -> bool:
        """Writes one step, and its evaluation where one is due; returns whether it was."""
        sizes = self.data.sizes
        wall_s = step * self.curve.step_s + num_evaluations * EVALUATION_S
        train_s = step * self.curve.step_s
        loss = self._compute_token_loss(step) + 0.05 * math.sin(step)
        rate = self.config.optimizer.learning_rate * self.config.schedule.compute_factor(step, sizes.max_steps)
        journal.now = self.started_at + wall_s
        grad_norm = 0.5 + 2 * math.exp(-5 * step / sizes.max_steps)
        result = StepResult(step, loss, grad_norm, rate, train_s)
        write_training_step(journal, result, sizes.max_steps, wall_s)
        if step not in sizes.evaluation_steps:
            return False
        wall_s += EVALUATION_S
        journal.now = self.started_at + wall_s
        full_loss = FullLoss(self._split_by_title(step), self.data.num_chars) if step in sizes.full_loss_steps else None
        progress = Progress(step, sizes.max_steps, self._evaluate(step), full_loss)
        write_validation_step(journal, progress, len(self.data.streams.validation_ids), wall_s, train_s)
        return True

    def _compute_token_loss(self, step: int) -> float:
        return self.curve.compute_loss((step - 1) / max(1, self.data.sizes.max_steps - 1), self.offset)

    def _evaluate(self, step: int) -> Evaluation:
        """Span sums of tokens that all cost the same, but for a ripple from span to span."""
        span_tokens = self.config.model.block_size * self.config.training.batch_size
        loss = self._compute_token_loss(step)
        spans = [loss * span_tokens * (1 + 0.01 * math.sin(span)) for span in range(self.data.sizes.num_spans)]
        return Evaluation(spans, self.data.num_chars)

    def _split_by_title(self, step: int) -> NDArray[np.float64]:
        losses: NDArray[np.float64] = (
            self._compute_token_loss(step) * self.data.streams.title_num_tokens * self.title_factors
        )
        return losses

    def _go_wrong(self, mishap: Mishap) -> Outcome:
        if mishap.kind == "fail":
            reason = f"training loss nan, gradient norm nan at step {mishap.step}"
            self.record.save("failed", reason=reason)
            error = f"The run cannot go on: {reason}. What was measured before it is kept."
            return Outcome(RunError.exit_code, error)
        if mishap.kind == "interrupt":
            return Outcome(EXIT_INTERRUPTED, "interrupted: go on with --resume")
        assert mishap.kind == "kill"
        if mishap.torn:
            with (self.request.out / JOURNAL_NAME).open("ab") as file:
                file.write(b'{"event": "training_st')
        return Outcome(137, "the process was ended by SIGKILL")


def write_titles(folder: Path, num_titles: int = 400) -> Path:
    """A text file of synthetic headlines, one a line: `--data` that is not the synthetic source."""
    path = folder / "titles.txt"
    path.write_text("".join(f"{title}\n" for title in generate_headlines(num_titles)), encoding="utf-8")
    return path


def type_tiny_settings(arms: Sequence[str], changes: Mapping[str, Mapping[str, str]] | None = None) -> tuple[str, ...]:
    """`TINY` for every arm, with further settings by arm on top, as texts of `--set`."""
    changes = changes or {}
    settings = {arm: {**TINY, **changes.get(arm, {})} for arm in [*arms, *(arm for arm in changes if arm not in arms)]}
    return tuple(f"{arm}.{key}={value}" for arm, own in settings.items() for key, value in own.items())


def build_request(
    out: Path,
    recipes: Sequence[str] = ("baseline", "optimized"),
    seeds: Sequence[int] = (1337,),
    settings: Mapping[str, Mapping[str, str]] | None = None,
    *,
    data: str = "synthetic",
    resume: bool = False,
) -> CompareRequest:
    """A request for a tiny comparison in the folder `out`; `settings` are those beside `TINY`."""
    names = [f"{recipe}-{recipes[:place].count(recipe) + 1}" for place, recipe in enumerate(recipes)]
    names = [name.removesuffix("-1") for name in names]
    return CompareRequest(
        recipes=tuple(recipes),
        preset="quick",
        seeds=tuple(seeds),
        data=data,
        set_texts=type_tiny_settings(names, settings),
        device="cpu",
        out=out,
        resume=resume,
    )


def make_comparison(
    tmp_path: Path,
    recipes: Sequence[str] = ("baseline", "optimized"),
    seeds: Sequence[int] = (1337,),
    launcher: Launcher | None = None,
    settings: Mapping[str, Mapping[str, str]] | None = None,
    *,
    name: str = "fake",
    data: str = "synthetic",
    resume: bool = False,
    pdf: bool = False,
    figures: bool = False,
) -> Path:
    """Runs a tiny comparison through the real pipeline and returns its folder `tmp_path / name`.

    Without `pdf` and `figures` these two are left out, because they take most of the time.
    """
    request = build_request(tmp_path / name, recipes, seeds, settings, data=data, resume=resume)
    with skip_rendering(pdf=not pdf, figures=not figures):
        return run_comparison(request, launcher or FakeLauncher(), ProgressDisplay(_forget))


@contextmanager
def skip_rendering(*, pdf: bool = True, figures: bool = True) -> Iterator[list[str]]:
    """Leaves out the PDF and the figures of every `render` inside; gives the HTML pages that were to be PDFs."""
    pages: list[str] = []

    def keep_page(html: str, out: Path, *, attachments: Sequence[Attachment] = (), created: Any, renderer: Any) -> None:
        assert all(attachment.path.exists() for attachment in attachments)
        pages.append(html)

    with pytest.MonkeyPatch.context() as patch:
        if pdf:
            patch.setattr("harness.report.render.render_pdf", keep_page)
            patch.setattr("harness.report.pdf.start_renderer", nullcontext)
        if figures:
            patch.setattr("harness.report.render.save_figures", lambda folder, document, rows: None)
        yield pages


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events of a journal, read without the harness."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_events(path: Path, events: Sequence[Mapping[str, Any]]) -> None:
    """Overwrites a journal; the record's hash of it is then wrong, see `rehash`."""
    path.write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")


def rehash(run_folder: Path) -> None:
    """Gives a run's record the hashes of the files as they are now: a forgery that only its content can give away."""
    record = json.loads((run_folder / "run.json").read_text(encoding="utf-8"))
    record |= {key: compute_file_sha256(run_folder / name) for name, key in HASHED_FILES.items()}
    save_json(run_folder / "run.json", record)


def prepare_tiny(settings: Mapping[str, str] | None = None, data: str = "synthetic") -> tuple[Config, PreparedData]:
    """The configuration and data of a tiny baseline run."""
    from mainrun.data.corpus import CorpusSource

    config = build_named_config("baseline", "quick", {**TINY, **(settings or {})})
    return config, prepare_data(config, CorpusSource(data))


def _forget(text: str) -> None:
    pass
