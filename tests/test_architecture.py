"""Who may import what, print, exit, and how long a file may be: read from the sources, and one import for real."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("mainrun", "harness")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
OWNERS = {
    "pyarrow": {"mainrun/record/parquet.py"},
    "matplotlib": {"harness/report/figures.py"},
    "jinja2": {"harness/report/render.py"},
    "markupsafe": {"harness/report/render.py", "harness/report/escape.py"},
    "weasyprint": {"harness/report/pdf.py"},
    "tensorboard": {"harness/store/tensorboard.py"},
    "scipy": {"harness/analyse/distributions.py"},
    "datasets": {
        "mainrun/data/hub.py",
        "harness/check/reread.py",
    },  # the checker reads titles without what it checks
    "huggingface_hub": {"mainrun/data/hub.py"},
    "tiktoken": {"mainrun/data/tokenizer.py", "harness/check/encoding.py"},  # the checker encodes by its own code
    "tokenizers": {"mainrun/data/tokenizer.py"},
    "pandas": {"mainrun/data/title_files.py", "harness/check/reread_files.py"},  # as above
    "ray": {"harness/launch/cluster.py", "harness/launch/relay.py"},  # the latter is what runs on a node
}
FLOORS = (
    *("mainrun", "harness.formats", "harness.processes", "harness.start", "harness.plan", "harness.store"),
    *("harness.sources", "harness.analyse", "harness.report", "harness.launch", "harness.check", "harness.claims"),
    *("harness.comparison", "harness.verify", "harness.cli", "harness.__main__"),
)
"""Packages from the ground up: each may import those before it."""
COMMAND_LINES = {"harness/cli/app.py", "mainrun/train.py"}
MAX_LINES = 250
LONG = {"mainrun/data/synthetic_words.py"}
"""Word lists, which are data."""


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def find_imports(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}: a relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def find_packages(path: Path) -> set[str]:
    return {module.partition(".")[0] for module in find_imports(path)}


def find_floor(module: str) -> int | None:
    """The place in `FLOORS` of the package that a module belongs to."""
    return next((place for place, floor in enumerate(FLOORS) if f"{module}.".startswith(f"{floor}.")), None)


@pytest.mark.parametrize("path", [path for path in FILES if path.stem != "__init__"], ids=name)
def test_imports_run_downward_only(path: Path) -> None:
    own = find_floor(name(path).removesuffix(".py").replace("/", "."))
    assert own is not None, "a new package has to be given its place"
    assert not {module for module in find_imports(path) if (find_floor(module) or 0) > own}


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Anywhere in a file: an import in a function only hides a circle."""
    known = {name(path).removesuffix(".py").removesuffix("/__init__").replace("/", "."): path for path in FILES}
    TopologicalSorter({module: known.keys() & {*find_imports(path)} for module, path in known.items()}).prepare()


def test_the_training_program_does_not_know_the_harness() -> None:
    assert not [name(path) for path in FILES if name(path).startswith("mainrun/") and
                {"harness", "reports", "tests"} & find_packages(path)]  # fmt: skip


def test_no_package_imports_the_tests_or_the_benchmarks() -> None:
    assert not [name(path) for path in FILES if {"tests", "benchmarks"} & find_packages(path)]


def test_the_harness_never_imports_torch_itself() -> None:
    assert not [name(path) for path in FILES if name(path).startswith("harness/") and "torch" in find_packages(path)]


def test_importing_all_of_the_harness_loads_no_torch() -> None:
    modules = [name(path).removesuffix(".py").replace("/", ".") for path in FILES if name(path).startswith("harness/")]
    code = f"import sys, {', '.join(module.removesuffix('.__init__') for module in modules)}\n"
    code += "print(sorted(m for m in sys.modules if m.partition('.')[0] in ('torch', 'weasyprint')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


@pytest.mark.parametrize("library", OWNERS)
def test_a_heavy_library_has_one_owner(library: str) -> None:
    assert {name(path) for path in FILES if library in find_packages(path)} == OWNERS[library]


