"""Measuring with kept weights again."""

import json
from pathlib import Path

import pytest
import torch

from mainrun import probe
from mainrun.record.errors import StoredResultsError
from tests.mainrun.tiny_runs import build_arguments, load_record, save_titles, train_tiny

SHORT = {"epochs": "1"}


@pytest.fixture(scope="module")
def titles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_titles(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(titles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that kept its weights; the tests only read it."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert train_tiny(titles, out, "--keep-weights", **SHORT) == 0
    return out


def test_kept_weights_are_the_final_ones_and_look_at_nothing_later(titles: Path, run: Path, tmp_path: Path) -> None:
    assert probe.main([*build_arguments(titles, tmp_path, **SHORT), f"--weights={run / 'weights.pt'}"]) == 0
    measured = json.loads((tmp_path / "probe.json").read_text())
    record = load_record(run)
    assert measured["weights_sha256"] == record["final_weights_sha256"]
    assert len(measured["title_loss_nats"]) == record["corpus"]["num_validation_titles"]
    assert measured["moved_nats"] < 1e-5


def test_without_weights_the_command_line_is_refused_and_says_so(
    titles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exiting:
        probe.main(build_arguments(titles, tmp_path / "out"))
    assert exiting.value.code == 2
    assert capsys.readouterr().err.endswith("error: the following arguments are required: --weights\n")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("saved", "said"),
    [
        (b"no tensors", "weights.pt does not hold"),
        ([1], "holds no state"),
        ({"a": torch.ones(1)}, "loading state_dict"),
    ],
)
def test_weights_of_no_model_or_of_another_are_refused_in_one_line(
    saved: object, said: str, titles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "weights.pt"
    if isinstance(saved, bytes):
        path.write_bytes(saved)
    else:
        torch.save(saved, path)
    arguments = [*build_arguments(titles, tmp_path / "out", **SHORT), f"--weights={path}"]
    assert probe.main(arguments) == StoredResultsError.exit_code
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and said in line
