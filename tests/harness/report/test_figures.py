"""Figures are the same whatever the user's matplotlib is set to, and say what they show: by names and by hovering."""

import html
import os
import re
import subprocess
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.formats import format_loss
from harness.report.drawing import COLORS, spread
from harness.report.figure_list import FIGURES
from harness.report.figures import save_figures
from harness.report.hover import add_spots
from harness.store.document import load_document
from harness.store.measurements import load_metrics
from mainrun.record.inert import make_inert

ROOT = Path(__file__).parents[3]
DRAW = """
import sys
from pathlib import Path
from harness.store.document import load_document
from harness.report.figures import save_figures
from harness.store.measurements import load_metrics
folder, out = map(Path, sys.argv[1:])
save_figures(out, load_document(folder), load_metrics(folder))
"""
SETTINGS = "text.usetex: True\nfigure.facecolor: black\naxes.facecolor: black\ntext.color: white\nfont.size: 30\n"


def read_figures(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "figures").iterdir()}


def draw_in(folder: Path, comparison: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", DRAW, str(comparison), str(folder / "drawn")],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, capture_output=True, text=True,
    )  # fmt: skip


def test_a_notebooks_backend_and_a_dark_matplotlibrc_change_no_figure(tiny_comparison: Path, tmp_path: Path) -> None:
    save_figures(tmp_path, load_document(tiny_comparison), load_metrics(tiny_comparison))
    (tmp_path / "matplotlibrc").write_text(SETTINGS)
    done = draw_in(tmp_path, tiny_comparison, MPLBACKEND="module://matplotlib_inline.backend_inline")
    assert (done.returncode, done.stderr) == (0, "")
    assert read_figures(tmp_path / "drawn") == read_figures(tmp_path)


def test_a_matplotlibrc_that_cannot_be_read_is_the_machines_fault(tiny_comparison: Path, tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_bytes(b"font.size: \xff\n")
    done = draw_in(tmp_path, tiny_comparison)
    assert "MachineError: matplotlib cannot be loaded" in done.stderr


def test_the_backend_of_the_environment_is_left_for_other_programs(tmp_path: Path) -> None:
    code = "import os, harness.report.figures; print(os.environ['MPLBACKEND'])"
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "nowhere"}
    done = subprocess.run([sys.executable, "-c", code], env=variables, cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("nowhere\n", "")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["图表", "مرحبا", "\U0001f680", "$x_{$", r"$\nothing$"])
def test_a_name_in_any_script_or_with_dollar_signs_is_drawn_as_it_stands(
    name: str, tiny_document: dict[str, Any], tiny_comparison: Path, tmp_path: Path
) -> None:
    arms = [{**arm, "label": f"{name} {place}"} for place, arm in enumerate(tiny_document["arms"])]
    save_figures(tmp_path, {**tiny_document, "arms": arms}, load_metrics(tiny_comparison))
    assert f">{name} 1</text>" in (tmp_path / "figures" / "loss_by_step.svg").read_text(encoding="utf-8")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "name", ["_hidden", "a\x1b[31m\x00b", "\u202egnp.exe\u2066", "one\ntwo", "\ud83d lone", "<b>&amp;"]
)
def test_a_name_with_control_characters_is_drawn_inert_and_none_is_left_out(
    name: str, tiny_document: dict[str, Any], tiny_comparison: Path, tmp_path: Path
) -> None:
    arms = [{**arm, "label": f"{name} {place}"} for place, arm in enumerate(tiny_document["arms"])]
    pairs = [{**pair, "candidate_label": name, "baseline_label": name} for pair in tiny_document["pairs"]]
    save_figures(tmp_path, {**tiny_document, "arms": arms, "pairs": pairs}, load_metrics(tiny_comparison))
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "figures").iterdir()]
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") and c != "\n" for text in texts for c in text)
    drawn = [found for text in texts for found in ElementTree.fromstring(text).itertext()]
    shown = make_inert(name)
    for due in (f"{shown} 0", f"{shown} 1", shown):
        assert due in [" ".join(text.split()) for text in drawn], due


def read_titles(svg: str) -> list[str]:
    return [html.unescape(text) for text in re.findall("<title>(.*?)</title>", svg)]


def draw(folder: Path, document: dict[str, Any], comparison: Path) -> dict[str, str]:
    save_figures(folder, document, load_metrics(comparison))
    return {name.removesuffix(".svg"): content.decode() for name, content in read_figures(folder).items()}


@pytest.mark.parametrize(
    ("labels", "drawn_as", "has_legend"),
    [
        (("aa", "bb"), ("aa", "bb"), False),
        ((30 * "a" + "1", 30 * "a" + "2"), ("aaaaa…aaaaa1", "aaaaa…aaaaa2"), False),
        ((40 * "a" + "1" + 40 * "b", 40 * "a" + "2" + 40 * "b"), (40 * "a" + "1" + 40 * "b",), True),
    ],
    ids=["short", "long", "the same but for the middle"],
)
def test_lines_are_named_at_their_ends_and_by_a_legend_below_where_names_would_look_the_same(
    labels: tuple[str, str], drawn_as: tuple[str, ...], has_legend: bool,
    tiny_document: dict[str, Any], tiny_comparison: Path, tmp_path: Path,
) -> None:  # fmt: skip
    arms = [{**arm, "label": label} for label, arm in zip(labels, tiny_document["arms"], strict=True)]
    drawn = draw(tmp_path, {**tiny_document, "arms": arms}, tiny_comparison)
    plain = draw(tmp_path / "plain", tiny_document, tiny_comparison)
    for name in ("loss_by_step", "loss_by_time", "training_loss", "learning_rate", "perplexity"):
        texts = [" ".join(text.split()) for text in ElementTree.fromstring(drawn[name]).itertext()]
        for label in drawn_as:
            start, _, end = label.partition("…")
            assert sum(text.startswith(start) and text.endswith(end) and ":" not in text for text in texts) == 1, name
        assert ("legend" in drawn[name]) == has_legend, name
        assert (read_height(drawn[name]) > read_height(plain[name])) == has_legend, name


