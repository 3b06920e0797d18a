"""One cheat for every check: a broken comparison that fails it, and nothing that is not listed beside it."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.comparison import make_reports
from harness.plan.plan import load_plan
from harness.store.runs import get_run_folder, load_comparison
from harness.verify.verify import list_checks, verify
from mainrun.record.files import compute_file_sha256, save_json
from mainrun.record.parquet import load_table, save_table
from mainrun.record.title_losses import COLUMNS, SCHEMA_VERSION
from tests.harness.fakes import (
    FakeLauncher,
    make_comparison,
    prepare_tiny,
    read_events,
    rehash,
    skip_rendering,
    write_events,
)

REPLAY_STEPS = 3


@dataclass(frozen=True)
class Cheat:
    """A way to cheat and the checks that catch it."""

    name: str
    apply: Callable[[Path], None]
    """Changes a comparison made honestly, given its folder."""
    caught_by: str
    """The check this cheat is for."""
    also: frozenset[str] = frozenset()
    """Other checks that may fail with it."""
    covers_up: bool = True
    """Whether the cheat makes new hashes and reports, so that only the content gives it away."""


def run_folders(folder: Path) -> list[Path]:
    return [get_run_folder(folder, run) for run in load_plan(folder).runs]


def edit_record(run: Path, **fields: Any) -> None:
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    save_json(run / "run.json", record | fields)


def edit_nested(run: Path, key: str, **fields: Any) -> None:
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    save_json(run / "run.json", record | {key: record[key] | fields})


def edit_events(run: Path, event: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    events = read_events(run / "mainrun.log")
    write_events(run / "mainrun.log", [change(entry) if entry["event"] == event else entry for entry in events])


def edit_titles(run: Path, change: Callable[[dict[str, list[Any]]], None]) -> None:
    columns = load_table(run / "title_losses.parquet", COLUMNS, schema_version=SCHEMA_VERSION)
    change(columns)
    save_table(run / "title_losses.parquet", COLUMNS, columns, schema_version=SCHEMA_VERSION)


def hash_stream(titles: list[str]) -> str:
    stream, _ = prepare_tiny()[1].streams.tokenizer.encode_titles(titles)
    return hashlib.sha256(stream.tobytes()).hexdigest()


def score_no_span(folder: Path) -> None:
    for run in run_folders(folder):
        edit_events(run, "validation_step", lambda e: e | {"num_spans": 0, "span_loss_nats": [], "loss": 0.0})


def lengthen_separator(folder: Path) -> None:
    added = 2495
    for run in run_folders(folder):
        num_titles = len(load_table(run / "title_losses.parquet", COLUMNS, schema_version=1)["num_chars"])

        def stretch(event: dict[str, Any], extra: int = added * num_titles) -> dict[str, Any]:
            factor = event["num_chars"] / (event["num_chars"] + extra)
            full = event["full_loss_nats_per_char"]
            return event | {
                "num_chars": event["num_chars"] + extra,
                "loss": event["loss"] * factor,
                "full_loss_nats_per_char": None if full is None else full * factor,
            }

        edit_events(run, "validation_step", stretch)
        edit_titles(run, lambda columns: columns.update(num_chars=[n + added for n in columns["num_chars"]]))


def insert_markers(folder: Path) -> None:
    lengthen_separator(folder)
    marked = ["".join(f"^{c}" if c.isupper() else c for c in title) for title in titles("validation")]
    for run in run_folders(folder):
        edit_record(run, validation_ids_sha256=hash_stream(marked))


def titles(part: str) -> list[str]:
    corpus = prepare_tiny()[1].corpus
    return corpus.train_titles if part == "train" else corpus.validation_titles


def lose_capitals(folder: Path) -> None:
    for run in run_folders(folder):
        edit_record(
            run,
            train_ids_sha256=hash_stream([title.lower() for title in titles("train")]),
            validation_ids_sha256=hash_stream([title.lower() for title in titles("validation")]),
        )


def map_all_to_unknown(folder: Path) -> None:
    unknown = [2, 1] * len(titles("validation"))
    for run in run_folders(folder):
        edit_record(run, validation_ids_sha256=hashlib.sha256(np.array(unknown, np.int32).tobytes()).hexdigest())
        stored = json.loads((run / "tokenizer.json").read_text(encoding="utf-8"))
        save_json(run / "tokenizer.json", stored | {"token_bytes_hex": stored["token_bytes_hex"][:3]})


def split_otherwise(folder: Path) -> None:
    for run in run_folders(folder):
        stored = json.loads((run / "tokenizer.json").read_text(encoding="utf-8"))
        pattern = stored["split_pattern"].replace(" ?", "")
        save_json(run / "tokenizer.json", stored | {"split_pattern": pattern})


def edit_a_training_title(folder: Path) -> None:
    first, *others = titles("train")
    for run in run_folders(folder):
        edit_record(run, train_ids_sha256=hash_stream([f"{first}!", *others]))


def train_half_and_say_it_is_all(folder: Path) -> None:
    for run in run_folders(folder):
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        steps = record["sizes"]["steps_per_epoch"] // 2
        last = 7 * steps
        edit_nested(run, "sizes", steps_per_epoch=steps, max_steps=last)
        events = read_events(run / "mainrun.log")
        write_events(run / "mainrun.log", [entry for entry in events if entry.get("step", 0) <= last])


def forget_the_machine(folder: Path) -> None:
    for run in run_folders(folder):
        edit_nested(run, "machine", num_threads=None)


def mark_titles_as_seen(folder: Path) -> None:
    for run in run_folders(folder):
        edit_titles(run, lambda columns: columns.update(in_train=[True] * len(columns["in_train"])))


def train_on_validation(folder: Path) -> None:
    for run in run_folders(folder):
        edit_record(run, train_ids_sha256=hash_stream(titles("train") + titles("validation")))


def repeat_a_training_title(folder: Path) -> None:
    for run in run_folders(folder):
        edit_record(run, train_ids_sha256=hash_stream([*titles("train"), titles("train")[0]]))


def use_other_titles(folder: Path) -> None:
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    plan["corpus"]["validation_sha256"] = "0" * 64
    save_json(folder / "plan.json", plan)
    for run in run_folders(folder):
        edit_nested(run, "corpus", validation_sha256="0" * 64)
        edit_record(run, plan_sha256=compute_file_sha256(folder / "plan.json"))


def give_one_arm_other_titles(folder: Path) -> None:
    edit_nested(run_folders(folder)[1], "corpus", validation_sha256="0" * 64)


def claim_the_tasks_data(folder: Path, num_validation_titles: int) -> None:
    named = {
        "source": "hub",
        "name": "julien040/hacker-news-posts",
        "revision": "main",
        "num_train_titles": 9 * num_validation_titles,
        "num_validation_titles": num_validation_titles,
    }
    edit_plan(folder, lambda plan: plan["corpus"].update(named))
    for run in run_folders(folder):
        edit_nested(run, "corpus", **named)
        edit_events(run, "dataset_info", lambda event: event | named)
        rehash(run)


def present_best_as_last(folder: Path) -> None:
    for run in run_folders(folder):
        events = read_events(run / "mainrun.log")
        last = max(place for place, entry in enumerate(events) if entry["event"] == "validation_step")
        write_events(run / "mainrun.log", events[:last])


def skip_the_last_span(folder: Path) -> None:
    def skip(event: dict[str, Any]) -> dict[str, Any]:
        spans = event["span_loss_nats"][:-1]
        return event | {"num_spans": len(spans), "span_loss_nats": spans, "loss": sum(spans) / event["num_chars"]}

    for run in run_folders(folder):
        edit_events(run, "validation_step", skip)


def change_evaluate(folder: Path) -> None:
    for run in run_folders(folder):
        edit_nested(run, "source_sha256", **{"metric/evaluate.py": "0" * 64})


def change_code_of_one_arm(folder: Path) -> None:
    edit_nested(run_folders(folder)[1], "source_sha256", **{"model/gpt.py": "0" * 64})


def change_precision_of_one_arm(folder: Path) -> None:
    edit_nested(run_folders(folder)[1], "machine", precision="bfloat16")


def begin_with_trained_weights(folder: Path) -> None:
    edit_record(run_folders(folder)[1], initial_weights_sha256="f" * 64)


def present_one_seed_as_two(folder: Path) -> None:
    first = folder / "runs" / "optimized-s1337"
    second = folder / "runs" / "optimized-s1"
    shutil.rmtree(second)
    shutil.copytree(first, second)
    edit_record(second, seed=1)
    edit_events(second, "hyperparameters_configured", lambda event: event | {"seed": 1})


def leave_out_a_run(folder: Path) -> None:
    shutil.rmtree(folder / "runs" / "optimized-s1")


def improve_title_losses(folder: Path) -> None:
    def lower(columns: dict[str, list[Any]]) -> None:
        columns["loss_nats"] = [0.9 * loss for loss in columns["loss_nats"]]

    edit_titles(run_folders(folder)[1], lower)


def improve_a_training_loss(folder: Path) -> None:
    def lower(event: dict[str, Any]) -> dict[str, Any]:
        return event | {"loss": event["loss"] * 0.999} if event["step"] == 2 else event

    edit_events(run_folders(folder)[1], "training_step", lower)


def drop_a_journal_line(folder: Path) -> None:
    run = run_folders(folder)[1]
    events = read_events(run / "mainrun.log")
    del events[10]
    write_events(run / "mainrun.log", events)


def swap_two_journal_lines(folder: Path) -> None:
    run = run_folders(folder)[1]
    events = read_events(run / "mainrun.log")
    clocks = (
        "timestamp",
        "elapsed_time",
        "train_elapsed_s",
    )  # left in order: one that runs backwards is refused at once
    first, second = events[10], events[12]
    events[10] = second | {clock: first[clock] for clock in clocks}
    events[12] = first | {clock: second[clock] for clock in clocks}
    write_events(run / "mainrun.log", events)


def edit_a_tokenizer(folder: Path) -> None:
    """Two tokens in each other's place."""
    path = next(folder.glob("runs/optimized*/tokenizer.json"))
    stored = json.loads(path.read_text(encoding="utf-8"))
    tokens = stored["token_bytes_hex"]
    tokens[-1], tokens[-2] = tokens[-2], tokens[-1]
    save_json(path, stored)


