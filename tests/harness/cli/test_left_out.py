"""What a command line leaves out or writes in another way: completed from the plan, or refused with the right way."""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.app import main
from harness.cli.judge import SHARED
from harness.cli.options import build_training_options
from tests.harness.fakes import TINY, FakeLauncher, Mishap, skip_rendering, write_titles

ROOT = Path(__file__).parents[3]
TINY_OPTIONS = [f"--set={arm}.{key}={value}" for arm in ("baseline", "optimized") for key, value in TINY.items()]


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> FakeLauncher:
    """Takes the place of the local launcher."""
    launcher = FakeLauncher()
    monkeypatch.setattr("harness.launch.local.LocalLauncher", lambda: launcher)
    return launcher


def run(*arguments: object) -> int:
    with skip_rendering():
        return main([str(argument) for argument in arguments])


def interrupt(launcher: FakeLauncher, *arguments: object) -> None:
    """Begins a comparison that ends in its first run, as if by the user."""
    launcher.mishaps = {arm: Mishap("interrupt", step=1) for arm in ("baseline", "optimized")}
    assert run(*arguments) == 130
    launcher.mishaps = {}


def test_resume_takes_arms_settings_seeds_preset_and_margin_from_the_plan(
    launcher: FakeLauncher, tmp_path: Path
) -> None:
    out = tmp_path / "a"
    given = ("compare", "optimized", "baseline", *TINY_OPTIONS, "--preset", "laptop", "--data", "synthetic")
    interrupt(launcher, *given, "--seeds", "5,6", "--margin", "2", "--out", out)
    before = (out / "plan.json").read_bytes()
    assert run("compare", "--resume", "--out", out) == 0
    assert (out / "plan.json").read_bytes() == before
    assert len(json.loads((out / "comparison.json").read_text())["runs"]) == 4


