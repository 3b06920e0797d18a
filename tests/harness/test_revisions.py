"""Arms at a revision of the code: a repository of two commits, planned for real and trained by the fake launcher."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli.app import main
from harness.comparison import run_comparison
from harness.launch.job import Job
from harness.launch.local import LocalLauncher
from harness.launch.progress import ProgressDisplay
from harness.plan.arguments import MODULE, find_options, fit_arguments
from harness.plan.arm_syntax import ArmRequest
from harness.plan.arms_file import load_arms
from harness.plan.changes import FILE_NAME as PATCH_NAME
from harness.plan.code import Code, compute_sources_sha256
from harness.plan.git import fetch_tree, find_commit, find_head, find_tree, list_files
from harness.plan.plan import load_plan
from harness.plan.request import CompareRequest
from harness.plan.resolver import Resolved, Resolver
from harness.processes import PLACE
from harness.store.document import load_document
from harness.store.runs import load_comparison
from harness.verify.verify import verify
from mainrun.data.corpus import CorpusSource
from mainrun.recipes import build_named_config
from mainrun.record.errors import MachineError, RequestError
from mainrun.record.files import compute_file_sha256
from tests.harness.fakes import FakeLauncher, Writing, prepare_tiny, skip_rendering, type_tiny_settings
from tests.harness.launch.test_faults import Disk, failing_disk
from tests.harness.sources.logs import Shape, write_json
from tests.robustness import FAULTS

PAIR = ("optimized@HEAD~1", "optimized")
SMALL = Shape(num_train_tokens=6_000, block_size=16, batch_size=16, vocab_size=300, first_training_loss=5.7)
OUTSIDE = Path(__file__).parents[2]


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def commit(folder: Path, files: Mapping[str, str]) -> str:
    """Appends a line to each file and commits; returns the commit."""
    for name, line in files.items():
        path = folder / "mainrun" / name
        path.write_text(path.read_text(encoding="utf-8") + line, encoding="utf-8")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--allow-empty", "-m", "a change")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Our own training program as the first commit, a changed model as the second."""
    monkeypatch.setattr(Resolver, "resolve", resolve_here)
    folder = tmp_path / "repository"
    shutil.copytree(PLACE / "mainrun", folder / "mainrun", ignore=shutil.ignore_patterns("__pycache__"))
    git(tmp_path, "init", "-q", str(folder))
    commit(folder, {})
    commit(folder, {"model/gpt.py": "A = 1\n"})
    return folder


def resolve_here(resolver: Resolver, arm: ArmRequest) -> Resolved:
    """What a program would say of a recipe, by this process and with the sources of the revision."""
    stored = resolver.begun.get(arm.name)
    code_commit, tree = resolver._find_code(arm, stored if stored and stored.revision == arm.revision else None)
    place = fetch_tree(resolver.repository, tree, "mainrun") if arm.revision and tree else resolver.repository
    config = build_named_config(arm.recipe, "quick", arm.settings)
    _, data = prepare_tiny()
    sizes = {
        **asdict(data.sizes),
        "num_train_tokens": len(data.streams.train_ids),
        "num_validation_tokens": len(data.streams.validation_ids),
        "num_validation_chars": data.num_chars,
        "num_parameters_built": data.sizes.num_parameters,
    }
    resolved = {**config.flatten(), "data.vocab_size": data.streams.tokenizer.vocab_size}
    code = Code(arm.revision, code_commit, tree, compute_sources_sha256(hash_sources(place)))
    return Resolved(code, resolved, sizes, asdict(data.corpus.record))


def hash_sources(place: Path) -> dict[str, str]:
    package = place / "mainrun"
    return {path.relative_to(package).as_posix(): compute_file_sha256(path) for path in package.rglob("*.py")}


class RevisionLauncher(FakeLauncher):
    """Writes into every record the sources of the program that the job names."""

    def write_run(self, job: Job) -> Writing:
        self.source_sha256 = hash_sources(Path(job.argv[job.argv.index(MODULE) - 1]))
        return (yield from super().write_run(job))