def edit_a_parquet_cell(folder: Path) -> None:
    from harness.store.measurements import load_metrics, save_rows

    rows = load_metrics(folder)
    rows[-1]["loss_nats_per_char"] *= 0.99
    save_rows(folder / "metrics.parquet", rows)


def edit_the_document(folder: Path) -> None:
    document = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    document["pairs"][0]["full_gain_percent"] += 1
    save_json(folder / "comparison.json", document)


def edit_a_claim(folder: Path) -> None:
    document = json.loads((folder / "comparison.json").read_text(encoding="utf-8"))
    claim = next(claim for claim in document["pairs"][0]["claims"] if claim["id"] == "full-gain")
    claim["sentence"] += " It is better throughout."
    claim["text"] += " It is better throughout 99 % of training."
    save_json(folder / "comparison.json", document)


def edit_the_summary(folder: Path) -> None:
    path = folder / "PERFORMANCE_SUMMARY.md"
    text = path.read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("**Final result"))
    path.write_text(text.replace(line, re.sub("[0-8]", "9", line)), encoding="utf-8")


def say_other_settings(folder: Path) -> None:
    edit_events(run_folders(folder)[1], "hyperparameters_configured", lambda e: e | {"batch_size": 256, "n_layer": 12})


def say_another_precision(folder: Path) -> None:
    edit_events(run_folders(folder)[1], "device_info", lambda e: e | {"precision": "bfloat16"})


