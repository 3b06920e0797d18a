"""What one uninterrupted run leaves behind."""

import getpass
import hashlib
import os
import re
import socket
import subprocess
import sys
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

import mainrun
from mainrun.data.batches import Batches
from mainrun.data.tokenizer import Tokenizer, train_tokenizer
from mainrun.model.gpt import GPT
from mainrun.model.initialization import init_weights
from mainrun.recipes import build_named_config
from mainrun.record.parquet import load_table
from mainrun.record.title_losses import COLUMNS
from mainrun.step import TrainingState
from tests.mainrun.tiny_runs import (
    SETTINGS,
    build_arguments,
    list_losses,
    load_events,
    load_record,
    read_all,
    save_titles,
    train_tiny,
)

ROOT = Path(__file__).parents[2]
CONFIG = build_named_config("optimized", "quick", SETTINGS)
SEED = 1337
PUBLIC_FIELDS = {
    "hyperparameters_configured": {"block_size", "batch_size", "vocab_size", "n_layer", "n_head", "d_model", "dropout",
                                   "lr", "weight_decay", "evals_per_epoch", "epochs", "seed", "num_titles", "val_frac"},
    "device_info": {"device"},
    "dataset_info": {"titles_count", "epochs", "batches_per_epoch", "tokens_per_epoch", "vocab_size"},
    "model_info": {"parameters_count"},
    "training_step": {"step", "max_steps", "loss", "elapsed_time", "prnt"},
    "validation_step": {"step", "max_steps", "loss", "elapsed_time"},
}  # fmt: skip