def compare(repository: Path, out: Path, arms: tuple[str, ...] = PAIR, **changes: Any) -> dict[str, Any]:
    settings = type_tiny_settings([arm.replace("/", "-") for arm in arms])
    request = CompareRequest(arms, "quick", (1337,), set_texts=settings, device="cpu", out=out, repository=repository)
    launcher = changes.pop("launcher", None) or RevisionLauncher()
    with skip_rendering():
        run_comparison(replace(request, **changes), launcher, ProgressDisplay(lambda text: None))
    return load_document(out)


def find_statuses(folder: Path, repository: Path) -> dict[str, tuple[str, str]]:
    findings = verify(folder, None, 3, RevisionLauncher(), repository)
    return {finding.name: (finding.status, finding.evidence) for finding in findings}


def test_two_revisions_are_compared_and_nothing_of_the_checkout_is_touched(repository: Path, tmp_path: Path) -> None:
    (repository / "mainrun" / "new.txt").write_text("not yet added")
    before = git(repository, "status", "--porcelain"), git(repository, "stash", "list"), find_index(repository)
    document = compare(repository, tmp_path / "out")
    assert (git(repository, "status", "--porcelain"), git(repository, "stash", "list")) == before[:2]
    assert find_index(repository) == before[2]
    [pair] = document["pairs"]
    assert [file["name"] for file in pair["code_changes"]] == ["model/gpt.py", "new.txt"]
    assert document["ranking"]["rows"][0]["change"] in ("the baseline", "code of 2 files")
    summary = (tmp_path / "out" / "PERFORMANCE_SUMMARY.md").read_text(encoding="utf-8")
    assert "mainrun/model/gpt.py" in summary and "+A = 1" not in summary
    assert "+A = 1" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def find_index(repository: Path) -> str:
    return compute_file_sha256(repository / ".git" / "index")


def test_a_comparison_of_two_revisions_fails_nothing(repository: Path, tmp_path: Path) -> None:
    document = compare(repository, tmp_path / "out")
    statuses = find_statuses(tmp_path / "out", repository)
    assert not {name: said for name, said in statuses.items() if said[0] == "FAIL"}
    assert statuses["revisions"][0] == statuses["equal-terms"][0] == statuses["same-code"][0] == "PASS"
    assert [claim["id"] for claim in document["caveats"] if claim["id"] in ("changed-code", "changed-tree")] == [
        "changed-code"
    ]


def test_jobs_and_plan_name_commit_and_tree(repository: Path, tmp_path: Path) -> None:
    launcher = RevisionLauncher()
    compare(repository, tmp_path / "out", launcher=launcher)
    first = git(repository, "rev-parse", "HEAD~1")
    tree = git(repository, "rev-parse", "HEAD~1:mainrun")
    assert {f"--code-commit={first}", f"--code-tree={tree}"} <= set(launcher.arguments[0])
    code = load_plan(tmp_path / "out").arms[0].code
    assert code is not None and (code.commit, code.tree) == (first, tree)


def test_the_stored_patch_makes_one_program_into_the_other(repository: Path, tmp_path: Path) -> None:
    compare(repository, tmp_path / "out")
    place = fetch_tree(repository, git(repository, "rev-parse", "HEAD~1:mainrun"), "mainrun")
    copy = Path(shutil.copytree(place, tmp_path / "copy"))
    subprocess.run(["git", "apply", tmp_path / "out" / PATCH_NAME], cwd=copy, check=True)
    assert hash_sources(copy) == hash_sources(repository)


@pytest.mark.parametrize("name", ["metric/evaluate.py", "data/tokenizer.py", "record/journal.py"])
def test_a_commit_that_edits_metric_or_data_fails_by_name(repository: Path, tmp_path: Path, name: str) -> None:
    commit(repository, {name: "A = 1\n"})
    document = compare(repository, tmp_path / "out")
    finding = next(finding for finding in document["constraints"] if finding["name"] == "equal-terms")
    assert finding["status"] == "FAIL" and name in finding["evidence"]


def test_a_changed_tree_is_said_and_not_vouched_for(repository: Path, tmp_path: Path) -> None:
    (repository / "mainrun" / "model" / "gpt.py").write_text("B = 2\n", encoding="utf-8")
    document = compare(repository, tmp_path / "out")
    assert "changed-tree" in [claim["id"] for claim in document["caveats"]]
    status, evidence = find_statuses(tmp_path / "out", repository)["revisions"]
    assert status == "PASS" and evidence.startswith("1 arms have the code of their commits")
    assert "optimized that of the files here, which no commit holds" in evidence
    git(repository, "checkout", "-q", "--", ".")
    status, evidence = find_statuses(tmp_path / "out", repository)["revisions"]
    assert status == "NOT CHECKED" and "with changes" in evidence