def read_height(svg: str) -> float:
    return float(re.findall(r'viewBox="0 0 [\d.]+ ([\d.]+)"', svg)[0])


@given(st.lists(st.floats(0, 1), max_size=9), st.floats(0, 0.1))
def test_names_are_moved_apart_in_their_order_and_no_further_than_needed(places: list[float], gap: float) -> None:
    moved = spread(places, gap)
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in moved)
    order = sorted(range(len(places)), key=places.__getitem__)
    assert all(moved[after] - moved[before] >= gap - 1e-9 for before, after in pairwise(order))
    if all(places[after] - places[before] >= gap for before, after in pairwise(order)):
        assert moved == pytest.approx(places)


def test_several_seeds_are_one_line_with_a_band_and_one_seed_has_none(
    tiny_document: dict[str, Any], tiny_comparison: Path, three_seeds: Path, tmp_path: Path
) -> None:
    document = load_document(three_seeds)
    drawn = {
        1: draw(tmp_path / "one", tiny_document, tiny_comparison),
        3: draw(tmp_path / "three", document, three_seeds),
    }
    for name in ("loss_by_step", "loss_by_time", "training_loss", "perplexity"):
        assert "FillBetween" not in drawn[1][name] and drawn[3][name].count('id="FillBetween') == 2, name
        assert "mean and range of 3 seeds" in drawn[3][name] and "seeds" not in drawn[1][name]
    last = [row for row in load_metrics(three_seeds) if row["step"] == row["max_steps"] and row["split"] != "train"]
    losses = [row["loss_nats_per_char"] for row in last if row["arm"] == "optimized"]
    low, mean, high = map(format_loss, (min(losses), sum(losses) / 3, max(losses)))
    said = f"{document['arms'][1]['label']}, step {last[0]['step']}: {mean} ({low} to {high} over 3 seeds)"
    assert said in read_titles(drawn[3]["loss_by_step"])


@pytest.mark.parametrize("doubts", [[], ["a run was taken over from another comparison"]])
def test_the_curve_over_times_that_do_not_compare_says_so(
    doubts: list[str], tiny_document: dict[str, Any], tiny_comparison: Path, tmp_path: Path
) -> None:
    ranking = {**tiny_document["ranking"], "time_doubts": doubts}
    drawn = draw(tmp_path, {**tiny_document, "ranking": ranking}, tiny_comparison)["loss_by_time"]
    assert ("seconds, not comparable" in drawn) == bool(doubts)
    assert ("training time, seconds" in drawn) == (not doubts)


def test_the_figures_of_an_ablation_explain_what_they_show(tmp_path: Path) -> None:
    comparison = ROOT / "results" / "ablation-laptop"
    document = load_document(comparison)
    drawn = draw(tmp_path, document, comparison)
    texts = {name: " ".join(ElementTree.fromstring(svg).itertext()) for name, svg in drawn.items()}
    assert "Validation loss by share of the training; pale: the other arms" in texts["loss_by_step"]
    assert "lines: intervals at once; pale: cannot be told from nothing" in texts["ablation"]
    ladder = document["ablation"]["ladder"]
    ends = (ladder[0]["before_full_loss_nats_per_char"], ladder[-1]["after_full_loss_nats_per_char"])
    assert all(format_loss(end) in texts["ablation"] for end in ends)  # by number: points, not bars
    of_the_whole = COLORS[1]
    assert of_the_whole in drawn["intervals"] and of_the_whole in drawn["loss_by_step"]


def test_every_figure_says_its_values_where_a_reader_points(
    tiny_document: dict[str, Any], tiny_comparison: Path, tmp_path: Path
) -> None:
    drawn = draw(tmp_path, tiny_document, tiny_comparison)
    for name, svg in drawn.items():
        assert read_titles(svg), name
        width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)[0])
        for x, y in re.findall(r'<circle cx="([-\d.]+)" cy="([-\d.]+)"', svg):
            assert 0 < float(x) < width and 0 < float(y) < height, name
    final = tiny_document["arms"][1]["final"]
    step, loss = final["step"], format_loss(final["loss_nats_per_char"])
    assert f"{tiny_document['arms'][1]['label']}, step {step}: {loss}" in read_titles(drawn["loss_by_step"])


def test_what_hovering_says_is_text_whatever_it_holds() -> None:
    svg = add_spots('<svg xmlns="http://www.w3.org/2000/svg"><g/></svg>\n', [(1, 2, "<script>&\x1b]]>"), (3, 4, "b")])
    titles = [element.text for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("title")]
    assert titles == ["<script>&\ufffd]]>", "b"] and svg.endswith("</svg>\n")


def test_the_figures_of_a_document_are_those_with_something_to_show(
    tiny_document: dict[str, Any], tiny_comparison: Path, tmp_path: Path
) -> None:
    assert tiny_document["figures"] == [name for name in FIGURES if name not in ("ablation", "sweeps", "arms")]
    assert sorted(draw(tmp_path, {**tiny_document, "figures": ["gain"]}, tiny_comparison)) == ["gain"]
