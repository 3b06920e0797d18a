"""What `--from` leads to: names of arms, folders, files that are none, runs that failed, facts that are given."""

import errno
import gzip
import json
import lzma
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from harness.cli.app import main
from harness.launch.local import LocalLauncher
from harness.sources.find import find_sources
from harness.sources.names import Wish, name_arms
from harness.sources.text import open_regular
from harness.store.document import load_document
from harness.store.runs import load_comparison
from harness.verify.verify import verify
from mainrun.record.errors import RequestError
from tests.harness.sources.logs import BASELINE, SAME_COVERAGE, Shape, write_json
from tests.harness.sources.test_imports import compare, write
from tests.harness.sources.test_tables import LONGER, PLAIN, RUN
from tests.harness.sources.test_tables import write as write_table

CONTENT, OTHER = write_json(BASELINE.build()), write_json(SAME_COVERAGE.build())
THIRD = write_json(Shape(final=1.2).build())


def put(path: Path, content: bytes | str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def list_arms(out: Path) -> dict[str, str]:
    """Status of the runs by arm, in the plan's order."""
    return {run.arm: stored.record["status"] for run, stored in load_comparison(out).runs.items()}


def test_a_name_before_the_path_is_the_arms_and_a_path_with_an_equals_sign_is_a_path(tmp_path: Path) -> None:
    one, two = put(tmp_path / "a" / "mainrun.log", CONTENT), put(tmp_path / "wd=0.1" / "x.log", OTHER)
    assert compare([f"sgd={one}", two], tmp_path / "out") == 0
    assert [*list_arms(tmp_path / "out")] == ["sgd", "x"]


def test_a_name_is_for_one_run(tmp_path: Path) -> None:
    for name in "ab":
        put(tmp_path / "logs" / f"{name}.log", CONTENT)
    with pytest.raises(RequestError, match=r"holds 2 runs, which cannot all be called mine"):
        find_sources([f"mine={tmp_path / 'logs'}"], None)


def test_logs_of_one_name_are_called_by_the_folders_that_tell_them_apart(tmp_path: Path) -> None:
    for folder, content in (("15_muon_wd/wd0.1", CONTENT), ("15_muon_wd/wd0.2", OTHER), ("16_soap/wd0.1", THIRD)):
        put(tmp_path / "runs" / folder / "logs" / "mainrun.log", content)
    assert compare([str(tmp_path / "runs")], tmp_path / "out") == 0
    assert [*list_arms(tmp_path / "out")] == ["15_muon_wd_wd0.1", "15_muon_wd_wd0.2", "16_soap_wd0.1"]


def test_what_no_folder_tells_apart_is_numbered() -> None:
    assert name_arms([Wish("baseline"), Wish("baseline")]) == ["baseline", "baseline-2"]
    assert name_arms([Wish("x", Path("/x.log")), Wish("x", Path("/a/x.log"))]) == ["x", "a"]


def test_a_folder_is_gone_through_by_content_and_not_through_links(tmp_path: Path) -> None:
    root = tmp_path / "sweep"
    put(root / "a" / "metrics.csv", PLAIN)
    put(root / "b" / "deep" / "history.jsonl", json.dumps({"step": 1, "val_loss": 2.0}))
    put(root / "c" / "train.log", CONTENT)
    put(root / "c" / "metrics.csv", PLAIN)
    put(root / "d" / "config.json", '{"lr": 0.1}')
    put(root / "d" / "requirements.txt", "torch\n")
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "a" / "latest.csv").symlink_to(root / "a" / "metrics.csv")
    found = find_sources([str(root)], "nats_per_char")
    assert [source.path.relative_to(root).as_posix() for source in found] == [
        "a/metrics.csv",
        "b/deep/history.jsonl",
        "c/train.log",
    ]
    with pytest.raises(RequestError, match="Name the file"):
        find_sources([str(root / "d")], None)


DAMAGED = {
    "bad.csv.bz2": b"BZh9" + b"\0" * 60,
    "bad.csv.gz": gzip.compress(PLAIN.encode())[:10] + b"\xff" * 60,
    "bad.csv.xz": lzma.compress(PLAIN.encode())[:20],
}