def test_the_same_code_at_two_names_is_no_change(repository: Path, tmp_path: Path) -> None:
    document = compare(repository, tmp_path / "out", ("optimized@HEAD", "optimized"))
    assert document["pairs"][0]["code_changes"] == []
    assert "changed-code" not in [claim["id"] for claim in document["caveats"]]
    assert document["ranking"]["rows"][1]["change"] in ("nothing", "the baseline")


def test_code_that_is_not_the_declared_code_fails_same_code(repository: Path, tmp_path: Path) -> None:
    compare(repository, tmp_path / "out")
    record_path = tmp_path / "out" / "runs" / "optimized-s1337" / "run.json"
    record = json.loads(record_path.read_text(encoding="utf-8"))
    record["source_sha256"]["recipes.py"] = "0" * 64
    record_path.write_text(json.dumps(record), encoding="utf-8")
    status, evidence = find_statuses(tmp_path / "out", repository)["same-code"]
    assert status == "FAIL" and "optimized-s1337 is not the code that the plan declares" in evidence


def test_an_edited_patch_fails_revisions(repository: Path, tmp_path: Path) -> None:
    compare(repository, tmp_path / "out")
    patch = tmp_path / "out" / PATCH_NAME
    patch.write_text(patch.read_text(encoding="utf-8").replace("+A = 1", "+A = 2"), encoding="utf-8")
    assert find_statuses(tmp_path / "out", repository)["revisions"][0] == "FAIL"


def test_lines_that_end_as_on_windows_are_no_edited_patch(repository: Path, tmp_path: Path) -> None:
    (repository / "mainrun" / "model" / "gpt.py").write_bytes(b"A = 1\r\nB = 2\r\n")
    compare(repository, tmp_path / "out")
    assert b"\r\n" in (tmp_path / "out" / PATCH_NAME).read_bytes()
    assert find_statuses(tmp_path / "out", repository)["revisions"][0] == "PASS"


def test_code_of_another_commit_fails_revisions(repository: Path, tmp_path: Path) -> None:
    compare(repository, tmp_path / "out")
    plan_path = tmp_path / "out" / "plan.json"
    plan = json.loads(plan_path.read_text(encoding="utf-8"))
    plan["arms"][0]["code"]["tree"] = plan["arms"][1]["code"]["tree"]
    plan_path.write_text(json.dumps(plan), encoding="utf-8")
    assert find_statuses(tmp_path / "out", repository)["revisions"][0] == "FAIL"


def test_a_commit_that_is_not_here_is_not_checked(repository: Path, tmp_path: Path) -> None:
    compare(repository, tmp_path / "out")
    git(tmp_path, "init", "-q", str(tmp_path / "empty"))
    statuses = find_statuses(tmp_path / "out", tmp_path / "empty")
    assert statuses["revisions"][0] == statuses["replay"][0] == "NOT CHECKED"


