"""Logs of the training program itself at a tiny scale, stripped to public logs, against what is true of them."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from harness.analyse.examine import examine
from harness.analyse.texts import Text, find_texts
from harness.store.document import load_document
from harness.store.facts import RunFacts, read_facts
from harness.store.journals import Event
from mainrun.data.synthetic import generate_headlines
from tests.harness.sources.logs import write_json
from tests.harness.sources.test_imports import SUMMARY, compare, write
from tests.mainrun.tiny_runs import load_events, load_record, train_tiny

NUM_TITLES = 1_500
SCALE = {"num_titles": str(NUM_TITLES), "vocab_size": "400", "block_size": "16", "d_model": "8"}
BATCHES = (21, 32, 64, 100, 256)
PUBLIC = {
    "hyperparameters_configured": ("block_size", "batch_size", "vocab_size", "epochs", "seed", "num_titles"),
    "dataset_info": ("titles_count", "epochs", "batches_per_epoch", "tokens_per_epoch", "vocab_size"),
    "model_info": ("parameters_count",),
    "training_step": ("step", "max_steps", "loss", "elapsed_time"),
    "validation_step": ("step", "max_steps", "loss", "elapsed_time"),
}
"""What public logs hold of our events."""
Log = list[Event]


def strip(events: Log) -> Log:
    return [
        {"event": event["event"], "timestamp": event["timestamp"]}
        | {key: event[key] for key in PUBLIC[event["event"]] if key in event}
        | ({"val_frac": 0.1} if event["event"] == "hyperparameters_configured" else {})
        for event in events
        if event["event"] in PUBLIC
    ]


def add(log: Log, kind: str, change: Any) -> Log:
    return [event | {"loss": change(event["loss"])} if event["event"] == kind else event for event in log]


@pytest.fixture(scope="module")
def titles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("titles") / "titles.txt"
    path.write_text("".join(f"{title}\n" for title in generate_headlines(NUM_TITLES)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def begun(titles: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Log, dict[str, Any]]]:
    """The first two steps with each batch, and the planned sizes, which are true."""
    found = {}
    for batch in BATCHES:
        out = tmp_path_factory.mktemp("begun") / str(batch)
        train_tiny(titles, out, "--stop-after", "2", **SCALE, batch_size=str(batch))
        (data,) = load_events(out, "dataset_info")
        counts = {key: data[key] for key in ("num_validation_tokens", "num_validation_chars")}
        found[batch] = strip(load_events(out)), load_record(out)["sizes"] | counts
    return found


def know(logs: dict[int, Log]) -> tuple[dict[int, Text], dict[int, RunFacts]]:
    facts = {batch: read_facts(log) for batch, log in logs.items()}
    return find_texts({batch: (log, facts[batch]) for batch, log in logs.items()}), facts


def test_logs_of_one_text_have_one_estimate_which_holds(begun: dict[int, tuple[Log, dict[str, Any]]]) -> None:
    texts, _ = know({batch: log for batch, (log, _) in begun.items()})
    assert len({text.place for text in texts.values()}) == 1
    (validation,) = {text.validation for text in texts.values()}
    true = next(iter(begun.values()))[1]["num_validation_tokens"]
    assert validation is not None and validation.origin == "estimated"
    assert any(low <= true <= high for low, high in validation.pieces)


def test_the_first_losses_of_several_batches_narrow_the_spans_of_each(
    begun: dict[int, tuple[Log, dict[str, Any]]],
) -> None:
    texts, facts = know({batch: log for batch, (log, _) in begun.items()})
    narrowed = 0
    for batch, (log, sizes) in begun.items():
        together = examine(log, facts[batch], texts[batch])["coverage"]
        alone = examine(log, facts[batch])["coverage"]
        assert together["low_num_spans"] <= sizes["num_spans"] <= together["high_num_spans"]
        assert together["low_share"] - 1e-9 <= sizes["coverage"] <= together["high_share"] + 1e-9
        width = [found["high_num_spans"] - found["low_num_spans"] for found in (together, alone)]
        assert width[0] <= width[1]
        narrowed += width[0] < width[1]
    assert narrowed >= 2


def test_nobody_is_accused_of_a_loss_with_other_terms_a_first_update_or_a_single_step(
    begun: dict[int, tuple[Log, dict[str, Any]]],
) -> None:
    for batch, (log, sizes) in begun.items():
        chars = {"num_validation_chars": sizes["num_validation_chars"]}
        logs = {
            "plain": log,
            "other terms": add(log, "training_step", lambda loss: 1.05 * loss),
            "one step": [event for event in log if event.get("step", 1) <= 1],
            "no second loss": [event for event in log if (event["event"], event.get("step")) != ("training_step", 2)],
        }
        for name, changed in logs.items():
            known = [event | (chars if event["event"] == "dataset_info" else {}) for event in changed]
            assert examine(known, read_facts(known))["fit"]["status"] != "does not fit", (batch, name)


def test_a_denominator_that_was_changed_is_still_found_where_characters_are_known(
    begun: dict[int, tuple[Log, dict[str, Any]]],
) -> None:
    log, sizes = begun[64]
    chars = {"num_validation_chars": sizes["num_validation_chars"]}
    changed = [event | (chars if event["event"] == "dataset_info" else {}) for event in log]
    changed = add(changed, "validation_step", lambda loss: loss / 2)
    fit = examine(changed, read_facts(changed))["fit"]
    assert fit["status"] == "does not fit" and "was changed" in fit["reason"]


@pytest.fixture(scope="module")
def judged(titles: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str, dict[str, Any]]:
    """Three whole runs as public logs, judged; and the records they come from."""
    folder = tmp_path_factory.mktemp("whole")
    arms = {"small": ("optimized", 128), "same": ("baseline", 128), "large": ("optimized", 200)}
    records, logs = {}, {}
    for name, (recipe, batch) in arms.items():
        assert train_tiny(titles, folder / name, recipe=recipe, **SCALE, batch_size=str(batch)) == 0
        records[name] = load_record(folder / name)["sizes"] | {
            "last": load_events(folder / name, "validation_step")[-1]
        }
        logs[name] = write_json(strip(load_events(folder / name)))
    assert compare(write(folder, **logs), folder / "out") == 0
    return load_document(folder / "out"), (folder / "out" / SUMMARY).read_text(encoding="utf-8"), records


def test_what_two_logs_of_one_text_share_cancels_in_their_gain(
    judged: tuple[dict[str, Any], str, dict[str, Any]],
) -> None:
    document, summary, records = judged
    same, large = document["pairs"]
    losses = {name: sizes["last"]["loss"] for name, sizes in records.items()}
    assert same["basis_gain_bounds_percent"] is None and same["basis_gain_percent"] == pytest.approx(
        100 * (1 - losses["same"] / losses["small"])
    )
    matched = {name: sizes["last"]["loss"] / sizes["coverage"] for name, sizes in records.items()}
    true = 100 * (1 - matched["large"] / matched["small"])
    bounds = large["basis_gain_bounds_percent"] or {
        "low": large["basis_gain_percent"],
        "high": large["basis_gain_percent"],
    }
    assert bounds["low"] - 1e-6 <= true <= bounds["high"] + 1e-6
    assert {finding["name"] for finding in document["integrity"] if finding["status"] == "FAIL"} == set()
    assert "was changed" not in summary and math.isfinite(true)


def test_unequal_batches_at_equal_data_are_flagged_and_shown_on_equal_terms(
    judged: tuple[dict[str, Any], str, dict[str, Any]],
) -> None:
    document, _, records = judged
    gap = document["pairs"][1]["coverage_gap_points"]
    true = 100 * (records["small"]["coverage"] - records["large"]["coverage"])
    assert gap["low"] - 1e-6 <= true <= gap["high"] + 1e-6
    assert document["pairs"][1]["coverage_differs"] == (max(gap["low"], -gap["high"]) > 0.5)
    assert json.dumps(document["pairs"][0]["coverage_differs"]) == "false"