@pytest.fixture(scope="module")
def titles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_titles(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(titles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run of `optimized`; its tests only read it."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert train_tiny(titles, out) == 0
    return out


@pytest.fixture(scope="module")
def tokenizer(titles: Path) -> Tokenizer:
    return train_tokenizer(split_titles(titles)[0] + split_titles(titles)[1], 300)


def split_titles(titles: Path) -> tuple[list[str], list[str]]:
    lines = titles.read_text().splitlines()
    drawn = [lines[row] for row in np.random.default_rng(1337).permutation(300)]
    return drawn[:270], drawn[270:]


def encode(tokenizer: Tokenizer, titles: list[str]) -> NDArray[np.int32]:
    return tokenizer.encode_titles(titles)[0]


def hash_weights(model: GPT) -> str:
    content = b"".join(name.encode() + b"\0" + p.detach().numpy().tobytes() for name, p in model.named_parameters())
    return hashlib.sha256(content).hexdigest()


def hash_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_complete_run_leaves_its_four_files_and_no_checkpoint(run: Path) -> None:
    assert set(read_all(run)) == {"run.json", "mainrun.log", "tokenizer.json", "title_losses.parquet"}
    assert not (run / "checkpoint").exists()


def test_the_record_says_what_was_asked_and_what_came_of_it(run: Path, titles: Path) -> None:
    record = load_record(run)
    assert (record["schema_version"], record["status"], record["reason"]) == (2, "complete", None)
    assert (record["arm"], record["seed"], record["plan_sha256"]) == ("optimized", SEED, None)
    assert record["request"] == {
        "recipe": "optimized",
        "preset": "quick",
        "settings": SETTINGS,
        "data": "titles.txt",
        "device": "cpu",
        "precision": "auto",
    }
    assert record["corpus"]["file_bytes"] == titles.stat().st_size
    assert record["machine"]["library_versions"]["torch"] == version("torch")
    assert record["peak_memory_bytes"] > 10**7


def test_the_hashes_of_its_files_are_those_of_its_files(run: Path) -> None:
    record = load_record(run)
    assert record["mainrun_log_sha256"] == hash_file(run / "mainrun.log")
    assert record["title_losses_sha256"] == hash_file(run / "title_losses.parquet")
    assert record["tokenizer_sha256"] == hash_file(run / "tokenizer.json")


def test_the_hashes_of_the_source_are_those_of_every_source_file(run: Path) -> None:
    package = Path(str(mainrun.__file__)).parent
    assert load_record(run)["source_sha256"] == {
        path.relative_to(package).as_posix(): hash_file(path) for path in package.rglob("*.py")
    }


def test_the_hashes_of_the_ids_are_those_of_the_titles_tokenized_anew(
    run: Path, titles: Path, tokenizer: Tokenizer
) -> None:
    record = load_record(run)
    train_titles, validation_titles = split_titles(titles)
    for part, part_titles in (("train", train_titles), ("validation", validation_titles)):
        ids = encode(tokenizer, part_titles)
        assert record[f"{part}_ids_sha256"] == hashlib.sha256(ids.astype("<i4").tobytes()).hexdigest()
        fingerprint = hashlib.sha256(b"".join(title.encode() + b"\0" for title in part_titles)).hexdigest()
        assert record["corpus"][f"{part}_sha256"] == fingerprint


def test_the_weights_hashed_are_those_of_the_seed_and_of_the_replayed_steps(
    run: Path, titles: Path, tokenizer: Tokenizer
) -> None:
    record = load_record(run)
    state = TrainingState.build(CONFIG, tokenizer.vocab_size, SEED, torch.device("cpu"))
    assert record["initial_weights_sha256"] == hash_weights(state.model)
    ids = torch.from_numpy(encode(tokenizer, split_titles(titles)[0])).long()
    batches, max_steps = Batches(ids, 16, 16), record["sizes"]["max_steps"]
    losses = [state.take_steps(batches, max_steps, 1)[0].loss_nats_per_token for _ in range(max_steps)]
    assert losses == [event["loss"] for event in load_events(run, "training_step")]
    assert record["final_weights_sha256"] == hash_weights(state.model)


def test_a_plain_training_loop_measures_the_same_losses(run: Path, titles: Path, tokenizer: Tokenizer) -> None:
    """From the rules: reads in order, AdamW with a warm-up of 100/938 and a half cosine, clipping, dropout by seed."""
    model = GPT(CONFIG.model, tokenizer.vocab_size)
    init_weights(model, SEED)
    torch.manual_seed(SEED)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.0, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    ids = torch.from_numpy(encode(tokenizer, split_titles(titles)[0])).long()
    steps = load_events(run, "training_step")
    warmup = round(len(steps) * 100 / 938)
    ptr = 0
    for t in range(1, warmup + 20):
        ptr = ptr if ptr + 257 <= len(ids) else 0
        inputs, targets = ids[ptr : ptr + 256].view(16, 16), ids[ptr + 1 : ptr + 257]
        ptr += 256
        rate = 3e-4 * (t - 1) / warmup if t <= warmup else (
            3e-4 * 0.5 * (1 + np.cos(np.pi * (t - 1 - warmup) / (len(steps) - warmup))))  # fmt: skip
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs).flatten(0, 1), targets)
        loss.backward()  # type: ignore[no-untyped-call]  # torch does not type backward
        norm = torch.sqrt(sum((p.grad**2).sum() for p in model.parameters() if p.grad is not None))  # type: ignore[arg-type]  # the sum is no int
        for parameter in model.parameters():
            assert parameter.grad is not None
            parameter.grad *= torch.clamp(1 / (norm + 1e-6), max=1.0)
        optimizer.step()
        event = steps[t - 1]
        assert (event["loss"], event["grad_norm"]) == pytest.approx((loss.item(), norm.item()), rel=1e-3)
        assert event["learning_rate"] == pytest.approx(rate, rel=1e-9)


