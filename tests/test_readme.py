"""What the README says is what the program does."""

import re
from pathlib import Path

import pytest

from harness.cli.app import build_parser
from harness.cli.verify import format_checks_markdown
from harness.store.document import load_document
from harness.verify.verify import list_checks
from mainrun.recipes import PRESETS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def find_part(name: str) -> str:
    found = re.search(rf"<!-- {name}:start -->\n(.*?)<!-- {name}:end -->", README, re.DOTALL)
    assert found is not None
    return found[1].strip()


def test_the_table_of_checks_is_the_registrys() -> None:
    assert find_part("checks") == format_checks_markdown(list_checks())


def test_the_excerpt_is_the_beginning_of_the_committed_summary() -> None:
    summary = (ROOT / "results" / "mainrun-hn-titles" / "PERFORMANCE_SUMMARY.md").read_text(encoding="utf-8")
    excerpt = "\n".join(line.removeprefix(">").removeprefix(" ") for line in find_part("excerpt").splitlines())
    results = summary[summary.index("## Results Achieved") : summary.index("## Key Changes Made")]
    assert excerpt.strip() == results.split("\n", 1)[1].strip()


def test_every_verb_stands_in_the_table_of_commands() -> None:
    verbs = next(action.choices for action in build_parser()._actions if action.choices)
    for verb in verbs:
        assert re.search(rf"^\| `{verb}[ `]", README, re.MULTILINE), verb


def test_the_presets_have_the_sizes_the_readme_gives() -> None:
    for name, preset in PRESETS.items():
        row = next(line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
        for number in (preset.scale[key] for key in ("data.num_titles", "model.n_layer", "model.d_model")):
            assert f"{number:,}" in row


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)#]+)\)", README))
def test_every_link_of_the_readme_leads_to_a_file(target: str) -> None:
    assert target.startswith("https://") or (ROOT / target).exists()


def test_every_file_the_readme_names_exists() -> None:
    for name in re.findall(r"`((?:mainrun|harness|reports|tests)/[\w/.]*)`", README):
        assert (ROOT / name).exists(), name


def test_the_committed_comparison_is_that_of_the_readmes_command() -> None:
    document = load_document(ROOT / "results" / "quick-synthetic")
    assert document["preset"] == "quick"
    assert [arm["name"] for arm in document["arms"]] == ["baseline", "optimized"]
    assert all(not arm["settings"] for arm in document["arms"])
    before, after = (f"{arm['final']['full_loss_nats_per_char']:.4f}" for arm in document["arms"])
    gain = f"by {document['pairs'][0]['full_gain_percent']:.1f} %"
    assert f"the full loss falls from {before} to {after}, {gain}" in README.replace("\n", " ")