def call_the_first_evaluation_the_last(folder: Path) -> None:
    run = run_folders(folder)[0]
    last = read_events(run / "mainrun.log")[-1]["step"]
    ends = {1: 1, last: last + 1}
    edit_events(run, "validation_step", lambda e: e | {"max_steps": ends.get(e["step"], e["max_steps"])})


def divide_by_twice_the_characters(folder: Path) -> None:
    run = run_folders(folder)[1]

    def halve(event: dict[str, Any]) -> dict[str, Any]:
        full = event["full_loss_nats_per_char"]
        return event | {
            "num_chars": 2 * event["num_chars"],
            "loss": event["loss"] / 2,
            "full_loss_nats_per_char": None if full is None else full / 2,
        }

    edit_events(run, "validation_step", halve)
    edit_titles(run, lambda columns: columns.update(num_chars=[2 * n for n in columns["num_chars"]]))


def score_one_span_on_the_way(folder: Path) -> None:
    def shorten(event: dict[str, Any]) -> dict[str, Any]:
        if event["step"] in (1, event["max_steps"]):
            return event
        spans = event["span_loss_nats"][:1]
        return event | {
            "num_tokens": 300, "num_spans": 1, "span_loss_nats": spans, "loss": spans[0] / event["num_chars"]
        }  # fmt: skip

    edit_events(run_folders(folder)[1], "validation_step", shorten)