def test_report_begins_runs_again_with_the_programs_of_the_repository_named(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compare(repository, tmp_path / "out")
    monkeypatch.setattr("harness.launch.local.LocalLauncher", RevisionLauncher)
    statuses = []
    for more in (["--repo", str(repository)], []):
        with skip_rendering():
            assert main(["report", str(tmp_path / "out"), "--data", "synthetic", *more]) == 0
        findings = load_document(tmp_path / "out")["constraints"]
        statuses += [finding["status"] for finding in findings if finding["name"] == "fresh-start"]
    assert statuses == ["PASS", "NOT VOUCHED"]
    assert main(["report", str(tmp_path / "out"), "--repo", str(repository)]) == 2


@pytest.mark.parametrize("operation", FAULTS)
def test_a_full_disk_under_changes_patch_ends_with_6_and_resumes(
    operation: str, repository: Path, tmp_path: Path
) -> None:
    compare(repository, tmp_path / "first")  # so that trees and tokens are cached
    disk = Disk("none", None)
    with failing_disk(disk):
        compare(repository, tmp_path / "whole")
    with (
        failing_disk(Disk(operation, disk.names.index("changes.patch") + 1)),
        pytest.raises(MachineError, match=PATCH_NAME),
    ):
        compare(repository, tmp_path / "cut")
    compare(repository, tmp_path / "cut", resume=True)
    assert (tmp_path / "cut" / PATCH_NAME).read_bytes() == (tmp_path / "whole" / PATCH_NAME).read_bytes()


def test_resume_holds_to_the_stored_commit_though_the_branch_moved(repository: Path, tmp_path: Path) -> None:
    git(repository, "branch", "base", "HEAD~1")
    arms = ("optimized@base", "optimized")
    compare(repository, tmp_path / "out", arms)
    shutil.rmtree(tmp_path / "out" / "runs" / "optimized@base-s1337")
    stored = load_plan(tmp_path / "out").arms[0].code
    git(repository, "branch", "-f", "base", "HEAD")
    compare(repository, tmp_path / "out", arms, resume=True)
    assert load_plan(tmp_path / "out").arms[0].code == stored


def test_resume_goes_on_after_a_commit_that_left_the_program_as_it_was(repository: Path, tmp_path: Path) -> None:
    compare(repository, tmp_path / "out", arms := ("optimized@HEAD~1", "optimized"))
    shutil.rmtree(tmp_path / "out" / "runs" / "optimized-s1337")
    stored = load_plan(tmp_path / "out")
    (repository / "README.md").write_text("other words")
    commit(repository, {})
    compare(repository, tmp_path / "out", arms, resume=True)
    assert load_plan(tmp_path / "out") == stored
    commit(repository, {"model/gpt.py": "B = 2\n"})
    with pytest.raises(RequestError, match="was planned with another ARM or --set, code of an arm"):
        compare(repository, tmp_path / "out", arms, resume=True)


def test_reuse_trains_only_the_revision_that_is_new(repository: Path, tmp_path: Path) -> None:
    compare(repository, tmp_path / "first")
    middle = git(repository, "rev-parse", "HEAD")
    commit(repository, {"model/gpt.py": "B = 2\n"})
    arms = (f"optimized@{middle[:12]}", "optimized")
    compare(repository, tmp_path / "second", arms, reuse=(tmp_path / "first",))
    taken = [run.record.get("taken_over") for run in load_comparison(tmp_path / "second").runs.values()]
    assert taken[0] is not None and taken[0]["run"] == "optimized-s1337" and taken[1] is None


def test_a_revision_that_is_not_known_is_refused_by_name(repository: Path) -> None:
    with pytest.raises(RequestError, match="'nowhere' is no commit"):
        find_commit(repository, "nowhere")


def test_without_a_repository_the_reason_is_said(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"is in no git repository.*--repo"):
        find_commit(tmp_path, "HEAD")


def test_a_repository_of_another_user_is_named_with_what_git_asks_for(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    with pytest.raises(RequestError, match=f"git config --global --add safe.directory {repository}"):
        find_commit(repository, "HEAD")


def test_without_git_the_reason_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RequestError, match="git is needed"):
        find_commit(tmp_path, "HEAD")
    assert find_head(tmp_path, "mainrun") is None


def test_a_cached_tree_that_was_edited_is_made_again(repository: Path) -> None:
    tree = find_tree(repository, "HEAD", "mainrun")
    place = fetch_tree(repository, tree, "mainrun")
    (place / "mainrun" / "model" / "gpt.py").write_text("edited", encoding="utf-8")
    (place / "mainrun" / "more.py").write_text("edited", encoding="utf-8")
    again = fetch_tree(repository, tree, "mainrun")
    assert hash_sources(again) == hash_sources(repository)
    assert list(list_files(again)) == [f"mainrun/{name}" for name in list_files(repository / "mainrun")]


def test_an_option_that_a_revision_does_not_know_is_left_out_or_named(tmp_path: Path) -> None:
    (tmp_path / "mainrun").mkdir()
    (tmp_path / "mainrun" / "train.py").write_text('add("--seed")\nadd("--out")\n', encoding="utf-8")
    assert find_options(tmp_path) == {"--seed", "--out"}
    arguments = ["--seed=1", "--precision=auto", "--beside=x", "--out=y"]
    assert fit_arguments(arguments, tmp_path, "old") == ["--seed=1", "--out=y"]
    with pytest.raises(RequestError, match="old: its training program does not know --precision"):
        fit_arguments(["--precision=bfloat16"], tmp_path, "old")


def test_a_program_that_refuses_a_recipe_says_so_with_its_own_words(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", str(tmp_path / "r"))
    (tmp_path / "r" / "mainrun").mkdir()
    (tmp_path / "r" / "mainrun" / "__init__.py").write_text("", encoding="utf-8")
    program = (
        "import sys\nOPTIONS = '--recipe', '--preset', '--data', '--seed', '--out', '--device'\n"
        "print('error: no such recipe', file=sys.stderr)\nsys.exit(2)\n"
    )
    (tmp_path / "r" / "mainrun" / "train.py").write_text(program, encoding="utf-8")
    resolver = Resolver(tmp_path / "r", "quick", CorpusSource("synthetic"), 1337, {})
    with pytest.raises(RequestError, match="new: its training program says: no such recipe"):
        resolver.resolve(ArmRequest("new", "new"))


def test_the_workflow_compares_the_base_with_the_pull_request_by_the_base_and_gates_last() -> None:
    workflow = yaml.safe_load((OUTSIDE / ".github" / "workflows" / "benchmark.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["compare"]["steps"]
    taken, _, compared, commented, gated = [step for step in steps if "run" in step]
    assert taken["run"] == 'git worktree add judge "$BASE"' and steps[0]["with"]["fetch-depth"] == 0
    assert compared["run"].startswith('make pr BASE="$BASE" HEAD="$GITHUB_SHA"')
    assert "--edit-last" in commented["run"] and "judge/results/pr" in commented["run"]
    assert "harness gate results/pr" in gated["run"] and steps[-1] is gated
    assert compared["working-directory"] == gated["working-directory"] == "judge"


TRAINER = """
import pathlib, shutil, sys
assert pathlib.Path("code.txt").read_text() == "at the revision"
assert not pathlib.Path("left.txt").exists()
pathlib.Path("left.txt").write_text("of this run")
shutil.copy(sys.argv[1], "mine.log")
"""


def test_an_external_arm_runs_in_a_clean_checkout_of_its_revision(tmp_path: Path) -> None:
    folder = tmp_path / "other"
    git(tmp_path, "init", "-q", str(folder))
    for text in ("at the revision", "later"):
        (folder / "code.txt").write_text(text, encoding="utf-8")
        (folder / "train.py").write_text(TRAINER, encoding="utf-8")
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "-m", text)
    log = tmp_path / "written.log"
    log.write_bytes(write_json(SMALL.build()))
    arms = tmp_path / "arms.toml"
    command = json.dumps([sys.executable, "train.py", str(log), "{seed}"])
    arms.write_text(
        f'[arms.mine]\ncommand = {command}\njournal = "mine.log"\nrepository = "other"\nrevision = "HEAD~1"\n'
        f'[arms.too]\ncommand = {command}\njournal = "mine.log"\nrepository = "other"\nrevision = "HEAD~1"\n',
        encoding="utf-8",
    )
    request = CompareRequest(("mine", "too"), "quick", (1337, 1), out=tmp_path / "out", arms_file=arms)
    with skip_rendering():
        run_comparison(request, LocalLauncher(), ProgressDisplay(lambda text: None))
    assert git(folder, "status", "--porcelain") == ""
    assert not list((tmp_path / "out" / "runs").glob("*/checkout"))
    sources = load_plan(tmp_path / "out").sources
    assert sources is not None and sources[0]["external"]["commit"] == git(folder, "rev-parse", "HEAD~1")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('revision = "nowhere"', "is no commit"),
        ("revision = 3", "must name a branch"),
        ('repository = "."', "must name a branch"),
        ('revision = "HEAD"\nrepository = "absent"', "is no folder"),
        ('revision = "HEAD"\ncwd = "../x"', "inside the checkout"),
    ],
)
def test_a_wrong_revision_of_an_external_arm_is_refused(tmp_path: Path, line: str, problem: str) -> None:
    git(tmp_path, "init", "-q", str(tmp_path))
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "first")
    arms = tmp_path / "arms.toml"
    arms.write_text(f'[arms.mine]\ncommand = ["x"]\njournal = "l"\n{line}\n', encoding="utf-8")
    with pytest.raises(RequestError, match=problem):
        load_arms(arms)
