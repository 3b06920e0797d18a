"""What the documentation says is what the program does: tables, links, files, commands, options, snippets."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from docs.make_images import wrap_as_a_terminal
from harness.cli.app import VERBS, build_parser
from harness.plan.arms_file import load_recipes
from harness.plan.noise import PRIORS
from harness.sources import columns
from harness.sources.lines import EVENTS
from harness.store.document import load_document
from harness.verify.verify import list_checks
from mainrun.recipes import PRESETS
from mainrun.record.errors import RequestError
from mainrun.train import parse_request
from tests.documents import (
    DOCUMENTS,
    KNOWN_NOISE,
    PROGRAMS,
    ROOT,
    describe_gain,
    find_part,
    hold_part,
    list_anchors,
    list_blocks,
    list_commands,
    list_links,
    list_spans,
    load_known_gains,
    read_code,
    read_document,
)

NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]
OF_OTHER_PROGRAMS = {"--kills", "--markdown", "--rounds"}
"""Options of pytest and the benchmarks."""
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
PACKAGES = "mainrun|harness|reports|tests|benchmarks|docs"


def find_verbs() -> dict[str, Any]:
    return next(action.choices for action in build_parser()._actions if isinstance(action.choices, dict))


def format_options(monkeypatch: pytest.MonkeyPatch) -> str:
    """The help of every verb, as docs/options.md shows it."""
    monkeypatch.setenv("COLUMNS", "110")
    parts = [f"## {verb}\n\n```text\n{parser.format_help().rstrip()}\n```" for verb, parser in find_verbs().items()]
    return "\n\n".join(parts)


def test_the_table_of_checks_is_the_registrys() -> None:
    rows = [f"| `{name}` | {title} |" for name, title in list_checks().items()]
    hold_part("docs/checks.md", "checks", "\n".join(["| check | what it asks |", "|---|---|", *rows]))


def test_the_options_are_those_of_the_help(monkeypatch: pytest.MonkeyPatch) -> None:
    hold_part("docs/options.md", "options", format_options(monkeypatch))


def test_the_names_in_logs_are_those_that_are_read() -> None:
    events = {event: [name for name in EVENTS if EVENTS[name] == event] for event in dict.fromkeys(EVENTS.values())}
    tables = {
        "step": columns.STEPS,
        "validation loss": columns.VALIDATION,
        "full loss": (columns.FULL,),
        "training loss": columns.TRAINING,
        "learning rate": columns.RATES,
        "epoch": columns.EPOCHS,
    }
    rows = [(f"event `{name}`", tuple(names)) for name, names in events.items()]
    rows += [(f"column or tag: {name}", names) for name, names in tables.items()]
    lines = [f"| {what} | {', '.join(f'`{name}`' for name in names)} |" for what, names in rows]
    hold_part("docs/logs.md", "names", "\n".join(["| what | its names |", "|---|---|", *lines]))


def test_the_noise_that_is_known_is_told_with_its_gains() -> None:
    lines = [
        "| preset | sd of the gain of a pair | its 95 % interval | comparison | gains, % |",
        "|---|---:|---:|---|---|",
    ]
    for preset, prior in PRIORS.items():
        name, _ = KNOWN_NOISE[preset]
        cells = (
            f"`{preset}`",
            f"{prior.sd_percent:g} %",
            f"{prior.low_percent:g} to {prior.high_percent:g} %",
            f"[`results/{name}`](../results/{name}/PERFORMANCE_SUMMARY.md)",
            ", ".join(f"{gain:.3f}" for gain in load_known_gains(preset)),
        )
        lines.append(f"| {' | '.join(cells)} |")
    hold_part("docs/statistics.md", "noise", "\n".join(lines))
    [pair] = load_document(ROOT / "results" / "ablation-quick")["pairs"]
    floor = f"{pair['robustness']['sd_gain_percent']:.2f} %"
    assert f"three seed pairs of `frontier` there had {floor}" in read_document("docs/statistics.md")


def describe_ablation(document: dict[str, Any]) -> str:
    """What each part of a recipe is worth by a stored ablation, as docs/frontier.md shows it."""
    ladder, left_out = document["ablation"]["ladder"], document["ablation"]["leave_one_out"]
    lines = ["| part | added | left out |", "|---|---:|---:|"]
    for steps in zip(ladder, left_out, strict=True):
        assert steps[0]["unit"] == steps[1]["unit"]
        cells = [describe_gain(step["verdict"]) for step in steps]
        lines.append(f"| {steps[0]['unit']} | {' | '.join(cells)} |")
    return "\n".join(
        [
            *lines,
            "",
            *(
                f"- {kind}, by intervals that {what}: above zero {join_parts(above)}; below zero {join_parts(below)}."
                for kind, steps in (("Left out", left_out), ("Added", ladder))
                for what, interval in (("hold one by one", "interval_95"), ("hold for all at once", "interval_joint"))
                for above, below in [list_parts(steps, interval)]
            ),
            "",
            f"The ladder's second step, {ladder[0]['unit']} and {ladder[1]['unit']} alone, ends at "
            f"{ladder[1]['after_full_loss_nats_per_char']:.4f} nats per character, the whole at "
            f"{ladder[-1]['after_full_loss_nats_per_char']:.4f}.",
        ]
    )


def join_parts(names: list[str]) -> str:
    """The names, or that there are none."""
    return ", ".join(names) or "none"


def list_parts(steps: list[dict[str, Any]], interval: str) -> tuple[list[str], list[str]]:
    """The parts whose interval is above 0, and those whose is below."""
    ends = {step["unit"]: step["verdict"][interval] for step in steps}
    above = [unit for unit, one in ends.items() if one["low_percent"] > 0]
    return above, [unit for unit, one in ends.items() if one["high_percent"] < 0]


@pytest.mark.parametrize("preset", ["laptop", "quick"])
def test_the_worth_of_each_part_is_that_of_the_committed_ablation(preset: str) -> None:
    document = load_document(ROOT / "results" / f"ablation-{preset}")
    assert document["preset"] == preset and document["seeds"] == [1337, 1338, 1339]
    hold_part("docs/frontier.md", f"ablation-{preset}", describe_ablation(document))


def test_the_presets_have_the_sizes_that_are_given() -> None:
    for name, preset in PRESETS.items():
        row = next(line for line in read_document("docs/running.md").splitlines() if line.startswith(f"| `{name}` |"))
        for number in (preset.scale[key] for key in ("data.num_titles", "model.n_layer", "model.d_model")):
            assert f"{number:,}" in row


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_to_a_file_and_a_heading(name: str) -> None:
    for target in list_links(read_document(name)):
        if target.startswith("https://"):
            continue
        place, _, anchor = target.partition("#")
        path = (ROOT / name).parent / place if place else ROOT / name
        assert path.exists(), f"{name}: {target}"
        assert not anchor or anchor in list_anchors(path.read_text(encoding="utf-8")), f"{name}: {target}"


@pytest.mark.parametrize("name", [name for name in NAMES if name != "CHANGELOG.md"])
def test_every_file_that_is_named_exists(name: str) -> None:
    if name != "docs/architecture.md":  # its examples are files that do not exist yet
        for found in re.findall(rf"`((?:{PACKAGES})/[\w/.]*)`", read_document(name)):
            assert (ROOT / found).exists(), f"{name}: {found}"


def test_every_document_can_be_reached_from_the_readme() -> None:
    linked = {target.partition("#")[0] for target in list_links(read_document("README.md"))}
    assert set(NAMES) - {"README.md"} <= linked


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_one_that_the_program_takes(name: str) -> None:
    for program, *arguments in list_commands(read_document(name)):
        if "VERB" not in arguments and arguments:
            read = parse_request if program == "mainrun.train" else build_parser().parse_args
            read(arguments)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "CHANGELOG.md"])
def test_every_option_that_is_named_exists(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_request(["--help"])
    known = OF_OTHER_PROGRAMS | set(OPTION.findall(capsys.readouterr().out))
    known |= {option for parser in find_verbs().values() for option in parser._option_string_actions}
    lines = "\n".join(list_blocks(read_document(name))).splitlines()
    spans = [*list_spans(read_document(name)), *(line for line in lines if PROGRAMS[0] in line)]
    named = {option for span in spans for option in OPTION.findall(span)}
    assert named <= known, named - known


def test_the_commands_are_found() -> None:
    commands = [command for name in NAMES for command in list_commands(read_document(name))]
    assert len(commands) > 15
    assert {verb.__name__.rpartition(".")[2] for verb in VERBS} <= {command[1] for command in commands if command[1:]}


def test_every_folder_stands_in_the_tree() -> None:
    tree = read_code("docs/architecture.md", "tree")
    for package in ("harness", "mainrun"):
        [section] = re.findall(rf"^{package}/\n((?:  .*\n)+)", tree, re.MULTILINE)
        listed = set(re.findall(r"^  (\w+)/ ", section, re.MULTILINE))
        folders = {path.name for path in (ROOT / package).iterdir() if (path / "__init__.py").exists()}
        assert folders <= listed, package


def test_every_place_that_a_thing_goes_to_is_there() -> None:
    places = re.findall(r"`(\w+)` of `([\w/]+\.py)`", find_part("docs/architecture.md", "places"))
    assert len(places) >= 10
    for name, path in places:
        module = import_module(path.removesuffix(".py").replace("/", "."))
        assert hasattr(module, name), f"{path} has no {name}"


def test_the_example_of_a_log_format_reads_logs(tmp_path: Path) -> None:
    example = read_code("docs/architecture.md", "log-format")
    imports = (
        "import re\nfrom pathlib import Path\n"
        "from harness.sources.steps import enter_step, make_validation_step\n"
        "from harness.sources.runs import Runs\n"
        "from harness.sources.source_log import Importer, LossUnit, SourceLog\n"
        "from harness.sources.text import Text, read_beginning\n"
        "from mainrun.record.errors import RequestError\n"
    )
    names: dict[str, Any] = {}
    exec(compile(imports + example, "notes.py", "exec"), names)
    importer, log = names["IMPORTER"], tmp_path / "a.notes"
    log.write_text("begun\nstep=1 val=2.9\nstep=10 val=1.5\n", encoding="utf-8")
    assert importer.claims(log)
    steps = importer.read(log, "a.notes", "nats_per_token").events
    assert [(step["step"], step["loss"], step["loss_unit"]) for step in steps] == [
        (1, 2.9, "nats_per_token"), (10, 1.5, "nats_per_token")]  # fmt: skip
    log.write_text("begun\n", encoding="utf-8")
    with pytest.raises(RequestError, match="no line is one such as"):
        importer.read(log, "a.notes", None)


def test_the_arms_file_names_a_recipe_with_its_settings(tmp_path: Path) -> None:
    (tmp_path / "arms.toml").write_text(read_code("docs/running.md", "arms"), encoding="utf-8")
    [(name, arm)] = load_recipes(tmp_path / "arms.toml").items()
    assert (name, arm.recipe, dict(arm.settings)) == ("hot", "optimized", {"learning_rate": "0.001"})


def test_the_notebook_gives_what_the_comparison_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found: dict[str, Any] = {}
    exec(read_code("docs/notebook.md", "notebook"), found)
    [pair] = found["comparison"]["pairs"]
    finals = [arm["final"] for arm in found["comparison"]["arms"]]
    assert found["full"].round(9).tolist() == [round(final["full_loss_nats_per_char"], 9) for final in finals]
    assert found["curves"].iloc[-1].round(9).tolist() == [round(final["loss_nats_per_char"], 9) for final in finals]
    assert (found["verdict"], found["interval"]) == (pair["verdict"]["label"], pair["verdict"]["interval_95"])
    assert all(isinstance(sentence, str) for sentence in found["sentences"])
    whole = found["by_kind"]["loss_nats"].sum() / found["by_kind"]["num_chars"].sum()
    assert whole == pytest.approx(finals[1]["full_loss_nats_per_char"])


def test_the_units_of_the_columns_are_in_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    found: dict[str, Any] = {}
    exec(read_code("docs/notebook.md", "units"), found)
    assert found["units"]["full_loss_nats_per_char"] == "nats per character"


def test_a_terminal_breaks_long_lines_at_words() -> None:
    text = "  1  baseline\n\n" + "word " * 40
    lines = wrap_as_a_terminal(text, 60)
    assert lines[:2] == ["  1  baseline", ""]
    assert all(len(line) <= 60 for line in lines)
    assert "".join(lines[2:]).split() == ["word"] * 40


@pytest.mark.parametrize("name", ["report.png", "terminal.png"])
def test_the_readmes_pictures_are_small_enough_for_a_repository(name: str) -> None:
    assert f"docs/images/{name}" in read_document("README.md")
    path = Path(ROOT / "docs" / "images" / name)
    assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size < 300_000