def test_the_checker_does_not_import_what_it_checks() -> None:
    """Rules and formulas stand there as its own; of the training program it uses errors, and what is named here."""
    files = (ROOT / "harness" / "check").glob("*.py")
    found = {path.stem: {module for module in find_imports(path) if module.startswith("mainrun")} for path in files}
    beside = {
        stem: {name for name in modules if not name.startswith("mainrun.record.errors")}
        for stem, modules in found.items()
    }
    assert {stem: names for stem, names in beside.items() if names} == {
        "token_reads": {"mainrun.data.batches", "mainrun.data.batches.find_first", "mainrun.data.batches.order_titles"},
        "reread": {"mainrun.data.corpus", "mainrun.data.corpus.CorpusSource", "mainrun.data.synthetic",
                   "mainrun.data.synthetic.generate_headlines"},
    }  # fmt: skip


def test_the_checker_reads_titles_by_its_own_code() -> None:
    """Of the training program it takes what a source is called, the synthetic source itself, and kinds of errors."""
    found = {
        module for module in find_imports(ROOT / "harness" / "check" / "reread.py") if module.startswith("mainrun.")
    }
    assert {module for module in found if module.count(".") == 3} == {
        "mainrun.data.corpus.CorpusSource",
        "mainrun.record.errors.MachineError",
        "mainrun.record.errors.RequestError",
        "mainrun.record.errors.StoredResultsError",
        "mainrun.data.synthetic.generate_headlines",
    }
    assert "mainrun" not in find_packages(ROOT / "harness" / "check" / "reread_files.py")
    loaders = {"mainrun.data.corpus.load_corpus", "mainrun.data.title_files", "mainrun.data.synthetic"}
    assert not loaders & set(find_imports(ROOT / "harness" / "verify" / "verify.py"))


def test_the_constraints_hold_the_rules_as_literals() -> None:
    tree = ast.parse((ROOT / "harness" / "check" / "rules.py").read_text())
    literals = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    rules = {"EPOCHS": 7, "SEED": 1337, "VAL_FRACTION": 0.10, "OFFICIAL_NUM_TITLES": 100_000}
    assert rules.items() <= literals.items()


def test_the_frozen_evaluation_imports_nothing_of_the_project() -> None:
    assert find_packages(ROOT / "mainrun" / "metric" / "evaluate.py") == {"dataclasses", "torch"}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_only_the_command_lines_print_or_exit(path: Path) -> None:
    """A module that is run as a child process of its own may end with an exit code under its `__main__` guard."""
    if name(path) in COMMAND_LINES:
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        guarded = isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"
        for inner in ast.walk(node):
            text = ast.unparse(inner) if isinstance(inner, ast.Call | ast.Attribute | ast.Raise) else ""
            assert not text.startswith(("print(", "raise SystemExit", "os._exit")), f"{name(path)}: {text}"
            assert guarded or not text.startswith(("sys.exit", "exit(", "quit(")), f"{name(path)}: {text}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_is_read_in_one_sitting(path: Path) -> None:
    num_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert num_lines <= MAX_LINES or name(path) in LONG


def test_no_module_is_a_bag_of_this_and_that() -> None:
    assert not [name(path) for path in FILES if path.stem in ("utils", "util", "common", "helpers", "misc")]


def test_importing_a_module_writes_and_prints_nothing(tmp_path: Path) -> None:
    modules = [name(path).removesuffix(".py").replace("/", ".") for path in FILES if path.stem != "__init__"]
    done = subprocess.run(
        [sys.executable, "-c", f"import {', '.join(modules)}"],
        capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin", "HOME": "/"},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_carries_every_template() -> None:
    setuptools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    patterns = setuptools["package-data"]["reports"]
    carried = {path for pattern in patterns for path in (ROOT / "reports").glob(pattern) if path.is_file()}
    assert carried == {path for path in (ROOT / "reports" / "templates").rglob("*") if path.is_file()}


def test_no_tracked_file_names_a_folder_of_this_machine() -> None:
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    machine = re.compile(rb"/(?:root|home/\w+|Users/\w+|work/\w+)/")
    for tracked in filter(None, listed.stdout.split("\0")):
        path = ROOT / tracked
        if path.is_file() and path != Path(__file__):
            found = machine.search(path.read_bytes())
            assert found is None, f"{tracked}: {found[0]!r}"
