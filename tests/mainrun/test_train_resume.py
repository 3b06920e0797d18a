"""Runs that are stopped, killed, refused and continued."""

import shutil
from pathlib import Path

import pytest

from mainrun.record import checkpoint as checkpoint_module
from mainrun.step import STEPS_AT_ONCE, StepResult, TrainingState
from tests.mainrun.tiny_runs import list_losses, load_events, load_record, read_all, save_titles, train_tiny

EACH_STEP = ("--checkpoint-every-s", "0")
SHORT = {"epochs": "2"}


@pytest.fixture(scope="module")
def titles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_titles(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def whole(titles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nothing interrupted; its tests only read it."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert train_tiny(titles, out, **SHORT) == 0
    return out


@pytest.fixture(autouse=True)
def _checkpoints_may_take_all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_module, "MAX_SHARE_OF_TIME", float("inf"))


def assert_same_run(one: Path, two: Path) -> None:
    assert list_losses(one) == list_losses(two)
    for key in ("status", "initial_weights_sha256", "final_weights_sha256", "title_losses_sha256", "sizes", "config"):
        assert load_record(one)[key] == load_record(two)[key]


@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_stopped_run_ends_there_and_is_never_called_complete(stop_after: int, titles: Path, tmp_path: Path) -> None:
    assert train_tiny(titles, tmp_path, "--stop-after", str(stop_after)) == 0
    record = load_record(tmp_path)
    assert (record["status"], record["reason"]) == ("stopped", f"stopped after step {stop_after}")
    assert "final_weights_sha256" not in record
    assert not (tmp_path / "title_losses.parquet").exists()
    assert [event["step"] for event in load_events(tmp_path, "training_step")] == list(range(1, stop_after + 1))


def test_a_run_stopped_before_its_first_step_tells_its_initial_weights(
    whole: Path, titles: Path, tmp_path: Path
) -> None:
    assert train_tiny(titles, tmp_path, "--stop-after", "0", **SHORT) == 0
    record = load_record(tmp_path)
    assert record["status"] == "stopped"
    assert record["initial_weights_sha256"] == load_record(whole)["initial_weights_sha256"]
    assert [event["event"] for event in load_events(tmp_path)][-1] == "model_info"


def test_a_stop_behind_the_last_step_stops_nothing(whole: Path, titles: Path, tmp_path: Path) -> None:
    assert train_tiny(titles, tmp_path, "--stop-after", "9999", **SHORT) == 0
    assert_same_run(tmp_path, whole)


def test_a_stopped_and_resumed_run_is_the_uninterrupted_one_bit_for_bit(
    whole: Path, titles: Path, tmp_path: Path
) -> None:
    assert train_tiny(titles, tmp_path, "--stop-after", "25", *EACH_STEP, **SHORT) == 0
    assert len(list((tmp_path / "checkpoint").iterdir())) == 1
    assert train_tiny(titles, tmp_path, "--stop-after", "45", "--resume", *EACH_STEP, **SHORT) == 0
    assert train_tiny(titles, tmp_path, "--resume", **SHORT) == 0
    assert_same_run(tmp_path, whole)
    assert [event["step"] for event in load_events(tmp_path, "run_resumed")] == [24, 44]
    assert all(0 <= event["gap_s"] < 60 for event in load_events(tmp_path, "run_resumed"))
    clocks = [[e[key] for e in load_events(tmp_path) if key in e] for key in ("elapsed_time", "train_elapsed_s")]
    assert clocks == [sorted(clock) for clock in clocks]
    assert load_record(tmp_path)["reason"] is None
    assert not (tmp_path / "checkpoint").exists()


def test_a_run_whose_losses_are_read_in_blocks_as_on_a_gpu_is_the_same_bit_for_bit(
    whole: Path, titles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STEPS_AT_ONCE, "cpu", 7)
    assert train_tiny(titles, tmp_path, "--stop-after", "25", *EACH_STEP, **SHORT) == 0
    assert [event["step"] for event in load_events(tmp_path, "training_step")] == list(range(1, 26))
    assert train_tiny(titles, tmp_path, "--resume", **SHORT) == 0
    assert_same_run(tmp_path, whole)
    steps = load_events(tmp_path, "training_step")
    clock = [event["train_elapsed_s"] for event in steps]
    assert clock == sorted(set(clock))


def test_a_run_in_bfloat16_is_resumed_bit_for_bit_and_only_in_bfloat16(
    whole: Path, titles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    precision = ("--precision", "bfloat16")
    assert train_tiny(titles, tmp_path / "at once", *precision, **SHORT) == 0
    assert train_tiny(titles, tmp_path / "resumed", *precision, "--stop-after", "25", *EACH_STEP, **SHORT) == 0
    assert train_tiny(titles, tmp_path / "resumed", "--resume", **SHORT) == 4
    assert "changed: machine.precision." in capsys.readouterr().err
    assert train_tiny(titles, tmp_path / "resumed", *precision, "--resume", **SHORT) == 0
    assert_same_run(tmp_path / "resumed", tmp_path / "at once")
    assert load_record(tmp_path / "resumed")["machine"]["precision"] == "bfloat16"
    for event, key in (("training_step", "loss"), ("validation_step", "full_loss_nats_per_char")):
        rounded, exact = (load_events(run, event)[-1][key] for run in (tmp_path / "resumed", whole))
        assert rounded != exact
        assert rounded == pytest.approx(exact, rel=0.002)


def test_evaluations_are_in_the_precision_of_the_run(titles: Path, tmp_path: Path) -> None:
    """The first evaluation of a learning rate of almost nothing: both models are the same but for rounding."""
    losses = []
    for precision in ("float32", "bfloat16"):
        out = tmp_path / precision
        assert train_tiny(titles, out, "--precision", precision, "--stop-after", "1", learning_rate="1e-30") == 0
        (event,) = load_events(out, "validation_step")
        losses.append((event["loss"], event["full_loss_nats_per_char"]))
    for exact, rounded in zip(*losses, strict=True):
        assert rounded != exact
        assert rounded == pytest.approx(exact, rel=0.001)


def test_a_run_killed_in_a_step_with_half_a_line_written_resumes_bit_for_bit(
    whole: Path, titles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    take_steps = TrainingState.take_steps

    def interrupt_at_30(state: TrainingState, *arguments: object) -> list[StepResult]:
        if state.step == 30:
            raise KeyboardInterrupt
        return take_steps(state, *arguments)  # type: ignore[arg-type]  # passed on as they came

    with monkeypatch.context() as patch:
        patch.setattr(TrainingState, "take_steps", interrupt_at_30)
        assert train_tiny(titles, tmp_path, *EACH_STEP, **SHORT) == 130
    assert "--resume" in capsys.readouterr().err
    with (tmp_path / "mainrun.log").open("a") as journal:
        journal.write('{"event": "training_st')
    assert train_tiny(titles, tmp_path, "--resume", **SHORT) == 0
    assert_same_run(tmp_path, whole)


def test_a_stopped_run_without_a_checkpoint_begins_again(whole: Path, titles: Path, tmp_path: Path) -> None:
    assert train_tiny(titles, tmp_path, "--stop-after", "5", **SHORT) == 0
    assert train_tiny(titles, tmp_path, "--resume", **SHORT) == 0
    assert_same_run(tmp_path, whole)


def test_resume_in_an_empty_folder_is_a_plain_run(whole: Path, titles: Path, tmp_path: Path) -> None:
    assert train_tiny(titles, tmp_path, "--resume", **SHORT) == 0
    assert_same_run(tmp_path, whole)


def test_a_run_in_the_folder_of_another_is_refused_and_changes_nothing(
    whole: Path, titles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_all(whole)
    assert train_tiny(titles, whole, **SHORT) == 2
    assert "holds a run already. Continue it with --resume or choose another --out." in capsys.readouterr().err
    assert read_all(whole) == before


def test_a_checkpoint_left_beside_a_finished_run_is_removed(whole: Path, titles: Path, tmp_path: Path) -> None:
    """A run that was killed between its last two acts."""
    out = Path(shutil.copytree(whole, tmp_path / "killed"))
    (out / "checkpoint").mkdir()
    (out / "checkpoint" / "old.pt").write_bytes(b"")
    assert train_tiny(titles, out, "--resume", **SHORT) == 0
    assert not (out / "checkpoint").exists()
    assert load_record(out) == load_record(whole)


def test_resuming_a_finished_run_is_done_and_changes_nothing(whole: Path, titles: Path) -> None:
    before = read_all(whole)
    assert train_tiny(titles, whole, "--resume", **SHORT) == 0
    assert read_all(whole) == before


OTHERS = [
    ({"learning_rate": "1e-3"}, (), "config.optimizer.learning_rate"),
    ({"epochs": "3"}, (), "config.training.epochs"),
    ({"vocab_size": "310"}, (), "config.data.vocab_size"),
    ({"num_titles": "290"}, (), "config.data.num_titles"),
    ({}, ("--seed", "7"), "seed"),
]


@pytest.mark.parametrize(("settings", "options", "named"), OTHERS)
def test_a_checkpoint_of_other_settings_is_refused_by_name_and_changes_nothing(
    settings: dict[str, str], options: tuple[str, ...], named: str, titles: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert train_tiny(titles, tmp_path, "--stop-after", "3", *EACH_STEP, **SHORT) == 0
    before = read_all(tmp_path)
    assert train_tiny(titles, tmp_path, "--resume", *options, **(SHORT | settings)) == 4
    message = capsys.readouterr().err
    assert named in message.partition("changed: ")[2].partition(". Go back")[0].split(", ")
    assert read_all(tmp_path) == before


def test_a_checkpoint_of_another_program_is_refused_by_the_name_of_its_file(
    titles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_tiny(titles, tmp_path, "--stop-after", "3", *EACH_STEP, **SHORT) == 0
    monkeypatch.setattr("mainrun.run.compute_source_sha256", lambda: {"model/gpt.py": "0"})
    assert train_tiny(titles, tmp_path, "--resume", **SHORT) == 4
    assert "source.model/gpt.py" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changed", "options"), [("source.model/gpt.py", ()), ("machine.precision", ("--precision", "bfloat16"))]
)
def test_a_run_is_not_trained_beside_one_of_another_program_or_precision(
    changed: str, options: tuple[str, ...], whole: Path, titles: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    beside = ("--beside", str(whole))
    assert train_tiny(titles, tmp_path / "a", "--stop-after", "1", *beside, recipe="baseline") == 0
    if changed.startswith("source"):
        code = load_record(whole)["source_sha256"] | {"model/gpt.py": "0"}
        monkeypatch.setattr("mainrun.run.compute_source_sha256", lambda: code)
    capsys.readouterr()
    assert train_tiny(titles, tmp_path / "b", "--stop-after", "1", *beside, *options, recipe="baseline") == 4
    assert f"whole was trained by other code or otherwise; changed: {changed}. Go back" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()


def test_a_finished_run_of_other_settings_is_not_called_done(
    whole: Path, titles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_all(whole)
    assert train_tiny(titles, whole, "--resume", learning_rate="1e-3", **SHORT) == 4
    assert "learning_rate" in capsys.readouterr().err
    assert read_all(whole) == before


def test_a_stopped_run_of_other_settings_is_not_overwritten_where_it_has_no_checkpoint(
    titles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_tiny(titles, tmp_path, "--stop-after", "3", **SHORT) == 0
    before = read_all(tmp_path)
    assert train_tiny(titles, tmp_path, "--resume", "--stop-after", "2", learning_rate="1e-3", **SHORT) == 4
    assert "learning_rate" in capsys.readouterr().err
    assert read_all(tmp_path) == before


def test_a_damaged_checkpoint_is_refused_and_changes_nothing(
    titles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_tiny(titles, tmp_path, "--stop-after", "3", *EACH_STEP, **SHORT) == 0
    [checkpoint] = (tmp_path / "checkpoint").iterdir()
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    before = read_all(tmp_path)
    assert train_tiny(titles, tmp_path, "--resume", **SHORT) == 4
    assert "is damaged" in capsys.readouterr().err
    assert read_all(tmp_path) == before


def test_a_journal_that_lost_what_its_checkpoint_counts_is_refused(
    titles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_tiny(titles, tmp_path, "--stop-after", "3", *EACH_STEP, **SHORT) == 0
    (tmp_path / "mainrun.log").write_text("")
    assert train_tiny(titles, tmp_path, "--resume", **SHORT) == 4
    assert "mainrun.log" in capsys.readouterr().err


def test_a_damaged_record_is_refused(titles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.json").write_text("{")
    assert train_tiny(titles, tmp_path, "--resume", **SHORT) == 4
    assert "run.json is damaged" in capsys.readouterr().err


def test_a_run_goes_on_after_a_recipe_or_a_source_of_titles_was_added(
    whole: Path, titles: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train_tiny(titles, tmp_path, "--stop-after", "25", *EACH_STEP, **SHORT) == 0
    code = load_record(whole)["source_sha256"] | {"recipes.py": "0", "data/one_more_source.py": "1"}
    monkeypatch.setattr("mainrun.run.compute_source_sha256", lambda: code)
    assert train_tiny(titles, tmp_path, "--resume", "--beside", str(whole), **SHORT) == 0
    assert_same_run(tmp_path, whole)


def test_a_frontier_run_is_resumed_bit_for_bit_in_the_middle_of_an_epoch(titles: Path, tmp_path: Path) -> None:
    """Two optimizers, another order every epoch, two passes of dropout: all of it follows from step and checkpoint."""
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert train_tiny(titles, whole, recipe="frontier", **SHORT) == 0
    assert train_tiny(titles, resumed, "--stop-after", "25", *EACH_STEP, recipe="frontier", **SHORT) == 0
    assert train_tiny(titles, resumed, "--resume", recipe="frontier", **SHORT) == 0
    assert_same_run(resumed, whole)
    assert [event["step"] for event in load_events(resumed, "run_resumed")] == [24]
