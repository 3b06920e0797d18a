"""Figures are the same whatever the user's matplotlib is set to, and names in any script cost nothing."""

import os
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.report.figures import save_figures
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
    assert f">{name} 1, full loss<" in (tmp_path / "figures" / "loss_by_step.svg").read_text(encoding="utf-8")


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
    for due in (f"{shown} 1, full loss", f"{shown} 0, frozen loss", f"{shown} against {shown}", shown):
        assert due in [" ".join(text.split()) for text in drawn], due