@pytest.mark.parametrize("more", ["--set=learning_rate=1", "--sweep=optimized:learning_rate=1,2"])
def test_what_is_asked_for_beside_a_stored_ablation_is_refused_and_not_passed_over(
    more: str, launcher: FakeLauncher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a"
    interrupt(launcher, "ablate", "--out", out)
    assert run("compare", "--resume", "--out", out, more) == 2
    assert "was planned with another" in capsys.readouterr().err


def test_printed_commands_with_a_folder_of_several_words_can_be_typed(
    launcher: FakeLauncher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "my results"
    interrupt(launcher, "compare", *TINY_OPTIONS, "--out", out)
    assert f"--out '{out}' --resume." in capsys.readouterr().err
    assert run("compare", "--out", out, "--resume") == 0
    assert f"--logdir '{out}/logs/tensorboard'\n" in capsys.readouterr().out


@pytest.mark.parametrize("arm", ["frontier", "frontier:rdrop=0", "single=frontier:rdrop=0,order=fixed"])
def test_resume_of_an_ablation_needs_no_arm_and_no_verb(
    arm: str, launcher: FakeLauncher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a"
    interrupt(launcher, "ablate", arm, "--out", out, "--seeds", "3")
    for verb in ("ablate", "compare"):
        capsys.readouterr()
        assert run(verb, "--resume", "--out", out, "--dry-run", "--json") == 0
        assert json.loads(capsys.readouterr().out)["plan"] == json.loads((out / "plan.json").read_text())


def test_resume_asks_for_what_the_plan_knows_the_name_of_alone(
    launcher: FakeLauncher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = write_titles(tmp_path), tmp_path / "a"
    interrupt(launcher, "compare", *TINY_OPTIONS, "--data", data, "--out", out)
    assert run("compare", "--resume", "--out", out) == 2
    assert "is on the titles of 'titles.txt': give that file again with --data" in capsys.readouterr().err
    assert run("compare", "--resume", "--out", out, "--data", data) == 0


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
@pytest.mark.parametrize(
    ("other", "said"),
    [
        (["baseline", "baseline"], "was planned with another"),
        (["--precision", "bfloat16"], "was begun with --precision float32, not bfloat16"),
    ],
)
def test_what_is_not_as_it_was_begun_is_refused_by_resume_and_its_dry_run(
    other: list[str], said: str, more: list[str], launcher: FakeLauncher, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    interrupt(launcher, "compare", *TINY_OPTIONS, "--out", tmp_path / "a")
    assert run("compare", *other, "--resume", "--out", tmp_path / "a", *more) == 2
    captured = capsys.readouterr()
    assert said in captured.err and captured.out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", "--seeds", "1337", "1338"], "written with commas, --seeds 1337,1338."),
        (["compare", "baseline", "optimized", "--seeds", "1", "2", "3"], "written with commas, --seeds 1,2,3."),
        (["ablate", "--seeds", "1", "2"], "written with commas, --seeds 1,2."),
        (["compare", "--seed", "7"], "there is no --seed; the nearest is --seeds"),
        (["compare", "--seed=7"], "there is no --seed; the nearest is --seeds"),
        (["ablate", "--sede", "7"], "there is no --sede; the nearest is --seeds"),
        (["verify", "x", "--repaly", "7"], "there is no --repaly; the nearest is --replay"),
        (["compare", "--zzz"], "there is no --zzz\n"),
    ],
)
def test_an_option_that_is_written_in_another_way_is_answered_with_the_right_one(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("more", [["--dry-run"], []])
def test_a_gpu_that_is_not_there_is_found_before_anything_is_begun(more: list[str], tmp_path: Path) -> None:
    variables = os.environ | {"PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "harness", "compare", *TINY_OPTIONS, "--device", "cuda", *more]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout) == (2, "")
    assert "torch finds no CUDA device here" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["x" * 300, "a/" + "x" * 300 + "/b", "\udcff", "a/\udcff/b"])
@pytest.mark.parametrize(
    "begin",
    [
        ("compare", *TINY_OPTIONS),
        ("compare", *TINY_OPTIONS, "--resume"),
        ("ablate",),
        ("compare", "--from", ROOT / "results" / "quick-synthetic"),
    ],
    ids=["compare", "resume", "ablate", "from"],
)
@pytest.mark.parametrize("more", [[], ["--json"]])
def test_a_folder_whose_name_cannot_be_stored_is_a_wrong_request_in_one_line(
    begin: tuple[object, ...], name: str, more: list[str], launcher: FakeLauncher, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert run(*begin, "--out", tmp_path / "new" / name, *more) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    assert launcher.launched == []


@pytest.mark.parametrize(
    "arms",
    [
        (f"{'x' * 201}=baseline", "optimized"),
        ("caf\udce9=baseline", "optimized"),
        ("baseline", "mine"),  # of a file whose name is no text
    ],
)
def test_an_arm_whose_name_cannot_be_stored_is_refused_before_anything_is_trained(
    arms: tuple[str, str], launcher: FakeLauncher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "arms\udcff.toml"
    file.write_text('[arms.mine]\ncommand = ["true"]\njournal = "mine.log"\n')
    tiny = [f"--set={key}={value}" for key, value in TINY.items()]
    assert run("compare", *arms, *tiny, "--arms", file, "--out", tmp_path / "out") == 2
    assert "bytes at most" in (said := capsys.readouterr().err) or "no text in this locale" in said
    assert launcher.launched == [] and not (tmp_path / "out").exists()


@pytest.mark.parametrize("verb", [("report",), ("verify",), ("gate",), ("list", "--results")])
def test_a_name_that_is_too_long_is_no_comparison(
    verb: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*verb, tmp_path / ("x" * 300)) == 2
    assert capsys.readouterr().err == "error: The name of a file or folder is too long to be stored.\n"


def give(action: argparse.Action) -> list[str]:
    """An option with a value that is not its default."""
    if action.nargs == 0:
        return [action.option_strings[-1]]
    others = [str(choice) for choice in action.choices or () if choice != action.default]
    return [action.option_strings[-1], others[0] if others else "3"]


@pytest.mark.parametrize(
    ("option", "name"),
    [
        *((give(action), action.option_strings[-1]) for action in build_training_options()._actions
          if action.dest not in SHARED),
        (["--repo", "."], "--repo"), (["--set=dropout=0"], "--set"), (["--sweep=baseline:lr=1,2"], "--sweep"),
        (["--arms", "a.toml"], "--arms"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_options_that_only_training_has_are_refused_beside_from_and_not_passed_over(
    option: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("compare", "--from", "a.log", "b.log", *option) == 2
    assert f"--from trains nothing and takes no {name}." in capsys.readouterr().err
    assert run("compare", "baseline", *option, "--from", "a.log") == 2
    assert capsys.readouterr().err.endswith(f"takes no {name}, ARM.\n")


def test_what_a_comparison_was_planned_with_is_named_as_it_is_typed(
    launcher: FakeLauncher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ("--out", tmp_path / "a")
    interrupt(launcher, "compare", *TINY_OPTIONS, *out, "--seeds", "5,6")
    for other, said in ((("--margin", "2"), "--margin (0.5)"), (("--against", "best"), "--against (first)"),
                        (("--seeds", "7"), "--seeds (5,6)")):  # fmt: skip
        capsys.readouterr()
        assert run("compare", "--resume", *out, *other) == 2
        assert f"was planned with another {said}. Give" in capsys.readouterr().err


def test_a_file_is_told_from_a_folder_that_is_not_there(
    tiny_comparison: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("gate", tiny_comparison / "plan.json", "--max-loss", "2") == 4
    assert "plan.json is no comparison: it is a file. Name its folder." in capsys.readouterr().err
    assert run("gate", tmp_path / "gone", "--max-loss", "2") == 4
    assert "there is no such folder." in capsys.readouterr().err


def test_list_of_a_comparison_itself_shows_that_one(tiny_comparison: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--results", str(tiny_comparison), "--json"]) == 0
    [entry] = json.loads(capsys.readouterr().out)["comparisons"]
    assert (entry["name"], entry["problem"]) == (tiny_comparison.name, None)


def test_list_shows_a_comparison_behind_a_link_once(
    tiny_comparison: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results").mkdir()
    for name in ("z-link", "a-link"):
        (tmp_path / "results" / name).symlink_to(tiny_comparison)
    assert main(["list", "--results", str(tmp_path / "results"), "--json"]) == 0
    assert [entry["name"] for entry in json.loads(capsys.readouterr().out)["comparisons"]] == ["a-link"]
    (tmp_path / "results" / "gone").symlink_to(tmp_path / "nowhere")
    (tmp_path / "results" / "latest").symlink_to("a-link")
    assert main(["list", "--results", str(tmp_path / "results"), "--json"]) == 0
    assert [entry["name"] for entry in json.loads(capsys.readouterr().out)["comparisons"]] == ["a-link"]


@pytest.mark.parametrize("verb", [["report"], ["verify"], ["gate", "--require-conclusive"]])
def test_the_folder_over_the_comparisons_is_told_from_one_of_them(
    verb: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "latest").symlink_to("a")
    assert run(*verb, tmp_path) == 4
    assert f"{tmp_path} is no comparison: {tmp_path / 'plan.json'} is missing." in capsys.readouterr().err


def test_a_dry_run_refuses_what_runs_cannot_be_taken_over_from(
    launcher: FakeLauncher, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("compare", *TINY_OPTIONS, "--reuse", tmp_path / "b", "--out", tmp_path / "a", "--dry-run") == 4
    assert f"{tmp_path / 'b'} is no comparison" in capsys.readouterr().err