def measure_a_full_loss_more(folder: Path) -> None:
    def add(event: dict[str, Any]) -> dict[str, Any]:
        return event | ({} if event["full_loss_nats_per_char"] else {"full_loss_nats_per_char": 0.01})

    edit_events(run_folders(folder)[1], "validation_step", add)


def learn_faster_than_said(folder: Path) -> None:
    edit_events(
        run_folders(folder)[1],
        "training_step",
        lambda e: e | ({"learning_rate": 0.5} if e["step"] > REPLAY_STEPS else {}),
    )


def slow_the_baseline(folder: Path) -> None:
    for event in ("training_step", "validation_step"):
        edit_events(run_folders(folder)[0], event, lambda e: e | {"train_elapsed_s": 100 * e["train_elapsed_s"]})


def lose_less_than_nothing(folder: Path) -> None:
    def move(columns: dict[str, list[Any]]) -> None:
        losses = columns["loss_nats"]
        columns["loss_nats"] = [losses[0] - 500, losses[1] + 500, *losses[2:]]

    edit_titles(run_folders(folder)[1], move)


def evaluate_after_all_training(folder: Path) -> None:
    run = run_folders(folder)[1]
    events = read_events(run / "mainrun.log")
    clocks = ("timestamp", "elapsed_time", "train_elapsed_s")
    last = {clock: events[-1][clock] for clock in clocks}
    evaluations = [entry | last for entry in events if entry["event"] == "validation_step"]
    write_events(run / "mainrun.log", [*(e for e in events if e["event"] != "validation_step"), *evaluations])


