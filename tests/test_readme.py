"""What the README says is what the program does."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from harness.cli.app import build_parser, main
from harness.formats import format_ends, format_percent
from harness.store.document import load_document
from tests.documents import ROOT, describe_recipes, hold_part, list_commands, read_document

README = read_document("README.md")
MAX_BYTES = 8_000


def describe_laptop(document: dict[str, Any]) -> str:
    """What the README says of the recipes with several seeds."""
    rows = {row["label"]: row for row in document["ranking"]["rows"]}
    gains = {
        label: f"{format_percent(row['gain_percent'], 2)} ({format_ends(row['interval_95'])})"
        for label, row in rows.items()
        if not row["is_baseline"]
    }
    assert gains.keys() == {"frontier", "optimized"}
    assert all(rows[label]["verdict"] == "IMPROVED" for label in gains)
    titles = document["corpus"]["num_train_titles"] + document["corpus"]["num_validation_titles"]
    first, *_, last = document["seeds"]
    return (
        f"With three seeds both are IMPROVED, at `{document['preset']}`, a smaller model on a quarter of the titles "
        f"({titles:,} real headlines, seeds {first} to {last}): `frontier` is\n{gains['frontier']} below `baseline`, "
        f"`optimized` {gains['optimized']}: "
        "[`results/frontier-laptop`](results/frontier-laptop/PERFORMANCE_SUMMARY.md)."
    )


def test_what_is_said_of_the_whole_task_is_of_the_committed_comparison() -> None:
    document = load_document(ROOT / "results" / "mainrun-frontier")
    assert document["preset"] == "mainrun" and document["seeds"] == [1337]
    assert document["corpus"]["num_train_titles"] == 90_000
    hold_part("README.md", "whole", describe_recipes(document))


def test_what_is_said_of_several_seeds_is_of_the_committed_comparison() -> None:
    document = load_document(ROOT / "results" / "frontier-laptop")
    assert document["preset"] == "laptop" and document["seeds"] == [1337, 1338, 1339]
    hold_part("README.md", "laptop", describe_laptop(document))
    hold_part("docs/frontier.md", "recipes", describe_recipes(document))


WITHOUT = {
    "data.tokenizer": "byte-pair tokens",
    "model.positions": "learned positions",
    "model.shifts": "no shifts",
    "optimizer.weight_decay": "no weight decay",
    "training.order": "a fixed order",
    "training.rdrop": "one pass a step",
}
"""What a part of `frontier` is replaced by where it is left out, by its setting."""


def load_at_laptop(name: str) -> dict[str, Any]:
    """A committed comparison of the whole of `laptop`, three seeds."""
    document = load_document(ROOT / "results" / name)
    assert document["preset"] == "laptop" and document["seeds"] == [1337, 1338, 1339]
    return document


def test_what_each_part_is_worth_is_that_of_the_committed_comparisons() -> None:
    rows = []
    for name in ("frontier-rdrop", "frontier-parts"):
        for pair in load_at_laptop(name)["pairs"]:
            changed, verdict = [change["key"] for change in pair["changes"]], pair["verdict"]
            if changed[0] in WITHOUT and "model.d_model" not in changed:
                assert verdict["interval_95"]["high_percent"] < 0, pair["candidate"]
                rows.append((verdict["gain_percent"], WITHOUT[changed[0]], format_ends(verdict["interval_95"])))
    assert {what for _, what, _ in rows} == set(WITHOUT.values())
    lines = [f"| {what} | {format_percent(gain, 2)} ({ends}) |" for gain, what, ends in sorted(rows)]
    head = "| `frontier` at `laptop`, three seeds, with | full loss lower by (95 % interval, one by one) |"
    hold_part("README.md", "parts", "\n".join([head, "|---|---|", *lines]))


def test_the_parts_whose_joint_interval_reaches_zero_are_named_with_it() -> None:
    pairs = load_at_laptop("frontier-parts")["pairs"]
    open_ones = {
        pair["candidate"]: format_ends(joint)
        for pair in pairs
        if (joint := pair["verdict"]["interval_joint"])["high_percent"] >= 0
    }
    said = f"weight decay ({open_ones.pop('no-decay')}) and order ({open_ones.pop('fixed-order')}) do not"
    assert len(pairs) == 5 and not open_ones
    assert said in read_document("docs/frontier.md")


@pytest.mark.parametrize("part", ["rdrop", "parts", "left-out", "former"])
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
