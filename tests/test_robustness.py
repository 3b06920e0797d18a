"""docs/robustness.md says what the tests try, and the tests try what it says."""

import inspect
from pathlib import Path

from tests import test_hostile, test_kill
from tests.conftest import pytest_addoption
from tests.documents import hold_part
from tests.harness import test_revisions
from tests.harness.launch import test_arrivals, test_external, test_faults
from tests.harness.report import test_faults_of_reports
from tests.harness.verify import test_damage
from tests.mainrun import test_train_faults
from tests.robustness import FAULTS, FAULTY_FILES, format_table

MODULES = (test_faults, test_faults_of_reports, test_train_faults, test_external, test_arrivals, test_revisions)
SOURCES = "".join(map(inspect.getsource, MODULES))


def test_the_table_is_what_the_tests_try() -> None:
    hold_part("docs/robustness.md", "robustness", format_table())


def test_every_name_of_the_table_is_used_by_a_test() -> None:
    tests = "".join(inspect.getsource(module) for module in (test_damage, test_hostile)) + SOURCES
    for name in ("DAMAGED_FILES", "DAMAGES", "NUM_DAMAGED", "HOSTILE_TITLES", "HOSTILE_NAMES", "FAULTS"):
        assert f"({name}" in tests or f" {name}" in tests or f"*{name}" in tests, name
    assert "kill_seed" in inspect.getsource(test_kill) and "default=5" in inspect.getsource(pytest_addoption)


def test_every_file_of_the_table_has_its_faults() -> None:
    """And every name under which a package writes a file is in it."""
    for name, operations in FAULTY_FILES.items():
        stem = WRITTEN_AS.get(name, name)
        assert stem in SOURCES, name
        assert set(operations) <= {*FAULTS, "open", "symlink", "copy"}


def test_every_atomic_write_of_the_packages_is_of_a_file_in_the_table() -> None:
    root = Path(__file__).parents[1]
    writers = {
        path.relative_to(root / package).as_posix()
        for package in ("harness", "mainrun")
        for path in (root / package).rglob("*.py")
        if any(call in path.read_text(encoding="utf-8") for call in WRITES)
    }
    assert writers == WRITERS, "a new writer: give its file a row in FAULTY_FILES, and faults in a test"


WRITTEN_AS = {
    "checkpoint/*.pt": ".pt",
    "figures/*.svg": "figures/",
    "report.pdf": r"report\.pdf",
    "title_losses.parquet": "losses.parquet",
    "logs/tensorboard": "events.out",
    "a run that is taken over": "a_run_that_is_taken_over",
    "what comes back from a cluster": "what_comes_back_from_a_cluster",
}
"""How a test names the file, where that is not its name."""
WRITES = ("atomic_write(", "save_text(", "save_json(", "save_table(", '.open("wb"', "os.write(", "symlink_to(")
WRITERS = {
    *("comparison.py", "launch/arrivals.py", "launch/errors_log.py", "launch/output.py", "launch/reuse.py"),
    *(
        "plan/folders.py",
        "plan/from_request.py",
        "plan/plan.py",
        "report/figures.py",
        "report/pdf.py",
        "report/render.py",
    ),
    *("sources/take_in.py", "store/measurements.py", "store/tensorboard.py"),
    *("data/streams.py", "record/checkpoint.py", "record/console.py", "record/files.py", "record/journal.py"),
    "record/parquet.py",
    *("record/run_record.py", "record/title_losses.py", "run.py", "store/findings.py"),
    *("probe.py", "verify/replay.py"),  # into folders that are thrown away
}