@pytest.mark.parametrize("name", DAMAGED)
@pytest.mark.parametrize("is_named", [True, False])
def test_a_damaged_file_is_a_run_that_failed_where_it_is_named_and_in_a_folder(
    is_named: bool, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "sweep"
    files = [put(folder / "good.csv", PLAIN), put(folder / name, DAMAGED[name])]
    (folder / "notes.txt").write_text("tried twice\n")
    sources = [*(files if is_named else [str(folder)]), "--loss-unit", "nats_per_char"]
    assert compare(sources, tmp_path / "out") == 2
    assert f"{name} is packed, and damaged or cut short: " in capsys.readouterr().err
    other = put(tmp_path / "other.csv", write_table("step,val_loss", LONGER))
    assert compare([other, *sources], tmp_path / "out") == 3
    assert list_arms(tmp_path / "out") == {"other": "imported", "good": "imported", "bad": "failed"}


def test_a_file_of_a_folder_that_may_not_be_read_is_a_run_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(path: Path) -> BinaryIO:
        if path.name == "closed.csv":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return open_regular(path)

    for module in ("text", "event_files"):
        monkeypatch.setattr(f"harness.sources.{module}.open_regular", refuse)
    for name, content in (("a", PLAIN), ("b", write_table("step,val_loss", LONGER)), ("closed", PLAIN)):
        put(tmp_path / "sweep" / f"{name}.csv", content)
    assert compare([str(tmp_path / "sweep"), "--loss-unit", "nats_per_char"], tmp_path / "out") == 3
    assert list_arms(tmp_path / "out") == {"a": "imported", "b": "imported", "closed": "failed"}
    assert "closed.csv cannot be read: Permission denied." in capsys.readouterr().out


def test_pipes_and_devices_are_not_opened(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe.log")
    good = put(tmp_path / "good.log", CONTENT)
    for name in (str(tmp_path / "pipe.log"), "/dev/zero"):
        assert compare([good, name], tmp_path / "out") == 2
        assert "is no regular file but a pipe or a device" in capsys.readouterr().err
    (tmp_path / "link.log").symlink_to(tmp_path / "good.log")
    assert compare([str(tmp_path / "link.log"), put(tmp_path / "b.log", OTHER)], tmp_path / "out") == 0


def test_a_stub_a_stopped_run_and_an_unreadable_file_fail_while_the_others_are_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = write(tmp_path, stub=b"starting up\n", base=CONTENT, cut=OTHER[:60_000], other=OTHER)
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    assert compare([*sources, str(tmp_path / "bad.csv")], tmp_path / "out", "--json") == 3
    answer = json.loads(capsys.readouterr().out)
    assert answer["exit_code"] == 3
    for said in ("stub-s1337 failed: stub.log, lines 1 to 1: there is no", "bad-s1337 failed: bad.csv, line 1",
                 "cut-s1337 failed: the log ends at step"):  # fmt: skip
        assert said in answer["reason"]
    statuses = {"base": "imported", "other": "imported", "stub": "failed", "cut": "stopped", "bad": "failed"}
    assert list_arms(tmp_path / "out") == statuses
    document = load_document(tmp_path / "out")
    assert [(pair["baseline"], pair["candidate"]) for pair in document["pairs"]] == [("base", "other")]
    summary = (tmp_path / "out" / "PERFORMANCE_SUMMARY.md").read_text(encoding="utf-8")
    assert all(reason in summary for reason in ("there is no validation loss here", "no column named step"))
    assert (tmp_path / "out/runs/stub-s1337/source.log").read_bytes() == b"starting up\n"
    findings = {finding.name: finding.status for finding in verify(tmp_path / "out", None, None, LocalLauncher())}
    assert {findings[name] for name in ("reimport", "hashes", "numbers", "claims", "reports")} == {"PASS"}


def test_a_command_that_failed_and_left_no_journal_is_not_read_again(tmp_path: Path) -> None:
    assert compare(write(tmp_path, base=CONTENT, other=OTHER, cut=THIRD[:60_000]), tmp_path / "out") == 3
    folder = tmp_path / "out/runs/cut-s1337"
    record = json.loads((folder / "run.json").read_text())
    del record["mainrun_log_sha256"]
    (folder / "run.json").write_text(json.dumps(record | {"status": "failed"}))
    (folder / "mainrun.log").unlink()
    findings = {finding.name: finding.status for finding in verify(tmp_path / "out", None, None, LocalLauncher())}
    assert findings["reimport"] == "PASS"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_that_may_not_be_read_is_a_run_that_failed(tmp_path: Path) -> None:
    sources = write(tmp_path, base=CONTENT, other=OTHER, closed=THIRD)
    (tmp_path / "closed.log").chmod(0)
    assert compare(sources, tmp_path / "out") == 3
    assert list_arms(tmp_path / "out")["closed"] == "failed"


def test_with_fewer_than_two_arms_that_can_be_read_nothing_is_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = write(tmp_path, base=CONTENT, stub=b"starting up\n")
    for options in ([], ["--dry-run"]):
        assert compare(sources, tmp_path / "out", *options) == 2
        assert "stub.log, lines 1 to 1" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_runs_that_diverged_after_the_same_first_loss_are_no_copies_of_each_other(tmp_path: Path) -> None:
    tables = [
        put(tmp_path / f"{name}.csv", write_table("step,val_loss", [(0, 9.7), *rows]))
        for name, rows in (
            ("base", RUN[1:]),
            ("lr1", [(50, "nan"), (100, "nan")]),
            ("lr2", [(50, "inf"), (100, "nan")]),
        )
    ]
    assert compare([*tables, "--loss-unit", "nats_per_char"], tmp_path / "out") == 3
    assert list_arms(tmp_path / "out") == {"base": "imported", "lr1": "failed", "lr2": "failed"}


def test_a_failed_run_beside_a_copy_of_its_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, *bad = [put(tmp_path / f"{name}.log", content) for name, content in
                  (("good", CONTENT), ("a", OTHER[:90_000]), ("b", OTHER[:90_000]))]  # fmt: skip
    assert compare([good, *bad], tmp_path / "out") == 2
    assert "a.log and b.log hold the same run" in capsys.readouterr().err


def test_a_table_that_may_be_cut_or_be_another_one_again_passes_no_check_of_that(tmp_path: Path) -> None:
    again = write_table("step,train_loss,val_loss", [(step, 5.0, loss) for step, loss in RUN])
    tables = [put(tmp_path / "a.csv", PLAIN), put(tmp_path / "b.csv", again)]
    assert compare([*tables, "--loss-unit", "nats_per_char"], tmp_path / "out") == 0
    document = load_document(tmp_path / "out")
    found = {found["name"]: found for found in (*document["constraints"], *document["integrity"])}
    assert {found[name]["status"] for name in ("last-step", "distinct-runs")} == {"NOT CHECKED"}
    assert "the number of planned steps is not given" in found["last-step"]["evidence"]
    assert "b-s1337 has every validation loss of a-s1337" in found["distinct-runs"]["evidence"]


FACTS = ["--block-size", "128", "--batch-size", "64", "--train-tokens", "1102455", "--validation-tokens", "121000"]


def test_facts_that_a_table_lacks_can_be_given_and_are_read_again_by_verify(tmp_path: Path) -> None:
    tables = [put(tmp_path / "a.csv", PLAIN), put(tmp_path / "b.csv", write_table("step,val_loss", LONGER))]
    words = [*tables, "--loss-unit", "nats_per_char"]
    assert compare(words, tmp_path / "bare") == compare([*words, *FACTS], tmp_path / "out") == 0
    bare, final = (load_document(tmp_path / name)["arms"][0]["final"] for name in ("bare", "out"))
    assert bare["coverage_percent"] is None
    assert final["num_spans"] == 14 and final["coverage_percent"] == pytest.approx(100 * 14 * 8192 / 121_000)
    (described, _) = json.loads((tmp_path / "out" / "plan.json").read_text())["sources"]
    assert described["given"] == {
        "block_size": 128,
        "batch_size": 64,
        "num_train_tokens": 1_102_455,
        "num_validation_tokens": 121_000,
    }
    assert main(["verify", str(tmp_path / "out")]) == 0
    assert compare([str(tmp_path / "out/runs/a-s1337"), tables[1], *words[2:], *FACTS], tmp_path / "again") == 0
    assert load_document(tmp_path / "again")["arms"][0]["final"]["num_spans"] == 14


def test_a_fact_that_was_given_to_a_log_is_kept_where_its_comparison_is_judged_again(tmp_path: Path) -> None:
    sources = write(tmp_path, **{name: content.replace(b'"block_size"', b'"some_size"')
                                 for name, content in (("base", CONTENT), ("other", OTHER))})  # fmt: skip
    assert compare([*sources, "--block-size", "128"], tmp_path / "out") == 0
    assert compare([str(tmp_path / "out")], tmp_path / "again") == 0
    spans = [load_document(tmp_path / name)["arms"][0]["final"]["num_spans"] for name in ("out", "again")]
    assert spans == [14, 14]


def test_what_a_log_states_itself_is_not_replaced(tmp_path: Path) -> None:
    sources = write(tmp_path, base=CONTENT, other=OTHER)
    assert compare([*sources, "--block-size", "256", "--batch-size", "64"], tmp_path / "out") == 0
    arm = load_document(tmp_path / "out")["arms"][0]
    assert arm["config"]["block_size"] == 128 and arm["final"]["num_spans"] == 14
    assert "--block-size 256 is not used: the source itself states block_size" in arm["notes"]
    sources = write(tmp_path, **{name: content.replace(b'"block_size"', b'"context_length"')
                                 for name, content in (("base", CONTENT), ("other", OTHER))})  # fmt: skip
    assert compare([*sources, "--block-size", "256"], tmp_path / "renamed") == 0
    assert load_document(tmp_path / "renamed")["arms"][0]["final"]["num_spans"] == 14


@pytest.mark.parametrize("option", ["--block-size", "--batch-size", "--train-tokens", "--validation-tokens"])
def test_a_fact_is_a_count_and_goes_with_sources(option: str, tmp_path: Path) -> None:
    sources = write(tmp_path, base=CONTENT, other=OTHER)
    assert compare([*sources, option, "0"], tmp_path / "out") == 2
    assert main(["compare", option, "8", "--out", str(tmp_path / "out")]) == 2
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_written_to_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = write(tmp_path, base=CONTENT, other=OTHER)
    from harness.sources import take_in

    def store_late(run_folder: Path, kind: str, path: Path) -> None:
        with path.open("ab") as file:
            file.write(b"\n")
        store(run_folder, kind, path)

    store = take_in.store_raw
    monkeypatch.setattr(take_in, "store_raw", store_late)
    assert compare(sources, tmp_path / "out") == 2
    assert "was written to while it was read" in capsys.readouterr().err