def edit_plan(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    change(plan)
    save_json(folder / "plan.json", plan)
    for run in run_folders(folder):
        edit_record(run, plan_sha256=compute_file_sha256(folder / "plan.json"))


def hide_a_setting(folder: Path) -> None:
    edit_plan(folder, lambda plan: plan["arms"][1]["settings"].clear())


def plan_seeds_without_runs(folder: Path) -> None:
    edit_plan(folder, lambda plan: plan.update(seeds=[1337, 1, 2]))


def cover_all(folder: Path) -> None:
    edit_plan(folder, lambda plan: plan["arms"][1]["sizes"].update(coverage=1.0, num_spans=99))
    edit_nested(run_folders(folder)[1], "sizes", coverage=1.0, num_spans=99)


def compute_little(folder: Path) -> None:
    little = {"training_flops": 1000}
    edit_plan(folder, lambda plan: plan["arms"][1]["sizes"].update(little))
    edit_nested(run_folders(folder)[1], "sizes", **little)


def say_that_there_are_more_titles(folder: Path) -> None:
    counts = {"num_train_titles": 90_000, "num_validation_titles": 10_000}

    def grow(plan: dict[str, Any]) -> None:
        plan["corpus"] |= counts
        for arm in plan["arms"]:
            arm["config"]["data.num_titles"] = 100_000

    edit_plan(folder, grow)
    for run in run_folders(folder):
        edit_nested(run, "corpus", **counts)
        edit_nested(run, "config", **{"data.num_titles": 100_000})
        edit_events(run, "dataset_info", lambda e: e | counts | {"titles_count": 90_000})
        edit_events(
            run,
            "hyperparameters_configured",
            lambda e: e | {"num_titles": 100_000, "config": e["config"] | {"data.num_titles": 100_000}},
        )


def change_data_code(folder: Path) -> None:
    for run in run_folders(folder):
        edit_nested(run, "source_sha256", **{"data/corpus.py": "0" * 64})


def erase_all_settings(folder: Path) -> None:
    """Arms that were made small, presented as those of the preset."""

    def erase(plan: dict[str, Any]) -> None:
        for arm in plan["arms"]:
            arm["settings"] = {}

    edit_plan(folder, erase)
    for run in run_folders(folder):
        edit_nested(run, "request", settings={})


def know_less_noise(folder: Path) -> None:
    """One seed, and a plan to which chance is a verdict."""

    def lower(plan: dict[str, Any]) -> None:
        plan["known_noise"] |= {"sd_percent": 0.001, "low_percent": 0.001, "high_percent": 0.001}

    edit_plan(folder, lower)


def lower_every_loss(folder: Path) -> None:
    """What an evaluation reports that sees the next token."""
    lower_losses(folder, 0.7, 0.7)


def lower_losses(folder: Path, frozen_factor: float, full_factor: float) -> None:

    def lower(event: dict[str, Any]) -> dict[str, Any]:
        if event["step"] <= REPLAY_STEPS:
            return event
        full, spans = event["full_loss_nats_per_char"], [frozen_factor * loss for loss in event["span_loss_nats"]]
        return event | {
            "loss": sum(spans) / event["num_chars"],
            "span_loss_nats": spans,
            "full_loss_nats_per_char": None if full is None else full_factor * full,
        }

    run = run_folders(folder)[1]
    edit_events(run, "validation_step", lower)
    edit_titles(run, lambda columns: columns.update(loss_nats=[full_factor * loss for loss in columns["loss_nats"]]))


def raise_every_loss(folder: Path) -> None:
    """What a worse model would have, and what one that has learned its training titles by heart has."""
    lower_losses(folder, 1.4, 1.4)


def learn_early(folder: Path) -> None:
    """A curve whose frozen loss falls sooner than its full loss, with the honest end."""

    def lower(event: dict[str, Any]) -> dict[str, Any]:
        if event["step"] in (1, event["max_steps"]):
            return event
        spans = [0.8 * loss for loss in event["span_loss_nats"]]
        return event | {"loss": sum(spans) / event["num_chars"], "span_loss_nats": spans}

    edit_events(run_folders(folder)[1], "validation_step", lower)


def say_of_which_titles_the_tokenizer_is(folder: Path) -> None:
    for run in run_folders(folder):
        edit_events(run, "dataset_info", lambda event: event | {"tokenizer_trained_on": "training titles"})


def know_the_validation_titles(folder: Path) -> None:
    for run in run_folders(folder):
        edit_events(run, "validation_step", lambda event: event | {"num_tokens": event["num_tokens"] // 3})


def hide_a_resume(folder: Path) -> None:
    run = run_folders(folder)[1]
    events = read_events(run / "mainrun.log")
    resumed = {"event": "run_resumed", "timestamp": events[19]["timestamp"], "step": events[19]["step"], "gap_s": 0.0}
    write_events(run / "mainrun.log", [*events[:20], resumed | {"checkpoint_sha256": "0" * 64}, *events[20:]])


def forge_the_findings(folder: Path) -> None:
    """Another evaluate.py, and findings that say it passed."""
    change_evaluate(folder)
    path = folder / "findings.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    hashes = load_comparison(folder, check_hashes=False).compute_hashes()
    save_json(path, stored | {"judged_sha256": hashes})


def edit_a_finding(folder: Path, name: str, **said: str) -> None:
    path = folder / "findings.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    for entry in (*stored["constraints"], *stored["integrity"]):
        entry.update(said if entry["name"] == name else {})
    save_json(path, stored)


def count_the_findings_twice(folder: Path) -> None:
    path = folder / "findings.json"
    stored = json.loads(path.read_text(encoding="utf-8"))
    save_json(path, stored | {"integrity": [*stored["integrity"], stored["integrity"][-1]]})


REBUILT = frozenset({"measurements", "numbers", "reports", "stored-findings"})
TWO_SEEDS = frozenset({"one seed presented as two", "a planned run left out", "losses of one seed under another"})
CHEATS = [
    Cheat(
        "a batch so large that no span fits",
        score_no_span,
        "spans-scored",
        frozenset({"frozen-evaluate", "first-loss", "replay", "two-losses"}),
    ),
    Cheat(
        "a separator 500 times as long",
        lengthen_separator,
        "denominator",
        frozenset({"journals", "replay", "characters-per-token"}),
    ),
    Cheat(
        "markers before capitals",
        insert_markers,
        "denominator",
        frozenset({"tokens", "round-trip", "journals", "replay", "fresh-start", "characters-per-token"}),
    ),
    Cheat("a lower-casing tokenizer", lose_capitals, "tokens", frozenset({"round-trip", "fresh-start"})),
    Cheat(
        "everything maps to <unk>",
        map_all_to_unknown,
        "round-trip",
        frozenset({"tokens", "facts-by-title", "fresh-start"}),
    ),
    Cheat(
        "a tokenizer that splits otherwise",
        split_otherwise,
        "tokens",
        frozenset({"round-trip", "facts-by-title", "fresh-start"}),
    ),
    Cheat("a training title edited", edit_a_training_title, "tokens", frozenset({"fresh-start"})),
    Cheat(
        "half the steps, said to be all",
        train_half_and_say_it_is_all,
        "epochs",
        frozenset({"last-step", "frozen-evaluate", "losses-by-title", "planned-runs", "journals", "fresh-start"}),
    ),
    Cheat("a machine that is not told", forget_the_machine, "same-code", frozenset({"journals"})),
    Cheat("titles said to be training titles", mark_titles_as_seen, "facts-by-title", frozenset({"overlap"})),
    Cheat("validation titles added to training", train_on_validation, "tokens", frozenset({"fresh-start"})),
    Cheat("a training title repeated", repeat_a_training_title, "tokens", frozenset({"fresh-start"})),
    Cheat("other validation titles", use_other_titles, "fingerprints", frozenset({"same-data", "fresh-start"})),
    Cheat(
        "one arm has other titles", give_one_arm_other_titles, "same-data", frozenset({"fingerprints", "fresh-start"})
    ),
    Cheat(
        "best step presented as last",
        present_best_as_last,
        "last-step",
        frozenset({"frozen-evaluate", "losses-by-title", "journals"}),
    ),
    Cheat(
        "an evaluate() that skips the last span",
        skip_the_last_span,
        "frozen-evaluate",
        frozenset({"replay", "two-losses"}),
    ),
    Cheat("another evaluate.py", change_evaluate, "frozen-evaluate", frozenset({"known-code"})),
    Cheat("arms trained with different code", change_code_of_one_arm, "same-code"),
    Cheat("arms trained in different precisions", change_precision_of_one_arm, "same-code", frozenset({"journals"})),
    Cheat("initial weights of another training", begin_with_trained_weights, "pre-trained-weights"),
    Cheat(
        "one seed presented as two",
        present_one_seed_as_two,
        "planned-runs",
        frozenset({"pre-trained-weights", "replay", "distinct-runs", "fresh-start"}),
    ),
    Cheat("a planned run left out", leave_out_a_run, "planned-runs"),
    Cheat("losses by title improved", improve_title_losses, "losses-by-title"),
    Cheat("a training loss improved everywhere", improve_a_training_loss, "replay"),
    Cheat("a journal line dropped everywhere", drop_a_journal_line, "epochs", frozenset({"replay"})),
    Cheat("two journal lines swapped everywhere", swap_two_journal_lines, "epochs", frozenset({"replay"})),
    Cheat("a journal of other settings", say_other_settings, "journals"),
    Cheat("a tokenizer said to be of training titles alone", say_of_which_titles_the_tokenizer_is, "journals"),
    Cheat("a journal of another precision", say_another_precision, "journals"),
    Cheat("a first evaluation called the last", call_the_first_evaluation_the_last, "journals"),
    Cheat(
        "twice the characters",
        divide_by_twice_the_characters,
        "journals",
        frozenset({"denominator", "replay", "first-loss", "characters-per-token"}),
    ),  # the other run states the characters of the same text
    Cheat("one span on the way", score_one_span_on_the_way, "journals", frozenset({"two-losses"})),
    Cheat("a full loss that was not due", measure_a_full_loss_more, "journals", frozenset({"two-losses"})),
    Cheat("a learning rate of its own", learn_faster_than_said, "journals"),
    Cheat("a slower baseline", slow_the_baseline, "journals"),
    Cheat("a title that costs less than nothing", lose_less_than_nothing, "journals"),
    Cheat("evaluated when all was trained", evaluate_after_all_training, "journals", frozenset({"replay"})),
    Cheat(
        "titles that are not there",
        say_that_there_are_more_titles,
        "journals",
        frozenset(
            {
                "tokens",
                "round-trip",
                "fingerprints",
                "replay",
                "facts-by-title",
                "denominator",
                "fresh-start",
                "characters-per-token",
            }
        ),
    ),
    Cheat("a setting that the plan hides", hide_a_setting, "planned-runs", frozenset({"fresh-start", "replay"})),
    Cheat("less noise than is known", know_less_noise, "known-noise"),
    Cheat("seeds without runs", plan_seeds_without_runs, "planned-runs"),
    Cheat("a coverage of its own", cover_all, "journals", frozenset({"fresh-start", "two-losses"})),
    Cheat("operations that were not counted", compute_little, "journals", frozenset({"fresh-start"})),
    Cheat("another corpus.py", change_data_code, "known-code"),
    Cheat(
        "a crippled arm with its settings erased",
        erase_all_settings,
        "fresh-start",
        frozenset({"replay", "journals"}),
    ),
    Cheat("an evaluation that sees the next token", lower_every_loss, "loss-ratio"),
    Cheat("a frozen loss that was lowered alone", lambda folder: lower_losses(folder, 0.8, 1.0), "two-losses"),
    Cheat("a frozen loss that was lowered on the way", learn_early, "two-losses"),
    Cheat(
        "a tokenizer that knows the validation titles",
        know_the_validation_titles,
        "characters-per-token",
        frozenset({"frozen-evaluate", "journals", "losses-by-title", "loss-ratio", "first-loss", "spans-scored"}),
    ),
    Cheat("validation titles in training", mark_titles_as_seen, "overlap", frozenset({"facts-by-title"})),
    Cheat("a resume that the record hides", hide_a_resume, "resumes"),
    Cheat(
        "losses of one seed under another",
        present_one_seed_as_two,
        "distinct-runs",
        frozenset({"planned-runs", "pre-trained-weights", "replay", "fresh-start"}),
    ),
    Cheat(
        "findings that say it passed",
        forge_the_findings,
        "stored-findings",
        frozenset({"frozen-evaluate", "known-code"}),
    ),
    Cheat(
        "synthetic titles said to be the task's",
        lambda folder: edit_a_finding(folder, "official-data", status="PASS"),
        "stored-findings",
    ),
    Cheat("a finding counted twice", count_the_findings_twice, "stored-findings"),
    Cheat("a journal line edited", improve_a_training_loss, "hashes", REBUILT | {"replay"}, covers_up=False),
    Cheat("a journal line dropped", drop_a_journal_line, "hashes", REBUILT | {"epochs", "replay"}, covers_up=False),
    Cheat(
        "two journal lines swapped", swap_two_journal_lines, "hashes", REBUILT | {"epochs", "replay"}, covers_up=False
    ),
    Cheat(
        "a tokenizer edited",
        edit_a_tokenizer,
        "hashes",
        frozenset({"round-trip", "tokens", "facts-by-title", "fresh-start", "stored-findings"}),
        covers_up=False,
    ),
    Cheat("a parquet cell edited", edit_a_parquet_cell, "measurements", covers_up=False),
    Cheat("a number of the document edited", edit_the_document, "numbers", frozenset({"claims"}), covers_up=False),
    Cheat("a sentence edited", edit_a_claim, "claims", frozenset({"numbers"}), covers_up=False),
    Cheat("a number of the summary edited", edit_the_summary, "reports", covers_up=False),
]

TRAINED_AGAINST_A_RULE: dict[str, dict[str, Any]] = {
    "epochs": {"settings": {"optimized": {"epochs": "8"}}},
    "seed": {"seeds": (7,)},
    "validation-fraction": {"settings": {arm: {"val_fraction": "0.2"} for arm in ("baseline", "optimized")}},
}
"""Check → what to ask of an honest pipeline so that the rule is broken."""

CAUGHT_ELSEWHERE = {
    "pdf-attachments",
    "official-data",
    "first-loss",
    "same-tokens",
    "reimport",
    "own-clock",
    "reads",
    "kept-weights",
    "equal-terms",
    "revisions",
}
"""Checks whose cheats are tests of their own: below, in `test_reading`, for logs in `test_imports`, for code in
`test_revisions`."""


def find_failed(folder: Path, status: str = "FAIL") -> set[str]:
    findings = verify(folder, None, REPLAY_STEPS, FakeLauncher())
    return {finding.name for finding in findings if finding.status == status}


@pytest.fixture(scope="module")
def honest_two_seeds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_comparison(tmp_path_factory.mktemp("seeds"), seeds=(1337, 1))


def test_an_honest_comparison_fails_nothing(tiny_comparison: Path, honest_two_seeds: Path) -> None:
    assert find_failed(tiny_comparison) == set()
    assert find_failed(honest_two_seeds) == set()


@pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.name)
def test_a_cheat_is_caught_by_its_check_and_by_nothing_unlisted(
    cheat: Cheat, tiny_comparison: Path, honest_two_seeds: Path, tmp_path: Path
) -> None:
    source = honest_two_seeds if cheat.name in TWO_SEEDS else tiny_comparison
    folder = Path(shutil.copytree(source, tmp_path / source.name))
    cheat.apply(folder)
    if cheat.covers_up:
        for run in run_folders(folder):
            if run.exists():
                rehash(run)
        with skip_rendering():
            make_reports(folder)
    failed = find_failed(folder)
    assert cheat.caught_by in failed
    assert failed - {cheat.caught_by} <= cheat.also


@pytest.mark.parametrize(
    "said", [{"evidence": "7 epochs, by three other laboratories too"}, {"title": "The task's target is met"}], ids=list
)
def test_other_words_of_a_finding_are_not_vouched_for(
    said: dict[str, str], tiny_comparison: Path, tmp_path: Path
) -> None:
    """Another version of the harness may have said it so."""
    folder = Path(shutil.copytree(tiny_comparison, tmp_path / tiny_comparison.name))
    edit_a_finding(folder, "epochs", **said)
    with skip_rendering():
        make_reports(folder)
    assert not find_failed(folder) and "stored-findings" in find_failed(folder, "NOT VOUCHED")


def test_a_full_loss_far_above_the_training_losses_is_not_vouched_for(tiny_comparison: Path, tmp_path: Path) -> None:
    """It may be a baseline that was made worse, and a model that has learned its training titles by heart."""
    folder = Path(shutil.copytree(tiny_comparison, tmp_path / tiny_comparison.name))
    raise_every_loss(folder)
    for run in run_folders(folder):
        rehash(run)
    with skip_rendering():
        make_reports(folder)
    assert not find_failed(folder) and "loss-ratio" in find_failed(folder, "NOT VOUCHED")


@pytest.mark.parametrize("check", TRAINED_AGAINST_A_RULE)
def test_a_training_against_a_rule_is_caught_by_its_check_alone(check: str, tmp_path: Path) -> None:
    assert find_failed(make_comparison(tmp_path, **TRAINED_AGAINST_A_RULE[check])) == {check}


@pytest.mark.parametrize("num_validation_titles", [10_000, 600])
def test_the_tasks_data_without_a_commit_fails_official_data_whatever_its_size(
    num_validation_titles: int, tiny_comparison: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_comparison, tmp_path / tiny_comparison.name))
    claim_the_tasks_data(folder, num_validation_titles)
    with skip_rendering():
        make_reports(folder)
    findings = {finding.name: finding for finding in verify(folder, None, None, FakeLauncher())}
    assert findings["official-data"].status == "FAIL" and "revision is main" in findings["official-data"].evidence


def test_other_numbers_inside_the_pdf_are_caught(tmp_path: Path) -> None:
    folder = make_comparison(tmp_path, pdf=True)
    edit_the_document(folder)
    assert find_failed(folder) == {"numbers", "claims", "pdf-attachments"}


def test_every_check_has_a_cheat() -> None:
    caught = {cheat.caught_by for cheat in CHEATS} | set(TRAINED_AGAINST_A_RULE) | CAUGHT_ELSEWHERE
    assert caught == set(list_checks())
