"""`compare --from`: judging stored runs and logs of other programs without training anything."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from harness.compare import RESULTS, hold, make_reports, point_latest_at
from harness.foreign_scalars import LossUnit
from harness.importing import ImportedRun, plan_import, read_runs, store_runs
from harness.plan import Plan, save_plan
from harness.verdict import MARGIN_PERCENT
from mainrun.errors import RequestError
from mainrun.files import make_folder


@dataclass(frozen=True)
class ImportRequest:
    """What is to be judged, as asked for on the command line."""

    sources: tuple[Path, ...]
    loss_unit: LossUnit | None = None
    margin_percent: float = MARGIN_PERCENT
    out: Path | None = None
    """None is a folder of its own below `results/`."""


def plan_imported(request: ImportRequest) -> tuple[Plan, Path, list[ImportedRun]]:
    """The plan, the folder it would fill and what was read; nothing is written.

    Raises `RequestError` for a source that cannot be read, and where the folder holds something already.
    """
    folder = request.out or RESULTS / f"imported-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(f"{folder} exists already. Choose another --out.")
    if not 0 <= request.margin_percent < 100:
        raise RequestError(f"--margin takes a percentage from 0 to below 100, not {request.margin_percent}.")
    runs = read_runs(request.sources, request.loss_unit)
    plan, _ = plan_import(folder.resolve().name, runs, request.margin_percent)
    return plan, folder, runs


def compare_imported(request: ImportRequest) -> Path:
    """Takes the runs in and writes data and reports; returns the comparison's folder."""
    plan, folder, runs = plan_imported(request)
    make_folder(folder / "runs")
    plan_sha256 = save_plan(folder, plan)
    with hold(folder):
        point_latest_at(folder)
        store_runs(folder, plan, plan_sha256, runs)
        make_reports(folder)
    return folder
