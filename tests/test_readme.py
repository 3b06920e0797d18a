"""What the README says is what the program does."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from harness.cli.app import build_parser, main
from harness.store.document import load_document
from tests.documents import (
    ROOT,
    describe_gain,
    describe_recipes,
    hold_part,
    list_commands,
    read_document,
)

README = read_document("README.md")
MAX_BYTES = 8_000


def describe_laptop(document: dict[str, Any], held_out: dict[str, Any]) -> str:
    """What the README says of the recipes with several seeds, `held_out` being of titles that no preset draws."""
    rows = {row["label"]: row for row in document["ranking"]["rows"]}
    gains = {label: describe_gain(row) for label, row in rows.items() if not row["is_baseline"]}
    assert gains.keys() == {"frontier", "optimized"}
    assert all(rows[label]["verdict"] == "IMPROVED" for label in gains)
    [pair] = held_out["pairs"]
    assert pair["verdict"]["word"] == "IMPROVED" and pair["candidate"] == "frontier"
    totals = [
        one["corpus"]["num_train_titles"] + one["corpus"]["num_validation_titles"] for one in (document, held_out)
    ]
    assert totals[0] == totals[1] and document["corpus"]["name"] != held_out["corpus"]["name"]
    first, *_, last = document["seeds"]
    return (
        f"With three seeds both are IMPROVED, at `{document['preset']}`, a smaller model on a quarter of the titles "
        f"({totals[0]:,} real headlines, seeds {first} to {last}): `frontier` is\n"
        f"{gains['frontier']} below `baseline`, `optimized` {gains['optimized']}: "
        "[`results/frontier-laptop`](results/frontier-laptop/PERFORMANCE_SUMMARY.md).\n"
        f"On as many titles that no preset draws: {describe_gain(pair['verdict'])}, "
        "[`results/frontier-held-out`](results/frontier-held-out/PERFORMANCE_SUMMARY.md)."
    )


def test_what_is_said_of_the_whole_task_is_of_the_committed_comparison() -> None:
    document = load_document(ROOT / "results" / "mainrun-frontier")
    assert document["preset"] == "mainrun" and document["seeds"] == [1337]
    assert document["corpus"]["num_train_titles"] == 90_000
    hold_part("README.md", "whole", describe_recipes(document))


def test_what_is_said_of_several_seeds_is_of_the_committed_comparison() -> None:
    document, held_out = (load_at_laptop(f"frontier-{name}") for name in ("laptop", "held-out"))
    hold_part("README.md", "laptop", describe_laptop(document, held_out))
    hold_part("docs/frontier.md", "recipes", describe_recipes(document))
    hold_part("docs/frontier.md", "held-out", describe_recipes(held_out))


def load_at_laptop(name: str) -> dict[str, Any]:
    """A committed comparison of the whole of `laptop`, three seeds."""
    document = load_document(ROOT / "results" / name)
    assert document["preset"] == "laptop" and document["seeds"] == [1337, 1338, 1339]
    return document


def test_what_each_part_is_worth_is_that_of_the_committed_comparisons() -> None:
    steps = load_at_laptop("ablation-laptop")["ablation"]["leave_one_out"]
    [pair] = load_at_laptop("frontier-rdrop")["pairs"]
    assert [change["key"] for change in pair["changes"]] == ["training.rdrop"]
    rows = [(f"`{step['unit']}`", step["verdict"]) for step in steps] + [("second pass", pair["verdict"])]
    assert [name for name, verdict in rows if not verdict["interval_95"]["low_percent"] > 0] == [
        "`schedule`",
        "`width`",
    ]
    lines = [f"| {name} | {describe_gain(verdict)} |" for name, verdict in rows]
    head = (
        "| part of `frontier` at `laptop`, three seeds | full loss lower than without it (95 % interval, one by one) |"
    )
    hold_part("README.md", "parts", "\n".join([head, "|---|---|", *lines]))


def test_the_narrow_width_is_worth_it_with_the_second_pass_that_it_pays_for() -> None:
    [pair] = load_at_laptop("frontier-width")["pairs"]
    assert {change["key"] for change in pair["changes"]} == {"training.rdrop", "model.n_head", "model.d_model"}
    assert pair["verdict"]["word"] == "IMPROVED" and pair["candidate"] == "frontier"


@pytest.mark.parametrize("part", ["rdrop", "width", "left-out", "former"])
def test_the_tables_of_the_frontier_are_those_of_the_committed_comparisons(part: str) -> None:
    hold_part("docs/frontier.md", part, describe_recipes(load_at_laptop(f"frontier-{part}")))


def test_what_the_schedule_is_worth_is_that_of_the_committed_comparison() -> None:
    document = load_document(ROOT / "results" / "frontier-schedule")
    assert document["preset"] == "laptop" and document["seeds"] == list(range(1337, 1343))
    [pair] = document["pairs"]
    assert {change["key"].partition(".")[0] for change in pair["changes"]} == {"schedule"}
    assert pair["verdict"]["word"] == "EQUIVALENT" and pair["verdict"]["interval_95"]["high_percent"] < 0
    hold_part("docs/frontier.md", "schedule", describe_recipes(document))


def test_what_was_left_out_of_the_frontier_harmed_or_was_worth_nothing() -> None:
    pairs = {pair["candidate"]: pair for pair in load_at_laptop("frontier-left-out")["pairs"]}
    changes = {name: {change["key"] for change in pair["changes"]} for name, pair in pairs.items()}
    assert changes == {
        "window": {"model.attention"},
        "plain": {"model.mlp", "model.biases", "model.residual_init", "training.order"},
    }
    assert {name: pair["verdict"]["word"] for name, pair in pairs.items()} == {
        "window": "IMPROVED",
        "plain": "EQUIVALENT",
    }
    whole = load_document(ROOT / "results" / "mainrun-former")
    hold_part("docs/frontier.md", "former-mainrun", describe_recipes(whole))
    assert {pair["candidate"]: pair["verdict"]["word"] for pair in whole["pairs"]} == dict.fromkeys(
        ("dropout0.1", "former"), "INCONCLUSIVE"
    )
    assert all(abs(pair["verdict"]["gain_percent"]) < pair["verdict"]["margin_percent"] for pair in whole["pairs"])
    [pair] = load_at_laptop("frontier-former")["pairs"]
    assert pair["candidate"] == "frontier" and pair["verdict"]["word"] == "IMPROVED"


def test_the_committed_comparison_is_that_of_the_readmes_command() -> None:
    document = load_document(ROOT / "results" / "quick-synthetic")
    assert document["preset"] == "quick"
    assert [arm["name"] for arm in document["arms"]] == ["baseline", "optimized"]
    assert all(not arm["settings"] for arm in document["arms"])
    before, after = (f"{arm['final']['full_loss_nats_per_char']:.4f}" for arm in document["arms"])
    gain = f"by {document['pairs'][0]['full_gain_percent']:.1f} %"
    assert f"the full loss falls from {before} to {after}, {gain}" in README.replace("\n", " ")
    minutes = sum(arm["cost"]["wall_elapsed_s"] for arm in document["arms"]) / 60
    assert 0.75 < minutes < 1.5 and "(about a minute on two cores)" in README


def test_the_readme_is_read_in_one_sitting() -> None:
    assert len(README.encode()) <= MAX_BYTES


def test_every_verb_stands_in_the_table_of_commands() -> None:
    verbs = next(action.choices for action in build_parser()._actions if action.choices)
    for verb in verbs:
        assert re.search(rf"^\| `{verb}[ `]", README, re.MULTILINE), verb


def test_the_two_commands_are_targets_and_the_gate_runs_the_second() -> None:
    commands = re.findall(r"^(make \w+)\s+#", README, re.MULTILINE)
    assert commands == ["make compare", "make test"]
    targets = re.findall(r"^(\w+):", read_document("Makefile"), re.MULTILINE)
    assert all(command.removeprefix("make ") in targets for command in commands)
    assert "make test" in read_document(".ci/run").splitlines()


TRAINED = [command for command in list_commands(README) if command[1] in ("compare", "ablate")
           and not {"--from", "hub"} & {*command} and "@" not in " ".join(command)]  # fmt: skip
"""Without what needs files, the network or two commits."""


@pytest.fixture(scope="module")
def _private_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.usefixtures("_private_cache")
@pytest.mark.parametrize("command", TRAINED, ids=" ".join)
def test_what_the_readme_trains_can_be_planned(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command[1:], "--dry-run"]) == 0
    assert "settings differ" in capsys.readouterr().out


def test_the_readme_trains_something() -> None:
    assert len(TRAINED) >= 3