def test_the_journal_holds_the_six_public_events_with_their_public_fields(run: Path) -> None:
    events = load_events(run)
    names = [event["event"] for event in events]
    assert names[:4] == ["hyperparameters_configured", "device_info", "dataset_info", "model_info"]
    assert set(names[4:]) == {"training_step", "validation_step"}
    for event in events:
        assert PUBLIC_FIELDS[event["event"]] <= set(event)
        assert abs(event["timestamp"] - (run / "mainrun.log").stat().st_mtime) < 600


def test_the_opening_events_tell_the_sizes_of_the_run(run: Path, titles: Path, tokenizer: Tokenizer) -> None:
    config, _, data, model = load_events(run)[:4]
    num_ids = len(encode(tokenizer, split_titles(titles)[0]))
    assert (config["lr"], config["val_frac"], config["seed"], config["settings"]) == (3e-4, 0.1, SEED, SETTINGS)
    assert (data["titles_count"], data["epochs"], data["vocab_size"]) == (270, 7, 300)
    assert (data["tokens_per_epoch"], data["batches_per_epoch"]) == (num_ids, num_ids // 256)
    assert data["num_validation_chars"] == sum(len(title) + 5 for title in split_titles(titles)[1])
    assert model["parameters_count"] == sum(p.numel() for p in GPT(CONFIG.model, 300).parameters())


def test_every_step_is_written_once_and_evaluated_when_the_rules_say(
    run: Path, titles: Path, tokenizer: Tokenizer
) -> None:
    steps_per_epoch = len(encode(tokenizer, split_titles(titles)[0])) // 256
    last, interval = 7 * steps_per_epoch, steps_per_epoch // 3
    assert [event["step"] for event in load_events(run, "training_step")] == list(range(1, last + 1))
    evaluations = load_events(run, "validation_step")
    assert [event["step"] for event in evaluations] == sorted({1, *range(interval, last + 1, interval), last})
    measured = [event["step"] for event in evaluations if event["full_loss_nats_per_char"] is not None]
    assert measured == sorted({1, *range(3 * interval, last + 1, 3 * interval), last})
    assert {event["max_steps"] for event in load_events(run) if "max_steps" in event} == {last}


def test_an_evaluation_stands_behind_the_training_step_it_follows(run: Path) -> None:
    events = load_events(run)
    for before, event in pairwise(events):
        if event["event"] == "validation_step":
            assert (before["event"], before["step"]) == ("training_step", event["step"])


def test_a_validation_loss_is_its_spans_over_all_characters(run: Path, titles: Path, tokenizer: Tokenizer) -> None:
    validation_titles = split_titles(titles)[1]
    num_ids = len(encode(tokenizer, validation_titles))
    num_chars = len("".join(f"{title}<eos>" for title in validation_titles))
    for event in load_events(run, "validation_step"):
        assert (event["num_tokens"], event["num_chars"]) == (num_ids, num_chars)
        assert event["num_spans"] == len(event["span_loss_nats"]) == num_ids // 257
        assert event["loss"] == sum(event["span_loss_nats"]) / num_chars


def test_losses_start_near_the_log_of_the_vocabulary_and_fall(run: Path) -> None:
    training = [event["loss"] for event in load_events(run, "training_step")]
    frozen = [event["loss"] for event in load_events(run, "validation_step")]
    full = [e["full_loss_nats_per_char"] for e in load_events(run, "validation_step") if e["full_loss_nats_per_char"]]
    assert training[0] == pytest.approx(np.log(300), abs=0.1)
    assert training[-1] < training[0] - 0.3
    assert frozen[-1] < frozen[0] * 0.95
    assert full[-1] < full[0] * 0.95


def test_both_clocks_run_forward_and_the_training_clock_stands_during_evaluations(run: Path) -> None:
    events = load_events(run)[4:]
    wall, training = ([event[key] for event in events] for key in ("elapsed_time", "train_elapsed_s"))
    assert wall == sorted(wall)
    assert training == sorted(training)
    assert all(w > t > 0 for w, t in zip(wall, training, strict=True))
    assert events[0]["train_elapsed_s"] == events[1]["train_elapsed_s"]


def test_the_losses_by_title_add_up_to_the_last_full_loss(run: Path, titles: Path, tokenizer: Tokenizer) -> None:
    table = load_table(run / "title_losses.parquet", COLUMNS, schema_version=1)
    last = load_events(run, "validation_step")[-1]
    validation_titles = split_titles(titles)[1]
    assert sum(table["loss_nats"]) / last["num_chars"] == pytest.approx(last["full_loss_nats_per_char"], rel=1e-12)
    assert table["title_index"] == list(range(30))
    assert table["num_chars"] == [len(title) + 5 for title in validation_titles]
    assert table["num_tokens"] == [len(encode(tokenizer, [title])) for title in validation_titles]


def test_a_second_run_in_a_fresh_process_is_the_same_bit_for_bit(run: Path, titles: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mainrun.train", *build_arguments(titles, tmp_path / "again")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{tmp_path / 'again'}\n"
    num_evaluations = len(load_events(run, "validation_step"))
    assert len(re.findall(r"^step \d+/\d+: frozen [\d.]+ nats/char", done.stderr, re.MULTILINE)) == num_evaluations
    assert list_losses(tmp_path / "again") == list_losses(run)
    one, two = load_record(run), load_record(tmp_path / "again")
    for key in ("initial_weights_sha256", "final_weights_sha256", "title_losses_sha256", "source_sha256", "sizes"):
        assert one[key] == two[key]


def test_another_seed_changes_the_weights_but_not_the_data(run: Path, titles: Path, tmp_path: Path) -> None:
    assert train_tiny(titles, tmp_path, "--seed", "7", "--stop-after", "2") == 0
    one, two = load_record(run), load_record(tmp_path)
    assert one["initial_weights_sha256"] != two["initial_weights_sha256"]
    assert [one[key] for key in ("corpus", "train_ids_sha256", "validation_ids_sha256")] == [
        two[key] for key in ("corpus", "train_ids_sha256", "validation_ids_sha256")
    ]


def test_the_full_loss_does_not_depend_on_the_batch_and_the_frozen_loss_does(titles: Path, tmp_path: Path) -> None:
    for batch_size in ("3", "16"):
        out = tmp_path / batch_size
        assert train_tiny(titles, out, "--stop-after", "1", batch_size=batch_size, learning_rate="1e-30") == 0
    one, two = (load_events(tmp_path / batch_size, "validation_step")[0] for batch_size in ("3", "16"))
    assert one["full_loss_nats_per_char"] == pytest.approx(two["full_loss_nats_per_char"], rel=1e-6)
    assert one["loss"] > two["loss"] * 1.02


def test_both_recipes_start_from_the_same_weights(run: Path, titles: Path, tmp_path: Path) -> None:
    assert train_tiny(titles, tmp_path, "--stop-after", "0", recipe="baseline") == 0
    assert load_record(tmp_path)["initial_weights_sha256"] == load_record(run)["initial_weights_sha256"]


def test_the_arm_and_the_plan_are_recorded(titles: Path, tmp_path: Path) -> None:
    assert train_tiny(titles, tmp_path, "--stop-after", "0", "--arm", "mine", "--plan-sha256", "abc") == 0
    record = load_record(tmp_path)
    assert (record["arm"], record["plan_sha256"]) == ("mine", "abc")


def test_no_path_host_or_user_name_stands_in_any_file_of_a_run(run: Path, titles: Path) -> None:
    names = {socket.gethostname(), getpass.getuser()} - {"localhost"}
    forbidden = [str(run), str(run.parent), str(titles.parent), str(ROOT), str(Path.home()) + "/", sys.prefix, "/tmp/"]
    for name, content in read_all(run).items():
        assert [text for text in forbidden if text.encode() in content] == [], name
        assert [word for word in names if re.search(rb"\b%s\b" % re.escape(word).encode(), content)] == [], name
