"""Exit codes of the training program, and what it says with them."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mainrun.step import STEPS_AT_ONCE, StepResult, TrainingState
from mainrun.train import main
from tests.mainrun.tiny_runs import build_arguments, load_events, load_record, save_titles, train_tiny

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def titles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_titles(tmp_path_factory.mktemp("data"))


def run_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit code and message, whether the program returns or exits."""
    try:
        code: object = main(arguments)
    except SystemExit as exiting:
        code = exiting.code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert isinstance(code, int)
    return code, captured.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--recipe", "optimised"], "Did you mean 'optimized'?"),
        (["--preset", "quik"], "Did you mean 'quick'?"),
        (["--set", "lerning_rate=1"], "Did you mean 'learning_rate'?"),
        (["--set", "optimizer=adam"], "Did you mean 'adamw'?"),
        (["--set", "schedule=cosin"], "Did you mean 'cosine'?"),
        (["--set", "epochs=two"], "'training.epochs' takes int"),
        (["--set", "epochs=0"], "'training.epochs' must be at least 1"),
        (["--set", "learning_rate=inf"], "'optimizer.learning_rate' must be"),
        (["--set", "epochs"], "--set takes KEY=VALUE"),
        (["--set", "dropout=0", "--set", "dropout=0"], "names 'dropout' twice"),
        (["--stop-after", "-1"], "--stop-after takes a step from 0 on"),
        (["--stop-after", "x"], "--stop-after"),
        (["--device", "tpu"], "--device"),
        (["--seed", "one"], "--seed"),
        (["--seed", "99999999999999999999"], "--seed"),
        (["--data", "no-such-file.csv"], "no-such-file.csv"),
        (["--data-revision", "main"], "--data-revision"),
        (["--sed", "1"], "--sed"),
    ],
)
def test_a_wrong_request_ends_with_2_says_what_is_wrong_and_leaves_nothing(
    options: list[str], said: str, titles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, message = run_error([*build_arguments(titles, tmp_path / "run"), *options], capsys)
    assert code == 2
    assert said in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"num_titles": "301"}, "has 300 titles, but the preset needs 301"),
        ({"batch_size": "500"}, "8,001"),
    ],
)
def test_too_few_titles_end_with_2_and_the_numbers(
    settings: dict[str, str], said: str, titles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, message = run_error(build_arguments(titles, tmp_path / "run", **settings), capsys)
    assert code == 2
    assert said in message


def test_without_recipe_or_out_the_command_line_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_error(["--out", "x"], capsys)[0] == 2
    assert run_error(["--recipe", "baseline"], capsys)[0] == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_cuda_where_there_is_none_ends_with_2(titles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, message = run_error([*build_arguments(titles, tmp_path / "run"), "--device", "cuda"], capsys)
    assert code == 2
    assert "Use --device auto" in message


def test_a_loss_that_is_not_finite_ends_with_3_and_keeps_what_was_measured(
    titles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = build_arguments(titles, tmp_path / "run", recipe="baseline", learning_rate="1e30")
    code, message = run_error(arguments, capsys)
    assert code == 3
    assert "What was measured before it is kept" in message
    record = load_record(tmp_path / "run")
    assert record["status"] == "failed"
    assert record["reason"] in message
    assert "at step" in record["reason"]
    assert load_events(tmp_path / "run", "training_step")[0]["step"] == 1
    assert "final_weights_sha256" not in record


@pytest.mark.parametrize("steps_at_once", [1, 20])
@pytest.mark.parametrize(("loss", "norm"), [(float("nan"), 1.0), (float("inf"), 1.0), (1.0, float("nan"))])
def test_a_step_that_is_not_finite_is_not_written_as_measured(
    loss: float, norm: float, steps_at_once: int, titles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    take_steps = TrainingState.take_steps

    def fail_at_3(state: TrainingState, *arguments: object) -> list[StepResult]:
        results = take_steps(state, *arguments)  # type: ignore[arg-type]  # passed on as they came
        return [
            replace(result, loss_nats_per_token=loss, grad_norm=norm) if result.step == 3 else result
            for result in results
        ]

    monkeypatch.setattr(TrainingState, "take_steps", fail_at_3)
    monkeypatch.setitem(STEPS_AT_ONCE, "cpu", steps_at_once)
    code, message = run_error(build_arguments(titles, tmp_path / "run"), capsys)
    assert code == 3
    assert "at step 3" in message
    assert [event["step"] for event in load_events(tmp_path / "run", "training_step")] == [1, 2]
    assert load_record(tmp_path / "run")["status"] == "failed"


def test_a_folder_that_cannot_be_made_ends_with_6(
    titles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    code, message = run_error(build_arguments(titles, tmp_path / "file" / "run"), capsys)
    assert code == 6
    assert "Cannot write" in message
    assert "choose another --out" in message


def test_a_bug_of_ours_ends_with_70_and_keeps_its_traceback(
    titles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(TrainingState, "take_steps", lambda state, *arguments: 1 / 0)
    assert train_tiny(titles, tmp_path / "run") == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_the_exit_code_reaches_the_shell_and_the_message_stderr() -> None:
    command = [sys.executable, "-m", "mainrun.train", "--recipe", "baseline", "--preset", "quik", "--out", "x"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: Unknown preset 'quik'. Did you mean 'quick'?")


def test_help_is_given_without_waiting_for_a_heavy_library() -> None:
    program = (
        "import sys, mainrun.train\n"
        "try: mainrun.train.main(['--help'])\n"
        "except SystemExit as done: code = done.code\n"
        "heavy = {'torch', 'pandas', 'pyarrow', 'datasets', 'tokenizers', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'{heavy}' if heavy else code)"
    )
    before = os.times()
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    after = os.times()
    assert (done.returncode, done.stderr) == (0, "")
    assert "--recipe" in done.stdout
    assert after.children_user - before.children_user < 2  # seconds of work, whatever else the machine does
